//! Up to when everything is on disk.
//!
//! | bytes  | name                    | meaning                                                  |
//! |--------|-------------------------|----------------------------------------------------------|
//! | 0..8   | `log_timestamp_ms`      | messages stored before are on disk in the log            |
//! | 8..16  | `queue_timestamp_ms`    | … and in the queues                                      |
//! | 16..24 | `index_timestamp_ms`    | … and in full index files                                |
//! | 24..32 | mark                    | ours; Java leaves the rest of the 4096 bytes alone       |
//! | 32..40 | `settled`               | records below this log offset are on disk everywhere     |
//! | 40..64 | copy of 0..24           | differs if Java has written since: then `settled` is not used |
//! | 64..68 | CRC-32 of 24..64        |                                                          |
//! | 68..76 | `deleted_upto`          | queues of records below this log offset may be missing: a topic was deleted |
//! | 76..80 | CRC-32 of 68..76        |                                                          |
//!
//! Big-endian. The rule that is easy to break: a value is written only after what it claims was
//! synced. `settled` is there because times can be wrong: a clock set back lets them claim too much.
//! Java 4.7.0 `store/StoreCheckpoint.java`.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::mapped::words::Words;

const FILE_BYTES: u64 = 4096;
const MARK: u64 = 0x524D_512D_5253_0001;
/// Java goes back this much further, for messages stored within one flush.
const SLACK_MS: i64 = 3000;

/// Bytes of the file that mean something.
const USED_BYTES: usize = 80;

/// What the file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Messages stored before are on disk in the log. Milliseconds since 1970, as the others.
    pub log_timestamp_ms: i64,
    /// … and in the queues.
    pub queue_timestamp_ms: i64,
    /// … and in full index files.
    pub index_timestamp_ms: i64,
    /// Records below it are on disk everywhere; `None` when Java wrote last.
    pub log_offset: Option<u64>,
    /// Queues of records below it may be missing. Java leaves it alone; 0 when no topic was ever deleted.
    pub deleted_upto: u64,
}

impl Settled {
    /// Reads the file's first bytes; more may follow. A part whose CRC is wrong counts as not written.
    #[must_use]
    pub fn decode(bytes: &[u8; USED_BYTES]) -> Settled {
        let u32_at = |at: usize| {
            let field = bytes.get(at..).and_then(<[u8]>::first_chunk);
            field.map_or(0, |field| u32::from_be_bytes(*field))
        };
        let u64_at = |at: usize| u64::from(u32_at(at)) << 32 | u64::from(u32_at(at + 4));
        let crc = |range: Range<usize>| bytes.get(range).map_or(0, crc32fast::hash);
        let [log, queue, index] = [0, 8, 16].map(|at| u64_at(at) as i64);
        let ours = u64_at(24) == MARK
            && u32_at(64) == crc(24..64)
            && (0..24).step_by(8).all(|at| u64_at(at) == u64_at(at + 40));
        Settled {
            log_timestamp_ms: log,
            queue_timestamp_ms: queue,
            index_timestamp_ms: index,
            log_offset: ours.then(|| u64_at(32)),
            deleted_upto: if u32_at(76) == crc(68..76) {
                u64_at(68)
            } else {
                0
            },
        }
    }

    /// The time from before which recovery need not look, by Java's rule.
    #[must_use]
    pub fn safe_timestamp_ms(&self, with_index: bool) -> i64 {
        let safe = self
            .log_timestamp_ms
            .min(self.queue_timestamp_ms)
            .saturating_sub(SLACK_MS)
            .max(0);
        if with_index {
            safe.min(self.index_timestamp_ms)
        } else {
            safe
        }
    }
}

/// See the module.
pub(crate) struct Checkpoint {
    words: Words,
}

impl Checkpoint {
    /// Opens the file, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Checkpoint, StoreError> {
        let as_java_makes_it = fs::metadata(path).is_ok_and(|meta| meta.len() == FILE_BYTES);
        let open = |path: PathBuf| {
            let words = if as_java_makes_it {
                Words::open(path)?
            } else {
                crate::mapped::disk::remove(&path)?;
                Words::create(path, FILE_BYTES)?
            };
            words.take_room(0, FILE_BYTES).map(|()| words)
        };
        open(path.to_owned())
            .map(|words| Checkpoint { words })
            .map_err(StoreError::io("open", path))
    }

    /// What it says now.
    pub(crate) fn read(&self) -> Settled {
        let mut bytes = [0; USED_BYTES];
        for (at, word) in (0..).step_by(4).zip(bytes.as_chunks_mut::<4>().0) {
            *word = self.words.u32(at).to_be_bytes();
        }
        Settled::decode(&bytes)
    }

    /// Writes how far the log was when a topic was deleted, to disk too. Blocks.
    pub(crate) fn write_deleted_upto(&self, upto: u64) -> std::io::Result<()> {
        if self.read().deleted_upto == upto {
            return Ok(());
        }
        self.words.put_u64(68, upto);
        self.words.put_u32(76, self.crc(68..76));
        self.words.sync()
    }

    /// Sees to it that it claims nothing of records at `log_offset` and later, to disk too: what was built
    /// of them is about to be undone. Blocks.
    pub(crate) fn lower(&self, log_offset: u64) -> std::io::Result<()> {
        let settled = self.read();
        if settled.log_offset.is_none_or(|now| now <= log_offset) {
            return Ok(());
        }
        self.write(&Settled {
            log_offset: Some(log_offset),
            ..settled
        })
    }

    /// Writes it, except `deleted_upto`, to disk too. Blocks.
    pub(crate) fn write(&self, settled: &Settled) -> std::io::Result<()> {
        let times = [
            settled.log_timestamp_ms,
            settled.queue_timestamp_ms,
            settled.index_timestamp_ms,
        ];
        for (at, time) in (0..).step_by(8).zip(times) {
            self.words.put_u64(at, time as u64);
            self.words.put_u64(at + 40, time as u64);
        }
        self.words.put_u64(
            24,
            if settled.log_offset.is_some() {
                MARK
            } else {
                0
            },
        );
        self.words.put_u64(32, settled.log_offset.unwrap_or(0));
        self.words.put_u32(64, self.crc(24..64));
        self.words.sync()
    }

    fn crc(&self, bytes: Range<usize>) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        bytes
            .step_by(4)
            .for_each(|at| crc.update(&self.words.u32(at).to_be_bytes()));
        crc.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLED: Settled = Settled {
        log_timestamp_ms: 10_000,
        queue_timestamp_ms: 9_000,
        index_timestamp_ms: 5_000,
        log_offset: Some(77),
        deleted_upto: 0,
    };

    #[test]
    fn what_is_written_is_read_and_java_finds_its_three_times() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("checkpoint");
        assert_eq!(
            Checkpoint::open(&path).expect("made").read(),
            Settled::default()
        );
        Checkpoint::open(&path)
            .expect("opened")
            .write(&SETTLED)
            .expect("written");
        assert_eq!(Checkpoint::open(&path).expect("opened").read(), SETTLED);
        let bytes = fs::read(&path).expect("read");
        assert_eq!(bytes.len(), 4096);
        assert_eq!(
            bytes[..24],
            [10_000u64, 9_000, 5_000].map(u64::to_be_bytes).concat()
        );
    }

    #[test]
    fn after_java_wrote_its_times_count_and_our_offset_does_not() {
        let dir = tempfile::tempdir().expect("folder");
        let checkpoint = Checkpoint::open(&dir.path().join("checkpoint")).expect("made");
        checkpoint.write(&SETTLED).expect("written");
        checkpoint.words.put_u64(0, 20_000);
        assert_eq!(
            checkpoint.read(),
            Settled {
                log_timestamp_ms: 20_000,
                log_offset: None,
                ..SETTLED
            }
        );
        checkpoint.write(&SETTLED).expect("written");
        checkpoint.words.put_u64(32, 78);
        assert_eq!(
            checkpoint.read().log_offset,
            None,
            "a torn write was believed"
        );
    }

    #[test]
    fn a_deletion_is_remembered_beside_the_rest() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("checkpoint");
        let checkpoint = Checkpoint::open(&path).expect("made");
        checkpoint.write_deleted_upto(55).expect("written");
        checkpoint.write(&SETTLED).expect("written");
        let both = Settled {
            deleted_upto: 55,
            ..SETTLED
        };
        assert_eq!(Checkpoint::open(&path).expect("opened").read(), both);
        checkpoint.words.put_u64(68, 56);
        assert_eq!(checkpoint.read(), SETTLED, "a torn write was believed");
    }

    #[test]
    fn lowered_it_claims_less_and_never_more() {
        let dir = tempfile::tempdir().expect("folder");
        let checkpoint = Checkpoint::open(&dir.path().join("checkpoint")).expect("made");
        checkpoint.lower(5).expect("nothing to do");
        assert_eq!(checkpoint.read(), Settled::default());
        checkpoint.write(&SETTLED).expect("written");
        for (to, log_offset) in [(78, 77), (77, 77), (5, 5), (6, 5)] {
            checkpoint.lower(to).expect("written");
            assert_eq!(
                checkpoint.read(),
                Settled {
                    log_offset: Some(log_offset),
                    ..SETTLED
                }
            );
        }
    }

    #[test]
    fn the_safe_time_is_the_earlier_less_three_seconds() {
        assert_eq!(SETTLED.safe_timestamp_ms(false), 6_000);
        assert_eq!(SETTLED.safe_timestamp_ms(true), 5_000);
        assert_eq!(Settled::default().safe_timestamp_ms(false), 0);
    }

    #[test]
    fn a_file_of_a_wrong_length_is_made_anew() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("checkpoint");
        fs::write(&path, "short").expect("written");
        assert_eq!(
            Checkpoint::open(&path).expect("made anew").read(),
            Settled::default()
        );
    }
}
