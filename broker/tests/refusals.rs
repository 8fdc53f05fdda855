//! What is refused, with Java's codes and words; and what a wrong request costs, which is itself.

mod support;

use bytes::{BufMut, BytesMut};
use remoting::Command;
use remoting::code::request;
use remoting::header::pull::PullRequest;
use remoting::header::send::SendRequest;
use support::{Fixture, Wire, ask, heartbeat, message, pull, pulling, send, subscription};

const FAQ: &str = "\nSee http://rocketmq.apache.org/docs/faq/ for further details.";

/// Code and remark of an answer.
async fn answer(client: &mut Wire, request: Command) -> (i32, String) {
    let reply = client.call(request).await;
    (reply.code, reply.remark.unwrap_or_default())
}

#[tokio::test]
async fn sends_are_refused_in_javas_words() {
    let fixture = Fixture::with(|config| config.store.max_message_bytes = 1000).await;
    let mut client = fixture.client().await;
    let to = |topic: &'static str| message(topic, "");
    let blank = answer(&mut client, send(&to(" "), b"x")).await;
    assert_eq!(blank, (1, "The specified topic is blank.".to_owned()));
    let walk = answer(&mut client, send(&to("../../x"), b"x")).await;
    assert_eq!(walk.0, 1);
    assert!(walk.1.starts_with(
        "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
    ));
    let template = answer(&mut client, send(&to("TBW102"), b"x")).await;
    assert_eq!(
        template,
        (
            1,
            "The specified topic is conflict with AUTO_CREATE_TOPIC_KEY_TOPIC.".to_owned()
        )
    );
    let unknown = SendRequest {
        default_topic: "nowhere".into(),
        ..to("T")
    };
    let unknown = answer(&mut client, send(&unknown, b"x")).await;
    assert_eq!(
        unknown,
        (17, format!("topic[T] not exist, apply first please!{FAQ}"))
    );
    client.send(send(&to("T"), b"x")).await;
    let beyond = SendRequest {
        queue_id: 4,
        ..to("T")
    };
    let (code, remark) = answer(&mut client, send(&beyond, b"x")).await;
    let words = "request queueId[4] is illegal, TopicConfig [topicName=T, readQueueNums=4, writeQueueNums=4, \
                 perm=RW-, topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false] Producer: 127.0.0.1:";
    assert_eq!(code, 1);
    assert!(remark.starts_with(words), "{remark}");
    let (code, remark) = answer(&mut client, send(&to("T"), &[0; 1000])).await;
    assert_eq!(code, 13);
    assert!(
        remark.starts_with(
            "the message is illegal, maybe msg body or properties length not matched."
        ),
        "{remark}"
    );
    let long = "p".repeat(32_768);
    assert_eq!(
        answer(&mut client, send(&message("T", &long), b"x"))
            .await
            .0,
        13
    );
    let missing = ask(request::SEND_MESSAGE_V2, &[("a", "P")]);
    assert_eq!(
        answer(&mut client, missing).await,
        (1, "the custom field <topic> is null".to_owned())
    );
}

#[tokio::test]
async fn an_unknown_code_is_refused() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let refused = answer(&mut client, ask(9999, &[])).await;
    assert_eq!(refused, (3, " request type 9999 not supported".to_owned()));
}

#[tokio::test]
async fn a_message_sent_to_its_retry_topic_too_often_goes_to_the_dead_letters() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let retried = |times, most| SendRequest {
        reconsume_times: times,
        max_reconsume_times: most,
        ..message("%RETRY%G", "")
    };
    client.send(send(&retried(1, Some(2)), b"again")).await;
    client.send(send(&retried(2, Some(2)), b"dead")).await;
    client.send(send(&retried(15, None), b"again")).await;
    let waits = SendRequest {
        properties: "DELAY\u{1}18\u{2}".into(),
        ..retried(16, None)
    };
    client.send(send(&waits, b"dead")).await;
    let broker = fixture.running.broker();
    let settled = async {
        while (
            broker.queue_end("%RETRY%G", 0),
            broker.queue_end("%DLQ%G", 0),
        ) != (2, 2)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(support::PATIENCE, settled)
        .await
        .expect("two and two");
}

#[tokio::test]
async fn a_send_to_the_retry_topic_of_no_group_is_refused() {
    let fixture = Fixture::with(|config| config.auto_create_subscription_group = false).await;
    let mut client = fixture.client().await;
    let refused = answer(&mut client, send(&message("%RETRY%G", ""), b"x")).await;
    assert_eq!(
        refused,
        (26, format!("subscription group not exist, G {FAQ}"))
    );
    let refused = answer(&mut client, pulling(&pull("BenchmarkTest", "G", 0))).await;
    assert_eq!(
        refused,
        (26, format!("subscription group [G] does not exist, {FAQ}"))
    );
}

#[tokio::test]
async fn pulls_are_refused_in_javas_words() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    client.send(send(&message("T", ""), b"x")).await;
    let plain = |pull: PullRequest<'static>| {
        pulling(&PullRequest {
            sys_flag: 0,
            ..pull
        })
    };
    let unknown = answer(&mut client, pulling(&pull("U", "G", 0))).await;
    assert_eq!(
        unknown,
        (17, format!("topic[U] not exist, apply first please! {FAQ}"))
    );
    let beyond = PullRequest {
        queue_id: 4,
        ..pull("T", "G", 0)
    };
    let (code, remark) = answer(&mut client, pulling(&beyond)).await;
    assert_eq!(code, 1);
    assert!(remark.starts_with(
        "queueId[4] is illegal, topic:[T] topicConfig.readQueueNums:[4] consumer:[/127.0.0.1:"
    ));
    let nobody = answer(&mut client, plain(pull("T", "G", 0))).await;
    assert_eq!(
        nobody,
        (24, format!("the consumer's group info not exist{FAQ}"))
    );
    client
        .call(heartbeat("c", "G", vec![subscription("U", &[], 5)]))
        .await;
    let other = answer(&mut client, plain(pull("T", "G", 0))).await;
    assert_eq!(
        other,
        (24, format!("the consumer's subscription not exist{FAQ}"))
    );
    client
        .call(heartbeat("c", "G", vec![subscription("T", &[], 5)]))
        .await;
    let newer = PullRequest {
        sub_version: 6,
        ..pull("T", "G", 0)
    };
    let newer = answer(&mut client, plain(newer)).await;
    assert_eq!(
        newer,
        (25, "the consumer's subscription not latest".to_owned())
    );
}

#[tokio::test]
async fn expressions_that_are_no_tags_or_no_expression_are_refused() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    client.send(send(&message("T", ""), b"x")).await;
    let sql = PullRequest {
        expression_type: Some("SQL92".into()),
        subscription: Some("a>1".into()),
        ..pull("T", "G", 0)
    };
    let sql = answer(&mut client, pulling(&sql)).await;
    assert_eq!(
        sql,
        (
            1,
            "The broker does not support consumer to filter message by SQL92".to_owned()
        )
    );
    let bars = PullRequest {
        subscription: Some("||".into()),
        ..pull("T", "G", 0)
    };
    let bars = answer(&mut client, pulling(&bars)).await;
    assert_eq!(
        bars,
        (23, "parse the consumer's subscription failed".to_owned())
    );
    let missing = ask(request::PULL_MESSAGE, &[("consumerGroup", "G")]);
    assert_eq!(
        answer(&mut client, missing).await,
        (1, "the custom field <topic> is null".to_owned())
    );
}

#[tokio::test]
async fn groups_and_brokers_that_may_not_read_get_16() {
    let fixture = Fixture::with(|config| config.broker_permission = 2).await;
    let mut client = fixture.client().await;
    let refused = answer(&mut client, pulling(&pull("T", "G", 0))).await;
    assert_eq!(
        refused,
        (
            16,
            "the broker[127.0.0.1] pulling message is forbidden".to_owned()
        )
    );

    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    client.send(send(&message("T", ""), b"x")).await;
    let group = br#"{"consumeEnable":false,"groupName":"G"}"#;
    let update =
        Command::request(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP).with_body(group.to_vec());
    assert_eq!(client.call(update).await.code, 0);
    let refused = answer(&mut client, pulling(&pull("T", "G", 0))).await;
    assert_eq!(
        refused,
        (16, "subscription group no permission, G".to_owned())
    );
    let write_only = ask(
        request::UPDATE_AND_CREATE_TOPIC,
        &[
            ("topic", "T"),
            ("readQueueNums", "4"),
            ("writeQueueNums", "4"),
            ("perm", "2"),
            ("topicFilterType", "SINGLE_TAG"),
        ],
    );
    assert_eq!(client.call(write_only).await.code, 0);
    let refused = answer(&mut client, pulling(&pull("T", "H", 0))).await;
    assert_eq!(
        refused,
        (16, "the topic[T] pulling message is forbidden".to_owned())
    );
}

#[tokio::test]
async fn topics_are_made_by_hand_but_not_over_the_clusters_own() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let create = |topic: &'static str| {
        let queues = [
            ("readQueueNums", "8"),
            ("writeQueueNums", "8"),
            ("perm", "6"),
            ("topicFilterType", "SINGLE_TAG"),
        ];
        let fields: Vec<_> = [("topic", topic), ("defaultTopic", "TBW102")]
            .into_iter()
            .chain(queues)
            .collect();
        ask(request::UPDATE_AND_CREATE_TOPIC, &fields)
    };
    assert_eq!(client.call(create("T")).await.code, 0);
    assert_eq!(
        client
            .send(send(
                &SendRequest {
                    queue_id: 7,
                    ..message("T", "")
                },
                b"x"
            ))
            .await
            .queue_id,
        7
    );
    let reserved = answer(&mut client, create("DefaultCluster")).await;
    assert_eq!(
        reserved,
        (
            1,
            "the topic[DefaultCluster] is conflict with system reserved words.".to_owned()
        )
    );
    assert_eq!(answer(&mut client, create("a/b")).await.0, 1);
}

#[tokio::test]
async fn topics_are_deleted_with_their_offsets_but_not_the_brokers_own() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    client.send(send(&message("T", ""), b"x")).await;
    let delete = |topic: &'static str| ask(request::DELETE_TOPIC_IN_BROKER, &[("topic", topic)]);
    let update = [
        ("consumerGroup", "G"),
        ("topic", "T"),
        ("queueId", "0"),
        ("commitOffset", "5"),
    ];
    client
        .call(ask(request::UPDATE_CONSUMER_OFFSET, &update))
        .await;
    assert_eq!(client.call(delete("T")).await.code, 0);
    let query = ask(request::QUERY_CONSUMER_OFFSET, &update[..3]);
    assert_eq!(
        client.call(query).await.fields.get("offset").as_deref(),
        Some("0"),
        "its offsets are gone"
    );
    assert_eq!(answer(&mut client, pulling(&pull("T", "G", 0))).await.0, 17);
    for system in [
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "TBW102",
        "DefaultCluster",
        "broker-a",
    ] {
        let refused = answer(&mut client, delete(system)).await;
        assert_eq!(
            refused,
            (
                1,
                format!("The topic[{system}] is conflict with system topic.")
            )
        );
    }
}

#[tokio::test]
async fn a_wrong_request_costs_itself_and_a_wrong_frame_its_connection() {
    let fixture = Fixture::new().await;
    let (mut good, mut bad) = (fixture.client().await, fixture.client().await);
    let torn = Command::request(request::HEART_BEAT).with_body(b"{\"clientID\":".to_vec());
    assert_eq!(bad.call(torn).await.code, 1);
    bad.send(send(&message("T", ""), b"the connection goes on"))
        .await;

    let mut endless = BytesMut::new();
    endless.put_u32(u32::MAX);
    bad.write_bytes(&endless).await;
    assert!(bad.read().await.is_none(), "closed");
    good.send(send(&message("T", ""), b"the others go on"))
        .await;

    let mut garbage = fixture.client().await;
    garbage
        .write_bytes(&[0, 0, 0, 8, 9, 0, 0, 4, 1, 2, 3, 4])
        .await;
    assert!(garbage.read().await.is_none(), "closed");
    good.send(send(&message("T", ""), b"the others go on"))
        .await;
}
