//! How far each level is delivered: delayOffset.json.
//!
//! ```text
//! in memory   level → the next entry to deliver, and how far the log holds what was delivered before it
//! in the file {"offsetTable":{1:10,2:5}}
//! ```
//!
//! The rule that is easy to break: an offset goes to the file only after the messages delivered before it are on disk.
//! A message may so come twice after a crash, never not at all.
//!
//! What the file says is held against the queues when the store has just been opened, before anything new is in them. An
//! offset before the first entry becomes the first: the ones before it are gone. One behind the last becomes the end:
//! what was delivered there is gone from the log, and what takes its numbers must not be passed over. Java 4.7.0 waits
//! for ever in the second case (its issues 1869, 4033), until as many new messages were passed over. Levels that are not
//! configured keep their line in the file, as in Java.
//!
//! Java 4.7.0 `store/schedule/ScheduleMessageService.java`.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;
use remoting::body::offsets::DelayOffsetSerializeWrapper;
use store::{LogOffset, QueueOffset, SCHEDULE_TOPIC, Store};
use tracing::warn;

use crate::json_file::{JsonFile, LoadError};

/// The levels' places, and their file.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Of level 1, 2, …
    levels: Vec<Mutex<Place>>,
    /// Offsets of levels that are not configured.
    others: BTreeMap<i32, i64>,
    file: JsonFile,
}

/// Where a level is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The entry to deliver next.
    pub(crate) next: QueueOffset,
    /// Where the last message ends that was delivered from here since the start.
    pub(crate) delivered: LogOffset,
}

impl Progress {
    /// Reads the file and holds it against the queues of `store`, which must have just been opened. Blocks on the disk.
    ///
    /// # Errors
    /// [`LoadError`] for a file that cannot be read; Java does not start either.
    pub(crate) fn open(path: impl Into<PathBuf>, store: &Store) -> Result<Progress, LoadError> {
        let file = JsonFile::new(path);
        let stored: DelayOffsetSerializeWrapper = file.load()?.unwrap_or_default();
        let mut others = stored.offset_table;
        let levels = (1..=store.delay_levels().last()).map(|level| {
            let next = corrected(store, level, others.remove(&level));
            Mutex::new(Place {
                next,
                ..Place::default()
            })
        });
        Ok(Progress {
            levels: levels.collect(),
            others,
            file,
        })
    }

    /// Where the level of this queue is; the start of everything for a queue that has no level.
    pub(crate) fn place(&self, queue_id: u32) -> Place {
        let level = self.levels.get(queue_id as usize);
        level.map_or_else(Place::default, |place| *place.lock())
    }

    /// Everything of this queue before `next` is done with. `end`: where the message lies that was delivered for it.
    pub(crate) fn advance(&self, queue_id: u32, next: QueueOffset, end: Option<LogOffset>) {
        if let Some(place) = self.levels.get(queue_id as usize) {
            let mut place = place.lock();
            place.next = next;
            place.delivered = end.unwrap_or(place.delivered);
        }
    }

    /// What belongs in the file now, and up to where the log must be on disk before it is written there.
    pub(crate) fn snapshot(&self) -> (DelayOffsetSerializeWrapper, LogOffset) {
        let (mut offset_table, mut delivered) = (self.others.clone(), LogOffset::default());
        for (level, place) in (1..).zip(&self.levels) {
            let place = *place.lock();
            if place.next > QueueOffset(0) {
                offset_table.insert(level, place.next.0);
            }
            delivered = delivered.max(place.delivered);
        }
        (DelayOffsetSerializeWrapper { offset_table }, delivered)
    }

    /// Writes a snapshot; of two the later one must come later. Blocks on the disk.
    ///
    /// # Errors
    /// What the file system says; the file is as it was.
    pub(crate) fn save(&self, snapshot: &DelayOffsetSerializeWrapper) -> io::Result<()> {
        self.file.save(snapshot).map(drop)
    }
}

/// Where to begin, whatever the file says.
fn corrected(store: &Store, level: i32, recorded: Option<i64>) -> QueueOffset {
    let queue_id = level.unsigned_abs().saturating_sub(1);
    let first = store.min_offset(SCHEDULE_TOPIC, queue_id);
    let end = store.max_offset(SCHEDULE_TOPIC, queue_id).max(first);
    let Some(recorded) = recorded.map(QueueOffset) else {
        return first;
    };
    let next = recorded.clamp(first, end);
    if next != recorded {
        warn!(level, %recorded, %first, %end, "delayOffset.json points outside its queue, go on at {next}");
    }
    next
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, JAVA, bodies, deliver_everything, held, send};
    use super::*;
    use std::fs;

    fn write(bench: &Bench, text: &str) {
        fs::write(bench.offsets_file(), text).expect("written");
    }

    fn next(progress: &Progress) -> Vec<i64> {
        (0..18)
            .map(|queue_id| progress.place(queue_id).next.0)
            .collect()
    }

    #[test]
    fn whatever_the_file_says_no_level_sticks_and_none_delivers_for_ever() {
        // Recorded offset, and how many of a level's three messages are delivered then.
        let cases = [
            (None, 3),
            (Some(i64::MIN), 3),
            (Some(-1), 3),
            (Some(0), 3),
            (Some(1), 2),
            (Some(2), 1),
            (Some(3), 0),
            (Some(4), 0),
            (Some(1_000_000), 0),
            (Some(i64::MAX), 0),
        ];
        for (recorded, delivered) in cases {
            let bench = Bench::new(JAVA);
            let store = bench.open();
            for level in 1..=18 {
                (0..3).for_each(|n| _ = send(&store, level, &format!("{level}-{n}")));
            }
            if let Some(recorded) = recorded {
                let lines: Vec<_> = (1..=18)
                    .map(|level| format!("{level}:{recorded}"))
                    .collect();
                write(
                    &bench,
                    &format!("{{\"offsetTable\":{{{}}}}}", lines.join(",")),
                );
            }
            let progress = bench.progress(&store);
            // What comes later takes the numbers that a wrong offset names already: it must not be passed over.
            (1..=18).for_each(|level| _ = send(&store, level, &format!("{level}-new")));
            deliver_everything(&store, &progress);
            assert_eq!(next(&progress), [4; 18], "{recorded:?}");
            let came = bodies(&store, "T", 2);
            for level in 1..=18 {
                let of_level = came
                    .iter()
                    .filter(|body| body.starts_with(&format!("{level}-")));
                assert_eq!(
                    of_level.count(),
                    delivered + 1,
                    "level {level} from {recorded:?}"
                );
                assert!(
                    came.contains(&format!("{level}-new")),
                    "level {level} from {recorded:?}"
                );
            }
        }
    }

    #[test]
    fn messages_that_are_gone_from_the_log_are_passed_over() {
        let bench = Bench::new("1s 5s");
        let store = bench.open();
        let large = "x".repeat(8_000);
        (0..20).for_each(|_| _ = send(&store, 2, &large));
        write(&bench, "{\"offsetTable\":{2:1}}");
        store.close();
        drop(store);
        fs::remove_file(bench.config().commit_log_dir.join("0".repeat(20))).expect("removed");
        let store = bench.open();
        let first = store.min_offset(SCHEDULE_TOPIC, 1);
        assert!(first > QueueOffset(1) && first < held(&store, 2), "{first}");
        let progress = bench.progress(&store);
        assert_eq!(progress.place(1).next, first);
        deliver_everything(&store, &progress);
        assert_eq!(
            bodies(&store, "T", 2).len() as i64,
            held(&store, 2).0 - first.0
        );
    }

    #[test]
    fn a_queue_that_was_taken_away_begins_anew() {
        let bench = Bench::new("1s");
        write(&bench, "{\"offsetTable\":{1:500}}");
        let store = bench.open();
        let progress = bench.progress(&store);
        send(&store, 1, "new");
        deliver_everything(&store, &progress);
        assert_eq!(bodies(&store, "T", 2), ["new"]);
    }

    #[test]
    fn the_file_is_javas_and_levels_that_are_not_configured_keep_their_line() {
        let bench = Bench::new("1s 5s");
        let store = bench.open();
        (0..3).for_each(|_| _ = send(&store, 2, "x"));
        write(&bench, "{\n\t\"offsetTable\":{2:2,18:7\n\t}\n}");
        let progress = bench.progress(&store);
        progress.advance(1, QueueOffset(3), Some(LogOffset(10)));
        let (offsets, delivered) = progress.snapshot();
        assert_eq!(delivered, LogOffset(10));
        progress.save(&offsets).expect("saved");
        let text = fs::read_to_string(bench.offsets_file()).expect("read");
        assert_eq!(text, "{\n\t\"offsetTable\":{2:3,18:7\n\t}\n}");
    }

    #[test]
    fn a_broken_file_ends_the_start_and_its_bak_takes_its_place() {
        let bench = Bench::new("1s");
        let store = bench.open();
        (0..3).for_each(|_| _ = send(&store, 1, "x"));
        write(&bench, "{\"offsetTable\":{1:");
        assert!(Progress::open(bench.offsets_file(), &store).is_err());
        fs::write(
            bench.folder.path().join("delayOffset.json.bak"),
            "{\"offsetTable\":{\"1\":2}}",
        )
        .expect("written");
        assert_eq!(bench.progress(&store).place(0).next, QueueOffset(2));
    }

    #[test]
    fn a_place_that_says_nothing_about_the_log_keeps_what_was_said_before() {
        let bench = Bench::new("1s");
        let progress = bench.progress(&bench.open());
        progress.advance(0, QueueOffset(1), Some(LogOffset(10)));
        progress.advance(0, QueueOffset(2), None);
        let place = Place {
            next: QueueOffset(2),
            delivered: LogOffset(10),
        };
        assert_eq!(progress.place(0), place);
        assert_eq!(progress.place(7), Place::default());
    }
}
