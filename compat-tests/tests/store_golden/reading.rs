//! What our store reads out of Java's files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use store::{Everything, LogOffset, QueueOffset, ReadStatus, Record, Select, Store, StoreError};

use crate::golden::{hex, int, list, text};
use crate::opened::{config, copy, expected, open};

fn queue_id(fact: &Value) -> u32 {
    u32::try_from(int(fact, "queueId")).expect("a queue")
}

fn log_offset(fact: &Value) -> LogOffset {
    LogOffset::from_i64(int(fact, "physicalOffset")).expect("a place in the log")
}

/// Holds what the store has at a message's place against what Java read there.
pub(crate) fn assert_message(store: &Store, facts: &Value) {
    let at = log_offset(facts);
    let bytes = store
        .record_at(at)
        .unwrap_or_else(|| panic!("no record at {at}"));
    let record = Record::decode(&bytes).unwrap_or_else(|error| panic!("at {at}: {error}"));
    record.check_body().expect("intact");
    assert_eq!(bytes.len() as i64, int(facts, "size"), "at {at}");
    assert_eq!(record.log_offset, at.as_i64(), "at {at}");
    assert_eq!(record.topic, text(facts, "topic").as_bytes(), "at {at}");
    assert_eq!(record.queue_id, queue_id(facts), "at {at}");
    assert_eq!(record.queue_offset, int(facts, "queueOffset"), "at {at}");
    assert_eq!(i64::from(record.sys_flag), int(facts, "sysFlag"), "at {at}");
    assert_eq!(
        record.store_timestamp_ms,
        int(facts, "storeTimestamp"),
        "at {at}"
    );
    assert_eq!(i64::from(record.body_crc), int(facts, "bodyCrc"), "at {at}");
    assert_eq!(
        record.body.len() as i64,
        int(facts, "bodyLength"),
        "at {at}"
    );
    assert_eq!(
        record.properties,
        text(facts, "propertiesString").as_bytes(),
        "at {at}"
    );
    if facts.get("msgId").is_some() {
        assert_eq!(record.body, hex(text(facts, "bodyHex")), "at {at}");
        assert_eq!(i64::from(record.flag), int(facts, "flag"), "at {at}");
        assert_eq!(
            record.born_timestamp_ms,
            int(facts, "bornTimestamp"),
            "at {at}"
        );
        assert_eq!(
            i64::from(record.reconsume_times),
            int(facts, "reconsumeTimes"),
            "at {at}"
        );
        let prepared = int(facts, "preparedTransactionOffset");
        assert_eq!(record.prepared_transaction_offset, prepared, "at {at}");
        let properties = facts.get("properties").and_then(Value::as_object);
        for (name, value) in properties.expect("named messages have them") {
            let read = record.property(name.as_bytes());
            assert_eq!(read, value.as_str().map(str::as_bytes), "{name} at {at}");
        }
    }
}

/// Keeps the code of the entry that it is shown.
#[derive(Default)]
struct TagsCode(Option<i64>);

impl Select for TagsCode {
    fn entry(&mut self, tags_code: i64) -> bool {
        self.0.get_or_insert(tags_code);
        true
    }
}

/// Holds a message's queue entry against Java's; prepared and rolled back messages have none.
fn assert_entry(store: &Store, facts: &Value) {
    let Some(entry) = facts.get("queueEntry").filter(|entry| !entry.is_null()) else {
        return;
    };
    let (topic, queue_id) = (text(facts, "topic"), queue_id(facts));
    let offset = QueueOffset(int(facts, "queueOffset"));
    assert_eq!(
        store.log_offset_of(topic, queue_id, offset),
        Some(log_offset(facts))
    );
    assert_eq!(
        store.store_time(topic, queue_id, offset),
        Some(int(facts, "storeTimestamp"))
    );
    let mut code = TagsCode::default();
    let read = store.read_queue(topic, queue_id, offset, 1, &mut code);
    assert_eq!(
        code.0,
        Some(int(entry, "tagsCode")),
        "{topic} {queue_id} {offset}"
    );
    assert_eq!((read.status, read.message_count), (ReadStatus::Found, 1));
    assert_eq!(read.bytes as i64, int(entry, "size"));
}

pub(crate) fn assert_messages(store: &Store, expected: &Value) {
    for facts in list(expected, "messages") {
        assert_message(store, facts);
        assert_entry(store, facts);
    }
}

pub(crate) fn assert_queues(store: &Store, expected: &Value) {
    let mut topics = BTreeMap::<&str, Vec<u32>>::new();
    for facts in list(expected, "queues") {
        let (topic, queue_id) = (text(facts, "topic"), queue_id(facts));
        topics.entry(topic).or_default().push(queue_id);
        let limits = (
            store.min_offset(topic, queue_id).0,
            store.max_offset(topic, queue_id).0,
        );
        let place = format!("{topic} {queue_id}");
        assert_eq!(
            limits,
            (int(facts, "minOffset"), int(facts, "maxOffset")),
            "{place}"
        );
        let earliest = store.earliest_store_time(topic, queue_id);
        assert_eq!(earliest, Some(int(facts, "earliestStoreTime")), "{place}");
    }
    let mut ours = store.topics();
    ours.sort();
    assert_eq!(ours, topics.keys().copied().collect::<Vec<_>>());
    for (topic, queue_ids) in topics {
        assert_eq!(store.queue_ids(topic), queue_ids, "{topic}");
    }
}

fn status(name: &str) -> ReadStatus {
    match name {
        "FOUND" => ReadStatus::Found,
        "NO_MESSAGE_IN_QUEUE" | "NO_MATCHED_LOGIC_QUEUE" => ReadStatus::NoMessageInQueue,
        "OFFSET_TOO_SMALL" => ReadStatus::OffsetTooSmall,
        "OFFSET_OVERFLOW_ONE" => ReadStatus::OffsetOverflowOne,
        "OFFSET_OVERFLOW_BADLY" => ReadStatus::OffsetOverflowBadly,
        other => panic!("status {other}"),
    }
}

pub(crate) fn assert_reads(store: &Store, expected: &Value) {
    for facts in list(expected, "reads") {
        let max = u32::try_from(int(facts, "maxMessages")).expect("a count");
        let from = QueueOffset(int(facts, "offset"));
        let read = store.read_queue(
            text(facts, "topic"),
            queue_id(facts),
            from,
            max,
            &mut Everything,
        );
        assert_eq!(read.status, status(text(facts, "status")), "{facts}");
        if read.status == ReadStatus::OffsetOverflowBadly {
            assert_eq!(read.next_begin, read.max_offset, "{facts}"); // Java: back to 0
        } else {
            assert_eq!(read.next_begin.0, int(facts, "nextBeginOffset"), "{facts}");
        }
        assert_eq!(read.min_offset.0, int(facts, "minOffset"), "{facts}");
        assert_eq!(read.max_offset.0, int(facts, "maxOffset"), "{facts}");
        assert_eq!(
            i64::from(read.message_count),
            int(facts, "count"),
            "{facts}"
        );
        assert_eq!(read.bytes as i64, int(facts, "bytes"), "{facts}");
        let records: usize = read.records.iter().map(bytes::Bytes::len).sum();
        assert_eq!(records as u64, read.bytes, "{facts}");
    }
}

/// Where a query finds its messages, and with `times` also when the index says it was last changed.
pub(crate) fn assert_keys(store: &Store, expected: &Value, times: bool) {
    for facts in list(expected, "byKey") {
        let max = u32::try_from(int(facts, "maxNum")).expect("a count");
        let (begin, end) = (int(facts, "begin"), int(facts, "end"));
        let found = store.query_by_key(text(facts, "topic"), text(facts, "key"), max, begin, end);
        let offsets = found.records.iter().map(|record| {
            let record = Record::decode(record).expect("whole");
            record.log_offset
        });
        let java = list(facts, "physicalOffsets")
            .iter()
            .filter_map(Value::as_i64);
        assert_eq!(
            offsets.collect::<Vec<_>>(),
            java.collect::<Vec<_>>(),
            "{facts}"
        );
        let last_offset = found.index_last_update_log_offset.as_i64();
        assert_eq!(
            last_offset,
            int(facts, "indexLastUpdatePhysicalOffset"),
            "{facts}"
        );
        if times {
            let last_time = found.index_last_update_timestamp_ms;
            assert_eq!(last_time, int(facts, "indexLastUpdateTimestamp"), "{facts}");
        }
    }
}

pub(crate) fn assert_times(store: &Store, expected: &Value) {
    for facts in list(expected, "byTime") {
        let found = store.offset_by_time(
            text(facts, "topic"),
            queue_id(facts),
            int(facts, "timestamp"),
        );
        assert_eq!(found.0, int(facts, "offset"), "{facts}");
    }
}

#[test]
fn every_message_is_where_java_put_it() {
    let (expected, folder) = (expected("clean"), copy("clean"));
    let (store, _) = open(&expected, folder.path());
    assert_eq!(
        store.min_log_offset().as_i64(),
        int(&expected, "minPhysicalOffset")
    );
    assert_eq!(
        store.max_log_offset().as_i64(),
        int(&expected, "maxPhysicalOffset")
    );
    assert!(list(&expected, "messages").len() > 200);
    assert_messages(&store, &expected);
    assert_queues(&store, &expected);
    assert!(store.close());
}

#[test]
fn reads_end_as_javas_do() {
    let (expected, folder) = (expected("clean"), copy("clean"));
    let (store, _) = open(&expected, folder.path());
    assert_reads(&store, &expected);
    assert!(store.close());
}

#[test]
fn searches_by_time_and_key_find_what_javas_do() {
    let (expected, folder) = (expected("clean"), copy("clean"));
    let (store, _) = open(&expected, folder.path());
    assert_times(&store, &expected);
    assert_keys(&store, &expected, true);
    assert!(store.close());
}

/// Filler is not a message, and neither is the middle of one.
#[test]
fn no_record_is_read_where_none_begins() {
    let (expected, folder) = (expected("clean"), copy("clean"));
    let (store, _) = open(&expected, folder.path());
    let blanks = list(&expected, "blanks");
    assert_eq!(blanks.len(), 3);
    for blank in blanks {
        assert_eq!(store.record_at(log_offset(blank)), None, "{blank}");
    }
    assert_eq!(store.record_at(store.max_log_offset()), None);
    assert_eq!(store.record_at(LogOffset(1)), None);
    assert_eq!(store.record_at(LogOffset(u64::MAX)), None);
    assert!(store.close());
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            let bytes = fs::read(&path).expect("a file");
            all.insert(path.to_string_lossy().into_owned(), bytes);
        }
    }
    all
}

/// Java's broker can be started again as if we had not been there.
#[test]
fn opening_and_closing_changes_no_byte_of_log_queues_and_index() {
    let (expected, folder) = (expected("clean"), copy("clean"));
    let before: Vec<_> = ["commitlog", "consumequeue", "index"]
        .map(|name| files(&folder.path().join(name)))
        .into();
    let (store, _) = open(&expected, folder.path());
    assert!(store.close());
    for (name, before) in ["commitlog", "consumequeue", "index"].iter().zip(before) {
        let after = files(&folder.path().join(name));
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&after), names(&before));
        for (path, bytes) in before {
            assert!(after.get(&path) == Some(&bytes), "{path} changed");
        }
    }
    assert!(!folder.path().join("abort").exists());
}

/// R15: Java cuts or miscounts files of another size; nothing may be touched.
#[test]
fn other_file_sizes_are_refused_before_anything_is_changed() {
    let expected = expected("clean");
    for wrong in 0..3 {
        let folder = copy("clean");
        let before = files(folder.path());
        let mut config = config(&expected, folder.path());
        match wrong {
            0 => config.commit_log_file_bytes *= 2,
            1 => config.consume_queue_file_bytes += 20,
            _ => config.index_entries += 1,
        }
        let refused = Store::open(config, std::sync::Arc::new(()));
        assert!(
            matches!(refused, Err(StoreError::FileSize { .. })),
            "size {wrong}"
        );
        assert!(files(folder.path()) == before, "size {wrong}");
    }
}
