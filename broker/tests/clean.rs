//! Old files and topics that are no more: what a client sees of them, and what administrators clean.

mod support;

use std::path::Path;

use remoting::Command;
use remoting::code::{request, response};
use support::{
    Fixture, Wire, ask, at_once, bodies, config, message, pull, pulled, pulling, send, stored,
};

const HALF_PROPERTIES: &str = "UNIQ_KEY\u{1}ID\u{2}TRAN_MSG\u{1}true\u{2}PGROUP\u{1}P\u{2}";
const DELAYED: &str = "DELAY\u{1}18\u{2}";

async fn clean(client: &mut Wire, code: i32) {
    let reply = client.call(Command::request(code)).await;
    assert_eq!((reply.code, reply.remark), (response::SUCCESS, None));
}

/// The topics that have queues on disk.
fn queues(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root.join("consumequeue")).expect("listed");
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("one").file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Takes a topic out of the table on disk, as if somebody had done it by hand.
fn forget(root: &Path, topic: &str) {
    for name in ["topics.json", "topics.json.bak"] {
        let path = root.join("config").join(name);
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let renamed = text.replace(&format!("\"{topic}\""), "\"Other\"");
        std::fs::write(path, renamed).expect("written");
    }
}

/// A broker on a store with a topic that is no more, a delayed message and a transaction that was rolled back. Its first
/// log files have gone, with all of the topic `Gone` in them, if `expired`.
async fn broker_with_a_past(expired: bool) -> Fixture {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(&folder);
    config.store.commit_log_file_bytes = 8192;
    let running = broker::run(config.clone()).await.expect("starts");
    let mut client = Wire::open(([127, 0, 0, 1], running.port()).into()).await;
    for n in 0..4 {
        client
            .send(send(&message("Gone", ""), &[b'a' + n; 3000]))
            .await;
        client
            .send(send(&message("T", ""), &[b'a' + n; 3000]))
            .await;
    }
    client.send(send(&message("T", DELAYED), b"later")).await;
    let mut half = message("T", HALF_PROPERTIES);
    half.sys_flag = 4;
    let half = stored(&client.call(send(&half, b"half")).await);
    let place = i64::from_str_radix(&half.msg_id[16..], 16).expect("hex");
    let ending = ask(
        request::END_TRANSACTION,
        &[
            ("producerGroup", "P"),
            ("tranStateTableOffset", &half.queue_offset.to_string()),
            ("commitLogOffset", &place.to_string()),
            ("commitOrRollback", "12"),
            ("msgId", "ID"),
        ],
    );
    client.write(ending).await;
    // The op message is in the log before what comes behind it on this connection is answered.
    client.send(send(&message("T", ""), &[b'z'; 7000])).await;
    assert!(running.stop().await);
    forget(folder.path(), "Gone");
    if expired {
        let log = folder.path().join("commitlog");
        for n in 0..4 {
            std::fs::remove_file(log.join(format!("{:020}", n * 8192))).expect("there");
        }
    }
    let running = broker::run(config).await.expect("starts again");
    Fixture { running, folder }
}

#[tokio::test]
async fn queues_of_a_topic_that_is_no_more_go_and_the_brokers_own_stay() {
    let fixture = broker_with_a_past(false).await;
    let mut client = fixture.client().await;
    let own = [
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "SCHEDULE_TOPIC_XXXX",
        "T",
    ];
    let with_gone = [&["Gone"][..], &own].concat();
    assert_eq!(queues(fixture.folder.path()), with_gone);
    clean(&mut client, request::CLEAN_EXPIRED_CONSUMEQUEUE).await;
    assert_eq!(queues(fixture.folder.path()), with_gone, "nothing expired");
    clean(&mut client, request::CLEAN_UNUSED_TOPIC).await;
    assert_eq!(queues(fixture.folder.path()), own);
}

#[tokio::test]
async fn expired_queues_go_only_with_their_topic() {
    let fixture = broker_with_a_past(true).await;
    let mut client = fixture.client().await;
    clean(&mut client, request::CLEAN_EXPIRED_CONSUMEQUEUE).await;
    let left = queues(fixture.folder.path());
    assert!(!left.contains(&"Gone".to_owned()), "{left:?}");
    assert_eq!(left.len(), 4);
    assert_eq!(fixture.running.broker().queue_end("T", 0), 5);
}

#[tokio::test]
async fn a_pull_in_front_of_the_first_message_is_told_where_that_is() {
    let fixture = broker_with_a_past(true).await;
    let mut client = fixture.client().await;
    for offset in [0, 3] {
        let reply = client.call(pulling(&at_once(pull("T", "G", offset)))).await;
        let (code, header) = pulled(&reply);
        let places = (
            header.next_begin_offset,
            header.min_offset,
            header.max_offset,
        );
        assert_eq!((code, places), (response::PULL_OFFSET_MOVED, (4, 4, 5)));
    }
    let reply = client.call(pulling(&pull("T", "G", 4))).await;
    assert_eq!(bodies(&reply), ["z".repeat(7000)]);
    let asked = [("topic", "T"), ("queueId", "0")];
    let reply = client.call(ask(request::GET_MIN_OFFSET, &asked)).await;
    assert_eq!(reply.fields.get("offset").as_deref(), Some("4"));
}

#[tokio::test]
async fn old_log_files_can_be_asked_away() {
    let fixture = Fixture::new().await;
    let mut client = fixture.client().await;
    clean(&mut client, request::DELETE_EXPIRED_COMMITLOG).await;
}
