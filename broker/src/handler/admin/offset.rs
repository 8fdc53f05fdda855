//! Offsets moved by administrators: a group goes on at a time (222), or takes over another's offsets (314).
//!
//! ```text
//! mqadmin ── 222 ─▶ new offset of each queue ─┬─ 220, one-way ─▶ every client of the group
//!         ◀── the same offsets ───────────────┘                 (each stops its queues, moves, commits)
//! ```
//!
//! The rule that is easy to break: the broker commits nothing itself. The clients would write their old offsets over it;
//! and a group without clients is answered with 206, on which `mqadmin` sets the offsets queue by queue (29, 15).
//!
//! Java 4.7.0 `broker/client/net/Broker2Client.java` (`resetOffset`), `broker/processor/AdminBrokerProcessor.java`.
//! Different, see COMPATIBILITY.md: `queueId` and `offset` of 5.x are heeded, each client gets the form of its own language.

use std::sync::Arc;

use remoting::body::seek::ResetOffsetBody;
use remoting::body::topic_config::TopicConfig;
use remoting::code::{Language, request, response, version};
use remoting::header::seek::{CloneGroupOffsetRequest, ResetOffsetRequest};
use remoting::java::json;
use remoting::{Answer, Command, Refusal};
use tracing::{debug, info};

use super::queues;
use crate::broker::Broker;
use crate::client::Client;
use crate::handler::blocking;
use crate::topic::name;

/// A reset to the end of the queues.
const TO_THE_END: i64 = -1;

/// 222
pub(in crate::handler) fn reset(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let asked: ResetOffsetRequest = request.header()?;
        let ResetOffsetRequest { topic, group, .. } = &asked;
        let Some(config) = broker.topics.get(topic) else {
            return Err(Refusal::system_error(format!(
                "[reset-offset] reset offset failed, no topic in this broker. topic={topic}"
            )));
        };
        let table = new_offsets(&broker, &config, &asked)?;
        let members = broker.consumers.members(group);
        if members.is_empty() {
            let timestamp = asked.timestamp;
            return Err(Refusal::new(
                response::CONSUMER_NOT_ONLINE,
                format!(
                    "Consumer not online, so can not reset offset, Group: {group} Topic: {topic} Timestamp: {timestamp}"
                ),
            ));
        }
        understood(&members, version::RESET_OFFSET)?;
        let (timestamp, force) = (asked.timestamp, asked.is_force);
        info!(
            group,
            topic,
            timestamp,
            force,
            clients = members.len(),
            "move a group"
        );
        tell(&members, &asked, &table, request.language == Language::CPP);
        Ok(Command::success().with_body(json::write(&table)))
    })
}

/// Refuses what a client of the group is too old for, before anything has happened.
pub(super) fn understood(members: &[Client], since: i32) -> Result<(), Refusal> {
    match members.iter().find(|member| member.version < since) {
        None => Ok(()),
        Some(old) => Err(Refusal::system_error(format!(
            "the client does not support this feature. version={}",
            old.version
        ))),
    }
}

/// Where the group is to go on. Not beyond where it is, unless forced.
fn new_offsets(
    broker: &Broker,
    topic: &TopicConfig,
    asked: &ResetOffsetRequest,
) -> Result<ResetOffsetBody, Refusal> {
    let (group, name) = (&asked.group, &topic.topic_name);
    let one = asked.queue_id.filter(|queue| *queue >= 0);
    let mut table = ResetOffsetBody::default();
    for (id, queue) in queues(broker, topic, topic.write_queue_nums) {
        if one.is_some_and(|one| one != queue.queue_id) {
            continue;
        }
        let Some(before) = broker.offsets.query(group, name, queue.queue_id) else {
            return Err(Refusal::system_error(format!(
                "THe consumer group <{group}> not exist"
            )));
        };
        let by_hand = asked.offset.filter(|offset| one.is_some() && *offset >= 0);
        let wanted = match (by_hand, asked.timestamp) {
            (Some(offset), _) => offset,
            (None, TO_THE_END) => broker.store.max_offset(name, id).0,
            (None, time) => broker.store.offset_by_time(name, id, time).0.max(0),
        };
        let forced = asked.is_force || by_hand.is_some();
        let offset = if forced { wanted } else { wanted.min(before) };
        table.offset_table.insert(queue, offset);
    }
    Ok(table)
}

/// Tells every client. One that cannot be told goes on as before, as in Java.
fn tell(members: &[Client], asked: &ResetOffsetRequest, table: &ResetOffsetBody, asked_in_c: bool) {
    let header = ResetOffsetRequest {
        is_force: false,
        queue_id: None,
        offset: None,
        ..asked.clone()
    };
    let (plain, for_c) = (json::write(table), json::write(&table.for_c()));
    for member in members {
        let reads_c = match member.language {
            Language::CPP => true,
            Language::JAVA => false,
            _ => asked_in_c,
        };
        let body = if reads_c { &for_c } else { &plain };
        let order = Command::request_with(request::RESET_CONSUMER_CLIENT_OFFSET, &header)
            .with_body(body.clone());
        if let Err(error) = member.peer.push(order) {
            debug!(group = asked.group, client = &*member.id, %error, "move a client");
        }
    }
}

/// 314
pub(in crate::handler) fn clone(broker: &Broker, request: &Command) -> Result<Command, Refusal> {
    let asked: CloneGroupOffsetRequest = request.header()?;
    let (from, to) = (&asked.src_group, &asked.dest_group);
    if !name::may_be_kept(to) {
        return Err(Refusal::system_error(format!("{to:?} is no group")));
    }
    let topics = match asked.topic.filter(|topic| !topic.trim().is_empty()) {
        Some(topic) => [topic].into(),
        None => broker.offsets.topics_of(from),
    };
    for topic in topics {
        if broker.topics.get(&topic).is_none() {
            debug!(topic, "no topic whose offsets could be cloned");
        } else if !asked.offline && broker.consumers.passes_over(from, &topic) {
            debug!(group = from, topic, "no longer subscribed: not cloned");
        } else {
            broker.offsets.clone_group(from, to, &topic);
        }
    }
    Ok(Command::success())
}
