//! Delayed messages in numbers: what a million that wait cost, and how late messages are that come due beside a load.
//!
//! `cargo build --release -p broker && cargo run --release -p broker --example delayed [waiting [a_second [seconds [SYNC_FLUSH]]]]`
//!
//! It starts the `mqbroker` that lies beside it, on 127.0.0.1 and in a folder of its own, and prints a line for each
//! figure. Lateness is held against the moment a message was sent, so that it has the way to the broker in it.

#[path = "../tests/support/mod.rs"]
mod support;

use std::error::Error;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use remoting::header::send::SendRequest;
use support::{Wire, at_once, message, pull, pulling, records, send};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Sends that are on their way at once on a connection.
const IN_FLIGHT: usize = 64;
/// Connections that a load has.
const CONNECTIONS: usize = 4;

type Failed = Box<dyn Error>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failed> {
    let flush = std::env::args()
        .nth(4)
        .unwrap_or_else(|| "ASYNC_FLUSH".to_owned());
    let mut numbers = std::env::args().skip(1).map(|text| text.parse());
    let mut number = |default: usize| numbers.next().unwrap_or(Ok(default));
    let (waiting, a_second, seconds) = (number(1_000_000)?, number(5_000)?, number(20)?);
    let folder = tempfile::tempdir_in(".")?;
    let mut broker = Broker::start(folder.path(), &flush)?;
    println!("idle: {} KiB anonymous", broker.anonymous_kib()?);
    let began = Instant::now();
    let each = waiting / CONNECTIONS;
    let sending = (0..CONNECTIONS).map(|_| tokio::spawn(send_many(broker.addr, "18", each)));
    for one in sending.collect::<Vec<_>>() {
        one.await?;
    }
    let took = began.elapsed();
    println!(
        "{waiting} sent that wait for two hours, in {took:.1?}: {} KiB anonymous",
        broker.anonymous_kib()?
    );
    println!("stopped in {:.0?}", broker.stop()?);
    broker.start_again()?;
    println!(
        "started again in {:.0?}: {} KiB anonymous",
        broker.took,
        broker.anonymous_kib()?
    );
    broker.kill()?;
    broker.start_again()?;
    println!(
        "started again after a kill in {:.0?}: {} KiB anonymous",
        broker.took,
        broker.anonymous_kib()?
    );

    for connections in [0, 2] {
        let topic = format!("Due{connections}");
        let plain = Load::start(broker.addr, connections);
        let sent = send_at_rate(
            broker.addr,
            &topic,
            a_second,
            Duration::from_secs(seconds as u64),
        )
        .await;
        sleep(Duration::from_secs(2)).await;
        let (plain, of) = (plain.stop().await, seconds as u64 + 2);
        let mut late = lateness(broker.addr, &topic, sent).await;
        late.sort_unstable();
        let at = |part: usize| {
            late.get((late.len() - 1) * part / 1000)
                .copied()
                .unwrap_or(-1)
        };
        println!(
            "{sent} due after 1 s, {a_second} a second, beside {} plain ones a second: late by {} ms (median), {} (99 %), {} (99.9 %), {} (most), {} (least)",
            plain / of,
            at(500),
            at(990),
            at(999),
            at(1000),
            at(0)
        );
    }
    println!("at the end: {} KiB anonymous", broker.anonymous_kib()?);
    broker.stop()?;
    Ok(())
}

/// The broker as a process.
struct Broker {
    addr: SocketAddr,
    config: String,
    process: Child,
    took: Duration,
}

impl Broker {
    fn start(folder: &Path, flush: &str) -> Result<Broker, Failed> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let store = folder.join("store");
        let config = folder.join("broker.conf");
        let (root, log) = (store.display(), store.join("commitlog"));
        let text = format!(
            "listenPort={port}\nbrokerIP1=127.0.0.1\nstorePathRootDir={root}\nstorePathCommitLog={}\nflushDiskType={flush}\n",
            log.display()
        );
        fs::write(&config, text)?;
        let config = config.display().to_string();
        let (process, took) = run(&config, ([127, 0, 0, 1], port).into())?;
        Ok(Broker {
            addr: ([127, 0, 0, 1], port).into(),
            config,
            process,
            took,
        })
    }

    fn start_again(&mut self) -> Result<(), Failed> {
        (self.process, self.took) = run(&self.config, self.addr)?;
        Ok(())
    }

    fn stop(&mut self) -> Result<Duration, Failed> {
        let began = Instant::now();
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        self.process.wait()?;
        Ok(began.elapsed())
    }

    fn kill(&mut self) -> Result<(), Failed> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    fn anonymous_kib(&self) -> Result<u64, Failed> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let number = line.and_then(|text| text.split_whitespace().next());
        Ok(number.ok_or("no RssAnon")?.parse()?)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.kill(); // it may be gone already
    }
}

/// Starts it and waits until it listens.
fn run(config: &str, addr: SocketAddr) -> Result<(Child, Duration), Failed> {
    let here = std::env::current_exe()?;
    let built = here.ancestors().nth(2).ok_or("no folder")?;
    let began = Instant::now();
    let process = Process::new(built.join("mqbroker"))
        .args(["-c", config])
        .env("RUST_LOG", "warn")
        .stdout(Stdio::null())
        .spawn()?;
    while std::net::TcpStream::connect(addr).is_err() {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok((process, began.elapsed()))
}

fn delayed(level: &str) -> String {
    format!("UNIQ_KEY\u{1}0123456789ABCDEF0123456789ABCDEF\u{2}DELAY\u{1}{level}\u{2}")
}

async fn send_many(addr: SocketAddr, level: &'static str, count: usize) {
    let (mut client, properties) = (Wire::open(addr).await, delayed(level));
    let mut on_their_way = 0;
    for _ in 0..count {
        client
            .write(send(&message("Waits", &properties), &[7; 128]))
            .await;
        on_their_way += 1;
        if on_their_way == IN_FLIGHT {
            take(&mut client, IN_FLIGHT / 2).await;
            on_their_way -= IN_FLIGHT / 2;
        }
    }
    take(&mut client, on_their_way).await;
}

async fn take(client: &mut Wire, answers: usize) {
    for _ in 0..answers {
        let answer = client.read().await.expect("still connected");
        assert_eq!(answer.code, 0, "{:?}", answer.remark);
    }
}

/// Plain messages from some connections, as fast as they are answered, `IN_FLIGHT` at once.
struct Load {
    done: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(addr: SocketAddr, connections: usize) -> Load {
        let (done, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let one = |_| {
            let (done, sent) = (Arc::clone(&done), Arc::clone(&sent));
            tokio::spawn(async move {
                let mut client = Wire::open(addr).await;
                while !done.load(Ordering::Relaxed) {
                    for _ in 0..IN_FLIGHT {
                        client.write(send(&message("Plain", ""), &[7; 128])).await;
                    }
                    take(&mut client, IN_FLIGHT).await;
                    sent.fetch_add(IN_FLIGHT as u64, Ordering::Relaxed);
                }
            })
        };
        let tasks = (0..connections).map(one).collect();
        Load { done, sent, tasks }
    }

    async fn stop(self) -> u64 {
        self.done.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no panic");
        }
        self.sent.load(Ordering::Relaxed)
    }
}

/// Sends messages of level 1, each with the time it was sent at, in one burst every millisecond. How many.
async fn send_at_rate(addr: SocketAddr, topic: &str, a_second: usize, how_long: Duration) -> usize {
    let (mut client, properties) = (Wire::open(addr).await, delayed("1"));
    let (began, mut sent) = (Instant::now(), 0);
    let mut tick = interval(Duration::from_millis(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while began.elapsed() < how_long {
        tick.tick().await;
        let due = (began.elapsed().as_secs_f64() * a_second as f64) as usize;
        for _ in sent..due {
            let timed = SendRequest {
                born_timestamp: now_ms(),
                ..message(topic, &properties)
            };
            client.write(send(&timed, &[7; 128])).await;
        }
        take(&mut client, due - sent).await;
        sent = due;
    }
    sent
}

/// How late the messages of a topic were delivered. Milliseconds.
async fn lateness(addr: SocketAddr, topic: &str, count: usize) -> Vec<i64> {
    let (mut client, mut late) = (Wire::open(addr).await, Vec::new());
    while late.len() < count {
        let from = late.len() as i64;
        let reply = client.call(pulling(&at_once(pull(topic, "G", from)))).await;
        if reply.code != 0 {
            println!("{} of {count} have come: code {}", late.len(), reply.code);
            break;
        }
        late.extend(records(&reply, |record| {
            record.store_timestamp_ms - record.born_timestamp_ms - 1_000
        }));
    }
    late
}

fn now_ms() -> i64 {
    UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.as_millis() as i64)
}
