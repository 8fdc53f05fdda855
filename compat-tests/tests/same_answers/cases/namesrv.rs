//! The name server's requests, but for its own configuration (318, 319), which the two do not share.

use remoting::code::request;

use crate::case::Case;
use crate::server::Server;

const BODY: &str = r#"{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":{"counter":1,"timestamp":1700000000000},"topicConfigTable":{"T":{"order":false,"perm":6,"readQueueNums":4,"topicFilterType":"SINGLE_TAG","topicName":"T","topicSysFlag":1,"writeQueueNums":4}}}}"#;

pub(crate) fn prepare(server: &mut Server) {
    server.ask_namesrv();
    server.sure(&register());
}

/// 103
fn register() -> Case {
    let fields = [
        ("brokerName", "b"),
        ("brokerAddr", "10.0.0.1:10911"),
        ("clusterName", "c"),
        ("haServerAddr", "10.0.0.1:10912"),
        ("brokerId", "0"),
        ("compressed", "false"),
        ("bodyCrc32", "0"),
    ];
    Case::new("103", request::REGISTER_BROKER, &fields).body(BODY)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = tables();
    let put = [("namespace", "N"), ("key", "k"), ("value", "v")];
    cases.extend(Case::new("100", request::PUT_KV_CONFIG, &put).damaged());
    let entry = [("namespace", "N"), ("key", "k")];
    cases.extend(Case::new("101", request::GET_KV_CONFIG, &entry).damaged());
    let space = [("namespace", "N")];
    cases.extend(Case::new("219", request::GET_KVLIST_BY_NAMESPACE, &space).damaged());
    cases.extend(Case::new("102", request::DELETE_KV_CONFIG, &entry).damaged());
    let topic = [("topic", "T")];
    cases.extend(Case::new("105", request::GET_ROUTEINFO_BY_TOPIC, &topic).damaged());
    let version = [
        ("brokerName", "b"),
        ("brokerAddr", "10.0.0.1:10911"),
        ("clusterName", "c"),
        ("brokerId", "0"),
    ];
    let version = Case::new("322", request::QUERY_DATA_VERSION, &version);
    let version = version.body(r#"{"counter":1,"timestamp":1700000000000}"#);
    cases.extend(version.clone().with_damaged_bodies());
    cases.extend(version.damaged());
    let wipe = [("brokerName", "b")];
    cases.extend(Case::new("205", request::WIPE_WRITE_PERM_OF_BROKER, &wipe).damaged());
    let leave = [
        ("brokerName", "z"),
        ("brokerAddr", "10.0.0.9:1"),
        ("clusterName", "c"),
        ("brokerId", "0"),
    ];
    cases.extend(Case::new("104", request::UNREGISTER_BROKER, &leave).damaged());
    cases.extend(register().with_damaged_bodies());
    cases.extend(register().damaged());
    let forget = [("topic", "T")];
    cases.extend(Case::new("216", request::DELETE_TOPIC_IN_NAMESRV, &forget).damaged());
    cases.extend(tables());
    cases
}

/// What is asked without a header, and the topics of a cluster.
fn tables() -> Vec<Case> {
    let cluster = [("cluster", "c")];
    let mut cases = Case::new("224", request::GET_TOPICS_BY_CLUSTER, &cluster).damaged();
    for (name, code) in [
        ("311", request::GET_UNIT_TOPIC_LIST),
        ("312", request::GET_HAS_UNIT_SUB_TOPIC_LIST),
        ("313", request::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST),
    ] {
        cases.push(Case::new(name, code, &[]));
    }
    cases
}
