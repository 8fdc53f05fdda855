//! Where the log ends after a start.
//!
//! ```text
//!   from ── record ── record ── filler │ record ── record ✗ (cut here) ······
//!            each is handed on, so that queues and index can catch up
//! ```
//!
//! A record counts if it is whole, lies where it says it lies, and (with `checkCRCOnRecover`) its
//! body is intact. The place is checked because a file can hold records of an earlier life behind
//! the end. The rule that is easy to break: after a stop that was not clean, what lies behind the
//! cut is zeroed on disk; or after a second crash old records would join on to new ones.
//! Java 4.7.0 `store/CommitLog.java`: `recoverNormally`, `recoverAbnormally`.

use std::sync::atomic::Ordering;

use super::CommitLog;
use crate::error::StoreError;
use crate::mapped::file::MappedFile;
use crate::record::Record;
use crate::record::decode::{Frame, frame};
use crate::record::layout::BLANK_BYTES;

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
        let old_enough = |file: &&std::sync::Arc<MappedFile>| {
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
    pub(crate) fn holds_record(&self, offset: u64, check_crc: bool) -> bool {
        let file = self.files.find(offset);
        let bytes = file
            .as_deref()
            .and_then(|file| file.get(offset, file.end() - offset));
        bytes.is_some_and(|bytes| {
            matches!(checked(bytes, offset, check_crc), Some(Frame::Message(_)))
        })
    }

    /// Goes through the records from `from` on, hands each to `each`, and returns where the first
    /// place is that has none.
    pub(crate) fn scan(
        &self,
        from: u64,
        check_crc: bool,
        mut each: impl FnMut(&Record<'_>) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let mut at = from.max(self.min_offset());
        while let Some(file) = self.files.find(at) {
            let end = file.end();
            let blank_at = loop {
                let bytes = file.get(at, end - at).unwrap_or_default();
                match checked(bytes, at, check_crc) {
                    Some(Frame::Message(record)) => {
                        each(&record)?;
                        self.last_store_timestamp_ms
                            .fetch_max(record.store_timestamp_ms, Ordering::Relaxed);
                        at += u64::from(record.record_bytes);
                    }
                    Some(Frame::Blank) => break Some(at),
                    None => break None,
                }
            };
            match blank_at {
                Some(_) if self.files.find(end).is_some() => at = end,
                _ => return Ok(at),
            }
        }
        Ok(at)
    }

    /// Says what ended the log at `end`, unless nothing was ever written there: a WARN for a record that
    /// was torn, an ERROR when whole ones behind it go with it.
    pub(crate) fn tell_end(&self, end: u64, check_crc: bool) {
        let file = self.files.find(end);
        let bytes = file
            .as_deref()
            .and_then(|file| file.get(end, file.end() - end));
        let bytes = bytes.unwrap_or_default();
        if bytes
            .iter()
            .take(BLANK_BYTES as usize)
            .all(|byte| *byte == 0)
        {
            return;
        }
        let (reason, behind) = match frame(bytes) {
            Ok(Frame::Blank) => return, // no file follows yet
            Ok(Frame::Message(record)) => {
                let reason = match record.check_body() {
                    Err(error) => error.to_string(),
                    Ok(()) => format!("it says it lies at {}", record.log_offset),
                };
                (reason, Some(end + u64::from(record.record_bytes)))
            }
            Err(error) => (error.to_string(), None),
        };
        let places = [behind, Some(self.next_file(end))];
        let mut places = places.into_iter().flatten();
        if let Some(lost) = places.find(|at| self.holds_record(*at, check_crc)) {
            tracing::error!(
                end,
                reason,
                whole_record_at = lost,
                "the log is damaged and ends here, messages behind it are lost"
            );
        } else {
            tracing::warn!(end, reason, "the log ends in a record that is not whole");
        }
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
        self.allocator
            .ask(last.as_ref().map_or(end, |file| file.end()));
        *self.end.get_mut() = end;
        self.tail.get_mut().file = last;
        Ok(())
    }
}

/// What `bytes`, which lie at `offset`, begin with, if it can be trusted.
fn checked(bytes: &[u8], offset: u64, check_crc: bool) -> Option<Frame<'_>> {
    match frame(bytes).ok()? {
        Frame::Blank => Some(Frame::Blank),
        Frame::Message(record) => {
            let in_place = record.log_offset.unsigned_abs() == offset && record.log_offset >= 0;
            let intact = !check_crc || record.check_body().is_ok();
            (in_place && intact).then_some(Frame::Message(record))
        }
    }
}
