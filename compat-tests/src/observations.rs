//! What clients saw of Java's servers, word for word: refusals, offsets at the edges. Ours must be the same.
//!
//! `observations.txt` holds it, made by a run against the control with `COMPAT_RECORD=1` and checked by every other run
//! against the control, so ours and Java's are compared to the same lines whichever runs.
//!
//! ```text
//! [4.7.0 refuse_too_big]
//! over the broker's limit: org.apache.rocketmq.client.exception.MQBrokerException code=13 CODE: 13  DESC: …
//! ```
//!
//! `differences.txt` has the lines in which ours differ on purpose: `scenario | line of Java's | line of ours | reason`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::board::{Board, Case};
use crate::servers::{CONTROL, Servers};
use crate::trouble::{Doing, Trouble};

/// Observations by client version and scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observations(BTreeMap<(String, String), String>);

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

impl Observations {
    /// Reads `observations.txt`.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read() -> Result<Observations, Trouble> {
        let path = file("observations.txt");
        Ok(Observations::parse(
            &fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?,
        ))
    }

    fn parse(text: &str) -> Observations {
        let mut all = BTreeMap::new();
        let mut key = None;
        for line in text.lines() {
            if let Some(title) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
                && let Some((client, scenario)) = title.split_once(' ')
            {
                key = Some((client.to_owned(), scenario.to_owned()));
            } else if let Some(key) = &key
                && !line.is_empty()
            {
                let text: &mut String = all.entry(key.clone()).or_default();
                text.push_str(line);
                text.push('\n');
            }
        }
        Observations(all)
    }

    /// Why `seen` is not what it should be: the lines that differ from the control's. `None` when all is well.
    #[must_use]
    pub fn difference(&self, case: &Case, seen: &str, allowed: &Differences) -> Option<String> {
        let key = (case.client.to_owned(), case.scenario.to_owned());
        let recorded = self.0.get(&key).map_or("", String::as_str);
        let expected: Vec<String> = recorded
            .lines()
            .map(|line| match case.servers {
                Servers::Ours => allowed.ours(case.scenario, line),
                Servers::Java(_) => line.to_owned(),
            })
            .collect();
        let seen = normalised(seen);
        let seen: Vec<&str> = seen.lines().collect();
        if expected == seen {
            return None;
        }
        let mut report =
            "what the client saw is not what it saw of Java 4.7.0's servers:\n".to_owned();
        for line in expected
            .iter()
            .filter(|line| !seen.contains(&line.as_str()))
        {
            let _ = writeln!(report, "  java: {line}");
        }
        for line in seen
            .iter()
            .filter(|line| !expected.iter().any(|other| other == *line))
        {
            let _ = writeln!(report, "  seen: {line}");
        }
        Some(report)
    }
}

/// Writes the control's observations of this run over those in `observations.txt`.
///
/// # Errors
/// When the file can't be written.
pub fn record(board: &Board) -> Result<(), Trouble> {
    let mut all = Observations::read().unwrap_or_default().0;
    for (case, outcome) in board.all() {
        if case.servers == CONTROL && outcome.ok {
            let key = (case.client.to_owned(), case.scenario.to_owned());
            all.remove(&key);
            if !outcome.text.is_empty() {
                all.insert(key, normalised(&outcome.text));
            }
        }
    }
    let mut text = "# What clients see of Java 4.7.0's servers. Made by COMPAT_RECORD=1; see src/observations.rs.\n".to_owned();
    for ((client, scenario), lines) in all {
        let _ = write!(text, "\n[{client} {scenario}]\n{lines}");
    }
    let path = file("observations.txt");
    fs::write(&path, text).doing(|| format!("write {}", path.display()))
}

/// Lines in which ours differ from Java's on purpose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Differences(Vec<(String, String, String)>);

impl Differences {
    /// Reads `differences.txt`.
    ///
    /// # Errors
    /// When it can't be read, or a line has not four parts.
    pub fn read() -> Result<Differences, Trouble> {
        let path = file("differences.txt");
        Differences::parse(&fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?)
    }

    fn parse(text: &str) -> Result<Differences, Trouble> {
        let mut all = Vec::new();
        for line in text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
            let [scenario, java, ours, _reason] = parts.as_slice() else {
                return Err(Trouble(format!(
                    "differences.txt: `{line}` is not `scenario | java | ours | reason`"
                )));
            };
            all.push((
                (*scenario).to_owned(),
                (*java).to_owned(),
                (*ours).to_owned(),
            ));
        }
        Ok(Differences(all))
    }

    /// The line that ours must show where Java's show `java`.
    fn ours(&self, scenario: &str, java: &str) -> String {
        self.0
            .iter()
            .find(|(name, line, _)| name == scenario && line == java)
            .map_or_else(|| java.to_owned(), |(_, _, ours)| ours.clone())
    }
}

/// Addresses of this run become `ADDR`: only the port numbers differ between two runs.
fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("127.0.0.1:") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        out.push_str("ADDR");
        rest = from
            .strip_prefix("127.0.0.1:")
            .unwrap_or(from)
            .trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: Case = Case {
        servers: Servers::Ours,
        client: "4.7.0",
        scenario: "refuse",
    };

    #[test]
    fn ports_do_not_count() {
        let all = Observations::parse(
            "# note\n[4.7.0 refuse]\nsend: to /ADDR failed\npull: x\n\n[4.9.4 refuse]\nother\n",
        );
        let none = Differences::default();
        assert_eq!(
            all.difference(&CASE, "send: to /127.0.0.1:4711 failed\npull: x\n", &none),
            None
        );
        let report = all
            .difference(&CASE, "send: to /127.0.0.1:4711 failed\npull: y\n", &none)
            .unwrap();
        assert!(
            report.contains("java: pull: x") && report.contains("seen: pull: y"),
            "{report}"
        );
        assert!(!report.contains("send"), "{report}");
    }

    #[test]
    fn a_difference_on_purpose_holds_for_ours_only() {
        let all = Observations::parse("[4.7.0 refuse]\nraw: code=0\n");
        let allowed =
            Differences::parse("# note\nrefuse | raw: code=0 | raw: code=1 no | safer\n").unwrap();
        assert_eq!(all.difference(&CASE, "raw: code=1 no\n", &allowed), None);
        assert!(all.difference(&CASE, "raw: code=0\n", &allowed).is_some());
        let java = Case {
            servers: CONTROL,
            ..CASE
        };
        assert_eq!(all.difference(&java, "raw: code=0\n", &allowed), None);
    }
}
