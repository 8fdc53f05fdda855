//! Getting the log to disk, and telling those who wait for it.
//!
//! ```text
//!   append ─► end ──┬─ SYNC_FLUSH:  ring ─► group ─┐
//!                   └─ ASYNC_FLUSH: half a second ─► timed ─┴─► sync ─► flushed ─► wake the waiters
//! ```
//!
//! One `msync` answers everybody whose bytes it covers. The rule that is easy to break: a sync that
//! failed is never tried again and never counted, since its pages may read back as clean. The log
//! then takes no more appends, and everybody who waits gets an error.
//! Java 4.7.0 `store/CommitLog.java` logs the failure and counts the bytes as flushed.

mod group;
pub(crate) mod queues;
pub(crate) mod timed;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::commit_log::CommitLog;
use crate::error::{FlushError, Unavailable};
use crate::offset::LogOffset;
use crate::service::Bell;

/// How far the log is on disk, and who waits for more.
pub(crate) struct LogFlush {
    log: Arc<CommitLog>,
    flushed: AtomicU64,
    /// Records stored up to then are on disk. Milliseconds since 1970.
    flushed_timestamp_ms: AtomicI64,
    failed: AtomicBool,
    waiters: Mutex<Waiters>,
    bell: Bell,
    /// Rung when as many wait as the resting thread awaits.
    all_wait: Bell,
}

#[derive(Default)]
struct Waiters {
    list: Vec<Waiter>,
    /// So many end the rest of the thread that flushes.
    awaited: usize,
}

struct Waiter {
    upto: u64,
    waker: Waker,
}

impl LogFlush {
    /// All of `log` is on disk.
    pub(crate) fn new(log: Arc<CommitLog>, flushed_timestamp_ms: i64) -> LogFlush {
        LogFlush {
            flushed: AtomicU64::new(log.end()),
            log,
            flushed_timestamp_ms: AtomicI64::new(flushed_timestamp_ms),
            failed: AtomicBool::new(false),
            waiters: Mutex::default(),
            bell: Bell::default(),
            all_wait: Bell::default(),
        }
    }

    /// Behind the last byte that is on disk.
    pub(crate) fn flushed(&self) -> u64 {
        self.flushed.load(Ordering::Acquire)
    }

    /// Records stored up to then are on disk. Milliseconds since 1970.
    pub(crate) fn flushed_timestamp_ms(&self) -> i64 {
        self.flushed_timestamp_ms.load(Ordering::Acquire)
    }

    /// Wakes the thread that flushes: something was appended.
    pub(crate) fn ring(&self) {
        self.bell.ring();
    }

    /// Ends the thread that flushes, without a last flush.
    pub(crate) fn stop(&self) {
        self.bell.stop();
    }

    /// Writes everything appended so far to disk. Returns how many wakers waited for it: a connection has one for all its
    /// sends, and one that gave up waiting counts still. Blocks. One thread at a time.
    ///
    /// # Errors
    /// When the kernel refuses, now or ever before.
    pub(crate) fn flush(&self) -> Result<usize, FlushError> {
        if self.failed.load(Ordering::Acquire) {
            return Err(FlushError);
        }
        let timestamp_ms = self.log.last_store_timestamp_ms(); // before `end`: what it names is below
        let (from, to) = (self.flushed(), self.log.end());
        if from < to {
            if let Err(error) = self.log.sync(from, to) {
                self.sync_failed(&error);
                return Err(FlushError);
            }
            self.flushed.store(to, Ordering::Release);
        }
        self.flushed_timestamp_ms
            .store(timestamp_ms, Ordering::Release);
        Ok(self.wake(to))
    }

    fn wake(&self, flushed: u64) -> usize {
        let mut waiters = self.waiters.lock();
        let ready: Vec<Waiter> = waiters
            .list
            .extract_if(.., |waiter| waiter.upto <= flushed)
            .collect();
        drop(waiters);
        let count = ready.len();
        ready.into_iter().for_each(|waiter| waiter.waker.wake());
        count
    }

    /// The disk did not take what it was to write of the log.
    pub(crate) fn sync_failed(&self, error: &io::Error) {
        tracing::error!(%error, flushed = self.flushed(), "sync the log; it takes no more messages until reopened");
        self.fail();
    }

    /// Nothing more will be flushed: the log closes, and everybody who waits hears of it.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
        self.log.refuse(Unavailable::FlushFailed);
        self.wake(u64::MAX);
    }

    /// Resolves once the log is on disk up to `upto`.
    pub(crate) fn durable(self: &Arc<Self>, upto: LogOffset) -> Durable {
        Durable {
            flush: Arc::clone(self),
            upto: upto.0,
            registered: None,
        }
    }

    fn someone_waits(&self) -> bool {
        !self.waiters.lock().list.is_empty()
    }
}

/// Resolves once the log is on disk up to some place. Needs no particular runtime. Dropping it is
/// free: the message stays stored, only nobody waits.
#[must_use = "nothing waits until this is polled"]
pub struct Durable {
    flush: Arc<LogFlush>,
    upto: u64,
    registered: Option<Waker>,
}

impl Future for Durable {
    type Output = Result<(), FlushError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.flush.flushed() >= self.upto {
            return Poll::Ready(Ok(()));
        }
        if !self
            .registered
            .as_ref()
            .is_some_and(|waker| waker.will_wake(context.waker()))
        {
            self.registered = Some(context.waker().clone());
            let waiter = Waiter {
                upto: self.upto,
                waker: context.waker().clone(),
            };
            let mut waiters = self.flush.waiters.lock();
            // Under the lock: who fails after this finds the waiter; who has failed finds none any more.
            if !self.flush.failed.load(Ordering::Acquire) {
                waiters.list.push(waiter);
            }
            let all_wait = waiters.list.len() >= waiters.awaited;
            drop(waiters);
            if all_wait {
                self.flush.all_wait.ring();
            }
            self.flush.ring();
        }
        // Looked at after registering: the flush may have come to its end in between.
        if self.flush.flushed() >= self.upto {
            return Poll::Ready(Ok(()));
        }
        if self.flush.failed.load(Ordering::Acquire) {
            Poll::Ready(Err(FlushError))
        } else {
            Poll::Pending
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StoreConfig;
    use crate::error::AppendError;

    struct Nobody;

    impl std::task::Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    /// What a waiter sees right now.
    fn polled(durable: &mut Durable, waker: &Waker) -> Poll<Result<(), FlushError>> {
        Pin::new(durable).poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn a_failed_flush_is_never_acknowledged_and_closes_the_log() {
        let dir = tempfile::tempdir().expect("folder");
        let log = CommitLog::open(&StoreConfig::at(dir.path())).expect("opened");
        let flush = Arc::new(LogFlush::new(Arc::new(log), 0));
        let (mut waiting, waker) = (flush.durable(LogOffset(10)), Waker::from(Arc::new(Nobody)));
        assert_eq!(polled(&mut waiting, &waker), Poll::Pending);
        flush.fail();
        assert_eq!(polled(&mut waiting, &waker), Poll::Ready(Err(FlushError)));
        assert_eq!(flush.flush(), Err(FlushError), "tried again");
        assert_eq!(
            polled(&mut flush.durable(LogOffset(10)), &waker),
            Poll::Ready(Err(FlushError))
        );
        assert_eq!(
            polled(&mut flush.durable(LogOffset(0)), &waker),
            Poll::Ready(Ok(())),
            "that is on disk"
        );
        assert!(!flush.someone_waits(), "nobody will ever wake them");
        let refused = flush.log.refused().map(AppendError::ServiceNotAvailable);
        assert_eq!(
            refused,
            Some(AppendError::ServiceNotAvailable(Unavailable::FlushFailed))
        );
    }

    #[test]
    fn polling_again_with_the_same_waker_registers_once() {
        let dir = tempfile::tempdir().expect("folder");
        let log = CommitLog::open(&StoreConfig::at(dir.path())).expect("opened");
        let flush = Arc::new(LogFlush::new(Arc::new(log), 0));
        let (mut waiting, waker) = (flush.durable(LogOffset(10)), Waker::from(Arc::new(Nobody)));
        for _ in 0..3 {
            assert_eq!(polled(&mut waiting, &waker), Poll::Pending);
        }
        assert_eq!(flush.waiters.lock().list.len(), 1);
    }
}
