//! Cleaning that administrators ask for: 306, 316, and 329 of later versions.
//!
//! The rule that is easy to break: the broker writes to topics that are not in the table. Their queues stay, or
//! transactions and delayed messages stall (Java's issue 2133); and so do the queues of every topic that is in the table,
//! since a queue that begins anew at 0 makes the groups that have read it pass over what comes.
//!
//! Java 4.7.0 `broker/processor/AdminBrokerProcessor.java`, `store/DefaultMessageStore.java`
//! (`cleanExpiredConsumerQueue`, `cleanUnusedTopic`); Java 4.9.8 for 329.

use std::sync::Arc;

use remoting::{Answer, Command, Refusal};
use tracing::info;

use crate::broker::Broker;
use crate::handler::blocking;

/// 306: the queues of topics that are no more, if their messages have all expired.
pub(in crate::handler) fn expired_queues(broker: &Arc<Broker>) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || remove(&broker, |topic| broker.store.has_expired(topic)))
}

/// 316: the queues of topics that are no more.
pub(in crate::handler) fn unused_topics(broker: &Arc<Broker>) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || remove(&broker, |_| true))
}

/// 329: log files that are old enough, at any hour.
pub(in crate::handler) fn expired_log(broker: &Broker) -> Result<Command, Refusal> {
    broker.store.delete_expired_files();
    Ok(Command::success())
}

fn remove(broker: &Broker, goes: impl Fn(&str) -> bool) -> Result<Command, Refusal> {
    for topic in broker.store.topics() {
        if broker.topics.get(&topic).is_some() || broker.topics.is_system(&topic) || !goes(&topic) {
            continue;
        }
        // A topic is in the table before it has messages: what a send that makes it now stores comes after this.
        let deleted = broker.topics.unless_there(&topic, || {
            broker.offsets.forget_topic(&topic);
            broker.filters.forget_topic(&topic);
            broker.store.delete_topic(&topic)
        });
        let Some(deleted) = deleted else {
            continue;
        };
        deleted.map_err(|error| Refusal::system_error(error.to_string()))?;
        info!(topic, "removed the queues of a topic that is no more");
    }
    Ok(Command::success())
}
