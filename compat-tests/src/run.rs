//! One run: one kind of servers, all client versions at once, all their scenarios.
//!
//! ```text
//! client JVM ─┐            ┌ undisturbed      scenarios of all clients beside each other, in any order
//! client JVM ─┼─ events ─→ Run
//! client JVM ─┘            └ second cluster   so too; then those that disturb it, one by one, all clients at once
//! ```
//!
//! A disturbed scenario asks for a change of the cluster. The change is made once, when every client that runs this
//! scenario has asked for it; a client whose scenario is over is not waited for. No client is in another stage then.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::board::{Board, Case, Outcome};
use crate::client::{Client, Said};
use crate::cluster::{Cluster, Mode, Spec};
use crate::logs;
use crate::scenarios::{
    BUSY_CLUSTER_KEYS, CLIENTS, EXPIRING_CLUSTER_KEYS, FIRST_CLUSTER_KEYS, OVERLOADED_CLUSTER_KEYS,
    Place, SCENARIOS, SECOND_CLUSTER_KEYS, SYNCING_CLUSTER_KEYS, Scenario, THIRD_CLUSTER_KEYS,
};
use crate::seat::{Question, Seat, stages};
use crate::servers::Servers;
use crate::trouble::{Doing, Trouble};

/// No scenario takes longer; its own waits end after 45 to 100 s each.
const SCENARIO_LIMIT: Duration = Duration::from_secs(240);
/// Scenarios that leave their cluster in peace, of all clients together, at once: the clients have time-outs of 1 to 3 s
/// that can't be set, and share two cores with the servers.
const BESIDE_EACH_OTHER: usize = 6;
const JVM_START_LIMIT: Duration = Duration::from_secs(60);
const FIRST: &str = "first";
const SECOND: &str = "second";
const THIRD: &str = "third";
const EXPIRING: &str = "expiring";
const OVERLOADED: &str = "overloaded";
const BUSY: &str = "busy";
const SYNCING: &str = "syncing";
/// The clusters that nothing disturbs: who runs there, and their broker's keys.
const UNDISTURBED: [(&str, Place, Keys); 6] = [
    (FIRST, Place::First, FIRST_CLUSTER_KEYS),
    (THIRD, Place::Third, THIRD_CLUSTER_KEYS),
    (EXPIRING, Place::Expiring, EXPIRING_CLUSTER_KEYS),
    (OVERLOADED, Place::Overloaded, OVERLOADED_CLUSTER_KEYS),
    (BUSY, Place::Busy, BUSY_CLUSTER_KEYS),
    (SYNCING, Place::Syncing, SYNCING_CLUSTER_KEYS),
];

type Keys = &'static [(&'static str, &'static str)];

/// Runs `cases`, all of one kind of servers, and puts an outcome on the board for each, also when nothing could start.
/// All processes are gone on return.
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
    servers.prepare()?;
    let start = Instant::now();
    let seconds = || start.elapsed().as_secs_f32();
    let logs = logs::fresh_folder(&servers.to_string())?;
    let (sender, events) = mpsc::channel();
    let mut run = Run::new(servers, cases, board, sender, logs);
    run.start_all(&events)?;
    eprintln!(
        "compat-tests: {servers} runs after {:.1} s, logs in {}",
        seconds(),
        run.logs.display()
    );
    run.work(&events);
    eprintln!("compat-tests: {servers} done after {:.1} s", seconds());
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
    undisturbed: Vec<(&'static str, Cluster)>,
    second: Option<Arc<Mutex<Cluster>>>,
    stages: VecDeque<Vec<Scenario>>,
    /// The change under way: who waits for it, with the ids of their questions.
    changing: Option<Vec<(usize, String)>>,
}

impl<'a> Run<'a> {
    fn new(
        servers: Servers,
        cases: &[Case],
        board: &'a Board,
        events: Sender<Event>,
        logs: PathBuf,
    ) -> Run<'a> {
        let mut clients = Vec::new();
        for version in CLIENTS {
            let of_client = cases.iter().filter(|case| case.client == version);
            let names: Vec<&str> = of_client.map(|case| case.scenario).collect();
            if !names.is_empty() {
                clients.push(Seat::new(version, &names));
            }
        }
        let stages = stages();
        Run {
            servers,
            board,
            logs,
            events,
            clients,
            undisturbed: Vec::new(),
            second: None,
            stages,
            changing: None,
        }
    }

    /// Starts the clusters that are needed and all JVMs, beside each other.
    fn start_all(&mut self, events: &Receiver<Event>) -> Result<(), Trouble> {
        let mut undisturbed = Vec::new();
        for (name, place, keys) in UNDISTURBED {
            undisturbed.extend(Some(name).zip(self.starting(name, &[place], 1, keys)));
        }
        let disturbed = [Place::Second, Place::Disturbed, Place::LivesOn];
        let second = self.starting(SECOND, &disturbed, 2, SECOND_CLUSTER_KEYS);
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
        for (name, starting) in undisturbed {
            self.undisturbed.push((name, joined(starting)?));
        }
        self.second = second
            .map(joined)
            .transpose()?
            .map(|cluster| Arc::new(Mutex::new(cluster)));
        self.await_ready(events)?;
        self.tell_clusters()
    }

    /// Starts the cluster of `places`, if a scenario is to run there.
    fn starting(
        &self,
        name: &str,
        places: &[Place],
        namesrvs: usize,
        keys: Keys,
    ) -> Option<JoinHandle<Result<Cluster, Trouble>>> {
        let spec = Spec {
            servers: self.servers,
            namesrvs,
            mode: Mode::Test(keys),
        };
        let needed = self.clients.iter().any(|seat| seat.needs(places));
        needed.then(|| start_cluster(spec, self.logs.join(name)))
    }

    /// Holds that each JVM has the version that was asked for, and the scenarios that the harness knows.
    fn await_ready(&self, events: &Receiver<Event>) -> Result<(), Trouble> {
        let mut known: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        known.sort_unstable();
        for _ in &self.clients {
            let late = |_| Trouble(format!("no client JVM is ready after {JVM_START_LIMIT:?}"));
            let Event::Said { client, said } =
                events.recv_timeout(JVM_START_LIMIT).map_err(late)?
            else {
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
            scenarios.sort_unstable();
            if scenarios != known {
                return Err(Trouble(format!(
                    "Catalogue.java has {scenarios:?}, scenarios.rs has {known:?}"
                )));
            }
        }
        Ok(())
    }

    fn tell_clusters(&mut self) -> Result<(), Trouble> {
        let undisturbed = self.undisturbed.iter();
        let mut clusters: Vec<_> = undisturbed
            .map(|(name, cluster)| (*name, addresses(cluster)))
            .collect();
        if let Some(second) = &self.second {
            clusters.push((SECOND, addresses(&lock(second))));
        }
        for client in self
            .clients
            .iter_mut()
            .filter_map(|seat| seat.client.as_mut())
        {
            for (name, (namesrv, broker)) in &clusters {
                client.tell_cluster(name, namesrv, broker)?;
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
            while let Some(waits) = self
                .clients
                .get_mut(at)
                .and_then(|seat| seat.next_at(Place::Expiring))
            {
                self.begin(at, waits, EXPIRING);
            }
        }
        // Those of the second cluster first: what disturbs it waits for them.
        for (place, cluster) in [
            (Place::Second, SECOND),
            (Place::Overloaded, OVERLOADED),
            (Place::Busy, BUSY),
            (Place::Syncing, SYNCING),
            (Place::Third, THIRD),
            (Place::First, FIRST),
        ] {
            for at in 0..self.clients.len() {
                while self.clients.iter().map(Seat::calm).sum::<usize>() < BESIDE_EACH_OTHER
                    && let Some(scenario) = self
                        .clients
                        .get_mut(at)
                        .and_then(|seat| seat.next_at(place))
                {
                    self.begin(at, scenario, cluster);
                }
            }
        }
        // The next stage of the second cluster begins when no client has anything of the last one.
        while !self.clients.iter().any(Seat::holds_up_others)
            && let Some(stage) = self.stages.pop_front()
        {
            for scenario in stage {
                for at in 0..self.clients.len() {
                    if let Some(wanted) = self
                        .clients
                        .get_mut(at)
                        .and_then(|seat| seat.next(scenario))
                    {
                        self.begin(at, wanted, SECOND);
                    }
                }
            }
        }
        self.change_if_all_asked();
    }

    fn begin(&mut self, at: usize, scenario: Scenario, cluster: &str) {
        let told = self
            .clients
            .get_mut(at)
            .map(|seat| seat.begin(scenario, cluster));
        if let Some(Err(trouble)) = told {
            self.end(at, scenario.name, failed(&trouble.0));
        }
    }

    fn heard(&mut self, at: usize, said: Said) {
        match said {
            Said::Ready { .. } => {}
            Said::Ask { id, scenario, verb } => {
                if let Some(seat) = self.clients.get_mut(at) {
                    seat.asked(&scenario, Question { id, verb });
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
            Said::Gone => self.give_up(at, "the client's JVM ended"),
        }
    }

    fn where_to_read(&self, at: usize) -> String {
        let client = self.clients.get(at).map(Seat::log).unwrap_or_default();
        format!(
            "\nlogs: {} (servers), {} (client)",
            self.logs.display(),
            client.display()
        )
    }

    fn end(&mut self, at: usize, scenario: &str, outcome: Outcome) {
        let Some(seat) = self.clients.get_mut(at) else {
            return;
        };
        if let Some(scenario) = seat.end(scenario) {
            let case = Case {
                servers: self.servers,
                client: seat.version,
                scenario: scenario.name,
            };
            self.board.put(case, outcome);
        }
    }

    /// A client that is gone fails all that it runs or was still to run.
    fn give_up(&mut self, at: usize, what: &str) {
        let Some(seat) = self.clients.get_mut(at) else {
            return;
        };
        let (rest, words) = seat.give_up();
        for scenario in rest {
            let case = Case {
                servers: self.servers,
                client: seat.version,
                scenario: scenario.name,
            };
            self.board.put(case, failed(&format!("{what}; {words}")));
        }
    }

    fn end_overdue(&mut self) {
        for at in 0..self.clients.len() {
            if self
                .clients
                .get(at)
                .is_some_and(|seat| seat.has_run_longer_than(SCENARIO_LIMIT))
            {
                // A thread of it hangs: the JVM can't be trusted with the rest.
                self.give_up(
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
            for question in seat.questions() {
                let Some(question) = question else { return };
                waiters.push((at, question.id.clone()));
                verb = Some(question.verb.clone());
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
            if let Some(seat) = self.clients.get_mut(at) {
                seat.answer(&id, done);
            }
        }
    }
}

fn start_cluster(spec: Spec, logs: PathBuf) -> JoinHandle<Result<Cluster, Trouble>> {
    thread::spawn(move || {
        fs::create_dir_all(&logs).doing(|| format!("make {}", logs.display()))?;
        Cluster::start(spec, &logs)
    })
}

fn joined(starting: JoinHandle<Result<Cluster, Trouble>>) -> Result<Cluster, Trouble> {
    starting.join().unwrap_or_else(|_| {
        Err(Trouble(
            "the thread that started a cluster panicked".to_owned(),
        ))
    })
}

fn addresses(cluster: &Cluster) -> (String, String) {
    (cluster.namesrv_addr(), cluster.broker_addr())
}

fn lock(cluster: &Mutex<Cluster>) -> MutexGuard<'_, Cluster> {
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}
