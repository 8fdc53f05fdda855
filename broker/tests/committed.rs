//! KNOWN-BUGS R9: a group never goes back below what it has committed, unless it is sent back.

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use remoting::Command;
use remoting::code::request;
use support::{Wire, ask, bodies, config, message, pull, pulled, pulling, send};
use tokio::net::TcpStream;

const QUEUE: [(&str, &str); 3] = [("consumerGroup", "G"), ("topic", "T"), ("queueId", "0")];

fn commit(offset: &str) -> Command {
    let fields = [QUEUE.as_slice(), &[("commitOffset", offset)]].concat();
    ask(request::UPDATE_CONSUMER_OFFSET, &fields)
}

async fn committed(client: &mut Wire) -> Option<String> {
    let reply = client
        .call(ask(request::QUERY_CONSUMER_OFFSET, &QUEUE))
        .await;
    assert_eq!(reply.code, 0, "{:?}", reply.remark);
    reply.fields.get("offset").map(|offset| offset.into_owned())
}

/// A folder whose broker has stopped: messages in queue 0, and how far `G` is with them.
async fn stopped_with(messages: usize, offset: &str) -> (tempfile::TempDir, u16) {
    let folder = tempfile::tempdir().expect("a folder");
    let running = broker::run(config(&folder)).await.expect("starts");
    let port = running.port();
    let mut client = Wire::open(([127, 0, 0, 1], port).into()).await;
    for _ in 0..messages {
        client.send(send(&message("T", ""), b"body")).await;
    }
    assert_eq!(client.call(commit(offset)).await.code, 0);
    running.stop().await;
    (folder, port)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_a_starting_broker_hears_what_was_committed() {
    let (folder, port) = stopped_with(100, "70").await;
    let addr: SocketAddr = ([127, 0, 0, 1], port).into();
    let runs = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&runs);
    let asking = tokio::spawn(async move {
        let mut answers = Vec::new();
        // Until it has been heard of a broker that says that it runs.
        while !done.load(Ordering::Acquire) || answers.is_empty() {
            match TcpStream::connect(addr).await {
                Ok(_) => answers.push(committed(&mut Wire::open(addr).await).await),
                Err(_) => tokio::task::yield_now().await,
            }
        }
        answers
    });
    let mut config = config(&folder);
    config.server.listen_port = port;
    let running = broker::run(config).await.expect("starts again");
    runs.store(true, Ordering::Release);
    let answers = asking.await.expect("asks");
    assert!(
        answers.iter().all(|answer| answer.as_deref() == Some("70")),
        "{answers:?}"
    );
    running.stop().await;
}

#[tokio::test]
async fn whose_next_message_the_log_has_lost_goes_on_at_its_end_and_not_at_its_begin() {
    // As after a power cut under ASYNC_FLUSH: three of a hundred messages are left.
    let (folder, _) = stopped_with(3, "100").await;
    let running = broker::run(config(&folder)).await.expect("starts again");
    let mut client = Wire::open(([127, 0, 0, 1], running.port()).into()).await;
    assert_eq!(committed(&mut client).await.as_deref(), Some("100"));
    let (code, header) = pulled(&client.call(pulling(&pull("T", "G", 100))).await);
    assert_eq!((code, header.next_begin_offset), (21, 3));
    client.send(send(&message("T", ""), b"new")).await;
    let reply = client.call(pulling(&pull("T", "G", 3))).await;
    assert_eq!(bodies(&reply), ["new"]);
    running.stop().await;
}
