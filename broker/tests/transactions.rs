//! Transactions over a socket: half messages, and how they end. How producers are asked: `transaction_check.rs`.

mod support;

use remoting::code::request;
use remoting::header::pull::PullRequest;
use remoting::header::send::SendRequest;
use store::{BrokerRole, FlushDiskType};
use support::transactions::{
    COMMIT, GIVEN_UP, HALF, HALF_PROPERTIES, OP, ROLLBACK, UNKNOWN, end, ending, half,
};
use support::{
    Fixture, Wire, ask, at_once, bodies, config, message, pull, pulling, records, send, until,
};

#[tokio::test]
async fn a_half_message_is_invisible_until_it_is_committed() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    client.send(send(&message("T", ""), b"before")).await;
    let sent = client
        .send(send(
            &SendRequest {
                queue_id: 2,
                ..half(HALF_PROPERTIES)
            },
            b"money",
        ))
        .await;
    assert_eq!(
        (
            sent.queue_id,
            sent.queue_offset,
            sent.transaction_id.as_deref()
        ),
        (2, 0, Some("ID"))
    );
    fixture.readable(HALF, 1).await;
    assert_eq!(fixture.running.broker().queue_end("T", 2), 0);

    client.write(end(&sent, COMMIT).oneway()).await;
    until(|| fixture.running.broker().queue_end("T", 2) == 1).await;
    let got = client
        .call(pulling(&at_once(PullRequest {
            queue_id: 2,
            ..pull("T", "G", 0)
        })))
        .await;
    assert_eq!(bodies(&got), ["money"]);
    let place = i64::from_str_radix(&sent.msg_id[16..], 16).expect("hex");
    let seen = records(&got, |record| {
        let text = String::from_utf8_lossy(record.properties).into_owned();
        (
            record.sys_flag & 0xC,
            record.flag,
            record.prepared_transaction_offset,
            text,
        )
    });
    let (transaction, flag, prepared, properties) = &seen[0];
    assert_eq!((*transaction, *flag, *prepared), (COMMIT, 77, place));
    for property in [
        "REAL_TOPIC\u{1}T\u{2}",
        "REAL_QID\u{1}2\u{2}",
        "TRAN_MSG\u{1}true\u{2}",
        "TAGS\u{1}a\u{2}",
    ] {
        assert!(properties.contains(property), "{properties:?}");
    }
    fixture.readable(OP, 1).await;
    let half = client.call(pulling(&at_once(pull(HALF, "G", 0)))).await;
    assert_eq!(
        half.code, 17,
        "no topic for clients until the check makes it"
    );
}

#[tokio::test]
async fn a_transaction_ends_once() {
    // Without checks: one that puts a half message back before its end comes makes an op of its own.
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    for how in [COMMIT, ROLLBACK] {
        let sent = client.send(send(&half(HALF_PROPERTIES), b"money")).await;
        for again in [how, COMMIT, ROLLBACK, how] {
            assert_eq!(client.call(end(&sent, again)).await.code, 0);
        }
    }
    client.send(send(&message("T", ""), b"last")).await;
    fixture.readable("T", 2).await;
    let got = client.call(pulling(&at_once(pull("T", "G", 0)))).await;
    assert_eq!(bodies(&got), ["money", "last"]);
    fixture.readable(OP, 2).await;
    let ops = fixture.running.broker().queue_end(OP, 0);
    assert_eq!(ops, 2, "one for each transaction");
}

#[tokio::test]
async fn ends_are_refused_in_javas_words() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let sent = client.send(send(&half(HALF_PROPERTIES), b"money")).await;
    let plain = client
        .send(send(
            &message("T", HALF_PROPERTIES.replace("TRAN_MSG", "X").as_str()),
            b"x",
        ))
        .await;
    let place = i64::from_str_radix(&sent.msg_id[16..], 16).expect("hex");
    let mut other_group = end(&sent, COMMIT);
    other_group.fields = [
        ("producerGroup", "Q"),
        ("tranStateTableOffset", "0"),
        ("commitLogOffset", &place.to_string()),
        ("commitOrRollback", "8"),
    ]
    .into_iter()
    .collect();
    let not_found = "Find prepared transaction message failed";
    let refused = [
        (other_group, "The producer group wrong"),
        (
            ending(1, place, COMMIT),
            "The transaction state table offset wrong",
        ),
        (
            ending(0, place, ROLLBACK + 1),
            "commitOrRollback field wrong",
        ),
        (ending(0, place + 1, ROLLBACK), not_found),
        (ending(0, -1, COMMIT), not_found),
        (ending(0, i64::MAX, COMMIT), not_found),
        (end(&plain, COMMIT), not_found),
        (
            ask(request::END_TRANSACTION, &[]),
            "the custom field <producerGroup> is null",
        ),
    ];
    for (request, words) in refused {
        let reply = client.call(request).await;
        assert_eq!((reply.code, reply.remark.as_deref()), (1, Some(words)));
    }
    assert_eq!(
        client.call(ending(0, place, UNKNOWN)).await.code,
        0,
        "whoever asks gets an answer"
    );
    for id in ["", "x", &plain.msg_id, "7F00000100002A9F00000000000FFFFF"] {
        let reply = client
            .call(ask(request::RESUME_CHECK_HALF_MESSAGE, &[("msgId", id)]))
            .await;
        let words = "Exception was thrown when putting message back to RMQ_SYS_TRANS_HALF_TOPIC.";
        assert_eq!((reply.code, reply.remark.as_deref()), (1, Some(words)));
    }
    assert_eq!(
        client.call(end(&sent, COMMIT)).await.code,
        0,
        "it is still open"
    );
    fixture.readable("T", 2).await;
}

#[tokio::test]
async fn a_broker_may_refuse_transactions_and_a_slave_ends_none() {
    let fixture = Fixture::with(|config| config.reject_transaction_message = true).await;
    let mut client = fixture.client().await;
    let reply = client.call(send(&half(HALF_PROPERTIES), b"money")).await;
    let words = "the broker[127.0.0.1] sending transaction message is forbidden";
    assert_eq!((reply.code, reply.remark.as_deref()), (16, Some(words)));
    let slave = Fixture::with(|config| config.store.broker_role = BrokerRole::Slave).await;
    let mut client = slave.client().await;
    assert_eq!(client.call(ending(0, 0, COMMIT)).await.code, 11);
}

#[tokio::test]
async fn an_end_that_comes_before_its_half_message_is_on_disk_waits_for_it() {
    let fixture = Fixture::with(|config| config.store.flush_disk_type = FlushDiskType::Sync).await;
    let mut client = fixture.client().await;
    for ended in 1..=20 {
        let properties = format!("{HALF_PROPERTIES}WAIT\u{1}false\u{2}");
        let sent = client.send(send(&half(&properties), b"money")).await;
        client.write(end(&sent, COMMIT).oneway()).await;
        fixture.readable("T", ended).await;
    }
}

#[tokio::test]
async fn a_delay_waits_for_the_commit() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let delayed = format!("{HALF_PROPERTIES}DELAY\u{1}18\u{2}");
    let sent = client.send(send(&half(&delayed), b"money")).await;
    fixture.readable(HALF, 1).await;
    assert_eq!(client.call(end(&sent, COMMIT)).await.code, 0);
    until(|| {
        fixture
            .running
            .broker()
            .queue_end("SCHEDULE_TOPIC_XXXX", 17)
            == 1
    })
    .await;
    assert_eq!(fixture.running.broker().queue_end("T", 0), 0);
}

/// KNOWN-BUGS R12
#[tokio::test]
async fn transactions_topics_cannot_be_deleted() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    for topic in [HALF, OP, GIVEN_UP] {
        let reply = client
            .call(ask(request::DELETE_TOPIC_IN_BROKER, &[("topic", topic)]))
            .await;
        let words = format!("The topic[{topic}] is conflict with system topic.");
        assert_eq!((reply.code, reply.remark), (1, Some(words)));
    }
}

#[tokio::test]
async fn a_transaction_ends_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = broker::run(config(&folder)).await.expect("starts");
    let mut client = Wire::open(([127, 0, 0, 1], running.port()).into()).await;
    let sent = client.send(send(&half(HALF_PROPERTIES), b"money")).await;
    running.stop().await;
    let running = broker::run(config(&folder)).await.expect("starts again");
    let mut client = Wire::open(([127, 0, 0, 1], running.port()).into()).await;
    assert_eq!(client.call(end(&sent, COMMIT)).await.code, 0);
    until(|| running.broker().queue_end("T", 0) == 1).await;
    running.stop().await;
}
