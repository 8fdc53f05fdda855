//! Going on to the next file when a record does not fit into the rest of this one.
//!
//! | bytes | name   | meaning                      |
//! |-------|--------|------------------------------|
//! | 0..4  | length | all that is left of the file |
//! | 4..8  | magic  | `0xCBD43194`                 |
//!
//! A file always ends with such a filler, so a record fits only if 8 bytes are left behind it.
//! Java 4.7.0 `store/CommitLog.java`: `doAppend`, `rollNextFile`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{CommitLog, Tail};
use crate::error::{AppendError, StoreError, Unavailable};
use crate::mapped::file::MappedFile;
use crate::record::layout::{BLANK_BYTES, BLANK_MAGIC};

/// A wait that is worth a line: Java's bound for an append.
const SLOW: Duration = Duration::from_millis(500);

impl CommitLog {
    /// The file that `bytes` can be appended to. Blocks while a file is made that is not there yet.
    ///
    /// # Errors
    /// `CreateMappedFileFailed` if there is no room on the disk; the next append tries again.
    pub(super) fn make_room<'a>(
        &self,
        tail: &'a mut Tail,
        bytes: u64,
    ) -> Result<&'a MappedFile, AppendError> {
        if let Some(file) = &tail.file {
            let room = file.room();
            if room > 0 && bytes + BLANK_BYTES > room {
                // Less than a filler is left in damaged files only.
                let blank = blank(room);
                let blank = blank
                    .get(..room.min(BLANK_BYTES) as usize)
                    .unwrap_or(&blank);
                file.append_last(blank)
                    .map_err(|_| AppendError::CreateMappedFileFailed)?;
                self.end.store(file.end(), Ordering::Release);
                file.finished();
            }
        }
        if tail.file.as_ref().is_none_or(|file| file.room() == 0) {
            let base = tail.file.as_ref().map_or(self.end(), |file| file.end());
            self.make_file(tail, base).map_err(|error| {
                tracing::error!(%error, base, "make the next log file");
                AppendError::CreateMappedFileFailed
            })?;
        }
        tail.file
            .as_deref()
            .ok_or(AppendError::CreateMappedFileFailed)
    }

    /// Makes the first file of a log that has none: who cannot do that should not start. Blocks.
    ///
    /// # Errors
    /// No room, or a folder that cannot be written.
    pub(crate) fn make_first_file(&mut self) -> Result<(), StoreError> {
        let mut tail = std::mem::take(self.tail.get_mut());
        // A slave's log begins where its master says.
        if tail.file.is_none() && !tail.refused.has(Unavailable::Slave) {
            self.make_file(&mut tail, self.end())
                .map_err(StoreError::io(
                    "make the first log file in",
                    self.files.dir(),
                ))?;
        }
        *self.tail.get_mut() = tail;
        Ok(())
    }

    fn make_file(&self, tail: &mut Tail, base: u64) -> io::Result<()> {
        let began = Instant::now();
        let (made, ready) = self.allocator.take(base)?;
        let waited = began.elapsed();
        if waited > SLOW {
            tracing::warn!(?waited, base, "appends waited for the next log file");
        }
        self.files.push(Arc::clone(&made));
        self.allocator.ask(made.end());
        tail.file = Some(made);
        tail.touched = ready;
        Ok(())
    }

    /// Where the file behind the one with `offset` begins.
    pub(crate) fn next_file(&self, offset: u64) -> u64 {
        self.files.base_of(offset) + self.files.file_bytes()
    }
}

fn blank(room: u64) -> [u8; BLANK_BYTES as usize] {
    let [a, b, c, d] = (room as u32).to_be_bytes(); // a file is shorter than 4 GiB
    let [e, f, g, h] = BLANK_MAGIC.to_be_bytes();
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit_log::Checks;
    use crate::config::StoreConfig;
    use crate::record::NewMessage;
    use crate::record::encode::{Stamp, encode, stamp};

    /// A record of `record_bytes` that lies at `log_offset`.
    fn record(record_bytes: usize, log_offset: u64) -> Vec<u8> {
        let body = vec![7; record_bytes - 92];
        let message = NewMessage {
            topic: "T",
            queue_id: 0,
            flag: 0,
            sys_flag: 0,
            born_timestamp_ms: 0,
            born_host: ([127, 0, 0, 1], 1).into(),
            store_host: ([127, 0, 0, 1], 2).into(),
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body: &body,
            properties: "",
        };
        let mut bytes = Vec::new();
        encode(&message, record_bytes, &mut bytes);
        let place = Stamp {
            queue_offset: 0,
            log_offset,
            store_timestamp_ms: 1,
        };
        stamp(&mut bytes, message.stored_sys_flag(), place);
        bytes
    }

    #[test]
    fn a_file_with_no_room_for_a_filler_is_full_and_the_log_goes_on_behind_it() {
        for left in 1..BLANK_BYTES {
            let dir = tempfile::tempdir().expect("folder");
            let config = StoreConfig {
                commit_log_file_bytes: 4096,
                ..StoreConfig::at(dir.path())
            };
            let mut log = CommitLog::open(&config).expect("opened");
            log.cut(0, 0, false).expect("ready");
            log.make_first_file().expect("made");
            let mut tail = log.tail.lock();
            let file = log.make_room(&mut tail, 100).expect("room");
            let first = record((4096 - left) as usize, 0);
            file.append(&first).expect("room");
            let file = log.make_room(&mut tail, 100).expect("the next file");
            assert_eq!(file.published(), 4096, "{left} bytes left");
            file.append(&record(100, 4096)).expect("room");
            drop(tail);
            let log = CommitLog::open(&config).expect("opened again");
            for upto in [u64::MAX, 4196, 4097, 4096, 1, 0] {
                let mut found = Vec::new();
                let each = |record: &crate::Record<'_>| {
                    found.push(record.log_offset);
                    Ok::<(), ()>(())
                };
                let end = log.scan_upto(0, upto, Checks::NONE, each).expect("read");
                let expected = [0, 4096].into_iter().filter(|at| (*at as u64) < upto);
                assert_eq!(
                    found,
                    expected.collect::<Vec<_>>(),
                    "{left} left, up to {upto}"
                );
                assert!(end >= upto || end == 4196);
            }
        }
    }
}
