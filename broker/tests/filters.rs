//! SQL92 subscriptions over real sockets: asked about, registered, pulled, waited for, kept over a restart.

mod support;

use remoting::Command;
use remoting::body::client::CheckClientBody;
use remoting::body::heartbeat::SubscriptionData;
use remoting::code::request;
use remoting::header::pull::PullRequest;
use remoting::java::json;
use support::{
    Fixture, SUBSCRIPTION, Wire, at_once, bodies, heartbeat, message, pull, pulling, send,
    subscription,
};

const OFF: &str = "The broker does not support consumer to filter message by SQL92";

fn sql(topic: &str, expression: &str, version: i64) -> SubscriptionData {
    SubscriptionData {
        sub_string: expression.to_owned(),
        expression_type: "SQL92".to_owned(),
        ..subscription(topic, &[], version)
    }
}

async fn with_filters() -> Fixture {
    Fixture::with(|config| config.enable_property_filter = true).await
}

fn check(expression_type: &str, expression: &str) -> Command {
    let body = CheckClientBody {
        client_id: "c".to_owned(),
        group: "G".to_owned(),
        subscription_data: SubscriptionData {
            expression_type: expression_type.to_owned(),
            ..sql("T", expression, 1)
        },
    };
    Command::request(request::CHECK_CLIENT_CONFIG).with_body(json::write(&body))
}

/// A pull of the group's registered subscription.
fn registered<'a>(topic: &'a str, offset: i64, version: i64) -> PullRequest<'a> {
    let mut pull = pull(topic, "G", offset);
    pull.sys_flag &= !SUBSCRIPTION;
    pull.subscription = None;
    pull.sub_version = version;
    pull
}

async fn code_and_remark(client: &mut Wire, request: Command) -> (i32, String) {
    let reply = client.call(request).await;
    (reply.code, reply.remark.unwrap_or_default())
}

async fn send_all(client: &mut Wire, topic: &str, messages: &[(&str, &str)]) {
    for (body, properties) in messages {
        client
            .send(send(&message(topic, properties), body.as_bytes()))
            .await;
    }
}

#[tokio::test]
async fn a_client_learns_whether_its_expression_will_do() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    let off = code_and_remark(&mut client, check("SQL92", "a > 1")).await;
    assert_eq!(off, (1, OFF.to_owned()));
    assert_eq!(client.call(check("TAG", "a")).await.code, 0);
    let fixture = with_filters().await;
    let mut client = fixture.client().await;
    assert_eq!(client.call(check("SQL92", "a > 1")).await.code, 0);
    let wrong = code_and_remark(&mut client, check("SQL92", "a > 'x'")).await;
    let text = "java.lang.RuntimeException: Value ''x'' cannot be compared.";
    assert_eq!(wrong, (23, text.to_owned()));
    assert_eq!(client.call(check("SQL99", "a > 1")).await.code, 23);
    let deep = "(".repeat(50_000);
    let deep = code_and_remark(&mut client, check("SQL92", &deep)).await;
    assert_eq!(deep, (23, "java.lang.StackOverflowError".to_owned()));
}

#[tokio::test]
async fn a_group_gets_what_its_registered_expression_wants() {
    let fixture = with_filters().await;
    let mut client = fixture.client().await;
    let messages = [
        ("none", ""),
        ("one", "a\u{1}1\u{2}"),
        ("two", "a\u{1}2\u{2}"),
        ("broken", "a\u{1}x\u{2}"),
    ];
    send_all(&mut client, "T", &messages).await;
    fixture.readable("T", 4).await;
    client
        .call(heartbeat("c", "G", vec![sql("T", "a > 1", 5)]))
        .await;
    let reply = client.call(pulling(&at_once(registered("T", 0, 5)))).await;
    assert_eq!((reply.code, bodies(&reply)), (0, vec!["two".to_owned()]));
    let later = code_and_remark(&mut client, pulling(&registered("T", 0, 6))).await;
    assert_eq!(
        later,
        (25, "the consumer's subscription not latest".to_owned())
    );
    client
        .call(heartbeat("c", "G", vec![sql("T", "a IS NULL", 6)]))
        .await;
    let reply = client.call(pulling(&at_once(registered("T", 0, 6)))).await;
    assert_eq!((reply.code, bodies(&reply)), (0, vec!["none".to_owned()]));
    client
        .call(heartbeat("c", "G", vec![sql("T", "a = 77", 7)]))
        .await;
    let reply = client.call(pulling(&at_once(registered("T", 0, 7)))).await;
    assert_eq!(reply.code, 20, "none of them: go on at the next offset");
}

#[tokio::test]
async fn an_expression_that_is_none_has_no_filter_data() {
    let fixture = with_filters().await;
    let mut client = fixture.client().await;
    send_all(&mut client, "T", &[("m", "")]).await;
    client
        .call(heartbeat("c", "G", vec![sql("T", "a >", 5)]))
        .await;
    let answer = code_and_remark(&mut client, pulling(&registered("T", 0, 5))).await;
    let text = "The broker's consumer filter data is not exist!Your expression may be wrong!";
    assert_eq!(answer, (27, text.to_owned()));
}

#[tokio::test]
async fn a_subscription_without_expression_leaves_the_filter_behind_it() {
    let fixture = with_filters().await;
    let mut client = fixture.client().await;
    send_all(&mut client, "T", &[("m", "")]).await;
    for (expression, version) in [("a > 1", 5), ("", 6)] {
        let topics = vec![sql("T", expression, version)];
        client.call(heartbeat("c", "G", topics)).await;
    }
    let answer = code_and_remark(&mut client, pulling(&registered("T", 0, 6))).await;
    let text = "the consumer's consumer filter data not latest";
    assert_eq!(answer, (28, text.to_owned()));
}

#[tokio::test]
async fn with_filters_off_a_registered_expression_is_refused() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    send_all(&mut client, "T", &[("m", "")]).await;
    client
        .call(heartbeat("c", "G", vec![sql("T", "a > 1", 5)]))
        .await;
    let answer = code_and_remark(&mut client, pulling(&registered("T", 0, 5))).await;
    assert_eq!(answer, (1, OFF.to_owned()));
}

#[tokio::test]
async fn a_waiting_pull_is_woken_by_what_it_wants_alone() {
    let fixture = with_filters().await;
    let (mut client, mut sender) = (fixture.client().await, fixture.client().await);
    send_all(&mut sender, "T", &[("first", "")]).await;
    fixture.readable("T", 1).await;
    client
        .call(heartbeat("c", "G", vec![sql("T", "a > 1", 5)]))
        .await;
    let opaque = client.write(pulling(&registered("T", 1, 5))).await;
    support::until(|| fixture.running.broker().waiting_pulls() == 1).await;
    send_all(&mut sender, "T", &[("one", "a\u{1}1\u{2}"), ("none", "")]).await;
    fixture.readable("T", 3).await;
    assert_eq!(
        fixture.running.broker().waiting_pulls(),
        1,
        "it still waits"
    );
    send_all(&mut sender, "T", &[("two", "a\u{1}2\u{2}")]).await;
    let reply = client.read().await.expect("woken");
    assert_eq!((reply.opaque, reply.code), (opaque, 0));
    assert_eq!(bodies(&reply), ["two"]);
}

#[tokio::test]
async fn what_comes_back_is_filtered_again_only_when_asked_for() {
    for (support_retry, expected) in [(false, vec!["wanted", "unwanted"]), (true, vec!["wanted"])] {
        let fixture = Fixture::with(|config| {
            config.enable_property_filter = true;
            config.filter_support_retry = support_retry;
        })
        .await;
        let mut client = fixture.client().await;
        let topics = vec![sql("T", "a > 1", 5), subscription("%RETRY%G", &[], 5)];
        client.call(heartbeat("c", "G", topics)).await;
        let messages = [
            ("wanted", "RETRY_TOPIC\u{1}T\u{2}a\u{1}2\u{2}"),
            ("unwanted", "RETRY_TOPIC\u{1}T\u{2}a\u{1}1\u{2}"),
        ];
        send_all(&mut client, "%RETRY%G", &messages).await;
        fixture.readable("%RETRY%G", 2).await;
        let reply = client
            .call(pulling(&at_once(registered("%RETRY%G", 0, 5))))
            .await;
        assert_eq!(
            bodies(&reply),
            expected,
            "filterSupportRetry={support_retry}"
        );
    }
}

#[tokio::test]
async fn filters_are_kept_over_a_restart() {
    let fixture = with_filters().await;
    let mut client = fixture.client().await;
    client
        .call(heartbeat("c", "G", vec![sql("T", "a > 1", 5)]))
        .await;
    drop(client);
    let file = fixture
        .running
        .broker()
        .config
        .table_file("consumerFilter.json");
    fixture.running.stop().await;
    let text = std::fs::read_to_string(file).expect("written at the stop");
    assert!(text.contains("\"expression\":\"a > 1\""), "{text}");
    assert!(text.contains("\"bitNum\":112"), "{text}");
}
