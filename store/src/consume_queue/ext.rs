//! The extension of a queue: `consumequeue_ext/<topic>/<queue>`, with a unit for each entry that points to one.
//!
//! ```text
//!   entry  log offset, size, address ──┐            entry  log offset, size, tags code   (extension off)
//!                                      ▼
//!   files  unit unit unit mark ···│ unit unit
//! ```
//!
//! A unit lies in one file; the mark says that the file's rest was too short for the next. The rule that is easy to
//! break: a unit counts only once an entry points to it, so that the same message can be put again, and a place that an
//! entry points to is never given to another unit. Java 4.7.0 `store/ConsumeQueueExt.java`.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::ext_unit::{ExtUnit, LAST_BYTE, MARK, MARK_BYTES, address, byte_of};
use super::files::QueueFiles;
use crate::error::StoreError;

/// The configuration key of a file's length.
const SIZE_KEY: &str = "mappedFileSizeConsumeQueueExt";
/// Read at a time: some hundred units, which mostly are wanted one after the other.
const READ_BYTES: u64 = 4096;
/// A longer unit has no size.
const LONGEST_BYTES: u64 = i16::MAX as u64;

/// See the module. Only the dispatcher adds to it; anyone reads.
pub(super) struct Ext {
    files: QueueFiles,
    /// Byte behind the last unit that counts.
    end: AtomicU64,
    /// Bytes known to be on disk.
    synced: AtomicU64,
    /// Files were made or wiped since the last sync.
    files_changed: AtomicBool,
    /// A unit could not be found: said once.
    missed: AtomicBool,
}

/// A unit that is written and does not count yet.
pub(super) struct Placed {
    /// What the entry has in the place of its tags code.
    pub(super) address: i64,
    end: u64,
}

/// Units that are in the files but not known to be on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unsynced {
    from: u64,
    to: u64,
    files_changed: bool,
    pub(super) unwatched: bool,
}

/// Units that were read, for the next one to be found in.
#[derive(Default)]
pub(crate) struct Units {
    file: Option<(u64, Arc<File>)>,
    from: u64,
    bytes: Vec<u8>,
}

impl Ext {
    /// One without files.
    pub(super) fn none(dir: PathBuf, file_bytes: u64) -> Ext {
        Ext::over(QueueFiles::none(dir, file_bytes))
    }

    /// What is there. Where it ends is to be said by `end_behind`.
    ///
    /// # Errors
    /// As `QueueFiles::open`.
    pub(super) fn open(dir: PathBuf, file_bytes: u64, crashed: bool) -> Result<Ext, StoreError> {
        QueueFiles::open(dir, file_bytes, SIZE_KEY, crashed).map(Ext::over)
    }

    fn over(files: QueueFiles) -> Ext {
        let first = files.first();
        Ext {
            files,
            end: AtomicU64::new(first),
            synced: AtomicU64::new(first),
            files_changed: AtomicBool::new(false),
            missed: AtomicBool::new(false),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Writes a unit behind the others; it counts from `keep` on. `None`: it is too long for its size or a file.
    ///
    /// # Errors
    /// What the file system says. The same call may be made again.
    pub(super) fn put(&self, unit: &ExtUnit<'_>) -> io::Result<Option<Placed>> {
        let Some(bytes) = unit.encode() else {
            return Ok(None);
        };
        let (size, file_bytes) = (bytes.len() as u64, self.files.file_bytes());
        let mut at = self.end.load(Ordering::Relaxed);
        if size + MARK_BYTES > file_bytes || at + file_bytes > LAST_BYTE {
            return Ok(None);
        }
        let left = file_bytes - at % file_bytes;
        if size + MARK_BYTES > left {
            if left >= MARK.len() as u64 {
                self.write(at, &MARK)?;
            }
            at += left;
        }
        self.write(at, &bytes)?;
        Ok(Some(Placed {
            address: address(at),
            end: at + size,
        }))
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let end = self.files.end();
        let written = self.files.write(at, bytes);
        if self.files.end() != end {
            self.files_changed.store(true, Ordering::Release);
        }
        written
    }

    /// An entry points to the unit.
    pub(super) fn keep(&self, placed: &Placed) {
        self.end.store(placed.end, Ordering::Release);
    }

    /// The unit at the byte that a code is the address of, if it can be read.
    pub(super) fn unit<'u>(&self, at: u64, units: &'u mut Units) -> Option<ExtUnit<'u>> {
        let end = self.end.load(Ordering::Acquire);
        if at < end && ExtUnit::decode(units.behind(at)).is_none() {
            self.read(at, end.min(at.saturating_add(READ_BYTES)), units);
            if ExtUnit::decode(&units.bytes).is_none() {
                self.read(at, end.min(at.saturating_add(LONGEST_BYTES)), units);
            }
        }
        let found = ExtUnit::decode(units.behind(at)).map(|(unit, _)| unit);
        if found.is_none() && !self.missed.swap(true, Ordering::Relaxed) {
            tracing::error!(dir = %self.files.dir().display(), at, "a unit of a queue's extension is not there: the record tells what it would have");
        }
        found
    }

    /// Fills `units` with the bytes from `at` to `to`, those of one file; with nothing when they cannot be read.
    fn read(&self, at: u64, to: u64, units: &mut Units) {
        units.from = at;
        units.bytes.clear();
        let base = self.files.base_of(at);
        let file = match &units.file {
            Some((of, file)) if *of == base => Ok(Arc::clone(file)),
            _ => self.files.open_at(at),
        };
        let to = to.min(base + self.files.file_bytes());
        units.bytes.resize((to - at) as usize, 0);
        let read = file.and_then(|file| {
            self.files.read(&file, at, &mut units.bytes)?;
            units.file = Some((base, file));
            Ok(())
        });
        if read.is_err() {
            units.bytes.clear();
        }
    }

    /// Ends it behind the unit that `last` is the address of, the last one that an entry has. `wipe`: what lies behind
    /// is made zero. A unit that is not there keeps its place.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn end_behind(&mut self, last: Option<i64>, wipe: bool) -> Result<(), StoreError> {
        let (first, files_end) = (self.files.first(), self.files.end());
        let end = match last.and_then(byte_of) {
            Some(at) if (first..files_end).contains(&at) => {
                let mut units = Units::default();
                self.read(at, files_end.min(at + LONGEST_BYTES), &mut units);
                let unit = ExtUnit::decode(&units.bytes);
                let next_file = self.files.base_of(at) + self.files.file_bytes();
                unit.map_or(next_file, |(_, size)| at + size)
            }
            Some(at) if at >= files_end => files_end,
            _ => first,
        };
        *self.end.get_mut() = end;
        *self.synced.get_mut() = if wipe { first } else { end };
        *self.files_changed.get_mut() |= wipe;
        if wipe { self.files.cut(end) } else { Ok(()) }
    }

    /// Removes the files in front of the one that holds the unit with this address. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn remove_before(&self, oldest: i64) -> io::Result<()> {
        byte_of(oldest).map_or(Ok(()), |at| self.files.remove_before(at).map(drop))
    }

    /// Removes every file.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn destroy(&self) -> Result<(), StoreError> {
        self.files.destroy()?;
        self.end.store(0, Ordering::Release);
        self.synced.store(0, Ordering::Relaxed);
        Ok(())
    }

    /// What is to be synced now.
    pub(super) fn unsynced(&self) -> Unsynced {
        Unsynced {
            from: self.synced.load(Ordering::Relaxed),
            to: self.end.load(Ordering::Acquire),
            files_changed: self.files_changed.swap(false, Ordering::AcqRel),
            unwatched: self.files.take_unwatched(),
        }
    }

    /// Closes what nobody uses.
    pub(super) fn close_unused(&self) {
        self.files.close_unused();
    }

    /// Writes what `unsynced` returned to disk. Blocks.
    pub(super) fn sync(&self, unsynced: Unsynced) -> io::Result<()> {
        if unsynced.files_changed {
            self.files.sync_names()?;
            return self.files.sync(unsynced.from, u64::MAX);
        }
        self.files.sync(unsynced.from, unsynced.to)
    }

    /// Notes that it is on disk.
    pub(super) fn synced(&self, unsynced: Unsynced) {
        self.synced.store(unsynced.to, Ordering::Relaxed);
        self.files.synced(unsynced.to);
    }
}

impl Units {
    /// What was read from byte `at` on.
    fn behind(&self, at: u64) -> &[u8] {
        let known = at
            .checked_sub(self.from)
            .and_then(|from| usize::try_from(from).ok());
        known
            .and_then(|from| self.bytes.get(from..))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE_BYTES: u64 = 128;

    fn unit(n: i64) -> ExtUnit<'static> {
        ExtUnit {
            tags_code: n,
            store_timestamp_ms: n * 1000,
            filter_bits: &[0xaa; 14],
        }
    }

    /// Units of 34 bytes: three a file, and 26 bytes that the fourth does not fit into.
    fn written(dir: &std::path::Path, count: i64) -> (Ext, Vec<i64>) {
        let ext = Ext::none(dir.to_owned(), FILE_BYTES);
        let put = |n| {
            let placed = ext.put(&unit(n)).expect("written").expect("it fits");
            ext.keep(&placed);
            placed.address
        };
        let addresses = (0..count).map(put).collect();
        (ext, addresses)
    }

    fn assert_there(ext: &Ext, addresses: &[i64]) {
        let mut units = Units::default();
        let numbered = (0..).zip(addresses.iter().copied());
        let mut both_ways: Vec<_> = numbered.collect();
        both_ways.extend(both_ways.clone().into_iter().rev());
        for (n, address) in both_ways {
            let at = byte_of(address).expect("an address");
            assert_eq!(ext.unit(at, &mut units), Some(unit(n)), "unit {n}");
        }
    }

    #[test]
    fn units_do_not_cross_files_and_a_mark_ends_what_is_used_of_one() {
        let dir = tempfile::tempdir().expect("folder");
        let (ext, addresses) = written(dir.path(), 7);
        let bytes: Vec<_> = addresses.iter().map(|one| byte_of(*one)).collect();
        let expected = [0, 34, 68, 128, 162, 196, 256].map(Some);
        assert_eq!(bytes, expected);
        assert_there(&ext, &addresses);
        let first = std::fs::read(dir.path().join(format!("{:020}", 0))).expect("there");
        assert_eq!((first.len(), &first[102..104]), (128, &[0xff, 0xff][..]));
    }

    #[test]
    fn a_unit_that_no_entry_got_is_written_over() {
        let dir = tempfile::tempdir().expect("folder");
        let (ext, addresses) = written(dir.path(), 2);
        let placed = ext.put(&unit(99)).expect("written").expect("it fits");
        let at = byte_of(placed.address).expect("an address");
        assert_eq!(
            ext.unit(at, &mut Units::default()),
            None,
            "it does not count"
        );
        let again = ext.put(&unit(2)).expect("written").expect("it fits");
        ext.keep(&again);
        assert_eq!(again.address, placed.address);
        assert_there(&ext, &[addresses, vec![again.address]].concat());
    }

    #[test]
    fn it_ends_behind_the_last_unit_that_an_entry_has() {
        for (kept, wipe) in (0..=7_usize).flat_map(|kept| [(kept, true), (kept, false)]) {
            let dir = tempfile::tempdir().expect("folder");
            let (ext, addresses) = written(dir.path(), 7);
            drop(ext);
            let mut ext = Ext::open(dir.path().to_owned(), FILE_BYTES, true).expect("opened");
            let last = kept.checked_sub(1).map(|last| addresses[last]);
            ext.end_behind(last, wipe).expect("cut");
            assert_there(&ext, &addresses[..kept]);
            let next = ext.put(&unit(kept as i64)).expect("written").expect("fits");
            assert_eq!(
                next.address,
                addresses.get(kept).copied().unwrap_or(address(290))
            );
        }
    }

    #[test]
    fn the_place_of_a_unit_that_is_lost_is_never_given_to_another() {
        let dir = tempfile::tempdir().expect("folder");
        let (_, addresses) = written(dir.path(), 2);
        std::fs::write(dir.path().join(format!("{:020}", 0)), [0; 128]).expect("lost");
        let mut ext = Ext::open(dir.path().to_owned(), FILE_BYTES, true).expect("opened");
        ext.end_behind(addresses.last().copied(), true)
            .expect("cut");
        let next = ext.put(&unit(7)).expect("written").expect("it fits");
        assert_eq!(byte_of(next.address), Some(128));
        ext.keep(&next);
        let old = byte_of(addresses[1]).expect("an address");
        assert_eq!(ext.unit(old, &mut Units::default()), None);
    }

    #[test]
    fn addresses_that_no_unit_has_find_nothing() {
        let dir = tempfile::tempdir().expect("folder");
        let (ext, _) = written(dir.path(), 5);
        let mut units = Units::default();
        for at in [1, 33, 102, 127, 195, 230, 256, 1 << 40, LAST_BYTE, u64::MAX] {
            assert_eq!(ext.unit(at, &mut units), None, "at {at}");
        }
    }

    #[test]
    fn what_is_too_long_has_no_unit() {
        let dir = tempfile::tempdir().expect("folder");
        let ext = Ext::none(dir.path().to_owned(), FILE_BYTES);
        let with = |bits| {
            let unit = ExtUnit {
                filter_bits: bits,
                ..ExtUnit::default()
            };
            ext.put(&unit)
                .expect("written")
                .map(|placed| placed.address)
        };
        assert_eq!(with(&[1; 104]), Some(address(0)));
        assert_eq!(with(&[1; 105]), None, "longer than a file");
        assert_eq!(with(&[1; 40_000]), None, "longer than a size can tell");
    }

    #[test]
    fn files_in_front_of_the_oldest_unit_go() {
        let dir = tempfile::tempdir().expect("folder");
        let (ext, addresses) = written(dir.path(), 7);
        ext.remove_before(addresses[4]).expect("removed");
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 2);
        assert_eq!(ext.unit(0, &mut Units::default()), None);
        let at = byte_of(addresses[4]).expect("an address");
        assert_eq!(ext.unit(at, &mut Units::default()), Some(unit(4)));
    }
}
