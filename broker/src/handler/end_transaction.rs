//! How transactions end (37), and asking anew about one that was given up (323).
//!
//! ```text
//! header ▶ not a slave ▶ half message read ▶ group, queue offset, log offset as the header says ▶ transaction::end
//! ```
//!
//! The rule that is easy to break: 37 is one-way and its client may be gone at once, so an end that has to wait (for a
//! disk to be read, or for the half message to be on it) goes on without its connection.
//!
//! Java 4.7.0 `broker/processor/EndTransactionProcessor.java`, `AdminBrokerProcessor.java` (`resumeCheckHalfMessage`).
//! Different: only a half message can be ended or asked about anew, Java takes any message of the log; who asks for an
//! answer to "unknown" gets one.

use std::sync::Arc;

use bytes::Bytes;
use remoting::code::response;
use remoting::header::transaction::{
    COMMIT, EndTransactionRequest, ROLLBACK, ResumeCheckHalfMessageRequest, UNKNOWN,
};
use remoting::{Answer, Command, Peer, Refusal};
use store::{AppendError, BrokerRole, FlushDiskType, LogOffset, Record};
use tracing::{debug, warn};

use super::{blocking, on_a_thread};
use crate::broker::Broker;
use crate::message_id;
use crate::transaction::End;
use crate::transaction::half::Half;

/// What lies so close to the end of the log is in memory. Bytes.
const IN_MEMORY_BYTES: u64 = 64 << 20;

const NOT_FOUND: &str = "Find prepared transaction message failed";
const NOT_PUT_BACK: &str = "Put message back to RMQ_SYS_TRANS_HALF_TOPIC failed.";
const NOT_TO_BE_PUT_BACK: &str =
    "Exception was thrown when putting message back to RMQ_SYS_TRANS_HALF_TOPIC.";

/// 37
pub(super) fn end(broker: &Arc<Broker>, peer: &Arc<Peer>, request: Command) -> Answer {
    let (end, offset) = match wanted(broker, peer, &request) {
        Ok(Some(wanted)) => wanted,
        Ok(None) => return Command::success().into(),
        Err(refusal) => return Err(refusal).into(),
    };
    let on_disk = broker.config.store.flush_disk_type == FlushDiskType::Async
        || offset < broker.store.flushed_log_offset();
    let in_memory = broker.store.max_log_offset().since(offset) <= IN_MEMORY_BYTES;
    // Ending it appends, and while the log is held it would hold up its thread.
    if on_disk && in_memory && broker.store.lock_held_ms() == 0 {
        return finish(broker, &request, end, offset).into();
    }
    let broker = Arc::clone(broker);
    let ending = tokio::spawn(async move {
        if !on_disk && offset < broker.store.max_log_offset() {
            // An error: the log takes no more writes, which the end finds out itself.
            let _ = broker.store.durable(offset.plus(1)).await;
        }
        on_a_thread(move || finish(&broker, &request, end, offset)).await
    });
    Answer::later(async {
        ending
            .await
            .unwrap_or_else(|_| Err(Refusal::system_error("internal error")))
    })
}

/// What is to be done, and with the message at which place; nothing when its producer does not know.
fn wanted(
    broker: &Broker,
    peer: &Peer,
    request: &Command,
) -> Result<Option<(End, LogOffset)>, Refusal> {
    let header: EndTransactionRequest<'_> = request.header()?;
    let end = match header.commit_or_rollback {
        COMMIT => Some(End::Commit),
        ROLLBACK => Some(End::Rollback),
        UNKNOWN => None,
        _ => return Err(Refusal::system_error("commitOrRollback field wrong")),
    };
    if broker.config.store.broker_role == BrokerRole::Slave {
        return Err(Refusal::new(response::SLAVE_NOT_AVAILABLE, ""));
    }
    let (group, half) = (&header.producer_group, header.tran_state_table_offset);
    let asked = header.from_transaction_check;
    debug!(%group, half, ?end, asked, remote = %peer.remote(), remark = request.remark, "end transaction");
    let Some(end) = end else { return Ok(None) };
    let offset = LogOffset::from_i64(header.commit_log_offset);
    Ok(Some((end, offset.ok_or_else(not_found)?)))
}

/// Ends it. May have to read the disk.
fn finish(
    broker: &Broker,
    request: &Command,
    end: End,
    offset: LogOffset,
) -> Result<Command, Refusal> {
    let header: EndTransactionRequest<'_> = request.header()?;
    let bytes = broker.store.record_at(offset).ok_or_else(not_found)?;
    let half = half(&bytes).filter(Half::waits).ok_or_else(not_found)?;
    if half.group != Some(&*header.producer_group) {
        return Err(Refusal::system_error("The producer group wrong"));
    }
    if half.queue_offset() != header.tran_state_table_offset {
        let remark = "The transaction state table offset wrong";
        return Err(Refusal::system_error(remark));
    }
    if half.log_offset() != header.commit_log_offset {
        return Err(Refusal::system_error("The commit log offset wrong"));
    }
    let ended = broker.transactions.end(broker, &half, end);
    ended.map_err(|error| refuse(&error))?;
    Ok(Command::success())
}

fn half(record: &Bytes) -> Option<Half<'_>> {
    Half::of(Record::decode(record).ok()?)
}

fn not_found() -> Refusal {
    Refusal::system_error(NOT_FOUND)
}

/// Java's code and words, which are not those of a send.
fn refuse(error: &AppendError) -> Refusal {
    warn!(%error, "deliver the message of a transaction");
    match error {
        AppendError::MessageIllegal(_) | AppendError::PropertiesSizeExceeded { .. } => {
            Refusal::new(
                response::MESSAGE_ILLEGAL,
                "The message is illegal, maybe msg body or properties length not matched. \
             msg body length limit 128k, msg properties length limit 32k.",
            )
        }
        AppendError::ServiceNotAvailable(_) => Refusal::new(
            response::SERVICE_NOT_AVAILABLE,
            "Service not available now.",
        ),
        AppendError::OsPageCacheBusy => {
            Refusal::system_error("OS page cache busy, please try another machine")
        }
        AppendError::CreateMappedFileFailed => Refusal::system_error("Create mapped file failed."),
    }
}

/// 323: back to the half queue, as if nobody had been asked yet.
pub(super) fn resume_check(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let header: ResumeCheckHalfMessageRequest = request.header()?;
        let refuse = || Refusal::system_error(NOT_TO_BE_PUT_BACK);
        let place = header.msg_id.as_deref().and_then(message_id::log_offset);
        let bytes = place.and_then(|place| broker.store.record_at(place));
        let bytes = bytes.ok_or_else(refuse)?;
        let half = half(&bytes)
            .filter(|half| half.waits() || half.is_given_up())
            .ok_or_else(refuse)?;
        let put = half.put_back(&broker.store, &half.asked(0));
        let now = put.map_err(|error| {
            warn!(%error, "put a half message back");
            Refusal::system_error(NOT_PUT_BACK)
        })?;
        debug!(
            msg_id = header.msg_id,
            half = now.queue_offset.0,
            "ask about a half message anew"
        );
        Ok(Command::success())
    })
}
