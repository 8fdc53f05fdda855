//! Locks of queues for orderly consumers: 41 takes and renews, 42 gives back.
//!
//! The rule that is easy to break: 41 is answered with what the client holds, and the client drops every other queue; so
//! a question that makes no sense is refused and not answered with "none".
//!
//! Java 4.7.0 `broker/processor/AdminBrokerProcessor.java` (`lockBatchMQ`, `unlockBatchMQ`).

use std::collections::BTreeSet;

use remoting::body::MessageQueue;
use remoting::body::lock::{LockBatchBody, LockBatchReply};
use remoting::java::json;
use remoting::{Command, Refusal};

use super::body;
use crate::broker::Broker;

/// 41
pub(super) fn lock(broker: &Broker, request: Command) -> Result<Command, Refusal> {
    let Question {
        group,
        client,
        queues,
    } = question(request)?;
    let held = broker.locks.lock(&group, &client, queues);
    Ok(Command::success().with_body(json::write(&LockBatchReply { held })))
}

/// 42; most clients want no answer.
pub(super) fn unlock(broker: &Broker, request: Command) -> Result<Command, Refusal> {
    let Question {
        group,
        client,
        queues,
    } = question(request)?;
    broker.locks.unlock(&group, &client, &queues);
    Ok(Command::success())
}

struct Question {
    group: String,
    client: String,
    queues: BTreeSet<MessageQueue>,
}

fn question(request: Command) -> Result<Question, Refusal> {
    let LockBatchBody {
        client_id,
        consumer_group,
        queues,
    } = body(request)?;
    let missing = |field| Refusal::system_error(format!("the body has no {field}"));
    Ok(Question {
        group: consumer_group.ok_or_else(|| missing("consumerGroup"))?,
        client: client_id.ok_or_else(|| missing("clientId"))?,
        queues,
    })
}
