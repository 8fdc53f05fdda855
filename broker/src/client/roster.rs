//! The members of groups: connections, and when they last were heard of.
//!
//! ```text
//! groups     group → connection → client, last heartbeat
//! groups_of  connection → its groups, so that a closed connection costs its own groups only
//! ```
//!
//! A group exists as long as it has a member. The rule that is easy to break: both maps change together, else a churn of
//! clients leaves entries for ever.

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

impl Roster {
    /// Notes a heartbeat. Whether it is the first of this group on this connection.
    pub(super) fn seen(&mut self, group: &str, client: &Client) -> bool {
        let (peer_id, seen) = (client.peer.id(), Instant::now());
        let known = self
            .groups
            .get_mut(group)
            .and_then(|members| members.get_mut(&peer_id));
        if let Some(member) = known {
            member.seen = seen;
            if member.client.id != client.id {
                warn!(
                    group,
                    old = member.client.id,
                    new = client.id,
                    "client has changed its id on one connection"
                );
                member.client = client.clone();
            }
            return false;
        }
        info!(group, client = client.id, remote = %client.peer.remote(), "client joins");
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
        true
    }

    /// Takes a connection out of a group. Whether it was in it.
    pub(super) fn leave(&mut self, group: &str, peer_id: u64) -> bool {
        if let Some(groups) = self.groups_of.get_mut(&peer_id) {
            groups.retain(|name| name != group);
            if groups.is_empty() {
                self.groups_of.remove(&peer_id);
            }
        }
        self.remove(group, peer_id)
    }

    /// Takes a connection out of all its groups. The groups it was in.
    pub(super) fn leave_all(&mut self, peer_id: u64) -> Vec<String> {
        let mut groups = self.groups_of.remove(&peer_id).unwrap_or_default();
        groups.retain(|group| self.remove(group, peer_id));
        groups
    }

    fn remove(&mut self, group: &str, peer_id: u64) -> bool {
        let Some(members) = self.groups.get_mut(group) else {
            return false;
        };
        let Some(member) = members.remove(&peer_id) else {
            return false;
        };
        info!(group, client = member.client.id, "client leaves");
        if members.is_empty() {
            self.groups.remove(group);
        }
        true
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
