//! A topic's settings: in registrations, the answer to 21, and `topics.json`.
//!
//! Two forms: JSON with all fields, and in a compressed registration a line
//!
//! ```text
//! name readQueues writeQueues perm filterType        5.x puts its attributes behind, as JSON
//! ```
//!
//! The line loses `order` and `topicSysFlag`, in Java as here.
//!
//! Java 4.7.0 `common/TopicConfig.java` (`encode`, `decode`),
//! `common/protocol/body/TopicConfigSerializeWrapper.java`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DataVersion;
use super::named;

named! {
    /// Tags a message of the topic may have; nothing looks at it.
    pub enum TopicFilterType {
        /// One.
        SingleTag = "SINGLE_TAG",
        /// Several.
        MultiTag = "MULTI_TAG",
    }
}

/// A topic on a broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfig {
    /// Whether the topic is ordered. Default false.
    pub order: bool,
    /// Bits 4 read, 2 write, 1 inherit. Default 6.
    pub perm: i32,
    /// Queues that are read. Default 16.
    pub read_queue_nums: i32,
    /// Default `SINGLE_TAG`.
    pub topic_filter_type: TopicFilterType,
    /// Name of the topic.
    pub topic_name: String,
    /// Bits 1 unit, 2 unit subscription.
    pub topic_sys_flag: i32,
    /// Queues that are written. Default 16.
    pub write_queue_nums: i32,
}

impl Default for TopicConfig {
    fn default() -> Self {
        TopicConfig {
            order: false,
            perm: 6,
            read_queue_nums: 16,
            topic_filter_type: TopicFilterType::SingleTag,
            topic_name: String::new(),
            topic_sys_flag: 0,
            write_queue_nums: 16,
        }
    }
}

impl TopicConfig {
    /// A topic with so many queues and this permission, the rest as Java sets it.
    #[must_use]
    pub fn new(
        topic_name: impl Into<String>,
        read_queue_nums: i32,
        write_queue_nums: i32,
        perm: i32,
    ) -> Self {
        TopicConfig {
            topic_name: topic_name.into(),
            read_queue_nums,
            write_queue_nums,
            perm,
            ..Self::default()
        }
    }

    /// The line of a compressed registration.
    #[must_use]
    pub fn encode(&self) -> String {
        let TopicConfig {
            topic_name,
            read_queue_nums,
            write_queue_nums,
            perm,
            topic_filter_type,
            ..
        } = self;
        format!(
            "{topic_name} {read_queue_nums} {write_queue_nums} {perm} {}",
            topic_filter_type.name()
        )
    }

    /// Reads that line; `None` if a part is missing or no number.
    #[must_use]
    pub fn decode(line: &str) -> Option<Self> {
        let mut parts = line.split(' ');
        Some(TopicConfig {
            topic_name: parts.next()?.to_owned(),
            read_queue_nums: parts.next()?.parse().ok()?,
            write_queue_nums: parts.next()?.parse().ok()?,
            perm: parts.next()?.parse().ok()?,
            topic_filter_type: TopicFilterType::from_name(parts.next()?)?,
            ..Self::default()
        })
    }
}

/// All topics of a broker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfigSerializeWrapper {
    /// Changes with every topic made, changed or deleted.
    pub data_version: DataVersion,
    /// Topics by name.
    pub topic_config_table: BTreeMap<String, TopicConfig>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::assert_java_file;
    use super::*;
    use crate::java::json::read;

    /// Topic `T` with 8 and 4 queues, and `U` with every field off its default.
    pub(crate) fn two_topics() -> TopicConfigSerializeWrapper {
        let odd = TopicConfig {
            order: true,
            topic_filter_type: TopicFilterType::MultiTag,
            topic_name: "U".into(),
            topic_sys_flag: 3,
            ..TopicConfig::default()
        };
        TopicConfigSerializeWrapper {
            data_version: DataVersion {
                counter: 7,
                timestamp: 1_700_000_000_000,
            },
            topic_config_table: BTreeMap::from([
                ("T".into(), TopicConfig::new("T", 8, 4, 6)),
                ("U".into(), odd),
            ]),
        }
    }

    const FILE: &str = r#"{
	"dataVersion":{
		"counter":7,
		"timestamp":1700000000000
	},
	"topicConfigTable":{
		"T":{
			"order":false,
			"perm":6,
			"readQueueNums":8,
			"topicFilterType":"SINGLE_TAG",
			"topicName":"T",
			"topicSysFlag":0,
			"writeQueueNums":4
		},
		"U":{
			"order":true,
			"perm":6,
			"readQueueNums":16,
			"topicFilterType":"MULTI_TAG",
			"topicName":"U",
			"topicSysFlag":3,
			"writeQueueNums":16
		}
	}
}"#;

    #[test]
    fn javas_topics_file_survives() {
        assert_java_file(&two_topics(), FILE);
    }

    #[test]
    fn a_topic_of_5_x_is_read_and_a_bare_one_has_javas_defaults() {
        let newer = br#"{"attributes":{"message.type":"FIFO"},"order":false,"perm":6,"readQueueNums":null,"topicName":"T","topicFilterType":"NEW"}"#;
        assert_eq!(read(newer), Ok(TopicConfig::new("T", 16, 16, 6)));
    }

    #[test]
    fn the_line_goes_both_ways() {
        let topics = two_topics();
        assert_eq!(
            topics.topic_config_table["U"].encode(),
            "U 16 16 6 MULTI_TAG"
        );
        let topic = &topics.topic_config_table["T"];
        assert_eq!(TopicConfig::decode(&topic.encode()).as_ref(), Some(topic));
        let newer = "T 8 4 6 SINGLE_TAG {\"+message.type\":\"a b\"}";
        assert_eq!(TopicConfig::decode(newer).as_ref(), Some(topic));
    }

    #[test]
    fn a_line_with_less_or_other_in_it_is_refused() {
        let line = "T 8 4 6 SINGLE_TAG";
        for cut in 0..line.len() {
            assert_eq!(
                TopicConfig::decode(&line[..cut]),
                None,
                "accepted a line cut at byte {cut}"
            );
        }
        for line in [
            "T x 4 6 SINGLE_TAG",
            "T 8 4 99999999999 SINGLE_TAG",
            "T  8 4 6 SINGLE_TAG",
            "T 8 4 6 OTHER",
        ] {
            assert_eq!(TopicConfig::decode(line), None, "accepted {line}");
        }
    }
}
