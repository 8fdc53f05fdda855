//! What a heartbeat or a first send makes, is on disk when it is answered; what it may say is bounded.

mod support;

use remoting::Command;
use remoting::body::heartbeat::{ConsumerData, HeartbeatData, ProducerData, SubscriptionData};
use remoting::code::request;
use remoting::java::json;
use support::{Fixture, heartbeat, message, send, subscription};

fn producers(client_id: &str, groups: impl Iterator<Item = String>) -> HeartbeatData {
    HeartbeatData {
        client_id: client_id.to_owned(),
        producer_data_set: groups
            .map(|group_name| ProducerData { group_name })
            .collect(),
        ..HeartbeatData::default()
    }
}

fn consumers(groups: usize, subscriptions: &[SubscriptionData]) -> HeartbeatData {
    let consumer = |number| ConsumerData {
        group_name: format!("Group-{number}"),
        subscription_data_set: subscriptions.to_vec(),
        ..ConsumerData::default()
    };
    HeartbeatData {
        client_id: "c".to_owned(),
        consumer_data_set: (0..groups).map(consumer).collect(),
        ..HeartbeatData::default()
    }
}

fn beat(data: &HeartbeatData) -> Command {
    Command::request(request::HEART_BEAT).with_body(json::write(data))
}

#[tokio::test]
async fn a_heartbeat_of_many_new_groups_saves_them_once_and_is_answered_afterwards() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let reply = client.call(beat(&consumers(1000, &[]))).await;
    assert_eq!(reply.code, 0, "{:?}", reply.remark);
    let config = |file: &str| {
        let path = fixture.folder.path().join("config").join(file);
        std::fs::read_to_string(path).expect("there")
    };
    let (groups, topics) = (config("subscriptionGroup.json"), config("topics.json"));
    for number in 0..1000 {
        assert!(groups.contains(&format!("\"Group-{number}\"")), "{number}");
        assert!(
            topics.contains(&format!("\"%RETRY%Group-{number}\"")),
            "{number}"
        );
    }
    let backup = fixture
        .folder
        .path()
        .join("config/subscriptionGroup.json.bak");
    assert!(!backup.exists(), "there was one save, and none before it");
}

#[tokio::test]
async fn a_first_send_is_answered_when_its_topic_is_on_disk() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    for topic in ["First", "Second", "Third"] {
        client.send(send(&message(topic, ""), b"x")).await;
        let path = fixture.folder.path().join("config/topics.json");
        let text = std::fs::read_to_string(path).expect("there");
        assert!(text.contains(topic));
    }
}

#[tokio::test]
async fn many_new_topics_at_once_are_all_answered_and_saved() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let mut waiting = std::collections::BTreeSet::new();
    for number in 0..300 {
        let topic = format!("Topic-{number}");
        waiting.insert(client.write(send(&message(&topic, ""), b"x")).await);
    }
    while !waiting.is_empty() {
        let reply = client.read().await.expect("an answer");
        assert_eq!(reply.code, 0, "{:?}", reply.remark);
        assert!(waiting.remove(&reply.opaque));
    }
    let text = std::fs::read_to_string(fixture.folder.path().join("config/topics.json"));
    let text = text.expect("there");
    assert!((0..300).all(|number| text.contains(&format!("\"Topic-{number}\""))));
}

#[tokio::test]
async fn what_no_client_says_is_refused_with_a_sentence_and_nothing_is_kept() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let one = || std::iter::once("P".to_owned());
    let long = subscription(&"t".repeat(256), &[], 1);
    let many: Vec<_> = (0..41)
        .map(|at| subscription(&format!("T{at}"), &[], 1))
        .collect();
    let refused = [
        producers(&"c".repeat(1025), one()),
        producers("c", (0..1025).map(|at| format!("P{at}"))),
        producers("c", std::iter::once("../../x".to_owned())),
        producers("c", std::iter::once(String::new())),
        producers("c", std::iter::once("a\nb".to_owned())),
        producers("c", std::iter::once("g".repeat(256))),
        consumers(1, &[long]),
        consumers(100, &many),
        producers(&"c".repeat(2 << 20), one()),
    ];
    for data in refused {
        let reply = client.call(beat(&data)).await;
        let remark = reply.remark.unwrap_or_default();
        assert_eq!(reply.code, 1, "{remark}");
        assert!(remark.starts_with("the heartbeat "), "{remark}");
    }
    assert_eq!(fixture.running.broker().connected_groups(), (0, 0));
    let longest = producers(&"c".repeat(1024), (0..1024).map(|at| format!("P{at}")));
    assert_eq!(client.call(beat(&longest)).await.code, 0);
    let reply = client.call(heartbeat("c", "odd.group:1", vec![])).await;
    assert_eq!(
        reply.code, 0,
        "other clients make odd groups: {:?}",
        reply.remark
    );
}
