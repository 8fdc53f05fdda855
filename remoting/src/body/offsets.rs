//! Stored offsets: the answers to 43 and 45, `consumerOffset.json` and `delayOffset.json`.
//!
//! Java 4.7.0 `common/protocol/body/ConsumerOffsetSerializeWrapper.java`; the file has the same shape, from
//! `broker/offset/ConsumerOffsetManager.java`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All offsets a broker has stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerOffsetSerializeWrapper {
    /// By `topic@group` and queue number: the next message to consume.
    pub offset_table: BTreeMap<String, BTreeMap<i32, i64>>,
}

/// How far delayed messages are delivered. Java 4.7.0 `store/schedule/DelayOffsetSerializeWrapper.java`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DelayOffsetSerializeWrapper {
    /// By delay level: the next message to deliver.
    pub offset_table: BTreeMap<i32, i64>,
}

#[cfg(test)]
mod tests {
    use super::super::{assert_java, assert_java_file};
    use super::*;
    use crate::java::json::read;

    #[test]
    fn javas_offsets_survive_as_body_and_file() {
        let table = BTreeMap::from([
            ("E@G".to_owned(), BTreeMap::new()),
            ("T@G".to_owned(), BTreeMap::from([(0, 12), (1, 13)])),
        ]);
        let offsets = ConsumerOffsetSerializeWrapper {
            offset_table: table,
        };
        assert_java(&offsets, r#"{"offsetTable":{"E@G":{},"T@G":{0:12,1:13}}}"#);
        assert_java_file(
            &offsets,
            "{\n\t\"offsetTable\":{\n\t\t\"E@G\":{},\n\t\t\"T@G\":{0:12,1:13\n\t\t}\n\t}\n}",
        );
    }

    #[test]
    fn javas_delay_offsets_survive_as_body_and_file() {
        let offsets = DelayOffsetSerializeWrapper {
            offset_table: BTreeMap::from([(1, 10), (18, 5)]),
        };
        assert_java(&offsets, r#"{"offsetTable":{1:10,18:5}}"#);
        assert_java_file(&offsets, "{\n\t\"offsetTable\":{1:10,18:5\n\t}\n}");
    }

    #[test]
    fn a_file_of_5_x_with_quoted_queue_numbers_is_read() {
        let newer = br#"{"dataVersion":{"counter":1,"stateVersion":0,"timestamp":2},"offsetTable":{"T@G":{"0":"12"}}}"#;
        assert_eq!(
            read::<ConsumerOffsetSerializeWrapper>(newer)
                .unwrap()
                .offset_table["T@G"][&0],
            12
        );
    }
}
