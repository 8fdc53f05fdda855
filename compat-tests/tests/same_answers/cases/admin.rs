//! Administrators' requests: 17, 200, 202, 207, 208, 215, 222, 300, 301, 303, 314, 323; and the end of a transaction, 37.

use remoting::code::request;

use super::TOPIC;
use crate::case::Case;

/// 17
pub(crate) fn topic(name: &str, queues: &str, perm: &str) -> Case {
    let fields = [
        ("topic", name),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", queues),
        ("writeQueueNums", queues),
        ("perm", perm),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
    ];
    Case::new("17", request::UPDATE_AND_CREATE_TOPIC, &fields)
}

/// 200
pub(crate) fn group(name: &str, enabled: bool, broadcast: bool) -> Case {
    let body = format!(
        r#"{{"brokerId":0,"consumeBroadcastEnable":{broadcast},"consumeEnable":{enabled},"consumeFromMinEnable":true,"groupName":"{name}","notifyConsumerIdsChangedEnable":true,"retryMaxTimes":16,"retryQueueNums":1,"whichBrokerWhenConsumeSlowly":1}}"#
    );
    Case::new("200", request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[]).body(body)
}

pub(crate) fn cases() -> Vec<Case> {
    let made = topic("Made", "2", "6");
    let mut cases = Vec::new();
    for name in [
        "TBW102",
        "DefaultCluster",
        "broker-a",
        "SELF_TEST_TOPIC",
        "a b",
        "a/b",
        "%RETRY%x",
        "",
    ] {
        cases.push(made.with(&format!("named {name}"), "topic", name));
    }
    for length in [127, 128, 255, 256] {
        cases.push(made.with(&format!("name of {length}"), "topic", &"m".repeat(length)));
    }
    for perm in ["0", "1", "2", "4", "7", "8", "15", "16"] {
        cases.push(made.with(&format!("perm {perm}"), "perm", perm));
    }
    cases.extend(made.damaged());
    cases.extend(group("G_made", true, true).with_damaged_bodies());
    for (what, name) in [
        ("long", &*"x".repeat(300)),
        ("a path", "../../etc"),
        ("other letters", "名字"),
    ] {
        let mut named = group(name, true, true);
        named.name = format!("200: group {what}");
        cases.push(named);
    }
    let gone = [("groupName", "G_gone")];
    cases.extend(Case::new("207", request::DELETE_SUBSCRIPTIONGROUP, &gone).damaged());
    let filter_server = [("filterServerAddr", "127.0.0.1:1")];
    cases.push(Case::new(
        "301",
        request::REGISTER_FILTER_SERVER,
        &filter_server,
    ));
    let named = |name: &str, code, field: &str| Case::new(name, code, &[(field, TOPIC)]).damaged();
    cases.extend(named("202", request::GET_TOPIC_STATS_INFO, "topic"));
    cases.extend(named("300", request::QUERY_TOPIC_CONSUME_BY_WHO, "topic"));
    let stats = [("consumerGroup", "G_commit"), ("topic", TOPIC)];
    cases.extend(Case::new("208", request::GET_CONSUME_STATS, &stats).damaged());
    let span = [("topic", "Unknown"), ("group", "G")];
    cases.extend(Case::new("303", request::QUERY_CONSUME_TIME_SPAN, &span).damaged());
    let reset = [
        ("topic", TOPIC),
        ("group", "G_none"),
        ("timestamp", "0"),
        ("isForce", "true"),
    ];
    cases.extend(Case::new("222", request::INVOKE_BROKER_TO_RESET_OFFSET, &reset).damaged());
    let clone = [
        ("srcGroup", "G_commit"),
        ("destGroup", "G_clone"),
        ("topic", TOPIC),
        ("offline", "true"),
    ];
    cases.extend(Case::new("314", request::CLONE_GROUP_OFFSET, &clone).damaged());
    cases.extend(transactions_and_deletion());
    cases
}

/// 37, 323, 215
fn transactions_and_deletion() -> Vec<Case> {
    let mut cases = Vec::new();
    let end = [
        ("producerGroup", "P"),
        ("tranStateTableOffset", "0"),
        ("commitLogOffset", "{place}"),
        ("commitOrRollback", "8"),
        ("fromTransactionCheck", "false"),
        ("msgId", "0123"),
        ("transactionId", "0123"),
    ];
    cases.extend(Case::new("37", request::END_TRANSACTION, &end).damaged());
    cases.extend(
        Case::new(
            "323",
            request::RESUME_CHECK_HALF_MESSAGE,
            &[("msgId", "{id}")],
        )
        .damaged(),
    );
    let delete = Case::new(
        "215",
        request::DELETE_TOPIC_IN_BROKER,
        &[("topic", "Deleted")],
    );
    for name in ["Unknown", "a/b"] {
        cases.push(delete.with(&format!("of {name}"), "topic", name));
    }
    cases.extend(delete.damaged());
    cases
}
