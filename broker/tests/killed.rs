//! The program as a process of its own: what a `kill -9` leaves, and what messages that wait cost.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use support::{Wire, at_once, bodies, message, pull, pulling, send};

/// `mqbroker` with a configuration of its own; killed when dropped.
struct Program {
    process: Child,
    addr: SocketAddr,
}

impl Program {
    /// Starts it over a store in `folder` and waits for its success line.
    fn start(folder: &Path, keys: &str) -> Program {
        let store = folder.join("store");
        let (root, log) = (store.display(), store.join("commitlog"));
        let config: PathBuf = folder.join("broker.conf");
        let common = format!(
            "listenPort=0\nbrokerIP1=127.0.0.1\nstorePathRootDir={root}\nstorePathCommitLog={}\nmappedFileSizeCommitLog=33554432\n",
            log.display()
        );
        fs::write(&config, common + keys).expect("written");
        let mut process = Command::new(env!("CARGO_BIN_EXE_mqbroker"))
            .arg("-c")
            .arg(&config)
            .env_remove("NAMESRV_ADDR")
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        let said = BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line);
        said.expect("it says something");
        // The broker[name, 127.0.0.1:port] boot success. …
        let addr = line.split([' ', ']']).find_map(|word| word.parse().ok());
        let addr = addr.unwrap_or_else(|| panic!("no address in: {line}"));
        Program { process, addr }
    }

    fn kill(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("gone");
    }

    /// Memory that is no file's. Bytes.
    fn anonymous_bytes(&self) -> i64 {
        let path = format!("/proc/{}/status", self.process.id());
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

/// All bodies of queue 0 of T, as far as they can be read now.
async fn all(client: &mut Wire) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let reply = client
            .call(pulling(&at_once(pull("T", "G", all.len() as i64))))
            .await;
        if reply.code != 0 {
            return all;
        }
        all.extend(bodies(&reply));
    }
}

/// Java's write buffer beside the page cache: it would hold all of this back for an hour. R8: its issues 8394 and 6283.
const POOL: &str = "transientStorePoolEnable=true
transientStorePoolSize=2
fastFailIfNoBufferInStorePool=true
commitIntervalCommitLog=3600000
commitCommitLogThoroughInterval=3600000
commitCommitLogLeastPages=1000000
flushIntervalCommitLog=3600000
";

#[tokio::test]
async fn what_was_acknowledged_and_what_was_seen_outlive_a_kill_with_javas_write_buffer_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut acknowledged, mut seen) = (Vec::new(), Vec::new());
    for round in 0..3 {
        let broker = Program::start(folder.path(), POOL);
        let (mut client, mut reader) =
            (Wire::open(broker.addr).await, Wire::open(broker.addr).await);
        assert_eq!(all(&mut reader).await, acknowledged, "after kill {round}");
        for n in 0..100 {
            let body = format!("{round}-{n}");
            let stored = client.send(send(&message("T", ""), body.as_bytes())).await;
            assert_eq!(stored.queue_offset, acknowledged.len() as i64);
            acknowledged.push(body);
            if n % 10 == 0 {
                seen = all(&mut reader).await;
            }
        }
        broker.kill();
    }
    let broker = Program::start(folder.path(), POOL);
    let left = all(&mut Wire::open(broker.addr).await).await;
    assert_eq!(left, acknowledged);
    assert!(seen.len() > 200 && left.starts_with(&seen));
    broker.kill();
}

/// A message that waits is an entry in a file: no memory is kept for it. Less than the 20 bytes of an entry each is none.
#[tokio::test]
async fn messages_that_wait_cost_no_memory_each() {
    const WAITING: usize = 50_000;
    const AT_ONCE: usize = 100;
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Program::start(folder.path(), "");
    let mut client = Wire::open(broker.addr).await;
    let mut wait = async |count: usize| {
        for _ in 0..count / AT_ONCE {
            for _ in 0..AT_ONCE {
                client
                    .write(send(&message("T", "DELAY\u{1}18\u{2}"), b"later"))
                    .await;
            }
            for _ in 0..AT_ONCE {
                assert_eq!(client.read().await.expect("an answer").code, 0);
            }
        }
    };
    wait(5_000).await; // whatever is allocated once
    let before = broker.anonymous_bytes();
    wait(WAITING).await;
    let grown = broker.anonymous_bytes() - before;
    assert!(
        grown < 20 * WAITING as i64,
        "{grown} bytes for {WAITING} messages"
    );
    broker.kill();
}
