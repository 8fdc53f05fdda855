//! How far each group has come in each queue: consumerOffset.json.
//!
//! ```text
//! in memory   group → topic → queue → next offset     a commit takes two locks for reading, one for writing
//! in the file {"offsetTable":{"topic@group":{0:123,1:456}}}
//! ```
//!
//! The rule that is easy to break: an offset comes from a commit or from the file, never from a default. A file that
//! cannot be read ends the start ([`crate::json_file`]), an unknown group is `None` and not 0, and a commit that goes
//! back is stored, as Java does, but said aloud.
//! Java 4.7.0 `broker/offset/ConsumerOffsetManager.java`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::path::PathBuf;

use parking_lot::{Mutex, RwLock};
use remoting::body::offsets::ConsumerOffsetSerializeWrapper;
use tracing::{debug, warn};

use crate::json_file::{JsonFile, LoadError};
use crate::topic::name;

/// Between topic and group in the file's keys. No topic holds one.
const SEPARATOR: char = '@';

/// Next offset by queue id.
type Queues = BTreeMap<i32, i64>;

/// A topic's offsets behind a lock of their own, by topic, of one group.
type Topics = HashMap<Box<str>, Mutex<Queues>>;

/// The committed offsets of all groups.
#[derive(Debug)]
pub struct OffsetTable {
    groups: RwLock<HashMap<Box<str>, Topics>>,
    file: JsonFile,
}

impl OffsetTable {
    /// The offsets in `config/consumerOffset.json` below the store's root. Blocks on the disk.
    ///
    /// # Errors
    /// [`LoadError`]; the start ends, since an empty table would make every group begin anew.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, LoadError> {
        let file = JsonFile::new(path);
        let stored: ConsumerOffsetSerializeWrapper = file.load()?.unwrap_or_default();
        let table = OffsetTable {
            groups: RwLock::default(),
            file,
        };
        for (key, queues) in stored.offset_table {
            match key.split_once(SEPARATOR) {
                Some((topic, group)) if name::may_be_kept(topic) => table.put(group, topic, queues),
                _ => warn!(
                    key,
                    "{} names no topic: not loaded",
                    table.file.path().display()
                ),
            }
        }
        Ok(table)
    }

    fn put(&self, group: &str, topic: &str, queues: Queues) {
        let mut groups = self.groups.write();
        groups
            .entry(group.into())
            .or_default()
            .insert(topic.into(), Mutex::new(queues));
    }

    /// Sets the next offset of a group in a queue. Allocates only for a group's first commit in a topic.
    ///
    /// A negative offset says nothing about progress and is left out; one below the committed offset is stored, as a
    /// reset by hand asks for it, with a WARN naming `client`.
    pub fn commit(
        &self,
        client: impl fmt::Display,
        group: &str,
        topic: &str,
        queue_id: i32,
        offset: i64,
    ) {
        if offset < 0 {
            debug!(%client, group, topic, queue_id, offset, "negative offset not committed");
            return;
        }
        let groups = self.groups.read();
        let before = match groups.get(group).and_then(|topics| topics.get(topic)) {
            Some(queues) => queues.lock().insert(queue_id, offset),
            None => {
                drop(groups);
                let mut groups = self.groups.write();
                let topics = groups.entry(group.into()).or_default();
                topics
                    .entry(topic.into())
                    .or_default()
                    .get_mut()
                    .insert(queue_id, offset)
            }
        };
        if before == Some(offset) {
            return;
        }
        self.file.changed();
        if let Some(before) = before.filter(|before| offset < *before) {
            warn!(%client, group, topic, queue_id, before, offset, "committed offset goes back");
        }
    }

    /// Next offset of a group in a queue; `None` if nothing was ever committed there (Java's −1).
    #[must_use]
    pub fn query(&self, group: &str, topic: &str, queue_id: i32) -> Option<i64> {
        let groups = self.groups.read();
        let queues = groups.get(group)?.get(topic)?.lock();
        queues.get(&queue_id).copied()
    }

    /// The topics that a group has offsets in.
    #[must_use]
    pub fn topics_of(&self, group: &str) -> BTreeSet<String> {
        let groups = self.groups.read();
        let topics = groups.get(group).into_iter().flat_map(HashMap::keys);
        topics.map(|topic| String::from(&**topic)).collect()
    }

    /// The groups that have offsets in a topic.
    #[must_use]
    pub fn groups_of(&self, topic: &str) -> BTreeSet<String> {
        let groups = self.groups.read();
        let here = groups
            .iter()
            .filter(|(_, topics)| topics.contains_key(topic));
        here.map(|(group, _)| String::from(&**group)).collect()
    }

    /// Gives one group the offsets of another in a topic, in place of its own. Nothing happens where that one has none.
    pub fn clone_group(&self, from: &str, to: &str, topic: &str) {
        let mut groups = self.groups.write();
        let queues = groups.get(from).and_then(|topics| topics.get(topic));
        let Some(queues) = queues.map(|queues| queues.lock().clone()) else {
            return;
        };
        let topics = groups.entry(to.into()).or_default();
        topics.insert(topic.into(), Mutex::new(queues));
        self.file.changed();
    }

    /// Forgets a deleted topic. Java 4.7.0 keeps its offsets for ever, and a topic made again starts in the middle.
    pub fn forget_topic(&self, topic: &str) {
        let mut groups = self.groups.write();
        groups.retain(|_, topics| {
            topics.remove(topic);
            !topics.is_empty()
        });
        self.file.changed();
    }

    /// Forgets a deleted group.
    pub fn forget_group(&self, group: &str) {
        if self.groups.write().remove(group).is_some() {
            self.file.changed();
        }
    }

    /// How many topics the groups have offsets in, counted once for each group.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.read().values().map(HashMap::len).sum()
    }

    /// Whether nothing was ever committed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole table, as it is answered to 43 and written to the file.
    #[must_use]
    pub fn snapshot(&self) -> ConsumerOffsetSerializeWrapper {
        let groups = self.groups.read();
        let mut offset_table = BTreeMap::new();
        for (group, topics) in groups.iter() {
            for (topic, queues) in topics {
                offset_table.insert(format!("{topic}{SEPARATOR}{group}"), queues.lock().clone());
            }
        }
        ConsumerOffsetSerializeWrapper { offset_table }
    }

    /// Writes what was committed since the last time; the caller does so every `flushConsumerOffsetInterval`. Blocks on
    /// the disk, does nothing when nothing changed.
    ///
    /// # Errors
    /// What the file system says. The next call tries again.
    pub fn save(&self) -> io::Result<()> {
        self.file.save_with(|| self.snapshot()).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Fixture {
        folder: tempfile::TempDir,
    }

    impl Fixture {
        fn with(text: Option<&str>) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            if let Some(text) = text {
                fs::write(folder.path().join("consumerOffset.json"), text).expect("written");
            }
            Fixture { folder }
        }
        fn path(&self) -> PathBuf {
            self.folder.path().join("consumerOffset.json")
        }
        fn load(&self) -> OffsetTable {
            OffsetTable::load(self.path()).expect("loads")
        }
    }

    const JAVA: &str = "{\n\t\"offsetTable\":{\n\t\t\"TopicA@g1\":{0:7,1:0\n\t\t},\n\t\t\"%RETRY%g1@g1\":{0:3\n\t\t}\n\t}\n}";

    #[test]
    fn a_file_written_by_java_is_read() {
        let table = Fixture::with(Some(JAVA)).load();
        assert_eq!(table.query("g1", "TopicA", 0), Some(7));
        assert_eq!(table.query("g1", "TopicA", 1), Some(0));
        assert_eq!(table.query("g1", "%RETRY%g1", 0), Some(3));
    }

    #[test]
    fn a_commit_survives_a_restart() {
        let fixture = Fixture::with(None);
        let table = fixture.load();
        table.commit("client", "g", "T", 2, 41);
        table.commit("client", "g", "T", 2, 42);
        table.save().expect("saved");
        let again = fixture.load();
        assert_eq!(again.query("g", "T", 2), Some(42));
        assert_eq!(
            again.snapshot().offset_table,
            BTreeMap::from([("T@g".to_owned(), BTreeMap::from([(2, 42)]))])
        );
    }

    #[test]
    fn unknown_is_not_zero() {
        let table = Fixture::with(None).load();
        table.commit("client", "g", "T", 0, 5);
        table.commit("client", "g", "T", 1, -1);
        assert_eq!(table.query("g", "T", 1), None);
        assert_eq!(table.query("g", "U", 0), None);
        assert_eq!(table.query("h", "T", 0), None);
        assert_eq!(table.query("g", "T", 0), Some(5));
    }

    #[test]
    fn a_commit_that_goes_back_is_stored_as_a_reset_asks() {
        let table = Fixture::with(None).load();
        table.commit("client", "g", "T", 0, 100);
        table.commit("client", "g", "T", 0, 10);
        assert_eq!(table.query("g", "T", 0), Some(10));
    }

    #[test]
    fn nothing_is_written_while_nothing_is_committed() {
        let fixture = Fixture::with(None);
        let table = fixture.load();
        table.save().expect("nothing to do");
        assert!(!fixture.path().exists());
        table.commit("client", "g", "T", 0, 1);
        table.save().expect("saved");
        fs::remove_file(fixture.path()).expect("removed");
        table.commit("client", "g", "T", 0, 1);
        table.save().expect("nothing to do");
        assert!(!fixture.path().exists());
    }

    #[test]
    fn a_group_takes_over_the_offsets_of_another() {
        let table = Fixture::with(Some(JAVA)).load();
        table.commit("client", "g2", "TopicA", 5, 1);
        table.clone_group("g1", "g2", "TopicA");
        table.clone_group("g1", "g2", "TopicB");
        assert_eq!(table.query("g2", "TopicA", 0), Some(7));
        assert_eq!(table.query("g2", "TopicA", 5), None, "its own are gone");
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(table.topics_of("g1"), names(&["%RETRY%g1", "TopicA"]));
        assert_eq!(table.groups_of("TopicA"), names(&["g1", "g2"]));
        assert_eq!(table.topics_of("g2"), names(&["TopicA"]));
        assert!(table.topics_of("nobody").is_empty());
    }

    #[test]
    fn deleted_topics_leave_nothing() {
        let table = Fixture::with(Some(JAVA)).load();
        table.forget_topic("TopicA");
        assert_eq!(table.query("g1", "TopicA", 0), None);
        assert_eq!(table.query("g1", "%RETRY%g1", 0), Some(3));
        table.forget_topic("%RETRY%g1");
        assert!(table.snapshot().offset_table.is_empty() && table.groups.read().is_empty());
    }

    #[test]
    fn names_that_walk_directories_are_not_loaded() {
        let table = Fixture::with(Some(
            "{\"offsetTable\":{\"../../x@g\":{0:1},\"T@g\":{0:2},\"x\":{0:3}}}",
        ))
        .load();
        let kept: Vec<_> = table.snapshot().offset_table.into_keys().collect();
        assert_eq!(kept, ["T@g"]);
    }

    #[test]
    fn a_broken_file_never_resets_offsets() {
        for broken in ["{\"offsetTable\":", ""] {
            assert!(OffsetTable::load(Fixture::with(Some(broken)).path()).is_err());
        }
    }
}
