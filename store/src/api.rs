//! What goes in and out of a store, beside the messages themselves.

use bytes::Bytes;

use crate::consume_queue::ext_unit::ExtUnit;
use crate::offset::{LogOffset, QueueOffset};
use crate::record::Record;

/// Where a message was put. It is in the log; whether it is on disk, `Store::durable` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// First byte of its record.
    pub log_offset: LogOffset,
    /// Bytes of its record.
    pub record_bytes: u32,
    /// Its entry in the queue; 0 for prepared and rollback messages, which have none.
    pub queue_offset: QueueOffset,
    /// The time it was given. Milliseconds since 1970.
    pub store_timestamp_ms: i64,
}

impl Appended {
    /// Where its record ends, for `Store::durable`.
    #[must_use]
    pub fn end(&self) -> LogOffset {
        self.log_offset.plus(u64::from(self.record_bytes))
    }
}

/// A message that has just become readable.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its queue.
    pub queue_id: u32,
    /// Its entry; a reader that waits for this one can have it now.
    pub queue_offset: QueueOffset,
    /// Java hash of its tag, 0 without one.
    pub tags_code: i64,
    /// When it was stored. Milliseconds since 1970.
    pub store_timestamp_ms: i64,
    /// `name \x01 value \x02 …`, for filters that need more than the tag.
    pub properties: &'a [u8],
}

/// Told of every message that becomes readable, in log order, by the dispatcher's thread. It must
/// not block: the messages behind it wait.
pub trait Arrivals: Send + Sync {
    /// The message's queue entry is readable.
    fn arrived(&self, arrival: &Arrival<'_>);

    /// Before its entry is written, when queues have an extension: the bit map of those who want the message; `None`
    /// without one. Asked for records that recovery sees again too.
    fn filter_bits(&self, topic: &str, record: &Record<'_>) -> Option<Vec<u8>> {
        let _ = (topic, record);
        None
    }
}

impl Arrivals for () {
    fn arrived(&self, _: &Arrival<'_>) {}
}

/// Which messages of a queue a reader wants.
pub trait Select {
    /// By the code in the queue entry, before the record is touched.
    fn entry(&mut self, tags_code: i64) -> bool;

    /// By what the queue's extension says, for entries that have a unit in it.
    fn unit(&mut self, unit: &ExtUnit<'_>) -> bool {
        let _ = unit;
        true
    }

    /// By the record itself.
    fn record(&mut self, record: &[u8]) -> bool {
        let _ = record;
        true
    }
}

/// Wants every message.
#[derive(Clone, Copy, Debug)]
pub struct Everything;

impl Select for Everything {
    fn entry(&mut self, _: i64) -> bool {
        true
    }
}

/// How a read ended. Java 4.7.0 `store/GetMessageStatus.java`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStatus {
    /// There are messages.
    Found,
    /// Those looked at were not wanted; go on at `next_begin`.
    NoMatchedMessage,
    /// The log no longer has those looked at; go on at `next_begin`.
    MessageWasRemoving,
    /// The queue's file is gone; go on at `next_begin`.
    OffsetFoundNull,
    /// The offset is past the queue's end by more than one.
    OffsetOverflowBadly,
    /// The offset is the queue's end: nothing there yet.
    OffsetOverflowOne,
    /// The offset is before the queue's first entry.
    OffsetTooSmall,
    /// The queue has never had a message.
    NoMessageInQueue,
}

/// What a read of a queue found.
#[derive(Clone, Debug)]
pub struct QueueRead {
    /// How it ended.
    pub status: ReadStatus,
    /// Where to read next.
    pub next_begin: QueueOffset,
    /// The queue's first entry.
    pub min_offset: QueueOffset,
    /// The queue's end.
    pub max_offset: QueueOffset,
    /// Whole records, one after the other: slices of the log, and copies of what would be short slices.
    pub records: Vec<Bytes>,
    /// How many records that is.
    pub message_count: u32,
    /// How many bytes that is.
    pub bytes: u64,
    /// How far the last record looked at lies behind the end of the log. Bytes.
    pub behind_bytes: u64,
    /// Whether that is so far that a slave should serve it.
    pub suggest_slave: bool,
    /// It ended in front of a message that may be on disk only, and the reader would not wait for that.
    pub(crate) cold: bool,
}

/// One entry of a queue, without its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Its number.
    pub offset: QueueOffset,
    /// Where the record lies.
    pub log_offset: LogOffset,
    /// Bytes of the whole record.
    pub record_bytes: u32,
    /// Java hash of its tag, 0 without one; in the schedule topic when it is due, milliseconds since 1970.
    pub tags_code: i64,
}

/// What a query by key found.
#[derive(Clone, Debug, Default)]
pub struct QueryResult {
    /// Whole records, one a slice, in log order. The index knows hashes only: some may have another key.
    pub records: Vec<Bytes>,
    /// When the index last had a message put in. Milliseconds since 1970, 0 for never.
    pub index_last_update_timestamp_ms: i64,
    /// Where that message lies.
    pub index_last_update_log_offset: LogOffset,
}
