//! Sends: 10, 310, 320, replies: 324, 325, and 36.

use remoting::code::request;

use super::{SENT, TOPIC};
use crate::case::Case;

/// A sound message to queue 0, its header in one-letter names.
pub(crate) fn plain(name: &str) -> Case {
    let fields = [
        ("a", "P"),
        ("b", SENT),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", "0"),
        ("f", "0"),
        ("g", "1700000000000"),
        ("h", "0"),
        ("i", ""),
        ("j", "0"),
        ("k", "false"),
        ("m", "false"),
    ];
    Case::new(name, request::SEND_MESSAGE_V2, &fields).body("body")
}

/// The same in whole names.
fn in_words(name: &str) -> Case {
    let fields = [
        ("producerGroup", "P"),
        ("topic", SENT),
        ("defaultTopic", "TBW102"),
        ("defaultTopicQueueNums", "4"),
        ("queueId", "0"),
        ("sysFlag", "0"),
        ("bornTimestamp", "1700000000000"),
        ("flag", "0"),
        ("properties", ""),
        ("reconsumeTimes", "0"),
        ("unitMode", "false"),
        ("batch", "false"),
    ];
    Case::new(name, request::SEND_MESSAGE, &fields).body("body")
}

/// Whether success of a send is not a message more in its topic: a half message, a rollback, a delayed message.
pub(crate) fn is_elsewhere(case: &Case) -> bool {
    const TRANSACTION_BITS: i32 = 12;
    const COMMIT: i32 = 8;
    let of = |short: &str, long: &str| {
        let field = case
            .fields
            .iter()
            .find(|(name, _)| name == short || name == long);
        field.map_or("", |(_, value)| &**value)
    };
    let bits = of("f", "sysFlag").parse::<i32>().unwrap_or(0) & TRANSACTION_BITS;
    let properties = of("i", "properties");
    let aside = [
        "DELAY\u{1}18\u{2}",
        "DELAY\u{1}99\u{2}",
        "TRAN_MSG\u{1}true",
    ];
    (bits != 0 && bits != COMMIT) || aside.iter().any(|aside| properties.contains(aside))
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = plain("310").damaged();
    cases.extend(in_words("10").damaged());
    let send = plain("310");
    for topic in [
        "TBW102",
        "SELF_TEST_TOPIC",
        "OFFSET_MOVED_EVENT",
        "BenchmarkTest",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "broker-a",
        "DefaultCluster",
        "%DLQ%",
        "%RETRY%",
        "with blank",
        "a/b",
        "a.b",
        "SCHEDULE_TOPIC_XXXX",
        "%DLQ%G",
        "%RETRY%G",
        "%RETRY%G_none",
        "%RETRY%with blank",
    ] {
        cases.push(send.with(&format!("to {topic}"), "b", topic));
    }
    for length in [126, 127, 128, 255, 256, 300, 40_000] {
        cases.push(send.with(&format!("topic of {length}"), "b", &"t".repeat(length)));
        cases.push(send.with(&format!("group of {length}"), "a", &"g".repeat(length)));
    }
    for queue in ["-2", "3", "4", "5", "65536", "-2147483648"] {
        cases.push(send.with(&format!("queue {queue}"), "e", queue));
    }
    for flag in [
        "1",
        "2",
        "16",
        "32",
        "48",
        "64",
        "-2147483648",
        "2147483647",
    ] {
        cases.push(send.with(&format!("sysFlag {flag}"), "f", flag));
    }
    for flag in ["4", "8", "12"] {
        cases.push(send.with(&format!("transaction bits {flag}"), "f", flag));
    }
    cases.extend(properties(&send));
    cases.extend(bodies(&send));
    cases.extend(batches());
    cases.extend(given_back());
    cases.extend(replies());
    cases
}

/// 324 and 325, to a client that is not there: stored all the same.
fn replies() -> Vec<Case> {
    let to_nobody = "REPLY_TO_CLIENT\u{1}127.0.0.9@nobody\u{2}";
    let mut cases = Vec::new();
    for (mut reply, name, topic, properties) in [
        (in_words("324"), "324", "topic", "properties"),
        (plain("325"), "325", "b", "i"),
    ] {
        reply.code = match name {
            "324" => request::SEND_REPLY_MESSAGE,
            _ => request::SEND_REPLY_MESSAGE_V2,
        };
        let reply = reply.with("", topic, "DefaultCluster_REPLY_TOPIC");
        cases.extend(reply.with("", properties, to_nobody).damaged());
        for (what, text) in [
            (
                "properties of 40,000 bytes",
                format!("{to_nobody}p\u{1}{}", "v".repeat(40_000)),
            ),
            ("to nobody", String::new()),
        ] {
            cases.push(reply.with(what, properties, &text));
        }
    }
    cases
}

fn properties(send: &Case) -> Vec<Case> {
    let mut cases = Vec::new();
    let value = |bytes: usize| format!("p\u{1}{}", "v".repeat(bytes - 2));
    for bytes in [32_000, 32_700, 32_768, 32_769, 33_000, 65_536, 70_000] {
        cases.push(send.with(&format!("properties of {bytes} bytes"), "i", &value(bytes)));
    }
    for (what, text) in [
        ("no separator at the end", "a\u{1}b\u{2}c\u{1}d"),
        ("a separator at the end", "a\u{1}b\u{2}c\u{1}d\u{2}"),
        ("no value", "a"),
        ("separators only", "\u{2}\u{2}\u{1}\u{1}\u{2}"),
        ("a name twice", "a\u{1}b\u{2}a\u{1}c\u{2}"),
        ("no name", "\u{1}b\u{2}"),
        ("other letters", "名\u{1}字\u{2}"),
    ] {
        cases.push(send.with(&format!("properties, {what}"), "i", text));
    }
    for (what, text) in [
        ("DELAY x", "DELAY\u{1}x\u{2}"),
        ("DELAY -1", "DELAY\u{1}-1\u{2}"),
        ("DELAY 18", "DELAY\u{1}18\u{2}"),
        ("DELAY 99", "DELAY\u{1}99\u{2}"),
        ("TRAN_MSG true", "TRAN_MSG\u{1}true\u{2}PGROUP\u{1}P\u{2}"),
    ] {
        cases.push(send.with(what, "i", text));
    }
    cases
}

fn bodies(send: &Case) -> Vec<Case> {
    let of = |what: &str, bytes: usize| {
        let mut case = send.clone().body(vec![b'x'; bytes]);
        case.name = format!("310: body {what}");
        case
    };
    vec![
        of("of nothing", 0),
        of("of 1 byte", 1),
        of("of 4 MiB less a little", (4 << 20) - 1_000),
        of("of 4 MiB", 4 << 20),
        of("of 4 MiB and a little", (4 << 20) + 1),
        of("of 8 MiB", 8 << 20),
    ]
}

/// One message of a batch. Java 4.7.0 `MessageDecoder.encodeMessage`.
fn inner(body: &[u8], properties: &[u8]) -> Vec<u8> {
    let bytes = 4 + 4 + 4 + 4 + 4 + body.len() + 2 + properties.len();
    let mut out = Vec::new();
    out.extend_from_slice(&(bytes as u32).to_be_bytes());
    out.extend_from_slice(&[0; 12]); // magic, CRC, flag
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(body);
    out.extend_from_slice(&(properties.len() as u16).to_be_bytes());
    out.extend_from_slice(properties);
    out
}

fn batches() -> Vec<Case> {
    let batch = |what: &str, body: Vec<u8>| {
        let mut case = plain("320").with(what, "m", "true").body(body);
        case.code = request::SEND_BATCH_MESSAGE;
        case
    };
    let one = inner(b"body", b"");
    let whole = [one.clone(), inner(b"b", b"a\x01b\x02"), inner(b"", b"")].concat();
    let mut cases = batch("one message", one.clone()).damaged();
    cases.extend([
        batch("of three", whole.clone()).with("in another topic", "b", "Batch"),
        batch("nothing", Vec::new()),
        batch("no batch", b"what is this".to_vec()),
        batch("to a retry topic", one.clone()).with("", "b", "%RETRY%G"),
        batch("topic of 128", one.clone()).with("", "b", &"t".repeat(128)),
    ]);
    for cut in [1, 3, 4, 8, 19, 20, 23, 25] {
        let body = one.get(..one.len().saturating_sub(cut)).unwrap_or(&[]);
        cases.push(batch(&format!("cut by {cut}"), body.to_vec()));
    }
    for at in [0, 16, 24] {
        for byte in [0x7F, 0x80, 0xFF] {
            let mut body = one.clone();
            if let Some(place) = body.get_mut(at) {
                *place = byte;
            }
            cases.push(batch(&format!("byte {at} is {byte:#x}"), body));
        }
    }
    for bytes in [32_000, 32_767, 32_768, 40_000, 65_535] {
        let long = inner(b"b", &[b"p\x01".to_vec(), vec![b'v'; bytes - 2]].concat());
        cases.push(batch(&format!("properties of {bytes} bytes"), long));
    }
    cases
}

/// 36
fn given_back() -> Vec<Case> {
    let fields = [
        ("offset", "{place}"),
        ("group", "G"),
        ("delayLevel", "18"),
        ("originMsgId", "0123"),
        ("originTopic", TOPIC),
        ("unitMode", "false"),
        ("maxReconsumeTimes", "16"),
    ];
    let back = Case::new("36", request::CONSUMER_SEND_MSG_BACK, &fields);
    let mut cases = back.clone().damaged();
    for (what, offset) in [
        ("inside a record", "{inside}"),
        ("far", "99999999999"),
        ("the end", "-9"),
    ] {
        cases.push(back.with(what, "offset", offset));
    }
    cases
}

pub(crate) fn strict() -> Vec<Case> {
    let send = plain("310");
    vec![
        send.clone(),
        send.with("to an unknown topic", "b", "Unknown"),
        send.with("to an unknown topic like TBW102", "c", "TBW102")
            .with("", "b", "Unknown2"),
        send.with("to %RETRY% of no group", "b", "%RETRY%G_none"),
        send.with("to %RETRY% of a group", "b", "%RETRY%G"),
        Case::new(
            "36 of no group",
            request::CONSUMER_SEND_MSG_BACK,
            &[
                ("offset", "{place}"),
                ("group", "G_none"),
                ("delayLevel", "18"),
            ],
        ),
    ]
}
