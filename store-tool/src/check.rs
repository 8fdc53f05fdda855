//! Checks a store: the log from its first byte to its last, and beside it queues and index.
//!
//! ```text
//!   sizes and names of files ─► the log, record by record ─┬─► its queue's entry     ─► entries nobody claimed
//!                                                          └─► its index entries     ─► chains and slots
//!   checkpoint, config/*.json ─► beside what the log turned out to be
//! ```
//!
//! What a killed broker leaves (`abort` is there) is told apart from damage by the rule that recovery goes by: behind
//! the place that the checkpoint vouches for, queues and index are made again from the log. The rule that is easy to
//! break: nothing is written, not even a lock file; memory does not grow with the log.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use store::inspect::{ReadLock, Settled};
use store::{LogOffset, Record, StoreError};

use crate::files;
use crate::log::{Bad, Visitor, walk};
use crate::match_index::IndexCheck;
use crate::match_queues::QueueCheck;
use crate::report::{Report, Weight};
use crate::run::Run;

/// More bad places than this are taken together with the last one.
const BAD_KEPT: usize = 100_000;

/// What to check, and what is known about it.
#[derive(Clone, Debug)]
pub struct Options {
    /// `storePathRootDir`.
    pub root: PathBuf,
    /// `storePathCommitLog`.
    pub commit_log: PathBuf,
    /// `mappedFileSizeCommitLog`, if it is not to be taken from the files.
    pub log_file_bytes: Option<u64>,
    /// `mappedFileSizeConsumeQueue`, if it is not to be taken from the files.
    pub queue_file_bytes: Option<u64>,
    /// `maxHashSlotNum`, if it is not to be taken from the files.
    pub index_slots: Option<u32>,
}

impl Options {
    /// A store with its log below it.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Options {
        let root = root.into();
        Options {
            commit_log: root.join("commitlog"),
            root,
            log_file_bytes: None,
            queue_file_bytes: None,
            index_slots: None,
        }
    }
}

/// Why a store was not checked.
#[derive(Debug)]
pub enum CheckError {
    /// There is none.
    NoStore(PathBuf),
    /// There is one, but its log is not where it was looked for.
    NoLog(PathBuf),
    /// A broker has it open.
    InUse(StoreError),
    /// A folder of it cannot be listed, or a file not be opened by this user.
    Io(PathBuf, io::Error),
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckError::NoStore(root) => write!(
                f,
                "{} is no store: it has no commitlog, consumequeue or checkpoint (if the log lies elsewhere, say --commit-log)",
                root.display()
            ),
            CheckError::NoLog(dir) => write!(
                f,
                "the log is not in {}, no such folder: say where it is with --commit-log (`storePathCommitLog`)",
                dir.display()
            ),
            CheckError::InUse(StoreError::AlreadyStarted { lock }) => write!(
                f,
                "a broker has this store open ({}): stop it first",
                lock.display()
            ),
            CheckError::InUse(error) => error.fmt(f),
            CheckError::Io(path, error) => write!(f, "read {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for CheckError {}

/// Keeps brokers away, and makes sure that there is a store.
///
/// # Errors
/// As [`CheckError`] tells.
pub fn hold(options: &Options) -> Result<ReadLock, CheckError> {
    let parts = ["consumequeue", "checkpoint", "index"].map(|part| options.root.join(part));
    let mut is_store = false;
    for part in &parts {
        is_store |= match part.try_exists() {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => false,
            there => there.map_err(|error| CheckError::Io(part.clone(), error))?,
        };
    }
    if !options.commit_log.is_dir() {
        return Err(if is_store {
            CheckError::NoLog(options.commit_log.clone())
        } else {
            CheckError::NoStore(options.root.clone())
        });
    }
    for part in parts.iter().chain([&options.commit_log]) {
        may_be_read(part)?;
    }
    ReadLock::take(&options.root, &options.commit_log).map_err(CheckError::InUse)
}

/// Refuses what this user may not read: it would be told as damage.
fn may_be_read(path: &Path) -> Result<(), CheckError> {
    let denied = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => Err(CheckError::Io(path.to_owned(), error)),
        _ => Ok(()), // the check finds it again, and says what is wrong
    };
    let Ok(meta) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if meta.is_file() {
        return fs::File::open(path).map_or_else(denied, |_| Ok(()));
    }
    if !meta.is_dir() {
        return Ok(());
    }
    match fs::read_dir(path) {
        Ok(entries) => entries
            .flatten()
            .try_for_each(|entry| may_be_read(&entry.path())),
        Err(error) => denied(error),
    }
}

/// Checks the store, and tells `passed` how many bytes of the log were gone through and how many there are.
/// Blocks for as long as reading the log takes.
///
/// # Errors
/// When it could not be checked; what is wrong with it is in the report.
pub fn check(options: &Options, passed: &mut dyn FnMut(u64, u64)) -> Result<Report, CheckError> {
    let _lock = hold(options)?;
    let mut report = Report::new(&options.root, &options.commit_log);
    report.closed_in_order = !options.root.join("abort").exists();
    let listed = Run::list(&options.commit_log)
        .map_err(|error| CheckError::Io(options.commit_log.clone(), error))?;
    let log_file_bytes = options
        .log_file_bytes
        .or_else(|| crate::run::usual_bytes([&listed].into_iter()));
    let (log, gone) = files::check_log(listed, log_file_bytes.unwrap_or(0), &mut report);
    let settled = files::check_checkpoint(&options.root.join("checkpoint"), &mut report);
    let trusted = if report.closed_in_order {
        u64::MAX
    } else {
        files::vouched_for(&log, &settled)
    };
    let context = Context {
        root: options.root.clone(),
        log,
        gone,
        bad: Vec::new(),
        trusted,
        end: None,
        settled,
        last_store_ms: i64::MIN,
        report,
    };
    let mut checker = Checker {
        queues: QueueCheck::open(&options.root, options.queue_file_bytes)
            .map_err(|(path, error)| CheckError::Io(path, error))?,
        index: IndexCheck::open(&options.root.join("index"), options.index_slots)
            .map_err(|(path, error)| CheckError::Io(path, error))?,
        context,
        passed,
    };
    checker.run(log_file_bytes.unwrap_or(0));
    Ok(checker.context.report)
}

/// What every part of a check goes by, and where it tells what it found.
pub(crate) struct Context {
    pub(crate) root: PathBuf,
    pub(crate) log: Run,
    /// Parts of the log whose files are missing.
    gone: Vec<(u64, u64)>,
    /// Parts of the log that are no records, in order.
    bad: Vec<(u64, u64)>,
    /// Behind this place, recovery makes queues and index again.
    trusted: u64,
    end: Option<u64>,
    pub(crate) settled: Settled,
    pub(crate) last_store_ms: i64,
    pub(crate) report: Report,
}

impl Context {
    /// How bad it is that queues or index do not agree about a message at this place.
    pub(crate) fn weight(&self, log_offset: u64) -> Weight {
        if log_offset >= self.trusted {
            Weight::Recoverable
        } else {
            Weight::Damage
        }
    }

    /// Whether this place of the log is one that is already known to be bad.
    pub(crate) fn is_bad(&self, log_offset: u64) -> bool {
        [&self.bad, &self.gone].into_iter().any(|ranges| {
            let place = ranges.partition_point(|(from, _)| *from <= log_offset);
            place
                .checked_sub(1)
                .and_then(|place| ranges.get(place))
                .is_some_and(|(_, to)| log_offset < *to)
        })
    }

    /// Tells of a place in the log.
    fn add_log(&mut self, weight: Weight, kind: &'static str, at: u64, reason: String) {
        let files = &self.log.files;
        let place = files.partition_point(|file| file.base <= at).checked_sub(1);
        let Some(file) = place.and_then(|place| files.get(place)) else {
            return;
        };
        let (path, at) = (file.path.clone(), at - file.base);
        self.report.add(weight, kind, &path, Some(at), reason);
    }

    /// Behind its last record; behind its last file while that is not known.
    pub(crate) fn log_end(&self) -> u64 {
        let files_end = self
            .log
            .files
            .last()
            .map_or(0, |file| file.base.saturating_add(file.bytes));
        self.end.unwrap_or(files_end)
    }

    /// First byte of the log.
    pub(crate) fn log_begin(&self) -> u64 {
        self.log.first()
    }
}

struct Checker<'a> {
    context: Context,
    queues: QueueCheck,
    index: IndexCheck,
    passed: &'a mut dyn FnMut(u64, u64),
}

impl Checker<'_> {
    fn run(&mut self, log_file_bytes: u64) {
        self.queues.check_files(&mut self.context.report);
        self.index.check_files(&mut self.context.report);
        let log = self.context.log.clone();
        let tail = walk(&log, log_file_bytes, self);
        self.context.end = Some(tail.end);
        let counts = &mut self.context.report.counts;
        (counts.log_files, counts.log_begin, counts.log_end) =
            (log.files.len() as u64, log.first(), tail.end);
        counts.log_bytes = tail.end - log.first();
        if let Some(bad) = &tail.bad {
            let killed = !self.context.report.closed_in_order;
            let (weight, what) = if killed {
                (
                    Weight::Recoverable,
                    "the log ends here in a record that was not written to its end",
                )
            } else {
                (
                    Weight::Note,
                    "bytes behind the end of the log, as a start after a crash leaves them",
                )
            };
            self.context
                .add_log(weight, "log-tail", bad.from, format!("{what}: {}", bad.why));
        }
        self.queues.finish(&mut self.context);
        self.index.finish(&mut self.context);
        files::check_claims(&mut self.context);
        files::check_config(&self.context.root.join("config"), &mut self.context.report);
    }
}

impl Visitor for Checker<'_> {
    fn record(&mut self, at: u64, record: &Record<'_>) {
        let context = &mut self.context;
        context.report.counts.messages += 1;
        context.last_store_ms = context.last_store_ms.max(record.store_timestamp_ms);
        if let Err(error) = record.check_body() {
            context.add_log(Weight::Damage, "body-crc", at, error.to_string());
        }
        if LogOffset::from_i64(record.log_offset) != Some(LogOffset(at)) {
            let reason = format!(
                "the record says that it lies at {}, it lies at {at}",
                record.log_offset
            );
            context.add_log(Weight::Damage, "log-offset", at, reason);
        }
        let handles = record.handles();
        self.queues.record(at, record, &handles, context);
        self.index.record(at, record, &handles, context);
    }

    fn filler(&mut self, at: u64, says_bytes: u64, bytes: u64) {
        self.context.report.counts.fillers += 1;
        if says_bytes != bytes {
            let reason = format!("the filler says {says_bytes} bytes, its file has {bytes} left");
            self.context.add_log(Weight::Damage, "filler", at, reason);
        }
    }

    fn bad(&mut self, bad: &Bad) {
        let bytes = bad.to.saturating_sub(bad.from);
        let reason = format!(
            "{}; {bytes} bytes are no record, and there are records behind them",
            bad.why
        );
        self.context
            .add_log(Weight::Damage, "log-record", bad.from, reason);
        let ranges = &mut self.context.bad;
        let full = ranges.len() >= BAD_KEPT;
        match ranges.last_mut().filter(|_| full) {
            Some(last) => last.1 = bad.to,
            None => ranges.push((bad.from, bad.to)),
        }
    }

    fn passed(&mut self, upto: u64) {
        let log = &self.context.log;
        let files_end = log
            .files
            .last()
            .map_or(0, |file| file.base.saturating_add(file.bytes));
        (self.passed)(upto - log.first(), files_end - log.first());
    }
}

/// Reads a small file whole; `None` if it is not there.
pub(crate) fn read_small(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // To open a pipe would wait for ever.
        Ok(meta) if !meta.is_file() => Err(io::Error::other("it is no regular file")),
        _ => fs::read(path).map(Some),
    }
}
