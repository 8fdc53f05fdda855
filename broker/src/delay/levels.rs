//! A message with a `DELAY` becomes one of the schedule topic.
//!
//! ```text
//! topic T, queue 3, DELAY=5  ─▶  SCHEDULE_TOPIC_XXXX, queue 4, DELAY=5, REAL_TOPIC=T, REAL_QID=3
//! ```
//!
//! Every append of a message that a client sent, sent back or committed comes through here. The rule that is easy to
//! break: half messages are left alone, though they are stored without the bits of a transaction: whoever stores one
//! appends it himself.
//!
//! Java 4.7.0 `store/CommitLog.java` (`asyncPutMessage`). Java puts a half message with a `DELAY` aside as well, and
//! throws it away when it is due.

use remoting::properties::{self, DELAY, REAL_QUEUE_ID, REAL_TOPIC};
use store::{DelayLevels, NewMessage, SCHEDULE_TOPIC};

/// Java's `MessageSysFlag.TRANSACTION_ROLLBACK_TYPE`: both bits of a transaction.
const TRANSACTION: i32 = 0xC;
/// Java's `MessageSysFlag.TRANSACTION_COMMIT_TYPE`.
const COMMIT: i32 = 0x8;

/// What changes in a message that waits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scheduled {
    /// Its queue of [`SCHEDULE_TOPIC`].
    pub(crate) queue_id: u32,
    /// Its properties, with the way back.
    pub(crate) properties: String,
}

/// A `DELAY` that is no number. Java's exception, as its senders get to read it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotALevel(pub(crate) String);

/// The level in the text of `DELAY`; 0 and less are none.
pub(crate) fn level(text: &str) -> Result<i32, NotALevel> {
    let reason = || {
        NotALevel(format!(
            "java.lang.NumberFormatException: For input string: \"{text}\""
        ))
    };
    text.parse().map_err(|_| reason())
}

/// The level that properties ask for, 0 without one. Text that is no level asks for none.
pub(crate) fn asked(text: &str) -> i32 {
    let delay = properties::iter(text)
        .filter(|(name, _)| *name == DELAY)
        .last();
    delay.and_then(|(_, text)| level(text).ok()).unwrap_or(0)
}

/// What becomes of a message that asks for this level; `None`: it goes where it wants to, now.
pub(crate) fn schedule(
    levels: &DelayLevels,
    message: &NewMessage<'_>,
    level: i32,
) -> Option<Scheduled> {
    let transaction = message.sys_flag & TRANSACTION;
    if level <= 0 || !matches!(transaction, 0 | COMMIT) {
        return None;
    }
    let known = level.min(levels.last());
    let queue_id = u32::try_from(known).ok()?.checked_sub(1)?;
    let replaced = |name: &str| {
        [REAL_TOPIC, REAL_QUEUE_ID].contains(&name) || (name == DELAY && known != level)
    };
    let mut text = String::with_capacity(message.properties.len() + message.topic.len() + 64);
    let kept = properties::iter(message.properties).filter(|(name, _)| !replaced(name));
    kept.for_each(|(name, value)| properties::push(&mut text, name, value));
    if known != level {
        properties::push(&mut text, DELAY, &known.to_string());
    }
    properties::push(&mut text, REAL_TOPIC, message.topic);
    properties::push(&mut text, REAL_QUEUE_ID, &message.queue_id.to_string());
    Some(Scheduled {
        queue_id,
        properties: text,
    })
}

impl Scheduled {
    /// The message as it waits.
    pub(crate) fn of<'a>(&'a self, message: &NewMessage<'a>) -> NewMessage<'a> {
        NewMessage {
            topic: SCHEDULE_TOPIC,
            queue_id: self.queue_id,
            properties: &self.properties,
            ..*message
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels() -> DelayLevels {
        DelayLevels::parse("1s 5s 10s").expect("levels")
    }

    fn message<'a>(sys_flag: i32, properties: &'a str) -> NewMessage<'a> {
        NewMessage {
            topic: "T",
            queue_id: 3,
            flag: 0,
            sys_flag,
            born_timestamp_ms: 0,
            born_host: ([127, 0, 0, 1], 1).into(),
            store_host: ([127, 0, 0, 1], 2).into(),
            reconsume_times: 0,
            prepared_transaction_offset: 0,
            body: b"",
            properties,
        }
    }

    fn scheduled(sys_flag: i32, properties: &str) -> Option<(u32, String)> {
        let message = message(sys_flag, properties);
        let scheduled = schedule(&levels(), &message, asked(properties))?;
        let waits = scheduled.of(&message);
        assert_eq!(waits.topic, "SCHEDULE_TOPIC_XXXX");
        Some((waits.queue_id, waits.properties.to_owned()))
    }

    #[test]
    fn a_delayed_message_knows_its_way_back() {
        let expected = "a\u{1}b\u{2}DELAY\u{1}2\u{2}REAL_TOPIC\u{1}T\u{2}REAL_QID\u{1}3\u{2}";
        for text in ["a\u{1}b\u{2}DELAY\u{1}2\u{2}", "a\u{1}b\u{2}DELAY\u{1}2"] {
            assert_eq!(scheduled(0, text), Some((1, expected.to_owned())));
        }
    }

    #[test]
    fn a_level_above_the_last_is_the_last_in_the_property_too() {
        let expected = "DELAY\u{1}3\u{2}REAL_TOPIC\u{1}T\u{2}REAL_QID\u{1}3\u{2}";
        assert_eq!(
            scheduled(0, "DELAY\u{1}99\u{2}"),
            Some((2, expected.to_owned()))
        );
        assert_eq!(
            scheduled(0, "DELAY\u{1}2147483647\u{2}"),
            Some((2, expected.to_owned()))
        );
    }

    #[test]
    fn a_way_back_that_a_message_had_before_is_replaced() {
        let text = "REAL_TOPIC\u{1}Old\u{2}DELAY\u{1}1\u{2}REAL_QID\u{1}9\u{2}";
        let expected = "DELAY\u{1}1\u{2}REAL_TOPIC\u{1}T\u{2}REAL_QID\u{1}3\u{2}";
        assert_eq!(scheduled(0, text), Some((0, expected.to_owned())));
    }

    #[test]
    fn what_asks_for_nothing_goes_where_it_wants_to() {
        for text in [
            "",
            "DELAY\u{1}0\u{2}",
            "DELAY\u{1}-1\u{2}",
            "DELAY\u{1}x\u{2}",
            "DELAY\u{1}\u{2}",
            "a\u{1}b",
        ] {
            assert_eq!(scheduled(0, text), None, "{text:?}");
        }
    }

    #[test]
    fn a_commit_waits_and_prepared_and_rollback_do_not() {
        let text = "DELAY\u{1}1\u{2}";
        assert!(scheduled(0x8, text).is_some());
        assert!(scheduled(0x1, text).is_some());
        assert_eq!((scheduled(0x4, text), scheduled(0xC, text)), (None, None));
    }

    #[test]
    fn of_several_levels_the_last_counts() {
        assert_eq!(asked("DELAY\u{1}1\u{2}DELAY\u{1}2\u{2}"), 2);
    }

    #[test]
    fn text_that_is_no_number_has_javas_words() {
        let refused = level("1x").expect_err("no number");
        assert_eq!(
            refused.0,
            "java.lang.NumberFormatException: For input string: \"1x\""
        );
        assert_eq!((level("+3"), level("-1")), (Ok(3), Ok(-1)));
    }
}
