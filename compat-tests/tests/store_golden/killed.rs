//! A store whose last owner was killed: nothing that is in the log is lost, nothing is there twice.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use store::{Everything, QueueOffset, Record};

use crate::golden::{int, list, text};
use crate::opened::{copy, expected, open};
use crate::reading::{assert_keys, assert_messages, assert_queues, assert_reads, assert_times};

#[test]
fn everything_in_the_log_is_there_after_a_kill() {
    let (expected, folder) = (expected("killed"), copy("killed"));
    assert!(folder.path().join("abort").exists());
    let (store, _) = open(&expected, folder.path());
    let recovered = expected.get("afterRecoveryByJava").expect("recorded");
    assert_eq!(
        store.max_log_offset().as_i64(),
        int(recovered, "maxPhysicalOffset")
    );
    assert_queues(&store, recovered);
    assert_messages(&store, &expected);
    assert_reads(&store, &expected);
    assert_times(&store, &expected);
    assert_keys(&store, &expected, true);
    assert!(store.close());
    assert!(!folder.path().join("abort").exists());
    drop(store);

    let (store, _) = open(&expected, folder.path());
    assert_messages(&store, &expected);
    assert_queues(&store, recovered);
    assert_keys(&store, &expected, true);
    assert!(store.close());
}

/// The queue files are gone, or the index is, or both: the log has all that they had.
#[test]
fn queues_and_index_are_built_anew_when_they_are_missing() {
    for missing in [
        &["consumequeue"][..],
        &["index"],
        &["consumequeue", "index", "checkpoint"],
    ] {
        let (expected, folder) = (expected("killed"), copy("killed"));
        for name in missing {
            remove(&folder.path().join(name));
        }
        let (store, _) = open(&expected, folder.path());
        assert_queues(&store, &expected);
        assert_messages(&store, &expected);
        assert_keys(&store, &expected, true);
        assert!(store.close());
    }
}

fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).expect("removed");
    } else {
        fs::remove_file(path).expect("removed");
    }
}

/// R4: a log that lost its tail. Wherever it ends, no queue entry points past its end, and the next message gets the
/// offset that the first lost one had.
#[test]
fn a_log_cut_at_any_record_takes_its_queue_entries_with_it() {
    let expected = expected("killed");
    let messages = list(&expected, "messages");
    for lost in messages.iter().rev().step_by(3).take(12) {
        let folder = copy("killed");
        let at = int(lost, "physicalOffset");
        zero_log_from(folder.path(), u64::try_from(at).expect("a place"));
        let (store, count) = open(&expected, folder.path());
        assert_eq!(store.max_log_offset().as_i64(), at);
        let mut kept = BTreeSet::new();
        for queue in list(&expected, "queues") {
            let (topic, queue_id) = (text(queue, "topic"), int(queue, "queueId") as u32);
            let end = store.max_offset(topic, queue_id).0;
            for offset in 0..end {
                let read =
                    store.read_queue(topic, queue_id, QueueOffset(offset), 1, &mut Everything);
                let record = read.records.first().expect("below the queue's end");
                let record = Record::decode(record).expect("whole");
                assert_eq!(record.queue_offset, offset);
                assert!(record.log_offset < at && kept.insert(record.log_offset));
            }
        }
        let before = messages
            .iter()
            .filter(|facts| int(facts, "physicalOffset") < at);
        assert_eq!(kept.len(), before.count(), "log cut at {at}");

        let message = store::NewMessage {
            topic: text(lost, "topic"),
            queue_id: int(lost, "queueId") as u32,
            flag: 0,
            sys_flag: 0,
            born_timestamp_ms: 1,
            born_host: ([10, 0, 0, 9], 1).into(),
            store_host: ([10, 0, 0, 1], 2).into(),
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body: b"again",
            properties: "",
        };
        let put = store.append(&message).expect("stored");
        assert_eq!(put.queue_offset.0, int(lost, "queueOffset"));
        count.wait_for(1);
        assert!(store.close());
    }
}

/// As after a power cut that took every page from `offset` on.
fn zero_log_from(root: &Path, offset: u64) {
    for file in fs::read_dir(root.join("commitlog")).expect("a folder") {
        let path = file.expect("a file").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        let start: u64 = name.parse().expect("a number");
        let mut bytes = fs::read(&path).expect("a file");
        let keep = usize::try_from(offset.saturating_sub(start)).expect("a place");
        bytes.iter_mut().skip(keep).for_each(|byte| *byte = 0);
        fs::write(&path, bytes).expect("written");
    }
}
