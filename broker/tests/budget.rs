//! What a send, a pull, a heartbeat and an offset's update may cost: allocations of the whole broker, and system calls of a
//! send.
//!
//! A test fails when a change makes one of them grow. The client of these tests allocates nothing once it runs, and
//! writes whole batches, so that the counts hardly vary: 64 requests in one write, then all their replies.

#[path = "support/program.rs"]
mod program;
mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command as Process;
use std::time::Duration;

use bytes::Buf;
use program::{MQBROKER, Program};
use remoting::Command;
use remoting::code::request;
use remoting::frame;
use remoting::outbound::Outbound;
use support::{Fixture, ask, at_once, heartbeat, message, pull, pulling, send, subscription};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const BATCH: usize = 64;
const BATCHES: usize = 400;
/// Until buffers have their sizes and the topic is there.
const WARM_UP: usize = 20;

/// Allocations a send may make, in all threads of the broker together. Of these: the properties without their JSON
/// escapes and with CLUSTER, the reply's header twice, the message id.
const ALLOCATIONS_A_SEND: f64 = 9.0;
/// Allocations a pull of 32 messages may make.
const ALLOCATIONS_A_PULL: f64 = 8.0;
/// Allocations that the heartbeat of a client known already may make, with one group of two subscriptions.
const ALLOCATIONS_A_HEARTBEAT: f64 = 25.0;
/// Allocations that an update of an offset known already may make.
const ALLOCATIONS_A_COMMIT: f64 = 3.0;
/// System calls a request may make when 64 arrive together: a wait, a read and a write for the turns that a batch takes, and
/// what wakes other threads. The dispatcher's naps are a matter of time, not of messages.
const CALLS_A_SEND: f64 = 0.4;

/// One connection that sends the same batch again and again.
struct Client {
    stream: TcpStream,
    batch: Vec<u8>,
    input: Vec<u8>,
}

impl Client {
    fn open(addr: SocketAddr, request: impl Fn(usize) -> Command) -> Client {
        let stream = TcpStream::connect(addr).expect("connects");
        stream.set_nodelay(true).expect("set");
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).expect("set");
        let mut out = Outbound::default();
        (0..BATCH).for_each(|turn| frame::encode(request(turn), &mut out));
        let batch = out.copy_to_bytes(out.remaining()).to_vec();
        Client {
            stream,
            batch,
            input: vec![0; 4 << 20],
        }
    }

    /// Sends `batches` batches, each after all replies to the one before.
    fn run(&mut self, batches: usize) {
        for _ in 0..batches {
            self.stream.write_all(&self.batch).expect("written");
            self.read_replies();
        }
    }

    /// Reads to the end of the last reply; all of them must be successes.
    fn read_replies(&mut self) {
        let (mut filled, mut at, mut replies) = (0, 0, 0);
        while replies < BATCH {
            let free = self.input.get_mut(filled..).expect("room for a batch");
            let read = self.stream.read(free).expect("an answer in time");
            assert!(read > 0, "the broker closed the connection");
            filled += read;
            while let Some(frame) = whole_frame(self.input.get(at..filled)) {
                let header = frame.get(8..).unwrap_or_default();
                if header.starts_with(b"{\"code\":40,") {
                    at += frame.len(); // no reply: the first heartbeat has changed the group
                    continue;
                }
                assert!(
                    header.starts_with(b"{\"code\":0,"),
                    "{:?}",
                    header.get(..200)
                );
                (at, replies) = (at + frame.len(), replies + 1);
            }
        }
    }
}

/// The frame that `bytes` begin with, its length counted in.
fn whole_frame(bytes: Option<&[u8]>) -> Option<&[u8]> {
    let bytes = bytes?;
    let length = u32::from_be_bytes(*bytes.first_chunk::<4>()?);
    bytes.get(..4 + length as usize)
}

fn a_send(turn: usize) -> Command {
    let properties = "UNIQ_KEY\u{1}7F0000010000000000000000000A0001\u{2}KEYS\u{1}k\u{2}TAGS\u{1}t\u{2}WAIT\u{1}true\u{2}";
    let mut header = message("Budget", properties);
    header.queue_id = (turn % 4) as i32;
    send(&header, &[b'x'; 128])
}

/// Allocations of this process a request, while a client that makes none runs.
fn allocations_a_request(client: &mut Client) -> f64 {
    client.run(WARM_UP);
    let before = dhat::HeapStats::get().total_blocks;
    client.run(BATCHES);
    let made = dhat::HeapStats::get().total_blocks - before;
    made as f64 / (BATCH * BATCHES) as f64
}

fn a_heartbeat(_: usize) -> Command {
    let subscriptions = ["Budget", "%RETRY%G"].map(|topic| subscription(topic, &[], 1));
    heartbeat("client", "G", subscriptions.into())
}

fn a_commit(turn: usize) -> Command {
    let (queue_id, offset) = ((turn % 4).to_string(), turn.to_string());
    let fields = [
        ("consumerGroup", "G"),
        ("topic", "Budget"),
        ("queueId", &queue_id),
        ("commitOffset", &offset),
    ];
    ask(request::UPDATE_CONSUMER_OFFSET, &fields)
}

#[test]
fn the_hot_paths_allocate_no_more_than_they_may() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let broker = runtime.block_on(Fixture::new());
    let each = |what, allowed, request: &dyn Fn(usize) -> Command| {
        let mut client = Client::open(broker.addr(), request);
        let made = allocations_a_request(&mut client);
        println!("{made:.2} allocations a {what}");
        assert!(
            made <= allowed,
            "{made:.2} allocations a {what}, {allowed} are allowed"
        );
    };
    each("send", ALLOCATIONS_A_SEND, &a_send);
    runtime.block_on(broker.readable("Budget", 32));
    let a_pull = |_| pulling(&at_once(pull("Budget", "G", 0)));
    each("pull of 32 messages", ALLOCATIONS_A_PULL, &a_pull);
    each("heartbeat", ALLOCATIONS_A_HEARTBEAT, &a_heartbeat);
    each("commit of an offset", ALLOCATIONS_A_COMMIT, &a_commit);
    runtime.block_on(broker.running.stop());
}

#[test]
fn a_batch_of_sends_costs_few_system_calls() {
    if !Process::new("strace")
        .args(["-o", "/dev/null", "true"])
        .status()
        .is_ok_and(|end| end.success())
    {
        eprintln!("not counted: strace is not installed here, or may not trace");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let counts = folder.path().join("counts");
    let mut strace = Process::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(&counts).arg(MQBROKER);
    let traced = Program::start_by(strace, folder.path(), "");
    Client::open(traced.addr, a_send).run(BATCHES);
    // The broker, not strace: the only child of it.
    let children = format!("/proc/{0}/task/{0}/children", traced.id());
    let child = fs::read_to_string(children).expect("strace runs");
    let stopped = Process::new("kill").arg(child.trim()).status();
    assert!(stopped.expect("kill runs").success());
    assert!(traced.wait().success());
    let counts = fs::read_to_string(counts).expect("strace wrote its table");
    let calls: u64 = calls(&counts, "clock_nanosleep");
    let each = calls as f64 / (BATCH * BATCHES) as f64;
    println!("{each:.3} system calls a send, start and stop among them");
    assert!(
        each <= CALLS_A_SEND,
        "{each:.3} system calls a send, {CALLS_A_SEND} are allowed:\n{counts}"
    );
}

/// All calls in strace's table but `left_out`: `% time  seconds  usecs/call  calls  [errors]  syscall`.
fn calls(table: &str, left_out: &str) -> u64 {
    let counted = table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = words.last()?;
        let is_call = *name != left_out && *name != "total";
        is_call.then(|| words.get(3)?.parse::<u64>().ok())?
    });
    counted.sum()
}
