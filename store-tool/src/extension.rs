//! `consumequeue_ext`: what a queue entry has there when its tags code is an address.
//!
//! | bytes  | name          | meaning                                  |
//! |--------|---------------|------------------------------------------|
//! | 0..2   | `unit_bytes`  | the whole unit; −1 ends a file           |
//! | 2..10  | `tags_code`   | what the entry would have had            |
//! | 10..18 | `stored_ms`   | the message's store time                 |
//! | 18..20 | `bitmap_bytes`|                                          |
//!
//! An address is the byte in the queue's extension, less 2^63, so that it is below every hash.
//! Java 4.7.0 `store/ConsumeQueueExt.java`.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::run::Run;

/// Bytes of a unit without bitmap.
const UNIT_BYTES: usize = 20;

/// What a unit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) tags_code: i64,
    pub(crate) stored_ms: i64,
}

/// Whether a tags code is an address.
pub(crate) fn is_address(code: i64) -> bool {
    code < i64::from(i32::MIN)
}

/// Reads units; keeps the file it last read from open.
#[derive(Default)]
pub(crate) struct Extensions {
    runs: HashMap<PathBuf, Run>,
    last: Option<(PathBuf, File)>,
}

impl Extensions {
    /// The unit at an address of the extension in `dir`; `None` if there is none.
    pub(crate) fn unit(&mut self, dir: &Path, address: i64) -> Option<Unit> {
        let at = address.wrapping_sub(i64::MIN).unsigned_abs();
        if !self.runs.contains_key(dir) {
            self.runs
                .insert(dir.to_owned(), Run::list(dir).unwrap_or_default());
        }
        let files = &self.runs.get(dir)?.files;
        let place = files.partition_point(|file| file.base <= at);
        let numbered = place.checked_sub(1).and_then(|place| files.get(place))?;
        if self
            .last
            .as_ref()
            .is_none_or(|(path, _)| *path != numbered.path)
        {
            let file = File::open(&numbered.path).ok()?;
            self.last = Some((numbered.path.clone(), file));
        }
        let (_, file) = self.last.as_ref()?;
        let mut bytes = [0; UNIT_BYTES];
        file.read_exact_at(&mut bytes, at - numbered.base).ok()?;
        let [
            size @ ..,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
        ] = bytes;
        let unit_bytes = usize::try_from(i16::from_be_bytes(size)).ok()?;
        let field = |from: usize| {
            bytes
                .get(from..)?
                .first_chunk()
                .map(|field| i64::from_be_bytes(*field))
        };
        (unit_bytes >= UNIT_BYTES).then_some(Unit {
            tags_code: field(2)?,
            stored_ms: field(10)?,
        })
    }
}
