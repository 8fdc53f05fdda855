//! Delivering what is due of one level.
//!
//! ```text
//! entry of the level's queue ─ not due ─▶ wait for it: those behind it are due later
//!        │ due
//!        ▼
//! record ─ REAL_TOPIC, REAL_QID ─▶ append ─▶ the level goes on behind the entry
//! ```
//!
//! The message keeps its properties, `DELAY` among them, as in Java 4.7.0. The rule that is easy to break: an entry is
//! left behind only when its message is stored, or can never be: an append that is refused for now is made again.
//!
//! Plain blocking functions without a clock of their own. Java 4.7.0 `store/schedule/ScheduleMessageService.java`
//! (`executeOnTimeup`, `messageTimeup`).

use std::fmt;

use remoting::properties::{REAL_QUEUE_ID, REAL_TOPIC};
use store::{
    AppendError, DelayLevels, LogOffset, NewMessage, QueueEntry, QueueOffset, Record,
    SCHEDULE_TOPIC, Store,
};
use tracing::{error, warn};

use super::progress::Progress;

/// Entries looked at in one turn: a thread that may block is not held for longer.
const A_TURN: usize = 256;

/// A clock that was put back by less than this delivers nothing early. Java has no such grace. Milliseconds.
const GRACE_MS: i64 = 1_000;

/// Java 4.7.0 `MixAll.RMQ_SYS_TRANS_HALF_TOPIC`.
const HALF_TOPIC: &str = "RMQ_SYS_TRANS_HALF_TOPIC";

/// One level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    /// Its queue in the schedule topic, one less than its number.
    pub(crate) queue_id: u32,
    delay_ms: i64,
}

/// What a level waits for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: there may be more that is due.
    More,
    /// The time of its first message. Milliseconds since 1970.
    Due(i64),
    /// A message.
    Arrival,
    /// That the store takes messages again.
    Room(AppendError),
}

impl Level {
    /// All levels of a table.
    pub(crate) fn all(levels: &DelayLevels) -> impl Iterator<Item = Level> + '_ {
        (1..=levels.last()).zip(0..).map(|(level, queue_id)| Level {
            queue_id,
            delay_ms: levels.delay_ms(level),
        })
    }

    /// How long a message is still to wait, 0 if it is due. One that would wait longer than its level's delay is due: the
    /// clock was put back, or the level made shorter. Milliseconds.
    pub(crate) fn wait_ms(&self, due_ms: i64, now_ms: i64) -> i64 {
        let wait_ms = due_ms.saturating_sub(now_ms);
        if wait_ms > self.delay_ms.saturating_add(GRACE_MS) {
            return 0;
        }
        wait_ms.max(0)
    }

    /// Delivers what is due, up to some number of messages. Blocks on the store. `stop` ends it between two messages.
    pub(crate) fn turn(
        &self,
        store: &Store,
        progress: &Progress,
        now_ms: &dyn Fn() -> i64,
        stop: &dyn Fn() -> bool,
    ) -> Next {
        let from = progress.place(self.queue_id).next;
        let entries = store.entries(SCHEDULE_TOPIC, self.queue_id, from, A_TURN);
        if let Some(first) = entries.first().filter(|first| first.offset != from) {
            let messages = first.offset.0 - from.0;
            warn!(queue_id = self.queue_id, messages, %from, to = %first.offset,
                "delayed messages are lost: they have expired, fileReservedTime is shorter than their delay, or their files are gone");
        }
        if entries.is_empty() {
            return Next::Arrival;
        }
        for entry in entries {
            let due_ms = self.due_ms(store, &entry);
            if stop() || self.wait_ms(due_ms, now_ms()) > 0 {
                return Next::Due(due_ms);
            }
            let end = match deliver(store, &entry) {
                Ok(end) => Some(end),
                Err(Failed::ForNow(error)) => return Next::Room(error),
                Err(Failed::ForEver(reason)) => {
                    error!(queue_id = self.queue_id, offset = %entry.offset, log_offset = %entry.log_offset, %reason,
                        "a delayed message cannot be delivered, leave it out");
                    None
                }
            };
            progress.advance(self.queue_id, QueueOffset(entry.offset.0 + 1), end);
        }
        Next::More
    }

    /// When an entry's message is due. Milliseconds since 1970. Java's extended entries have an address in the place of
    /// the time, always below every hash and every time.
    fn due_ms(&self, store: &Store, entry: &QueueEntry) -> i64 {
        if entry.tags_code >= i64::from(i32::MIN) {
            return entry.tags_code;
        }
        let bytes = store.record_at(entry.log_offset).unwrap_or_default();
        let stored_ms = Record::decode(&bytes).map_or(0, |record| record.store_timestamp_ms);
        stored_ms.saturating_add(self.delay_ms)
    }
}

/// Why a message was not delivered.
#[derive(Debug)]
enum Failed {
    /// It will be, later.
    ForNow(AppendError),
    /// It never will.
    ForEver(Reason),
}

/// Why a message never will be delivered.
#[derive(Debug)]
enum Reason {
    Gone,
    NoWayBack,
    WrongTopic,
    Illegal(AppendError),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Gone => f.write_str("it is not in the log any more"),
            Reason::NoWayBack => f.write_str("it does not say which topic and queue it belongs to"),
            Reason::WrongTopic => f.write_str("it belongs to a topic of this broker's own"),
            Reason::Illegal(error) => error.fmt(f),
        }
    }
}

/// Stores the message of an entry where it belongs. Where that ends in the log.
fn deliver(store: &Store, entry: &QueueEntry) -> Result<LogOffset, Failed> {
    let bytes = store.record_at(entry.log_offset).unwrap_or_default();
    let record = Record::decode(&bytes).map_err(|_| Failed::ForEver(Reason::Gone))?;
    if record.record_bytes != entry.record_bytes || record.topic != SCHEDULE_TOPIC.as_bytes() {
        return Err(Failed::ForEver(Reason::Gone));
    }
    let message = due_message(&record).ok_or(Failed::ForEver(Reason::NoWayBack))?;
    if [SCHEDULE_TOPIC, HALF_TOPIC].contains(&message.topic) {
        return Err(Failed::ForEver(Reason::WrongTopic));
    }
    match store.append(&message) {
        Ok(appended) => Ok(appended.end()),
        Err(
            error @ (AppendError::MessageIllegal(_) | AppendError::PropertiesSizeExceeded { .. }),
        ) => Err(Failed::ForEver(Reason::Illegal(error))),
        Err(error) => Err(Failed::ForNow(error)),
    }
}

/// The message as it is delivered.
fn due_message<'a>(record: &Record<'a>) -> Option<NewMessage<'a>> {
    let text = |name: &str| std::str::from_utf8(record.property(name.as_bytes())?).ok();
    Some(NewMessage {
        topic: text(REAL_TOPIC)?,
        queue_id: text(REAL_QUEUE_ID)?.parse::<i32>().ok()?.try_into().ok()?,
        prepared_transaction_offset: 0,
        ..record.to_message()?
    })
}

#[cfg(test)]
mod tests;
