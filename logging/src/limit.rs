//! So many lines a second from one place in the code, then how many were left out.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::callsite::Identifier;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Lines of one place in one `WINDOW`. A start may log a line a configuration key from one place.
const LINES: u32 = 100;
const WINDOW: Duration = Duration::from_secs(1);

/// A format that leaves lines out.
pub(crate) struct Limited<F> {
    format: F,
    places: Mutex<HashMap<Identifier, Place>>,
}

/// What one place in the code has written in the window that began last.
struct Place {
    began: Instant,
    lines: u32,
    left_out: u64,
}

impl<F> Limited<F> {
    pub(crate) fn new(format: F) -> Limited<F> {
        Limited {
            format,
            places: Mutex::default(),
        }
    }

    /// Whether a line of `place` may be written now, and how many were not since the last one.
    fn admit(&self, place: Identifier, now: Instant) -> Option<u64> {
        let mut places = self.places.lock();
        let place = places.entry(place).or_insert(Place {
            began: now,
            lines: 0,
            left_out: 0,
        });
        if now.saturating_duration_since(place.began) >= WINDOW {
            (place.began, place.lines) = (now, 0);
        }
        if place.lines == LINES {
            place.left_out += 1;
            return None;
        }
        place.lines += 1;
        Some(std::mem::take(&mut place.left_out))
    }
}

impl<S, N, F> FormatEvent<S, N> for Limited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(left_out) = self.admit(event.metadata().callsite(), Instant::now()) else {
            return Ok(());
        };
        if left_out > 0 {
            writeln!(writer, "… {left_out} lines like the next one left out")?;
        }
        self.format.format_event(context, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use tracing::Callsite;

    use super::*;

    #[test]
    fn lines_beyond_the_limit_are_counted_and_told_in_the_next_window() {
        let site = tracing::callsite!(name: "place", kind: tracing::metadata::Kind::EVENT, fields: message);
        let place = site.metadata().callsite();
        let limited = Limited::new(());
        let began = Instant::now();
        for _ in 0..LINES {
            assert_eq!(limited.admit(place.clone(), began), Some(0));
        }
        assert_eq!(limited.admit(place.clone(), began), None);
        assert_eq!(limited.admit(place.clone(), began + WINDOW / 2), None);
        assert_eq!(limited.admit(place.clone(), began + WINDOW), Some(2));
        assert_eq!(limited.admit(place, began + WINDOW), Some(0));
    }
}
