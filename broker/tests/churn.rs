//! Clients, groups and topics that come and go: no table, file, descriptor or memory stays behind (R16).
//!
//! ```text
//! round   400 clients ─▶ heartbeat, send, commit, lock, filter, pull that waits ─▶ gone, some without a word
//!         20 topics, 40 groups, their retry topics ─▶ deleted
//! after   every table as before the first client · descriptors, mappings and files as after the first round
//!         memory as after the first rounds
//! ```
//!
//! The clients live in this process too, and their memory is counted with the broker's.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use remoting::Command;
use remoting::body::MessageQueue;
use remoting::body::heartbeat::{
    ConsumerData, HeartbeatData, MessageModel, ProducerData, SubscriptionData,
};
use remoting::body::lock::LockBatchBody;
use remoting::code::request;
use remoting::java::json;
use support::{Fixture, Wire, ask, at_once, message, pull, pulling, send, subscription};
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const ROUNDS: usize = 6;
/// Rounds after which buffers and tables have their sizes.
const FIRST_ROUNDS: usize = 3;
const CLIENTS: usize = 400;
const TOPICS: usize = 20;
const GROUPS: usize = 40;
/// What tables that shrink and grow may differ by. A client that left 200 bytes behind would make 240,000 of three rounds.
const TOLERATED_BYTES: usize = 100_000;
/// An offset that no queue has: the pull is answered at once, and told to whom it may concern.
const BEYOND: i64 = 1_000_000;
/// Longer than a lock lives.
const LOCKS_EXPIRE: Duration = Duration::from_secs(61);

/// One client of a round: no other has its id or its producer group.
#[derive(Clone, Copy)]
struct Place {
    round: usize,
    at: usize,
}

impl Place {
    fn id(self) -> String {
        format!("127.0.0.1@churn-{}-{}", self.round, self.at)
    }
    fn group(self) -> String {
        group(self.round, self.at % GROUPS)
    }
    fn topic(self) -> String {
        topic(self.round, self.at % TOPICS)
    }

    fn heartbeat(self) -> Command {
        let sql = SubscriptionData {
            sub_string: format!("a > {}", self.at % GROUPS),
            expression_type: "SQL92".to_owned(),
            ..subscription("Filtered", &[], 1)
        };
        let consumer = ConsumerData {
            group_name: self.group(),
            message_model: MessageModel::Clustering,
            subscription_data_set: vec![subscription(&self.topic(), &["t"], 1), sql],
            ..ConsumerData::default()
        };
        let group_name = format!("Producers-{}-{}", self.round, self.at);
        let data = HeartbeatData {
            client_id: self.id(),
            consumer_data_set: vec![consumer],
            producer_data_set: vec![ProducerData { group_name }],
        };
        Command::request(request::HEART_BEAT).with_body(json::write(&data))
    }

    fn locking(self, code: i32) -> Command {
        let queue = MessageQueue {
            broker_name: "broker-a".to_owned(),
            queue_id: self.at as i32,
            topic: self.topic(),
        };
        let body = LockBatchBody {
            client_id: Some(self.id()),
            consumer_group: Some(self.group()),
            queues: [queue].into(),
        };
        Command::request(code).with_body(json::write(&body))
    }

    /// Does what clients do. The connection, with a pull that waits.
    async fn live(self, broker: SocketAddr) -> Wire {
        let mut wire = Wire::open(broker).await;
        let (topic, group) = (self.topic(), self.group());
        done(&mut wire, self.heartbeat()).await;
        wire.send(send(&message(&topic, "TAGS\u{1}t\u{2}"), b"x"))
            .await;
        let commit = [
            ("consumerGroup", &*group),
            ("topic", &*topic),
            ("queueId", "0"),
            ("commitOffset", "1"),
        ];
        done(&mut wire, ask(request::UPDATE_CONSUMER_OFFSET, &commit)).await;
        done(&mut wire, self.locking(request::LOCK_BATCH_MQ)).await;
        wire.call(pulling(&at_once(pull(&topic, &group, 0)))).await;
        wire.write(pulling(&pull(&topic, &group, BEYOND))).await;
        wire.write(pulling(&pull(&format!("%RETRY%{group}"), &group, 0)))
            .await;
        if self.at.is_multiple_of(2) {
            done(&mut wire, self.locking(request::UNLOCK_BATCH_MQ)).await;
            let leave = [("clientID", &*self.id()), ("consumerGroup", &*group)];
            done(&mut wire, ask(request::UNREGISTER_CLIENT, &leave)).await;
        }
        wire
    }
}

fn topic(round: usize, at: usize) -> String {
    format!("Churn-{round}-{at}")
}

fn group(round: usize, at: usize) -> String {
    format!("Group-{round}-{at}")
}

async fn done(wire: &mut Wire, request: Command) {
    let code = request.code;
    let reply = wire.call(request).await;
    assert_eq!(reply.code, 0, "{code}: {:?}", reply.remark);
}

/// What must be no more after a round than after the first one. A table that is just being saved is a descriptor more.
#[derive(Debug)]
struct Held {
    descriptors: usize,
    /// Of files below the store.
    mappings: usize,
    /// Of queues, their folders counted in.
    files: usize,
}

impl Held {
    fn now(fixture: &Fixture) -> Held {
        let folder = fixture.folder.path().to_string_lossy().into_owned();
        let maps = fs::read_to_string("/proc/self/maps").expect("Linux");
        Held {
            descriptors: fs::read_dir("/proc/self/fd").expect("Linux").count(),
            mappings: maps.lines().filter(|line| line.contains(&folder)).count(),
            files: files(&fixture.folder.path().join("consumequeue")),
        }
    }

    fn is_more_than(&self, other: &Held) -> bool {
        self.descriptors > other.descriptors
            || self.mappings > other.mappings
            || self.files > other.files
    }
}

fn files(folder: &std::path::Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder");
    let count = |entry: fs::DirEntry| match entry.file_type().expect("known").is_dir() {
        true => 1 + files(&entry.path()),
        false => 1,
    };
    entries.map(|entry| count(entry.expect("there"))).sum()
}

async fn round(fixture: &Fixture, tool: &mut Wire, round: usize) {
    let place = |at| Place { round, at };
    let broker = fixture.addr();
    let lives = (0..CLIENTS).map(|at| place(at).live(broker));
    let clients = lives.collect::<JoinSet<Wire>>().join_all().await;
    let sizes = fixture.running.broker().sizes();
    let size = |table| sizes.get(table).copied().unwrap_or(0);
    assert!(size("consumer groups") >= GROUPS / 2, "{sizes:?}");
    assert!(size("filters") >= GROUPS, "{sizes:?}");
    assert_eq!(size("locked queues"), CLIENTS / 2, "{sizes:?}");
    drop(clients);
    support::until(|| fixture.running.broker().connected_groups() == (0, 0)).await;
    let mut deletions: Vec<Command> = (0..TOPICS)
        .map(|at| delete_topic(&topic(round, at)))
        .collect();
    for group in (0..GROUPS).map(|at| group(round, at)) {
        let fields = [("groupName", &*group)];
        deletions.push(delete_topic(&format!("%RETRY%{group}")));
        deletions.push(ask(request::DELETE_SUBSCRIPTIONGROUP, &fields));
    }
    for deletion in &deletions {
        tool.write(deletion.clone()).await;
    }
    for _ in deletions {
        let reply = tool.read().await.expect("connected");
        assert_eq!(reply.code, 0, "{:?}", reply.remark);
    }
    pass_a_minute().await;
    let last = place(0); // whoever asks for a lock sweeps the expired ones out
    done(tool, last.locking(request::LOCK_BATCH_MQ)).await;
    done(tool, last.locking(request::UNLOCK_BATCH_MQ)).await;
}

/// Until locks have expired, and the check of transactions has run.
async fn pass_a_minute() {
    tokio::time::pause();
    tokio::time::advance(LOCKS_EXPIRE).await;
    tokio::time::resume();
}

fn delete_topic(topic: &str) -> Command {
    ask(request::DELETE_TOPIC_IN_BROKER, &[("topic", topic)])
}

#[tokio::test]
async fn who_has_gone_leaves_nothing_behind() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let fixture = Fixture::with(|config| {
        config.enable_property_filter = true;
        config.fast_failure_enable = false; // all clients come at once, on one thread
    })
    .await;
    let mut tool = fixture.client().await;
    done(&mut tool, send(&message("Filtered", ""), b"x")).await;
    fixture.readable("Filtered", 1).await;
    let sizes = || -> BTreeMap<&'static str, usize> { fixture.running.broker().sizes() };
    pass_a_minute().await;
    tool.call(pulling(&pull("Filtered", "G", BEYOND))).await;
    // Where the check of transactions stands, in two queues; and the event of a pull beyond the end.
    let at_work = || (sizes()["offsets"], sizes()["stored topics"]) == (2, 2);
    support::until(at_work).await;
    let before = sizes();
    let mut seen = Vec::new();
    let mut held = None;
    for at in 0..ROUNDS {
        round(&fixture, &mut tool, at).await;
        let back = || {
            let more = |held: &Held| Held::now(&fixture).is_more_than(held);
            sizes() == before && !held.as_ref().is_some_and(more)
        };
        let waiting = async {
            while !back() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let settled = tokio::time::timeout(support::PATIENCE, waiting).await;
        let (now, sizes) = (Held::now(&fixture), sizes());
        assert!(
            settled.is_ok(),
            "round {at}: {sizes:?}, was {before:?}; {now:?}, was {held:?}"
        );
        held.get_or_insert(now);
        let bytes = dhat::HeapStats::get().curr_bytes;
        println!("round {at}: {bytes} bytes allocated, {held:?}");
        seen.push(bytes);
    }
    let (first, later) = seen.split_at(FIRST_ROUNDS);
    let most = first.last().expect("first rounds") + TOLERATED_BYTES;
    assert!(later.iter().all(|bytes| *bytes <= most), "{seen:?}");
    fixture.running.stop().await;
}
