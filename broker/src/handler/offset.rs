//! Offsets: committed ones (15, 14), and where queues begin, end and were at a time (31, 30, 29, 32).
//!
//! The rule that is easy to break: to 14 a client takes every answer but 0 as "this group has never been here" and begins
//! at the end of the queue, leaving out what lies before. So 22 is for a queue whose beginning is gone from memory or
//! deleted, and nothing else is ever refused.
//!
//! Java 4.7.0 `broker/processor/ConsumerManageProcessor.java`, `AdminBrokerProcessor.java`.

use std::sync::Arc;

use remoting::code::response;
use remoting::header::offset::{
    GetEarliestMsgStoretimeReply, GetEarliestMsgStoretimeRequest, GetMaxOffsetRequest,
    GetMinOffsetRequest, OffsetReply, QueryConsumerOffsetRequest, SearchOffsetRequest,
    UpdateConsumerOffsetRequest,
};
use remoting::{Answer, Command, Peer, Refusal};
use store::{Everything, QueueOffset, ReadStatus};
use tracing::debug;

use super::blocking;
use crate::broker::Broker;
use crate::topic::name;

/// The store time of a queue without messages.
const NEVER_MS: i64 = -1;

/// 15
pub(super) fn update(broker: &Broker, peer: &Peer, request: &Command) -> Result<Command, Refusal> {
    let UpdateConsumerOffsetRequest {
        consumer_group,
        topic,
        queue_id,
        commit_offset,
    } = request.header()?;
    commit(
        broker,
        peer,
        &consumer_group,
        &topic,
        queue_id,
        commit_offset,
    );
    Ok(Command::success())
}

/// Notes how far a group has come, if it can have come there: other commits are answered as if they were kept, as Java
/// does, but Java keeps them, and whoever likes fills its table and the file with names of nothing.
pub(super) fn commit(
    broker: &Broker,
    peer: &Peer,
    group: &str,
    topic: &str,
    queue_id: i32,
    offset: i64,
) {
    let has_queue = broker.topics.get(topic).is_some_and(|topic| {
        // Those that are still written to and those that still may be read.
        let queues = topic.write_queue_nums.max(topic.read_queue_nums);
        (0..queues).contains(&queue_id)
    });
    // A queue that was taken out of its topic may have been consumed before.
    let known = || broker.offsets.query(group, topic, queue_id).is_some();
    if !name::may_be_kept(group) || !(has_queue || known()) {
        debug!(group, topic, queue_id, offset, remote = %peer.remote(), "commit for no queue of ours");
        return;
    }
    broker
        .offsets
        .commit(peer.remote(), group, topic, queue_id, offset);
}

/// 14
pub(super) fn query(broker: &Broker, request: &Command) -> Result<Command, Refusal> {
    let QueryConsumerOffsetRequest {
        consumer_group,
        topic,
        queue_id,
    } = request.header()?;
    if let Some(offset) = broker.offsets.query(&consumer_group, &topic, queue_id) {
        return Ok(offset_reply(QueueOffset(offset)));
    }
    let first = QueueOffset(0);
    let starts_here = match u32::try_from(queue_id) {
        Ok(id) => {
            broker.store.min_offset(&topic, id) <= first && !is_cold(broker, &topic, id, first)
        }
        Err(_) => true, // as in Java: a queue that has nothing
    };
    if starts_here {
        return Ok(offset_reply(first));
    }
    Err(Refusal::new(
        response::QUERY_NOT_FOUND,
        "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first",
    ))
}

/// Whether the message of this entry lies too far behind the end of the log to be in memory.
fn is_cold(broker: &Broker, topic: &str, queue_id: u32, offset: QueueOffset) -> bool {
    let read = broker
        .store
        .read_queue(topic, queue_id, offset, 1, &mut Everything);
    read.status == ReadStatus::Found && read.suggest_slave
}

/// 30
pub(super) fn max(broker: &Broker, request: &Command) -> Result<Command, Refusal> {
    let GetMaxOffsetRequest { topic, queue_id } = request.header()?;
    let of = |id| broker.store.max_offset(&topic, id);
    Ok(offset_reply(
        u32::try_from(queue_id).map_or(QueueOffset(0), of),
    ))
}

/// 31
pub(super) fn min(broker: &Broker, request: &Command) -> Result<Command, Refusal> {
    let GetMinOffsetRequest { topic, queue_id } = request.header()?;
    let of = |id| broker.store.min_offset(&topic, id);
    Ok(offset_reply(
        u32::try_from(queue_id).map_or(QueueOffset(0), of),
    ))
}

/// 29. Looks into messages to find the time.
pub(super) fn by_time(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let SearchOffsetRequest {
            topic,
            queue_id,
            timestamp,
        } = request.header()?;
        let of = |id| broker.store.offset_by_time(&topic, id, timestamp);
        Ok(offset_reply(
            u32::try_from(queue_id).map_or(QueueOffset(0), of),
        ))
    })
}

/// 32. Looks into the oldest message.
pub(super) fn earliest(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let GetEarliestMsgStoretimeRequest { topic, queue_id } = request.header()?;
        let of = |id| broker.store.earliest_store_time(&topic, id);
        let timestamp = u32::try_from(queue_id)
            .ok()
            .and_then(of)
            .unwrap_or(NEVER_MS);
        Ok(Command::success_with(&GetEarliestMsgStoretimeReply {
            timestamp,
        }))
    })
}

fn offset_reply(offset: QueueOffset) -> Command {
    Command::success_with(&OffsetReply { offset: offset.0 })
}
