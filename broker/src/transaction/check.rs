//! The check: every `transactionCheckInterval` a pass over the half queue, and the question to producers (39).
//!
//! ```text
//! tick ─▶ pass, on a thread that may block ─▶ what it has stored is on disk ─▶ offsets kept
//!             └─▶ 39, one-way, to a member of the producer group, the next one every time
//! ```
//!
//! The rule that is easy to break: what was put back must be on disk before the offsets that pass it by are. The table of
//! offsets is written with an fsync every 5 s, the log under ASYNC_FLUSH when it likes; Java keeps them at once.
//!
//! Java 4.7.0 `broker/transaction/TransactionalMessageCheckService.java`, `AbstractTransactionalMessageCheckListener.java`,
//! `broker/client/ProducerManager.java` (`getAvaliableChannel`).

use std::sync::Arc;

use remoting::Command;
use remoting::code::request;
use remoting::header::transaction::CheckTransactionStateRequest;
use store::{Appended, Record};
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::half::Half;
use crate::broker::Broker;
use crate::tasks::every;

/// Starts the check. A slave's half messages are its master's business.
pub(crate) fn start(broker: &Arc<Broker>) -> JoinHandle<()> {
    let period = broker.config.transaction_check_interval;
    every("check transactions", period, period, broker, turn)
}

async fn turn(broker: Arc<Broker>) {
    let passing = Arc::clone(&broker);
    let pass = tokio::task::spawn_blocking(move || passing.transactions.pass(&passing));
    let position = match pass.await {
        Ok(Some(position)) => position,
        Ok(None) => return,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    };
    if broker.store.flushed_log_offset() >= position.safe_at {
        broker.transactions.keep(&broker, position);
        return;
    }
    let durable = broker.store.durable(position.safe_at);
    tokio::spawn(async move {
        if durable.await.is_ok() {
            broker.transactions.keep(&broker, position);
        }
    });
}

/// Asks a member of the group how the transaction has ended. `now` is where the message lies, with `properties`. Nobody
/// there, or nobody who reads: it is asked again in the next round.
pub(super) fn ask(broker: &Broker, half: &Half<'_>, properties: &str, now: &Appended) {
    let Some(group) = half.group else {
        warn!(
            half = now.queue_offset.0,
            "half message of no group, nobody can be asked"
        );
        return;
    };
    let mut offset_msg_id = String::new();
    broker.message_ids.push(&mut offset_msg_id, now.log_offset);
    let header = CheckTransactionStateRequest {
        tran_state_table_offset: now.queue_offset.0,
        commit_log_offset: now.log_offset.as_i64(),
        msg_id: half.uniq_key.map(str::to_owned),
        transaction_id: half.uniq_key.map(str::to_owned),
        offset_msg_id: Some(offset_msg_id),
    };
    let shown = Record {
        topic: half.topic.as_bytes(),
        queue_id: half.queue_id,
        queue_offset: now.queue_offset.0,
        log_offset: now.log_offset.as_i64(),
        properties: properties.as_bytes(),
        ..half.record
    };
    let question =
        Command::request_with(request::CHECK_TRANSACTION_STATE, &header).with_body(shown.encode());
    for member in broker.producers.next_members(group) {
        match member.push(question.clone()) {
            Ok(()) => return,
            Err(error) => {
                debug!(group, remote = %member.remote(), %error, "ask how a transaction ended")
            }
        }
    }
    debug!(
        group,
        half = now.queue_offset.0,
        "nobody to ask how a transaction ended"
    );
}
