//! Clients, groups and topics that come, work and go, round after round.
//!
//! Every name is new. Most clients leave without a word, with a pull that waits and, half of them, with a lock; what they
//! made is deleted as `mqadmin deleteTopic` and `deleteSubGroup` do it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use compat_tests::trouble::{Doing, Trouble};
use remoting::code::request;
use remoting::frame::{self, FRAME_LIMIT_BYTES};
use remoting::outbound::Outbound;
use remoting::{Command, ExtFields};
use serde_json::json;

const CLIENTS: u64 = 20;
const GROUPS: u64 = 4;
const PAUSE: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(30);

/// What came and went.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) connections: u64,
    pub(crate) groups: u64,
    pub(crate) topics: u64,
}

pub(crate) struct Churn<'a> {
    broker: &'a str,
    namesrv: &'a str,
    done: Done,
}

impl<'a> Churn<'a> {
    pub(crate) fn new(broker: &'a str, namesrv: &'a str) -> Churn<'a> {
        Churn {
            broker,
            namesrv,
            done: Done::default(),
        }
    }

    /// Goes on until it is over.
    ///
    /// # Errors
    /// A server refuses something, or does not answer.
    pub(crate) fn run(mut self, over: &AtomicBool) -> Result<Done, Trouble> {
        let mut round = 0;
        while !over.load(Ordering::Relaxed) {
            self.round(round)?;
            round += 1;
            thread::sleep(PAUSE);
        }
        Ok(self.done)
    }

    fn round(&mut self, round: u64) -> Result<(), Trouble> {
        let topic = format!("Soak-{round}");
        let group = |at: u64| format!("SoakGroup-{round}-{}", at % GROUPS);
        let mut clients = Vec::new();
        for at in 0..CLIENTS {
            let mut client = Wire::open(self.broker)?;
            client.live(&topic, &group(at), &format!("127.0.0.1@{round}-{at}"), at)?;
            clients.push(client);
        }
        let mut routes = Wire::open(self.namesrv)?;
        let route = ask(request::GET_ROUTEINFO_BY_TOPIC, &[("topic", &topic)]);
        routes.call(&route)?; // the broker may not have registered it yet
        drop(clients);
        let mut tool = Wire::open(self.broker)?;
        let retry_topics = (0..GROUPS).map(|at| format!("%RETRY%{}", group(at)));
        for topic in retry_topics.chain([topic.clone()]) {
            let delete = |code| ask(code, &[("topic", &topic)]);
            tool.done(&delete(request::DELETE_TOPIC_IN_BROKER))?;
            routes.done(&delete(request::DELETE_TOPIC_IN_NAMESRV))?;
        }
        for at in 0..GROUPS {
            let group = group(at);
            let delete = ask(request::DELETE_SUBSCRIPTIONGROUP, &[("groupName", &group)]);
            tool.done(&delete)?;
        }
        self.done.connections += CLIENTS + 2;
        self.done.groups += GROUPS;
        self.done.topics += 1 + GROUPS;
        Ok(())
    }
}

fn ask(code: i32, fields: &[(&str, &str)]) -> Command {
    let fields: ExtFields = fields.iter().copied().collect();
    Command {
        fields,
        ..Command::request(code)
    }
}

/// One connection.
struct Wire {
    stream: TcpStream,
    input: BytesMut,
}

impl Wire {
    fn open(addr: &str) -> Result<Wire, Trouble> {
        let connect = || {
            let stream = TcpStream::connect(addr)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        Ok(Wire {
            stream: connect().doing(|| format!("connect to {addr}"))?,
            input: BytesMut::new(),
        })
    }

    /// Does what a client does, and is left waiting for a message.
    fn live(&mut self, topic: &str, group: &str, id: &str, at: u64) -> Result<(), Trouble> {
        let heartbeat = json!({
            "clientID": id,
            "producerDataSet": [{"groupName": format!("P{id}")}],
            "consumerDataSet": [{
                "groupName": group,
                "consumeType": "CONSUME_PASSIVELY",
                "messageModel": "CLUSTERING",
                "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET",
                "subscriptionDataSet": [
                    {"topic": topic, "subString": "*", "expressionType": "TAG", "subVersion": 1},
                    {"topic": "SoakFiltered", "subString": "a > 1", "expressionType": "SQL92", "subVersion": 1}
                ]
            }]
        });
        self.done(&with_json(request::HEART_BEAT, &heartbeat))?;
        let (group_field, topic_field) = (("consumerGroup", group), ("topic", topic));
        let send = [
            ("a", "P"),
            ("b", topic),
            ("c", "TBW102"),
            ("d", "1"),
            ("e", "0"),
            ("f", "0"),
            ("g", "1"),
            ("h", "0"),
            ("i", ""),
            ("j", "0"),
        ];
        let send = ask(request::SEND_MESSAGE_V2, &send).with_body(vec![b'x'; 100]);
        self.done(&send)?;
        let queue = ("queueId", "0");
        let commit = [group_field, topic_field, queue, ("commitOffset", "1")];
        self.done(&ask(request::UPDATE_CONSUMER_OFFSET, &commit))?;
        if at.is_multiple_of(2) {
            let queues = json!([{"brokerName": "broker-a", "queueId": at, "topic": topic}]);
            let lock = json!({"clientId": id, "consumerGroup": group, "mqSet": queues});
            self.done(&with_json(request::LOCK_BATCH_MQ, &lock))?;
        }
        let pull = [
            group_field,
            ("topic", "SoakFiltered"),
            queue,
            ("queueOffset", "0"),
            ("maxMsgNums", "32"),
            ("sysFlag", "2"),
            ("commitOffset", "0"),
            ("suspendTimeoutMillis", "15000"),
            ("subVersion", "1"),
        ];
        self.write(&ask(request::PULL_MESSAGE, &pull)).map(drop)
    }

    /// Asks, and wants it done.
    fn done(&mut self, request: &Command) -> Result<(), Trouble> {
        let reply = self.call(request)?;
        if reply.code == 0 {
            return Ok(());
        }
        let (code, why) = (reply.code, reply.remark.unwrap_or_default());
        Err(Trouble(format!(
            "request {} was refused: {code}, {why}",
            request.code
        )))
    }

    fn call(&mut self, request: &Command) -> Result<Command, Trouble> {
        let opaque = self.write(request)?;
        loop {
            let no_command = |error| Trouble(format!("the server sent no command: {error:?}"));
            let frame =
                frame::take_frame(&mut self.input, FRAME_LIMIT_BYTES).map_err(no_command)?;
            if let Some(frame) = frame {
                let command = frame::decode(frame).map_err(no_command)?;
                if command.is_response() && command.opaque == opaque {
                    return Ok(command);
                }
                continue;
            }
            let mut bytes = [0; 4096];
            let read = self.stream.read(&mut bytes);
            let read = read.doing(|| format!("wait for the answer to {}", request.code))?;
            if read == 0 {
                return Err(Trouble("the server closed the connection".to_owned()));
            }
            self.input
                .extend_from_slice(bytes.get(..read).unwrap_or_default());
        }
    }

    fn write(&mut self, request: &Command) -> Result<i32, Trouble> {
        let mut out = Outbound::default();
        frame::encode(request.clone(), &mut out);
        let bytes = out.copy_to_bytes(out.remaining());
        let written = self.stream.write_all(&bytes);
        written.doing(|| format!("send {}", request.code))?;
        Ok(request.opaque)
    }
}

fn with_json(code: i32, body: &serde_json::Value) -> Command {
    Command::request(code).with_body(body.to_string().into_bytes())
}
