//! The results so far, for the test runner's threads that wait for one each.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::servers::Servers;

/// One trial: a scenario with one client version against one kind of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Case {
    /// Whose servers.
    pub servers: Servers,
    /// Version of the client.
    pub client: &'static str,
    /// Name of the scenario.
    pub scenario: &'static str,
}

impl Case {
    /// The name of the trial, for example `ours/5.3.3/sync_send`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.servers, self.client, self.scenario)
    }
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the scenario held.
    pub ok: bool,
    /// From its start to its end, without the stopping of its clients.
    pub took: Duration,
    /// What it observed, or what went wrong.
    pub text: String,
}

/// Outcomes by case; written by the runs, awaited by the trials.
#[derive(Debug, Default)]
pub struct Board {
    outcomes: Mutex<BTreeMap<Case, Outcome>>,
    changed: Condvar,
}

impl Board {
    /// Keeps the outcome of a case; the first one stands.
    pub fn put(&self, case: Case, outcome: Outcome) {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.entry(case).or_insert(outcome);
        self.changed.notify_all();
    }

    /// Waits for the outcome of a case. Blocks until some run has put it: a run puts one for each of its cases,
    /// whatever happens.
    pub fn wait(&self, case: Case) -> Outcome {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = outcomes.get(&case) {
                return outcome.clone();
            }
            outcomes = self
                .changed
                .wait(outcomes)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// All outcomes so far.
    pub fn all(&self) -> BTreeMap<Case, Outcome> {
        self.outcomes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
