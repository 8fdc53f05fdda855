//! Topics that are deleted, and made again.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};

use store::{Everything, QueueOffset, ReadStatus, Store};
use support::{append_some, assert_holds, bodies, config, crash_copy, message, open, settle};

fn append_to_gone(store: &Store, count: usize) {
    for n in 0..count {
        let body = format!("{n}");
        store
            .append(&message("gone", 3, body.as_bytes(), ""))
            .expect("stored");
    }
}

#[test]
fn a_deleted_topic_leaves_no_queue_and_begins_at_0_when_made_again() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    append_some(&store, 0, 300);
    append_to_gone(&store, 600);
    settle(&store);
    store.delete_topic("gone").expect("deleted");
    std::fs::create_dir(dir.path().join("beside")).expect("made");
    for nothing in ["never", "", ".", "../beside"] {
        store.delete_topic(nothing).expect("nothing to do");
    }
    assert!(dir.path().join("beside").exists());
    assert_eq!(store.topics(), ["T"]);
    assert!(store.queue_ids("gone").is_empty());
    assert!(!dir.path().join("consumequeue/gone").exists());
    let read = store.read_queue("gone", 3, QueueOffset(0), 32, &mut Everything);
    assert_eq!(read.status, ReadStatus::NoMessageInQueue);
    append_to_gone(&store, 2);
    settle(&store);
    assert_eq!(bodies(&store, "gone", 3), ["0", "1"]);
    assert_eq!(store.max_offset("gone", 3), QueueOffset(2));
    assert_holds(&store, 300);
}

#[test]
fn a_deleted_topic_does_not_come_back_with_a_start() {
    let dir = tempfile::tempdir().expect("folder");
    let (root, crashed) = (dir.path().join("root"), dir.path().join("crashed"));
    let (store, _) = open(config(&root));
    append_some(&store, 0, 300);
    append_to_gone(&store, 600); // the last of the log: no other queue reaches so far
    settle(&store);
    store.delete_topic("gone").expect("deleted");
    crash_copy(&root, &crashed);
    assert!(store.close());
    for (n, root) in [&root, &crashed, &crashed].into_iter().enumerate() {
        let (store, _) = open(config(root));
        assert_eq!(store.topics(), ["T"], "start {n}");
        assert_holds(&store, 300);
    }
    let (store, _) = open(config(&root));
    append_some(&store, 300, 10);
    append_to_gone(&store, 5);
    drop(store);
    let (store, _) = open(config(&root));
    assert_holds(&store, 310);
    assert_eq!(bodies(&store, "gone", 3).len(), 5);
}

#[test]
fn queues_removed_by_hand_are_built_again_though_a_topic_was_deleted() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    append_some(&store, 0, 300);
    append_to_gone(&store, 6);
    settle(&store);
    store.delete_topic("gone").expect("deleted");
    assert!(store.close());
    std::fs::remove_dir_all(dir.path().join("consumequeue")).expect("removed");
    let (store, _) = open(config(dir.path()));
    assert_holds(&store, 300);
}

#[test]
fn deleting_while_others_append_and_read_loses_and_mixes_nothing() {
    let dir = tempfile::tempdir().expect("folder");
    let (store, _) = open(config(dir.path()));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            append_some(&store, 0, 3000);
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                append_to_gone(&store, 10);
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                store.read_queue("gone", 3, QueueOffset(0), 32, &mut Everything);
            }
        });
        while !done.load(Ordering::Acquire) {
            store.delete_topic("gone").expect("deleted");
        }
    });
    settle(&store);
    store.delete_topic("gone").expect("deleted");
    assert_holds(&store, 3000);
    append_to_gone(&store, 700);
    settle(&store);
    let expected: Vec<_> = (0..700).map(|n| n.to_string()).collect();
    assert_eq!(bodies(&store, "gone", 3), expected);
    assert!(store.close());
}
