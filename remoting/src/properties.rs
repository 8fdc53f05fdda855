//! Message properties: name and value pairs in one string.
//!
//! ```text
//! name \x01 value \x02 name \x01 value \x02       4.9 and later leave out the last \x02
//! ```
//!
//! Parts that are not exactly a name and a value are passed over, so a property without a value is none; of several with
//! one name the last counts. The rule that is easy to break: who adds one must close the one before it first.
//!
//! Java 4.7.0 `common/message/MessageDecoder.java` (`string2messageProperties`), `MessageConst.java`.

const BETWEEN_NAME_AND_VALUE: char = '\u{1}';
const BEHIND_A_PROPERTY: char = '\u{2}';

/// Words to find the message by, blanks between them.
pub const KEYS: &str = "KEYS";
/// Its tag.
pub const TAGS: &str = "TAGS";
/// `false`: the sender does not wait for the disk or a slave.
pub const WAIT: &str = "WAIT";
/// Delay level, from 1.
pub const DELAY: &str = "DELAY";
/// `true`: half of a transaction.
pub const TRANSACTION_PREPARED: &str = "TRAN_MSG";
/// The id its sender gave it.
pub const UNIQ_KEY: &str = "UNIQ_KEY";
/// The cluster that stored it; a reply to it goes there.
pub const CLUSTER: &str = "CLUSTER";
/// The client that sent a request message, and gets the reply.
pub const REPLY_TO_CLIENT: &str = "REPLY_TO_CLIENT";
/// When a reply was pushed to it, ms since 1970.
pub const PUSH_REPLY_TIME: &str = "PUSH_REPLY_TIME";
/// The topic a message was sent to at first, once it comes through a retry topic.
pub const RETRY_TOPIC: &str = "RETRY_TOPIC";
/// The broker's id of the message as it was sent at first, once it comes through a retry topic.
pub const ORIGIN_MESSAGE_ID: &str = "ORIGIN_MESSAGE_ID";
/// The topic of a message that waits in another one: delayed, or half of a transaction.
pub const REAL_TOPIC: &str = "REAL_TOPIC";
/// The queue of such a message.
pub const REAL_QUEUE_ID: &str = "REAL_QID";
/// The producer group of a half message.
pub const PRODUCER_GROUP: &str = "PGROUP";
/// How often its producer was asked about a half message.
pub const TRANSACTION_CHECK_TIMES: &str = "TRANSACTION_CHECK_TIMES";
/// Seconds after its birth before which nobody is asked about a half message.
pub const CHECK_IMMUNITY_SECONDS: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";
/// Where a half message that was put back lay in its queue at first.
pub const PREPARED_QUEUE_OFFSET: &str = "TRAN_PREPARED_QUEUE_OFFSET";
/// Field of a send's reply: the broker's region.
pub const MSG_REGION: &str = "MSG_REGION";
/// Field of a send's reply: `false` keeps the client from sending traces.
pub const TRACE_ON: &str = "TRACE_ON";

/// The properties as (name, value), in their order.
pub fn iter(properties: &str) -> impl Iterator<Item = (&str, &str)> {
    properties.split(BEHIND_A_PROPERTY).filter_map(|part| {
        let (name, value) = part.split_once(BETWEEN_NAME_AND_VALUE)?;
        // Java's split drops empty parts at the end: `a\x01b\x01` is a pair, `a\x01` is none.
        let value = value.trim_end_matches(BETWEEN_NAME_AND_VALUE);
        (!value.is_empty() && !value.contains(BETWEEN_NAME_AND_VALUE)).then_some((name, value))
    })
}

/// Adds a property behind the others.
pub fn push(properties: &mut String, name: &str, value: &str) {
    properties.reserve(name.len() + value.len() + 3);
    if !properties.is_empty() && !properties.ends_with(BEHIND_A_PROPERTY) {
        properties.push(BEHIND_A_PROPERTY);
    }
    properties.push_str(name);
    properties.push(BETWEEN_NAME_AND_VALUE);
    properties.push_str(value);
    properties.push(BEHIND_A_PROPERTY);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_with_and_without_the_last_separator() {
        for text in ["a\u{1}b\u{2}c\u{1}d\u{2}", "a\u{1}b\u{2}c\u{1}d"] {
            assert_eq!(iter(text).collect::<Vec<_>>(), [("a", "b"), ("c", "d")]);
        }
    }

    #[test]
    fn what_is_not_a_pair_is_passed_over() {
        let text = "a\u{2}b\u{1}\u{2}\u{2}c\u{1}d\u{1}e\u{2}f\u{1}g\u{1}\u{2}";
        assert_eq!(iter(text).collect::<Vec<_>>(), [("f", "g")]);
        assert_eq!(iter("").next(), None);
    }

    #[test]
    fn a_property_is_added_behind_a_closed_one() {
        for before in ["a\u{1}b\u{2}", "a\u{1}b"] {
            let mut text = before.to_owned();
            push(&mut text, "c", "d");
            assert_eq!(text, "a\u{1}b\u{2}c\u{1}d\u{2}");
        }
        let mut text = String::new();
        push(&mut text, "c", "d");
        assert_eq!(text, "c\u{1}d\u{2}");
    }
}
