//! Finding messages by key: a hash index in files of fixed size.
//!
//! ```text
//!   key ─ hash ─► slot ─► newest entry ─► earlier entry ─► … (entries of one slot)
//! ```
//!
//! The index knows hashes only and second-exact times, so it answers with a few too many. It is
//! written by the dispatcher and can be lost without losing a message.

mod damage;
mod file;
mod header;
mod service;

pub use file::{INDEX_ENTRY_BYTES, IndexEntry};
pub use header::{INDEX_HEADER_BYTES, IndexHeader};
pub(crate) use service::IndexService;
pub use service::hashes;
