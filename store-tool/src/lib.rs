//! Checks and shows a store that no broker has open, Java's or ours, and changes nothing in it.
//!
//! ```text
//! check ─► run (files) ─► log (records) ─► match_queues ─► queue     ─► report
//!                                      └─► match_index  ─► index
//! dump  ─► the same decoders, a line each
//! ```
//!
//! Layouts are the `store` crate's (`store::inspect`); what is here only compares them with each other.

mod check;
mod dump;
mod extension;
mod files;
mod index;
mod index_header;
mod log;
mod match_index;
mod match_queues;
mod queue;
mod report;
mod run;
mod unclaimed;

pub use check::{CheckError, Options, check, hold};
pub use dump::{Form, Records, index_entries, queue_entries, records};
pub use report::{Counts, Finding, Report, Weight};
