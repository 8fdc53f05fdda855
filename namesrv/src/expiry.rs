//! Brokers that have fallen silent.
//!
//! ```text
//! 0 s      5 s         15 s        25 s …
//! start ── first look ─┴─ look ────┴─      a broker last seen more than 120 s ago: its connection is closed, it is
//!                                          removed, and with the last of its set go the topics
//! ```
//!
//! A broker registers every 30 s, so it may miss three times. One whose connection closes goes at once (`register`).
//! Runs on tokio's clock, which tests can pause.
//!
//! Java 4.7.0 `NamesrvController.initialize`, `RouteInfoManager.scanNotActiveBroker`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tracing::warn;

use crate::NameServer;
use crate::table::Table;

const FIRST_LOOK: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_secs(10);
const SILENCE_LIMIT: Duration = Duration::from_secs(120);

/// A broker that was removed for its silence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) addr: String,
    /// Where it was last heard of.
    pub(crate) connection: u64,
}

impl Table {
    /// Removes the brokers that have been silent for more than 120 s.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Expired> {
        let live = self.live.iter();
        let expired: Vec<Expired> = live
            .filter(|(_, live)| now.saturating_duration_since(live.seen) > SILENCE_LIMIT)
            .map(|(addr, live)| Expired {
                addr: addr.clone(),
                connection: live.connection,
            })
            .collect();
        let addrs = expired.iter().map(|expired| expired.addr.clone());
        self.remove_addrs(&addrs.collect::<Vec<_>>());
        expired
    }
}

/// Looks for silent brokers for ever.
pub(crate) async fn run(server: Arc<NameServer>) {
    let mut looks = tokio::time::interval_at(Instant::now() + FIRST_LOOK, LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let expired = server.table.write().expire(Instant::now());
        for broker in expired {
            warn!(
                addr = broker.addr,
                silent_for_more_than_s = SILENCE_LIMIT.as_secs(),
                "remove silent broker"
            );
            server.close(broker.connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NamesrvConfig;
    use crate::register::testing::{broker, topics};
    use crate::table::MASTER_ID;

    #[test]
    fn a_broker_may_be_silent_for_120_s_and_no_longer() {
        let start = Instant::now();
        let mut table = Table::default();
        table.register(broker("c", "b", "1:1", MASTER_ID), start);
        assert!(table.expire(start + SILENCE_LIMIT).is_empty());
        let expired = table.expire(start + SILENCE_LIMIT + Duration::from_millis(1));
        let (addr, connection) = ("1:1".to_owned(), 1);
        assert_eq!(expired, [Expired { addr, connection }]);
        assert!(table.brokers.is_empty() && table.clusters.is_empty());
    }

    #[test]
    fn a_sign_of_life_begins_the_silence_anew() {
        let start = Instant::now();
        let mut table = Table::default();
        table.register(broker("c", "b", "1:1", MASTER_ID), start);
        table.saw("1:1", 1, start + SILENCE_LIMIT);
        assert!(table.expire(start + SILENCE_LIMIT * 2).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn looks_come_after_5_s_and_then_every_10_s() {
        let server = NameServer::for_tests(NamesrvConfig::default());
        let task = tokio::spawn(run(Arc::clone(&server)));
        let mut registration = broker("c", "b", "1:1", MASTER_ID);
        registration.topics = topics(&["t"]);
        let start = Instant::now();
        server.table.write().register(registration, start);
        let known = || server.table.read().route("t").is_some();
        tokio::time::sleep_until(start + Duration::from_millis(124_900)).await;
        assert!(
            known(),
            "silent for less than 120 s at the look after 115 s"
        );
        tokio::time::sleep_until(start + Duration::from_millis(125_100)).await;
        assert!(!known(), "silent for 125 s at the look after 125 s");
        task.abort();
    }
}
