//! Passes over a real store, one at a time, and the check on a clock that stands still.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use remoting::properties::{CHECK_IMMUNITY_SECONDS, PREPARED_QUEUE_OFFSET};
use store::{Everything, LogOffset, NewMessage, QueueOffset, Record, StoreConfig};
use tempfile::TempDir;

use super::half::{self, Half, with};
use super::{End, GIVEN_UP_TOPIC, GROUP, HALF_TOPIC, OP_TOPIC, QUEUE, op};
use crate::broker::{Broker, Running};
use crate::config::BrokerConfig;
use crate::now_ms;

const HOUR_MS: i64 = 3_600_000;
const PROPERTIES: &str = "UNIQ_KEY\u{1}ID\u{2}TRAN_MSG\u{1}true\u{2}PGROUP\u{1}P\u{2}";

fn config(root: &Path) -> BrokerConfig {
    let mut config = BrokerConfig {
        broker_ip1: Some("127.0.0.1".to_owned()),
        transaction_timeout: Duration::from_secs(6),
        transaction_check_interval: Duration::from_secs(3_600),
        store: StoreConfig {
            commit_log_file_bytes: 1 << 20,
            index_slots: 100,
            index_entries: 400,
            ..StoreConfig::at(root)
        },
        ..BrokerConfig::default()
    };
    config.server.listen_port = 0;
    config
}

/// A broker whose check begins a pass only when it is told to.
struct Stage {
    running: Running,
    _folder: TempDir,
}

impl Stage {
    async fn new() -> Stage {
        Stage::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut BrokerConfig)) -> Stage {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(folder.path());
        change(&mut config);
        Stage {
            running: crate::run(config).await.expect("starts"),
            _folder: folder,
        }
    }

    fn broker(&self) -> &Arc<Broker> {
        self.running.broker()
    }

    /// A half message as old as that; its place in the queue.
    fn send(&self, age_ms: i64, properties: &str) -> i64 {
        let message = NewMessage {
            topic: "T",
            queue_id: 3,
            flag: 7,
            sys_flag: 4,
            born_timestamp_ms: now_ms() - age_ms,
            born_host: "10.0.0.1:4567".parse().expect("an address"),
            store_host: self.broker().store_host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body: b"money",
            properties,
        };
        let store = &self.broker().store;
        let stored = half::append(store, Duration::from_secs(1), &message).expect("stored");
        self.dispatched();
        stored.queue_offset.0
    }

    /// Waits until everything stored has its queue entry.
    fn dispatched(&self) {
        let began = std::time::Instant::now();
        while self.broker().store.dispatch_behind_bytes() > 0 {
            assert!(began.elapsed() < Duration::from_secs(30));
            std::thread::yield_now();
        }
    }

    /// A pass in a later millisecond than all that is stored. How far it came.
    fn pass(&self) -> i64 {
        let now = now_ms();
        while now_ms() == now {
            std::thread::yield_now();
        }
        let broker = self.broker();
        let position = broker.transactions.pass(broker).expect("not stopping");
        self.dispatched();
        position.half
    }

    fn end(&self, at: i64, how: End) {
        let place = self
            .broker()
            .store
            .log_offset_of(HALF_TOPIC, QUEUE, QueueOffset(at));
        let bytes = place
            .and_then(|place| self.broker().store.record_at(place))
            .expect("there");
        let half = Half::of(Record::decode(&bytes).expect("whole")).expect("a half");
        let broker = self.broker();
        broker.transactions.end(broker, &half, how).expect("stored");
        self.dispatched();
    }

    fn end_of(&self, topic: &str, queue_id: u32) -> i64 {
        self.broker().store.max_offset(topic, queue_id).0
    }

    /// Something of the record at a place of the half queue.
    fn at<T>(&self, at: i64, of: impl Fn(&Record<'_>) -> T) -> T {
        let store = &self.broker().store;
        let read = store.read_queue(HALF_TOPIC, QUEUE, QueueOffset(at), 1, &mut Everything);
        let record = Record::decode(read.records.first().expect("there")).expect("whole");
        of(&record)
    }

    fn property(&self, at: i64, name: &str) -> Option<String> {
        self.at(at, |record| {
            let value = record.property(name.as_bytes())?;
            Some(String::from_utf8_lossy(value).into_owned())
        })
    }
}

#[tokio::test]
async fn a_pass_goes_by_what_has_ended_and_stops_at_what_is_young() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.send(0, PROPERTIES);
    }
    stage.end(1, End::Rollback);
    assert_eq!(stage.pass(), 0, "the first is young");
    stage.end(0, End::Commit);
    assert_eq!(stage.pass(), 2, "the third is young");
    assert_eq!(
        (stage.end_of("T", 3), stage.end_of(HALF_TOPIC, QUEUE)),
        (1, 3)
    );
    let topic = stage
        .broker()
        .topics
        .get(HALF_TOPIC)
        .expect("made by the check");
    assert_eq!((topic.read_queue_nums, topic.perm), (1, 6));
}

#[tokio::test]
async fn the_op_offset_never_passes_what_is_still_needed() {
    let stage = Stage::new().await;
    for _ in 0..4 {
        stage.send(0, PROPERTIES);
    }
    for at in [3, 0, 2] {
        stage.end(at, End::Commit);
    }
    let op = |stage: &Stage| {
        stage
            .broker()
            .transactions
            .position
            .lock()
            .expect("passed")
            .op
    };
    assert_eq!(
        (stage.pass(), op(&stage)),
        (1, 0),
        "the end of 3 comes first and is needed"
    );
    stage.end(1, End::Commit);
    assert_eq!((stage.pass(), op(&stage)), (4, 4));
    assert_eq!((stage.pass(), op(&stage)), (4, 4));
}

#[tokio::test]
async fn ends_far_ahead_of_their_half_messages_are_found_when_it_is_their_turn() {
    let stage = Stage::new().await;
    let far = 10 << 20;
    for half in [far, 5, far + 1, 6] {
        op::append(&stage.broker().store, stage.broker().store_host, half).expect("stored");
    }
    stage.dispatched();
    let mut done = op::Done::new(&stage.broker().store, 0, 4);
    let seen = [4, 5, 6, 7, far - 1, far, far + 1, far + 2].map(|half| done.has(half));
    assert_eq!(seen, [false, true, true, false, false, true, true, false]);
    assert_eq!((done.needed_from(7), done.needed_from(far + 1)), (0, 2));
}

#[tokio::test]
async fn an_old_message_is_put_back_whole_and_counted() {
    let stage = Stage::new().await;
    stage.send(HOUR_MS, PROPERTIES);
    let born = stage.at(0, |record| record.born_timestamp_ms);
    assert_eq!(stage.pass(), 1);
    assert_eq!(
        stage.property(1, "TRANSACTION_CHECK_TIMES").as_deref(),
        Some("1")
    );
    stage.at(1, |record| {
        assert_eq!(
            (record.flag, record.body, record.born_timestamp_ms),
            (7, &b"money"[..], born)
        );
        assert_eq!((record.born_host[3], record.sys_flag & 0xC), (1, 0));
    });
    assert_eq!(stage.pass(), 2);
    assert_eq!(
        stage.property(2, "TRANSACTION_CHECK_TIMES").as_deref(),
        Some("2")
    );
    assert_eq!(
        stage.property(2, PREPARED_QUEUE_OFFSET),
        None,
        "only for immunity"
    );
}

#[tokio::test]
async fn an_end_that_names_an_older_place_ends_the_message_where_it_lies_now() {
    let stage = Stage::new().await;
    stage.send(HOUR_MS, PROPERTIES);
    assert_eq!((stage.pass(), stage.pass()), (1, 2));
    stage.end(0, End::Commit);
    stage.end(1, End::Commit);
    assert_eq!(stage.pass(), 3, "nothing is put back any more");
    assert_eq!(
        (stage.end_of("T", 3), stage.end_of(HALF_TOPIC, QUEUE)),
        (1, 3)
    );
    assert_eq!(
        stage.end_of(OP_TOPIC, QUEUE),
        3,
        "for the place it has and each that it had"
    );
}

#[tokio::test]
async fn immunity_is_found_again_after_a_restart() {
    let stage = Stage::new().await;
    // As a broker before this one has left it: put back from 0 to 1, then its end came and named 0.
    let immune = with(PROPERTIES, &[(CHECK_IMMUNITY_SECONDS, "7200")]);
    stage.send(HOUR_MS, &immune);
    stage.send(HOUR_MS, &with(&immune, &[(PREPARED_QUEUE_OFFSET, "0")]));
    op::append(&stage.broker().store, stage.broker().store_host, 0).expect("stored");
    stage.dispatched();
    let broker = stage.broker();
    broker.offsets.commit("test", GROUP, HALF_TOPIC, 0, 1);
    assert_eq!(stage.pass(), 2);
    assert_eq!(
        stage.end_of(HALF_TOPIC, QUEUE),
        2,
        "it is not put back: it has ended"
    );
}

#[tokio::test]
async fn immune_messages_move_on_uncounted_and_hold_up_nobody() {
    let stage = Stage::new().await;
    let immune = with(PROPERTIES, &[(CHECK_IMMUNITY_SECONDS, "7200")]);
    stage.send(HOUR_MS, &immune);
    stage.send(HOUR_MS, PROPERTIES);
    for round in 1..=16 {
        assert_eq!(stage.pass(), 2 * round);
    }
    for round in 1..=4 {
        assert_eq!(stage.pass(), 32 + round, "one of them is left");
    }
    let last = stage.end_of(HALF_TOPIC, QUEUE) - 1;
    assert_eq!(stage.property(last, "TRANSACTION_CHECK_TIMES"), None);
    assert_eq!(
        stage.property(last, PREPARED_QUEUE_OFFSET).as_deref(),
        Some("0")
    );
    stage.end(0, End::Commit);
    stage.pass();
    assert_eq!(stage.end_of("T", 3), 1);
    assert_eq!(
        stage.end_of(GIVEN_UP_TOPIC, QUEUE),
        1,
        "the other one, after 15 questions"
    );
    let end = stage.end_of(HALF_TOPIC, QUEUE);
    assert_eq!((stage.pass(), stage.end_of(HALF_TOPIC, QUEUE)), (end, end));
}

#[tokio::test]
async fn what_is_older_than_the_log_keeps_messages_is_given_up() {
    let stage = Stage::new().await;
    stage.send(73 * HOUR_MS, PROPERTIES);
    stage.send(71 * HOUR_MS, PROPERTIES);
    stage.pass();
    assert_eq!(
        (
            stage.end_of(GIVEN_UP_TOPIC, QUEUE),
            stage.end_of(HALF_TOPIC, QUEUE)
        ),
        (1, 3)
    );
}

#[tokio::test]
async fn a_message_from_the_future_is_asked_about_at_once() {
    let stage = Stage::new().await;
    stage.send(-HOUR_MS, PROPERTIES);
    assert_eq!((stage.pass(), stage.end_of(HALF_TOPIC, QUEUE)), (1, 2));
}

#[tokio::test]
async fn while_the_store_refuses_nothing_is_passed_by() {
    let stage = Stage::new().await;
    stage.send(HOUR_MS, PROPERTIES);
    stage.send(100 * HOUR_MS, PROPERTIES);
    stage.broker().store.close();
    assert_eq!(stage.pass(), 0);
}

#[tokio::test]
async fn junk_in_either_queue_stops_nobody() {
    let stage = Stage::new().await;
    let junk = |topic: &str, body: &[u8], properties: &str| {
        let message = NewMessage {
            topic,
            queue_id: QUEUE,
            flag: 0,
            sys_flag: 0,
            born_timestamp_ms: 0,
            born_host: stage.broker().store_host,
            store_host: stage.broker().store_host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body,
            properties,
        };
        stage.broker().store.append(&message).expect("stored");
    };
    junk(HALF_TOPIC, b"no half", "");
    junk(OP_TOPIC, b"x", "TAGS\u{1}d\u{2}");
    junk(OP_TOPIC, b"1", "TAGS\u{1}e\u{2}");
    junk(OP_TOPIC, b"99999999999999999999", "TAGS\u{1}d\u{2}");
    junk(OP_TOPIC, b"-5", "TAGS\u{1}d\u{2}");
    stage.send(HOUR_MS, PROPERTIES);
    assert_eq!(stage.pass(), 2);
    let position = stage.broker().transactions.position.lock().expect("passed");
    assert_eq!((position.op, stage.end_of(HALF_TOPIC, QUEUE)), (4, 3));
}

#[tokio::test]
async fn offsets_are_kept_when_what_they_pass_by_is_on_disk() {
    let stage = Stage::with(|config| {
        config.store.flush_interval = Duration::from_secs(3_600);
    })
    .await;
    stage.send(HOUR_MS, PROPERTIES);
    let broker = stage.broker();
    stage.pass();
    let position = broker.transactions.position.lock().expect("passed");
    assert!(
        position.safe_at > LogOffset(0) && position.safe_at > broker.store.flushed_log_offset()
    );
    broker.transactions.keep(broker, position);
    assert_eq!(broker.offsets.query(GROUP, HALF_TOPIC, 0), Some(1));
    stage.pass();
    broker.transactions.keep(broker, position);
    broker.transactions.stop(broker);
    assert_eq!(
        broker.offsets.query(GROUP, HALF_TOPIC, 0),
        Some(2),
        "a stop keeps the last"
    );
    broker.transactions.keep(broker, position);
    assert_eq!(
        broker.offsets.query(GROUP, HALF_TOPIC, 0),
        Some(2),
        "an older one comes too late"
    );
    assert!(
        broker.transactions.pass(broker).is_none(),
        "none begins after that"
    );
}

#[tokio::test(start_paused = true)]
async fn the_check_runs_once_in_every_interval() {
    let stage = Stage::with(|config| {
        config.transaction_check_interval = Duration::from_secs(60);
    })
    .await;
    stage.send(HOUR_MS, PROPERTIES);
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(stage.end_of(HALF_TOPIC, QUEUE), 1);
    for rounds in 1..4 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let began = std::time::Instant::now();
        while stage.end_of(HALF_TOPIC, QUEUE) != 1 + rounds {
            assert!(began.elapsed() < Duration::from_secs(30));
            tokio::task::yield_now().await;
        }
        let put_back_ms = crate::now_ms();
        while crate::now_ms() <= put_back_ms {
            std::thread::yield_now(); // what was put back is of an earlier millisecond in the next round
        }
    }
}

#[tokio::test]
async fn a_store_that_java_left_is_gone_on_with() {
    let golden =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../compat-tests/golden/store/clean");
    let folder = tempfile::tempdir().expect("a folder");
    copy(&golden, folder.path());
    let mut config = config(folder.path());
    config.store.commit_log_file_bytes = 32_768;
    config.store.consume_queue_file_bytes = 2_000;
    config.store.expiry.file_reserved_time = Duration::MAX;
    let stage = Stage {
        running: crate::run(config).await.expect("starts"),
        _folder: folder,
    };
    let properties = |at| {
        stage.at(at, |record| {
            String::from_utf8_lossy(record.body).into_owned()
        })
    };
    assert_eq!(stage.end_of(HALF_TOPIC, QUEUE), 3);
    assert_eq!(stage.pass(), 3, "two have ended, one was left open");
    assert_eq!(properties(3), "half_left_open");
    assert_eq!(
        stage.property(3, "TRANSACTION_CHECK_TIMES").as_deref(),
        Some("1")
    );
    let before = stage.end_of("GoldenTopic", 3);
    stage.end(2, End::Commit);
    assert_eq!(stage.end_of("GoldenTopic", 3), before + 1);
    assert_eq!(stage.pass(), 4);
    assert_eq!(stage.end_of(HALF_TOPIC, QUEUE), 4);
}

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
