//! One kind of servers: a cluster, a connection to its broker, and its answers as text.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use compat_tests::cluster::{Cluster, Mode, Spec};
use compat_tests::logs;
use compat_tests::servers::Servers;
use remoting::Command;
use remoting::code::request;
use remoting::frame::{self, FRAME_LIMIT_BYTES};
use remoting::outbound::Outbound;
use store::Record;

use crate::case::Case;
use crate::log::LogTail;

/// A server that has not answered after so long does not answer: none of these requests waits for anything.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);
/// What is done in the background, as Java does the making of a topic, is done after so long.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);
/// Fields whose values are the server's own.
const OWN_FIELDS: &[&str] = &[
    "msgId",
    "queueOffset",
    "transactionId",
    "timestamp",
    "indexLastUpdateTimestamp",
    "indexLastUpdatePhyoffset",
];

/// One broker and a connection to it.
pub(crate) struct Server {
    cluster: Cluster,
    /// Whom it asks.
    addr: String,
    connection: Option<Connection>,
    facts: Vec<(&'static str, String)>,
}

/// One connection, on which one request after the other is answered.
pub(crate) struct Connection {
    stream: TcpStream,
    input: BytesMut,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A reply.
    Reply(Box<Command>),
    /// Nothing.
    Silence,
    /// The end of the connection.
    Closed,
}

impl Server {
    pub(crate) fn start(
        servers: Servers,
        name: &str,
        keys: &'static [(&'static str, &'static str)],
    ) -> Server {
        servers.prepare().expect("binaries");
        let logs = logs::fresh_folder(&format!("same_answers_{name}_{servers}")).expect("a folder");
        let spec = Spec {
            servers,
            namesrvs: 1,
            mode: Mode::Test(keys),
        };
        let cluster = Cluster::start(spec, &logs).expect("starts");
        Server {
            addr: cluster.broker_addr(),
            cluster,
            connection: None,
            facts: vec![("long", "x".repeat(300))],
        }
    }

    /// Its broker's log, from its end on.
    pub(crate) fn log(&self) -> LogTail {
        LogTail::new(self.cluster.store().join("commitlog"))
    }

    /// A further connection.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(&self.addr)
    }

    /// From now on the name server is asked, not the broker.
    pub(crate) fn ask_namesrv(&mut self) {
        self.connection = None;
        self.addr = self.cluster.namesrv_addr();
    }

    /// Stops the broker, removes the first file of its log, and starts it again.
    pub(crate) fn lose_first_log_file(&mut self) {
        self.connection = None;
        self.cluster.stop_broker().expect("stops");
        let log = self.cluster.store().join("commitlog");
        fs::remove_file(log.join(format!("{:020}", 0))).expect("the first file");
        self.cluster.start_broker().expect("starts");
    }

    /// Where a message was stored is `{place}` from now on, a byte within it `{inside}`, its id `{id}`.
    pub(crate) fn learn_place(&mut self, reply: &Command) {
        let id = reply.fields.get("msgId").expect("an id").into_owned();
        let place = id.get(id.len() - 16..).expect("16 digits");
        let place = i64::from_str_radix(place, 16).expect("hexadecimal");
        self.learn("place", place.to_string());
        self.learn("inside", (place + 3).to_string());
        self.learn("id", id);
    }

    /// Keeps what `{name}` in fields stands for.
    fn learn(&mut self, name: &'static str, value: String) {
        self.facts.push((name, value));
    }

    /// Sends a case on the one connection, which is opened anew where it was closed.
    pub(crate) fn ask(&mut self, case: &Case) -> Answer {
        let facts = &self.facts;
        let command = case.command(|value| {
            let mut value = value.to_owned();
            for (name, fact) in facts {
                value = value.replace(&format!("{{{name}}}"), fact);
            }
            value
        });
        self.call(command)
    }

    /// A reply that must come, with code 0.
    pub(crate) fn sure(&mut self, case: &Case) -> Command {
        match self.ask(case) {
            Answer::Reply(reply) if reply.code == 0 => *reply,
            other => panic!("{}: {other:?}", case.name),
        }
    }

    /// Asks until it is answered with code 0, and so that `holds`.
    pub(crate) fn settled(&mut self, case: &Case, holds: impl Fn(&Command) -> bool) -> Command {
        let end = Instant::now() + SETTLE_LIMIT;
        loop {
            let answer = self.ask(case);
            if let Answer::Reply(reply) = &answer
                && reply.code == 0
                && holds(reply)
            {
                return (**reply).clone();
            }
            assert!(Instant::now() < end, "{}: {answer:?}", case.name);
            thread::sleep(Duration::from_millis(10)); // between two looks
        }
    }

    /// Where a queue ends.
    pub(crate) fn max_offset(&mut self, topic: &str, queue_id: u32) -> i64 {
        let queue = queue_id.to_string();
        let fields = [("topic", topic), ("queueId", &*queue)];
        let reply = self.sure(&Case::new("max offset", request::GET_MAX_OFFSET, &fields));
        let offset = reply.fields.get("offset").expect("an offset");
        offset.parse().expect("a number")
    }

    fn call(&mut self, command: Command) -> Answer {
        let connection = self
            .connection
            .get_or_insert_with(|| Connection::open(&self.addr));
        let answer = connection.call(command);
        if matches!(answer, Answer::Closed) {
            self.connection = None;
        }
        answer
    }
}

impl Connection {
    fn open(addr: &str) -> Connection {
        let stream = TcpStream::connect(addr).expect("connects");
        stream.set_nodelay(true).expect("no delay");
        Connection {
            stream,
            input: BytesMut::new(),
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn call(&mut self, command: Command) -> Answer {
        let opaque = command.opaque;
        let mut out = Outbound::default();
        frame::encode(command, &mut out);
        let bytes = out.copy_to_bytes(out.remaining());
        if self.stream.write_all(&bytes).is_err() {
            return Answer::Closed;
        }
        self.read(|reply| reply.is_response() && reply.opaque == opaque)
    }

    /// Waits for what the server asks of its client under `code`.
    pub(crate) fn asked(&mut self, code: i32) -> Answer {
        self.read(|request| !request.is_response() && request.code == code)
    }

    fn read(&mut self, wanted: impl Fn(&Command) -> bool) -> Answer {
        let end = Instant::now() + ANSWER_LIMIT;
        let mut some = [0; 1 << 16];
        loop {
            if let Some(frame) =
                frame::take_frame(&mut self.input, FRAME_LIMIT_BYTES).expect("a frame")
            {
                let command = frame::decode(frame).expect("a command");
                if wanted(&command) {
                    return Answer::Reply(Box::new(command));
                }
                continue;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Answer::Silence;
            }
            self.stream
                .set_read_timeout(Some(left))
                .expect("a time-out");
            match self.stream.read(&mut some) {
                Ok(0) => return Answer::Closed,
                Ok(bytes) => self
                    .input
                    .extend_from_slice(some.get(..bytes).unwrap_or(&[])),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return Answer::Closed,
            }
        }
    }
}

impl Answer {
    /// The code of a reply.
    pub(crate) fn code(&self) -> Option<i32> {
        match self {
            Answer::Reply(reply) => Some(reply.code),
            _ => None,
        }
    }

    /// Everything of it that two servers can have in common, on a line.
    pub(crate) fn text(&self) -> String {
        let reply = match self {
            Answer::Reply(reply) => reply,
            Answer::Silence => return "no answer".to_owned(),
            Answer::Closed => return "the connection is closed".to_owned(),
        };
        let mut fields: Vec<String> = reply
            .fields
            .iter()
            .map(|(name, value)| match OWN_FIELDS.contains(&&*name) {
                true => format!("{name}=…"),
                false => format!("{name}={value}"),
            })
            .filter(|field| !ours_alone(field, reply.code))
            .collect();
        fields.sort();
        format!(
            "code={} remark={} [{}] {}",
            reply.code,
            reply.remark.as_deref().map_or_else(String::new, comparable),
            fields.join(" "),
            body(&reply.body.clone().into_bytes())
        )
    }
}

/// Fields of sends that one side has and the other has not; see COMPATIBILITY.md, 10.
fn ours_alone(field: &str, code: i32) -> bool {
    let of_refusals = ["MSG_REGION=", "TRACE_ON="];
    field.starts_with("transactionId=")
        || (code != 0 && of_refusals.iter().any(|name| field.starts_with(name)))
}

/// A remark without the port of this connection, and without the stack frame that Java puts behind an exception.
fn comparable(remark: &str) -> String {
    let is_frame = |text: &str| text.ends_with(')') && text.contains(".java:");
    let words = match remark.rsplit_once(", ") {
        Some((words, frame)) if is_frame(frame) => words,
        _ => remark,
    };
    let mut parts = words.split("127.0.0.1:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("ADDR");
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    text
}

/// Whether a text of an answer is one of Java's exceptions, whose words nobody can match: the code counts.
pub(crate) fn is_exception(text: &str) -> bool {
    text.split_once("remark=").is_some_and(|(_, remark)| {
        let class = remark.split([':', ' ', ',']).next().unwrap_or_default();
        class.contains('.') && (class.ends_with("Exception") || class.ends_with("Error"))
    })
}

/// Whether a text of an answer is our refusal of a header: a field that must be there is not, or is no number. Java goes on
/// with a null, and mostly falls over it later, with the same code; see COMPATIBILITY.md.
pub(crate) fn is_header_refused(text: &str) -> bool {
    text.starts_with("code=1 remark=the custom field <")
}

/// Records by topic, queue, place and content; other bodies by their words in alphabetical order, since Java's maps have
/// no order.
fn body(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let (mut records, mut rest) = (Vec::new(), bytes);
    while let Ok(record) = Record::decode(rest) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        records.push(format!(
            "{}/{}/{} {}",
            text(record.topic),
            record.queue_id,
            record.queue_offset,
            text(record.body.get(..20.min(record.body.len())).unwrap_or(&[]))
        ));
        rest = rest.get(record.record_bytes as usize..).unwrap_or(&[]);
    }
    if rest.is_empty() {
        return records.join(", ");
    }
    let text = String::from_utf8_lossy(bytes);
    let words = text.split(['{', '}', '[', ']', ',', '"']);
    let mut words: Vec<&str> = words.filter(|word| !word.is_empty()).map(untimed).collect();
    words.sort_unstable();
    words.join(" ")
}

/// A time in milliseconds is the server's own.
fn untimed(word: &str) -> &str {
    const DIGITS: usize = 13;
    let digits = word.trim_start_matches(':');
    let is_time = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_time { "TIME" } else { word }
}
