//! How many entries the tables of a broker have: what is back where it was once those who made the entries are gone.
//!
//! Not among them, since they are bounded in number: expressions kept ready, half messages that have just ended, deleted
//! topics whose last messages are not dispatched yet.

use std::collections::BTreeMap;

use crate::broker::Broker;

impl Broker {
    /// Entries by table. Walks over some of them: for tests and tools.
    #[must_use]
    pub fn sizes(&self) -> BTreeMap<&'static str, usize> {
        let stored = self.store.topics();
        let queues = stored.iter().map(|topic| self.store.queue_ids(topic).len());
        let waiting = usize::try_from(self.waiting_pulls()).unwrap_or(usize::MAX);
        BTreeMap::from([
            ("topics", self.topics.len()),
            ("groups", self.groups.len()),
            ("offsets", self.offsets.len()),
            ("filters", self.filters.len()),
            ("consumer groups", self.consumers.len()),
            ("producer groups", self.producers.len()),
            ("producers by id", self.producers.connections()),
            ("locked queues", self.locks.len()),
            ("waiting pulls", waiting),
            ("queues pulls wait for", self.holds.queues()),
            ("waiting sends", self.send_queue.len()),
            ("stored topics", stored.len()),
            ("stored queues", queues.sum()),
            ("connections", self.bounds.connections()),
            ("bytes of connections", self.bounds.bytes()),
        ])
    }
}
