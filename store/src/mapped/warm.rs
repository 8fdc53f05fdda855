//! Which bytes of a file are surely in memory: those appended since it was opened, and those read since.
//!
//! ```text
//!   0 ───────── written before ───────── appended here ── len
//!   │ window │ window │ window │ window │  always warm  │        a bit a window: it was read
//! ```
//!
//! The kernel tells nobody which pages it drops, so this can be wrong: what was warm long ago may have to be read
//! again. Who is far behind the log's end does not ask here (`read`).

use std::sync::atomic::{AtomicU64, Ordering};

/// The kernel's own read-ahead is twice as long.
pub(super) const WINDOW_BYTES: usize = 64 * 1024;

/// See the module.
#[derive(Default)]
pub(super) struct Warmth {
    /// What lies behind was appended by this process.
    written_before: usize,
    windows: Box<[AtomicU64]>,
}

impl Warmth {
    /// Of a file whose first `bytes` another process wrote.
    pub(super) fn none_of(bytes: usize) -> Warmth {
        let words = bytes.div_ceil(WINDOW_BYTES).div_ceil(64);
        Warmth {
            written_before: bytes,
            windows: (0..words).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The file is cut, and goes on here.
    pub(super) fn cut(&mut self, at: usize) {
        self.written_before = self.written_before.min(at);
    }

    /// Windows of `[at, at + len)` that are not warm: where each begins and ends.
    pub(super) fn cold(&self, at: usize, len: usize) -> impl Iterator<Item = (usize, usize)> {
        let end = (at + len).min(self.written_before);
        let windows = match at < end {
            true => at / WINDOW_BYTES..end.div_ceil(WINDOW_BYTES),
            false => 0..0,
        };
        windows
            .filter(|window| !self.is_set(*window))
            .map(|window| {
                let from = window * WINDOW_BYTES;
                (from, (from + WINDOW_BYTES).min(self.written_before))
            })
    }

    /// The window that begins at `from` has been read.
    pub(super) fn set(&self, from: usize) {
        let window = from / WINDOW_BYTES;
        if let Some(word) = self.windows.get(window / 64) {
            word.fetch_or(1 << (window % 64), Ordering::Relaxed);
        }
    }

    fn is_set(&self, window: usize) -> bool {
        self.windows
            .get(window / 64)
            .is_some_and(|word| word.load(Ordering::Relaxed) & (1 << (window % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_before_is_cold_until_its_window_was_read() {
        let bytes = 70 * WINDOW_BYTES + 10;
        let mut warmth = Warmth::none_of(bytes);
        let cold = |warmth: &Warmth, at, len| warmth.cold(at, len).collect::<Vec<_>>();
        let last = 70 * WINDOW_BYTES;
        assert_eq!(cold(&warmth, last, 100), [(last, bytes)]);
        assert_eq!(cold(&warmth, bytes, 100), []);
        warmth.set(last);
        assert_eq!(cold(&warmth, last, 100), []);
        warmth.cut(bytes - 5);
        warmth
            .windows
            .iter_mut()
            .for_each(|word| *word.get_mut() = 0);
        assert_eq!(
            cold(&warmth, bytes - 5, 100),
            [],
            "behind the cut, in a cold window"
        );
        warmth.set(last);
        let before = (last - WINDOW_BYTES, last);
        assert_eq!(cold(&warmth, last - 1, 2), [before]);
        warmth.cut(last - WINDOW_BYTES);
        assert_eq!(cold(&warmth, last - 1, 2), [], "written here");
        assert!(Warmth::default().cold(0, 1 << 30).next().is_none());
    }
}
