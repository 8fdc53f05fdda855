//! The asking side: connections that keep sends, or route queries to a name server, in flight.

use std::io;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use remoting::HeaderForm;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::measure::Measure;
use crate::reply::take_outcome;
use crate::ticks::Ticks;
use crate::wire::{self, Message, Template, now_ns};

/// So many connections have a timer each; a descriptor more for each of thousands may be too many.
const MOST_TIMERS: u32 = 256;

/// How a load of sends looks.
#[derive(Clone, Debug)]
pub(crate) struct SendLoad {
    /// `host:port` of the broker.
    pub(crate) addr: String,
    /// Connections.
    pub(crate) connections: u32,
    /// Requests in flight a connection; in the open loop the most there may be.
    pub(crate) in_flight: u32,
    /// Queues that the messages go to in turn.
    pub(crate) queues: u32,
    /// Topics that they go to in turn.
    pub(crate) topics: u32,
    /// Messages a second over all connections: the open loop. `None`: each reply brings the next request.
    pub(crate) rate: Option<f64>,
    /// What is asked.
    pub(crate) ask: Ask,
    /// The form of the headers.
    pub(crate) form: HeaderForm,
}

/// What a load asks for.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// A broker, to store messages.
    Send(Message),
    /// A name server, for the route of this topic.
    Route(String),
}

/// Puts one connection's share of the load on the broker until `until`, then waits for the replies that are due.
///
/// # Errors
/// The connection broke, or sent what is not a reply.
pub(crate) async fn run(
    load: SendLoad,
    connection: u32,
    mut measure: Measure,
    until: Instant,
) -> io::Result<Measure> {
    let stream = wire::connect(&load.addr).await?;
    let templates = match &load.ask {
        Ask::Send(message) => sends(&load, message),
        Ask::Route(topic) => vec![Template::route(topic, load.form)],
    };
    let mut sender = Sender {
        templates,
        due: vec![Instant::now(); load.in_flight as usize],
        free: (0..load.in_flight).rev().collect(),
        next_key: u64::from(connection) << 40 | now_ns() >> 24,
        out: BytesMut::with_capacity(1 << 16),
    };
    let pace = load
        .rate
        .map(|rate| Duration::from_secs_f64(f64::from(load.connections) / rate));
    let mut next_due = Instant::now();
    let ticks = match pace.filter(|_| load.connections <= MOST_TIMERS) {
        Some(pace) => Ticks::every(pace)?,
        None => None,
    };
    let mut input = BytesMut::with_capacity(1 << 16);
    let (mut reader, mut writer) = stream.into_split();
    loop {
        let now = Instant::now();
        let over = now >= until;
        match pace {
            None if !over => while sender.send(now) {},
            Some(pace) if !over => {
                while next_due <= now && sender.send(next_due) {
                    next_due += pace;
                }
            }
            _ => {}
        }
        if !sender.out.is_empty() {
            writer.write_all_buf(&mut sender.out).await?;
        }
        if over && sender.free.len() == sender.due.len() {
            return Ok(measure);
        }
        let wake = if over {
            now + Duration::from_secs(10)
        } else {
            pace.map_or(until, |_| next_due.max(now))
        };
        let ticks = ticks.as_ref().filter(|_| !over);
        tokio::select! {
            biased;
            read = reader.read_buf(&mut input) => if read? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            },
            waited = tick_or(ticks, wake), if wake > now || over => if over {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "replies are missing 10 s after the end"));
            } else {
                waited?;
            },
        }
        sender.take_replies(&mut input, &mut measure)?;
    }
}

/// The next tick, or without ticks the time `wake`.
async fn tick_or(ticks: Option<&Ticks>, wake: Instant) -> io::Result<()> {
    if let Some(ticks) = ticks {
        return ticks.next().await;
    }
    tokio::time::sleep_until(wake.into()).await;
    Ok(())
}

/// A template for each queue of each topic.
fn sends(load: &SendLoad, message: &Message) -> Vec<Template> {
    let mut templates = Vec::new();
    for topic in 0..load.topics {
        let mut message = message.clone();
        if load.topics > 1 {
            message.topic.push_str(&topic.to_string());
        }
        let queues = 0..load.queues;
        templates.extend(queues.map(|queue| Template::send(&message, queue, load.form)));
    }
    templates
}

struct Sender {
    templates: Vec<Template>,
    /// When the request of each slot was due.
    due: Vec<Instant>,
    free: Vec<u32>,
    next_key: u64,
    out: BytesMut,
}

impl Sender {
    /// Writes the next request, due at `due`; false when as many as allowed are in flight.
    fn send(&mut self, due: Instant) -> bool {
        let Some(slot) = self.free.pop() else {
            return false;
        };
        if let Some(place) = self.due.get_mut(slot as usize) {
            *place = due;
        }
        self.next_key += 1;
        let turn = (self.next_key % self.templates.len() as u64) as usize;
        if let Some(template) = self.templates.get(turn) {
            template.write(slot, self.next_key, now_ns(), &mut self.out);
        }
        true
    }

    fn take_replies(&mut self, input: &mut BytesMut, measure: &mut Measure) -> io::Result<()> {
        let now = Instant::now();
        while let Some(outcome) = take_outcome(input).map_err(io::Error::other)? {
            let known = outcome
                .slot
                .and_then(|slot| Some((slot, *self.due.get(slot)?)));
            let Some((slot, due)) = known else {
                continue;
            };
            self.free.push(slot as u32);
            match outcome.code {
                0 => measure.record(due, now, 1),
                code => measure.refuse(code),
            }
        }
        Ok(())
    }
}
