//! The message store: the directory on disk, in Java's layout.
//!
//! Appends go to the commit log; one dispatcher turns its records into queue entries, index entries
//! and news for readers; reads are slices of the mapped log. The crate knows no network and no
//! request, blocks where it says so, and runs on named threads of its own.

mod api;
mod checkpoint;
mod clean;
mod commit_log;
mod config;
mod consume_queue;
mod delay_levels;
mod dispatch;
mod error;
mod flush;
mod index;
pub mod inspect;
mod java_hash;
mod lock;
mod mapped;
mod offset;
mod paths;
mod read;
mod rebuild;
mod record;
mod recover;
mod service;
mod still;
mod store;

pub use api::{
    Appended, Arrival, Arrivals, Everything, QueryResult, QueueEntry, QueueRead, ReadStatus, Select,
};
pub use config::{BrokerRole, ExpiryConfig, FlushDiskType, StoreConfig};
pub use consume_queue::ext_unit::ExtUnit;
pub use delay_levels::{DelayLevels, SCHEDULE_TOPIC};
#[doc(hidden)]
pub use durable::calls;
pub use error::{AppendError, FlushError, Illegal, StoreError, Unavailable};
pub use flush::Durable;
pub use java_hash::{java_hash, tags_code};
pub use mapped::disk::used_ratio as disk_used_ratio;
pub use offset::{LogOffset, QueueOffset};
pub use record::{DecodeError, NewMessage, Record};
#[doc(hidden)]
pub use still::Step;
pub use store::Store;
