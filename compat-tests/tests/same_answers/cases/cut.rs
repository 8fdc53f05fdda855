//! A topic whose first messages are gone with the first file of the log: queue 0 begins in the middle, of queue 1 nothing is
//! left, queues 2 and 3 never had anything.

use remoting::code::request;

use super::{admin, pulls, sends};
use crate::case::Case;
use crate::server::Server;

const TOPIC: &str = "Cut";
/// 17 of these fill a file.
const BODY_BYTES: usize = 60 << 10;
const MESSAGES: usize = 60;

pub(crate) fn prepare(server: &mut Server) {
    server.sure(&admin::topic(TOPIC, "4", "6"));
    let made = Case::new("made", request::GET_TOPIC_STATS_INFO, &[("topic", TOPIC)]);
    server.settled(&made, |_| true);
    server.sure(&admin::topic(super::SENT, "4", "6"));
    server.sure(&admin::group("G", true, true));
    let message = |queue: &str, key: usize| {
        let properties = format!("KEYS\u{1}k{key}\u{2}");
        let case = sends::plain("prepare").with("", "b", TOPIC);
        case.with("", "e", queue).with("", "i", &properties)
    };
    for key in 0..3 {
        let reply = server.sure(&message("1", key).body("small"));
        if key == 0 {
            server.learn_place(&reply);
        }
    }
    for key in 0..MESSAGES {
        server.sure(&message("0", 10 + key).body(vec![b'x'; BODY_BYTES]));
    }
    let all = 3 + MESSAGES as i64;
    assert_eq!(super::await_messages(server, TOPIC, all), all);
    server.lose_first_log_file();
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let pull = pulls::pull("11").with("cut", "topic", TOPIC);
    let first_queue = [
        "-1", "0", "1", "16", "17", "18", "58", "59", "60", "61", "1000",
    ];
    for (queue, offsets) in [
        ("0", &first_queue[..]),
        ("1", &["0", "1", "2", "3", "4", "1000"]),
        ("2", &["0", "1", "-1"]),
    ] {
        for offset in offsets {
            let what = format!("queue {queue}, offset {offset}");
            cases.push(
                pull.with(&what, "queueId", queue)
                    .with("", "queueOffset", offset),
            );
        }
        let fields = [
            ("consumerGroup", "G_new"),
            ("topic", TOPIC),
            ("queueId", queue),
            ("timestamp", "0"),
        ];
        for (name, code) in [
            ("14", request::QUERY_CONSUMER_OFFSET),
            ("29", request::SEARCH_OFFSET_BY_TIMESTAMP),
            ("30", request::GET_MAX_OFFSET),
            ("31", request::GET_MIN_OFFSET),
            ("32", request::GET_EARLIEST_MSG_STORETIME),
        ] {
            cases.push(Case::new(
                &format!("{name} of queue {queue}"),
                code,
                &fields,
            ));
        }
    }
    cases.push(Case::new(
        "33 of a message that is gone",
        request::VIEW_MESSAGE_BY_ID,
        &[("offset", "{place}")],
    ));
    for key in ["k0", "k10", "k69"] {
        let fields = [
            ("topic", TOPIC),
            ("key", key),
            ("maxNum", "32"),
            ("beginTimestamp", "0"),
            ("endTimestamp", "9223372036854775807"),
        ];
        cases.push(Case::new(
            &format!("12 of {key}"),
            request::QUERY_MESSAGE,
            &fields,
        ));
    }
    cases.push(Case::new(
        "202",
        request::GET_TOPIC_STATS_INFO,
        &[("topic", TOPIC)],
    ));
    let stats = [("consumerGroup", "G"), ("topic", TOPIC)];
    cases.push(Case::new("208", request::GET_CONSUME_STATS, &stats));
    // Every offset that was moved has been told of.
    let events = pull.with("events", "topic", "OFFSET_MOVED_EVENT");
    cases.push(events.with("", "maxMsgNums", "32"));
    cases
}
