//! The store as a whole: opened, written, read, closed.
//!
//! ```text
//!   append ─► CommitLog ─► LogFlush ("flush-group" or "flush-timed")
//!                │             │
//!            Dispatcher ("dispatch") ─► QueueTable, IndexService ─► QueueFlush ("flush-queues")
//!                └─► Arrivals                                          └─► Checkpoint
//!   Cleaner ("clean") removes what is old of all of them
//! ```
//!
//! Threads are started last and stopped first, each by its bell. A store that is dropped without
//! `close` is left as a crash would leave it. Java 4.7.0 `store/DefaultMessageStore.java`.

mod lookup;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use crate::api::{Appended, Arrivals};
use crate::checkpoint::Checkpoint;
use crate::clean::Cleaner;
use crate::commit_log::CommitLog;
use crate::config::{FlushDiskType, StoreConfig};
use crate::consume_queue::queue::Queue;
use crate::consume_queue::table::{QueueDirs, QueueTable};
use crate::delay_levels::DelayLevels;
use crate::dispatch::{Dispatcher, Progress};
use crate::error::{AppendError, Illegal, StoreError, Unavailable};
use crate::flush::queues::QueueFlush;
use crate::flush::timed::Pace;
use crate::flush::{Durable, LogFlush};
use crate::index::IndexService;
use crate::lock::{StoreLock, mark_closed, mark_open};
use crate::offset::LogOffset;
use crate::paths;
use crate::read::Reader;
use crate::record::NewMessage;
use crate::record::layout::is_transactional;
use crate::recover::{Parts, log_is_there, recover};
use crate::service;

/// Java's start ends there too.
const BAD_LEVELS: StoreError = StoreError::Config {
    key: "messageDelayLevel",
    reason: "is no list of delays such as 1s 5s 10s 30s 1m 2h 1d, one blank between them",
};

/// Pause before queue or index entries that could not be written are tried again.
const RETRY: Duration = Duration::from_secs(1);

/// An open store. Calls block for as long as a page fault or a new file takes, unless they say more.
pub struct Store {
    config: StoreConfig,
    levels: DelayLevels,
    pub(crate) log: Arc<CommitLog>,
    queues: Arc<QueueTable>,
    index: Option<Arc<IndexService>>,
    pub(crate) flush: Arc<LogFlush>,
    progress: Arc<Progress>,
    pub(crate) queue_flush: Arc<QueueFlush>,
    pub(crate) cleaner: Arc<Cleaner>,
    reader: Reader,
    running: Mutex<Option<Running>>,
}

/// What ends with the store.
struct Running {
    _lock: StoreLock,
    log_flush: Option<JoinHandle<()>>,
    dispatch: Option<JoinHandle<()>>,
    queue_flush: Option<JoinHandle<()>>,
    allocate: Option<JoinHandle<()>>,
    touch: Option<JoinHandle<()>>,
    clean: Option<JoinHandle<()>>,
}

impl Running {
    /// Nothing runs yet.
    fn with(lock: StoreLock) -> Running {
        Running {
            _lock: lock,
            log_flush: None,
            dispatch: None,
            queue_flush: None,
            allocate: None,
            touch: None,
            clean: None,
        }
    }
}

impl Store {
    /// Opens the store, after the last owner's crash too, or makes a new one. Blocks until log,
    /// queues and index agree. `arrivals` hears of messages appended from now on.
    ///
    /// # Errors
    /// `AlreadyStarted` when it, or its log alone, is open elsewhere, `Config` and `FileSize` when sizes
    /// cannot work or are not those it was made with, `LogGone` when its log is not there: all before
    /// anything is changed. `Io` when a folder or the first log file cannot be made.
    pub fn open(
        config: StoreConfig,
        arrivals: Arc<dyn Arrivals>,
    ) -> Result<Arc<Store>, StoreError> {
        let (store, clean) = Store::assemble(config, &*arrivals)?;
        store.start(arrivals, !clean)?;
        Ok(Arc::new(store))
    }

    /// All of `open` but its threads, and whether the last owner closed it in order.
    pub(crate) fn assemble(
        config: StoreConfig,
        arrivals: &dyn Arrivals,
    ) -> Result<(Store, bool), StoreError> {
        config.check()?;
        let levels = DelayLevels::parse(&config.message_delay_level).ok_or(BAD_LEVELS)?;
        let queue_dir = make_folders(&config)?;
        let lock = StoreLock::take(&config.root_dir, &config.commit_log_dir)?;
        let clean = !paths::abort(&config.root_dir).exists();
        let mut log = CommitLog::open(&config)?;
        let mut index = config
            .message_index_enable
            .then(|| IndexService::open(&config))
            .transpose()?;
        let mut queues = QueueTable::open(QueueDirs::of(&config), !clean)?;
        let checkpoint = Checkpoint::open(&paths::checkpoint(&config.root_dir))?;
        let settled = checkpoint.read();
        log_is_there(&config, &log, &queues)?;
        mark_open(&config.root_dir)?;
        let opened = File::open(&queue_dir).map_err(StoreError::io("open", queue_dir))?;
        let parts = Parts {
            log: &mut log,
            queues: &mut queues,
            index: index.as_mut(),
        };
        let lost = recover(&config, clean, &checkpoint, (&levels, arrivals), parts)?;
        begin_if_new(&mut log, &checkpoint, &config)?;

        let timestamp_ms = log
            .last_store_timestamp_ms()
            .max(settled.queue_timestamp_ms);
        let (log, queues, index) = (Arc::new(log), Arc::new(queues), index.map(Arc::new));
        let flush = Arc::new(LogFlush::new(Arc::clone(&log), timestamp_ms));
        let progress = Arc::new(Progress::at(log.end(), timestamp_ms));
        let queue_flush = Arc::new(QueueFlush {
            log: Arc::clone(&flush),
            queues: Arc::clone(&queues),
            queue_dir: opened,
            index: index.clone(),
            progress: Arc::clone(&progress),
            checkpoint,
            bell: service::Bell::default(),
            failed: AtomicBool::new(false),
            no_room: AtomicBool::new(false),
            writing: Mutex::new(()),
        });
        if lost {
            queue_flush.flush_all(); // what the checkpoint says is not true any more
        }
        let cleaner = Cleaner::new(&config, &log, &queues, index.as_ref(), &queue_flush);
        let reader = Reader::new(&config);
        let running = Mutex::new(Some(Running::with(lock)));
        let store = Store {
            config,
            levels,
            log,
            queues,
            index,
            flush,
            progress,
            queue_flush,
            cleaner: Arc::new(cleaner),
            reader,
            running,
        };
        Ok((store, clean))
    }

    /// Starts the threads. `unsettled`: queues and index were built anew, and still are to be written to
    /// disk; until that is done the checkpoint stays where recovery began.
    fn start(&self, arrivals: Arc<dyn Arrivals>, unsettled: bool) -> Result<(), StoreError> {
        let mut running = self.running.lock();
        let Some(running) = running.as_mut() else {
            return Ok(());
        };
        let allocator = Arc::clone(self.log.allocator());
        running.allocate = Some(service::spawn("allocate", move || allocator.run())?);
        let (toucher, flush) = (Arc::clone(self.log.toucher()), Arc::clone(&self.flush));
        running.touch = Some(service::spawn("touch", move || {
            toucher.run(|error| flush.sync_failed(&error))
        })?);
        let dispatcher = self.dispatcher(arrivals, RETRY);
        running.dispatch = Some(service::spawn("dispatch", move || dispatcher.run())?);
        let (flush, progress) = (Arc::clone(&self.flush), Arc::clone(&self.progress));
        let pace = Pace {
            interval: self.config.flush_interval,
            least_pages: self.config.flush_least_pages,
            thorough_interval: self.config.flush_thorough_interval,
        };
        running.log_flush = Some(if self.is_sync() {
            service::spawn("flush-group", move || {
                flush.run_group(|| progress.bell.ring())
            })?
        } else {
            service::spawn("flush-timed", move || flush.run_timed(pace))?
        });
        let queue_flush = Arc::clone(&self.queue_flush);
        let pace = Pace {
            interval: self.config.queue_flush_interval,
            least_pages: self.config.queue_flush_least_pages,
            thorough_interval: self.config.queue_flush_thorough_interval,
        };
        running.queue_flush = Some(service::spawn("flush-queues", move || {
            queue_flush.run(pace, unsettled)
        })?);
        let cleaner = Arc::clone(&self.cleaner);
        running.clean = Some(service::spawn("clean", move || cleaner.run())?);
        Ok(())
    }

    pub(crate) fn dispatcher(&self, arrivals: Arc<dyn Arrivals>, retry: Duration) -> Dispatcher {
        Dispatcher {
            log: Arc::clone(&self.log),
            flush: Arc::clone(&self.flush),
            queues: Arc::clone(&self.queues),
            index: self.index.clone(),
            progress: Arc::clone(&self.progress),
            arrivals,
            levels: self.levels.clone(),
            only_flushed: self.is_sync(),
            retry,
        }
    }

    fn is_sync(&self) -> bool {
        self.config.flush_disk_type == FlushDiskType::Sync
    }

    /// Takes no more appends, dispatches and writes everything to disk, and gives up the lock. Reads
    /// still work. Returns whether all of it went well; if not, the next open recovers as after a
    /// crash. Blocks; a second call does nothing.
    pub fn close(&self) -> bool {
        self.stop(true)
    }

    fn stop(&self, in_order: bool) -> bool {
        let Some(running) = self.running.lock().take() else {
            return true;
        };
        self.log.refuse(Unavailable::Closed);
        self.cleaner.bell.stop();
        join(running.clean);
        self.flush.stop();
        join(running.log_flush);
        let flushed = in_order && self.flush.flush().is_ok();
        self.progress.bell.stop();
        join(running.dispatch);
        self.queue_flush.bell.stop();
        join(running.queue_flush);
        self.log.allocator().stop();
        join(running.allocate);
        self.log.toucher().stop();
        join(running.touch);
        self.flush.fail(); // who still waits, waits for something that was never appended
        if !in_order {
            return false;
        }
        let settled = flushed && self.dispatch_behind_bytes() == 0 && self.queue_flush.flush_all();
        let closed = settled
            && mark_closed(&self.config.root_dir)
                .inspect_err(|error| tracing::error!(%error))
                .is_ok();
        if !closed {
            tracing::error!("store closed with work undone, the next start recovers");
        }
        closed
    }

    /// What it was opened with.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// The delay levels it was opened with.
    pub fn delay_levels(&self) -> &DelayLevels {
        &self.levels
    }

    /// Stores a message. It is in the page cache when this returns; see [`Store::durable`].
    ///
    /// # Errors
    /// As [`AppendError`] tells; nothing was stored then.
    pub fn append(&self, message: &NewMessage<'_>) -> Result<Appended, AppendError> {
        self.append_within(self.config.page_cache_busy_timeout, message)
    }

    /// The same, waiting for other appends so long at most: for a thread that has other things to do.
    ///
    /// # Errors
    /// As [`AppendError`] tells; nothing was stored then.
    pub fn append_within(
        &self,
        patience: Duration,
        message: &NewMessage<'_>,
    ) -> Result<Appended, AppendError> {
        let append = |queue: &Queue| self.log.append(message, queue, patience);
        let appended = self.in_queue(message, append)?;
        self.ring();
        Ok(appended)
    }

    /// Stores several messages of one queue, all or none, in successive entries and with one store
    /// time. Their bodies and properties are their own.
    ///
    /// # Errors
    /// As [`AppendError`] tells; nothing was stored then.
    pub fn append_batch(&self, messages: &[NewMessage<'_>]) -> Result<Vec<Appended>, AppendError> {
        self.append_batch_within(self.config.page_cache_busy_timeout, messages)
    }

    /// The same, waiting for other appends so long at most.
    ///
    /// # Errors
    /// As [`AppendError`] tells; nothing was stored then.
    pub fn append_batch_within(
        &self,
        patience: Duration,
        messages: &[NewMessage<'_>],
    ) -> Result<Vec<Appended>, AppendError> {
        let first = messages
            .first()
            .ok_or(AppendError::MessageIllegal(Illegal::Batch))?;
        let elsewhere =
            |other: &NewMessage<'_>| (other.topic, other.queue_id) != (first.topic, first.queue_id);
        if messages
            .iter()
            .any(|message| elsewhere(message) || is_transactional(message.sys_flag))
        {
            return Err(AppendError::MessageIllegal(Illegal::Batch));
        }
        let append = |queue: &Queue| self.log.append_batch(messages, queue, patience);
        let appended = self.in_queue(first, append)?;
        self.ring();
        Ok(appended)
    }

    fn in_queue<T>(
        &self,
        message: &NewMessage<'_>,
        append: impl Fn(&Queue) -> Result<Option<T>, AppendError>,
    ) -> Result<T, AppendError> {
        loop {
            let known = self
                .queues
                .with(message.topic, message.queue_id, |queue| append(queue));
            let appended = known.unwrap_or_else(|| {
                self.log.check(message)?; // no queue is made for an illegal message
                append(&self.queues.get_or_make(message.topic, message.queue_id))
            });
            // Once more if the topic was deleted in between: it begins anew.
            if let Some(appended) = appended? {
                return Ok(appended);
            }
        }
    }

    fn ring(&self) {
        if self.is_sync() {
            self.flush.ring()
        } else {
            self.progress.bell.ring()
        }
    }

    /// Resolves once the log is on disk up to `upto`, with an error if it never will be.
    pub fn durable(&self, upto: LogOffset) -> Durable {
        self.flush.durable(upto)
    }

    /// Why appends are refused now, if they are.
    pub fn unavailable(&self) -> Option<Unavailable> {
        self.log.refused()
    }

    /// How long the append that holds the log has held it. Milliseconds, 0 without one.
    /// Java 4.7.0 `lockTimeMills`.
    pub fn lock_held_ms(&self) -> u64 {
        self.log.held_ms()
    }

    /// Calls `meanwhile` while nothing is appended: who appends finds the log held. Blocks until the append that
    /// is under way is done. For tests of those who append.
    pub fn standing_still(&self, meanwhile: impl FnOnce()) {
        self.log.standing_still(|_| meanwhile());
    }

    /// Whether an append has held the log for longer than `osPageCacheBusyTimeOutMills`.
    pub fn is_page_cache_busy(&self) -> bool {
        u128::from(self.lock_held_ms()) > self.config.page_cache_busy_timeout.as_millis()
    }

    /// Topics that have had messages, in no order.
    pub fn topics(&self) -> Vec<String> {
        self.queues.topics()
    }

    /// Removes a topic's queues: its messages can no longer be read by queue, and the next one begins
    /// at 0. Its records stay in the log until they expire, and can be found by key until then, as in
    /// Java. Safe while others append and read; blocks.
    ///
    /// After a crash within a second of it, messages of the topic that came shortly before can be back.
    /// Java 4.7.0 `DefaultMessageStore.cleanUnusedTopic`, which brings back many more.
    ///
    /// # Errors
    /// When a file cannot be removed. The topic has no queues then either, until the next start.
    pub fn delete_topic(&self, topic: &str) -> Result<(), StoreError> {
        if !paths::is_topic(topic) {
            return Ok(());
        }
        let mut upto = 0;
        self.queues
            .delete(topic, self.progress.dispatched(), |forget| {
                self.log.standing_still(|end| {
                    upto = end;
                    forget(end);
                });
            })?;
        self.queue_flush.note_deleted(upto)
    }

    /// Whether a topic has queues and none of them has a message that is still in the log.
    pub fn has_expired(&self, topic: &str) -> bool {
        let (min, ids) = (self.log.min_offset(), self.queues.queue_ids(topic));
        let expired = |id: &u32| {
            let log_end = self.queues.with(topic, *id, |queue| queue.log_end());
            log_end.is_some_and(|log_end| log_end > 0 && log_end <= min)
        };
        !ids.is_empty() && ids.iter().all(expired)
    }

    /// In the next 20 rounds of cleaning, files that are old enough are deleted at any hour.
    /// Java 4.7.0 `DefaultMessageStore.executeDeleteFilesManually`.
    pub fn delete_expired_files(&self) {
        self.cleaner.ask();
    }

    /// Queues of a topic that have had messages, in order.
    pub fn queue_ids(&self, topic: &str) -> Vec<u32> {
        self.queues.queue_ids(topic)
    }
}

/// Makes the folders of the log, the queues and the index; returns that of the queues.
fn make_folders(config: &StoreConfig) -> Result<PathBuf, StoreError> {
    let queue_dir = paths::consume_queue_dir(&config.root_dir);
    let index_dir = paths::index_dir(&config.root_dir);
    for dir in [&config.commit_log_dir, &queue_dir, &index_dir] {
        durable::make_dir(dir).map_err(StoreError::io("make", dir))?;
    }
    Ok(queue_dir)
}

/// A log without files: nothing was ever deleted of it, and its first file is made now, or the store
/// does not start.
fn begin_if_new(
    log: &mut CommitLog,
    checkpoint: &Checkpoint,
    config: &StoreConfig,
) -> Result<(), StoreError> {
    if log.is_empty() {
        let forgotten = checkpoint.write_deleted_upto(0);
        forgotten.map_err(StoreError::io("write", paths::checkpoint(&config.root_dir)))?;
    }
    log.make_first_file()
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        // A service thread that panics ends the process, so there is no error to be had here.
        let _ = thread.join();
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop(false);
    }
}
