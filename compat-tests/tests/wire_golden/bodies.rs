//! What stands behind the headers, and the same JSON in files.

use std::collections::BTreeMap;

use remoting::body::groups::{
    ConsumerListByGroup, SubscriptionGroupConfig, SubscriptionGroupWrapper,
};
use remoting::body::heartbeat::HeartbeatData;
use remoting::body::lock::LockBatchBody;
use remoting::body::offsets::ConsumerOffsetSerializeWrapper;
use remoting::body::register::RegisterBrokerBody;
use remoting::body::route::{ClusterInfo, TopicRouteData};
use remoting::body::topic_config::TopicConfigSerializeWrapper;
use remoting::body::topics::{KVTable, TopicList};
use remoting::body::{DataVersion, batch};
use remoting::java::json;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::frames::all;
use crate::golden::{hex, int, list, path, text};

fn body_of(name: &str) -> Vec<u8> {
    let all = all();
    let golden = all.iter().find(|golden| golden.name() == name);
    golden.unwrap_or_else(|| panic!("no frame {name}")).body()
}

/// Reads a body as its type, writes that again, and looks for everything Java said in it.
fn survives<T: DeserializeOwned + Serialize>(name: &str) -> T {
    let java = body_of(name);
    let read: T = json::read(&java).unwrap_or_else(|error| panic!("{name}: {error}"));
    let ours = json::write(&read);
    let java: Value = json::read(&java).expect("read once already");
    let written: Value = json::read(&ours).expect("we wrote it");
    assert_says(&written, &java, name);
    read
}

/// `ours` may say more than `java`: later versions have more fields. Lists of Java's sets come in any order.
fn assert_says(ours: &Value, java: &Value, place: &str) {
    match (ours, java) {
        (Value::Object(ours), Value::Object(java)) => {
            for (key, value) in java {
                let ours = ours.get(key);
                let ours = ours.unwrap_or_else(|| panic!("{place}: no {key}"));
                assert_says(ours, value, &format!("{place}.{key}"));
            }
        }
        (Value::Array(ours), Value::Array(java)) => {
            assert_eq!(ours.len(), java.len(), "{place}");
            for (ours, java) in sorted(ours).iter().zip(sorted(java)) {
                assert_says(ours, java, place);
            }
        }
        _ => assert_eq!(ours, java, "{place}"),
    }
}

fn sorted(list: &[Value]) -> Vec<&Value> {
    let mut sorted: Vec<_> = list.iter().collect();
    sorted.sort_by_cached_key(|value| value.to_string());
    sorted
}

#[test]
fn bodies_of_the_name_server_survive() {
    survives::<KVTable>("register_master_reply");
    survives::<KVTable>("kv_list_reply");
    for name in [
        "data_version_same_request",
        "data_version_same_reply",
        "data_version_changed_reply",
    ] {
        survives::<DataVersion>(name);
    }
    let route = survives::<TopicRouteData>("route_reply");
    assert_eq!(route.broker_datas.len(), 2);
    let ordered = survives::<TopicRouteData>("route_ordered_reply");
    assert_eq!(
        ordered.order_topic_conf.as_deref(),
        Some("broker-a:4;broker-b:4")
    );
    survives::<TopicRouteData>("route_after_wipe_reply");
    survives::<TopicRouteData>("route_after_unregister_reply");
    let cluster = survives::<ClusterInfo>("cluster_info_reply");
    assert_eq!(cluster.broker_addr_table.len(), 2);
    for name in [
        "all_topics_reply",
        "system_topics_reply",
        "unit_topics_reply",
        "topics_by_cluster_reply",
        "topics_by_unknown_cluster_reply",
    ] {
        survives::<TopicList>(name);
    }
}

#[test]
fn a_registration_reads_the_same_compressed_or_not() {
    let plain =
        RegisterBrokerBody::decode(&body_of("register_master_request"), false).expect("sound");
    let packed = RegisterBrokerBody::decode(&body_of("register_master_compressed_request"), true)
        .expect("sound");
    let mut less = plain.clone();
    for topic in less
        .topic_config_serialize_wrapper
        .topic_config_table
        .values_mut()
    {
        // Java's compressed form has no room for them.
        topic.order = false;
        topic.topic_sys_flag = 0;
    }
    assert_ne!(plain, less);
    assert_eq!(packed, less);
    let slave =
        RegisterBrokerBody::decode(&body_of("register_slave_request"), false).expect("sound");
    assert_eq!(slave.filter_server_list, ["10.0.0.2:30001"]);
    for (body, compressed) in [(&plain, false), (&packed, true)] {
        let again = RegisterBrokerBody::decode(&body.encode(compressed), compressed);
        assert_eq!(again.expect("we wrote it"), *body);
    }
}

#[test]
fn bodies_of_the_broker_survive() {
    let heartbeat = survives::<HeartbeatData>("heartbeat_request");
    assert_eq!(heartbeat.client_id, "10.0.0.1@100");
    assert_eq!(heartbeat.producer_data_set.len(), 2);
    let group = heartbeat.consumer_data_set.first().expect("one group");
    assert_eq!(group.subscription_data_set.len(), 3);
    assert_eq!(
        survives::<ConsumerListByGroup>("consumer_list_reply")
            .consumer_id_list
            .len(),
        2
    );
    let locks = survives::<LockBatchBody>("lock_batch_request");
    assert_eq!(locks.queues.len(), 2);
    survives::<SubscriptionGroupConfig>("create_group_request");
    survives::<SubscriptionGroupWrapper>("all_groups_reply");
    survives::<TopicConfigSerializeWrapper>("all_topic_configs_reply");
    survives::<ConsumerOffsetSerializeWrapper>("all_consumer_offsets_reply");
    survives::<KVTable>("broker_runtime_reply");
}

/// A broker of ours that starts on these files knows what Java's knew.
#[test]
fn the_broker_tables_on_disk_read_as_the_bodies_do() {
    fn on_disk<T: DeserializeOwned>(name: &str) -> T {
        let bytes = std::fs::read(path(&format!("store/config/{name}"))).expect("a golden file");
        json::read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
    let topics: TopicConfigSerializeWrapper = on_disk("topics.json");
    let topic = topics
        .topic_config_table
        .get("GoldenTopic")
        .expect("made by the client");
    assert_eq!(
        (topic.read_queue_nums, topic.write_queue_nums, topic.perm),
        (4, 4, 6)
    );
    let groups: SubscriptionGroupWrapper = on_disk("subscriptionGroup.json");
    let group = groups
        .subscription_group_table
        .get("golden_consumer")
        .expect("made by the client");
    assert_eq!((group.retry_queue_nums, group.retry_max_times), (2, 7));
    let offsets: ConsumerOffsetSerializeWrapper = on_disk("consumerOffset.json");
    let queues = offsets
        .offset_table
        .get("GoldenTopic@golden_consumer")
        .expect("committed");
    assert_eq!(queues.get(&0), Some(&2));
}

#[test]
fn a_batch_splits_into_the_messages_java_put_in() {
    let mut batches = 0;
    for golden in all() {
        if golden.facts.get("batch").is_none() {
            continue;
        };
        batches += 1;
        let messages = list(&golden.facts, "batch");
        let body = golden.body();
        let split = batch::decode(&body).expect("Java wrote it whole");
        assert_eq!(split.len(), messages.len());
        for (message, facts) in split.iter().zip(messages) {
            assert_eq!(i64::from(message.flag), int(facts, "flag"));
            assert_eq!(message.body, hex(text(facts, "bodyHex")));
            assert_eq!(properties(message.properties), expected_properties(facts));
        }
        assert_eq!(batch::encode(&split), body);
        for cut in 1..body.len() {
            let part = body.get(..cut).expect("within the body");
            let split = batch::decode(part);
            assert!(
                split.is_err() || cut_is_between_messages(&body, cut),
                "accepted a batch cut at byte {cut}"
            );
        }
    }
    assert!(batches >= 2);
}

fn cut_is_between_messages(body: &[u8], cut: usize) -> bool {
    let mut at = 0;
    while at < cut {
        let word = body.get(at..).and_then(<[u8]>::first_chunk::<4>);
        at += u32::from_be_bytes(*word.expect("a message has a length")) as usize;
    }
    at == cut
}

fn properties(text: &str) -> BTreeMap<String, String> {
    let pairs = remoting::properties::iter(text);
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn expected_properties(facts: &Value) -> BTreeMap<String, String> {
    let properties = facts.get("properties").and_then(Value::as_object);
    let properties = properties.expect("every message has them").iter();
    properties
        .map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()))
        .collect()
}
