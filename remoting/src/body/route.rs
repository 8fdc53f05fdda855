//! Where a topic's queues are, and which brokers there are: the answers to 105 and 106.
//!
//! ```text
//! TopicRouteData   queueDatas[]   one per broker set: how many queues, with which permission
//!                  brokerDatas[]  one per broker set: id → address, 0 is the master
//! ```
//!
//! The rule that is easy to break: a QueueData's flag is `topicSynFlag` to clients before 4.9.0 and
//! `topicSysFlag` to later ones. Both are written, either is read.
//!
//! Java 4.7.0 `common/protocol/route`, `common/protocol/body/ClusterInfo.java`.

use std::collections::{BTreeMap, BTreeSet};

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

/// All that a client needs to send to or pull from a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicRouteData {
    /// The broker sets that have the topic.
    pub broker_datas: Vec<BrokerData>,
    /// Filter servers by the address of their broker.
    pub filter_server_table: BTreeMap<String, Vec<String>>,
    /// For a globally ordered topic its queues, `broker:count;broker:count`.
    pub order_topic_conf: Option<String>,
    /// The topic's queues on each broker set.
    pub queue_datas: Vec<QueueData>,
}

/// The queues of a topic on one broker set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "AnyQueueData")]
pub struct QueueData {
    /// Name of the broker set.
    pub broker_name: String,
    /// Bits 4 read, 2 write, 1 inherit.
    pub perm: i32,
    /// Queues that are read.
    pub read_queue_nums: i32,
    /// Bits 1 unit, 2 unit subscription.
    pub topic_sys_flag: i32,
    /// Queues that are written.
    pub write_queue_nums: i32,
}

/// A QueueData with the flag under either name.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AnyQueueData {
    broker_name: String,
    perm: i32,
    read_queue_nums: i32,
    topic_syn_flag: i32,
    topic_sys_flag: Option<i32>,
    write_queue_nums: i32,
}

impl From<AnyQueueData> for QueueData {
    fn from(any: AnyQueueData) -> Self {
        QueueData {
            broker_name: any.broker_name,
            perm: any.perm,
            read_queue_nums: any.read_queue_nums,
            topic_sys_flag: any.topic_sys_flag.unwrap_or(any.topic_syn_flag),
            write_queue_nums: any.write_queue_nums,
        }
    }
}

impl Serialize for QueueData {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = to.serialize_struct("QueueData", 6)?;
        fields.serialize_field("brokerName", &self.broker_name)?;
        fields.serialize_field("perm", &self.perm)?;
        fields.serialize_field("readQueueNums", &self.read_queue_nums)?;
        fields.serialize_field("topicSynFlag", &self.topic_sys_flag)?;
        fields.serialize_field("topicSysFlag", &self.topic_sys_flag)?;
        fields.serialize_field("writeQueueNums", &self.write_queue_nums)?;
        fields.end()
    }
}

/// The brokers that share one name: a master and its slaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerData {
    /// Addresses `ip:port` by broker id; 0 is the master.
    pub broker_addrs: BTreeMap<i64, String>,
    /// Name of the broker set.
    pub broker_name: String,
    /// Name of the cluster.
    pub cluster: String,
}

/// All clusters and their brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterInfo {
    /// Broker sets by name.
    pub broker_addr_table: BTreeMap<String, BrokerData>,
    /// Names of the broker sets of each cluster.
    pub cluster_addr_table: BTreeMap<String, BTreeSet<String>>,
}

#[cfg(test)]
mod tests {
    use super::super::assert_java;
    use super::*;
    use crate::java::json::{read, write, write_standard};

    fn broker() -> BrokerData {
        BrokerData {
            broker_addrs: BTreeMap::from([
                (0, "10.0.0.1:10911".into()),
                (1, "10.0.0.2:10911".into()),
            ]),
            broker_name: "b".into(),
            cluster: "c".into(),
        }
    }

    fn route() -> TopicRouteData {
        let queues = QueueData {
            broker_name: "b".into(),
            perm: 6,
            read_queue_nums: 4,
            topic_sys_flag: 1,
            write_queue_nums: 4,
        };
        TopicRouteData {
            broker_datas: vec![broker()],
            filter_server_table: BTreeMap::from([(
                "10.0.0.1:10911".into(),
                vec!["10.0.0.1:30000".into()],
            )]),
            order_topic_conf: None,
            queue_datas: vec![queues],
        }
    }

    #[test]
    fn javas_route_is_read_and_ours_only_adds_the_new_name_of_the_flag() {
        let java = r#"{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"b","cluster":"c"}],"filterServerTable":{"10.0.0.1:10911":["10.0.0.1:30000"]},"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":4,"topicSynFlag":1,"writeQueueNums":4}]}"#;
        assert_eq!(read::<TopicRouteData>(java.as_bytes()), Ok(route()));
        let ours = java.replace(
            r#""topicSynFlag":1"#,
            r#""topicSynFlag":1,"topicSysFlag":1"#,
        );
        assert_java(&route(), &ours);
        assert_eq!(
            read::<TopicRouteData>(ours.replace("Syn", "Old").as_bytes()),
            Ok(route())
        );
    }

    #[test]
    fn a_route_without_filter_servers_has_the_empty_table() {
        let mut route = route();
        route.filter_server_table.clear();
        route.order_topic_conf = Some("b:4".into());
        let ours = String::from_utf8(write(&route)).unwrap();
        assert!(
            ours.contains(r#""filterServerTable":{},"orderTopicConf":"b:4","queueDatas":["#),
            "{ours}"
        );
    }

    #[test]
    fn the_standard_form_is_json_for_anyone() {
        let standard: serde_json::Value =
            serde_json::from_slice(&write_standard(&route())).unwrap();
        assert_eq!(
            standard["brokerDatas"][0]["brokerAddrs"]["0"],
            "10.0.0.1:10911"
        );
        assert_eq!(
            read::<TopicRouteData>(&write_standard(&route())),
            Ok(route())
        );
    }

    #[test]
    fn javas_cluster_info_survives() {
        let info = ClusterInfo {
            broker_addr_table: BTreeMap::from([("b".into(), broker())]),
            cluster_addr_table: BTreeMap::from([("c".into(), BTreeSet::from(["b".into()]))]),
        };
        assert_java(
            &info,
            r#"{"brokerAddrTable":{"b":{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"b","cluster":"c"}},"clusterAddrTable":{"c":["b"]}}"#,
        );
    }

    #[test]
    fn what_5_x_adds_to_a_route_is_passed_over() {
        let newer = br#"{"brokerDatas":[{"brokerAddrs":{"0":"a:1"},"brokerName":"b","cluster":"c","enableActingMaster":false,"zoneName":"z"}],"filterServerTable":{},"queueDatas":[],"topicQueueMappingByBroker":{"b":{"bname":"b","currIdMap":{0:1}}}}"#;
        let route = read::<TopicRouteData>(newer).unwrap();
        assert_eq!(route.broker_datas[0].broker_addrs[&0], "a:1");
    }
}
