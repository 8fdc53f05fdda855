//! consumerFilter.json: the filters of consumer groups as a file.
//!
//! A group of the file is dead when the broker starts, until its first heartbeat. The rule that is easy to break: the bits
//! in the file are those of one size of the bloom filter; with another size all of the file is left out.
//!
//! Java 4.7.0 `broker/filter/ConsumerFilterManager.java` (`decode`, `encode`), `broker/BrokerController.java`. Different: a
//! filter of the file that does not compile is left out (Java keeps it, and the group gets every message).

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::bloom::BloomBits;
use super::data::{Filters, GroupFilter, SQL92};
use super::sql_parser::SqlError;
use crate::broker::Broker;
use crate::config::BrokerConfig;
use crate::json_file::LoadError;
use crate::now_ms;
use crate::tasks::every;

/// How often the file is written. Java 4.7.0 `broker/BrokerController.java`, `initialize`.
const SAVE_PERIOD: Duration = Duration::from_secs(10);

/// How long the groups of a file are taken to be dead when it is read.
const DEAD_BEFORE_START_MS: i64 = 30_000;

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stored {
    filter_data_by_topic: BTreeMap<String, StoredTopic>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StoredTopic {
    group_filter_data: BTreeMap<String, StoredFilter>,
    topic: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StoredFilter {
    bloom_filter_data: BloomBits,
    born_time: i64,
    client_version: i64,
    consumer_group: String,
    dead: bool,
    dead_time: i64,
    expression: String,
    expression_type: String,
    topic: String,
}

impl Filters {
    /// The filters in `config/consumerFilter.json` below the store's root. Blocks on the disk.
    ///
    /// # Errors
    /// [`LoadError`] when neither the file nor its `.bak` can be read. Empty ones are none: clients tell their filters anew.
    pub fn load(config: &BrokerConfig) -> Result<Filters, LoadError> {
        let filters = Filters::new(config);
        let stored: Stored = filters.file.load_unless_empty()?.unwrap_or_default();
        filters.take_over(stored, now_ms());
        Ok(filters)
    }

    fn take_over(&self, stored: Stored, now_ms: i64) {
        let topics = stored.filter_data_by_topic;
        let all = topics
            .values()
            .flat_map(|topic| topic.group_filter_data.values());
        if all
            .into_iter()
            .any(|filter| !self.bloom.made(&filter.bloom_filter_data))
        {
            info!(
                "the size of the bloom filter has changed: the filters of the file are left out until their groups connect"
            );
            return;
        }
        let mut groups = self.groups.write();
        for (topic, of_topic) in topics {
            for (group, filter) in of_topic.group_filter_data {
                match self.restore(filter, now_ms) {
                    Ok(filter) => {
                        let topics: &mut BTreeMap<_, _> = groups.entry(group).or_default();
                        topics.insert(topic.clone(), Arc::new(filter));
                    }
                    Err(error) => {
                        warn!(group, topic, %error, "left out a filter of {}", self.file.path().display())
                    }
                }
            }
        }
    }

    fn restore(&self, stored: StoredFilter, now_ms: i64) -> Result<GroupFilter, SqlError> {
        let expression = self.compile(&stored.expression_type, &stored.expression)?;
        let dead_ms = match stored.dead_time {
            0 => (now_ms - DEAD_BEFORE_START_MS).max(stored.born_time),
            dead => dead,
        };
        Ok(GroupFilter {
            expression,
            version: stored.client_version,
            text: stored.expression,
            bits: stored.bloom_filter_data,
            born_ms: stored.born_time,
            dead_ms,
        })
    }

    /// Removes those that have been dead for too long and writes the rest, if anything changed. Blocks on the disk.
    ///
    /// # Errors
    /// What the file system says. The next call tries again.
    pub fn save(&self) -> io::Result<()> {
        self.clean(now_ms());
        self.file.changed(); // it is cheaper to compare than to notice
        self.file.save_with(|| self.snapshot()).map(drop)
    }

    fn snapshot(&self) -> Stored {
        let mut stored = Stored::default();
        for (group, topics) in self.groups.read().iter() {
            for (topic, filter) in topics {
                let of_topic = stored.filter_data_by_topic.entry(topic.clone());
                let of_topic = of_topic.or_insert_with(|| StoredTopic {
                    topic: topic.clone(),
                    ..StoredTopic::default()
                });
                let entry = StoredFilter {
                    bloom_filter_data: filter.bits.clone(),
                    born_time: filter.born_ms,
                    client_version: filter.version,
                    consumer_group: group.clone(),
                    dead: filter.is_dead(),
                    dead_time: filter.dead_ms,
                    expression: filter.text.clone(),
                    expression_type: SQL92.to_owned(),
                    topic: topic.clone(),
                };
                of_topic.group_filter_data.insert(group.clone(), entry);
            }
        }
        stored
    }
}

/// Saves the filters again and again while the broker runs.
pub(crate) fn start(broker: &Arc<Broker>) -> JoinHandle<()> {
    every(
        "save filters",
        SAVE_PERIOD,
        SAVE_PERIOD,
        broker,
        async |broker| {
            let saving = tokio::task::spawn_blocking(move || save(&broker.filters));
            if let Err(panic) = saving.await {
                std::panic::resume_unwind(panic.into_panic());
            }
        },
    )
}

/// Saves the filters once. Blocks on the disk.
pub(crate) fn save(filters: &Filters) {
    if let Err(error) = filters.save() {
        warn!(%error, "save consumer filters; try again next time");
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::tests::subscription;
    use super::*;
    use remoting::java::json;
    use std::fs;

    const GOLDEN: &str =
        include_str!("../../../compat-tests/golden/store/config/consumerFilter.json");

    struct Fixture {
        folder: tempfile::TempDir,
        config: BrokerConfig,
    }

    impl Fixture {
        fn new() -> Fixture {
            let folder = tempfile::tempdir().expect("a folder");
            let mut config = BrokerConfig::default();
            config.store.root_dir = folder.path().to_owned();
            Fixture { folder, config }
        }
        fn golden() -> Fixture {
            let fixture = Fixture::new();
            fs::create_dir(fixture.folder.path().join("config")).expect("made");
            fs::write(fixture.path(), GOLDEN).expect("written");
            fixture
        }
        fn path(&self) -> std::path::PathBuf {
            self.config.table_file("consumerFilter.json")
        }
        fn load(&self) -> Filters {
            Filters::load(&self.config).expect("loads")
        }
    }

    #[test]
    fn a_file_written_by_java_survives() {
        let filters = Fixture::golden().load();
        let filter = filters
            .get("golden_consumer", "GoldenSql")
            .expect("it is there");
        assert!(filter.expression.wants(b"a\x015\x02b\x01x\x02"));
        assert_eq!(filter.version, 1_600_000_000_123);
        let written = json::write_pretty(&filters.snapshot());
        assert_eq!(String::from_utf8_lossy(&written), GOLDEN);
    }

    #[test]
    fn another_size_of_the_bloom_filter_leaves_the_file_out() {
        let mut fixture = Fixture::golden();
        fixture.config.expect_consumers_with_filter = 64;
        assert!(fixture.load().groups.read().is_empty());
    }

    #[test]
    fn a_group_is_dead_at_the_start_until_its_heartbeat() {
        let filters = Fixture::golden().load();
        let dead = || {
            filters
                .get("golden_consumer", "GoldenSql")
                .map(|filter| filter.is_dead())
        };
        assert_eq!(dead(), Some(true));
        let wanted = |version| [subscription("GoldenSql", "b = 'other'", version)];
        filters.register("golden_consumer", &wanted(1_600_000_000_122));
        assert_eq!(dead(), Some(true), "an older version");
        filters.register("golden_consumer", &wanted(1_600_000_000_123));
        assert_eq!(dead(), Some(false), "the same version");
        let text = || {
            filters
                .get("golden_consumer", "GoldenSql")
                .map(|filter| filter.text.clone())
        };
        assert_eq!(
            text().as_deref(),
            Some("a > 3 AND b = 'x'"),
            "and nothing but that"
        );
        filters.register("golden_consumer", &wanted(1_600_000_000_124));
        assert_eq!(text().as_deref(), Some("b = 'other'"));
    }

    #[test]
    fn what_is_no_longer_used_is_dead_and_goes_when_its_time_is_up() {
        let fixture = Fixture::new();
        let filters = fixture.load();
        filters.register(
            "G",
            &[subscription("T", "a > 1", 1), subscription("U", "a > 2", 1)],
        );
        filters.register("G", &[subscription("U", "a > 2", 2)]);
        let dead = |topic| filters.get("G", topic).map(|filter| filter.is_dead());
        assert_eq!((dead("T"), dead("U")), (Some(true), Some(false)));
        filters.forget_group("G");
        assert_eq!((dead("T"), dead("U")), (None, Some(false)));
        filters.unregister("G");
        filters.forget_topic("T");
        assert_eq!(dead("U"), Some(true));
        filters.save().expect("written");
        assert!(fixture.load().get("G", "U").is_some());
        filters.clean(now_ms() + 86_400_000 + 1_000);
        assert!(filters.groups.read().is_empty());
    }
}
