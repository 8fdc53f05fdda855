//! Messages that a consumer wants again: where they go, how often, and what they carry.
//!
//! ```text
//! given back (36)          ─┬─ not yet too often ▶ %RETRY%group, with DELAY 3 + times ▶ waits ▶ the group's consumers
//! sent by the client itself ┘  too often          ▶ %DLQ%group, which nobody reads before an administrator lets them
//! ```
//!
//! The rule that is easy to break: `RETRY_TOPIC` and `ORIGIN_MESSAGE_ID` tell a consumer what the message was at first, so
//! they are set the first time and then stay.
//!
//! Java 4.7.0 `broker/processor/SendMessageProcessor.java` (`asyncConsumerSendMsgBack`, `handleRetryAndDLQ`),
//! `ClientManageProcessor.java` (`heartBeat`).

use std::sync::Arc;

use remoting::Refusal;
use remoting::body::groups::SubscriptionGroupConfig;
use remoting::body::topic_config::TopicConfig;
use remoting::code::{response, version};
use remoting::properties::{self, DELAY, ORIGIN_MESSAGE_ID, RETRY_TOPIC, WAIT};

use crate::broker::Broker;
use crate::handler::FAQ;
use crate::topic::name::{self, NameError};
use crate::topic::{Found, perm};

/// Queues of a dead-letter topic.
const DEAD_LETTER_QUEUES: i32 = 1;

/// Java's `TopicSysFlag` of a retry topic whose group belongs to a unit.
const UNIT_SUBSCRIPTION: i32 = 2;

/// The level at which a message comes back the first time; it grows by one each time.
const FIRST_LEVEL: i32 = 3;

/// The topic a group's messages come back through, made if it has none, in memory only (`made`).
///
/// # Errors
/// [`NameError`] for characters that no group may have.
pub(crate) fn retry_topic(
    broker: &Broker,
    group: &SubscriptionGroupConfig,
    unit_mode: bool,
) -> Result<Arc<TopicConfig>, NameError> {
    let queues = group.retry_queue_nums;
    let topic = format!("{}{}", name::RETRY_PREFIX, group.group_name);
    let topic = TopicConfig {
        topic_sys_flag: if unit_mode { UNIT_SUBSCRIPTION } else { 0 },
        ..TopicConfig::new(topic, queues, queues, perm::READ | perm::WRITE)
    };
    broker
        .topics
        .for_group(topic)
        .map(|found| told(broker, found))
}

/// The topic a group's messages end in, made if it has none, in memory only (`made`).
///
/// # Errors
/// Code 1 for characters that no group may have.
pub(crate) fn dead_letter_topic(broker: &Broker, group: &str) -> Result<Arc<TopicConfig>, Refusal> {
    let name = format!("{}{group}", name::DEAD_LETTER_PREFIX);
    let topic = TopicConfig::new(&name, DEAD_LETTER_QUEUES, DEAD_LETTER_QUEUES, perm::WRITE);
    let found = broker.topics.for_group(topic);
    let found = found.map_err(|_| no_topic(&name))?;
    Ok(told(broker, found))
}

fn told(broker: &Broker, found: Found) -> Arc<TopicConfig> {
    if found.created {
        broker.registration.changed();
    }
    found.topic
}

/// The refusal of a topic that cannot be made.
pub(crate) fn no_topic(name: &str) -> Refusal {
    Refusal::system_error(format!("topic[{name}] not exist"))
}

/// A group, made if that is allowed, in memory only (`made`).
///
/// # Errors
/// Code 26 when there is none and none may be made.
pub(crate) fn group(broker: &Broker, name: &str) -> Result<Arc<SubscriptionGroupConfig>, Refusal> {
    let group = broker
        .groups
        .find(name, broker.config.auto_create_subscription_group);
    group.ok_or_else(|| {
        let remark = format!("subscription group not exist, {name} {FAQ}");
        Refusal::new(response::SUBSCRIPTION_GROUP_NOT_EXIST, remark)
    })
}

/// How often a message of this group may come again: what the client says if it can, else what the group says.
/// Different from Java, which ends in a NullPointerException where a client that can does not (its issue 1843).
pub(crate) fn limit(
    group: &SubscriptionGroupConfig,
    of_client: Option<i32>,
    client_version: i32,
) -> i32 {
    of_client
        .filter(|_| client_version >= version::MAX_RECONSUME_TIMES)
        .unwrap_or(group.retry_max_times)
}

/// The delay level at which a message comes back that was consumed `times` times before, where its consumer asks for
/// `wanted`: 0 leaves it to the broker.
pub(crate) fn level(wanted: i32, times: i32) -> i32 {
    match wanted {
        0 => times.saturating_add(FIRST_LEVEL),
        wanted => wanted,
    }
}

/// The properties of a message given back, when it comes again at `level`, or at once as a dead letter.
///
/// `topic` and `id` are those it has now. Java 4.7.0 keeps the `DELAY` of the last time on a dead letter, so that it
/// waits once more, and leaves `ORIGIN_MESSAGE_ID` out of one that is given back for the first time; 4.9.4 does neither.
pub(crate) fn properties(now: &str, topic: &str, id: &str, level: Option<i32>) -> String {
    let mut again = String::with_capacity(now.len() + topic.len() + id.len() + 64);
    let (mut has_topic, mut has_id) = (false, false);
    for (name, value) in properties::iter(now) {
        match name {
            WAIT | DELAY => continue,
            ORIGIN_MESSAGE_ID if value.trim().is_empty() => continue,
            ORIGIN_MESSAGE_ID => has_id = true,
            RETRY_TOPIC => has_topic = true,
            _ => {}
        }
        properties::push(&mut again, name, value);
    }
    if !has_topic {
        properties::push(&mut again, RETRY_TOPIC, topic);
    }
    properties::push(&mut again, WAIT, "false");
    if let Some(level) = level {
        properties::push(&mut again, DELAY, &level.to_string());
    }
    if !has_id {
        properties::push(&mut again, ORIGIN_MESSAGE_ID, id);
    }
    again
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name=value` for each property, in a line.
    fn shown(text: &str) -> String {
        let pairs: Vec<_> = properties::iter(text)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join(" ")
    }

    #[test]
    fn a_message_given_back_the_first_time_says_what_it_was() {
        for now in [
            "KEYS\u{1}k\u{2}TAGS\u{1}t\u{2}",
            "KEYS\u{1}k\u{2}TAGS\u{1}t",
        ] {
            assert_eq!(
                shown(&properties(now, "T", "7F", Some(3))),
                "KEYS=k TAGS=t RETRY_TOPIC=T WAIT=false DELAY=3 ORIGIN_MESSAGE_ID=7F"
            );
        }
        assert_eq!(
            shown(&properties("", "T", "7F", None)),
            "RETRY_TOPIC=T WAIT=false ORIGIN_MESSAGE_ID=7F"
        );
    }

    #[test]
    fn what_it_was_stays_however_often_it_comes_back() {
        let first = properties("KEYS\u{1}k\u{2}WAIT\u{1}true\u{2}", "T", "7F", Some(3));
        let second = properties(&first, "%RETRY%G", "80", Some(4));
        assert_eq!(
            shown(&second),
            "KEYS=k RETRY_TOPIC=T ORIGIN_MESSAGE_ID=7F WAIT=false DELAY=4"
        );
        let dead = properties(&second, "%RETRY%G", "81", None);
        assert_eq!(
            shown(&dead),
            "KEYS=k RETRY_TOPIC=T ORIGIN_MESSAGE_ID=7F WAIT=false"
        );
        let blank = properties("ORIGIN_MESSAGE_ID\u{1} \u{2}", "T", "7F", None);
        assert!(shown(&blank).ends_with("ORIGIN_MESSAGE_ID=7F"), "{blank}");
    }

    #[test]
    fn the_level_grows_with_the_times_unless_the_consumer_names_one() {
        assert_eq!((level(0, 0), level(0, 13)), (3, 16));
        assert_eq!((level(5, 13), level(0, i32::MAX)), (5, i32::MAX));
    }

    #[test]
    fn the_limit_is_the_clients_if_it_can_say_one_and_else_the_groups() {
        let group = SubscriptionGroupConfig {
            retry_max_times: 7,
            ..SubscriptionGroupConfig::new("G")
        };
        let newer = version::MAX_RECONSUME_TIMES;
        assert_eq!(limit(&group, Some(2), newer), 2);
        assert_eq!(limit(&group, Some(2), newer - 1), 7);
        assert_eq!(limit(&group, None, newer), 7);
    }
}
