//! A pull whose offset was put right: told to whoever listens to the topic `OFFSET_MOVED_EVENT`.
//!
//! Java 4.7.0 `broker/processor/PullMessageProcessor.java` (`generateOffsetMovedEvent`),
//! `common/protocol/topic/OffsetMovedEvent.java`.

use remoting::body::MessageQueue;
use remoting::header::pull::PullRequest;
use remoting::java::json;
use remoting::properties::{self, KEYS, TAGS};
use serde::Serialize;
use store::{NewMessage, QueueOffset};
use tracing::{info, warn};

use crate::broker::Broker;
use crate::busy::PATIENCE;

const TOPIC: &str = "OFFSET_MOVED_EVENT";

/// Body of the event.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OffsetMoved<'a> {
    consumer_group: &'a str,
    message_queue: MessageQueue,
    offset_new: i64,
    offset_request: i64,
}

/// Stores the event. A store that takes no messages is no reason to refuse the pull.
pub(crate) fn announce(broker: &Broker, request: &PullRequest<'_>, to: QueueOffset) {
    let (group, topic) = (&*request.consumer_group, &*request.topic);
    info!(group, topic, queue_id = request.queue_id, from = request.queue_offset, %to, "offset of a pull put right");
    let event = OffsetMoved {
        consumer_group: group,
        message_queue: MessageQueue {
            broker_name: broker.config.broker_name.clone(),
            queue_id: request.queue_id,
            topic: topic.to_owned(),
        },
        offset_new: to.0,
        offset_request: request.queue_offset,
    };
    let mut text = String::new();
    properties::push(&mut text, KEYS, group);
    properties::push(&mut text, TAGS, group);
    let message = NewMessage {
        topic: TOPIC,
        queue_id: 0,
        flag: 0,
        sys_flag: 0,
        born_timestamp_ms: crate::now_ms(),
        born_host: broker.store_host,
        store_host: broker.store_host,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: &json::write(&event),
        properties: &text,
    };
    if let Err(error) = broker.store.append_within(PATIENCE, &message) {
        warn!(%error, "store the event of an offset put right");
    }
}
