//! Who is connected: the answers to 203 and 204.
//!
//! Java 4.7.0 `common/protocol/body/{ConsumerConnection,ProducerConnection,Connection}.java`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::heartbeat::{ConsumeFromWhere, ConsumeType, MessageModel, SubscriptionData};

/// One client of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Connection {
    /// The other end of its connection, `host:port`.
    pub client_addr: String,
    /// Client id, `ip@instance`.
    pub client_id: String,
    /// Name of its language.
    pub language: String,
    /// Java's `MQVersion` ordinal.
    pub version: i32,
}

/// The answer to 203: a consumer group as its last heartbeat left it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerConnection {
    /// Its members.
    pub connection_set: Vec<Connection>,
    /// Where it starts on a queue without offset.
    pub consume_from_where: ConsumeFromWhere,
    /// Push or pull.
    pub consume_type: ConsumeType,
    /// Shared or each for itself.
    pub message_model: MessageModel,
    /// What it subscribes to, by topic.
    pub subscription_table: BTreeMap<String, SubscriptionData>,
}

/// The answer to 204.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerConnection {
    /// The members of the group.
    pub connection_set: Vec<Connection>,
}

#[cfg(test)]
mod tests {
    use super::super::assert_java;
    use super::super::heartbeat::tests::tags_a_and_b;
    use super::*;

    #[test]
    fn javas_groups_survive() {
        let connection = Connection {
            client_addr: "10.0.0.9:4711".into(),
            client_id: "10.0.0.9@77".into(),
            language: "JAVA".into(),
            version: 353,
        };
        let producers = ProducerConnection {
            connection_set: vec![connection.clone()],
        };
        let member = r#"{"clientAddr":"10.0.0.9:4711","clientId":"10.0.0.9@77","language":"JAVA","version":353}"#;
        assert_java(&producers, &format!(r#"{{"connectionSet":[{member}]}}"#));
        let consumers = ConsumerConnection {
            connection_set: vec![connection],
            consume_from_where: ConsumeFromWhere::FirstOffset,
            subscription_table: BTreeMap::from([("T".into(), tags_a_and_b())]),
            ..ConsumerConnection::default()
        };
        assert_java(
            &consumers,
            &format!(
                r#"{{"connectionSet":[{member}],"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","subscriptionTable":{{"T":{{"classFilterMode":false,"codeSet":[2598919,2598920],"expressionType":"TAG","subString":"TagA || TagB","subVersion":1700000000001,"tagsSet":["TagA","TagB"],"topic":"T"}}}}}}"#
            ),
        );
    }
}
