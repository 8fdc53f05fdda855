//! Files that a power cut leaves old or new, and the watch over every call that changes a disk.
//!
//! ```text
//! store ─────────────────────────▶ calls ◀── tests: what a power cut would leave, calls that fail
//! tables of both servers ─▶ whole ──▲
//! ```
//!
//! It knows no format: whoever has a file says how its bytes are read.

pub mod calls;
mod dir;
mod whole;

pub use dir::{make_dir, sync_dir};
pub use whole::{LoadError, WholeFile};
