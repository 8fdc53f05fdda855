//! A crash leaves the last entry of a queue in part: the start must not begin where that seems to end.

mod support;

use std::fs;

use store::{Step, Store};
use support::{bodies, config, message};

#[test]
fn a_torn_queue_entry_that_leads_into_a_record_does_not_end_the_log_there() {
    let root = tempfile::tempdir().expect("folder");
    let store = Store::open_still(config(root.path())).expect("opens");
    let append = |body: &str| {
        let message = message("T", 0, body.as_bytes(), "");
        store.append(&message).expect("stored");
    };
    let all = || {
        for step in [Step::FlushLog, Step::Dispatch, Step::FlushAll] {
            store.step(step).expect("done");
        }
    };
    (0..9).for_each(|_| append("short"));
    all();
    let checkpoint = fs::read(root.path().join("checkpoint")).expect("read");
    append(&"long".repeat(50));
    all();
    drop(store);
    // Of the last entry the log offset never came to disk, so it seems to be the first message's, with
    // another length. Found by the crash test, seed 284.
    fs::write(root.path().join("checkpoint"), checkpoint).expect("written");
    let queue = root.path().join("consumequeue/T/0/00000000000000000000");
    let mut entries = fs::read(&queue).expect("read");
    let last = entries.iter_mut().skip(9 * 20);
    last.take(8).for_each(|byte| *byte = 0);
    fs::write(queue, entries).expect("written");
    let store = Store::open_still(config(root.path())).expect("opens");
    let found = bodies(&store, "T", 0);
    assert_eq!(found.len(), 10, "{found:?}");
}
