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

/// Longest names, and most queues of one question. Java 4.7.0 keeps any.
const LONGEST_ID_BYTES: usize = 1024;
const LONGEST_NAME_BYTES: usize = 255;
const MOST_QUEUES: usize = 65_536;

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
    let question = Question {
        group: consumer_group.ok_or_else(|| missing("consumerGroup"))?,
        client: client_id.ok_or_else(|| missing("clientId"))?,
        queues,
    };
    let too_long = |queue: &MessageQueue| {
        queue.topic.len() > LONGEST_NAME_BYTES || queue.broker_name.len() > LONGEST_ID_BYTES
    };
    let what = if question.client.len() > LONGEST_ID_BYTES {
        "the clientId is too long"
    } else if question.group.len() > LONGEST_NAME_BYTES {
        "the consumerGroup is too long"
    } else if question.queues.len() > MOST_QUEUES {
        "there are too many queues"
    } else if question.queues.iter().any(too_long) {
        "the name of a queue is too long"
    } else {
        return Ok(question);
    };
    Err(Refusal::system_error(format!("locks are not kept: {what}")))
}
