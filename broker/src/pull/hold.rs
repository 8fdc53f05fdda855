//! Pulls that found nothing and wait for a message.
//!
//! ```text
//! pull finds nothing ─▶ enter ─▶ look once more ─▶ wait ─┬─ a message arrives that its filter wants
//!                         │                              ├─ the queue has grown unnoticed (every 5 s)
//!        its ticket ◀─────┘                              ├─ its time is up
//!        leaves the table when it is dropped             └─ the broker stops
//! ```
//!
//! Whoever waits holds a `Ticket` in the future its connection polls: when the connection ends the ticket goes with it.
//! The rule that is easy to break: enter first, then look once more. A message that arrives between a read and the
//! entering would otherwise be seen only by the next check.
//!
//! Java 4.7.0 `broker/longpolling/PullRequestHoldService.java`, which ends a wait only at its check, up to 5 s late.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::time::Duration;

use parking_lot::Mutex;
use store::{Arrival, Arrivals, QueueOffset};
use tokio::sync::oneshot;

use super::wanted::Wanted;

/// How often queues are looked at for messages nobody announced.
pub const CHECK_PERIOD: Duration = Duration::from_secs(5);

/// The longest wait a client gets, whatever it asks for. Java has no limit; its clients ask for 15 s or 30 s.
pub const LONGEST: Duration = Duration::from_secs(3600);

/// The pulls that wait, by topic and queue.
#[derive(Debug, Default)]
pub struct Holds {
    table: Mutex<Table>,
    /// How many wait: most messages arrive while nobody does, and then the table is not locked.
    waiting: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    queues: HashMap<String, HashMap<u32, Vec<Waiter>>>,
    next_id: u64,
    stopped: bool,
}

#[derive(Debug)]
struct Waiter {
    id: u64,
    from: QueueOffset,
    wanted: Wanted,
    /// Dropping it wakes as well.
    wake: oneshot::Sender<()>,
}

/// A place in the table.
#[derive(Debug)]
pub struct Ticket {
    holds: Arc<Holds>,
    topic: String,
    queue_id: u32,
    id: u64,
    woken: oneshot::Receiver<()>,
}

impl Holds {
    /// Waits for a message of this queue, at `from` or behind it. Once the broker stops nobody waits any more.
    pub fn enter(
        self: &Arc<Holds>,
        topic: &str,
        queue_id: u32,
        from: QueueOffset,
        wanted: impl Into<Wanted>,
    ) -> Ticket {
        let (wake, woken) = oneshot::channel();
        let mut table = self.table.lock();
        let id = table.next_id;
        table.next_id += 1;
        if !table.stopped {
            let waiter = Waiter {
                id,
                from,
                wanted: wanted.into(),
                wake,
            };
            table.queue(topic, queue_id).push(waiter);
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
        drop(table);
        fence(Ordering::SeqCst); // pairs with the one in `arrived`: either it sees us, or we see its message
        Ticket {
            holds: Arc::clone(self),
            topic: topic.to_owned(),
            queue_id,
            id,
            woken,
        }
    }

    /// Wakes those whose queue has grown past them.
    pub fn check(&self, max_offset: impl Fn(&str, u32) -> QueueOffset) {
        self.wake(|topic, queue_id, waiter| max_offset(topic, queue_id) > waiter.from);
    }

    /// Wakes everyone; who enters from now on is awake at once.
    pub fn stop(&self) {
        self.table.lock().stopped = true;
        self.wake(|_, _, _| true);
    }

    /// How many pulls wait.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many queues have a pull that waits.
    #[must_use]
    pub fn queues(&self) -> usize {
        self.table.lock().queues.values().map(HashMap::len).sum()
    }

    /// Whether no pull waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn wake(&self, due: impl Fn(&str, u32, &Waiter) -> bool) {
        let mut table = self.table.lock();
        table.queues.retain(|topic, queues| {
            queues.retain(|queue_id, waiters| {
                self.wake_some(waiters, |waiter| due(topic, *queue_id, waiter));
                !waiters.is_empty()
            });
            !queues.is_empty()
        });
    }

    fn wake_some(&self, waiters: &mut Vec<Waiter>, due: impl Fn(&Waiter) -> bool) {
        for waiter in waiters.extract_if(.., |waiter| due(waiter)) {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            let _ = waiter.wake.send(()); // an error: it is going away by itself
        }
    }

    fn leave(&self, ticket: &Ticket) {
        let mut table = self.table.lock();
        let Some(queues) = table.queues.get_mut(&ticket.topic) else {
            return;
        };
        let Some(waiters) = queues.get_mut(&ticket.queue_id) else {
            return;
        };
        let Some(place) = waiters.iter().position(|waiter| waiter.id == ticket.id) else {
            return;
        };
        waiters.swap_remove(place);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        if waiters.is_empty() {
            queues.remove(&ticket.queue_id);
        }
        if queues.is_empty() {
            table.queues.remove(&ticket.topic);
        }
    }
}

impl Arrivals for Holds {
    fn arrived(&self, arrival: &Arrival<'_>) {
        fence(Ordering::SeqCst);
        if self.is_empty() {
            return;
        }
        let mut table = self.table.lock();
        let Some(queues) = table.queues.get_mut(arrival.topic) else {
            return;
        };
        let Some(waiters) = queues.get_mut(&arrival.queue_id) else {
            return;
        };
        self.wake_some(waiters, |waiter| {
            arrival.queue_offset >= waiter.from
                && waiter.wanted.wants_entry(arrival.tags_code)
                && waiter.wanted.wants_properties(arrival.properties)
        });
        if waiters.is_empty() {
            queues.remove(&arrival.queue_id);
        }
        if queues.is_empty() {
            table.queues.remove(arrival.topic);
        }
    }
}

impl Table {
    fn queue(&mut self, topic: &str, queue_id: u32) -> &mut Vec<Waiter> {
        self.queues
            .entry(topic.to_owned())
            .or_default()
            .entry(queue_id)
            .or_default()
    }
}

impl Ticket {
    /// Waits until there is a reason to look again, `limit` at most.
    pub async fn woken(mut self, limit: Duration) {
        let limit = limit.min(LONGEST);
        let _ = tokio::time::timeout(limit, &mut self.woken).await; // both outcomes mean: look again
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.holds.leave(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::sql_eval::Expression;
    use crate::filter::tag::TagFilter;
    use futures_util::FutureExt;
    use store::tags_code;

    const LONG: Duration = Duration::from_secs(15);

    fn arrival(queue_id: u32, queue_offset: i64, tag: &str) -> Arrival<'_> {
        Arrival {
            topic: "T",
            queue_id,
            queue_offset: QueueOffset(queue_offset),
            tags_code: if tag.is_empty() {
                0
            } else {
                tags_code(tag.as_bytes())
            },
            store_timestamp_ms: 0,
            properties: b"",
        }
    }

    fn enter(holds: &Arc<Holds>, wanted: impl Into<Wanted>) -> Ticket {
        holds.enter("T", 3, QueueOffset(5), wanted)
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_at_the_offset_wakes_and_an_earlier_or_another_queues_does_not() {
        let holds = Arc::new(Holds::default());
        let mut wait = Box::pin(enter(&holds, TagFilter::All).woken(LONG));
        assert!(wait.as_mut().now_or_never().is_none());
        holds.arrived(&arrival(3, 4, ""));
        holds.arrived(&arrival(2, 5, ""));
        assert!(wait.as_mut().now_or_never().is_none());
        holds.arrived(&arrival(3, 5, ""));
        assert!(wait.now_or_never().is_some());
        assert!(holds.is_empty() && holds.table.lock().queues.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_whose_tag_is_not_wanted_does_not_wake() {
        let holds = Arc::new(Holds::default());
        let filter = TagFilter::parse(Some("TagA")).expect("a tag");
        let mut wait = Box::pin(enter(&holds, filter).woken(LONG));
        assert!(wait.as_mut().now_or_never().is_none());
        holds.arrived(&arrival(3, 5, "TagB"));
        assert!(wait.as_mut().now_or_never().is_none());
        holds.arrived(&arrival(3, 6, "TagA"));
        assert!(wait.now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_an_expression_does_not_want_does_not_wake() {
        let holds = Arc::new(Holds::default());
        let expression = Expression::compile("a > 1")
            .map(Arc::new)
            .expect("a filter");
        let mut wait = Box::pin(enter(&holds, expression).woken(LONG));
        assert!(wait.as_mut().now_or_never().is_none());
        let with = |properties| Arrival {
            properties,
            ..arrival(3, 5, "")
        };
        holds.arrived(&with(b"a\x011\x02"));
        holds.arrived(&with(b""));
        assert!(wait.as_mut().now_or_never().is_none());
        holds.arrived(&with(b"a\x012\x02"));
        assert!(wait.now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_its_time_and_leaves_nothing() {
        let holds = Arc::new(Holds::default());
        let start = tokio::time::Instant::now();
        enter(&holds, TagFilter::All).woken(LONG).await;
        assert_eq!(start.elapsed().as_secs(), LONG.as_secs());
        assert!(holds.is_empty() && holds.table.lock().queues.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_wakes_those_whose_queue_has_grown() {
        let holds = Arc::new(Holds::default());
        let mut wait = Box::pin(enter(&holds, TagFilter::All).woken(LONG));
        holds.check(|_, _| QueueOffset(5));
        assert!(wait.as_mut().now_or_never().is_none());
        holds.check(|_, _| QueueOffset(6));
        assert!(wait.now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_wakes_everyone_and_lets_nobody_in() {
        let holds = Arc::new(Holds::default());
        let wait = enter(&holds, TagFilter::All).woken(LONG);
        holds.stop();
        assert!(wait.now_or_never().is_some());
        assert!(
            enter(&holds, TagFilter::All)
                .woken(LONG)
                .now_or_never()
                .is_some()
        );
        assert!(holds.is_empty());
    }

    #[test]
    fn a_dropped_ticket_leaves_the_others_in_place() {
        let holds = Arc::new(Holds::default());
        let (first, second) = (enter(&holds, TagFilter::All), enter(&holds, TagFilter::All));
        drop(first);
        assert_eq!(holds.len(), 1);
        drop(second);
        assert!(holds.is_empty() && holds.table.lock().queues.is_empty());
    }
}
