//! Transactions over a socket: half messages, how they end, and how their producers are asked.

mod support;

use std::path::Path;
use std::time::Duration;

use broker::BrokerConfig;
use remoting::Command;
use remoting::body::heartbeat::{HeartbeatData, ProducerData};
use remoting::code::request;
use remoting::header::send::{SendReply, SendRequest};
use remoting::header::transaction::CheckTransactionStateRequest;
use remoting::java::json;
use store::{BrokerRole, FlushDiskType, Record};
use support::{
    Fixture, Wire, ask, at_once, bodies, config, message, pull, pulling, records, send, until,
};

const HALF: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
const OP: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
const GIVEN_UP: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
const COMMIT: i32 = 8;
const ROLLBACK: i32 = 12;
const UNKNOWN: i32 = 0;

/// Properties of a half message as clients send them.
const HALF_PROPERTIES: &str =
    "UNIQ_KEY\u{1}ID\u{2}TRAN_MSG\u{1}true\u{2}PGROUP\u{1}P\u{2}TAGS\u{1}a\u{2}";

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_millis() as i64
}

fn half<'a>(properties: &'a str) -> SendRequest<'a> {
    SendRequest {
        born_timestamp: now_ms() - 1_000,
        sys_flag: 4,
        flag: 77,
        queue_id: 0,
        ..message("T", properties)
    }
}

/// Every half message older than half a second is asked about, many times a second.
fn asking(config: &mut BrokerConfig) {
    config.transaction_check_interval = Duration::from_millis(10);
    config.transaction_timeout = Duration::from_millis(500);
    config.transaction_check_max = 100_000;
}

/// The end of a transaction as the reply to its send names it.
fn end(sent: &SendReply<'_>, how: i32) -> Command {
    let place = i64::from_str_radix(&sent.msg_id[16..], 16).expect("hex");
    ending(sent.queue_offset, place, how)
}

fn ending(queue_offset: i64, log_offset: i64, how: i32) -> Command {
    ask(
        request::END_TRANSACTION,
        &[
            ("producerGroup", "P"),
            ("tranStateTableOffset", &queue_offset.to_string()),
            ("commitLogOffset", &log_offset.to_string()),
            ("commitOrRollback", &how.to_string()),
            ("msgId", "ID"),
        ],
    )
}

fn heartbeat(client_id: &str) -> Command {
    let data = HeartbeatData {
        client_id: client_id.to_owned(),
        producer_data_set: vec![ProducerData {
            group_name: "P".to_owned(),
        }],
        ..HeartbeatData::default()
    };
    Command::request(request::HEART_BEAT).with_body(json::write(&data))
}

/// The next question that comes: its header, and the half message's topic, queue and properties in its body.
async fn question(client: &mut Wire) -> (CheckTransactionStateRequest, String, String) {
    let command = client.asked(request::CHECK_TRANSACTION_STATE).await;
    assert!(command.is_oneway());
    let header: CheckTransactionStateRequest = command.header().expect("whole");
    let body = command.body.into_bytes();
    let record = Record::decode(&body).expect("a record");
    record.check_body().expect("its CRC");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(
        (record.queue_offset, record.log_offset),
        (header.tran_state_table_offset, header.commit_log_offset)
    );
    assert_eq!(
        (record.queue_id, record.flag, record.body),
        (0, 77, &b"money"[..])
    );
    let (topic, properties) = (text(record.topic), text(record.properties));
    (header, topic, properties)
}

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
        .call(pulling(&at_once(remoting::header::pull::PullRequest {
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
async fn a_producer_is_asked_and_its_answer_counts_once() {
    let fixture = Fixture::with(asking).await;
    let mut client = fixture.client().await;
    client.call(heartbeat("c")).await;
    let sent = client.send(send(&half(HALF_PROPERTIES), b"money")).await;
    let (first, topic, properties) = question(&mut client).await;
    assert_eq!(
        (
            topic.as_str(),
            first.msg_id.as_deref(),
            first.transaction_id.as_deref()
        ),
        ("T", Some("ID"), Some("ID"))
    );
    assert!(
        properties.contains("TRANSACTION_CHECK_TIMES\u{1}1\u{2}"),
        "{properties:?}"
    );
    let (second, _, properties) = question(&mut client).await;
    assert!(
        properties.contains("TRANSACTION_CHECK_TIMES\u{1}2\u{2}"),
        "{properties:?}"
    );
    assert!(second.tran_state_table_offset > first.tran_state_table_offset);
    // The answer to the first question comes late, and the producer's own end later still: both name places it has left.
    let answer = |question: &CheckTransactionStateRequest| {
        ending(
            question.tran_state_table_offset,
            question.commit_log_offset,
            COMMIT,
        )
    };
    assert_eq!(client.call(answer(&first)).await.code, 0);
    assert_eq!(client.call(answer(&second)).await.code, 0);
    assert_eq!(client.call(end(&sent, COMMIT)).await.code, 0);
    client.send(send(&message("T", ""), b"last")).await;
    fixture.readable("T", 2).await;
    let got = client.call(pulling(&at_once(pull("T", "G", 0)))).await;
    assert_eq!(bodies(&got), ["money", "last"]);
    settles(&fixture).await;
}

/// Waits until the half queue grows no more.
async fn settles(fixture: &Fixture) {
    let broker = fixture.running.broker();
    let settled = async {
        loop {
            let before = broker.queue_end(HALF, 0);
            tokio::time::sleep(Duration::from_millis(100)).await; // ten rounds of the check
            if broker.queue_end(HALF, 0) == before {
                return;
            }
        }
    };
    tokio::time::timeout(support::PATIENCE, settled)
        .await
        .expect("it ends");
}

#[tokio::test]
async fn another_member_is_asked_when_the_sender_is_gone() {
    let fixture = Fixture::with(asking).await;
    let mut sender = fixture.client().await;
    sender.call(heartbeat("sender")).await;
    sender.send(send(&half(HALF_PROPERTIES), b"money")).await;
    drop(sender);
    let mut other = fixture.client().await;
    other.call(heartbeat("other")).await;
    let (asked, ..) = question(&mut other).await;
    assert_eq!(
        other
            .call(ending(
                asked.tran_state_table_offset,
                asked.commit_log_offset,
                COMMIT
            ))
            .await
            .code,
        0
    );
    fixture.readable("T", 1).await;
}

#[tokio::test]
async fn nobody_is_asked_within_a_messages_own_immunity_and_that_is_not_counted() {
    let fixture = Fixture::with(|config| {
        asking(config);
        config.transaction_check_max = 1;
    })
    .await;
    let mut client = fixture.client().await;
    client.call(heartbeat("c")).await;
    let immune = format!("{HALF_PROPERTIES}CHECK_IMMUNITY_TIME_IN_SECONDS\u{1}2\u{2}");
    let before = tokio::time::Instant::now(); // the message is born a second earlier, its immunity lasts two
    let sent = client.send(send(&half(&immune), b"money")).await;
    // Put back in every round, so others behind it are not held up, and found when its end comes from where it was.
    until(|| fixture.running.broker().queue_end(HALF, 0) > 5).await;
    let (asked, _, properties) = question(&mut client).await;
    assert!(
        before.elapsed() >= Duration::from_millis(900),
        "asked after {:?}",
        before.elapsed()
    );
    assert!(
        properties.contains("TRANSACTION_CHECK_TIMES\u{1}1\u{2}"),
        "{properties:?}"
    );
    assert!(
        properties.contains("TRAN_PREPARED_QUEUE_OFFSET\u{1}0\u{2}"),
        "{properties:?}"
    );
    assert!(asked.tran_state_table_offset > 5);
    assert_eq!(client.call(end(&sent, COMMIT)).await.code, 0);
    fixture.readable("T", 1).await;
    settles(&fixture).await;
}

#[tokio::test]
async fn who_never_answers_is_given_up_and_may_be_asked_anew() {
    let fixture = Fixture::with(|config| {
        asking(config);
        config.transaction_check_max = 2;
    })
    .await;
    let mut client = fixture.client().await;
    client.call(heartbeat("c")).await;
    client.send(send(&half(HALF_PROPERTIES), b"money")).await;
    fixture.readable(GIVEN_UP, 1).await;
    for times in ["1", "2"] {
        let (.., properties) = question(&mut client).await;
        assert!(properties.contains(&format!("TRANSACTION_CHECK_TIMES\u{1}{times}\u{2}")));
    }
    let given_up = client.call(pulling(&at_once(pull(GIVEN_UP, "G", 0)))).await;
    assert_eq!(bodies(&given_up), ["money"]);
    let place = records(&given_up, |record| record.log_offset)[0];
    let host = "7F000001";
    let id = format!("{host}{:08X}{place:016X}", fixture.running.port());
    let resumed = client
        .call(ask(request::RESUME_CHECK_HALF_MESSAGE, &[("msgId", &id)]))
        .await;
    assert_eq!((resumed.code, resumed.remark), (0, None));
    let (asked, _, properties) = question(&mut client).await;
    assert!(
        properties.contains("TRANSACTION_CHECK_TIMES\u{1}1\u{2}"),
        "{properties:?}"
    );
    assert_eq!(
        client
            .call(ending(
                asked.tran_state_table_offset,
                asked.commit_log_offset,
                COMMIT
            ))
            .await
            .code,
        0
    );
    fixture.readable("T", 1).await;
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

#[tokio::test]
async fn transactions_topics_cannot_be_deleted() {
    let fixture = Fixture::with(asking).await;
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

/// The folder as a crash of the process now would leave it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[tokio::test]
async fn after_a_crash_what_was_open_is_asked_about_and_what_had_ended_is_not() {
    let fixture = Fixture::with(asking).await;
    let mut client = fixture.client().await;
    client.call(heartbeat("c")).await;
    let ended = client.send(send(&half(HALF_PROPERTIES), b"money")).await;
    assert_eq!(client.call(end(&ended, COMMIT)).await.code, 0);
    client
        .send(send(
            &half(&HALF_PROPERTIES.replace("ID", "OPEN")),
            b"money",
        ))
        .await;
    question(&mut client).await;
    let crashed = tempfile::tempdir().expect("a folder");
    copy(fixture.folder.path(), crashed.path());
    let mut config = config(&crashed);
    asking(&mut config);
    let running = broker::run(config).await.expect("starts");
    let mut client = Wire::open(([127, 0, 0, 1], running.port()).into()).await;
    client.call(heartbeat("c")).await;
    let (asked, ..) = question(&mut client).await;
    assert_eq!(asked.msg_id.as_deref(), Some("OPEN"));
    assert_eq!(running.broker().queue_end("T", 0), 1);
    assert_eq!(
        client
            .call(ending(
                asked.tran_state_table_offset,
                asked.commit_log_offset,
                COMMIT
            ))
            .await
            .code,
        0
    );
    until(|| running.broker().queue_end("T", 0) >= 2).await;
    running.stop().await;
}
