//! Sends that wait for the log.
//!
//! ```text
//! send ─ nobody waits ─▶ put ──────────────────────────────────▶ reply
//!          │              └─ the log is held ─▶┐
//!          └─ others wait ────────────────────▶ queue ─ one by one ─▶ put, or refused when it is time (`busy`) ─▶ reply
//! ```
//!
//! An append goes straight from its connection to the log. When another append holds the log and does not get on, the
//! send waits here and not on a thread of the runtime: pulls, heartbeats and everything else go on. The queue is emptied by
//! a thread that lives as long as somebody waits. The rule that is easy to break: sends keep their order, so while one
//! waits every later one waits behind it.
//!
//! Java 4.7.0 `BrokerController.sendThreadPoolQueue`, through which every send goes, emptied by one thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use remoting::{Answer, Command, Peer, Refusal};
use tokio::sync::oneshot;
use tracing::error;

use super::{NotPut, Stored, acknowledge, on_disk, put};
use crate::broker::Broker;
use crate::busy;
use crate::made;

/// The sends that wait.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    waiting: Mutex<VecDeque<Waiting>>,
    /// Those in `waiting` and the one that is being put.
    count: AtomicUsize,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    peer: Arc<Peer>,
    request: Command,
    answer: oneshot::Sender<Result<Stored, Refusal>>,
}

impl SendQueue {
    /// Whether nobody waits: a send may go straight to the log.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many wait, the one that is being put among them.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}

/// Why a send that comes now must not be served, though it may want no answer.
pub(crate) fn rejects(broker: &Broker) -> Option<Answer> {
    if !broker.store.is_page_cache_busy() {
        return None;
    }
    let held = Duration::from_millis(broker.store.lock_held_ms());
    broker.busy.rejected.kept(held);
    Some(Answer::EvenOneway(busy::rejected()))
}

/// Puts a send behind those that wait.
pub(super) fn wait(broker: &Arc<Broker>, peer: &Arc<Peer>, request: Command) -> Answer {
    let queue = &broker.send_queue;
    let (answer, put) = oneshot::channel();
    {
        let mut waiting = queue.waiting.lock();
        if waiting.len() >= broker.config.send_queue_capacity as usize {
            let first = waiting.front().map(|first| first.since.elapsed());
            broker.busy.overloaded.kept(first.unwrap_or_default());
            return Err(busy::overloaded()).into();
        }
        waiting.push_back(Waiting {
            since: Instant::now(),
            peer: Arc::clone(peer),
            request,
            answer,
        });
        if queue.count.fetch_add(1, Ordering::AcqRel) == 0
            && let Err(error) = start(broker)
        {
            error!(%error, "start a thread for sends that wait");
            waiting.pop_back();
            queue.count.fetch_sub(1, Ordering::AcqRel);
            return Err(busy::overloaded()).into();
        }
    }
    let broker = Arc::clone(broker);
    Answer::later(async move {
        let stored = put
            .await
            .unwrap_or_else(|_| Err(Refusal::system_error("internal error")))?;
        match acknowledge(&broker, stored) {
            Ok(reply) => Ok(reply),
            Err(held) => on_disk(broker, held).await,
        }
    })
}

fn start(broker: &Arc<Broker>) -> std::io::Result<()> {
    let broker = Arc::clone(broker);
    let emptying = thread::Builder::new().name("send-queue".to_owned());
    emptying.spawn(move || while serve_first(&broker) {})?;
    Ok(())
}

/// Serves the send that has waited longest. Whether another one waits behind it.
fn serve_first(broker: &Broker) -> bool {
    let queue = &broker.send_queue;
    let first = queue.waiting.lock().pop_front();
    if let Some(first) = first {
        let served = catch_unwind(AssertUnwindSafe(|| serve(broker, &first)));
        let served = served.unwrap_or_else(|_| {
            error!("a send that waited panicked, it fails");
            Err(Refusal::system_error("internal error"))
        });
        let _ = first.answer.send(served); // an error: the connection is gone
    }
    queue.count.fetch_sub(1, Ordering::AcqRel) > 1
}

fn serve(broker: &Broker, send: &Waiting) -> Result<Stored, Refusal> {
    loop {
        if let Some(refusal) = too_late(broker, send) {
            return Err(refusal);
        }
        match put(broker, &send.peer, &send.request) {
            Err(NotPut::LogHeld) => still_waits(broker, send)?,
            Err(NotPut::Refused(refusal)) => return Err(refusal),
            Ok(stored) => {
                if made::is_unsaved(broker) {
                    made::save_now(broker);
                }
                return Ok(stored);
            }
        }
    }
}

/// Whether a send that the log had no time for may try again, where nothing else ends its wait.
fn still_waits(broker: &Broker, send: &Waiting) -> Result<(), Refusal> {
    if broker.config.fast_failure_enable || !broker.store.is_page_cache_busy() {
        return Ok(());
    }
    broker.busy.synchronized.kept(send.since.elapsed());
    let remark = "[PC_SYNCHRONIZED]broker busy, start flow control for a while";
    Err(Refusal::system_error(remark))
}

fn too_late(broker: &Broker, send: &Waiting) -> Option<Refusal> {
    let limit = busy::limit(&broker.config, send.request.code)?;
    let waited = send.since.elapsed();
    let behind = || broker.send_queue.waiting.lock().len();
    if broker.store.is_page_cache_busy() {
        broker.busy.page_cache.kept(waited);
        return Some(busy::page_cache_busy(waited, behind()));
    }
    (waited >= limit).then(|| {
        broker.busy.queued.kept(waited);
        busy::timed_out(waited, behind())
    })
}
