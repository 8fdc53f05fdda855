//! Appending: encoded outside the lock, stamped and copied under it.
//!
//! A batch is one append of several records: successive queue entries, one store time, and never
//! divided between two files. Java 4.7.0 `store/CommitLog.java`: `putMessage`, `putMessages`.

use std::cell::RefCell;
use std::mem;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{CommitLog, Tail, clock_ms, now_ms};
use crate::api::Appended;
use crate::consume_queue::queue::Queue;
use crate::error::{AppendError, Illegal};
use crate::mapped::touch::STRETCH_BYTES;
use crate::offset::{LogOffset, QueueOffset};
use crate::record::NewMessage;
use crate::record::encode::{Stamp, encode, stamp};
use crate::record::layout::has_queue_entry;

/// A thread's buffer goes back to the allocator when one append made it larger than this.
const KEPT_BUFFER_BYTES: usize = 256 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Where an append was put.
struct Place {
    log_offset: u64,
    queue_offset: i64,
    store_timestamp_ms: i64,
}

impl CommitLog {
    /// Bytes of the record that `message` will be.
    ///
    /// # Errors
    /// When it can never be stored.
    pub(crate) fn check(&self, message: &NewMessage<'_>) -> Result<usize, AppendError> {
        message.record_bytes(self.record_limit_bytes)
    }

    /// Appends one message to `queue`, which must be the one it names; `None` if its topic was deleted
    /// since it was looked up. Waits for other appends, `patience` at most.
    pub(crate) fn append(
        &self,
        message: &NewMessage<'_>,
        queue: &Queue,
        patience: Duration,
    ) -> Result<Option<Appended>, AppendError> {
        let record_bytes = self.check(message)?;
        let parts = [(record_bytes, message.stored_sys_flag())];
        let place = with_buffer(|buffer| {
            encode(message, record_bytes, buffer);
            self.put(buffer, &parts, queue, patience)
        })?;
        Ok(place.map(|place| appended(&place, 0, record_bytes, 0)))
    }

    /// Appends several messages to one queue: all of them or none. `None` as from `append`.
    pub(crate) fn append_batch(
        &self,
        messages: &[NewMessage<'_>],
        queue: &Queue,
        patience: Duration,
    ) -> Result<Option<Vec<Appended>>, AppendError> {
        let (mut parts, mut total) = (Vec::with_capacity(messages.len()), 0);
        for message in messages {
            let record_bytes = self.check(message)?;
            total += record_bytes as u64;
            parts.push((record_bytes, message.stored_sys_flag()));
        }
        if total > self.record_limit_bytes {
            let limit_bytes = self.record_limit_bytes;
            return Err(AppendError::MessageIllegal(Illegal::Size {
                bytes: total,
                limit_bytes,
            }));
        }
        let place = with_buffer(|buffer| {
            for (message, (record_bytes, _)) in messages.iter().zip(&parts) {
                encode(message, *record_bytes, buffer);
            }
            self.put(buffer, &parts, queue, patience)
        })?;
        let Some(place) = place else {
            return Ok(None);
        };
        let mut at = 0;
        let each = parts.iter().enumerate().map(|(n, (record_bytes, _))| {
            let one = appended(&place, n as i64, *record_bytes, at);
            at += *record_bytes as u64;
            one
        });
        Ok(Some(each.collect()))
    }

    fn put(
        &self,
        records: &mut [u8],
        parts: &[(usize, i32)],
        queue: &Queue,
        patience: Duration,
    ) -> Result<Option<Place>, AppendError> {
        if u128::from(self.held_ms()) > self.busy_timeout.as_millis() {
            return Err(AppendError::OsPageCacheBusy); // without the wait: others wait already
        }
        let mut tail = self
            .tail
            .try_lock_for(patience.min(self.busy_timeout))
            .ok_or(AppendError::OsPageCacheBusy)?;
        if let Some(why) = tail.refused.first() {
            return Err(AppendError::ServiceNotAvailable(why));
        }
        if queue.is_gone() {
            return Ok(None);
        }
        let now = now_ms();
        self.held_since_ms.store(clock_ms(), Ordering::Relaxed);
        let place = self.put_at(now, records, parts, queue, &mut tail);
        self.held_since_ms.store(0, Ordering::Relaxed);
        place.map(Some)
    }

    fn put_at(
        &self,
        now: i64,
        records: &mut [u8],
        parts: &[(usize, i32)],
        queue: &Queue,
        tail: &mut Tail,
    ) -> Result<Place, AppendError> {
        let file = self.make_room(tail, records.len() as u64)?;
        let place = Place {
            log_offset: file.published(),
            queue_offset: queue.next(),
            store_timestamp_ms: now,
        };
        let (mut log_offset, mut next, mut rest) =
            (place.log_offset, place.queue_offset, &mut *records);
        for (record_bytes, sys_flag) in parts {
            let Some((record, behind)) = mem::take(&mut rest).split_at_mut_checked(*record_bytes)
            else {
                break;
            };
            let queue_offset = if has_queue_entry(*sys_flag) { next } else { 0 };
            stamp(
                record,
                *sys_flag,
                Stamp {
                    queue_offset,
                    log_offset,
                    store_timestamp_ms: now,
                },
            );
            next += i64::from(has_queue_entry(*sys_flag));
            log_offset += *record_bytes as u64;
            rest = behind;
        }
        file.append(records)
            .map_err(|_| AppendError::CreateMappedFileFailed)?;
        let place = if next == place.queue_offset {
            Place {
                queue_offset: 0,
                ..place
            }
        } else {
            place
        };
        queue.set_next(next);
        self.end.store(log_offset, Ordering::Release);
        self.touch_ahead(log_offset, tail);
        // Behind `end`: who has read this time finds its record below `end`.
        self.last_store_timestamp_ms.store(now, Ordering::Release);
        Ok(place)
    }
}

impl CommitLog {
    /// Has the pages behind `end` made ready, a stretch at a time.
    fn touch_ahead(&self, end: u64, tail: &mut Tail) {
        let Some(file) = &tail.file else {
            return;
        };
        if end + STRETCH_BYTES / 2 < tail.touched || tail.touched >= file.end() {
            return;
        }
        let upto = (end + STRETCH_BYTES).min(file.end());
        self.toucher.ask(file, tail.touched.max(end), upto);
        tail.touched = upto;
    }
}

fn appended(place: &Place, n: i64, record_bytes: usize, at: u64) -> Appended {
    Appended {
        log_offset: LogOffset(place.log_offset + at),
        record_bytes: record_bytes as u32,
        queue_offset: QueueOffset(place.queue_offset + n),
        store_timestamp_ms: place.store_timestamp_ms,
    }
}

fn with_buffer<T>(encode_and_put: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        let out = encode_and_put(buffer);
        if buffer.capacity() > KEPT_BUFFER_BYTES {
            *buffer = Vec::new();
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::config::StoreConfig;
    use crate::consume_queue::table::{QueueDirs, QueueTable};
    use crate::record::Record;

    fn message(body: &[u8]) -> NewMessage<'_> {
        NewMessage {
            topic: "T",
            queue_id: 0,
            flag: 0,
            sys_flag: 0,
            born_timestamp_ms: 0,
            born_host: ([127, 0, 0, 1], 1).into(),
            store_host: ([127, 0, 0, 1], 2).into(),
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body,
            properties: "",
        }
    }

    fn log_and_queue(config: &StoreConfig) -> (CommitLog, Arc<Queue>) {
        let mut log = CommitLog::open(config).expect("opened");
        log.cut(0, 0, false).expect("ready");
        let queues = QueueTable::open(QueueDirs::of(config), false);
        (log, queues.expect("opened").get_or_make("T", 0))
    }

    #[test]
    fn appends_that_meet_a_stalled_log_are_refused_at_once() {
        let dir = tempfile::tempdir().expect("folder");
        let busy = Duration::from_millis(200);
        let (log, queue) = log_and_queue(&StoreConfig {
            commit_log_file_bytes: 64 * 1024,
            page_cache_busy_timeout: busy,
            ..StoreConfig::at(dir.path())
        });
        let stalled = log.tail.lock();
        log.held_since_ms.store(clock_ms(), Ordering::Relaxed);
        while u128::from(log.held_ms()) <= busy.as_millis() {
            std::thread::yield_now();
        }
        let began = Instant::now();
        for _ in 0..50 {
            let refused = log.append(&message(b"x"), &queue, busy).err();
            assert_eq!(refused, Some(AppendError::OsPageCacheBusy));
        }
        assert!(began.elapsed() < busy * 10, "each waited for itself");
        drop(stalled);
        log.held_since_ms.store(0, Ordering::Relaxed);
        log.append(&message(b"x"), &queue, busy).expect("stored");
    }

    #[test]
    fn the_last_store_time_never_runs_ahead_of_the_end() {
        let dir = tempfile::tempdir().expect("folder");
        let (log, queue) = log_and_queue(&StoreConfig {
            commit_log_file_bytes: 32 * 1024 * 1024,
            ..StoreConfig::at(dir.path())
        });
        let record_bytes = log.check(&message(b"x")).expect("legal") as u64;
        std::thread::scope(|scope| {
            let appends = scope.spawn(|| {
                for _ in 0..100_000 {
                    let patience = Duration::from_secs(1);
                    log.append(&message(b"x"), &queue, patience)
                        .expect("stored");
                }
            });
            while !appends.is_finished() {
                let (timestamp_ms, end) = (log.last_store_timestamp_ms(), log.end());
                let last = end
                    .checked_sub(record_bytes)
                    .and_then(|at| log.run_from(at, end));
                let stored_ms = last.map_or(0, |last| {
                    Record::decode(&last).expect("whole").store_timestamp_ms
                });
                assert!(timestamp_ms <= stored_ms, "claims what is not below {end}");
            }
        });
    }
}
