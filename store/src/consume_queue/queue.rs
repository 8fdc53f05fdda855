//! One queue of a topic: its entries on disk, and the numbers that appends and reads need of it.
//!
//! ```text
//!   entries:  0 ── min ──────────────── max ······ next
//!             gone │ readable           │ appended, not yet dispatched
//! ```
//!
//! Entry n lies at byte 20 n. The rule that is easy to break: `next` belongs to the holder of the
//! log's lock, everything else to the dispatcher. Java 4.7.0 `store/ConsumeQueue.java`.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::ext::{Ext, Placed, Units};
use super::ext_unit::{ExtUnit, byte_of};
use super::files::QueueFiles;
use super::tail::Tail;
use super::unit::{ENTRY_BYTES, Entry};
use crate::api::QueueEntry;
use crate::delay_levels::SCHEDULE_TOPIC;
use crate::error::StoreError;
use crate::offset::QueueOffset;

/// A gap of up to so many files is filled with blank entries; no record that is whole leaves a longer one.
const GAP_FILES: u64 = 3;

/// See the module.
pub(crate) struct Queue {
    pub(super) id: u32,
    pub(super) files: QueueFiles,
    pub(super) tail: Mutex<Tail>,
    /// Its extension, if there is one.
    pub(super) ext: Option<Ext>,
    /// The entry the next append gets.
    next: AtomicI64,
    /// Bytes in front of the first readable entry.
    pub(super) min: AtomicU64,
    /// Bytes in front of the end.
    pub(super) max: AtomicU64,
    /// Where the record of the last entry ends in the log.
    pub(super) log_end: AtomicU64,
    /// Bytes known to be on disk.
    pub(super) synced: AtomicU64,
    /// An entry came whose number was taken: said once.
    misnumbered: AtomicBool,
    /// Its topic was deleted.
    gone: AtomicBool,
}

/// What became of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is readable now, under this number.
    Added(QueueOffset),
    /// It was there before: recovery sees some records twice. Or its topic was deleted meanwhile.
    AlreadyThere,
    /// Its number cannot be one; it was left out.
    Impossible,
}

impl Queue {
    /// A queue without entries; its directory is made when some are written.
    pub(super) fn empty(dir: PathBuf, id: u32, file_bytes: u64, ext: Option<Ext>) -> Queue {
        Queue::over(id, QueueFiles::none(dir, file_bytes), ext)
    }

    pub(super) fn over(id: u32, files: QueueFiles, ext: Option<Ext>) -> Queue {
        let topic = files.dir().parent().and_then(Path::file_name);
        let is_delayed = topic.is_some_and(|topic| topic == SCHEDULE_TOPIC);
        Queue {
            id,
            files,
            tail: Mutex::new(Tail::new(is_delayed)),
            ext,
            next: AtomicI64::new(0),
            min: AtomicU64::new(0),
            max: AtomicU64::new(0),
            log_end: AtomicU64::new(0),
            synced: AtomicU64::new(0),
            misnumbered: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        }
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        self.files.dir()
    }

    /// Whether it is this queue of this topic.
    pub(crate) fn is(&self, topic: &[u8], id: u32) -> bool {
        let folder = self.path().parent().and_then(Path::file_name);
        self.id == id && folder.is_some_and(|name| name.as_bytes() == topic)
    }

    /// The entry the next append gets. Only for the holder of the log's lock.
    pub(crate) fn next(&self) -> i64 {
        self.next.load(Ordering::Relaxed)
    }

    pub(crate) fn set_next(&self, next: i64) {
        self.next.store(next, Ordering::Relaxed);
    }

    pub(super) fn min_byte(&self) -> u64 {
        self.min.load(Ordering::Acquire)
    }

    pub(super) fn max_byte(&self) -> u64 {
        self.max.load(Ordering::Acquire)
    }

    /// The first entry whose record is still in the log.
    pub(crate) fn min_offset(&self) -> QueueOffset {
        QueueOffset((self.min_byte() / ENTRY_BYTES) as i64)
    }

    /// Behind the last entry.
    pub(crate) fn max_offset(&self) -> QueueOffset {
        QueueOffset((self.max_byte() / ENTRY_BYTES) as i64)
    }

    /// The topic is deleted: from now on nothing is added or written, and appends must look for the
    /// queue that takes its place. Only for the holder of the log's lock.
    pub(super) fn forget(&self) {
        self.gone.store(true, Ordering::Release);
        self.tail.lock().forget();
    }

    /// Whether its topic was deleted.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Where the record of the last entry ends in the log; 0 without one.
    pub(crate) fn log_end(&self) -> u64 {
        self.log_end.load(Ordering::Relaxed)
    }

    /// The first entry of the file behind the one with `offset`.
    pub(crate) fn next_file(&self, offset: QueueOffset) -> QueueOffset {
        let per_file = (self.files.file_bytes() / ENTRY_BYTES) as i64;
        QueueOffset(offset.0 - offset.0 % per_file).plus(per_file)
    }

    /// Up to `most` entries from `offset` on, those of one file; from the first one there is when that one is gone. An
    /// entry with a unit has the unit's code.
    pub(crate) fn some_entries(&self, offset: QueueOffset, most: usize) -> Vec<QueueEntry> {
        let mut from = offset.max(self.min_offset());
        while from < self.max_offset() {
            if let Some(entries) = self.entries_from(from) {
                let mut units = Units::default();
                let numbered = entries.take(most).zip(from.0..);
                return numbered
                    .map(|(mut entry, n)| {
                        if let Some(Some(unit)) = self.unit(entry, &mut units) {
                            entry.tags_code = unit.tags_code;
                        }
                        entry.at(QueueOffset(n))
                    })
                    .collect();
            }
            from = self.next_file(from);
        }
        Vec::new()
    }

    /// What the extension says about an entry: `None` when the entry has no unit, `Some(None)` when its unit is not there.
    pub(crate) fn unit<'u>(
        &self,
        entry: Entry,
        units: &'u mut Units,
    ) -> Option<Option<ExtUnit<'u>>> {
        let at = byte_of(entry.tags_code)?;
        Some(self.ext.as_ref().and_then(|ext| ext.unit(at, units)))
    }

    /// The entry at `offset`.
    pub(crate) fn entry(&self, offset: QueueOffset) -> Option<Entry> {
        self.entries_from(offset)?.next()
    }

    /// Adds the entry number `offset`, with what the queue's extension has to say about its message, if there is one.
    /// Only for the dispatcher.
    ///
    /// # Errors
    /// When a file cannot be made. The queue is as before; the same call may be made again.
    pub(crate) fn put(
        &self,
        mut entry: Entry,
        offset: i64,
        unit: &ExtUnit<'_>,
    ) -> Result<Put, StoreError> {
        let stored_ms = unit.store_timestamp_ms;
        let max = self.max.load(Ordering::Relaxed);
        if entry.log_end() <= self.log_end() || self.is_gone() {
            return Ok(Put::AlreadyThere);
        }
        let Some(expected) = self.place_of(offset) else {
            tracing::error!(queue = %self.path().display(), offset, log_offset = entry.log_offset,
                "leave out a record whose number in its queue cannot be one");
            return Ok(Put::Impossible);
        };
        if max == self.files.first() && self.files.is_empty() {
            self.begin_at(expected, stored_ms)?;
        } else if expected < max && max == self.files.first() {
            // No entries, and files that begin too late: the names of earlier ones never came to disk.
            self.files.destroy()?;
            self.begin_at(expected, stored_ms)?;
        } else if expected > max {
            self.bridge(max, expected, stored_ms)?;
        } else if expected < max && !self.misnumbered.swap(true, Ordering::Relaxed) {
            tracing::error!(queue = %self.path().display(), offset, have = max / ENTRY_BYTES, log_offset = entry.log_offset,
                "a record has the number of one before it, it and others like it get the next one");
        }
        let number = QueueOffset((self.max.load(Ordering::Relaxed) / ENTRY_BYTES) as i64);
        let placed = self.put_unit(unit)?;
        if let Some(placed) = &placed {
            entry.tags_code = placed.address;
        }
        self.push(entry, stored_ms)?;
        if let (Some(placed), Some(ext)) = (&placed, &self.ext) {
            ext.keep(placed);
        }
        self.log_end.store(entry.log_end(), Ordering::Relaxed);
        Ok(Put::Added(number))
    }

    fn put_unit(&self, unit: &ExtUnit<'_>) -> Result<Option<Placed>, StoreError> {
        let Some(ext) = self.ext.as_ref().filter(|_| !self.is_gone()) else {
            return Ok(None);
        };
        let put = ext.put(unit);
        put.map_err(StoreError::io("extend queue entries of", self.path()))
    }

    /// Removes every file of it.
    pub(super) fn destroy(&self) -> Result<(), StoreError> {
        self.ext.as_ref().map_or(Ok(()), Ext::destroy)?;
        self.files.destroy()
    }

    /// Byte that the entry `offset` lies at, if its file's end can be one.
    fn place_of(&self, offset: i64) -> Option<u64> {
        let place = u64::try_from(offset).ok()?.checked_mul(ENTRY_BYTES)?;
        let end = place.checked_add(self.files.file_bytes())?;
        i64::try_from(end).is_ok().then_some(place)
    }

    /// Starts the queue at byte `expected`: the part of the file in front of it gets blank entries.
    fn begin_at(&self, expected: u64, stored_ms: i64) -> Result<(), StoreError> {
        let base = self.files.base_of(expected);
        let mut tail = self.tail.lock();
        if tail.is_gone() {
            return Ok(());
        }
        self.files.begin(base);
        tail.begin_behind(base, &[], false);
        drop(tail);
        self.max.store(base, Ordering::Release);
        self.synced.store(base, Ordering::Relaxed);
        self.min.store(expected, Ordering::Release);
        while self.max.load(Ordering::Relaxed) < expected {
            self.push(Entry::BLANK, stored_ms)?;
        }
        Ok(())
    }

    /// Fills a gap with blank entries, so that an entry's place and its number stay the same.
    fn bridge(&self, max: u64, expected: u64, stored_ms: i64) -> Result<(), StoreError> {
        let dir = self.path().display();
        let (have, expect) = (max / ENTRY_BYTES, expected / ENTRY_BYTES);
        if expected - max > GAP_FILES * self.files.file_bytes() {
            tracing::error!(queue = %dir, have, expect, "entries are missing, the next one gets the wrong number");
            return Ok(());
        }
        tracing::error!(queue = %dir, have, expect, "entries are missing, put blank ones");
        if max <= self.min.load(Ordering::Relaxed) {
            self.min.store(expected, Ordering::Release);
        }
        while self.max.load(Ordering::Relaxed) < expected {
            self.push(Entry::BLANK, stored_ms)?;
        }
        Ok(())
    }

    fn push(&self, entry: Entry, stored_ms: i64) -> Result<(), StoreError> {
        let mut tail = self.tail.lock();
        let pushed = if tail.is_gone() {
            Ok(())
        } else {
            tail.push(&entry.encode(), stored_ms, &self.files)
        };
        drop(tail);
        pushed.map_err(StoreError::io("write queue entries in", self.path()))?;
        let max = self.max.load(Ordering::Relaxed);
        self.max.store(max + ENTRY_BYTES, Ordering::Release);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(log_offset: i64) -> Entry {
        Entry {
            log_offset,
            record_bytes: 10,
            tags_code: log_offset,
        }
    }

    fn queue() -> (tempfile::TempDir, Queue) {
        let dir = tempfile::tempdir().expect("folder");
        let queue = Queue::empty(dir.path().join("consumequeue/T/0"), 0, 100, None);
        (dir, queue)
    }

    #[test]
    fn entries_go_on_over_the_ends_of_files() {
        let (_dir, queue) = queue();
        for n in 0..12 {
            let added = Put::Added(QueueOffset(n));
            assert_eq!(
                queue
                    .put(entry(n * 10), n, &ExtUnit::default())
                    .expect("put"),
                added
            );
        }
        assert_eq!(
            (queue.min_offset(), queue.max_offset()),
            (QueueOffset(0), QueueOffset(12))
        );
        assert_eq!(queue.entry(QueueOffset(11)), Some(entry(110)));
        assert_eq!(
            queue.entries_from(QueueOffset(3)).expect("there").count(),
            2,
            "a read stays in one file"
        );
        assert!(queue.entries_from(QueueOffset(12)).is_none());
        assert!(queue.entries_from(QueueOffset(-1)).is_none());
        assert!(queue.entries_from(QueueOffset(i64::MAX)).is_none());
        let unsynced = queue.write_out(0).expect("written").expect("something");
        queue.sync(unsynced).expect("synced");
        queue.synced(unsynced);
        assert_eq!(queue.write_out(0).expect("written"), None);
        assert_eq!(queue.entry(QueueOffset(3)), Some(entry(30)), "from a file");
    }

    #[test]
    fn some_entries_have_their_numbers_and_begin_with_the_first_there_is() {
        let (_dir, queue) = queue();
        for n in 3..12 {
            queue
                .put(entry(n * 10), n, &ExtUnit::default())
                .expect("put");
        }
        let numbers = |from: i64, most| {
            let some = queue.some_entries(QueueOffset(from), most);
            let right = |one: &QueueEntry| one.tags_code == one.offset.0 * 10;
            assert!(some.iter().all(right));
            some.iter().map(|one| one.offset.0).collect::<Vec<_>>()
        };
        assert_eq!(numbers(4, 10), [4]);
        assert_eq!(numbers(5, 3), [5, 6, 7]);
        for before in [3, 0, -7, i64::MIN] {
            assert_eq!(numbers(before, 9), [3, 4]);
        }
        assert!(numbers(12, 9).is_empty() && numbers(i64::MAX, 9).is_empty());
    }

    #[test]
    fn an_entry_put_twice_is_there_once() {
        let (_dir, queue) = queue();
        for n in 0..3 {
            queue
                .put(entry(n * 10), n, &ExtUnit::default())
                .expect("put");
        }
        for n in 0..3 {
            assert_eq!(
                queue
                    .put(entry(n * 10), n, &ExtUnit::default())
                    .expect("put"),
                Put::AlreadyThere
            );
        }
        assert_eq!(queue.max_offset(), QueueOffset(3));
    }

    #[test]
    fn a_queue_that_begins_late_has_blanks_in_front() {
        let (_dir, queue) = queue();
        queue.put(entry(990), 7, &ExtUnit::default()).expect("put");
        assert_eq!(
            (queue.min_offset(), queue.max_offset()),
            (QueueOffset(7), QueueOffset(8))
        );
        assert_eq!(queue.entry(QueueOffset(7)), Some(entry(990)));
        assert_eq!(queue.entry(QueueOffset(6)), None);
        assert_eq!(queue.files.first(), 100);
        assert_eq!(queue.entry_at(120), Some(Entry::BLANK));
    }

    #[test]
    fn a_gap_keeps_the_numbers_right_and_a_wild_one_makes_no_files() {
        let (_dir, queue) = queue();
        queue.put(entry(0), 0, &ExtUnit::default()).expect("put");
        queue.put(entry(100), 4, &ExtUnit::default()).expect("put");
        assert_eq!(queue.entry(QueueOffset(4)), Some(entry(100)));
        queue
            .put(entry(200), 1 << 40, &ExtUnit::default())
            .expect("put");
        assert_eq!(queue.max_offset(), QueueOffset(6));
    }

    #[test]
    fn a_number_that_cannot_be_one_is_left_out() {
        let (_dir, queue) = queue();
        for offset in [-1, i64::MIN, i64::MAX, i64::MAX / 20, 1 << 60] {
            assert_eq!(
                queue
                    .put(entry(0), offset, &ExtUnit::default())
                    .expect("put"),
                Put::Impossible
            );
        }
        assert_eq!(queue.max_offset(), QueueOffset(0));
        assert_eq!(
            queue.put(entry(0), 0, &ExtUnit::default()).expect("put"),
            Put::Added(QueueOffset(0))
        );
    }

    #[test]
    fn a_message_with_a_number_that_is_taken_is_readable_under_the_next() {
        let (_dir, queue) = queue();
        for (n, offset) in [0, 1, 2, 3, 2].into_iter().enumerate() {
            let added = Put::Added(QueueOffset(n as i64));
            assert_eq!(
                queue
                    .put(entry(n as i64 * 10), offset, &ExtUnit::default())
                    .expect("put"),
                added
            );
        }
        assert_eq!(queue.entry(QueueOffset(4)), Some(entry(40)));
    }
}
