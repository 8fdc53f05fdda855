//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use remoting::HeaderForm;

use crate::pull::PullLoad;
use crate::send::{Ask, SendLoad};
use crate::wire::Message;

/// Each has a place of its own in memory.
const MOST_IN_FLIGHT: i64 = 1_000_000;
/// No frame is longer.
const MOST_BYTES: i64 = 16 * 1024 * 1024;
/// Ten years, in seconds: nothing of a clock overflows.
const MOST: f64 = 3e8;

/// Puts a measured load on a RocketMQ broker, and shows what it costs.
#[derive(Debug, Parser)]
#[command(name = "mqload", version)]
pub(crate) struct Options {
    /// Threads of the load itself.
    #[arg(long, default_value_t = 1, global = true, value_parser = value_parser!(u16).range(1..))]
    pub(crate) threads: u16,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send messages: as fast as replies come, or at a rate.
    Send(Load),
    /// Read the topic from the start to the end, over and over.
    Pull(Load),
    /// Follow what others send with held pulls, as push consumers do; the latency is that from send to arrival.
    Follow(Load),
    /// Send, and follow with held pulls.
    Both(Load),
    /// Ask a name server for the route of the topic.
    Route(Load),
    /// Draw the latencies of runs over time, from what `--json` wrote.
    Plot {
        /// The picture to write, SVG.
        svg: PathBuf,
        /// What `--json` wrote; NAME=FILE to call a run something.
        #[arg(required = true)]
        runs: Vec<String>,
    },
    /// Be a server that answers every send at once and stores nothing: the limit of any broker.
    Limit {
        /// Where to listen.
        addr: SocketAddr,
    },
}

/// The form of the headers.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Form {
    /// As Java clients write them.
    Json,
    /// `ROCKETMQ`.
    Binary,
}

/// One load.
#[derive(Clone, Debug, Args)]
pub(crate) struct Load {
    /// Where the broker listens, host:port.
    pub(crate) addr: String,
    /// Topic; the broker must have it or make it.
    #[arg(long, default_value = "BenchmarkTest")]
    pub(crate) topic: String,
    /// Send to so many topics in turn, called as `--topic` with a number behind it.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    pub(crate) topics: u32,
    /// Queues used, from queue 0 on.
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u32).range(1..))]
    pub(crate) queues: u32,
    /// Connections.
    #[arg(long, default_value_t = 4, value_parser = value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Requests in flight a connection.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u32).range(1..=MOST_IN_FLIGHT))]
    pub(crate) in_flight: u32,
    /// Messages a second over all connections; without it as fast as replies come.
    #[arg(long, value_parser = more_than_nothing)]
    pub(crate) rate: Option<f64>,
    /// Body bytes, at least 8.
    #[arg(long, default_value_t = 128, value_parser = value_parser!(u32).range(..=MOST_BYTES))]
    pub(crate) body_bytes: u32,
    /// Tag of the messages.
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// Give each message a key of its own.
    #[arg(long)]
    pub(crate) keys: bool,
    /// More bytes of properties.
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u32).range(..=MOST_BYTES))]
    pub(crate) property_bytes: u32,
    /// Messages a pull.
    #[arg(long, default_value_t = 32, value_parser = value_parser!(u32).range(1..))]
    pub(crate) batch: u32,
    /// Form of the headers.
    #[arg(long, value_enum, default_value = "json")]
    pub(crate) form: Form,
    /// Seconds that count.
    #[arg(long, default_value_t = 10.0, value_parser = more_than_nothing)]
    pub(crate) seconds: f64,
    /// Seconds before that.
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    pub(crate) warm_up: f64,
    /// Process id of the server, for its processor time and memory.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// Write the figures there as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Draw the latencies over time there, SVG.
    #[arg(long)]
    pub(crate) svg: Option<PathBuf>,
}

impl Load {
    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up)
    }

    pub(crate) fn counted(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    pub(crate) fn send(&self) -> SendLoad {
        self.asking(Ask::Send(Message {
            topic: self.topic.clone(),
            body_bytes: self.body_bytes as usize,
            tag: self.tag.clone(),
            keys: self.keys,
            property_bytes: self.property_bytes as usize,
        }))
    }

    pub(crate) fn route(&self) -> SendLoad {
        self.asking(Ask::Route(self.topic.clone()))
    }

    fn asking(&self, ask: Ask) -> SendLoad {
        SendLoad {
            addr: self.addr.clone(),
            connections: self.connections,
            in_flight: self.in_flight,
            queues: self.queues,
            topics: self.topics,
            rate: self.rate,
            ask,
            form: self.form(),
        }
    }

    pub(crate) fn pull(&self, follow: bool) -> PullLoad {
        PullLoad {
            addr: self.addr.clone(),
            topic: self.topic.clone(),
            queues: self.queues,
            connections: self.connections,
            batch: self.batch,
            follow,
            form: self.form(),
        }
    }

    fn form(&self) -> HeaderForm {
        match self.form {
            Form::Json => HeaderForm::Json,
            Form::Binary => HeaderForm::Binary,
        }
    }
}

/// Seconds, maybe none.
fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    let fits = (0.0..=MOST).contains(&number);
    fits.then_some(number)
        .ok_or_else(|| format!("it must be from 0 to {MOST}"))
}

/// Seconds that count, or messages a second: one in some years at least.
fn more_than_nothing(text: &str) -> Result<f64, String> {
    let number = seconds(text)?;
    let fits = number >= 1.0 / MOST;
    fits.then_some(number)
        .ok_or_else(|| "it must be more than 0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_which_no_load_can_be_made_are_refused() {
        for refused in [
            "--threads=0",
            "--connections=0",
            "--in-flight=0",
            "--in-flight=4294967295",
            "--queues=0",
            "--topics=0",
            "--batch=0",
            "--rate=0",
            "--rate=-1",
            "--rate=inf",
            "--rate=1e-300",
            "--seconds=0",
            "--seconds=NaN",
            "--seconds=1e300",
            "--warm-up=-1",
            "--body-bytes=99999999999",
            "--property-bytes=4294967295",
        ] {
            let parsed = Options::try_parse_from(["mqload", "send", "127.0.0.1:1", refused]);
            assert!(parsed.is_err(), "{refused}");
        }
        for taken in [
            "--rate=0.5",
            "--warm-up=0",
            "--in-flight=1",
            "--body-bytes=0",
        ] {
            let parsed = Options::try_parse_from(["mqload", "send", "127.0.0.1:1", taken]);
            assert!(parsed.is_ok(), "{taken}");
        }
    }
}
