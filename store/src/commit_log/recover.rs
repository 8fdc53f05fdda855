//! Where the log ends after a start.
//!
//! ```text
//!   from ── record ── record ── filler │ record ── record ✗ (cut here) ······
//!            each is handed on, so that queues and index can catch up
//! ```
//!
//! A record counts if it is whole, lies where it says it lies, and (with `checkCRCOnRecover`) its
//! body is intact and none of its other parts missing. The place is checked because a file can hold
//! records of an earlier life behind the end. The rule that is easy to break: after a stop that was not clean, what lies behind the
//! cut is zeroed on disk; or after a second crash old records would join on to new ones.
//! Java 4.7.0 `store/CommitLog.java`: `recoverNormally`, `recoverAbnormally`.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::CommitLog;
use super::lost::Untrusted;
use crate::consume_queue::queue::Queue;
use crate::error::StoreError;
use crate::index::hashes;
use crate::mapped::disk;
use crate::mapped::file::MappedFile;
use crate::record::Record;
use crate::record::decode::{Frame, frame};
use crate::record::layout::BLANK_BYTES;
use crate::record::torn::looks_torn;

/// What is checked of a record beside its lengths and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checks {
    /// The CRC of its body: `checkCRCOnRecover`.
    pub(crate) crc: bool,
    /// A record that begins here or later, and was stored at this time (ms since 1970) or later, may not be
    /// on disk as a whole. Others are, whatever they look like.
    pub(crate) torn_from: Option<(u64, i64)>,
}

impl Checks {
    /// Nothing is: it was checked before.
    pub(crate) const NONE: Checks = Checks {
        crc: false,
        torn_from: None,
    };
}

/// Files Java looks through after a clean stop, counted from the end.
const FILES_CHECKED: usize = 3;

impl CommitLog {
    pub(crate) fn is_empty(&self) -> bool {
        self.files.first().is_none()
    }

    /// Behind the last byte of the last file, whatever is in it.
    pub(crate) fn files_end(&self) -> u64 {
        self.files.last().map_or(0, |file| file.end())
    }

    /// Where to start looking after a clean stop when nothing better is known.
    pub(crate) fn third_last_file(&self) -> u64 {
        let files = self.files.files();
        files
            .get(files.len().saturating_sub(FILES_CHECKED))
            .map_or(0, |file| file.base())
    }

    /// Start of the newest file whose first record is not later than `timestamp_ms`; of the first
    /// file if there is none.
    pub(crate) fn file_from_before(&self, timestamp_ms: i64) -> u64 {
        let old_enough = |file: &&Arc<MappedFile>| {
            let bytes = file
                .get(file.base(), file.end() - file.base())
                .unwrap_or_default();
            let first = Record::decode(bytes).map_or(0, |record| record.store_timestamp_ms);
            first != 0 && first <= timestamp_ms
        };
        let files = self.files.files();
        files
            .iter()
            .rev()
            .find(old_enough)
            .or(files.first())
            .map_or(0, |file| file.base())
    }

    /// Whether a whole record lies at `offset`.
    pub(crate) fn holds_record(&self, offset: u64, checks: Checks) -> bool {
        let file = self.files.find(offset);
        let bytes = file
            .as_deref()
            .and_then(|file| file.get(offset, file.end() - offset));
        bytes.is_some_and(|bytes| matches!(checked(bytes, offset, checks), Ok(Frame::Message(_))))
    }

    /// Store time of the record at `offset`, if a whole one lies there.
    pub(crate) fn stored_ms(&self, offset: u64) -> Option<i64> {
        let file = self.files.find(offset)?;
        match checked(file.get(offset, file.end() - offset)?, offset, Checks::NONE) {
            Ok(Frame::Message(record)) => Some(record.store_timestamp_ms),
            _ => None,
        }
    }

    /// Where the log ends, most likely: behind the last byte that was ever written. Reads nothing.
    pub(crate) fn looks_written_upto(&self) -> u64 {
        let files = self.files.files();
        let written = |file: &Arc<MappedFile>| {
            let data_end = disk::data_end(&File::open(file.path()).ok()?, 0)?;
            Some(file.base() + data_end)
        };
        files.iter().rev().find_map(written).unwrap_or(0)
    }

    /// Whether the record at `offset` has so many bytes and belongs to `queue`; true if the log does not go
    /// back so far.
    pub(crate) fn has_record_of(&self, queue: &Queue, offset: u64, bytes: u64) -> bool {
        let file = self.files.find(offset);
        let record = file.as_deref().and_then(|file| file.get(offset, bytes));
        let record = record.and_then(|bytes| Record::decode(bytes).ok());
        let is_it = |record: Record<'_>| {
            u64::from(record.record_bytes) == bytes && queue.is(record.topic, record.queue_id)
        };
        offset < self.min_offset() || record.is_some_and(is_it)
    }

    /// Whether the record at `offset` has a key of this hash; true if the log does not go back so far.
    pub(crate) fn has_key(&self, offset: u64, hash: u32) -> bool {
        let file = self.files.find(offset);
        let bytes = file
            .as_deref()
            .and_then(|file| file.get(offset, file.published().checked_sub(offset)?));
        let record = bytes.and_then(|bytes| Record::decode(bytes).ok());
        offset < self.min_offset()
            || record
                .is_some_and(|record| hashes(&record, &record.handles()).any(|key| key == hash))
    }

    /// Goes through the records from `from` on to the end of the log, hands each to `each`, and returns
    /// where the first place is that has none.
    ///
    /// # Errors
    /// That of `each`, which ends it.
    pub(crate) fn scan<E>(
        &self,
        from: u64,
        checks: Checks,
        mut each: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut latest_ms = 0;
        let end = self.scan_upto(from, u64::MAX, checks, |record| {
            latest_ms = record.store_timestamp_ms.max(latest_ms);
            each(record)
        });
        self.last_store_timestamp_ms
            .fetch_max(latest_ms, Ordering::Relaxed);
        end
    }

    /// The same, but not past the first record that begins at `upto` or later.
    ///
    /// # Errors
    /// That of `each`, which ends it.
    pub(crate) fn scan_upto<E>(
        &self,
        from: u64,
        upto: u64,
        checks: Checks,
        mut each: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut at = from.max(self.min_offset());
        while let Some(file) = self.files.find(at).filter(|_| at < upto) {
            let end = file.end();
            while at < upto.min(end) {
                let bytes = file.get(at, end - at).unwrap_or_default();
                match checked(bytes, at, checks) {
                    Ok(Frame::Message(record)) => {
                        each(&record)?;
                        at += u64::from(record.record_bytes);
                    }
                    Ok(Frame::Blank) if self.files.find(end).is_some() => at = end,
                    Ok(Frame::Blank) | Err(_) => return Ok(at),
                }
            }
        }
        Ok(at)
    }

    /// Ends the log at `end` and makes it ready for appends. With `wipe`, everything from `from` on,
    /// what was zeroed behind the end included, is also written to disk: the process that wrote it
    /// may not have come to that.
    pub(crate) fn cut(&mut self, from: u64, end: u64, wipe: bool) -> Result<(), StoreError> {
        self.files.cut(end, wipe)?;
        let last = self.files.last();
        let end = last.as_ref().map_or(0, |file| file.published());
        if wipe {
            let dir = self.files.dir().to_owned();
            self.files
                .sync(from, u64::MAX)
                .map_err(StoreError::io("sync", &dir))?;
            if last.is_some() {
                self.files
                    .sync_dir()
                    .map_err(StoreError::io("sync", &dir))?;
            }
        }
        if let Some(last) = &last {
            self.allocator.ask(last.end());
        }
        *self.end.get_mut() = end;
        self.tail.get_mut().file = last;
        Ok(())
    }
}

/// What `bytes`, which lie at `offset` and reach to the end of their file, begin with, if it can be
/// trusted. Too few bytes for a filler are one.
pub(super) fn checked(bytes: &[u8], offset: u64, checks: Checks) -> Result<Frame<'_>, Untrusted> {
    if (bytes.len() as u64) < BLANK_BYTES {
        return Ok(Frame::Blank);
    }
    let record = match frame(bytes).map_err(Untrusted::Bytes)? {
        Frame::Blank => return Ok(Frame::Blank),
        Frame::Message(record) => record,
    };
    if record.log_offset < 0 || record.log_offset.unsigned_abs() != offset {
        return Err(Untrusted::Elsewhere {
            says: record.log_offset,
        });
    }
    if checks.crc {
        record.check_body().map_err(Untrusted::Bytes)?;
        let unsynced = |(at, ms)| offset >= at && record.store_timestamp_ms >= ms;
        if checks.torn_from.is_some_and(unsynced)
            && (record.topic.contains(&0) || looks_torn(record.properties))
        {
            return Err(Untrusted::Torn);
        }
    }
    Ok(Frame::Message(record))
}
