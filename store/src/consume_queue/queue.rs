//! One queue of a topic: its entries on disk, and the numbers that appends and reads need of it.
//!
//! ```text
//!   entries:  0 ── min ──────────────── max ······ next
//!             gone │ readable           │ appended, not yet dispatched
//! ```
//!
//! Entry n lies at byte 20 n. The rule that is easy to break: `next` belongs to the holder of the
//! log's lock, everything else to the dispatcher. Java 4.7.0 `store/ConsumeQueue.java`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use super::unit::{ENTRY_BYTES, Entry};
use crate::api::QueueEntry;
use crate::error::StoreError;
use crate::mapped::disk::PAGE_BYTES;
use crate::mapped::file::MappedFile;
use crate::mapped::queue::FileQueue;
use crate::offset::QueueOffset;

/// A gap of up to so many files is filled with blank entries; no record that is whole leaves a longer one.
const GAP_FILES: u64 = 3;

/// See the module.
pub(crate) struct Queue {
    pub(super) id: u32,
    pub(super) files: FileQueue,
    /// The entry the next append gets.
    next: AtomicI64,
    /// Bytes in front of the first readable entry.
    pub(super) min: AtomicU64,
    /// Bytes in front of the end.
    pub(super) max: AtomicU64,
    /// Where the record of the last entry ends in the log.
    pub(super) log_end: AtomicU64,
    /// Bytes known to be on disk.
    pub(super) flushed: AtomicU64,
    /// A file was made whose name may not be on disk yet.
    unnamed: AtomicBool,
}

/// What became of an entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is readable now.
    Added,
    /// It was there before: recovery sees some records twice.
    AlreadyThere,
}

impl Queue {
    /// A queue without entries; its directory is made with the first one.
    pub(super) fn empty(dir: PathBuf, id: u32, file_bytes: u64) -> Queue {
        Queue::over(id, FileQueue::empty(dir, file_bytes))
    }

    pub(super) fn over(id: u32, files: FileQueue) -> Queue {
        Queue {
            id,
            files,
            next: AtomicI64::new(0),
            min: AtomicU64::new(0),
            max: AtomicU64::new(0),
            log_end: AtomicU64::new(0),
            flushed: AtomicU64::new(0),
            unnamed: AtomicBool::new(false),
        }
    }

    /// The entry the next append gets. Only for the holder of the log's lock.
    pub(crate) fn next(&self) -> i64 {
        self.next.load(Ordering::Relaxed)
    }

    pub(crate) fn set_next(&self, next: i64) {
        self.next.store(next, Ordering::Relaxed);
    }

    /// The first entry whose record is still in the log.
    pub(crate) fn min_offset(&self) -> QueueOffset {
        QueueOffset((self.min.load(Ordering::Acquire) / ENTRY_BYTES) as i64)
    }

    /// Behind the last entry.
    pub(crate) fn max_offset(&self) -> QueueOffset {
        QueueOffset((self.max.load(Ordering::Acquire) / ENTRY_BYTES) as i64)
    }

    /// Where the record of the last entry ends in the log; 0 without one.
    pub(crate) fn log_end(&self) -> u64 {
        self.log_end.load(Ordering::Relaxed)
    }

    /// The entries from `offset` to the end of their file; `None` below the first or past the last.
    pub(crate) fn entries_from(&self, offset: QueueOffset) -> Option<Entries> {
        let at = u64::try_from(offset.0).ok()?.checked_mul(ENTRY_BYTES)?;
        if at < self.min.load(Ordering::Acquire) || at >= self.max.load(Ordering::Acquire) {
            return None;
        }
        let file = self.files.find(at)?;
        let end = file.published().min(self.max.load(Ordering::Acquire));
        Some(Entries { file, at, end })
    }

    /// The first entry of the file behind the one with `offset`.
    pub(crate) fn next_file(&self, offset: QueueOffset) -> QueueOffset {
        let per_file = (self.files.file_bytes() / ENTRY_BYTES) as i64;
        QueueOffset(offset.0 - offset.0 % per_file).plus(per_file)
    }

    /// Up to `most` entries from `offset` on, those of one file; from the first one there is when that one is gone.
    pub(crate) fn some_entries(&self, offset: QueueOffset, most: usize) -> Vec<QueueEntry> {
        let mut from = offset.max(self.min_offset());
        while from < self.max_offset() {
            if let Some(entries) = self.entries_from(from) {
                let numbered = entries.take(most).zip(from.0..);
                return numbered
                    .map(|(entry, n)| entry.at(QueueOffset(n)))
                    .collect();
            }
            from = self.next_file(from);
        }
        Vec::new()
    }

    /// The entry at `offset`.
    pub(crate) fn entry(&self, offset: QueueOffset) -> Option<Entry> {
        self.entries_from(offset)?.next()
    }

    /// Adds the entry number `offset`. Only for the dispatcher.
    ///
    /// # Errors
    /// When a file cannot be made. The queue is as before; the same call may be made again.
    pub(crate) fn put(&self, entry: Entry, offset: i64) -> Result<Put, StoreError> {
        let expected = u64::try_from(offset)
            .unwrap_or(0)
            .saturating_mul(ENTRY_BYTES);
        let max = self.max.load(Ordering::Relaxed);
        if entry.log_end() <= self.log_end() {
            return Ok(Put::AlreadyThere);
        }
        match self.files.last() {
            None => self.begin_at(expected)?,
            Some(_) if expected < max => return Ok(Put::AlreadyThere),
            Some(_) if expected > max => self.bridge(max, expected)?,
            Some(_) => {}
        }
        self.push(entry)?;
        self.log_end.store(entry.log_end(), Ordering::Relaxed);
        Ok(Put::Added)
    }

    /// Starts the queue at byte `expected`: the part of the file in front of it gets blank entries.
    fn begin_at(&self, expected: u64) -> Result<(), StoreError> {
        let base = self.files.base_of(expected);
        self.add_file(base)?;
        self.max.store(base, Ordering::Release);
        self.flushed.store(base, Ordering::Relaxed);
        self.min.store(expected, Ordering::Release);
        while self.max.load(Ordering::Relaxed) < expected {
            self.push(Entry::BLANK)?;
        }
        Ok(())
    }

    /// Fills a gap with blank entries, so that an entry's place and its number stay the same.
    fn bridge(&self, max: u64, expected: u64) -> Result<(), StoreError> {
        let dir = self.files.dir().display();
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
            self.push(Entry::BLANK)?;
        }
        Ok(())
    }

    fn push(&self, entry: Entry) -> Result<(), StoreError> {
        let max = self.max.load(Ordering::Relaxed);
        let file = match self.files.last() {
            Some(last) if last.end() > max => last,
            _ => self.add_file(max)?,
        };
        let no_room =
            |_| StoreError::io("append to", file.path())(io::ErrorKind::StorageFull.into());
        file.append(&entry.encode()).map_err(no_room)?;
        self.max.store(max + ENTRY_BYTES, Ordering::Release);
        Ok(())
    }

    fn add_file(&self, base: u64) -> Result<Arc<MappedFile>, StoreError> {
        let file = self
            .files
            .create(base)
            .map_err(StoreError::io("make queue file in", self.files.dir()))?;
        self.unnamed.store(true, Ordering::Release);
        Ok(file)
    }

    /// Writes new entries to disk if they fill `least_pages` (0: any). Blocks.
    ///
    /// # Errors
    /// What the kernel says. What was not written may never be: the checkpoint must not pass it.
    pub(crate) fn flush(&self, least_pages: u32) -> io::Result<()> {
        let (from, to) = (
            self.flushed.load(Ordering::Relaxed),
            self.max.load(Ordering::Acquire),
        );
        let pages = to / PAGE_BYTES - from.min(to) / PAGE_BYTES;
        if from >= to || pages < u64::from(least_pages) {
            return Ok(());
        }
        if self.unnamed.swap(false, Ordering::AcqRel) {
            // The queue's folder, its topic's and the one of all topics may all be new.
            for dir in self.files.dir().ancestors().take(3) {
                crate::mapped::disk::sync_dir(dir)?;
            }
        }
        // A thorough flush also takes what recovery zeroed behind the end.
        self.files
            .sync(from, if least_pages == 0 { u64::MAX } else { to })?;
        self.flushed.store(to, Ordering::Relaxed);
        Ok(())
    }
}

/// Entries of one file, one after the other.
pub(crate) struct Entries {
    file: Arc<MappedFile>,
    at: u64,
    end: u64,
}

impl Iterator for Entries {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if self.at + ENTRY_BYTES > self.end {
            return None;
        }
        let bytes = self.file.get(self.at, ENTRY_BYTES)?.first_chunk()?;
        self.at += ENTRY_BYTES;
        Some(Entry::decode(bytes))
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
        let queue = Queue::empty(dir.path().join("consumequeue/T/0"), 0, 100);
        (dir, queue)
    }

    #[test]
    fn entries_go_on_over_the_ends_of_files() {
        let (_dir, queue) = queue();
        for n in 0..12 {
            assert_eq!(queue.put(entry(n * 10), n).expect("put"), Put::Added);
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
        queue.flush(0).expect("flushed");
    }

    #[test]
    fn some_entries_have_their_numbers_and_begin_with_the_first_there_is() {
        let (_dir, queue) = queue();
        for n in 3..12 {
            queue.put(entry(n * 10), n).expect("put");
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
            queue.put(entry(n * 10), n).expect("put");
        }
        for n in 0..3 {
            assert_eq!(queue.put(entry(n * 10), n).expect("put"), Put::AlreadyThere);
        }
        assert_eq!(queue.max_offset(), QueueOffset(3));
    }

    #[test]
    fn a_queue_that_begins_late_has_blanks_in_front() {
        let (_dir, queue) = queue();
        queue.put(entry(990), 7).expect("put");
        assert_eq!(
            (queue.min_offset(), queue.max_offset()),
            (QueueOffset(7), QueueOffset(8))
        );
        assert_eq!(queue.entry(QueueOffset(7)), Some(entry(990)));
        assert_eq!(queue.entry(QueueOffset(6)), None);
        let file = queue.files.first().expect("made");
        assert_eq!(file.base(), 100);
        assert_eq!(file.get(120, 20).expect("filled"), Entry::BLANK.encode());
    }

    #[test]
    fn a_gap_keeps_the_numbers_right_and_a_wild_one_makes_no_files() {
        let (_dir, queue) = queue();
        queue.put(entry(0), 0).expect("put");
        queue.put(entry(100), 4).expect("put");
        assert_eq!(queue.entry(QueueOffset(4)), Some(entry(100)));
        queue.put(entry(200), i64::MAX).expect("put");
        assert_eq!(queue.max_offset(), QueueOffset(6));
    }
}
