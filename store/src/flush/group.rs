//! SYNC_FLUSH: as soon as anything is appended it is written to disk, everything at once that has
//! come meanwhile. Java 4.7.0 `store/CommitLog.java`: `GroupCommitService`.

use super::LogFlush;

impl LogFlush {
    /// The body of the thread "flush-group". `flushed` is called after every flush.
    pub(crate) fn run_group(&self, flushed: impl Fn()) {
        while !self.bell.is_stopped() {
            self.bell.wait(None, || self.log.end() > self.flushed());
            if self.bell.is_stopped() || self.flush().is_err() {
                return;
            }
            flushed();
        }
    }
}
