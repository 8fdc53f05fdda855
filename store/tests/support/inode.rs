//! One file of a [`super::Disk`]: its pages and its lengths since they were last synced, and what a crash leaves of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{Dice, Survives};

const PAGE: usize = 4096;
/// What a disk writes whole.
const SECTOR: usize = 512;
/// What a controller reads whole of a page that is being written to.
const LINE: usize = 64;
/// The next version is just being copied in.
const FRONT: usize = 0;
/// What is stored whole through a mapping.
const WORD: usize = 4;
/// More versions of a page than this are not kept, some in the middle go.
const VERSIONS: usize = 8;

/// Whether a file is written at random through a mapping; others are copied into from front to back.
fn by_words(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name);
    folder.is_some_and(|folder| folder == "index") || path.ends_with("checkpoint")
}

/// A file: as it was when it was last synced, as it is, and what was in between.
pub(super) struct Inode {
    handle: File,
    /// Written word by word, in no order that could be known.
    by_words: bool,
    pub(super) mapped: bool,
    durable: Vec<u8>,
    live: Vec<u8>,
    lengths: Vec<(u64, usize)>,
    pages: BTreeMap<usize, Vec<(u64, Vec<u8>)>>,
}

impl Inode {
    /// The file that is there now, nothing of it noted yet.
    pub(super) fn open(path: &Path) -> io::Result<Inode> {
        Ok(Inode {
            handle: File::open(path)?,
            by_words: by_words(path),
            mapped: by_words(path) || path.parent().is_some_and(|dir| dir.ends_with("commitlog")),
            durable: Vec::new(),
            live: Vec::new(),
            lengths: Vec::new(),
            pages: BTreeMap::new(),
        })
    }

    pub(super) fn look_at_length(&mut self, now: &mut u64) -> io::Result<()> {
        let length = self.handle.metadata()?.len() as usize;
        if length != self.live.len() {
            *now += 1;
            self.lengths.push((*now, length));
            self.live.resize(length, 0);
            for (number, versions) in &mut self.pages {
                if (number + 1) * PAGE > length {
                    let mut page = self.live.get(number * PAGE..).unwrap_or_default().to_vec();
                    page.resize(PAGE, 0);
                    versions.push((*now, page));
                }
            }
        }
        Ok(())
    }

    pub(super) fn look(&mut self, now: &mut u64, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.resize(self.live.len(), 0);
        self.handle.read_exact_at(buffer, 0)?;
        if *buffer == self.live {
            return Ok(());
        }
        *now += 1;
        for (number, (new, old)) in buffer
            .chunks(PAGE)
            .zip(self.live.chunks_mut(PAGE))
            .enumerate()
        {
            if *new != *old {
                old.copy_from_slice(new);
                let versions = self.pages.entry(number).or_default();
                versions.push((*now, new.to_vec()));
                if versions.len() > VERSIONS {
                    versions.remove(*now as usize % (VERSIONS - 1));
                }
            }
        }
        Ok(())
    }

    /// The bytes `[from, to)` and the length are on disk.
    pub(super) fn synced(&mut self, from: usize, to: usize) {
        let shrinks = shrinks(self.durable.len(), &self.lengths).collect::<Vec<_>>();
        self.durable.resize(self.live.len(), 0);
        self.lengths.clear();
        for (at, length) in shrinks {
            self.durable
                .iter_mut()
                .skip(length)
                .for_each(|byte| *byte = 0);
            for (number, versions) in &mut self.pages {
                if (number + 1) * PAGE > length {
                    versions.retain(|(when, _)| *when >= at);
                }
            }
        }
        let in_range = |number: &usize| number * PAGE < to && (number + 1) * PAGE > from;
        for number in self.pages.keys().filter(|number| in_range(number)) {
            let (at, end) = (number * PAGE, ((number + 1) * PAGE).min(self.live.len()));
            if at < end {
                self.durable[at..end].copy_from_slice(&self.live[at..end]);
            }
        }
        self.pages
            .retain(|number, versions| !in_range(number) && !versions.is_empty());
    }

    pub(super) fn crash(&self, survives: Survives, dice: &mut Dice) -> Vec<u8> {
        match survives {
            Survives::Nothing => return self.durable.clone(),
            Survives::Everything => return self.live.clone(),
            _ if self.pages.is_empty() && self.lengths.is_empty() => return self.durable.clone(),
            _ => {}
        }
        // Many files are all old or all new.
        let mood = dice.below(4);
        let mut chosen = BTreeMap::new();
        for (number, versions) in &self.pages {
            let count = match mood {
                0 => 0,
                1 => versions.len(),
                _ => dice.below(versions.len() + 1),
            };
            chosen.insert(*number, count);
        }
        let kept = chosen.iter().filter_map(|(number, count)| {
            let versions = self.pages.get(number)?;
            versions.get(count.checked_sub(1)?).map(|(at, _)| *at)
        });
        let newest = kept.max().unwrap_or(0);
        let least = self
            .lengths
            .iter()
            .take_while(|(at, _)| *at <= newest)
            .count();
        let lengths = &self.lengths[..least + dice.below(self.lengths.len() - least + 1)];
        let length = lengths
            .last()
            .map_or(self.durable.len(), |(_, length)| *length);
        let mut bytes = self.durable.clone();
        bytes.resize(self.live.len().max(length).max(bytes.len()), 0);
        for (at, shrunk) in shrinks(self.durable.len(), lengths) {
            bytes.iter_mut().skip(shrunk).for_each(|byte| *byte = 0);
            for (number, count) in &mut chosen {
                let versions = &self.pages[number];
                if (number + 1) * PAGE > shrunk {
                    let old = versions.iter().take_while(|(when, _)| *when < at).count();
                    *count = (*count).max((old + 1).min(versions.len()));
                }
            }
        }
        for (number, count) in chosen {
            let versions = &self.pages[&number];
            let page = number * PAGE;
            if let Some((_, new)) = count.checked_sub(1).and_then(|last| versions.get(last)) {
                put(&mut bytes, page, new);
            }
            if survives == Survives::SomeSectors
                && let Some((_, next)) = versions.get(count)
            {
                let parts = if self.by_words {
                    &[SECTOR, LINE, WORD]
                } else {
                    &[SECTOR, LINE, FRONT]
                };
                tear(&mut bytes, page, next, parts, dice);
            }
        }
        bytes.truncate(length);
        bytes
    }
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    let end = (at + new.len()).min(bytes.len());
    if at < end {
        bytes[at..end].copy_from_slice(&new[..end - at]);
    }
}

/// Puts some parts of the page's next version over it.
fn tear(bytes: &mut [u8], page: usize, next: &[u8], parts: &[usize], dice: &mut Dice) {
    let part_bytes = dice.one_of(parts);
    if part_bytes == FRONT {
        let copied = dice.below(next.len() / WORD + 1) * WORD;
        return put(bytes, page, &next[..copied]);
    }
    for (number, part) in next.chunks(part_bytes).enumerate() {
        let at = page + number * part_bytes;
        if bytes.get(at..at + part.len()) != Some(part) && dice.one_in(2) {
            put(bytes, at, part);
        }
    }
}

/// When the file became shorter, and how long it was then.
fn shrinks(first: usize, lengths: &[(u64, usize)]) -> impl Iterator<Item = (u64, usize)> {
    let before = std::iter::once(first).chain(lengths.iter().map(|(_, length)| *length));
    let pairs = before.zip(lengths);
    pairs
        .filter(|(before, (_, length))| length < before)
        .map(|(_, shrunk)| *shrunk)
}
