//! Where queues stand and how far groups are behind: the answers to 202, 208 and 303.
//!
//! The keys of the first two are queues, as objects ([`MessageQueue`]).
//!
//! Java 4.7.0 `common/admin/{TopicStatsTable,TopicOffset,ConsumeStats,OffsetWrapper}.java`,
//! `common/protocol/body/{QueryConsumeTimeSpanBody,QueueTimeSpan}.java`. Of a time span we leave out the three texts that
//! Java adds for people (`minTimeStampStr` …): no client of Java's reads them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::MessageQueue;

/// The answer to 202.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicStatsTable {
    /// Where each queue begins and ends.
    pub offset_table: BTreeMap<MessageQueue, TopicOffset>,
}

/// Where a queue begins and ends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicOffset {
    /// When its last message was stored, ms since 1970; 0 for an empty queue.
    pub last_update_timestamp: i64,
    /// Behind its last message.
    pub max_offset: i64,
    /// Its first message.
    pub min_offset: i64,
}

/// The answer to 208.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeStats {
    /// Messages a second that the group gets.
    pub consume_tps: f64,
    /// How far it is in each queue.
    pub offset_table: BTreeMap<MessageQueue, OffsetWrapper>,
}

/// How far a group is in a queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OffsetWrapper {
    /// Behind the queue's last message.
    pub broker_offset: i64,
    /// The next message that the group gets.
    pub consumer_offset: i64,
    /// When the message before that was stored, ms since 1970; 0 where there is none.
    pub last_timestamp: i64,
}

/// The answer to 303.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryConsumeTimeSpanBody {
    /// One for each queue.
    pub consume_time_span_set: Vec<QueueTimeSpan>,
}

/// How far a group is in a queue, in time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueTimeSpan {
    /// When the last message that the group got was stored, ms since 1970.
    pub consume_time_stamp: i64,
    /// How long the next one has been waiting, ms.
    pub delay_time: i64,
    /// When the last message was stored, ms since 1970; −1 where there is none.
    pub max_time_stamp: i64,
    /// The queue.
    pub message_queue: MessageQueue,
    /// When the first message was stored, ms since 1970; −1 where there is none.
    pub min_time_stamp: i64,
}

#[cfg(test)]
mod tests {
    use super::super::assert_java;
    use super::*;

    fn queue() -> MessageQueue {
        MessageQueue {
            broker_name: "b".into(),
            queue_id: 0,
            topic: "T".into(),
        }
    }

    #[test]
    fn javas_tables_by_queue_survive() {
        let topic = TopicOffset {
            last_update_timestamp: 1_700_000_000_000,
            max_offset: 7,
            min_offset: 2,
        };
        let topics = TopicStatsTable {
            offset_table: BTreeMap::from([(queue(), topic)]),
        };
        assert_java(
            &topics,
            r#"{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"lastUpdateTimestamp":1700000000000,"maxOffset":7,"minOffset":2}}}"#,
        );
        let offset = OffsetWrapper {
            broker_offset: 7,
            consumer_offset: 3,
            last_timestamp: 1_700_000_000_000,
        };
        let stats = ConsumeStats {
            consume_tps: 0.0,
            offset_table: BTreeMap::from([(queue(), offset)]),
        };
        assert_java(
            &stats,
            r#"{"consumeTps":0.0,"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"brokerOffset":7,"consumerOffset":3,"lastTimestamp":1700000000000}}}"#,
        );
    }
}
