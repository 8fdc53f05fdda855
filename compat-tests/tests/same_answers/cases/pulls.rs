//! Pulls (11), and what is asked about queues: 14, 15, 29 to 33, 12.

use remoting::code::request;

use super::{LIVE, OFF, TOPIC, UNREADABLE};
use crate::case::Case;

/// A pull that brings its own subscription and does not wait.
pub(crate) fn pull(name: &str) -> Case {
    let fields = [
        ("consumerGroup", "G"),
        ("topic", TOPIC),
        ("queueId", "0"),
        ("queueOffset", "0"),
        ("maxMsgNums", "2"),
        ("sysFlag", "4"),
        ("commitOffset", "0"),
        ("suspendTimeoutMillis", "100"),
        ("subscription", "*"),
        ("subVersion", "1"),
        ("expressionType", "TAG"),
    ];
    Case::new(name, request::PULL_MESSAGE, &fields)
}

pub(crate) fn cases() -> Vec<Case> {
    // A pull that may wait is answered late: bit 2 is left alone.
    let mut cases = pull("11").damaged();
    cases.retain(|case| !case.name.contains("sysFlag"));
    let base = pull("11");
    cases.push(base.without("sysFlag missing", "sysFlag"));
    cases.push(base.with("sysFlag no number", "sysFlag", "x"));
    for offset in [
        "1",
        "8",
        "9",
        "10",
        "11",
        "12",
        "1000000",
        "-2",
        "9223372036854775807",
    ] {
        cases.push(base.with(&format!("offset {offset}"), "queueOffset", offset));
        cases.push(
            base.with(
                &format!("offset {offset} of an empty queue"),
                "queueOffset",
                offset,
            )
            .with("", "queueId", "3"),
        );
    }
    for queue in ["3", "4", "5", "100", "-2"] {
        cases.push(base.with(&format!("queue {queue}"), "queueId", queue));
    }
    for count in ["1", "5", "32", "33", "10000", "-5"] {
        cases.push(base.with(&format!("{count} messages"), "maxMsgNums", count));
    }
    for (what, expression) in [
        ("T0", "T0"),
        ("T0 or T1", "T0 || T1"),
        ("nobody's tag", "nothing"),
        ("bars", "||"),
        ("long", "x||y||z||T0"),
    ] {
        cases.push(base.with(&format!("tags {what}"), "subscription", expression));
    }
    for flag in ["12", "36", "-3", "2147483645"] {
        cases.push(base.with(&format!("sysFlag {flag}"), "sysFlag", flag));
    }
    for kind in ["SQL92", "CLASS", "tag", ""] {
        cases.push(base.with(&format!("expression type {kind}"), "expressionType", kind));
    }
    cases.push(
        base.with("commits", "sysFlag", "5")
            .with("", "commitOffset", "3"),
    );
    cases.extend(by_group_and_topic(&base));
    cases
}

fn by_group_and_topic(base: &Case) -> Vec<Case> {
    let mut cases = Vec::new();
    for (group, what) in [
        (OFF, "that may not consume"),
        (LIVE, "that may not broadcast"),
        ("G_new", "that is new"),
    ] {
        cases.push(base.with(&format!("group {what}"), "consumerGroup", group));
    }
    for topic in [
        UNREADABLE,
        "Unknown",
        "TBW102",
        "SELF_TEST_TOPIC",
        "%RETRY%G",
        "%RETRY%G_nobody",
        "%DLQ%G",
        "a/b",
    ] {
        cases.push(base.with(&format!("of {topic}"), "topic", topic));
    }
    let registered = base.with("by heartbeat", "sysFlag", "0");
    for group in ["G", LIVE, "G_nobody", OFF] {
        for version in ["0", "4", "5", "6", "9223372036854775807"] {
            let what = format!("{group}, version {version}");
            cases.push(registered.with(&what, "consumerGroup", group).with(
                "",
                "subVersion",
                version,
            ));
        }
    }
    cases.push(
        registered
            .with("of a topic not subscribed", "consumerGroup", LIVE)
            .with("", "topic", "SELF_TEST_TOPIC"),
    );
    let mut lite = base.with("as 361", "sysFlag", "20");
    lite.name = "11 with the bit of lite pulls".to_owned();
    cases.push(lite);
    cases
}

pub(crate) fn offsets() -> Vec<Case> {
    let queue = [("topic", TOPIC), ("queueId", "0")];
    let mut cases = Vec::new();
    for (name, code) in [
        ("30", request::GET_MAX_OFFSET),
        ("31", request::GET_MIN_OFFSET),
        ("32", request::GET_EARLIEST_MSG_STORETIME),
    ] {
        cases.extend(Case::new(name, code, &queue).damaged());
    }
    let by_time = [("topic", TOPIC), ("queueId", "0"), ("timestamp", "0")];
    let by_time = Case::new("29", request::SEARCH_OFFSET_BY_TIMESTAMP, &by_time);
    cases.push(by_time.with("a late time", "timestamp", "9000000000000"));
    cases.push(by_time.with("the last time there is", "timestamp", "9223372036854775807"));
    cases.extend(by_time.damaged());
    let commit = [
        ("consumerGroup", "G_commit"),
        ("topic", TOPIC),
        ("queueId", "0"),
        ("commitOffset", "7"),
    ];
    cases.extend(Case::new("15", request::UPDATE_CONSUMER_OFFSET, &commit).damaged());
    let stored = [
        ("consumerGroup", "G_commit"),
        ("topic", TOPIC),
        ("queueId", "0"),
    ];
    cases.extend(Case::new("14", request::QUERY_CONSUMER_OFFSET, &stored).damaged());
    let view = Case::new("33", request::VIEW_MESSAGE_BY_ID, &[("offset", "{place}")]);
    cases.push(view.with("far", "offset", "99999999999"));
    cases.extend(view.damaged());
    let by_key = [
        ("topic", TOPIC),
        ("key", "k3"),
        ("maxNum", "32"),
        ("beginTimestamp", "0"),
        ("endTimestamp", "9223372036854775807"),
    ];
    let by_key = Case::new("12", request::QUERY_MESSAGE, &by_key);
    cases.push(by_key.with("nobody's key", "key", "nobody's"));
    cases.push(by_key.with("none wanted", "maxNum", "0"));
    cases.push(by_key.with("before all", "endTimestamp", "1"));
    cases.push(by_key.with("after all", "beginTimestamp", "9000000000000"));
    cases.push(by_key.with("by unique key", "_UNIQUE_KEY_QUERY", "true"));
    cases.extend(by_key.damaged());
    cases
}

pub(crate) fn strict() -> Vec<Case> {
    let base = pull("11");
    vec![
        base.clone(),
        base.with("of a group that nobody made", "consumerGroup", "G_none"),
        base.with("of an unknown topic", "topic", "Unknown"),
        base.with("of a group without heartbeat", "sysFlag", "0"),
    ]
}
