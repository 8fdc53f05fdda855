//! Who is connected: heartbeats, change notices, leaving.

mod support;

use remoting::Command;
use remoting::body::groups::ConsumerListByGroup;
use remoting::code::request;
use remoting::java::json;
use support::{Fixture, Wire, ask, at_once, heartbeat, pull, pulled, pulling, subscription};

#[tokio::test]
async fn every_member_is_told_at_once_when_its_group_changes() {
    let fixture = Fixture::new().await;
    let (mut first, mut second) = (fixture.client().await, fixture.client().await);
    let topics = || vec![subscription("T", &[], 1)];
    assert_eq!(
        told(&mut first, heartbeat("c1", "G", topics())).await,
        ["G"],
        "it is the first member"
    );
    assert_eq!(
        told(&mut second, heartbeat("c2", "G", topics())).await,
        ["G"]
    );
    assert_notice(&mut first, "G").await;
    assert_eq!(ids(&mut first, "G").await, ["c1", "c2"]);

    assert_eq!(
        told(&mut first, heartbeat("c1", "G", topics())).await,
        [""; 0],
        "nothing has changed"
    );
    let newer = vec![subscription("T", &["TagA"], 2)];
    assert_eq!(
        told(&mut first, heartbeat("c1", "G", newer)).await,
        [""; 0],
        "a newer expression is no change"
    );
    let more = vec![subscription("T", &["TagA"], 2), subscription("U", &[], 1)];
    assert_eq!(
        told(&mut first, heartbeat("c1", "G", more)).await,
        ["G"],
        "a topic more"
    );
    assert_notice(&mut second, "G").await;

    let leave = ask(
        request::UNREGISTER_CLIENT,
        &[("clientID", "c1"), ("consumerGroup", "G")],
    );
    assert_eq!(first.call(leave).await.code, 0);
    assert_notice(&mut second, "G").await;
    assert_eq!(ids(&mut second, "G").await, ["c2"]);
}

#[tokio::test]
async fn a_closed_connection_leaves_its_groups_and_the_others_are_told() {
    let fixture = Fixture::new().await;
    let (mut first, mut second) = (fixture.client().await, fixture.client().await);
    let topics = || vec![subscription("T", &[], 1)];
    first.call(heartbeat("c1", "G", topics())).await;
    second.call(heartbeat("c2", "G", topics())).await;
    assert_notice(&mut first, "G").await;
    drop(second);
    assert_notice(&mut first, "G").await;
    assert_eq!(ids(&mut first, "G").await, ["c1"]);
}

#[tokio::test]
async fn groups_and_connections_that_come_and_go_leave_nothing() {
    let fixture = Fixture::new().await;
    let mut watch = fixture.client().await;
    for round in 0..50 {
        let mut client = fixture.client().await;
        let group = format!("G{round}");
        client
            .call(heartbeat("c", &group, vec![subscription("T", &[], 1)]))
            .await;
        drop(client);
    }
    let broker = fixture.running.broker();
    let empty = async {
        while broker.connected_groups() != (0, 0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(support::PATIENCE, empty)
        .await
        .expect("empty in time");
    let none = watch
        .call(ask(
            request::GET_CONSUMER_LIST_BY_GROUP,
            &[("consumerGroup", "G1")],
        ))
        .await;
    assert_eq!(
        (none.code, none.remark.as_deref()),
        (1, Some("no consumer for this group, G1"))
    );
}

#[tokio::test]
async fn a_heartbeat_makes_the_retry_topic_and_its_answer_has_a_version() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let reply = client
        .call(heartbeat("c", "G", vec![subscription("T", &[], 1)]))
        .await;
    assert_eq!((reply.code, reply.version), (0, 353));
    let (code, _) = pulled(
        &client
            .call(pulling(&at_once(pull("%RETRY%G", "G", 0))))
            .await,
    );
    assert_eq!(code, 19, "it is there, and empty");
}

#[tokio::test]
async fn a_group_whose_name_walks_directories_gets_no_topic() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let reply = client
        .call(heartbeat("c", "../../x", vec![subscription("T", &[], 1)]))
        .await;
    assert_eq!(reply.code, 1);
    let topics = client
        .call(Command::request(request::GET_ALL_TOPIC_CONFIG))
        .await;
    assert!(!String::from_utf8_lossy(&topics.body.into_bytes()).contains(".."));
}

#[tokio::test]
async fn tags_can_be_filtered_by_and_sql_cannot() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let check = |kind: &str| {
        let body = format!(
            r#"{{"clientId":"c","group":"G","subscriptionData":{{"expressionType":"{kind}","subString":"a>1","topic":"T"}}}}"#
        );
        Command::request(request::CHECK_CLIENT_CONFIG).with_body(body.into_bytes())
    };
    assert_eq!(client.call(check("TAG")).await.code, 0);
    let reply = client.call(check("SQL92")).await;
    let remark = "The broker does not support consumer to filter message by SQL92";
    assert_eq!((reply.code, reply.remark.as_deref()), (1, Some(remark)));
}

/// Sends a heartbeat. The groups whose change the broker told before it answered.
async fn told(client: &mut Wire, heartbeat: Command) -> Vec<String> {
    let opaque = client.write(heartbeat).await;
    let mut groups = Vec::new();
    // The notice goes through the outbox and may follow the answer: one more question flushes both out. A heartbeat that
    // makes a group is answered when that is on disk, behind what was asked later.
    let flush = client
        .write(ask(
            request::GET_MAX_OFFSET,
            &[("topic", "T"), ("queueId", "0")],
        ))
        .await;
    let mut unanswered = vec![opaque, flush];
    while !unanswered.is_empty() {
        let command = client.read().await.expect("connected");
        if command.is_response() {
            unanswered.retain(|opaque| *opaque != command.opaque);
        } else {
            groups.push(group_of(&command));
        }
    }
    if groups.is_empty() {
        groups.extend(pending(client).await);
    }
    groups
}

/// A notice that came behind the last answer.
async fn pending(client: &mut Wire) -> Option<String> {
    let flush = client
        .write(ask(
            request::GET_MIN_OFFSET,
            &[("topic", "T"), ("queueId", "0")],
        ))
        .await;
    let mut group = None;
    loop {
        let command = client.read().await.expect("connected");
        if command.opaque == flush && command.is_response() {
            return group;
        }
        group = Some(group_of(&command));
    }
}

async fn assert_notice(client: &mut Wire, group: &str) {
    let notice = client.read().await.expect("a notice");
    assert!(!notice.is_response() && notice.is_oneway());
    assert_eq!(group_of(&notice), group);
}

fn group_of(notice: &Command) -> String {
    assert_eq!(notice.code, request::NOTIFY_CONSUMER_IDS_CHANGED);
    notice
        .fields
        .get("consumerGroup")
        .expect("a group")
        .into_owned()
}

async fn ids(client: &mut Wire, group: &str) -> Vec<String> {
    let reply = client
        .call(ask(
            request::GET_CONSUMER_LIST_BY_GROUP,
            &[("consumerGroup", group)],
        ))
        .await;
    let list: ConsumerListByGroup = json::read(&reply.body.into_bytes()).expect("a list");
    let mut ids = list.consumer_id_list;
    ids.sort();
    ids
}
