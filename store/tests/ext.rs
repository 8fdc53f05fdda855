//! Queues with an extension: what it says about messages, over restarts, crashes, and switched on and off.

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use store::{
    Arrival, Arrivals, ExtUnit, LogOffset, QueueOffset, Record, Select, Store, StoreConfig,
    tags_code,
};
use support::{append_some, assert_holds, message, open, settle};

fn with_ext(root: &Path) -> StoreConfig {
    StoreConfig {
        consume_queue_ext_enable: true,
        consume_queue_ext_file_bytes: 4096,
        ..support::config(root)
    }
}

fn without_ext(root: &Path) -> StoreConfig {
    support::config(root)
}

/// Sees the units and wants those with a tag; counts the records that were looked into.
struct Seen {
    tag: &'static str,
    units: Vec<(i64, i64, Vec<u8>)>,
    records: usize,
}

impl Seen {
    fn of(tag: &'static str) -> Seen {
        Seen {
            tag,
            units: Vec::new(),
            records: 0,
        }
    }
}

impl Select for Seen {
    fn entry(&mut self, code: i64) -> bool {
        code == tags_code(self.tag.as_bytes())
    }
    fn unit(&mut self, unit: &ExtUnit<'_>) -> bool {
        let bits = unit.filter_bits.to_vec();
        (self.units).push((unit.tags_code, unit.store_timestamp_ms, bits));
        true
    }
    fn record(&mut self, _: &[u8]) -> bool {
        self.records += 1;
        true
    }
}

/// Numbers of the messages of T/0 with a tag, and what the units said.
fn tagged(store: &Store, tag: &'static str) -> (Vec<i64>, Seen) {
    let (mut at, mut all, mut seen) = (QueueOffset(0), Vec::new(), Seen::of(tag));
    loop {
        let read = store.read_queue("T", 0, at, 32, &mut seen);
        if read.next_begin == at {
            return (all, seen);
        }
        for slice in &read.records {
            let mut rest = &slice[..];
            while !rest.is_empty() {
                let record = Record::decode(rest).expect("whole");
                rest = rest.get(record.record_bytes as usize..).unwrap_or_default();
                all.push(record.queue_offset);
            }
        }
        at = read.next_begin;
    }
}

/// `append_some` gives message n of queue 0 the tag `tag-<2n % 3>`.
fn of_tag_0(count: i64) -> Vec<i64> {
    (0..count).filter(|n| 2 * n % 3 == 0).collect()
}

#[test]
fn an_entrys_code_is_in_its_unit_with_the_time_of_its_message() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(with_ext(dir.path()));
    append_some(&store, 0, 1000);
    settle(&store);
    assert_holds(&store, 1000);
    let (found, seen) = tagged(&store, "tag-0");
    assert_eq!(found, of_tag_0(500));
    assert_eq!(
        seen.records,
        found.len(),
        "the units say which records to look into"
    );
    for ((code, stored_ms, bits), n) in seen.units.iter().zip(found) {
        assert_eq!(*code, tags_code(b"tag-0"));
        let at = QueueOffset(n);
        assert_eq!(Some(*stored_ms), store.store_time("T", 0, at));
        assert!(bits.is_empty(), "nobody works bits out");
    }
    let entries = store.entries("T", 0, QueueOffset(0), 3);
    let codes: Vec<_> = entries.iter().map(|entry| entry.tags_code).collect();
    let expected = ["tag-0", "tag-2", "tag-1"].map(|tag| tags_code(tag.as_bytes()));
    assert_eq!(codes, expected, "not their addresses");
}

/// A bit map of its own for every message.
struct Bits;

impl Arrivals for Bits {
    fn arrived(&self, _: &Arrival<'_>) {}
    fn filter_bits(&self, topic: &str, record: &Record<'_>) -> Option<Vec<u8>> {
        let from_behind = record.properties.iter().rev();
        (topic == "T").then(|| from_behind.take(3).copied().collect())
    }
}

#[test]
fn bits_are_asked_for_and_kept_over_a_stop_and_a_crash() {
    let dir = tempfile::tempdir().expect("folder");
    for round in 0..4 {
        let store = Store::open(with_ext(dir.path()), Arc::new(Bits)).expect("opens");
        append_some(&store, round * 200, 200);
        settle(&store);
        let (found, seen) = tagged(&store, "tag-0");
        assert_eq!(found, of_tag_0(100 * (round as i64 + 1)));
        assert_eq!(seen.units.len(), found.len());
        for (_, _, bits) in seen.units {
            assert_eq!(bits, b"\x020-", "the end of TAGS=tag-0, from behind");
        }
        if round % 2 == 0 {
            assert!(store.close());
        }
    }
}

#[test]
fn switched_off_the_record_says_what_the_unit_would_and_switched_on_again_it_goes_on() {
    let dir = tempfile::tempdir().expect("folder");
    let configs = [without_ext, with_ext, without_ext, with_ext, without_ext];
    for (round, config) in configs.into_iter().enumerate() {
        for close in [true, false] {
            let (store, _) = open(config(dir.path()));
            let had = 2 * round + usize::from(!close);
            append_some(&store, had * 100, 100);
            settle(&store);
            let count = (had as i64 + 1) * 50;
            let (found, _) = tagged(&store, "tag-0");
            assert_eq!(found, of_tag_0(count), "round {round}");
            assert_holds(&store, (had + 1) * 100);
            assert!(!close || store.close());
        }
    }
}

#[test]
fn a_crash_leaves_no_unit_that_no_entry_has() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(with_ext(dir.path()));
    append_some(&store, 0, 300);
    settle(&store);
    drop(store); // as a crash leaves it
    let log = dir.path().join("commitlog").join(format!("{:020}", 0));
    let bytes = fs::read(&log).expect("read");
    let record = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    let mut cut = bytes;
    cut[100 * record..].fill(0);
    fs::write(&log, cut).expect("written");
    let (store, _) = open(with_ext(dir.path()));
    let kept = store.max_offset("T", 0).0;
    assert!((1..150).contains(&kept), "{kept}");
    assert_eq!(tagged(&store, "tag-0").0, of_tag_0(kept));
    assert!(store.close());
    let ext = fs::read(
        dir.path()
            .join("consumequeue_ext/T/0")
            .join(format!("{:020}", 0)),
    );
    let end = 20 * kept as usize;
    let rest = &ext.expect("there")[end..];
    assert!(
        rest.iter().all(|byte| *byte == 0),
        "units behind the last entry's"
    );
}

#[test]
fn a_deleted_topic_takes_its_extension_along() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(with_ext(dir.path()));
    append_some(&store, 0, 300);
    settle(&store);
    assert!(dir.path().join("consumequeue_ext/T/0").exists());
    store.delete_topic("T").expect("deleted");
    assert!(!dir.path().join("consumequeue_ext/T").exists());
    append_some(&store, 0, 10);
    settle(&store);
    assert_eq!(tagged(&store, "tag-0").0, of_tag_0(5));
}

#[test]
fn an_extension_of_another_size_is_refused_by_key_and_nothing_is_changed() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(with_ext(dir.path()));
    append_some(&store, 0, 10);
    assert!(store.close());
    let other = StoreConfig {
        consume_queue_ext_file_bytes: 8192,
        ..with_ext(dir.path())
    };
    let refused = Store::open(other, Arc::new(()))
        .err()
        .expect("refused")
        .to_string();
    for part in ["mappedFileSizeConsumeQueueExt", "4096", "8192"] {
        assert!(refused.contains(part), "{refused}");
    }
    let (store, _) = open(with_ext(dir.path()));
    assert_holds(&store, 10);
}

#[test]
fn units_of_messages_that_are_gone_go_with_the_next_start() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(with_ext(dir.path()));
    append_some(&store, 0, 3000);
    settle(&store);
    assert!(store.close());
    drop(store);
    let files = || {
        fs::read_dir(dir.path().join("consumequeue_ext/T/0"))
            .expect("listed")
            .count()
    };
    let before = files();
    for file in fs::read_dir(dir.path().join("commitlog"))
        .expect("listed")
        .take(0)
    {
        drop(file);
    }
    let mut logs: Vec<_> = fs::read_dir(dir.path().join("commitlog"))
        .expect("listed")
        .map(|file| file.expect("listed").path())
        .collect();
    logs.sort();
    assert!(logs.len() > 3);
    logs.iter()
        .take(2)
        .for_each(|log| fs::remove_file(log).expect("removed"));
    let (store, _) = open(with_ext(dir.path()));
    assert!(files() < before, "{} of {before} files", files());
    let first = store.min_offset("T", 0);
    assert!(first > QueueOffset(0));
    assert!(store.log_offset_of("T", 0, first) > Some(LogOffset(0)));
    let mut seen = Seen::of("tag-0");
    let read = store.read_queue("T", 0, first, 32, &mut seen);
    assert!(read.message_count > 0);
    assert_eq!(
        seen.units.len(),
        seen.records,
        "every unit that is left is found"
    );
}

#[test]
fn delayed_messages_tell_when_they_are_due() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(with_ext(dir.path()));
    let put = store.append(&message(
        store::SCHEDULE_TOPIC,
        4,
        b"later",
        "DELAY\u{1}5\u{2}REAL_TOPIC\u{1}T\u{2}REAL_QID\u{1}0\u{2}",
    ));
    let put = put.expect("stored");
    arrived.wait_for(1);
    let due =
        |store: &Store| store.entries(store::SCHEDULE_TOPIC, 4, QueueOffset(0), 1)[0].tags_code;
    assert_eq!(due(&store), put.store_timestamp_ms + 60_000);
    drop(store);
    let (store, _) = open(with_ext(dir.path()));
    assert_eq!(due(&store), put.store_timestamp_ms + 60_000);
}
