//! Clients and their groups: 34, 35, 38, 41, 42, 46, 203, 204, and what is asked of clients: 223, 307, 309.

use remoting::code::request;

use super::{LIVE, TOPIC};
use crate::case::Case;

const HEARTBEAT: &str = r#"{"clientID":"c","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"GROUP","messageModel":"MODEL","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*","subVersion":5,"tagsSet":[],"topic":"TOPIC"}],"unitMode":false}],"producerDataSet":[{"groupName":"P"}]}"#;

/// The heartbeat of the one client of the live group.
pub(crate) fn live_member() -> Case {
    heartbeat("34 live", LIVE, "BROADCASTING")
}

fn heartbeat(name: &str, group: &str, model: &str) -> Case {
    let body = HEARTBEAT
        .replace("GROUP", group)
        .replace("MODEL", model)
        .replace("TOPIC", TOPIC);
    Case::new(name, request::HEART_BEAT, &[]).body(body)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = heartbeat("34", "G_beats", "CLUSTERING").with_damaged_bodies();
    for (what, old, new) in [
        ("an unknown model", "CLUSTERING", "SOMEHOW"),
        ("an unknown type", "CONSUME_PASSIVELY", "CONSUME_POP"),
        (
            "more than is known",
            r#""clientID":"c","#,
            r#""clientID":"c","more":{"a":[1]},"#,
        ),
    ] {
        let mut case = heartbeat("34", "G_beats", "CLUSTERING");
        case.name = format!("34: {what}");
        case.body = String::from_utf8_lossy(&case.body)
            .replace(old, new)
            .into_bytes();
        cases.push(case);
    }
    cases.extend(odd_names());
    cases.extend(bodies());
    cases.extend(asked_for());
    cases
}

/// Groups and topics in bodies that no client would name so.
fn odd_names() -> Vec<Case> {
    let lock = r#"{"clientId":"c","consumerGroup":"GROUP","mqSet":[{"brokerName":"broker-a","queueId":QUEUE,"topic":"TOPIC"}]}"#;
    let mut cases = Vec::new();
    let long = "x".repeat(300);
    for (what, name) in [
        ("long", &*long),
        ("a path", "../../etc"),
        ("other letters", "名字"),
    ] {
        cases.push(heartbeat(&format!("34: group {what}"), name, "CLUSTERING"));
        let mut topic = heartbeat(&format!("34: topic {what}"), "G_beats", "CLUSTERING");
        let told = r#""topic":"A""#;
        topic.body = String::from_utf8_lossy(&topic.body)
            .replace(told, &format!(r#""topic":"{name}""#))
            .into_bytes();
        cases.push(topic);
        for (code, number) in [
            (request::LOCK_BATCH_MQ, "41"),
            (request::UNLOCK_BATCH_MQ, "42"),
        ] {
            for (part, group, topic) in [("group", name, TOPIC), ("topic", "G", name)] {
                let case = Case::new(&format!("{number}: {part} {what}"), code, &[]);
                let body = lock.replace("GROUP", group).replace("TOPIC", topic);
                cases.push(case.body(body.replace("QUEUE", "0")));
            }
        }
    }
    for queue in ["-1", "4", "2147483647", "2147483648", "\"x\""] {
        let case = Case::new(&format!("41: queue {queue}"), request::LOCK_BATCH_MQ, &[]);
        let body = lock.replace("GROUP", "G_lock").replace("TOPIC", TOPIC);
        cases.push(case.body(body.replace("QUEUE", queue)));
    }
    cases
}

/// 38, 46, 41, 42
fn bodies() -> Vec<Case> {
    let mut cases = Vec::new();
    let members = Case::new(
        "38",
        request::GET_CONSUMER_LIST_BY_GROUP,
        &[("consumerGroup", LIVE)],
    );
    cases.extend(members.damaged());
    let check = r#"{"clientId":"c","group":"G","subscriptionData":{"expressionType":"TYPE","subString":"EXPR","topic":"A"}}"#;
    for (kind, expression) in [
        ("TAG", "*"),
        ("SQL92", "a > 1"),
        ("SQL92", "a >"),
        ("CLASS", "x"),
    ] {
        let body = check.replace("TYPE", kind).replace("EXPR", expression);
        let case = Case::new(
            &format!("46 {kind} {expression}"),
            request::CHECK_CLIENT_CONFIG,
            &[],
        );
        cases.push(case.body(body));
    }
    cases.extend(
        Case::new("46", request::CHECK_CLIENT_CONFIG, &[])
            .body(check.replace("TYPE", "TAG"))
            .with_damaged_bodies(),
    );
    let queues = r#"{"clientId":"c","consumerGroup":"G","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"A"}]}"#;
    cases.extend(
        Case::new("41", request::LOCK_BATCH_MQ, &[])
            .body(queues)
            .with_damaged_bodies(),
    );
    cases.extend(
        Case::new("42", request::UNLOCK_BATCH_MQ, &[])
            .body(queues)
            .with_damaged_bodies(),
    );
    cases
}

/// 35, 203, 204, 223, 307, 309
fn asked_for() -> Vec<Case> {
    let mut cases = Vec::new();
    let leave = [
        ("clientID", "c"),
        ("producerGroup", "P2"),
        ("consumerGroup", "G2"),
    ];
    cases.extend(Case::new("35", request::UNREGISTER_CLIENT, &leave).damaged());
    cases.extend(
        Case::new(
            "203",
            request::GET_CONSUMER_CONNECTION_LIST,
            &[("consumerGroup", "G_none")],
        )
        .damaged(),
    );
    cases.extend(
        Case::new(
            "204",
            request::GET_PRODUCER_CONNECTION_LIST,
            &[("producerGroup", "P_none")],
        )
        .damaged(),
    );
    let status = [("topic", TOPIC), ("group", "G_none"), ("clientAddr", "c")];
    cases.extend(
        Case::new(
            "223",
            request::INVOKE_BROKER_TO_GET_CONSUMER_STATUS,
            &status,
        )
        .damaged(),
    );
    let info = [
        ("consumerGroup", "G_none"),
        ("clientId", "c"),
        ("jstackEnable", "false"),
    ];
    cases.extend(Case::new("307", request::GET_CONSUMER_RUNNING_INFO, &info).damaged());
    let directly = [
        ("consumerGroup", "G_none"),
        ("clientId", "c"),
        ("msgId", "{id}"),
    ];
    cases.extend(Case::new("309", request::CONSUME_MESSAGE_DIRECTLY, &directly).damaged());
    cases
}
