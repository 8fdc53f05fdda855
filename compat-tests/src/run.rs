//! One run: one kind of servers, all client versions at once, all their scenarios.
//!
//! ```text
//! client JVM ─┐            ┌ first cluster    up to six scenarios of each client beside each other, in any order
//! client JVM ─┼─ events ─→ Run
//! client JVM ─┘            └ second cluster   stage by stage: all clients, then the next stage
//! ```
//!
//! A disturbed scenario asks for a change of the cluster. The change is made once, when every client that runs this
//! scenario has asked for it; a client whose scenario is over is not waited for. No client is in another stage then.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::board::{Board, Case, Outcome};
use crate::client::{Client, Said};
use crate::cluster::{Cluster, Spec};
use crate::logs;
use crate::scenarios::{Place, SCENARIOS, SECOND_CLUSTER_KEYS, Scenario};
use crate::servers::Servers;
use crate::trouble::Trouble;

/// Scenarios of one client beside each other on the first cluster; four clients and the servers share two cores.
const BESIDE_EACH_OTHER: usize = 6;
/// No scenario takes longer; its own waits end after 45 s each.
const SCENARIO_LIMIT: Duration = Duration::from_secs(240);
const FIRST: &str = "first";
const SECOND: &str = "second";

/// Runs `cases`, all of one kind of servers, and puts an outcome on the board for each, also when nothing could start.
pub fn run(servers: Servers, cases: &[Case], board: &Board) {
    if let Err(trouble) = try_run(servers, cases, board) {
        for case in cases {
            board.put(*case, failed(&trouble.0));
        }
    }
}

fn failed(text: &str) -> Outcome {
    Outcome {
        ok: false,
        took: Duration::ZERO,
        text: text.to_owned(),
    }
}

fn try_run(servers: Servers, cases: &[Case], board: &Board) -> Result<(), Trouble> {
    let start = Instant::now();
    servers.prepare()?;
    let logs = logs::fresh_folder(&servers.to_string())?;
    let (sender, events) = mpsc::channel();
    let mut run = Run::new(servers, cases, board, sender, logs);
    run.start_all(&events)?;
    eprintln!(
        "compat-tests: {servers} runs after {:.1} s, logs in {}",
        start.elapsed().as_secs_f32(),
        run.logs.display()
    );
    run.work(&events);
    eprintln!(
        "compat-tests: {servers} done after {:.1} s",
        start.elapsed().as_secs_f32()
    );
    Ok(())
}

enum Event {
    Said { client: usize, said: Said },
    Changed { done: Result<(), Trouble> },
}

struct Run<'a> {
    servers: Servers,
    board: &'a Board,
    logs: PathBuf,
    events: Sender<Event>,
    clients: Vec<Seat>,
    first: Option<Cluster>,
    second: Option<Arc<Mutex<Cluster>>>,
    stages: VecDeque<Vec<Scenario>>,
    /// The change under way, with those who wait for it.
    changing: Option<Vec<(usize, String)>>,
}

/// One client version of a run.
struct Seat {
    version: &'static str,
    client: Option<Client>,
    /// Scenarios of the first cluster that have not begun.
    waiting: VecDeque<Scenario>,
    /// Scenarios of the second cluster that it is to run.
    second: Vec<Scenario>,
    running: BTreeMap<&'static str, Running>,
}

struct Running {
    scenario: Scenario,
    since: Instant,
    /// The change it waits for: the id of its question, and the verb.
    asked: Option<(String, String)>,
}

impl<'a> Run<'a> {
    fn new(
        servers: Servers,
        cases: &[Case],
        board: &'a Board,
        events: Sender<Event>,
        logs: PathBuf,
    ) -> Run<'a> {
        let mut clients: Vec<Seat> = Vec::new();
        for scenario in SCENARIOS {
            for case in cases.iter().filter(|case| case.scenario == scenario.name) {
                let at = clients
                    .iter()
                    .position(|seat| seat.version == case.client)
                    .unwrap_or_else(|| {
                        clients.push(Seat::new(case.client));
                        clients.len() - 1
                    });
                if let Some(seat) = clients.get_mut(at) {
                    seat.take(*scenario);
                }
            }
        }
        let wanted = |scenario: &Scenario| cases.iter().any(|case| case.scenario == scenario.name);
        let calm = SCENARIOS
            .iter()
            .filter(|s| s.place == Place::Second && wanted(s))
            .copied()
            .collect();
        let disturbed = SCENARIOS
            .iter()
            .filter(|s| s.place == Place::Disturbed && wanted(s));
        let stages = std::iter::once(calm)
            .chain(disturbed.map(|scenario| vec![*scenario]))
            .collect();
        Run {
            servers,
            board,
            logs,
            events,
            clients,
            first: None,
            second: None,
            stages,
            changing: None,
        }
    }

    /// Starts the clusters that are needed and all JVMs, beside each other.
    fn start_all(&mut self, events: &Receiver<Event>) -> Result<(), Trouble> {
        let needs_first = self.clients.iter().any(|seat| !seat.waiting.is_empty());
        let needs_second = self.clients.iter().any(|seat| !seat.second.is_empty());
        let first = Spec {
            servers: self.servers,
            namesrvs: 1,
            broker_keys: &[],
        };
        let second = Spec {
            servers: self.servers,
            namesrvs: 2,
            broker_keys: SECOND_CLUSTER_KEYS,
        };
        let first = needs_first.then(|| start_cluster(first, self.logs.join(FIRST)));
        let second = needs_second.then(|| start_cluster(second, self.logs.join(SECOND)));
        for (at, seat) in self.clients.iter_mut().enumerate() {
            let prefix = format!("c{}", seat.version.replace('.', ""));
            let wrap = move |said| Event::Said { client: at, said };
            seat.client = Some(Client::start(
                seat.version,
                &prefix,
                &self.logs,
                self.events.clone(),
                wrap,
            )?);
        }
        self.first = first.map(joined).transpose()?;
        self.second = second
            .map(joined)
            .transpose()?
            .map(|cluster| Arc::new(Mutex::new(cluster)));
        self.await_ready(events)?;
        let first = self.first.as_ref().map(addresses);
        let second = self
            .second
            .as_ref()
            .map(|cluster| addresses(&lock(cluster)));
        for seat in &mut self.clients {
            for (name, addresses) in [(FIRST, &first), (SECOND, &second)] {
                if let (Some(client), Some((namesrv, broker))) = (&mut seat.client, addresses) {
                    client.tell_cluster(name, namesrv, broker)?;
                }
            }
        }
        Ok(())
    }

    /// Holds that each JVM has the version that was asked for, and the scenarios that the harness knows.
    fn await_ready(&self, events: &Receiver<Event>) -> Result<(), Trouble> {
        for _ in &self.clients {
            let event = events.recv_timeout(Duration::from_secs(60)).map_err(|_| {
                Trouble(format!(
                    "a client JVM is not ready after 60 s; see {}",
                    self.logs.display()
                ))
            })?;
            let Event::Said { client, said } = event else {
                continue;
            };
            let Some(seat) = self.clients.get(client) else {
                continue;
            };
            let Said::Ready {
                version,
                mut scenarios,
            } = said
            else {
                let words = seat
                    .client
                    .as_ref()
                    .map(Client::last_words)
                    .unwrap_or_default();
                return Err(Trouble(format!(
                    "the JVM of client {} did not start; {words}",
                    seat.version
                )));
            };
            if version != format!("V{}", seat.version.replace('.', "_")) {
                return Err(Trouble(format!(
                    "client {} says that it is {version}",
                    seat.version
                )));
            }
            let mut known: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            known.sort_unstable();
            scenarios.sort_unstable();
            if scenarios != known {
                return Err(Trouble(format!(
                    "Catalogue.java has {scenarios:?}, scenarios.rs has {known:?}"
                )));
            }
        }
        Ok(())
    }

    fn work(&mut self, events: &Receiver<Event>) {
        self.proceed();
        while self.clients.iter().any(Seat::has_work) {
            match events.recv_timeout(Duration::from_secs(1)) {
                Ok(Event::Said { client, said }) => self.heard(client, said),
                Ok(Event::Changed { done }) => self.changed(&done),
                Err(RecvTimeoutError::Timeout) => self.end_overdue(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.proceed();
        }
    }

    /// Starts whatever may start now.
    fn proceed(&mut self) {
        for at in 0..self.clients.len() {
            while let Some(scenario) = self.clients.get_mut(at).and_then(Seat::next_on_first) {
                self.begin(at, scenario, FIRST);
            }
        }
        // The next stage of the second cluster begins when no client has anything of the last one.
        while self.clients.iter().all(|seat| !seat.runs_on_second())
            && let Some(stage) = self.stages.pop_front()
        {
            for at in 0..self.clients.len() {
                for scenario in &stage {
                    if self
                        .clients
                        .get_mut(at)
                        .is_some_and(|seat| seat.pick_second(scenario))
                    {
                        self.begin(at, *scenario, SECOND);
                    }
                }
            }
        }
        self.change_if_all_asked();
    }

    fn begin(&mut self, at: usize, scenario: Scenario, cluster: &str) {
        let Some(seat) = self.clients.get_mut(at) else {
            return;
        };
        seat.running.insert(
            scenario.name,
            Running {
                scenario,
                since: Instant::now(),
                asked: None,
            },
        );
        let told = match &mut seat.client {
            Some(client) => client.run(scenario.name, cluster),
            None => Err(Trouble(format!(
                "the JVM of client {} has ended before",
                seat.version
            ))),
        };
        if let Err(trouble) = told {
            self.end(at, scenario.name, failed(&trouble.0));
        }
    }

    fn heard(&mut self, at: usize, said: Said) {
        match said {
            Said::Ready { .. } => {}
            Said::Ask { id, scenario, verb } => {
                let seat = self.clients.get_mut(at);
                if let Some(running) = seat.and_then(|seat| seat.running.get_mut(scenario.as_str()))
                {
                    running.asked = Some((id, verb));
                }
            }
            Said::Result {
                scenario,
                ok,
                took,
                text,
            } => {
                let place = if ok {
                    String::new()
                } else {
                    self.where_to_read(at)
                };
                self.end(
                    at,
                    &scenario,
                    Outcome {
                        ok,
                        took,
                        text: format!("{text}{place}"),
                    },
                );
            }
            Said::Gone => self.end_all(at, "the client's JVM ended"),
        }
    }

    fn where_to_read(&self, at: usize) -> String {
        let log = self
            .clients
            .get(at)
            .and_then(|seat| seat.client.as_ref())
            .map(|client| client.log.clone());
        format!(
            "\nlogs: {} (servers), {} (client)",
            self.logs.display(),
            log.unwrap_or_default().display()
        )
    }

    fn end(&mut self, at: usize, scenario: &str, outcome: Outcome) {
        let Some(seat) = self.clients.get_mut(at) else {
            return;
        };
        if let Some(running) = seat.running.remove(scenario) {
            let case = Case {
                servers: self.servers,
                client: seat.version,
                scenario: running.scenario.name,
            };
            self.board.put(case, outcome);
        }
    }

    /// A client that is gone fails all that it runs or was still to run.
    fn end_all(&mut self, at: usize, what: &str) {
        let Some(seat) = self.clients.get_mut(at) else {
            return;
        };
        let words = seat
            .client
            .take()
            .map(|client| client.last_words())
            .unwrap_or_default();
        let rest: Vec<&'static str> = seat.running.keys().copied().collect();
        let unstarted: Vec<Scenario> = seat
            .waiting
            .drain(..)
            .chain(seat.second.drain(..))
            .collect();
        let (servers, client) = (self.servers, seat.version);
        seat.running.clear();
        for scenario in rest
            .into_iter()
            .chain(unstarted.iter().map(|scenario| scenario.name))
        {
            self.board.put(
                Case {
                    servers,
                    client,
                    scenario,
                },
                failed(&format!("{what}; {words}")),
            );
        }
    }

    fn end_overdue(&mut self) {
        for at in 0..self.clients.len() {
            let overdue = self.clients.get(at).is_some_and(|seat| {
                seat.running
                    .values()
                    .any(|running| running.since.elapsed() > SCENARIO_LIMIT)
            });
            if overdue {
                // A thread of it hangs: the JVM can't be trusted with the rest.
                self.end_all(
                    at,
                    &format!("a scenario of this client had no end after {SCENARIO_LIMIT:?}"),
                );
            }
        }
    }

    /// Makes the change that all clients in the disturbed stage wait for, on a thread of its own.
    fn change_if_all_asked(&mut self) {
        if self.changing.is_some() {
            return;
        }
        let mut waiters = Vec::new();
        let mut verb = None;
        for (at, seat) in self.clients.iter().enumerate() {
            for running in seat
                .running
                .values()
                .filter(|running| running.scenario.place == Place::Disturbed)
            {
                let Some((id, asked)) = &running.asked else {
                    return;
                };
                waiters.push((at, id.clone()));
                verb = Some(asked.clone());
            }
        }
        let (Some(verb), Some(cluster)) = (verb, &self.second) else {
            return;
        };
        let (cluster, events) = (Arc::clone(cluster), self.events.clone());
        self.changing = Some(waiters);
        thread::spawn(move || {
            let done = lock(&cluster).change(&verb);
            // Nobody listens only when the run was given up.
            let _ = events.send(Event::Changed { done });
        });
    }

    fn changed(&mut self, done: &Result<(), Trouble>) {
        for (at, id) in self.changing.take().unwrap_or_default() {
            let Some(seat) = self.clients.get_mut(at) else {
                continue;
            };
            for running in seat.running.values_mut() {
                if running
                    .asked
                    .as_ref()
                    .is_some_and(|(asked, _)| *asked == id)
                {
                    running.asked = None;
                }
            }
            // A JVM that has ended says so by itself.
            let _ = seat.client.as_mut().map(|client| client.answer(&id, done));
        }
    }
}

impl Seat {
    fn new(version: &'static str) -> Seat {
        Seat {
            version,
            client: None,
            waiting: VecDeque::new(),
            second: Vec::new(),
            running: BTreeMap::new(),
        }
    }

    fn take(&mut self, scenario: Scenario) {
        match scenario.place {
            Place::First => self.waiting.push_back(scenario),
            Place::Second | Place::Disturbed => self.second.push(scenario),
        }
    }

    fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.second.is_empty() || !self.running.is_empty()
    }

    fn next_on_first(&mut self) -> Option<Scenario> {
        let running = self
            .running
            .values()
            .filter(|running| running.scenario.place == Place::First)
            .count();
        if running < BESIDE_EACH_OTHER {
            self.waiting.pop_front()
        } else {
            None
        }
    }

    fn runs_on_second(&self) -> bool {
        self.running
            .values()
            .any(|running| running.scenario.place != Place::First)
    }

    /// Takes `scenario` off the list of the second cluster; whether it was there.
    fn pick_second(&mut self, scenario: &Scenario) -> bool {
        let before = self.second.len();
        self.second.retain(|other| other != scenario);
        self.second.len() < before
    }
}

type Starting = thread::JoinHandle<Result<Cluster, Trouble>>;

fn start_cluster(spec: Spec, logs: PathBuf) -> Starting {
    thread::spawn(move || {
        make_folder(&logs)?;
        Cluster::start(spec, &logs)
    })
}

fn make_folder(folder: &Path) -> Result<(), Trouble> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Trouble::from_io(format!("make {}", folder.display()), &error))
}

fn joined(starting: Starting) -> Result<Cluster, Trouble> {
    starting.join().unwrap_or_else(|_| {
        Err(Trouble(
            "the thread that started a cluster panicked".to_owned(),
        ))
    })
}

fn addresses(cluster: &Cluster) -> (String, String) {
    (cluster.namesrv_addr(), cluster.broker_addr())
}

fn lock(cluster: &Mutex<Cluster>) -> std::sync::MutexGuard<'_, Cluster> {
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}
