//! What is looked for is found: by key, by time.

mod support;

use store::{QueueOffset, Record, StoreConfig};
use support::{append_some, config, message, open, settle};

#[test]
fn messages_are_found_by_key_and_by_each_word_of_their_keys() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    append_some(&store, 0, 1000);
    store
        .append(&message(
            "T",
            0,
            b"several",
            "KEYS\u{1}one two  three\u{2}UNIQ_KEY\u{1}U1",
        ))
        .expect("stored");
    settle(&store);
    let find = |topic: &str, key: &str| {
        let found = store.query_by_key(topic, key, 32, 0, i64::MAX);
        found
            .records
            .iter()
            .map(|record| {
                String::from_utf8_lossy(Record::decode(record).expect("whole").body).into_owned()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(find("T", "key-0"), ["body-000000"]);
    assert_eq!(find("T", "key-999"), ["body-000999"]);
    for key in ["one", "two", "three", "U1"] {
        assert_eq!(find("T", key), ["several"], "{key}");
    }
    assert!(
        find("T", "").is_empty()
            && find("other", "key-1").is_empty()
            && find("T", "key-1000").is_empty()
    );
    assert_eq!(
        store.query_by_key("T", "key-5", 32, 0, 1000).records.len(),
        0,
        "outside the time"
    );
    let last = store.query_by_key("T", "U1", 32, 0, i64::MAX);
    assert!(last.index_last_update_timestamp_ms > 0);
    assert!(last.index_last_update_log_offset.0 > 0);
}

/// KNOWN-BUGS R17
#[test]
fn a_query_finds_no_more_bytes_than_a_client_takes_in_one_frame() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(StoreConfig {
        commit_log_file_bytes: 64 * 1024 * 1024,
        max_message_bytes: 16 * 1024 * 1024,
        ..config(dir.path())
    });
    for len in [3, 3, 5, 5, 5] {
        let body = vec![7; len * 1024 * 1024];
        store
            .append(&message("T", 0, &body, "KEYS\u{1}same\u{2}"))
            .expect("stored");
    }
    settle(&store);
    let found = store.query_by_key("T", "same", 32, 0, i64::MAX);
    let lengths = found.records.iter().map(|record| record.len() >> 20);
    assert_eq!(lengths.collect::<Vec<_>>(), [5, 5, 5], "the newest");
}

#[test]
fn offsets_are_found_by_time() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, arrived) = open(config(dir.path()));
    assert_eq!(store.offset_by_time("T", 0, 0), QueueOffset(0));
    let appended = append_some(&store, 0, 500);
    arrived.wait_for(500);
    assert_eq!(store.offset_by_time("T", 0, 0), QueueOffset(0));
    assert_eq!(
        store.offset_by_time("T", 0, i64::MAX),
        QueueOffset(249),
        "the last message, as in Java"
    );
    assert_eq!(
        store.store_time("T", 0, QueueOffset(0)),
        Some(appended[0].store_timestamp_ms)
    );
    assert_eq!(store.store_time("T", 0, QueueOffset(250)), None);
    assert_eq!(
        store.earliest_store_time("T", 1),
        Some(appended[1].store_timestamp_ms)
    );
    assert_eq!(store.earliest_store_time("T", 9), None);
    assert_eq!(
        store.earliest_log_store_time(),
        Some(appended[0].store_timestamp_ms)
    );
    let exact = store.offset_by_time("T", 0, appended[400].store_timestamp_ms);
    assert_eq!(
        store.store_time("T", 0, exact),
        Some(appended[400].store_timestamp_ms)
    );
}
