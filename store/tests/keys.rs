//! Keys whose effect no other test would miss: each of these fails when its key has none.

mod support;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use store::{Everything, QueueOffset, Store, StoreConfig};
use support::{append_some, assert_holds, config, message, open, settle};

const NEVER: Duration = Duration::from_secs(3600);
const PAGE_BYTES: u64 = 4096;

/// Waits for a thread of the store.
fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        thread::yield_now();
    }
}

fn append(store: &Store, n: usize, bytes: usize) {
    let body = vec![n as u8; bytes];
    store.append(&message("T", 0, &body, "")).expect("stored");
}

/// `flushIntervalCommitLog`, `flushCommitLogLeastPages`: many looks, and a flush only when the pages are there.
#[test]
fn the_log_is_flushed_when_so_many_pages_are_dirty_and_not_before() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(StoreConfig {
        flush_interval: Duration::from_millis(1),
        flush_least_pages: 4,
        flush_thorough_interval: NEVER,
        ..config(dir.path())
    });
    let mut flushes = Vec::new();
    for n in 0..60 {
        append(&store, n, 1000);
        thread::sleep(Duration::from_millis(2)); // a look in between; the assertion holds without one too
        let flushed = store.flushed_log_offset().0;
        if flushes.last().copied().unwrap_or(0) < flushed {
            flushes.push(flushed);
        }
    }
    until("a flush once there are pages enough", || {
        store.flushed_log_offset().0 > 0
    });
    for pair in [&[0][..], &flushes].concat().windows(2) {
        let pages = pair[1] / PAGE_BYTES - pair[0] / PAGE_BYTES;
        assert!(pages >= 4, "{pages} pages: {flushes:?}");
    }
}

/// `flushCommitLogThoroughInterval`: then fewer pages are flushed too.
#[test]
fn the_log_is_flushed_now_and_then_whatever_is_dirty() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(StoreConfig {
        flush_interval: Duration::from_millis(1),
        flush_least_pages: 1_000_000,
        flush_thorough_interval: Duration::from_millis(20),
        ..config(dir.path())
    });
    append(&store, 0, 10);
    until("a thorough flush", || {
        store.flushed_log_offset() == store.max_log_offset()
    });
}

/// `flushIntervalConsumeQueue`, `flushConsumeQueueLeastPages`: 205 entries fill a page, and are not written unless that
/// is enough; 257 are written in any case.
#[test]
fn a_queue_is_flushed_when_so_many_pages_are_new() {
    for (least_pages, written) in [(1, true), (2, false)] {
        let dir = tempfile::tempdir().expect("folder");
        let (store, _) = open(StoreConfig {
            consume_queue_file_bytes: 6_000_000,
            queue_flush_interval: Duration::from_millis(1),
            queue_flush_least_pages: least_pages,
            queue_flush_thorough_interval: NEVER,
            ..config(dir.path())
        });
        (0..210).for_each(|n| append(&store, n, 10));
        let is_there = || dir.path().join("consumequeue/T/0").exists();
        if written {
            until("a page of entries is written", is_there);
        } else {
            settle(&store);
            thread::sleep(Duration::from_millis(20)); // some looks; the assertion holds without them too
            assert!(!is_there());
        }
    }
}

/// Changes a letter in the body of the last message of two; its record stays whole but for that.
fn rot_last_body(root: &Path) {
    let path = root.join("commitlog").join(format!("{:020}", 0));
    let bytes = fs::read(&path).expect("read");
    let at = bytes
        .windows(11)
        .position(|some| some == b"body-000001")
        .expect("there");
    let file = fs::OpenOptions::new()
        .write(true)
        .open(path)
        .expect("opened");
    file.write_all_at(b"X", at as u64).expect("written");
}

/// `checkCRCOnRecover`
#[test]
fn a_body_that_rotted_ends_the_log_only_if_bodies_are_checked() {
    for (check, left) in [(true, 1), (false, 2)] {
        let dir = tempfile::tempdir().expect("folder");
        let with = || StoreConfig {
            check_crc_on_recover: check,
            ..config(dir.path())
        };
        let (store, _) = open(with());
        append_some(&store, 0, 2);
        settle(&store);
        drop(store);
        rot_last_body(dir.path());
        let (store, _) = open(with());
        let held = store.max_offset("T", 0).0 + store.max_offset("T", 1).0;
        assert_eq!(held, left, "checked: {check}");
    }
}

/// `accessMessageInMemoryMaxRatio`, `maxTransferCountOnMessageInDisk`, `maxTransferBytesOnMessageInDisk` and the two for
/// messages in memory.
#[test]
fn what_counts_as_on_disk_is_read_in_smaller_portions() {
    let dir = tempfile::tempdir().expect("folder");
    let with = |ratio| StoreConfig {
        access_in_memory_max_ratio: ratio,
        max_transfer_count_in_memory: 20,
        max_transfer_count_in_disk: 5,
        ..config(dir.path())
    };
    let (store, _) = open(with(40));
    append_some(&store, 0, 200);
    settle(&store);
    assert!(store.close());
    drop(store);
    let count = |config| {
        let (store, _) = open(config);
        let read = store.read_queue("T", 0, QueueOffset(0), 32, &mut Everything);
        assert!(store.close());
        read.message_count
    };
    assert_eq!((count(with(40)), count(with(0))), (20, 5));
    let record = 150_u32; // a bit more than one has here
    let few_bytes = |ratio, in_memory: u32, on_disk: u32| StoreConfig {
        max_transfer_bytes_in_memory: in_memory * record,
        max_transfer_bytes_in_disk: on_disk * record,
        max_transfer_count_in_disk: 20,
        ..with(ratio)
    };
    let (in_memory, on_disk) = (count(few_bytes(40, 8, 3)), count(few_bytes(0, 8, 3)));
    assert!((8..12).contains(&in_memory), "{in_memory}");
    assert!((3..6).contains(&on_disk), "{on_disk}");
}

/// `messageIndexEnable`, `maxMsgsNumBatch`
#[test]
fn messages_are_found_by_key_as_far_as_keys_are_indexed_and_so_many_at_most() {
    let found = |enable, most| {
        let dir = tempfile::tempdir().expect("folder");
        let (store, _) = open(StoreConfig {
            message_index_enable: enable,
            query_max_hits: most,
            ..config(dir.path())
        });
        for _ in 0..10 {
            let put = store.append(&message("T", 0, b"x", "KEYS\u{1}k\u{2}"));
            put.expect("stored");
        }
        settle(&store);
        store.query_by_key("T", "k", 32, 0, i64::MAX).records.len()
    };
    assert_eq!(
        (found(true, 64), found(true, 3), found(false, 64)),
        (10, 3, 0)
    );
}

/// `messageIndexSafe`: after a crash Java's checkpoint says from where on queues and index are made again; with this key
/// its third time counts too, which says how far the index was.
#[test]
fn with_the_index_taken_care_of_a_start_goes_back_to_where_that_was() {
    for (safe, found) in [(true, 1), (false, 0)] {
        let dir = tempfile::tempdir().expect("folder");
        let with = || StoreConfig {
            message_index_safe: safe,
            ..config(dir.path())
        };
        let (store, _) = open(with());
        let appended = append_some(&store, 0, 1500);
        settle(&store);
        assert!(store.close());
        drop(store);
        // As Java leaves it when it is killed: log and queues were flushed to the end, the index never was.
        let last_ms = appended.last().expect("some").store_timestamp_ms + 10_000;
        let mut checkpoint = vec![0; 4096];
        checkpoint[..8].copy_from_slice(&last_ms.to_be_bytes());
        checkpoint[8..16].copy_from_slice(&last_ms.to_be_bytes());
        fs::write(dir.path().join("checkpoint"), checkpoint).expect("written");
        fs::write(dir.path().join("abort"), "").expect("written");
        fs::remove_dir_all(dir.path().join("index")).expect("removed");
        let (store, _) = open(with());
        assert_holds(&store, 1500);
        let first = store.query_by_key("T", "key-3", 32, 0, i64::MAX);
        assert_eq!(first.records.len(), found, "safe: {safe}");
    }
}
