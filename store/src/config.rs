//! What a store can be told: Java's `MessageStoreConfig` keys that have an effect here.
//!
//! Plain data; names, units and defaults are those of Java 4.7.0 `store/config/MessageStoreConfig.java`.
//! The file sizes are a property of the directory on disk: a store made with other sizes is refused
//! at open, never cut to fit.

use std::path::PathBuf;
use std::time::Duration;

use crate::consume_queue::unit::ENTRY_BYTES;
use crate::delay_levels::DelayLevels;
use crate::error::StoreError;
use crate::record::layout::BLANK_BYTES;

/// A smaller log file would hold next to nothing.
const LEAST_LOG_FILE_BYTES: u32 = 4096;
/// The same for a file of a queue's extension.
const LEAST_EXT_FILE_BYTES: u32 = 4096;
/// What a record has besides body and properties, and a bit.
const LEAST_MESSAGE_BYTES: u32 = 256;

/// When an append counts as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlushDiskType {
    /// `ASYNC_FLUSH`: once it is in the page cache; a thread writes it to disk within half a second.
    #[default]
    Async,
    /// `SYNC_FLUSH`: once it is on disk. Consumers see nothing that is not.
    Sync,
}

/// Which part this broker has in its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BrokerRole {
    /// `ASYNC_MASTER`
    #[default]
    AsyncMaster,
    /// `SYNC_MASTER`
    SyncMaster,
    /// `SLAVE`: takes no appends of its own.
    Slave,
}

/// When old files are deleted, and when the disk counts as full.
#[derive(Clone, Debug)]
pub struct ExpiryConfig {
    /// `deleteWhen`: hours of the day, local time, at which files older than `fileReservedTime` are
    /// deleted, separated by `;`. Java default `04`.
    pub delete_when: String,
    /// `fileReservedTime`: so long a file is kept after its last message. Hours; Java default 72.
    pub file_reserved_time: Duration,
    /// `diskMaxUsedSpaceRatio`: percent of the disk in use above which such files are deleted at any
    /// hour; taken as within 10 to 95. Java default 75.
    pub disk_max_used_percent: u32,
    /// `rocketmq.broker.diskSpaceCleanForciblyRatio`, a system property of Java's: part of the disk in
    /// use above which the oldest files go, however young. Default 0.85.
    pub clean_forcibly_ratio: f64,
    /// `rocketmq.broker.diskSpaceWarningLevelRatio`, likewise: part of the disk in use above which no
    /// more messages are taken. Default 0.90.
    pub warning_level_ratio: f64,
    /// `cleanFileForciblyEnable`: whether files that are not old enough may be deleted when the disk
    /// is nearly full. Java default true.
    pub clean_forcibly: bool,
    /// `cleanResourceInterval`: pause between looks at the disk and the files; the first comes a minute
    /// after the start. Milliseconds; Java default 10,000.
    pub clean_interval: Duration,
    /// `deleteCommitLogFilesInterval`: pause between two log files. Milliseconds; Java default 100.
    pub log_file_pause: Duration,
    /// `deleteConsumeQueueFilesInterval`: pause between two queues whose files are deleted.
    /// Milliseconds; Java default 100.
    pub queue_file_pause: Duration,
    /// `destroyMapedFileIntervalForcibly`: so long the next file is spared for want of room while the
    /// one deleted before it is still read, and so takes room still. Milliseconds; Java default 120,000.
    pub held_file_patience: Duration,
}

impl Default for ExpiryConfig {
    fn default() -> ExpiryConfig {
        ExpiryConfig {
            delete_when: "04".to_owned(),
            file_reserved_time: Duration::from_secs(72 * 3600),
            disk_max_used_percent: 75,
            clean_forcibly_ratio: 0.85,
            warning_level_ratio: 0.90,
            clean_forcibly: true,
            clean_interval: Duration::from_secs(10),
            log_file_pause: Duration::from_millis(100),
            queue_file_pause: Duration::from_millis(100),
            held_file_patience: Duration::from_secs(120),
        }
    }
}

/// Everything a [`Store`](crate::Store) is opened with.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// `storePathRootDir`: queues, index, checkpoint and lock lie below it. Java default `$HOME/store`.
    pub root_dir: PathBuf,
    /// `storePathCommitLog`: in 4.7.0 not derived from the root. Java default `$HOME/store/commitlog`.
    pub commit_log_dir: PathBuf,
    /// `mappedFileSizeCommitLog`: bytes of one log file. Java default 1 GiB.
    pub commit_log_file_bytes: u32,
    /// `mappedFileSizeConsumeQueue`: bytes of one queue file, rounded up to whole entries of 20.
    /// Java default 6,000,000.
    pub consume_queue_file_bytes: u32,
    /// `enableConsumeQueueExt`: whether queues have an extension. Java default false.
    pub consume_queue_ext_enable: bool,
    /// `mappedFileSizeConsumeQueueExt`: bytes of one file of it. Java default 48 MiB.
    pub consume_queue_ext_file_bytes: u32,
    /// `flushDiskType`. Java default `ASYNC_FLUSH`.
    pub flush_disk_type: FlushDiskType,
    /// `brokerRole`. Java default `ASYNC_MASTER`.
    pub broker_role: BrokerRole,
    /// `flushIntervalCommitLog`: pause between background flushes of the log. Milliseconds; Java default 500.
    pub flush_interval: Duration,
    /// `flushCommitLogLeastPages`: 4 KiB pages that make a background flush worth while. Java default 4.
    pub flush_least_pages: u32,
    /// `flushCommitLogThoroughInterval`: after this long fewer pages are flushed too. Milliseconds; Java default 10,000.
    pub flush_thorough_interval: Duration,
    /// `flushIntervalConsumeQueue`: pause between flushes of the queues. Milliseconds; Java default 1,000.
    pub queue_flush_interval: Duration,
    /// `flushConsumeQueueLeastPages`: 4 KiB pages that make flushing one queue worth while. Java default 2.
    pub queue_flush_least_pages: u32,
    /// `flushConsumeQueueThoroughInterval`: how often every queue is flushed and the checkpoint
    /// written. Milliseconds; Java default 60,000.
    pub queue_flush_thorough_interval: Duration,
    /// `maxMessageSize`: bytes of a whole encoded record, and of a batch. Java default 4 MiB.
    pub max_message_bytes: u32,
    /// `osPageCacheBusyTimeOutMills`: an append that waits longer than this for the log is refused.
    /// Milliseconds; Java default 1,000.
    pub page_cache_busy_timeout: Duration,
    /// `checkCRCOnRecover`: whether recovery checks every body. Java default true.
    pub check_crc_on_recover: bool,
    /// `maxTransferBytesOnMessageInMemory`: most bytes of one read of recent messages. Java default 256 KiB.
    pub max_transfer_bytes_in_memory: u32,
    /// `maxTransferCountOnMessageInMemory`: most messages of one read of recent messages. Java default 32.
    pub max_transfer_count_in_memory: u32,
    /// `maxTransferBytesOnMessageInDisk`: most bytes of one read of old messages. Java default 64 KiB.
    pub max_transfer_bytes_in_disk: u32,
    /// `maxTransferCountOnMessageInDisk`: most messages of one read of old messages. Java default 8.
    pub max_transfer_count_in_disk: u32,
    /// `accessMessageInMemoryMaxRatio`: percent of the machine's memory; what lies further behind the
    /// end of the log counts as old. Java default 40.
    pub access_in_memory_max_ratio: u32,
    /// `messageIndexEnable`: whether messages can be found by key. Java default true.
    pub message_index_enable: bool,
    /// `messageIndexSafe`: whether recovery goes back to what the index had on disk. Java default false.
    pub message_index_safe: bool,
    /// `maxHashSlotNum`: slots of one index file. Java default 5,000,000.
    pub index_slots: u32,
    /// `maxIndexNum`: entries of one index file, the unused entry 0 counted in. Java default 20,000,000.
    pub index_entries: u32,
    /// `maxMsgsNumBatch`: most hits of one query by key. Java default 64.
    pub query_max_hits: u32,
    /// When and how old files are deleted.
    pub expiry: ExpiryConfig,
    /// `offsetCheckInSlave`: whether a slave corrects offsets of clients. Java default false.
    pub offset_check_in_slave: bool,
    /// `messageDelayLevel`: how long messages of level 1, 2, … wait, see [`DelayLevels`]. Java default 18 levels, 1 s to 2 h.
    pub message_delay_level: String,
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
        StoreConfig {
            root_dir: home.join("store"),
            commit_log_dir: home.join("store").join("commitlog"),
            commit_log_file_bytes: 1024 * 1024 * 1024,
            consume_queue_file_bytes: 300_000 * 20,
            consume_queue_ext_enable: false,
            consume_queue_ext_file_bytes: 48 * 1024 * 1024,
            flush_disk_type: FlushDiskType::Async,
            broker_role: BrokerRole::AsyncMaster,
            flush_interval: Duration::from_millis(500),
            flush_least_pages: 4,
            flush_thorough_interval: Duration::from_secs(10),
            queue_flush_interval: Duration::from_secs(1),
            queue_flush_least_pages: 2,
            queue_flush_thorough_interval: Duration::from_secs(60),
            max_message_bytes: 4 * 1024 * 1024,
            page_cache_busy_timeout: Duration::from_secs(1),
            check_crc_on_recover: true,
            max_transfer_bytes_in_memory: 256 * 1024,
            max_transfer_count_in_memory: 32,
            max_transfer_bytes_in_disk: 64 * 1024,
            max_transfer_count_in_disk: 8,
            access_in_memory_max_ratio: 40,
            message_index_enable: true,
            message_index_safe: false,
            index_slots: 5_000_000,
            index_entries: 20_000_000,
            query_max_hits: 64,
            expiry: ExpiryConfig::default(),
            offset_check_in_slave: false,
            message_delay_level: DelayLevels::DEFAULT.to_owned(),
        }
    }
}

impl StoreConfig {
    /// The defaults, with everything below `root_dir`.
    #[must_use]
    pub fn at(root_dir: impl Into<PathBuf>) -> StoreConfig {
        let root_dir = root_dir.into();
        StoreConfig {
            commit_log_dir: root_dir.join("commitlog"),
            root_dir,
            ..StoreConfig::default()
        }
    }

    /// Looks at what can never work, and says what hardly can.
    ///
    /// # Errors
    /// `Config`, naming the key.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let refuse = |key, reason| Err(StoreError::Config { key, reason });
        if self.root_dir.as_os_str().is_empty() {
            return refuse("storePathRootDir", "is empty");
        }
        if self.commit_log_dir.as_os_str().is_empty() {
            return refuse("storePathCommitLog", "is empty");
        }
        if self.commit_log_file_bytes < LEAST_LOG_FILE_BYTES {
            return refuse("mappedFileSizeCommitLog", "must be 4096 bytes or more");
        }
        let ext = self.consume_queue_ext_file_bytes;
        if self.consume_queue_ext_enable && ext < LEAST_EXT_FILE_BYTES {
            return refuse(
                "mappedFileSizeConsumeQueueExt",
                "must be 4096 bytes or more",
            );
        }
        let most = u64::from(self.commit_log_file_bytes) - BLANK_BYTES;
        let (log_file, limit) = (self.commit_log_file_bytes, self.max_message_bytes);
        if u64::from(limit) > most {
            tracing::warn!(
                mappedFileSizeCommitLog = log_file,
                maxMessageSize = limit,
                "messages that do not fit into a log file are refused, whatever maxMessageSize says"
            );
        }
        if limit < LEAST_MESSAGE_BYTES {
            tracing::warn!(
                maxMessageSize = limit,
                "hardly any message is that small: the others are refused"
            );
        }
        if self.message_index_enable && (self.index_slots < 1 || self.index_entries < 2) {
            tracing::warn!(
                maxHashSlotNum = self.index_slots,
                maxIndexNum = self.index_entries,
                "an index file has room for one slot and one entry at least"
            );
        }
        if self.delays_outlast_files() {
            tracing::warn!(
                messageDelayLevel = self.message_delay_level,
                fileReservedTime = ?self.expiry.file_reserved_time,
                "delayed messages of the longest levels can expire before they are due, and are lost then"
            );
        }
        Ok(())
    }

    /// Whether a message may wait longer than its file is kept.
    fn delays_outlast_files(&self) -> bool {
        let levels = DelayLevels::parse(&self.message_delay_level);
        let longest_ms = levels.map_or(0, |levels| levels.longest_ms());
        u128::from(longest_ms) >= self.expiry.file_reserved_time.as_millis()
    }

    /// Bytes of one queue file: whole entries, rounded up as Java does.
    #[must_use]
    pub fn queue_file_bytes(&self) -> u64 {
        u64::from(self.consume_queue_file_bytes)
            .div_ceil(ENTRY_BYTES)
            .max(1)
            * ENTRY_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_work_is_refused_by_name() {
        let good = StoreConfig::at("x");
        assert!(good.check().is_ok());
        let refusal = |config: StoreConfig| config.check().expect_err("refused").to_string();
        let small = StoreConfig {
            commit_log_file_bytes: 100,
            ..good.clone()
        };
        assert!(refusal(small).starts_with("mappedFileSizeCommitLog "));
        let nowhere = StoreConfig {
            root_dir: PathBuf::new(),
            ..good.clone()
        };
        assert!(refusal(nowhere).starts_with("storePathRootDir "));
        let nowhere = StoreConfig {
            commit_log_dir: PathBuf::new(),
            ..good
        };
        assert!(refusal(nowhere).starts_with("storePathCommitLog "));
    }

    #[test]
    fn a_delay_longer_than_files_are_kept_is_noticed() {
        let outlasts = |levels: &str| {
            let message_delay_level = levels.to_owned();
            let config = StoreConfig {
                message_delay_level,
                ..StoreConfig::at("x")
            };
            config.delays_outlast_files()
        };
        assert!(!outlasts(DelayLevels::DEFAULT) && !outlasts("71h 1s"));
        assert!(outlasts("1s 3d 5s"));
    }

    #[test]
    fn queue_files_hold_whole_entries() {
        let mut config = StoreConfig::at("x");
        assert_eq!(config.queue_file_bytes(), 6_000_000);
        config.consume_queue_file_bytes = 6_000_001;
        assert_eq!(config.queue_file_bytes(), 6_000_020);
        config.consume_queue_file_bytes = 0;
        assert_eq!(config.queue_file_bytes(), 20);
    }
}
