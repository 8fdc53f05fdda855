//! Replies to request messages: 324 and 325 on one connection, 326 on another.

mod support;

use remoting::Command;
use remoting::code::request;
use remoting::header::reply::PushReplyRequest;
use remoting::header::send::SendRequest;
use store::FlushDiskType;

use self::support::{Fixture, Wire, at_once, heartbeat, message, pull, pulling, records, stored};

const TOPIC: &str = "DefaultCluster_REPLY_TOPIC";
const TO_ASKER: &str = "REPLY_TO_CLIENT\u{1}asker\u{2}CORRELATION_ID\u{1}7\u{2}KEYS\u{1}k";

fn reply(header: &SendRequest<'_>) -> Command {
    Command::request_with(request::SEND_REPLY_MESSAGE_V2, header).with_body(b"reply".to_vec())
}

/// A connection on which a client has said who it is.
async fn asker(fixture: &Fixture) -> Wire {
    let mut asker = fixture.client().await;
    asker.call(heartbeat("asker", "G", vec![])).await;
    asker
}

/// The next reply that is pushed to a client.
async fn pushed(asker: &mut Wire) -> Command {
    loop {
        let command = asker.read().await.expect("connected");
        if command.code == request::PUSH_REPLY_MESSAGE_TO_CLIENT {
            return command;
        }
    }
}

async fn answer(asker: &mut Wire, push: &Command, code: i32) {
    let mut answer = Command::reply(code);
    answer.opaque = push.opaque;
    asker.write(answer).await;
}

#[tokio::test]
async fn a_reply_goes_to_the_client_that_asked_and_into_its_topic() {
    let fixture = Fixture::with(|config| config.store.flush_disk_type = FlushDiskType::Sync).await;
    let mut asker = asker(&fixture).await;
    let mut replier = fixture.client().await;
    let mut header = message(TOPIC, TO_ASKER);
    header.sys_flag = 0x1 | 0x200 | 0x4; // compressed, by what; and half of a transaction, which it cannot be
    let opaque = replier.write(reply(&header)).await;
    let push = pushed(&mut asker).await;
    let pushed: PushReplyRequest<'_> = push.header().expect("all fields");
    assert_eq!(push.body.slices(), [&b"reply"[..]]);
    assert_eq!((&*pushed.topic, pushed.sys_flag), (TOPIC, header.sys_flag));
    assert_eq!(*pushed.store_host, format!("/{}", fixture.addr()));
    let properties = pushed.properties.expect("properties");
    let times = format!("{TO_ASKER}\u{2}PUSH_REPLY_TIME\u{1}");
    assert!(properties.starts_with(&times), "{properties:?}");

    // Others are served while it waits.
    let other = replier.call(pulling(&at_once(pull(TOPIC, "G", 0)))).await;
    assert_eq!(other.code, 19);
    answer(&mut asker, &push, 0).await;
    let told = replier.read().await.expect("connected");
    assert_eq!((told.opaque, told.code), (opaque, 0), "{:?}", told.remark);
    let told = stored(&told);
    assert_eq!((told.queue_id, told.queue_offset), (0, 0));
    assert_ne!(told.msg_id, "0");
    fixture.readable(TOPIC, 1).await;
    let kept = replier.call(pulling(&at_once(pull(TOPIC, "G", 0)))).await;
    let kept = records(&kept, |record| {
        (record.sys_flag, record.properties.to_vec())
    });
    assert_eq!(kept, [(0x201, TO_ASKER.as_bytes().to_vec())]);
}

#[tokio::test]
async fn a_reply_that_cannot_be_handed_over_is_refused_and_stored() {
    let fixture = Fixture::new().await;
    let mut replier = fixture.client().await;
    let refused = replier.call(reply(&message(TOPIC, "KEYS\u{1}k"))).await;
    let remark = "reply message properties[REPLY_TO_CLIENT] is null";
    assert_eq!((refused.code, refused.remark.as_deref()), (1, Some(remark)));
    let refused = replier.call(reply(&message(TOPIC, TO_ASKER))).await;
    let remark = "push reply message fail, channel of <asker> not found.";
    assert_eq!((refused.code, refused.remark.as_deref()), (1, Some(remark)));
    let place = refused.fields.get("queueOffset");
    assert_eq!(place.as_deref(), Some("1"), "where it is kept");

    let remark = "push reply message to askerfail.";
    for gone in [false, true] {
        let mut asker = asker(&fixture).await;
        replier.write(reply(&message(TOPIC, TO_ASKER))).await;
        let push = pushed(&mut asker).await;
        match gone {
            true => drop(asker),
            false => answer(&mut asker, &push, 1).await,
        }
        let refused = replier.read().await.expect("connected");
        assert_eq!((refused.code, refused.remark.as_deref()), (1, Some(remark)));
    }
    fixture.readable(TOPIC, 4).await;
}

#[tokio::test]
async fn a_reply_that_is_not_to_be_stored_says_so_by_its_id() {
    let fixture = Fixture::with(|config| config.store_reply_message = false).await;
    let mut asker = asker(&fixture).await;
    let mut replier = fixture.client().await;
    replier.write(reply(&message(TOPIC, TO_ASKER))).await;
    let push = pushed(&mut asker).await;
    answer(&mut asker, &push, 0).await;
    let told = replier.read().await.expect("connected");
    assert_eq!(told.code, 0, "{:?}", told.remark);
    let told = stored(&told);
    assert_eq!((&*told.msg_id, told.queue_offset), ("0", 0));
    assert_eq!(fixture.running.broker().queue_end(TOPIC, 0), 0);
}
