//! The numbers of the protocol: request codes, response codes, languages, client versions.
//!
//! A code is an `i32` on the wire and stays one here, since a server must be able to carry, log and
//! refuse numbers it has never heard of. Each constant names the Java version that brought it;
//! "4.4.0" stands for "4.4.0 or before", the oldest client that is supported.

pub mod language;
pub mod request;
pub mod response;
pub mod version;

pub use language::Language;

/// Declares codes once: a documented constant for each, and `name` for logs.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)+) => {
        $($(#[$doc])* pub const $name: i32 = $value;)+

        /// Java's name of a code, for logs; `None` for a number that is not in this table.
        #[must_use]
        pub const fn name(code: i32) -> Option<&'static str> {
            match code {
                $($value => Some(stringify!($name)),)+
                _ => None,
            }
        }
    };
}
use codes;
