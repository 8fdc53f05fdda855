//! Queue locks over the wire.

mod support;

use remoting::Command;
use remoting::body::MessageQueue;
use remoting::body::lock::{LockBatchBody, LockBatchReply};
use remoting::code::request;
use remoting::java::json;
use support::{Fixture, Wire};

fn queue(queue_id: i32) -> MessageQueue {
    MessageQueue {
        broker_name: "broker-a".to_owned(),
        queue_id,
        topic: "T".to_owned(),
    }
}

fn asking(code: i32, client: &str, queues: &[i32]) -> Command {
    Command::request(code).with_body(json::write(&LockBatchBody {
        client_id: Some(client.to_owned()),
        consumer_group: Some("G".to_owned()),
        queues: queues.iter().copied().map(queue).collect(),
    }))
}

/// The queues that a client is told it holds.
async fn lock(wire: &mut Wire, client: &str, queues: &[i32]) -> Vec<i32> {
    let reply = wire
        .call(asking(request::LOCK_BATCH_MQ, client, queues))
        .await;
    assert_eq!(reply.code, 0, "{:?}", reply.remark);
    let held: LockBatchReply = json::read(&reply.body.into_bytes()).expect("a body");
    held.held.into_iter().map(|queue| queue.queue_id).collect()
}

#[tokio::test]
async fn names_that_no_client_has_are_refused_and_not_kept() {
    let fixture = Fixture::new().await;
    let mut wire = fixture.client().await;
    let body = |topic_bytes: usize, group_bytes: usize, client_bytes: usize| {
        json::write(&LockBatchBody {
            client_id: Some("c".repeat(client_bytes)),
            consumer_group: Some("G".repeat(group_bytes)),
            queues: [MessageQueue {
                topic: "T".repeat(topic_bytes),
                ..queue(0)
            }]
            .into(),
        })
    };
    for code in [request::LOCK_BATCH_MQ, request::UNLOCK_BATCH_MQ] {
        for (topic, group, client, expected) in [
            (255, 255, 1024, 0),
            (256, 1, 1, 1),
            (1, 256, 1, 1),
            (1, 1, 1025, 1),
        ] {
            let request = Command::request(code).with_body(body(topic, group, client));
            assert_eq!(wire.call(request).await.code, expected);
        }
    }
}

#[tokio::test]
async fn a_client_is_told_what_it_holds_and_gives_it_back_with_or_without_an_answer() {
    let fixture = Fixture::new().await;
    let (mut first, mut second) = (fixture.client().await, fixture.client().await);
    assert_eq!(lock(&mut first, "a", &[0, 1, 2]).await, [0, 1, 2]);
    assert_eq!(lock(&mut second, "b", &[1, 2, 3]).await, [3]);
    let unlocked = first
        .call(asking(request::UNLOCK_BATCH_MQ, "a", &[1]))
        .await;
    assert_eq!((unlocked.code, unlocked.remark), (0, None));
    assert_eq!(lock(&mut second, "b", &[1, 2, 3]).await, [1, 3]);
    let one_way = asking(request::UNLOCK_BATCH_MQ, "a", &[2]).oneway();
    first.write(one_way).await;
    // Served in their order on one connection; the other one asks after that.
    assert_eq!(lock(&mut first, "a", &[0]).await, [0]);
    assert_eq!(lock(&mut second, "b", &[0, 1, 2, 3]).await, [1, 2, 3]);
}

#[tokio::test]
async fn a_lock_does_not_end_with_its_connection() {
    let fixture = Fixture::new().await;
    let mut first = fixture.client().await;
    assert_eq!(lock(&mut first, "a", &[0]).await, [0]);
    drop(first);
    let mut second = fixture.client().await;
    assert_eq!(lock(&mut second, "b", &[0]).await, [0; 0]);
    assert_eq!(lock(&mut second, "a", &[0]).await, [0], "back on another");
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_refused_and_costs_nothing_else() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    for code in [request::LOCK_BATCH_MQ, request::UNLOCK_BATCH_MQ] {
        for body in [
            &b""[..],
            b"{",
            b"[]",
            b"{\"clientId\":\"a\",\"mqSet\":[]}",
            b"{\"consumerGroup\":\"G\",\"mqSet\":[]}",
            b"{\"clientId\":\"a\",\"consumerGroup\":\"G\",\"mqSet\":7}",
        ] {
            let refused = client
                .call(Command::request(code).with_body(body.to_vec()))
                .await;
            let text = String::from_utf8_lossy(body).into_owned();
            assert_eq!(refused.code, 1, "{text}");
            assert!(refused.body.is_empty(), "{text}");
        }
    }
    assert_eq!(lock(&mut client, "a", &[0]).await, [0]);
}
