//! A log that is held: what sends get meanwhile, and what everybody else gets.

mod support;

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use broker::Broker;
use remoting::Command;
use remoting::code::request;
use support::{Fixture, Wire, message, send, stored};

const LONG: Duration = Duration::from_secs(60);
/// Longer than what is sent together takes to arrive, on a busy machine too.
const SHORT: Duration = Duration::from_secs(1);

/// The log, held by a thread until this is dropped.
struct Held {
    release: Option<mpsc::Sender<()>>,
    holder: Option<JoinHandle<()>>,
}

fn hold_log(fixture: &Fixture) -> Held {
    let broker: Arc<Broker> = Arc::clone(fixture.running.broker());
    let (release, released) = mpsc::channel();
    let (hold, held) = mpsc::channel();
    let holder = std::thread::spawn(move || {
        broker.hold_log(|| {
            hold.send(()).expect("somebody waits");
            let _ = released.recv(); // an error: the test is over
        });
    });
    held.recv().expect("held");
    Held {
        release: Some(release),
        holder: Some(holder),
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.release.take());
        if let Some(holder) = self.holder.take() {
            holder.join().expect("no panic");
        }
    }
}

/// A broker that has the topic, waits so long for a send, and so long until the page cache counts as busy.
async fn broker(wait: Duration, busy: Duration) -> (Fixture, Wire) {
    let fixture = Fixture::with(|config| {
        config.wait_in_send_queue = wait;
        config.store.page_cache_busy_timeout = busy;
    })
    .await;
    let mut wire = fixture.client().await;
    wire.send(send(&message("T", ""), b"first")).await;
    (fixture, wire)
}

async fn write_sends(wire: &mut Wire, count: usize) {
    let sends = (0..count).map(|_| send(&message("T", ""), b"x"));
    wire.write_together(sends).await;
}

async fn read(wire: &mut Wire) -> Command {
    wire.read().await.expect("connected")
}

fn end_of_queue() -> Command {
    support::ask(request::GET_MAX_OFFSET, &[("topic", "T"), ("queueId", "0")])
}

/// Milliseconds and number of a refusal by the cleaning of the queue.
fn cleaned(reply: &Command, why: &str) -> (u64, usize) {
    assert_eq!(reply.code, 2, "{:?}", reply.remark);
    let remark = reply.remark.as_deref().expect("words");
    let figures = remark
        .strip_prefix(why)
        .and_then(|rest| {
            rest.strip_prefix("broker busy, start flow control for a while, period in queue: ")
        })
        .and_then(|rest| rest.split_once("ms, size of queue: "));
    let (waited_ms, behind) = figures.unwrap_or_else(|| panic!("{remark}"));
    (
        waited_ms.parse().expect("a number"),
        behind.parse().expect("a number"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn sends_wait_for_a_held_log_in_their_order_and_nobody_else_does() {
    let (fixture, mut wire) = broker(LONG, LONG).await;
    let held = hold_log(&fixture);
    write_sends(&mut wire, 5).await;
    let mut other = fixture.client().await;
    for wire in [&mut wire, &mut other] {
        let answered = wire.call(end_of_queue()).await;
        assert_eq!(answered.code, 0, "{:?}", answered.remark);
    }
    drop(held);
    for offset in 1..=5 {
        let reply = read(&mut wire).await;
        assert_eq!((reply.code, stored(&reply).queue_offset), (0, offset));
    }
    let reply = wire
        .send(send(&message("T", ""), b"straight to the log"))
        .await;
    assert_eq!(reply.queue_offset, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_send_that_waits_too_long_is_refused_and_not_stored() {
    let (fixture, mut wire) = broker(SHORT, LONG).await;
    let held = hold_log(&fixture);
    let untold = send(&message("T", ""), b"nobody is told").oneway();
    let told = (0..3).map(|_| send(&message("T", ""), b"x"));
    wire.write_together([untold].into_iter().chain(told)).await;
    let mut behind = Vec::new();
    for _ in 0..3 {
        let (waited_ms, others) = cleaned(&read(&mut wire).await, "[TIMEOUT_CLEAN_QUEUE]");
        assert!((1_000..60_000).contains(&waited_ms), "{waited_ms}");
        behind.push(others);
    }
    assert_eq!(behind, [2, 1, 0]);
    drop(held);
    let reply = wire.send(send(&message("T", ""), b"x")).await;
    assert_eq!(reply.queue_offset, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_the_page_cache_is_busy_sends_are_refused_at_once() {
    let (fixture, mut wire) = broker(LONG, SHORT).await;
    let held = hold_log(&fixture);
    write_sends(&mut wire, 2).await;
    for behind in [1, 0] {
        let (_, others) = cleaned(&read(&mut wire).await, "[PCBUSY_CLEAN_QUEUE]");
        assert_eq!(others, behind);
    }
    let give_back = support::ask(
        request::CONSUMER_SEND_MSG_BACK,
        &[("group", "G"), ("offset", "0"), ("delayLevel", "1")],
    );
    let plain = send(&message("T", ""), b"x");
    for request in [plain.clone(), plain.oneway(), give_back] {
        let reply = wire.call(request).await;
        let text = "[REJECTREQUEST]system busy, start flow control for a while";
        assert_eq!((reply.code, reply.remark.as_deref()), (2, Some(text)));
    }
    assert_eq!(wire.call(end_of_queue()).await.code, 0);
    drop(held);
    let reply = wire.send(send(&message("T", ""), b"x")).await;
    assert_eq!(reply.queue_offset, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_queue_refuses_the_next_send() {
    let fixture = Fixture::with(|config| {
        config.wait_in_send_queue = LONG;
        config.store.page_cache_busy_timeout = LONG;
        config.send_queue_capacity = 2;
    })
    .await;
    let held = hold_log(&fixture);
    let mut wire = fixture.client().await;
    write_sends(&mut wire, 6).await;
    // One is tried, two wait; or the first has not been taken out of the queue yet.
    for _ in 0..3 {
        let reply = read(&mut wire).await;
        let text = "[OVERLOAD]system busy, start flow control for a while";
        assert_eq!((reply.code, reply.remark.as_deref()), (2, Some(text)));
    }
    drop(held);
    let mut stored = 0;
    for _ in 0..3 {
        stored += i64::from(read(&mut wire).await.code == 0);
    }
    assert!((2..=3).contains(&stored), "{stored}");
    fixture.readable("T", stored).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_fast_failure_sends_wait_until_the_page_cache_is_busy() {
    let fixture = Fixture::with(|config| {
        config.fast_failure_enable = false;
        config.wait_in_send_queue = Duration::ZERO;
        config.store.page_cache_busy_timeout = SHORT;
    })
    .await;
    let mut wire = fixture.client().await;
    let _held = hold_log(&fixture);
    write_sends(&mut wire, 1).await;
    let reply = read(&mut wire).await;
    let text = "[PC_SYNCHRONIZED]broker busy, start flow control for a while";
    assert_eq!((reply.code, reply.remark.as_deref()), (1, Some(text)));
}
