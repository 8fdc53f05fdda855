//! A broker over a fresh store, and clients that talk to it as bytes on a socket.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test file uses another part of it"
)]

pub mod transactions;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use broker::{BrokerConfig, Running};
use bytes::{Buf, Bytes, BytesMut};
use remoting::body::heartbeat::{
    ConsumerData, HeartbeatData, MessageModel, ProducerData, SubscriptionData,
};
use remoting::code::request;
use remoting::frame::{self, FRAME_LIMIT_BYTES};
use remoting::header::pull::{PullReply, PullRequest};
use remoting::header::send::{SendReply, SendRequest};
use remoting::java::json;
use remoting::outbound::Outbound;
use remoting::{Command, ExtFields};
use store::{Record, StoreConfig, java_hash};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than anything here may take, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A broker of Java's defaults on a free port, its store small and in `folder`.
pub fn config(folder: &tempfile::TempDir) -> BrokerConfig {
    let mut config = BrokerConfig {
        broker_ip1: Some("127.0.0.1".to_owned()),
        broker_name: "broker-a".to_owned(),
        store: StoreConfig {
            commit_log_file_bytes: 8 << 20,
            index_slots: 1_000,
            index_entries: 4_000,
            ..StoreConfig::at(folder.path())
        },
        ..BrokerConfig::default()
    };
    config.server.listen_port = 0;
    config.wait_in_send_queue = PATIENCE; // a slow machine is no reason to refuse a send
    config
}

/// A running broker and the folder it lives in.
pub struct Fixture {
    pub running: Running,
    pub folder: tempfile::TempDir,
}

impl Fixture {
    pub async fn new() -> Fixture {
        Fixture::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut BrokerConfig)) -> Fixture {
        let folder = tempfile::tempdir().expect("a folder");
        let mut config = config(&folder);
        change(&mut config);
        Fixture {
            running: broker::run(config).await.expect("starts"),
            folder,
        }
    }

    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.running.port()))
    }

    pub async fn client(&self) -> Wire {
        Wire::open(self.addr()).await
    }

    /// Waits until queue 0 of a topic has so many messages that can be read: a message is readable soon after its send
    /// was answered, not before.
    pub async fn readable(&self, topic: &str, messages: i64) {
        until(|| self.running.broker().queue_end(topic, 0) >= messages).await;
    }
}

/// Waits until something holds.
pub async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("in time");
}

/// One connection.
pub struct Wire {
    stream: TcpStream,
    input: BytesMut,
    /// What the broker asked while an answer was awaited, the oldest first.
    asked: VecDeque<Command>,
}

impl Wire {
    pub async fn open(addr: SocketAddr) -> Wire {
        let stream = TcpStream::connect(addr).await.expect("connects");
        Wire {
            stream,
            input: BytesMut::new(),
            asked: VecDeque::new(),
        }
    }

    /// Writes a request. Its opaque.
    pub async fn write(&mut self, request: Command) -> i32 {
        self.try_write(request).await.expect("written")
    }

    /// Writes a request. Its opaque; `None` when the broker has closed.
    pub async fn try_write(&mut self, request: Command) -> Option<i32> {
        let opaque = request.opaque;
        let mut out = Outbound::default();
        frame::encode(request, &mut out);
        let bytes = out.copy_to_bytes(out.remaining());
        self.stream.write_all(&bytes).await.ok().map(|()| opaque)
    }

    /// Writes requests at once: they come together.
    pub async fn write_together(&mut self, requests: impl IntoIterator<Item = Command>) {
        let mut out = Outbound::default();
        for request in requests {
            frame::encode(request, &mut out);
        }
        let bytes = out.copy_to_bytes(out.remaining());
        self.write_bytes(&bytes).await;
    }

    pub async fn write_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("written");
    }

    /// The next command that comes; `None` when the broker has closed.
    pub async fn read(&mut self) -> Option<Command> {
        let reading = async {
            loop {
                if let Some(bytes) =
                    frame::take_frame(&mut self.input, FRAME_LIMIT_BYTES).expect("a frame")
                {
                    return Some(frame::decode(bytes).expect("a command"));
                }
                if self.stream.read_buf(&mut self.input).await.ok()? == 0 {
                    return None;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("an answer in time")
    }

    /// The answer to a request; other answers that come before it are dropped.
    pub async fn call(&mut self, request: Command) -> Command {
        let opaque = self.write(request).await;
        loop {
            let command = self.read().await.expect("still connected");
            if !command.is_response() {
                self.asked.push_back(command);
            } else if command.opaque == opaque {
                return command;
            }
        }
    }

    /// The next request of this code that the broker has for its client, also if it came before an answer.
    pub async fn asked(&mut self, code: i32) -> Command {
        loop {
            let command = match self.asked.pop_front() {
                Some(command) => command,
                None => self.read().await.expect("still connected"),
            };
            if command.code == code && !command.is_response() {
                return command;
            }
        }
    }

    /// Sends and wants it stored. What the reply's header says.
    pub async fn send(&mut self, request: Command) -> SendReply<'static> {
        let reply = self.call(request).await;
        assert_eq!(reply.code, 0, "{:?}", reply.remark);
        stored(&reply)
    }
}

/// The header of a send's reply.
pub fn stored(reply: &Command) -> SendReply<'static> {
    let header: SendReply<'_> = reply.header().expect("a whole header");
    SendReply {
        msg_id: header.msg_id.into_owned().into(),
        transaction_id: header.transaction_id.map(|id| id.into_owned().into()),
        msg_region: header.msg_region.map(|region| region.into_owned().into()),
        ..SendReply {
            queue_id: header.queue_id,
            queue_offset: header.queue_offset,
            trace_on: header.trace_on,
            ..SendReply::default()
        }
    }
}

/// A plain message.
pub fn message<'a>(topic: &'a str, properties: &'a str) -> SendRequest<'a> {
    SendRequest {
        producer_group: "P".into(),
        topic: topic.into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id: 0,
        born_timestamp: 1_700_000_000_000,
        properties: properties.into(),
        ..SendRequest::default()
    }
}

pub fn send(header: &SendRequest<'_>, body: &[u8]) -> Command {
    Command::request_with(request::SEND_MESSAGE_V2, header).with_body(body.to_vec())
}

/// A pull of queue 0 that wants everything, says so itself, and waits for it: an hour, so that an answer within a test's
/// time came because something happened.
pub fn pull<'a>(topic: &'a str, group: &'a str, offset: i64) -> PullRequest<'a> {
    PullRequest {
        consumer_group: group.into(),
        topic: topic.into(),
        queue_offset: offset,
        max_msg_nums: 32,
        sys_flag: SUBSCRIPTION | SUSPEND,
        suspend_timeout_millis: 3_600_000,
        subscription: Some("*".into()),
        ..PullRequest::default()
    }
}

/// The same pull, answered at once.
pub fn at_once(mut pull: PullRequest<'_>) -> PullRequest<'_> {
    pull.sys_flag &= !SUSPEND;
    pull
}

pub const COMMIT: i32 = 1;
pub const SUSPEND: i32 = 2;
pub const SUBSCRIPTION: i32 = 4;

pub fn pulling(header: &PullRequest<'_>) -> Command {
    Command::request_with(request::PULL_MESSAGE, header)
}

/// Code and header of a pull's reply.
pub fn pulled(reply: &Command) -> (i32, PullReply) {
    (reply.code, reply.header().expect("all four fields"))
}

/// The bodies of the records in a reply.
pub fn bodies(reply: &Command) -> Vec<String> {
    records(reply, |record| {
        String::from_utf8_lossy(record.body).into_owned()
    })
}

/// Something of every record in a reply.
pub fn records<T>(reply: &Command, of: impl Fn(Record<'_>) -> T) -> Vec<T> {
    let mut bytes: Bytes = reply.body.clone().into_bytes();
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let record = Record::decode(&bytes).expect("a whole record");
        let length = record.record_bytes as usize;
        found.push(of(record));
        bytes = bytes.split_off(length);
    }
    found
}

/// A request with fields given as text.
pub fn ask(code: i32, fields: &[(&str, &str)]) -> Command {
    let fields: ExtFields = fields.iter().copied().collect();
    Command {
        fields,
        ..Command::request(code)
    }
}

/// A heartbeat of a client in one consumer group.
pub fn heartbeat(client_id: &str, group: &str, subscriptions: Vec<SubscriptionData>) -> Command {
    let consumer = ConsumerData {
        group_name: group.to_owned(),
        message_model: MessageModel::Clustering,
        subscription_data_set: subscriptions,
        ..ConsumerData::default()
    };
    let data = HeartbeatData {
        client_id: client_id.to_owned(),
        consumer_data_set: vec![consumer],
        producer_data_set: vec![ProducerData {
            group_name: "CLIENT_INNER_PRODUCER".to_owned(),
        }],
    };
    Command::request(request::HEART_BEAT).with_body(json::write(&data))
}

/// A subscription to tags, as a Java client builds it.
pub fn subscription(topic: &str, tags: &[&str], version: i64) -> SubscriptionData {
    SubscriptionData {
        topic: topic.to_owned(),
        sub_string: if tags.is_empty() {
            "*".to_owned()
        } else {
            tags.join("||")
        },
        tags_set: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        code_set: tags.iter().map(|tag| java_hash(tag.as_bytes())).collect(),
        sub_version: version,
        ..SubscriptionData::default()
    }
}
