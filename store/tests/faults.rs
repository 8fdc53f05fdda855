//! A disk that is full or fails, at every call of a life of a store, one call at a time.
//!
//! | the call that fails            | what must hold                                                          |
//! |--------------------------------|-------------------------------------------------------------------------|
//! | any                            | what was acknowledged stays, nothing else is shown, the next start works |
//! | a sync of the log              | whoever waits has an error; the log takes nothing until reopened (R3)   |
//! | of zeros ahead of its end      | the same: records may have been among what was to be written            |
//! | a queue's, another flush beside | the checkpoint claims nothing that is not on disk (R5)                  |
//! | another                        | the append or flush fails at most; the next append is stored (R7)       |

mod support;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use store::calls::{Call, Watch, watch};
use store::inspect::Settled;
use store::{AppendError, FlushDiskType, Step, Store, StoreConfig, Unavailable};
use support::{bodies, config, message};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
const MESSAGES: usize = 24;

/// Lets one call fail.
struct Fault {
    calls: AtomicUsize,
    /// The number of that call, counted from 0.
    at: usize,
    errno: i32,
}

impl Watch for Fault {
    fn before(&self, _: &Call) -> io::Result<()> {
        if self.calls.fetch_add(1, Ordering::Relaxed) == self.at {
            return Err(io::Error::from_raw_os_error(self.errno));
        }
        Ok(())
    }

    fn after(&self, _: &Call) {}
}

/// So small that log, queue and index files end all the time.
fn small(root: &Path) -> StoreConfig {
    StoreConfig {
        commit_log_file_bytes: 4096,
        consume_queue_file_bytes: 100,
        index_entries: 5,
        flush_disk_type: FlushDiskType::Sync,
        ..config(root)
    }
}

/// A life during which the call `at` fails; what was acknowledged in it. `None` if there are not so many calls.
fn live(root: &Path, at: usize, errno: i32) -> Option<Vec<String>> {
    let fault = Arc::new(Fault {
        calls: AtomicUsize::new(0),
        at,
        errno,
    });
    let _watching = watch(root, fault.clone());
    let mut acknowledged = Vec::new();
    let met = || fault.calls.load(Ordering::Relaxed) > at;
    let Ok(store) = Store::open_still(small(root)) else {
        assert!(met(), "it does not open without a fault");
        return Some(acknowledged);
    };
    let failed = AppendError::ServiceNotAvailable(Unavailable::FlushFailed);
    for n in 0..MESSAGES {
        let (body, keys) = (
            format!("{n:03}-{}", "x".repeat(300)),
            format!("KEYS\u{1}k{n}\u{2}"),
        );
        let met_before = met();
        let closed = store.unavailable();
        match store.append(&message("T", 0, body.as_bytes(), &keys)) {
            Ok(_) => assert_eq!(closed, None),
            Err(error) => {
                let now = met() && !met_before;
                assert!(
                    now || closed.is_some() && error == failed,
                    "call {at}, {n}: {error}"
                );
            }
        }
        let before = store.flushed_log_offset();
        let flushed = store.step(Step::FlushLog);
        assert_eq!(
            flushed.is_err(),
            store.unavailable().is_some(),
            "call {at}, {n}"
        );
        if flushed.is_ok() && store.flushed_log_offset() > before {
            acknowledged.push(body);
        }
        store.step(Step::Dispatch).expect("tried until it works");
        if n % 5 == 0 {
            store.step(Step::Allocate).expect("only logged");
        }
        if n % 3 == 0 {
            store
                .step(Step::Touch)
                .expect("its failure shows in the log");
        }
        if n % 7 == 0 {
            store.step(Step::FlushAll).expect("only logged");
        }
        if !met() || met_before {
            assert_eq!(bodies(&store, "T", 0), acknowledged, "call {at}, {n}");
        }
    }
    store.close();
    met().then_some(acknowledged)
}

/// Every call in turn; how many there are.
fn every_call(errno: i32) -> usize {
    for at in 0.. {
        let dir = tempfile::tempdir().expect("folder");
        let Some(acknowledged) = live(dir.path(), at, errno) else {
            return at;
        };
        let store =
            Store::open_still(small(dir.path())).expect("opens when the disk is well again");
        let mut there = bodies(&store, "T", 0);
        assert!(there.is_sorted(), "call {at}: {there:?}");
        there.dedup();
        assert_eq!(
            there.len() as i64,
            store.max_offset("T", 0).0,
            "call {at}: twice"
        );
        there.retain(|body| acknowledged.contains(body));
        assert_eq!(there, acknowledged, "call {at}");
        let next = store.append(&message("T", 0, b"next", ""));
        next.expect("stored when the disk is well again");
    }
    0
}

/// Lets every sync fail.
struct NoSync;

impl Watch for NoSync {
    fn before(&self, call: &Call) -> io::Result<()> {
        match call {
            Call::Sync { .. } => Err(io::Error::from_raw_os_error(EIO)),
            _ => Ok(()),
        }
    }

    fn after(&self, _: &Call) {}
}

#[test]
fn a_failed_sync_of_zeros_ahead_closes_the_log_as_one_of_records_does() {
    let dir = tempfile::tempdir().expect("folder");
    let several_blocks = StoreConfig {
        commit_log_file_bytes: 64 * 1024,
        ..small(dir.path())
    };
    let store = Store::open_still(several_blocks).expect("opens");
    let send = |body: &str| store.append(&message("T", 0, body.as_bytes(), ""));
    send("flushed").expect("stored");
    store.step(Step::FlushLog).expect("flushed");
    let watching = watch(dir.path(), Arc::new(NoSync));
    store.step(Step::Touch).expect("what was flushed stays");
    drop(watching);
    assert_eq!(store.unavailable(), Some(Unavailable::FlushFailed));
    let closed = AppendError::ServiceNotAvailable(Unavailable::FlushFailed);
    assert_eq!(send("next").expect_err("closed"), closed);
    assert!(store.step(Step::FlushLog).is_err());
    store.step(Step::Dispatch).expect("dispatched");
    assert_eq!(bodies(&store, "T", 0), ["flushed"]);
}

#[test]
fn a_disk_that_is_full_at_any_call_takes_nothing_acknowledged_and_the_next_message_is_stored() {
    println!("{} calls", every_call(ENOSPC));
}

#[test]
fn a_disk_that_fails_at_any_call_takes_nothing_acknowledged_and_a_failed_sync_closes_the_log() {
    println!("{} calls", every_call(EIO));
}

/// Has another thread flush everything while the names of queue files are being synced, and lets that sync fail.
struct Meanwhile {
    store: OnceLock<Weak<Store>>,
    other: Mutex<Option<JoinHandle<()>>>,
}

impl Watch for Meanwhile {
    fn before(&self, call: &Call) -> io::Result<()> {
        let is_queue = matches!(call, Call::SyncDir(dir) if dir.ends_with("consumequeue/T/0"));
        let store = self.store.get().and_then(Weak::upgrade);
        let mut other = self.other.lock().expect("nobody panicked");
        let (true, None, Some(store)) = (is_queue, &*other, store) else {
            return Ok(());
        };
        let (done, is_done) = mpsc::channel();
        *other = Some(thread::spawn(move || {
            store
                .step(Step::FlushAll)
                .expect("the log's syncs are well");
            let _ = done.send(());
        }));
        drop(other);
        // It waits for this one, unless it overlooks what this one syncs.
        let _ = is_done.recv_timeout(Duration::from_millis(200));
        Err(io::Error::from_raw_os_error(EIO))
    }

    fn after(&self, _: &Call) {}
}

#[test]
fn a_flush_does_not_vouch_for_what_another_one_has_not_synced_yet() {
    let dir = tempfile::tempdir().expect("folder");
    let store = Store::open_still(small(dir.path())).expect("opens");
    let appended = store.append(&message("T", 0, b"body", ""));
    let end = appended.expect("stored").end();
    store.step(Step::FlushLog).expect("flushed");
    store.step(Step::Dispatch).expect("dispatched");
    let meanwhile = Arc::new(Meanwhile {
        store: OnceLock::from(Arc::downgrade(&store)),
        other: Mutex::default(),
    });
    let watching = watch(dir.path(), meanwhile.clone());
    store
        .step(Step::FlushAll)
        .expect("the log's syncs are well");
    drop(watching);
    let other = meanwhile.other.lock().expect("nobody panicked").take();
    other.expect("begun").join().expect("ended");
    let checkpoint = fs::read(dir.path().join("checkpoint")).expect("there");
    let settled = Settled::decode(checkpoint.first_chunk().expect("whole"));
    let claimed = settled.log_offset.unwrap_or(0);
    assert!(
        claimed < end.0,
        "{claimed}: the queue's file has no name on disk"
    );
}
