//! Where queues stand (202), how far groups are (208, 303), who consumes a topic (300).
//!
//! The rule that is easy to break: a queue that nobody has used is listed too, with zeros; tools look every queue of a
//! route up in the answer.
//!
//! Java 4.7.0 `broker/processor/AdminBrokerProcessor.java`. `consumeTps` is 0 as long as there are no statistics.

use std::collections::BTreeSet;
use std::sync::Arc;

use remoting::body::groups::GroupList;
use remoting::body::stats::{
    ConsumeStats, OffsetWrapper, QueryConsumeTimeSpanBody, QueueTimeSpan, TopicOffset,
    TopicStatsTable,
};
use remoting::body::topic_config::TopicConfig;
use remoting::code::response;
use remoting::header::stats::{
    GetConsumeStatsRequest, GetTopicStatsInfoRequest, QueryConsumeTimeSpanRequest,
    QueryTopicConsumeByWhoRequest,
};
use remoting::java::json;
use remoting::{Answer, Command, Refusal};
use store::QueueOffset;

use super::queues;
use crate::broker::Broker;
use crate::handler::blocking;
use crate::now_ms;

/// The store time where there is no message.
const NEVER_MS: i64 = -1;

/// 202
pub(in crate::handler) fn topic(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let GetTopicStatsInfoRequest { topic } = request.header()?;
        let config = existing(&broker, &topic)?;
        let mut table = TopicStatsTable::default();
        for (id, queue) in queues(&broker, &config, config.write_queue_nums) {
            let max = broker.store.max_offset(&topic, id);
            let last = (max.0 > 0).then(|| broker.store.store_time(&topic, id, max.plus(-1)));
            let offset = TopicOffset {
                last_update_timestamp: last.map_or(0, |time| time.unwrap_or(NEVER_MS)),
                max_offset: max.0,
                min_offset: broker.store.min_offset(&topic, id).0.max(0),
            };
            table.offset_table.insert(queue, offset);
        }
        Ok(Command::success().with_body(json::write(&table)))
    })
}

/// 208
pub(in crate::handler) fn group(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let asked: GetConsumeStatsRequest = request.header()?;
        let group = &asked.consumer_group;
        let topics = match asked.topic.filter(|topic| !topic.trim().is_empty()) {
            Some(topic) => [topic].into(),
            None => broker.offsets.topics_of(group),
        };
        let mut stats = ConsumeStats::default();
        for topic in topics {
            let Some(config) = broker.topics.get(&topic) else {
                continue;
            };
            if !broker.consumers.passes_over(group, &topic) {
                add_progress(&broker, group, &config, &mut stats);
            }
        }
        Ok(Command::success().with_body(json::write(&stats)))
    })
}

fn add_progress(broker: &Broker, group: &str, topic: &TopicConfig, stats: &mut ConsumeStats) {
    let name = &topic.topic_name;
    for (id, queue) in queues(broker, topic, topic.read_queue_nums) {
        let next = broker
            .offsets
            .query(group, name, queue.queue_id)
            .unwrap_or(0);
        let last = (next > 0).then(|| broker.store.store_time(name, id, QueueOffset(next - 1)));
        let progress = OffsetWrapper {
            broker_offset: broker.store.max_offset(name, id).0,
            consumer_offset: next,
            last_timestamp: last.flatten().unwrap_or(0),
        };
        stats.offset_table.insert(queue, progress);
    }
}

/// 300
pub(in crate::handler) fn consumed_by(
    broker: &Broker,
    request: &Command,
) -> Result<Command, Refusal> {
    let QueryTopicConsumeByWhoRequest { topic } = request.header()?;
    let mut group_list: BTreeSet<String> = broker.consumers.groups_of(&topic);
    group_list.extend(broker.offsets.groups_of(&topic));
    Ok(Command::success().with_body(json::write(&GroupList { group_list })))
}

/// 303
pub(in crate::handler) fn time_span(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let QueryConsumeTimeSpanRequest { topic, group } = request.header()?;
        let config = existing(&broker, &topic)?;
        let mut body = QueryConsumeTimeSpanBody::default();
        for (id, message_queue) in queues(&broker, &config, config.write_queue_nums) {
            let time = |offset: i64| broker.store.store_time(&topic, id, QueueOffset(offset));
            let next = broker.offsets.query(&group, &topic, message_queue.queue_id);
            let first = broker.store.earliest_store_time(&topic, id);
            let max = broker.store.max_offset(&topic, id).0;
            let consumed = next.filter(|next| *next > 0).map(|next| time(next - 1));
            let waiting = match next {
                Some(next) => (next < max).then(|| time(next)).flatten(),
                None => first,
            };
            body.consume_time_span_set.push(QueueTimeSpan {
                consume_time_stamp: consumed.unwrap_or(first).unwrap_or(NEVER_MS),
                delay_time: waiting.map_or(0, |since| now_ms().saturating_sub(since).max(0)),
                max_time_stamp: time(max - 1).unwrap_or(NEVER_MS),
                message_queue,
                min_time_stamp: first.unwrap_or(NEVER_MS),
            });
        }
        Ok(Command::success().with_body(json::write(&body)))
    })
}

fn existing(broker: &Broker, topic: &str) -> Result<Arc<TopicConfig>, Refusal> {
    let missing = || {
        Refusal::new(
            response::TOPIC_NOT_EXIST,
            format!("topic[{topic}] not exist"),
        )
    };
    broker.topics.get(topic).ok_or_else(missing)
}
