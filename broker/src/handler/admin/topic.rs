//! Topics: made and changed (17), deleted (215), listed (21).
//!
//! The rule that is easy to break: only the topic that was changed is registered at once, the others keep what the name
//! servers know of them.
//!
//! Java 4.7.0 `broker/processor/AdminBrokerProcessor.java`, which answers 17 before it has done it.

use std::sync::Arc;

use remoting::body::topic_config::{TopicConfig, TopicFilterType};
use remoting::header::topic::{CreateTopicRequest, DeleteTopicRequest};
use remoting::java::json;
use remoting::{Answer, Command, Refusal};

use crate::broker::Broker;
use crate::handler::blocking;

/// Clients make an object of every queue of a route. Java 4.7.0 takes any number.
pub(super) const MOST_QUEUES: i32 = 65_535;

/// Priority, read, write, inherit. Java 4.7.0 `common/constant/PermName.java`.
const PERM_BITS: i32 = 0b1111;

/// 17
pub(in crate::handler) fn update(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let header: CreateTopicRequest = request.header()?;
        let filter_type = TopicFilterType::from_name(&header.topic_filter_type);
        let queues = [header.read_queue_nums, header.write_queue_nums];
        if !queues
            .iter()
            .all(|queues| (1..=MOST_QUEUES).contains(queues))
        {
            let [read, write] = queues;
            return Err(Refusal::system_error(format!(
                "readQueueNums {read} and writeQueueNums {write} must be 1 to {MOST_QUEUES}"
            )));
        }
        if !(0..=PERM_BITS).contains(&header.perm) {
            let perm = header.perm;
            return Err(Refusal::system_error(format!(
                "perm {perm} is no permission"
            )));
        }
        let no_type =
            || Refusal::system_error("the custom field <topicFilterType> is no filter type");
        let topic = TopicConfig {
            topic_filter_type: filter_type.ok_or_else(no_type)?,
            topic_sys_flag: header.topic_sys_flag,
            ..TopicConfig::new(
                header.topic,
                header.read_queue_nums,
                header.write_queue_nums,
                header.perm,
            )
        };
        let topic = broker
            .topics
            .update(topic)
            .map_err(|error| Refusal::system_error(error.to_string()))?;
        broker.registration.topic_changed(&topic.topic_name);
        Ok(Command::success())
    })
}

/// 215
pub(in crate::handler) fn delete(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let DeleteTopicRequest { topic } = request.header()?;
        broker
            .topics
            .delete(&topic)
            .map_err(|error| Refusal::system_error(error.to_string()))?;
        broker.offsets.forget_topic(&topic);
        broker.filters.forget_topic(&topic);
        broker
            .store
            .delete_topic(&topic)
            .map_err(|error| Refusal::system_error(error.to_string()))?;
        Ok(Command::success())
    })
}

/// 21
pub(in crate::handler) fn all(broker: &Broker) -> Result<Command, Refusal> {
    Ok(Command::success().with_body(json::write(&broker.topics.wrapper())))
}
