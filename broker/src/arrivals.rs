//! Who is told of messages that become readable: pulls that wait, and the levels of delayed messages.
//!
//! Called by the store's dispatcher, which all messages behind this one wait for: nothing here may block.

use std::sync::Arc;

use store::{Arrival, Arrivals};

use crate::delay::timer::Bells;
use crate::pull::hold::Holds;

/// All who are told.
#[derive(Debug)]
pub(crate) struct Listeners {
    pub(crate) holds: Arc<Holds>,
    pub(crate) bells: Arc<Bells>,
}

impl Arrivals for Listeners {
    fn arrived(&self, arrival: &Arrival<'_>) {
        self.bells.arrived(arrival.topic, arrival.queue_id);
        self.holds.arrived(arrival);
    }
}
