//! One client version in a run: its JVM, what it is still to run, and what it runs now.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::scenarios::{Place, SCENARIOS, Scenario};
use crate::trouble::Trouble;

/// One client version of a run.
pub(crate) struct Seat {
    /// Version of rocketmq-client.
    pub(crate) version: &'static str,
    /// Its JVM, once started and until it ends.
    pub(crate) client: Option<Client>,
    /// Scenarios that have not begun.
    waiting: Vec<Scenario>,
    running: BTreeMap<&'static str, Running>,
}

struct Running {
    scenario: Scenario,
    since: Instant,
    /// The change it waits for.
    asked: Option<Question>,
    /// A change that it asked for has been made.
    answered: bool,
}

/// A change of the cluster that a scenario waits for.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// To be given back with the answer.
    pub(crate) id: String,
    /// What is to be done to the cluster.
    pub(crate) verb: String,
}

impl Running {
    /// Whether no further stage may begin, and no change be made that it has not asked for.
    fn holds_up_others(&self) -> bool {
        match self.scenario.place {
            Place::Second | Place::Disturbed => true,
            Place::LivesOn => !self.answered,
            _ => false,
        }
    }

    fn is_calm(&self) -> bool {
        !matches!(
            self.scenario.place,
            Place::Expiring | Place::Disturbed | Place::LivesOn
        )
    }
}

impl Seat {
    /// A client version that is to run the scenarios of these names.
    pub(crate) fn new(version: &'static str, names: &[&str]) -> Seat {
        let wanted = SCENARIOS
            .iter()
            .filter(|scenario| names.contains(&scenario.name));
        Seat {
            version,
            client: None,
            waiting: wanted.copied().collect(),
            running: BTreeMap::new(),
        }
    }

    /// Whether a scenario is to run on the cluster of one of these places.
    pub(crate) fn needs(&self, places: &[Place]) -> bool {
        self.waiting
            .iter()
            .any(|scenario| places.contains(&scenario.place))
    }

    pub(crate) fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.running.is_empty()
    }

    /// How many scenarios run that leave their cluster in peace and keep it busy.
    pub(crate) fn calm(&self) -> usize {
        self.running
            .values()
            .filter(|running| running.is_calm())
            .count()
    }

    /// Takes the next scenario of `place`.
    pub(crate) fn next_at(&mut self, place: Place) -> Option<Scenario> {
        let at = self
            .waiting
            .iter()
            .position(|scenario| scenario.place == place)?;
        Some(self.waiting.remove(at))
    }

    /// Takes `scenario`; `None` when it is not wanted here.
    pub(crate) fn next(&mut self, scenario: Scenario) -> Option<Scenario> {
        let at = self.waiting.iter().position(|other| *other == scenario)?;
        Some(self.waiting.remove(at))
    }

    /// Starts a scenario in the JVM.
    pub(crate) fn begin(&mut self, scenario: Scenario, cluster: &str) -> Result<(), Trouble> {
        let running = Running {
            scenario,
            since: Instant::now(),
            asked: None,
            answered: false,
        };
        self.running.insert(scenario.name, running);
        match &mut self.client {
            Some(client) => client.run(scenario.name, cluster),
            None => Err(Trouble(format!(
                "the JVM of client {} has ended before",
                self.version
            ))),
        }
    }

    pub(crate) fn asked(&mut self, scenario: &str, question: Question) {
        if let Some(running) = self.running.get_mut(scenario) {
            running.asked = Some(question);
        }
    }

    /// Gives the answer to the scenario that asked the question `id`.
    pub(crate) fn answer(&mut self, id: &str, done: &Result<(), Trouble>) {
        for running in self.running.values_mut() {
            if running
                .asked
                .as_ref()
                .is_some_and(|question| question.id == id)
            {
                running.asked = None;
                running.answered = true;
            }
        }
        if let Some(client) = &mut self.client {
            // A JVM that has ended says so by itself.
            let _ = client.answer(id, done);
        }
    }

    /// Whether the next stage of the second cluster may not begin yet.
    pub(crate) fn holds_up_others(&self) -> bool {
        self.waiting
            .iter()
            .any(|scenario| scenario.place == Place::Second)
            || self.running.values().any(Running::holds_up_others)
    }

    /// What the scenarios that hold up others wait for; `None` for one that has not asked yet.
    pub(crate) fn questions(&self) -> impl Iterator<Item = Option<&Question>> {
        self.running
            .values()
            .filter(|running| running.holds_up_others())
            .map(|running| running.asked.as_ref())
    }

    /// Takes a scenario that is over off the list.
    pub(crate) fn end(&mut self, scenario: &str) -> Option<Scenario> {
        self.running
            .remove(scenario)
            .map(|running| running.scenario)
    }

    /// Gives up: no JVM any more. Returns what it ran or was still to run, and the JVM's last words.
    pub(crate) fn give_up(&mut self) -> (Vec<Scenario>, String) {
        let mut rest: Vec<Scenario> = self
            .running
            .values()
            .map(|running| running.scenario)
            .collect();
        self.running.clear();
        rest.append(&mut self.waiting);
        (
            rest,
            self.client
                .take()
                .map(|client| client.last_words())
                .unwrap_or_default(),
        )
    }

    pub(crate) fn has_run_longer_than(&self, limit: Duration) -> bool {
        self.running
            .values()
            .any(|running| running.since.elapsed() > limit)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.client
            .as_ref()
            .map(|client| client.log.clone())
            .unwrap_or_default()
    }
}

/// The scenarios that disturb the second cluster, one by one; what lives on begins with the first of these.
pub(crate) fn stages() -> VecDeque<Vec<Scenario>> {
    let of = |place: Place| {
        SCENARIOS
            .iter()
            .filter(move |scenario| scenario.place == place)
            .copied()
    };
    let mut stages: VecDeque<Vec<Scenario>> = VecDeque::from([of(Place::LivesOn).collect()]);
    for (i, scenario) in of(Place::Disturbed).enumerate() {
        match (i, stages.back_mut()) {
            (0, Some(living_on)) => living_on.push(scenario),
            _ => stages.push_back(vec![scenario]),
        }
    }
    stages
}
