//! A run of equally long mapped files, found by offset: the commit log.
//!
//! Only one thread at a time adds to a run, the holder of the log; any may read.
//! Java 4.7.0 `store/MappedFileQueue.java`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;

use super::disk;
use super::file::MappedFile;
use crate::error::StoreError;
use crate::paths;

/// The files of one directory, oldest first.
pub(crate) struct FileQueue {
    dir: PathBuf,
    file_bytes: u64,
    files: RwLock<Vec<Arc<MappedFile>>>,
}

impl FileQueue {
    /// Opens what is there. Names that are not 20 digits are left alone, with a WARN. A file that is missing in between
    /// is found by recovery if it reads so far: the log ends there, with an ERROR, and what lies behind is set aside.
    ///
    /// # Errors
    /// `FileSize` naming `key` when a file is not `file_bytes` long, `NotOurs` for one that does not begin at a multiple
    /// of that; nothing has been touched then.
    pub(crate) fn open(
        dir: PathBuf,
        file_bytes: u64,
        key: &'static str,
    ) -> Result<FileQueue, StoreError> {
        let (mut files, mut names) = (Vec::new(), numbered_files(&dir)?);
        drop_unfinished(&mut names, file_bytes)?;
        for (base, path) in names {
            check_length(&path, file_bytes, key)?;
            if !base.is_multiple_of(file_bytes) {
                let reason = "does not begin where a file of the log can";
                return Err(StoreError::NotOurs { file: path, reason });
            }
            let file = MappedFile::open(path.clone(), base).map_err(StoreError::io("map", path))?;
            files.push(Arc::new(file));
        }
        Ok(FileQueue {
            dir,
            file_bytes,
            files: RwLock::new(files),
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Where the file that holds `offset` begins. Files begin at multiples of their length.
    pub(crate) fn base_of(&self, offset: u64) -> u64 {
        offset - offset % self.file_bytes
    }

    /// All files, oldest first.
    pub(crate) fn files(&self) -> Vec<Arc<MappedFile>> {
        self.files.read().clone()
    }

    pub(crate) fn first(&self) -> Option<Arc<MappedFile>> {
        self.files.read().first().cloned()
    }

    /// The first file if it is not the last.
    pub(crate) fn first_of_several(&self) -> Option<Arc<MappedFile>> {
        match &self.files.read()[..] {
            [first, _, ..] => Some(Arc::clone(first)),
            _ => None,
        }
    }

    pub(crate) fn last(&self) -> Option<Arc<MappedFile>> {
        self.files.read().last().cloned()
    }

    /// The file that `offset` lies in.
    pub(crate) fn find(&self, offset: u64) -> Option<Arc<MappedFile>> {
        let files = self.files.read();
        let behind = files.partition_point(|file| file.base() <= offset);
        let file = files.get(behind.checked_sub(1)?)?;
        (offset < file.end()).then(|| Arc::clone(file))
    }

    /// Removes the first file, `oldest`, if others follow it. Its name is gone from the disk when this
    /// returns true; who reads it goes on. Blocks.
    ///
    /// # Errors
    /// What the file system says. Either the file is still there and part of the run, or only its going may not survive
    /// a crash.
    pub(crate) fn remove_first(&self, oldest: &MappedFile) -> io::Result<bool> {
        let first = self.first_of_several();
        if first.is_none_or(|first| first.base() != oldest.base()) {
            return Ok(false);
        }
        oldest.remove()?;
        self.files
            .write()
            .retain(|file| file.base() != oldest.base());
        self.sync_dir().map(|()| true)
    }

    /// Adds a file that the caller made, behind all others.
    pub(crate) fn push(&self, file: Arc<MappedFile>) {
        self.files.write().push(file);
    }

    /// Writes the offsets `[from, to)` to disk. Blocks.
    pub(crate) fn sync(&self, from: u64, to: u64) -> io::Result<()> {
        let files = self.files.read();
        let concerned = files.iter().rev().take_while(|file| from < file.end());
        let concerned: Vec<_> = concerned.filter(|file| file.base() < to).cloned().collect();
        drop(files);
        let mut oldest_first = concerned.iter().rev();
        oldest_first.try_for_each(|file| file.sync(from, to))
    }

    /// Forgets everything from offset `to` on: later files are removed, the one that holds `to` is
    /// cut, and is then fit for writing. The first file always stays, if only as an empty one, so
    /// that the numbering goes on where it was.
    pub(crate) fn cut(&mut self, to: u64, wipe: bool) -> Result<(), StoreError> {
        let files = self.files.get_mut();
        while files.len() > 1 && files.last().is_some_and(|last| last.base() > to) {
            if let Some(last) = files.pop() {
                tell_removed(last.path());
                last.remove()
                    .map_err(StoreError::io("remove", last.path()))?;
            }
        }
        if let Some(last) = files.last_mut() {
            let path = last.path().to_owned();
            let shared = || StoreError::io("cut", &path)(io::ErrorKind::ResourceBusy.into());
            let last = Arc::get_mut(last).ok_or_else(shared)?;
            last.cut(to, wipe).map_err(StoreError::io("cut", &path))?;
        }
        Ok(())
    }

    /// Writes the names of the files to disk.
    pub(crate) fn sync_dir(&self) -> io::Result<()> {
        durable::sync_dir(&self.dir)
    }
}

/// The file that is made ahead lies behind the end of the log after every crash, and there is nothing in it.
fn tell_removed(file: &Path) {
    let empty = File::open(file).and_then(|file| disk::is_zero(&file));
    let path = file.display();
    if empty.unwrap_or(false) {
        tracing::debug!(%path, "remove the log file that was made ahead");
    } else {
        tracing::warn!(%path, "remove a log file that lies behind the end of the log");
    }
}

/// Refuses a file that has another length than `key` configures: nothing of it could be found again.
///
/// # Errors
/// `FileSize`; what the file system says.
pub(crate) fn check_length(
    path: &Path,
    file_bytes: u64,
    key: &'static str,
) -> Result<(), StoreError> {
    let meta = fs::metadata(path).map_err(StoreError::io("look at", path))?;
    if meta.len() == file_bytes {
        return Ok(());
    }
    Err(StoreError::FileSize {
        key,
        file: path.to_owned(),
        found_bytes: meta.len(),
        configured_bytes: file_bytes,
    })
}

/// Removes the last file if the process ended while it was being made: it is short and has nothing
/// in it.
pub(crate) fn drop_unfinished(
    names: &mut Vec<(u64, PathBuf)>,
    file_bytes: u64,
) -> Result<(), StoreError> {
    let Some((_, last)) = names.last() else {
        return Ok(());
    };
    let found_bytes = fs::metadata(last)
        .map_err(StoreError::io("look at", last))?
        .len();
    if found_bytes < file_bytes
        && disk::remove_unfinished(last).map_err(StoreError::io("remove", last))?
    {
        tracing::warn!(path = %last.display(), found_bytes, "removed a file that was not made to its end");
        names.pop();
    }
    Ok(())
}

/// The numbered files of a directory, in order. A missing directory has none.
///
/// # Errors
/// `NotOurs` for what has such a name and is no file: to open a pipe would wait for ever.
pub(crate) fn numbered_files(dir: &Path) -> Result<Vec<(u64, PathBuf)>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StoreError::io("list", dir))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io("list", dir))?;
        match entry.file_name().to_str().and_then(paths::offset_of) {
            Some(base) if is_file(&entry) => files.push((base, entry.path())),
            Some(_) => {
                let (file, reason) = (entry.path(), "is no regular file");
                return Err(StoreError::NotOurs { file, reason });
            }
            None => {
                tracing::warn!(path = %entry.path().display(), "leave alone a file that is not the store's")
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// The kind is known from the listing; only a link must be followed.
fn is_file(entry: &fs::DirEntry) -> bool {
    match entry.file_type() {
        Ok(kind) if !kind.is_symlink() => kind.is_file(),
        _ => entry.path().is_file(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_of_three(dir: &Path) -> FileQueue {
        let run = FileQueue::open(dir.to_owned(), 100, "key").expect("opened");
        for base in [200, 300, 400] {
            let file = MappedFile::create(dir, base, 100).expect("made");
            file.append(&[base as u8; 100]).expect("room");
            run.push(Arc::new(file));
        }
        run
    }

    #[test]
    fn every_offset_is_found_in_its_file() {
        let dir = tempfile::tempdir().expect("folder");
        let run = run_of_three(dir.path());
        let base = |offset| run.find(offset).map(|file| file.base());
        assert_eq!(
            [199, 200, 299, 300, 499, 500].map(base),
            [None, Some(200), Some(200), Some(300), Some(400), None]
        );
        assert_eq!(run.base_of(399), 300);
    }

    #[test]
    fn a_run_opens_as_it_was_and_leaves_other_files_alone() {
        let dir = tempfile::tempdir().expect("folder");
        drop(run_of_three(dir.path()));
        fs::write(dir.path().join("notes.txt"), "x").expect("written");
        let run = FileQueue::open(dir.path().to_owned(), 100, "key").expect("opened");
        assert_eq!(run.files().len(), 3);
        assert_eq!(
            run.find(300).expect("there").get(300, 2),
            Some(&[300u16 as u8; 2][..])
        );
    }

    #[test]
    fn a_file_of_another_size_is_refused_by_key_and_sizes() {
        let dir = tempfile::tempdir().expect("folder");
        drop(run_of_three(dir.path()));
        let refused = FileQueue::open(dir.path().to_owned(), 200, "mappedFileSizeCommitLog")
            .err()
            .expect("refused");
        let text = refused.to_string();
        for part in [
            "mappedFileSizeCommitLog",
            "100",
            "200",
            "00000000000000000200",
        ] {
            assert!(text.contains(part), "{text} lacks {part}");
        }
    }

    #[test]
    fn what_cannot_be_a_file_of_the_run_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("folder");
        drop(run_of_three(dir.path()));
        for (name, is_file) in [
            ("00000000000000000550", true),
            ("00000000000000000600", false),
        ] {
            let path = dir.path().join(name);
            if is_file {
                fs::write(&path, [1; 100]).expect("written");
            } else {
                rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).expect("made");
            }
            let refused = FileQueue::open(dir.path().to_owned(), 100, "key").err();
            let text = refused.expect("refused").to_string();
            assert!(text.contains(name), "{text}");
            fs::remove_file(path).expect("still there");
        }
        assert!(FileQueue::open(dir.path().to_owned(), 100, "key").is_ok());
    }

    #[test]
    fn a_last_file_that_was_not_made_to_its_end_is_made_again() {
        let dir = tempfile::tempdir().expect("folder");
        drop(run_of_three(dir.path()));
        let last = dir.path().join("00000000000000000500");
        fs::write(&last, "").expect("written");
        let run = FileQueue::open(dir.path().to_owned(), 100, "key").expect("opened");
        assert_eq!(run.files().len(), 3);
        assert!(!last.exists());
        fs::write(&last, "content").expect("written");
        assert!(FileQueue::open(dir.path().to_owned(), 100, "key").is_err());
        assert!(last.exists());
    }

    #[test]
    fn the_first_file_goes_alone_and_the_last_never() {
        let dir = tempfile::tempdir().expect("folder");
        let run = run_of_three(dir.path());
        let [first, second, last] = &run.files()[..] else {
            panic!("three files");
        };
        assert!(!run.remove_first(second).expect("left"), "not the first");
        assert!(run.remove_first(first).expect("removed"));
        assert!(!run.remove_first(first).expect("gone"), "once only");
        assert_eq!(first.get(200, 1), Some(&[200][..]), "who has it reads on");
        assert!(run.remove_first(second).expect("removed"));
        assert!(!run.remove_first(last).expect("left"), "the last");
        assert_eq!(run.first().map(|file| file.base()), Some(400));
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn a_cut_removes_later_files_but_never_the_first() {
        let dir = tempfile::tempdir().expect("folder");
        let mut run = run_of_three(dir.path());
        run.cut(310, true).expect("cut");
        assert_eq!(run.last().map(|file| file.published()), Some(310));
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 2);
        run.cut(0, false).expect("cut");
        assert_eq!(
            run.last().map(|file| (file.base(), file.published())),
            Some((200, 200))
        );
    }
}
