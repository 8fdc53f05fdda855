//! A broker comes, shows that it lives, and goes.
//!
//! ```text
//! 103 ─▶ register        322 ─▶ same_version        104 ─▶ unregister
//! connection closed ─▶ connection_closed             silent ─▶ expiry
//! ```
//!
//! A set lives as long as one of its brokers does; with the last one its topics go. Only a master brings topics, and
//! only when its topic table has changed. Topics that are missing from its table are not removed (Java 4.7.0 neither:
//! a deleted topic is taken out by 216). The rule that is easy to break: what goes must be what came. A broker that
//! has registered again, on another connection or at another address, is not removed for the sake of the old one.
//!
//! Java 4.7.0 `namesrv/routeinfo/RouteInfoManager.java`: `registerBroker`, `unregisterBroker`, `onChannelDestroy`.

use std::collections::BTreeMap;
use std::sync::Arc;

use remoting::body::DataVersion;
use tokio::time::Instant;

use crate::table::{BrokerSet, Live, MASTER_ID, Queues, Table};

/// The longest name or address that is taken. The longest of Java's own is a `%RETRY%` topic of some 262 characters.
pub(crate) const NAME_LIMIT_BYTES: usize = 1024;

/// What a broker tells of itself.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) cluster: String,
    pub(crate) broker: String,
    pub(crate) id: i64,
    /// `host:port`.
    pub(crate) addr: String,
    pub(crate) ha_server_addr: String,
    pub(crate) version: DataVersion,
    pub(crate) topics: Vec<NewTopic>,
    /// `None` leaves those of its last registration.
    pub(crate) filter_servers: Option<Vec<String>>,
    /// The connection it came on.
    pub(crate) connection: u64,
}

/// A topic as a broker has it.
#[derive(Debug)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) read: i32,
    pub(crate) write: i32,
    pub(crate) perm: i32,
    pub(crate) flags: i32,
}

/// What a registration has changed, and what the broker should know.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Registered {
    /// Nothing was known of this address.
    pub(crate) new_broker: bool,
    /// Topics that are new for this broker, or changed.
    pub(crate) topics_changed: usize,
    /// Told to a slave: its master's address and HA address.
    pub(crate) master: Option<(String, String)>,
}

/// Whether `name` can be a topic, broker, cluster or address. They are keys here and never paths, so this only keeps
/// out what could blow up memory or garble a log. Java takes anything.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_LIMIT_BYTES && !name.contains(char::is_control)
}

impl Table {
    /// Takes in a broker and, from a master with a changed table, its topics.
    pub(crate) fn register(&mut self, new: Registration, now: Instant) -> Registered {
        let broker: Arc<str> = Arc::from(new.broker.as_str());
        let names = self.clusters.entry(new.cluster.clone()).or_default();
        names.insert(Arc::clone(&broker));

        let changed_table = !self.same_version(&new.addr, &new.version);
        let new_in_set = self.enter(&broker, &new);
        let mut registered = Registered::default();
        if new.id == MASTER_ID && (changed_table || new_in_set) {
            let topics = new.topics.into_iter();
            let news = topics.map(|topic| self.put_topic(&broker, topic));
            registered.topics_changed = news.filter(|news| *news).count();
        }

        let former = self.live.remove(&new.addr);
        registered.new_broker = former.is_none();
        let former_servers = former.map(|live| live.filter_servers).unwrap_or_default();
        let filter_servers = match new.filter_servers {
            Some(servers) if servers != former_servers => {
                self.routes_changed();
                servers
            }
            _ => former_servers,
        };
        let live = Live {
            seen: now,
            version: new.version,
            connection: new.connection,
            ha_server_addr: new.ha_server_addr,
            filter_servers,
        };
        self.live.insert(new.addr, live);
        if registered.topics_changed > 0 {
            self.routes_changed();
        }
        if new.id != MASTER_ID {
            registered.master = self.master_of(&broker);
        }
        registered
    }

    /// Enters the address under its id. Whether the set had none under this id.
    fn enter(&mut self, broker: &Arc<str>, new: &Registration) -> bool {
        let set = self
            .brokers
            .entry(Arc::clone(broker))
            .or_insert_with(|| BrokerSet {
                cluster: new.cluster.clone(),
                addrs: BTreeMap::new(),
            });
        let before = set.addrs.len();
        // A slave that became a master must not be listed as both.
        set.addrs
            .retain(|id, addr| *id == new.id || *addr != new.addr);
        let moved = set.addrs.len() != before;
        let former = set.addrs.insert(new.id, new.addr.clone());
        if moved || former.as_ref() != Some(&new.addr) {
            self.routes_changed();
        }
        former.is_none()
    }

    /// Whether it was news.
    fn put_topic(&mut self, broker: &Arc<str>, new: NewTopic) -> bool {
        let queues = Queues {
            broker: Arc::clone(broker),
            read: new.read,
            write: new.write,
            perm: new.perm,
            flags: new.flags,
        };
        let topic = self.topics.entry(new.name).or_default();
        match topic
            .queues
            .iter_mut()
            .find(|known| known.broker == *broker)
        {
            Some(known) if *known == queues => false,
            Some(known) => {
                *known = queues;
                true
            }
            None => {
                topic.queues.push(queues);
                true
            }
        }
    }

    fn master_of(&self, broker: &str) -> Option<(String, String)> {
        let addr = self.brokers.get(broker)?.addrs.get(&MASTER_ID)?;
        let live = self.live.get(addr)?;
        Some((addr.clone(), live.ha_server_addr.clone()))
    }

    /// Whether the broker at `addr` is known, with this version of its topic table.
    pub(crate) fn same_version(&self, addr: &str, version: &DataVersion) -> bool {
        let live = self.live.get(addr);
        live.is_some_and(|live| live.version == *version)
    }

    /// A sign of life that is not a registration. Java keeps the connection of the last registration instead, and
    /// removes a living broker when that one closes.
    pub(crate) fn saw(&mut self, addr: &str, connection: u64, now: Instant) {
        if let Some(live) = self.live.get_mut(addr) {
            live.seen = now;
            live.connection = connection;
        }
    }

    /// A broker says goodbye. Takes `addr` out of the set of `broker`, under whatever id; another address that has
    /// the id by now stays (Java 4.7.0 removes it).
    pub(crate) fn unregister(&mut self, broker: &str, addr: &str) {
        self.live.remove(addr);
        if let Some(set) = self.brokers.get_mut(broker) {
            set.addrs.retain(|_, known| known != addr);
        }
        self.drop_empty_sets();
    }

    /// Removes every broker that was last heard of on `connection`, and returns their addresses.
    pub(crate) fn connection_closed(&mut self, connection: u64) -> Vec<String> {
        let gone = self
            .live
            .iter()
            .filter(|(_, live)| live.connection == connection);
        let gone: Vec<String> = gone.map(|(addr, _)| addr.clone()).collect();
        self.remove_addrs(&gone);
        gone
    }

    /// Takes addresses out of every set.
    pub(crate) fn remove_addrs(&mut self, gone: &[String]) {
        if gone.is_empty() {
            return;
        }
        for addr in gone {
            self.live.remove(addr);
        }
        for set in self.brokers.values_mut() {
            set.addrs.retain(|_, addr| !gone.contains(addr));
        }
        self.drop_empty_sets();
    }

    /// Sets without a broker go, with their place in clusters and their topics.
    fn drop_empty_sets(&mut self) {
        self.routes_changed();
        let brokers = self.brokers.len();
        self.brokers.retain(|_, set| !set.addrs.is_empty());
        if self.brokers.len() == brokers {
            return;
        }
        let known = &self.brokers;
        self.clusters.retain(|_, names| {
            names.retain(|name| known.contains_key(name));
            !names.is_empty()
        });
        self.topics.retain(|_, topic| {
            topic
                .queues
                .retain(|queues| known.contains_key(&queues.broker));
            !topic.queues.is_empty()
        });
    }
}

/// Registrations for tests.
#[cfg(test)]
pub(crate) mod testing {
    use super::{NewTopic, Registration};
    use remoting::body::DataVersion;

    /// A broker without topics, on connection 1.
    pub(crate) fn broker(cluster: &str, name: &str, addr: &str, id: i64) -> Registration {
        Registration {
            cluster: cluster.to_owned(),
            broker: name.to_owned(),
            id,
            addr: addr.to_owned(),
            ha_server_addr: format!("{addr}.ha"),
            version: version(1),
            topics: Vec::new(),
            filter_servers: Some(Vec::new()),
            connection: 1,
        }
    }

    pub(crate) fn version(counter: i64) -> DataVersion {
        DataVersion {
            timestamp: 1_600_000_000_000,
            counter,
        }
    }

    /// Topics with 8 queues and permission 6.
    pub(crate) fn topics(names: &[&str]) -> Vec<NewTopic> {
        let names = names.iter();
        names
            .map(|name| NewTopic {
                name: (*name).to_owned(),
                read: 8,
                write: 8,
                perm: 6,
                flags: 0,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{broker, topics, version};
    use super::*;

    fn register(table: &mut Table, registration: Registration) -> Registered {
        table.register(registration, Instant::now())
    }

    fn master(topic_names: &[&str], counter: i64) -> Registration {
        Registration {
            version: version(counter),
            topics: topics(topic_names),
            ..broker("c", "b", "1:1", MASTER_ID)
        }
    }

    #[test]
    fn topics_are_taken_when_the_broker_is_new_or_its_version_changed() {
        let mut table = Table::default();
        assert_eq!(register(&mut table, master(&["t1"], 1)).topics_changed, 1);
        assert_eq!(
            register(&mut table, master(&["t1", "t2"], 1)).topics_changed,
            0
        );
        assert_eq!(table.route("t2"), None, "the version was the same");
        assert_eq!(
            register(&mut table, master(&["t1", "t2"], 2)).topics_changed,
            1
        );
        assert!(table.route("t2").is_some());
        register(&mut table, master(&["t2"], 3));
        assert!(
            table.route("t1").is_some(),
            "a topic missing from the table stays"
        );
    }

    #[test]
    fn an_older_version_counts_as_changed_too() {
        let mut table = Table::default();
        register(&mut table, master(&["t1"], 7));
        assert_eq!(register(&mut table, master(&["t2"], 6)).topics_changed, 1);
    }

    #[test]
    fn nothing_new_leaves_the_generation_alone() {
        let mut table = Table::default();
        register(&mut table, master(&["t1"], 1));
        let generation = table.generation();
        register(&mut table, master(&["t1"], 1));
        register(&mut table, master(&["t1"], 2));
        assert_eq!(table.generation(), generation);
        register(&mut table, master(&["t2"], 3));
        assert_ne!(table.generation(), generation);
    }

    #[test]
    fn a_slave_brings_no_topics_and_learns_of_its_master() {
        let mut table = Table::default();
        let slave = || Registration {
            topics: topics(&["t"]),
            ..broker("c", "b", "2:1", 1)
        };
        assert_eq!(register(&mut table, slave()).master, None);
        assert_eq!(table.route("t"), None);
        register(&mut table, master(&["t"], 1));
        let told = register(&mut table, slave()).master;
        assert_eq!(told, Some(("1:1".to_owned(), "1:1.ha".to_owned())));
        let route = table.route("t").expect("the master has it");
        assert_eq!(route.brokers[0].1.addrs.len(), 2);
    }

    #[test]
    fn a_slave_that_becomes_master_is_listed_once() {
        let mut table = Table::default();
        register(&mut table, broker("c", "b", "2:1", 1));
        register(&mut table, broker("c", "b", "2:1", MASTER_ID));
        let addrs = &table.brokers["b"].addrs;
        assert_eq!(Vec::from_iter(addrs), [(&MASTER_ID, &"2:1".to_owned())]);
    }

    #[test]
    fn topics_live_until_the_last_broker_of_the_set_goes() {
        let mut table = Table::default();
        register(&mut table, master(&["t"], 1));
        register(&mut table, broker("c", "b", "2:1", 1));
        table.unregister("b", "1:1");
        let route = table.route("t").expect("the slave is there");
        assert_eq!(
            Vec::from_iter(&route.brokers[0].1.addrs),
            [(&1, &"2:1".to_owned())]
        );
        table.unregister("b", "2:1");
        assert_eq!(table.route("t"), None);
        assert!(table.topics.is_empty() && table.brokers.is_empty() && table.clusters.is_empty());
        assert!(table.live.is_empty());
    }

    #[test]
    fn a_closed_connection_takes_only_the_brokers_last_heard_of_on_it() {
        let mut table = Table::default();
        register(&mut table, master(&["t"], 1));
        register(
            &mut table,
            Registration {
                connection: 2,
                ..master(&["t"], 1)
            },
        );
        assert!(
            table.connection_closed(1).is_empty(),
            "it has registered anew on connection 2"
        );
        assert!(table.route("t").is_some());
        table.saw("1:1", 3, Instant::now());
        assert!(
            table.connection_closed(2).is_empty(),
            "it was heard of on connection 3"
        );
        assert_eq!(table.connection_closed(3), ["1:1"]);
        assert_eq!(table.route("t"), None);
    }

    #[test]
    fn a_goodbye_from_a_replaced_address_leaves_its_successor() {
        let mut table = Table::default();
        register(&mut table, master(&["t"], 1));
        register(
            &mut table,
            Registration {
                addr: "9:9".to_owned(),
                ..master(&["t"], 1)
            },
        );
        table.unregister("b", "1:1");
        let route = table.route("t").expect("the successor is there");
        assert_eq!(route.brokers[0].1.addrs[&MASTER_ID], "9:9");
    }

    #[test]
    fn filter_servers_are_kept_when_a_registration_does_not_speak_of_them() {
        let mut table = Table::default();
        let servers = Some(vec!["f:1".to_owned()]);
        register(
            &mut table,
            Registration {
                filter_servers: servers,
                ..master(&["t"], 1)
            },
        );
        register(
            &mut table,
            Registration {
                filter_servers: None,
                ..master(&["t"], 1)
            },
        );
        let told = |table: &Table| table.route("t").expect("registered").filter_servers;
        assert_eq!(told(&table)["1:1"], ["f:1"]);
        register(&mut table, master(&["t"], 1));
        assert!(told(&table).is_empty());
    }

    #[test]
    fn names_are_bounded_and_free_of_control_characters() {
        assert!(is_name("%RETRY%group-1") && is_name("10.0.0.1:10911") && is_name("集群"));
        assert!(!is_name("") && !is_name("a\nb") && !is_name(&"x".repeat(NAME_LIMIT_BYTES + 1)));
    }
}
