//! Stores that Java 4.7.0 made, opened here: `compat-tests/golden/store`, whose README says how they
//! were made and what is in them.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use store::{LogOffset, NewMessage, QueueOffset, ReadStatus, Record, Select, Store, StoreConfig};
use support::{append_some, crash_copy, message, open, settle};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../compat-tests/golden/store")
        .join(name)
}

fn expected(name: &str) -> Value {
    let text = fs::read_to_string(golden(&format!("{name}.expected.json"))).expect("there");
    serde_json::from_str(&text).expect("JSON")
}

fn number(value: &Value, field: &str) -> i64 {
    value
        .get(field)
        .and_then(Value::as_i64)
        .unwrap_or_else(|| panic!("{field} in {value}"))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("{field} in {value}"))
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value
        .get(field)
        .and_then(Value::as_array)
        .unwrap_or_else(|| panic!("{field}"))
}

fn queue(value: &Value) -> (&str, u32) {
    (text(value, "topic"), number(value, "queueId") as u32)
}

/// A copy of a golden store, with the sizes it was made with.
fn copied(name: &str, to: &Path) -> StoreConfig {
    crash_copy(&golden(name), to);
    let expected = expected(name);
    let sizes = expected.get("config").expect("sizes");
    let size = |key| number(sizes, key) as u32;
    StoreConfig {
        commit_log_file_bytes: size("mappedFileSizeCommitLog"),
        consume_queue_file_bytes: size("mappedFileSizeConsumeQueue"),
        index_slots: size("maxHashSlotNum"),
        index_entries: size("maxIndexNum"),
        ..StoreConfig::at(to)
    }
}

/// Wants everything and notes the tag codes.
#[derive(Default)]
struct Codes(Vec<i64>);

impl Select for Codes {
    fn entry(&mut self, tags_code: i64) -> bool {
        self.0.push(tags_code);
        true
    }
}

fn assert_queues(store: &Store, queues: &[Value]) {
    for one in queues {
        let (topic, id) = queue(one);
        let (min, max) = (number(one, "minOffset"), number(one, "maxOffset"));
        assert_eq!(
            (store.min_offset(topic, id).0, store.max_offset(topic, id).0),
            (min, max),
            "{topic}-{id}"
        );
        assert_eq!(
            store.earliest_store_time(topic, id),
            Some(number(one, "earliestStoreTime"))
        );
    }
    let count: usize = store
        .topics()
        .iter()
        .map(|topic| store.queue_ids(topic).len())
        .sum();
    assert_eq!(count, queues.len());
}

fn assert_message(store: &Store, one: &Value) {
    let bytes = store
        .record_at(LogOffset(number(one, "physicalOffset") as u64))
        .expect("a record");
    let record = Record::decode(&bytes).expect("whole");
    record.check_body().expect("intact");
    assert_eq!(i64::from(record.record_bytes), number(one, "size"));
    assert_eq!(record.topic, text(one, "topic").as_bytes());
    assert_eq!(i64::from(record.queue_id), number(one, "queueId"));
    assert_eq!(record.queue_offset, number(one, "queueOffset"));
    assert_eq!(i64::from(record.sys_flag), number(one, "sysFlag"));
    assert_eq!(record.store_timestamp_ms, number(one, "storeTimestamp"));
    assert_eq!(i64::from(record.body_crc), number(one, "bodyCrc"));
    assert_eq!(record.body.len() as i64, number(one, "bodyLength"));
    assert_eq!(record.properties, text(one, "propertiesString").as_bytes());
    if let Some(entry) = one.get("queueEntry").filter(|entry| !entry.is_null()) {
        let (topic, id) = queue(one);
        let mut codes = Codes::default();
        let read = store.read_queue(topic, id, QueueOffset(record.queue_offset), 1, &mut codes);
        assert_eq!(read.records, std::slice::from_ref(&bytes));
        assert_eq!(codes.0, [number(entry, "tagsCode")]);
        assert_eq!(bytes.len() as i64, number(entry, "size"));
    }
}

fn status(read: &Value) -> ReadStatus {
    match text(read, "status") {
        "FOUND" => ReadStatus::Found,
        "NO_MATCHED_MESSAGE" => ReadStatus::NoMatchedMessage,
        "MESSAGE_WAS_REMOVING" => ReadStatus::MessageWasRemoving,
        "OFFSET_FOUND_NULL" => ReadStatus::OffsetFoundNull,
        "OFFSET_OVERFLOW_BADLY" => ReadStatus::OffsetOverflowBadly,
        "OFFSET_OVERFLOW_ONE" => ReadStatus::OffsetOverflowOne,
        "OFFSET_TOO_SMALL" => ReadStatus::OffsetTooSmall,
        "NO_MESSAGE_IN_QUEUE" => ReadStatus::NoMessageInQueue,
        other => panic!("{other}"),
    }
}

fn assert_answers(store: &Store, expected: &Value) {
    for one in list(expected, "reads") {
        let (topic, id) = queue(one);
        let from = QueueOffset(number(one, "offset"));
        let read = store.read_queue(
            topic,
            id,
            from,
            number(one, "maxMessages") as u32,
            &mut Codes::default(),
        );
        assert_eq!(read.status, status(one), "{one}");
        if read.status == ReadStatus::OffsetOverflowBadly {
            assert_eq!(read.next_begin, read.max_offset, "{one}"); // Java: back to 0
        } else {
            assert_eq!(read.next_begin.0, number(one, "nextBeginOffset"), "{one}");
        }
        assert_eq!(
            (read.min_offset.0, read.max_offset.0),
            (number(one, "minOffset"), number(one, "maxOffset")),
            "{one}"
        );
        assert_eq!(
            (i64::from(read.message_count), read.bytes as i64),
            (number(one, "count"), number(one, "bytes")),
            "{one}"
        );
    }
    for one in list(expected, "byTime") {
        let (topic, id) = queue(one);
        let found = store.offset_by_time(topic, id, number(one, "timestamp"));
        assert_eq!(found.0, number(one, "offset"), "{one}");
    }
}

fn assert_keys(store: &Store, expected: &Value) {
    for one in list(expected, "byKey") {
        let (begin, end) = (number(one, "begin"), number(one, "end"));
        let found = store.query_by_key(
            text(one, "topic"),
            text(one, "key"),
            number(one, "maxNum") as u32,
            begin,
            end,
        );
        let offsets = found
            .records
            .iter()
            .map(|record| Record::decode(record).expect("whole").log_offset);
        let java = list(one, "physicalOffsets")
            .iter()
            .filter_map(Value::as_i64);
        assert!(offsets.eq(java), "{one}");
        assert_eq!(
            found.index_last_update_log_offset.as_i64(),
            number(one, "indexLastUpdatePhysicalOffset"),
            "{one}"
        );
        assert_eq!(
            found.index_last_update_timestamp_ms,
            number(one, "indexLastUpdateTimestamp"),
            "{one}"
        );
    }
}

#[test]
fn a_store_that_java_closed_says_here_what_it_says_in_java() {
    let dir = tempfile::tempdir().expect("folder");
    let (config, expected) = (copied("clean", dir.path()), expected("clean"));
    for _ in 0..2 {
        let (store, _) = open(config.clone());
        assert_eq!(
            store.min_log_offset().as_i64(),
            number(&expected, "minPhysicalOffset")
        );
        assert_eq!(
            store.max_log_offset().as_i64(),
            number(&expected, "maxPhysicalOffset")
        );
        assert_queues(&store, list(&expected, "queues"));
        list(&expected, "messages")
            .iter()
            .for_each(|one| assert_message(&store, one));
        assert_answers(&store, &expected);
        assert_keys(&store, &expected);
        assert!(store.close());
    }
}

#[test]
fn a_store_whose_java_was_killed_loses_nothing() {
    let dir = tempfile::tempdir().expect("folder");
    let (config, expected) = (copied("killed", dir.path()), expected("killed"));
    let (store, _) = open(config.clone());
    let recovered = &expected["afterRecoveryByJava"];
    assert_eq!(
        store.max_log_offset().as_i64(),
        number(recovered, "maxPhysicalOffset")
    );
    assert_queues(&store, list(recovered, "queues"));
    list(&expected, "messages")
        .iter()
        .for_each(|one| assert_message(&store, one));
    assert_answers(&store, &expected);
    for one in list(&expected, "byKey") {
        let found = store.query_by_key(
            text(one, "topic"),
            text(one, "key"),
            number(one, "maxNum") as u32,
            0,
            i64::MAX,
        );
        assert_eq!(
            found.records.len(),
            list(one, "physicalOffsets").len(),
            "{one}"
        );
    }
    let before = store.max_offset("T", 0);
    append_some(&store, 0, 200);
    settle(&store);
    assert_eq!((before.0, store.max_offset("T", 0).0), (0, 100));
    assert!(store.close());
    let (store, _) = open(config);
    list(&expected, "messages")
        .iter()
        .for_each(|one| assert_message(&store, one));
    assert_eq!(store.max_offset("T", 0).0, 100);
}

/// Path below `root` and content of every file, index files by their order.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut entries: Vec<_> = fs::read_dir(root)
        .expect("listed")
        .map(|entry| entry.expect("listed").path())
        .collect();
    entries.sort();
    for (place, path) in entries.into_iter().enumerate() {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            all.extend(
                files(&path)
                    .into_iter()
                    .map(|(rest, bytes)| (format!("{name}/{rest}"), bytes)),
            );
        } else {
            let name = if name.len() == 17 {
                format!("#{place}")
            } else {
                name
            };
            all.insert(name, fs::read(path).expect("read"));
        }
    }
    all
}

#[test]
fn queues_and_index_built_from_javas_log_are_javas_byte_for_byte() {
    let dir = tempfile::tempdir().expect("folder");
    let config = copied("clean", dir.path());
    let (queues, index) = (dir.path().join("consumequeue"), dir.path().join("index"));
    fs::remove_dir_all(&queues).expect("removed");
    fs::remove_dir_all(&index).expect("removed");
    let (store, _) = open(config);
    assert!(store.close());
    assert!(
        files(&index) == files(&golden("clean/index")),
        "the index differs"
    );
    let (ours, javas) = (files(&queues), files(&golden("clean/consumequeue")));
    assert!(
        ours.keys().eq(javas.keys()),
        "{:?} {:?}",
        ours.keys(),
        javas.keys()
    );
    for (name, bytes) in &javas {
        assert!(ours[name] == *bytes, "{name} differs");
    }
}

fn host(bytes: &[u8]) -> SocketAddr {
    let (ip, port) = bytes.split_at(bytes.len() - 4);
    let ip = match ip.len() {
        4 => IpAddr::from(
            <[u8; 4]>::try_from(ip)
                .map(Ipv4Addr::from)
                .expect("4 bytes"),
        ),
        _ => IpAddr::from(
            <[u8; 16]>::try_from(ip)
                .map(Ipv6Addr::from)
                .expect("16 bytes"),
        ),
    };
    SocketAddr::new(
        ip,
        u32::from_be_bytes(port.try_into().expect("4 bytes")) as u16,
    )
}

/// The record without what depends on when and where it was stored: offsets and store time.
fn placeless(bytes: &[u8]) -> Vec<u8> {
    let record = Record::decode(bytes).expect("whole");
    let time_at = 48 + record.born_host.len();
    let of_place = |at: &usize| (20..36).contains(at) || (time_at..time_at + 8).contains(at);
    let bytes = bytes.iter().take(record.record_bytes as usize).enumerate();
    bytes
        .map(|(at, byte)| if of_place(&at) { 0 } else { *byte })
        .collect()
}

#[test]
fn every_kind_of_record_is_written_as_java_writes_it() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(StoreConfig::at(dir.path()));
    let mut kinds = 0;
    for path in fs::read_dir(golden("records")).expect("listed") {
        let path = path.expect("listed").path();
        let hex: String = fs::read_to_string(&path)
            .expect("read")
            .split_whitespace()
            .collect();
        let bytes: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex"))
            .collect();
        for cut in 0..Record::decode(&bytes).expect("whole").record_bytes as usize {
            assert!(
                Record::decode(&bytes[..cut]).is_err(),
                "{} cut at {cut}",
                path.display()
            );
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let record = Record::decode(rest).expect("whole");
            let (topic, properties) = (record.topic.to_vec(), record.properties.to_vec());
            let again = store.append(&NewMessage {
                flag: record.flag,
                sys_flag: record.sys_flag,
                born_timestamp_ms: record.born_timestamp_ms,
                born_host: host(record.born_host),
                store_host: host(record.store_host),
                reconsume_times: record.reconsume_times,
                prepared_transaction_offset: record.prepared_transaction_offset,
                ..message(
                    std::str::from_utf8(&topic).expect("UTF-8"),
                    record.queue_id,
                    record.body,
                    std::str::from_utf8(&properties).expect("UTF-8"),
                )
            });
            let ours = store
                .record_at(again.expect("stored").log_offset)
                .expect("there");
            assert!(
                placeless(&ours) == placeless(rest),
                "{} differs",
                path.display()
            );
            rest = &rest[record.record_bytes as usize..];
            kinds += 1;
        }
    }
    assert!(kinds > 20, "only {kinds} records");
}

#[test]
fn javas_lock_file_keeps_its_content_and_a_second_owner_out() {
    let dir = tempfile::tempdir().expect("folder");
    let config = copied("clean", dir.path());
    let (_store, _) = open(config.clone());
    assert!(Store::open(config, Arc::new(())).is_err());
}
