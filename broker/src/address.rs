//! Which address this broker registers and stores as its own, and why.
//!
//! ```text
//! brokerIP1 given            → as told, whatever it is
//! else the network cards     → first IPv4 outside 192.168.*, else an IPv4 of 192.168.*, else an IPv6
//! only loopback              → no start: a name server would send every client to itself
//! ```
//!
//! Java walks the cards from the last to the first, so "first" is the last card of the system. The rule that is easy
//! to break: that order decides where clients of a running cluster look for this broker after it took Java's place.
//! Different from Java, see COMPATIBILITY.md: cards that are down and the bridges of container engines come last, and
//! neither loopback nor a wildcard is ever registered without being told to.
//! Java 4.7.0 `remoting/common/RemotingUtil.java`, `getLocalAddress`; JDK 17 `NetworkInterface.c`, order of the list.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr};

use tracing::warn;

use crate::config::BrokerConfig;

/// One address with the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// As it is registered: IPv6 in brackets.
    pub ip: String,
    /// Why it is this one, for the start line in the log.
    pub reason: String,
}

/// The two addresses of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// What clients use, `brokerIP1`.
    pub broker: Chosen,
    /// What slaves use, `brokerIP2`.
    pub ha: Chosen,
}

/// Why there is no address to register. The start ends.
#[derive(Debug)]
pub enum AddressError {
    /// There is no address but loopback.
    OnlyLoopback,
    /// The system does not tell its addresses.
    Unreadable(io::Error),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advice = "Set brokerIP1 in the file given with -c to the address clients reach this broker at \
                      (brokerIP1=127.0.0.1 serves this machine alone).";
        match self {
            AddressError::OnlyLoopback => {
                write!(
                    f,
                    "This machine has no address but loopback, so there is none to register. {advice}"
                )
            }
            AddressError::Unreadable(error) => {
                write!(
                    f,
                    "The addresses of this machine cannot be read: {error}. {advice}"
                )
            }
        }
    }
}

impl std::error::Error for AddressError {}

/// The addresses for `config`, as they are at this moment.
///
/// # Errors
/// [`AddressError`] when one is not given and none can be chosen.
pub fn choose(config: &BrokerConfig) -> Result<Addresses, AddressError> {
    let broker = match told("brokerIP1", config.broker_ip1.as_deref()) {
        Some(chosen) => chosen,
        None => of_cards(&cards().map_err(AddressError::Unreadable)?)?,
    };
    let ha = match told("brokerIP2", config.broker_ip2.as_deref()) {
        Some(chosen) => chosen,
        // Java looks at the cards here too; with brokerIP1 given they may hold nothing that can be reached.
        None => cards()
            .ok()
            .and_then(|cards| of_cards(&cards).ok())
            .unwrap_or_else(|| broker.clone()),
    };
    Ok(Addresses { broker, ha })
}

fn told(key: &str, value: Option<&str>) -> Option<Chosen> {
    let value = value.filter(|value| !value.trim().is_empty())?;
    if is_nowhere(value) {
        warn!(
            "{key}={value} is where nobody can be reached: clients on other hosts will not find this broker"
        );
    }
    Some(Chosen {
        ip: value.to_owned(),
        reason: format!("{key} says so"),
    })
}

/// Whether it is the address that stands for all of a host.
fn is_nowhere(value: &str) -> bool {
    let ip = value.trim().trim_start_matches('[').trim_end_matches(']');
    ip.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified())
}

/// An address of a network card.
#[derive(Debug, Clone)]
struct Card {
    name: String,
    up: bool,
    ip: IpAddr,
}

/// The cards' addresses in the system's order.
fn cards() -> io::Result<Vec<Card>> {
    let found = if_addrs::get_if_addrs()?;
    Ok(found
        .into_iter()
        .map(|card| Card {
            up: card.is_oper_up(),
            ip: card.ip(),
            name: card.name,
        })
        .collect())
}

fn of_cards(cards: &[Card]) -> Result<Chosen, AddressError> {
    let usable = |card: &Card| !card.ip.is_loopback() && !card.ip.is_unspecified();
    let candidates = cards.iter().enumerate().filter(|(_, card)| usable(card));
    let count = candidates.clone().count();
    let (_, card) = candidates
        .min_by_key(|(place, card)| rank(*place, card))
        .ok_or(AddressError::OnlyLoopback)?;
    let choice = match count {
        1 => "it is the only address".to_owned(),
        _ => format!("it is the first choice of {count}"),
    };
    Ok(Chosen {
        ip: written(card.ip),
        reason: format!(
            "not set in the configuration, {choice} (card {})",
            card.name
        ),
    })
}

/// What is smaller is chosen. Java takes the last card, but of several 192.168 addresses the first.
fn rank(place: usize, card: &Card) -> (bool, bool, u8, usize) {
    let order = if is_192_168(card.ip) {
        place
    } else {
        usize::MAX - place
    };
    (!card.up, is_bridge(&card.name), class(card.ip), order)
}

fn class(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) if is_192_168(ip) => 1,
        IpAddr::V4(_) => 0,
        // A link-local address means something on its own wire only.
        IpAddr::V6(ip) if is_link_local(ip) => 3,
        IpAddr::V6(_) => 2,
    }
}

fn is_192_168(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(v4) if v4.octets().starts_with(&[192, 168]))
}

fn is_link_local(ip: Ipv6Addr) -> bool {
    ip.segments()
        .first()
        .is_some_and(|first| first & 0xffc0 == 0xfe80)
}

/// Whether a card belongs to a container or virtual machine engine on this host, by the name such engines give.
fn is_bridge(name: &str) -> bool {
    ["docker", "br-", "veth", "virbr", "cni", "flannel", "podman"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// As `RemotingUtil.normalizeHostAddress` writes it: IPv6 in brackets.
fn written(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(cards: &[(&str, &str)]) -> Option<String> {
        let card = |(name, ip): &(&str, &str)| Card {
            up: !name.starts_with("down"),
            name: (*name).to_owned(),
            ip: ip.parse().expect("an address"),
        };
        of_cards(&cards.iter().map(card).collect::<Vec<_>>())
            .ok()
            .map(|chosen| chosen.ip)
    }

    #[test]
    fn java_walks_the_cards_from_the_last() {
        let cards = [
            ("lo", "127.0.0.1"),
            ("eth0", "10.0.0.5"),
            ("eth1", "10.1.0.5"),
        ];
        assert_eq!(chosen(&cards).as_deref(), Some("10.1.0.5"));
    }

    #[test]
    fn addresses_of_192_168_come_after_the_others_and_then_from_the_first_card() {
        let both = [
            ("lo", "127.0.0.1"),
            ("eth0", "10.0.0.5"),
            ("eth1", "192.168.1.5"),
        ];
        assert_eq!(chosen(&both).as_deref(), Some("10.0.0.5"));
        let home = [
            ("lo", "127.0.0.1"),
            ("eth0", "192.168.1.5"),
            ("eth1", "192.168.2.5"),
        ];
        assert_eq!(chosen(&home).as_deref(), Some("192.168.1.5"));
    }

    #[test]
    fn bridges_and_cards_that_are_down_come_last() {
        let cards = [
            ("eth0", "192.168.1.5"),
            ("docker0", "172.17.0.1"),
            ("down0", "10.0.0.5"),
        ];
        assert_eq!(chosen(&cards).as_deref(), Some("192.168.1.5"));
        assert_eq!(
            chosen(&[("docker0", "172.17.0.1")]).as_deref(),
            Some("172.17.0.1")
        );
    }

    #[test]
    fn ipv6_is_taken_where_there_is_nothing_else() {
        let cards = [("lo", "::1"), ("eth0", "fd00::2"), ("eth0", "fe80::1")];
        assert_eq!(chosen(&cards).as_deref(), Some("[fd00::2]"));
    }

    #[test]
    fn loopback_is_never_chosen() {
        assert_eq!(
            chosen(&[("lo", "127.0.0.1"), ("lo", "::1"), ("lo", "127.0.1.1")]),
            None
        );
    }

    #[test]
    fn what_is_told_is_taken() {
        let config = BrokerConfig {
            broker_ip1: Some("127.0.0.1".to_owned()),
            ..BrokerConfig::default()
        };
        let chosen = choose(&config).expect("told").broker;
        assert_eq!(chosen.ip, "127.0.0.1");
        assert_eq!(chosen.reason, "brokerIP1 says so");
    }
}
