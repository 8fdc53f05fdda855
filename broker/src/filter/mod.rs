//! Which messages of a queue a group wants.
//!
//! ```text
//! tag        by the hash in the queue entry
//! sql_…      by the properties: lexer ▶ ahead, scan, parser ▶ tree ▶ assemble ▶ eval, over value and java_number
//! bits       which groups want a message, as bits of a bloom filter beside its queue entry
//! data       the groups' SQL filters, with their bits of a bloom filter
//! stored     the same as a file, over a restart
//! ```

mod bits;
pub mod bloom;
pub mod data;
mod java_number;
mod sql_ahead;
mod sql_assemble;
pub mod sql_eval;
mod sql_lexer;
pub mod sql_parser;
mod sql_scan;
mod sql_tree;
mod sql_value;
pub(crate) mod stored;
pub mod tag;
