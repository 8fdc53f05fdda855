//! What an open store is asked: queues read, records and offsets found, how far everything is.
//!
//! Java 4.7.0 `store/DefaultMessageStore.java`: `getMessage`, `getOffsetInQueueByTime`, `queryMessage` and
//! their like.

use bytes::Bytes;

use super::Store;
use crate::api::{QueryResult, QueueEntry, QueueRead, Select};
use crate::consume_queue::unit::Entry;
use crate::offset::{LogOffset, QueueOffset};
use crate::read::Cold;
use crate::record::Record;

/// Most bytes a query by key finds, if it is more than one message: Java's clients close a connection
/// that sends them a frame of more than 16 MiB.
const QUERY_BYTES: usize = 16 * 1024 * 1024 - 64 * 1024;

impl Store {
    /// Reads up to `max_messages` of a queue from `from` on, within the configured limits. Blocks if the disk must be waited
    /// for; a single record is not touched, unless `select` does.
    pub fn read_queue(
        &self,
        topic: &str,
        queue_id: u32,
        from: QueueOffset,
        max_messages: u32,
        select: &mut dyn Select,
    ) -> QueueRead {
        self.read(topic, queue_id, (from, max_messages), select, Cold::HandOut)
    }

    /// The same, without waiting for the disk. `None` when one of the records may not be in memory: then
    /// `read_queue_from_disk`.
    pub fn read_queue_in_memory(
        &self,
        topic: &str,
        queue_id: u32,
        from: QueueOffset,
        max_messages: u32,
        select: &mut dyn Select,
    ) -> Option<QueueRead> {
        let wish = (from, max_messages);
        let read = self.read(topic, queue_id, wish, select, Cold::EndInFront);
        (!read.cold).then_some(read)
    }

    /// The same, and the records are in memory on return. Blocks while they are read from the disk.
    pub fn read_queue_from_disk(
        &self,
        topic: &str,
        queue_id: u32,
        from: QueueOffset,
        max_messages: u32,
        select: &mut dyn Select,
    ) -> QueueRead {
        self.read(topic, queue_id, (from, max_messages), select, Cold::WaitFor)
    }

    fn read(
        &self,
        topic: &str,
        queue_id: u32,
        wish: (QueueOffset, u32),
        select: &mut dyn Select,
        cold: Cold,
    ) -> QueueRead {
        let queue = self.queues.get(topic, queue_id);
        self.reader
            .read(&self.log, queue.as_deref(), wish, select, cold)
    }

    /// Up to `most` entries of a queue from `from` on, those of one file; from the first one there is
    /// when that one is gone. None at the queue's end. An entry whose code is in the queue's extension has it,
    /// unless the extension is off.
    pub fn entries(
        &self,
        topic: &str,
        queue_id: u32,
        from: QueueOffset,
        most: usize,
    ) -> Vec<QueueEntry> {
        let queue = self.queues.get(topic, queue_id);
        queue.map_or_else(Vec::new, |queue| queue.some_entries(from, most))
    }

    /// The whole record at `offset`, if one begins there. Under SYNC_FLUSH only what is on disk.
    pub fn record_at(&self, offset: LogOffset) -> Option<Bytes> {
        let upto = if self.is_sync() {
            self.flush.flushed()
        } else {
            self.log.end()
        };
        self.log.record_at(offset.0, upto)
    }

    /// First entry of a queue whose record is still in the log; 0 for a queue never used.
    pub fn min_offset(&self, topic: &str, queue_id: u32) -> QueueOffset {
        self.queues
            .get(topic, queue_id)
            .map_or(QueueOffset(0), |queue| queue.min_offset())
    }

    /// End of a queue: what the next message that becomes readable gets.
    pub fn max_offset(&self, topic: &str, queue_id: u32) -> QueueOffset {
        self.queues
            .get(topic, queue_id)
            .map_or(QueueOffset(0), |queue| queue.max_offset())
    }

    /// Entry of the message stored nearest to a time; the first or last one outside their times.
    pub fn offset_by_time(&self, topic: &str, queue_id: u32, timestamp_ms: i64) -> QueueOffset {
        let Some(queue) = self.queues.get(topic, queue_id) else {
            return QueueOffset(0);
        };
        let store_time = |entry: Entry| {
            let bytes = u64::from(entry.record_bytes.unsigned_abs());
            self.log
                .store_timestamp_ms(entry.log_offset.unsigned_abs(), bytes)
                .unwrap_or(-1)
        };
        queue.offset_by_time(timestamp_ms, self.log.min_offset(), store_time)
    }

    /// When the message of an entry was stored. Milliseconds since 1970.
    pub fn store_time(&self, topic: &str, queue_id: u32, offset: QueueOffset) -> Option<i64> {
        let entry = self.queues.get(topic, queue_id)?.entry(offset)?;
        let bytes = u64::from(entry.record_bytes.unsigned_abs());
        self.log
            .store_timestamp_ms(entry.log_offset.unsigned_abs(), bytes)
    }

    /// Where the record of an entry lies.
    pub fn log_offset_of(
        &self,
        topic: &str,
        queue_id: u32,
        offset: QueueOffset,
    ) -> Option<LogOffset> {
        let entry = self.queues.get(topic, queue_id)?.entry(offset)?;
        LogOffset::from_i64(entry.log_offset)
    }

    /// When the first message of a queue was stored. Milliseconds since 1970.
    pub fn earliest_store_time(&self, topic: &str, queue_id: u32) -> Option<i64> {
        self.store_time(topic, queue_id, self.min_offset(topic, queue_id))
    }

    /// When the first message of the log was stored. Milliseconds since 1970.
    pub fn earliest_log_store_time(&self) -> Option<i64> {
        let first = self.record_at(self.min_log_offset())?;
        Record::decode(&first)
            .ok()
            .map(|record| record.store_timestamp_ms)
    }

    /// Messages with `key`, stored in `[begin_ms, end_ms]`: the newest of them, in log order, `max` and
    /// `maxMsgsNumBatch` at most, and fewer when they are large. Nothing when the store has no index.
    pub fn query_by_key(
        &self,
        topic: &str,
        key: &str,
        max: u32,
        begin_ms: i64,
        end_ms: i64,
    ) -> QueryResult {
        let mut result = QueryResult::default();
        let Some(index) = &self.index else {
            return result;
        };
        let mut until_ms = end_ms;
        // Hits whose records have expired hide older ones that have not: Java looks three times.
        for _ in 0..3 {
            let mut hits = index.search(topic, key, max as usize, begin_ms, until_ms);
            hits.log_offsets.sort_unstable();
            let Some(first) = hits.log_offsets.first() else {
                break;
            };
            result.index_last_update_timestamp_ms = hits.last_timestamp_ms;
            result.index_last_update_log_offset = LogOffset(hits.last_log_offset);
            let first = self.record_at(LogOffset(*first));
            if let Some(record) = first
                .as_deref()
                .and_then(|first| Record::decode(first).ok())
            {
                until_ms = record.store_timestamp_ms;
            }
            let records = hits.log_offsets.iter();
            let records = records.filter_map(|offset| self.record_at(LogOffset(*offset)));
            let mut bytes = 0;
            // The newest count if they are too many.
            let newest_first = records.rev().take_while(|record| {
                let is_first = bytes == 0;
                bytes += record.len();
                is_first || bytes <= QUERY_BYTES
            });
            result.records.extend(newest_first);
            result.records.reverse();
            if !result.records.is_empty() || until_ms < begin_ms {
                break;
            }
        }
        result
    }

    /// First byte the log still has.
    pub fn min_log_offset(&self) -> LogOffset {
        LogOffset(self.log.min_offset())
    }

    /// End of the log.
    pub fn max_log_offset(&self) -> LogOffset {
        LogOffset(self.log.end())
    }

    /// How far the log is on disk.
    pub fn flushed_log_offset(&self) -> LogOffset {
        LogOffset(self.flush.flushed())
    }

    /// Bytes of the log that have no queue entries yet.
    pub fn dispatch_behind_bytes(&self) -> u64 {
        self.log.end().saturating_sub(self.progress.dispatched())
    }
}
