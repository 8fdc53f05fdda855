//! Moving groups back (222, 220, 314) and asking their clients (223, 221, 307, 309), as bytes on sockets: what a Java
//! client does not show. What it shows is in compat-tests (`seek_…`).

mod support;

use remoting::Command;
use remoting::body::seek::{GetConsumerStatusBody, ResetOffsetBody, ResetOffsetBodyForC};
use remoting::code::{Language, request, response, version};
use remoting::java::json;
use support::{Fixture, Wire, ask, heartbeat, message, send, subscription};

const TOPIC: &str = "T";
const GROUP: &str = "G";

/// A broker with three messages in queue 0 of a topic of four queues, all of them consumed by `G`.
async fn consumed() -> (Fixture, Wire) {
    let fixture = Fixture::new().await;
    let mut admin = fixture.client().await;
    for _ in 0..3 {
        admin.send(send(&message(TOPIC, ""), b"m")).await;
    }
    fixture.readable(TOPIC, 3).await;
    for (queue, offset) in [("0", "3"), ("1", "0"), ("2", "0"), ("3", "0")] {
        let commit = ask(
            request::UPDATE_CONSUMER_OFFSET,
            &[
                ("consumerGroup", GROUP),
                ("topic", TOPIC),
                ("queueId", queue),
                ("commitOffset", offset),
            ],
        );
        assert_eq!(admin.call(commit).await.code, response::SUCCESS);
    }
    (fixture, admin)
}

/// A client of `G`, written in some language.
async fn member(fixture: &Fixture, id: &str, language: Language) -> Wire {
    let mut wire = fixture.client().await;
    let mut hello = heartbeat(id, GROUP, vec![subscription(TOPIC, &[], 1)]);
    hello.language = language;
    assert_eq!(wire.call(hello).await.code, response::SUCCESS);
    wire
}

/// What the broker asks next; changes of the group are passed over.
async fn asked(member: &mut Wire) -> Command {
    loop {
        let command = member.read().await.expect("connected");
        if command.code != request::NOTIFY_CONSUMER_IDS_CHANGED {
            return command;
        }
    }
}

fn answer_to(question: &Command, body: &str) -> Command {
    let opaque = question.opaque;
    Command {
        opaque,
        ..Command::success().with_body(body.as_bytes().to_vec())
    }
}

fn reset(fields: &[(&str, &str)]) -> Command {
    let mut all = vec![("topic", TOPIC), ("group", GROUP)];
    all.extend_from_slice(fields);
    ask(request::INVOKE_BROKER_TO_RESET_OFFSET, &all)
}

/// Where a group is in queue 0; a group that is nowhere begins at 0.
async fn offset_of(admin: &mut Wire, group: &str) -> String {
    let fields = [("consumerGroup", group), ("topic", TOPIC), ("queueId", "0")];
    let reply = admin
        .call(ask(request::QUERY_CONSUMER_OFFSET, &fields))
        .await;
    reply.fields.get("offset").expect("an offset").into_owned()
}

#[tokio::test]
async fn each_client_is_moved_in_the_form_of_its_language() {
    let (fixture, mut admin) = consumed().await;
    let mut java = member(&fixture, "java", Language::JAVA).await;
    let mut cpp = member(&fixture, "cpp", Language::CPP).await;
    let mut other = member(&fixture, "other", Language::OTHER).await;
    for asked_in_c in [false, true] {
        let mut request = reset(&[("timestamp", "0"), ("isForce", "true")]);
        if asked_in_c {
            request.language = Language::CPP;
        }
        let reply = admin.call(request).await;
        assert_eq!(reply.code, response::SUCCESS, "{:?}", reply.remark);
        let told: ResetOffsetBody = json::read(&reply.body.into_bytes()).expect("offsets");
        let offsets: Vec<_> = told.offset_table.iter().collect();
        assert_eq!(offsets.len(), 4);
        assert!(offsets.iter().all(|(_, offset)| **offset == 0));
        for (client, reads_c) in [
            (&mut java, false),
            (&mut cpp, true),
            (&mut other, asked_in_c),
        ] {
            let order = asked(client).await;
            assert_eq!(order.code, request::RESET_CONSUMER_CLIENT_OFFSET);
            assert!(order.is_oneway());
            let fields: Vec<_> = order
                .fields
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            assert_eq!(
                fields,
                ["topic=T", "group=G", "timestamp=0", "isForce=false"]
            );
            let body = order.body.into_bytes();
            if reads_c {
                let list: ResetOffsetBodyForC = json::read(&body).expect("a list");
                assert_eq!(list, told.for_c());
            } else {
                assert_eq!(json::read::<ResetOffsetBody>(&body).as_ref(), Ok(&told));
            }
        }
    }
    let kept = offset_of(&mut admin, GROUP).await;
    assert_eq!(kept, "3", "the clients commit, not the broker");
}

#[tokio::test]
async fn unforced_nobody_goes_forwards_and_one_queue_moves_alone() {
    let (fixture, mut admin) = consumed().await;
    let mut java = member(&fixture, "java", Language::JAVA).await;
    let mut offsets = async |fields: &[(&str, &str)]| {
        let reply = admin.call(reset(fields)).await;
        let body = reply.body.into_bytes();
        let table: ResetOffsetBody = json::read(&body).expect("offsets");
        assert_eq!(asked(&mut java).await.body.into_bytes(), body);
        let moved = table.offset_table.iter();
        moved
            .map(|(queue, offset)| (queue.queue_id, *offset))
            .collect::<Vec<_>>()
    };
    let end = [("timestamp", "-1"), ("isForce", "false")];
    assert_eq!(offsets(&end).await, [(0, 3), (1, 0), (2, 0), (3, 0)]);
    // As 5.x asks for one queue: time 0, unforced; 4.7.0 would send every queue back to its begin.
    let one = [("timestamp", "0"), ("queueId", "0"), ("offset", "2")];
    assert_eq!(offsets(&one).await, [(0, 2)]);
}

#[tokio::test]
async fn clients_too_old_are_not_asked() {
    let (fixture, mut admin) = consumed().await;
    let mut old = fixture.client().await;
    let mut hello = heartbeat("old", GROUP, vec![subscription(TOPIC, &[], 1)]);
    hello.version = version::RESET_OFFSET - 1;
    assert_eq!(old.call(hello).await.code, response::SUCCESS);
    let refused = admin.call(reset(&[("timestamp", "0")])).await;
    assert_eq!(refused.code, response::SYSTEM_ERROR);
    let client = [("consumerGroup", GROUP), ("clientId", "old")];
    let refused = admin
        .call(ask(request::GET_CONSUMER_RUNNING_INFO, &client))
        .await;
    let remark = refused.remark.expect("a sentence");
    assert!(remark.contains("too low to finish"), "{remark}");
}

#[tokio::test]
async fn a_question_waits_for_its_client_and_for_nothing_else() {
    let (fixture, mut admin) = consumed().await;
    let mut java = member(&fixture, "java", Language::JAVA).await;
    let client = [
        ("consumerGroup", GROUP),
        ("clientId", "java"),
        ("jstackEnable", "true"),
    ];
    let waiting = ask(request::GET_CONSUMER_RUNNING_INFO, &client);
    let opaque = admin.write(waiting).await;
    let question = asked(&mut java).await;
    assert_eq!(question.code, request::GET_CONSUMER_RUNNING_INFO);
    assert_eq!(question.fields.get("jstackEnable").as_deref(), Some("true"));
    // The client has not answered, and the administrator's connection serves on.
    let topics = admin.call(ask(request::GET_ALL_TOPIC_CONFIG, &[])).await;
    assert_eq!(topics.code, response::SUCCESS);
    java.write(answer_to(&question, "{\"any\":1}")).await;
    let reply = admin.read().await.expect("connected");
    assert_eq!((reply.opaque, reply.code), (opaque, response::SUCCESS));
    assert_eq!(reply.body.into_bytes(), "{\"any\":1}");
    // A client that goes before it has answered.
    admin
        .write(ask(request::GET_CONSUMER_RUNNING_INFO, &client))
        .await;
    asked(&mut java).await;
    drop(java);
    let refused = admin.read().await.expect("connected");
    assert_eq!(refused.code, response::SYSTEM_ERROR);
    let remark = refused.remark.expect("a sentence");
    assert!(
        remark.starts_with("invoke consumer <G> <java> Exception"),
        "{remark}"
    );
}

#[tokio::test]
async fn of_all_clients_those_that_answer_are_listed() {
    let (fixture, mut admin) = consumed().await;
    let mut good = member(&fixture, "good", Language::JAVA).await;
    let mut bad = member(&fixture, "bad", Language::JAVA).await;
    let mut gone = member(&fixture, "gone", Language::JAVA).await;
    let question = ask(
        request::INVOKE_BROKER_TO_GET_CONSUMER_STATUS,
        &[("topic", TOPIC), ("group", GROUP)],
    );
    admin.write(question).await;
    let table = r#"{"messageQueueTable":{{"brokerName":"b","queueId":0,"topic":"T"}:7}}"#;
    let question = asked(&mut good).await;
    assert_eq!(question.code, request::GET_CONSUMER_STATUS_FROM_CLIENT);
    good.write(answer_to(&question, table)).await;
    let question = asked(&mut bad).await;
    bad.write(answer_to(&question, "no JSON")).await;
    asked(&mut gone).await;
    drop(gone);
    let reply = admin.read().await.expect("connected");
    let all: GetConsumerStatusBody = json::read(&reply.body.into_bytes()).expect("a table");
    let clients: Vec<_> = all.consumer_table.keys().collect();
    assert_eq!(clients, ["good"]);
    assert!(all.consumer_table["good"].values().eq([&7]));
}

#[tokio::test]
async fn offsets_are_cloned_for_the_topics_asked_for() {
    let (_fixture, mut admin) = consumed().await;
    let cases = [
        ("one", Some(TOPIC), response::SUCCESS, "3"),
        ("all", None, response::SUCCESS, "3"), // 4.7.0 clones nothing without a topic
        ("none", Some("U"), response::SUCCESS, "0"),
        ("../x", Some(TOPIC), response::SYSTEM_ERROR, "0"),
    ];
    for (to, topic, code, offset) in cases {
        let mut fields = vec![("srcGroup", GROUP), ("destGroup", to), ("offline", "true")];
        fields.extend(topic.map(|topic| ("topic", topic)));
        let reply = admin.call(ask(request::CLONE_GROUP_OFFSET, &fields)).await;
        assert_eq!(reply.code, code, "{to}");
        assert_eq!(offset_of(&mut admin, to).await, offset, "{to}");
    }
}
