//! What is left of the disk, and what follows from it.
//!
//! | in use                              | default | what follows                                     |
//! |-------------------------------------|---------|--------------------------------------------------|
//! | over `diskMaxUsedSpaceRatio`        | 75 %    | old files go at any hour                         |
//! | over `diskSpaceCleanForciblyRatio`  | 85 %    | the oldest files go, however young               |
//! | over `diskSpaceWarningLevelRatio`   | 90 %    | no more messages are taken                       |
//!
//! The log's disk is looked at first; the queues' only if old files need not go for the log's sake.
//! A disk that cannot be looked at counts as over the first. Java 4.7.0 `DefaultMessageStore.java`:
//! `CleanCommitLogService.isSpaceToDelete`. Different: a disk that is full stays full whatever the
//! other one says (Java forgets it when `diskMaxUsedSpaceRatio` is above the warning level).

use crate::config::ExpiryConfig;

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Old files go at any hour.
    pub(super) scarce: bool,
    /// The oldest files go, however young.
    pub(super) nearly_full: bool,
    /// No more messages are taken.
    pub(super) full: bool,
}

/// Parts of the disk, 0 to 1.
pub(super) struct Thresholds {
    scarce: f64,
    nearly_full: f64,
    full: f64,
}

impl Thresholds {
    pub(super) fn of(config: &ExpiryConfig) -> Thresholds {
        Thresholds {
            // Java 4.7.0 `MessageStoreConfig.getDiskMaxUsedSpaceRatio`
            scarce: f64::from(config.disk_max_used_percent.clamp(10, 95)) / 100.0,
            nearly_full: config.clean_forcibly_ratio,
            full: config.warning_level_ratio,
        }
    }

    /// What follows from the used parts of the log's and of the queues' disk, `None` for one that
    /// cannot be looked at.
    pub(super) fn judge(
        &self,
        log_used: Option<f64>,
        queues_used: impl FnOnce() -> Option<f64>,
    ) -> Verdict {
        let log = self.judge_one(log_used);
        if log.scarce {
            return log;
        }
        let queues = self.judge_one(queues_used());
        Verdict {
            scarce: queues.scarce,
            nearly_full: log.nearly_full || queues.nearly_full,
            full: log.full || queues.full,
        }
    }

    fn judge_one(&self, used: Option<f64>) -> Verdict {
        let over = |threshold: f64| used.is_some_and(|used| used > threshold);
        Verdict {
            scarce: used.is_none() || over(self.scarce),
            nearly_full: over(self.nearly_full) || over(self.full),
            full: over(self.full),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(percent: u32, log: Option<f64>, queues: Option<f64>) -> [bool; 3] {
        let config = ExpiryConfig {
            disk_max_used_percent: percent,
            ..ExpiryConfig::default()
        };
        let verdict = Thresholds::of(&config).judge(log, || queues);
        [verdict.scarce, verdict.nearly_full, verdict.full]
    }

    #[test]
    fn each_threshold_adds_one_consequence() {
        for (used, expected) in [
            (0.75, [false, false, false]),
            (0.751, [true, false, false]),
            (0.851, [true, true, false]),
            (0.90, [true, true, false]),
            (0.901, [true, true, true]),
        ] {
            assert_eq!(judged(75, Some(used), Some(0.0)), expected, "log's {used}");
            assert_eq!(
                judged(75, Some(0.0), Some(used)),
                expected,
                "queues' {used}"
            );
        }
    }

    #[test]
    fn the_queues_disk_is_not_looked_at_when_the_logs_is_scarce() {
        let thresholds = Thresholds::of(&ExpiryConfig::default());
        let verdict = thresholds.judge(Some(0.8), || panic!("looked at"));
        assert!(verdict.scarce && !verdict.full);
    }

    #[test]
    fn a_disk_that_cannot_be_looked_at_is_scarce_and_not_full() {
        assert_eq!(judged(75, None, Some(0.0)), [true, false, false]);
        assert_eq!(judged(75, Some(0.0), None), [true, false, false]);
    }

    #[test]
    fn the_share_is_held_within_10_and_95_and_a_full_disk_is_full_below_it() {
        assert_eq!(judged(0, Some(0.11), Some(0.0)), [true, false, false]);
        assert_eq!(judged(0, Some(0.09), Some(0.09)), [false, false, false]);
        assert_eq!(judged(100, Some(0.96), Some(0.0)), [true, true, true]);
        assert_eq!(judged(100, Some(0.92), Some(0.0)), [false, true, true]);
    }
}
