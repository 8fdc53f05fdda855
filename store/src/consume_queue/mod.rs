//! The queues of every topic: where each message lies in the log.
//!
//! ```text
//!   QueueTable ─ topic ─ Queue ─ FileQueue of 20-byte entries
//! ```
//!
//! Only the dispatcher writes entries, in log order; anyone reads below a queue's end.

mod lookup;
pub(crate) mod queue;
mod recover;
pub(crate) mod table;
pub(crate) mod unit;
