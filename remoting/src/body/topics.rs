//! Plain lists and tables of names: 206, 224, 304, 305, 311–313, and 28, 219 and the answer to 103.
//!
//! Java 4.7.0 `common/protocol/body/{TopicList,KVTable}.java`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Topic names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicList {
    /// Only in the answer to 304: a broker that can be asked for its own system topics (305).
    pub broker_addr: Option<String>,
    /// The names.
    pub topic_list: BTreeSet<String>,
}

/// Strings by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KVTable {
    /// The entries.
    pub table: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::super::assert_java;
    use super::*;

    #[test]
    fn javas_lists_and_tables_survive() {
        let mut list = TopicList {
            broker_addr: None,
            topic_list: BTreeSet::from(["T".into()]),
        };
        assert_java(&list, r#"{"topicList":["T"]}"#);
        list.broker_addr = Some("x:1".into());
        assert_java(&list, r#"{"brokerAddr":"x:1","topicList":["T"]}"#);
        let table = KVTable {
            table: BTreeMap::from([("T".into(), "b:4;c:2".into())]),
        };
        assert_java(&table, r#"{"table":{"T":"b:4;c:2"}}"#);
        assert_java(&KVTable::default(), r#"{"table":{}}"#);
    }
}
