//! Descriptors of queue files that stay open for the next read or write: of a queue the last file and, beside it, one that a
//! reader is at. And one that was the last until it was full, until it is synced: the disk may fail with what was written to
//! it, and of a file that was closed only its whole file system is sure to know that.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Descriptors that all stores together keep open.
const MOST: usize = 512;
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Those of one queue: the last file, another one, one that is full and not known to be on disk.
#[derive(Default)]
pub(super) struct Kept(Mutex<[Option<Open>; 3]>);

struct Open {
    base: u64,
    file: Arc<File>,
    used: bool,
}

impl Open {
    /// `None` when too many are kept already.
    fn new(base: u64, file: &Arc<File>) -> Option<Open> {
        if COUNT.fetch_add(1, Ordering::Relaxed) >= MOST {
            COUNT.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Open {
            base,
            file: Arc::clone(file),
            used: true,
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Kept {
    /// The file that begins at `base`, if it is open.
    pub(super) fn find(&self, base: u64) -> Option<Arc<File>> {
        let mut places = self.0.lock();
        let open = places.iter_mut().flatten().find(|open| open.base == base)?;
        open.used = true;
        Some(Arc::clone(&open.file))
    }

    /// Keeps a file open, in the place of the last one or of the other, unless too many are.
    pub(super) fn keep(&self, base: u64, file: &Arc<File>, is_last: bool) {
        let [last, other, _] = &mut *self.0.lock();
        let place = if is_last { last } else { other };
        *place = None; // before the next is counted
        *place = Open::new(base, file);
    }

    /// Whether the file that begins at `base` stays open as the last one.
    pub(super) fn has_last(&self, base: u64) -> bool {
        let [last, _, _] = &*self.0.lock();
        last.as_ref().is_some_and(|last| last.base == base)
    }

    /// The last file, which begins at `base`, is full: it stays open until `synced`. False if it cannot, because it is closed
    /// already or another one is in its place.
    pub(super) fn fill_last(&self, base: u64) -> bool {
        let [last, _, full] = &mut *self.0.lock();
        if full.is_none() {
            *full = last.take_if(|last| last.base == base);
            return full.is_some();
        }
        false
    }

    /// What lies in front of byte `to` is on disk. `file_bytes` as of each file.
    pub(super) fn synced(&self, to: u64, file_bytes: u64) {
        let [_, _, full] = &mut *self.0.lock();
        full.take_if(|full| full.base + file_bytes <= to);
    }

    /// Closes what nobody has used since the last call.
    pub(super) fn close_unused(&self) {
        let [last, other, _] = &mut *self.0.lock();
        for place in [last, other] {
            match place {
                Some(open) if open.used => open.used = false,
                _ => *place = None,
            }
        }
    }

    /// Closes the file that begins at `base`.
    pub(super) fn close(&self, base: u64) {
        for place in &mut *self.0.lock() {
            place.take_if(|open| open.base == base);
        }
    }

    pub(super) fn close_all(&self) {
        *self.0.lock() = [None, None, None];
    }

    /// Where the files that are open begin.
    #[cfg(test)]
    pub(super) fn bases(&self) -> [Option<u64>; 3] {
        let places = self.0.lock();
        places
            .each_ref()
            .map(|open| open.as_ref().map(|open| open.base))
    }
}
