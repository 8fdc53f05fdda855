//! The topics of this broker and the file they are kept in.
//!
//! ```text
//! start    system topics, then topics.json over them
//! change   one lock: topic and DataVersion together → topics.json
//! send     get: one lock for reading, no allocation
//! ```
//!
//! The rule that is easy to break: a topic and the DataVersion that goes with it change under one lock. A name server
//! that has seen a version takes the table for known and does not read it again.
//! Java 4.7.0 `broker/topic/TopicConfigManager.java`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use remoting::body::DataVersion;
use remoting::body::topic_config::{TopicConfig, TopicConfigSerializeWrapper};
use tracing::{error, info, warn};

use super::name::{self, NameError};
use super::{Described, system};
use crate::config::BrokerConfig;
use crate::json_file::{JsonFile, LoadError};

/// All topics, by name.
#[derive(Debug)]
pub struct TopicTable {
    pub(super) topics: RwLock<Topics>,
    /// Names of the topics made at this start.
    made_at_start: HashSet<String>,
    /// The topic named like the cluster, which `updateTopic` must leave alone.
    cluster_name: String,
    pub(super) file: JsonFile,
}

#[derive(Debug, Default)]
pub(super) struct Topics {
    pub(super) by_name: foldhash::HashMap<Arc<str>, Arc<TopicConfig>>,
    pub(super) version: DataVersion,
}

impl Topics {
    /// Puts a topic in place; what was there before.
    pub(super) fn put(&mut self, topic: TopicConfig) -> Option<Arc<TopicConfig>> {
        self.by_name
            .insert(topic.topic_name.as_str().into(), Arc::new(topic))
    }
}

/// Why a topic is not made, changed or deleted. `Display` is Java's remark; it goes out with code 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicRefused {
    /// No name for a topic.
    Name(NameError),
    /// It is the topic named like the cluster.
    Reserved(String),
    /// It is the broker's own and cannot be deleted.
    System(String),
}

impl fmt::Display for TopicRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicRefused::Name(error) => error.fmt(f),
            TopicRefused::Reserved(topic) => {
                write!(
                    f,
                    "the topic[{topic}] is conflict with system reserved words."
                )
            }
            TopicRefused::System(topic) => {
                write!(f, "The topic[{topic}] is conflict with system topic.")
            }
        }
    }
}

impl std::error::Error for TopicRefused {}

impl TopicTable {
    /// The system topics, and what `config/topics.json` below the store's root holds over them. Blocks on the disk.
    ///
    /// # Errors
    /// [`LoadError`]; the start ends.
    pub fn load(config: &BrokerConfig) -> Result<Self, LoadError> {
        let file = JsonFile::new(config.table_file("topics.json"));
        let mut topics = Topics::default();
        let made_at_start = system::made_at_start(config);
        let names = made_at_start
            .iter()
            .map(|topic| topic.topic_name.clone())
            .collect();
        for topic in made_at_start {
            topics.put(topic);
        }
        if let Some(stored) = file.load::<TopicConfigSerializeWrapper>()? {
            topics.version = stored.data_version;
            for (name, topic) in stored.topic_config_table {
                if name::may_be_kept(&name) {
                    topics.put(TopicConfig {
                        topic_name: name,
                        ..topic
                    });
                } else {
                    warn!(
                        topic = name,
                        "{}: no name for a topic, not loaded",
                        file.path().display()
                    );
                }
            }
        }
        info!(
            topics = topics.by_name.len(),
            version = topics.version.counter,
            "load topics"
        );
        Ok(TopicTable {
            topics: RwLock::new(topics),
            made_at_start: names,
            cluster_name: config.cluster_name.clone(),
            file,
        })
    }

    /// A topic, if there is one of that name. Cheap: for every send and pull.
    #[must_use]
    pub fn get(&self, topic: &str) -> Option<Arc<TopicConfig>> {
        self.topics.read().by_name.get(topic).cloned()
    }

    /// Whether a topic is the broker's own.
    #[must_use]
    pub fn is_system(&self, topic: &str) -> bool {
        self.made_at_start.contains(topic) || system::is_system_name(topic)
    }

    /// Names of the topics made at this start, the answer to GET_SYSTEM_TOPIC_LIST_FROM_BROKER.
    #[must_use]
    pub fn made_at_start(&self) -> &HashSet<String> {
        &self.made_at_start
    }

    /// How many topics there are.
    pub(crate) fn len(&self) -> usize {
        self.topics.read().by_name.len()
    }

    /// The state of the table.
    #[must_use]
    pub fn version(&self) -> DataVersion {
        self.topics.read().version
    }

    /// All names, sorted.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        self.topics
            .read()
            .by_name
            .keys()
            .map(|name| name.to_string())
            .collect()
    }

    /// The whole table with its version, as it is registered, answered to 21 and written to the file.
    #[must_use]
    pub fn wrapper(&self) -> TopicConfigSerializeWrapper {
        let topics = self.topics.read();
        let entries = topics
            .by_name
            .iter()
            .map(|(name, topic)| (name.to_string(), (**topic).clone()));
        TopicConfigSerializeWrapper {
            data_version: topics.version,
            topic_config_table: entries.collect(),
        }
    }

    /// Makes or replaces a topic as an administrator asks (code 17). Blocks until it is on disk.
    ///
    /// # Errors
    /// [`TopicRefused`]: the cluster's own topic, or no name for one.
    pub fn update(&self, topic: TopicConfig) -> Result<Arc<TopicConfig>, TopicRefused> {
        let name = topic.topic_name.clone();
        if name == self.cluster_name {
            return Err(TopicRefused::Reserved(name));
        }
        name::check_topic(&name).map_err(TopicRefused::Name)?;
        Ok(self.put(topic))
    }

    /// Puts a topic in place, gives the table its next version and writes it.
    pub(super) fn put(&self, topic: TopicConfig) -> Arc<TopicConfig> {
        let mut topics = self.topics.write();
        let name: Arc<str> = topic.topic_name.as_str().into();
        let topic = Arc::new(topic);
        let before = topics.by_name.insert(name, Arc::clone(&topic));
        topics.version.next_version();
        drop(topics);
        match before {
            Some(before) => {
                info!(before = %Described(&before), now = %Described(&topic), "change topic")
            }
            None => info!(topic = %Described(&topic), "create topic"),
        }
        self.file.changed();
        self.save();
        topic
    }

    /// Deletes a topic. Whether there was one. Blocks until it is gone from the disk.
    ///
    /// # Errors
    /// [`TopicRefused::System`]; Java 4.7.0 deletes those too, see COMPATIBILITY.md.
    pub fn delete(&self, topic: &str) -> Result<bool, TopicRefused> {
        if self.is_system(topic) {
            return Err(TopicRefused::System(topic.to_owned()));
        }
        let mut topics = self.topics.write();
        if topics.by_name.remove(topic).is_none() {
            warn!(topic, "delete a topic that does not exist");
            return Ok(false);
        }
        topics.version.next_version();
        drop(topics);
        info!(topic, "delete topic");
        self.file.changed();
        self.save();
        Ok(true)
    }

    /// Does something if there is no topic of that name; none of any name is made meanwhile. What it did; `None` if there
    /// is one.
    pub(crate) fn unless_there<T>(&self, topic: &str, act: impl FnOnce() -> T) -> Option<T> {
        let topics = self.topics.read();
        (!topics.by_name.contains_key(topic)).then(act)
    }

    /// Marks the topics that the name server's order table names as ordered, and no others. In memory only; whether
    /// there is something to save.
    #[must_use = "the table is to be saved"]
    pub fn set_ordered(&self, order_table: &BTreeMap<String, String>) -> bool {
        let mut topics = self.topics.write();
        let mut changed = false;
        for (name, topic) in &mut topics.by_name {
            let ordered = order_table.contains_key(&**name);
            if topic.order != ordered {
                info!(topic = &**name, ordered, "change order of topic");
                Arc::make_mut(topic).order = ordered;
                changed = true;
            }
        }
        if changed {
            topics.version.next_version();
            drop(topics);
            self.file.changed();
        }
        changed
    }

    /// Whether the table has changed since it was saved, or could not be.
    #[must_use]
    pub fn is_unsaved(&self) -> bool {
        self.file.is_unsaved()
    }

    /// Writes the table if it has changed. A disk that refuses is an ERROR in the log; the topic is served all the same,
    /// as in Java.
    pub fn save(&self) {
        if let Err(error) = self.file.save_with(|| self.wrapper()) {
            error!(%error, file = %self.file.path().display(), "write topics");
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::topic::perm;

    pub(in crate::topic) fn config() -> BrokerConfig {
        BrokerConfig {
            broker_name: "broker-a".to_owned(),
            cluster_name: "DefaultCluster".to_owned(),
            ..BrokerConfig::default()
        }
    }

    pub(in crate::topic) fn table(config: &BrokerConfig) -> (tempfile::TempDir, TopicTable) {
        let folder = tempfile::tempdir().expect("a folder");
        let table = load_again(&folder, config);
        (folder, table)
    }

    pub(in crate::topic) fn load_again(
        folder: &tempfile::TempDir,
        config: &BrokerConfig,
    ) -> TopicTable {
        let mut config = config.clone();
        config.store.root_dir = folder.path().to_owned();
        TopicTable::load(&config).expect("loads")
    }

    fn shape(table: &TopicTable, name: &str) -> Option<(i32, i32, i32)> {
        table
            .get(name)
            .map(|topic| (topic.read_queue_nums, topic.write_queue_nums, topic.perm))
    }

    #[test]
    fn system_topics_are_javas() {
        let (_folder, table) = table(&config());
        let expected = [
            ("SELF_TEST_TOPIC", (1, 1, 6)),
            ("TBW102", (8, 8, 7)),
            ("BenchmarkTest", (1024, 1024, 6)),
            ("DefaultCluster", (16, 16, 7)),
            ("broker-a", (1, 1, 7)),
            ("OFFSET_MOVED_EVENT", (1, 1, 6)),
            ("DefaultCluster_REPLY_TOPIC", (1, 1, 6)),
        ];
        assert_eq!(table.names().len(), expected.len());
        for (name, wanted) in expected {
            assert_eq!(shape(&table, name), Some(wanted), "{name}");
            assert!(table.is_system(name));
        }
    }

    #[test]
    fn switches_change_the_system_topics() {
        let config = BrokerConfig {
            auto_create_topic: false,
            trace_topic_enable: true,
            cluster_topic_enable: false,
            broker_topic_enable: false,
            ..config()
        };
        let (_folder, table) = table(&config);
        assert_eq!(table.get("TBW102"), None);
        assert_eq!(shape(&table, "RMQ_SYS_TRACE_TOPIC"), Some((1, 1, 6)));
        assert_eq!(
            shape(&table, "DefaultCluster"),
            Some((16, 16, perm::INHERIT))
        );
        assert_eq!(shape(&table, "broker-a"), Some((1, 1, perm::INHERIT)));
    }

    #[test]
    fn a_topic_survives_a_restart_with_its_version() {
        let (folder, table) = table(&config());
        let before = table.version();
        table.update(TopicConfig::new("T", 4, 2, 6)).expect("made");
        let version = table.version();
        assert_eq!(version.counter, before.counter + 1);
        let again = load_again(&folder, &config());
        assert_eq!(shape(&again, "T"), Some((4, 2, 6)));
        assert_eq!(again.version(), version);
        assert_eq!(again.delete("T"), Ok(true));
        assert_eq!(again.delete("T"), Ok(false));
        assert_eq!(again.version().counter, version.counter + 1);
    }

    #[test]
    fn no_topic_is_made_while_something_is_done_because_there_is_none() {
        let (_folder, table) = table(&config());
        let held = table.unless_there("T", || table.topics.try_write().is_none());
        assert_eq!(held, Some(true));
        table.update(TopicConfig::new("T", 1, 1, 6)).expect("made");
        assert_eq!(table.unless_there("T", || panic!("done")), None::<()>);
    }

    #[test]
    fn the_brokers_own_topics_are_not_deleted() {
        let (_folder, table) = table(&config());
        for topic in [
            "DefaultCluster",
            "broker-a",
            "TBW102",
            "RMQ_SYS_TRANS_OP_HALF_TOPIC",
            "SCHEDULE_TOPIC_XXXX",
        ] {
            let refused = table.delete(topic).expect_err(topic);
            assert_eq!(
                refused.to_string(),
                format!("The topic[{topic}] is conflict with system topic.")
            );
        }
    }

    #[test]
    fn an_administrator_gets_javas_words() {
        let (_folder, table) = table(&config());
        let remark = |name: &str| {
            table
                .update(TopicConfig::new(name, 1, 1, 6))
                .expect_err(name)
                .to_string()
        };
        assert_eq!(
            remark("DefaultCluster"),
            "the topic[DefaultCluster] is conflict with system reserved words."
        );
        assert_eq!(
            remark("TBW102"),
            "The specified topic is conflict with AUTO_CREATE_TOPIC_KEY_TOPIC."
        );
        assert!(remark("../../x").starts_with("The specified topic contains illegal characters"));
    }

    #[test]
    fn order_follows_the_name_server() {
        let (_folder, table) = table(&config());
        table.update(TopicConfig::new("T", 1, 1, 6)).expect("made");
        let version = table.version().counter;
        assert!(table.set_ordered(&BTreeMap::from([("T".to_owned(), "broker-a:1".to_owned())])));
        assert!(table.get("T").expect("there").order);
        assert_eq!(table.version().counter, version + 1);
        assert!(table.set_ordered(&BTreeMap::new()));
        assert!(!table.get("T").expect("there").order);
        assert!(!table.set_ordered(&BTreeMap::new()));
        assert_eq!(table.version().counter, version + 2);
    }

    #[test]
    fn names_that_walk_directories_are_not_loaded() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("config")).expect("made");
        let path = folder.path().join("config").join("topics.json");
        let text = "{\"dataVersion\":{\"counter\":3,\"timestamp\":9},\"topicConfigTable\":{\"../../x\":{\"topicName\":\"../../x\"},\
                    \"odd.name\":{\"readQueueNums\":3}}}";
        std::fs::write(&path, text).expect("written");
        let table = load_again(&folder, &config());
        assert_eq!(table.get("../../x"), None);
        assert_eq!(
            table
                .get("odd.name")
                .map(|topic| topic.topic_name.clone())
                .as_deref(),
            Some("odd.name")
        );
        assert_eq!(
            table.version(),
            DataVersion {
                counter: 3,
                timestamp: 9
            }
        );
    }
}
