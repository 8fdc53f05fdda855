//! Entries found by where their record lies, or by when it was stored.
//!
//! Both searches halve, since a queue's entries are in log order. Java 4.7.0
//! `store/ConsumeQueue.java`: `correctMinOffset`, `getOffsetInQueueByTime`.

use super::queue::Queue;
use super::unit::{ENTRY_BYTES, Entry};
use crate::offset::QueueOffset;

impl Queue {
    /// Byte of the first entry whose record is at `log_offset` or later; the end if there is none.
    /// Blank entries count as before everything.
    pub(super) fn first_at_or_after(&self, log_offset: u64) -> u64 {
        let first = self.files.first();
        let max = self.max_byte().max(first);
        let (mut low, mut high) = (first / ENTRY_BYTES, max / ENTRY_BYTES);
        while low < high {
            let mid = low + (high - low) / 2;
            let entry = self.entry_at(mid * ENTRY_BYTES);
            let before = |entry: Entry| {
                entry == Entry::BLANK || entry.log_offset.unsigned_abs() < log_offset
            };
            if entry.is_some_and(before) {
                low = mid + 1
            } else {
                high = mid
            }
        }
        low * ENTRY_BYTES
    }

    /// The entry of the message stored nearest to `timestamp_ms`: an exact hit, or of its two
    /// neighbours the nearer, the earlier one when they are equally near. Before the first message
    /// it is the first, after the last the last. 0 when the queue is empty or a record is gone.
    ///
    /// `store_time` gives a record's time, -1 when it is not in the log. Java picks the file to
    /// search by its modification time; here it is the first whose last message is not too early,
    /// which is what that time stands for.
    pub(crate) fn offset_by_time(
        &self,
        timestamp_ms: i64,
        min_log_offset: u64,
        store_time: impl Fn(Entry) -> i64,
    ) -> QueueOffset {
        let (max, file_bytes) = (self.max_byte(), self.files.file_bytes());
        let late_enough = |base: &u64| {
            let last = self.entry_at((base + file_bytes).min(max) - ENTRY_BYTES);
            last.is_some_and(|last| store_time(last) >= timestamp_ms)
        };
        let mut bases = (self.files.first()..max).step_by(file_bytes as usize);
        let last = max.checked_sub(1).map(|last| self.files.base_of(last));
        let Some(file) = bases.find(late_enough).or(last) else {
            return QueueOffset(0);
        };
        let base = (file / ENTRY_BYTES) as i64;
        let low = (self.min_offset().0 - base).max(0);
        let high = (((file + file_bytes).min(max) - file) / ENTRY_BYTES) as i64 - 1;
        let time_of = |n: i64| {
            let entry = self.entry_at((base + n).unsigned_abs() * ENTRY_BYTES);
            match entry {
                Some(entry)
                    if entry.log_offset.unsigned_abs() >= min_log_offset
                        && entry != Entry::BLANK =>
                {
                    Some(store_time(entry))
                }
                _ => None,
            }
        };
        nearest(low, high, timestamp_ms, time_of).map_or(QueueOffset(0), |n| QueueOffset(base + n))
    }
}

/// Halves `[low, high]` as Java does. `time_of` is `None` for an entry whose record has expired,
/// which counts as too early. `None`: a record could not be read.
fn nearest(
    mut low: i64,
    mut high: i64,
    wanted: i64,
    time_of: impl Fn(i64) -> Option<i64>,
) -> Option<i64> {
    let (mut left, mut right) = (None, None);
    let (mut left_expired, first) = (None, low);
    while low <= high {
        let mid = low + (high - low) / 2;
        match time_of(mid) {
            None => {
                low = mid + 1;
                left_expired = Some(mid);
            }
            Some(time) if time < 0 => return None,
            Some(time) if time == wanted => return Some(mid),
            Some(time) if time > wanted => {
                high = mid - 1;
                right = Some((mid, time));
            }
            Some(time) => {
                low = mid + 1;
                left = Some((mid, time));
            }
        }
    }
    match (left, right) {
        (None, Some((right, _))) => Some(right),
        (Some((left, _)), None) => Some(left),
        (Some((left, before)), Some((right, after))) => {
            let right_is_nearer = wanted.abs_diff(before) > wanted.abs_diff(after);
            Some(if right_is_nearer { right } else { left })
        }
        (None, None) => Some(left_expired.map_or(first, |expired| expired + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consume_queue::ext_unit::ExtUnit;

    fn entry(log_offset: i64) -> Entry {
        Entry {
            log_offset,
            record_bytes: 10,
            tags_code: 0,
        }
    }

    /// Entry n lies at log offset 10 n and was stored at time 100 n; five entries a file.
    fn queue(entries: i64) -> (tempfile::TempDir, Queue) {
        let dir = tempfile::tempdir().expect("folder");
        let queue = Queue::empty(dir.path().join("T/0"), 0, 100, None);
        for n in 0..entries {
            queue
                .put(entry(n * 10), n, &ExtUnit::default())
                .expect("put");
        }
        (dir, queue)
    }

    fn by_time(queue: &Queue, ms: i64) -> i64 {
        queue.offset_by_time(ms, 0, |entry| entry.log_offset * 10).0
    }

    #[test]
    fn the_nearest_message_is_found_in_whichever_file_it_is() {
        let (_dir, queue) = queue(13);
        for n in 0..13 {
            assert_eq!(by_time(&queue, n * 100), n);
        }
        assert_eq!((by_time(&queue, 730), by_time(&queue, 770)), (7, 8));
        assert_eq!(by_time(&queue, 750), 7, "the earlier of two equally near");
    }

    #[test]
    fn before_the_first_it_is_the_first_and_after_the_last_the_last() {
        let (_dir, some) = queue(13);
        assert_eq!((by_time(&some, -5), by_time(&some, 1_000_000)), (0, 12));
        let (_dir, none) = queue(0);
        assert_eq!(by_time(&none, 5), 0);
        let (_dir, whole_file) = queue(5);
        assert_eq!(by_time(&whole_file, 1_000_000), 4);
    }

    #[test]
    fn expired_and_unreadable_records_never_panic() {
        let (_dir, queue) = queue(13);
        queue.correct_min(75);
        assert_eq!(queue.min_offset(), QueueOffset(8));
        assert_eq!(
            queue.offset_by_time(0, 75, |entry| entry.log_offset * 10),
            QueueOffset(8)
        );
        assert_eq!(queue.offset_by_time(0, 0, |_| -1), QueueOffset(0));
        assert_eq!(
            queue
                .offset_by_time(0, u64::MAX, |entry| entry.log_offset * 10)
                .0,
            8
        );
    }

    #[test]
    fn the_first_entry_still_in_the_log_is_found() {
        let (_dir, queue) = queue(13);
        for (log_offset, first) in [
            (0, 0),
            (1, 1),
            (10, 1),
            (55, 6),
            (120, 12),
            (121, 13),
            (u64::MAX, 13),
        ] {
            queue.correct_min(log_offset);
            assert_eq!(
                queue.min_offset(),
                QueueOffset(first),
                "log begins at {log_offset}"
            );
        }
    }
}
