//! Index files that cannot be what was written: set aside at the start, and made again from the log.
//!
//! ```text
//!   file │ ✗ damaged │ file         the log between the end of the one and the beginning of the other is gone
//!     end ──────────► begin         through once more, and its keys are put into a new file of the old name
//! ```
//!
//! The index can be lost without losing a message, so damage to it must never stop a start. What is looked at costs
//! a few pages a file, and the slots of the last one; `mqstore check` looks at everything. The rule that is easy to
//! break: a new file takes the name of the old one, for the order of the names is the order of the files.
//! Java 4.7.0 `store/index/IndexService.java` (`load`) believes every header.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::IndexService;
use super::file::IndexFile;
use super::service::hashes;
use crate::checkpoint::Checkpoint;
use crate::commit_log::{Checks, CommitLog};
use crate::error::StoreError;
use crate::mapped::disk;

impl IndexService {
    /// Moves the files that are damaged to `aside` and returns the paths they had. `clean`: the last owner closed
    /// the store in order. The checkpoint claims their messages no more from then on.
    ///
    /// # Errors
    /// When one cannot be moved.
    pub(crate) fn set_aside_damaged(
        &mut self,
        log: &CommitLog,
        clean: bool,
        checkpoint: &Checkpoint,
        aside: &Path,
    ) -> Result<Vec<PathBuf>, StoreError> {
        let files = std::mem::take(self.files.get_mut());
        let (count, mut damaged) = (files.len(), Vec::new());
        for (n, file) in files.into_iter().enumerate() {
            let is_last = n + 1 == count;
            let other_time = || starts_at_another_time(&file, log).then_some(OTHER_TIME);
            let Some(reason) = file.flaw(is_last, clean).or_else(other_time) else {
                self.files.get_mut().push(file);
                continue;
            };
            let path = file.words().path().to_owned();
            tracing::warn!(path = %path.display(), reason, aside = %aside.display(), "an index file is damaged: it is set aside and made again from the log");
            if damaged.is_empty() {
                let before = self.files.get_mut().last();
                let lowered = checkpoint.lower(before.map_or(0, |file| file.end_log_offset()));
                lowered.map_err(StoreError::io("write", "checkpoint"))?;
            }
            set_aside(aside, &path).map_err(StoreError::io("set aside", &path))?;
            damaged.push(path);
        }
        Ok(damaged)
    }

    /// Makes the files of these paths again, from the records in front of `upto`; those behind are to be put as
    /// usual. Blocks while it reads that part of the log.
    ///
    /// # Errors
    /// When there is no room for them.
    pub(crate) fn rebuild(
        &mut self,
        damaged: Vec<PathBuf>,
        log: &CommitLog,
        upto: u64,
        checks: Checks,
    ) -> Result<(), StoreError> {
        let place_of = |files: &[Arc<IndexFile>], path: &Path| {
            files.partition_point(|file| file.words().path() < path)
        };
        let mut paths = damaged.into_iter().peekable();
        while let Some(path) = paths.next() {
            let files = self.files.get_mut();
            let place = place_of(files, &path);
            let before = files.iter().take(place).next_back().cloned();
            let after = files.get(place).cloned();
            let mut rest = Vec::new(); // that stood beside this one
            while let Some(next) = paths.next_if(|next| place_of(files, next) == place) {
                rest.push(next);
            }
            let from = before.as_ref().map_or(0, |file| file.end_log_offset());
            // The keys of one message can be in two files: the last and first one of these have some of theirs.
            let upto = after.as_ref().map_or(upto, |file| {
                upto.min(file.begin_log_offset().saturating_add(1))
            });
            let neighbours = || [&before, &after].into_iter().flatten();
            let mut gap = Gap {
                index: self,
                before: before.clone(),
                made: None,
                place,
                is_last: after.is_none(),
                names: std::iter::once(path.clone()).chain(rest),
                left_out: 0,
            };
            let end = log.scan_upto(from, upto, checks, |record| {
                let at = record.log_offset.unsigned_abs();
                for hash in hashes(record, &record.handles()) {
                    if !neighbours().any(|file| file.meets(at) && file.has(hash, at)) {
                        gap.put(hash, at, record.store_timestamp_ms)?;
                    }
                }
                Ok(())
            })?;
            let left_out = gap.left_out;
            tracing::warn!(path = %path.display(), from, end, left_out, "a part of the index was made again");
        }
        Ok(())
    }
}

/// Files missing between two others, or behind the last one, that are being made again.
struct Gap<'a, N> {
    index: &'a IndexService,
    before: Option<Arc<IndexFile>>,
    made: Option<Arc<IndexFile>>,
    /// Of the next file made, among all.
    place: usize,
    is_last: bool,
    /// Of files that may be made. Behind the last file there may be more.
    names: N,
    left_out: u64,
}

impl<N: Iterator<Item = PathBuf>> Gap<'_, N> {
    fn put(&mut self, hash: u32, log_offset: u64, timestamp_ms: i64) -> Result<(), StoreError> {
        loop {
            if let Some(file) = &self.made {
                let put = file.put(hash, log_offset, timestamp_ms);
                if put.map_err(StoreError::io("take room for", file.words().path()))? {
                    return Ok(());
                }
            }
            let Some(path) = self.names.next() else {
                if self.is_last {
                    return self.index.put_hash(hash, log_offset, timestamp_ms);
                }
                self.left_out += 1;
                return Ok(());
            };
            let before = self.made.as_deref().or(self.before.as_deref());
            let file = IndexFile::create(path.clone(), self.index.shape, before);
            let file = Arc::new(file.map_err(StoreError::io("make index file", path))?);
            let mut files = self.index.files.write();
            files.insert(self.place, Arc::clone(&file));
            self.place += 1;
            self.made = Some(file);
        }
    }
}

const OTHER_TIME: &str = "its header has another time than the message it begins with";

/// Whether the message a file begins with is there and was stored at another time than the file says.
fn starts_at_another_time(file: &IndexFile, log: &CommitLog) -> bool {
    let stored_ms = log.stored_ms(file.begin_log_offset());
    !file.is_empty() && stored_ms.is_some_and(|ms| ms != file.begin_timestamp_ms())
}

/// Moves a file to a folder; one that is on another file system is removed instead.
fn set_aside(dir: &Path, path: &Path) -> io::Result<()> {
    durable::make_dir(dir)?;
    let name = path.file_name().unwrap_or_default();
    match disk::rename(path, &dir.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => disk::remove(path),
        moved => moved,
    }
}
