//! Consumer groups that have a member connected: who they are and what they subscribe to.
//!
//! ```text
//! group ─┬─ members        connection → client, last heartbeat
//!        └─ subscriptions  topic → expression, version, compiled filter
//! connection ── groups     so that a closed connection costs its own groups only
//! ```
//!
//! A group exists as long as it has a member. The last heartbeat wins: it replaces the group's model and topics, for
//! all members. The rule that is easy to break: every change of members or topics is told to all members at once
//! (`Change`, code 40), else they share out the queues wrongly for up to 20 s and get messages twice.
//!
//! Java 4.7.0 `broker/client/ConsumerManager.java`, `ConsumerGroupInfo.java`. Different, see COMPATIBILITY.md: members
//! that are expired for silence are a change too, and are told.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::RwLock;
use remoting::Peer;
use remoting::body::heartbeat::{
    ConsumeFromWhere, ConsumeType, ConsumerData, MessageModel, SubscriptionData,
};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{Client, EXPIRY};
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
    groups: HashMap<String, Group>,
    groups_of: HashMap<u64, Vec<String>>,
}

#[derive(Debug)]
struct Group {
    consume_type: ConsumeType,
    message_model: MessageModel,
    consume_from_where: ConsumeFromWhere,
    subscriptions: HashMap<String, Arc<Subscription>>,
    members: HashMap<u64, Member>,
}

#[derive(Debug)]
struct Member {
    client: Client,
    seen: Instant,
}

impl Consumers {
    /// Takes in one group of a heartbeat. `Some` when members or topics of the group have changed; a newer version of
    /// an expression for a topic it already had is no change.
    pub fn register(&self, client: &Client, data: ConsumerData) -> Option<Change> {
        let mut table = self.table.write();
        let table = &mut *table;
        let group = table
            .groups
            .entry(data.group_name.clone())
            .or_insert_with(|| Group::new(&data));
        let joined = group.seen(client);
        if joined {
            info!(group = data.group_name, client = client.id, remote = %client.peer.remote(), "consumer joins");
            table
                .groups_of
                .entry(client.peer.id())
                .or_default()
                .push(data.group_name.clone());
        }
        group.consume_type = data.consume_type;
        group.message_model = data.message_model;
        group.consume_from_where = data.consume_from_where;
        let resubscribed = group.subscribe(&data.group_name, data.subscription_data_set);
        (joined || resubscribed).then(|| group.change(data.group_name))
    }

    /// Takes a member out of a group at its own wish.
    pub fn unregister(&self, group: &str, peer: &Peer) -> Option<Change> {
        let mut table = self.table.write();
        if let Some(groups) = table.groups_of.get_mut(&peer.id()) {
            groups.retain(|name| name != group);
            if groups.is_empty() {
                table.groups_of.remove(&peer.id());
            }
        }
        table.remove_member(group, peer.id())
    }

    /// Takes a closed connection out of all its groups.
    pub fn closed(&self, peer: &Peer) -> Vec<Change> {
        if !self.table.read().groups_of.contains_key(&peer.id()) {
            return Vec::new(); // a producer's, or a tool's
        }
        let mut table = self.table.write();
        let groups = table.groups_of.remove(&peer.id()).unwrap_or_default();
        groups
            .iter()
            .filter_map(|group| table.remove_member(group, peer.id()))
            .collect()
    }

    /// Takes out members that have been silent for too long and closes their connections.
    pub fn expire(&self) -> Vec<Change> {
        let now = Instant::now();
        let mut table = self.table.write();
        let mut dead = Vec::new();
        for (name, group) in &table.groups {
            for member in group
                .members
                .values()
                .filter(|member| now - member.seen > EXPIRY)
            {
                warn!(
                    group = name,
                    client = member.client.id,
                    "consumer is silent: close its connection"
                );
                dead.push(Arc::clone(&member.client.peer));
            }
        }
        let mut changes = Vec::new();
        for peer in dead {
            let groups = table.groups_of.remove(&peer.id()).unwrap_or_default();
            changes.extend(
                groups
                    .iter()
                    .filter_map(|group| table.remove_member(group, peer.id())),
            );
            peer.close();
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

    /// The client ids of a group's members, none twice: a client whose lost connection is not noticed yet would
    /// otherwise count as two, and queues be given to nobody. Empty when there is no such group.
    #[must_use]
    pub fn client_ids(&self, group: &str) -> Vec<String> {
        let table = self.table.read();
        let members = table.groups.get(group).map(|group| group.members.values());
        let ids: HashSet<&String> = members
            .into_iter()
            .flatten()
            .map(|member| &member.client.id)
            .collect();
        ids.into_iter().cloned().collect()
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
    fn remove_member(&mut self, name: &str, peer_id: u64) -> Option<Change> {
        let group = self.groups.get_mut(name)?;
        let member = group.members.remove(&peer_id)?;
        info!(group = name, client = member.client.id, "consumer leaves");
        if group.members.is_empty() {
            self.groups.remove(name);
            return None;
        }
        Some(group.change(name.to_owned()))
    }
}

impl Group {
    fn new(data: &ConsumerData) -> Group {
        Group {
            consume_type: data.consume_type,
            message_model: data.message_model,
            consume_from_where: data.consume_from_where,
            subscriptions: HashMap::new(),
            members: HashMap::new(),
        }
    }

    /// Notes a heartbeat. Whether it was the first on this connection.
    fn seen(&mut self, client: &Client) -> bool {
        let seen = Instant::now();
        match self.members.get_mut(&client.peer.id()) {
            Some(member) => {
                member.seen = seen;
                if member.client.id != client.id {
                    warn!(
                        old = member.client.id,
                        new = client.id,
                        "consumer has changed its id on one connection"
                    );
                    member.client = client.clone();
                }
                false
            }
            None => {
                let client = client.clone();
                self.members
                    .insert(client.peer.id(), Member { client, seen });
                true
            }
        }
    }

    /// Takes over the topics of a heartbeat. Whether a topic came or went.
    fn subscribe(
        &mut self,
        name: &str,
        wanted: impl IntoIterator<Item = SubscriptionData>,
    ) -> bool {
        let mut changed = false;
        let mut topics = HashSet::new();
        for data in wanted {
            topics.insert(data.topic.clone());
            let old = self.subscriptions.get(&data.topic);
            if old.is_some_and(|old| data.sub_version <= old.data.sub_version) {
                continue;
            }
            changed |= old.is_none();
            debug!(
                group = name,
                topic = data.topic,
                expression = data.sub_string,
                "subscription"
            );
            let tags = TagFilter::of(&data);
            self.subscriptions
                .insert(data.topic.clone(), Arc::new(Subscription { data, tags }));
        }
        let before = self.subscriptions.len();
        self.subscriptions.retain(|topic, _| topics.contains(topic));
        changed || self.subscriptions.len() < before
    }

    fn change(&self, group: String) -> Change {
        Change {
            group,
            members: self
                .members
                .values()
                .map(|member| Arc::clone(&member.client.peer))
                .collect(),
        }
    }
}
