//! Free ports of 127.0.0.1 for servers that are told their port by a file.
//!
//! A broker takes three: its listen port `P`, `P - 2` (VIP channel) and `P + 1` (replication). They lie below Linux's
//! range for outgoing connections (32768 and up), so no client can take one between the look and the server's start;
//! a port is handed out once a process, so a server that stops and comes back finds its own.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

use crate::trouble::Trouble;

const LOWEST: u16 = 12_000;
const HIGHEST: u16 = 32_000;
const TRIES: u16 = 500;

static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// One port that nobody listens on.
///
/// # Errors
/// When none of many was free.
pub fn free_port() -> Result<u16, Trouble> {
    free_ports(&[0])
}

/// A port `P` for a broker: `P - 2`, `P` and `P + 1` are free.
///
/// # Errors
/// When none of many was free.
pub fn free_broker_port() -> Result<u16, Trouble> {
    free_ports(&[-2, 0, 1])
}

fn free_ports(offsets: &[i16]) -> Result<u16, Trouble> {
    let mut taken = TAKEN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    // Two test runs at once start in different places; within one the ports go up.
    let span = HIGHEST - LOWEST;
    let start = u16::try_from(std::process::id() * 97 % u32::from(span)).unwrap_or(0);
    for step in 0..TRIES {
        let port = LOWEST + (start + step * 7) % span;
        let wanted: Vec<u16> = offsets
            .iter()
            .filter_map(|offset| port.checked_add_signed(*offset))
            .collect();
        if wanted
            .iter()
            .all(|port| !taken.contains(port) && is_free(*port))
        {
            taken.extend(wanted);
            return Ok(port);
        }
    }
    Err(Trouble(format!(
        "no free port among {TRIES} from {}",
        LOWEST + start
    )))
}

fn is_free(port: u16) -> bool {
    // The wildcard address: Java's servers listen there.
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_handed_out_once() {
        let first = free_broker_port().unwrap();
        let second = free_broker_port().unwrap();
        let single = free_port().unwrap();
        assert!(first.abs_diff(second) > 3, "{first} and {second} overlap");
        assert_ne!(single, first);
        assert_ne!(single, second);
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        // Not a port of free_port(): a child that another test is starting may still hold the socket that looked at it.
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!is_free(holder.local_addr().unwrap().port()));
    }
}
