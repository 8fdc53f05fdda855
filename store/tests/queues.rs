//! Many queues, and queues whose entries find no room.

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use store::{AppendError, QueueOffset, Store, StoreConfig, Unavailable};
use support::{append_some, assert_holds, bodies, config, message, open, settle};

/// Bytes that the files below `dir` take on the disk.
fn room(dir: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(dir).expect("listed") {
        let path = entry.expect("listed").path();
        let meta = fs::metadata(&path).expect("there");
        bytes += if meta.is_dir() {
            room(&path)
        } else {
            meta.blocks() * 512
        };
    }
    bytes
}

fn append_to_many(store: &Store, round: usize) {
    for n in 0..400 {
        let (topic, body) = (format!("T{}", n / 8), format!("{n}-{round}"));
        store
            .append(&message(&topic, n % 8, body.as_bytes(), ""))
            .expect("stored");
    }
}

fn assert_many(store: &Store, rounds: usize) {
    for n in 0..400 {
        let expected: Vec<_> = (0..rounds).map(|round| format!("{n}-{round}")).collect();
        assert_eq!(
            bodies(store, &format!("T{}", n / 8), n % 8),
            expected,
            "queue {n}"
        );
    }
}

#[test]
fn many_queues_are_all_there_after_stops_and_crashes_and_take_little_room() {
    let dir = tempfile::tempdir().expect("folder");
    let config = StoreConfig {
        consume_queue_file_bytes: 6_000_000,
        ..config(dir.path())
    };
    for round in 0..4 {
        let (store, _) = open(config.clone());
        assert_many(&store, round);
        append_to_many(&store, round);
        settle(&store);
        assert!(round % 2 == 1 || store.close());
    }
    let (store, _) = open(config);
    assert_many(&store, 4);
    assert!(store.close());
    let taken = room(&dir.path().join("consumequeue"));
    assert!(taken <= 400 * 16 * 1024, "{taken} bytes of 2,400,000,000");
}

#[test]
fn entries_are_read_back_wherever_they_are() {
    let dir = tempfile::tempdir().expect("folder");
    let config = StoreConfig {
        consume_queue_file_bytes: 6_000_000,
        queue_flush_interval: Duration::from_millis(1),
        queue_flush_thorough_interval: Duration::ZERO, // gives its memory back all the time
        ..config(dir.path())
    };
    let (store, _) = open(config);
    for round in 0..10 {
        append_some(&store, round * 333, 333);
        settle(&store);
        assert_holds(&store, (round + 1) * 333);
    }
}

#[test]
fn while_entries_cannot_be_written_messages_are_refused_and_none_is_lost() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(StoreConfig {
        consume_queue_file_bytes: 6_000_000,
        ..config(dir.path())
    });
    let in_the_way = dir.path().join("consumequeue/T");
    fs::write(&in_the_way, "no folder can be made here").expect("written");
    let mut stored = 0;
    while store.unavailable().is_none() {
        let body = format!("body-{stored:06}");
        match store.append(&message(
            "T",
            stored % 2,
            body.as_bytes(),
            "KEYS\u{1}a b\u{2}",
        )) {
            Ok(_) => stored += 1,
            Err(error) => assert_eq!(
                error,
                AppendError::ServiceNotAvailable(Unavailable::QueuesStuck)
            ),
        }
    }
    assert_eq!(store.unavailable(), Some(Unavailable::QueuesStuck));
    assert!(store.dispatch_behind_bytes() > 0);
    assert_eq!(
        store.max_offset("T", 0),
        QueueOffset(256),
        "readable is what is in memory"
    );
    fs::remove_file(&in_the_way).expect("removed");
    assert_eq!(arrived.wait_for(stored as usize).len(), stored as usize);
    assert_holds(&store, stored as usize);
    while store.unavailable().is_some() {
        std::thread::yield_now();
    }
    append_some(&store, stored as usize, 10);
    settle(&store);
    assert_holds(&store, stored as usize + 10);
    assert!(store.close());
}

#[test]
fn readers_hear_of_a_message_though_its_index_entry_had_to_wait() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(config(dir.path()));
    let index = dir.path().join("index");
    fs::remove_dir(&index).expect("empty");
    fs::write(&index, "no file can be made in here").expect("written");
    append_some(&store, 0, 1);
    while store.unavailable().is_none() {
        std::thread::yield_now();
    }
    fs::remove_file(&index).expect("removed");
    assert_eq!(arrived.wait_for(1), [("T".to_owned(), 0, 0)]);
    settle(&store);
    assert_eq!(
        store
            .query_by_key("T", "key-0", 9, 0, i64::MAX)
            .records
            .len(),
        1
    );
}

#[test]
fn a_store_that_cannot_write_its_queues_when_closed_recovers_them() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    append_some(&store, 0, 100);
    settle(&store);
    let in_the_way = dir.path().join("consumequeue/T");
    fs::write(&in_the_way, "no folder can be made here").expect("written");
    assert!(!store.close(), "closed as if all were well");
    drop(store);
    fs::remove_file(&in_the_way).expect("removed");
    let store = Store::open(config(dir.path()), Arc::new(())).expect("opens");
    assert_holds(&store, 100);
}
