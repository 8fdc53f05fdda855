//! The rows of Java 4.7.0's `MessageStoreConfig`, in its order.

use super::super::accepted::{DLEDGER, POOL, REPLICATION, UNREAD, no, nothing, number, yes};
use super::super::value::{JavaType, Slot};
use super::{Key, accepted, field, hours, long_millis, millis};

const WARM: &str = "new log files are allocated whole and need no warming";

pub(super) static KEYS: &[Key] = &[
    field("storePathRootDir", |c| Slot::Path(&mut c.store.root_dir)).important(),
    field("storePathCommitLog", |c| {
        Slot::Path(&mut c.store.commit_log_dir)
    })
    .important(),
    field("mappedFileSizeCommitLog", |c| {
        Slot::Count32(&mut c.store.commit_log_file_bytes)
    }),
    field("mappedFileSizeConsumeQueue", |c| {
        Slot::Count32(&mut c.store.consume_queue_file_bytes)
    }),
    field("enableConsumeQueueExt", |c| {
        Slot::Bool(&mut c.store.consume_queue_ext_enable)
    }),
    field("mappedFileSizeConsumeQueueExt", |c| {
        Slot::Count32(&mut c.store.consume_queue_ext_file_bytes)
    }),
    accepted(
        "bitMapLengthConsumeQueueExt",
        JavaType::Int,
        number::<64>,
        "expectConsumerNumUseFilter and maxErrorRateOfBloomFilter say how long a bit map is, as in Java",
    ),
    field("flushIntervalCommitLog", |c| {
        millis(&mut c.store.flush_interval)
    })
    .important(),
    accepted(
        "commitIntervalCommitLog",
        JavaType::Int,
        number::<200>,
        POOL,
    )
    .important(),
    accepted(
        "useReentrantLockWhenPutMessage",
        JavaType::Bool,
        no,
        "the kind of lock around an append is not a choice here",
    ),
    accepted(
        "flushCommitLogTimed",
        JavaType::Bool,
        no,
        "the background flush always keeps to its interval",
    )
    .important(),
    field("flushIntervalConsumeQueue", |c| {
        millis(&mut c.store.queue_flush_interval)
    }),
    field("cleanResourceInterval", |c| {
        millis(&mut c.store.expiry.clean_interval)
    }),
    field("deleteCommitLogFilesInterval", |c| {
        millis(&mut c.store.expiry.log_file_pause)
    }),
    field("deleteConsumeQueueFilesInterval", |c| {
        millis(&mut c.store.expiry.queue_file_pause)
    }),
    field("destroyMapedFileIntervalForcibly", |c| {
        millis(&mut c.store.expiry.held_file_patience)
    }),
    accepted(
        "redeleteHangedFileInterval",
        JavaType::Int,
        number::<120_000>,
        "a file that is deleted is gone at once, whoever still reads it",
    ),
    field("deleteWhen", |c| {
        Slot::Text(&mut c.store.expiry.delete_when)
    })
    .important(),
    field("diskMaxUsedSpaceRatio", |c| {
        Slot::Count32(&mut c.store.expiry.disk_max_used_percent)
    }),
    field("fileReservedTime", |c| {
        hours(&mut c.store.expiry.file_reserved_time)
    })
    .important(),
    accepted(
        "putMsgIndexHightWater",
        JavaType::Int,
        number::<600_000>,
        UNREAD,
    ),
    field("maxMessageSize", |c| {
        Slot::Count32(&mut c.store.max_message_bytes)
    }),
    field("checkCRCOnRecover", |c| {
        Slot::Bool(&mut c.store.check_crc_on_recover)
    }),
    field("flushCommitLogLeastPages", |c| {
        Slot::Count32(&mut c.store.flush_least_pages)
    }),
    accepted(
        "commitCommitLogLeastPages",
        JavaType::Int,
        number::<4>,
        POOL,
    ),
    accepted(
        "flushLeastPagesWhenWarmMapedFile",
        JavaType::Int,
        number::<4_096>,
        WARM,
    ),
    field("flushConsumeQueueLeastPages", |c| {
        Slot::Count32(&mut c.store.queue_flush_least_pages)
    }),
    field("flushCommitLogThoroughInterval", |c| {
        millis(&mut c.store.flush_thorough_interval)
    }),
    accepted(
        "commitCommitLogThoroughInterval",
        JavaType::Int,
        number::<200>,
        POOL,
    ),
    field("flushConsumeQueueThoroughInterval", |c| {
        millis(&mut c.store.queue_flush_thorough_interval)
    }),
    field("maxTransferBytesOnMessageInMemory", |c| {
        Slot::Count32(&mut c.store.max_transfer_bytes_in_memory)
    })
    .important(),
    field("maxTransferCountOnMessageInMemory", |c| {
        Slot::Count32(&mut c.store.max_transfer_count_in_memory)
    })
    .important(),
    field("maxTransferBytesOnMessageInDisk", |c| {
        Slot::Count32(&mut c.store.max_transfer_bytes_in_disk)
    })
    .important(),
    field("maxTransferCountOnMessageInDisk", |c| {
        Slot::Count32(&mut c.store.max_transfer_count_in_disk)
    })
    .important(),
    field("accessMessageInMemoryMaxRatio", |c| {
        Slot::Count32(&mut c.store.access_in_memory_max_ratio)
    })
    .important(),
    field("messageIndexEnable", |c| {
        Slot::Bool(&mut c.store.message_index_enable)
    })
    .important(),
    field("maxHashSlotNum", |c| {
        Slot::Count32(&mut c.store.index_slots)
    }),
    field("maxIndexNum", |c| Slot::Count32(&mut c.store.index_entries)),
    field("maxMsgsNumBatch", |c| {
        Slot::Count32(&mut c.store.query_max_hits)
    }),
    field("messageIndexSafe", |c| {
        Slot::Bool(&mut c.store.message_index_safe)
    })
    .important(),
    accepted(
        "haListenPort",
        JavaType::Int,
        number::<10_912>,
        "the port is always listenPort + 1, as in Java",
    ),
    accepted(
        "haSendHeartbeatInterval",
        JavaType::Int,
        number::<5_000>,
        REPLICATION,
    ),
    accepted(
        "haHousekeepingInterval",
        JavaType::Int,
        number::<20_000>,
        REPLICATION,
    ),
    accepted(
        "haTransferBatchSize",
        JavaType::Int,
        number::<32_768>,
        REPLICATION,
    ),
    accepted("haMasterAddress", JavaType::Nullable, nothing, REPLICATION).important(),
    accepted(
        "haSlaveFallbehindMax",
        JavaType::Int,
        number::<268_435_456>,
        REPLICATION,
    ),
    field("brokerRole", |c| Slot::Role(&mut c.store.broker_role)).important(),
    field("flushDiskType", |c| {
        Slot::Flush(&mut c.store.flush_disk_type)
    })
    .important(),
    field("syncFlushTimeout", |c| millis(&mut c.sync_flush_timeout)),
    field("messageDelayLevel", |c| {
        Slot::Text(&mut c.store.message_delay_level)
    }),
    field("flushDelayOffsetInterval", |c| {
        long_millis(&mut c.flush_delay_offset_interval)
    }),
    field("cleanFileForciblyEnable", |c| {
        Slot::Bool(&mut c.store.expiry.clean_forcibly)
    })
    .important(),
    accepted("warmMapedFileEnable", JavaType::Bool, no, WARM),
    field("offsetCheckInSlave", |c| {
        Slot::Bool(&mut c.store.offset_check_in_slave)
    }),
    accepted(
        "debugLockEnable",
        JavaType::Bool,
        no,
        "there is no Java stack to print",
    ),
    accepted(
        "duplicationEnable",
        JavaType::Bool,
        no,
        "it is a test feature of Java's store",
    ),
    accepted(
        "diskFallRecorded",
        JavaType::Bool,
        yes,
        "there is no such statistic here",
    ),
    field("osPageCacheBusyTimeOutMills", |c| {
        long_millis(&mut c.store.page_cache_busy_timeout)
    }),
    field("defaultQueryMaxNum", |c| {
        Slot::Count32(&mut c.query_unique_max_hits)
    }),
    accepted("transientStorePoolEnable", JavaType::Bool, no, POOL).important(),
    accepted("transientStorePoolSize", JavaType::Int, number::<5>, POOL),
    accepted("fastFailIfNoBufferInStorePool", JavaType::Bool, no, POOL),
    field("enableDLegerCommitLog", |c| {
        Slot::Bool(&mut c.dledger_enable)
    }),
    accepted("dLegerGroup", JavaType::Nullable, nothing, DLEDGER),
    accepted("dLegerPeers", JavaType::Nullable, nothing, DLEDGER),
    accepted("dLegerSelfId", JavaType::Nullable, nothing, DLEDGER),
];
