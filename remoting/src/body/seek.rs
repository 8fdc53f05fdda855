//! Moving groups about: the bodies of 220 and 221, to clients, and the answers to 222 and 223.
//!
//! The rule that is easy to break: a client in C++ reads the new offsets from a list, all others from a map whose keys are
//! queues.
//!
//! Java 4.7.0 `common/protocol/body/{ResetOffsetBody,ResetOffsetBodyForC,GetConsumerStatusBody}.java`,
//! `common/message/MessageQueueForC.java`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::MessageQueue;

/// 220, and the answer to 222: where a group goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResetOffsetBody {
    /// The next message of each queue.
    pub offset_table: BTreeMap<MessageQueue, i64>,
}

/// 220 to clients in C++.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResetOffsetBodyForC {
    /// The next message of each queue.
    pub offset_table: Vec<MessageQueueForC>,
}

/// A queue, and the next message of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageQueueForC {
    /// Name of the broker set.
    pub broker_name: String,
    /// The next message.
    pub offset: i64,
    /// Number of the queue.
    pub queue_id: i32,
    /// Topic.
    pub topic: String,
}

impl ResetOffsetBody {
    /// The same for a client in C++.
    #[must_use]
    pub fn for_c(&self) -> ResetOffsetBodyForC {
        let entry = |(queue, offset): (&MessageQueue, &i64)| MessageQueueForC {
            broker_name: queue.broker_name.clone(),
            offset: *offset,
            queue_id: queue.queue_id,
            topic: queue.topic.clone(),
        };
        ResetOffsetBodyForC {
            offset_table: self.offset_table.iter().map(entry).collect(),
        }
    }
}

/// The answers to 221, where `message_queue_table` is filled, and to 223, where `consumer_table` is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GetConsumerStatusBody {
    /// By client id: what that client says of itself.
    pub consumer_table: BTreeMap<String, BTreeMap<MessageQueue, i64>>,
    /// How far a client is in each queue it has.
    pub message_queue_table: BTreeMap<MessageQueue, i64>,
}

#[cfg(test)]
mod tests {
    use super::super::assert_java;
    use super::*;

    #[test]
    fn javas_offsets_by_queue_survive_in_all_their_forms() {
        let queue = MessageQueue {
            broker_name: "b".into(),
            queue_id: 1,
            topic: "T".into(),
        };
        let table = BTreeMap::from([(queue, 7)]);
        let body = ResetOffsetBody {
            offset_table: table.clone(),
        };
        let by_queue = r#"{{"brokerName":"b","queueId":1,"topic":"T"}:7}"#;
        assert_java(&body, &format!(r#"{{"offsetTable":{by_queue}}}"#));
        assert_java(
            &body.for_c(),
            r#"{"offsetTable":[{"brokerName":"b","offset":7,"queueId":1,"topic":"T"}]}"#,
        );
        let status = GetConsumerStatusBody {
            consumer_table: BTreeMap::from([("c".into(), table)]),
            message_queue_table: BTreeMap::new(),
        };
        assert_java(
            &status,
            &format!(r#"{{"consumerTable":{{"c":{by_queue}}},"messageQueueTable":{{}}}}"#),
        );
    }
}
