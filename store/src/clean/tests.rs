//! Rounds over a store on disk, at made-up times and with a made-up disk.

use std::fs::{self, File};
use std::time::UNIX_EPOCH;

use super::*;
use crate::offset::QueueOffset;
use crate::{
    AppendError, Arrival, Arrivals, Everything, ExtUnit, LogOffset, NewMessage, ReadStatus, Record,
    Select, Store,
};

const FILE_BYTES: u64 = 4096;
/// A message a log file, since two do not fit.
const BODY: [u8; 2500] = [7; 2500];
const DAY: Duration = Duration::from_secs(24 * 3600);

fn config(dir: &Path) -> StoreConfig {
    let expiry = ExpiryConfig {
        log_file_pause: Duration::ZERO,
        queue_file_pause: Duration::ZERO,
        ..ExpiryConfig::default()
    };
    StoreConfig {
        commit_log_file_bytes: FILE_BYTES as u32,
        consume_queue_file_bytes: 100,
        index_slots: 10,
        index_entries: 4,
        flush_interval: Duration::from_millis(1),
        flush_thorough_interval: Duration::ZERO,
        expiry,
        ..StoreConfig::at(dir)
    }
}

/// A store whose queue 0 has a message in each of `files` log files.
fn filled(config: &StoreConfig, files: usize) -> Arc<Store> {
    filled_for(config, files, Arc::new(()))
}

fn filled_for(config: &StoreConfig, files: usize, arrivals: Arc<dyn Arrivals>) -> Arc<Store> {
    let store = Store::open(config.clone(), arrivals).expect("opened");
    for n in 0..files {
        put(&store, "T", n).expect("stored");
    }
    wait_for_disk(&store);
    store
}

/// Waits until all is dispatched and on disk.
fn wait_for_disk(store: &Store) {
    while store.dispatch_behind_bytes() > 0 || store.flushed_log_offset() < store.max_log_offset() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn put(store: &Store, topic: &str, n: usize) -> Result<(), AppendError> {
    let properties = format!("KEYS\u{1}k{n}\u{2}");
    let message = NewMessage {
        topic,
        queue_id: 0,
        flag: 0,
        sys_flag: 0,
        born_timestamp_ms: 0,
        born_host: ([127, 0, 0, 1], 1).into(),
        store_host: ([127, 0, 0, 1], 2).into(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: &BODY,
        properties: &properties,
    };
    store.append(&message).map(|_| ())
}

/// Makes the first `count` log files look four days old.
fn age(store: &Store, count: usize) {
    let files = names(&store.config().commit_log_dir);
    for name in files.iter().take(count) {
        let file = File::options().write(true).open(name).expect("there");
        let modified = SystemTime::now() - 4 * DAY;
        file.set_modified(modified).expect("set");
    }
}

fn names(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("listed");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("one").path()).collect();
    names.sort();
    names
}

fn at(hour: u32) -> Moment {
    let now = SystemTime::now();
    Moment { now, hour }
}

fn empty_disk(_: &Path) -> Option<f64> {
    Some(0.1)
}

/// Offset of the first message, and what a reader of the whole queue gets.
fn first_and_count(store: &Store) -> (i64, u32) {
    let (min, max) = (store.min_offset("T", 0), store.max_offset("T", 0));
    let (mut from, mut count) = (min, 0);
    while from < max {
        let read = store.read_queue("T", 0, from, 32, &mut Everything);
        assert_eq!(read.status, ReadStatus::Found, "at {from}");
        (from, count) = (read.next_begin, count + read.message_count);
    }
    (min.0, count)
}

#[test]
fn old_files_go_at_their_hour_and_only_then() {
    let dir = tempfile::tempdir().expect("folder");
    let store = filled(&config(dir.path()), 9);
    age(&store, 6);
    for hour in [0, 3, 5, 23] {
        store.cleaner.round(at(hour), &empty_disk);
        assert_eq!(first_and_count(&store), (0, 9), "at {hour}");
    }
    store.cleaner.round(at(4), &empty_disk);
    assert_eq!(first_and_count(&store), (6, 3));
    assert_eq!(store.min_log_offset(), LogOffset(6 * FILE_BYTES));
    let queue = names(&dir.path().join("consumequeue/T/0"));
    assert_eq!(
        queue.len(),
        1,
        "five entries a file, the first file is gone"
    );
    assert_eq!(
        names(&dir.path().join("index")).len(),
        1,
        "three keys a file"
    );
    let found = |key| store.query_by_key("T", key, 9, 0, i64::MAX).records.len();
    assert_eq!([found("k5"), found("k6"), found("k8")], [0, 1, 1]);
}

#[test]
fn a_young_file_keeps_those_behind_it() {
    let dir = tempfile::tempdir().expect("folder");
    let store = filled(&config(dir.path()), 4);
    age(&store, 4);
    let second = &names(&store.config().commit_log_dir)[1];
    let second = File::options().write(true).open(second).expect("there");
    second.set_modified(SystemTime::now()).expect("set");
    store.cleaner.round(at(4), &empty_disk);
    assert_eq!(first_and_count(&store), (1, 3));
    second.set_modified(SystemTime::now() + DAY).expect("set");
    store.cleaner.round(at(4), &empty_disk);
    assert_eq!(first_and_count(&store), (1, 3), "the clock was set back");
}

#[test]
fn ten_files_a_round_and_never_the_last() {
    let dir = tempfile::tempdir().expect("folder");
    let store = filled(&config(dir.path()), 14);
    age(&store, 14);
    store.cleaner.round(at(4), &empty_disk);
    assert_eq!(first_and_count(&store), (10, 4));
    for _ in 0..3 {
        store.cleaner.round(at(4), &|_| Some(0.99));
    }
    assert_eq!(first_and_count(&store), (13, 1));
}

#[test]
fn an_administrator_is_heard_for_twenty_rounds() {
    let dir = tempfile::tempdir().expect("folder");
    let store = filled(&config(dir.path()), 4);
    store.delete_expired_files();
    for _ in 0..19 {
        store.cleaner.round(at(5), &empty_disk);
    }
    age(&store, 1);
    store.cleaner.round(at(5), &empty_disk);
    assert_eq!(first_and_count(&store), (1, 3));
    age(&store, 1);
    store.cleaner.round(at(5), &empty_disk);
    assert_eq!(first_and_count(&store), (1, 3));
}

#[test]
fn a_scarce_disk_takes_old_files_at_any_hour_and_a_nearly_full_one_young_ones() {
    let dir = tempfile::tempdir().expect("folder");
    let store = filled(&config(dir.path()), 5);
    age(&store, 1);
    store.cleaner.round(at(5), &|_| Some(0.8));
    assert_eq!(first_and_count(&store), (1, 4));
    // Each file that goes is a tenth of the disk.
    let log_dir = store.config().commit_log_dir.clone();
    let log_alone = names(&log_dir).len();
    let used = |dir: &Path| {
        let gone = log_alone - names(&log_dir).len();
        (dir == log_dir).then_some(0.89 - 0.1 * gone as f64)
    };
    store.cleaner.round(at(5), &used);
    assert_eq!(first_and_count(&store), (2, 3), "no more than need be");
}

#[test]
fn files_that_are_young_stay_where_they_may_not_be_forced() {
    let dir = tempfile::tempdir().expect("folder");
    let mut config = config(dir.path());
    config.expiry.clean_forcibly = false;
    let store = filled(&config, 3);
    store.cleaner.round(at(4), &|_| Some(0.88));
    assert_eq!(first_and_count(&store), (0, 3));
}

#[test]
fn a_full_disk_refuses_senders_and_serves_readers_until_it_has_room() {
    let dir = tempfile::tempdir().expect("folder");
    let mut config = config(dir.path());
    config.expiry.clean_forcibly = false;
    let store = filled(&config, 3);
    let full = AppendError::ServiceNotAvailable(Unavailable::DiskFull);
    let queue_dir = dir.path().join("consumequeue");
    for full_dir in [&config.commit_log_dir, &queue_dir] {
        let used = |dir: &Path| Some(if dir == full_dir { 0.91 } else { 0.1 });
        store.cleaner.round(at(5), &used);
        assert_eq!(put(&store, "T", 0), Err(full));
        assert_eq!(first_and_count(&store).1, 3);
        store.cleaner.round(at(5), &|_| Some(0.90));
        assert_eq!(store.unavailable(), None);
    }
}

#[test]
fn room_that_a_deleted_file_gives_back_ends_the_refusal_at_once() {
    let dir = tempfile::tempdir().expect("folder");
    let store = filled(&config(dir.path()), 5);
    let oldest = names(&store.config().commit_log_dir).swap_remove(0);
    let used = |_: &Path| Some(if oldest.exists() { 0.95 } else { 0.8 });
    store.cleaner.round(at(5), &used);
    put(&store, "T", 5).expect("taken again");
    assert_eq!(store.min_offset("T", 0), QueueOffset(1));
}

#[test]
fn the_next_file_is_spared_while_the_last_one_is_still_read() {
    let dir = tempfile::tempdir().expect("folder");
    let store = filled(&config(dir.path()), 4);
    let reading = store.read_queue("T", 0, QueueOffset(0), 1, &mut Everything);
    for _ in 0..3 {
        store.cleaner.round(at(5), &|_| Some(0.88));
    }
    assert_eq!(store.min_offset("T", 0), QueueOffset(1));
    let record = crate::Record::decode(&reading.records[0]).expect("whole");
    assert_eq!(record.body, BODY, "read on");
    drop(reading);
    store.cleaner.round(at(5), &|_| Some(0.88));
    assert_eq!(store.min_offset("T", 0), QueueOffset(3));
}

#[test]
fn what_the_checkpoint_does_not_vouch_for_stays() {
    let dir = tempfile::tempdir().expect("folder");
    let store = filled(&config(dir.path()), 4);
    age(&store, 4);
    store
        .cleaner
        .queue_flush
        .failed
        .store(true, Ordering::Relaxed);
    store.cleaner.round(at(4), &empty_disk);
    assert_eq!(first_and_count(&store), (0, 4));
    store
        .cleaner
        .queue_flush
        .failed
        .store(false, Ordering::Relaxed);
    store.cleaner.round(at(4), &empty_disk);
    assert_eq!(first_and_count(&store), (3, 1));
}

#[test]
fn after_a_stop_or_a_crash_all_goes_on_where_it_was() {
    for clean in [true, false] {
        let dir = tempfile::tempdir().expect("folder");
        let config = config(dir.path());
        let store = filled(&config, 9);
        put(&store, "quiet", 0).expect("stored");
        put(&store, "T", 9).expect("stored");
        put(&store, "T", 10).expect("stored");
        wait_for_disk(&store);
        age(&store, 10);
        store.cleaner.round(at(4), &empty_disk);
        let seen = first_and_count(&store);
        assert_eq!(seen, (9, 2));
        assert!(store.has_expired("quiet") && !store.has_expired("T"));
        if clean {
            assert!(store.close());
        }
        drop(store);
        let store = Store::open(config, Arc::new(())).expect("opened");
        assert_eq!(first_and_count(&store), seen, "clean: {clean}");
        let quiet = (
            store.min_offset("quiet", 0).0,
            store.max_offset("quiet", 0).0,
        );
        assert_eq!(quiet, (1, 1), "its numbers go on");
        let small = store.read_queue("T", 0, QueueOffset(2), 32, &mut Everything);
        assert_eq!(small.status, ReadStatus::OffsetTooSmall);
        assert_eq!(small.next_begin, QueueOffset(9));
    }
}

#[test]
fn a_crash_behind_the_log_file_leaves_nothing_that_points_into_it() {
    let dir = tempfile::tempdir().expect("folder");
    let config = config(dir.path());
    let store = filled(&config, 9);
    assert!(store.cleaner.queue_flush.flush_all());
    for _ in 0..7 {
        let oldest = store.cleaner.log.oldest_of_several().expect("several");
        assert!(store.cleaner.log.remove_oldest(&oldest).expect("removed"));
    }
    drop(store);
    let store = Store::open(config, Arc::new(())).expect("opened");
    assert_eq!(first_and_count(&store), (7, 2));
    store.cleaner.round(at(5), &empty_disk);
    assert_eq!(names(&dir.path().join("consumequeue/T/0")).len(), 1);
    assert_eq!(names(&dir.path().join("index")).len(), 1);
}

#[test]
fn a_full_file_has_the_time_of_its_end_and_a_start_makes_none_younger() {
    let dir = tempfile::tempdir().expect("folder");
    let config = config(dir.path());
    let store = filled(&config, 1);
    age(&store, 1);
    put(&store, "T", 1).expect("stored");
    let first = &names(&config.commit_log_dir)[0];
    let modified = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified());
    let finished = modified(first).expect("there");
    let age_of = SystemTime::now().duration_since(finished);
    assert!(age_of.is_ok_and(|age| age < Duration::from_secs(60)));
    age(&store, 1);
    let old = modified(first).expect("there");
    drop(store);
    let _store = Store::open(config.clone(), Arc::new(())).expect("recovered");
    assert_eq!(modified(first).expect("there"), old);
    assert!(old > UNIX_EPOCH);
}

/// Bit maps so long that a file of the extension has four units.
struct LongMaps;

impl Arrivals for LongMaps {
    fn arrived(&self, _: &Arrival<'_>) {}
    fn filter_bits(&self, _: &str, record: &Record<'_>) -> Option<Vec<u8>> {
        Some(vec![record.queue_offset as u8; 1000])
    }
}

/// Notes the first byte of each unit's map.
struct Units(Vec<u8>);

impl Select for Units {
    fn entry(&mut self, _: i64) -> bool {
        true
    }
    fn unit(&mut self, unit: &ExtUnit<'_>) -> bool {
        self.0.extend(unit.filter_bits.first());
        true
    }
}

#[test]
fn what_a_queues_extension_says_goes_with_its_message() {
    let dir = tempfile::tempdir().expect("folder");
    let config = StoreConfig {
        consume_queue_ext_enable: true,
        consume_queue_ext_file_bytes: 4096,
        ..config(dir.path())
    };
    let store = filled_for(&config, 14, Arc::new(LongMaps));
    let ext = dir.path().join("consumequeue_ext/T/0");
    assert_eq!(names(&ext).len(), 4, "four units a file");
    age(&store, 9);
    store.cleaner.round(at(4), &empty_disk);
    assert_eq!(first_and_count(&store), (9, 5));
    assert_eq!(names(&ext).len(), 2, "unit 9 lies in the third");
    let mut units = Units(Vec::new());
    let mut from = QueueOffset(9);
    while from < store.max_offset("T", 0) {
        from = store.read_queue("T", 0, from, 32, &mut units).next_begin;
    }
    assert_eq!(units.0, [9, 10, 11, 12, 13]);
}
