//! The receiving side: connections that read queues, from the start again and again, or behind the senders as they go.

use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use remoting::HeaderForm;
use remoting::code::response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::measure::Measure;
use crate::reply::{Pulled, take_pulled, take_reply};
use crate::wire::{self, Template, now_ns};

/// How long a held pull waits for messages, as a Java consumer asks.
const SUSPEND_MS: u64 = 15_000;

/// Room for what one read may bring. All connections read into the same few pages again and again.
const READ_BYTES: usize = 32 * 1024;

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
                template: load.template(id),
                offset: 0,
                asked: Instant::now(),
            })
            .collect(),
        out: BytesMut::new(),
        reader,
        writer,
        input: BytesMut::with_capacity(2 * READ_BYTES),
        load,
    };
    if puller.load.follow {
        puller.go_to_ends().await?;
    }
    for slot in 0..puller.queues.len() {
        puller.ask(slot);
    }
    let mut over = pin!(tokio::time::sleep_until(until.into()));
    loop {
        puller.writer.write_all_buf(&mut puller.out).await?;
        if Instant::now() >= until {
            return Ok(measure);
        }
        puller.input.reserve(READ_BYTES);
        tokio::select! {
            read = puller.reader.read_buf(&mut puller.input) => if read? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            },
            () = &mut over => return Ok(measure),
        }
        puller.take_replies(&mut measure)?;
    }
}

impl PullLoad {
    fn template(&self, queue_id: u32) -> Template {
        let suspend_ms = if self.follow { SUSPEND_MS } else { 0 };
        let (topic, batch) = (&self.topic, self.batch);
        Template::pull(topic, "mqload", queue_id, batch, suspend_ms, self.form)
    }
}

struct Queue {
    template: Template,
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
        let (template, offset) = (&queue.template, queue.offset);
        template.write_pull(slot as u32, offset, &mut self.out);
    }

    fn take_replies(&mut self, measure: &mut Measure) -> io::Result<()> {
        let follow = self.load.follow;
        loop {
            let (now, now_ns) = (Instant::now(), if follow { now_ns() } else { 0 });
            let arrived = |stamp_ns: u64| {
                if follow {
                    let ago = Duration::from_nanos(now_ns.saturating_sub(stamp_ns));
                    measure.record(now - ago.min(Duration::from_secs(60)), now, 1);
                }
            };
            match take_pulled(&mut self.input, arrived).map_err(io::Error::other)? {
                Some(pulled) => self.take(&pulled, now, measure),
                None => return Ok(()),
            }
        }
    }

    fn take(&mut self, pulled: &Pulled, now: Instant, measure: &mut Measure) {
        let Some(slot) = pulled.outcome.slot else {
            return;
        };
        let Some(queue) = self.queues.get_mut(slot) else {
            return;
        };
        match pulled.outcome.code {
            response::SUCCESS => {
                queue.offset = pulled.next_begin.unwrap_or(queue.offset);
                if !self.load.follow {
                    measure.record(queue.asked, now, pulled.messages);
                }
            }
            response::PULL_NOT_FOUND if self.load.follow => {}
            response::PULL_NOT_FOUND
            | response::PULL_OFFSET_MOVED
            | response::PULL_RETRY_IMMEDIATELY => {
                queue.offset = if self.load.follow {
                    pulled.next_begin.unwrap_or(0)
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
        for queue in &mut self.queues {
            queue.template.write_pull(0, i64::MAX / 2, &mut self.out);
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
