//! One file mapped whole and shared with the page cache.
//!
//! The descriptor is closed once the file is mapped: a broker has tens of thousands of queue files.
//! `msync` of a range is `fdatasync` of that range, and reports its errors the same.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::thread;

use memmap2::{Advice, MmapRaw, UncheckedAdvice};

use super::disk::{self, PAGE_BYTES};
use super::touch::NAP;
use durable::calls::{Call, watched};

/// Taken out of the page tables at once: some hundred microseconds in the kernel.
const LET_GO_BYTES: usize = 4 * 1024 * 1024;

/// A mapped file. Gives out nothing safe but words: who reads and writes what when is up to
/// `MappedFile` and `Words`.
pub(super) struct Mapping {
    raw: MmapRaw,
    path: PathBuf,
}

impl Mapping {
    /// Makes the file and maps it.
    pub(super) fn create(path: PathBuf, bytes: u64) -> io::Result<Mapping> {
        let file = disk::create(&path, bytes)?;
        let map = Mapping::of_new(&file, path)?;
        map.expect_writes(0);
        Ok(map)
    }

    /// The same without its room: whoever writes must take it first. It is used at random, and where
    /// nothing was written the kernel would read ahead nothing but pages of zeros.
    pub(super) fn create_sparse(path: PathBuf, bytes: u64) -> io::Result<Mapping> {
        let file = disk::create_sparse(&path, bytes)?;
        let map = Mapping::of_new(&file, path)?;
        let _ = map.raw.advise(Advice::Random); // slower without, no worse
        Ok(map)
    }

    /// What lies from `from` on will be written. Else the kernel takes the first write to a page for a read, and reads, that
    /// is clears, all around it what it would read ahead, without giving the processor away: 8 MiB where it is set so.
    fn expect_writes(&self, from: usize) {
        let behind = self.raw.len().saturating_sub(from);
        let _ = self.raw.advise_range(Advice::Random, from, behind); // slower without, no worse
    }

    /// Nothing more will be written: it is read, and in order.
    pub(super) fn expect_reads(&self) {
        let _ = self.raw.advise(Advice::Normal); // slower without, no worse
    }

    /// A file that cannot be mapped goes, or it would be in the way of the next attempt.
    fn of_new(file: &File, path: PathBuf) -> io::Result<Mapping> {
        match watched(|| Call::Map(path.clone()), || MmapRaw::map_raw(file)) {
            Ok(raw) => Ok(Mapping { raw, path }),
            Err(error) => {
                let _ = disk::remove(&path);
                Err(error)
            }
        }
    }

    /// Maps a file that is there, as long as it is.
    pub(super) fn open(path: PathBuf) -> io::Result<Mapping> {
        let file = disk::open(&path)?;
        let raw = watched(|| Call::Map(path.clone()), || MmapRaw::map_raw(&file))?;
        Ok(Mapping { raw, path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn len(&self) -> usize {
        self.raw.len()
    }

    /// Copies `bytes` into the file. Every write of an append-only file is this one, but for zeros ahead of them.
    ///
    /// # Safety
    /// `at + bytes.len()` is within the file, nobody else writes these bytes meanwhile, and no slice
    /// of them is alive.
    pub(super) unsafe fn write_at(&self, at: usize, bytes: &[u8]) {
        debug_assert!(at + bytes.len() <= self.raw.len());
        // SAFETY: the caller keeps the range inside the mapping and to itself; a mapping of ours
        // cannot overlap memory the compiler knows.
        unsafe {
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                self.raw.as_mut_ptr().add(at),
                bytes.len(),
            )
        }
    }

    /// A part of the file as a slice.
    ///
    /// # Safety
    /// `at + len` is within the file and nobody writes these bytes while the slice is alive.
    pub(super) unsafe fn slice(&self, at: usize, len: usize) -> &[u8] {
        debug_assert!(at + len <= self.raw.len());
        // SAFETY: the caller keeps the range inside the mapping and unwritten; the slice borrows
        // `self`, so the mapping outlives it.
        unsafe { std::slice::from_raw_parts(self.raw.as_ptr().add(at), len) }
    }

    /// Four bytes as an atomic; `None` past the end or off alignment.
    pub(super) fn word(&self, at: usize) -> Option<&AtomicU32> {
        if at.checked_add(4)? > self.raw.len() || !at.is_multiple_of(4) {
            return None;
        }
        // SAFETY: in bounds and aligned (the mapping begins on a page), borrowed from `self`. Files
        // that are read as words are only ever accessed as words, so every access is atomic.
        Some(unsafe { AtomicU32::from_ptr(self.raw.as_mut_ptr().add(at).cast()) })
    }

    /// Has the kernel do for `[from, to)` what the first write to each page would make it do. A kernel that refuses (Linux
    /// before 5.14) does it then.
    pub(super) fn touch(&self, from: usize, to: usize) {
        let to = to.min(self.raw.len());
        if from < to {
            let _ = self
                .raw
                .advise_range(Advice::PopulateWrite, from, to - from);
        }
    }

    /// Has the kernel begin to read `[at, at + len)`, and does not wait for it.
    ///
    /// # Errors
    /// What the kernel says. The bytes are then read where they are touched.
    pub(super) fn read_ahead(&self, at: usize, len: usize) -> io::Result<()> {
        let call = || Call::Read(self.path.clone());
        watched(call, || self.raw.advise_range(Advice::WillNeed, at, len))
    }

    /// Writes `[from, to)` to disk. Blocks until it is there.
    ///
    /// # Errors
    /// What the kernel says. The pages may read back as clean afterwards: do not try again.
    pub(super) fn sync(&self, from: usize, to: usize) -> io::Result<()> {
        let to = to.min(self.raw.len());
        if from >= to {
            return Ok(());
        }
        let call = || Call::Sync {
            path: self.path.clone(),
            from: from as u64,
            to: to as u64,
        };
        self.let_go(from, to);
        watched(call, || self.raw.flush_range(from, to - from))
    }

    /// Takes the whole pages of `[from, to)` out of the process's page tables. Else the sync takes from each of them in turn the
    /// leave to be written, and interrupts for each one every processor that runs the process: a flush of 30 MB would hold
    /// everybody up for 20 ms. Who wants such a page finds it where it is, in the page cache.
    fn let_go(&self, from: usize, to: usize) {
        let (first, end) = (
            from.next_multiple_of(PAGE_BYTES as usize),
            to - to % PAGE_BYTES as usize,
        );
        let mut at = first;
        while at < end {
            let next = (at + LET_GO_BYTES).min(end);
            // SAFETY: the mapping is shared, so its pages have their bytes, those that are being written too, in the page
            // cache; what is there stays readable and writable, and says the same.
            let _ = unsafe {
                self.raw
                    .unchecked_advise_range(UncheckedAdvice::DontNeed, at, next - at)
            }; // slower without, no worse
            if next < end {
                thread::sleep(NAP);
            }
            at = next;
        }
    }

    /// Takes the room from `from` on from the disk, so that it can be written, and with `wipe` makes it
    /// zero. On disk it is zero after the next sync.
    ///
    /// # Safety
    /// No slice of these bytes is alive and nobody writes them meanwhile.
    pub(super) unsafe fn clear_from(&self, from: usize, wipe: bool) -> io::Result<()> {
        let file = disk::open(&self.path)?;
        let (from, to) = (from as u64, self.raw.len() as u64);
        disk::allocate(&file, &self.path, from, to, false)?;
        if wipe {
            disk::zero(&file, &self.path, from, to)?;
        }
        self.expect_writes(from as usize);
        Ok(())
    }
}
