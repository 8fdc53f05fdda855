//! A copy of a golden store, and our store on it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use serde_json::Value;
use store::{Arrival, Arrivals, Store, StoreConfig};
use tempfile::TempDir;

use crate::golden::{int, json_file, path};

/// Counts what becomes readable, so that a test can wait for it.
#[derive(Default)]
pub(crate) struct Count {
    seen: Mutex<usize>,
    more: Condvar,
}

impl Count {
    /// Blocks until so many messages have become readable since the store was opened. Fails after half a minute.
    pub(crate) fn wait_for(&self, count: usize) {
        let mut seen = self.seen.lock();
        let too_few = |seen: &mut usize| *seen < count;
        self.more
            .wait_while_for(&mut seen, too_few, Duration::from_secs(30));
        assert_eq!(*seen, count, "messages have become readable");
    }
}

impl Arrivals for Count {
    fn arrived(&self, _: &Arrival<'_>) {
        *self.seen.lock() += 1;
        self.more.notify_all();
    }
}

/// What Java read out of `store/<name>`.
pub(crate) fn expected(name: &str) -> Value {
    json_file(&format!("store/{name}.expected.json"))
}

/// A copy of `store/<name>` that a test may change.
pub(crate) fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy_into(&path(&format!("store/{name}")), folder.path());
    folder
}

fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a golden folder") {
        let entry = entry.expect("a golden file");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_into(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// The sizes that Java's store was made with, in `root`.
pub(crate) fn config(expected: &Value, root: &Path) -> StoreConfig {
    let sizes = expected.get("config").expect("the sizes");
    let size = |name| u32::try_from(int(sizes, name)).expect("a size");
    StoreConfig {
        commit_log_file_bytes: size("mappedFileSizeCommitLog"),
        consume_queue_file_bytes: size("mappedFileSizeConsumeQueue"),
        index_slots: size("maxHashSlotNum"),
        index_entries: size("maxIndexNum"),
        ..StoreConfig::at(root)
    }
}

/// Our store on `root`, and the count of what becomes readable in it.
pub(crate) fn open(expected: &Value, root: &Path) -> (Arc<Store>, Arc<Count>) {
    let count = Arc::new(Count::default());
    let store = Store::open(
        config(expected, root),
        Arc::clone(&count) as Arc<dyn Arrivals>,
    );
    (store.expect("a store that opens"), count)
}
