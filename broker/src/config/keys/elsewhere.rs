//! Names found in people's files that 4.7.0 has no setter for, and what to tell them.
//!
//! None of them is honoured, as in Java 4.7.0: a store that Java made beside a file with `mapedFileSizeCommitLog` has
//! files of the default size, and honouring the old name would refuse to open it.
//! Java 4.5.1 and 4.9.8 `MessageStoreConfig.java`, `BrokerConfig.java` and the two Netty classes, against 4.7.0's.

use super::super::value::Slot;
use super::{Key, field};

/// Two keys that `BrokerStartup` takes out of the file itself, for the address server. `-p` does not print them.
pub(crate) static ADDRESS_SERVER: &[Key] = &[
    field("rmqAddressServerDomain", |c| {
        Slot::Text(&mut c.address_server_domain)
    }),
    field("rmqAddressServerSubGroup", |c| {
        Slot::Text(&mut c.address_server_sub_group)
    }),
];

/// System properties of Java's store, `-D` in `JAVA_OPT`: there is no JVM here, so they are keys of the file. `-p` does
/// not print them, as Java's does not. Java 4.7.0 `DefaultMessageStore.java`, `CleanCommitLogService`.
pub(crate) static SYSTEM_PROPERTIES: &[Key] = &[
    field("rocketmq.broker.diskSpaceWarningLevelRatio", |c| {
        Slot::Ratio(&mut c.store.expiry.warning_level_ratio)
    }),
    field("rocketmq.broker.diskSpaceCleanForciblyRatio", |c| {
        Slot::Ratio(&mut c.store.expiry.clean_forcibly_ratio)
    }),
];

/// Names with what took their place, as the end of a sentence that begins "the key has no effect: ".
static GONE: &[(&str, &str)] = &[
    (
        "mapedFileSizeCommitLog",
        "since 4.5.2 it is spelled mappedFileSizeCommitLog",
    ),
    (
        "mapedFileSizeConsumeQueue",
        "since 4.5.2 it is spelled mappedFileSizeConsumeQueue",
    ),
    (
        "stroeCheckpoint",
        "the checkpoint is always the file checkpoint below storePathRootDir",
    ),
    (
        "storeCheckpoint",
        "the checkpoint is always the file checkpoint below storePathRootDir",
    ),
    (
        "abortFile",
        "the abort marker is always the file abort below storePathRootDir",
    ),
    (
        "lockFile",
        "the lock is always the file lock below storePathRootDir",
    ),
    (
        "storePathConsumeQueue",
        "consume queues are always in the folder consumequeue below storePathRootDir",
    ),
    (
        "storePathIndex",
        "index files are always in the folder index below storePathRootDir",
    ),
    (
        "storePathCheckpoint",
        "the checkpoint is always the file checkpoint below storePathRootDir",
    ),
    (
        "storePathAbortFile",
        "the abort marker is always the file abort below storePathRootDir",
    ),
    (
        "storePath",
        "set storePathRootDir and storePathCommitLog instead",
    ),
    (
        "storePathDir",
        "set storePathRootDir and storePathCommitLog instead",
    ),
    (
        "brokerIP",
        "set brokerIP1 instead, and brokerIP2 for replication",
    ),
    (
        "diskSpaceWarningLevelRatio",
        "it is spelled rocketmq.broker.diskSpaceWarningLevelRatio, as Java's system property",
    ),
    (
        "diskSpaceCleanForciblyRatio",
        "it is spelled rocketmq.broker.diskSpaceCleanForciblyRatio, as Java's system property",
    ),
    (
        "checkTransactionMessageEnable",
        "half messages are always checked; see transactionCheckInterval",
    ),
    ("warmMappedFileEnable", "it is spelled warmMapedFileEnable"),
    (
        "flushLeastPagesWhenWarmMappedFile",
        "it is spelled flushLeastPagesWhenWarmMapedFile",
    ),
    (
        "destroyMappedFileIntervalForcibly",
        "it is spelled destroyMapedFileIntervalForcibly",
    ),
    (
        "enableDLedgerCommitLog",
        "it is spelled enableDLegerCommitLog",
    ),
    ("dLedgerGroup", "it is spelled dLegerGroup"),
    ("dLedgerPeers", "it is spelled dLegerPeers"),
    ("dLedgerSelfId", "it is spelled dLegerSelfId"),
];

/// Keys that came after 4.7.0 and are known to 4.9.8.
static LATER: &[&str] = &[
    "autoDeleteUnusedStats",
    "configBlackList",
    "enableBatchPush",
    "enableDetailStat",
    "enableLmq",
    "enableMultiDispatch",
    "enableScheduleAsyncDeliver",
    "enableScheduleMessageStats",
    "isolateLogEnable",
    "maxLmqConsumeQueueNum",
    "preferredLeaderId",
    "putMessageFutureThreadPoolNums",
    "putThreadPoolQueueCapacity",
    "readOnlyCommitLogStorePaths",
    "scheduleAsyncDeliverMaxPendingLimit",
    "scheduleAsyncDeliverMaxResendNum2Blocked",
    "serverSocketBacklog",
    "slaveTimeout",
    "storePathDLedgerCommitLog",
    "writeBufferHighWaterMark",
    "writeBufferLowWaterMark",
];

/// What is known of a name without a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elsewhere {
    /// It has gone; the text says what took its place.
    Gone(&'static str),
    /// It came after 4.7.0.
    Later,
    /// Never heard of; a key with nearly the same letters may be meant.
    Unknown { similar: Option<&'static str> },
}

/// Looks up a name that has no row.
pub(crate) fn look_up(name: &str) -> Elsewhere {
    if let Some((_, instead)) = GONE.iter().find(|(gone, _)| *gone == name) {
        return Elsewhere::Gone(instead);
    }
    if LATER.contains(&name) {
        return Elsewhere::Later;
    }
    let names = super::all().map(|key| key.name);
    let close = names
        .map(|known| (distance(name, known), known))
        .filter(|(edits, _)| *edits <= 2);
    Elsewhere::Unknown {
        similar: close
            .min_by_key(|(edits, _)| *edits)
            .map(|(_, known)| known),
    }
}

/// Letters to insert, drop or change to get from one name to the other, upper and lower case alike.
fn distance(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut left = i + 1;
        let mut corner = i;
        for (y, cell) in b.bytes().zip(row.iter_mut().skip(1)) {
            let changed = corner + usize::from(!x.eq_ignore_ascii_case(&y));
            corner = *cell;
            left = changed.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_say_what_took_their_place() {
        assert!(matches!(look_up("mapedFileSizeCommitLog"),
            Elsewhere::Gone(text) if text.contains("mappedFileSizeCommitLog")));
        assert!(
            matches!(look_up("stroeCheckpoint"), Elsewhere::Gone(text) if text.contains("storePathRootDir"))
        );
        assert_eq!(look_up("slaveTimeout"), Elsewhere::Later);
    }

    #[test]
    fn a_slip_of_the_pen_finds_the_key_that_was_meant() {
        assert_eq!(
            look_up("brokername"),
            Elsewhere::Unknown {
                similar: Some("brokerName")
            }
        );
        assert_eq!(
            look_up("autoCreateTopicEnabel"),
            Elsewhere::Unknown {
                similar: Some("autoCreateTopicEnable")
            }
        );
        assert_eq!(
            look_up("nameserverAddress"),
            Elsewhere::Unknown { similar: None }
        );
        assert_eq!(look_up(""), Elsewhere::Unknown { similar: None });
    }

    #[test]
    fn no_name_here_has_a_row() {
        for name in GONE.iter().map(|(name, _)| name).chain(LATER) {
            assert!(
                super::super::named(name).next().is_none(),
                "{name} is a key of 4.7.0"
            );
        }
    }
}
