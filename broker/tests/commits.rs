//! Which commits are kept, whatever way they come.

mod support;

use remoting::Command;
use remoting::code::request;
use support::{
    COMMIT, Fixture, ask, at_once, heartbeat, message, pull, pulling, send, subscription,
};

fn commit(group: &str, topic: &str, queue_id: &str, offset: &str) -> Command {
    let fields = [
        ("consumerGroup", group),
        ("topic", topic),
        ("queueId", queue_id),
        ("commitOffset", offset),
    ];
    ask(request::UPDATE_CONSUMER_OFFSET, &fields)
}

fn saved(folder: &std::path::Path) -> String {
    std::fs::read_to_string(folder.join("config/consumerOffset.json")).expect("saved")
}

#[tokio::test]
async fn a_commit_for_no_queue_of_ours_is_answered_and_not_kept() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    client.send(send(&message("T", ""), b"x")).await; // four queues
    client
        .call(heartbeat("c", "G", vec![subscription("T", &[], 1)]))
        .await;
    for (group, topic, queue_id) in [
        ("G", "../../T1", "0"),
        ("G", "Nowhere", "0"),
        ("G", "T", "4"),
        ("G", "T", "-1"),
        ("G", "T", "2147483647"),
        ("../../g", "T", "0"),
        (" ", "T", "0"),
    ] {
        let reply = client.call(commit(group, topic, queue_id, "7")).await;
        assert_eq!(reply.code, 0, "{group} {topic} {queue_id}");
    }
    let mut elsewhere = at_once(pull("Nowhere", "G", 0));
    elsewhere.sys_flag |= COMMIT;
    elsewhere.commit_offset = 7;
    client.call(pulling(&elsewhere)).await;
    client.call(commit("G", "T", "3", "5")).await;
    client.call(commit("G", "%RETRY%G", "0", "6")).await;
    let folder = fixture.folder;
    assert!(fixture.running.stop().await);
    let text: String = saved(folder.path())
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    assert_eq!(
        text,
        "{\"offsetTable\":{\"%RETRY%G@G\":{0:6},\"T@G\":{3:5}}}"
    );
}

#[tokio::test]
async fn a_queue_that_is_only_written_or_only_read_keeps_its_commits() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let queues = |read, write| {
        let fields = [
            ("topic", "T"),
            ("readQueueNums", read),
            ("writeQueueNums", write),
            ("perm", "6"),
            ("topicFilterType", "SINGLE_TAG"),
        ];
        ask(request::UPDATE_AND_CREATE_TOPIC, &fields)
    };
    let kept = async |client: &mut support::Wire, queue_id| {
        client.call(commit("G", "T", queue_id, "5")).await;
        let fields = [
            ("consumerGroup", "G"),
            ("topic", "T"),
            ("queueId", queue_id),
        ];
        let reply = client
            .call(ask(request::QUERY_CONSUMER_OFFSET, &fields))
            .await;
        reply.fields.get("offset").as_deref() == Some("5")
    };
    assert_eq!(client.call(queues("4", "8")).await.code, 0);
    assert!(kept(&mut client, "7").await);
    assert_eq!(client.call(queues("8", "4")).await.code, 0);
    assert!(kept(&mut client, "6").await);
    assert_eq!(client.call(queues("1", "1")).await.code, 0);
    assert!(kept(&mut client, "7").await, "it was consumed before");
    assert!(!kept(&mut client, "5").await);
    for (read, write) in [("0", "1"), ("1", "-1"), ("65536", "1"), ("1", "2147483647")] {
        let reply = client.call(queues(read, write)).await;
        assert_eq!(reply.code, 1, "{read} {write} {:?}", reply.remark);
    }
}
