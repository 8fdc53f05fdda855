//! Messages that are delivered later, over real sockets and on the real clock.

mod support;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use broker::StartError;
use remoting::Command;
use remoting::code::request;
use remoting::header::send::SendRequest;
use support::{Fixture, Wire, ask, bodies, config, message, pull, pulling, records, send, until};

const SCHEDULE: &str = "SCHEDULE_TOPIC_XXXX";

/// Levels short enough for tests: 1 s and 2 s.
const LEVELS: &str = "1s 2s";

fn levels(config: &mut broker::BrokerConfig) {
    config.store.message_delay_level = LEVELS.to_owned();
}

fn delayed(level: &str) -> String {
    format!("TAGS\u{1}TagA\u{2}DELAY\u{1}{level}\u{2}")
}

/// Code and remark of an answer.
async fn answer(client: &mut Wire, request: Command) -> (i32, String) {
    let reply = client.call(request).await;
    (reply.code, reply.remark.unwrap_or_default())
}

#[tokio::test]
async fn a_waiting_pull_gets_a_delayed_message_when_it_is_due() {
    let fixture = Fixture::with(levels).await;
    let (mut sender, mut consumer) = (fixture.client().await, fixture.client().await);
    sender.send(send(&message("T", ""), b"now")).await;
    fixture.readable("T", 1).await;
    let waiting = consumer.write(pulling(&pull("T", "G", 1))).await;
    let reply = sender
        .send(send(&message("T", &delayed("1")), b"later"))
        .await;
    // The queue it was sent to, and its place among those that wait.
    assert_eq!((reply.queue_id, reply.queue_offset), (0, 0));
    let reply = consumer.read().await.expect("an answer");
    assert_eq!(
        (reply.opaque, reply.code, bodies(&reply)),
        (waiting, 0, vec!["later".to_owned()])
    );
    let properties = records(&reply, |record| {
        String::from_utf8_lossy(record.properties).into_owned()
    });
    let expected = "TAGS\u{1}TagA\u{2}DELAY\u{1}1\u{2}CLUSTER\u{1}DefaultCluster\u{2}REAL_TOPIC\u{1}T\u{2}REAL_QID\u{1}0\u{2}";
    assert_eq!(properties, [expected]);
    fixture.running.stop().await;
}

#[tokio::test]
async fn what_cannot_wait_is_refused_in_javas_words_and_the_connection_lives() {
    let fixture = Fixture::with(levels).await;
    let mut client = fixture.client().await;
    let no_number = answer(&mut client, send(&message("T", &delayed("x")), b"x")).await;
    let words = "java.lang.NumberFormatException: For input string: \"x\"";
    assert_eq!(no_number, (1, words.to_owned()));
    let one = [
        0, 0, 0, 23, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7, 0, 0,
    ];
    let batch = SendRequest {
        batch: true,
        ..message("T", "DELAY\u{1}1\u{2}")
    };
    let batch = Command::request_with(request::SEND_BATCH_MESSAGE, &batch).with_body(one.to_vec());
    assert_eq!(answer(&mut client, batch).await.0, 13);
    for level in ["0", "-1"] {
        client
            .send(send(&message("T", &delayed(level)), b"x"))
            .await;
    }
    fixture.readable("T", 2).await;
    assert_eq!(fixture.running.broker().queue_end(SCHEDULE, 0), 0);
    fixture.running.stop().await;
}

#[tokio::test]
async fn how_far_it_is_shows_in_45_and_in_the_file_after_a_stop_and_nothing_comes_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = config(&folder);
    settings.store.message_delay_level = "1s 1h".to_owned();
    let running = broker::run(settings.clone()).await.expect("starts");
    let mut client = Wire::open(([127, 0, 0, 1], running.port()).into()).await;
    let offsets =
        |reply: Command| String::from_utf8(reply.body.into_bytes().to_vec()).expect("text");
    let none = client.call(ask(request::GET_ALL_DELAY_OFFSET, &[])).await;
    assert_eq!(
        (none.code, offsets(none)),
        (0, "{\"offsetTable\":{}}".to_owned())
    );
    for (level, body) in [("1", "one"), ("2", "two")] {
        client
            .send(send(&message("T", &delayed(level)), body.as_bytes()))
            .await;
    }
    until(|| running.broker().queue_end("T", 0) == 1).await;
    let some = client.call(ask(request::GET_ALL_DELAY_OFFSET, &[])).await;
    assert_eq!(offsets(some), "{\"offsetTable\":{1:1}}");
    running.stop().await;
    let file = fs::read_to_string(folder.path().join("config/delayOffset.json")).expect("saved");
    assert_eq!(file.replace(['\n', '\t'], ""), "{\"offsetTable\":{1:1}}");

    settings.store.message_delay_level = LEVELS.to_owned(); // a level that was made shorter: its messages are due
    let running = broker::run(settings).await.expect("starts again");
    let mut client = Wire::open(([127, 0, 0, 1], running.port()).into()).await;
    until(|| running.broker().queue_end("T", 0) == 2).await;
    let all = client.call(pulling(&pull("T", "G", 0))).await;
    assert_eq!(bodies(&all), ["one", "two"]);
    running.stop().await;
}

#[tokio::test]
async fn levels_that_java_cannot_read_end_the_start_and_name_their_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = config(&folder);
    settings.store.message_delay_level = "1s 5x".to_owned();
    let error = broker::run(settings).await.expect_err("refused");
    assert!(
        matches!(error, StartError::Store(_)) && error.to_string().starts_with("messageDelayLevel"),
        "{error}"
    );
}

/// Precision under load: messages of two levels among as many plain ones as two connections can send. The machine that
/// runs this may be busy with other things, which a witness tells: sleeps beside it, and how much longer they took. The
/// better half is held to the promise, and the rest to Java's second, on top of what the machine cost the witness.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_delayed_messages_come_within_100_ms_of_their_time() {
    const EACH: usize = 200;
    let fixture = Fixture::with(levels).await;
    let done = Arc::new(AtomicBool::new(false));
    let mut load = Vec::new();
    for _ in 0..2 {
        let (mut client, done) = (fixture.client().await, Arc::clone(&done));
        load.push(tokio::spawn(async move {
            let mut sent = 0;
            while !done.load(Ordering::Relaxed) {
                client.send(send(&message("Load", ""), &[7; 512])).await;
                sent += 1;
            }
            sent
        }));
    }
    let witness = tokio::spawn(overslept(Arc::clone(&done)));
    let mut client = fixture.client().await;
    for n in 0..EACH * 2 {
        let level = (n % 2 + 1).to_string();
        let properties = delayed(&level);
        let timed = SendRequest {
            born_timestamp: now_ms(),
            ..message("T", &properties)
        };
        client.send(send(&timed, level.as_bytes())).await;
    }
    until(|| fixture.running.broker().queue_end("T", 0) == EACH as i64 * 2).await;
    done.store(true, Ordering::Relaxed);
    let mut plain = 0;
    for one in load {
        plain += one.await.expect("no panic");
    }
    let mut late = lateness(&mut client, EACH * 2).await;
    late.sort_unstable();
    println!(
        "{plain} plain messages meanwhile; late by {} ms (median), {} ms (most)",
        late[EACH],
        late[EACH * 2 - 1]
    );
    assert!(late[0] >= 0, "{} ms early", -late[0]);
    let (usual, most) = witness.await.expect("no panic");
    let bounds = (100 + usual, 1_000 + most);
    assert!(
        late[EACH] <= bounds.0 && late[EACH * 2 - 1] <= bounds.1,
        "{bounds:?} {late:?}"
    );
    fixture.running.stop().await;
}

/// How much longer sleeps take than they should while the load runs: median and most. Milliseconds.
async fn overslept(done: Arc<AtomicBool>) -> (i64, i64) {
    const NAP: Duration = Duration::from_millis(20);
    let mut longer = vec![0];
    while !done.load(Ordering::Relaxed) {
        let began = Instant::now();
        tokio::time::sleep(NAP).await;
        longer.push((began.elapsed() - NAP).as_millis() as i64);
    }
    longer.sort_unstable();
    let at = |place: usize| longer.get(place).copied().unwrap_or(0);
    (at(longer.len() / 2), at(longer.len() - 1))
}

/// How late the messages of T are, held against when they were sent.
async fn lateness(client: &mut Wire, count: usize) -> Vec<i64> {
    let mut late = Vec::new();
    while late.len() < count {
        let reply = client
            .call(pulling(&pull("T", "G", late.len() as i64)))
            .await;
        assert_eq!(reply.code, 0, "{:?}", reply.remark);
        late.extend(records(&reply, |record| {
            let digit = record.body.first().expect("the level");
            let level = i64::from(digit - b'0');
            record.store_timestamp_ms - record.born_timestamp_ms - level * 1_000
        }));
    }
    late
}

fn now_ms() -> i64 {
    let since = UNIX_EPOCH.elapsed().expect("after 1970");
    since.as_millis() as i64
}
