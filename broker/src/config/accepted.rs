//! Keys of Java's configuration that have nothing to act on here: executors, semaphores, Netty, plug-ins, and the ones
//! Java itself never reads.
//!
//! They are read, held to their Java type and printed like any other key, so that `-p` and GET_BROKER_CONFIG list what
//! Java lists. Someone who sets one is told that it does nothing.
//! Java 4.7.0 `BrokerConfig`, `NettyServerConfig`, `NettyClientConfig`, `MessageStoreConfig`.

use std::collections::BTreeMap;

use super::keys::{self, Key, Kind};
use super::value::{JavaType, Slot};

/// Why an executor's size has no effect, as the end of "has no effect: ".
pub(crate) const EXECUTOR: &str =
    "requests are not handed to executors here, so there is none to size";
/// The same for an executor's queue.
pub(crate) const EXECUTOR_QUEUE: &str =
    "requests are not queued for executors here; what a connection may hold is bounded in bytes";
/// The same for what tunes Netty.
pub(crate) const NETTY: &str = "there is no Netty here";
/// The same for limits of calls under way.
pub(crate) const SEMAPHORE: &str =
    "calls out are bounded by their time-outs and by bytes per connection, not by a semaphore";
/// The same for replication.
pub(crate) const REPLICATION: &str = "replication is not built yet";
/// The same for the off-heap write buffer.
pub(crate) const POOL: &str =
    "there is no off-heap write buffer: appends go straight to the page cache";
/// The same for `DLedger`.
pub(crate) const DLEDGER: &str = "there is no DLedger here";
/// The same for what Java declares and never reads.
pub(crate) const UNREAD: &str = "Java 4.7.0 does not read it either";

/// One such key, beside its name.
#[derive(Debug)]
pub(crate) struct AcceptedKey {
    pub(crate) java: JavaType,
    /// Default of Java 4.7.0 on a machine with so many processors.
    pub(crate) default: fn(i64) -> String,
    /// Why it does nothing.
    pub(crate) why: &'static str,
}

/// A default that is the same on every machine.
pub(crate) fn number<const N: i64>(_cpus: i64) -> String {
    N.to_string()
}
/// Default true.
pub(crate) fn yes(_cpus: i64) -> String {
    "true".to_owned()
}
/// Default false.
pub(crate) fn no(_cpus: i64) -> String {
    "false".to_owned()
}
/// Default an empty text.
pub(crate) fn nothing(_cpus: i64) -> String {
    String::new()
}

/// The values of the accepted keys, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted(BTreeMap<&'static str, String>);

impl Accepted {
    /// Java's defaults on a machine with so many processors.
    pub(crate) fn new(cpus: i64) -> Self {
        let default = |key: &'static Key| match &key.kind {
            Kind::Accepted(accepted) => Some((key.name, (accepted.default)(cpus))),
            Kind::Field(_) => None,
        };
        Accepted(keys::all().filter_map(default).collect())
    }

    /// The place of a key's value.
    pub(crate) fn slot(&mut self, name: &'static str, java: JavaType) -> Slot<'_> {
        Slot::Kept {
            value: self.0.entry(name).or_default(),
            java,
        }
    }

    /// Overrules a value that follows from others.
    pub(crate) fn set(&mut self, name: &'static str, value: String) {
        self.0.insert(name, value);
    }
}
