//! What the tests of a whole store share: small files, messages, waiting without sleeping.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test file uses a part of it"
)]

pub mod lines;

use std::fs;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use store::{
    Appended, Arrival, Arrivals, Everything, LogOffset, NewMessage, QueueOffset, QueueRead, Record,
    Store, StoreConfig,
};

/// Log files of 64 KiB, queue files of 100 entries, index files of 200.
pub fn config(root: &Path) -> StoreConfig {
    StoreConfig {
        commit_log_file_bytes: 64 * 1024,
        consume_queue_file_bytes: 2000,
        index_slots: 50,
        index_entries: 200,
        max_message_bytes: 32 * 1024,
        ..StoreConfig::at(root)
    }
}

pub fn open(config: StoreConfig) -> (Arc<Store>, Arc<Arrived>) {
    let arrived = Arc::new(Arrived::default());
    let store = Store::open(config, arrived.clone()).expect("the store opens");
    (store, arrived)
}

/// Counts arrivals and lets tests wait for them.
#[derive(Default)]
pub struct Arrived {
    seen: Mutex<Vec<(String, u32, i64)>>,
    changed: Condvar,
}

impl Arrivals for Arrived {
    fn arrived(&self, arrival: &Arrival<'_>) {
        let one = (
            arrival.topic.to_owned(),
            arrival.queue_id,
            arrival.queue_offset.0,
        );
        self.seen.lock().expect("lock").push(one);
        self.changed.notify_all();
    }
}

impl Arrived {
    /// Blocks until so many have come.
    pub fn wait_for(&self, count: usize) -> Vec<(String, u32, i64)> {
        let seen = self.seen.lock().expect("lock");
        let seen = self
            .changed
            .wait_while(seen, |seen| seen.len() < count)
            .expect("lock");
        seen.clone()
    }

    pub fn count(&self) -> usize {
        self.seen.lock().expect("lock").len()
    }
}

pub fn message<'a>(
    topic: &'a str,
    queue_id: u32,
    body: &'a [u8],
    properties: &'a str,
) -> NewMessage<'a> {
    NewMessage {
        topic,
        queue_id,
        flag: 0,
        sys_flag: 0,
        born_timestamp_ms: 1_600_000_000_000,
        born_host: ([127, 0, 0, 1], 4321).into(),
        store_host: ([127, 0, 0, 1], 10911).into(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body,
        properties,
    }
}

/// Appends `count` messages to queues 0 and 1 of T in turn, bodies `body-<n>` from `first` on, keys `key-<n>`.
pub fn append_some(store: &Store, first: usize, count: usize) -> Vec<Appended> {
    let one = |n: usize| {
        let (body, properties) = (
            format!("body-{n:06}"),
            format!("KEYS\u{1}key-{n}\u{2}TAGS\u{1}tag-{}\u{2}", n % 3),
        );
        store
            .append(&message("T", (n % 2) as u32, body.as_bytes(), &properties))
            .expect("stored")
    };
    (first..first + count).map(one).collect()
}

/// Every body in a queue, read from its first entry on.
pub fn bodies(store: &Store, topic: &str, queue_id: u32) -> Vec<String> {
    let (mut at, mut all) = (store.min_offset(topic, queue_id), Vec::new());
    loop {
        let read = store.read_queue(topic, queue_id, at, 32, &mut Everything);
        if read.next_begin == at {
            return all;
        }
        all.extend(records(&read).into_iter().map(|(_, body)| body));
        at = read.next_begin;
    }
}

/// Queue offset and body of each record of a read.
pub fn records(read: &QueueRead) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    for slice in &read.records {
        let mut rest = &slice[..];
        while !rest.is_empty() {
            let record = Record::decode(rest).expect("whole records only");
            record.check_body().expect("intact");
            all.push((
                record.queue_offset,
                String::from_utf8_lossy(record.body).into_owned(),
            ));
            rest = rest
                .get(record.record_bytes as usize..)
                .expect("in the slice");
        }
    }
    all
}

/// What `append_some(_, 0, count)` puts into one queue.
pub fn expected(queue_id: usize, count: usize) -> Vec<String> {
    (0..count)
        .filter(|n| n % 2 == queue_id)
        .map(|n| format!("body-{n:06}"))
        .collect()
}

/// Queues 0 and 1 of T hold exactly the first `count` messages, each once, under its own number.
pub fn assert_holds(store: &Store, count: usize) {
    for queue_id in [0, 1] {
        assert_eq!(
            bodies(store, "T", queue_id),
            expected(queue_id as usize, count),
            "queue {queue_id}"
        );
        assert_eq!(
            store.max_offset("T", queue_id).0 as usize,
            expected(queue_id as usize, count).len()
        );
        let all = store.read_queue("T", queue_id, QueueOffset(0), 32, &mut Everything);
        for (place, (queue_offset, _)) in records(&all).iter().enumerate() {
            assert_eq!(*queue_offset, place as i64);
        }
    }
}

/// A copy of a store's directory as a crash would leave it at this moment.
pub fn crash_copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("listed") {
        let entry = entry.expect("listed");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            crash_copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Everything appended is on disk and dispatched.
pub fn settle(store: &Store) {
    block_on(store.durable(store.max_log_offset())).expect("flushed");
    while store.dispatch_behind_bytes() > 0 {
        thread::yield_now();
    }
}

pub fn is_durable(store: &Store, upto: LogOffset) -> bool {
    store.flushed_log_offset() >= upto
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls a future on this thread until it is done.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut context, mut future) = (Context::from_waker(&waker), pin!(future));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
