//! `mqload`: puts a measured load on a broker, RocketMQ's or this project's, and shows what it costs.
//!
//! ```text
//! mqload send  127.0.0.1:10911 --connections 4 --in-flight 64      closed loop: as fast as it goes
//! mqload send  127.0.0.1:10911 --rate 50000                        open loop: latency at a given rate
//! mqload pull  127.0.0.1:10911                                     read the topic over and over
//! mqload follow 127.0.0.1:10911                                    wait for what others send, as push consumers do
//! mqload both  127.0.0.1:10911 --rate 50000 --svg run.svg          send, and follow with held pulls; draw it
//! mqload route 127.0.0.1:9876                                      ask a name server for a route
//! mqload plot  both.svg ours=a.json java=b.json                    draw runs that --json wrote over each other
//! mqload limit 127.0.0.1:10900                                     a server that only answers
//! ```

mod limit;
mod measure;
mod options;
mod plot;
mod pull;
mod reply;
mod report;
mod run;
mod send;
mod ticks;
mod wire;

use clap::Parser;

use crate::options::{Command, Options};

fn main() -> std::process::ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.threads.into())
        .enable_all()
        .build();
    let done = runtime.and_then(|runtime| match options.command {
        Command::Limit { addr } => runtime.block_on(limit::serve(addr)),
        Command::Send(load) => runtime.block_on(run::send(&load)),
        Command::Pull(load) => runtime.block_on(run::pull(&load)),
        Command::Follow(load) => runtime.block_on(run::follow(&load)),
        Command::Both(load) => runtime.block_on(run::both(&load)),
        Command::Route(load) => runtime.block_on(run::route(&load)),
        Command::Plot { svg, runs } => plot::from_files(&svg, &runs),
    });
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mqload: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
