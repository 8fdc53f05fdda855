//! Every queue by topic and number.
//!
//! A lookup costs one hash of the topic and a short search among its queues: no text is built, nothing
//! allocated, and no lock or count is written that other threads read. Both tables are replaced as a
//! whole when something is added, which is rare. A queue is made on first use and has nothing on disk
//! until its first entry.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::ext::Ext;
use super::files::QueueFiles;
use super::queue::Queue;
use crate::config::StoreConfig;
use crate::error::StoreError;
use crate::mapped::disk;
use crate::paths;
use crate::service;

/// Fewer topics than this are not worth a thread.
const LEAST_SHARE: usize = 16;

/// The configuration key of the length of a queue's file.
const SIZE_KEY: &str = "mappedFileSizeConsumeQueue";

type Topics = foldhash::HashMap<Arc<str>, Arc<Topic>>;

/// The queues of one topic, by number.
#[derive(Default)]
struct Topic {
    /// Counted by the table: of two topics the one made earlier has the smaller one.
    made: u64,
    queues: ArcSwap<Vec<Arc<Queue>>>,
}

impl Topic {
    fn with<T>(&self, id: u32, use_it: impl FnOnce(&Arc<Queue>) -> T) -> Option<T> {
        let queues = self.queues.load();
        let at = queues.binary_search_by_key(&id, |queue| queue.id).ok()?;
        queues.get(at).map(use_it)
    }
}

/// Where queues lie, and how long their files are.
#[derive(Clone, Debug)]
pub(crate) struct QueueDirs {
    pub(crate) dir: PathBuf,
    pub(crate) file_bytes: u64,
    /// The same for their extensions, if they have any.
    pub(crate) ext: Option<(PathBuf, u64)>,
}

/// See the module.
pub(crate) struct QueueTable {
    dirs: QueueDirs,
    topics: ArcSwap<Topics>,
    /// Held while either table is replaced.
    adding: Mutex<()>,
    /// Topics that were deleted: their records in front of this log offset are not to be dispatched.
    deleted: Mutex<HashMap<String, u64>>,
    /// The greatest of these: records behind it need not be looked up.
    deleted_upto: AtomicU64,
}

impl QueueTable {
    /// Opens every queue, and finds its end. Names that cannot be a topic or a number are left alone.
    ///
    /// # Errors
    /// When a file has another size than configured, or cannot be read.
    pub(crate) fn open(dirs: QueueDirs, wipe: bool) -> Result<QueueTable, StoreError> {
        let mut topics = subdirectories(&dirs.dir)?;
        topics.sort_unstable();
        topics.retain(|(topic, _)| paths::is_topic(topic));
        let found = on_all_processors(topics, |topics| {
            let open = |(topic, path): (String, PathBuf)| {
                let queues = dirs.open_topic(&topic, &path, wipe)?;
                Ok((topic, queues))
            };
            topics.into_iter().map(open).collect()
        })?;
        // All sizes are right: from here on files may be changed.
        let topics = on_all_processors(found, |mut found| {
            let mut buffer = Vec::new();
            found.retain(|(_, queues)| !queues.is_empty());
            let mut recover = |(topic, queues): (String, Vec<(u32, QueueFiles, Option<Ext>)>)| {
                let queues = queues.into_iter().map(|(id, files, ext)| {
                    Queue::recover(id, files, ext, wipe, &mut buffer).map(Arc::new)
                });
                let queues = ArcSwap::from_pointee(queues.collect::<Result<_, _>>()?);
                Ok((topic.into(), queues))
            };
            found.into_iter().map(&mut recover).collect()
        })?;
        let numbered = topics.into_iter().zip(0..);
        let topics: Topics = numbered
            .map(|((topic, queues), made)| (topic, Arc::new(Topic { made, queues })))
            .collect();
        Ok(QueueTable {
            dirs,
            topics: ArcSwap::from_pointee(topics),
            adding: Mutex::new(()),
            deleted: Mutex::default(),
            deleted_upto: AtomicU64::new(0),
        })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dirs.dir
    }

    /// The queue, if it has been used.
    pub(crate) fn get(&self, topic: &str, id: u32) -> Option<Arc<Queue>> {
        self.with(topic, id, Arc::clone)
    }

    /// Does something with the queue, if it has been used: cheaper than `get`.
    pub(crate) fn with<T>(
        &self,
        topic: &str,
        id: u32,
        use_it: impl FnOnce(&Arc<Queue>) -> T,
    ) -> Option<T> {
        self.topics.load().get(topic)?.with(id, use_it)
    }

    /// Does something with the queue that the record at `log_offset` belongs to, made if need be; `None`
    /// if its topic was deleted after it. `topic` must be one by `paths::is_topic`.
    pub(crate) fn with_queue_of<T>(
        &self,
        (topic, id, log_offset): (&str, u32, u64),
        use_it: impl Fn(&Arc<Queue>) -> T,
    ) -> Option<T> {
        // In this order: a queue made after the topic was deleted is not in what was read before.
        let topics = self.topics.load();
        if self.is_deleted(topic, log_offset) {
            return None;
        }
        let known = topics.get(topic).and_then(|topic| topic.with(id, &use_it));
        known.or_else(|| {
            let adding = self.adding.lock();
            if self.is_deleted(topic, log_offset) {
                return None;
            }
            let queue = self.make(topic, id);
            drop(adding);
            Some(use_it(&queue))
        })
    }

    fn is_deleted(&self, topic: &str, log_offset: u64) -> bool {
        log_offset < self.deleted_upto.load(Ordering::Acquire)
            && (self.deleted.lock().get(topic)).is_some_and(|upto| log_offset < *upto)
    }

    /// Removes a topic: its queues, their files, and its records in the log so far, which are not
    /// dispatched if they have not been. `standing_still` calls what it is given with the end of the log
    /// while nothing is appended. `dispatched`: records in front of it have been. Blocks.
    pub(crate) fn delete(
        &self,
        topic: &str,
        dispatched: u64,
        standing_still: impl FnOnce(&dyn Fn(u64)),
    ) -> Result<(), StoreError> {
        let _adding = self.adding.lock(); // no queue takes their place before the files are gone
        let owner = self.topics.load().get(topic).cloned();
        let queues = owner.map_or_else(Default::default, |owner| owner.queues.load_full());
        standing_still(&|log_end| {
            let mut deleted = self.deleted.lock();
            deleted.retain(|_, upto| *upto > dispatched);
            deleted.insert(topic.to_owned(), log_end);
            self.deleted_upto.store(log_end, Ordering::Release);
            let mut topics = Topics::clone(&self.topics.load());
            topics.remove(topic);
            self.topics.store(Arc::new(topics));
            queues.iter().for_each(|queue| queue.forget());
        });
        queues.iter().try_for_each(|queue| queue.destroy())?;
        let dir = &self.dirs.dir;
        let _ = disk::remove_dir(&dir.join(topic)); // stays if there is something else in it
        if let Some((ext, _)) = &self.dirs.ext {
            let _ = disk::remove_dir(&ext.join(topic));
        }
        durable::sync_dir(dir).map_err(StoreError::io("sync", dir))
    }

    /// Removes the files of a queue in front of its first readable entry. Returns how many: none if its topic was deleted,
    /// as files of those names are another queue's then. Blocks.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn remove_expired(&self, queue: &Queue) -> io::Result<usize> {
        let _adding = self.adding.lock(); // no topic is deleted and made again meanwhile
        if queue.is_gone() {
            return Ok(0);
        }
        queue.remove_expired()
    }

    /// The queue, made if need be. `topic` must be one by `paths::is_topic`.
    pub(crate) fn get_or_make(&self, topic: &str, id: u32) -> Arc<Queue> {
        let _adding = self.adding.lock();
        self.make(topic, id)
    }

    /// The same for the holder of `adding`.
    fn make(&self, topic: &str, id: u32) -> Arc<Queue> {
        if let Some(queue) = self.get(topic, id) {
            return queue;
        }
        let queue = Arc::new(self.dirs.empty(topic, id));
        let known = self.topics.load().get(topic).cloned();
        let owner = known.unwrap_or_else(|| {
            let mut topics = Topics::clone(&self.topics.load());
            let newest = topics.values().map(|topic| topic.made).max();
            let owner = Arc::new(Topic {
                made: newest.map_or(0, |newest| newest + 1),
                ..Topic::default()
            });
            topics.insert(topic.into(), Arc::clone(&owner));
            self.topics.store(Arc::new(topics));
            owner
        });
        let mut queues = Vec::clone(&owner.queues.load());
        let at = queues.partition_point(|other| other.id < id);
        queues.insert(at, Arc::clone(&queue));
        owner.queues.store(Arc::new(queues));
        queue
    }

    /// Whether its queues have extensions.
    pub(crate) fn have_ext(&self) -> bool {
        self.dirs.ext.is_some()
    }

    /// Topics that have been used, in no order.
    pub(crate) fn topics(&self) -> Vec<String> {
        self.topics
            .load()
            .keys()
            .map(|topic| topic.to_string())
            .collect()
    }

    /// Queues of a topic that have been used, in order.
    pub(crate) fn queue_ids(&self, topic: &str) -> Vec<u32> {
        let topics = self.topics.load();
        let queues = topics.get(topic).map(|topic| topic.queues.load());
        queues.map_or_else(Vec::new, |queues| {
            queues.iter().map(|queue| queue.id).collect()
        })
    }

    /// Every queue, in the same order every time.
    pub(crate) fn all(&self) -> Vec<Arc<Queue>> {
        let topics = self.by_age();
        let queues = topics.iter().flat_map(|topic| topic.queues.load().to_vec());
        queues.collect()
    }

    fn by_age(&self) -> Vec<Arc<Topic>> {
        let mut topics: Vec<_> = self.topics.load().values().cloned().collect();
        topics.sort_unstable_by_key(|topic| topic.made);
        topics
    }

    /// Every queue, to be changed by recovery, which is alone with them.
    pub(crate) fn for_each_mut(
        &mut self,
        mut each: impl FnMut(&mut Queue) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let dir = &self.dirs.dir;
        let shared = || StoreError::io("recover", dir)(io::ErrorKind::ResourceBusy.into());
        for topic in self.by_age() {
            let mut queues = topic.queues.swap(Arc::default());
            for queue in Arc::get_mut(&mut queues).ok_or_else(shared)? {
                each(Arc::get_mut(queue).ok_or_else(shared)?)?;
            }
            topic.queues.store(queues);
        }
        Ok(())
    }

    /// Removes every queue: the log is gone.
    pub(crate) fn destroy(&mut self) -> Result<(), StoreError> {
        self.for_each_mut(|queue| queue.destroy())?;
        self.topics.store(Arc::default());
        Ok(())
    }
}

/// Does `work` to parts of `items`, on as many threads as there are processors: a queue costs a few
/// system calls, and there can be tens of thousands. The results are in the order of the items.
fn on_all_processors<T: Send, U: Send>(
    mut items: Vec<T>,
    work: impl Fn(Vec<T>) -> Result<Vec<U>, StoreError> + Sync,
) -> Result<Vec<U>, StoreError> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(threads).max(LEAST_SHARE);
    thread::scope(|scope| {
        let (work, mut others) = (&work, Vec::new());
        while items.len() > share {
            let part = items.split_off(items.len() - share);
            let body = move || work(part);
            others.push(service::spawn_scoped(scope, "open-queues", body)?);
        }
        let mut done = work(items)?;
        for other in others.into_iter().rev() {
            done.extend(service::end_of(other)?);
        }
        Ok(done)
    })
}

impl QueueDirs {
    /// Those of a store.
    pub(crate) fn of(config: &StoreConfig) -> QueueDirs {
        let ext = || {
            let dir = paths::consume_queue_ext_dir(&config.root_dir);
            (dir, config.consume_queue_ext_file_bytes.into())
        };
        QueueDirs {
            dir: paths::consume_queue_dir(&config.root_dir),
            file_bytes: config.queue_file_bytes(),
            ext: config.consume_queue_ext_enable.then(ext),
        }
    }

    fn open_topic(
        &self,
        topic: &str,
        dir: &Path,
        crashed: bool,
    ) -> Result<Vec<(u32, QueueFiles, Option<Ext>)>, StoreError> {
        let mut queues = Vec::new();
        for (name, path) in subdirectories(dir)? {
            let Some(id) = name.parse().ok().filter(|id: &u32| id.to_string() == name) else {
                continue;
            };
            let files = QueueFiles::open(path, self.file_bytes, SIZE_KEY, crashed)?;
            let open = |(dir, bytes)| Ext::open(dir, bytes, crashed);
            queues.push((id, files, self.ext_of(topic, id).map(open).transpose()?));
        }
        queues.sort_by_key(|(id, ..)| *id);
        Ok(queues)
    }

    fn empty(&self, topic: &str, id: u32) -> Queue {
        let dir = self.dir.join(topic).join(id.to_string());
        let none = |(dir, bytes)| Ext::none(dir, bytes);
        Queue::empty(dir, id, self.file_bytes, self.ext_of(topic, id).map(none))
    }

    fn ext_of(&self, topic: &str, id: u32) -> Option<(PathBuf, u64)> {
        let (dir, bytes) = self.ext.as_ref()?;
        Some((dir.join(topic).join(id.to_string()), *bytes))
    }
}

/// Names and paths of the directories in `dir`; none when it is missing.
fn subdirectories(dir: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StoreError::io("list", dir))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io("list", dir))?;
        // The kind is known from the listing; only a link must be followed.
        let is_dir = match entry.file_type() {
            Ok(kind) if !kind.is_symlink() => kind.is_dir(),
            _ => entry.path().is_dir(),
        };
        if let (Ok(name), true) = (entry.file_name().into_string(), is_dir) {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consume_queue::ext_unit::ExtUnit;
    use crate::consume_queue::unit::Entry;

    #[test]
    fn work_shared_among_threads_is_all_done_and_in_order_and_its_error_comes_through() {
        for count in [0, 1, LEAST_SHARE, 1_000] {
            let items: Vec<_> = (0..count).collect();
            let doubled = on_all_processors(items.clone(), |part| {
                Ok(part.into_iter().map(|n| n * 2).collect())
            });
            let expected: Vec<_> = items.iter().map(|n| n * 2).collect();
            assert_eq!(doubled.expect("no error"), expected);
        }
        let refused = on_all_processors(vec![1; 1_000], |_| {
            Err::<Vec<()>, _>(StoreError::AlreadyStarted { lock: "x".into() })
        });
        assert!(refused.is_err());
    }

    #[test]
    fn queues_are_found_again_after_a_start() {
        let dir = tempfile::tempdir().expect("folder");
        let dirs = QueueDirs {
            dir: dir.path().to_owned(),
            file_bytes: 100,
            ext: None,
        };
        let table = QueueTable::open(dirs.clone(), false).expect("opened");
        for (topic, id) in [("A", 7), ("A", 0), ("%RETRY%g", 0)] {
            let entry = Entry {
                log_offset: 0,
                record_bytes: 1,
                tags_code: 0,
            };
            table
                .get_or_make(topic, id)
                .put(entry, 0, &ExtUnit::default())
                .expect("put");
        }
        table.get_or_make("unused", 1);
        for queue in table.all() {
            queue.write_out(0).expect("written");
        }
        fs::create_dir_all(dir.path().join("A/notes")).expect("made");
        let table = QueueTable::open(dirs, false).expect("opened");
        let mut topics = table.topics();
        topics.sort();
        assert_eq!(topics, ["%RETRY%g", "A"]);
        assert_eq!(table.queue_ids("A"), [0, 7]);
        assert_eq!(table.get("A", 7).expect("there").max_offset().0, 1);
        assert!(table.get("A", 1).is_none());
    }

    #[test]
    fn a_queue_whose_topic_is_deleted_lets_the_files_of_its_name_be() {
        let dir = tempfile::tempdir().expect("folder");
        let dirs = QueueDirs {
            dir: dir.path().to_owned(),
            file_bytes: 100,
            ext: None,
        };
        let table = QueueTable::open(dirs, false).expect("opened");
        let queue = table.get_or_make("A", 0);
        for n in 0..12 {
            let entry = Entry {
                log_offset: n * 10,
                record_bytes: 10,
                tags_code: 0,
            };
            queue.put(entry, n, &ExtUnit::default()).expect("put");
        }
        queue.write_out(0).expect("written");
        let first = paths::numbered(&dir.path().join("A/0"), 0);
        let files = || {
            fs::read_dir(dir.path().join("A/0"))
                .expect("listed")
                .count()
        };
        queue.correct_min(60);
        queue.forget();
        assert_eq!(table.remove_expired(&queue).expect("looked"), 0);
        assert!(first.exists() && files() == 3);
    }
}
