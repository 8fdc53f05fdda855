//! Threads of the store's own: named, stopped by a bell, and fail-stop.
//!
//! A thread that panics would leave senders waiting for ever on work that nobody does. So it takes
//! the process with it, with an ERROR line; what was acknowledged is in the log.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread::{self, JoinHandle, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::error::StoreError;

/// Starts a thread that ends the process if it panics.
pub(crate) fn spawn(
    name: &'static str,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StoreError> {
    let run = move || {
        if catch_unwind(AssertUnwindSafe(body)).is_err() {
            tracing::error!(thread = name, "service thread panicked, the process ends");
            std::process::abort();
        }
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(StoreError::io("start thread", name))
}

/// Starts a thread that works beside the caller for a while; see `end_of`.
pub(crate) fn spawn_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &'static str,
    body: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, StoreError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, body)
        .map_err(StoreError::io("start thread", name))
}

/// Waits for such a thread. If it panicked, so does the caller.
pub(crate) fn end_of<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// Wakes one service thread. Ringing costs two loads while the thread is awake; only a ring that
/// finds it asleep is a system call.
///
/// The rule: publish the work, then `ring`; the thread calls `wait` with a check of that work.
#[derive(Default)]
pub(crate) struct Bell {
    asleep: AtomicBool,
    stopped: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Bell {
    /// Wakes the thread if it sleeps.
    pub(crate) fn ring(&self) {
        // Pairs with the fence in `wait`: either we see `asleep`, or the thread sees the work.
        fence(Ordering::SeqCst);
        // Of several rings at once only the first one pays.
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            let _held = self.lock.lock();
            self.wake.notify_one();
        }
    }

    /// Tells the thread to finish.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _held = self.lock.lock();
        self.wake.notify_one();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Sleeps until `ready` is true after a ring, the bell is stopped, or `most` is over.
    pub(crate) fn wait(&self, most: Option<Duration>, mut ready: impl FnMut() -> bool) {
        let deadline = most.map(|most| Instant::now() + most);
        let mut held = self.lock.lock();
        loop {
            self.asleep.store(true, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            if ready() || self.is_stopped() {
                break;
            }
            match deadline {
                None => self.wake.wait(&mut held),
                Some(deadline) => {
                    if self.wake.wait_until(&mut held, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        self.asleep.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::sync::mpsc;

    #[test]
    fn no_ring_is_lost() {
        let (bell, work) = (Arc::new(Bell::default()), Arc::new(AtomicU32::new(0)));
        let (their_bell, their_work) = (bell.clone(), work.clone());
        let (done, is_done) = mpsc::channel();
        thread::spawn(move || {
            let mut seen = 0;
            while seen < 10_000 {
                their_bell.wait(None, || their_work.load(Ordering::Acquire) > seen);
                seen = their_work.load(Ordering::Acquire);
            }
            done.send(()).expect("somebody listens");
        });
        for _ in 0..10_000 {
            work.fetch_add(1, Ordering::Release);
            bell.ring();
        }
        let saw_every_ring = is_done.recv_timeout(Duration::from_secs(60));
        assert_eq!(saw_every_ring, Ok(()));
    }

    #[test]
    fn stop_ends_a_wait_that_would_last_for_ever() {
        let bell = Arc::new(Bell::default());
        let theirs = bell.clone();
        let thread = thread::spawn(move || theirs.wait(None, || false));
        bell.stop();
        thread.join().expect("ended");
    }
}
