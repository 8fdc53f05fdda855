//! Transactions whose end does not come: their producers are asked, over a socket.

#[path = "support/program.rs"]
mod program;
mod support;

use std::time::Duration;

use broker::BrokerConfig;
use program::Program;
use remoting::code::request;
use support::transactions::{
    COMMIT, GIVEN_UP, HALF, HALF_PROPERTIES, answer, end, half, heartbeat, question,
};
use support::{Fixture, Wire, ask, at_once, bodies, message, pull, pulling, records, send, until};

/// Every half message older than half a second is asked about, many times a second.
fn asking(config: &mut BrokerConfig) {
    config.transaction_check_interval = Duration::from_millis(10);
    config.transaction_timeout = Duration::from_millis(500);
    config.transaction_check_max = 100_000;
}

/// The same as keys of a file.
const ASKING: &str = "transactionCheckInterval=10
transactionTimeOut=500
transactionCheckMax=100000
";

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

fn assert_property(properties: &str, name: &str, value: &str) {
    let wanted = format!("{name}\u{1}{value}\u{2}");
    assert!(properties.contains(&wanted), "{properties:?}");
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
    assert_property(&properties, "TRANSACTION_CHECK_TIMES", "1");
    let (second, _, properties) = question(&mut client).await;
    assert_property(&properties, "TRANSACTION_CHECK_TIMES", "2");
    assert!(second.tran_state_table_offset > first.tran_state_table_offset);
    // The answer to the first question comes late, and the producer's own end later still: both name places it has left.
    assert_eq!(client.call(answer(&first, COMMIT)).await.code, 0);
    assert_eq!(client.call(answer(&second, COMMIT)).await.code, 0);
    assert_eq!(client.call(end(&sent, COMMIT)).await.code, 0);
    client.send(send(&message("T", ""), b"last")).await;
    fixture.readable("T", 2).await;
    let got = client.call(pulling(&at_once(pull("T", "G", 0)))).await;
    assert_eq!(bodies(&got), ["money", "last"]);
    settles(&fixture).await;
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
    assert_eq!(other.call(answer(&asked, COMMIT)).await.code, 0);
    fixture.readable("T", 1).await;
}

/// KNOWN-BUGS R12
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
    assert_property(&properties, "TRANSACTION_CHECK_TIMES", "1");
    assert_property(&properties, "TRAN_PREPARED_QUEUE_OFFSET", "0");
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
        assert_property(&properties, "TRANSACTION_CHECK_TIMES", times);
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
    assert_property(&properties, "TRANSACTION_CHECK_TIMES", "1");
    assert_eq!(client.call(answer(&asked, COMMIT)).await.code, 0);
    fixture.readable("T", 1).await;
}

#[tokio::test]
async fn after_a_crash_what_was_open_is_asked_about_and_what_had_ended_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Program::start(folder.path(), ""); // the first check comes after a minute
    let mut client = Wire::open(broker.addr).await;
    let ended = client.send(send(&half(HALF_PROPERTIES), b"money")).await;
    assert_eq!(client.call(end(&ended, COMMIT)).await.code, 0);
    let open = HALF_PROPERTIES.replace("ID", "OPEN");
    client.send(send(&half(&open), b"money")).await;
    broker.kill();

    let broker = Program::start(folder.path(), ASKING);
    let mut client = Wire::open(broker.addr).await;
    client.call(heartbeat("c")).await;
    let (asked, ..) = question(&mut client).await;
    assert_eq!(asked.msg_id.as_deref(), Some("OPEN"));
    broker.kill();

    let broker = Program::start(folder.path(), ASKING);
    let mut client = Wire::open(broker.addr).await;
    client.call(heartbeat("c")).await;
    let (asked, ..) = question(&mut client).await;
    assert_eq!(asked.msg_id.as_deref(), Some("OPEN"));
    let got = client.call(pulling(&at_once(pull("T", "G", 0)))).await;
    assert_eq!(bodies(&got), ["money"]);
    assert_eq!(client.call(answer(&asked, COMMIT)).await.code, 0);
    let got = client.call(pulling(&pull("T", "G", 1))).await;
    assert_eq!(bodies(&got), ["money"]);
}

/// Its end names the first of the places that the message has had, and the check begins at that one again.
#[tokio::test]
async fn after_a_crash_nobody_is_asked_about_what_was_asked_about_and_then_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Program::start(folder.path(), ASKING);
    let mut client = Wire::open(broker.addr).await;
    client.call(heartbeat("c")).await;
    let sent = client.send(send(&half(HALF_PROPERTIES), b"money")).await;
    for _ in 0..3 {
        question(&mut client).await;
    }
    assert_eq!(client.call(end(&sent, COMMIT)).await.code, 0);
    broker.kill();

    let broker = Program::start(folder.path(), ASKING);
    let mut client = Wire::open(broker.addr).await;
    client.call(heartbeat("c")).await;
    let open = HALF_PROPERTIES.replace("ID", "OPEN");
    client.send(send(&half(&open), b"money")).await;
    // It lies behind all that there was, so it is the last to be asked about.
    let (asked, ..) = question(&mut client).await;
    assert_eq!(asked.msg_id.as_deref(), Some("OPEN"));
    let got = client.call(pulling(&at_once(pull("T", "G", 0)))).await;
    assert_eq!(bodies(&got), ["money"]);
}
