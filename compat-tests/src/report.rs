//! The table of scenarios × clients at the end of a run: `target/compat-results.md` and `.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::board::{Board, Case, Outcome};
use crate::logs;
use crate::scenarios::{CLIENTS, SCENARIOS};
use crate::servers::Servers;
use crate::trouble::{Doing, Trouble};

/// Writes both files and returns the folder they are in.
///
/// # Errors
/// When one can't be written.
pub fn write(board: &Board) -> Result<String, Trouble> {
    let outcomes = board.all();
    let folder = logs::target_folder()?;
    let markdown = folder.join("compat-results.md");
    fs::write(&markdown, table(&outcomes)).doing(|| format!("write {}", markdown.display()))?;
    let cases: Vec<Value> = outcomes
        .iter()
        .map(|(case, outcome)| {
            json!({
                "servers": case.servers.to_string(), "client": case.client, "scenario": case.scenario,
                "passed": outcome.ok, "milliseconds": milliseconds(outcome),
            })
        })
        .collect();
    let path = folder.join("compat-results.json");
    fs::write(&path, Value::from(cases).to_string())
        .doing(|| format!("write {}", path.display()))?;
    Ok(markdown.display().to_string())
}

/// One table a kind of servers: a line a scenario, a column a client, milliseconds or FAILED.
fn table(outcomes: &BTreeMap<Case, Outcome>) -> String {
    let kinds: BTreeSet<Servers> = outcomes.keys().map(|case| case.servers).collect();
    let mut text = String::new();
    for servers in kinds {
        let clients: Vec<&'static str> = CLIENTS
            .into_iter()
            .filter(|client| {
                outcomes
                    .keys()
                    .any(|case| case.servers == servers && case.client == *client)
            })
            .collect();
        let _ = writeln!(
            text,
            "## {servers}\n\nMilliseconds; clients from left to right are versions of rocketmq-client.\n"
        );
        let _ = writeln!(text, "| scenario | {} |", clients.join(" | "));
        let _ = writeln!(text, "|---|{}", "---:|".repeat(clients.len()));
        for scenario in SCENARIOS {
            let cells: Vec<String> = clients
                .iter()
                .map(|client| {
                    cell(outcomes.get(&Case {
                        servers,
                        client,
                        scenario: scenario.name,
                    }))
                })
                .collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                let _ = writeln!(text, "| {} | {} |", scenario.name, cells.join(" | "));
            }
        }
        text.push('\n');
    }
    text
}

fn cell(outcome: Option<&Outcome>) -> String {
    match outcome {
        None => String::new(),
        Some(outcome) if outcome.ok => milliseconds(outcome).to_string(),
        Some(_) => "FAILED".to_owned(),
    }
}

fn milliseconds(outcome: &Outcome) -> u64 {
    u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX)
}
