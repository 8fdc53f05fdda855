//! SYNC_FLUSH: as soon as anything is appended it is written to disk, everything at once that has
//! come meanwhile.
//!
//! ```text
//!   sync ─▶ wake those it answered ─▶ rest until as many wait again, half a sync at most ─▶ sync …
//! ```
//!
//! Without the rest the next sync begins with what the first of them sends, and all others wait for the one behind it. Who
//! is answered alone is not waited for: nobody is with him. Java 4.7.0 `store/CommitLog.java`: `GroupCommitService`, which
//! does not rest.

use std::time::{Duration, Instant};

use super::LogFlush;

/// No rest is longer, however slow the disk.
const LONGEST_REST: Duration = Duration::from_millis(1);

impl LogFlush {
    /// The body of the thread "flush-group". `flushed` is called after every flush.
    pub(crate) fn run_group(&self, flushed: impl Fn()) {
        while !self.bell.is_stopped() {
            self.bell.wait(None, || self.log.end() > self.flushed());
            let began = Instant::now();
            if self.bell.is_stopped() {
                return;
            }
            let Ok(answered) = self.flush() else {
                return;
            };
            flushed();
            if answered > 1 {
                self.rest(answered, LONGEST_REST.min(began.elapsed() / 2));
            }
        }
    }

    /// Returns when so many wait, or `most` is over.
    fn rest(&self, awaited: usize, most: Duration) {
        self.waiters.lock().awaited = awaited;
        let all_wait = || self.waiters.lock().list.len() >= awaited;
        self.all_wait.wait(Some(most), all_wait);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Waker};

    use super::*;
    use crate::commit_log::CommitLog;
    use crate::config::StoreConfig;
    use crate::offset::LogOffset;

    #[test]
    fn a_rest_ends_when_as_many_wait_as_are_awaited() {
        let dir = tempfile::tempdir().expect("folder");
        let log = CommitLog::open(&StoreConfig::at(dir.path())).expect("opened");
        let flush = Arc::new(LogFlush::new(Arc::new(log), 0));
        let resting = Arc::clone(&flush);
        let rest = std::thread::spawn(move || {
            resting.rest(3, Duration::from_secs(3600));
            resting.waiters.lock().list.len()
        });
        let wait = || {
            let mut waiting = flush.durable(LogOffset(10));
            let mut context = Context::from_waker(Waker::noop());
            let _ = Pin::new(&mut waiting).poll(&mut context);
        };
        wait();
        wait();
        while flush.waiters.lock().awaited == 0 {
            std::thread::yield_now();
        }
        wait();
        assert_eq!(rest.join().expect("woken"), 3, "it went on before that");
        assert_eq!(flush.wake(10), 3, "answered by one sync");
    }
}
