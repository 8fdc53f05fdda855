//! JSON as fastjson 1.2.62 writes and reads it: request and reply bodies, and the files under `config/`.
//!
//! ```text
//! {"brokerAddrs":{0:"10.0.0.1:10911"}}                            integer keys stand bare
//! {"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:7}}  objects can be keys
//! {"a":{"x":1},"b":{"$ref":"$.a"}}                                an object seen before is a path to it
//! ```
//!
//! Clients of 4.x have no other form for the first two, so we write them; references we read and never
//! write. What is read may also be standard JSON, have numbers and booleans in quotes, single quotes,
//! bare keys and commas too many. `null` in an object counts as a missing field, on both sides.
//!
//! The rule that is easy to break: one pass, no tree. What reading costs is bounded by the size of the
//! text, and its depth by [`MAX_DEPTH`].
//!
//! Java 4.7.0 `remoting/protocol/RemotingSerializable.java`; the forms below are what fastjson 1.2.62
//! printed and took when run.

mod read;
mod reference;
mod scalar;
#[cfg(test)]
mod tests;
mod text;
mod write;

use std::fmt;

pub use read::read;
pub use write::{number_array, write, write_pretty, write_standard};

/// How deep objects and lists may stand in each other. Bodies of Java reach 6.
pub const MAX_DEPTH: usize = 64;

/// Why a text is not what was asked for. The request it came with is refused; a file is read from its `.bak`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// The text breaks off or goes on wrongly; `at` counts bytes.
    Syntax {
        /// Where.
        at: usize,
        /// What should have stood there.
        expected: &'static str,
    },
    /// Nested deeper than [`MAX_DEPTH`], or a reference into itself.
    TooDeep {
        /// Where the last level begins, in bytes.
        at: usize,
    },
    /// A `$ref` to nothing, to what it stands in, or one too many for the size of the text.
    Reference {
        /// Where the reference begins, in bytes.
        at: usize,
    },
    /// Sound JSON of another shape, as the type says it.
    Shape(String),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JsonError::Syntax { at, expected } => {
                write!(f, "JSON: {expected} expected at byte {at}")
            }
            JsonError::TooDeep { at } => {
                write!(f, "JSON: more than {MAX_DEPTH} levels at byte {at}")
            }
            JsonError::Reference { at } => write!(f, "JSON: reference to nothing at byte {at}"),
            JsonError::Shape(what) => write!(f, "JSON: {what}"),
        }
    }
}

impl std::error::Error for JsonError {}

impl serde::de::Error for JsonError {
    fn custom<T: fmt::Display>(what: T) -> Self {
        JsonError::Shape(what.to_string())
    }
}
