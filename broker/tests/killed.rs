//! The program as a process of its own: what a `kill -9` leaves, and what messages that wait cost.

#[path = "support/program.rs"]
mod program;
mod support;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use program::Program;
use store::FlushDiskType;
use support::{Wire, at_once, bodies, message, pull, pulling, send, until};

/// All bodies of queue 0 of T, as far as they can be read now.
async fn all(client: &mut Wire) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let reply = client
            .call(pulling(&at_once(pull("T", "G", all.len() as i64))))
            .await;
        if reply.code != 0 {
            return all;
        }
        all.extend(bodies(&reply));
    }
}

/// Java's write buffer beside the page cache: it would hold all of this back for an hour. R8: its issues 8394 and 6283.
const POOL: &str = "transientStorePoolEnable=true
transientStorePoolSize=2
fastFailIfNoBufferInStorePool=true
commitIntervalCommitLog=3600000
commitCommitLogThoroughInterval=3600000
commitCommitLogLeastPages=1000000
flushIntervalCommitLog=3600000
";

#[tokio::test]
async fn what_was_acknowledged_and_what_was_seen_outlive_a_kill_with_javas_write_buffer_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut acknowledged, mut seen) = (Vec::new(), Vec::new());
    for round in 0..3 {
        let broker = Program::start(folder.path(), POOL);
        let (mut client, mut reader) =
            (Wire::open(broker.addr).await, Wire::open(broker.addr).await);
        assert_eq!(all(&mut reader).await, acknowledged, "after kill {round}");
        for n in 0..100 {
            let body = format!("{round}-{n}");
            let stored = client.send(send(&message("T", ""), body.as_bytes())).await;
            assert_eq!(stored.queue_offset, acknowledged.len() as i64);
            acknowledged.push(body);
            if n % 10 == 0 {
                seen = all(&mut reader).await;
            }
        }
        broker.kill();
    }
    let broker = Program::start(folder.path(), POOL);
    let left = all(&mut Wire::open(broker.addr).await).await;
    assert_eq!(left, acknowledged);
    assert!(seen.len() > 200 && left.starts_with(&seen));
    broker.kill();
}

const QUEUES: i32 = 2;
/// Requests of a connection that wait for their answers.
const IN_FLIGHT: usize = 64;

/// Sends to one queue, many at once, until the broker is gone. What was answered with success is in `acknowledged`.
async fn load(
    addr: SocketAddr,
    queue_id: i32,
    name: String,
    acknowledged: Arc<Mutex<Vec<String>>>,
) {
    let (mut client, mut waiting, mut next) = (Wire::open(addr).await, HashMap::new(), 0);
    loop {
        while waiting.len() < IN_FLIGHT {
            let body = format!("{name}-{queue_id}-{next}");
            let mut header = message("T", "");
            header.queue_id = queue_id;
            let Some(opaque) = client.try_write(send(&header, body.as_bytes())).await else {
                break;
            };
            waiting.insert(opaque, body);
            next += 1;
        }
        let Some(reply) = client.read().await else {
            return;
        };
        let body = waiting
            .remove(&reply.opaque)
            .expect("an answer to a request");
        assert_eq!(reply.code, 0, "{:?}", reply.remark);
        acknowledged.lock().expect("lock").push(body);
    }
}

/// Adds to `there` what has come to the queues since the last call, which read up to `read`; nothing may come twice.
async fn read_on(client: &mut Wire, read: &mut [i64], there: &mut HashSet<String>) {
    for (queue_id, read) in (0..).zip(read) {
        loop {
            let mut from = at_once(pull("T", "G", *read));
            from.queue_id = queue_id;
            let found = bodies(&client.call(pulling(&from)).await);
            *read += found.len() as i64;
            if found.is_empty() {
                break;
            }
            for body in found {
                assert!(there.insert(body.clone()), "{body} is there twice");
            }
        }
    }
}

/// Kills the program so often while clients send; after every start all that was acknowledged is there, nothing twice.
async fn killed_under_load(flush: FlushDiskType, kills: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let flush = format!("{flush:?}").to_uppercase();
    let keys = format!("flushDiskType={flush}_FLUSH\n");
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let (mut there, mut read) = (HashSet::new(), [0; QUEUES as usize]);
    for round in 0..=kills {
        let broker = Program::start(folder.path(), &keys);
        let mut reader = Wire::open(broker.addr).await;
        read_on(&mut reader, &mut read, &mut there).await;
        let before = acknowledged.lock().expect("lock").clone();
        let gone = before.iter().find(|body| !there.contains(*body));
        assert_eq!(gone, None, "after kill {round}");
        let sending = |queue_id| {
            load(
                broker.addr,
                queue_id,
                round.to_string(),
                acknowledged.clone(),
            )
        };
        let loads: Vec<_> = (0..QUEUES)
            .map(|queue_id| tokio::spawn(sending(queue_id)))
            .collect();
        let enough = before.len() + 1 + round * 37 % 200; // the kill comes at another moment every time
        until(|| acknowledged.lock().expect("lock").len() >= enough).await;
        broker.kill();
        for load in loads {
            load.await.expect("no answer was an error");
        }
    }
}

#[tokio::test]
async fn twenty_five_kills_under_load_take_nothing_acknowledged_with_async_flush() {
    killed_under_load(FlushDiskType::Async, 25).await;
}

#[tokio::test]
async fn twenty_five_kills_under_load_take_nothing_acknowledged_with_sync_flush() {
    killed_under_load(FlushDiskType::Sync, 25).await;
}

/// A message that waits is an entry in a file: no memory is kept for it. Less than the 20 bytes of an entry each is none.
#[tokio::test]
async fn messages_that_wait_cost_no_memory_each() {
    const WAITING: usize = 50_000;
    const AT_ONCE: usize = 100;
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Program::start(folder.path(), "");
    let mut client = Wire::open(broker.addr).await;
    let mut wait = async |count: usize| {
        for _ in 0..count / AT_ONCE {
            for _ in 0..AT_ONCE {
                client
                    .write(send(&message("T", "DELAY\u{1}18\u{2}"), b"later"))
                    .await;
            }
            for _ in 0..AT_ONCE {
                assert_eq!(client.read().await.expect("an answer").code, 0);
            }
        }
    };
    wait(5_000).await; // whatever is allocated once
    let before = broker.anonymous_bytes();
    wait(WAITING).await;
    let grown = broker.anonymous_bytes() - before;
    assert!(
        grown < 20 * WAITING as i64,
        "{grown} bytes for {WAITING} messages"
    );
    broker.kill();
}
