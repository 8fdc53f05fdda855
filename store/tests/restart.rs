//! A store opened again: after a clean stop, after crashes, and when it must refuse.

mod support;

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use store::{AppendError, BrokerRole, QueueOffset, Store, StoreConfig, StoreError};
use support::{append_some, assert_holds, bodies, config, crash_copy, message, open, settle};

fn assert_found(store: &Store, keys: impl IntoIterator<Item = usize>) {
    for n in keys {
        let found = store.query_by_key("T", &format!("key-{n}"), 32, 0, i64::MAX);
        assert_eq!(found.records.len(), 1, "key-{n}");
    }
}

#[test]
fn after_a_clean_stop_everything_is_there_and_appends_go_on() {
    let dir = tempfile::tempdir().expect("folder");
    for round in 0..4 {
        let (store, _) = open(config(dir.path()));
        assert!(dir.path().join("abort").exists());
        assert_holds(&store, round * 700);
        append_some(&store, round * 700, 700);
        settle(&store);
        assert!(store.close());
        assert!(!dir.path().join("abort").exists());
        assert_holds(&store, round * 700 + 700);
        let refused = store.append(&message("T", 0, b"x", ""));
        assert!(matches!(refused, Err(AppendError::ServiceNotAvailable(_))));
    }
    let (store, _) = open(config(dir.path()));
    assert_found(&store, (0..2800).step_by(111));
}

#[test]
fn after_a_crash_everything_appended_is_there_once() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(&dir.path().join("live")));
    append_some(&store, 0, 1500);
    crash_copy(&dir.path().join("live"), &dir.path().join("crashed"));
    let (again, _) = open(config(&dir.path().join("crashed")));
    assert_holds(&again, 1500);
    assert_found(&again, (0..1500).step_by(111));
    append_some(&again, 1500, 500);
    settle(&again);
    assert_holds(&again, 2000);
    assert!(again.close());
}

#[test]
fn a_store_dropped_without_close_opens_as_after_a_crash() {
    let dir = tempfile::tempdir().expect("folder");
    for round in 0..5 {
        let (store, _) = open(config(dir.path()));
        assert_holds(&store, round * 333);
        append_some(&store, round * 333, 333);
        drop(store);
        assert!(dir.path().join("abort").exists());
    }
    let (store, _) = open(config(dir.path()));
    assert_holds(&store, 5 * 333);
    assert_found(&store, (0..5 * 333).step_by(77));
}

/// Damages the log file that holds `offset` there, and every file's page behind is left as it is.
fn damage(root: &Path, offset: u64) {
    let file = root
        .join("commitlog")
        .join(format!("{:020}", offset / 65536 * 65536));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(file)
        .expect("opened");
    file.seek(SeekFrom::Start(offset % 65536))
        .expect("in the file");
    file.write_all(&[0xEE; 16]).expect("written");
}

#[test]
fn the_log_is_cut_at_the_first_bad_record_and_the_queues_with_it() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    let appended = append_some(&store, 0, 1500);
    drop(store);
    damage(dir.path(), appended[1200].log_offset.0 + 20);
    let (store, _) = open(config(dir.path()));
    assert_eq!(store.max_log_offset(), appended[1200].log_offset);
    assert_holds(&store, 1200);
    assert_found(&store, (0..1200).step_by(111));
    let gone = store.query_by_key("T", "key-1300", 32, 0, i64::MAX);
    assert!(gone.records.is_empty());
    append_some(&store, 1200, 800);
    settle(&store);
    assert_holds(&store, 2000);
    assert_found(&store, (0..2000).step_by(111));
}

#[test]
fn two_crashes_in_a_row_bring_no_old_record_or_entry_back() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    let appended = append_some(&store, 0, 300);
    drop(store);
    damage(dir.path(), appended[100].log_offset.0);
    // Records have one length here: a new one ends exactly where an old one begins.
    for expected in 101..110 {
        let (store, _) = open(config(dir.path()));
        assert_holds(&store, expected - 1);
        append_some(&store, expected - 1, 1);
        drop(store);
    }
    let (store, _) = open(config(dir.path()));
    assert_holds(&store, 109);
    assert!(store.close());
    let (store, _) = open(config(dir.path()));
    assert_holds(&store, 109);
}

#[test]
fn a_crash_between_the_flushes_of_log_and_queues_heals_in_either_order() {
    let dir = tempfile::tempdir().expect("folder");
    let (live, early, late) = (
        dir.path().join("live"),
        dir.path().join("early"),
        dir.path().join("late"),
    );
    let (store, _) = open(StoreConfig {
        queue_flush_interval: Duration::from_millis(1),
        queue_flush_thorough_interval: Duration::ZERO,
        ..config(&live)
    });
    // The second file has the entries of messages 200 to 399, the fourth those of 600 to 799.
    let written = |file: &str| {
        let file = live.join("consumequeue/T/1").join(file);
        while fs::read(&file).map_or(true, |bytes| bytes.ends_with(&[0; 20])) {
            std::thread::yield_now();
        }
    };
    append_some(&store, 0, 400);
    settle(&store);
    written("00000000000000002000");
    crash_copy(&live, &early);
    append_some(&store, 400, 400);
    settle(&store);
    written("00000000000000006000");
    crash_copy(&live, &late);
    for (log, rest, name) in [
        (&late, &early, "queues behind"),
        (&early, &late, "queues ahead"),
    ] {
        let mixed = dir.path().join(name);
        crash_copy(rest, &mixed);
        fs::remove_dir_all(mixed.join("commitlog")).expect("removed");
        crash_copy(&log.join("commitlog"), &mixed.join("commitlog"));
        // It never claims what the log does not have.
        fs::copy(early.join("checkpoint"), mixed.join("checkpoint")).expect("copied");
        let (store, _) = open(config(&mixed));
        let count = if log == &late { 800 } else { 400 };
        assert_holds(&store, count);
        append_some(&store, count, 10);
        settle(&store);
        assert_holds(&store, count + 10);
    }
}

#[test]
fn removed_queues_and_index_are_built_again_from_the_log() {
    for clean in [true, false] {
        let dir = tempfile::tempdir().expect("folder");
        let (store, _) = open(config(dir.path()));
        append_some(&store, 0, 900);
        settle(&store);
        assert!(!clean || store.close());
        drop(store);
        fs::remove_dir_all(dir.path().join("consumequeue")).expect("removed");
        fs::remove_dir_all(dir.path().join("index")).expect("removed");
        fs::remove_file(dir.path().join("checkpoint")).expect("removed");
        let (store, _) = open(config(dir.path()));
        assert_eq!(
            bodies(&store, "T", 0).len() + bodies(&store, "T", 1).len(),
            900,
            "clean: {clean}"
        );
    }
}

#[test]
fn without_a_checkpoint_of_ours_javas_times_decide() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    append_some(&store, 0, 1500);
    drop(store);
    fs::write(dir.path().join("checkpoint"), vec![0; 4096]).expect("written");
    let (store, _) = open(config(dir.path()));
    assert_holds(&store, 1500);
    assert_found(&store, (0..1500).step_by(111));
}

#[test]
fn empty_last_files_do_not_stop_the_start() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    append_some(&store, 0, 200);
    settle(&store);
    assert!(store.close());
    fs::write(
        dir.path().join("consumequeue/T/0/00000000000000002000"),
        vec![0; 2000],
    )
    .expect("written");
    fs::write(
        dir.path().join("commitlog/00000000000000065536"),
        vec![0; 65536],
    )
    .expect("written");
    let (store, _) = open(config(dir.path()));
    assert_holds(&store, 200);
    append_some(&store, 200, 1000);
    settle(&store);
    assert_holds(&store, 1200);
}

#[test]
fn a_log_that_is_gone_stops_the_start_until_its_queues_are_removed_too() {
    let dir = tempfile::tempdir().expect("folder");
    let (log, aside) = (dir.path().join("commitlog"), dir.path().join("aside"));
    let (store, _) = open(config(dir.path()));
    append_some(&store, 0, 200);
    settle(&store);
    assert!(store.close());
    fs::rename(&log, &aside).expect("moved");
    for _ in 0..2 {
        let refused = refusal(config(dir.path()));
        assert!(matches!(refused, StoreError::LogGone { .. }), "{refused}");
        assert!(refused.to_string().contains("consumequeue"), "{refused}");
    }
    fs::remove_dir(&log).expect("empty");
    fs::rename(&aside, &log).expect("moved back");
    let (store, _) = open(config(dir.path()));
    assert_holds(&store, 200);
    assert_found(&store, 0..200);
    assert!(store.close());
    fs::remove_dir_all(&log).expect("removed");
    fs::remove_dir_all(dir.path().join("consumequeue")).expect("removed");
    let (store, _) = open(config(dir.path()));
    assert_eq!(
        (store.max_log_offset().0, store.max_offset("T", 0)),
        (0, QueueOffset(0))
    );
    append_some(&store, 0, 20);
    settle(&store);
    assert_holds(&store, 20);
    assert_found(&store, 0..20);
}

#[test]
fn a_log_folder_that_cannot_be_made_stops_the_start() {
    let dir = tempfile::tempdir().expect("folder");
    fs::write(dir.path().join("file"), "no folder").expect("written");
    let refused = refusal(StoreConfig {
        commit_log_dir: dir.path().join("file/commitlog"),
        ..config(dir.path())
    });
    assert!(matches!(refused, StoreError::Io { .. }), "{refused}");
    assert!(refused.to_string().contains("file/commitlog"), "{refused}");
    assert!(!dir.path().join("abort").exists());
}

#[test]
fn the_first_log_file_is_there_when_the_store_is_open() {
    let dir = tempfile::tempdir().expect("folder");
    let at = |name: &str, broker_role| StoreConfig {
        broker_role,
        commit_log_dir: dir.path().join(name).join("elsewhere/log"),
        ..config(&dir.path().join(name).join("deep/root"))
    };
    let first = |name: &str| {
        let log = dir.path().join(name).join("elsewhere/log");
        log.join("00000000000000000000").exists()
    };
    let (master, _) = open(at("master", BrokerRole::AsyncMaster));
    assert!(first("master"));
    append_some(&master, 0, 10);
    settle(&master);
    assert_holds(&master, 10);
    drop(master);
    let (master, _) = open(at("master", BrokerRole::AsyncMaster));
    assert_holds(&master, 10);
    let (_slave, _) = open(at("slave", BrokerRole::Slave));
    assert!(!first("slave"), "its master says where its log begins");
}

#[test]
fn when_the_first_log_file_is_gone_queues_begin_where_the_log_does() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    let appended = append_some(&store, 0, 1500);
    settle(&store);
    assert!(store.close());
    fs::remove_file(dir.path().join("commitlog/00000000000000000000")).expect("removed");
    let (store, _) = open(config(dir.path()));
    let first = appended
        .iter()
        .position(|one| one.log_offset.0 >= 65536)
        .expect("a second file");
    assert_eq!(store.min_log_offset().0, 65536);
    assert_eq!(store.min_offset("T", 0).0, first.div_ceil(2) as i64);
    assert_eq!(
        bodies(&store, "T", 0).len() + bodies(&store, "T", 1).len(),
        1500 - first
    );
}

fn refusal(config: StoreConfig) -> StoreError {
    Store::open(config, Arc::new(())).err().expect("refused")
}

#[test]
fn another_file_size_is_refused_and_the_store_stays_whole() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    append_some(&store, 0, 300);
    settle(&store);
    assert!(store.close());
    let wrong = [
        (
            StoreConfig {
                commit_log_file_bytes: 32 * 1024,
                ..config(dir.path())
            },
            "mappedFileSizeCommitLog",
        ),
        (
            StoreConfig {
                consume_queue_file_bytes: 4000,
                ..config(dir.path())
            },
            "mappedFileSizeConsumeQueue",
        ),
        (
            StoreConfig {
                index_slots: 60,
                ..config(dir.path())
            },
            "maxHashSlotNum",
        ),
    ];
    for (config, key) in wrong {
        let refused = refusal(config);
        assert!(matches!(refused, StoreError::FileSize { .. }), "{refused}");
        assert!(refused.to_string().contains(key), "{refused}");
    }
    let (store, _) = open(config(dir.path()));
    assert_holds(&store, 300);
}

#[test]
fn a_store_has_one_owner() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    let refused = refusal(config(dir.path()));
    assert!(matches!(refused, StoreError::AlreadyStarted { .. }));
    assert!(
        refused
            .to_string()
            .starts_with("Lock failed,MQ already started")
    );
    assert!(
        is_locked_for_others(dir.path()),
        "another process could open it"
    );
    assert!(store.close());
    assert!(!is_locked_for_others(dir.path()));
    assert_eq!(
        fs::read_to_string(dir.path().join("lock")).expect("read"),
        "lock"
    );
    open(config(dir.path()));
}

/// Whether the kernel knows of a lock on the file: our own locks never stand in our own way, so
/// they are looked up as another process would meet them.
fn is_locked_for_others(root: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = fs::metadata(root.join("lock")).expect("there").ino();
    let locks = fs::read_to_string("/proc/locks").expect("Linux");
    let ours = format!(":{inode} ");
    locks
        .lines()
        .any(|line| line.contains("POSIX") && line.contains("WRITE") && line.contains(&ours))
}

#[test]
fn a_log_has_one_owner_whatever_root_it_is_opened_from() {
    let dir = tempfile::tempdir().expect("folder");
    let at = |root: &str| StoreConfig {
        commit_log_dir: dir.path().join("log"),
        ..config(&dir.path().join(root))
    };
    let (store, _) = open(at("a"));
    let refused = refusal(at("b"));
    assert!(matches!(refused, StoreError::AlreadyStarted { .. }));
    assert!(refused.to_string().contains("/log"), "{refused}");
    append_some(&store, 0, 10);
    settle(&store);
    assert!(store.close());
    open(at("b"));
}

#[test]
fn an_empty_file_in_the_way_of_the_next_log_file_is_made_anew() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    append_some(&store, 0, 1);
    let next = dir.path().join("commitlog/00000000000000065536");
    while !next.exists() {
        std::thread::yield_now();
    }
    for base in 2..6 {
        let left_over = format!("commitlog/{:020}", base * 65536);
        fs::write(dir.path().join(left_over), vec![0; 65536]).expect("written");
    }
    append_some(&store, 1, 2000);
    settle(&store);
    assert_holds(&store, 2001);
}

#[test]
fn a_queue_number_that_cannot_be_costs_its_entry_and_never_the_start() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    let appended = append_some(&store, 0, 10);
    settle(&store);
    assert!(store.close());
    let log = dir.path().join("commitlog/00000000000000000000");
    let mut log = fs::OpenOptions::new().write(true).open(log).expect("there");
    let queue_offset = appended[0].log_offset.0 + 20;
    log.seek(SeekFrom::Start(queue_offset)).expect("there");
    log.write_all(&[0x10]).expect("written");
    fs::remove_dir_all(dir.path().join("consumequeue")).expect("removed");
    for _ in 0..2 {
        let (store, _) = open(config(dir.path()));
        assert_eq!(bodies(&store, "T", 1).len(), 5);
        assert_eq!(bodies(&store, "T", 0).len(), 4);
        assert_eq!(store.max_offset("T", 0), QueueOffset(5));
        assert!(store.close());
    }
}

#[test]
fn after_an_append_that_failed_the_next_is_stored() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    append_some(&store, 0, 10);
    settle(&store);
    assert!(store.close());
    let (store, _) = open(config(dir.path()));
    // In the way of the next log file, and of the one prepared ahead.
    let next = dir.path().join("commitlog/00000000000000065536");
    while !next.exists() {
        std::thread::yield_now();
    }
    let log = dir.path().join("commitlog");
    let aside = dir.path().join("aside");
    let mut stored = 10;
    while store.max_log_offset().0 < 60_000 {
        append_some(&store, stored, 1);
        stored += 1;
    }
    fs::rename(&log, &aside).expect("moved");
    fs::write(&log, "in the way").expect("written");
    let body = vec![0; 6000];
    let mut failures = 0;
    while failures < 3 && store.max_log_offset().0 < 300_000 {
        // The prepared file is there already; those after it cannot be made.
        match store.append(&message("other", 0, &body, "")) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error, AppendError::CreateMappedFileFailed);
                failures += 1;
            }
        }
    }
    assert_eq!(failures, 3);
    fs::remove_file(&log).expect("removed");
    fs::rename(&aside, &log).expect("moved back");
    store
        .append(&message("other", 0, &body, ""))
        .expect("stored");
    append_some(&store, stored, 100);
    settle(&store);
    assert_holds(&store, stored + 100);
}
