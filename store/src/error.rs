//! What can go wrong, one small enum per boundary.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a store did not open, or did not close cleanly.
#[derive(Debug)]
pub enum StoreError {
    /// Another process (or this one) has the store open. Java's words, which operators know.
    AlreadyStarted {
        /// The lock file.
        lock: PathBuf,
    },
    /// A file on disk is not as long as the configuration says. Nothing was touched; set `key` to the
    /// size that the store was made with.
    FileSize {
        /// The configuration key that gives the size.
        key: &'static str,
        /// The first file that disagrees.
        file: PathBuf,
        /// Its length.
        found_bytes: u64,
        /// The length configured.
        configured_bytes: u64,
    },
    /// Something that is none lies where a file of the store should. Nothing was touched.
    NotOurs {
        /// What lies there.
        file: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A configured size cannot work.
    Config {
        /// The configuration key.
        key: &'static str,
        /// What it must be.
        reason: &'static str,
    },
    /// The queues have entries and the log has no files: its disk is not there, most likely. Nothing was
    /// touched. Java would remove the queues.
    LogGone {
        /// Where the log should lie.
        log_dir: PathBuf,
        /// What to remove if the messages are really to be given up.
        queue_dir: PathBuf,
    },
    /// The operating system refused.
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        file: PathBuf,
        /// Its answer.
        source: io::Error,
    },
}

impl StoreError {
    /// For `map_err`: the operation and the file, waiting for the system's answer.
    pub(crate) fn io(
        what: &'static str,
        file: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> StoreError {
        let file = file.into();
        move |source| StoreError::Io { what, file, source }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::AlreadyStarted { lock } => {
                write!(f, "Lock failed,MQ already started ({})", lock.display())
            }
            StoreError::FileSize {
                key,
                file,
                found_bytes,
                configured_bytes,
            } => write!(
                f,
                "{} is {found_bytes} bytes long but {key} is {configured_bytes}: set it to what the store was made with, or remove the file if it alone is damaged",
                file.display()
            ),
            StoreError::NotOurs { file, reason } => {
                write!(f, "{} {reason}: move it away", file.display())
            }
            StoreError::Config { key, reason } => write!(f, "{key} {reason}"),
            StoreError::LogGone { log_dir, queue_dir } => write!(
                f,
                "{} has no log files but {} has queues: is the disk there? To begin anew remove {}",
                log_dir.display(),
                queue_dir.display(),
                queue_dir.display()
            ),
            StoreError::Io { what, file, source } => {
                write!(f, "{what} {}: {source}", file.display())
            }
        }
    }
}

impl std::error::Error for StoreError {}

/// Why a message was not stored. The names are those of Java's `PutMessageStatus`; the message can
/// be sent again, except after `MessageIllegal` and `PropertiesSizeExceeded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// `MESSAGE_ILLEGAL`: some part is longer than a record can hold, or cannot be a name.
    MessageIllegal(Illegal),
    /// `PROPERTIES_SIZE_EXCEEDED`: more than 32,767 bytes of properties.
    PropertiesSizeExceeded {
        /// How many there were.
        bytes: usize,
    },
    /// `SERVICE_NOT_AVAILABLE`: the store takes no appends now.
    ServiceNotAvailable(Unavailable),
    /// `OS_PAGECACHE_BUSY`: others held the log longer than `osPageCacheBusyTimeOutMills`, or than the caller
    /// would wait.
    OsPageCacheBusy,
    /// `CREATE_MAPEDFILE_FAILED`: there is no room for the next log file. Tried again by the next append.
    CreateMappedFileFailed,
}

/// What about a message makes it illegal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Illegal {
    /// The topic is empty, longer than 127 bytes, or not a file name.
    Topic,
    /// The encoded record, or the batch, is longer than `maxMessageSize` or than a log file.
    Size {
        /// How long it is.
        bytes: u64,
        /// How long it may be.
        limit_bytes: u64,
    },
    /// The queue id is beyond what Java's signed `int` holds.
    QueueId,
    /// The properties look like those of a record that a crash left a part of.
    Properties,
    /// A batch is empty, of several queues, or has transaction bits.
    Batch,
}

/// Why a store takes no appends. Of several reasons the first in this order is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// A flush failed; what is on disk is no longer known. It must be reopened.
    FlushFailed,
    /// It is a slave's.
    Slave,
    /// It is closed or closing.
    Closed,
    /// Queue entries cannot be written, for want of space most likely. Tried again every second.
    QueuesStuck,
    /// More of the disk is in use than `diskSpaceWarningLevelRatio` allows. Looked at again every
    /// `cleanResourceInterval`.
    DiskFull,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::MessageIllegal(Illegal::Topic) => {
                write!(f, "topic is empty, over 127 bytes, or not a file name")
            }
            AppendError::MessageIllegal(Illegal::Size { bytes, limit_bytes }) => {
                write!(f, "record of {bytes} bytes, {limit_bytes} are allowed")
            }
            AppendError::MessageIllegal(Illegal::QueueId) => write!(f, "queue id over 2147483647"),
            AppendError::MessageIllegal(Illegal::Properties) => {
                write!(
                    f,
                    "64 zeros in a row in the properties, or one at their end"
                )
            }
            AppendError::MessageIllegal(Illegal::Batch) => {
                write!(f, "batch is empty, of several queues, or transactional")
            }
            AppendError::PropertiesSizeExceeded { bytes } => {
                write!(f, "properties of {bytes} bytes, 32767 are allowed")
            }
            AppendError::ServiceNotAvailable(why) => write!(f, "store takes no messages: {why:?}"),
            AppendError::OsPageCacheBusy => write!(f, "log is held by another append"),
            AppendError::CreateMappedFileFailed => write!(f, "next log file cannot be made"),
        }
    }
}

impl std::error::Error for AppendError {}

/// The log could not be written to disk, or the store was closed before it was. What was waited for
/// must not be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushError;

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "log was not written to disk")
    }
}

impl std::error::Error for FlushError {}
