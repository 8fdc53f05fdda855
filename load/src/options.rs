//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use remoting::HeaderForm;

use crate::pull::PullLoad;
use crate::send::{Ask, SendLoad};
use crate::wire::Message;

/// Puts a measured load on a RocketMQ broker, and shows what it costs.
#[derive(Debug, Parser)]
#[command(name = "mqload", version)]
pub(crate) struct Options {
    /// Threads of the load itself.
    #[arg(long, default_value_t = 1, global = true)]
    pub(crate) threads: usize,
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
    #[arg(long, default_value_t = 1)]
    pub(crate) topics: u32,
    /// Queues used, from queue 0 on.
    #[arg(long, default_value_t = 8)]
    pub(crate) queues: u32,
    /// Connections.
    #[arg(long, default_value_t = 4)]
    pub(crate) connections: u32,
    /// Requests in flight a connection.
    #[arg(long, default_value_t = 64)]
    pub(crate) in_flight: u32,
    /// Messages a second over all connections; without it as fast as replies come.
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Body bytes, at least 8.
    #[arg(long, default_value_t = 128)]
    pub(crate) body_bytes: usize,
    /// Tag of the messages.
    #[arg(long)]
    pub(crate) tag: Option<String>,
    /// Give each message a key of its own.
    #[arg(long)]
    pub(crate) keys: bool,
    /// More bytes of properties.
    #[arg(long, default_value_t = 0)]
    pub(crate) property_bytes: usize,
    /// Messages a pull.
    #[arg(long, default_value_t = 32)]
    pub(crate) batch: u32,
    /// Form of the headers.
    #[arg(long, value_enum, default_value = "json")]
    pub(crate) form: Form,
    /// Seconds that count.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) seconds: f64,
    /// Seconds before that.
    #[arg(long, default_value_t = 2.0)]
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
            body_bytes: self.body_bytes,
            tag: self.tag.clone(),
            keys: self.keys,
            property_bytes: self.property_bytes,
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
