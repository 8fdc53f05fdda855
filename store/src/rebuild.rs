//! Queues and index brought up with the log while it is being checked.
//!
//! ```text
//!   caller          from ── record ── record ── record ✗ end     checked, its queue entry put
//!                        └ so far it can be trusted ─► "build-index": its index entries put
//! ```
//!
//! Queues and index know nothing of each other, so the index, the dearer half, has a thread of its own.
//! Both go through the records in log order with the functions of the dispatcher, so the result is that
//! of one thread. The rule that is easy to break: nobody puts a record that has not been checked.
//! Java 4.7.0 `store/CommitLog.java` (`recoverAbnormally`) puts one after the other.

use std::io;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::commit_log::{Checks, CommitLog};
use crate::dispatch::{self, Entries};
use crate::error::StoreError;
use crate::index::IndexService;
use crate::service;

/// So much is checked before the index hears of it.
const STRETCH_BYTES: u64 = 1 << 20;

/// A recovery says so often how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// Dispatches the records from `from` on, as far as they can be trusted, and returns where that ends.
/// Blocks meanwhile, and says how far it is.
///
/// # Errors
/// When queue or index entries cannot be written, or the thread cannot be started.
pub(crate) fn rebuild(
    log: &CommitLog,
    from: u64,
    checks: Checks,
    queues: Entries<'_>,
    index: Option<&IndexService>,
) -> Result<u64, StoreError> {
    let mut progress = Progress::new(from, log.looks_written_upto(), Instant::now());
    thread::scope(|scope| {
        let (checked, upto) = mpsc::channel();
        let body = index.map(|index| move || build_index(log, from, upto, index));
        let spawn = |body| service::spawn_scoped(scope, "build-index", body);
        let indexed = body.map(spawn).transpose()?;
        let tell = |upto| match indexed {
            Some(_) => checked.send(upto).map_err(|_| gave_up(log)),
            None => Ok(()),
        };
        let mut told = from;
        let end = log.scan(from, checks, |record| {
            dispatch::put_in_queue(record, queues)?;
            let upto = record.log_offset.unsigned_abs() + u64::from(record.record_bytes);
            if upto - told < STRETCH_BYTES {
                return Ok(());
            }
            told = upto;
            progress.tell(upto);
            tell(upto)
        });
        let end = end.and_then(|end| tell(end).map(|()| end));
        drop(checked);
        indexed.map_or(Ok(()), service::end_of)?;
        end
    })
}

/// The index is not being built any more; its thread knows why.
fn gave_up(log: &CommitLog) -> StoreError {
    StoreError::io("recover", log.dir())(io::ErrorKind::BrokenPipe.into())
}

/// The body of "build-index": goes on as far as it is told, until there is nobody to tell it more.
fn build_index(
    log: &CommitLog,
    from: u64,
    checked: Receiver<u64>,
    index: &IndexService,
) -> Result<(), StoreError> {
    let mut at = from;
    for upto in checked {
        log.scan_upto(at, upto, Checks::NONE, |record| {
            index.put(record, &record.handles())
        })?;
        at = upto;
    }
    Ok(())
}

/// How far a recovery is, for who waits for it.
struct Progress {
    from: u64,
    /// Where it will end, most likely.
    upto: u64,
    began: Instant,
    told: Instant,
}

impl Progress {
    fn new(from: u64, upto: u64, now: Instant) -> Progress {
        Progress {
            from,
            upto,
            began: now,
            told: now,
        }
    }

    /// Says it if it is time.
    fn tell(&mut self, at: u64) {
        if let Some((percent, mb_per_second)) = self.due(at, Instant::now()) {
            tracing::info!(percent, mb_per_second, at, "recovering the store");
        }
    }

    /// Percent of the way, and MB a second, if it is time to say so.
    fn due(&mut self, at: u64, now: Instant) -> Option<(u64, u64)> {
        if now.duration_since(self.told) < TOLD_EVERY {
            return None;
        }
        self.told = now;
        let (done, all) = (
            at.saturating_sub(self.from),
            self.upto.saturating_sub(self.from),
        );
        let percent = (done * 100)
            .checked_div(all)
            .map_or(100, |percent| percent.min(100));
        let seconds = now.duration_since(self.began).as_secs_f64();
        Some((percent, (done as f64 / 1e6 / seconds) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_recovery_says_every_second_how_far_it_is_and_a_short_one_says_nothing() {
        let began = Instant::now();
        let mut progress = Progress::new(1_000_000, 401_000_000, began);
        let mut at = |ms, at| progress.due(at, began + Duration::from_millis(ms));
        assert_eq!(at(999, 50_000_000), None);
        assert_eq!(at(1_000, 101_000_000), Some((25, 100)));
        assert_eq!(at(1_999, 150_000_000), None);
        assert_eq!(at(2_500, 201_000_000), Some((50, 80)));
        assert_eq!(
            at(4_000, 500_000_000),
            Some((100, 124)),
            "never more than all"
        );
    }

    #[test]
    fn a_recovery_of_nothing_is_done() {
        let began = Instant::now();
        let due = Progress::new(5, 0, began).due(5, began + TOLD_EVERY);
        assert_eq!(due, Some((100, 0)));
    }
}
