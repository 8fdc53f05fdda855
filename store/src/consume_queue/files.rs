//! The files of one queue: entries read and written through descriptors that are open only meanwhile.
//!
//! ```text
//!   first ── file ── file ── file ── end      each `file_bytes` long, sparse, none missing in between
//! ```
//!
//! A broker has tens of thousands of queues, most with a few entries: a mapping each would pass the
//! kernel's `vm.max_map_count`, a descriptor each the limit of open files, and 6 MB each the disk.
//! So a file has its full length, as Java's load demands, but takes room only as it is written; and a write
//! that finds the disk full is an error, never a signal.
//!
//! A few descriptors stay open all the same: of the queues in use, whose reads and writes then are one
//! system call each; they are given up when a minute passed without a use. A full file stays open until it
//! is synced: else only the whole file system could be, and with it, in the way of every sender, the log.
//!
//! Java 4.7.0 `store/MappedFileQueue.java` maps them all.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::consume_queue::kept::Kept;
use crate::error::StoreError;
use crate::mapped::disk::{self, PAGE_BYTES};
use crate::mapped::queue::{check_length, drop_unfinished, numbered_files};
use crate::paths;
use durable::calls::{Call, watched};

/// See the module. Only the dispatcher adds to them; anyone reads.
pub(super) struct QueueFiles {
    dir: PathBuf,
    file_bytes: u64,
    /// Byte the first file begins at.
    first: AtomicU64,
    /// Byte behind the last file; `first` while there is none.
    end: AtomicU64,
    kept: Kept,
    /// Something was written whose descriptor was closed before it was synced (`Kept`). If the disk fails then,
    /// the file may not know any more when it is opened again; its file system still does.
    unwatched: AtomicBool,
}

impl QueueFiles {
    /// A queue that has no files yet; the directory is made with the first one.
    pub(super) fn none(dir: PathBuf, file_bytes: u64) -> QueueFiles {
        QueueFiles {
            dir,
            file_bytes,
            first: AtomicU64::new(0),
            end: AtomicU64::new(0),
            kept: Kept::default(),
            unwatched: AtomicBool::new(false),
        }
    }

    /// Takes what is there, up to the first file that is missing in between. `key` configures their length.
    /// `crashed`: the last stop was not clean.
    ///
    /// # Errors
    /// `FileSize` when a file has another length than configured; nothing has been touched then.
    pub(super) fn open(
        dir: PathBuf,
        file_bytes: u64,
        key: &'static str,
        crashed: bool,
    ) -> Result<QueueFiles, StoreError> {
        let mut names = numbered_files(&dir)?;
        drop_unfinished(&mut names, file_bytes)?;
        if crashed {
            drop_unsynced(&mut names)?;
        }
        let (most, aligned) = (i64::MAX as u64 - file_bytes, |base: u64| {
            base.is_multiple_of(file_bytes)
        });
        let first = names.first().map_or(0, |(base, _)| *base);
        let first = if aligned(first) && first <= most {
            first
        } else {
            0
        };
        let mut end = first;
        for (base, path) in names {
            check_length(&path, file_bytes, key)?;
            if base == end && end <= most {
                end += file_bytes;
            } else {
                tracing::error!(path = %path.display(), "leave alone a queue file that does not follow the one before it");
            }
        }
        Ok(QueueFiles {
            dir,
            file_bytes,
            first: AtomicU64::new(first),
            end: AtomicU64::new(end),
            kept: Kept::default(),
            unwatched: AtomicBool::new(false),
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Byte the first file begins at.
    pub(super) fn first(&self) -> u64 {
        self.first.load(Ordering::Acquire)
    }

    /// Byte behind the last file.
    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.end() == self.first()
    }

    /// Where the file that holds byte `at` begins. Files begin at multiples of their length.
    pub(super) fn base_of(&self, at: u64) -> u64 {
        at - at % self.file_bytes
    }

    /// Says where the first file is to be. For a queue without files.
    pub(super) fn begin(&self, base: u64) {
        self.first.store(base, Ordering::Release);
        self.end.store(base, Ordering::Release);
    }

    /// The file that holds byte `at`.
    pub(super) fn open_at(&self, at: u64) -> io::Result<Arc<File>> {
        let base = self.base_of(at);
        if let Some(file) = self.kept.find(base) {
            return Ok(file);
        }
        let file = Arc::new(disk::open(&paths::numbered(&self.dir, base))?);
        self.keep(base, &file);
        Ok(file)
    }

    fn keep(&self, base: u64, file: &Arc<File>) {
        let is_last = base + self.file_bytes == self.end();
        self.kept.keep(base, file, is_last);
    }

    /// Closes the files kept open that nobody has used since the last call. For the one who syncs.
    pub(super) fn close_unused(&self) {
        self.kept.close_unused();
    }

    /// Whether a failed write since the last call can have gone unnoticed by the files.
    pub(super) fn take_unwatched(&self) -> bool {
        self.unwatched.swap(false, Ordering::AcqRel)
    }

    /// Fills `bytes` from byte `at` of the queue on, out of `file`, which holds them all.
    pub(super) fn read(&self, file: &File, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let base = self.base_of(at);
        let call = || Call::Read(paths::numbered(&self.dir, base));
        watched(call, || file.read_exact_at(bytes, at - base))
    }

    /// Writes `bytes`, which follow what was written before or repeat it; files are made as needed.
    /// In the page cache when it returns. Where `end` moves, files were made, also if it fails then: their names are to be
    /// synced.
    ///
    /// # Errors
    /// What the file system says, ENOSPC most likely. The same call may be made again.
    pub(super) fn write(&self, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let base = self.base_of(at);
            let file = if base < self.end() {
                self.open_at(base)?
            } else {
                let file = Arc::new(make(&self.dir, base, self.file_bytes)?);
                let is_watched = self.is_empty() || self.kept.fill_last(base - self.file_bytes);
                self.unwatched.fetch_or(!is_watched, Ordering::AcqRel);
                self.end.store(base + self.file_bytes, Ordering::Release);
                self.keep(base, &file);
                file
            };
            let fits = (base + self.file_bytes - at).min(bytes.len() as u64);
            let (here, behind) = bytes.split_at(fits as usize);
            let path = || paths::numbered(&self.dir, base);
            watched(
                || Call::Write(path()),
                || file.write_all_at(here, at - base),
            )?;
            if !self.kept.has_last(base) {
                self.unwatched.store(true, Ordering::Release);
            }
            (at, bytes) = (at + fits, behind);
        }
        Ok(())
    }

    /// Says when the file that holds byte `at`, which is full now, was written: when its last message was
    /// stored. Java 4.7.0 `MappedFileQueue.getMappedFileByTime` looks for offsets by that time.
    pub(super) fn set_time(&self, at: u64, stored_ms: i64) {
        let stored = UNIX_EPOCH + Duration::from_millis(u64::try_from(stored_ms).unwrap_or(0));
        let set = self.open_at(at).and_then(|file| file.set_modified(stored));
        if let Err(error) = set {
            tracing::warn!(%error, queue = %self.dir.display(), "set the time of a queue file; Java's searches by time go by it");
        }
    }

    /// Writes the bytes `[from, to)` to disk. Blocks.
    pub(super) fn sync(&self, from: u64, to: u64) -> io::Result<()> {
        let mut base = self.base_of(from.max(self.first()));
        while base < to.min(self.end()) {
            match self.open_at(base) {
                Err(_) if base < self.first() => {} // expired meanwhile
                file => {
                    let (file, path) = (file?, || paths::numbered(&self.dir, base));
                    watched(|| Call::sync_all(path()), || file.sync_data())?;
                }
            }
            base += self.file_bytes;
        }
        Ok(())
    }

    /// Notes that what lies in front of byte `to` is on disk.
    pub(super) fn synced(&self, to: u64) {
        self.kept.synced(to, self.file_bytes);
    }

    /// Removes the files that end at byte `to` or before, but never the last, which keeps the
    /// numbering. Their names are gone from the disk one by one, or a crash could leave a gap. Returns
    /// how many went. Blocks.
    ///
    /// # Errors
    /// What the file system says. A file that is still there is found again by the next start.
    pub(super) fn remove_before(&self, to: u64) -> io::Result<usize> {
        let mut removed = 0;
        loop {
            let first = self.first();
            let next = first + self.file_bytes;
            if next > to || next >= self.end() {
                return Ok(removed);
            }
            self.first.store(next, Ordering::Release); // before it goes: who misses it knows why
            self.kept.close(first);
            disk::remove(&paths::numbered(&self.dir, first))?;
            durable::sync_dir(&self.dir)?;
            removed += 1;
        }
    }

    /// Writes the names of the files to disk: the queue's folder, its topic's and the one of all
    /// topics may all be new.
    pub(super) fn sync_names(&self) -> io::Result<()> {
        self.dir.ancestors().take(3).try_for_each(durable::sync_dir)
    }

    /// Makes everything from byte `to` on zero: later files are removed, except the first one, which
    /// keeps the numbering. Costs little when it is zero already.
    pub(super) fn cut(&mut self, to: u64) -> Result<(), StoreError> {
        self.kept.close_all();
        *self.unwatched.get_mut() = true;
        let (first, end) = (*self.first.get_mut(), self.end.get_mut());
        let mut last = end.saturating_sub(self.file_bytes);
        while *end > first && last > to.max(first) {
            let path = paths::numbered(&self.dir, last);
            disk::remove(&path).map_err(StoreError::io("remove", path))?;
            *end = last;
            last = last.saturating_sub(self.file_bytes);
        }
        if *end > to && *end > first {
            let path = paths::numbered(&self.dir, last);
            let from = to.max(last) - last;
            wipe(&path, from, self.file_bytes).map_err(StoreError::io("cut", path))?;
        }
        Ok(())
    }

    /// Removes every file, and the directory if nothing else is in it.
    pub(super) fn destroy(&self) -> Result<(), StoreError> {
        self.kept.close_all();
        for (_, path) in numbered_files(&self.dir)? {
            disk::remove(&path).map_err(StoreError::io("remove", path))?;
        }
        let _ = disk::remove_dir(&self.dir);
        self.begin(0);
        Ok(())
    }
}

/// Removes the first file whose length never came to disk and those behind it, which were synced after it
/// if at all: what they have is not settled, and will be built again.
fn drop_unsynced(names: &mut Vec<(u64, PathBuf)>) -> Result<(), StoreError> {
    let unsynced =
        |(_, path): &(u64, PathBuf)| fs::metadata(path).is_ok_and(|meta| meta.len() == 0);
    let from = names.iter().position(unsynced).unwrap_or(names.len());
    for (_, path) in names.drain(from..).rev() {
        tracing::warn!(path = %path.display(), "removed a queue file that was not on disk when the machine stopped");
        disk::remove(&path).map_err(StoreError::io("remove", path))?;
    }
    Ok(())
}

/// Makes a queue file of its full length, which takes no room yet.
fn make(dir: &Path, base: u64, bytes: u64) -> io::Result<File> {
    let path = paths::numbered(dir, base);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    options.truncate(true); // one that does not follow the others, see `open`
    let make = || watched(|| Call::Create(path.clone()), || options.open(&path));
    let file = match make() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            disk::make_dir_unsynced(dir)?;
            make()?
        }
        made => made?,
    };
    disk::resize(&file, &path, bytes)?;
    Ok(file)
}

/// Makes a file of `bytes` zero from `from` on, if it is not so already. Its length never changes: a crash
/// would leave one that no start takes.
fn wipe(path: &Path, from: u64, bytes: u64) -> io::Result<()> {
    let file = disk::open(path)?;
    let page_end = from.next_multiple_of(PAGE_BYTES).min(bytes);
    let mut rest = vec![0; (page_end - from) as usize];
    file.read_exact_at(&mut rest, from)?;
    let is_zero = rest.iter().all(|byte| *byte == 0)
        && (page_end == bytes || seek(&file, SeekFrom::Data(page_end)) == Err(Errno::NXIO));
    if !is_zero {
        disk::punch(&file, path, from, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn read(files: &QueueFiles, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let file = files.open_at(at)?;
        files.read(&file, at, &mut bytes).map(|()| bytes)
    }

    #[test]
    fn a_file_is_full_length_from_the_start_and_takes_room_as_it_is_written() {
        let dir = tempfile::tempdir().expect("folder");
        let files = QueueFiles::none(dir.path().join("T/0"), 6_000_000);
        files.write(0, &[7; 20]).expect("written");
        files.write(20, &[8; 20]).expect("written");
        let meta = fs::metadata(dir.path().join("T/0/00000000000000000000")).expect("there");
        assert_eq!(meta.len(), 6_000_000);
        assert!(meta.blocks() * 512 <= 64 * 1024, "{} blocks", meta.blocks());
    }

    #[test]
    fn a_write_goes_on_in_the_next_file_and_all_is_found_again() {
        let dir = tempfile::tempdir().expect("folder");
        let files = QueueFiles::none(dir.path().join("T/0"), 100);
        files.begin(300);
        let bytes: Vec<u8> = (0..250).collect();
        files.write(300, &bytes).expect("written");
        let files = QueueFiles::open(dir.path().join("T/0"), 100, "key", true).expect("opened");
        assert_eq!((files.first(), files.end()), (300, 600));
        assert_eq!(read(&files, 380, 20).expect("read"), bytes[80..100]);
        assert_eq!(read(&files, 540, 10).expect("read"), bytes[240..250]);
        assert!(read(&files, 600, 1).is_err());
    }

    #[test]
    fn a_cut_leaves_zeros_and_keeps_the_first_file() {
        let dir = tempfile::tempdir().expect("folder");
        let mut files = QueueFiles::none(dir.path().to_owned(), 10_000);
        files.begin(20_000);
        files.write(20_000, &[9; 25_000]).expect("written");
        files.cut(30_100).expect("cut");
        assert_eq!((files.first(), files.end()), (20_000, 40_000));
        assert_eq!(read(&files, 30_090, 10).expect("read"), [9; 10]);
        assert_eq!(read(&files, 30_100, 9_900).expect("read"), [0; 9_900]);
        files.cut(0).expect("cut");
        assert_eq!((files.first(), files.end()), (20_000, 30_000));
        assert_eq!(read(&files, 20_000, 10_000).expect("read"), [0; 10_000]);
    }

    #[test]
    fn files_in_front_of_a_place_go_but_never_the_last() {
        let dir = tempfile::tempdir().expect("folder");
        let files = QueueFiles::none(dir.path().to_owned(), 100);
        files.begin(300);
        files.write(300, &[9; 250]).expect("written");
        assert_eq!(files.remove_before(399).expect("removed"), 0);
        assert_eq!(files.remove_before(400).expect("removed"), 1);
        assert_eq!((files.first(), files.end()), (400, 600));
        assert_eq!(read(&files, 450, 10).expect("read"), [9; 10]);
        assert!(read(&files, 350, 10).is_err());
        files.sync(0, u64::MAX).expect("what is there is synced");
        assert_eq!(files.remove_before(u64::MAX).expect("removed"), 1);
        assert_eq!((files.first(), files.end()), (500, 600));
        let files = QueueFiles::open(dir.path().to_owned(), 100, "key", true).expect("opened");
        assert_eq!((files.first(), files.end()), (500, 600));
    }

    #[test]
    fn the_last_file_and_a_readers_stay_open_until_a_pass_without_use() {
        let dir = tempfile::tempdir().expect("folder");
        let files = QueueFiles::none(dir.path().to_owned(), 100);
        files.write(0, &[9; 50]).expect("written");
        assert!(!files.take_unwatched(), "its descriptor is open still");
        files.write(50, &[9; 100]).expect("written");
        assert!(!files.take_unwatched(), "so is that of the full file");
        files.write(150, &[9; 150]).expect("written");
        assert!(files.take_unwatched(), "that of the next full one is not");
        let open = || files.kept.bases();
        assert_eq!(open(), [Some(200), None, Some(0)]);
        files.synced(99);
        assert_eq!(open(), [Some(200), None, Some(0)]);
        files.synced(100);
        assert_eq!(open(), [Some(200), None, None]);
        read(&files, 0, 10).expect("read");
        assert_eq!(open(), [Some(200), Some(0), None]);
        files.close_unused();
        read(&files, 0, 10).expect("read");
        files.close_unused();
        assert_eq!(open(), [None, Some(0), None]);
        files.close_unused();
        assert_eq!(open(), [None, None, None]);
        files.write(270, &[9; 10]).expect("written");
        assert!(!files.take_unwatched(), "opened before it was written");
    }

    #[test]
    fn what_lies_behind_a_missing_file_does_not_count() {
        let dir = tempfile::tempdir().expect("folder");
        let files = QueueFiles::none(dir.path().to_owned(), 100);
        files.write(0, &[9; 300]).expect("written");
        fs::remove_file(dir.path().join("00000000000000000100")).expect("removed");
        let files = QueueFiles::open(dir.path().to_owned(), 100, "key", true).expect("opened");
        assert_eq!((files.first(), files.end()), (0, 100));
        files.write(100, &[1; 150]).expect("written anew");
        assert_eq!(read(&files, 200, 100).expect("read")[50..], [0; 50]);
    }
}
