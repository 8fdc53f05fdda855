//! The queues of every topic: where each message lies in the log.
//!
//! ```text
//!   QueueTable ─ topic ─ Queue ─┬─ Tail: the newest 20-byte entries, in memory
//!                               └─ QueueFiles: all others
//! ```
//!
//! Only the dispatcher writes entries, in log order; anyone reads below a queue's end.

pub(crate) mod entries;
pub(crate) mod ext;
pub(crate) mod ext_unit;
mod files;
mod kept;
mod lookup;
pub(crate) mod queue;
mod recover;
pub(crate) mod sync;
pub(crate) mod table;
mod tail;
pub(crate) mod unit;
