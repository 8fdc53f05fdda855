//! What a queue costs: `cargo run --release -p store --example many_queues [folder] [topics]`.
//! 10,000 topics of 8 queues, one message each, then more to all of them in turn; a start after a clean
//! stop. Room on disk, anonymous memory and mappings are counted.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use store::{NewMessage, Store, StoreConfig};

const QUEUES: u32 = 8;

fn main() {
    let mut args = std::env::args().skip(1);
    let dir = args
        .next()
        .map_or_else(std::env::temp_dir, Into::into)
        .join("many-queues");
    let topics = args.next().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let topics: Vec<String> = (0..topics).map(|n| format!("Topic{n:05}")).collect();
    let _ = std::fs::remove_dir_all(&dir);
    let store = open(&dir, "a new store");
    for what in ["first message of each queue", "second", "third"] {
        append_to_all(&store, &topics, what);
    }
    in_turn(&store, topics.get(..1).unwrap_or_default());
    in_turn(&store, &topics);
    close(&store);
    drop(store);
    report(&dir);
    let store = open(&dir, "a clean stop");
    report(&dir);
    in_turn(&store, &topics);
    close(&store);
    drop(store);
    let _ = std::fs::remove_dir_all(&dir);
}

fn open(dir: &Path, after: &str) -> Arc<Store> {
    let began = Instant::now();
    let store = Store::open(StoreConfig::at(dir), Arc::new(())).expect("opens");
    println!("start after {after}: {} ms", began.elapsed().as_millis());
    store
}

fn close(store: &Store) {
    let began = Instant::now();
    assert!(store.close(), "closed in order");
    println!("stop: {} ms", began.elapsed().as_millis());
}

fn append_to_all(store: &Store, topics: &[String], what: &str) {
    let began = Instant::now();
    for topic in topics {
        for queue_id in 0..QUEUES {
            append(store, topic, queue_id);
        }
    }
    let appended = began.elapsed().as_millis();
    dispatched(store);
    println!(
        "{what}: appended in {appended} ms, readable after {} ms; {}",
        began.elapsed().as_millis(),
        memory()
    );
}

/// A million messages, each to the next topic.
fn in_turn(store: &Store, topics: &[String]) {
    let began = Instant::now();
    for (n, topic) in (0..1_000_000).zip(topics.iter().cycle()) {
        append(store, topic, n / topics.len() as u32 % QUEUES);
    }
    dispatched(store);
    println!(
        "{} topics in turn: {} ns a message; {}",
        topics.len(),
        began.elapsed().as_nanos() / 1_000_000,
        memory()
    );
}

fn dispatched(store: &Store) {
    while store.dispatch_behind_bytes() > 0 {
        std::thread::yield_now();
    }
}

fn append(store: &Store, topic: &str, queue_id: u32) {
    let message = NewMessage {
        topic,
        queue_id,
        flag: 0,
        sys_flag: 0,
        born_timestamp_ms: 1,
        born_host: ([127, 0, 0, 1], 1).into(),
        store_host: ([127, 0, 0, 1], 10911).into(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: &[7; 128],
        properties: "",
    };
    store.append(&message).expect("stored");
}

fn report(dir: &Path) {
    let du = std::process::Command::new("du")
        .arg("-sm")
        .arg(dir.join("consumequeue"))
        .arg(dir.join("index"))
        .output();
    let du = du.map_or_else(
        |error| error.to_string(),
        |du| String::from_utf8_lossy(&du.stdout).replace('\n', "; "),
    );
    println!("MB on disk: {du}{}", memory());
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kept = |line: &&str| line.starts_with("RssAnon") || line.starts_with("VmPTE");
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let lines: Vec<String> = status
        .lines()
        .filter(kept)
        .map(|line| line.replace(['\t', ' '], ""))
        .collect();
    format!("{}, {} mappings", lines.join(" "), maps.lines().count())
}
