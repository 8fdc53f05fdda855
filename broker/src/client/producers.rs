//! Producer groups that have a member connected: the clients that are asked how a transaction has ended, and that are
//! handed replies.
//!
//! Java 4.7.0 `broker/client/ProducerManager.java`, which keeps groups without members for ever.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use remoting::Peer;

use super::Client;
use super::roster::{self, Roster, Seen};

/// So many members are tried before a question is dropped. Java 4.7.0 `GET_AVALIABLE_CHANNEL_RETRY_COUNT`.
const MOST_TRIED: usize = 3;

/// Every group that has a member.
#[derive(Debug, Default)]
pub struct Producers {
    table: RwLock<Table>,
    turn: AtomicUsize,
}

#[derive(Debug, Default)]
struct Table {
    roster: Roster,
    /// Client id → the connection it was last heard of on, as long as that is in a group.
    connections: HashMap<Arc<str>, Arc<Peer>>,
}

impl Producers {
    /// Takes in one group of a heartbeat.
    pub fn register(&self, client: &Client, group: &str) {
        let seen = self.table.write().seen(group, client);
        seen.tell(group, client);
    }

    /// Takes a member out of a group at its own wish.
    pub fn unregister(&self, group: &str, peer: &Peer) {
        let left = self.table.write().leave(group, peer.id());
        left.iter().for_each(|client| client.tell_left(group));
    }

    /// Takes a closed connection out of all its groups.
    pub fn closed(&self, peer: &Peer) {
        if self.table.read().roster.knows(peer.id()) {
            let left = self.table.write().leave_all(peer.id());
            roster::tell_left(&left);
        }
    }

    /// Takes out members that have been silent for too long and closes their connections.
    pub fn expire(&self) {
        let mut left = Vec::new();
        let mut table = self.table.write();
        for peer in table.roster.silent() {
            left.extend(table.leave_all(peer.id()));
            peer.close();
        }
        drop(table);
        roster::tell_left(&left);
    }

    /// The connection of the client that calls itself so; of several the one that was heard of last.
    #[must_use]
    pub fn connection(&self, client_id: &str) -> Option<Arc<Peer>> {
        let table = self.table.read();
        let peer = table.connections.get(client_id)?;
        peer.is_open().then(|| Arc::clone(peer))
    }

    /// The members of a group to ask something, in this order until one takes it; every time another one is first.
    #[must_use]
    pub fn next_members(&self, group: &str) -> Vec<Arc<Peer>> {
        let roster = &self.table.read().roster;
        let open = || {
            let peers = roster.members(group).map(|client| &client.peer);
            peers.filter(|peer| peer.is_open())
        };
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = turn.checked_rem(open().count()).unwrap_or(0);
        let in_turn = open().skip(first).chain(open().take(first));
        in_turn.take(MOST_TRIED).map(Arc::clone).collect()
    }

    /// The members of a group; none when there is no such group.
    #[must_use]
    pub fn members(&self, group: &str) -> Vec<Client> {
        self.table.read().roster.members(group).cloned().collect()
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.read().roster.len()
    }

    /// How many clients can be found by their id.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.table.read().connections.len()
    }

    /// Whether nobody produces.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Table {
    fn seen(&mut self, group: &str, client: &Client) -> Seen {
        let seen = self.roster.seen(group, client);
        if let Seen::Renamed(old) = &seen {
            self.forget(old, client.peer.id());
        }
        let known = self.connections.get(&client.id);
        if known.is_none_or(|peer| peer.id() != client.peer.id()) {
            let (id, peer) = (Arc::clone(&client.id), Arc::clone(&client.peer));
            self.connections.insert(id, peer);
        }
        seen
    }

    fn leave(&mut self, group: &str, peer_id: u64) -> Option<Client> {
        let left = self.roster.leave(group, peer_id)?;
        if !self.roster.knows(peer_id) {
            self.forget(&left.id, peer_id);
        }
        Some(left)
    }

    fn leave_all(&mut self, peer_id: u64) -> Vec<(String, Client)> {
        let left = self.roster.leave_all(peer_id);
        for (_, client) in &left {
            self.forget(&client.id, peer_id);
        }
        left
    }

    /// A connection goes; a client that is back on another one by now stays.
    fn forget(&mut self, client_id: &str, peer_id: u64) {
        let known = self.connections.get(client_id);
        if known.is_some_and(|peer| peer.id() == peer_id) {
            self.connections.remove(client_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::EXPIRY;
    use super::super::tests::connected;
    use super::*;

    #[tokio::test]
    async fn groups_go_with_their_last_member() {
        let connected = connected(2).await;
        let client = |at: usize| connected.client(at, &format!("c{at}"));
        let producers = Producers::default();
        producers.register(&client(0), "P");
        producers.register(&client(0), "Q");
        producers.register(&client(1), "P");
        producers.unregister("Q", &connected.peers[0]);
        assert_eq!(producers.len(), 1);
        producers.closed(&connected.peers[0]);
        assert_eq!(producers.len(), 1);
        producers.closed(&connected.peers[1]);
        assert!(
            producers.is_empty() && !producers.table.read().roster.knows(connected.peers[1].id())
        );
    }

    #[tokio::test]
    async fn a_client_is_found_where_it_was_last_heard_of() {
        let connected = connected(2).await;
        let client = |at: usize, id: &str| connected.client(at, id);
        let producers = Producers::default();
        let at = |id: &str| {
            let found = producers.connection(id)?;
            connected
                .peers
                .iter()
                .position(|peer| peer.id() == found.id())
        };
        producers.register(&client(0, "c"), "P");
        producers.register(&client(0, "c"), "Q");
        producers.unregister("P", &connected.peers[0]);
        assert_eq!(at("c"), Some(0), "still in a group");
        producers.register(&client(1, "c"), "Q");
        assert_eq!(at("c"), Some(1));
        producers.closed(&connected.peers[0]);
        assert_eq!(
            at("c"),
            Some(1),
            "it came back before its old connection ended"
        );
        producers.register(&client(1, "d"), "Q");
        assert_eq!(
            (at("c"), at("d")),
            (None, Some(1)),
            "it has another name now"
        );
        producers.unregister("Q", &connected.peers[1]);
        assert_eq!(at("d"), None);
        assert!(producers.table.read().connections.is_empty());
    }

    #[tokio::test]
    async fn members_are_asked_in_turn_and_those_gone_are_not() {
        let connected = connected(3).await;
        let producers = Producers::default();
        for at in 0..3 {
            producers.register(&connected.client(at, "c"), "P");
        }
        let first = || producers.next_members("P").first().map(|peer| peer.id());
        let mut asked: Vec<_> = (0..3).map(|_| first()).collect();
        asked.sort_unstable();
        let mut all: Vec<_> = connected.peers.iter().map(|peer| Some(peer.id())).collect();
        all.sort_unstable();
        assert_eq!(asked, all);
        connected.peers[0].close();
        assert!((0..6).all(|_| first() != Some(connected.peers[0].id())));
        assert_eq!(producers.next_members("P").len(), 2);
        assert!(producers.next_members("nobody").is_empty());
    }

    #[tokio::test]
    async fn a_silent_member_is_taken_out_and_its_connection_closed() {
        let connected = connected(2).await;
        tokio::time::pause();
        let client = |at: usize| connected.client(at, &format!("c{at}"));
        let producers = Producers::default();
        producers.register(&client(0), "P");
        producers.register(&client(1), "P");
        tokio::time::advance(EXPIRY).await;
        producers.register(&client(1), "P");
        producers.expire();
        assert_eq!(
            producers.table.read().roster.members("P").count(),
            2,
            "not yet"
        );
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        producers.expire();
        let members: Vec<_> = producers
            .table
            .read()
            .roster
            .members("P")
            .map(|client| Arc::clone(&client.id))
            .collect();
        assert_eq!(members, ["c1".into()]);
        assert!(!connected.peers[0].is_open());
    }
}
