//! The broker: topics, groups, offsets, delivery.
//!
//! ```text
//! handler   request code → function        topic group offset   the tables and their files
//! client    who is connected               pull filter          what consumers get, and when
//! broker    owns all of it, start and stop registration         what the name servers know
//! ```

pub mod address;
mod arrivals;
pub mod broker;
mod busy;
pub mod cli;
pub mod client;
pub mod config;
pub mod delay;
pub mod filter;
pub mod group;
mod handler;
pub mod json_file;
mod made;
mod message_id;
pub mod offset;
pub mod pull;
pub mod registration;
mod retry;
mod sizes;
mod start_error;
mod tasks;
pub mod topic;
mod transaction;

pub use broker::{Broker, Running, run};
pub use config::BrokerConfig;
pub use start_error::StartError;

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
