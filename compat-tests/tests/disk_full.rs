//! A broker whose disk fills up: senders get Java's errors, consumers go on, nothing acknowledged is lost, and it takes
//! messages again by itself once there is room.
//!
//! ```text
//! a tmpfs of 64 MiB:  store │ ballast, which the test makes larger and smaller
//! really full         the next log file cannot be made      1 "create mapped file failed…"     ours only, see below
//! over 90 %           there is room, but not much           14 "service not available now…"    ours and Java's
//! ```
//!
//! The program runs in a mount namespace of its own, which ends with it. Where no tmpfs can be mounted, neither as root
//! nor in a user namespace, its trials are skipped. Java 4.7.0 on a disk that is really full is no control: its log files
//! are sparse, so its process dies of a fault or answers as if stored.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command as Program, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use compat_tests::cluster::{Cluster, Mode, Spec};
use compat_tests::logs;
use compat_tests::servers::{CONTROL, Servers};
use compat_tests::trouble::{Doing, Trouble};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use remoting::Command;
use remoting::code::{request, response};
use remoting::frame::{self, FRAME_LIMIT_BYTES};
use remoting::header::pull::{PullReply, PullRequest};
use remoting::header::send::{SendReply, SendRequest};
use remoting::outbound::Outbound;
use store::Record;

/// Set in the process that has a mount namespace of its own.
const INSIDE: &str = "COMPAT_DISK_FULL_INSIDE";
const DISK_BYTES: u64 = 64 << 20;
const LARGE_BODY_BYTES: usize = 64 << 10;
const SMALL_BODY_BYTES: usize = 80;
const TOPIC: &str = "DiskFull";
const KEYS: &[(&str, &str)] = &[
    ("mappedFileSizeCommitLog", "4194304"),
    ("mappedFileSizeConsumeQueue", "6000"),
    ("maxHashSlotNum", "100"),
    ("maxIndexNum", "1000"),
    ("cleanResourceInterval", "500"),
    // Or room would be made by deleting what the test is to find again.
    ("cleanFileForciblyEnable", "false"),
];
/// Java's first look at the disk comes a minute after the start.
const FIRST_LOOK_LIMIT: Duration = Duration::from_secs(120);
const RECOVERY_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let inside = std::env::var_os(INSIDE).is_some();
    if !inside {
        for how in [&["--mount"][..], &["--user", "--map-root-user", "--mount"]] {
            if can_mount(how) {
                let this = std::env::current_exe().unwrap_or_default();
                let mut again = Program::new("unshare");
                again.args(how).arg(this).args(std::env::args_os().skip(1));
                let error = again.env(INSIDE, "1").exec();
                eprintln!("compat-tests: run in a mount namespace: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    let trials = [CONTROL, Servers::Ours].map(|servers| {
        Trial::ignorable_test(format!("{servers}/disk_full"), move || {
            if !inside {
                let why = "no tmpfs can be mounted here, neither as root nor in a user namespace";
                return Ok(Completion::ignored_with(why));
            }
            let done = run(servers).map(|()| Completion::Completed);
            done.map_err(|trouble| Failed::from(trouble.0))
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn can_mount(how: &[&str]) -> bool {
    let mut probe = Program::new("unshare");
    probe
        .args(how)
        .args(["mount", "-t", "tmpfs", "none", "/tmp"]);
    let quiet = probe.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn run(servers: Servers) -> Result<(), Trouble> {
    servers.prepare()?;
    Servers::Ours.prepare()?; // the name server
    let logs = logs::fresh_folder(&format!("disk_full/{servers}"))?;
    let spec = Spec {
        servers: Servers::Ours,
        namesrvs: 1,
        mode: Mode::Test(KEYS),
    };
    let mut cluster = Cluster::without_broker(spec, &logs)?;
    cluster.hand_broker_to(servers, KEYS)?;
    let disk = Disk::mount(cluster.store())?;
    cluster.start_broker()?;
    let mut client = Client::connect(&cluster.broker_addr())?;
    for _ in 0..4 {
        client.send_ok()?;
    }
    if servers == Servers::Ours {
        really_full(&disk, &mut client)?;
    }
    over_ninety_percent(&disk, &mut client)?;
    cluster.stop_broker()?;
    cluster.start_broker()?;
    let stored = client.stored;
    let mut client = Client::connect(&cluster.broker_addr())?;
    client.stored = stored;
    client.read_all()?;
    client.send_ok()?;
    cluster.stop_broker()?;
    drop(disk);
    Ok(())
}

/// Fills the disk to its last byte by sending.
fn really_full(disk: &Disk, client: &mut Client) -> Result<(), Trouble> {
    disk.ballast(DISK_BYTES / 2)?;
    let refused = loop {
        let answer = client.send(LARGE_BODY_BYTES)?;
        if answer.code != response::SUCCESS {
            break answer;
        }
        if client.stored as u64 * LARGE_BODY_BYTES as u64 > DISK_BYTES {
            return Err(Trouble(
                "the disk holds more than it has room for".to_owned(),
            ));
        }
    };
    let expected = "create mapped file failed, server is busy or broken.";
    refused.is(response::SYSTEM_ERROR, |remark| remark == expected)?;
    for _ in 0..20 {
        client
            .send(LARGE_BODY_BYTES)?
            .is(response::SYSTEM_ERROR, |remark| remark == expected)?;
    }
    client.read_all()?;
    disk.ballast(DISK_BYTES / 8)?;
    client.send_until(RECOVERY_LIMIT, |answer| answer.code == response::SUCCESS)?;
    client.read_all()
}

/// Leaves some room, but less than a tenth.
fn over_ninety_percent(disk: &Disk, client: &mut Client) -> Result<(), Trouble> {
    disk.ballast_up_to(93)?;
    let full = |answer: &Sent| answer.code == response::SERVICE_NOT_AVAILABLE;
    let refused = client.send_until(FIRST_LOOK_LIMIT, full)?;
    // CL, CQ and INDEX all lie on this disk.
    refused.is(response::SERVICE_NOT_AVAILABLE, |remark| {
        let ratios = remark
            .strip_prefix("service not available now, maybe disk full, CL:  0.9")
            .and_then(|rest| rest.strip_suffix(", maybe your broker machine memory too small."));
        ratios.is_some_and(|ratios| ratios.contains(" CQ:  0.9") && ratios.contains(" INDEX:  0.9"))
    })?;
    client.read_all()?;
    client
        .send(SMALL_BODY_BYTES)?
        .is(response::SERVICE_NOT_AVAILABLE, |_| true)?;
    disk.ballast(0)?;
    client.send_until(RECOVERY_LIMIT, |answer| answer.code == response::SUCCESS)?;
    client.read_all()
}

/// A tmpfs, unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Result<Disk, Trouble> {
        fs::create_dir_all(&at).doing(|| format!("make {}", at.display()))?;
        let size = format!("size={DISK_BYTES}");
        let mut mount = Program::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "none"]).arg(&at);
        let status = mount.status().doing(|| "start mount".to_owned())?;
        if status.success() {
            Ok(Disk(at))
        } else {
            Err(Trouble(format!("mount a tmpfs: {status}")))
        }
    }

    /// Takes or gives back room: `bytes` are in use beside the store, or as many as there is room for.
    fn ballast(&self, bytes: u64) -> Result<(), Trouble> {
        let path = self.0.join("ballast");
        let mut file = fs::File::create(&path).doing(|| "make the ballast".to_owned())?;
        let mebibyte = vec![1; 1 << 20];
        for _ in 0..bytes >> 20 {
            file.write_all(&mebibyte)
                .doing(|| "write the ballast".to_owned())?;
        }
        Ok(())
    }

    /// Takes so much room that this part of the disk, in percent, is in use.
    fn ballast_up_to(&self, percent: u64) -> Result<(), Trouble> {
        self.ballast(0)?;
        let disk =
            rustix::fs::statvfs(&self.0).map_err(|error| Trouble(format!("statvfs: {error}")))?;
        let used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize;
        self.ballast((DISK_BYTES * percent / 100).saturating_sub(used))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a broker of a failed trial still has it open. With the namespace it goes in any case.
        let _ = Program::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// One connection to the broker, and how many messages it has stored there.
struct Client {
    stream: TcpStream,
    input: BytesMut,
    stored: usize,
}

/// How a send was answered.
struct Sent {
    code: i32,
    remark: String,
}

impl Sent {
    fn is(&self, code: i32, remark: impl Fn(&str) -> bool) -> Result<(), Trouble> {
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
    fn connect(addr: &str) -> Result<Client, Trouble> {
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
    fn send(&mut self, body_bytes: usize) -> Result<Sent, Trouble> {
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

    fn send_ok(&mut self) -> Result<(), Trouble> {
        self.send(LARGE_BODY_BYTES)?.is(response::SUCCESS, |_| true)
    }

    /// Sends now and then until a send is answered as it should be.
    fn send_until(
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
    fn read_all(&mut self) -> Result<(), Trouble> {
        let mut offset = 0;
        while offset < self.stored as i64 {
            let header = PullRequest {
                consumer_group: "G".into(),
                topic: TOPIC.into(),
                queue_offset: offset,
                max_msg_nums: 32,
                sys_flag: 4, // the subscription comes along
                subscription: Some("*".into()),
                ..PullRequest::default()
            };
            let reply = self.call(Command::request_with(request::PULL_MESSAGE, &header))?;
            let found: Option<PullReply> = reply
                .header()
                .ok()
                .filter(|_| reply.code == response::SUCCESS);
            let Some(found) = found else {
                let (code, remark) = (reply.code, reply.remark);
                return Err(Trouble(format!(
                    "a pull at {offset} of {} was answered {code} {remark:?}",
                    self.stored
                )));
            };
            check(&reply.body.into_bytes(), offset)?;
            offset = found.next_begin_offset;
        }
        Ok(())
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
