//! The index files of a store: filled by the dispatcher, searched by anyone.
//!
//! Java 4.7.0 `store/index/IndexService.java`. Differences: after a crash Java drops the file that
//! was being filled; here it is cut back to what the queues have, and refilled from there.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chrono::Local;
use parking_lot::{Mutex, RwLock};

use super::file::{IndexFile, Shape, key_hash};
use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::mapped::disk;
use crate::paths;
use crate::record::Record;
use crate::record::decode::Handles;
use crate::record::layout::{TRANSACTION_MASK, TRANSACTION_ROLLBACK};

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    /// Where the messages lie, newest first.
    pub(crate) log_offsets: Vec<u64>,
    pub(crate) last_timestamp_ms: i64,
    pub(crate) last_log_offset: u64,
}

/// See the module.
pub(crate) struct IndexService {
    dir: PathBuf,
    pub(super) shape: Shape,
    max_hits: usize,
    pub(super) files: RwLock<Vec<Arc<IndexFile>>>,
    /// So many files, counted from the oldest, are full and on disk. Held while files are synced or
    /// removed, since it counts them.
    settled: Mutex<usize>,
    /// A message that is in with so many of its keys only, since there was no room for more.
    half_done: (AtomicU64, AtomicUsize),
}

/// No message is half done.
const NONE: u64 = u64::MAX;

impl IndexService {
    /// Opens the files that are there.
    ///
    /// # Errors
    /// When one has another size than configured, or cannot be read.
    pub(crate) fn open(config: &StoreConfig) -> Result<IndexService, StoreError> {
        let shape = Shape {
            slots: config.index_slots.max(1),
            entries: config.index_entries.max(2),
        };
        let dir = paths::index_dir(&config.root_dir);
        let mut files = Vec::new();
        for path in index_files(&dir)? {
            let found_bytes = fs::metadata(&path)
                .map_err(StoreError::io("look at", &path))?
                .len();
            if found_bytes < shape.bytes()
                && disk::remove_unfinished(&path).map_err(StoreError::io("remove", &path))?
            {
                tracing::warn!(path = %path.display(), "removed an index file that was not made to its end");
                continue;
            }
            if found_bytes != shape.bytes() {
                let key = "maxHashSlotNum * 4 + maxIndexNum * 20 + 40";
                return Err(StoreError::FileSize {
                    key,
                    file: path,
                    found_bytes,
                    configured_bytes: shape.bytes(),
                });
            }
            let file = IndexFile::open(path.clone(), shape).map_err(StoreError::io("map", path))?;
            files.push(Arc::new(file));
        }
        if let Some(last) = files.last() {
            last.take_room()
                .map_err(StoreError::io("take room for", last.words().path()))?;
        }
        let max_hits = config.query_max_hits as usize;
        Ok(IndexService {
            dir,
            shape,
            max_hits,
            files: RwLock::new(files),
            settled: Mutex::new(0),
            half_done: (AtomicU64::new(NONE), AtomicUsize::new(0)),
        })
    }

    /// Forgets the messages at `log_offset` and later. For recovery.
    ///
    /// `torn`: what was put for these messages may be on disk in part and anyhow. `has` says whether the
    /// record at an offset of the log has a key of this hash.
    pub(crate) fn cut(
        &mut self,
        log_offset: u64,
        torn: bool,
        has: &dyn Fn(u64, u32) -> bool,
    ) -> Result<(), StoreError> {
        let files = self.files.get_mut();
        while let Some(last) = files.last() {
            let path = last.words().path().to_owned();
            // One without a message that stays must not hide those before it.
            let stays = if torn {
                last.begins_before(log_offset, has)
            } else {
                last.begin_log_offset() < log_offset
            };
            if !stays {
                last.words()
                    .remove()
                    .map_err(StoreError::io("remove", path))?;
                files.pop();
                continue;
            }
            last.take_room()
                .map_err(StoreError::io("take room for", path))?;
            if last.end_log_offset() >= log_offset || torn && last.is_torn(has) {
                last.cut(log_offset, has);
            }
            break;
        }
        Ok(())
    }

    /// Puts a message in under its unique key and each of its keys. Messages must come in log order;
    /// one that is in already is left out.
    ///
    /// # Errors
    /// When there is no room for it. The same call may be made again.
    pub(crate) fn put(&self, record: &Record<'_>, handles: &Handles<'_>) -> Result<(), StoreError> {
        let (log_offset, timestamp_ms) =
            (record.log_offset.unsigned_abs(), record.store_timestamp_ms);
        let (half_done, done) = &self.half_done;
        let again = half_done.load(Ordering::Relaxed) == log_offset;
        let is_in = |last: &Arc<IndexFile>| last.ends_behind(log_offset);
        if !again && self.files.read().last().is_some_and(is_in) {
            return Ok(());
        }
        let hashes = hashes(record, handles).enumerate();
        let done_before = if again {
            done.load(Ordering::Relaxed)
        } else {
            0
        };
        for (n, hash) in hashes.skip(done_before) {
            let put = self.put_hash(hash, log_offset, timestamp_ms);
            put.inspect_err(|_| {
                done.store(n, Ordering::Relaxed);
                half_done.store(log_offset, Ordering::Relaxed);
            })?;
        }
        if again {
            half_done.store(NONE, Ordering::Relaxed);
        }
        Ok(())
    }

    pub(super) fn put_hash(
        &self,
        hash: u32,
        log_offset: u64,
        timestamp_ms: i64,
    ) -> Result<(), StoreError> {
        loop {
            let files = self.files.read();
            if let Some(last) = files.last() {
                let put = last.put(hash, log_offset, timestamp_ms);
                if put.map_err(StoreError::io("take room for", last.words().path()))? {
                    return Ok(());
                }
            }
            let last = files.last().cloned();
            drop(files);
            let path = self.next_path(last.as_deref());
            let file = IndexFile::create(path.clone(), self.shape, last.as_deref());
            self.files.write().push(Arc::new(
                file.map_err(StoreError::io("make index file", path))?,
            ));
        }
    }

    /// Named by the local time, as Java does, but always behind the file before it: the order of the
    /// names is the order of the files.
    fn next_path(&self, last: Option<&IndexFile>) -> PathBuf {
        let now = Local::now().format("%Y%m%d%H%M%S%3f").to_string();
        let last = last.and_then(|last| last.words().path().file_name()?.to_str());
        match last {
            Some(last) if *now <= *last => {
                let next = last.parse::<u64>().unwrap_or(0).saturating_add(1);
                self.dir.join(format!("{next:017}"))
            }
            _ => self.dir.join(now),
        }
    }

    /// Where messages with `key` of this time lie, the newest of them, `max` at most and never more
    /// than `maxMsgsNumBatch`. The hashes are equal, the keys may not be.
    pub(crate) fn search(
        &self,
        topic: &str,
        key: &str,
        max: usize,
        begin_ms: i64,
        end_ms: i64,
    ) -> Hits {
        let (hash, most) = (
            key_hash(topic.as_bytes(), key.as_bytes()),
            max.min(self.max_hits),
        );
        let files = self.files.read().clone();
        let mut hits = Hits::default();
        if let Some(last) = files.last() {
            hits.last_timestamp_ms = last.end_timestamp_ms();
            hits.last_log_offset = last.end_log_offset();
        }
        for file in files.iter().rev() {
            if file.overlaps(begin_ms, end_ms) {
                file.collect(hash, begin_ms, end_ms, most, &mut hits.log_offsets);
            }
            if file.begin_timestamp_ms() < begin_ms || hits.log_offsets.len() >= most {
                break;
            }
        }
        hits
    }

    /// Removes the files whose last message lies in front of `min_log_offset`, but never the last.
    /// Searches under way go on. Returns how many. Blocks.
    ///
    /// # Errors
    /// What the file system says. A file that is still there is found again by the next start.
    pub(crate) fn remove_expired(&self, min_log_offset: u64) -> io::Result<usize> {
        let mut settled = self.settled.lock();
        let mut files = self.files.write();
        let all_but_last = files.len().saturating_sub(1);
        let old = files.iter().take(all_but_last);
        let old = old.take_while(|file| file.end_log_offset() < min_log_offset);
        let old = old.count();
        let old: Vec<_> = files.drain(..old).collect();
        drop(files);
        *settled = settled.saturating_sub(old.len());
        old.iter().try_for_each(|file| file.words().remove())?;
        Ok(old.len())
    }

    /// Writes what changed to disk. Returns the store time up to which full files are there, as
    /// Java's checkpoint has it; `None` without a full file. Blocks.
    pub(crate) fn flush(&self) -> io::Result<Option<i64>> {
        let mut settled = self.settled.lock();
        let files = self.files.read().clone();
        if files.len() > *settled {
            durable::sync_dir(&self.dir)?;
        }
        for file in files.iter().skip(*settled) {
            file.words().sync()?;
        }
        let full = files.iter().take_while(|file| file.is_full()).count();
        // Not the one that became full while it was written.
        *settled = full.min(files.len().saturating_sub(1));
        Ok(full
            .checked_sub(1)
            .and_then(|at| files.get(at))
            .map(|file| file.end_timestamp_ms()))
    }
}

/// The hashes a message is found under: that of its unique key, then those of its keys. None if it was rolled back.
pub fn hashes(record: &Record<'_>, handles: &Handles<'_>) -> impl Iterator<Item = u32> {
    let rolled_back = record.sys_flag & TRANSACTION_MASK == TRANSACTION_ROLLBACK;
    let (topic, keys) = (record.topic, handles.keys.unwrap_or_default());
    let words = keys
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let keys = handles.unique_key.into_iter().chain(words);
    keys.filter(move |_| !rolled_back)
        .map(move |key| key_hash(topic, key))
}

/// Index files of `dir` by age. Other names are left alone.
fn index_files(dir: &PathBuf) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StoreError::io("list", dir))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(StoreError::io("list", dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name
            .is_some_and(|name| name.len() == 17 && name.bytes().all(|byte| byte.is_ascii_digit()))
        {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_expired_messages_go_but_never_the_last() {
        let dir = tempfile::tempdir().expect("folder");
        let config = StoreConfig {
            index_slots: 10,
            index_entries: 3,
            ..StoreConfig::at(dir.path())
        };
        let index = IndexService::open(&config).expect("opened");
        for offset in (100..600).step_by(100) {
            let put = index.put_hash(key_hash(b"T", b"k"), offset, 1);
            put.expect("room"); // two a file: 100 200, 300 400, 500
        }
        index.flush().expect("synced");
        let found = || index.search("T", "k", 9, 0, i64::MAX).log_offsets;
        assert_eq!(index.remove_expired(200).expect("looked"), 0);
        assert_eq!(index.remove_expired(201).expect("removed"), 1);
        assert_eq!((found(), *index.settled.lock()), (vec![500, 400, 300], 1));
        assert_eq!(index.remove_expired(u64::MAX).expect("removed"), 1);
        assert_eq!((found(), *index.settled.lock()), (vec![500], 0));
        assert_eq!(index_files(&index.dir).expect("listed").len(), 1);
        index.flush().expect("synced");
    }

    #[test]
    fn a_file_that_was_being_made_at_the_crash_does_not_save_those_before_it_from_a_cut() {
        for (cut_at, left) in [(0, vec![]), (300, vec![200, 100])] {
            let dir = tempfile::tempdir().expect("folder");
            let config = StoreConfig {
                index_slots: 10,
                index_entries: 100,
                ..StoreConfig::at(dir.path())
            };
            let mut index = IndexService::open(&config).expect("opened");
            for offset in [100, 200, 300, 400] {
                index
                    .put_hash(key_hash(b"T", b"k"), offset, 1)
                    .expect("room");
            }
            let path = dir.path().join("index/99991231000000000");
            let headless = IndexFile::create(path.clone(), index.shape, None).expect("made");
            index.files.write().push(Arc::new(headless));
            index.cut(cut_at, true, &|_, _| true).expect("cut");
            assert_eq!(index.search("T", "k", 9, 0, i64::MAX).log_offsets, left);
            assert!(!path.exists());
        }
    }
}
