//! Which messages of a queue a group wants.

pub mod tag;
