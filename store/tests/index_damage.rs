//! Index files that rotted: the start sets them aside, makes them again from the log, and every key is found.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use store::Store;
use support::{config, crash_copy, message, open, settle};

const MESSAGES: usize = 1000;

/// A closed store with two keys a message: 199 entries a file, so that some message's keys are in two files.
fn made(root: &Path) {
    let (store, _) = open(config(root));
    for n in 0..MESSAGES {
        let properties = format!("UNIQ_KEY\u{1}id-{n}\u{2}KEYS\u{1}key-{n}\u{2}");
        store
            .append(&message("T", 0, b"body", &properties))
            .expect("stored");
    }
    settle(&store);
    assert!(store.close());
}

fn index_files(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join("index")).expect("listed");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("listed").path()).collect();
    files.sort();
    files
}

fn contents(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |path: PathBuf| (path.clone(), fs::read(path).expect("read"));
    index_files(root).into_iter().map(read).collect()
}

fn overwrite(path: &Path, at: usize, bytes: &[u8]) {
    let mut all = fs::read(path).expect("read");
    let place = all.get_mut(at..at + bytes.len());
    place.expect("in the file").copy_from_slice(bytes);
    fs::write(path, all).expect("written");
}

fn assert_every_key_is_found(store: &Store) {
    for n in 0..MESSAGES {
        for key in [format!("id-{n}"), format!("key-{n}")] {
            let found = store.query_by_key("T", &key, 10, 0, i64::MAX);
            assert_eq!(found.records.len(), 1, "{key}");
        }
    }
}

/// Byte and content of each damage to a header of 40 bytes, or to the 50 slots behind it.
const DAMAGES: [(&str, usize, &[u8]); 7] = [
    ("everything", 0, &[0xA5; 240]),
    ("a header of zeros", 0, &[0; 40]),
    ("begin time", 0, &[0x11; 8]),
    ("begin offset", 16, &[0, 0, 0, 0, 0, 1, 2, 3]),
    ("end offset", 24, &[0x7F; 8]),
    ("too many entries", 36, &[0, 0, 1, 0]),
    ("a negative number of entries", 36, &[0xFF; 4]),
];

#[test]
fn a_damaged_index_file_is_made_again_as_it_was_wherever_it_stands() {
    let whole = tempfile::tempdir().expect("folder");
    made(whole.path());
    let before = contents(whole.path());
    assert!(before.len() > 5, "first, middle and last differ");
    for (what, at, bytes) in DAMAGES {
        for n in [0, 3, before.len() - 1] {
            let root = tempfile::tempdir().expect("folder");
            crash_copy(whole.path(), root.path());
            let path = index_files(root.path()).swap_remove(n);
            overwrite(&path, at, bytes);
            let damaged = fs::read(&path).expect("read");
            let (store, _) = open(config(root.path()));
            assert_every_key_is_found(&store);
            assert!(store.close());
            let names = |path: &PathBuf| path.file_name().map(ToOwned::to_owned);
            for ((was, old), (is, new)) in before.iter().zip(contents(root.path())) {
                assert_eq!(names(was), names(&is), "{what} in file {n}");
                assert!(*old == new, "{what} in file {n}: {} differs", is.display());
            }
            let aside = root
                .path()
                .join("cut")
                .join(path.file_name().expect("name"));
            assert!(
                fs::read(aside).expect("kept") == damaged,
                "{what} in file {n}"
            );
        }
    }
}

#[test]
fn neighbours_that_are_damaged_are_made_again_together() {
    let root = tempfile::tempdir().expect("folder");
    made(root.path());
    for path in index_files(root.path()) {
        overwrite(&path, 0, &[0xA5; 40]);
    }
    let (store, _) = open(config(root.path()));
    assert_every_key_is_found(&store);
}

#[test]
fn slots_that_lead_nowhere_are_noticed_in_the_file_in_use() {
    let root = tempfile::tempdir().expect("folder");
    made(root.path());
    let last = index_files(root.path()).pop().expect("some");
    overwrite(&last, 40, &[0xA5; 200]);
    let (store, _) = open(config(root.path()));
    assert_every_key_is_found(&store);
    assert!(root.path().join("cut").exists());
}

#[test]
fn after_a_crash_an_older_file_is_made_again_too() {
    let root = tempfile::tempdir().expect("folder");
    made(root.path());
    fs::write(root.path().join("abort"), "").expect("written");
    for n in [0, 3] {
        overwrite(&index_files(root.path()).swap_remove(n), 0, &[0xA5; 240]);
    }
    let (store, _) = open(config(root.path()));
    assert_every_key_is_found(&store);
    assert_eq!(
        fs::read_dir(root.path().join("cut"))
            .expect("listed")
            .count(),
        2
    );
}

#[test]
fn nothing_is_set_aside_from_a_store_that_is_whole() {
    for clean in [true, false] {
        let root = tempfile::tempdir().expect("folder");
        made(root.path());
        if !clean {
            fs::write(root.path().join("abort"), "").expect("written");
        }
        let (store, _) = open(config(root.path()));
        assert_every_key_is_found(&store);
        assert!(!root.path().join("cut").exists());
    }
}
