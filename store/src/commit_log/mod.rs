//! The commit log: every message of every topic, one after the other.
//!
//! ```text
//!   encode outside ──► lock ─ stamp ─ copy ─ publish ──► end
//!                             │ no room
//!                             └─ filler, next file (roll)
//! ```
//!
//! `end` is where the log ends for readers; what lies below it never changes. The rule that is easy
//! to break: under the lock there is one clock read, one copy, and nothing else that takes time.
//! Java 4.7.0 `store/CommitLog.java`.

mod append;
pub(crate) mod lost;
mod read;
pub(crate) mod recover;
mod refused;
mod roll;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

pub(crate) use self::recover::Checks;
use self::refused::Reasons;
use crate::config::{BrokerRole, FlushDiskType, StoreConfig};
use crate::error::{StoreError, Unavailable};
use crate::mapped::allocate::Allocator;
use crate::mapped::file::MappedFile;
use crate::mapped::queue::FileQueue;
use crate::mapped::touch::Toucher;
use crate::record::layout::BLANK_BYTES;

/// See the module.
pub(crate) struct CommitLog {
    files: FileQueue,
    allocator: Arc<Allocator>,
    toucher: Arc<Toucher>,
    tail: Mutex<Tail>,
    end: AtomicU64,
    /// When the present holder of the lock got it, by `clock_ms`; 0 while nobody holds it.
    held_since_ms: AtomicU64,
    /// Store time of the last record below `end`, or of one before it.
    last_store_timestamp_ms: AtomicI64,
    record_limit_bytes: u64,
    busy_timeout: Duration,
}

/// What only the holder of the lock may touch.
#[derive(Default)]
struct Tail {
    file: Option<Arc<MappedFile>>,
    /// Up to here pages have been asked to be made writable.
    touched: u64,
    refused: Reasons,
}

impl CommitLog {
    /// Opens the files; where the log ends, `recover` finds out.
    pub(crate) fn open(config: &StoreConfig) -> Result<CommitLog, StoreError> {
        let (dir, file_bytes) = (
            &config.commit_log_dir,
            u64::from(config.commit_log_file_bytes),
        );
        let to_disk = config.flush_disk_type == FlushDiskType::Sync;
        let mut refused = Reasons::default();
        if config.broker_role == BrokerRole::Slave {
            refused.add(Unavailable::Slave);
        }
        Ok(CommitLog {
            files: FileQueue::open(dir.clone(), file_bytes, "mappedFileSizeCommitLog")?,
            allocator: Arc::new(Allocator::new(dir.clone(), file_bytes, to_disk)),
            toucher: Arc::new(Toucher::new(to_disk)),
            tail: Mutex::new(Tail {
                file: None,
                touched: 0,
                refused,
            }),
            end: AtomicU64::new(0),
            held_since_ms: AtomicU64::new(0),
            last_store_timestamp_ms: AtomicI64::new(0),
            record_limit_bytes: u64::from(config.max_message_bytes).min(file_bytes - BLANK_BYTES),
            busy_timeout: config.page_cache_busy_timeout,
        })
    }

    pub(crate) fn allocator(&self) -> &Arc<Allocator> {
        &self.allocator
    }

    pub(crate) fn toucher(&self) -> &Arc<Toucher> {
        &self.toucher
    }

    /// Where its files lie.
    pub(crate) fn dir(&self) -> &Path {
        self.files.dir()
    }

    /// First byte that the log still has; its end while it has none.
    pub(crate) fn min_offset(&self) -> u64 {
        self.files.first().map_or(0, |file| file.base())
    }

    /// Behind the last byte appended.
    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Store time of a record that is below `end`, if `end` is read after this call.
    pub(crate) fn last_store_timestamp_ms(&self) -> i64 {
        self.last_store_timestamp_ms.load(Ordering::Acquire)
    }

    /// How long the present append has held the log. Milliseconds, 0 without one.
    pub(crate) fn held_ms(&self) -> u64 {
        match self.held_since_ms.load(Ordering::Relaxed) {
            0 => 0,
            since => clock_ms().saturating_sub(since),
        }
    }

    /// Takes no more appends, until the reason has gone.
    pub(crate) fn refuse(&self, why: Unavailable) {
        self.tail.lock().refused.add(why);
    }

    /// A reason has gone: appends are taken again if it was the only one.
    pub(crate) fn resume(&self, why: Unavailable) {
        self.tail.lock().refused.remove(why);
    }

    /// Why appends are refused now.
    pub(crate) fn refused(&self) -> Option<Unavailable> {
        self.tail.lock().refused.first()
    }

    /// Calls `with_end` with the end of the log, while nothing is appended.
    pub(crate) fn standing_still(&self, with_end: impl FnOnce(u64)) {
        let _tail = self.tail.lock();
        self.held_since_ms.store(clock_ms(), Ordering::Relaxed);
        with_end(self.end());
        self.held_since_ms.store(0, Ordering::Relaxed);
    }

    /// The oldest file, if others follow it: the only one that may go.
    pub(crate) fn oldest_of_several(&self) -> Option<Arc<MappedFile>> {
        self.files.first_of_several()
    }

    /// Removes the oldest file; the log then begins behind it. Who reads it goes on. Blocks.
    ///
    /// # Errors
    /// What the file system says; the log begins where it did.
    pub(crate) fn remove_oldest(&self, oldest: &MappedFile) -> std::io::Result<bool> {
        self.files.remove_first(oldest)
    }

    /// Writes `[from, to)` to disk. Blocks.
    pub(crate) fn sync(&self, from: u64, to: u64) -> std::io::Result<()> {
        self.files.sync(from, to)
    }
}

/// Milliseconds of a clock that nobody sets, to 4 ms or so; never 0. It costs a few nanoseconds.
fn clock_ms() -> u64 {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    now.tv_sec.unsigned_abs() * 1000 + now.tv_nsec.unsigned_abs() / 1_000_000 + 1
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as i64)
}
