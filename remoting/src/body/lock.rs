//! Queues that an orderly consumer holds: the bodies of 41 and 42, and the answer to 41.
//!
//! The question is the same for both codes. The rule that is easy to break: the answer names the queues that the client
//! holds from now on; what it does not name is taken from the client, so an answer without a body means "none".
//!
//! Java 4.7.0 `common/protocol/body/LockBatchRequestBody.java`, `UnlockBatchRequestBody.java`,
//! `LockBatchResponseBody.java`. 5.x adds `onlyThisBroker`, which is for brokers that hold locks for each other.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::MessageQueue;

/// 41: a client wants these queues for itself, or wants to keep them. 42: it gives them back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockBatchBody {
    /// Client id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Consumer group: each has locks of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_group: Option<String>,
    /// The queues, Java's `mqSet`.
    #[serde(rename = "mqSet")]
    pub queues: BTreeSet<MessageQueue>,
}

/// The answer to 41.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockBatchReply {
    /// The queues of the question that the client holds now, Java's `lockOKMQSet`.
    #[serde(rename = "lockOKMQSet")]
    pub held: BTreeSet<MessageQueue>,
}

#[cfg(test)]
mod tests {
    use super::super::assert_java;
    use super::*;
    use crate::java::json::read;

    fn queue() -> MessageQueue {
        MessageQueue {
            broker_name: "b".into(),
            queue_id: 1,
            topic: "T".into(),
        }
    }

    fn question() -> LockBatchBody {
        LockBatchBody {
            client_id: Some("c".into()),
            consumer_group: Some("G".into()),
            queues: [queue()].into(),
        }
    }

    #[test]
    fn javas_question_and_answer_survive() {
        assert_java(
            &question(),
            r#"{"clientId":"c","consumerGroup":"G","mqSet":[{"brokerName":"b","queueId":1,"topic":"T"}]}"#,
        );
        let reply = LockBatchReply {
            held: [queue()].into(),
        };
        assert_java(
            &reply,
            r#"{"lockOKMQSet":[{"brokerName":"b","queueId":1,"topic":"T"}]}"#,
        );
        assert_java(&LockBatchReply::default(), r#"{"lockOKMQSet":[]}"#);
    }

    #[test]
    fn what_5_x_adds_is_passed_over_and_what_is_missing_is_seen() {
        let newer = br#"{"clientId":"c","consumerGroup":"G","mqSet":[{"brokerName":"b","queueId":1,"topic":"T"}],"onlyThisBroker":false}"#;
        assert_eq!(read::<LockBatchBody>(newer), Ok(question()));
        let bare = read::<LockBatchBody>(b"{\"mqSet\":null}");
        assert_eq!(bare, Ok(LockBatchBody::default()));
    }
}
