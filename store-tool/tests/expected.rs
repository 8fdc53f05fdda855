//! What is not damage: what a killed broker leaves, expired files, deleted topics; and a store that is in use.

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use store::{NewMessage, Store, StoreConfig};
use support::{check, contents, edit, files, golden, mqstore, overwrite};

/// Log files of 64 KiB, queue files of 100 entries, index files of 200.
fn config(root: &Path) -> StoreConfig {
    StoreConfig {
        commit_log_file_bytes: 64 * 1024,
        consume_queue_file_bytes: 2000,
        index_slots: 50,
        index_entries: 200,
        max_message_bytes: 32 * 1024,
        ..StoreConfig::at(root)
    }
}

fn open(root: &Path) -> Arc<Store> {
    Store::open(config(root), Arc::new(())).expect("the store opens")
}

fn append(store: &Store, topic: &str, count: usize) {
    for n in 0..count {
        let properties = format!("KEYS\u{1}key-{n}\u{2}TAGS\u{1}tag-{}\u{2}", n % 3);
        let message = NewMessage {
            topic,
            queue_id: (n % 2) as u32,
            flag: 0,
            sys_flag: 0,
            born_timestamp_ms: 1_600_000_000_000,
            born_host: ([127, 0, 0, 1], 4321).into(),
            store_host: ([127, 0, 0, 1], 10911).into(),
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body: b"some body",
            properties: &properties,
        };
        store.append(&message).expect("stored");
    }
    while store.dispatch_behind_bytes() > 0 {
        std::thread::yield_now();
    }
}

fn closed(root: &Path, count: usize) {
    let store = open(root);
    append(&store, "T", count);
    assert!(store.close());
}

/// A store as a crash leaves it.
fn killed(root: &Path, count: usize) {
    let store = open(root);
    append(&store, "T", count);
    drop(store);
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("folder")
}

/// Sound, with findings of exactly these weights and kinds.
#[track_caller]
fn assert_sound(root: &Path, kinds: &[&str]) {
    let before = contents(root);
    let checked = check(root, &[]);
    assert_eq!(checked.exit, 0, "{checked:#?}");
    let found: Vec<_> = checked.kinds().into_iter().collect();
    assert_eq!(found, kinds, "{checked:#?}");
    assert!(before == contents(root), "the store was changed");
}

#[test]
fn our_own_stores_are_sound_closed_killed_and_opened_again() {
    for count in [1, 700, 2000] {
        let root = folder();
        closed(root.path(), count);
        assert_sound(root.path(), &[]);
        let root = folder();
        killed(root.path(), count);
        let checked = check(root.path(), &[]);
        assert_eq!(
            (checked.exit, &checked.report["closed_in_order"]),
            (0, &false.into()),
            "{checked:#?}"
        );
        closed(root.path(), 10);
        assert_sound(root.path(), &[]);
    }
}

#[test]
fn queues_index_and_last_record_of_a_killed_store_may_be_behind_its_log() {
    let root = folder();
    killed(root.path(), 900);
    let last = files(&root.path().join("commitlog")).pop().expect("some");
    edit(&last, |content| {
        let written = content
            .iter()
            .rposition(|byte| *byte != 0)
            .expect("written");
        content
            .get_mut(written - 40..)
            .expect("in the file")
            .fill(0);
    });
    fs::remove_dir_all(root.path().join("consumequeue/T")).expect("removed");
    let index = files(&root.path().join("index")).pop().expect("some");
    overwrite(&index, 40, &[0x5A; 200]);
    let checked = check(root.path(), &[]);
    assert_eq!(checked.exit, 0, "{checked:#?}");
    assert!(
        checked
            .kinds()
            .iter()
            .all(|kind| !kind.starts_with("damage")),
        "{checked:#?}"
    );
    assert!(
        checked.kinds().contains("recoverable log-tail"),
        "{checked:#?}"
    );
}

#[test]
fn damage_in_front_of_what_the_checkpoint_vouches_for_is_damage_in_a_killed_store_too() {
    let root = folder();
    closed(root.path(), 900);
    fs::write(root.path().join("abort"), "").expect("written");
    assert_sound(root.path(), &[]);
    let queue = files(&root.path().join("consumequeue/T/0")).swap_remove(0);
    overwrite(&queue, 20, &[0; 20]);
    let checked = check(root.path(), &[]);
    assert_eq!(checked.exit, 1, "{checked:#?}");
    assert!(checked.kinds().contains("damage no-entry"), "{checked:#?}");
}

#[test]
fn expired_log_files_leave_entries_without_messages() {
    let root = folder();
    closed(root.path(), 2000);
    fs::remove_file(files(&root.path().join("commitlog")).swap_remove(0)).expect("removed");
    assert_sound(root.path(), &[]);
    let report = check(root.path(), &[]).report;
    assert!(
        report["counts"]["expired_entries"].as_u64() > Some(100),
        "{report:#}"
    );
    fs::remove_file(files(&root.path().join("consumequeue/T/0")).swap_remove(0)).expect("removed");
    fs::remove_file(files(&root.path().join("index")).swap_remove(0)).expect("removed");
    assert_sound(root.path(), &[]);
}

#[test]
fn a_deleted_topic_leaves_messages_without_queues_made_anew_or_not() {
    let root = folder();
    let store = open(root.path());
    append(&store, "T", 300);
    append(&store, "Gone", 300);
    store.delete_topic("Gone").expect("deleted");
    store.delete_topic("T").expect("deleted");
    append(&store, "T", 50);
    assert!(store.close());
    assert_sound(root.path(), &["note topic-anew", "note topic-deleted"]);
}

#[test]
fn a_topic_that_javas_cleaning_took_is_no_damage_but_one_of_the_table_is() {
    let root = folder();
    closed(root.path(), 300);
    fs::remove_dir_all(root.path().join("consumequeue/T")).expect("removed");
    assert_sound(root.path(), &["note topic-deleted"]);
    fs::create_dir(root.path().join("config")).expect("made");
    fs::write(
        root.path().join("config/topics.json"),
        r#"{"topicConfigTable":{"T":{"topicName":"T"}}}"#,
    )
    .expect("written");
    let checked = check(root.path(), &[]);
    assert_eq!(checked.exit, 1, "{checked:#?}");
    assert!(checked.kinds().contains("damage no-queue"), "{checked:#?}");
}

#[test]
fn a_log_beside_the_store_is_told_where_it_lies() {
    let (root, log) = (folder(), folder());
    closed(root.path(), 300);
    let moved = log.path().join("log");
    fs::rename(root.path().join("commitlog"), &moved).expect("moved");
    let place = moved.to_str().expect("text");
    let checked = check(root.path(), &["--commit-log", place]);
    assert_eq!((checked.exit, checked.findings()), (0, vec![]));
    let checked = check(root.path(), &[]);
    assert_eq!(checked.exit, 2, "not damage: {checked:#?}");
    assert!(checked.stderr.contains("--commit-log"), "{checked:#?}");
}

#[test]
fn a_store_that_is_open_is_not_checked() {
    let root = folder();
    let store = open(root.path());
    append(&store, "T", 10);
    let checked = check(root.path(), &[]);
    assert_eq!(checked.exit, 2, "{checked:#?}");
    assert!(
        checked.stderr.contains("a broker has this store open"),
        "{checked:#?}"
    );
    assert!(store.close());
    drop(store);
    assert_eq!(check(root.path(), &[]).exit, 0);
}

#[test]
fn what_is_no_store_is_said_to_be_none() {
    let root = folder();
    let checked = check(root.path(), &[]);
    assert_eq!(checked.exit, 2);
    assert!(checked.stderr.contains("is no store"), "{checked:#?}");
    assert!(files(root.path()).is_empty());
}

fn dump(args: &[&str]) -> Vec<String> {
    let run = mqstore(&[&["dump"], args].concat(), Stdio::piped());
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    String::from_utf8(run.stdout)
        .expect("text")
        .lines()
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn a_dump_has_a_line_for_each_record_entry_and_index_entry() {
    let clean = golden("clean");
    let root = clean.to_str().expect("text");
    let records = dump(&["records", root, "--json"]);
    assert_eq!(records.len(), 207 + 3, "records and fillers");
    let first: serde_json::Value = serde_json::from_str(&records[0]).expect("JSON");
    assert_eq!(
        (first["topic"].as_str(), first["record_bytes"].as_u64()),
        (Some("GoldenTopic"), Some(187))
    );
    assert_eq!(
        (
            first["born_host"].as_str(),
            first["properties"]["KEYS"].as_str()
        ),
        (Some("10.0.0.9:50123"), Some("order-1"))
    );
    let some = dump(&[
        "records",
        root,
        "--topic",
        "GoldenFill",
        "--count",
        "2",
        "--body",
    ]);
    assert!(
        some.len() == 2
            && some
                .iter()
                .all(|line| line.contains("topic=GoldenFill") && line.contains(" body")),
        "{some:?}"
    );
    let entries = dump(&["queue", root, "GoldenTopic", "0"]);
    assert_eq!(entries.len(), 14);
    assert!(
        entries[0].starts_with("queue_offset=0 ") || entries[0].contains(" queue_offset=0"),
        "{entries:?}"
    );
    assert_eq!(dump(&["index", root, "--json"]).len(), 2 + 565);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let clean = golden("clean");
    let store = clean.to_str().expect("text");
    let commands: [&[&str]; 3] = [&["check"], &["check", "--json"], &["dump", "records"]];
    for command in commands {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let run = mqstore(&[command, &[store]].concat(), writer.into());
        assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
    }
}
