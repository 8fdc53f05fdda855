//! One queue of one topic on one broker; in Java's tables of offsets it is the key, as an object.
//!
//! Java 4.7.0 `common/message/MessageQueue.java`.

use serde::{Deserialize, Serialize};

/// A queue as clients and consoles name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageQueue {
    /// Name of the broker set.
    pub broker_name: String,
    /// Number of the queue, from 0.
    pub queue_id: i32,
    /// Topic.
    pub topic: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::assert_java;
    use super::*;

    #[test]
    fn a_queue_is_an_objects_key_as_java_prints_it() {
        let queue = MessageQueue {
            broker_name: "b".into(),
            queue_id: 0,
            topic: "T".into(),
        };
        let table = BTreeMap::from([("offsetTable".to_owned(), BTreeMap::from([(queue, 7)]))]);
        assert_java(
            &table,
            r#"{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:7}}"#,
        );
    }
}
