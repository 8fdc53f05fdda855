//! How long an append takes, dispatch running: `cargo run --release -p store --example append_bench`.
//! 128-byte bodies, 8 queues, one thread and then two; then a start after a crash on what that made.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use store::{Everything, NewMessage, QueueOffset, Store, StoreConfig};

const MESSAGES: u32 = 2_000_000;

fn main() {
    let dir = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, Into::into)
        .join("append-bench");
    let _ = std::fs::remove_dir_all(&dir);
    let store = Store::open(StoreConfig::at(&dir), Arc::new(())).expect("opens");
    for threads in [1, 2] {
        let (took, cpu) = appends(&store, threads);
        let behind = store.dispatch_behind_bytes();
        println!(
            "{threads} thread(s): {took} ns an append, {cpu} ns of processor, dispatch {behind} bytes behind"
        );
    }
    reads(&store);
    if std::env::args().nth(2).is_none() {
        restart(&store, &dir);
    }
    drop(store);
    let _ = std::fs::remove_dir_all(&dir);
}

/// Wall and processor time of one append, in nanoseconds; the latter without the dispatcher's.
fn appends(store: &Store, threads: u32) -> (u64, u64) {
    let keys: Vec<String> = (0..1000)
        .map(|n| {
            format!(
                "UNIQ_KEY\u{1}7F00000100002A139A5584B1{threads:04X}{n:08X}\u{2}WAIT\u{1}true\u{2}"
            )
        })
        .collect();
    let (keys, began) = (&keys, Instant::now());
    let cpu: u64 = std::thread::scope(|scope| {
        let run = move || {
            for (n, properties) in (0..MESSAGES / threads).zip(keys.iter().cycle()) {
                store
                    .append(&message(n % 8, &[7; 128], properties))
                    .expect("stored");
            }
            cpu_ns()
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    });
    (
        began.elapsed().as_nanos() as u64 / u64::from(MESSAGES),
        cpu / u64::from(MESSAGES),
    )
}

/// Processor time of this thread so far.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ')
        .next()
        .and_then(|first| first.parse().ok())
        .unwrap_or(0)
}

fn message<'a>(queue_id: u32, body: &'a [u8], properties: &'a str) -> NewMessage<'a> {
    NewMessage {
        topic: "BenchmarkTest",
        queue_id,
        flag: 0,
        sys_flag: 0,
        born_timestamp_ms: 1,
        born_host: ([127, 0, 0, 1], 1).into(),
        store_host: ([127, 0, 0, 1], 10911).into(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body,
        properties,
    }
}

fn reads(store: &Store) {
    while store.dispatch_behind_bytes() > 0 {
        std::thread::yield_now();
    }
    let (began, mut at, mut messages, mut calls) = (Instant::now(), QueueOffset(0), 0, 0);
    loop {
        let read = store.read_queue("BenchmarkTest", 0, at, 32, &mut Everything);
        if read.message_count == 0 {
            break;
        }
        at = read.next_begin;
        messages += read.message_count;
        calls += 1;
    }
    println!(
        "read {messages} messages in {calls} calls, {} ns a call",
        began.elapsed().as_nanos() / calls
    );
}

fn restart(store: &Arc<Store>, dir: &Path) {
    // The directory as a crash leaves it, under another name; the page cache is what it was.
    let crashed = dir.with_extension("crashed");
    let _ = std::fs::remove_dir_all(&crashed);
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg("--sparse=always")
        .arg(dir)
        .arg(&crashed)
        .status();
    println!("copied: {:?}", copied.map(|status| status.success()));
    let open = |what| {
        let began = Instant::now();
        let store = Store::open(StoreConfig::at(&crashed), Arc::new(())).expect("opens");
        println!(
            "start after {what}: {} ms, log ends at {}",
            began.elapsed().as_millis(),
            store.max_log_offset()
        );
        let began = Instant::now();
        store.close();
        println!("stop: {} ms", began.elapsed().as_millis());
    };
    open("a crash");
    open("a clean stop");
    let began = Instant::now();
    store.close();
    println!(
        "stop with everything dirty: {} ms",
        began.elapsed().as_millis()
    );
    let _ = std::fs::remove_dir_all(&crashed);
}
