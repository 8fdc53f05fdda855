//! What of a queue can be trusted after a start.
//!
//! Entries are believed up to the first that cannot be one, looked for from the third-last file on,
//! as in Java; what lies behind is cut, so that it is never read as new. The log then says which of
//! the last entries point to nothing. Java 4.7.0 `store/ConsumeQueue.java`: `recover`,
//! `truncateDirtyLogicFiles`.

use std::io;
use std::sync::atomic::Ordering;

use super::ext::Ext;
use super::ext_unit::byte_of;
use super::files::QueueFiles;
use super::queue::Queue;
use super::unit::{ENTRY_BYTES, Entry};
use crate::error::StoreError;
use crate::offset::QueueOffset;

/// Files looked through at a start, counted from the end.
const FILES_CHECKED: u64 = 3;
/// First read of a queue; most end within it, and what lies behind would only fill memory with zeros.
const FIRST_READ_BYTES: u64 = 200 * ENTRY_BYTES;
/// Later reads.
const READ_BYTES: u64 = 3200 * ENTRY_BYTES;
/// So much of a queue's end stays in memory: what recovery and the first readers ask for.
const KEPT_BYTES: usize = 16 * ENTRY_BYTES as usize;

impl Queue {
    /// The queue of `files`, its end found. `wipe`: the last stop was not clean, so what lies behind the
    /// end is zeroed. `buffer` is any, and can be used for the next queue.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn recover(
        id: u32,
        files: QueueFiles,
        ext: Option<Ext>,
        wipe: bool,
        buffer: &mut Vec<u8>,
    ) -> Result<Queue, StoreError> {
        let mut queue = Queue::over(id, files, ext);
        let files = &mut queue.files;
        if files.is_empty() {
            queue.end_ext(wipe)?;
            return Ok(queue);
        }
        let end = find_end(files, buffer).map_err(StoreError::io("read", files.dir()))?;
        if wipe {
            files.cut(end)?;
        }
        let kept = buffer.len().saturating_sub(KEPT_BYTES);
        let last = buffer.get(kept..).unwrap_or_default();
        let first = files.first();
        queue.tail.get_mut().begin_behind(end, last, wipe);
        *queue.min.get_mut() = first;
        *queue.max.get_mut() = end;
        *queue.synced.get_mut() = if wipe { first } else { end };
        queue.note_last();
        queue.end_ext(wipe)?;
        Ok(queue)
    }

    /// Removes the entries of records at `log_offset` and later, and what lies behind those in front.
    ///
    /// An entry can be torn, one that was never synced, and then its record seems to be an early one. So
    /// the last entry must follow the one before it, or `is_ours` must say that its record is of this queue.
    pub(crate) fn cut(
        &mut self,
        log_offset: u64,
        is_ours: impl Fn(&Queue, Entry) -> bool,
    ) -> Result<(), StoreError> {
        let (first, max) = (self.files.first(), self.max_byte());
        let mut end = if self.log_end() > log_offset {
            self.first_at_or_after(log_offset)
        } else {
            max
        };
        while end > first && !self.is_believed(end, log_offset, &is_ours) {
            end -= ENTRY_BYTES;
        }
        if end >= max {
            return Ok(());
        }
        self.files.cut(end)?;
        let tail = self.tail.get_mut();
        tail.cut(end);
        tail.files_changed = true;
        *self.max.get_mut() = end;
        for bound in [&mut self.min, &mut self.synced] {
            *bound.get_mut() = (*bound.get_mut()).min(end);
        }
        self.note_last();
        self.end_ext(true)
    }

    /// Ends the extension behind the last unit that an entry points to.
    fn end_ext(&mut self, wipe: bool) -> Result<(), StoreError> {
        if self.ext.as_ref().is_none_or(Ext::is_empty) {
            return Ok(());
        }
        let last = self.last_address();
        let ext = self.ext.as_mut();
        ext.map_or(Ok(()), |ext| ext.end_behind(last, wipe))
    }

    /// The last address in an entry; the last entry has it unless the extension was off meanwhile.
    fn last_address(&self) -> Option<i64> {
        let is_address = |entry: &Entry| byte_of(entry.tags_code).is_some();
        let (first, mut to) = (self.files.first(), self.max_byte());
        let mut chunk = ENTRY_BYTES;
        while to > first {
            let from = to
                .saturating_sub(chunk)
                .max(self.files.base_of(to - 1))
                .max(first);
            let offset = QueueOffset((from / ENTRY_BYTES) as i64);
            let entries = self.entries_from(offset).into_iter().flatten();
            let last = entries
                .take(((to - from) / ENTRY_BYTES) as usize)
                .filter(is_address)
                .last();
            if let Some(last) = last {
                return Some(last.tags_code);
            }
            (to, chunk) = (from, READ_BYTES);
        }
        None
    }

    /// Whether the entry in front of byte `end` is that of a record in front of `log_offset`.
    fn is_believed(
        &self,
        end: u64,
        log_offset: u64,
        is_ours: impl Fn(&Queue, Entry) -> bool,
    ) -> bool {
        let at = end - ENTRY_BYTES;
        let before = at
            .checked_sub(ENTRY_BYTES)
            .filter(|before| *before >= self.files.first());
        let before = before.and_then(|before| self.entry_at(before));
        let Some(entry) = self.entry_at(at) else {
            return false;
        };
        if entry == Entry::BLANK {
            return true; // a gap that was filled
        }
        let follows =
            |before: Entry| before != Entry::BLANK && before.log_end() <= entry.log_offset as u64;
        entry.is_valid()
            && entry.log_offset.unsigned_abs() < log_offset
            && (before.is_some_and(follows) || is_ours(self, entry))
    }

    fn note_last(&mut self) {
        // Behind blank entries there may be real ones, but not in front of the end.
        let (first, end) = (self.files.first(), *self.max.get_mut());
        let last = end.checked_sub(ENTRY_BYTES).filter(|at| *at >= first);
        let last = last.and_then(|at| self.entry_at(at));
        *self.log_end.get_mut() = last.map_or(0, Entry::log_end);
    }

    /// Sets what follows from the entries: the next one, and the first whose record is still there.
    pub(crate) fn settle(&self, min_log_offset: u64) {
        self.set_next(self.max_offset().0);
        self.correct_min(min_log_offset);
        if let Err(error) = self.remove_expired_units() {
            tracing::warn!(%error, queue = %self.path().display(), "remove what of a queue's extension no entry points to");
        }
    }

    /// Removes the files of the extension in front of the one that the first readable entry points to. Java 4.7.0
    /// `ConsumeQueueExt.truncateByMinAddress`.
    ///
    /// # Errors
    /// What the file system says.
    fn remove_expired_units(&self) -> io::Result<()> {
        let Some(ext) = self.ext.as_ref().filter(|ext| !ext.is_empty()) else {
            return Ok(());
        };
        let first = self.entry_at(self.min_byte());
        first.map_or(Ok(()), |first| ext.remove_before(first.tags_code))
    }

    /// Moves the first readable entry on to the first whose record is not before `min_log_offset`.
    /// Safe while the queue is in use.
    pub(crate) fn correct_min(&self, min_log_offset: u64) {
        let first = self.entry_at(self.min_byte());
        let is_there = |entry: Entry| {
            entry != Entry::BLANK && entry.log_offset.unsigned_abs() >= min_log_offset
        };
        if self.min_byte() < self.max_byte() && first.is_some_and(is_there) {
            return; // as in most queues most of the time
        }
        // Never back: the dispatcher may have begun the queue at a later entry meanwhile.
        let first = self.first_at_or_after(min_log_offset);
        self.min.fetch_max(first, Ordering::AcqRel);
    }

    /// Removes the files in front of the first readable entry. Returns how many. Blocks. Only for who keeps another queue
    /// from taking its place meanwhile (`QueueTable::remove_expired`).
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn remove_expired(&self) -> io::Result<usize> {
        self.remove_expired_units()?;
        self.files.remove_before(self.min_byte())
    }

    /// The last entry's number and content, for checking it against the log.
    pub(crate) fn last_entry(&self) -> Option<Entry> {
        self.entry(QueueOffset(self.max_offset().0 - 1))
            .filter(|entry| *entry != Entry::BLANK)
    }
}

/// Byte behind the last entry that can be one. Some entries in front of it are in `buffer` afterwards,
/// unless they ended with an earlier file.
fn find_end(files: &QueueFiles, buffer: &mut Vec<u8>) -> io::Result<u64> {
    let mut at = files
        .end()
        .saturating_sub(FILES_CHECKED * files.file_bytes())
        .max(files.first());
    buffer.clear();
    while at < files.end() {
        let (file, file_end) = (files.open_at(at)?, at + files.file_bytes());
        let mut most = FIRST_READ_BYTES;
        while at < file_end {
            buffer.resize(most.min(file_end - at) as usize, 0);
            files.read(&file, at, buffer)?;
            let invalid = |bytes: &[u8]| {
                let entry = bytes.first_chunk().map(Entry::decode);
                !entry.is_some_and(Entry::is_valid)
            };
            if let Some(valid) = buffer.chunks(ENTRY_BYTES as usize).position(invalid) {
                buffer.truncate(valid * ENTRY_BYTES as usize);
                return Ok(at + buffer.len() as u64);
            }
            at += buffer.len() as u64;
            most = READ_BYTES;
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use crate::consume_queue::ext_unit::ExtUnit;
    use std::path::Path;

    use super::*;

    fn entry(log_offset: i64) -> Entry {
        Entry {
            log_offset,
            record_bytes: 10,
            tags_code: 0,
        }
    }

    fn written(dir: &Path, entries: i64) {
        let queue = Queue::empty(dir.to_owned(), 0, 100, None);
        for n in 0..entries {
            queue
                .put(entry(n * 10), n, &ExtUnit::default())
                .expect("put");
        }
        queue.write_out(0).expect("written");
    }

    fn ours(_: &Queue, _: Entry) -> bool {
        true
    }

    fn reopened(dir: &Path) -> Queue {
        let files = QueueFiles::open(dir.to_owned(), 100, "key", true).expect("opened");
        Queue::recover(0, files, None, true, &mut Vec::new()).expect("recovered")
    }

    #[test]
    fn a_queue_ends_after_a_start_where_it_ended_before() {
        for entries in [1, 4, 5, 6, 10, 23] {
            let dir = tempfile::tempdir().expect("folder");
            written(dir.path(), entries);
            let queue = reopened(dir.path());
            assert_eq!(
                (queue.max_offset().0, queue.log_end()),
                (entries, entries as u64 * 10)
            );
            queue
                .put(entry(entries * 10), entries, &ExtUnit::default())
                .expect("put");
            assert_eq!(queue.entry(QueueOffset(entries)), Some(entry(entries * 10)));
        }
    }

    #[test]
    fn an_empty_last_file_does_not_stop_the_start() {
        let dir = tempfile::tempdir().expect("folder");
        written(dir.path(), 5);
        std::fs::write(dir.path().join("00000000000000000100"), [0; 100]).expect("written");
        let queue = reopened(dir.path());
        assert_eq!(queue.max_offset(), QueueOffset(5));
        queue.put(entry(50), 5, &ExtUnit::default()).expect("put");
        assert_eq!(queue.max_offset(), QueueOffset(6));
    }

    #[test]
    fn entries_past_the_log_are_cut_and_never_come_back() {
        let dir = tempfile::tempdir().expect("folder");
        written(dir.path(), 13);
        let mut queue = reopened(dir.path());
        queue.cut(65, ours).expect("cut");
        assert_eq!((queue.max_offset(), queue.log_end()), (QueueOffset(7), 70));
        queue.cut(60, ours).expect("cut");
        assert_eq!((queue.max_offset(), queue.log_end()), (QueueOffset(6), 60));
        queue.put(entry(61), 6, &ExtUnit::default()).expect("put");
        queue.write_out(0).expect("written");
        drop(queue);
        assert_eq!(
            reopened(dir.path()).max_offset(),
            QueueOffset(7),
            "an old entry behind the new one was read"
        );
    }

    #[test]
    fn a_queue_cut_to_nothing_keeps_its_numbers() {
        let dir = tempfile::tempdir().expect("folder");
        let queue = Queue::empty(dir.path().to_owned(), 0, 100, None);
        queue
            .put(entry(1000), 17, &ExtUnit::default())
            .expect("put");
        queue.write_out(0).expect("written");
        drop(queue);
        let mut queue = reopened(dir.path());
        queue.cut(0, ours).expect("cut");
        assert_eq!(queue.max_offset(), QueueOffset(17));
        queue.settle(0);
        assert_eq!(queue.next(), 17);
    }
}
