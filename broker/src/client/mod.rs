//! Who is connected, and telling them what they must know.
//!
//! Java 4.7.0 `broker/client`: `ConsumerManager`, `ConsumerGroupInfo`, `ProducerManager`, `ClientHousekeepingService`.

pub mod consumers;
pub(crate) mod notify;
pub mod producers;

use std::sync::Arc;
use std::time::Duration;

use remoting::Peer;
use remoting::code::language::Language;

/// A client without a heartbeat for longer than this is taken for dead and its connection closed.
/// Java 4.7.0 `ConsumerManager.CHANNEL_EXPIRED_TIMEOUT`.
pub const EXPIRY: Duration = Duration::from_secs(120);

/// How often that is looked at.
pub const EXPIRY_PERIOD: Duration = Duration::from_secs(10);

/// A client as it said in its heartbeat, and the connection it said it on.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its connection.
    pub peer: Arc<Peer>,
    /// `ip@instance`, with `@unit` behind it for unit clients.
    pub id: String,
    /// What it is written in.
    pub language: Language,
    /// Java's `MQVersion` ordinal.
    pub version: i32,
}
