//! When a message is on disk, and who learns of it.

mod support;

use std::sync::Arc;
use std::time::Duration;

use store::{FlushDiskType, StoreConfig};
use support::{
    append_some, assert_holds, block_on, config, crash_copy, is_durable, message, open, settle,
};

fn sync_config(root: &std::path::Path) -> StoreConfig {
    StoreConfig {
        flush_disk_type: FlushDiskType::Sync,
        ..config(root)
    }
}

#[test]
fn with_sync_flush_durable_resolves_once_the_message_is_on_disk() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(sync_config(dir.path()));
    for n in 0..50 {
        let appended = append_some(&store, n, 1)[0];
        block_on(store.durable(appended.end())).expect("flushed");
        assert!(is_durable(&store, appended.end()));
    }
    arrived.wait_for(50);
    assert_holds(&store, 50);
}

#[test]
fn one_flush_answers_all_that_wait() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(sync_config(dir.path()));
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..20 {
                    let body = format!("{thread}-{n}");
                    let appended = store
                        .append(&message("T", 0, body.as_bytes(), ""))
                        .expect("stored");
                    block_on(store.durable(appended.end())).expect("flushed");
                }
            });
        }
    });
    arrived.wait_for(320);
}

#[test]
fn with_sync_flush_a_message_nobody_waits_for_is_flushed_and_shown_too() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(sync_config(dir.path()));
    append_some(&store, 0, 30);
    arrived.wait_for(30);
    assert!(is_durable(&store, store.max_log_offset()));
}

#[test]
fn with_sync_flush_nothing_is_shown_that_is_not_on_disk() {
    struct OnDisk(std::sync::OnceLock<Arc<store::Store>>);
    impl store::Arrivals for OnDisk {
        fn arrived(&self, arrival: &store::Arrival<'_>) {
            let store = self.0.get().expect("set before the first append");
            let at = store
                .log_offset_of(arrival.topic, arrival.queue_id, arrival.queue_offset)
                .expect("readable");
            assert!(
                store.flushed_log_offset() > at,
                "shown before it was on disk"
            );
        }
    }
    let dir = tempfile::tempdir().expect("folder");
    let arrivals = Arc::new(OnDisk(std::sync::OnceLock::new()));
    let store = store::Store::open(sync_config(dir.path()), arrivals.clone()).expect("opens");
    assert!(arrivals.0.set(store.clone()).is_ok());
    append_some(&store, 0, 2000);
    settle(&store);
    store.close();
}

#[test]
fn with_async_flush_waiting_asks_for_a_flush_at_once() {
    let dir = tempfile::tempdir().expect("folder");
    let never = Duration::from_secs(3600);
    let slow = StoreConfig {
        flush_interval: never,
        flush_thorough_interval: never,
        ..config(dir.path())
    };
    let (store, _) = open(slow);
    let appended = append_some(&store, 0, 1)[0];
    block_on(store.durable(appended.end())).expect("flushed");
    assert!(is_durable(&store, appended.end()));
}

#[test]
fn with_async_flush_the_log_comes_to_disk_by_itself() {
    let dir = tempfile::tempdir().expect("folder");
    let quick = Duration::from_millis(1);
    let (store, _) = open(StoreConfig {
        flush_interval: quick,
        flush_thorough_interval: quick,
        ..config(dir.path())
    });
    let appended = append_some(&store, 0, 1)[0];
    while !is_durable(&store, appended.end()) {
        std::thread::yield_now();
    }
}

#[test]
fn who_waits_when_the_store_is_dropped_gets_an_error() {
    let dir = tempfile::tempdir().expect("folder");
    let never = Duration::from_secs(3600);
    let (store, _) = open(StoreConfig {
        flush_interval: never,
        flush_thorough_interval: never,
        ..config(dir.path())
    });
    let end = append_some(&store, 0, 1)[0].end();
    let waiting = store.durable(end.plus(1_000_000)); // nobody ever appends that much
    let waiter = std::thread::spawn(move || block_on(waiting));
    drop(store);
    assert!(waiter.join().expect("no panic").is_err());
}

#[test]
fn the_checkpoint_lets_the_next_start_begin_late_and_claims_nothing_false() {
    let dir = tempfile::tempdir().expect("folder");
    let (live, crashed) = (dir.path().join("live"), dir.path().join("crashed"));
    let quick = Duration::from_millis(1);
    let (store, _) = open(StoreConfig {
        queue_flush_interval: quick,
        queue_flush_thorough_interval: quick,
        ..config(&live)
    });
    append_some(&store, 0, 1000);
    settle(&store);
    let settled = || {
        let bytes = std::fs::read(live.join("checkpoint")).expect("read");
        u64::from_be_bytes(bytes[32..40].try_into().expect("8 bytes"))
    };
    while settled() < store.max_log_offset().0 {
        std::thread::yield_now();
    }
    crash_copy(&live, &crashed);
    // What lies before the checkpoint is not even looked at: an old record may be bad.
    let log = crashed.join("commitlog/00000000000000000000");
    let mut bytes = std::fs::read(&log).expect("read");
    bytes[300] ^= 0xFF;
    std::fs::write(&log, bytes).expect("written");
    let (again, _) = open(config(&crashed));
    assert_eq!(again.max_log_offset(), store.max_log_offset());
}
