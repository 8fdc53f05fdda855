//! What the tests of `mqstore` share: stores to damage, and the program run on them.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test file uses a part of it"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// A file that Java made.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../compat-tests/golden/store")
        .join(name)
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("listed");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// A copy of a store that Java made.
pub fn copy_of(name: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("folder");
    copy(&golden(name), root.path());
    root
}

/// The files of a folder, by name.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("listed");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("listed").path()).collect();
    files.sort();
    files
}

/// Every file below a folder and what is in it.
pub fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for path in files(dir) {
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            let content = fs::read(&path).expect("read");
            all.insert(path, content);
        }
    }
    all
}

pub fn edit(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut content = fs::read(file).expect("read");
    change(&mut content);
    fs::write(file, content).expect("written");
}

pub fn overwrite(file: &Path, at: u64, bytes: &[u8]) {
    edit(file, |content| {
        let place = content.get_mut(at as usize..at as usize + bytes.len());
        place.expect("in the file").copy_from_slice(bytes);
    });
}

/// Turns one bit.
pub fn flip(file: &Path, at: u64) {
    edit(file, |content| {
        *content.get_mut(at as usize).expect("in the file") ^= 4
    });
}

/// What `mqstore check` said.
#[derive(Debug)]
pub struct Checked {
    pub exit: i32,
    pub report: Value,
    pub text: String,
    pub stderr: String,
}

impl Checked {
    pub fn findings(&self) -> Vec<Value> {
        let findings = self.report.get("findings").and_then(Value::as_array);
        findings.cloned().unwrap_or_default()
    }

    /// Weight and kind of everything found.
    pub fn kinds(&self) -> BTreeSet<String> {
        let totals = self.report.get("totals").and_then(Value::as_object);
        totals
            .into_iter()
            .flatten()
            .map(|(kind, _)| kind.clone())
            .collect()
    }
}

/// Runs `mqstore`; where its output goes to.
pub fn mqstore(args: &[&str], stdout: Stdio) -> Output {
    /// A child that is just being started by another test has the locks of all stores that were open when it was forked,
    /// until it is `mqstore`: so one is started after the other.
    static STARTING: Mutex<()> = Mutex::new(());
    let starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    let child = Command::new(env!("CARGO_BIN_EXE_mqstore"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .expect("mqstore starts");
    drop(starting);
    child.wait_with_output().expect("mqstore runs")
}

/// Runs `mqstore check` on a store.
pub fn check(root: &Path, more: &[&str]) -> Checked {
    let root = root.to_str().expect("text");
    let run = mqstore(&[&["check", "--json", root], more].concat(), Stdio::piped());
    let text = String::from_utf8(run.stdout).expect("text");
    Checked {
        exit: run.status.code().expect("it was not killed"),
        report: serde_json::from_str(&text).unwrap_or(Value::Null),
        text,
        stderr: String::from_utf8_lossy(&run.stderr).into_owned(),
    }
}
