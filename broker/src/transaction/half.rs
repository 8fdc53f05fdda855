//! Half messages: made of a send, read back, put back.
//!
//! ```text
//! topic T, queue 3, TRAN_MSG=true  ─▶  RMQ_SYS_TRANS_HALF_TOPIC, queue 0, …, REAL_TOPIC=T, REAL_QID=3
//! ```
//!
//! The rule that is easy to break: a half message is stored as a plain one, without the bits of a transaction in its
//! `sysFlag`, or it has no queue entry; so everything that looks at `DELAY` must be told to leave it alone.
//!
//! Java 4.7.0 `broker/transaction/queue/TransactionalMessageBridge.java` (`parseHalfMessageInner`,
//! `renewHalfMessageInner`, `renewImmunityHalfMessageInner`). Java loses the sender's `flag` when it puts one back.

use std::time::Duration;

use remoting::properties::{
    self, CHECK_IMMUNITY_SECONDS, PREPARED_QUEUE_OFFSET, PRODUCER_GROUP, REAL_QUEUE_ID, REAL_TOPIC,
    TRANSACTION_CHECK_TIMES, UNIQ_KEY,
};
use store::{AppendError, Appended, NewMessage, Record, Store};

use super::{GIVEN_UP_TOPIC, HALF_TOPIC, QUEUE, TRANSACTION_BITS};

/// Stores a message as the half of a transaction. Waits for the log so long at most.
///
/// # Errors
/// As [`Store::append`] says; nothing was stored then.
pub(crate) fn append(
    store: &Store,
    patience: Duration,
    message: &NewMessage<'_>,
) -> Result<Appended, AppendError> {
    let queue_id = message.queue_id.to_string();
    let way_back = [
        (REAL_TOPIC, message.topic),
        (REAL_QUEUE_ID, queue_id.as_str()),
    ];
    let half = NewMessage {
        topic: HALF_TOPIC,
        queue_id: QUEUE,
        sys_flag: message.sys_flag & !TRANSACTION_BITS,
        properties: &with(message.properties, &way_back),
        ..*message
    };
    store.append_within(patience, &half)
}

/// The properties with these in place of those of the same names.
pub(super) fn with(text: &str, set: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let kept = properties::iter(text).filter(|(name, _)| set.iter().all(|(new, _)| new != name));
    kept.for_each(|(name, value)| properties::push(&mut out, name, value));
    set.iter()
        .for_each(|(name, value)| properties::push(&mut out, name, value));
    out
}

/// A half message as it lies in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Half<'a> {
    pub(super) record: Record<'a>,
    /// What would be stored again.
    pub(super) message: NewMessage<'a>,
    /// The topic it is meant for.
    pub(super) topic: &'a str,
    /// Its queue there.
    pub(super) queue_id: u32,
    /// The group that sent it, and that is asked.
    pub(crate) group: Option<&'a str>,
    /// The id its sender gave it.
    pub(super) uniq_key: Option<&'a str>,
    /// How often it was asked about; −1 for text that is no number, as in Java.
    pub(super) checks: Option<i32>,
    /// Nobody is asked before this age. Milliseconds; `None` for the broker's own limit.
    pub(super) immunity_ms: Option<i64>,
    /// Where it lay at first, when it was put back because of that.
    pub(super) first_offset: Option<i64>,
}

impl<'a> Half<'a> {
    /// Reads a half message, of the half topic or given up. `None` for every other message: no transaction ends it.
    pub(crate) fn of(record: Record<'a>) -> Option<Half<'a>> {
        let message = record.to_message()?;
        let mut topic = None;
        let mut queue_id = None;
        let mut half = Half {
            record,
            message,
            topic: "",
            queue_id: 0,
            group: None,
            uniq_key: None,
            checks: None,
            immunity_ms: None,
            first_offset: None,
        };
        for (name, value) in properties::iter(message.properties) {
            match name {
                REAL_TOPIC => topic = Some(value),
                REAL_QUEUE_ID => queue_id = value.parse().ok(),
                PRODUCER_GROUP => half.group = Some(value),
                UNIQ_KEY => half.uniq_key = Some(value),
                TRANSACTION_CHECK_TIMES => half.checks = Some(value.parse().unwrap_or(-1)),
                CHECK_IMMUNITY_SECONDS => half.immunity_ms = immunity_ms(value),
                PREPARED_QUEUE_OFFSET => half.first_offset = value.parse().ok(),
                _ => {}
            }
        }
        (half.topic, half.queue_id) = (topic?, queue_id?);
        Some(half)
    }

    /// Whether it lies where half messages wait.
    pub(crate) fn waits(&self) -> bool {
        self.message.topic == HALF_TOPIC && self.message.queue_id == QUEUE
    }

    /// Whether it lies where nobody asks about it any more.
    pub(crate) fn is_given_up(&self) -> bool {
        self.message.topic == GIVEN_UP_TOPIC
    }

    /// Its place in the half queue.
    pub(crate) fn queue_offset(&self) -> i64 {
        self.record.queue_offset
    }

    /// Its place in the log, as it says itself.
    pub(crate) fn log_offset(&self) -> i64 {
        self.record.log_offset
    }

    /// Puts it at the end of the half queue with these properties.
    ///
    /// # Errors
    /// As [`Store::append`] says; nothing was stored then.
    pub(crate) fn put_back(
        &self,
        store: &Store,
        properties: &str,
    ) -> Result<Appended, AppendError> {
        store.append(&NewMessage {
            topic: HALF_TOPIC,
            queue_id: QUEUE,
            sys_flag: self.message.sys_flag & !TRANSACTION_BITS,
            properties,
            ..self.message
        })
    }

    /// Its properties with the number of times it was asked about.
    pub(crate) fn asked(&self, times: i32) -> String {
        let times = times.to_string();
        with(
            self.message.properties,
            &[(TRANSACTION_CHECK_TIMES, &times)],
        )
    }
}

/// −1 means the broker's own limit, and so does text that is no number. Java 4.7.0 `getImmunityTime`.
fn immunity_ms(seconds: &str) -> Option<i64> {
    let seconds: i64 = seconds.parse().ok()?;
    (seconds != -1).then(|| seconds.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_replaced_and_not_doubled() {
        let text = "REAL_TOPIC\u{1}old\u{2}KEYS\u{1}k\u{2}REAL_TOPIC\u{1}older";
        assert_eq!(
            with(text, &[(REAL_TOPIC, "T"), (REAL_QUEUE_ID, "3")]),
            "KEYS\u{1}k\u{2}REAL_TOPIC\u{1}T\u{2}REAL_QID\u{1}3\u{2}"
        );
    }

    #[test]
    fn immunity_is_in_seconds_and_what_is_no_number_is_none() {
        assert_eq!(immunity_ms("15"), Some(15_000));
        assert_eq!(immunity_ms("0"), Some(0));
        assert_eq!((immunity_ms("-1"), immunity_ms("soon")), (None, None));
        assert_eq!(immunity_ms("9223372036854775807"), Some(i64::MAX));
    }
}
