//! ASYNC_FLUSH: a flush every half second when enough pages are dirty, every ten seconds in any
//! case, and at once for somebody who waits.
//!
//! Java 4.7.0 `store/CommitLog.java`: `FlushRealTimeService` is woken by every put as well (unless
//! `flushCommitLogTimed`), and so flushes all the time while messages come.

use std::time::{Duration, Instant};

use super::LogFlush;
use crate::mapped::disk::PAGE_BYTES;

/// When a timed flush is due.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) interval: Duration,
    pub(crate) least_pages: u32,
    pub(crate) thorough_interval: Duration,
}

impl LogFlush {
    /// The body of the thread "flush-timed".
    pub(crate) fn run_timed(&self, pace: Pace) {
        let mut thorough = Instant::now();
        while !self.bell.is_stopped() {
            self.bell.wait(Some(pace.interval), || self.someone_waits());
            if self.bell.is_stopped() {
                return;
            }
            let pages = self.log.end() / PAGE_BYTES - self.flushed() / PAGE_BYTES;
            let enough = pages >= u64::from(pace.least_pages);
            if !enough && !self.someone_waits() && thorough.elapsed() < pace.thorough_interval {
                continue;
            }
            thorough = Instant::now();
            if self.flush().is_err() {
                return;
            }
        }
    }
}
