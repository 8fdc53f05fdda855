//! What is under way with half messages, and what has just happened to them, by their place in the half queue.
//!
//! ```text
//! begin ─▶ under way ─▶ done            the end of a transaction: one at a time, the first one counts
//!             └─▶ (failed) back          nothing happened, it may end again
//! moved: 7 → 19 → 40                    the check has put the message back, its end may still name an older place
//! ```
//!
//! It is what Java lacks where it delivers a message twice: an end sent twice, an end that arrives while its producer
//! is being asked. The rule that is easy to break: this is memory, gone after a restart and bounded; it may keep a
//! message from being ended twice or asked about, and never stands for the op message.

use std::collections::{BTreeMap, BTreeSet, HashSet};

/// So many of each are remembered, the latest ones: a few MB.
const MOST: usize = 100_000;

/// The state of half messages that are not settled, or only just.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    under_way: HashSet<i64>,
    done: BTreeSet<i64>,
    moved: BTreeMap<i64, i64>,
    /// The same backwards: where the message at a place was put back from.
    moved_from: BTreeMap<i64, i64>,
    /// Done, but the op message could not be written.
    owed: BTreeSet<i64>,
}

impl Ledger {
    /// Begins the end of a half message; the place where it lies now. `None`: it has ended, or is just being ended.
    pub(super) fn begin(&mut self, half: i64) -> Option<i64> {
        let now = self.place_of(half);
        let fresh = !self.done.contains(&now) && !self.done.contains(&half);
        (fresh && self.under_way.insert(now)).then_some(now)
    }

    /// It has ended.
    pub(super) fn done(&mut self, now: i64) {
        self.under_way.remove(&now);
        self.done.insert(now);
        while self.done.len() > MOST {
            self.done.pop_first();
        }
    }

    /// It could not be ended; nothing happened.
    pub(super) fn failed(&mut self, now: i64) {
        self.under_way.remove(&now);
    }

    /// Whether it is neither ended nor being ended, as far as is known here.
    pub(super) fn is_open(&self, half: i64) -> bool {
        !self.under_way.contains(&half) && !self.done.contains(&half)
    }

    /// A copy of the message at `from` lies at `to` now and stands for it.
    pub(super) fn moved(&mut self, from: i64, to: i64) {
        if from < to {
            self.moved.insert(from, to);
            self.moved_from.entry(to).or_insert(from); // who put it back knows from where; others know where it began
        }
        while self.moved.len() > MOST {
            self.moved.pop_first();
        }
        while self.moved_from.len() > MOST {
            self.moved_from.pop_first();
        }
    }

    /// Follows a message to where it lies now. Ends, since every step leads on.
    fn place_of(&self, half: i64) -> i64 {
        let mut now = half;
        while let Some(next) = self.moved.get(&now) {
            now = *next;
        }
        now
    }

    /// The place where a message lies now and all that it had before, as far as is known here, the latest first. Ends, since
    /// every step leads back.
    pub(super) fn places_of(&self, now: i64) -> Vec<i64> {
        let before = |place: &i64| self.moved_from.get(place).copied();
        std::iter::successors(Some(now), before).collect()
    }

    /// Its op message could not be written; the next pass tries again.
    pub(super) fn owe(&mut self, half: i64) {
        self.owed.insert(half);
    }

    /// The op messages that are still to be written; none afterwards.
    pub(super) fn take_owed(&mut self) -> BTreeSet<i64> {
        std::mem::take(&mut self.owed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_half_message_ends_once() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.begin(7), Some(7));
        assert_eq!(ledger.begin(7), None, "it is being ended");
        assert!(!ledger.is_open(7));
        ledger.failed(7);
        assert_eq!(ledger.begin(7), Some(7), "nothing had happened");
        ledger.done(7);
        assert_eq!(ledger.begin(7), None);
        assert!(!ledger.is_open(7) && ledger.is_open(8));
    }

    #[test]
    fn a_message_put_back_is_found_from_every_place_it_had() {
        let mut ledger = Ledger::default();
        ledger.moved(7, 19);
        ledger.moved(19, 40);
        ledger.moved(7, 40); // as the message itself says
        assert_eq!(ledger.begin(7), Some(40));
        assert_eq!(ledger.places_of(40), [40, 19, 7]);
        assert_eq!(ledger.places_of(8), [8]);
        ledger.done(40);
        assert_eq!(
            (ledger.begin(7), ledger.begin(19), ledger.begin(40)),
            (None, None, None)
        );
        ledger.moved(50, 50);
        ledger.moved(51, 50);
        assert_eq!(ledger.begin(51), Some(51), "no step leads back");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut ledger = Ledger::default();
        for half in 0..2 * MOST as i64 {
            let now = ledger.begin(half).expect("open");
            ledger.done(now);
            ledger.moved(half, half + 10 * MOST as i64);
        }
        let sizes = [&ledger.moved, &ledger.moved_from].map(BTreeMap::len);
        assert_eq!((ledger.done.len(), sizes), (MOST, [MOST, MOST]));
        assert!(ledger.under_way.is_empty());
    }

    #[test]
    fn owed_op_messages_are_handed_out_once() {
        let mut ledger = Ledger::default();
        ledger.owe(3);
        ledger.owe(3);
        assert_eq!(ledger.take_owed().into_iter().collect::<Vec<_>>(), [3]);
        assert!(ledger.take_owed().is_empty());
    }
}
