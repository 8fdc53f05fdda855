//! Getting the queues and the index to disk, and saying so in the checkpoint.
//!
//! Every second the queues with enough dirty pages; every minute all of them, the index, and then
//! the checkpoint. The rule that is easy to break: what the checkpoint will claim is noted before
//! the syncs begin, and written only if every one of them went well.
//! Java 4.7.0 `store/DefaultMessageStore.java`: `FlushConsumeQueueService`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::LogFlush;
use super::timed::Pace;
use crate::checkpoint::{Checkpoint, Settled};
use crate::consume_queue::table::QueueTable;
use crate::dispatch::Progress;
use crate::index::IndexService;
use crate::service::Bell;

/// See the module.
pub(crate) struct QueueFlush {
    pub(crate) log: Arc<LogFlush>,
    pub(crate) queues: Arc<QueueTable>,
    pub(crate) index: Option<Arc<IndexService>>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) bell: Bell,
    /// A sync failed: the checkpoint stays where it is, and the next start builds anew from there.
    pub(crate) failed: AtomicBool,
}

impl QueueFlush {
    /// The body of the thread "flush-queues".
    pub(crate) fn run(&self, pace: Pace) {
        let mut thorough = Instant::now();
        while !self.bell.is_stopped() {
            self.bell.wait(Some(pace.interval), || false);
            if self.bell.is_stopped() {
                return;
            }
            if thorough.elapsed() < pace.thorough_interval {
                self.note(self.flush_queues(pace.least_pages));
            } else {
                thorough = Instant::now();
                self.flush_all();
            }
        }
    }

    /// Everything to disk, then the checkpoint. Returns whether it says so. Blocks.
    pub(crate) fn flush_all(&self) -> bool {
        let (dispatched, dispatched_timestamp_ms) = self.progress.snapshot();
        let synced = self.flush_queues(0).and_then(|()| match &self.index {
            Some(index) => index.flush(),
            None => Ok(None),
        });
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
        };
        settled == before || self.note(self.checkpoint.write(&settled)).is_some()
    }

    fn flush_queues(&self, least_pages: u32) -> io::Result<()> {
        self.queues
            .all()
            .iter()
            .try_for_each(|queue| queue.flush(least_pages))
    }

    fn note<T>(&self, done: io::Result<T>) -> Option<T> {
        let log = |error: &io::Error| tracing::error!(%error, "sync queues, index or checkpoint; the next start goes back to the last good one");
        let failed = |_: &io::Error| self.failed.store(true, Ordering::Relaxed);
        done.inspect_err(log).inspect_err(failed).ok()
    }
}
