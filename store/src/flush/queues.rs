//! Getting the queues and the index to disk, and saying so in the checkpoint.
//!
//! Every second the queues with enough new entries; every minute all of them, the index, and then
//! the checkpoint. Each is written out, then synced: a few file by file, many at once with the whole
//! file system. A write that fails, on a full disk most likely, loses nothing and is tried again; a
//! sync that failed is not. Besides the thread, a topic that is deleted and the cleaner flush, one at a time. The rule
//! that is easy to break: what the checkpoint will claim is noted before the syncs begin, and written only if every one
//! of them went well.
//! Java 4.7.0 `store/DefaultMessageStore.java`: `FlushConsumeQueueService`.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::LogFlush;
use super::timed::Pace;
use crate::checkpoint::{Checkpoint, Settled};
use crate::consume_queue::queue::Queue;
use crate::consume_queue::sync::Unsynced;
use crate::consume_queue::table::QueueTable;
use crate::dispatch::Progress;
use crate::error::StoreError;
use crate::index::IndexService;
use crate::mapped::disk;
use crate::service::Bell;

/// More queues than this, and any whose files were closed before they could be synced, are synced with their whole file
/// system: one call, and the log's share of it was due anyway.
const SYNCED_ONE_BY_ONE: usize = 32;

/// See the module.
pub(crate) struct QueueFlush {
    pub(crate) log: Arc<LogFlush>,
    pub(crate) queues: Arc<QueueTable>,
    /// The folder of all queues, open so long that it hears of every failed write of its file system.
    pub(crate) queue_dir: File,
    pub(crate) index: Option<Arc<IndexService>>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) bell: Bell,
    /// A sync failed: the checkpoint stays where it is, and the next start builds anew from there.
    pub(crate) failed: AtomicBool,
    /// Queue entries could not be written the last time.
    pub(crate) no_room: AtomicBool,
    /// Held by one flush from its first write to its checkpoint. What one has taken to sync the next does not find any
    /// more, and must not vouch for.
    pub(crate) writing: Mutex<()>,
}

impl QueueFlush {
    /// The body of the thread "flush-queues". `at_once`: recovery left something to write.
    pub(crate) fn run(&self, pace: Pace, at_once: bool) {
        let mut thorough = Instant::now();
        if at_once {
            self.flush_all();
        }
        while !self.bell.is_stopped() {
            self.bell.wait(Some(pace.interval), || false);
            if self.bell.is_stopped() {
                return;
            }
            if thorough.elapsed() < pace.thorough_interval {
                self.flush_queues(pace.least_pages);
            } else {
                thorough = Instant::now();
                self.flush_all();
            }
        }
    }

    /// Everything to disk, then the checkpoint. Returns whether it says so. Blocks.
    pub(crate) fn flush_all(&self) -> bool {
        let _writing = self.writing.lock();
        let (dispatched, dispatched_timestamp_ms) = self.progress.snapshot();
        if !self.sync_queues(0) {
            return false;
        }
        let synced = match &self.index {
            Some(index) => index.flush(),
            None => Ok(None),
        };
        let full_index_timestamp_ms = match self.note(synced) {
            Some(timestamp_ms) if !self.failed.load(Ordering::Relaxed) => timestamp_ms,
            _ => return false,
        };
        let before = self.checkpoint.read();
        let settled = Settled {
            log_timestamp_ms: self.log.flushed_timestamp_ms(),
            queue_timestamp_ms: dispatched_timestamp_ms,
            index_timestamp_ms: full_index_timestamp_ms.unwrap_or(before.index_timestamp_ms),
            log_offset: Some(dispatched.min(self.log.flushed())),
            deleted_upto: before.deleted_upto,
        };
        settled == before || self.note(self.checkpoint.write(&settled)).is_some()
    }

    /// Records below this log offset are on disk everywhere: no start ever needs them to build from.
    pub(crate) fn settled(&self) -> u64 {
        let _writing = self.writing.lock();
        self.checkpoint.read().log_offset.unwrap_or(0)
    }

    /// Sees to it that a start does not take the records of a topic that was deleted, those in front of
    /// `upto`, for lost entries. Blocks.
    pub(crate) fn note_deleted(&self, upto: u64) -> Result<(), StoreError> {
        let writing = self.writing.lock();
        let noted = self.checkpoint.write_deleted_upto(upto);
        noted.map_err(StoreError::io("write", "checkpoint"))?;
        drop(writing);
        self.flush_all(); // and a start after a crash does not begin in front of them
        Ok(())
    }

    /// Returns whether everything that was to be written is on disk.
    pub(crate) fn flush_queues(&self, least_pages: u32) -> bool {
        let _writing = self.writing.lock();
        self.sync_queues(least_pages)
    }

    /// The same for the holder of `writing`.
    fn sync_queues(&self, least_pages: u32) -> bool {
        let (unsynced, all) = self.write_queues(least_pages);
        let mut each = unsynced.iter();
        let at_once = unsynced.len() > SYNCED_ONE_BY_ONE
            || each.any(|(_, written)| written.needs_file_system());
        let synced = if at_once {
            disk::sync_file_system(&self.queue_dir, self.queues.dir())
        } else {
            let mut each = unsynced.iter();
            each.try_for_each(|(queue, written)| queue.sync(*written))
        };
        let synced = self.note(synced).is_some();
        if synced {
            unsynced
                .iter()
                .for_each(|(queue, written)| queue.synced(*written));
        }
        synced && all
    }

    /// Writes to the files what is due, and returns what of it to sync, and whether it is all.
    fn write_queues(&self, least_pages: u32) -> (Vec<(Arc<Queue>, Unsynced)>, bool) {
        let mut unsynced = Vec::new();
        for queue in self.queues.all() {
            match queue.write_out(least_pages) {
                Ok(written) => unsynced.extend(written.map(|written| (queue, written))),
                Err(error) => {
                    if !self.no_room.swap(true, Ordering::Relaxed) {
                        tracing::error!(%error, queue = %queue.path().display(), "write queue entries; tried again every second");
                    }
                    return (unsynced, false);
                }
            }
        }
        if self.no_room.swap(false, Ordering::Relaxed) {
            tracing::info!("queue entries can be written again");
        }
        (unsynced, true)
    }

    fn note<T>(&self, done: io::Result<T>) -> Option<T> {
        let log = |error: &io::Error| tracing::error!(%error, "sync queues, index or checkpoint; the next start goes back to the last good one");
        let failed = |_: &io::Error| self.failed.store(true, Ordering::Relaxed);
        done.inspect_err(log).inspect_err(failed).ok()
    }
}
