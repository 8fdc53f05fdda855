//! Makes pages of the log ready for writing before an append needs them, on a thread of its own.
//!
//! ```text
//!   file   ───────── end ──────── touched ──────────── len
//!                     │ appends    │ asked for when the end comes within half a stretch of it
//! ```
//!
//! The first write to a page of a mapped file costs a fault: the kernel finds and clears a page, and may wait for its
//! journal. Under the append lock every sender would wait with it. So zeros are put there with `pwrite` first, which costs
//! the kernel a quarter, and then the pages are mapped. Nothing depends on this: a page that was not prepared in time is
//! the append's. Under SYNC_FLUSH the zeros go to disk instead, a little at a time: on ext4 a sync of blocks that were never
//! written has to say so in the file's tables, which doubles what it takes. The rule that is easy to break: no zeros where an
//! append has come (`MappedFile::prepare`).
//! Java 4.7.0 has `warmMapedFileEnable`, which writes to all pages of a new file.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::file::MappedFile;

/// Touched at once, and ahead of the log's end when it moves. About a tenth of a second of the fastest disk.
pub(crate) const STRETCH_BYTES: u64 = 8 * 1024 * 1024;

/// Long work in the kernel beside the senders goes in pieces, with this between them. A thread that is not told to go keeps its
/// processor for a slice of 3 ms or so, and whoever serves clients waits behind it; one that sleeps gives it away.
pub(super) const NAP: Duration = Duration::from_micros(50);

#[derive(Default)]
struct Wanted {
    stretch: Option<(Arc<MappedFile>, u64, u64)>,
    stopped: bool,
}

/// Where the stretch that is wanted next waits for the thread.
pub(crate) struct Toucher {
    /// SYNC_FLUSH: the zeros go to disk.
    to_disk: bool,
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

impl Toucher {
    pub(crate) fn new(to_disk: bool) -> Toucher {
        Toucher {
            to_disk,
            wanted: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Asks for the offsets `[from, to)` of `file`, in place of what was asked for and not begun. Returns at once.
    pub(crate) fn ask(&self, file: &Arc<MappedFile>, from: u64, to: u64) {
        self.wanted.lock().stretch = Some((Arc::clone(file), from, to));
        self.changed.notify_one();
    }

    /// The body of the thread "touch"; ends after `stop`. `failed` is called when the disk failed: it may have been asked to
    /// write records as well.
    pub(crate) fn run(&self, failed: impl Fn(io::Error)) {
        let mut wanted = self.wanted.lock();
        while !wanted.stopped {
            if wanted.stretch.is_none() {
                self.changed.wait(&mut wanted);
                continue;
            }
            drop(wanted);
            self.prepare_asked(&failed);
            wanted = self.wanted.lock();
        }
    }

    /// Prepares the stretch that was asked for, if one was. `failed` as of `run`.
    pub(crate) fn prepare_asked(&self, failed: impl Fn(io::Error)) {
        let Some((file, from, to)) = self.wanted.lock().stretch.take() else {
            return;
        };
        let goes_on = || !self.wanted.lock().stopped;
        if let Err(error) = file.prepare(from, to, self.to_disk, goes_on) {
            failed(error);
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.wanted.lock().stopped = true;
        self.changed.notify_one();
    }
}
