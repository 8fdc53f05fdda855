//! What `mqadmin` and consoles ask, a file a family.
//!
//! | file     | codes                                                                        |
//! |----------|------------------------------------------------------------------------------|
//! | topic    | 17, 215, 21: make, delete, list                                              |
//! | group    | 200, 201: make, list                                                         |
//! | offset   | 222, 314: move a group, copy its offsets to another                          |
//! | consumer | 203, 204: who is connected; 223, 307, 309: what their clients say of themselves |
//! | clean    | 306, 316, 329: remove what has expired, or belongs to no topic              |
//! | stats    | 202, 208, 300, 303: where queues stand, how far groups are, who consumes     |
//!
//! Changes are written to disk before they are answered, and what may touch the log is looked up, both off the
//! connection's task.
//!
//! Java 4.7.0 `broker/processor/AdminBrokerProcessor.java`.

pub(super) mod clean;
pub(super) mod consumer;
pub(super) mod group;
pub(super) mod offset;
pub(super) mod stats;
pub(super) mod topic;

use remoting::body::MessageQueue;
use remoting::body::topic_config::TopicConfig;

use crate::broker::Broker;

/// The first `count` queues of a topic by number, with the names that clients know them by.
fn queues<'t>(
    broker: &'t Broker,
    topic: &'t TopicConfig,
    count: i32,
) -> impl Iterator<Item = (u32, MessageQueue)> + 't {
    (0..u32::try_from(count).unwrap_or(0)).map(|id| {
        let queue = MessageQueue {
            broker_name: broker.config.broker_name.clone(),
            queue_id: id.cast_signed(),
            topic: topic.topic_name.clone(),
        };
        (id, queue)
    })
}
