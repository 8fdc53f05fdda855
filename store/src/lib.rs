//! The message store: the directory on disk, in Java's layout.
//!
//! Appends go to the commit log; one dispatcher turns its records into queue entries, index entries
//! and news for readers; reads are slices of the mapped log. The crate knows no network and no
//! request, blocks where it says so, and runs on named threads of its own.

mod api;
mod config;
mod consume_queue;
mod error;
mod java_hash;
mod offset;
mod paths;
mod record;
mod service;

pub use api::{
    Appended, Arrival, Arrivals, Everything, QueryResult, QueueRead, ReadStatus, Select,
};
pub use config::{BrokerRole, FlushDiskType, StoreConfig};
pub use error::{AppendError, FlushError, Illegal, StoreError, Unavailable};
pub use java_hash::{java_hash, tags_code};
pub use offset::{LogOffset, QueueOffset};
pub use record::{DecodeError, NewMessage, Record};
