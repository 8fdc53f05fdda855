//! Who serves what: topics, brokers, clusters. No I/O, no clock of its own.
//!
//! ```text
//! topic ─▶ queues of each broker name ─▶ broker set ─▶ brokerId → address ─▶ sign of life
//!                        cluster ─▶ broker names ─┘
//! ```
//!
//! `register` and `expiry` change it, `handler` reads it. The rule that is easy to break: whatever changes an answer of
//! 105 raises `generation`, since answers are kept encoded (`handler::route`) and are good for one generation.
//!
//! Java 4.7.0 `namesrv/routeinfo/RouteInfoManager.java`; 4.9.4 for 327 and for 216 with a cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use remoting::body::DataVersion;
use tokio::time::Instant;

/// The id of the broker of a set that takes messages.
pub(crate) const MASTER_ID: i64 = 0;

const PERM_READ: i32 = 4;
const PERM_WRITE: i32 = 2;

/// Bit of a topic's flags: the topic is split into units.
pub(crate) const UNIT: i32 = 1;
/// Bit of a topic's flags: a group of a unit has subscribed to it.
pub(crate) const UNIT_SUB: i32 = 2;

/// Everything that brokers have told.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) topics: HashMap<String, Topic>,
    pub(crate) brokers: BTreeMap<Arc<str>, BrokerSet>,
    pub(crate) clusters: BTreeMap<String, BTreeSet<Arc<str>>>,
    /// By address, `host:port`.
    pub(crate) live: HashMap<String, Live>,
    generation: u64,
}

/// One topic on all its brokers.
#[derive(Debug, Default)]
pub(crate) struct Topic {
    /// At most one entry a broker name, in the order of registration.
    pub(crate) queues: Vec<Queues>,
    /// Answers of 105, one for each `RouteForm`.
    encoded: Mutex<[Option<Encoded>; 2]>,
}

/// The two ways in which an answer of 105 is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteForm {
    /// As fastjson writes it: broker ids stand bare. What 4.x clients read.
    Fastjson,
    /// Standard JSON.
    Standard,
}

#[derive(Debug)]
struct Encoded {
    generation: u64,
    body: Bytes,
}

/// The queues of one topic on one broker set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queues {
    pub(crate) broker: Arc<str>,
    pub(crate) read: i32,
    pub(crate) write: i32,
    pub(crate) perm: i32,
    /// `UNIT`, `UNIT_SUB`.
    pub(crate) flags: i32,
}

/// The brokers of one name: a master and its slaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BrokerSet {
    pub(crate) cluster: String,
    /// By broker id.
    pub(crate) addrs: BTreeMap<i64, String>,
}

/// What is known of the broker at one address.
#[derive(Debug)]
pub(crate) struct Live {
    /// When it was last heard of.
    pub(crate) seen: Instant,
    /// Of its topic table, at its last registration.
    pub(crate) version: DataVersion,
    /// The connection on which it was last heard of.
    pub(crate) connection: u64,
    /// Where it gives its log to slaves.
    pub(crate) ha_server_addr: String,
    pub(crate) filter_servers: Vec<String>,
}

/// What 105 answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) queues: Vec<Queues>,
    pub(crate) brokers: Vec<(Arc<str>, BrokerSet)>,
    /// Address and filter servers of the brokers that have any.
    pub(crate) filter_servers: BTreeMap<String, Vec<String>>,
}

impl Table {
    /// Changes whenever a route may have changed.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn routes_changed(&mut self) {
        self.generation += 1;
    }

    /// Where `topic` is; `None` when it is unknown, or known and none of its brokers is.
    pub(crate) fn route(&self, topic: &str) -> Option<Route> {
        let queues = self.topics.get(topic)?.queues.clone();
        let brokers: Vec<_> = queues
            .iter()
            .filter_map(|queues| self.brokers.get_key_value(&queues.broker))
            .map(|(name, set)| (Arc::clone(name), set.clone()))
            .collect();
        if brokers.is_empty() {
            return None;
        }
        let addrs = brokers.iter().flat_map(|(_, set)| set.addrs.values());
        let filter_servers = addrs
            .filter_map(|addr| Some((addr, &self.live.get(addr)?.filter_servers)))
            .filter(|(_, servers)| !servers.is_empty())
            .map(|(addr, servers)| (addr.clone(), servers.clone()))
            .collect();
        Some(Route {
            queues,
            brokers,
            filter_servers,
        })
    }

    /// The answer of 105 as it was last encoded, unless something has changed since.
    pub(crate) fn encoded_route(&self, topic: &str, form: RouteForm) -> Option<Bytes> {
        let encoded = self.topics.get(topic)?.encoded.lock();
        let encoded = encoded.get(form as usize)?.as_ref()?;
        (encoded.generation == self.generation).then(|| encoded.body.clone())
    }

    /// Keeps an answer of 105 that was encoded from a route of `generation`.
    pub(crate) fn keep_encoded_route(
        &self,
        topic: &str,
        form: RouteForm,
        generation: u64,
        body: Bytes,
    ) {
        let Some(topic) = self.topics.get(topic) else {
            return;
        };
        if let Some(place) = topic.encoded.lock().get_mut(form as usize) {
            *place = Some(Encoded { generation, body });
        }
    }

    /// Names of all topics.
    pub(crate) fn topic_names(&self) -> Vec<String> {
        self.topics.keys().cloned().collect()
    }

    /// Names of the topics that a broker of `cluster` has. None for a cluster that nobody knows, as Java.
    pub(crate) fn topics_of_cluster(&self, cluster: &str) -> Vec<String> {
        let Some(names) = self.clusters.get(cluster) else {
            return Vec::new();
        };
        self.topics_where(|topic| topic.queues.iter().any(|q| names.contains(&q.broker)))
    }

    /// Names of the topics whose flags, as the first broker told them, pass `wanted`.
    pub(crate) fn topics_by_flags(&self, wanted: impl Fn(i32) -> bool) -> Vec<String> {
        self.topics_where(|topic| topic.queues.first().is_some_and(|q| wanted(q.flags)))
    }

    fn topics_where(&self, wanted: impl Fn(&Topic) -> bool) -> Vec<String> {
        let found = self.topics.iter().filter(|(_, topic)| wanted(topic));
        found.map(|(name, _)| name.clone()).collect()
    }

    /// Names under which clusters and brokers register topics, and the address of any broker, to be asked for its own.
    pub(crate) fn system_topics(&self) -> (BTreeSet<String>, Option<String>) {
        let clusters = self.clusters.iter();
        let names = clusters
            .flat_map(|(cluster, brokers)| {
                let brokers = brokers.iter().map(|name| name.to_string());
                std::iter::once(cluster.clone()).chain(brokers)
            })
            .collect();
        let mut addrs = self.brokers.values().flat_map(|set| set.addrs.values());
        (names, addrs.next().cloned())
    }

    /// Takes the write permission from all topics of `broker`, or gives read and write. Returns how many it has.
    ///
    /// It lasts until the broker registers a changed topic table, as in Java.
    pub(crate) fn set_writable(&mut self, broker: &str, writable: bool) -> i32 {
        let mut topics = 0;
        let all = self.topics.values_mut().flat_map(|topic| &mut topic.queues);
        for queues in all.filter(|queues| &*queues.broker == broker) {
            queues.perm = match writable {
                true => PERM_READ | PERM_WRITE,
                false => queues.perm & !PERM_WRITE,
            };
            topics += 1;
        }
        self.routes_changed();
        topics
    }

    /// Forgets a topic, in one cluster or in all.
    pub(crate) fn delete_topic(&mut self, topic: &str, cluster: Option<&str>) {
        match cluster {
            None => {
                self.topics.remove(topic);
            }
            Some(cluster) => {
                let (Some(names), Some(entry)) =
                    (self.clusters.get(cluster), self.topics.get_mut(topic))
                else {
                    return;
                };
                entry
                    .queues
                    .retain(|queues| !names.contains(&queues.broker));
                if entry.queues.is_empty() {
                    self.topics.remove(topic);
                }
            }
        }
        self.routes_changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::testing::{broker, topics};

    fn two_clusters() -> Table {
        let mut table = Table::default();
        for (cluster, name, addr) in [("c1", "a", "1:1"), ("c1", "b", "2:1"), ("c2", "x", "3:1")] {
            let mut registration = broker(cluster, name, addr, MASTER_ID);
            registration.topics = topics(&["everywhere", name]);
            table.register(registration, Instant::now());
        }
        table
    }

    fn sorted(mut names: Vec<String>) -> Vec<String> {
        names.sort();
        names
    }

    #[test]
    fn a_route_has_queues_and_addresses_of_every_broker_with_the_topic() {
        let table = two_clusters();
        let route = table.route("everywhere").expect("three brokers have it");
        let names: Vec<_> = route.queues.iter().map(|q| &*q.broker).collect();
        assert_eq!(names, ["a", "b", "x"]);
        assert_eq!(route.brokers.len(), 3);
        assert_eq!(route.brokers[2].1.cluster, "c2");
        assert_eq!(route.brokers[2].1.addrs[&MASTER_ID], "3:1");
        assert_eq!(table.route("nowhere"), None);
    }

    #[test]
    fn topic_lists_follow_clusters_and_an_unknown_cluster_has_none() {
        let table = two_clusters();
        assert_eq!(sorted(table.topic_names()), ["a", "b", "everywhere", "x"]);
        assert_eq!(
            sorted(table.topics_of_cluster("c1")),
            ["a", "b", "everywhere"]
        );
        assert_eq!(sorted(table.topics_of_cluster("c2")), ["everywhere", "x"]);
        assert!(table.topics_of_cluster("c3").is_empty());
        let (names, addr) = table.system_topics();
        assert_eq!(Vec::from_iter(names), ["a", "b", "c1", "c2", "x"]);
        assert_eq!(addr.as_deref(), Some("1:1"));
    }

    #[test]
    fn a_topic_deleted_in_one_cluster_lives_on_in_the_others() {
        let mut table = two_clusters();
        table.delete_topic("everywhere", Some("c1"));
        let route = table.route("everywhere").expect("c2 has it still");
        assert_eq!(route.queues.len(), 1);
        table.delete_topic("everywhere", Some("c2"));
        assert_eq!(table.route("everywhere"), None);
        assert!(!table.topics.contains_key("everywhere"));
        table.delete_topic("a", None);
        assert_eq!(table.route("a"), None);
    }

    #[test]
    fn a_wiped_broker_keeps_the_other_bits_and_only_it_is_wiped() {
        let mut table = two_clusters();
        let perms = |table: &Table| {
            let route = table.route("everywhere").expect("registered");
            Vec::from_iter(route.queues.iter().map(|q| q.perm))
        };
        table
            .topics
            .get_mut("everywhere")
            .expect("registered")
            .queues[1]
            .perm = 7;
        assert_eq!(table.set_writable("b", false), 2);
        assert_eq!(perms(&table), [6, 5, 6]);
        assert_eq!(table.set_writable("b", true), 2);
        assert_eq!(perms(&table), [6, 6, 6]);
        assert_eq!(table.set_writable("nobody", false), 0);
    }

    #[test]
    fn an_encoded_route_is_given_back_until_routes_change() {
        let mut table = two_clusters();
        let body = Bytes::from_static(b"{}");
        table.keep_encoded_route("a", RouteForm::Standard, table.generation(), body.clone());
        assert_eq!(
            table.encoded_route("a", RouteForm::Standard),
            Some(body.clone())
        );
        assert_eq!(table.encoded_route("a", RouteForm::Fastjson), None);
        table.routes_changed();
        assert_eq!(table.encoded_route("a", RouteForm::Standard), None);
        table.keep_encoded_route("a", RouteForm::Standard, table.generation() - 1, body);
        assert_eq!(
            table.encoded_route("a", RouteForm::Standard),
            None,
            "encoded from a route that has changed meanwhile"
        );
    }

    #[test]
    fn unit_lists_go_by_the_flags_of_the_first_broker() {
        let mut table = two_clusters();
        for (topic, flags) in [("a", UNIT), ("b", UNIT_SUB), ("x", UNIT | UNIT_SUB)] {
            table.topics.get_mut(topic).expect("registered").queues[0].flags = flags;
        }
        let unit = table.topics_by_flags(|flags| flags & UNIT != 0);
        assert_eq!(sorted(unit), ["a", "x"]);
        let only_sub = table.topics_by_flags(|flags| flags & (UNIT | UNIT_SUB) == UNIT_SUB);
        assert_eq!(sorted(only_sub), ["b"]);
    }
}
