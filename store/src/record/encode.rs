//! A message into the bytes of a record.
//!
//! Encoding happens before the log is locked; [`stamp`] then fills in the three fields that only the
//! holder of the log knows.

use std::net::{IpAddr, SocketAddr};

use super::layout::{
    BORN_HOST_V6, FIXED_BYTES, LOG_OFFSET_AT, MAX_PROPERTIES_BYTES, MESSAGE_MAGIC, QUEUE_OFFSET_AT,
    STORE_HOST_V6, body_crc, born_host_bytes, store_host_bytes, store_timestamp_at,
};
use super::torn::looks_torn;
use crate::error::{AppendError, Illegal};
use crate::paths;

/// A message on its way in. Borrowed from the request: nothing is copied before it is encoded.
#[derive(Clone, Copy, Debug)]
pub struct NewMessage<'a> {
    /// At most 127 bytes, and a file name.
    pub topic: &'a str,
    /// Below 2^31.
    pub queue_id: u32,
    /// The sender's own.
    pub flag: i32,
    /// Java's `MessageSysFlag` bits; those of the address families are set here.
    pub sys_flag: i32,
    /// When the sender made it. Milliseconds since 1970.
    pub born_timestamp_ms: i64,
    /// The sender's address.
    pub born_host: SocketAddr,
    /// This broker's address, as message ids give it.
    pub store_host: SocketAddr,
    /// How often it was sent back.
    pub reconsume_times: i32,
    /// For a commit: where its half message lies. Otherwise 0.
    pub prepared_transaction_offset: i64,
    /// Stored as it is, compressed or not.
    pub body: &'a [u8],
    /// `name \x01 value \x02 …`, at most 32,767 bytes.
    pub properties: &'a str,
}

impl NewMessage<'_> {
    /// The flags as they are stored: the address families are those of the addresses.
    pub(crate) fn stored_sys_flag(&self) -> i32 {
        let v6 = |host: SocketAddr, bit| {
            if host.ip().to_canonical().is_ipv6() {
                bit
            } else {
                0
            }
        };
        self.sys_flag & !(BORN_HOST_V6 | STORE_HOST_V6)
            | v6(self.born_host, BORN_HOST_V6)
            | v6(self.store_host, STORE_HOST_V6)
    }

    /// Bytes of the record that this will be.
    ///
    /// # Errors
    /// When some part is longer than a record can hold.
    pub(crate) fn record_bytes(&self, limit_bytes: u64) -> Result<usize, AppendError> {
        if !paths::is_topic(self.topic) {
            return Err(AppendError::MessageIllegal(Illegal::Topic));
        }
        if i32::try_from(self.queue_id).is_err() {
            return Err(AppendError::MessageIllegal(Illegal::QueueId));
        }
        if self.properties.len() > MAX_PROPERTIES_BYTES {
            return Err(AppendError::PropertiesSizeExceeded {
                bytes: self.properties.len(),
            });
        }
        if looks_torn(self.properties.as_bytes()) {
            return Err(AppendError::MessageIllegal(Illegal::Properties));
        }
        let sys_flag = self.stored_sys_flag();
        let hosts = born_host_bytes(sys_flag) + store_host_bytes(sys_flag);
        let bytes =
            FIXED_BYTES + hosts + self.body.len() + self.topic.len() + self.properties.len();
        if bytes as u64 > limit_bytes {
            return Err(AppendError::MessageIllegal(Illegal::Size {
                bytes: bytes as u64,
                limit_bytes,
            }));
        }
        Ok(bytes)
    }
}

/// Adds the record of `message` to `out`, all but what [`stamp`] fills in. `record_bytes` is what
/// [`NewMessage::record_bytes`] gave.
pub(crate) fn encode(message: &NewMessage<'_>, record_bytes: usize, out: &mut Vec<u8>) {
    let sys_flag = message.stored_sys_flag();
    out.reserve(record_bytes);
    // The lengths are in range: `record_bytes` was checked against limits that fit these types.
    out.extend_from_slice(&(record_bytes as u32).to_be_bytes());
    out.extend_from_slice(&MESSAGE_MAGIC.to_be_bytes());
    out.extend_from_slice(&body_crc(message.body).to_be_bytes());
    out.extend_from_slice(&message.queue_id.to_be_bytes());
    out.extend_from_slice(&message.flag.to_be_bytes());
    out.extend_from_slice(&[0; 16]); // queue offset, log offset
    out.extend_from_slice(&sys_flag.to_be_bytes());
    out.extend_from_slice(&message.born_timestamp_ms.to_be_bytes());
    put_host(message.born_host, out);
    out.extend_from_slice(&[0; 8]); // store timestamp
    put_host(message.store_host, out);
    out.extend_from_slice(&message.reconsume_times.to_be_bytes());
    out.extend_from_slice(&message.prepared_transaction_offset.to_be_bytes());
    out.extend_from_slice(&(message.body.len() as u32).to_be_bytes());
    out.extend_from_slice(message.body);
    out.push(message.topic.len() as u8);
    out.extend_from_slice(message.topic.as_bytes());
    out.extend_from_slice(&(message.properties.len() as u16).to_be_bytes());
    out.extend_from_slice(message.properties.as_bytes());
}

fn put_host(host: SocketAddr, out: &mut Vec<u8>) {
    match host.ip().to_canonical() {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
    out.extend_from_slice(&u32::from(host.port()).to_be_bytes());
}

/// What a record gets from the holder of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) queue_offset: i64,
    pub(crate) log_offset: u64,
    pub(crate) store_timestamp_ms: i64,
}

/// Fills in what depends on the record's place. `record` is one that [`encode`] made.
pub(crate) fn stamp(record: &mut [u8], sys_flag: i32, stamp: Stamp) {
    let mut put = |at: usize, bytes: [u8; 8]| {
        if let Some(field) = record.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            *field = bytes;
        }
    };
    put(QUEUE_OFFSET_AT, stamp.queue_offset.to_be_bytes());
    put(LOG_OFFSET_AT, stamp.log_offset.to_be_bytes());
    put(
        store_timestamp_at(sys_flag),
        stamp.store_timestamp_ms.to_be_bytes(),
    );
}
