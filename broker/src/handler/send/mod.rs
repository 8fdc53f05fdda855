//! Sends: 10, 310 (the same with one-letter fields) and 320 (several messages at once). Replies are sends too (`reply`).
//!
//! ```text
//! header ▶ may it be sent, and where (`target`) ▶ what do its properties ask (`wishes`) ▶ append ▶ durable? ▶ reply
//! ```
//!
//! An append that finds the log held waits in a queue (`queue`). Under SYNC_FLUSH the reply waits for the disk, and only
//! it: the frames behind it go on. The rule that is easy to break: a message that is in the log has a whole reply header,
//! whatever the reply's code; clients read it for codes 0, 10, 11 and 12 alike and fail without `MSG_REGION`.
//!
//! Java 4.7.0 `broker/processor/SendMessageProcessor.java`. Different, see COMPATIBILITY.md: every message is stored with
//! `CLUSTER`, as later versions do, since request-reply needs it; the reply's `transactionId` is the message's `UNIQ_KEY`;
//! a flush that fails is an error.

pub(super) mod queue;
pub(super) mod reply;
mod target;
mod wishes;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use remoting::body::batch;
use remoting::code::response;
use remoting::header::HeaderError;
use remoting::header::send::{SendReply, SendRequest};
use remoting::{Answer, Command, Held, Peer, Refusal};
use store::{
    AppendError, Appended, BrokerRole, FlushDiskType, LogOffset, NewMessage, disk_used_ratio,
};
use tracing::warn;

use self::target::Target;
use self::wishes::Wishes;
use crate::broker::Broker;
use crate::busy::PATIENCE;
use crate::delay;
use crate::transaction::half;

/// Java's words for what the record cannot hold; its figures are not those of any configuration.
const ILLEGAL: &str = "the message is illegal, maybe msg body or properties length not matched. \
                       msg body length limit 128k, msg properties length limit 32k.";

pub(super) fn send(broker: &Arc<Broker>, peer: &Arc<Peer>, request: Command) -> Answer {
    if let Some(rejected) = queue::rejects(broker) {
        return rejected;
    }
    if !broker.send_queue.is_empty() {
        return queue::wait(broker, peer, request);
    }
    match put(broker, peer, &request) {
        Ok(stored) => match acknowledge(broker, stored) {
            Ok(reply) => reply.into(),
            Err(held) => Answer::Held(held),
        },
        Err(NotPut::LogHeld) => queue::wait(broker, peer, request),
        Err(NotPut::Refused(refusal)) => Err(refusal).into(),
    }
}

/// Why a send is not in the log.
enum NotPut {
    /// Another append holds it.
    LogHeld,
    Refused(Refusal),
}

impl From<Refusal> for NotPut {
    fn from(refusal: Refusal) -> NotPut {
        NotPut::Refused(refusal)
    }
}

impl From<HeaderError> for NotPut {
    fn from(error: HeaderError) -> NotPut {
        NotPut::Refused(error.into())
    }
}

/// A send whose messages are in the log.
#[derive(Debug)]
struct Stored {
    /// Where the last of them ends.
    end: LogOffset,
    /// Whether its sender wants to know that it is safe.
    waits: bool,
    reply: Command,
}

fn put(broker: &Broker, peer: &Peer, request: &Command) -> Result<Stored, NotPut> {
    let header = request.header::<SendRequest<'_>>()?;
    let target = target::of(broker, peer, &header, request.version)?;
    let wishes = Wishes::of(&header.properties);
    let level = wishes.level()?;
    if header.batch {
        if level > 0 {
            return Err(illegal()); // a batch cannot wait
        }
        return put_batch(broker, peer, request, &header, &target, &wishes);
    }
    let [body] = request.body.slices() else {
        return Err(illegal()); // a request has one run of bytes
    };
    let message = NewMessage {
        flag: header.flag,
        body,
        properties: &wishes::with_cluster(&header.properties, &wishes, &broker.config.cluster_name),
        ..message(broker, peer, &header, &target)
    };
    // A message that comes back keeps its properties, but its transaction has ended.
    let comes_back = header.reconsume_times > 0 && level > 0;
    let appended = if wishes.prepared && !comes_back {
        target::may_be_half(broker)?;
        half::append(&broker.store, PATIENCE, &message)
    } else if target.dead {
        broker.store.append_within(PATIENCE, &message)
    } else {
        delay::append_at(&broker.store, PATIENCE, level, &message)
    };
    let appended = appended.map_err(|error| refuse(broker, &error))?;
    let mut msg_id = String::new();
    broker.message_ids.push(&mut msg_id, appended.log_offset);
    Ok(stored(
        broker,
        &target,
        &wishes,
        msg_id,
        &appended,
        appended.end(),
    ))
}

fn put_batch(
    broker: &Broker,
    peer: &Peer,
    request: &Command,
    header: &SendRequest<'_>,
    target: &Target<'_>,
    wishes: &Wishes<'_>,
) -> Result<Stored, NotPut> {
    let [body] = request.body.slices() else {
        return Err(illegal());
    };
    if body.len() > broker.config.store.max_message_bytes as usize {
        // Every record is longer than its part of the body: looked at before the parts take room.
        return Err(illegal());
    }
    let parts = batch::decode(body)
        .map_err(|error| Refusal::new(response::MESSAGE_ILLEGAL, error.to_string()))?;
    let cluster = &broker.config.cluster_name;
    let properties: Vec<_> = parts
        .iter()
        .map(|part| wishes::with_cluster(part.properties, &Wishes::of(part.properties), cluster))
        .collect();
    let common = message(broker, peer, header, target);
    let messages: Vec<_> = parts
        .iter()
        .zip(&properties)
        .map(|(part, properties)| NewMessage {
            flag: part.flag,
            body: part.body,
            properties,
            ..common
        })
        .collect();
    let appended = broker
        .store
        .append_batch_within(PATIENCE, &messages)
        .map_err(|error| refuse(broker, &error))?;
    let (Some(first), Some(last)) = (appended.first(), appended.last()) else {
        return Err(illegal());
    };
    let mut msg_ids = String::new();
    for one in &appended {
        if !msg_ids.is_empty() {
            msg_ids.push(',');
        }
        broker.message_ids.push(&mut msg_ids, one.log_offset);
    }
    Ok(stored(broker, target, wishes, msg_ids, first, last.end()))
}

/// What all messages of a send have in common.
fn message<'a>(
    broker: &Broker,
    peer: &Peer,
    header: &SendRequest<'_>,
    target: &'a Target<'_>,
) -> NewMessage<'a> {
    NewMessage {
        topic: &target.topic,
        queue_id: target.queue_id,
        flag: 0,
        sys_flag: target.sys_flag,
        born_timestamp_ms: header.born_timestamp,
        born_host: peer.remote(),
        store_host: broker.store_host,
        reconsume_times: header.reconsume_times,
        prepared_transaction_offset: 0,
        body: &[],
        properties: "",
    }
}

fn stored(
    broker: &Broker,
    target: &Target<'_>,
    wishes: &Wishes<'_>,
    msg_id: String,
    first: &Appended,
    end: LogOffset,
) -> Stored {
    let reply = Command::success_with(&SendReply {
        msg_id: msg_id.into(),
        queue_id: target.queue_id as i32,
        queue_offset: first.queue_offset.0,
        transaction_id: wishes.uniq_key.map(Cow::Borrowed),
        msg_region: Some(Cow::Borrowed(&broker.config.region_id)),
        trace_on: Some(broker.config.trace_on),
    });
    Stored {
        end,
        waits: wishes.wait,
        reply,
    }
}

/// The reply if the message is as safe as the broker promises, or what waits until it is.
#[expect(
    clippy::result_large_err,
    reason = "a box would be an allocation a send"
)]
fn acknowledge(broker: &Broker, stored: Stored) -> Result<Command, Held> {
    let Stored {
        end,
        waits,
        mut reply,
    } = stored;
    if !waits {
        return Ok(reply);
    }
    if broker.config.store.broker_role == BrokerRole::SyncMaster {
        reply.code = response::SLAVE_NOT_AVAILABLE; // there is no replication yet, so there is never a slave
    }
    if broker.config.store.flush_disk_type == FlushDiskType::Async {
        return Ok(reply);
    }
    Err(Held {
        mark: end.0,
        since: Instant::now(),
        reply,
    })
}

/// The reply once the log is on disk up to its mark, or the time for that is over.
pub(super) async fn on_disk(broker: Arc<Broker>, held: Held) -> Result<Command, Refusal> {
    let Held {
        mark,
        since,
        mut reply,
    } = held;
    let limit = broker.config.sync_flush_timeout;
    let durable = broker.store.durable(LogOffset(mark));
    match tokio::time::timeout(limit.saturating_sub(since.elapsed()), durable).await {
        Ok(Ok(())) => Ok(reply),
        Ok(Err(error)) => {
            warn!(%error, end = mark, "acknowledge no message");
            Err(Refusal::new(
                response::SERVICE_NOT_AVAILABLE,
                format!("service not available now, {error}"),
            ))
        }
        Err(_) => {
            broker.busy.disk.kept(limit);
            if reply.code == response::SUCCESS {
                reply.code = response::FLUSH_DISK_TIMEOUT;
            }
            Ok(reply)
        }
    }
}

fn illegal() -> NotPut {
    Refusal::new(response::MESSAGE_ILLEGAL, ILLEGAL).into()
}

/// Java's code and words for each way in which an append fails.
fn refuse(broker: &Broker, error: &AppendError) -> NotPut {
    let refusal = match error {
        AppendError::MessageIllegal(_) | AppendError::PropertiesSizeExceeded { .. } => {
            Refusal::new(response::MESSAGE_ILLEGAL, ILLEGAL)
        }
        AppendError::ServiceNotAvailable(_) => {
            let store = &broker.config.store;
            let look = || {
                [&store.commit_log_dir, &store.root_dir]
                    .map(|folder| disk_used_ratio(folder).unwrap_or(-1.0))
            };
            let [log, root] = broker.busy.refused.count(error, look);
            let remark = format!(
                "service not available now, maybe disk full, CL: {log:5.2} CQ: {root:5.2} INDEX: {root:5.2}, \
                 maybe your broker machine memory too small."
            );
            Refusal::new(response::SERVICE_NOT_AVAILABLE, remark)
        }
        AppendError::OsPageCacheBusy => return NotPut::LogHeld,
        AppendError::CreateMappedFileFailed => {
            warn!(%error, "refuse a message");
            Refusal::system_error("create mapped file failed, server is busy or broken.")
        }
    };
    NotPut::Refused(refusal)
}
