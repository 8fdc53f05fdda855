//! A consumer gives a message back (36).
//!
//! ```text
//! group ▶ may this broker write ▶ retry topic, made if need be ▶ the message, by its place in the log
//!   ▶ %RETRY%group, later │ %DLQ%group, now ▶ durable? ▶ reply
//! ```
//!
//! A client whose message is not taken back sends it anew itself (handler/send), so every way in which this fails must be
//! an answer. The rule that is easy to break: once this is answered with success the consumer goes on, and the message
//! lives in its copy alone; so under SYNC_FLUSH the answer waits for the disk.
//!
//! Works off the connection's task: the message may not be in memory any more. Java 4.7.0
//! `broker/processor/SendMessageProcessor.java` (`asyncConsumerSendMsgBack`), which does not wait for the disk.

use std::sync::Arc;

use remoting::body::topic_config::TopicConfig;
use remoting::code::response;
use remoting::header::send_back::SendBackRequest;
use remoting::{Answer, Command, Refusal};
use store::{AppendError, FlushDiskType, LogOffset, NewMessage, Record};
use tracing::{debug, warn};

use super::on_a_thread;
use super::send::queue;
use crate::broker::Broker;
use crate::message_id;
use crate::topic::{name, perm};
use crate::{delay, made, retry};

pub(super) fn send_back(broker: &Arc<Broker>, request: Command) -> Answer {
    if let Some(rejected) = queue::rejects(broker) {
        return rejected;
    }
    let broker = Arc::clone(broker);
    Answer::later(async move {
        let worker = Arc::clone(&broker);
        let put = on_a_thread(move || {
            let put = put(&worker, &request);
            made::save_now(&worker);
            put
        });
        if let Some(end) = put.await? {
            durable(&broker, end).await?;
        }
        Ok(Command::success())
    })
}

/// Stores the message anew. Where it ends in the log; `None` when the group wants nothing back.
fn put(broker: &Broker, request: &Command) -> Result<Option<LogOffset>, Refusal> {
    let header: SendBackRequest = request.header()?;
    let group = retry::group(broker, &header.group)?;
    let forbidden = |remark: String| Err(Refusal::new(response::NO_PERMISSION, remark));
    if !perm::has(broker.config.broker_permission, perm::WRITE) {
        let ip = broker.ip();
        return forbidden(format!("the broker[{ip}] sending message is forbidden"));
    }
    if group.retry_queue_nums <= 0 {
        return Ok(None);
    }
    let retry_name = format!("{}{}", name::RETRY_PREFIX, header.group);
    let retry_topic = retry::retry_topic(broker, &group, header.unit_mode)
        .map_err(|_| retry::no_topic(&retry_name))?;
    if !perm::has(retry_topic.perm, perm::WRITE) {
        return forbidden(format!(
            "the topic[{retry_name}] sending message is forbidden"
        ));
    }
    if retry_name.len() > name::TOPIC_CHARACTERS {
        // It would wait, and then for ever: no record holds such a topic.
        return Err(Refusal::system_error("MESSAGE_ILLEGAL"));
    }
    let bytes =
        LogOffset::from_i64(header.offset).and_then(|offset| broker.store.record_at(offset));
    let record = bytes
        .as_deref()
        .and_then(|bytes| Record::decode(bytes).ok());
    let message = record.and_then(|record| Some((record, record.to_message()?)));
    let Some((record, message)) = message else {
        let remark = format!("look message by offset failed, {}", header.offset);
        return Err(Refusal::system_error(remark));
    };
    let limit = retry::limit(&group, header.max_reconsume_times, request.version);
    let is_dead = message.reconsume_times >= limit || header.delay_level < 0;
    let (topic, queue_id, level) = match is_dead {
        true => (retry::dead_letter_topic(broker, &header.group)?, 0, None),
        false => {
            let queue_id = some_queue(broker, group.retry_queue_nums, &retry_topic);
            let level = retry::level(header.delay_level, message.reconsume_times);
            (retry_topic, queue_id, Some(level))
        }
    };
    debug!(
        group = header.group,
        offset = header.offset,
        topic = topic.topic_name,
        level,
        "message given back"
    );
    let id = message_id::of_record(&record);
    let again = NewMessage {
        topic: &topic.topic_name,
        queue_id,
        store_host: broker.store_host,
        reconsume_times: message.reconsume_times.saturating_add(1),
        prepared_transaction_offset: 0,
        properties: &retry::properties(message.properties, message.topic, &id, level),
        ..message
    };
    let appended = delay::append(&broker.store, &again).map_err(|error| refuse(&error))?;
    Ok(Some(appended.end()))
}

/// A queue of the retry topic. Java takes any below the group's `retryQueueNums`, though the topic, made when that was
/// less, may not have it and nobody would read it.
fn some_queue(broker: &Broker, retry_queue_nums: i32, topic: &TopicConfig) -> u32 {
    let readable = topic.read_queue_nums.max(1);
    broker.any_queue(retry_queue_nums.clamp(1, readable) as u32)
}

async fn durable(broker: &Broker, end: LogOffset) -> Result<(), Refusal> {
    if broker.config.store.flush_disk_type == FlushDiskType::Async {
        return Ok(());
    }
    let limit = broker.config.sync_flush_timeout;
    match tokio::time::timeout(limit, broker.store.durable(end)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            warn!(%error, %end, "take no message back");
            Err(Refusal::system_error("SERVICE_NOT_AVAILABLE"))
        }
        Err(_) => Err(Refusal::system_error("FLUSH_DISK_TIMEOUT")),
    }
}

/// Java's remark is the name of its `PutMessageStatus`.
fn refuse(error: &AppendError) -> Refusal {
    debug!(%error, "take no message back");
    Refusal::system_error(match error {
        AppendError::MessageIllegal(_) => "MESSAGE_ILLEGAL",
        AppendError::PropertiesSizeExceeded { .. } => "PROPERTIES_SIZE_EXCEEDED",
        AppendError::ServiceNotAvailable(_) => "SERVICE_NOT_AVAILABLE",
        AppendError::OsPageCacheBusy => "OS_PAGECACHE_BUSY",
        AppendError::CreateMappedFileFailed => "CREATE_MAPEDFILE_FAILED",
    })
}
