//! Consumer groups: who is in one (38), who consumes a topic (300), and what each may do (200, 201,
//! `subscriptionGroup.json`).
//!
//! Java 4.7.0 `common/subscription/SubscriptionGroupConfig.java`,
//! `common/protocol/body/SubscriptionGroupWrapper.java`,
//! `common/protocol/body/GroupList.java`, `common/protocol/header/GetConsumerListByGroupResponseBody.java`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::DataVersion;

/// The ids of a group's clients, the answer to 38.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerListByGroup {
    /// Client ids, `ip@instance`.
    pub consumer_id_list: Vec<String>,
}

/// Names of groups, the answer to 300.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupList {
    /// The names.
    pub group_list: BTreeSet<String>,
}

/// What a consumer group may do on a broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupConfig {
    /// The broker of a set that serves it. 0, the master, by default.
    pub broker_id: i64,
    /// May consume as a broadcasting group. Default true.
    pub consume_broadcast_enable: bool,
    /// May pull at all. Default true.
    pub consume_enable: bool,
    /// Kept for Java, which does not use it. Default true.
    pub consume_from_min_enable: bool,
    /// Name of the group.
    pub group_name: String,
    /// Clients are told at once when the group changes. Default true.
    pub notify_consumer_ids_changed_enable: bool,
    /// Tries before a message goes to the dead-letter topic. Default 16.
    pub retry_max_times: i32,
    /// Queues of the retry topic. Default 1.
    pub retry_queue_nums: i32,
    /// The broker to read from when far behind. Default 1, the first slave.
    pub which_broker_when_consume_slowly: i64,
}

impl SubscriptionGroupConfig {
    /// A group with Java's defaults.
    #[must_use]
    pub fn new(group_name: impl Into<String>) -> Self {
        SubscriptionGroupConfig {
            group_name: group_name.into(),
            ..Self::default()
        }
    }
}

impl Default for SubscriptionGroupConfig {
    fn default() -> Self {
        SubscriptionGroupConfig {
            broker_id: 0,
            consume_broadcast_enable: true,
            consume_enable: true,
            consume_from_min_enable: true,
            group_name: String::new(),
            notify_consumer_ids_changed_enable: true,
            retry_max_times: 16,
            retry_queue_nums: 1,
            which_broker_when_consume_slowly: 1,
        }
    }
}

/// All groups of a broker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupWrapper {
    /// Changes with every group made, changed or deleted.
    pub data_version: DataVersion,
    /// Groups by name.
    pub subscription_group_table: BTreeMap<String, SubscriptionGroupConfig>,
}

#[cfg(test)]
mod tests {
    use super::super::{assert_java, assert_java_file};
    use super::*;
    use crate::java::json::read;

    const FILE: &str = r#"{
	"dataVersion":{
		"counter":7,
		"timestamp":1700000000000
	},
	"subscriptionGroupTable":{
		"G":{
			"brokerId":0,
			"consumeBroadcastEnable":true,
			"consumeEnable":true,
			"consumeFromMinEnable":true,
			"groupName":"G",
			"notifyConsumerIdsChangedEnable":true,
			"retryMaxTimes":16,
			"retryQueueNums":1,
			"whichBrokerWhenConsumeSlowly":1
		}
	}
}"#;

    #[test]
    fn javas_groups_survive_as_body_and_file() {
        let groups = SubscriptionGroupWrapper {
            data_version: DataVersion {
                counter: 7,
                timestamp: 1_700_000_000_000,
            },
            subscription_group_table: BTreeMap::from([(
                "G".into(),
                SubscriptionGroupConfig::new("G"),
            )]),
        };
        assert_java(&groups, &FILE.replace(['\n', '\t'], ""));
        assert_java_file(&groups, FILE);
    }

    #[test]
    fn a_group_of_5_x_is_read_and_a_bare_one_has_javas_defaults() {
        let newer = br#"{"attributes":{},"brokerId":0,"consumeMessageOrderly":false,"consumeTimeoutMinute":15,"groupName":"G","groupRetryPolicy":{"type":"CUSTOMIZED"},"groupSysFlag":0,"retryMaxTimes":3}"#;
        let group = read::<SubscriptionGroupConfig>(newer).unwrap();
        assert_eq!(
            group,
            SubscriptionGroupConfig {
                retry_max_times: 3,
                ..SubscriptionGroupConfig::new("G")
            }
        );
    }

    #[test]
    fn javas_lists_survive() {
        let list = ConsumerListByGroup {
            consumer_id_list: vec!["10.0.0.9@77".into()],
        };
        assert_java(&list, r#"{"consumerIdList":["10.0.0.9@77"]}"#);
        let groups = GroupList {
            group_list: ["G".into()].into(),
        };
        assert_java(&groups, r#"{"groupList":["G"]}"#);
    }
}
