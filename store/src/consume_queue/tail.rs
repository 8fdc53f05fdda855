//! The newest entries of a queue, in memory until there are enough of them to be worth a write.
//!
//! ```text
//!   files:  ─────────────────── written
//!   tail:               from ─────┴─────── end
//!                       │ in both │ here only
//! ```
//!
//! A message so costs its queue 20 bytes copied, and a write once in a hundred; readers at the end of
//! the queue, which are nearly all, need no file. What a crash takes from here is in the log, and
//! recovery builds it again. Delayed messages are written through: Java 4.9.4, started after a crash of
//! ours, builds entries again before it knows its delay levels, and would deliver them at once. The rule
//! that is easy to break: what is given up was written before.

use std::io;

use super::files::QueueFiles;
use super::unit::ENTRY_BYTES;

/// Most that is kept of one queue: 256 entries.
const MOST_BYTES: usize = 256 * ENTRY_BYTES as usize;
/// Of these so many are given up to make room.
const GIVEN_UP_BYTES: usize = MOST_BYTES / 2;
/// The buffer begins with room for four; most queues never have more in a minute.
const FIRST_BYTES: usize = 4 * ENTRY_BYTES as usize;

/// See the module.
#[derive(Default)]
pub(super) struct Tail {
    from: u64,
    bytes: Vec<u8>,
    written: u64,
    /// Every entry is written at once.
    write_through: bool,
    /// The topic was deleted: nothing is kept or written any more.
    gone: bool,
    /// Files were made or wiped since the last sync: their names and all of them must go to disk.
    pub(super) files_changed: bool,
}

impl Tail {
    /// The tail of a queue that has nothing. `write_through`: entries are written to the files as they come.
    pub(super) fn new(write_through: bool) -> Tail {
        Tail {
            write_through,
            ..Tail::default()
        }
    }

    /// From now on the queue ends at byte `end`, all of it in the files; `last` are its last bytes.
    pub(super) fn begin_behind(&mut self, end: u64, last: &[u8], files_changed: bool) {
        *self = Tail {
            from: end.saturating_sub(last.len() as u64),
            bytes: last.to_vec(),
            written: end,
            write_through: self.write_through,
            gone: false,
            files_changed,
        };
    }

    /// The topic is deleted: what is here is forgotten, what comes is left out, and the files are not
    /// written any more.
    pub(super) fn forget(&mut self) {
        self.begin_behind(self.end(), &[], false);
        self.gone = true;
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    fn end(&self) -> u64 {
        self.from + self.bytes.len() as u64
    }

    /// Adds an entry; now and then that writes the others to the files, and always if it is the last of
    /// its file, which from then on has the time of its last message, `stored_ms`.
    ///
    /// # Errors
    /// What the file system says; the entry was not added.
    pub(super) fn push(
        &mut self,
        entry: &[u8; ENTRY_BYTES as usize],
        stored_ms: i64,
        files: &QueueFiles,
    ) -> io::Result<()> {
        if self.bytes.len() >= MOST_BYTES {
            self.write(files)?;
            self.bytes.drain(..GIVEN_UP_BYTES);
            self.from += GIVEN_UP_BYTES as u64;
        }
        if self.bytes.capacity() == 0 {
            self.bytes.reserve_exact(FIRST_BYTES);
        }
        self.bytes.extend_from_slice(entry);
        let fills_file = files.base_of(self.end()) == self.end();
        if self.write_through || fills_file {
            let before = self.bytes.len() - entry.len();
            self.write(files)
                .inspect_err(|_| self.bytes.truncate(before))?;
        }
        if fills_file {
            files.set_time(self.end() - ENTRY_BYTES, stored_ms);
        }
        Ok(())
    }

    /// Writes what is here only to the files.
    pub(super) fn write(&mut self, files: &QueueFiles) -> io::Result<()> {
        let new = self.bytes.get((self.written - self.from) as usize..);
        let end = files.end();
        let written = files.write(self.written, new.unwrap_or_default());
        self.files_changed |= files.end() != end;
        written?;
        self.written = self.end();
        Ok(())
    }

    /// Gives the memory back; everything must have been written.
    pub(super) fn give_up(&mut self) {
        if self.written == self.end() {
            self.from = self.written;
            self.bytes = Vec::new();
        }
    }

    /// Copies the bytes from `at` on into `out`. If the first of them is in the files only, says how
    /// many are.
    pub(super) fn copy(&self, at: u64, out: &mut [u8]) -> Result<(), u64> {
        let from = at
            .checked_sub(self.from)
            .ok_or(self.from - at.min(self.from))? as usize;
        let bytes = self.bytes.get(from..from + out.len());
        out.copy_from_slice(bytes.ok_or(0u64)?);
        Ok(())
    }

    /// Forgets everything from byte `to` on.
    pub(super) fn cut(&mut self, to: u64) {
        self.bytes.truncate(to.saturating_sub(self.from) as usize);
        self.from = self.from.min(to);
        self.written = self.written.min(to);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::UNIX_EPOCH;

    use durable::calls::{Call, Watch, watch};

    use super::*;

    /// A disk that files can be made on and not written to.
    struct Full;

    impl Watch for Full {
        fn before(&self, call: &Call) -> io::Result<()> {
            match call {
                Call::Write(_) => Err(io::ErrorKind::StorageFull.into()),
                _ => Ok(()),
            }
        }

        fn after(&self, _: &Call) {}
    }

    fn pushed(count: u64) -> (tempfile::TempDir, QueueFiles, Tail) {
        let dir = tempfile::tempdir().expect("folder");
        let files = QueueFiles::none(dir.path().join("T/0"), 6_000_000);
        let mut tail = Tail::default();
        for n in 0..count {
            tail.push(&[n as u8; 20], 0, &files).expect("pushed");
        }
        (dir, files, tail)
    }

    #[test]
    fn a_few_entries_touch_no_file_and_many_keep_the_newest_here() {
        let (_dir, files, tail) = pushed(256);
        assert!(files.is_empty());
        assert_eq!(
            (tail.from, tail.end(), tail.bytes.capacity()),
            (0, 5120, 5120)
        );
        let (_dir, files, tail) = pushed(257);
        assert!(!files.is_empty());
        assert_eq!((tail.from, tail.written, tail.end()), (2560, 5120, 5140));
        assert_eq!(tail.bytes.capacity(), 5120);
    }

    #[test]
    fn what_is_not_here_any_more_is_in_the_files() {
        let (_dir, files, mut tail) = pushed(1000);
        tail.write(&files).expect("written");
        tail.give_up();
        assert_eq!(tail.bytes.capacity(), 0);
        let (mut here, mut there) = ([0; 20], [0; 20]);
        let file = files.open_at(0).expect("there");
        for n in 0..1000 {
            assert_eq!(tail.copy(n * 20, &mut here), Err(20_000 - n * 20));
            files.read(&file, n * 20, &mut there).expect("read");
            assert_eq!(there, [n as u8; 20]);
        }
    }

    #[test]
    fn an_entry_that_finds_no_room_is_not_added_and_can_be_tried_again() {
        let (dir, files, mut tail) = pushed(256);
        std::fs::write(dir.path().join("T"), "in the way").expect("written");
        assert!(tail.push(&[1; 20], 0, &files).is_err());
        assert!(tail.push(&[1; 20], 0, &files).is_err());
        assert_eq!((tail.from, tail.end()), (0, 5120));
        std::fs::remove_file(dir.path().join("T")).expect("removed");
        tail.push(&[1; 20], 0, &files).expect("pushed");
        assert_eq!((tail.written, tail.end()), (5120, 5140));
    }

    #[test]
    fn written_through_nothing_is_here_only_and_what_finds_no_room_is_not_added() {
        let dir = tempfile::tempdir().expect("folder");
        let files = QueueFiles::none(dir.path().join("T/0"), 6_000_000);
        let mut tail = Tail::new(true);
        std::fs::write(dir.path().join("T"), "in the way").expect("written");
        assert!(tail.push(&[1; 20], 0, &files).is_err());
        assert_eq!(tail.end(), 0);
        std::fs::remove_file(dir.path().join("T")).expect("removed");
        for n in 0..300 {
            tail.push(&[n as u8; 20], 0, &files).expect("pushed");
            assert_eq!(tail.written, (n + 1) * 20);
        }
        let (mut there, file) = ([0; 20], files.open_at(0).expect("there"));
        files.read(&file, 299 * 20, &mut there).expect("read");
        assert_eq!(there, [299u64 as u8; 20]);
    }

    #[test]
    fn the_name_of_a_file_whose_first_write_failed_is_still_to_be_synced() {
        for entries_before in [0, 5] {
            let dir = tempfile::tempdir().expect("folder");
            let files = QueueFiles::none(dir.path().to_owned(), 100);
            let mut tail = Tail::new(true);
            for _ in 0..entries_before {
                tail.push(&[1; 20], 0, &files).expect("pushed");
            }
            tail.files_changed = false; // synced
            let end = files.end();
            let full = watch(dir.path(), Arc::new(Full));
            assert!(tail.push(&[1; 20], 0, &files).is_err());
            drop(full);
            assert_eq!(files.end(), end + 100, "it was made");
            tail.push(&[1; 20], 0, &files).expect("pushed");
            assert!(tail.files_changed, "behind {entries_before} entries");
        }
    }

    #[test]
    fn a_full_file_is_written_and_has_the_time_of_its_last_message() {
        let dir = tempfile::tempdir().expect("folder");
        let files = QueueFiles::none(dir.path().to_owned(), 100);
        let mut tail = Tail::default();
        let modified = |name: &str| {
            let meta = std::fs::metadata(dir.path().join(name)).ok()?;
            let since = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some(since.as_millis())
        };
        for n in 0..12 {
            tail.push(&[1; 20], 1_600_000_000_000 + n, &files)
                .expect("pushed");
        }
        let [first, second, third] = ["000", "100", "200"].map(|n| format!("{n:0>20}"));
        assert_eq!(modified(&first), Some(1_600_000_000_004));
        assert_eq!(modified(&second), Some(1_600_000_000_009));
        assert_eq!(modified(&third), None, "not worth a write yet");
        tail.write(&files).expect("written");
        files.sync(0, u64::MAX).expect("synced");
        assert_eq!(modified(&first), Some(1_600_000_000_004));
        assert!(modified(&third) > Some(1_600_000_000_011), "not full");
    }

    #[test]
    fn a_cut_takes_from_the_end_what_is_here() {
        let (_dir, files, mut tail) = pushed(300);
        tail.cut(5500);
        assert_eq!((tail.from, tail.written, tail.end()), (2560, 5120, 5500));
        tail.cut(100);
        assert_eq!((tail.from, tail.written, tail.end()), (100, 100, 100));
        tail.push(&[1; 20], 0, &files).expect("pushed");
        assert_eq!(tail.end(), 120);
    }
}
