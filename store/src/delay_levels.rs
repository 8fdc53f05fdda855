//! The delay levels of messages that are delivered later: `messageDelayLevel`.
//!
//! ```text
//! "1s 5s 10s"    level 1 is 1 s, level 2 is 5 s, level 3 is 10 s; units s, m, h, d
//! queue n of SCHEDULE_TOPIC_XXXX holds the messages of level n + 1; their entries carry the due time as tags code
//! ```
//!
//! Levels count from 1; one above the last is the last. The rule that is easy to break: due times are worked out by the
//! dispatcher, from the store time, and in recovery again from the same text, so nobody else may know another table.
//! Java 4.7.0 `store/schedule/ScheduleMessageService.java` (`parseDelayLevel`, `computeDeliverTimestamp`),
//! `store/CommitLog.java` (`checkMessageAndReturnSize`).

/// The topic in which messages wait, one queue a level.
pub const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";

/// Delay of a level that the table does not have. Java 4.7.0 `computeDeliverTimestamp`.
const UNKNOWN_LEVEL_MS: i64 = 1_000;

/// What `messageDelayLevel` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayLevels {
    /// Of level 1, 2, … Milliseconds.
    delays_ms: Vec<i64>,
}

impl DelayLevels {
    /// Java's default: 18 levels.
    pub const DEFAULT: &str = "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h";

    /// Reads `messageDelayLevel`; `None` where Java does not start either: a part without a number or a known unit,
    /// two blanks in a row, nothing at all. Blanks at the end do no harm.
    #[must_use]
    pub fn parse(text: &str) -> Option<DelayLevels> {
        let delays_ms = text.trim_end_matches(' ').split(' ').map(delay_ms);
        let delays_ms = delays_ms.collect::<Option<Vec<_>>>()?;
        Some(DelayLevels { delays_ms })
    }

    /// The last level.
    #[must_use]
    pub fn last(&self) -> i32 {
        i32::try_from(self.delays_ms.len()).unwrap_or(i32::MAX)
    }

    /// The longest delay of all. Milliseconds.
    pub(crate) fn longest_ms(&self) -> u64 {
        let longest = self.delays_ms.iter().copied().max();
        longest.unwrap_or(0).max(0).unsigned_abs()
    }

    /// How long a message of this level waits. Milliseconds; a level that there is not waits as in Java.
    #[must_use]
    pub fn delay_ms(&self, level: i32) -> i64 {
        let at = usize::try_from(level)
            .ok()
            .and_then(|level| level.checked_sub(1));
        let delay_ms = at.and_then(|at| self.delays_ms.get(at));
        delay_ms.copied().unwrap_or(UNKNOWN_LEVEL_MS)
    }

    /// When a message with this text as its `DELAY`, stored at `stored_ms`, is due; `None` if that is no level.
    /// Milliseconds since 1970.
    pub(crate) fn due_ms(&self, delay: &[u8], stored_ms: i64) -> Option<i64> {
        let level: i32 = std::str::from_utf8(delay).ok()?.parse().ok()?;
        (level > 0).then(|| stored_ms.saturating_add(self.delay_ms(level.min(self.last()))))
    }
}

/// One level; arithmetic wraps as Java's.
fn delay_ms(part: &str) -> Option<i64> {
    let (at, unit) = part.char_indices().next_back()?;
    let unit_ms: i64 = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    let number: i64 = part.get(..at)?.parse().ok()?;
    Some(number.wrapping_mul(unit_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(text: &str) -> Vec<i64> {
        DelayLevels::parse(text).expect("levels").delays_ms
    }

    #[test]
    fn the_default_has_javas_18_levels() {
        let levels = DelayLevels::parse(DelayLevels::DEFAULT).expect("levels");
        assert_eq!(levels.last(), 18);
        assert_eq!((levels.delay_ms(1), levels.delay_ms(4)), (1_000, 30_000));
        assert_eq!(
            (levels.delay_ms(17), levels.delay_ms(18)),
            (3_600_000, 7_200_000)
        );
    }

    #[test]
    fn units_are_seconds_minutes_hours_days_and_numbers_are_javas() {
        assert_eq!(
            delays("2s 2m 2h 2d"),
            [2_000, 120_000, 7_200_000, 172_800_000]
        );
        assert_eq!(delays("+1s 0s -1s"), [1_000, 0, -1_000]);
        assert_eq!(delays("1s  "), [1_000]);
    }

    #[test]
    fn a_text_that_java_refuses_is_refused() {
        for bad in [
            "",
            " ",
            " 1s",
            "1s  2s",
            "1",
            "s",
            "1x",
            "1S",
            "1s,2s",
            "1.5s",
            "1ss",
            "99999999999999999999s",
        ] {
            assert_eq!(DelayLevels::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_due_time_is_the_store_time_and_the_delay_of_the_level_or_of_the_last() {
        let levels = DelayLevels::parse("1s 5s").expect("levels");
        let due = |delay: &str| levels.due_ms(delay.as_bytes(), 100);
        assert_eq!(
            (due("1"), due("2"), due("3")),
            (Some(1_100), Some(5_100), Some(5_100))
        );
        assert_eq!((due("0"), due("-1"), due("x")), (None, None, None));
        assert_eq!(levels.due_ms(b"2", i64::MAX), Some(i64::MAX));
    }

    #[test]
    fn a_level_that_there_is_not_has_javas_second() {
        let levels = DelayLevels::parse("7s").expect("levels");
        assert_eq!(
            (levels.delay_ms(0), levels.delay_ms(-3), levels.delay_ms(2)),
            (1_000, 1_000, 1_000)
        );
    }
}
