//! Messages in and out: send, pull, wait, commit, batches, tags, queries.

mod support;

use std::time::{Duration, Instant};

use remoting::body::batch::{self, BatchMessage};
use remoting::code::request;
use remoting::header::send::SendRequest;
use store::FlushDiskType;
use support::{
    COMMIT, Fixture, SUBSCRIPTION, ask, at_once, bodies, heartbeat, message, pull, pulled, pulling,
    records, send, stored, subscription, until,
};

const TAG_A: &str = "TAGS\u{1}TagA\u{2}";
const TAG_B: &str = "TAGS\u{1}TagB\u{2}";

#[tokio::test]
async fn a_message_is_sent_pulled_waited_for_and_its_offset_kept() {
    let fixture = Fixture::new().await;
    let (mut producer, mut consumer) = (fixture.client().await, fixture.client().await);
    let first = producer
        .send(send(&message("T", "UNIQ_KEY\u{1}ID1\u{2}"), b"one"))
        .await;
    assert_eq!((first.queue_id, first.queue_offset), (0, 0));
    assert_eq!(first.transaction_id.as_deref(), Some("ID1"));
    assert_eq!(
        (first.msg_region.as_deref(), first.trace_on),
        (Some("DefaultRegion"), Some(true))
    );
    let host = format!("7F000001{:08X}", fixture.running.port());
    assert_eq!(first.msg_id, format!("{host}{:016X}", 0));

    let reply = consumer.call(pulling(&pull("T", "G", 0))).await;
    let (code, header) = pulled(&reply);
    assert_eq!(
        (
            code,
            header.next_begin_offset,
            header.max_offset,
            header.min_offset
        ),
        (0, 1, 1, 0)
    );
    assert_eq!(header.suggest_which_broker_id, 0);
    assert_eq!(
        (bodies(&reply), reply.remark.as_deref()),
        (vec!["one".to_owned()], Some("FOUND"))
    );

    let mut held = pull("T", "G", 1);
    held.sys_flag |= COMMIT;
    held.commit_offset = 1;
    consumer.write(pulling(&held)).await;
    wait_until_held(&fixture, 1).await;
    producer.send(send(&message("T", ""), b"two")).await;
    let reply = consumer.read().await.expect("woken");
    assert_eq!((reply.code, bodies(&reply)), (0, vec!["two".to_owned()]));

    let offset = [("consumerGroup", "G"), ("topic", "T"), ("queueId", "0")];
    let query = ask(request::QUERY_CONSUMER_OFFSET, &offset);
    assert_eq!(
        consumer
            .call(query.clone())
            .await
            .fields
            .get("offset")
            .as_deref(),
        Some("1"),
        "by the pull"
    );
    let update: Vec<_> = offset.into_iter().chain([("commitOffset", "2")]).collect();
    assert_eq!(
        consumer
            .call(ask(request::UPDATE_CONSUMER_OFFSET, &update))
            .await
            .code,
        0
    );
    assert_eq!(
        consumer.call(query).await.fields.get("offset").as_deref(),
        Some("2"),
        "by itself"
    );
}

#[tokio::test]
async fn what_is_stored_says_who_sent_it_and_which_cluster_has_it() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let header = SendRequest {
        flag: 7,
        reconsume_times: 2,
        ..message("T", TAG_A)
    };
    client.send(send(&header, b"body")).await;
    let reply = client.call(pulling(&pull("T", "G", 0))).await;
    let port = u32::from(fixture.running.port()).to_be_bytes();
    let seen = records(&reply, |record| {
        assert_eq!(
            record.properties,
            format!("{TAG_A}CLUSTER\u{1}DefaultCluster\u{2}").as_bytes()
        );
        assert_eq!(
            (
                record.flag,
                record.reconsume_times,
                record.born_timestamp_ms
            ),
            (7, 2, 1_700_000_000_000)
        );
        assert_eq!(record.born_host[..4], [127, 0, 0, 1]);
        assert_eq!(record.store_host, [&[127, 0, 0, 1], &port[..]].concat());
        record.check_body()
    });
    assert_eq!(seen, [Ok(())]);
}

#[tokio::test]
async fn both_header_spellings_are_taken() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let mut first = remoting::Command::request(request::SEND_MESSAGE).with_body(b"v1".to_vec());
    message("T", "").write_v1(&mut first.fields);
    assert_eq!(client.send(first).await.queue_offset, 0);
    let any_queue = SendRequest {
        queue_id: -1,
        ..message("T", "")
    };
    let reply = client.send(send(&any_queue, b"v2")).await;
    assert!((0..4).contains(&reply.queue_id));
}

/// KNOWN-BUGS R19
#[tokio::test]
async fn a_batch_is_stored_whole_with_an_id_for_every_message() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let part = |body, properties| BatchMessage {
        flag: 0,
        body,
        properties,
    };
    let parts = [
        part(&b"a"[..], TAG_A),
        part(b"b", "TAGS\u{1}TagB"),
        part(b"c", ""),
    ];
    let header = SendRequest {
        batch: true,
        ..message("T", "")
    };
    let mut request = send(&header, &batch::encode(&parts));
    request.code = request::SEND_BATCH_MESSAGE;
    let reply = client.send(request).await;
    let mut ids: Vec<_> = reply.msg_id.split(',').collect();
    assert_eq!((ids.len(), reply.queue_offset), (3, 0));
    ids.dedup();
    assert_eq!(ids.len(), 3, "distinct");

    fixture.readable("T", 3).await;
    let reply = client.call(pulling(&pull("T", "G", 0))).await;
    assert_eq!(bodies(&reply), ["a", "b", "c"]);
    assert!(
        records(&reply, |record| record.check_body().is_ok())
            .into_iter()
            .all(|intact| intact)
    );
    let clusters = records(&reply, |record| {
        record.property(b"CLUSTER").map(<[u8]>::to_vec)
    });
    assert!(
        clusters
            .into_iter()
            .all(|cluster| cluster.as_deref() == Some(b"DefaultCluster"))
    );
    let tags = records(&reply, |record| {
        record.property(b"TAGS").map(<[u8]>::to_vec)
    });
    assert_eq!(tags, [Some(b"TagA".to_vec()), Some(b"TagB".to_vec()), None]);

    let cut = batch::encode(&parts);
    let reply = client.call(send(&header, &cut[..cut.len() - 1])).await;
    assert_eq!(reply.code, 13);
    assert_eq!(
        pulled(&client.call(pulling(&at_once(pull("T", "G", 3)))).await).0,
        19,
        "nothing of it is stored"
    );
}

#[tokio::test]
async fn only_wanted_tags_are_delivered_and_wake_a_waiting_pull() {
    let fixture = Fixture::new().await;
    let (mut producer, mut consumer) = (fixture.client().await, fixture.client().await);
    producer.send(send(&message("T", TAG_A), b"a0")).await;
    producer.send(send(&message("T", TAG_B), b"b1")).await;
    fixture.readable("T", 2).await;
    consumer
        .call(heartbeat("c", "G", vec![subscription("T", &["TagB"], 5)]))
        .await;
    let mut registered = pull("T", "G", 0);
    registered.sys_flag &= !SUBSCRIPTION;
    registered.sub_version = 5;
    let reply = consumer.call(pulling(&registered)).await;
    assert_eq!((reply.code, bodies(&reply)), (0, vec!["b1".to_owned()]));
    let mut tag_c = pull("T", "G", 0);
    tag_c.subscription = Some("TagC".into());
    let (code, header) = pulled(&consumer.call(pulling(&tag_c)).await);
    assert_eq!(
        (code, header.next_begin_offset),
        (20, 2),
        "all looked at, none wanted"
    );

    registered.queue_offset = 2;
    consumer.write(pulling(&registered)).await;
    wait_until_held(&fixture, 1).await;
    producer.send(send(&message("T", TAG_A), b"a2")).await;
    fixture.readable("T", 3).await;
    assert_eq!(
        fixture.running.broker().waiting_pulls(),
        1,
        "a message it does not want leaves it waiting"
    );
    producer.send(send(&message("T", TAG_B), b"b3")).await;
    let reply = consumer.read().await.expect("woken");
    assert_eq!((reply.code, bodies(&reply)), (0, vec!["b3".to_owned()]));
}

#[tokio::test]
async fn a_wait_ends_at_its_time_with_19_and_all_four_fields() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    client.send(send(&message("T", ""), b"one")).await;
    fixture.readable("T", 1).await;
    let mut short = pull("T", "G", 1);
    short.suspend_timeout_millis = 200;
    let asked = Instant::now();
    let reply = client.call(pulling(&short)).await;
    assert_eq!(pulled(&reply).0, 19);
    assert!(asked.elapsed() >= Duration::from_millis(200));
    let not_waiting = at_once(pull("T", "G", 1));
    assert_eq!(
        pulled(&client.call(pulling(&not_waiting)).await).0,
        19,
        "at once when it may not wait"
    );
}

#[tokio::test]
async fn without_long_polling_a_pull_waits_a_short_time() {
    let short = Duration::from_millis(150);
    let fixture = Fixture::with(|config| {
        config.long_polling_enable = false;
        config.short_polling = short;
    });
    let fixture = fixture.await;
    let (mut producer, mut consumer) = (fixture.client().await, fixture.client().await);
    producer.send(send(&message("T", ""), b"one")).await;
    fixture.readable("T", 1).await;
    tokio::time::pause(); // however long a busy machine takes, the message comes within the wait
    let asked = tokio::time::Instant::now();
    consumer.write(pulling(&pull("T", "G", 1))).await;
    wait_until_held(&fixture, 1).await;
    producer.write(send(&message("T", ""), b"two")).await;
    fixture.readable("T", 2).await;
    tokio::time::resume();
    let reply = consumer.read().await.expect("answered");
    assert_eq!((reply.code, bodies(&reply)), (0, vec!["two".to_owned()]));
    assert!(asked.elapsed() >= short);
}

#[tokio::test]
async fn a_waiting_pull_goes_with_its_connection() {
    let fixture = Fixture::new().await;
    let mut consumer = fixture.client().await;
    consumer.send(send(&message("T", ""), b"one")).await;
    fixture.readable("T", 1).await;
    consumer.write(pulling(&pull("T", "G", 1))).await;
    wait_until_held(&fixture, 1).await;
    drop(consumer);
    wait_until_held(&fixture, 0).await;
}

#[tokio::test]
async fn a_stop_answers_waiting_pulls_with_19() {
    let fixture = Fixture::new().await;
    let mut consumer = fixture.client().await;
    consumer.send(send(&message("T", ""), b"one")).await;
    fixture.readable("T", 1).await;
    consumer.write(pulling(&pull("T", "G", 1))).await;
    wait_until_held(&fixture, 1).await;
    let (reply, closed) = tokio::join!(consumer.read(), fixture.running.stop());
    assert!(closed);
    assert_eq!(reply.expect("an answer").code, 19);
}

#[tokio::test]
async fn sends_under_sync_flush_are_answered_once_on_disk_without_holding_up_others() {
    let fixture = Fixture::with(|config| config.store.flush_disk_type = FlushDiskType::Sync).await;
    let mut client = fixture.client().await;
    let mut opaques = Vec::new();
    for _ in 0..50 {
        opaques.push(client.write(send(&message("T", ""), b"sync")).await);
    }
    let mut offsets = Vec::new();
    for _ in 0..50 {
        let reply = client.read().await.expect("answered");
        assert_eq!(reply.code, 0);
        opaques.retain(|opaque| *opaque != reply.opaque);
        offsets.push(stored(&reply).queue_offset);
    }
    assert!(opaques.is_empty());
    offsets.sort_unstable();
    assert_eq!(offsets, (0..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn messages_are_found_by_key_and_by_id() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let reply = client
        .send(send(
            &message("T", "KEYS\u{1}k1 k2\u{2}UNIQ_KEY\u{1}ID9\u{2}"),
            b"found",
        ))
        .await;
    let whole = [
        ("maxNum", "32"),
        ("beginTimestamp", "0"),
        ("endTimestamp", "9223372036854775807"),
    ];
    for (key, unique) in [("k1", "false"), ("k2", "false"), ("ID9", "true")] {
        let fields = [("topic", "T"), ("key", key), ("_UNIQUE_KEY_QUERY", unique)];
        let fields: Vec<_> = fields.into_iter().chain(whole).collect();
        let found = await_found(&mut client, || ask(request::QUERY_MESSAGE, &fields)).await;
        assert_eq!(bodies(&found), ["found"], "{key}");
        assert!(found.fields.get("indexLastUpdateTimestamp").is_some());
    }
    let fields: Vec<_> = [("topic", "T"), ("key", "nobody")]
        .into_iter()
        .chain(whole)
        .collect();
    let missing = client.call(ask(request::QUERY_MESSAGE, &fields)).await;
    assert_eq!(
        (missing.code, missing.remark.as_deref()),
        (
            22,
            Some("can not find message, maybe time range not correct")
        )
    );

    let offset = i64::from_str_radix(&reply.msg_id[16..], 16)
        .expect("hex")
        .to_string();
    let viewed = client
        .call(ask(request::VIEW_MESSAGE_BY_ID, &[("offset", &offset)]))
        .await;
    assert_eq!(
        (viewed.code, bodies(&viewed)),
        (0, vec!["found".to_owned()])
    );
    let missing = client
        .call(ask(request::VIEW_MESSAGE_BY_ID, &[("offset", "77777")]))
        .await;
    assert_eq!(
        (missing.code, missing.remark.as_deref()),
        (1, Some("can not find message by the offset, 77777"))
    );
}

#[tokio::test]
async fn queues_tell_where_they_begin_and_end_and_were_at_a_time() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    for body in [b"a", b"b", b"c"] {
        client.send(send(&message("T", ""), body)).await;
    }
    fixture.readable("T", 3).await;
    let queue = [("topic", "T"), ("queueId", "0")];
    let offset =
        |reply: remoting::Command| reply.fields.get("offset").map(|text| text.into_owned());
    assert_eq!(
        offset(client.call(ask(request::GET_MAX_OFFSET, &queue)).await).as_deref(),
        Some("3")
    );
    assert_eq!(
        offset(client.call(ask(request::GET_MIN_OFFSET, &queue)).await).as_deref(),
        Some("0")
    );
    let at = |time: &'static str| [queue[0], queue[1], ("timestamp", time)];
    let search = ask(request::SEARCH_OFFSET_BY_TIMESTAMP, &at("0"));
    assert_eq!(offset(client.call(search).await).as_deref(), Some("0"));
    let search = ask(request::SEARCH_OFFSET_BY_TIMESTAMP, &at("9999999999999"));
    assert_eq!(
        offset(client.call(search).await).as_deref(),
        Some("2"),
        "the last message's, as Java"
    );
    let earliest = client
        .call(ask(request::GET_EARLIEST_MSG_STORETIME, &queue))
        .await;
    let earliest: i64 = earliest
        .fields
        .get("timestamp")
        .expect("a time")
        .parse()
        .expect("a number");
    assert!(earliest > 1_600_000_000_000);

    let nobody = [("topic", "nobody"), ("queueId", "0")];
    assert_eq!(
        offset(client.call(ask(request::GET_MAX_OFFSET, &nobody)).await).as_deref(),
        Some("0")
    );
    let never = client
        .call(ask(request::GET_EARLIEST_MSG_STORETIME, &nobody))
        .await;
    assert_eq!(never.fields.get("timestamp").as_deref(), Some("-1"));
}

#[tokio::test]
async fn a_wrong_offset_is_put_right_and_told() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    client.send(send(&message("T", ""), b"one")).await;
    fixture.readable("T", 1).await;
    let (code, header) = pulled(&client.call(pulling(&pull("T", "G", 99))).await);
    assert_eq!(
        (code, header.next_begin_offset),
        (21, 1),
        "not from the begin again"
    );
    let (code, header) = pulled(&client.call(pulling(&pull("T", "G", -3))).await);
    assert_eq!((code, header.next_begin_offset), (21, 0));
    fixture.readable("OFFSET_MOVED_EVENT", 2).await;
    let event = client
        .call(pulling(&pull("OFFSET_MOVED_EVENT", "G", 1)))
        .await;
    let text = r#"{"consumerGroup":"G","messageQueue":{"brokerName":"broker-a","queueId":0,"topic":"T"},"offsetNew":0,"offsetRequest":-3}"#;
    assert_eq!(bodies(&event), [text]);
}

async fn wait_until_held(fixture: &Fixture, pulls: u64) {
    until(|| fixture.running.broker().waiting_pulls() == pulls).await;
}

/// Asks until the index has it: the dispatcher may still be under way.
async fn await_found(
    client: &mut support::Wire,
    request: impl Fn() -> remoting::Command,
) -> remoting::Command {
    loop {
        let reply = client.call(request()).await;
        if reply.code == 0 {
            return reply;
        }
        assert_eq!(reply.code, 22);
    }
}
