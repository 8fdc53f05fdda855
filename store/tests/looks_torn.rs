//! Messages whose properties look as if a crash had left a part of them: this broker stores none, so that
//! recovery may end the log there, and Java's are kept wherever they are known to be whole.

mod support;

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use store::{AppendError, Illegal, Step, Store};
use support::{append_some, assert_holds, config, message, records, settle};

const ZEROS: usize = 64;

#[test]
fn properties_that_look_torn_are_refused_alone_and_in_a_batch() {
    let root = tempfile::tempdir().expect("folder");
    let (store, _) = support::open(config(root.path()));
    let with = |zeros: usize| format!("a\u{1}b{}c\u{2}", "\0".repeat(zeros));
    let illegal = AppendError::MessageIllegal(Illegal::Properties);
    for properties in [with(ZEROS), "a\u{1}b\0".to_owned()] {
        let (bad, good) = (
            message("T", 0, b"x", &properties),
            message("T", 0, b"x", ""),
        );
        assert_eq!(store.append(&bad).err().as_ref(), Some(&illegal));
        assert_eq!(
            store.append_batch(&[good, bad]).err().as_ref(),
            Some(&illegal)
        );
    }
    for properties in [with(ZEROS - 1), "a\u{1}b\0\u{2}".to_owned()] {
        store
            .append(&message("T", 0, b"x", &properties))
            .expect("stored");
    }
}

/// Turns the value of the odd message's property into zeros, as a Java client may
/// have sent it to a Java broker.
fn as_java_may_have_stored_it(root: &Path) {
    let path = root.join("commitlog/00000000000000000000");
    let mut log = fs::read(&path).expect("read");
    let value = "y".repeat(ZEROS);
    let at = log
        .windows(ZEROS)
        .position(|bytes| bytes == value.as_bytes())
        .expect("the value");
    log.iter_mut()
        .skip(at)
        .take(ZEROS)
        .for_each(|byte| *byte = 0);
    fs::write(path, log).expect("written");
}

fn append_all(store: &Store) {
    append_some(store, 0, 10);
    let properties = format!("a\u{1}{}\u{2}", "y".repeat(ZEROS));
    let odd = store
        .append(&message("Odd", 0, b"odd", &properties))
        .expect("stored");
    // The checkpoint has whole milliseconds, and vouches for what was stored before its own.
    let now_ms = || UNIX_EPOCH.elapsed().expect("after 1970").as_millis() as i64;
    while now_ms() <= odd.store_timestamp_ms {
        std::thread::yield_now();
    }
    append_some(store, 10, 10);
}

/// Whether everything `append_all` stored is there.
fn assert_holds_all(store: &Store) {
    assert_holds(store, 20);
    let read = store.read_queue("Odd", 0, store::QueueOffset(0), 32, &mut store::Everything);
    assert_eq!(records(&read), [(0, "odd".to_owned())]);
}

#[test]
fn after_a_stop_in_order_such_a_message_is_kept_even_if_all_is_built_anew() {
    let root = tempfile::tempdir().expect("folder");
    let (store, _) = support::open(config(root.path()));
    append_all(&store);
    settle(&store);
    assert!(store.close());
    as_java_may_have_stored_it(root.path());
    fs::remove_dir_all(root.path().join("consumequeue")).expect("removed");
    fs::remove_dir_all(root.path().join("index")).expect("removed");
    assert_holds_all(&support::open(config(root.path())).0);
}

#[test]
fn after_a_crash_such_a_message_is_kept_below_the_checkpoint_and_ends_the_log_behind_it() {
    for (below, restarts) in [(true, 1), (true, 2), (false, 1)] {
        let root = tempfile::tempdir().expect("folder");
        let store = Store::open_still(config(root.path())).expect("opens");
        append_all(&store);
        store.step(Step::FlushLog).expect("flushed");
        store.step(Step::Dispatch).expect("dispatched");
        if below {
            store.step(Step::FlushAll).expect("flushed");
        }
        drop(store);
        as_java_may_have_stored_it(root.path());
        for _ in 0..restarts {
            // Then the start begins at 0, and the checkpoint is lowered to that.
            fs::remove_dir_all(root.path().join("consumequeue")).expect("removed");
            let store = Store::open_still(config(root.path())).expect("opens");
            if below {
                assert_holds_all(&store);
            } else {
                assert_holds(&store, 10);
            }
        }
    }
}
