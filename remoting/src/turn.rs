//! The time a connection has before the others have theirs.

use std::time::{Duration, Instant};

/// After so long the other connections have their turn.
const TURN: Duration = Duration::from_millis(1);

/// The clock is looked at after a read and whenever so many frames have been served.
const FRAMES_A_CLOCK: u32 = 32;

/// How long a connection serves before the others have their turn.
pub(crate) struct Turn {
    began: Instant,
    /// The clock, as it was looked at last.
    pub(crate) now: Instant,
    frames: u32,
}

impl Turn {
    pub(crate) fn begin() -> Turn {
        let now = Instant::now();
        Turn {
            began: now,
            now,
            frames: 0,
        }
    }

    pub(crate) fn look(&mut self) {
        self.now = Instant::now();
    }

    pub(crate) fn count(&mut self) {
        self.frames += 1;
        if self.frames.is_multiple_of(FRAMES_A_CLOCK) {
            self.look();
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.now - self.began >= TURN
    }
}
