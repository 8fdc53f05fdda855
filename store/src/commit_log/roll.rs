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

use super::{CommitLog, Tail};
use crate::error::{AppendError, StoreError, Unavailable};
use crate::mapped::file::MappedFile;
use crate::record::layout::{BLANK_BYTES, BLANK_MAGIC};

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
        if tail.file.is_none() && tail.refused != Some(Unavailable::Slave) {
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
        let made = self.allocator.take(base)?;
        self.files.push(Arc::clone(&made));
        self.allocator.ask(made.end());
        tail.file = Some(made);
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
