//! `known_gaps.txt`: cases that do not pass yet, each with its reason. The list may only shrink: a listed case that
//! passes fails the run, so that its line is taken out.
//!
//! ```text
//! # server client scenario reason
//! ours 4.4.0 sync_send what is missing, in a few words
//! ```
//!
//! `*` stands for every client.

use std::fs;
use std::path::Path;

use crate::board::Case;
use crate::trouble::{Doing, Trouble};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gap {
    servers: String,
    client: String,
    scenario: String,
    reason: String,
}

/// The list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps(Vec<Gap>);

impl Gaps {
    /// Reads the list of this crate.
    ///
    /// # Errors
    /// When it can't be read, or a line has no reason.
    pub fn read() -> Result<Gaps, Trouble> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("known_gaps.txt");
        Gaps::parse(&fs::read_to_string(&path).doing(|| format!("read {}", path.display()))?)
    }

    fn parse(text: &str) -> Result<Gaps, Trouble> {
        let mut gaps = Vec::new();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let mut words = line.splitn(4, char::is_whitespace).map(str::trim);
            let (Some(servers), Some(client), Some(scenario), Some(reason)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(Trouble(format!(
                    "known_gaps.txt: `{line}` is not `server client scenario reason`"
                )));
            };
            let [servers, client, scenario, reason] =
                [servers, client, scenario, reason].map(str::to_owned);
            gaps.push(Gap {
                servers,
                client,
                scenario,
                reason,
            });
        }
        Ok(Gaps(gaps))
    }

    /// Why `case` need not pass; `None` when it must.
    #[must_use]
    pub fn reason(&self, case: &Case) -> Option<&str> {
        let servers = case.servers.to_string();
        self.0
            .iter()
            .find(|gap| {
                gap.servers == servers
                    && (gap.client == "*" || gap.client == case.client)
                    && gap.scenario == case.scenario
            })
            .map(|gap| gap.reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::Servers;

    #[test]
    fn a_gap_is_found_by_server_client_and_scenario() {
        let gaps =
            Gaps::parse("# note\n\nours 4.4.0 one no such code yet\nours * two later\n").unwrap();
        let case = |client, scenario| Case {
            servers: Servers::Ours,
            client,
            scenario,
        };
        assert_eq!(gaps.reason(&case("4.4.0", "one")), Some("no such code yet"));
        assert_eq!(gaps.reason(&case("4.7.0", "one")), None);
        assert_eq!(gaps.reason(&case("4.7.0", "two")), Some("later"));
        assert_eq!(
            gaps.reason(&Case {
                servers: Servers::Java("4.7.0"),
                client: "4.7.0",
                scenario: "two"
            }),
            None
        );
    }

    #[test]
    fn a_line_without_a_reason_is_refused() {
        assert!(Gaps::parse("ours 4.4.0 one").is_err());
    }

    #[test]
    fn the_list_of_this_crate_is_well_formed() {
        Gaps::read().unwrap();
    }
}
