//! Replies to request messages: 324, and 325, the same with one-letter fields.
//!
//! ```text
//! header ▶ may it be sent, and where (`target`) ▶ push to the client that asked (326) ▶ its answer ▶ store ▶ reply
//! ```
//!
//! The client that asked is on a connection of its own, so the reply waits for it as a future of the replier's
//! connection. The rule that is easy to break: the reply is stored whether or not it could be handed over, and what its
//! sender hears of is the handing over alone, and where it is stored; what could not be stored was still received.
//!
//! Java 4.7.0 `broker/processor/ReplyMessageProcessor.java`, `broker/client/net/Broker2Client.java` (`callClient`).
//! Different, see COMPATIBILITY.md: a stored reply keeps the bits that say how its body is compressed.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use remoting::code::{request, response};
use remoting::header::reply::PushReplyRequest;
use remoting::header::send::{SendReply, SendRequest};
use remoting::{Answer, Command, Peer, Refusal, properties};
use store::{Appended, FlushDiskType, NewMessage};
use tracing::{debug, warn};

use super::message;
use super::target::{self, Target};
use super::wishes::Wishes;
use crate::broker::Broker;
use crate::handler::on_a_thread;
use crate::{delay, now_ms};

/// How long the client that asked may take to answer the push. Java 4.7.0 `Broker2Client.callClient`.
const PUSH_LIMIT: Duration = Duration::from_secs(10);

/// The bits of `sysFlag` that say how a body is compressed: that it is, and since 5.0 with what.
/// Java 4.7.0 and 5.3.3 `common/sysflag/MessageSysFlag.java`.
const COMPRESSION: i32 = 0x1 | 0x700;

/// Hands a reply to the client that sent the request.
pub(in super::super) fn reply(broker: &Arc<Broker>, peer: &Arc<Peer>, request: Command) -> Answer {
    // Before it waits: whoever makes topics is watched until he answers or waits (`made`).
    match place(broker, peer, &request) {
        Ok(target) => {
            let (broker, peer) = (Arc::clone(broker), Arc::clone(peer));
            Answer::later(hand_over(broker, peer, request, target))
        }
        Err(refusal) => Err(refusal).into(),
    }
}

fn place(broker: &Broker, peer: &Peer, request: &Command) -> Result<Target<'static>, Refusal> {
    let header = request.header::<SendRequest<'_>>()?;
    let target = target::of(broker, peer, &header, request.version)?;
    Ok(target.into_owned())
}

async fn hand_over(
    broker: Arc<Broker>,
    peer: Arc<Peer>,
    request: Command,
    target: Target<'static>,
) -> Result<Command, Refusal> {
    let header = request.header::<SendRequest<'_>>()?;
    let pushed = push(&broker, &peer, &header, &request).await;
    if let Err(refusal) = &pushed {
        debug!(topic = &*header.topic, %refusal, "hand over a reply");
    }
    let mut reply = SendReply {
        msg_id: Cow::Borrowed("0"), // clients look into it
        queue_id: target.queue_id as i32,
        msg_region: Some(Cow::Borrowed(&broker.config.region_id)),
        trace_on: Some(broker.config.trace_on),
        ..SendReply::default()
    };
    let stored = match broker.config.store_reply_message {
        true => store(&broker, peer, request, target).await,
        false => None,
    };
    if let Some(stored) = &stored {
        let mut msg_id = String::new();
        broker.message_ids.push(&mut msg_id, stored.log_offset);
        reply.msg_id = msg_id.into();
        reply.queue_offset = stored.queue_offset.0;
    }
    match pushed {
        Ok(()) => Ok(Command::success_with(&reply)),
        Err(refusal) if stored.is_some() => Ok(Command {
            code: refusal.code,
            ..Command::success_with(&reply).with_remark(refusal.remark)
        }),
        Err(refusal) => Err(refusal),
    }
}

/// Pushes the reply to the client its properties name, and waits until that has it.
async fn push(
    broker: &Broker,
    peer: &Peer,
    header: &SendRequest<'_>,
    request: &Command,
) -> Result<(), Refusal> {
    let asker = properties::iter(&header.properties)
        .filter(|(name, _)| *name == properties::REPLY_TO_CLIENT)
        .last()
        .map(|(_, id)| id);
    let Some(asker) = asker else {
        return Err(Refusal::system_error(
            "reply message properties[REPLY_TO_CLIENT] is null",
        ));
    };
    let Some(connection) = broker.producers.connection(asker) else {
        return Err(Refusal::system_error(format!(
            "push reply message fail, channel of <{asker}> not found."
        )));
    };
    let now_ms = now_ms();
    let mut properties = header.properties.clone().into_owned();
    properties::push(
        &mut properties,
        properties::PUSH_REPLY_TIME,
        &now_ms.to_string(),
    );
    let push = PushReplyRequest {
        producer_group: Cow::Borrowed(&header.producer_group),
        topic: Cow::Borrowed(&header.topic),
        default_topic: Cow::Borrowed(&header.default_topic),
        default_topic_queue_nums: header.default_topic_queue_nums,
        queue_id: header.queue_id,
        sys_flag: header.sys_flag,
        born_timestamp: header.born_timestamp,
        flag: header.flag,
        properties: Some(properties.into()),
        reconsume_times: Some(header.reconsume_times),
        unit_mode: header.unit_mode,
        born_host: format!("/{}", peer.remote()).into(),
        store_host: format!("/{}", broker.store_host).into(),
        store_timestamp: now_ms,
    };
    let push = Command::request_with(request::PUSH_REPLY_MESSAGE_TO_CLIENT, &push)
        .with_body(request.body.clone());
    let failed = || Refusal::system_error(format!("push reply message to {asker}fail."));
    match connection.call(push, PUSH_LIMIT).await {
        Ok(answer) if answer.code == response::SUCCESS => Ok(()),
        Ok(answer) => {
            warn!(client = asker, code = answer.code, remark = ?answer.remark, "client takes no reply");
            Err(failed())
        }
        Err(error) => {
            warn!(client = asker, %error, "push a reply");
            Err(failed())
        }
    }
}

/// Stores the reply in its topic. `None`, and a WARN, when that fails.
async fn store(
    broker: &Arc<Broker>,
    peer: Arc<Peer>,
    request: Command,
    target: Target<'static>,
) -> Option<Appended> {
    let worker = Arc::clone(broker);
    let put = on_a_thread(move || Ok(put(&worker, &peer, &request, &target)));
    let (appended, waits) = put.await.ok()??;
    if !waits {
        return Some(appended);
    }
    let durable = broker.store.durable(appended.end());
    match tokio::time::timeout(broker.config.sync_flush_timeout, durable).await {
        Ok(Err(error)) => {
            warn!(end = %appended.end(), %error, "store a reply");
            None
        }
        Ok(Ok(())) | Err(_) => Some(appended),
    }
}

/// Appends it, and says whether its sender waits for the disk. May have to wait for the log: nobody sends it again.
fn put(
    broker: &Broker,
    peer: &Peer,
    request: &Command,
    target: &Target<'_>,
) -> Option<(Appended, bool)> {
    let header = request.header::<SendRequest<'_>>().ok()?;
    let [body] = request.body.slices() else {
        return None; // a request has one run of bytes
    };
    let message = NewMessage {
        flag: header.flag,
        body,
        properties: &header.properties,
        sys_flag: target.sys_flag & COMPRESSION,
        ..message(broker, peer, &header, target)
    };
    let appended = delay::append(&broker.store, &message)
        .inspect_err(|error| warn!(topic = target.topic.as_ref(), %error, "store a reply"))
        .ok()?;
    let waits = broker.config.store.flush_disk_type == FlushDiskType::Sync
        && Wishes::of(&header.properties).wait;
    Some((appended, waits))
}
