//! Producer groups that have a member connected.
//!
//! A broker asks one of them how a transaction has ended, and hands them replies. The table follows the connections:
//! a group exists as long as it has a member.
//!
//! Java 4.7.0 `broker/client/ProducerManager.java`, which keeps groups without members for ever.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use remoting::Peer;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Client, EXPIRY};

/// Every group that has a member.
#[derive(Debug, Default)]
pub struct Producers {
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    groups: HashMap<String, HashMap<u64, Member>>,
    groups_of: HashMap<u64, Vec<String>>,
}

#[derive(Debug)]
struct Member {
    client: Client,
    seen: Instant,
}

impl Producers {
    /// Takes in one group of a heartbeat.
    pub fn register(&self, client: &Client, group: &str) {
        let seen = Instant::now();
        let mut table = self.table.write();
        let table = &mut *table;
        if let Some(member) = table
            .groups
            .get_mut(group)
            .and_then(|members| members.get_mut(&client.peer.id()))
        {
            member.seen = seen;
            return;
        }
        info!(group, client = client.id, remote = %client.peer.remote(), "producer joins");
        let members = table.groups.entry(group.to_owned()).or_default();
        members.insert(
            client.peer.id(),
            Member {
                client: client.clone(),
                seen,
            },
        );
        table
            .groups_of
            .entry(client.peer.id())
            .or_default()
            .push(group.to_owned());
    }

    /// Takes a member out of a group at its own wish.
    pub fn unregister(&self, group: &str, peer: &Peer) {
        let mut table = self.table.write();
        if let Some(groups) = table.groups_of.get_mut(&peer.id()) {
            groups.retain(|name| name != group);
            if groups.is_empty() {
                table.groups_of.remove(&peer.id());
            }
        }
        table.remove_member(group, peer.id());
    }

    /// Takes a closed connection out of all its groups.
    pub fn closed(&self, peer: &Peer) {
        if !self.table.read().groups_of.contains_key(&peer.id()) {
            return; // a consumer's, or a tool's
        }
        let mut table = self.table.write();
        for group in table.groups_of.remove(&peer.id()).unwrap_or_default() {
            table.remove_member(&group, peer.id());
        }
    }

    /// Takes out members that have been silent for too long and closes their connections.
    pub fn expire(&self) {
        let now = Instant::now();
        let mut table = self.table.write();
        let mut dead = Vec::new();
        for (name, members) in &table.groups {
            for member in members.values().filter(|member| now - member.seen > EXPIRY) {
                warn!(
                    group = name,
                    client = member.client.id,
                    "producer is silent: close its connection"
                );
                dead.push(Arc::clone(&member.client.peer));
            }
        }
        for peer in dead {
            for group in table.groups_of.remove(&peer.id()).unwrap_or_default() {
                table.remove_member(&group, peer.id());
            }
            peer.close();
        }
    }

    /// How many members a group has.
    #[must_use]
    pub fn members(&self, group: &str) -> usize {
        self.table.read().groups.get(group).map_or(0, HashMap::len)
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.read().groups.len()
    }

    /// Whether nobody produces.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Table {
    fn remove_member(&mut self, name: &str, peer_id: u64) {
        let Some(members) = self.groups.get_mut(name) else {
            return;
        };
        if let Some(member) = members.remove(&peer_id) {
            info!(group = name, client = member.client.id, "producer leaves");
        }
        if members.is_empty() {
            self.groups.remove(name);
        }
    }
}
