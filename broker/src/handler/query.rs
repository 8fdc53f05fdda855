//! Finding messages: by key (12), by place in the log (33). The answers are records, as slices of the log.
//!
//! Both may touch what is not in memory, so they are worked out off the connection's task.
//!
//! Java 4.7.0 `broker/processor/QueryMessageProcessor.java`.

use std::sync::Arc;

use remoting::code::response;
use remoting::header::query::{QueryMessageReply, QueryMessageRequest, ViewMessageRequest};
use remoting::{Answer, Command, Refusal};
use store::LogOffset;

use super::blocking;
use crate::broker::Broker;

/// 12. Records of a reply are at most `maxMsgsNumBatch` many; the store bounds their bytes.
pub(super) fn by_key(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let query: QueryMessageRequest = request.header()?;
        let most = match query.unique_key_query {
            true => broker.config.query_unique_max_hits,
            false => u32::try_from(query.max_num).unwrap_or(0),
        };
        let (begin_ms, end_ms) = (query.begin_timestamp, query.end_timestamp);
        let found = broker
            .store
            .query_by_key(&query.topic, &query.key, most, begin_ms, end_ms);
        let header = QueryMessageReply {
            index_last_update_timestamp: found.index_last_update_timestamp_ms,
            index_last_update_phyoffset: found.index_last_update_log_offset.as_i64(),
        };
        let mut reply = Command::success_with(&header);
        if found.records.is_empty() {
            reply.code = response::QUERY_NOT_FOUND;
            return Ok(reply.with_remark("can not find message, maybe time range not correct"));
        }
        Ok(reply.with_body(found.records))
    })
}

/// 33
pub(super) fn by_offset(broker: &Arc<Broker>, request: Command) -> Answer {
    let broker = Arc::clone(broker);
    blocking(move || {
        let ViewMessageRequest { offset } = request.header()?;
        let record = LogOffset::from_i64(offset).and_then(|offset| broker.store.record_at(offset));
        let missing =
            || Refusal::system_error(format!("can not find message by the offset, {offset}"));
        Ok(Command::success().with_body(record.ok_or_else(missing)?))
    })
}
