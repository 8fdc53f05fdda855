//! What all connections of a server may take together, on however many ports they came in.
//!
//! ```text
//! unfinished   frames that have not arrived whole               over it: the connection that asks for more is closed
//! held         replies not yet written, requests that wait      spent: nobody is read from who holds more than its share
//!                                                               twice spent: such a one that does not read is closed
//! ```
//!
//! A few bytes a connection are not counted, so that peers who take little cost no shared counter. The rule that is easy
//! to break: a peer that reads must get on whatever the others do, so its share is never taken from it.
//!
//! Java 4.7.0 has `MaxDirectMemorySize`, and no connection knows of the others.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What a connection may hold without asking.
pub(crate) const FREE_BYTES: usize = 16 * 1024;

/// Bounds over all connections.
#[derive(Debug)]
pub struct Bounds {
    max_connections: usize,
    open: AtomicUsize,
    pub(crate) unfinished: Budget,
    pub(crate) held: Budget,
}

impl Bounds {
    /// At most so many connections, and bytes of either kind.
    #[must_use]
    pub fn new(max_connections: usize, unfinished_bytes: usize, held_bytes: usize) -> Bounds {
        Bounds {
            max_connections,
            open: AtomicUsize::new(0),
            unfinished: Budget::new(unfinished_bytes),
            held: Budget::new(held_bytes),
        }
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Bytes of frames that have not arrived whole, of replies not yet written and requests that wait, as far as they are
    /// counted.
    pub fn bytes(&self) -> usize {
        [&self.unfinished, &self.held]
            .map(|budget| budget.taken.load(Ordering::Relaxed))
            .iter()
            .sum()
    }

    /// How many connections there may be.
    pub(crate) fn max_connections(&self) -> usize {
        self.max_connections
    }

    /// Takes the place of one connection, if there is one.
    pub(crate) fn enter(&self) -> bool {
        let one_more = |open: usize| (open < self.max_connections).then_some(open + 1);
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .is_ok()
    }

    /// Gives it back.
    pub(crate) fn leave(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether one connection may hold so many bytes and take more.
    pub(crate) fn may_hold(&self, bytes: usize) -> bool {
        bytes <= FREE_BYTES || !self.held.is_spent(1) || bytes <= self.share()
    }

    /// Whether a connection that holds so many bytes and does not read must go, for the others to live.
    pub(crate) fn must_go(&self, bytes: usize) -> bool {
        bytes > FREE_BYTES && self.held.is_spent(2) && bytes > self.share()
    }

    /// Half of what there is would give each so much.
    fn share(&self) -> usize {
        self.held.limit_bytes / 2 / self.open.load(Ordering::Relaxed).max(1)
    }
}

/// Bytes that are held now, and how many there should be at most.
#[derive(Debug)]
pub(crate) struct Budget {
    limit_bytes: usize,
    taken: AtomicUsize,
}

impl Budget {
    fn new(limit_bytes: usize) -> Budget {
        Budget {
            limit_bytes,
            taken: AtomicUsize::new(0),
        }
    }

    /// Makes `before` bytes of one holder `now`. False, and nothing is changed, if there is no room.
    pub(crate) fn ask(&self, before: usize, now: usize) -> bool {
        let change = |taken: usize| {
            let taken = (taken - before).checked_add(now)?;
            (now <= before || taken <= self.limit_bytes).then_some(taken)
        };
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, change)
            .is_ok()
    }

    /// Makes `before` bytes of one holder `now`, room or not.
    pub(crate) fn take(&self, before: usize, now: usize) {
        if now > before {
            self.taken.fetch_add(now - before, Ordering::Relaxed);
        } else {
            self.taken.fetch_sub(before - now, Ordering::Relaxed);
        }
    }

    fn is_spent(&self, times: usize) -> bool {
        self.taken.load(Ordering::Relaxed) >= self.limit_bytes.saturating_mul(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_little_may_always_take_more_and_who_holds_most_goes_last() {
        let bounds = Bounds::new(100, 0, 1 << 20);
        for _ in 0..4 {
            assert!(bounds.enter());
        }
        assert!(bounds.may_hold(10 << 20), "nothing is taken yet");
        bounds.held.take(0, 1 << 20);
        let share = (1 << 20) / 2 / 4;
        assert!(bounds.may_hold(FREE_BYTES) && bounds.may_hold(share));
        assert!(!bounds.may_hold(share + 1) && !bounds.must_go(share + 1));
        bounds.held.take(1 << 20, 2 << 20);
        assert!(bounds.must_go(share + 1) && !bounds.must_go(share));
        bounds.held.take(2 << 20, 0);
        assert!(bounds.may_hold(10 << 20));
    }

    #[test]
    fn a_budget_that_is_asked_lends_what_it_has_and_no_more() {
        let budget = Budget::new(100);
        assert!(budget.ask(0, 60) && !budget.ask(0, 41) && budget.ask(60, 100));
        assert!(budget.ask(100, 0) && budget.ask(0, 100));
    }

    #[test]
    fn places_are_given_back() {
        let bounds = Bounds::new(1, 0, 0);
        assert!(bounds.enter() && !bounds.enter());
        bounds.leave();
        assert!(bounds.enter());
    }
}
