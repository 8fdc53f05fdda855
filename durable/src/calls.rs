//! Every system call that changes the disk, told to whoever watches the folder it is made in.
//!
//! ```text
//!   disk, mapping, queue files, lock ─► watched(call, run) ─► before: may refuse ─► run ─► after
//! ```
//!
//! Tests watch: they keep the image that a power cut would leave, and refuse calls as a full or failing
//! disk does. A server never watches, which costs it one load a call. Bytes written through a mapping
//! need no call; who watches finds them by looking at the file. The rule that is easy to break: a call
//! that changes the disk and is not made through here is one that no crash test ever sees.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;

/// A call that is about to be made or was made, and on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Makes a folder, and those above it that are missing.
    MakeDir(PathBuf),
    /// Removes a folder, if it is empty.
    RemoveDir(PathBuf),
    /// Makes an empty file.
    Create(PathBuf),
    /// Gives a file another length.
    Resize(PathBuf),
    /// Takes room for a part of a file, or makes a part of it zero.
    Allocate(PathBuf),
    /// Writes to a file.
    Write(PathBuf),
    /// Opens a file that is there.
    Open(PathBuf),
    /// Reads a file.
    Read(PathBuf),
    /// Maps a file.
    Map(PathBuf),
    /// Gives a file the second name.
    Link(PathBuf, PathBuf),
    /// Gives a file the second name in place of the first, and of the file that has it.
    Rename(PathBuf, PathBuf),
    /// Removes a file.
    Remove(PathBuf),
    /// Writes the bytes `[from, to)` of a file to disk, and its length.
    Sync {
        /// The file.
        path: PathBuf,
        /// First byte.
        from: u64,
        /// Behind the last byte.
        to: u64,
    },
    /// Writes the names in a folder to disk.
    SyncDir(PathBuf),
    /// Writes the whole file system to disk.
    SyncFileSystem(PathBuf),
}

impl Call {
    /// The file or folder; of two the first.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Call::MakeDir(path)
            | Call::RemoveDir(path)
            | Call::Create(path)
            | Call::Resize(path)
            | Call::Allocate(path)
            | Call::Write(path)
            | Call::Open(path)
            | Call::Read(path)
            | Call::Map(path)
            | Call::Link(path, _)
            | Call::Rename(path, _)
            | Call::Remove(path)
            | Call::Sync { path, .. }
            | Call::SyncDir(path)
            | Call::SyncFileSystem(path) => path,
        }
    }

    /// All of a file to disk.
    #[must_use]
    pub fn sync_all(path: impl Into<PathBuf>) -> Call {
        Call::Sync {
            path: path.into(),
            from: 0,
            to: u64::MAX,
        }
    }
}

/// Hears of the calls made below a folder, on the threads that make them.
pub trait Watch: Send + Sync {
    /// The call is about to be made.
    ///
    /// # Errors
    /// What the call is to fail with; it is not made then.
    fn before(&self, call: &Call) -> io::Result<()>;

    /// The call was made, and went well.
    fn after(&self, call: &Call);
}

type Watched = (PathBuf, Arc<dyn Watch>);

static WATCHED: RwLock<Vec<Watched>> = RwLock::new(Vec::new());
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Watches as long as it is not dropped.
pub struct Watching(PathBuf);

/// Has `watch` told of every call below `root`.
#[must_use = "what is dropped watches no more"]
pub fn watch(root: &Path, watch: Arc<dyn Watch>) -> Watching {
    WATCHED.write().push((root.to_owned(), watch));
    COUNT.fetch_add(1, Ordering::SeqCst);
    Watching(root.to_owned())
}

impl Drop for Watching {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::SeqCst);
        WATCHED.write().retain(|(root, _)| *root != self.0);
    }
}

/// Makes a call, told of by `call`, which is asked only if somebody watches.
///
/// # Errors
/// Those of `run`, or what the watcher says.
#[inline]
pub fn watched<T>(
    call: impl FnOnce() -> Call,
    run: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    if COUNT.load(Ordering::Relaxed) == 0 {
        return run();
    }
    let call = call();
    let watch = WATCHED
        .read()
        .iter()
        .find(|(root, _)| call.path().starts_with(root))
        .map(|(_, watch)| Arc::clone(watch));
    let Some(watch) = watch else {
        return run();
    };
    watch.before(&call)?;
    run().inspect(|_| watch.after(&call))
}
