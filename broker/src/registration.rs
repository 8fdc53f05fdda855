//! Telling the name servers that this broker is there, and what topics it has.
//!
//! ```text
//! start ──▶ register all ──▶ wait ─┬─ registerNameServerPeriod is over       register all, or ask first (322)
//!              ▲                   ├─ a topic was made on the way            register all
//!              │                   ├─ a topic was made or changed by hand    register that topic
//!              └───────────────────┴─ the connection is gone                 register all
//! fails: try again every second
//! ```
//!
//! One task a name server, so that one that hangs holds up no other. Changes that come while a registration is under
//! way wait together for the next.
//!
//! The rule that is easy to break: a name server takes the topics of a body only if it does not know the version yet. So
//! whatever goes out under a version must have everything that has changed since the last one this name server knows,
//! announced or not: with one topic go all others that are not as it was last told. (Java holds a lock over every change
//! and its registration instead, and loses topics when a name server restarts at the wrong moment.)
//!
//! Java 4.7.0 `broker/BrokerController.java` (`registerBrokerAll`, `registerIncrementBrokerData`),
//! `broker/out/BrokerOuterAPI.java`. Different, see COMPATIBILITY.md: Java sees a restarted name server only at its next
//! period, up to 30 s later.

mod calls;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use remoting::body::topic_config::TopicConfig;
use remoting::{CallError, Client, ClientConfig, Refusal};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::broker::Broker;
use crate::config::BrokerConfig;
use crate::tasks;

/// How soon a failed registration is tried again, and how often the connections are looked at.
const RETRY: Duration = Duration::from_secs(1);

/// How long a name server may take to answer that it has taken this broker out.
/// Java 3 s; here the whole stop takes no longer.
const UNREGISTER_LIMIT: Duration = Duration::from_secs(2);

/// The name servers of a broker and what each has still to be told.
#[derive(Debug)]
pub struct Registration {
    client: Client,
    lines: Vec<Arc<Line>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// One name server.
#[derive(Debug)]
struct Line {
    addr: String,
    pending: Mutex<Pending>,
    wake: Notify,
    /// Whether its last registration was taken.
    answers: AtomicBool,
}

#[derive(Debug, Default)]
struct Pending {
    all: bool,
    topics: BTreeSet<String>,
}

/// What one registration says.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// Everything. Unless forced, the name server is first asked whether it has this version already.
    All { force: bool },
    /// These topics, and what else is news.
    Topics(BTreeSet<String>),
}

/// Topics by name.
type Topics = BTreeMap<String, TopicConfig>;

/// Why a name server does not know this broker.
#[derive(Debug)]
enum Failure {
    Call(CallError),
    Refused(Refusal),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Call(error) => error.fmt(f),
            Failure::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        Failure::Call(error)
    }
}

impl Registration {
    /// For the name servers of the configuration. Nothing is sent yet.
    #[must_use]
    pub fn new(config: &BrokerConfig) -> Registration {
        let client = Client::new(ClientConfig {
            connect_limit: config.client.connect_timeout,
            idle: config.client.idle,
            ..ClientConfig::default()
        });
        let line = |addr: &str| {
            Arc::new(Line {
                addr: addr.to_owned(),
                pending: Mutex::default(),
                wake: Notify::new(),
                answers: AtomicBool::new(false),
            })
        };
        Registration {
            client,
            lines: config.name_servers().map(line).collect(),
            tasks: Mutex::default(),
        }
    }

    /// Whether this name server's word on ordered topics counts: of those that answer the first in the list decides, so
    /// that two that disagree do not change every topic to and fro. Java takes whichever answered last.
    fn decides(&self, line: &Line) -> bool {
        let before = self
            .lines
            .iter()
            .take_while(|other| other.addr != line.addr);
        !before
            .into_iter()
            .any(|other| other.answers.load(Ordering::Relaxed))
    }

    /// Begins, and waits until every name server has answered or failed once, `registerBrokerTimeoutMills` at most.
    pub async fn start(&self, broker: &Arc<Broker>) {
        let (tried, mut all_tried) = mpsc::channel(1);
        for line in &self.lines {
            let task = keep_registered(Arc::clone(broker), Arc::clone(line), tried.clone());
            self.tasks.lock().push(tasks::spawn("register", task));
        }
        drop(tried);
        let _ = tokio::time::timeout(broker.config.register_timeout, all_tried.recv()).await;
    }

    /// Topics have changed: every name server is told of all, at once.
    pub fn changed(&self) {
        for line in &self.lines {
            line.pending.lock().all = true;
            line.wake.notify_one();
        }
    }

    /// One topic was made or changed by hand: every name server is told of it alone, at once.
    pub fn topic_changed(&self, topic: &str) {
        for line in &self.lines {
            line.pending.lock().topics.insert(topic.to_owned());
            line.wake.notify_one();
        }
    }

    /// Ends it, and takes this broker out of every name server that answers within 2 s.
    pub async fn stop(&self, broker: &Arc<Broker>) {
        let tasks = std::mem::take(&mut *self.tasks.lock());
        if tasks.is_empty() {
            return; // never started
        }
        tasks.into_iter().for_each(|task| task.abort());
        let (done, mut all_done) = mpsc::channel::<()>(1);
        for line in &self.lines {
            let (broker, line, done) = (Arc::clone(broker), Arc::clone(line), done.clone());
            tokio::spawn(async move {
                match calls::unregister(&broker, &line).await {
                    Ok(()) => info!(namesrv = line.addr, "unregistered"),
                    Err(failure) => warn!(namesrv = line.addr, %failure, "unregister"),
                }
                drop(done);
            });
        }
        drop(done);
        let _ = tokio::time::timeout(UNREGISTER_LIMIT, all_done.recv()).await;
    }
}

/// The life of one name server's line. `tried` is dropped after the first attempt.
async fn keep_registered(broker: Arc<Broker>, line: Arc<Line>, tried: mpsc::Sender<()>) {
    let mut tried = Some(tried);
    let mut known = None;
    let mut told = None;
    let mut wanted = Wanted::All { force: true };
    loop {
        let outcome = calls::register(&broker, &line, &wanted, &mut told).await;
        tried.take();
        match &outcome {
            Ok(()) if known == Some(true) => debug!(namesrv = line.addr, ?wanted, "registered"),
            Ok(()) => info!(
                namesrv = line.addr,
                broker = broker.config.broker_name,
                "registered"
            ),
            Err(failure) if known == Some(false) => {
                debug!(namesrv = line.addr, %failure, "register")
            }
            Err(failure) => {
                warn!(namesrv = line.addr, %failure, "register; try again until it answers")
            }
        }
        line.answers.store(outcome.is_ok(), Ordering::Relaxed);
        known = Some(outcome.is_ok());
        wanted = match outcome {
            Ok(()) => line.next(&broker).await,
            Err(failure) => {
                let refused = matches!(failure, Failure::Refused(_));
                tokio::time::sleep(if refused {
                    broker.config.register_period()
                } else {
                    RETRY
                })
                .await;
                line.take_pending();
                Wanted::All { force: true }
            }
        };
    }
}

impl Line {
    /// Waits for the next reason to register.
    async fn next(&self, broker: &Broker) -> Wanted {
        let due = Instant::now() + broker.config.register_period();
        loop {
            let look = due.min(Instant::now() + RETRY);
            let _ = tokio::time::timeout_at(look, self.wake.notified()).await;
            if let Some(wanted) = self.take_pending() {
                return wanted;
            }
            if !broker.registration.client.is_open(&self.addr) {
                return Wanted::All { force: true };
            }
            if Instant::now() >= due {
                return Wanted::All {
                    force: broker.config.force_register,
                };
            }
        }
    }

    fn take_pending(&self) -> Option<Wanted> {
        let pending = std::mem::take(&mut *self.pending.lock());
        match pending {
            Pending { all: true, .. } => Some(Wanted::All { force: true }),
            Pending { topics, .. } => (!topics.is_empty()).then_some(Wanted::Topics(topics)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line {
            addr: "127.0.0.1:9876".to_owned(),
            pending: Mutex::default(),
            wake: Notify::new(),
            answers: AtomicBool::new(false),
        }
    }

    #[test]
    fn the_first_name_server_that_answers_decides_on_order() {
        let config = BrokerConfig {
            namesrv_addr: Some("10.0.0.1:9876;10.0.0.2:9876;10.0.0.3:9876".to_owned()),
            ..BrokerConfig::default()
        };
        let registration = Registration::new(&config);
        let [first, second, third] = &registration.lines[..] else {
            panic!("three lines");
        };
        assert!(registration.decides(third), "no other answers");
        second.answers.store(true, Ordering::Relaxed);
        assert!(registration.decides(first) && registration.decides(second));
        assert!(!registration.decides(third));
        first.answers.store(true, Ordering::Relaxed);
        assert!(registration.decides(first) && !registration.decides(second));
    }

    #[test]
    fn changes_that_wait_become_one_registration_and_all_covers_each() {
        let line = line();
        assert_eq!(line.take_pending(), None);
        line.pending.lock().topics.insert("A".to_owned());
        line.pending.lock().topics.insert("B".to_owned());
        let both = BTreeSet::from(["A".to_owned(), "B".to_owned()]);
        assert_eq!(line.take_pending(), Some(Wanted::Topics(both)));
        line.pending.lock().topics.insert("A".to_owned());
        line.pending.lock().all = true;
        assert_eq!(line.take_pending(), Some(Wanted::All { force: true }));
        assert_eq!(line.take_pending(), None);
    }
}
