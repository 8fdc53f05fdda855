//! An append-only mapped file: a log file or a queue file.
//!
//! ```text
//!   0 ────────────── published ───────────────────── len
//!   │  final bytes   │  being copied, or nothing yet │ zeros, by `prepare`
//! ```
//!
//! Bytes below `published` are never written again, so slices of them are handed out; bytes above
//! are seen by nobody. The rule that is easy to break: `published` moves only after the copy.
//! Java 4.7.0 `store/MappedFile.java`, where it is called `wrotePosition`.

use std::fs::{self, File};
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::SystemTime;

use bytes::Bytes;

use super::disk;
use super::mapping::Mapping;
use super::touch::NAP;
use super::warm::Warmth;
use crate::paths;

/// There is no room for the bytes, or another append is under way.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

/// One file of a `FileQueue`.
pub(crate) struct MappedFile {
    base: u64,
    map: Arc<Mapping>,
    /// `published` plus the bytes of the append that is under way.
    claimed: AtomicU64,
    published: AtomicU64,
    /// Where `prepare` may be putting zeros, which it does only with `claimed` at or below it; `u64::MAX` while it is not.
    zeroing: AtomicU64,
    warmth: Warmth,
}

/// Smallest page of the machines we run on.
const PAGE_BYTES: usize = 4096;

/// `prepare` puts so many zeros with a call. The kernel keeps in one piece what is written at once, which makes it cheap to
/// find room for, but writes it to disk as a whole, too, when a byte of it changes.
const ZEROS_BYTES: u64 = 16 * 1024;
/// Then it has the pages of so many made writable: some hundred microseconds in the kernel, which may not be interrupted there.
const PREPARED_BYTES: u64 = 16 * ZEROS_BYTES;

/// An append that meets zeros being put gives the processor away so often, which is enough unless the disk is in the way. Then
/// it naps between two looks.
const YIELDS: u32 = 100;

impl MappedFile {
    /// Makes an empty file of `bytes` whose first byte has offset `base`.
    pub(crate) fn create(dir: &Path, base: u64, bytes: u64) -> io::Result<MappedFile> {
        Ok(MappedFile::of(
            Mapping::create(paths::numbered(dir, base), bytes)?,
            base,
            0,
            Warmth::default(),
        ))
    }

    /// Opens a file that is there. All of it counts as published until `cut` says better.
    pub(super) fn open(path: PathBuf, base: u64) -> io::Result<MappedFile> {
        let map = Mapping::open(path)?;
        let len = map.len() as u64;
        let warmth = Warmth::none_of(map.len());
        Ok(MappedFile::of(map, base, len, warmth))
    }

    fn of(map: Mapping, base: u64, published: u64, warmth: Warmth) -> MappedFile {
        MappedFile {
            base,
            map: Arc::new(map),
            claimed: AtomicU64::new(published),
            published: AtomicU64::new(published),
            zeroing: AtomicU64::new(u64::MAX),
            warmth,
        }
    }

    /// Offset of the first byte.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Offset behind the last byte.
    pub(crate) fn end(&self) -> u64 {
        self.base + self.map.len() as u64
    }

    /// Offset behind the last byte that may be read.
    pub(crate) fn published(&self) -> u64 {
        self.base + self.published.load(Ordering::Acquire)
    }

    /// Bytes that can still be appended.
    pub(crate) fn room(&self) -> u64 {
        self.end() - self.published()
    }

    pub(crate) fn path(&self) -> &Path {
        self.map.path()
    }

    /// Appends `bytes` and publishes them. One at a time: the second of two at once is refused.
    pub(crate) fn append(&self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.append_as(bytes, bytes.len() as u64)
    }

    /// Appends `bytes` and gives up the rest of the file.
    pub(crate) fn append_last(&self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.append_as(bytes, self.room())
    }

    fn append_as(&self, bytes: &[u8], taken: u64) -> Result<(), NoRoom> {
        let at = self.published.load(Ordering::Relaxed);
        if at + taken > self.map.len() as u64 || taken < bytes.len() as u64 {
            return Err(NoRoom);
        }
        // The claim succeeds only when no append is under way, so its range is ours alone.
        self.claimed
            .compare_exchange(at, at + taken, Ordering::SeqCst, Ordering::Relaxed)
            .map_err(|_| NoRoom)?;
        self.wait_for_zeros(at + taken);
        // SAFETY: [at, at + taken) is inside the file, claimed by this call only, no zeros are being put there, and it
        // is above `published`, where no slice is ever made.
        unsafe { self.map.write_at(at as usize, bytes) };
        self.published.store(at + taken, Ordering::Release);
        Ok(())
    }

    /// Returns when no zeros are being put below `claimed`, which is stored. Pairs with `zero_if_free`: either we see that
    /// zeros are being put, or it sees the claim.
    fn wait_for_zeros(&self, claimed: u64) {
        let mut looks = 0;
        while claimed > self.zeroing.load(Ordering::SeqCst) {
            looks += 1;
            if looks < YIELDS {
                thread::yield_now();
            } else {
                thread::sleep(NAP);
            }
        }
    }

    /// The published bytes `[from, from + len)`, by offset; `None` if any of them is not.
    pub(crate) fn get(&self, from: u64, len: u64) -> Option<&[u8]> {
        let (at, len) = self.position(from, len)?;
        // SAFETY: inside the file and below `published`: never written again while `self` is shared.
        Some(unsafe { self.map.slice(at, len) })
    }

    /// The same as a slice that keeps the file alive.
    pub(crate) fn bytes(&self, from: u64, len: u64) -> Option<Bytes> {
        let (at, len) = self.position(from, len)?;
        Some(Bytes::from_owner(View {
            map: Arc::clone(&self.map),
            at,
            len,
        }))
    }

    /// All that is published, as one slice.
    pub(crate) fn all(&self) -> Option<Bytes> {
        self.bytes(self.base, self.published() - self.base)
    }

    /// Whether these published bytes are in memory, as far as anybody can know.
    pub(crate) fn is_warm(&self, from: u64, len: u64) -> bool {
        let position = self.position(from, len);
        position.is_some_and(|(at, len)| self.warmth.cold(at, len).next().is_none())
    }

    /// Has them in memory on return. Blocks while they are read from the disk, a window at a time.
    pub(crate) fn warm_up(&self, from: u64, len: u64) {
        let Some((at, len)) = self.position(from, len) else {
            return;
        };
        for (from, to) in self.warmth.cold(at, len) {
            let _ = self.map.read_ahead(from, to - from); // slower without, no worse
            self.fault_in(self.base + from as u64, (to - from) as u64);
            self.warmth.set(from);
        }
    }

    /// Has the kernel begin to read what of `[from, from + len)` is published, and does not wait for it.
    pub(crate) fn read_ahead(&self, from: u64, len: u64) {
        let len = len.min(self.published().saturating_sub(from));
        if let Some((at, len)) = self.position(from, len) {
            let _ = self.map.read_ahead(at, len); // slower without, no worse
        }
    }

    /// `warm_up` for bytes that were warm so long ago that the kernel may have dropped them.
    pub(crate) fn fault_in(&self, from: u64, len: u64) {
        let pages = self.get(from, len).unwrap_or_default().chunks(PAGE_BYTES);
        pages.for_each(|page| {
            black_box(page.first());
        });
    }

    fn position(&self, from: u64, len: u64) -> Option<(usize, usize)> {
        let at = from.checked_sub(self.base)?;
        let in_reach = at.checked_add(len)? <= self.published.load(Ordering::Acquire);
        in_reach.then_some((at as usize, len as usize))
    }

    /// Makes the offsets `[from, to)`, as far as they are in this file, ready for appends: zeros are put there, and the pages
    /// made writable, or with `to_disk` the zeros written to disk, so that a sync of what is appended there has data to write
    /// and nothing else. Appends may come meanwhile, and their bytes stay. What cannot be done is left to them. Blocks, as long
    /// as `goes_on` says so. One thread at a time.
    ///
    /// # Errors
    /// When the disk took what it was to write badly, as from `sync`.
    pub(super) fn prepare(
        &self,
        from: u64,
        to: u64,
        to_disk: bool,
        goes_on: impl Fn() -> bool,
    ) -> io::Result<()> {
        let position = |offset: u64| offset.clamp(self.base, self.end()) - self.base;
        // Whole blocks, but at the file's end: what is left out of one would be left out for good.
        let to = position(to).next_multiple_of(ZEROS_BYTES);
        let (mut at, to) = (position(from), to.min(self.map.len() as u64));
        let Ok(file) = disk::open(self.path()) else {
            return Ok(());
        };
        while at < to && goes_on() {
            let (begin, end) = (at, (at + 1).next_multiple_of(PREPARED_BYTES).min(to));
            let mut put = false;
            while at < end {
                let next = (at + 1).next_multiple_of(ZEROS_BYTES).min(end);
                put |= at.is_multiple_of(ZEROS_BYTES) && self.zero_if_free(&file, at, next);
                at = next;
            }
            if put && to_disk {
                disk::sync_data(&file, self.path())?;
            } else if !to_disk {
                self.map.touch(begin as usize, end as usize);
            }
            if !to_disk && end < to {
                thread::sleep(NAP);
            }
        }
        Ok(())
    }

    /// Puts zeros to `[at, to)` unless an append has come so far. Whether it did.
    fn zero_if_free(&self, file: &File, at: u64, to: u64) -> bool {
        self.zeroing.store(at, Ordering::SeqCst);
        let is_free = self.claimed.load(Ordering::SeqCst) <= at;
        let put = is_free && disk::put_zeros(file, self.path(), at, to).is_ok();
        self.zeroing.store(u64::MAX, Ordering::Release);
        put
    }

    /// Writes the offsets `[from, to)` to disk, as far as they are in this file. Blocks.
    pub(crate) fn sync(&self, from: u64, to: u64) -> io::Result<()> {
        let position = |offset: u64| offset.clamp(self.base, self.end()) - self.base;
        self.map
            .sync(position(from) as usize, position(to) as usize)
    }

    /// Forgets everything from offset `to` on and makes the rest fit for writing. With `wipe` the
    /// rest is zeroed too, so that nothing of it is ever found again; the next `sync` puts that on disk.
    ///
    /// # Errors
    /// What the file system says, or `ResourceBusy` while a slice of this file is alive.
    pub(crate) fn cut(&mut self, to: u64, wipe: bool) -> io::Result<()> {
        let to = to.clamp(self.base, self.end()) - self.base;
        let map = Arc::get_mut(&mut self.map).ok_or(io::ErrorKind::ResourceBusy)?;
        // SAFETY: `&mut self` and the only handle on the mapping: no slice, no writer.
        unsafe { map.clear_from(to as usize, wipe)? };
        *self.claimed.get_mut() = to;
        *self.published.get_mut() = to;
        self.warmth.cut(to as usize);
        Ok(())
    }

    /// Nothing more is appended: the kernel may read ahead in it, and its modification time is now. Not every file system
    /// notes what is written through a mapping (`tmpfs` does not), and by this time the file expires.
    pub(crate) fn finished(&self) {
        self.map.expect_reads();
        if let Err(error) = disk::set_modified(self.path(), SystemTime::now()) {
            tracing::warn!(%error, path = %self.path().display(), "set the time of a full log file");
        }
    }

    /// When something was last written to it.
    pub(crate) fn modified(&self) -> io::Result<SystemTime> {
        fs::metadata(self.path())?.modified()
    }

    /// For seeing later whether the file is still in use.
    pub(crate) fn users(&self) -> Users {
        Users(Arc::downgrade(&self.map))
    }

    /// Removes the file. Slices of it stay readable.
    pub(crate) fn remove(&self) -> io::Result<()> {
        disk::remove(self.path())
    }
}

/// Who still has a file that was removed: until nobody has, it takes its room on the disk.
pub(crate) struct Users(Weak<Mapping>);

impl Users {
    pub(crate) fn are_there(&self) -> bool {
        self.0.strong_count() > 0
    }
}

/// The owner behind a `Bytes`: its slice covers final bytes only.
struct View {
    map: Arc<Mapping>,
    at: usize,
    len: usize,
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `MappedFile::bytes` checked the range against `published`, and `MappedFile::cut`
        // refuses while `self.map` is held here.
        unsafe { self.map.slice(self.at, self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: u64) -> (tempfile::TempDir, MappedFile) {
        let dir = tempfile::tempdir().expect("folder");
        let file = MappedFile::create(dir.path(), 1000, bytes).expect("made");
        (dir, file)
    }

    #[test]
    fn only_published_bytes_can_be_read() {
        let (_dir, file) = file(100);
        assert_eq!(file.get(1000, 1), None);
        file.append(b"hello").expect("room");
        assert_eq!(file.get(1001, 4), Some(&b"ello"[..]));
        assert_eq!(file.get(1001, 5), None);
        assert_eq!(file.get(999, 1), None);
        assert_eq!(file.get(1001, u64::MAX), None);
        assert_eq!(file.bytes(1000, 5).as_deref(), Some(&b"hello"[..]));
    }

    #[test]
    fn a_full_file_refuses_and_stays_as_it_is() {
        let (_dir, file) = file(8);
        file.append(b"hello").expect("room");
        assert_eq!(file.append(b"four"), Err(NoRoom));
        assert_eq!((file.published(), file.room()), (1005, 3));
        file.append_last(b"x").expect("room");
        assert_eq!((file.published(), file.room()), (1008, 0));
    }

    #[test]
    fn zeros_put_ahead_never_cover_what_is_appended_meanwhile() {
        let (_dir, file) = file(8 << 20);
        let record = |n: u64| vec![(n % 255) as u8 + 1; 700 + n as usize % 900];
        std::thread::scope(|scope| {
            let appends = scope.spawn(|| {
                let mut n = 0;
                while file.append(&record(n)).is_ok() {
                    n += 1;
                }
                n
            });
            while !appends.is_finished() {
                let from = file.published();
                file.prepare(from, from + (1 << 20), false, || true)
                    .expect("prepared");
            }
            let count = appends.join().expect("no panic");
            assert!(count > 1000);
            let mut at = file.base();
            for n in 0..count {
                let record = record(n);
                let found = file.get(at, record.len() as u64);
                assert!(found == Some(&record[..]), "record {n} is not as appended");
                at += record.len() as u64;
            }
        });
    }

    #[test]
    fn what_is_appended_stays_readable_when_it_is_synced_and_let_go() {
        let (_dir, file) = file(1 << 20);
        file.prepare(1000, 1 << 20, true, || true)
            .expect("prepared");
        for n in 1..=40u8 {
            file.append(&[n; 10_000]).expect("room");
            file.sync(1000, file.published()).expect("synced");
        }
        let mut at = 1000;
        for n in 1..=40 {
            assert_eq!(file.get(at, 10_000), Some(&[n; 10_000][..]));
            at += 10_000;
        }
    }

    #[test]
    fn a_slice_outlives_the_file_it_is_of() {
        let (_dir, file) = file(100);
        file.append(b"hello").expect("room");
        let (slice, users) = (file.bytes(1000, 5).expect("published"), file.users());
        file.remove().expect("removed");
        drop(file);
        assert_eq!(&slice[..], b"hello");
        assert!(users.are_there());
        drop(slice);
        assert!(!users.are_there());
    }

    #[test]
    fn cutting_waits_for_no_slice_and_wipes_the_rest() {
        let (_dir, mut file) = file(10_000);
        file.append(&[7; 9_000]).expect("room");
        let slice = file.bytes(1000, 5).expect("published");
        assert!(file.cut(1010, true).is_err());
        drop(slice);
        file.cut(1010, true).expect("cut");
        assert_eq!(file.published(), 1010);
        file.append(b"x").expect("room");
        let reopened = MappedFile::open(file.path().to_owned(), 1000).expect("opened");
        assert_eq!(
            reopened.get(1000, 12),
            Some(&b"\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07x\0"[..])
        );
        assert!(
            reopened
                .get(1011, 9_989)
                .expect("all there")
                .iter()
                .all(|byte| *byte == 0)
        );
    }
}
