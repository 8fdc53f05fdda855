//! Transactions as their producers see them: half messages, ends, questions.

use remoting::Command;
use remoting::body::heartbeat::{HeartbeatData, ProducerData};
use remoting::code::request;
use remoting::header::send::{SendReply, SendRequest};
use remoting::header::transaction::CheckTransactionStateRequest;
use remoting::java::json;
use store::Record;

use super::{Wire, ask, message};

pub const HALF: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
pub const OP: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
pub const GIVEN_UP: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
pub const COMMIT: i32 = 8;
pub const ROLLBACK: i32 = 12;
pub const UNKNOWN: i32 = 0;

/// Properties of a half message as clients send them.
pub const HALF_PROPERTIES: &str =
    "UNIQ_KEY\u{1}ID\u{2}TRAN_MSG\u{1}true\u{2}PGROUP\u{1}P\u{2}TAGS\u{1}a\u{2}";

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_millis() as i64
}

pub fn half<'a>(properties: &'a str) -> SendRequest<'a> {
    SendRequest {
        born_timestamp: now_ms() - 1_000,
        sys_flag: 4,
        flag: 77,
        queue_id: 0,
        ..message("T", properties)
    }
}

/// The end of a transaction as the reply to its send names it.
pub fn end(sent: &SendReply<'_>, how: i32) -> Command {
    let place = i64::from_str_radix(&sent.msg_id[16..], 16).expect("hex");
    ending(sent.queue_offset, place, how)
}

pub fn ending(queue_offset: i64, log_offset: i64, how: i32) -> Command {
    ask(
        request::END_TRANSACTION,
        &[
            ("producerGroup", "P"),
            ("tranStateTableOffset", &queue_offset.to_string()),
            ("commitLogOffset", &log_offset.to_string()),
            ("commitOrRollback", &how.to_string()),
            ("msgId", "ID"),
        ],
    )
}

/// The answer to a question.
pub fn answer(question: &CheckTransactionStateRequest, how: i32) -> Command {
    ending(
        question.tran_state_table_offset,
        question.commit_log_offset,
        how,
    )
}

pub fn heartbeat(client_id: &str) -> Command {
    let data = HeartbeatData {
        client_id: client_id.to_owned(),
        producer_data_set: vec![ProducerData {
            group_name: "P".to_owned(),
        }],
        ..HeartbeatData::default()
    };
    Command::request(request::HEART_BEAT).with_body(json::write(&data))
}

/// The next question that comes: its header, and the half message's topic, queue and properties in its body.
pub async fn question(client: &mut Wire) -> (CheckTransactionStateRequest, String, String) {
    let command = client.asked(request::CHECK_TRANSACTION_STATE).await;
    assert!(command.is_oneway());
    let header: CheckTransactionStateRequest = command.header().expect("whole");
    let body = command.body.into_bytes();
    let record = Record::decode(&body).expect("a record");
    record.check_body().expect("its CRC");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(
        (record.queue_offset, record.log_offset),
        (header.tran_state_table_offset, header.commit_log_offset)
    );
    assert_eq!(
        (record.queue_id, record.flag, record.body),
        (0, 77, &b"money"[..])
    );
    let (topic, properties) = (text(record.topic), text(record.properties));
    (header, topic, properties)
}
