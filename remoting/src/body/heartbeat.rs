//! Heartbeat (34): which groups a client is in, and what it subscribes to. Sent every 30 s.
//!
//! ```text
//! HeartbeatData   clientID
//!                 producerDataSet[]  groupName
//!                 consumerDataSet[]  groupName, how it consumes, subscriptionDataSet[]
//! ```
//!
//! A subscription that stands in two places is written by Java once and then as `$ref`.
//!
//! Java 4.7.0 `common/protocol/heartbeat`, `common/consumer/ConsumeFromWhere.java`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{named, now_ms};

/// What a client says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeartbeatData {
    /// Client id, `ip@instance` with `@unit` behind it.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// Its consumer groups.
    pub consumer_data_set: Vec<ConsumerData>,
    /// Its producer groups.
    pub producer_data_set: Vec<ProducerData>,
}

/// A client in a producer group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerData {
    /// Name of the group.
    pub group_name: String,
}

/// A client in a consumer group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerData {
    /// Where the group starts on a queue without offset.
    pub consume_from_where: ConsumeFromWhere,
    /// Push or pull.
    pub consume_type: ConsumeType,
    /// Name of the group.
    pub group_name: String,
    /// Shared or each for itself.
    pub message_model: MessageModel,
    /// One for each topic.
    pub subscription_data_set: Vec<SubscriptionData>,
    /// The client's topics are unit topics.
    pub unit_mode: bool,
}

/// A group's interest in a topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionData {
    /// Filtered by a class on a filter server, which 4.7.0 no longer has.
    pub class_filter_mode: bool,
    /// Java hash codes of the tags.
    pub code_set: BTreeSet<i32>,
    /// `TAG` or `SQL92`. Default `TAG`.
    pub expression_type: String,
    /// The expression: `*`, tags between `||`, or SQL.
    pub sub_string: String,
    /// When the client made this subscription, ms since 1970; the later one counts. Default now.
    pub sub_version: i64,
    /// The tags; none means all messages.
    pub tags_set: BTreeSet<String>,
    /// Topic.
    pub topic: String,
}

impl SubscriptionData {
    /// Matches every message.
    pub const ALL: &'static str = "*";
    /// The expression type of tags.
    pub const TAG: &'static str = "TAG";
}

impl Default for SubscriptionData {
    fn default() -> Self {
        SubscriptionData {
            class_filter_mode: false,
            code_set: BTreeSet::new(),
            expression_type: Self::TAG.to_owned(),
            sub_string: String::new(),
            sub_version: now_ms(),
            tags_set: BTreeSet::new(),
            topic: String::new(),
        }
    }
}

named! {
    /// Who starts a pull.
    pub enum ConsumeType {
        /// The client's own loop hands messages to a listener: a push consumer.
        Passively = "CONSUME_PASSIVELY",
        /// The application does: a pull consumer.
        Actively = "CONSUME_ACTIVELY",
    }
}

named! {
    /// How the clients of a group divide messages.
    pub enum MessageModel {
        /// Each message to one client.
        Clustering = "CLUSTERING",
        /// Each message to every client; offsets are kept by the clients.
        Broadcasting = "BROADCASTING",
    }
}

named! {
    /// Where a group starts on a queue that it has no offset for.
    pub enum ConsumeFromWhere {
        /// At the end.
        LastOffset = "CONSUME_FROM_LAST_OFFSET",
        /// As `LastOffset`; an old name.
        LastOffsetAndFromMinWhenBootFirst = "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
        /// As `LastOffset`; an old name.
        MinOffset = "CONSUME_FROM_MIN_OFFSET",
        /// As `LastOffset`; an old name.
        MaxOffset = "CONSUME_FROM_MAX_OFFSET",
        /// At the beginning.
        FirstOffset = "CONSUME_FROM_FIRST_OFFSET",
        /// At a time.
        Timestamp = "CONSUME_FROM_TIMESTAMP",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::assert_java;
    use super::*;
    use crate::java::json::{read, write};

    /// `FilterAPI.buildSubscriptionData("G", "T", "TagA || TagB")`.
    pub(crate) fn tags_a_and_b() -> SubscriptionData {
        SubscriptionData {
            code_set: BTreeSet::from([2_598_919, 2_598_920]),
            sub_string: "TagA || TagB".into(),
            sub_version: 1_700_000_000_001,
            tags_set: BTreeSet::from(["TagA".into(), "TagB".into()]),
            topic: "T".into(),
            ..SubscriptionData::default()
        }
    }

    fn heartbeat() -> HeartbeatData {
        let consumer = ConsumerData {
            group_name: "G".into(),
            subscription_data_set: vec![tags_a_and_b()],
            ..ConsumerData::default()
        };
        HeartbeatData {
            client_id: "10.0.0.9@77".into(),
            consumer_data_set: vec![consumer],
            producer_data_set: vec![ProducerData {
                group_name: "CLIENT_INNER_PRODUCER".into(),
            }],
        }
    }

    #[test]
    fn javas_heartbeat_survives() {
        assert_java(
            &heartbeat(),
            r#"{"clientID":"10.0.0.9@77","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"G","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[2598919,2598920],"expressionType":"TAG","subString":"TagA || TagB","subVersion":1700000000001,"tagsSet":["TagA","TagB"],"topic":"T"}],"unitMode":false}],"producerDataSet":[{"groupName":"CLIENT_INNER_PRODUCER"}]}"#,
        );
    }

    #[test]
    fn a_subscription_that_java_wrote_as_a_reference_is_found() {
        let java = br#"{"clientID":"10.0.0.9@77","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"G","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[2598919,2598920],"expressionType":"TAG","subString":"TagA || TagB","subVersion":1700000000001,"tagsSet":["TagA","TagB"],"topic":"T"}],"unitMode":false},{"consumeFromWhere":"CONSUME_FROM_TIMESTAMP","consumeType":"CONSUME_ACTIVELY","groupName":"G2","messageModel":"BROADCASTING","subscriptionDataSet":[{"$ref":"$.consumerDataSet[0].subscriptionDataSet[0]"}],"unitMode":false}],"producerDataSet":[{"groupName":"CLIENT_INNER_PRODUCER"}]}"#;
        let mut both = heartbeat();
        both.consumer_data_set.push(ConsumerData {
            consume_from_where: ConsumeFromWhere::Timestamp,
            consume_type: ConsumeType::Actively,
            group_name: "G2".into(),
            message_model: MessageModel::Broadcasting,
            subscription_data_set: vec![tags_a_and_b()],
            unit_mode: false,
        });
        assert_eq!(read::<HeartbeatData>(java), Ok(both.clone()));
        assert!(
            !String::from_utf8(write(&both)).unwrap().contains("$ref"),
            "we write no references"
        );
    }

    #[test]
    fn a_heartbeat_of_5_x_and_of_other_languages_is_read() {
        let newer = br#"{"clientID":"c","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_NOWHERE","consumeType":"CONSUME_POP","groupName":"G","messageModel":null,"subscriptionDataSet":[{"topic":"T","subString":"*","tagsSet":null}]}],"heartbeatFingerprint":0,"isWithoutSub":false,"withoutSub":false}"#;
        let heartbeat = read::<HeartbeatData>(newer).unwrap();
        let consumer = &heartbeat.consumer_data_set[0];
        assert_eq!(consumer.consume_type, ConsumeType::Passively);
        assert_eq!(consumer.message_model, MessageModel::Clustering);
        assert_eq!(consumer.subscription_data_set[0].expression_type, "TAG");
        assert!(consumer.subscription_data_set[0].sub_version > 0);
        assert!(heartbeat.producer_data_set.is_empty());
    }
}
