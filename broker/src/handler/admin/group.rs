//! Consumer groups: made and changed (200), listed (201).
//!
//! Java 4.7.0 `broker/processor/AdminBrokerProcessor.java`.

use std::sync::Arc;

use remoting::body::groups::SubscriptionGroupConfig;
use remoting::java::json;
use remoting::{Answer, Command, Refusal};

use super::topic::MOST_QUEUES;
use crate::broker::Broker;
use crate::handler::{blocking, body};

/// 200
pub(in crate::handler) fn update(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let group: SubscriptionGroupConfig = body(request)?;
        let queues = group.retry_queue_nums;
        // Below 0 is as 0, as in Java: nothing can be given back.
        if queues > MOST_QUEUES {
            return Err(Refusal::system_error(format!(
                "retryQueueNums {queues} must be {MOST_QUEUES} at most"
            )));
        }
        broker
            .groups
            .update(group)
            .map_err(|error| Refusal::system_error(error.to_string()))?;
        Ok(Command::success())
    })
}

/// 201
pub(in crate::handler) fn all(broker: &Broker) -> Result<Command, Refusal> {
    Ok(Command::success().with_body(json::write(&broker.groups.wrapper())))
}
