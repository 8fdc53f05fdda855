//! One owner, and whether the last one left in order.
//!
//! `lock`: a POSIX record lock, which is what the JDK takes, so that Java's broker and this one keep
//! each other out. Ours covers the whole file, Java's byte 0. The rule that is easy to break: such a
//! lock belongs to the process and goes when *any* descriptor of the file is closed, so within one
//! process a table says who has it.
//!
//! The log's folder, which need not lie below the root, has an `flock` of its own: of two brokers with
//! roots of their own and one log, which Java lets start, the second would overwrite what the first
//! acknowledged. It is on the folder itself, since Java loads no log folder with a strange file in it.
//! `abort`: there while the store is open.
//! Java 4.7.0 `store/DefaultMessageStore.java`: `start`, `createTempFile`. Java locks after recovery.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, fcntl_lock, flock};
use rustix::io::Errno;

use crate::error::StoreError;
use crate::mapped::disk;
use crate::paths;
use durable::calls::{Call, watched};

/// Device and inode of every lock file this process has.
static HELD: Mutex<Option<HashSet<(u64, u64)>>> = Mutex::new(None);

/// Held as long as the store is open.
pub(crate) struct StoreLock {
    file: Option<File>,
    inode: (u64, u64),
    _log_dir: File,
}

impl StoreLock {
    /// Takes the lock of the store at `root` with its log in `log_dir`; both are there.
    ///
    /// # Errors
    /// `AlreadyStarted` if this or another process has one of them, naming it.
    pub(crate) fn take(root: &Path, log_dir: &Path) -> Result<StoreLock, StoreError> {
        let path = paths::lock(root);
        let mut held = HELD.lock();
        let held = held.get_or_insert_default();
        // Opening and closing it would give up a lock of ours: look at the inode first.
        if fs::metadata(&path).is_ok_and(|meta| held.contains(&(meta.dev(), meta.ino()))) {
            return Err(refused(Errno::AGAIN, &path));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let open = watched(|| Call::Create(path.clone()), || options.open(&path));
        let mut file = open.map_err(StoreError::io("open", &path))?;
        fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|errno| refused(errno, &path))?;
        let log_dir = lock_dir(log_dir)?;
        let written = watched(|| Call::Write(path.clone()), || file.write_all(b"lock"))
            .and_then(|()| disk::sync_all(&file, &path))
            .and_then(|()| file.metadata());
        let meta = written.map_err(StoreError::io("write", &path))?;
        let inode = (meta.dev(), meta.ino());
        held.insert(inode);
        Ok(StoreLock {
            file: Some(file),
            inode,
            _log_dir: log_dir,
        })
    }
}

/// Keeps brokers, Java's too, from opening a store while it is read; others may read it as well. Makes and changes
/// nothing: a store without a `lock` file is kept from our brokers only, by its log's folder.
pub struct ReadLock {
    _file: Option<File>,
    _log_dir: Option<File>,
}

impl ReadLock {
    /// Takes it. Not for a process that has the store open itself: it would give up that lock.
    ///
    /// # Errors
    /// `AlreadyStarted` if a broker has the store, or its log, open.
    pub fn take(root: &Path, log_dir: &Path) -> Result<ReadLock, StoreError> {
        let path = paths::lock(root);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            opened => Some(opened.map_err(StoreError::io("open", &path))?),
        };
        if let Some(file) = &file {
            fcntl_lock(file, FlockOperation::NonBlockingLockShared)
                .map_err(|errno| refused(errno, &path))?;
        }
        let log_dir_lock = File::open(log_dir).ok();
        let locked = log_dir_lock
            .as_ref()
            .map(|dir| flock(dir, FlockOperation::NonBlockingLockShared));
        match locked {
            Some(Err(Errno::AGAIN)) => Err(refused(Errno::AGAIN, log_dir)),
            _ => Ok(ReadLock {
                _file: file,
                _log_dir: log_dir_lock,
            }),
        }
    }
}

/// What it means that a lock was not given.
fn refused(errno: Errno, lock: &Path) -> StoreError {
    match errno {
        Errno::AGAIN | Errno::ACCESS => StoreError::AlreadyStarted {
            lock: lock.to_owned(),
        },
        // Nobody has it; NFS without a lock service, for one.
        other => StoreError::io("lock", lock)(other.into()),
    }
}

/// Locks the folder of the log as long as what is returned is not dropped. A file system that cannot do
/// that has a WARN.
fn lock_dir(dir: &Path) -> Result<File, StoreError> {
    let opened = File::open(dir).map_err(StoreError::io("open", dir))?;
    match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::AGAIN) => return Err(refused(Errno::AGAIN, dir)),
        Err(error) => {
            tracing::warn!(%error, dir = %dir.display(), "this file system locks no folders: see to it that no other broker has this log");
        }
    }
    Ok(opened)
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        let mut held = HELD.lock();
        // Closed before anyone else may open it, or our closing would take their lock away.
        self.file = None;
        if let Some(held) = held.as_mut() {
            held.remove(&self.inode);
        }
    }
}

/// Puts the abort file down; true if the last owner left it, which is to say, did not leave in order.
pub(crate) fn mark_open(root: &Path) -> Result<bool, StoreError> {
    let path = paths::abort(root);
    let was_there = path.exists();
    disk::put_marker(&path, b"").map_err(StoreError::io("make", path))?;
    Ok(was_there)
}

/// Takes the abort file away: everything is on disk.
pub(crate) fn mark_closed(root: &Path) -> Result<(), StoreError> {
    let path = paths::abort(root);
    let removed = disk::remove(&path).and_then(|()| durable::sync_dir(root));
    removed.map_err(StoreError::io("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lock_that_somebody_has_means_that_a_broker_runs() {
        for (errno, somebody) in [
            (Errno::AGAIN, true),
            (Errno::ACCESS, true),
            (Errno::NOLCK, false),
            (Errno::IO, false),
        ] {
            let refused = refused(errno, Path::new("x/lock"));
            let says_so = matches!(refused, StoreError::AlreadyStarted { .. });
            assert_eq!(says_so, somebody, "{refused}");
            assert!(refused.to_string().contains("x/lock"), "{refused}");
        }
    }
}
