//! Who is told of messages that become readable: pulls that wait, and the levels of delayed messages. And who is asked
//! before: the groups' filters.
//!
//! Called by the store's dispatcher, which all messages behind this one wait for: nothing here may block.

use std::sync::{Arc, OnceLock};

use store::{Arrival, Arrivals, Record};

use crate::delay::timer::Bells;
use crate::filter::data::Filters;
use crate::pull::hold::Holds;

/// All who are told.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) holds: Arc<Holds>,
    pub(crate) bells: Arc<Bells>,
    /// There once they are loaded: what recovery dispatches before has no bits, and its records are looked into.
    pub(crate) filters: Arc<OnceLock<Arc<Filters>>>,
}

impl Arrivals for Listeners {
    fn arrived(&self, arrival: &Arrival<'_>) {
        self.bells.arrived(arrival.topic, arrival.queue_id);
        self.holds.arrived(arrival);
    }

    fn filter_bits(&self, topic: &str, record: &Record<'_>) -> Option<Vec<u8>> {
        let filters = self.filters.get()?;
        filters.dispatched(record.store_timestamp_ms);
        filters.bits_of_message(topic, record.properties)
    }
}
