//! What a start says of a log that it cuts, and what it keeps of it.

mod support;

use std::fs;
use std::path::Path;

use store::{Appended, StoreConfig};
use support::lines::Lines;
use support::{append_some, assert_holds, config, open, settle};

/// Opens the store, which then holds the first `count` messages, and returns what that said.
fn lines_of_open(root: &Path, count: usize) -> Vec<String> {
    let lines = Lines::default();
    let opened = tracing::subscriber::with_default(lines.clone(), || open(config(root)));
    assert_holds(&opened.0, count);
    lines.get()
}

/// A store of so many messages, closed in order or dropped as by a crash.
fn made(root: &Path, count: usize, in_order: bool) -> Vec<Appended> {
    let (store, _) = open(config(root));
    let appended = append_some(&store, 0, count);
    settle(&store);
    assert!(!in_order || store.close());
    appended
}

fn log_file(root: &Path) -> std::path::PathBuf {
    root.join("commitlog/00000000000000000000")
}

/// Turns one bit of the body of a record.
fn rot(root: &Path, record: &Appended) {
    let mut bytes = fs::read(log_file(root)).expect("read");
    let byte = bytes.get_mut(record.log_offset.0 as usize + 90);
    *byte.expect("in the file") ^= 1;
    fs::write(log_file(root), bytes).expect("written");
}

fn one<'a>(lines: &'a [String], level: &str, text: &str) -> &'a str {
    let mut found = lines
        .iter()
        .filter(|line| line.starts_with(level) && line.contains(text));
    let line = found.next().unwrap_or_else(|| panic!("{lines:#?}"));
    assert!(found.next().is_none(), "{lines:#?}");
    line
}

#[test]
fn a_log_that_rots_after_a_clean_stop_is_cut_with_an_error_and_its_end_is_kept() {
    let root = tempfile::tempdir().expect("folder");
    let appended = made(root.path(), 100, true);
    let before = fs::read(log_file(root.path())).expect("read");
    rot(root.path(), &appended[99]); // or nobody would look in front of it
    rot(root.path(), &appended[10]);
    let lines = lines_of_open(root.path(), 10);
    let (end, upto) = (appended[10].log_offset.0, appended[99].end().0);
    let line = one(&lines, "ERROR", "the log is damaged");
    for part in [
        format!("end={end} "),
        "body CRC is".to_owned(),
        format!("bytes={}", upto - end),
        "messages=88".to_owned(),
    ] {
        assert!(line.contains(&part), "{line} lacks {part}");
    }
    assert!(one(&lines, "ERROR", "queue entries").contains("entries=90"));
    let kept = root.path().join(format!("cut/{end:020}"));
    one(&lines, "ERROR", kept.to_str().expect("text"));
    let kept = fs::read(kept).expect("read");
    let (from, last) = (end as usize, appended[99].log_offset.0 as usize);
    assert_eq!(kept[91..last - from], before[from + 91..last]);
    assert_eq!(
        fs::read_dir(root.path().join("commitlog"))
            .expect("listed")
            .count(),
        1
    );
    assert_eq!(
        lines_of_open(root.path(), 10),
        Vec::<String>::new(),
        "said again"
    );
}

#[test]
fn messages_overwritten_after_a_clean_stop_are_missed() {
    let root = tempfile::tempdir().expect("folder");
    let appended = made(root.path(), 30, true);
    let mut bytes = fs::read(log_file(root.path())).expect("read");
    let from = appended[20].log_offset.0 as usize;
    bytes[from..from + 3000].fill(0x5A);
    fs::write(log_file(root.path()), bytes).expect("written");
    let lines = lines_of_open(root.path(), 20);
    assert!(one(&lines, "ERROR", "the log is damaged").contains("bytes=3000"));
    assert!(one(&lines, "ERROR", "queue entries").contains("entries=10"));
}

#[test]
fn messages_behind_a_bad_one_are_counted_over_all_files_after_a_crash() {
    let root = tempfile::tempdir().expect("folder");
    let appended = made(root.path(), 1000, false);
    assert!(appended[999].log_offset.0 > 65536, "two files");
    rot(root.path(), &appended[100]);
    let lines = lines_of_open(root.path(), 100);
    assert!(one(&lines, "ERROR", "the log is damaged").contains("messages=899"));
    assert_eq!(
        fs::read_dir(root.path().join("cut"))
            .expect("listed")
            .count(),
        2
    );
}

#[test]
fn a_log_that_lacks_a_file_in_between_ends_there_and_what_lies_behind_is_kept() {
    let root = tempfile::tempdir().expect("folder");
    let appended = made(root.path(), 2000, false);
    assert!(appended[1999].log_offset.0 > 2 * 65536, "three files");
    fs::remove_file(root.path().join("commitlog/00000000000000065536")).expect("removed");
    let left = appended.iter().filter(|one| one.end().0 <= 65536).count();
    let lines = lines_of_open(root.path(), left);
    one(&lines, "ERROR", "the log is damaged");
    let copies = fs::read_dir(root.path().join("cut")).expect("listed");
    let copies: Vec<_> = copies
        .map(|copy| copy.expect("listed").file_name())
        .collect();
    assert!(
        copies.contains(&"00000000000000131072".into()),
        "{copies:?}"
    );
}

#[test]
fn a_torn_last_record_is_a_warning_and_nothing_is_kept() {
    let root = tempfile::tempdir().expect("folder");
    let appended = made(root.path(), 50, false);
    let mut bytes = fs::read(log_file(root.path())).expect("read");
    let (last, end) = (
        appended[49].log_offset.0 as usize,
        appended[49].end().0 as usize,
    );
    bytes[last + 30..end].fill(0);
    fs::write(log_file(root.path()), bytes).expect("written");
    let lines = lines_of_open(root.path(), 49);
    assert!(one(&lines, "WARN", "not written to its end").contains(&format!("end={last} ")));
    assert!(!root.path().join("cut").exists());
}

#[test]
fn a_whole_log_is_nothing_to_talk_about() {
    for in_order in [true, false] {
        let root = tempfile::tempdir().expect("folder");
        made(root.path(), 1000, in_order);
        assert_eq!(lines_of_open(root.path(), 1000), Vec::<String>::new());
    }
}

#[test]
fn a_file_that_was_made_ahead_is_nothing_to_talk_about_unless_there_is_something_in_it() {
    for in_order in [true, false] {
        let root = tempfile::tempdir().expect("folder");
        made(root.path(), 50, in_order);
        let ahead = root.path().join(format!("commitlog/{:020}", 64 * 1024));
        fs::write(&ahead, [0; 64 * 1024]).expect("written"); // as touched pages are
        assert_eq!(lines_of_open(root.path(), 50), Vec::<String>::new());
        let mut bytes = vec![0; 64 * 1024];
        bytes[40_000] = 1;
        fs::write(&ahead, bytes).expect("written");
        let lines = lines_of_open(root.path(), 50);
        let line = one(&lines, "WARN", "a log file that lies behind the end");
        assert!(line.contains(ahead.to_str().expect("text")), "{line}");
    }
}

#[test]
fn sizes_that_can_hardly_work_are_named() {
    let root = tempfile::tempdir().expect("folder");
    let lines = Lines::default();
    let small = StoreConfig {
        commit_log_file_bytes: 4096,
        ..config(root.path())
    };
    drop(tracing::subscriber::with_default(lines.clone(), || {
        open(small)
    }));
    let lines = lines.get();
    one(&lines, "WARN", "mappedFileSizeCommitLog=4096");
}
