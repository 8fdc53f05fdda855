//! Messages given back by their consumers (36): what is stored, where, and what is refused.

mod support;

use bytes::Bytes;
use remoting::body::groups::SubscriptionGroupConfig;
use remoting::body::topic_config::TopicConfigSerializeWrapper;
use remoting::code::request;
use remoting::header::send_back::SendBackRequest;
use remoting::java::json;
use remoting::{Command, properties};
use store::{FlushDiskType, Record};
use support::{Fixture, Wire, ask, at_once, bodies, message, pull, pulling, send, until};

const FAQ: &str = "\nSee http://rocketmq.apache.org/docs/faq/ for further details.";

/// A message given back for the first time, at the broker's choice of level.
fn back(offset: i64) -> SendBackRequest {
    SendBackRequest {
        offset,
        group: "G".to_owned(),
        delay_level: 0,
        max_reconsume_times: Some(16),
        ..SendBackRequest::default()
    }
}

fn giving(header: &SendBackRequest) -> Command {
    Command::request_with(request::CONSUMER_SEND_MSG_BACK, header)
}

async fn answer(client: &mut Wire, header: &SendBackRequest) -> (i32, Option<String>) {
    let reply = client.call(giving(header)).await;
    (reply.code, reply.remark)
}

/// The place in the log that a message id tells.
fn place(msg_id: &str) -> i64 {
    i64::from_str_radix(&msg_id[16..], 16).expect("hex")
}

/// The record at a place of the log; `None` where none begins.
async fn record_at(client: &mut Wire, offset: i64) -> Option<Bytes> {
    let asked = ask(
        request::VIEW_MESSAGE_BY_ID,
        &[("offset", &offset.to_string())],
    );
    let reply = client.call(asked).await;
    (reply.code == 0).then(|| reply.body.into_bytes())
}

/// What was stored behind the record at `offset`: where it lies, and its bytes.
async fn next(client: &mut Wire, offset: i64) -> Option<(i64, Bytes)> {
    let bytes = record_at(client, offset).await?;
    let behind = offset + bytes.len() as i64;
    Some((behind, record_at(client, behind).await?))
}

/// `topic/queue` of a record, how often it was given back, its properties in order.
fn shown(bytes: &Bytes) -> (String, i32, Vec<String>) {
    let record = Record::decode(bytes).expect("whole");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let mut properties: Vec<_> = properties::iter(&text(record.properties))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    properties.sort();
    (
        format!("{}/{}", text(record.topic), record.queue_id),
        record.reconsume_times,
        properties,
    )
}

/// Sends a message; its id.
async fn sent(client: &mut Wire, topic: &str, text: &str) -> String {
    let reply = client.send(send(&message(topic, text), b"body")).await;
    reply.msg_id.into_owned()
}

#[tokio::test]
async fn a_message_given_back_waits_for_the_retry_topic_and_knows_what_it_was() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let id = sent(&mut client, "T", "KEYS\u{1}k\u{2}").await;
    let first = back(place(&id));
    assert_eq!(answer(&mut client, &first).await, (0, None));
    let (again, bytes) = next(&mut client, first.offset).await.expect("stored");
    let expected = |level: i32| {
        [
            "CLUSTER=DefaultCluster".to_owned(),
            format!("DELAY={level}"),
            "KEYS=k".to_owned(),
            format!("ORIGIN_MESSAGE_ID={id}"),
            "REAL_QID=0".to_owned(),
            "REAL_TOPIC=%RETRY%G".to_owned(),
            "RETRY_TOPIC=T".to_owned(),
            "WAIT=false".to_owned(),
        ]
    };
    let (at, times, properties) = shown(&bytes);
    assert_eq!((&*at, times), ("SCHEDULE_TOPIC_XXXX/2", 1));
    assert_eq!(properties, expected(3));
    let record = Record::decode(&bytes).expect("whole");
    assert_eq!(
        (record.body, record.born_timestamp_ms),
        (&b"body"[..], 1_700_000_000_000)
    );
    // Given back once more, at the next level; and at one of the consumer's own choice.
    assert_eq!(answer(&mut client, &back(again)).await, (0, None));
    let (third, bytes) = next(&mut client, again).await.expect("stored");
    let (at, times, properties) = shown(&bytes);
    assert_eq!((&*at, times), ("SCHEDULE_TOPIC_XXXX/3", 2));
    assert_eq!(properties, expected(4), "what it was stays");
    let chosen = SendBackRequest {
        delay_level: 1,
        ..back(third)
    };
    assert_eq!(answer(&mut client, &chosen).await, (0, None));
    let (_, bytes) = next(&mut client, third).await.expect("stored");
    assert_eq!(shown(&bytes).0, "SCHEDULE_TOPIC_XXXX/0");
}

#[tokio::test]
async fn what_came_too_often_or_is_not_wanted_goes_to_the_dead_letters() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let at = place(&sent(&mut client, "T", "").await);
    let most = |most| SendBackRequest {
        max_reconsume_times: most,
        ..back(at)
    };
    let unwanted = SendBackRequest {
        delay_level: -1,
        ..back(at)
    };
    for (times, dead) in [most(Some(0)), most(Some(-1)), unwanted].iter().enumerate() {
        assert_eq!(answer(&mut client, dead).await, (0, None));
        let broker = fixture.running.broker();
        until(|| broker.queue_end("%DLQ%G", 0) == times as i64 + 1).await;
    }
    let (_, bytes) = next(&mut client, at).await.expect("stored");
    let (place, times, properties) = shown(&bytes);
    assert_eq!((&*place, times), ("%DLQ%G/0", 1));
    assert!(properties.contains(&"RETRY_TOPIC=T".to_owned()));
    // Nobody reads it unless an administrator lets them.
    let pulled = at_once(pull("%DLQ%G", "G", 0));
    let refused = client.call(pulling(&pulled)).await;
    assert_eq!(refused.code, 16);
    assert_eq!(
        refused.remark.as_deref(),
        Some("the topic[%DLQ%G] pulling message is forbidden")
    );
    let fields = [
        ("topic", "%DLQ%G"),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "1"),
        ("writeQueueNums", "1"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
    ];
    let opened = client
        .call(ask(request::UPDATE_AND_CREATE_TOPIC, &fields))
        .await;
    assert_eq!(opened.code, 0, "{:?}", opened.remark);
    let dead = client.call(pulling(&pulled)).await;
    assert_eq!(bodies(&dead), ["body"; 3]);
}

#[tokio::test]
async fn the_groups_limit_counts_for_clients_that_name_none() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let group = SubscriptionGroupConfig {
        retry_max_times: 0,
        ..SubscriptionGroupConfig::new("G")
    };
    let made = Command::request(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
        .with_body(json::write(&group));
    assert_eq!(client.call(made).await.code, 0);
    let at = place(&sent(&mut client, "T", "").await);
    let unnamed = SendBackRequest {
        max_reconsume_times: None,
        ..back(at)
    };
    assert_eq!(answer(&mut client, &unnamed).await, (0, None));
    let old = Command {
        version: 120, // the one before V3_4_9: what it says does not count
        ..giving(&back(at))
    };
    assert_eq!(client.call(old).await.code, 0);
    let broker = fixture.running.broker();
    until(|| broker.queue_end("%DLQ%G", 0) == 2).await;
}

#[tokio::test]
async fn a_group_that_wants_nothing_back_gets_nothing_and_its_consumers_go_on() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    for retry_queue_nums in [0, -1] {
        let group = SubscriptionGroupConfig {
            retry_queue_nums,
            ..SubscriptionGroupConfig::new("G")
        };
        let made = Command::request(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
            .with_body(json::write(&group));
        assert_eq!(client.call(made).await.code, 0);
        let at = place(&sent(&mut client, "T", "").await);
        assert_eq!(answer(&mut client, &back(at)).await, (0, None));
        assert_eq!(next(&mut client, at).await, None, "nothing stored");
    }
}

#[tokio::test]
async fn messages_come_back_through_queues_that_the_retry_topic_has() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let group = |retry_queue_nums| {
        let group = SubscriptionGroupConfig {
            retry_queue_nums,
            ..SubscriptionGroupConfig::new("G")
        };
        Command::request(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
            .with_body(json::write(&group))
    };
    assert_eq!(client.call(group(2)).await.code, 0);
    let mut at = place(&sent(&mut client, "T", "").await);
    let mut queues = Vec::new();
    for round in 0..8 {
        if round == 4 {
            assert_eq!(client.call(group(64)).await.code, 0);
        }
        assert_eq!(answer(&mut client, &back(at)).await, (0, None));
        let (place, bytes) = next(&mut client, at).await.expect("stored");
        at = place;
        let real = shown(&bytes).2;
        queues.extend(
            real.into_iter()
                .filter(|property| property.starts_with("REAL_QID=")),
        );
    }
    queues.sort();
    queues.dedup();
    assert_eq!(queues, ["REAL_QID=0", "REAL_QID=1"]);
}

#[tokio::test]
async fn topics_are_made_as_the_group_and_the_client_say() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let at = place(&sent(&mut client, "T", "").await);
    for delay_level in [0, -1] {
        let of_unit = SendBackRequest {
            unit_mode: true,
            delay_level,
            ..back(at)
        };
        assert_eq!(answer(&mut client, &of_unit).await, (0, None));
    }
    let table = client.call(ask(request::GET_ALL_TOPIC_CONFIG, &[])).await;
    let table: TopicConfigSerializeWrapper = json::read(&table.body.into_bytes()).expect("a table");
    let shape = |name: &str| {
        let topic = table.topic_config_table.get(name).expect(name);
        let queues = (topic.read_queue_nums, topic.write_queue_nums);
        (queues, topic.perm, topic.topic_sys_flag)
    };
    assert_eq!(shape("%RETRY%G"), ((1, 1), 6, 2));
    assert_eq!(shape("%DLQ%G"), ((1, 1), 2, 0));
}

#[tokio::test]
async fn bad_offsets_are_refused_in_javas_words_and_store_nothing() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let at = place(&sent(&mut client, "T", "").await);
    let end = at + record_at(&mut client, at).await.expect("there").len() as i64;
    for offset in [
        -1,
        i64::MIN,
        i64::MAX,
        at + 1,
        at + 8,
        end,
        end + 1,
        1 << 40,
    ] {
        let remark = format!("look message by offset failed, {offset}");
        assert_eq!(answer(&mut client, &back(offset)).await, (1, Some(remark)));
    }
    assert_eq!(next(&mut client, at).await, None, "nothing stored");
}

#[tokio::test]
async fn requests_without_their_fields_are_refused_and_the_connection_lives() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let whole = [("offset", "0"), ("group", "G"), ("delayLevel", "0")];
    for missing in whole {
        let fields: Vec<_> = whole
            .into_iter()
            .filter(|field| *field != missing)
            .collect();
        let refused = client
            .call(ask(request::CONSUMER_SEND_MSG_BACK, &fields))
            .await;
        assert_eq!(refused.code, 1);
        let remark = format!("the custom field <{}> is null", missing.0);
        assert_eq!(refused.remark, Some(remark));
    }
    let fields = [("offset", "x"), ("group", "G"), ("delayLevel", "0")];
    let refused = client
        .call(ask(request::CONSUMER_SEND_MSG_BACK, &fields))
        .await;
    assert_eq!(refused.code, 1);
    sent(&mut client, "T", "").await;
}

#[tokio::test]
async fn groups_nobody_made_are_refused_where_none_may_be_made() {
    let fixture = Fixture::with(|config| config.auto_create_subscription_group = false).await;
    let mut client = fixture.client().await;
    let at = place(&sent(&mut client, "T", "").await);
    let remark = format!("subscription group not exist, G {FAQ}");
    assert_eq!(answer(&mut client, &back(at)).await, (26, Some(remark)));
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let at = place(&sent(&mut client, "T", "").await);
    let walks = SendBackRequest {
        group: "../../x".to_owned(),
        ..back(at)
    };
    assert_eq!(answer(&mut client, &walks).await.0, 26);
    let long = SendBackRequest {
        group: "g".repeat(200),
        ..back(at)
    };
    // `%RETRY%` and the group are too long together for a record: nothing may wait that can never be delivered.
    for delay_level in [0, -1] {
        let long = SendBackRequest {
            delay_level,
            ..long.clone()
        };
        let refused = Some("MESSAGE_ILLEGAL".to_owned());
        assert_eq!(answer(&mut client, &long).await, (1, refused));
    }
    assert_eq!(next(&mut client, at).await, None, "nothing stored");
}

#[tokio::test]
async fn a_broker_or_retry_topic_that_may_not_write_takes_nothing_back() {
    let fixture = Fixture::with(|config| config.broker_permission = 4).await;
    let mut client = fixture.client().await;
    let at = place(&sent(&mut client, "T", "").await);
    let remark = "the broker[127.0.0.1] sending message is forbidden".to_owned();
    assert_eq!(answer(&mut client, &back(at)).await, (16, Some(remark)));

    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let at = place(&sent(&mut client, "T", "").await);
    let fields = [
        ("topic", "%RETRY%G"),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "1"),
        ("writeQueueNums", "1"),
        ("perm", "4"),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
    ];
    let made = client
        .call(ask(request::UPDATE_AND_CREATE_TOPIC, &fields))
        .await;
    assert_eq!(made.code, 0);
    let remark = "the topic[%RETRY%G] sending message is forbidden".to_owned();
    assert_eq!(answer(&mut client, &back(at)).await, (16, Some(remark)));
    assert_eq!(next(&mut client, at).await, None, "nothing stored");
}

#[tokio::test]
async fn under_sync_flush_it_is_on_disk_when_it_is_answered() {
    let fixture = Fixture::with(|config| config.store.flush_disk_type = FlushDiskType::Sync).await;
    let mut client = fixture.client().await;
    let at = place(&sent(&mut client, "T", "").await);
    assert_eq!(answer(&mut client, &back(at)).await, (0, None));
    // Under SYNC_FLUSH nothing is shown that is not on disk.
    assert!(next(&mut client, at).await.is_some());
}
