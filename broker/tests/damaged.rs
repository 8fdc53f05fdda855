//! Requests of every code that is served, damaged at random: each has an answer, none makes a handler panic, and the
//! connection serves on.
//!
//! A failure shows the seed and the request; `DAMAGED_SEED` runs that seed again. What the answers must be is compared with
//! Java's broker (`compat-tests/tests/same_answers`).

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Buf;
use remoting::code::{request, response};
use remoting::outbound::Outbound;
use remoting::{Command, ExtFields, HeaderForm, frame};
use support::{Fixture, Wire, ask, message, send};

const ROUNDS: usize = 6_000;
/// Every so many requests the bytes of the frame are damaged, not the request.
const FRAME_EVERY: usize = 8;

/// Code, fields and body of a sound request of each kind. `k=v` parted by blanks.
const SOUND: &[(i32, &str, &str)] = &[
    (
        request::SEND_MESSAGE,
        "producerGroup=P topic=T defaultTopic=TBW102 defaultTopicQueueNums=4 queueId=0 sysFlag=0 bornTimestamp=1 flag=0 properties=KEYS\u{1}k\u{2} reconsumeTimes=0 unitMode=false batch=false",
        "body",
    ),
    (
        request::SEND_MESSAGE_V2,
        "a=P b=T c=TBW102 d=4 e=0 f=0 g=1 h=0 i=DELAY\u{1}18\u{2} j=0 k=false l=3 m=false",
        "body",
    ),
    (
        request::SEND_BATCH_MESSAGE,
        "a=P b=T c=TBW102 d=4 e=0 f=0 g=1 h=0 i= j=0 k=false m=true",
        BATCH,
    ),
    (
        request::PULL_MESSAGE,
        "consumerGroup=G topic=T queueId=0 queueOffset=0 maxMsgNums=32 sysFlag=5 commitOffset=0 suspendTimeoutMillis=1 subscription=A||B subVersion=1 expressionType=TAG",
        "",
    ),
    (
        request::LITE_PULL_MESSAGE,
        "consumerGroup=G topic=T queueId=0 queueOffset=0 maxMsgNums=32 sysFlag=4 commitOffset=0 suspendTimeoutMillis=1 subscription=a>1 subVersion=1 expressionType=SQL92",
        "",
    ),
    (
        request::QUERY_MESSAGE,
        "topic=T key=k maxNum=32 beginTimestamp=0 endTimestamp=9223372036854775807 _UNIQUE_KEY_QUERY=false",
        "",
    ),
    (
        request::QUERY_CONSUMER_OFFSET,
        "consumerGroup=G topic=T queueId=0",
        "",
    ),
    (
        request::UPDATE_CONSUMER_OFFSET,
        "consumerGroup=G topic=T queueId=0 commitOffset=1",
        "",
    ),
    (
        request::UPDATE_AND_CREATE_TOPIC,
        "topic=U defaultTopic=TBW102 readQueueNums=2 writeQueueNums=2 perm=6 topicFilterType=SINGLE_TAG topicSysFlag=0 order=false",
        "",
    ),
    (request::GET_ALL_TOPIC_CONFIG, "", ""),
    (
        request::SEARCH_OFFSET_BY_TIMESTAMP,
        "topic=T queueId=0 timestamp=0",
        "",
    ),
    (request::GET_MAX_OFFSET, "topic=T queueId=0", ""),
    (request::GET_MIN_OFFSET, "topic=T queueId=0", ""),
    (request::GET_EARLIEST_MSG_STORETIME, "topic=T queueId=0", ""),
    (request::VIEW_MESSAGE_BY_ID, "offset=0", ""),
    (request::HEART_BEAT, "", HEARTBEAT),
    (
        request::UNREGISTER_CLIENT,
        "clientID=c producerGroup=P consumerGroup=G",
        "",
    ),
    (
        request::CONSUMER_SEND_MSG_BACK,
        "offset=0 group=G delayLevel=18 originMsgId=x originTopic=T unitMode=false maxReconsumeTimes=16",
        "",
    ),
    (
        request::END_TRANSACTION,
        "producerGroup=P tranStateTableOffset=0 commitLogOffset=0 commitOrRollback=8 fromTransactionCheck=false msgId=x transactionId=x",
        "",
    ),
    (request::GET_CONSUMER_LIST_BY_GROUP, "consumerGroup=G", ""),
    (request::LOCK_BATCH_MQ, "", QUEUES),
    (request::UNLOCK_BATCH_MQ, "", QUEUES),
    (request::GET_ALL_DELAY_OFFSET, "", ""),
    (
        request::CHECK_CLIENT_CONFIG,
        "",
        r#"{"clientId":"c","group":"G","subscriptionData":{"expressionType":"SQL92","subString":"a between 1 and 2","topic":"T"}}"#,
    ),
    (
        request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
        "",
        r#"{"brokerId":0,"consumeEnable":true,"groupName":"G","retryMaxTimes":16,"retryQueueNums":1}"#,
    ),
    (request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG, "", ""),
    (request::GET_TOPIC_STATS_INFO, "topic=T", ""),
    (request::GET_CONSUMER_CONNECTION_LIST, "consumerGroup=G", ""),
    (request::GET_PRODUCER_CONNECTION_LIST, "producerGroup=P", ""),
    (request::GET_CONSUME_STATS, "consumerGroup=G topic=T", ""),
    (request::DELETE_TOPIC_IN_BROKER, "topic=U", ""),
    (
        request::INVOKE_BROKER_TO_RESET_OFFSET,
        "topic=T group=G timestamp=0 isForce=true queueId=0 offset=0",
        "",
    ),
    (
        request::INVOKE_BROKER_TO_GET_CONSUMER_STATUS,
        "topic=T group=nobody clientAddr=c",
        "",
    ),
    (request::QUERY_TOPIC_CONSUME_BY_WHO, "topic=T", ""),
    (request::QUERY_CONSUME_TIME_SPAN, "topic=T group=G", ""),
    (
        request::GET_CONSUMER_RUNNING_INFO,
        "consumerGroup=nobody clientId=c jstackEnable=true",
        "",
    ),
    (
        request::CONSUME_MESSAGE_DIRECTLY,
        "consumerGroup=nobody clientId=c msgId=7F00000100002A9F0000000000000000",
        "",
    ),
    (
        request::CLONE_GROUP_OFFSET,
        "srcGroup=G destGroup=H topic=T offline=true",
        "",
    ),
    (
        request::RESUME_CHECK_HALF_MESSAGE,
        "msgId=7F00000100002A9F0000000000000000",
        "",
    ),
];

/// One message of four bytes and no properties.
const BATCH: &str = "\0\0\0\x1A\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04body\0\0";
const HEARTBEAT: &str = r#"{"clientID":"c","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"G","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[65],"expressionType":"TAG","subString":"A","subVersion":5,"tagsSet":["A"],"topic":"T"}],"unitMode":false}],"producerDataSet":[{"groupName":"P"}]}"#;
const QUEUES: &str = r#"{"clientId":"c","consumerGroup":"G","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"T"}]}"#;

const ODD: &[&str] = &[
    "",
    " ",
    "x",
    "-1",
    "0",
    "1",
    "2147483647",
    "2147483648",
    "-2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "1e9",
    "null",
    "true",
    "../../x",
    "a/b",
    "名字",
    "%RETRY%G",
    "%DLQ%G",
    "%RETRY%",
    "TBW102",
    "SCHEDULE_TOPIC_XXXX",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "\u{1}\u{2}\u{1}",
    "\u{1}",
    "DELAY\u{1}-7",
    "TRAN_MSG\u{1}true\u{2}PGROUP",
    "a || || b",
    "a > 1 AND (",
    "SQL92",
    "TAG",
    "7F",
];

#[tokio::test]
async fn damaged_requests_of_every_code_are_answered_and_panic_nowhere() {
    let seed = std::env::var("DAMAGED_SEED").map_or_else(
        |_| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .expect("after 1970")
                .as_nanos() as u64
        },
        |seed| seed.parse().expect("a number"),
    );
    let mut dice = Dice(seed | 1);
    let fixture = Fixture::new().await;
    let mut wire = fixture.client().await;
    wire.send(send(&message("T", "KEYS\u{1}k"), b"m")).await;
    for round in 0..ROUNDS {
        let sound = dice.of(SOUND);
        let command = damaged(&mut dice, sound);
        let shown = format!("DAMAGED_SEED={seed}, round {round}: {command:?}");
        if round % FRAME_EVERY == 0 {
            wire = damaged_frame(&mut dice, &fixture, wire, command, &shown).await;
            continue;
        }
        let reply = wire.call(command).await;
        let remark = reply.remark.unwrap_or_default();
        assert!(!remark.contains("internal error"), "{remark}; {shown}");
        assert_ne!(reply.code, response::REQUEST_CODE_NOT_SUPPORTED, "{shown}");
    }
}

/// Sends a frame with some bytes changed. It may have an answer, none, or cost its connection; whatever it does, a sound
/// request is answered afterwards. The connection to go on with.
async fn damaged_frame(
    dice: &mut Dice,
    fixture: &Fixture,
    mut wire: Wire,
    command: Command,
    shown: &str,
) -> Wire {
    let mut out = Outbound::default();
    frame::encode(command, &mut out);
    let mut bytes = out.copy_to_bytes(out.remaining()).to_vec();
    for _ in 0..=dice.below(4) {
        // Not the length: the broker would wait for what does not come.
        let at = 4 + dice.below(bytes.len() - 4);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = dice.next() as u8;
        }
    }
    wire.write_bytes(&bytes).await;
    let ping = ask(request::GET_ALL_DELAY_OFFSET, &[]);
    let opaque = ping.opaque;
    wire.write(ping).await;
    loop {
        match wire.read().await {
            None => return fixture.client().await,
            Some(reply) if reply.opaque == opaque => return wire,
            Some(reply) => {
                let remark = reply.remark.unwrap_or_default();
                assert!(!remark.contains("internal error"), "{remark}; {shown}");
            }
        }
    }
}

fn damaged(dice: &mut Dice, (code, fields, body): &(i32, &str, &str)) -> Command {
    let pairs = fields.split(' ').filter_map(|pair| pair.split_once('='));
    let mut fields: Vec<(String, String)> = pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut body = body.as_bytes().to_vec();
    for _ in 0..dice.below(4) {
        match dice.below(3) {
            0 => damage_body(dice, &mut body),
            _ => damage_fields(dice, &mut fields),
        }
    }
    // A pull that may wait is answered in its own time.
    for (name, value) in &mut fields {
        let waits = |flags: i32| flags & 2 != 0;
        if name == "sysFlag" && value.parse().is_ok_and(waits) {
            *value = "4".to_owned();
        }
    }
    let form = match dice.below(2) {
        0 => HeaderForm::Json,
        _ => HeaderForm::Binary,
    };
    let fields: ExtFields = fields.into_iter().collect();
    Command {
        fields,
        form,
        ..Command::request(*code).with_body(body)
    }
}

fn damage_fields(dice: &mut Dice, fields: &mut Vec<(String, String)>) {
    if fields.is_empty() {
        fields.push(("more".to_owned(), "x".to_owned()));
    }
    let at = dice.below(fields.len());
    let (name, _) = fields.swap_remove(at);
    let odd = |dice: &mut Dice| (*dice.of(ODD)).to_owned();
    match dice.below(5) {
        0 => {}
        1 => {
            let length = 1 << dice.below(17);
            fields.push((name, "y".repeat(length)));
        }
        2 => {
            fields.push((name.clone(), odd(dice)));
            fields.push((name, odd(dice)));
        }
        _ => fields.push((name, odd(dice))),
    }
}

fn damage_body(dice: &mut Dice, body: &mut Vec<u8>) {
    match dice.below(4) {
        0 => body.truncate(dice.below(body.len() + 1)),
        1 => body.extend_from_slice(dice.of(ODD).as_bytes()),
        _ => {
            let (at, byte) = (dice.below(body.len() + 1), dice.next() as u8);
            match body.get_mut(at) {
                Some(old) => *old = byte,
                None => body.push(byte),
            }
        }
    }
}

/// xorshift64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let at = self.below(all.len());
        all.get(at).expect("below the end")
    }
}
