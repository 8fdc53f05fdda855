//! How far delayed messages are delivered: 45, which slaves ask for and keep as their delayOffset.json.
//!
//! Java 4.7.0 `broker/processor/AdminBrokerProcessor.java` (`getAllDelayOffset`).

use remoting::java::json;
use remoting::{Command, Refusal};

use crate::broker::Broker;

pub(super) fn all_offsets(broker: &Broker) -> Result<Command, Refusal> {
    Ok(Command::success().with_body(json::write(&broker.delay.offsets())))
}
