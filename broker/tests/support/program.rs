//! The program as a process of its own. Only tests know where it lies, so those that want it name this file; examples share
//! the rest of this folder.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test file uses another part of it"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Where the program lies.
pub const MQBROKER: &str = env!("CARGO_BIN_EXE_mqbroker");

/// `mqbroker` with a configuration of its own; killed when dropped.
pub struct Program {
    process: Child,
    pub addr: SocketAddr,
}

impl Program {
    /// Starts it over a store in `folder` and waits for its success line.
    pub fn start(folder: &Path, keys: &str) -> Program {
        Program::start_by(Command::new(MQBROKER), folder, keys)
    }

    /// The same by a command that ends with the program's name, say of a tracer.
    pub fn start_by(mut command: Command, folder: &Path, keys: &str) -> Program {
        let store = folder.join("store");
        let (root, log) = (store.display(), store.join("commitlog"));
        let config = folder.join("broker.conf");
        let common = format!(
            "listenPort=0\nbrokerIP1=127.0.0.1\nstorePathRootDir={root}\nstorePathCommitLog={}\nmappedFileSizeCommitLog=33554432\nwaitTimeMillsInSendQueue=20000\n",
            log.display()
        );
        fs::write(&config, common + keys).expect("written");
        let mut process = command
            .arg("-c")
            .arg(&config)
            .env_remove("NAMESRV_ADDR")
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let stdout = process.stdout.take().expect("piped");
        let (said, hears) = mpsc::channel();
        thread::spawn(move || said.send(BufReader::new(stdout).lines().next()));
        // A traced one on a busy machine takes seconds.
        let line = hears.recv_timeout(Duration::from_secs(60));
        let line = line.expect("it starts in time").expect("it says something");
        let line = line.expect("text");
        // The broker[name, 127.0.0.1:port] boot success. …
        let addr = line.split([' ', ']']).find_map(|word| word.parse().ok());
        let addr = addr.unwrap_or_else(|| panic!("no address in: {line}"));
        Program { process, addr }
    }

    /// The process that was started: the tracer's, if it is traced.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn kill(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("gone");
    }

    /// Waits until it has ended by itself.
    pub fn wait(mut self) -> ExitStatus {
        self.process.wait().expect("ends")
    }

    /// Memory that is no file's. Bytes.
    pub fn anonymous_bytes(&self) -> i64 {
        let path = format!("/proc/{}/status", self.id());
        let status = fs::read_to_string(path).expect("it runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.expect("a number").parse::<i64>().expect("a number") * 1024
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
