//! One pass of the check over the half queue.
//!
//! ```text
//! done, says an op message            ─▶ next
//! being ended, or just ended          ─▶ the pass ends here: its op message will be there the next time
//! stored since the pass began         ─▶ the pass ends here: what was put back is at the end of the queue
//! older than the log keeps messages   ─▶ copied to TRANS_CHECK_MAX_TIME_TOPIC, next
//! younger than its own immunity       ─▶ put back, next
//! younger than transactionTimeOut     ─▶ the pass ends here: all behind it are younger still
//! asked about often enough            ─▶ copied to TRANS_CHECK_MAX_TIME_TOPIC, next
//! else                                ─▶ put back, its producer is asked, next
//! ```
//!
//! The rule that is easy to break: everything that can be read of the op queue is read before anything is done with a
//! half message; and what cannot be stored ends the pass, so that nothing is passed by.
//!
//! Java 4.7.0 `broker/transaction/queue/TransactionalMessageServiceImpl.java` (`check`),
//! `DefaultTransactionalMessageCheckListener.java`. Different, see COMPATIBILITY.md: a message within its immunity is
//! not counted as asked about (Java gives it up after 15 rounds, its issue 9486); the last question gets a round for
//! its answer; a message whose copy cannot be stored is kept.

use remoting::body::topic_config::TopicConfig;
use remoting::properties::PREPARED_QUEUE_OFFSET;
use store::{
    AppendError, Appended, Everything, LogOffset, NewMessage, QueueOffset, ReadStatus, Record,
};
use tracing::{error, info, warn};

use super::half::{self, Half};
use super::op::{Done, each_record};
use super::{GIVEN_UP_TOPIC, GROUP, HALF_TOPIC, OP_TOPIC, Position, QUEUE, Transactions, check};
use crate::broker::Broker;
use crate::now_ms;
use crate::topic::perm;

/// A pass longer than this goes on the next time. Java 4.7.0 `MAX_PROCESS_TIME_LIMIT`.
const LONGEST_MS: i64 = 60_000;

/// What a half message asks of the pass.
enum Step {
    Next,
    /// The messages before this one have expired.
    GoTo(i64),
    End,
}

/// A pass under way.
struct Pass<'a> {
    broker: &'a Broker,
    done: Done<'a>,
    began_ms: i64,
    /// Where what it has stored ends.
    stored_to: LogOffset,
}

impl Transactions {
    /// One pass. Blocks on the store for as long as it takes, 60 s at most. `None` when the broker stops.
    pub(super) fn pass(&self, broker: &Broker) -> Option<Position> {
        let _turn = self.turn.lock();
        if self.is_stopping() {
            return None;
        }
        make_topic(broker, HALF_TOPIC);
        let owed = self.ledger.lock().take_owed();
        owed.into_iter().for_each(|half| self.note(broker, half));
        let began = self.begin_at(broker);
        let mut pass = Pass {
            broker,
            done: Done::new(&broker.store, began.op, began.half),
            began_ms: now_ms(),
            stored_to: LogOffset(0),
        };
        let half = pass.run(self, began.half);
        let position = Position {
            pass: began.pass + 1,
            half,
            op: pass.done.needed_from(half),
            safe_at: pass.stored_to.max(began.safe_at),
        };
        *self.position.lock() = Some(position);
        Some(position)
    }

    /// Where the last pass ended; the first one begins where the table of offsets says, within what the queues have.
    fn begin_at(&self, broker: &Broker) -> Position {
        let position = *self.position.lock();
        position.unwrap_or_else(|| {
            let from = |topic: &str| {
                let min = broker.store.min_offset(topic, QUEUE).0;
                let max = broker.store.max_offset(topic, QUEUE).0;
                let kept = broker.offsets.query(GROUP, topic, QUEUE as i32);
                let from = kept.unwrap_or(min).clamp(min, max.max(min));
                if kept.is_some_and(|kept| kept != from) {
                    warn!(
                        topic,
                        ?kept,
                        from,
                        "transaction check begins within the queue"
                    );
                }
                from
            };
            Position {
                pass: 0,
                half: from(HALF_TOPIC),
                op: from(OP_TOPIC),
                safe_at: LogOffset(0),
            }
        })
    }
}

impl Pass<'_> {
    /// Looks at half messages from `from` on; the first one that is not dealt with.
    fn run(&mut self, transactions: &Transactions, from: i64) -> i64 {
        let mut at = from;
        while !transactions.is_stopping() && now_ms() - self.began_ms <= LONGEST_MS {
            if self.done.has(at) {
                at += 1;
                continue;
            }
            match self.look(transactions, at) {
                Step::Next => at += 1,
                Step::GoTo(next) => at = next,
                Step::End => break,
            }
        }
        at
    }

    fn look(&mut self, transactions: &Transactions, at: i64) -> Step {
        let place = QueueOffset(at);
        let store = &self.broker.store;
        let read = store.read_queue(HALF_TOPIC, QUEUE, place, 1, &mut Everything);
        if read.status != ReadStatus::Found {
            let next = read.next_begin.0;
            return if next > at {
                Step::GoTo(next)
            } else {
                Step::End
            };
        }
        let mut step = None;
        each_record(&read.records, |record| {
            step = Some(self.judge(transactions, at, record));
        });
        step.unwrap_or_else(|| {
            error!(at, "half message cannot be read, it is passed over");
            Step::Next
        })
    }

    fn judge(&mut self, transactions: &Transactions, at: i64, record: &Record<'_>) -> Step {
        let Some(half) = Half::of(*record) else {
            error!(at, "not a half message, it is passed over");
            return Step::Next;
        };
        if let Some(first) = half.first_offset {
            if self.done.has_late(first) {
                return Step::Next;
            }
            transactions.ledger.lock().moved(first, at);
        }
        if record.store_timestamp_ms >= self.began_ms {
            return Step::End;
        }
        let age_ms = now_ms() - record.born_timestamp_ms;
        let config = &self.broker.config;
        if age_ms > millis(config.store.expiry.file_reserved_time) {
            return self.give_up(
                transactions,
                at,
                &half,
                "it is older than the log keeps messages",
            );
        }
        let timeout_ms = millis(config.transaction_timeout);
        match half.immunity_ms {
            Some(immunity_ms) if age_ms < immunity_ms => {
                let first = half.first_offset.unwrap_or(at).to_string();
                let properties =
                    half::with(half.message.properties, &[(PREPARED_QUEUE_OFFSET, &first)]);
                return match self.put_back(transactions, at, &half, &properties) {
                    Some(_) => Step::Next,
                    None => Step::End,
                };
            }
            None if (0..timeout_ms).contains(&age_ms) => return Step::End,
            _ => {}
        }
        let asked = half.checks.unwrap_or(0);
        if half.checks.is_some() && asked >= config.transaction_check_max {
            return self.give_up(transactions, at, &half, "it was asked about too often");
        }
        let properties = half.asked(asked.saturating_add(1));
        let Some(now) = self.put_back(transactions, at, &half, &properties) else {
            return Step::End;
        };
        check::ask(self.broker, &half, &properties, &now);
        Step::Next
    }

    /// Stores a half message anew, at the end of its queue. `None` when that cannot be done now.
    fn put_back(
        &mut self,
        transactions: &Transactions,
        at: i64,
        half: &Half<'_>,
        properties: &str,
    ) -> Option<Appended> {
        // Held over the append: an end comes before it or finds the new place.
        let mut ledger = transactions.ledger.lock();
        if !ledger.is_open(at) {
            return None;
        }
        let put = half.put_back(&self.broker.store, properties);
        let now = self.stored(at, put)?;
        ledger.moved(at, now.queue_offset.0);
        Some(now)
    }

    fn give_up(
        &mut self,
        transactions: &Transactions,
        at: i64,
        half: &Half<'_>,
        reason: &str,
    ) -> Step {
        if !transactions.ledger.lock().is_open(at) {
            return Step::End;
        }
        make_topic(self.broker, GIVEN_UP_TOPIC);
        let put = self.broker.store.append(&NewMessage {
            topic: GIVEN_UP_TOPIC,
            queue_id: QUEUE,
            ..half.message
        });
        let Some(now) = self.stored(at, put) else {
            return Step::End;
        };
        let (topic, group, key) = (half.topic, half.group, half.uniq_key);
        info!(at, topic, group, key, moved_to = %now.log_offset, "half message is given up: {reason}");
        Step::Next
    }

    fn stored(&mut self, at: i64, put: Result<Appended, AppendError>) -> Option<Appended> {
        match put {
            Ok(appended) => {
                self.stored_to = appended.end();
                Some(appended)
            }
            Err(error) => {
                warn!(at, %error, "store a half message anew; the check tries again");
                None
            }
        }
    }
}

fn millis(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A topic of one queue, as Java makes it when it first needs it.
fn make_topic(broker: &Broker, name: &str) {
    let one = QUEUE as i32 + 1;
    let topic = TopicConfig::new(name, one, one, perm::READ | perm::WRITE);
    match broker.topics.for_group(topic) {
        Ok(found) if found.created => {
            broker.topics.save();
            broker.registration.changed();
        }
        Ok(_) => {}
        Err(error) => warn!(topic = name, %error, "make topic"),
    }
}
