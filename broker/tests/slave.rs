//! A broker that is the slave of another: it reads out what it has, and takes nothing. Replication is not built yet, so
//! its store is one that its master has left.
//!
//! Java 4.7.0 `broker/processor/PullMessageProcessor.java`, `store/DefaultMessageStore.java` (`checkStoreStatus`).

mod support;

use broker::{BrokerConfig, Running};
use remoting::code::request;
use store::BrokerRole;
use support::{COMMIT, Wire, ask, at_once, bodies, config, message, pull, pulled, pulling, send};

const ASKED: [(&str, &str); 3] = [("consumerGroup", "G"), ("topic", "T"), ("queueId", "0")];

async fn start(
    folder: &tempfile::TempDir,
    change: impl FnOnce(&mut BrokerConfig),
) -> (Running, Wire) {
    let mut config = config(folder);
    config.slave_read_enable = true;
    config.store.access_in_memory_max_ratio = 0; // everything counts as on disk only
    change(&mut config);
    let running = broker::run(config).await.expect("starts");
    let client = Wire::open(([127, 0, 0, 1], running.port()).into()).await;
    (running, client)
}

fn to_slave(config: &mut BrokerConfig) {
    config.store.broker_role = BrokerRole::Slave;
    config.broker_id = 1;
}

#[tokio::test]
async fn a_master_sends_slow_consumers_to_the_slave_if_it_may() {
    for (may, suggested) in [(true, 1), (false, 0)] {
        let folder = tempfile::tempdir().expect("a folder");
        let (running, mut client) = start(&folder, |config| config.slave_read_enable = may).await;
        client.send(send(&message("T", ""), b"one")).await;
        let reply = client.call(pulling(&pull("T", "G", 0))).await;
        let (code, header) = pulled(&reply);
        assert_eq!((code, header.suggest_which_broker_id), (0, suggested));
        running.stop().await;
    }
}

#[tokio::test]
async fn a_slave_reads_out_what_it_has_and_takes_no_messages_and_no_offsets_of_pulls() {
    let folder = tempfile::tempdir().expect("a folder");
    let (running, mut client) = start(&folder, |_| {}).await;
    for body in ["one", "two", "three"] {
        client.send(send(&message("T", ""), body.as_bytes())).await;
    }
    client.call(pulling(&pull("T", "G", 0))).await;
    running.stop().await;

    let (running, mut client) = start(&folder, to_slave).await;
    let before = client
        .call(ask(request::QUERY_CONSUMER_OFFSET, &ASKED))
        .await;
    let mut committing = pull("T", "G", 1);
    committing.sys_flag |= COMMIT;
    committing.commit_offset = 2;
    let reply = client.call(pulling(&committing)).await;
    assert_eq!(
        (reply.code, bodies(&reply)),
        (0, vec!["two".to_owned(), "three".to_owned()])
    );
    let after = client
        .call(ask(request::QUERY_CONSUMER_OFFSET, &ASKED))
        .await;
    assert_eq!((before.code, before.fields), (after.code, after.fields));

    // Behind its end it may only lag behind its master, so nobody's offset is put right.
    let reply = client.call(pulling(&at_once(pull("T", "G", 100)))).await;
    let (code, header) = pulled(&reply);
    assert_eq!((code, header.next_begin_offset), (20, 100));
    let refused = client.call(send(&message("T", ""), b"four")).await;
    assert_eq!(refused.code, 14, "{:?}", refused.remark);
    assert_eq!(running.broker().queue_end("T", 0), 3);
    running.stop().await;

    // Its store is whole: the master goes on with it.
    let (running, mut client) = start(&folder, |_| {}).await;
    let sent = client.send(send(&message("T", ""), b"four")).await;
    assert_eq!(sent.queue_offset, 3);
    running.stop().await;
}
