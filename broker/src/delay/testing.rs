//! A small store with delayed messages in it, for the tests of this folder.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use store::{
    DelayLevels, Everything, NewMessage, QueueOffset, Record, SCHEDULE_TOPIC, Store, StoreConfig,
};

use super::deliver::{Level, Next};
use super::progress::Progress;

/// Later than everything that waits in any level.
pub(super) const LATE_MS: i64 = i64::MAX / 2;

pub(super) struct Bench {
    pub(super) folder: tempfile::TempDir,
    pub(super) levels: String,
}

impl Bench {
    pub(super) fn new(levels: &str) -> Bench {
        Bench {
            folder: tempfile::tempdir().expect("a folder"),
            levels: levels.to_owned(),
        }
    }

    pub(super) fn config(&self) -> StoreConfig {
        StoreConfig {
            commit_log_file_bytes: 64 * 1024,
            max_message_bytes: 32 * 1024,
            consume_queue_file_bytes: 2_000,
            index_slots: 50,
            index_entries: 200,
            message_delay_level: self.levels.clone(),
            ..StoreConfig::at(self.folder.path().join("store"))
        }
    }

    pub(super) fn open(&self) -> Arc<Store> {
        Store::open(self.config(), Arc::new(())).expect("opens")
    }

    pub(super) fn offsets_file(&self) -> PathBuf {
        self.folder.path().join("delayOffset.json")
    }

    pub(super) fn progress(&self, store: &Store) -> Progress {
        Progress::open(self.offsets_file(), store).expect("loads")
    }
}

pub(super) fn message<'a>(topic: &'a str, body: &'a str, properties: &'a str) -> NewMessage<'a> {
    NewMessage {
        topic,
        queue_id: 2,
        flag: 7,
        sys_flag: 1,
        born_timestamp_ms: 1_600_000_000_123,
        born_host: ([10, 0, 0, 9], 50_123).into(),
        store_host: ([10, 0, 0, 1], 10_911).into(),
        reconsume_times: 3,
        prepared_transaction_offset: 99,
        body: body.as_bytes(),
        properties,
    }
}

/// Stores a message of a level for topic T and waits until it can be read. When it is due.
pub(super) fn send(store: &Store, level: i32, body: &str) -> i64 {
    let properties = format!("TAGS\u{1}TagA\u{2}DELAY\u{1}{level}\u{2}");
    let appended = super::append(store, &message("T", body, &properties)).expect("stored");
    until(|| store.dispatch_behind_bytes() == 0);
    appended.store_timestamp_ms + store.delay_levels().delay_ms(level)
}

/// The level with this number.
pub(super) fn level(store: &Store, number: i32) -> Level {
    let at = usize::try_from(number - 1).expect("from 1 on");
    Level::all(store.delay_levels()).nth(at).expect("a level")
}

/// Delivers all of a level that is due at a time. How it ended; never for ever.
pub(super) fn deliver_all(store: &Store, progress: &Progress, level: &Level, now_ms: i64) -> Next {
    for _ in 0..10_000 {
        match level.turn(store, progress, &|| now_ms, &|| false) {
            Next::More => {}
            end => return end,
        }
    }
    panic!("a level delivers for ever");
}

/// The same for every level.
pub(super) fn deliver_everything(store: &Store, progress: &Progress) {
    for level in Level::all(store.delay_levels()) {
        assert_eq!(deliver_all(store, progress, &level, LATE_MS), Next::Arrival);
    }
}

/// Bodies of a queue, in order.
pub(super) fn bodies(store: &Store, topic: &str, queue_id: u32) -> Vec<String> {
    records(store, topic, queue_id, |record| {
        String::from_utf8_lossy(record.body).into_owned()
    })
}

/// Something of each record in a queue, in order.
pub(super) fn records<T>(
    store: &Store,
    topic: &str,
    queue_id: u32,
    of: impl Fn(Record<'_>) -> T,
) -> Vec<T> {
    until(|| store.dispatch_behind_bytes() == 0);
    let (mut at, mut all) = (store.min_offset(topic, queue_id), Vec::new());
    loop {
        let read = store.read_queue(topic, queue_id, at, 32, &mut Everything);
        if read.next_begin <= at {
            return all;
        }
        for slice in &read.records {
            let mut rest = &slice[..];
            while !rest.is_empty() {
                let record = Record::decode(rest).expect("whole");
                rest = &rest[record.record_bytes as usize..];
                all.push(of(record));
            }
        }
        at = read.next_begin;
    }
}

/// How many messages a level holds.
pub(super) fn held(store: &Store, level: i32) -> QueueOffset {
    store.max_offset(SCHEDULE_TOPIC, level.unsigned_abs() - 1)
}

/// Waits for a thread of the store.
pub(super) fn until(holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(30), "in time");
        thread::yield_now();
    }
}

/// Java's 18 levels.
pub(super) const JAVA: &str = DelayLevels::DEFAULT;
