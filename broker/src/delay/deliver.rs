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
            warn!(queue_id = self.queue_id, %from, to = %first.offset, "delayed messages are gone from the log");
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
mod tests {
    use super::super::testing::{
        Bench, JAVA, LATE_MS, bodies, deliver_all, deliver_everything, level, message, records,
        send, until,
    };
    use super::*;
    use std::cell::Cell;
    use std::collections::HashMap;
    use std::fs;
    use store::tags_code;

    #[test]
    fn a_message_is_delivered_when_it_is_due_and_not_a_millisecond_before() {
        let bench = Bench::new(JAVA);
        let store = bench.open();
        let progress = bench.progress(&store);
        for number in 1..=18 {
            let (one, due_ms) = (level(&store, number), send(&store, number, "x"));
            assert_eq!(
                deliver_all(&store, &progress, &one, due_ms - 1),
                Next::Due(due_ms)
            );
            assert_eq!(bodies(&store, "T", 2).len() as i32, number - 1);
            assert_eq!(deliver_all(&store, &progress, &one, due_ms), Next::Arrival);
            assert_eq!(bodies(&store, "T", 2).len() as i32, number);
        }
    }

    #[test]
    fn what_is_delivered_is_what_was_sent_and_keeps_the_properties_of_its_wait() {
        let bench = Bench::new("1s");
        let store = bench.open();
        send(&store, 9, "body");
        deliver_everything(&store, &bench.progress(&store));
        let checked = records(&store, "T", 2, |record| {
            let properties =
                "TAGS\u{1}TagA\u{2}DELAY\u{1}1\u{2}REAL_TOPIC\u{1}T\u{2}REAL_QID\u{1}2\u{2}";
            assert_eq!(String::from_utf8_lossy(record.properties), properties);
            assert_eq!(
                (record.flag, record.sys_flag, record.reconsume_times),
                (7, 1, 3)
            );
            assert_eq!(
                (record.born_timestamp_ms, record.prepared_transaction_offset),
                (1_600_000_000_123, 0)
            );
            assert_eq!(record.born_addr(), Some(([10, 0, 0, 9], 50_123).into()));
            assert_eq!(record.store_addr(), Some(([10, 0, 0, 1], 10_911).into()));
            assert_eq!(record.body, b"body");
        });
        assert_eq!(checked.len(), 1);
        let entries = store.entries("T", 2, QueueOffset(0), 9);
        assert_eq!(
            entries.first().map(|entry| entry.tags_code),
            Some(tags_code(b"TagA"))
        );
    }

    #[test]
    fn the_order_of_a_level_is_kept_over_many_turns() {
        let bench = Bench::new("1s");
        let store = bench.open();
        let sent: Vec<String> = (0..A_TURN + 44).map(|n| n.to_string()).collect();
        sent.iter().for_each(|body| _ = send(&store, 1, body));
        deliver_everything(&store, &bench.progress(&store));
        assert_eq!(bodies(&store, "T", 2), sent);
    }

    #[test]
    fn what_would_wait_longer_than_its_level_is_due() {
        let mut bench = Bench::new("1h");
        let store = bench.open();
        let due_ms = send(&store, 1, "x");
        let hour = level(&store, 1);
        // Put back by less than the grace: it waits, an hour and a little.
        assert_eq!(
            hour.wait_ms(due_ms, due_ms - 3_600_000 - GRACE_MS),
            3_600_000 + GRACE_MS
        );
        assert_eq!(hour.wait_ms(due_ms, due_ms - 3_600_000 - GRACE_MS - 1), 0);
        assert_eq!(
            (
                hour.wait_ms(i64::MAX, i64::MIN),
                hour.wait_ms(i64::MIN, i64::MAX)
            ),
            (0, 0)
        );
        // The level is made shorter while the message waits.
        store.close();
        drop(store);
        bench.levels = "1s".to_owned();
        let store = bench.open();
        let progress = bench.progress(&store);
        assert_eq!(
            deliver_all(&store, &progress, &level(&store, 1), due_ms - 3_600_000),
            Next::Arrival
        );
        assert_eq!(bodies(&store, "T", 2), ["x"]);
    }

    #[test]
    fn an_address_in_the_place_of_the_time_makes_the_record_tell_it() {
        let bench = Bench::new("5s");
        let store = bench.open();
        let due_ms = send(&store, 1, "x");
        let entry = store.entries(SCHEDULE_TOPIC, 0, QueueOffset(0), 1);
        let entry = entry.first().expect("an entry");
        let extended = QueueEntry {
            tags_code: i64::MIN + 4_711,
            ..*entry
        };
        let level = level(&store, 1);
        assert_eq!(
            (level.due_ms(&store, entry), level.due_ms(&store, &extended)),
            (due_ms, due_ms)
        );
        let gone = QueueEntry {
            log_offset: LogOffset(u64::MAX),
            ..extended
        };
        assert_eq!(level.due_ms(&store, &gone), 5_000);
    }

    #[test]
    fn what_can_never_be_delivered_is_left_out_and_the_rest_comes() {
        let bench = Bench::new("1s");
        let store = bench.open();
        let back = |topic: &str, queue: &str| {
            format!("REAL_TOPIC\u{1}{topic}\u{2}REAL_QID\u{1}{queue}\u{2}")
        };
        let bad = [
            "TAGS\u{1}x\u{2}".to_owned(),
            back("T", "x"),
            back("T", "-1"),
            back("../../T", "2"),
            back(HALF_TOPIC, "0"),
            back(SCHEDULE_TOPIC, "0"),
            back(&"t".repeat(200), "0"),
        ];
        for properties in &bad {
            let stuck = NewMessage {
                queue_id: 0,
                ..message(SCHEDULE_TOPIC, "bad", properties)
            };
            store.append(&stuck).expect("stored");
        }
        send(&store, 1, "good");
        let progress = bench.progress(&store);
        deliver_everything(&store, &progress);
        assert_eq!(progress.place(0).next, QueueOffset(bad.len() as i64 + 1));
        assert_eq!(bodies(&store, "T", 2), ["good"]);
        assert_eq!(store.topics().len(), 2, "{:?}", store.topics());
    }

    #[test]
    fn a_store_that_takes_no_messages_for_now_loses_none_and_skips_none() {
        let bench = Bench::new("1s");
        let store = bench.open();
        let bodies_sent: Vec<String> = (0..40)
            .map(|n| format!("{n}:{}", "x".repeat(8_000)))
            .collect();
        bodies_sent
            .iter()
            .for_each(|body| _ = send(&store, 1, body));
        let progress = bench.progress(&store);
        // The log's folder is away and a file in its place: no further file of the log can be made.
        let (log, away) = (
            bench.config().commit_log_dir,
            bench.folder.path().join("away"),
        );
        fs::rename(&log, &away).expect("moved");
        fs::write(&log, "").expect("in the way");
        let one = level(&store, 1);
        assert!(matches!(
            deliver_all(&store, &progress, &one, LATE_MS),
            Next::Room(_)
        ));
        let stuck = progress.place(0).next;
        assert!(stuck < QueueOffset(40));
        assert!(matches!(
            deliver_all(&store, &progress, &one, LATE_MS),
            Next::Room(_)
        ));
        assert_eq!(progress.place(0).next, stuck);
        fs::remove_file(&log).expect("out of the way");
        fs::rename(&away, &log).expect("moved back");
        until(|| deliver_all(&store, &progress, &one, LATE_MS) == Next::Arrival);
        assert_eq!(bodies(&store, "T", 2), bodies_sent);
    }

    #[test]
    fn a_stop_ends_a_turn_between_two_messages() {
        let bench = Bench::new("1s");
        let store = bench.open();
        (0..5).for_each(|_| _ = send(&store, 1, "x"));
        let (progress, left) = (bench.progress(&store), Cell::new(2));
        let stop = || left.replace(left.get() - 1) == 0;
        assert!(matches!(
            level(&store, 1).turn(&store, &progress, &|| LATE_MS, &stop),
            Next::Due(_)
        ));
        assert_eq!(
            (progress.place(0).next, bodies(&store, "T", 2).len()),
            (QueueOffset(2), 2)
        );
    }

    /// Two messages in each of 18 levels; a crash after some number of deliveries, offsets saved half way there. What was
    /// appended and what was noted of it in memory are one step: nothing but the file outlives the crash.
    #[test]
    fn after_a_crash_between_any_two_steps_all_levels_deliver_what_was_not_recorded() {
        for crash_after in (0..=36).step_by(4) {
            let bench = Bench::new(JAVA);
            let store = bench.open();
            for number in 1..=18 {
                (0..2).for_each(|n| _ = send(&store, number, &format!("{number}-{n}")));
            }
            let progress = bench.progress(&store);
            let save_after = crash_after / 2;
            for step in 0..crash_after {
                if step == save_after {
                    progress.save(&progress.snapshot().0).expect("saved");
                }
                // Round the levels: at the crash some have delivered two, some one, some none.
                let asked = Cell::new(0);
                let once = || asked.replace(asked.get() + 1) == 1;
                level(&store, step % 18 + 1).turn(&store, &progress, &|| LATE_MS, &once);
            }
            drop((store, progress)); // as a crash leaves it

            let store = bench.open();
            deliver_everything(&store, &bench.progress(&store));
            let mut came: HashMap<String, i32> = HashMap::new();
            bodies(&store, "T", 2)
                .into_iter()
                .for_each(|body| *came.entry(body).or_default() += 1);
            for step in 0..36 {
                let body = format!("{}-{}", step % 18 + 1, step / 18);
                let twice = (save_after..crash_after).contains(&step);
                assert_eq!(
                    came.get(&body),
                    Some(&(1 + i32::from(twice))),
                    "{body}, crash after {crash_after}"
                );
            }
        }
    }
}
