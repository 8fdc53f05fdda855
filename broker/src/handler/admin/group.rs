//! Consumer groups: made and changed (200), listed (201), deleted (207).
//!
//! The rule that is easy to break: a group that consumes at the moment keeps its offsets. It is made again at its next
//! heartbeat, and who joins it before its members commit again must not begin anew.
//!
//! Java 4.7.0 `broker/processor/AdminBrokerProcessor.java`.

use std::sync::Arc;

use remoting::body::groups::SubscriptionGroupConfig;
use remoting::header::topic::DeleteSubscriptionGroupRequest;
use remoting::java::json;
use remoting::{Answer, Command, Refusal};

use super::topic::MOST_QUEUES;
use crate::broker::Broker;
use crate::group::is_system;
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

/// 207
///
/// What the group has left behind goes with it, but for the offsets if `cleanOffset` of later versions says so; Java 4.7.0
/// keeps it for ever.
pub(in crate::handler) fn delete(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let asked: DeleteSubscriptionGroupRequest = request.header()?;
        let group = &asked.group_name;
        if is_system(group) {
            return Err(Refusal::system_error(format!(
                "The group[{group}] is conflict with system group."
            )));
        }
        broker.groups.delete(group);
        broker.filters.forget_group(group);
        let consumes = !broker.consumers.members(group).is_empty();
        if !consumes && asked.clean_offset.unwrap_or(true) {
            broker.offsets.forget_group(group);
        }
        Ok(Command::success())
    })
}
