//! Why appends are refused: several reasons can hold at once, and some of them pass.

use crate::error::Unavailable;

/// A bit for each reason, the first one lowest.
#[derive(Clone, Copy, Default)]
pub(super) struct Reasons(u8);

/// In the order in which they are told.
const ALL: [Unavailable; 5] = [
    Unavailable::FlushFailed,
    Unavailable::Slave,
    Unavailable::Closed,
    Unavailable::QueuesStuck,
    Unavailable::DiskFull,
];

impl Reasons {
    pub(super) fn add(&mut self, why: Unavailable) {
        self.0 |= 1 << why as u8;
    }

    pub(super) fn remove(&mut self, why: Unavailable) {
        self.0 &= !(1 << why as u8);
    }

    pub(super) fn has(self, why: Unavailable) -> bool {
        self.0 & 1 << why as u8 != 0
    }

    /// What a sender is told; `None` when nothing speaks against an append.
    pub(super) fn first(self) -> Option<Unavailable> {
        if self.0 == 0 {
            return None;
        }
        ALL.into_iter().find(|why| self.has(*why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_passes_leaves_the_others() {
        let mut reasons = Reasons::default();
        assert_eq!(reasons.first(), None);
        for why in ALL.into_iter().rev() {
            reasons.add(why);
            assert_eq!(reasons.first(), Some(why));
        }
        reasons.remove(Unavailable::FlushFailed);
        assert_eq!(reasons.first(), Some(Unavailable::Slave));
        for gone in [
            Unavailable::Slave,
            Unavailable::QueuesStuck,
            Unavailable::Closed,
        ] {
            reasons.remove(gone);
        }
        assert_eq!(reasons.first(), Some(Unavailable::DiskFull));
        reasons.remove(Unavailable::DiskFull);
        assert_eq!(reasons.first(), None);
    }
}
