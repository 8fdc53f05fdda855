//! A mapped file read and written at random, in big-endian words: an index file, the checkpoint.
//!
//! Every access is atomic by four bytes, so readers need no lock; eight-byte values can be seen half
//! changed, which their readers must bear.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::disk;
use super::mapping::Mapping;

/// Such a file.
pub(crate) struct Words {
    map: Mapping,
}

impl Words {
    /// Makes the file, zero throughout. Call `take_room` before writing it.
    pub(crate) fn create(path: PathBuf, bytes: u64) -> io::Result<Words> {
        Mapping::create_sparse(path, bytes).map(|map| Words { map })
    }

    /// Opens a file that is there. Call `take_room` before writing it.
    pub(crate) fn open(path: PathBuf) -> io::Result<Words> {
        Mapping::open(path).map(|map| Words { map })
    }

    /// Takes the room of the bytes `[from, to)`, as far as there are so many, from the disk: without it
    /// a write that finds the disk full is a SIGBUS. Bytes that are there stay.
    ///
    /// # Errors
    /// What the file system says, ENOSPC most likely.
    pub(crate) fn take_room(&self, from: u64, to: u64) -> io::Result<()> {
        let to = to.min(self.map.len() as u64);
        disk::allocate(&disk::open(self.path())?, self.path(), from, to, false)
    }

    pub(crate) fn path(&self) -> &Path {
        self.map.path()
    }

    /// The word at byte `at`; 0 past the end.
    pub(crate) fn u32(&self, at: usize) -> u32 {
        self.map
            .word(at)
            .map_or(0, |word| u32::from_be(word.load(Ordering::Acquire)))
    }

    /// Writes the word at byte `at`; past the end it is lost.
    pub(crate) fn put_u32(&self, at: usize, value: u32) {
        if let Some(word) = self.map.word(at) {
            word.store(value.to_be(), Ordering::Release);
        }
    }

    /// The two words at byte `at` as one value.
    pub(crate) fn u64(&self, at: usize) -> u64 {
        u64::from(self.u32(at)) << 32 | u64::from(self.u32(at + 4))
    }

    /// Writes the two words at byte `at`, the lower one first.
    pub(crate) fn put_u64(&self, at: usize, value: u64) {
        self.put_u32(at + 4, value as u32);
        self.put_u32(at, (value >> 32) as u32);
    }

    /// Writes the whole file to disk. Blocks; pages that did not change cost nothing.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.map.sync(0, self.map.len())
    }

    /// Removes the file.
    pub(crate) fn remove(&self) -> io::Result<()> {
        disk::remove(self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_big_endian_on_disk_and_never_out_of_bounds() {
        let dir = tempfile::tempdir().expect("folder");
        let words = Words::create(dir.path().join("w"), 20).expect("made");
        words.take_room(0, u64::MAX).expect("room");
        words.put_u32(0, 0x0102_0304);
        words.put_u64(4, 0x0506_0708_090a_0b0c);
        words.put_u32(18, 1);
        words.put_u32(20, 1);
        words.put_u32(usize::MAX, 1);
        assert_eq!(
            (words.u32(0), words.u64(4), words.u32(20)),
            (0x0102_0304, 0x0506_0708_090a_0b0c, 0)
        );
        words.sync().expect("synced");
        let bytes = std::fs::read(dir.path().join("w")).expect("read");
        assert_eq!(bytes[..12], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(bytes[12..], [0; 8]);
    }
}
