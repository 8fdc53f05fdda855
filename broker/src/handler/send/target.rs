//! Whether a send may be stored, and in which queue.
//!
//! ```text
//! broker open? ▶ ordered topic on a broker that may not write? ▶ topic, made if need be ▶ queue in range
//!                %RETRY%group, sent once too often ▶ %DLQ%group
//! ```
//!
//! The rule that is easy to break: a topic's own write permission is not looked at. Clients learn it through the route,
//! and a queue taken out of the route must still take what is on its way.
//!
//! Java 4.7.0 `broker/processor/AbstractSendMessageProcessor.java` (`msgCheck`), `SendMessageProcessor.java`
//! (`handleRetryAndDLQ`). Different: a send to a retry topic without `maxReconsumeTimes` takes the group's limit, Java
//! ends in a NullPointerException (its issue 1843); what becomes a dead letter does so at once, Java lets it wait as its
//! `DELAY` says.

use std::borrow::Cow;

use remoting::body::topic_config::{TopicConfig, TopicFilterType};
use remoting::code::response;
use remoting::header::send::SendRequest;
use remoting::{Peer, Refusal};

use crate::broker::Broker;
use crate::topic::name::RETRY_PREFIX;
use crate::topic::{Described, TopicWish, perm};
use crate::{now_ms, retry};

/// Java's `MessageSysFlag.MULTI_TAGS_FLAG`.
const MULTI_TAGS: i32 = 2;

/// Where a send goes.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) topic: Cow<'a, str>,
    pub(super) queue_id: u32,
    pub(super) sys_flag: i32,
    /// It came once too often: nobody waits for it any more, whatever its `DELAY` says.
    pub(super) dead: bool,
}

impl Target<'_> {
    /// The same with strings of its own.
    pub(super) fn into_owned(self) -> Target<'static> {
        Target {
            topic: Cow::Owned(self.topic.into_owned()),
            ..self
        }
    }
}

/// Where this send goes. Makes its topic if that is allowed, in memory only (`made`).
pub(super) fn of<'a>(
    broker: &Broker,
    peer: &Peer,
    header: &'a SendRequest<'_>,
    client_version: i32,
) -> Result<Target<'a>, Refusal> {
    open_yet(broker)?;
    let config = &broker.config;
    if !perm::has(config.broker_permission, perm::WRITE)
        && broker
            .topics
            .get(&header.topic)
            .is_some_and(|topic| topic.order)
    {
        return Err(forbidden(broker, "message"));
    }
    let wish = TopicWish {
        topic: &header.topic,
        template: &header.default_topic,
        queues: header.default_topic_queue_nums,
        unit_mode: header.unit_mode,
    };
    let found = broker
        .topics
        .for_send(wish, config.auto_create_topic, peer.remote())?;
    if found.created {
        broker.registration.changed();
    }
    let topic = found.topic;
    let sys_flag = match topic.topic_filter_type {
        TopicFilterType::SingleTag => header.sys_flag,
        TopicFilterType::MultiTag => header.sys_flag | MULTI_TAGS,
    };
    let queue_id = queue(broker, peer, header.queue_id, &topic)?;
    match header.topic.strip_prefix(RETRY_PREFIX) {
        Some(group) if !header.batch && is_exhausted(broker, header, group, client_version)? => {
            Ok(Target {
                topic: retry::dead_letter_topic(broker, group)?
                    .topic_name
                    .clone()
                    .into(),
                queue_id: 0,
                sys_flag,
                dead: true,
            })
        }
        _ => Ok(Target {
            topic: Cow::Borrowed(&header.topic),
            queue_id,
            sys_flag,
            dead: false,
        }),
    }
}

/// Whether half messages are taken.
pub(super) fn may_be_half(broker: &Broker) -> Result<(), Refusal> {
    match broker.config.reject_transaction_message {
        true => Err(forbidden(broker, "transaction message")),
        false => Ok(()),
    }
}

fn open_yet(broker: &Broker) -> Result<(), Refusal> {
    let from_ms = broker.config.accept_sends_from_ms;
    if from_ms <= 0 || now_ms() >= from_ms {
        return Ok(());
    }
    Err(Refusal::system_error(format!(
        "broker unable to service, until {from_ms} ms since 1970"
    )))
}

fn forbidden(broker: &Broker, what: &str) -> Refusal {
    Refusal::new(
        response::NO_PERMISSION,
        format!("the broker[{}] sending {what} is forbidden", broker.ip()),
    )
}

/// The queue asked for; a number below 0 asks for any.
fn queue(broker: &Broker, peer: &Peer, wanted: i32, topic: &TopicConfig) -> Result<u32, Refusal> {
    let queues = topic.write_queue_nums.max(topic.read_queue_nums);
    let wanted = if wanted < 0 && topic.write_queue_nums > 0 {
        broker.any_queue(topic.write_queue_nums as u32)
    } else {
        wanted as u32 // one below 0 becomes one past every queue
    };
    if i64::from(wanted) < i64::from(queues) {
        return Ok(wanted);
    }
    Err(Refusal::system_error(format!(
        "request queueId[{}] is illegal, {} Producer: {}",
        wanted as i32,
        Described(topic),
        peer.remote()
    )))
}

/// Whether a message sent to its group's retry topic has been there often enough.
fn is_exhausted(
    broker: &Broker,
    header: &SendRequest<'_>,
    group: &str,
    client_version: i32,
) -> Result<bool, Refusal> {
    let group = retry::group(broker, group)?;
    let limit = retry::limit(&group, header.max_reconsume_times, client_version);
    Ok(header.reconsume_times >= limit)
}
