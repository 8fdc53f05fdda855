//! From log records to queue entries, index entries and news for readers, in log order.
//!
//! ```text
//!   log ─► queue entry ─► index entries ─► `dispatched` ─► Arrivals
//! ```
//!
//! One thread; recovery does the same to each record, queues and index beside each other (`rebuild`). Under
//! SYNC_FLUSH it goes only as far as the log is on disk: what consumers see survives. The rule that is easy
//! to break: an arrival is told after the entry is readable. Java 4.7.0 `store/DefaultMessageStore.java`: `ReputMessageService`,
//! `doDispatch`; there it looks every millisecond, here it is woken.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::api::{Arrival, Arrivals};
use crate::commit_log::CommitLog;
use crate::consume_queue::ext_unit::ExtUnit;
use crate::consume_queue::queue::Put;
use crate::consume_queue::table::QueueTable;
use crate::consume_queue::unit::Entry;
use crate::delay_levels::{DelayLevels, SCHEDULE_TOPIC};
use crate::error::{StoreError, Unavailable};
use crate::flush::LogFlush;
use crate::index::IndexService;
use crate::java_hash::tags_code;
use crate::offset::QueueOffset;
use crate::paths;
use crate::record::Record;
use crate::record::decode::{Frame, Handles, frame};
use crate::record::layout::{BLANK_BYTES, has_queue_entry};
use crate::service::Bell;

/// After work the thread looks again this much later before it goes to sleep. While messages come
/// close together no append has to wake it, which would be a system call each; one that comes alone
/// is dispatched at once. With the kernel's slack it is half as long again.
const NAP: Duration = Duration::from_micros(100);

/// How far the log is dispatched.
pub(crate) struct Progress {
    dispatched: AtomicU64,
    timestamp_ms: AtomicI64,
    pub(crate) bell: Bell,
}

impl Progress {
    pub(crate) fn at(dispatched: u64, timestamp_ms: i64) -> Progress {
        let (dispatched, timestamp_ms) = (AtomicU64::new(dispatched), AtomicI64::new(timestamp_ms));
        Progress {
            dispatched,
            timestamp_ms,
            bell: Bell::default(),
        }
    }

    /// Behind the last record dispatched.
    pub(crate) fn dispatched(&self) -> u64 {
        self.dispatched.load(Ordering::Acquire)
    }

    /// That, and the store time of some record below it that is not before any later one's.
    pub(crate) fn snapshot(&self) -> (u64, i64) {
        let timestamp_ms = self.timestamp_ms.load(Ordering::Acquire);
        (self.dispatched(), timestamp_ms)
    }

    fn advance(&self, to: u64, timestamp_ms: Option<i64>) {
        self.dispatched.store(to, Ordering::Release);
        if let Some(timestamp_ms) = timestamp_ms {
            self.timestamp_ms.store(timestamp_ms, Ordering::Release);
        }
    }
}

/// Where entries go.
#[derive(Clone, Copy)]
pub(crate) struct Entries<'a> {
    pub(crate) queues: &'a QueueTable,
    pub(crate) levels: &'a DelayLevels,
    pub(crate) arrivals: &'a dyn Arrivals,
}

/// Writes the queue entry of one record for recovery, if it has one. An entry that is there already
/// changes nothing.
///
/// # Errors
/// When there is no room for it. The same record may be put again.
pub(crate) fn put_in_queue(record: &Record<'_>, entries: Entries<'_>) -> Result<(), StoreError> {
    put_queue_entry(record, &record.handles(), entries).map(drop)
}

/// An entry that became readable.
struct Added<'a> {
    topic: Cow<'a, str>,
    queue_offset: QueueOffset,
    tags_code: i64,
}

/// Writes the queue entry of one record, if it has one; `Some` if it became readable by that.
fn put_queue_entry<'a>(
    record: &Record<'a>,
    handles: &Handles<'_>,
    entries: Entries<'_>,
) -> Result<Option<Added<'a>>, StoreError> {
    let Entries {
        queues,
        levels,
        arrivals,
    } = entries;
    if !has_queue_entry(record.sys_flag) {
        return Ok(None);
    }
    let topic = String::from_utf8_lossy(record.topic);
    let due_ms = handles
        .delay
        .filter(|_| topic == SCHEDULE_TOPIC)
        .and_then(|delay| levels.due_ms(delay, record.store_timestamp_ms));
    let tags_code = due_ms.unwrap_or_else(|| handles.tags.map_or(0, tags_code));
    let (id, record_bytes) = (record.queue_id, record.record_bytes as i32);
    let entry = Entry {
        log_offset: record.log_offset,
        record_bytes,
        tags_code,
    };
    if !paths::is_topic(&topic) {
        tracing::error!(
            log_offset = record.log_offset,
            "leave out a record whose topic cannot be a folder"
        );
        return Ok(None);
    }
    let place = (&*topic, id, record.log_offset.unsigned_abs());
    let bits = queues
        .have_ext()
        .then(|| arrivals.filter_bits(&topic, record));
    let unit = ExtUnit {
        tags_code,
        store_timestamp_ms: record.store_timestamp_ms,
        filter_bits: bits.as_ref().and_then(Option::as_deref).unwrap_or_default(),
    };
    let put = queues.with_queue_of(place, |queue| queue.put(entry, record.queue_offset, &unit));
    Ok(match put.transpose()? {
        Some(Put::Added(queue_offset)) => Some(Added {
            topic,
            queue_offset,
            tags_code,
        }),
        Some(Put::AlreadyThere | Put::Impossible) | None => None,
    })
}

/// The dispatcher's thread.
pub(crate) struct Dispatcher {
    pub(crate) log: Arc<CommitLog>,
    pub(crate) flush: Arc<LogFlush>,
    pub(crate) queues: Arc<QueueTable>,
    pub(crate) index: Option<Arc<IndexService>>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) arrivals: Arc<dyn Arrivals>,
    pub(crate) levels: DelayLevels,
    /// SYNC_FLUSH: only what is on disk.
    pub(crate) only_flushed: bool,
    /// Pause before an entry that could not be written is tried again.
    pub(crate) retry: Duration,
}

impl Dispatcher {
    fn readable(&self) -> u64 {
        if self.only_flushed {
            self.flush.flushed()
        } else {
            self.log.end()
        }
    }

    /// The body of the thread "dispatch". When told to stop it first comes to the end.
    pub(crate) fn run(&self) {
        let bell = &self.progress.bell;
        loop {
            let (stop, before) = (bell.is_stopped(), self.progress.dispatched());
            if !self.catch_up() || stop {
                return;
            }
            if self.progress.dispatched() > before {
                thread::sleep(NAP);
            } else {
                bell.wait(None, || self.readable() > self.progress.dispatched());
            }
        }
    }

    /// Dispatches everything that may be; false when it gave up because it was told to stop.
    pub(crate) fn catch_up(&self) -> bool {
        while self.progress.dispatched() < self.readable() {
            if !self.dispatch_run(self.readable()) {
                return false;
            }
        }
        true
    }

    /// Dispatches what lies in one file; false when it gave up because it was told to stop.
    fn dispatch_run(&self, upto: u64) -> bool {
        let mut at = self.progress.dispatched();
        let run = self.log.run_from(at, upto).unwrap_or_default();
        let mut rest = &run[..];
        while !rest.is_empty() {
            match frame(rest) {
                Ok(Frame::Message(record)) => {
                    if !self.dispatch(&record) {
                        return false;
                    }
                    at += u64::from(record.record_bytes);
                    rest = rest.get(record.record_bytes as usize..).unwrap_or_default();
                }
                Ok(Frame::Blank) => return self.skip_to(self.log.next_file(at)),
                // The end of a file that has no room for a filler: `make_room` went on behind it.
                Err(_) if (rest.len() as u64) < BLANK_BYTES => {
                    return self.skip_to(self.log.next_file(at));
                }
                Err(error) => panic!("the log at {at} is not what was appended: {error}"),
            }
        }
        assert!(
            !run.is_empty(),
            "the log ends at {upto} but has nothing at {at}"
        );
        true
    }

    fn skip_to(&self, at: u64) -> bool {
        self.progress.advance(at, None);
        true
    }

    fn dispatch(&self, record: &Record<'_>) -> bool {
        let handles = record.handles();
        let entries = Entries {
            queues: &self.queues,
            levels: &self.levels,
            arrivals: &*self.arrivals,
        };
        let entry = || put_queue_entry(record, &handles, entries);
        let Some(added) = self.until_it_works(entry) else {
            return false;
        };
        if let Some(index) = &self.index
            && self
                .until_it_works(|| index.put(record, &handles))
                .is_none()
        {
            return false;
        }
        let end = record.log_offset.unsigned_abs() + u64::from(record.record_bytes);
        self.progress.advance(end, Some(record.store_timestamp_ms));
        if let Some(added) = added {
            self.arrivals.arrived(&Arrival {
                topic: &added.topic,
                queue_id: record.queue_id,
                queue_offset: added.queue_offset,
                tags_code: added.tags_code,
                store_timestamp_ms: record.store_timestamp_ms,
                properties: record.properties,
            });
        }
        true
    }

    /// Does it, again and again while there is no room; `None` when told to stop before that. The log
    /// takes no messages meanwhile, so that what waits for its entries does not grow.
    fn until_it_works<T>(&self, mut work: impl FnMut() -> Result<T, StoreError>) -> Option<T> {
        let error = match work() {
            Ok(done) => return Some(done),
            Err(error) => error,
        };
        tracing::error!(%error, "write queue and index entries; no messages are taken until it works, tried every second");
        self.log.refuse(Unavailable::QueuesStuck);
        loop {
            self.progress.bell.wait(Some(self.retry), || false);
            if self.progress.bell.is_stopped() {
                return None;
            }
            if let Ok(done) = work() {
                tracing::info!("queue and index entries can be written again");
                self.log.resume(Unavailable::QueuesStuck);
                return Some(done);
            }
        }
    }
}
