//! A plain client of one queue: sends numbered messages, and holds that all that was acknowledged can be read.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use compat_tests::trouble::{Doing, Trouble};
use remoting::Command;
use remoting::code::{request, response};
use remoting::frame::{self, FRAME_LIMIT_BYTES};
use remoting::header::pull::{PullReply, PullRequest};
use remoting::header::send::{SendReply, SendRequest};
use remoting::outbound::Outbound;
use store::Record;

const TOPIC: &str = "Disk";
pub(crate) const LARGE_BODY_BYTES: usize = 64 << 10;
pub(crate) const SMALL_BODY_BYTES: usize = 80;
const READABLE_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);

/// One connection to the broker, and how many messages it has stored there.
pub(crate) struct Client {
    stream: TcpStream,
    input: BytesMut,
    pub(crate) stored: usize,
}

/// How a send was answered.
pub(crate) struct Sent {
    pub(crate) code: i32,
    remark: String,
}

impl Sent {
    pub(crate) fn is(&self, code: i32, remark: impl Fn(&str) -> bool) -> Result<(), Trouble> {
        if self.code == code && remark(&self.remark) {
            return Ok(());
        }
        Err(Trouble(format!(
            "a send was answered {} {:?}",
            self.code, self.remark
        )))
    }
}

impl Client {
    pub(crate) fn connect(addr: &str) -> Result<Client, Trouble> {
        let stream = TcpStream::connect(addr).doing(|| format!("connect to {addr}"))?;
        let limit = Some(Duration::from_secs(30));
        let set = stream.set_read_timeout(limit);
        set.doing(|| "set a time-out".to_owned())?;
        Ok(Client {
            stream,
            input: BytesMut::new(),
            stored: 0,
        })
    }

    fn call(&mut self, request: Command) -> Result<Command, Trouble> {
        let mut out = Outbound::default();
        frame::encode(request, &mut out);
        let bytes = out.copy_to_bytes(out.remaining());
        let written = self.stream.write_all(&bytes);
        written.doing(|| "write a request".to_owned())?;
        let mut chunk = vec![0; 1 << 20];
        loop {
            let taken = frame::take_frame(&mut self.input, FRAME_LIMIT_BYTES);
            let bad = |error| Trouble(format!("the answer is no frame: {error:?}"));
            if let Some(bytes) = taken.map_err(bad)? {
                return frame::decode(bytes).map_err(bad);
            }
            match self
                .stream
                .read(&mut chunk)
                .doing(|| "wait for an answer".to_owned())?
            {
                0 => return Err(Trouble("the broker closed the connection".to_owned())),
                read => self
                    .input
                    .extend_from_slice(chunk.get(..read).unwrap_or_default()),
            }
        }
    }

    /// Sends the next message; it counts if it was acknowledged.
    pub(crate) fn send(&mut self, body_bytes: usize) -> Result<Sent, Trouble> {
        let header = SendRequest {
            producer_group: "P".into(),
            topic: TOPIC.into(),
            default_topic: "TBW102".into(),
            default_topic_queue_nums: 1,
            queue_id: 0,
            born_timestamp: 1_700_000_000_000,
            ..SendRequest::default()
        };
        let request = Command::request_with(request::SEND_MESSAGE_V2, &header);
        let reply = self.call(request.with_body(body(self.stored, body_bytes)))?;
        if reply.code == response::SUCCESS {
            let header: SendReply<'_> = reply
                .header()
                .map_err(|_| Trouble("a bad reply".to_owned()))?;
            if header.queue_offset != self.stored as i64 {
                return Err(Trouble(format!(
                    "message {} got offset {}",
                    self.stored, header.queue_offset
                )));
            }
            self.stored += 1;
        }
        Ok(Sent {
            code: reply.code,
            remark: reply.remark.unwrap_or_default(),
        })
    }

    pub(crate) fn send_ok(&mut self) -> Result<(), Trouble> {
        self.send(LARGE_BODY_BYTES)?.is(response::SUCCESS, |_| true)
    }

    /// Sends now and then until a send is answered as it should be.
    pub(crate) fn send_until(
        &mut self,
        limit: Duration,
        wanted: impl Fn(&Sent) -> bool,
    ) -> Result<Sent, Trouble> {
        let start = Instant::now();
        loop {
            let sent = self.send(SMALL_BODY_BYTES)?;
            if wanted(&sent) {
                return Ok(sent);
            }
            if start.elapsed() > limit {
                let Sent { code, remark } = sent;
                return Err(Trouble(format!(
                    "after {limit:?} a send is still answered {code} {remark:?}"
                )));
            }
            thread::sleep(POLL);
        }
    }

    /// All that was acknowledged is there, whole and in order.
    pub(crate) fn read_all(&mut self) -> Result<(), Trouble> {
        self.read_from(0)
    }

    fn read_from(&mut self, first: i64) -> Result<(), Trouble> {
        let start = Instant::now();
        let mut offset = first;
        while offset < self.stored as i64 {
            let reply = self.pull(offset)?;
            let header: Option<PullReply> = reply.header().ok();
            let (Some(header), response::SUCCESS) = (header, reply.code) else {
                // A message is readable soon after its send was answered, not before.
                if start.elapsed() < READABLE_LIMIT && reply.code == response::PULL_NOT_FOUND {
                    thread::sleep(POLL);
                    continue;
                }
                let (code, remark) = (reply.code, reply.remark);
                return Err(Trouble(format!(
                    "a pull at {offset} of {} was answered {code} {remark:?}",
                    self.stored
                )));
            };
            check(&reply.body.into_bytes(), offset)?;
            offset = header.next_begin_offset;
        }
        Ok(())
    }

    /// The queue begins at `first`: who asks for less is told so, and all from there on can be read.
    pub(crate) fn holds_from(&mut self, first: usize) -> Result<(), Trouble> {
        let first = first as i64;
        if first > 0 {
            let reply = self.pull(first - 1)?;
            let header: Option<PullReply> = reply.header().ok();
            let places = header.map(|header| (header.next_begin_offset, header.min_offset));
            if (reply.code, places) != (response::PULL_OFFSET_MOVED, Some((first, first))) {
                let code = reply.code;
                return Err(Trouble(format!(
                    "a pull in front of {first} was answered {code} {places:?}"
                )));
            }
        }
        self.read_from(first)
    }

    fn pull(&mut self, offset: i64) -> Result<Command, Trouble> {
        let header = PullRequest {
            consumer_group: "G".into(),
            topic: TOPIC.into(),
            queue_offset: offset,
            max_msg_nums: 32,
            sys_flag: 4, // the subscription comes along
            subscription: Some("*".into()),
            ..PullRequest::default()
        };
        self.call(Command::request_with(request::PULL_MESSAGE, &header))
    }
}

/// The body of message `n`: its number over and over.
fn body(n: usize, bytes: usize) -> Vec<u8> {
    format!("{n:07} ").repeat(bytes / 8).into_bytes()
}

/// Whether these are the messages from number `n` on.
fn check(mut records: &[u8], mut n: i64) -> Result<(), Trouble> {
    while !records.is_empty() {
        let bad = |why| Trouble(format!("message {n}: {why}"));
        let record = Record::decode(records).map_err(|error| bad(error.to_string()))?;
        record
            .check_body()
            .map_err(|error| bad(error.to_string()))?;
        if record.queue_offset != n || record.body != body(n as usize, record.body.len()) {
            return Err(bad("it is another one".to_owned()));
        }
        records = records
            .get(record.record_bytes as usize..)
            .unwrap_or_default();
        n += 1;
    }
    Ok(())
}
