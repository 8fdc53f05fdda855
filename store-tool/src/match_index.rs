//! Messages and their index entries, from both sides, and the index by itself.

use std::io;
use std::path::{Path, PathBuf};

use store::Record;
use store::inspect::{Handles, IndexEntry, hashes};

use crate::check::Context;
use crate::index::{Cursor, IndexFile, entry_at, find_slots, index_paths};
use crate::index_header::flaws;
use crate::report::{Report, Weight};

/// The index of a store.
pub(crate) struct IndexCheck {
    cursor: Cursor,
    strange: Vec<PathBuf>,
    unopened: Vec<(PathBuf, io::Error)>,
    /// Newest entry of each slot, of the file at hand.
    latest: Vec<u32>,
    previous_offset: u64,
    hashes: Vec<u32>,
    /// Messages with keys that are not in: how many, the first.
    unindexed: u64,
    first_unindexed: u64,
}

impl IndexCheck {
    pub(crate) fn open(dir: &Path, slots: Option<u32>) -> Result<IndexCheck, (PathBuf, io::Error)> {
        let failed = |error| (dir.to_owned(), error);
        let (paths, strange) = index_paths(dir).map_err(failed)?;
        let (mut files, mut unopened) = (Vec::new(), Vec::new());
        for path in paths {
            match IndexFile::open(&path) {
                Ok(file) => files.push(file),
                Err(error) => unopened.push((path, error)),
            }
        }
        let found = slots
            .map_or_else(|| find_slots(&files), |slots| Ok(Some(slots)))
            .unwrap_or(None);
        let no_shape = found.is_none() && files.iter().any(|file| file.header.next_entry > 1);
        // Without a shape nothing in the files can be looked at.
        let usable =
            |file: &IndexFile| found.is_some_and(|slots| slots > 0 && file.room(slots) > 1);
        let (files, small): (Vec<_>, Vec<_>) = files.into_iter().partition(usable);
        let why = || {
            io::Error::other(
                "it is too short for its slots, or nothing tells how many it has (--index-slots)",
            )
        };
        unopened.extend(
            small
                .into_iter()
                .filter(|file| no_shape || file.header.next_entry > 1 || found.is_some())
                .map(|file| (file.path, why())),
        );
        Ok(IndexCheck {
            cursor: Cursor::new(files, found.unwrap_or(1)),
            strange,
            unopened,
            latest: Vec::new(),
            previous_offset: 0,
            hashes: Vec::new(),
            unindexed: 0,
            first_unindexed: u64::MAX,
        })
    }

    /// Headers, lengths, order.
    pub(crate) fn check_files(&mut self, report: &mut Report) {
        for path in &self.strange {
            report.add(
                Weight::Note,
                "strange-file",
                path,
                None,
                "is not the store's".to_owned(),
            );
        }
        for (path, error) in &self.unopened {
            report.add(Weight::Damage, "index-file", path, None, error.to_string());
        }
        report.counts.index_files = (self.cursor.files.len() + self.unopened.len()) as u64;
        let lengths = self.cursor.files.iter().map(|file| file.bytes);
        let alike = |bytes: &u64| {
            (
                lengths.clone().filter(|other| other == bytes).count(),
                *bytes,
            )
        };
        let usual = lengths.clone().max_by_key(alike);
        let (mut end, count) = (0, self.cursor.files.len());
        for (n, file) in self.cursor.files.iter().enumerate() {
            let is_last = n + 1 == count;
            if Some(file.bytes) != usual {
                let (bytes, usual) = (file.bytes, usual.unwrap_or(0));
                let reason = format!("is {bytes} bytes long, the others are {usual}");
                report.add(Weight::Damage, "file-size", &file.path, None, reason);
            }
            let rebuilt = is_last && !report.closed_in_order;
            let weight = if rebuilt {
                Weight::Recoverable
            } else {
                Weight::Damage
            };
            for (at, reason) in flaws(file, self.cursor.slots, is_last, end) {
                report.add(weight, "index-header", &file.path, Some(at), reason);
            }
            if file.next() > 1 {
                end = file.header.end_log_offset;
            }
        }
    }

    /// A message comes by.
    pub(crate) fn record(
        &mut self,
        at: u64,
        record: &Record<'_>,
        handles: &Handles<'_>,
        context: &mut Context,
    ) {
        if self.cursor.files.is_empty() {
            return;
        }
        self.hashes.clear();
        self.hashes.extend(hashes(record, handles));
        if self.hashes.is_empty() && self.next_offset(context).is_none_or(|next| next > at) {
            return;
        }
        let mut found = 0u64;
        while let Some((number, entry)) = self.take(context, at) {
            if entry.log_offset < at {
                self.orphan(number, &entry, context, "no message lies there");
                continue;
            }
            found += 1;
            if !self.hashes.contains(&entry.hash) {
                self.orphan(
                    number,
                    &entry,
                    context,
                    "its hash is that of no key of the message there",
                );
            } else if let Some(seconds) = self.wrong_time(number, &entry, record.store_timestamp_ms)
            {
                let what = format!(
                    "says {} s, its message was stored {seconds} s after the file's first",
                    entry.seconds
                );
                self.tell(number, &entry, context, "index-time", &what);
            }
        }
        let begun = self
            .cursor
            .files
            .first()
            .is_some_and(|file| file.header.begin_log_offset <= at);
        if found == 0 && !self.hashes.is_empty() && begun {
            self.unindexed += 1;
            self.first_unindexed = self.first_unindexed.min(at);
        }
    }

    /// The seconds a message's entry should have, if it has others. The first entry of a file counts from the file before
    /// it in Java.
    fn wrong_time(&self, number: u32, entry: &IndexEntry, stored_ms: i64) -> Option<i64> {
        let begin_ms = self.cursor.file()?.header.begin_timestamp_ms;
        let seconds = (stored_ms.saturating_sub(begin_ms) / 1000).clamp(0, i64::from(i32::MAX));
        (number > 1 && i64::from(entry.seconds) != seconds).then_some(seconds)
    }

    /// Where the next entry's message lies.
    fn next_offset(&mut self, context: &mut Context) -> Option<u64> {
        loop {
            match self.cursor.peek(0) {
                Ok(Some((_, entry))) => return Some(entry.log_offset),
                Ok(None) => {}
                Err(error) => self.unreadable(&error, context),
            }
            self.cursor.file()?;
            self.end_file(context);
        }
    }

    /// The next entry, if its message lies at `upto` or in front of it. Chains are checked as entries are taken; one out of
    /// order is told of and left out.
    fn take(&mut self, context: &mut Context, upto: u64) -> Option<(u32, IndexEntry)> {
        loop {
            let offset = self.next_offset(context)?;
            let next = self
                .cursor
                .peek(1)
                .ok()
                .flatten()
                .map(|(_, next)| next.log_offset);
            // Of two that are out of order, the one that does not fit the one before them.
            let ahead = next.is_some_and(|next| next < offset && next >= self.previous_offset);
            let behind = offset < self.previous_offset;
            if offset > upto && !ahead {
                return None;
            }
            let (number, entry) = self.cursor.peek(0).ok().flatten()?;
            if number == 1 {
                self.latest.clear();
                self.latest.resize(self.cursor.slots as usize, 0);
            }
            context.report.counts.index_entries += 1;
            self.link(number, &entry, context);
            if ahead || behind {
                self.tell(
                    number,
                    &entry,
                    context,
                    "index-order",
                    "its place is not between those of its neighbours",
                );
                self.cursor.advance();
                continue;
            }
            self.previous_offset = offset;
            self.cursor.advance();
            return Some((number, entry));
        }
    }

    /// Checks the chain that an entry is put in front of.
    fn link(&mut self, number: u32, entry: &IndexEntry, context: &mut Context) {
        let slot = (entry.hash % self.cursor.slots) as usize;
        let Some(latest) = self.latest.get_mut(slot) else {
            return;
        };
        let expected = std::mem::replace(latest, number);
        if expected != entry.previous {
            let what = format!(
                "leads to entry {}, the one before it in its slot is {expected}",
                entry.previous
            );
            self.tell(number, entry, context, "index-chain", &what);
        }
    }

    fn orphan(&self, number: u32, entry: &IndexEntry, context: &mut Context, why: &str) {
        let (at, begin) = (entry.log_offset, context.log_begin());
        if at < begin || context.is_bad(at) {
            return; // expired, or told of
        }
        self.tell(
            number,
            entry,
            context,
            "index-entry",
            &format!("points to {at}: {why}"),
        );
    }

    fn tell(
        &self,
        number: u32,
        entry: &IndexEntry,
        context: &mut Context,
        kind: &'static str,
        what: &str,
    ) {
        let Some(file) = self.cursor.file() else {
            return;
        };
        let rebuilt = !context.report.closed_in_order && self.cursor.is_last_file();
        let weight = if rebuilt {
            Weight::Recoverable
        } else {
            context.weight(entry.log_offset)
        };
        let path = file.path.clone();
        let at = entry_at(self.cursor.slots, number);
        context.report.add(
            weight,
            kind,
            &path,
            Some(at),
            format!("entry {number} {what}"),
        );
    }

    fn unreadable(&self, error: &io::Error, context: &mut Context) {
        if let Some(file) = self.cursor.file() {
            let path = file.path.clone();
            context
                .report
                .add(Weight::Damage, "unreadable", &path, None, error.to_string());
        }
    }

    /// All entries of the file at hand have been taken: the slots must hold the newest of each.
    fn end_file(&mut self, context: &mut Context) {
        if let Some(file) = self.cursor.file() {
            if file.next() == 1 {
                self.latest.clear();
                self.latest.resize(self.cursor.slots as usize, 0);
            }
            match file.slots_astray(&self.latest) {
                Ok(Some((count, slot, holds))) => {
                    let killed = !context.report.closed_in_order && self.cursor.is_last_file();
                    let weight = if killed {
                        Weight::Recoverable
                    } else {
                        Weight::Damage
                    };
                    let path = file.path.clone();
                    let latest = self.latest.get(slot as usize).copied().unwrap_or(0);
                    let reason = format!(
                        "slot {slot} holds {holds}, the newest entry of its hashes is {latest}; {count} slots are wrong"
                    );
                    context.report.add(
                        weight,
                        "index-slot",
                        &path,
                        Some(40 + u64::from(slot) * 4),
                        reason,
                    );
                }
                Ok(None) => {}
                Err(error) => self.unreadable(&error, context),
            }
        }
        self.cursor.next_file();
    }

    /// The log is at its end.
    pub(crate) fn finish(&mut self, context: &mut Context) {
        let end = context.log_end();
        while let Some((number, entry)) = self.take(context, u64::MAX) {
            let why = if entry.log_offset >= end {
                "behind the end of the log"
            } else {
                "no message lies there"
            };
            self.orphan(number, &entry, context, why);
        }
        if self.unindexed > 0 {
            let reason = format!(
                "{} messages with keys are not in it, the first at {}: they are not found by key",
                self.unindexed, self.first_unindexed
            );
            let dir = context.root.join("index");
            let weight = if self.first_unindexed >= 1
                && context.weight(self.first_unindexed) == Weight::Recoverable
            {
                Weight::Recoverable
            } else {
                Weight::Note
            };
            context
                .report
                .add(weight, "not-indexed", &dir, None, reason);
        }
    }
}
