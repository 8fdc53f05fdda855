//! Makes the next log file before it is needed, on a thread of its own.
//!
//! ```text
//!   roll ── take(base) ──► the prepared file, or made here and now
//!        └─ ask(base + one file) ──► thread "allocate" makes it
//! ```
//!
//! Only one file is ever prepared. An error is not kept: who takes tries once more himself, so one
//! full disk does not fail every later append. Java 4.7.0 `store/AllocateMappedFileService.java`
//! prepares two and gives up after 5 s.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::file::MappedFile;
use super::touch::STRETCH_BYTES;

#[derive(Default)]
enum State {
    #[default]
    Idle,
    Asked(u64),
    Making(u64),
    Ready(Arc<MappedFile>),
    Stopped,
}

/// The place where one prepared file waits.
pub(crate) struct Allocator {
    dir: PathBuf,
    file_bytes: u64,
    /// SYNC_FLUSH: as `Toucher`.
    to_disk: bool,
    state: Mutex<State>,
    changed: Condvar,
}

impl Allocator {
    pub(crate) fn new(dir: PathBuf, file_bytes: u64, to_disk: bool) -> Allocator {
        Allocator {
            dir,
            file_bytes,
            to_disk,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Asks for the file that begins at `base`. Returns at once.
    pub(crate) fn ask(&self, base: u64) {
        let mut state = self.state.lock();
        if matches!(*state, State::Idle) {
            *state = State::Asked(base);
            self.changed.notify_all();
        }
    }

    /// The file that begins at `base`: the prepared one, or a new one; and the offset up to which its pages are ready.
    /// Blocks while it is made.
    ///
    /// # Errors
    /// What the file system says, ENOSPC most likely. The next call tries again.
    pub(crate) fn take(&self, base: u64) -> io::Result<(Arc<MappedFile>, u64)> {
        let mut state = self.state.lock();
        while matches!(*state, State::Making(making) if making == base) {
            self.changed.wait(&mut state);
        }
        match std::mem::take(&mut *state) {
            State::Ready(file) if file.base() == base => return Ok((file, base + STRETCH_BYTES)),
            State::Ready(other) => other.remove()?,
            State::Idle | State::Asked(_) => {}
            kept @ (State::Making(_) | State::Stopped) => *state = kept,
        }
        drop(state);
        Ok((self.make(base)?, base))
    }

    fn make(&self, base: u64) -> io::Result<Arc<MappedFile>> {
        let file = MappedFile::create(&self.dir, base, self.file_bytes)?;
        // Its name must be on disk; if it is not, the file must not be in the way of the next attempt.
        durable::sync_dir(&self.dir).inspect_err(|_| discard(&file))?;
        Ok(Arc::new(file))
    }

    /// The body of the thread "allocate"; ends after `stop`.
    pub(crate) fn run(&self) {
        let mut state = self.state.lock();
        loop {
            match *state {
                State::Stopped => return,
                State::Asked(_) => {
                    drop(state);
                    self.make_asked();
                    state = self.state.lock();
                }
                _ => self.changed.wait(&mut state),
            }
        }
    }

    /// Makes the file that was asked for, if one was.
    pub(crate) fn make_asked(&self) {
        let mut state = self.state.lock();
        let State::Asked(base) = *state else {
            return;
        };
        *state = State::Making(base);
        drop(state);
        let made = self.make(base).and_then(|file| {
            let goes_on = || !matches!(*self.state.lock(), State::Stopped);
            let prepared = file.prepare(base, base + STRETCH_BYTES, self.to_disk, goes_on);
            prepared.inspect_err(|_| discard(&file))?;
            Ok(file)
        });
        let log = |error: &io::Error| tracing::error!(%error, base, "make the next log file");
        let made = made.inspect_err(log);
        let mut state = self.state.lock();
        match (&*state, made) {
            (State::Making(_), Ok(file)) => *state = State::Ready(file),
            (State::Making(_), Err(_)) => *state = State::Idle,
            (_, Ok(file)) => discard(&file),
            (_, Err(_)) => {}
        }
        self.changed.notify_all();
    }

    /// Ends the thread and removes a file that nobody took.
    pub(crate) fn stop(&self) {
        if let State::Ready(file) = std::mem::replace(&mut *self.state.lock(), State::Stopped) {
            discard(&file);
        }
        self.changed.notify_all();
    }
}

fn discard(file: &MappedFile) {
    if let Err(error) = file.remove() {
        tracing::warn!(%error, path = %file.path().display(), "remove a prepared log file");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_thread(test: impl FnOnce(&Arc<Allocator>)) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("folder");
        let allocator = Arc::new(Allocator::new(dir.path().join("log"), 4096, false));
        let theirs = Arc::clone(&allocator);
        let thread = std::thread::spawn(move || theirs.run());
        test(&allocator);
        allocator.stop();
        thread.join().expect("ended");
        dir
    }

    #[test]
    fn a_file_asked_for_early_is_the_one_taken() {
        with_thread(|allocator| {
            allocator.ask(4096);
            assert_eq!(allocator.take(4096).expect("made").0.base(), 4096);
        });
    }

    #[test]
    fn a_prepared_file_that_nobody_takes_is_removed() {
        let dir = with_thread(|allocator| {
            allocator.ask(4096);
            let mut state = allocator.state.lock();
            while !matches!(*state, State::Ready(_)) {
                allocator.changed.wait(&mut state);
            }
        });
        assert_eq!(
            std::fs::read_dir(dir.path().join("log"))
                .expect("listed")
                .count(),
            0
        );
    }

    #[test]
    fn after_a_failure_the_next_take_succeeds() {
        let dir = tempfile::tempdir().expect("folder");
        let log = dir.path().join("log");
        std::fs::write(&log, "in the way").expect("written");
        let allocator = Allocator::new(log.clone(), 4096, true);
        assert!(allocator.take(0).is_err());
        std::fs::remove_file(&log).expect("removed");
        assert_eq!(allocator.take(0).expect("made").0.base(), 0);
    }
}
