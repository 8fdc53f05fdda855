//! Consumer groups that have a member connected: who they are and what they subscribe to.
//!
//! The last heartbeat wins: it replaces the group's model and topics, for all members. The rule that is easy to break:
//! every change of members or topics is told to all members at once (`Change`, code 40), else they share out the queues
//! wrongly for up to 20 s and get messages twice.
//!
//! Java 4.7.0 `broker/client/ConsumerManager.java`, `ConsumerGroupInfo.java`. Different, see COMPATIBILITY.md: members
//! that are expired for silence are a change too, and are told.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;
use remoting::Peer;
use remoting::body::connections::ConsumerConnection;
use remoting::body::heartbeat::{
    ConsumeFromWhere, ConsumeType, ConsumerData, MessageModel, SubscriptionData,
};
use tracing::warn;

use super::Client;
use super::roster::{self, Roster, Seen};
use crate::filter::data::Filters;
use crate::filter::tag::TagFilter;

/// A group's subscription to one topic.
#[derive(Debug)]
pub struct Subscription {
    /// As the client registered it.
    pub data: SubscriptionData,
    /// Made from it.
    pub tags: TagFilter,
}

/// What a pull must know of its group.
#[derive(Debug)]
pub struct Subscribed {
    /// Of the whole group.
    pub message_model: MessageModel,
    /// To the topic asked for, if there is one.
    pub subscription: Option<Arc<Subscription>>,
}

/// The members a change of their group is to be told to.
#[derive(Debug)]
#[must_use = "the members of the group must be told"]
pub struct Change {
    /// The group.
    pub group: String,
    /// Every member it has now.
    pub members: Vec<Arc<Peer>>,
}

/// Every group that has a member.
#[derive(Debug, Default)]
pub struct Consumers {
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    roster: Roster,
    /// Told what groups subscribe to, and that they are gone.
    filters: Arc<Filters>,
    /// What the groups on the roster consume.
    groups: HashMap<String, Group>,
}

#[derive(Debug, Default)]
struct Group {
    consume_from_where: ConsumeFromWhere,
    consume_type: ConsumeType,
    message_model: MessageModel,
    subscriptions: HashMap<String, Arc<Subscription>>,
}

impl Consumers {
    /// No groups yet; what they filter by goes to `filters`.
    #[must_use]
    pub fn with_filters(filters: Arc<Filters>) -> Consumers {
        let table = Table {
            filters,
            ..Table::default()
        };
        Consumers {
            table: RwLock::new(table),
        }
    }

    /// Takes in one group of a heartbeat. `Some` when members or topics of the group have changed; a newer version of
    /// an expression for a topic it already had is no change.
    pub fn register(&self, client: &Client, data: ConsumerData) -> Option<Change> {
        let filters = Arc::clone(&self.table.read().filters);
        filters.register(&data.group_name, &data.subscription_data_set);
        let mut table = self.table.write();
        let seen = table.roster.seen(&data.group_name, client);
        let group = table.groups.entry(data.group_name.clone()).or_default();
        group.consume_from_where = data.consume_from_where;
        group.consume_type = data.consume_type;
        group.message_model = data.message_model;
        let resubscribed = group.subscribe(data.subscription_data_set);
        let change = seen == Seen::Joins || resubscribed;
        let members = change.then(|| table.members(&data.group_name));
        drop(table);
        seen.tell(&data.group_name, client);
        let group = data.group_name;
        members.map(|members| Change { group, members })
    }

    /// Takes a member out of a group at its own wish.
    pub fn unregister(&self, group: &str, peer: &Peer) -> Option<Change> {
        let mut table = self.table.write();
        let client = table.roster.leave(group, peer.id())?;
        let change = table.settled(group.to_owned());
        drop(table);
        client.tell_left(group);
        change
    }

    /// Takes a closed connection out of all its groups.
    pub fn closed(&self, peer: &Peer) -> Vec<Change> {
        if !self.table.read().roster.knows(peer.id()) {
            return Vec::new(); // a producer's, or a tool's
        }
        let (left, changes) = self.table.write().leave_all(peer);
        roster::tell_left(&left);
        changes
    }

    /// Takes out members that have been silent for too long and closes their connections.
    pub fn expire(&self) -> Vec<Change> {
        let (mut changes, mut all_left) = (Vec::new(), Vec::new());
        let mut table = self.table.write();
        for peer in table.roster.silent() {
            let (left, changed) = table.leave_all(&peer);
            all_left.extend(left);
            changes.extend(changed);
            peer.close();
        }
        drop(table);
        for (group, client) in &all_left {
            let (id, remote) = (&*client.id, client.peer.remote());
            warn!(group, client = id, %remote, "consumer is silent: close its connection");
        }
        changes
    }

    /// What a pull of `group` for `topic` must know; `None` when the group has no member.
    #[must_use]
    pub fn subscribed(&self, group: &str, topic: &str) -> Option<Subscribed> {
        let table = self.table.read();
        let group = table.groups.get(group)?;
        Some(Subscribed {
            message_model: group.message_model,
            subscription: group.subscriptions.get(topic).cloned(),
        })
    }

    /// The members of a group; none when there is no such group.
    #[must_use]
    pub fn members(&self, group: &str) -> Vec<Client> {
        self.table.read().roster.members(group).cloned().collect()
    }

    /// A group as consoles see it; `None` when it has no member.
    #[must_use]
    pub fn connection(&self, group: &str) -> Option<ConsumerConnection> {
        let table = self.table.read();
        let members = table.roster.members(group);
        let subscribed = |(topic, subscription): (&String, &Arc<Subscription>)| {
            (topic.clone(), subscription.data.clone())
        };
        let found = table.groups.get(group)?;
        Some(ConsumerConnection {
            connection_set: members.map(Client::connection).collect(),
            consume_from_where: found.consume_from_where,
            consume_type: found.consume_type,
            message_model: found.message_model,
            subscription_table: found.subscriptions.iter().map(subscribed).collect(),
        })
    }

    /// Whether a group subscribes, but not to this topic: what it once consumed of it does not count any more.
    #[must_use]
    pub fn passes_over(&self, group: &str, topic: &str) -> bool {
        let table = self.table.read();
        let subscriptions = table.groups.get(group).map(|group| &group.subscriptions);
        subscriptions.is_some_and(|all| !all.is_empty() && !all.contains_key(topic))
    }

    /// The groups that subscribe to a topic.
    #[must_use]
    pub fn groups_of(&self, topic: &str) -> BTreeSet<String> {
        let table = self.table.read();
        let consuming = table
            .groups
            .iter()
            .filter(|(_, group)| group.subscriptions.contains_key(topic));
        consuming.map(|(name, _)| name.clone()).collect()
    }

    /// The client ids of a group's members, none twice: a client whose lost connection is not noticed yet would
    /// otherwise count as two, and queues be given to nobody. Empty when there is no such group.
    #[must_use]
    pub fn client_ids(&self, group: &str) -> Vec<String> {
        let table = self.table.read();
        let ids: HashSet<&str> = table
            .roster
            .members(group)
            .map(|client| &*client.id)
            .collect();
        ids.into_iter().map(str::to_owned).collect()
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.read().groups.len()
    }

    /// Whether nobody consumes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Table {
    /// Who has left what, and who is to be told.
    fn leave_all(&mut self, peer: &Peer) -> (Vec<(String, Client)>, Vec<Change>) {
        let left = self.roster.leave_all(peer.id());
        let changes = left
            .iter()
            .filter_map(|(group, _)| self.settled(group.clone()));
        let changes = changes.collect();
        (left, changes)
    }

    /// After a member has left: the others, or the end of the group.
    fn settled(&mut self, group: String) -> Option<Change> {
        if self.roster.members(&group).next().is_some() {
            let members = self.members(&group);
            return Some(Change { group, members });
        }
        self.groups.remove(&group);
        self.filters.unregister(&group);
        None
    }

    fn members(&self, group: &str) -> Vec<Arc<Peer>> {
        let members = self.roster.members(group);
        members.map(|client| Arc::clone(&client.peer)).collect()
    }
}

impl Group {
    /// Takes over the topics of a heartbeat. Whether a topic came or went.
    fn subscribe(&mut self, wanted: Vec<SubscriptionData>) -> bool {
        let mut changed = false;
        let mut topics = HashSet::new();
        for data in wanted {
            topics.insert(data.topic.clone());
            let old = self.subscriptions.get(&data.topic);
            if old.is_some_and(|old| data.sub_version <= old.data.sub_version) {
                continue;
            }
            changed |= old.is_none();
            let tags = TagFilter::of(&data);
            self.subscriptions
                .insert(data.topic.clone(), Arc::new(Subscription { data, tags }));
        }
        let before = self.subscriptions.len();
        self.subscriptions.retain(|topic, _| topics.contains(topic));
        changed || self.subscriptions.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::super::EXPIRY;
    use super::super::tests::connected;
    use super::*;

    fn data(topics: &[(&str, i64)]) -> ConsumerData {
        let subscription = |(topic, version): &(&str, i64)| SubscriptionData {
            topic: (*topic).to_owned(),
            sub_string: "*".to_owned(),
            sub_version: *version,
            ..SubscriptionData::default()
        };
        ConsumerData {
            group_name: "G".to_owned(),
            subscription_data_set: topics.iter().map(subscription).collect(),
            ..ConsumerData::default()
        }
    }

    fn version(consumers: &Consumers, topic: &str) -> Option<i64> {
        consumers
            .subscribed("G", topic)?
            .subscription
            .map(|subscription| subscription.data.sub_version)
    }

    #[tokio::test]
    async fn members_and_topics_that_come_or_go_are_changes_and_nothing_else_is() {
        let connected = connected(2).await;
        let (first, second) = (connected.client(0, "c0"), connected.client(1, "c1"));
        let consumers = Consumers::default();
        let told = |change: Option<Change>| change.map(|change| change.members.len());
        assert_eq!(told(consumers.register(&first, data(&[("T", 1)]))), Some(1));
        assert_eq!(
            told(consumers.register(&second, data(&[("T", 1)]))),
            Some(2)
        );
        assert_eq!(told(consumers.register(&second, data(&[("T", 1)]))), None);
        assert_eq!(told(consumers.register(&second, data(&[("T", 2)]))), None);
        assert_eq!(version(&consumers, "T"), Some(2), "taken over all the same");
        assert_eq!(told(consumers.register(&first, data(&[("T", 1)]))), None);
        assert_eq!(
            version(&consumers, "T"),
            Some(2),
            "an older one does not come back"
        );
        assert_eq!(
            told(consumers.register(&first, data(&[("T", 2), ("U", 1)]))),
            Some(2)
        );
        assert_eq!(told(consumers.register(&first, data(&[("U", 1)]))), Some(2));
        assert_eq!(version(&consumers, "T"), None);
        assert_eq!(told(consumers.unregister("G", &second.peer)), Some(1));
        assert_eq!(told(consumers.unregister("G", &second.peer)), None);
        assert!(
            consumers.closed(&first.peer).is_empty(),
            "nobody is left to be told"
        );
        assert!(consumers.is_empty() && consumers.subscribed("G", "U").is_none());
    }

    #[tokio::test]
    async fn a_client_on_two_connections_counts_once() {
        let connected = connected(2).await;
        let consumers = Consumers::default();
        for at in 0..2 {
            let _ = consumers.register(&connected.client(at, "same"), data(&[("T", 1)]));
        }
        assert_eq!(consumers.client_ids("G"), ["same"]);
        assert_eq!(consumers.client_ids("nobody"), [""; 0]);
    }

    #[tokio::test]
    async fn a_silent_member_is_taken_out_and_the_others_are_told() {
        let connected = connected(2).await;
        tokio::time::pause();
        let (first, second) = (connected.client(0, "c0"), connected.client(1, "c1"));
        let consumers = Consumers::default();
        let _ = consumers.register(&first, data(&[("T", 1)]));
        let _ = consumers.register(&second, data(&[("T", 1)]));
        tokio::time::advance(EXPIRY).await;
        let _ = consumers.register(&second, data(&[("T", 1)]));
        assert!(consumers.expire().is_empty(), "not yet");
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        let changes = consumers.expire();
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].members.len(), 1);
        assert_eq!(changes[0].members[0].id(), second.peer.id());
        assert!(!first.peer.is_open());
    }
}
