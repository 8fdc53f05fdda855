//! The receiving side: connections that read queues, from the start again and again, or behind the senders as they go.

use std::io;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use remoting::code::response;
use remoting::{Command, HeaderForm};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::measure::Measure;
use crate::wire::{self, Template, now_ns, records, take_reply};

/// How long a held pull waits for messages, as a Java consumer asks.
const SUSPEND_MS: u64 = 15_000;

/// How a load of pulls looks.
#[derive(Clone, Debug)]
pub(crate) struct PullLoad {
    /// `host:port` of the broker.
    pub(crate) addr: String,
    /// Topic; its queues are shared among the connections.
    pub(crate) topic: String,
    /// Queues of the topic.
    pub(crate) queues: u32,
    /// Connections.
    pub(crate) connections: u32,
    /// Messages a request.
    pub(crate) batch: u32,
    /// Follow the senders with held pulls, and measure from the send to the arrival; otherwise read from offset 0 to the
    /// end, over and over, and measure each request.
    pub(crate) follow: bool,
    /// The form of the headers.
    pub(crate) form: HeaderForm,
}

/// Reads one connection's share of the queues until `until`, one request in flight a queue.
///
/// # Errors
/// The connection broke, or sent what is not a reply.
pub(crate) async fn run(
    load: PullLoad,
    connection: u32,
    mut measure: Measure,
    until: Instant,
) -> io::Result<Measure> {
    let stream = wire::connect(&load.addr).await?;
    let (reader, writer) = stream.into_split();
    let mine = (0..load.queues).filter(|queue| queue % load.connections == connection);
    let mut puller = Puller {
        queues: mine
            .map(|id| Queue {
                id,
                offset: 0,
                asked: Instant::now(),
            })
            .collect(),
        out: BytesMut::new(),
        reader,
        writer,
        input: BytesMut::with_capacity(1 << 18),
        load,
    };
    if puller.load.follow {
        puller.go_to_ends().await?;
    }
    for slot in 0..puller.queues.len() {
        puller.ask(slot);
    }
    loop {
        puller.writer.write_all_buf(&mut puller.out).await?;
        let now = Instant::now();
        if now >= until {
            return Ok(measure);
        }
        tokio::select! {
            read = puller.reader.read_buf(&mut puller.input) => if read? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            },
            () = tokio::time::sleep_until(until.into()) => return Ok(measure),
        }
        while let Some(reply) = take_reply(&mut puller.input).map_err(io::Error::other)? {
            puller.take(reply, &mut measure);
        }
    }
}

struct Queue {
    id: u32,
    offset: i64,
    asked: Instant,
}

struct Puller {
    load: PullLoad,
    queues: Vec<Queue>,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    input: BytesMut,
    out: BytesMut,
}

impl Puller {
    fn ask(&mut self, slot: usize) {
        let Some(queue) = self.queues.get_mut(slot) else {
            return;
        };
        queue.asked = Instant::now();
        let suspend_ms = if self.load.follow { SUSPEND_MS } else { 0 };
        let (topic, batch, form) = (&self.load.topic, self.load.batch, self.load.form);
        let template = Template::pull(
            topic,
            "mqload",
            queue.id,
            queue.offset,
            batch,
            suspend_ms,
            form,
        );
        template.write(slot as u32, 0, 0, &mut self.out);
    }

    fn take(&mut self, reply: Command, measure: &mut Measure) {
        let now = Instant::now();
        let next: Option<i64> = reply
            .fields
            .get("nextBeginOffset")
            .and_then(|text| text.parse().ok());
        let Some(slot) = crate::wire::slot_of(&reply) else {
            return;
        };
        let Some(queue) = self.queues.get_mut(slot) else {
            return;
        };
        match reply.code {
            response::SUCCESS => {
                let asked = queue.asked;
                queue.offset = next.unwrap_or(queue.offset);
                let body = reply.body.into_bytes();
                if self.load.follow {
                    let now_ns = now_ns();
                    records(body, |stamp_ns| {
                        let sent = now
                            - Duration::from_nanos(now_ns.saturating_sub(stamp_ns))
                                .min(Duration::from_secs(60));
                        measure.record(sent, now, 1);
                    });
                } else {
                    measure.record(asked, now, records(body, |_| {}));
                }
            }
            response::PULL_NOT_FOUND if self.load.follow => {}
            response::PULL_NOT_FOUND
            | response::PULL_OFFSET_MOVED
            | response::PULL_RETRY_IMMEDIATELY => {
                queue.offset = if self.load.follow {
                    next.unwrap_or(0)
                } else {
                    0
                };
            }
            code => measure.refuse(code),
        }
        self.ask(slot);
    }

    /// Asks for far too large an offset once a queue: the reply names the end.
    async fn go_to_ends(&mut self) -> io::Result<()> {
        let (topic, form) = (self.load.topic.clone(), self.load.form);
        for queue in &mut self.queues {
            let template = Template::pull(&topic, "mqload", queue.id, i64::MAX / 2, 1, 0, form);
            template.write(0, 0, 0, &mut self.out);
            self.writer.write_all_buf(&mut self.out).await?;
            let reply = loop {
                if let Some(reply) = take_reply(&mut self.input).map_err(io::Error::other)? {
                    break reply;
                }
                if self.reader.read_buf(&mut self.input).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            };
            queue.offset = reply
                .fields
                .get("maxOffset")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
        }
        Ok(())
    }
}
