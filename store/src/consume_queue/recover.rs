//! What of a queue can be trusted after a start.
//!
//! Entries are believed up to the first that cannot be one, looked for from the third-last file on,
//! as in Java; what lies behind is cut, so that it is never read as new. The log then says which of
//! the last entries point to nothing. Java 4.7.0 `store/ConsumeQueue.java`: `recover`,
//! `truncateDirtyLogicFiles`.

use std::sync::atomic::Ordering;

use super::queue::Queue;
use super::unit::{ENTRY_BYTES, Entry};
use crate::error::StoreError;
use crate::offset::QueueOffset;

/// Files looked through at a start, counted from the end.
const FILES_CHECKED: usize = 3;

impl Queue {
    /// Finds the end of the queue. `wipe`: the last stop was not clean, so what lies behind the end
    /// is zeroed.
    pub(crate) fn recover(&mut self, wipe: bool) -> Result<(), StoreError> {
        let files = self.files.files();
        let Some(first) = files.first().map(|file| file.base()) else {
            return Ok(());
        };
        *self.min.get_mut() = first;
        let unchecked = files.len().saturating_sub(FILES_CHECKED);
        let mut end = files.get(unchecked).map_or(first, |file| file.base());
        'files: for file in files.iter().skip(unchecked) {
            if file.base() != end {
                break; // one is missing in between
            }
            while end < file.end() {
                let entry = file
                    .get(end, ENTRY_BYTES)
                    .and_then(<[u8]>::first_chunk)
                    .map(Entry::decode);
                if !entry.is_some_and(Entry::is_valid) {
                    break 'files;
                }
                end += ENTRY_BYTES;
            }
        }
        drop(files);
        self.cut_entries(end, wipe)
    }

    /// Removes the entries of records at `log_offset` and later.
    pub(crate) fn cut(&mut self, log_offset: u64, wipe: bool) -> Result<(), StoreError> {
        if self.log_end() <= log_offset {
            return Ok(());
        }
        let end = self.first_at_or_after(log_offset);
        self.cut_entries(end, wipe)
    }

    fn cut_entries(&mut self, end: u64, wipe: bool) -> Result<(), StoreError> {
        self.files.cut(end, wipe)?;
        let end = self.files.last().map_or(0, |last| last.published());
        *self.max.get_mut() = end;
        *self.flushed.get_mut() = if wipe {
            self.files.first().map_or(0, |first| first.base())
        } else {
            end
        };
        let min = self.min.get_mut();
        *min = (*min).min(end);
        // Behind blank entries there may be real ones, but not in front of the end.
        let last = end
            .checked_sub(ENTRY_BYTES)
            .and_then(|at| self.entry_at(at));
        *self.log_end.get_mut() = last.map_or(0, Entry::log_end);
        Ok(())
    }

    /// Sets what follows from the entries: the next one, and the first whose record is still there.
    pub(crate) fn settle(&self, min_log_offset: u64) {
        self.set_next(self.max_offset().0);
        self.correct_min(min_log_offset);
    }

    /// Moves the first readable entry to the first whose record is not before `min_log_offset`.
    pub(crate) fn correct_min(&self, min_log_offset: u64) {
        self.min
            .store(self.first_at_or_after(min_log_offset), Ordering::Release);
    }

    /// The last entry's number and content, for checking it against the log.
    pub(crate) fn last_entry(&self) -> Option<Entry> {
        self.entry(QueueOffset(self.max_offset().0 - 1))
            .filter(|entry| *entry != Entry::BLANK)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::mapped::queue::FileQueue;

    fn entry(log_offset: i64) -> Entry {
        Entry {
            log_offset,
            record_bytes: 10,
            tags_code: 0,
        }
    }

    fn written(dir: &Path, entries: i64) {
        let queue = Queue::empty(dir.to_owned(), 0, 100);
        for n in 0..entries {
            queue.put(entry(n * 10), n).expect("put");
        }
    }

    fn reopened(dir: &Path) -> Queue {
        let files = FileQueue::open(dir.to_owned(), 100, "key").expect("opened");
        let mut queue = Queue::over(0, files);
        queue.recover(true).expect("recovered");
        queue
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
            queue.put(entry(entries * 10), entries).expect("put");
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
        queue.put(entry(50), 5).expect("put");
        assert_eq!(queue.max_offset(), QueueOffset(6));
    }

    #[test]
    fn entries_past_the_log_are_cut_and_never_come_back() {
        let dir = tempfile::tempdir().expect("folder");
        written(dir.path(), 13);
        let mut queue = reopened(dir.path());
        queue.cut(65, true).expect("cut");
        assert_eq!((queue.max_offset(), queue.log_end()), (QueueOffset(7), 70));
        queue.cut(60, true).expect("cut");
        assert_eq!((queue.max_offset(), queue.log_end()), (QueueOffset(6), 60));
        queue.put(entry(61), 6).expect("put");
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
        let queue = Queue::empty(dir.path().to_owned(), 0, 100);
        queue.put(entry(1000), 17).expect("put");
        drop(queue);
        let mut queue = reopened(dir.path());
        queue.cut(0, true).expect("cut");
        assert_eq!(queue.max_offset(), QueueOffset(17));
        queue.settle(0);
        assert_eq!(queue.next(), 17);
    }
}
