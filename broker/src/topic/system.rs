//! Topics a broker makes for itself at every start, and the ones nobody may delete.
//!
//! The rule that is easy to break: clients look for a topic named like the cluster when they create one, and consoles
//! for one named like the broker. Both must be there, on every broker.
//! Java 4.7.0 `broker/topic/TopicConfigManager.java`, its constructor; what may not be deleted is Java 4.9.4's
//! `common/topic/TopicValidator.java`, since 4.7.0 deletes anything and transactions then stall (its issue 2133).

use remoting::body::topic_config::TopicConfig;

use super::name::AUTO_CREATE_TOPIC;
use super::perm::{INHERIT, READ, WRITE};
use crate::config::BrokerConfig;

/// Never deleted, besides the ones made at the start. Not all of them are in the table.
const NEVER_DELETED: [&str; 9] = [
    AUTO_CREATE_TOPIC,
    "SCHEDULE_TOPIC_XXXX",
    "BenchmarkTest",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRACE_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
];

/// What begins so is never deleted either.
const SYSTEM_PREFIX: &str = "rmq_sys_";

/// The topics made at the start, in Java's order.
pub(super) fn made_at_start(config: &BrokerConfig) -> Vec<TopicConfig> {
    let opened = |open: bool| {
        if open {
            INHERIT | READ | WRITE
        } else {
            INHERIT
        }
    };
    let single = |name: &str| TopicConfig::new(name, 1, 1, READ | WRITE);
    let mut topics = vec![single("SELF_TEST_TOPIC")];
    if config.auto_create_topic {
        let queues = config.default_topic_queue_nums;
        topics.push(TopicConfig::new(
            AUTO_CREATE_TOPIC,
            queues,
            queues,
            opened(true),
        ));
    }
    topics.push(TopicConfig::new("BenchmarkTest", 1024, 1024, READ | WRITE));
    topics.push(TopicConfig::new(
        &config.cluster_name,
        16,
        16,
        opened(config.cluster_topic_enable),
    ));
    topics.push(TopicConfig::new(
        &config.broker_name,
        1,
        1,
        opened(config.broker_topic_enable),
    ));
    topics.push(single("OFFSET_MOVED_EVENT"));
    if config.trace_topic_enable {
        topics.push(single(&config.trace_topic_name));
    }
    topics.push(single(&format!("{}_REPLY_TOPIC", config.cluster_name)));
    topics
}

/// Whether a topic is the broker's own by its name alone.
pub(super) fn is_system_name(topic: &str) -> bool {
    NEVER_DELETED.contains(&topic) || topic.starts_with(SYSTEM_PREFIX)
}
