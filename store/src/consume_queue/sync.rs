//! Getting a queue to disk: written out, then synced, then noted.
//!
//! The rule that is easy to break: the units of the extension are synced before the entries that point to them.
//! Java 4.7.0 `store/ConsumeQueue.java`: `flush`.

use std::io;
use std::sync::atomic::Ordering;

use super::ext::{self, Ext};
use super::queue::Queue;
use crate::mapped::disk::PAGE_BYTES;

/// Entries that are in the files but not known to be on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsynced {
    from: u64,
    to: u64,
    files_changed: bool,
    /// Only the whole file system knows whether all of it could be written.
    unwatched: bool,
    ext: ext::Unsynced,
}

impl Unsynced {
    /// Whether syncing the queue's files is not enough: the whole file system must be.
    pub(crate) fn needs_file_system(self) -> bool {
        self.unwatched || self.ext.unwatched
    }
}

impl Queue {
    /// Writes new entries to the files if they fill `least_pages` (0: any), for the caller to sync and
    /// then to call `synced`; `None` if there is nothing to sync. With 0 a queue that has had nothing
    /// new since the last time gives its memory back.
    ///
    /// # Errors
    /// What the file system says, ENOSPC most likely; nothing is lost, the same call may be made again.
    pub(crate) fn write_out(&self, least_pages: u32) -> io::Result<Option<Unsynced>> {
        let (from, to) = (self.synced.load(Ordering::Relaxed), self.max_byte());
        let pages = to / PAGE_BYTES - from.min(to) / PAGE_BYTES;
        if least_pages > 0 && pages < u64::from(least_pages) {
            return Ok(None);
        }
        let mut tail = self.tail.lock();
        if tail.is_gone() {
            return Ok(None);
        }
        if least_pages == 0 {
            self.files.close_unused();
            self.ext.iter().for_each(Ext::close_unused);
        }
        if from >= to && !tail.files_changed {
            tail.give_up();
            return Ok(None);
        }
        tail.write(&self.files)?;
        let files_changed = std::mem::take(&mut tail.files_changed);
        Ok(Some(Unsynced {
            from,
            to,
            files_changed,
            unwatched: self.files.take_unwatched(),
            ext: self
                .ext
                .as_ref()
                .map_or_else(Default::default, Ext::unsynced),
        }))
    }

    /// Writes what `write_out` returned to disk. Blocks.
    ///
    /// # Errors
    /// What the kernel says. What was not written may never be: the checkpoint must not pass it.
    pub(crate) fn sync(&self, unsynced: Unsynced) -> io::Result<()> {
        match self.sync_files(unsynced) {
            Err(_) if self.is_gone() => Ok(()), // removed under our hands
            synced => synced,
        }
    }

    fn sync_files(&self, unsynced: Unsynced) -> io::Result<()> {
        if let Some(ext) = &self.ext {
            ext.sync(unsynced.ext)?;
        }
        if unsynced.files_changed {
            self.files.sync_names()?;
            return self.files.sync(unsynced.from, u64::MAX);
        }
        self.files.sync(unsynced.from, unsynced.to)
    }

    /// Notes that what `write_out` returned is on disk.
    pub(crate) fn synced(&self, unsynced: Unsynced) {
        if let Some(ext) = &self.ext {
            ext.synced(unsynced.ext);
        }
        self.synced.store(unsynced.to, Ordering::Relaxed);
        self.files.synced(unsynced.to);
    }
}
