//! The queues of every topic: where each message lies in the log.

pub(crate) mod unit;
