//! The members of groups: connections, and when they last were heard of.
//!
//! ```text
//! groups     group → connection → client, last heartbeat
//! groups_of  connection → its groups, so that a closed connection costs its own groups only
//! ```
//!
//! A group exists as long as it has a member. The rules that are easy to break: both maps change together, else a churn
//! of clients leaves entries for ever; and nothing here logs, since the caller holds a lock over everybody's pulls.

use std::collections::HashMap;
use std::sync::Arc;

use remoting::Peer;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Client, EXPIRY};

/// Groups of one kind.
#[derive(Debug, Default)]
pub(super) struct Roster {
    groups: HashMap<String, HashMap<u64, Member>>,
    groups_of: HashMap<u64, Vec<String>>,
}

#[derive(Debug)]
struct Member {
    client: Client,
    seen: Instant,
}

/// What a heartbeat is to a group.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "it is told in the log, once the lock is released"]
pub(super) enum Seen {
    /// The first on this connection.
    Joins,
    /// One more.
    Known,
    /// One more, and the client was called so before.
    Renamed(Arc<str>),
}

impl Seen {
    /// Tells it in the log.
    pub(super) fn tell(&self, group: &str, client: &Client) {
        match self {
            Seen::Joins => {
                info!(group, client = &*client.id, remote = %client.peer.remote(), "client joins");
            }
            Seen::Known => {}
            Seen::Renamed(old) => {
                let new = &*client.id;
                warn!(
                    group,
                    old = &**old,
                    new,
                    "client has changed its id on one connection"
                );
            }
        }
    }
}

/// Tells in the log who has left which group.
pub(super) fn tell_left(left: &[(String, Client)]) {
    for (group, client) in left {
        client.tell_left(group);
    }
}

impl Client {
    /// Tells in the log that it has left a group.
    pub(super) fn tell_left(&self, group: &str) {
        info!(group, client = &*self.id, "client leaves");
    }
}

impl Roster {
    /// Notes a heartbeat.
    pub(super) fn seen(&mut self, group: &str, client: &Client) -> Seen {
        let (peer_id, seen) = (client.peer.id(), Instant::now());
        let known = self
            .groups
            .get_mut(group)
            .and_then(|members| members.get_mut(&peer_id));
        if let Some(member) = known {
            member.seen = seen;
            if member.client.id == client.id {
                return Seen::Known;
            }
            let before = std::mem::replace(&mut member.client, client.clone());
            return Seen::Renamed(before.id);
        }
        let member = Member {
            client: client.clone(),
            seen,
        };
        self.groups
            .entry(group.to_owned())
            .or_default()
            .insert(peer_id, member);
        self.groups_of
            .entry(peer_id)
            .or_default()
            .push(group.to_owned());
        Seen::Joins
    }

    /// Takes a connection out of a group, if it is in it.
    pub(super) fn leave(&mut self, group: &str, peer_id: u64) -> Option<Client> {
        if let Some(groups) = self.groups_of.get_mut(&peer_id) {
            groups.retain(|name| name != group);
            if groups.is_empty() {
                self.groups_of.remove(&peer_id);
            }
        }
        self.remove(group, peer_id)
    }

    /// Takes a connection out of all its groups. The groups it was in, and as whom.
    pub(super) fn leave_all(&mut self, peer_id: u64) -> Vec<(String, Client)> {
        let groups = self.groups_of.remove(&peer_id).unwrap_or_default();
        let leave = |group: String| {
            let client = self.remove(&group, peer_id)?;
            Some((group, client))
        };
        groups.into_iter().filter_map(leave).collect()
    }

    fn remove(&mut self, group: &str, peer_id: u64) -> Option<Client> {
        let members = self.groups.get_mut(group)?;
        let member = members.remove(&peer_id)?;
        if members.is_empty() {
            self.groups.remove(group);
        }
        Some(member.client)
    }

    /// Whether a connection is in any group.
    pub(super) fn knows(&self, peer_id: u64) -> bool {
        self.groups_of.contains_key(&peer_id)
    }

    /// The connections that have been silent for too long.
    pub(super) fn silent(&self) -> Vec<Arc<Peer>> {
        let now = Instant::now();
        let members = self.groups.values().flat_map(HashMap::values);
        let silent = members.filter(|member| now - member.seen > EXPIRY);
        silent
            .map(|member| Arc::clone(&member.client.peer))
            .collect()
    }

    /// The members of a group; none when there is no such group.
    pub(super) fn members(&self, group: &str) -> impl Iterator<Item = &Client> {
        self.groups
            .get(group)
            .into_iter()
            .flat_map(HashMap::values)
            .map(|member| &member.client)
    }

    /// How many groups have a member.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }
}
