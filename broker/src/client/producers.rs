//! Producer groups that have a member connected: the clients that are asked how a transaction has ended, and that are
//! handed replies.
//!
//! Java 4.7.0 `broker/client/ProducerManager.java`, which keeps groups without members for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use remoting::Peer;

use super::Client;
use super::roster::{self, Roster};

/// So many members are tried before a question is dropped. Java 4.7.0 `GET_AVALIABLE_CHANNEL_RETRY_COUNT`.
const MOST_TRIED: usize = 3;

/// Every group that has a member.
#[derive(Debug, Default)]
pub struct Producers {
    roster: RwLock<Roster>,
    turn: AtomicUsize,
}

impl Producers {
    /// Takes in one group of a heartbeat.
    pub fn register(&self, client: &Client, group: &str) {
        let seen = self.roster.write().seen(group, client);
        seen.tell(group, client);
    }

    /// Takes a member out of a group at its own wish.
    pub fn unregister(&self, group: &str, peer: &Peer) {
        let left = self.roster.write().leave(group, peer.id());
        left.iter().for_each(|client| client.tell_left(group));
    }

    /// Takes a closed connection out of all its groups.
    pub fn closed(&self, peer: &Peer) {
        if self.roster.read().knows(peer.id()) {
            let left = self.roster.write().leave_all(peer.id());
            roster::tell_left(&left);
        }
    }

    /// Takes out members that have been silent for too long and closes their connections.
    pub fn expire(&self) {
        let mut left = Vec::new();
        let mut roster = self.roster.write();
        for peer in roster.silent() {
            left.extend(roster.leave_all(peer.id()));
            peer.close();
        }
        drop(roster);
        roster::tell_left(&left);
    }

    /// The members of a group to ask something, in this order until one takes it; every time another one is first.
    #[must_use]
    pub fn next_members(&self, group: &str) -> Vec<Arc<Peer>> {
        let roster = self.roster.read();
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
        self.roster.read().members(group).cloned().collect()
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.roster.read().len()
    }

    /// Whether nobody produces.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
        assert!(producers.is_empty() && !producers.roster.read().knows(connected.peers[1].id()));
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
        assert_eq!(producers.roster.read().members("P").count(), 2, "not yet");
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        producers.expire();
        let members: Vec<_> = producers
            .roster
            .read()
            .members("P")
            .map(|client| Arc::clone(&client.id))
            .collect();
        assert_eq!(members, ["c1".into()]);
        assert!(!connected.peers[0].is_open());
    }
}
