//! Which messages of a queue a group wants.
//!
//! ```text
//! tag        by the hash in the queue entry
//! sql_…      by the properties: lexer ▶ ahead, parser ▶ tree ▶ eval, over value and java_number
//! ```

mod java_number;
mod sql_ahead;
pub mod sql_eval;
mod sql_lexer;
pub mod sql_parser;
mod sql_tree;
mod sql_value;
pub mod tag;
