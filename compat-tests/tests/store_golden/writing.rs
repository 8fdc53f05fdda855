//! Writing on in Java's store, and writing the same as Java.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde_json::Value;
use store::{Appended, NewMessage, QueueOffset, Record, Store};

use crate::golden::{int, list, path, text};
use crate::opened::{copy, expected, open};
use crate::reading::{assert_keys, assert_messages, assert_reads};

fn message<'a>(topic: &'a str, body: &'a [u8], properties: &'a str) -> NewMessage<'a> {
    NewMessage {
        topic,
        queue_id: 0,
        flag: 0,
        sys_flag: 0,
        born_timestamp_ms: 1_600_000_000_123,
        born_host: SocketAddr::from(([10, 0, 0, 9], 50123)),
        store_host: SocketAddr::from(([10, 0, 0, 1], 10911)),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body,
        properties,
    }
}

#[test]
fn a_store_of_javas_is_written_further_and_reopened() {
    let (expected, folder) = (expected("clean"), copy("clean"));
    let (store, count) = open(&expected, folder.path());
    let first = store.max_offset("GoldenTopic", 0);
    let end = store.max_log_offset();
    let body = vec![7; 500];
    for number in 0..150 {
        let properties = format!("KEYS\u{1}ours ours-{number}\u{2}TAGS\u{1}TagA\u{2}");
        let put = store
            .append(&message("GoldenTopic", &body, &properties))
            .expect("stored");
        assert_eq!(put.queue_offset, first.plus(number));
        if number == 0 {
            assert_eq!(put.log_offset, end);
        }
    }
    count.wait_for(150);
    assert_written(&store, &expected, first);
    assert!(store.close());
    drop(store);

    let (store, _) = open(&expected, folder.path());
    assert_written(&store, &expected, first);
    assert!(store.close());
}

/// Java's messages are where they were, ours are behind them.
fn assert_written(store: &Store, expected: &Value, first: QueueOffset) {
    assert_messages(store, expected);
    assert_eq!(store.max_offset("GoldenTopic", 0), first.plus(150));
    for number in [0, 1, 75, 149] {
        let found = store.query_by_key("GoldenTopic", &format!("ours-{number}"), 32, 0, i64::MAX);
        let [record] = &*found.records else {
            panic!("{} messages have key ours-{number}", found.records.len());
        };
        let record = Record::decode(record).expect("whole");
        assert_eq!(record.queue_offset, first.plus(number).0);
    }
    let java = store.query_by_key("GoldenTopic", "order-1", 32, 0, i64::MAX);
    assert_eq!(java.records.len(), 1);
}

/// Every message of Java's store, in its order, into an empty one of ours: the same places, the same bytes, the same
/// queue files. Only the store times are our own.
#[test]
fn the_same_messages_make_the_same_store() {
    let expected = expected("clean");
    let java = Log::read(&path("store/clean/commitlog"));
    let folder = tempfile::tempdir().expect("a folder");
    let (store, count) = open(&expected, folder.path());
    let mut entries = 0;
    let mut messages = list(&expected, "messages").iter();
    while let Some(facts) = messages.next() {
        let name = facts
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let mut group = vec![facts];
        if name.starts_with("batch") {
            group.extend(messages.by_ref().take(2));
        }
        let records: Vec<_> = group.iter().map(|facts| java.record(facts)).collect();
        let new: Vec<_> = records.iter().map(again).collect();
        let put = match &*new {
            [one] => vec![store.append(one).expect("stored")],
            batch => store.append_batch(batch).expect("stored"),
        };
        for ((facts, record), put) in group.iter().zip(&records).zip(put) {
            assert_put(&store, &java, facts, record, put);
            entries += usize::from(!facts.get("queueEntry").is_none_or(Value::is_null));
        }
    }
    count.wait_for(entries);
    assert_eq!(
        store.max_log_offset().as_i64(),
        int(&expected, "maxPhysicalOffset")
    );
    assert_reads(&store, &expected);
    assert_keys(&store, &expected, false);
    assert!(store.close());
    assert_same_filler(
        &expected,
        &java,
        &Log::read(&folder.path().join("commitlog")),
    );
    assert_same_queues(folder.path());
}

fn assert_put(store: &Store, java: &Log, facts: &Value, record: &Record<'_>, put: Appended) {
    let place = (int(facts, "physicalOffset"), int(facts, "queueOffset"));
    assert_eq!(
        (put.log_offset.as_i64(), put.queue_offset.0),
        place,
        "{facts}"
    );
    let mut ours = store
        .record_at(put.log_offset)
        .expect("just stored")
        .to_vec();
    let time_at = 48 + record.born_host.len();
    let time = ours
        .get_mut(time_at..)
        .and_then(<[u8]>::first_chunk_mut::<8>);
    let time = time.expect("within the record");
    assert_eq!(i64::from_be_bytes(*time), put.store_timestamp_ms);
    *time = record.store_timestamp_ms.to_be_bytes();
    assert!(ours == java.bytes_of(facts), "{facts}");
}

/// Where a file ends early stands the same filler header.
fn assert_same_filler(expected: &Value, java: &Log, ours: &Log) {
    for blank in list(expected, "blanks") {
        let at = usize::try_from(int(blank, "physicalOffset")).expect("a place");
        assert_eq!(ours.0.get(at..at + 8), java.0.get(at..at + 8), "{blank}");
    }
}

/// Queue entries hold no store time, but for those of delayed messages.
fn assert_same_queues(ours: &Path) {
    let queues = path("store/clean/consumequeue");
    let mut compared = 0;
    for topic in fs::read_dir(&queues).expect("a folder") {
        let topic = topic.expect("a folder").path();
        if topic.ends_with("SCHEDULE_TOPIC_XXXX") {
            continue;
        }
        for queue in fs::read_dir(&topic).expect("a folder") {
            for file in fs::read_dir(queue.expect("a folder").path()).expect("a folder") {
                let file = file.expect("a file").path();
                let name = file.strip_prefix(&queues).expect("below it");
                let twin = ours.join("consumequeue").join(name);
                let (java, ours) = (fs::read(&file), fs::read(&twin));
                assert!(
                    java.expect("a file") == ours.expect("a file"),
                    "{}",
                    name.display()
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 8, "{compared} queue files");
}

/// A commit log as one run of bytes.
struct Log(Vec<u8>);

impl Log {
    fn read(folder: &Path) -> Log {
        let files = fs::read_dir(folder).expect("a folder");
        let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        files.sort();
        Log(files
            .iter()
            .flat_map(|file| fs::read(file).expect("a file"))
            .collect())
    }

    fn bytes_of(&self, facts: &Value) -> &[u8] {
        let at = usize::try_from(int(facts, "physicalOffset")).expect("a place");
        let bytes = usize::try_from(int(facts, "size")).expect("a size");
        self.0.get(at..at + bytes).expect("within the log")
    }

    fn record(&self, facts: &Value) -> Record<'_> {
        Record::decode(self.bytes_of(facts)).expect("Java wrote it whole")
    }
}

/// The message that the record was made from.
fn again<'a>(record: &Record<'a>) -> NewMessage<'a> {
    let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).expect("text");
    NewMessage {
        topic: text(record.topic),
        queue_id: record.queue_id,
        flag: record.flag,
        sys_flag: record.sys_flag,
        born_timestamp_ms: record.born_timestamp_ms,
        born_host: host(record.born_host),
        store_host: host(record.store_host),
        reconsume_times: record.reconsume_times,
        prepared_transaction_offset: record.prepared_transaction_offset,
        body: record.body,
        properties: text(record.properties),
    }
}

fn host(bytes: &[u8]) -> SocketAddr {
    let (ip, port) = bytes
        .split_last_chunk::<4>()
        .expect("an address and a port");
    let ip = match (<[u8; 4]>::try_from(ip), <[u8; 16]>::try_from(ip)) {
        (Ok(v4), _) => IpAddr::V4(Ipv4Addr::from(v4)),
        (_, Ok(v6)) => IpAddr::V6(Ipv6Addr::from(v6)),
        _ => panic!("an address of {} bytes", ip.len()),
    };
    let port = u16::try_from(u32::from_be_bytes(*port)).expect("a port");
    SocketAddr::new(ip, port)
}

/// What the golden facts say of addresses is what the records hold.
#[test]
fn hosts_of_both_families_read_as_java_prints_them() {
    let expected = expected("clean");
    let java = Log::read(&path("store/clean/commitlog"));
    let mut v6 = 0;
    for facts in list(&expected, "messages") {
        if facts.get("bornHost").is_none() {
            continue;
        }
        let record = java.record(facts);
        for (name, bytes) in [
            ("bornHost", record.born_host),
            ("storeHost", record.store_host),
        ] {
            let address: SocketAddr = text(facts, name).parse().expect("an address");
            assert_eq!(host(bytes), address, "{facts}");
            v6 += usize::from(address.is_ipv6());
        }
    }
    assert_eq!(v6, 4);
}
