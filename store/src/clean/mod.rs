//! Old files go: log files by age and by what the disk has left, then what pointed into them.
//!
//! ```text
//!   every cleanResourceInterval, first after a minute:
//!   disk ─► full? appends are refused, or taken again
//!     └─► an hour of deleteWhen, a scarce disk, an administrator's wish ─► old log files, oldest first
//!         a nearly full disk ─► the oldest log files, however young
//!   the log begins later ─► first entries of the queues ─► queue files ─► index files
//! ```
//!
//! A file's age counts from its modification time, as in Java, so that a store changes hands without
//! growing young or old. The last file always stays. Who reads a file that goes reads on: the name goes
//! at once, the room on the disk with the last reader. The rule that is easy to break: a log file goes
//! only when the checkpoint says that no start builds from it any more; or after a crash queues would
//! have gaps. Java 4.7.0 `store/DefaultMessageStore.java`: `CleanCommitLogService`,
//! `CleanConsumeQueueService`; `MappedFileQueue.deleteExpiredFileByTime`.

mod disk;
mod hours;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use chrono::{Local, Timelike};
use parking_lot::Mutex;

use self::disk::{Thresholds, Verdict};
use self::hours::Hours;
use crate::commit_log::CommitLog;
use crate::config::{ExpiryConfig, StoreConfig};
use crate::consume_queue::table::QueueTable;
use crate::error::Unavailable;
use crate::flush::queues::QueueFlush;
use crate::index::IndexService;
use crate::mapped::disk::used_ratio;
use crate::mapped::file::{MappedFile, Users};
use crate::paths;
use crate::service::Bell;

/// The first round comes so long after the start. Java 4.7.0 `DefaultMessageStore.addScheduleTask`.
const FIRST: Duration = Duration::from_secs(60);
/// A shorter pause between rounds than this is taken as this.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);
/// Most log files of one round. Java 4.7.0 `MappedFileQueue.DELETE_FILES_BATCH_MAX`.
const MOST_FILES: usize = 10;
/// For so many rounds an administrator's wish holds. Java 4.7.0 `MAX_MANUAL_DELETE_FILE_TIMES`.
const ASKED_ROUNDS: u32 = 20;

/// The used part of the disk that a folder is on, 0 to 1; `None` when it cannot be told.
type Used<'a> = &'a dyn Fn(&Path) -> Option<f64>;

/// The time of a round.
#[derive(Clone, Copy)]
struct Moment {
    now: SystemTime,
    /// Of the day, local time.
    hour: u32,
}

/// The body of the thread "clean", and what others ask of it.
pub(crate) struct Cleaner {
    log: Arc<CommitLog>,
    queues: Arc<QueueTable>,
    index: Option<Arc<IndexService>>,
    queue_flush: Arc<QueueFlush>,
    log_dir: PathBuf,
    queue_dir: PathBuf,
    config: ExpiryConfig,
    hours: Hours,
    thresholds: Thresholds,
    /// Rounds for which files go at any hour, because an administrator wishes it.
    asked: AtomicU32,
    state: Mutex<State>,
    pub(crate) bell: Bell,
}

/// What a round leaves for the next.
#[derive(Default)]
struct State {
    disk: Verdict,
    /// The disk is scarce and no file may go: said once.
    helpless: bool,
    /// The queues and the index know that the log begins there.
    cleaned_upto: u64,
    /// The file deleted last, and when.
    last: Option<(Users, Instant)>,
}

impl Cleaner {
    pub(crate) fn new(
        config: &StoreConfig,
        log: &Arc<CommitLog>,
        queues: &Arc<QueueTable>,
        index: Option<&Arc<IndexService>>,
        queue_flush: &Arc<QueueFlush>,
    ) -> Cleaner {
        let (hours, others) = Hours::parse(&config.expiry.delete_when);
        if !others.is_empty() {
            let (delete_when, hours) = (&config.expiry.delete_when, &hours);
            tracing::warn!(deleteWhen = %delete_when, ?others, ?hours, "not every part of it is an hour from 0 to 23, separated by ;");
        }
        Cleaner {
            log: Arc::clone(log),
            queues: Arc::clone(queues),
            index: index.cloned(),
            queue_flush: Arc::clone(queue_flush),
            log_dir: config.commit_log_dir.clone(),
            queue_dir: paths::consume_queue_dir(&config.root_dir),
            hours,
            thresholds: Thresholds::of(&config.expiry),
            config: config.expiry.clone(),
            asked: AtomicU32::new(0),
            state: Mutex::default(),
            bell: Bell::default(),
        }
    }

    /// The body of the thread "clean".
    pub(crate) fn run(&self) {
        let mut pause = FIRST;
        while self.paused(pause) {
            let moment = Moment {
                now: SystemTime::now(),
                hour: Local::now().hour(),
            };
            self.round(moment, &used_ratio);
            pause = self.config.clean_interval.max(LEAST_INTERVAL);
        }
    }

    /// Lets files that are old enough go in the next rounds, at any hour.
    pub(crate) fn ask(&self) {
        self.asked.store(ASKED_ROUNDS, Ordering::Relaxed);
    }

    /// False when the store is closing.
    fn paused(&self, pause: Duration) -> bool {
        if !pause.is_zero() {
            self.bell.wait(Some(pause), || false);
        }
        !self.bell.is_stopped()
    }

    fn round(&self, moment: Moment, used: Used<'_>) {
        let mut state = self.state.lock();
        self.look(&mut state, used);
        let time_up = self.hours.contain(moment.hour);
        let less_one = |rounds: u32| rounds.checked_sub(1);
        let asked = (self.asked)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less_one)
            .is_ok();
        if time_up || state.disk.scarce || asked {
            let deleted = self.clean_log(&mut state, moment.now, used);
            let helpless = deleted == 0 && state.disk.scarce;
            if helpless && !state.helpless {
                tracing::warn!(dir = %self.log_dir.display(), "the disk will be full soon, and no log file may be deleted");
            }
            state.helpless = helpless;
            if deleted > 0 {
                self.look(&mut state, used);
            }
        }
        self.clean_behind(&mut state);
    }

    /// Looks at the disk; appends are refused while it is full.
    fn look(&self, state: &mut State, used: Used<'_>) {
        let log_used = used(&self.log_dir);
        let disk = self.thresholds.judge(log_used, || used(&self.queue_dir));
        let was_full = std::mem::replace(&mut state.disk, disk).full;
        if disk.full {
            self.log.refuse(Unavailable::DiskFull);
        } else {
            self.log.resume(Unavailable::DiskFull);
        }
        if disk.full != was_full {
            let (log, queues) = (
                log_used.unwrap_or(-1.0),
                used(&self.queue_dir).unwrap_or(-1.0),
            );
            if disk.full {
                tracing::error!(
                    log,
                    queues,
                    "too much of the disk is in use, no messages are taken until there is room"
                );
            } else {
                tracing::info!(log, queues, "the disk has room again, messages are taken");
            }
        }
    }

    /// Deletes log files, oldest first, and returns how many.
    fn clean_log(&self, state: &mut State, now: SystemTime, used: Used<'_>) -> usize {
        let mut deleted = 0;
        while deleted < MOST_FILES
            && let Some(oldest) = self.log.oldest_of_several()
        {
            if deleted > 0 {
                if !self.paused(self.config.log_file_pause) {
                    break;
                }
                self.look(state, used); // no more for want of room than need be
            }
            let old = self.is_old(&oldest, now);
            let forced = self.config.clean_forcibly && state.disk.nearly_full;
            let goes = old || forced && !self.last_is_read(state);
            if !goes || !self.is_settled(&oldest) {
                break;
            }
            let (path, users) = (oldest.path().to_owned(), oldest.users());
            match self.log.remove_oldest(&oldest) {
                Ok(true) => tracing::info!(path = %path.display(), old, "deleted a log file"),
                Ok(false) => break,
                Err(error) => {
                    tracing::error!(%error, path = %path.display(), "delete a log file");
                    break;
                }
            }
            state.last = Some((users, Instant::now()));
            deleted += 1;
        }
        deleted
    }

    fn is_old(&self, file: &MappedFile, now: SystemTime) -> bool {
        let modified = file.modified().ok();
        // A time in the future: the clock was set back.
        let age = modified.and_then(|modified| now.duration_since(modified).ok());
        age.is_some_and(|age| age >= self.config.file_reserved_time)
    }

    /// Whether the file deleted last still takes its room because somebody reads it.
    fn last_is_read(&self, state: &State) -> bool {
        let patience = self.config.held_file_patience;
        let is_read =
            |(users, since): &(Users, Instant)| users.are_there() && since.elapsed() < patience;
        state.last.as_ref().is_some_and(is_read)
    }

    /// Whether everything of a file is on disk in queues and index too, by the checkpoint's word.
    fn is_settled(&self, file: &MappedFile) -> bool {
        let settled = || self.queue_flush.settled() >= file.end();
        settled() || self.queue_flush.flush_all() && settled()
    }

    /// Puts the queues and the index right if the log begins later than they know.
    fn clean_behind(&self, state: &mut State) {
        let min = self.log.min_offset();
        if min <= state.cleaned_upto {
            return;
        }
        let queues = self.queues.all();
        queues.iter().for_each(|queue| queue.correct_min(min));
        for queue in queues {
            match self.queues.remove_expired(&queue) {
                Ok(0) => {}
                Ok(files) => {
                    tracing::info!(queue = %queue.path().display(), files, "deleted queue files");
                    if !self.paused(self.config.queue_file_pause) {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, queue = %queue.path().display(), "delete queue files; tried again");
                    return;
                }
            }
        }
        match self
            .index
            .as_ref()
            .map_or(Ok(0), |index| index.remove_expired(min))
        {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "deleted index files"),
            Err(error) => tracing::warn!(%error, "delete index files"),
        }
        state.cleaned_upto = min;
    }
}
