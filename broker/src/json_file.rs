//! One file under `config/`, in Java's form, with the version before it beside it as `.bak`: a [`durable::WholeFile`] of
//! JSON.
//!
//! Changes are saved in groups: whoever gets the lock writes what everyone has changed by then, and those who waited
//! for it find nothing left to write. What is on disk already is not written again.
//!
//! Java starts with an empty table when the only version left cannot be read, or is the file of 0 bytes that a power cut
//! leaves of its way to save (its issues 3401, 6096, 9705): a departure, see COMPATIBILITY.md.
//! Java 4.7.0 `common/ConfigManager.java`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use durable::WholeFile;
use parking_lot::Mutex;
use remoting::java::json;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use durable::LoadError;

/// A file of JSON and its `.bak`.
#[derive(Debug)]
pub struct JsonFile {
    path: PathBuf,
    state: Mutex<State>,
    /// How often what it holds has changed in memory.
    changes: AtomicU64,
    /// The `changes` when it was saved the last time, or could not be.
    tried: AtomicU64,
}

#[derive(Debug)]
struct State {
    file: WholeFile,
    /// Bytes of the file as it is on disk, where they are known.
    on_disk: Option<Vec<u8>>,
    /// The `changes` that are on disk.
    saved: u64,
}

impl JsonFile {
    /// The file at `path`. Touches nothing.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        JsonFile {
            state: Mutex::new(State {
                file: WholeFile::new(&path),
                on_disk: None,
                saved: 0,
            }),
            path,
            changes: AtomicU64::new(0),
            tried: AtomicU64::new(0),
        }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the file holds, or its `.bak`; `None` when there is neither. Blocks on the disk.
    ///
    /// # Errors
    /// [`LoadError`] when there is a file, empty or unreadable, and no `.bak` that can be read.
    pub fn load<T: DeserializeOwned>(&self) -> Result<Option<T>, LoadError> {
        let mut state = self.state.lock();
        let loaded = state.file.load(read)?;
        Ok(state.loaded(loaded))
    }

    /// As [`load`](Self::load), for what is told anew anyway: files of which nothing is left but their names, without
    /// bytes, are none.
    ///
    /// # Errors
    /// [`LoadError`] when there is a file that is not empty and cannot be read, and no `.bak` that can.
    pub fn load_unless_empty<T: DeserializeOwned>(&self) -> Result<Option<T>, LoadError> {
        let mut state = self.state.lock();
        let loaded = state.file.load_unless_empty(read)?;
        Ok(state.loaded(loaded))
    }

    /// What the file holds has changed in memory: the next [`save_with`](Self::save_with) has something to write.
    /// To be called after the change, for every one of them; costs one addition.
    pub fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// How often [`changed`](Self::changed) was called.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whether it has changed since it was saved the last time, or since that failed.
    #[must_use]
    pub fn is_unsaved(&self) -> bool {
        self.changes() != self.tried.load(Ordering::Acquire)
    }

    /// Writes what `snapshot` copies, if there was a change since the last time, and returns when every change that was
    /// announced before the call is on disk. Whether there was anything to write. Blocks for two syncs, and for those of
    /// another save that is under way.
    ///
    /// The copy is made while no other save can begin, so a later copy is also written later.
    ///
    /// # Errors
    /// What the file system says. The file is then as it was, and the next call tries again.
    pub fn save_with<T: Serialize>(&self, snapshot: impl FnOnce() -> T) -> io::Result<bool> {
        let mut state = self.state.lock();
        let changes = self.changes(); // before the copy, which then has them all
        if state.saved == changes {
            return Ok(false);
        }
        let written = state.replace(json::write_pretty(&snapshot()));
        if written.is_ok() {
            state.saved = changes;
        }
        self.tried.store(changes, Ordering::Release);
        written
    }

    /// Replaces what the file holds, and keeps what it held as `.bak`. Whether there was anything to write: what is
    /// already on disk is not written again. Blocks for two syncs.
    ///
    /// Writers take turns; the caller must see to it that what is handed in later is also newer.
    ///
    /// # Errors
    /// What the file system says. The file is then as it was.
    pub fn save<T: Serialize + ?Sized>(&self, value: &T) -> io::Result<bool> {
        self.state.lock().replace(json::write_pretty(value))
    }
}

impl State {
    fn loaded<T>(&mut self, loaded: Option<(T, Vec<u8>)>) -> Option<T> {
        let (value, bytes) = loaded?;
        self.on_disk = self.file.is_whole().then_some(bytes);
        Some(value)
    }

    fn replace(&mut self, bytes: Vec<u8>) -> io::Result<bool> {
        if self.on_disk.as_deref() == Some(bytes.as_slice()) {
            return Ok(false);
        }
        self.file.replace(&bytes)?;
        self.on_disk = Some(bytes);
        Ok(true)
    }
}

fn read<T: DeserializeOwned>(bytes: Vec<u8>) -> Result<(T, Vec<u8>), String> {
    let value = json::read(&bytes).map_err(|error| error.to_string())?;
    Ok((value, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::ffi::OsString;
    use std::fs;

    type Table = BTreeMap<String, i64>;

    struct Fixture {
        folder: tempfile::TempDir,
    }

    impl Fixture {
        fn new() -> Self {
            Fixture {
                folder: tempfile::tempdir().expect("a folder"),
            }
        }
        fn path(&self) -> PathBuf {
            self.folder.path().join("config").join("t.json")
        }
        fn write(&self, end: &str, text: &str) {
            fs::create_dir_all(self.folder.path().join("config")).expect("made");
            fs::write(beside(&self.path(), end), text).expect("written");
        }
        fn text(&self, end: &str) -> String {
            fs::read_to_string(beside(&self.path(), end)).expect("there")
        }
        fn load(&self) -> Result<Option<Table>, LoadError> {
            JsonFile::new(self.path()).load()
        }
    }

    fn beside(path: &Path, end: &str) -> PathBuf {
        let mut name = OsString::from(path);
        name.push(end);
        PathBuf::from(name)
    }

    fn table(value: i64) -> Table {
        Table::from([("a".to_owned(), value)])
    }

    #[test]
    fn the_version_before_is_kept() {
        let fixture = Fixture::new();
        let file = JsonFile::new(fixture.path());
        assert!(file.save(&table(1)).expect("saved"));
        assert!(file.save(&table(2)).expect("saved"));
        assert_eq!(fixture.load().expect("loads"), Some(table(2)));
        assert_eq!(
            json::read::<Table>(fixture.text(".bak").as_bytes()),
            Ok(table(1))
        );
        assert!(!beside(&fixture.path(), ".tmp").exists());
    }

    #[test]
    fn what_is_on_disk_is_not_written_again() {
        let fixture = Fixture::new();
        let file = JsonFile::new(fixture.path());
        assert!(file.save(&table(1)).expect("saved"));
        assert!(!file.save(&table(1)).expect("nothing to do"));
        let reopened = JsonFile::new(fixture.path());
        reopened.load::<Table>().expect("loads");
        assert!(!reopened.save(&table(1)).expect("nothing to do"));
        assert!(!beside(&fixture.path(), ".bak").exists());
    }

    #[test]
    fn nothing_there_is_an_empty_start() {
        assert_eq!(Fixture::new().load().expect("starts"), None);
    }

    #[test]
    fn a_pipe_in_the_place_of_the_file_is_refused_and_not_waited_for() {
        let fixture = Fixture::new();
        fixture.write(".bak", "");
        rustix::fs::mkfifoat(rustix::fs::CWD, fixture.path(), rustix::fs::Mode::RWXU)
            .expect("made");
        assert!(fixture.load().is_err());
    }

    #[test]
    fn what_a_power_cut_leaves_of_javas_save_is_no_empty_start() {
        for (main, bak) in [(Some(""), None), (Some(""), Some("")), (None, Some(""))] {
            let fixture = Fixture::new();
            main.into_iter().for_each(|text| fixture.write("", text));
            bak.into_iter().for_each(|text| fixture.write(".bak", text));
            assert!(fixture.load().is_err(), "{main:?} {bak:?}");
            let file = JsonFile::new(fixture.path());
            assert_eq!(
                file.load_unless_empty::<Table>().expect("told anew anyway"),
                None
            );
        }
        let fixture = Fixture::new();
        fixture.write("", "{");
        let file = JsonFile::new(fixture.path());
        assert!(file.load_unless_empty::<Table>().is_err());
    }

    #[test]
    fn what_was_announced_is_on_disk_after_a_save_among_many() {
        let fixture = Fixture::new();
        let file = JsonFile::new(fixture.path());
        let value = Mutex::new(0);
        assert!(!file.save_with(|| table(9)).expect("nothing has changed"));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        *value.lock() += 1;
                        let mine = *value.lock();
                        file.changed();
                        file.save_with(|| table(*value.lock())).expect("saved");
                        let on_disk = fixture.load().expect("loads").expect("there");
                        assert!(on_disk["a"] >= mine, "{on_disk:?} {mine}");
                    }
                });
            }
        });
        assert_eq!(fixture.load().expect("loads"), Some(table(160)));
    }

    #[test]
    fn one_write_serves_all_who_wait() {
        const WAITING: u64 = 8;
        let fixture = Fixture::new();
        let file = JsonFile::new(fixture.path());
        let copies = Mutex::new(0);
        let save = |copy: &dyn Fn()| {
            file.changed();
            file.save_with(|| {
                *copies.lock() += 1;
                copy();
                table(*copies.lock())
            })
            .expect("saved")
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // The first copies only when the others have announced their changes, which they then wait to have saved.
                save(&|| {
                    (0..WAITING).for_each(|_| _ = scope.spawn(|| save(&|| ())));
                    while file.changes() <= WAITING {
                        std::thread::yield_now();
                    }
                })
            });
        });
        assert_eq!(*copies.lock(), 2);
        assert_eq!(fixture.load().expect("loads"), Some(table(2)));
    }

    #[test]
    fn a_save_that_fails_is_tried_again() {
        let fixture = Fixture::new();
        let file = JsonFile::new(fixture.path());
        fs::create_dir_all(beside(&fixture.path(), ".tmp")).expect("in the way");
        file.changed();
        assert!(file.is_unsaved());
        assert!(file.save_with(|| table(1)).is_err());
        assert!(
            !file.is_unsaved(),
            "nobody is to wait for a disk that refuses"
        );
        fs::remove_dir(beside(&fixture.path(), ".tmp")).expect("out of it");
        assert!(file.save_with(|| table(1)).expect("saved"));
        assert!(!file.save_with(|| table(1)).expect("nothing to do"));
    }

    #[test]
    fn a_broken_file_is_replaced_by_its_bak_and_never_becomes_it() {
        for broken in ["", "{\"a\":1", "\0\0\0\0\0\0\0\0"] {
            let fixture = Fixture::new();
            fixture.write("", broken);
            fixture.write(".bak", "{\"a\":7}");
            let file = JsonFile::new(fixture.path());
            assert_eq!(
                file.load::<Table>().expect("from .bak"),
                Some(table(7)),
                "{broken:?}"
            );
            file.save(&table(8)).expect("saved");
            assert_eq!(fixture.text(".bak"), "{\"a\":7}");
            assert_eq!(fixture.load().expect("loads"), Some(table(8)));
        }
    }

    #[test]
    fn a_broken_file_without_a_good_bak_ends_the_start() {
        for bak in [None, Some(""), Some("{]")] {
            let fixture = Fixture::new();
            fixture.write("", "{\"a\":");
            if let Some(bak) = bak {
                fixture.write(".bak", bak);
            }
            let error = fixture.load().expect_err("refused").to_string();
            assert!(
                error.contains("t.json cannot be loaded") && error.contains("t.json.bak"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_missing_file_with_a_broken_bak_ends_the_start() {
        let fixture = Fixture::new();
        fixture.write(".bak", "{]");
        assert!(fixture.load().is_err());
    }

    #[test]
    fn a_save_that_fails_leaves_the_file_as_it_was() {
        let fixture = Fixture::new();
        let file = JsonFile::new(fixture.path());
        file.save(&table(1)).expect("saved");
        fs::create_dir(beside(&fixture.path(), ".tmp")).expect("in the way");
        assert!(file.save(&table(2)).is_err());
        assert_eq!(fixture.load().expect("loads"), Some(table(1)));
    }
}
