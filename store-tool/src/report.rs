//! What a check found: findings, each with its file, place and reason, and the counts of what was gone through.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// More findings of one weight than this are counted, not kept.
const KEPT: usize = 200;

/// How much a finding means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Something that was written is not as it was written.
    Damage,
    /// What a killed broker leaves: the next start sets it right.
    Recoverable,
    /// Worth knowing, and nothing wrong.
    Note,
}

/// One thing found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What it means.
    pub weight: Weight,
    /// Which kind, one word or two with a dash.
    pub kind: &'static str,
    /// Where: below the store's folder, if it lies there.
    pub file: String,
    /// Byte in that file.
    pub at: Option<u64>,
    /// A sentence.
    pub reason: String,
}

/// What was gone through.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Counts {
    /// Log files.
    pub log_files: u64,
    /// Bytes from the first record to the end of the last.
    pub log_bytes: u64,
    /// First byte of the log.
    pub log_begin: u64,
    /// Behind its last record.
    pub log_end: u64,
    /// Whole records.
    pub messages: u64,
    /// Fillers at the ends of files.
    pub fillers: u64,
    /// Queues that have files.
    pub queues: u64,
    /// Queue entries that were found to be those of their messages.
    pub queue_entries: u64,
    /// Entries whose messages the log no longer has.
    pub expired_entries: u64,
    /// Index files.
    pub index_files: u64,
    /// Index entries.
    pub index_entries: u64,
    /// Files under config/.
    pub config_files: u64,
}

/// Everything a check has to say.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The store.
    pub root: PathBuf,
    /// Its log.
    pub commit_log: PathBuf,
    /// Whether the last owner closed it in order: there is no `abort`.
    pub closed_in_order: bool,
    /// What was gone through.
    pub counts: Counts,
    /// What was found, up to 200 of each weight.
    pub findings: Vec<Finding>,
    /// How much of each weight and kind, those that were not kept counted in.
    pub totals: BTreeMap<String, u64>,
    #[serde(skip)]
    kept: [usize; 3],
    #[serde(skip)]
    damaged: bool,
}

impl Report {
    pub(crate) fn new(root: &Path, commit_log: &Path) -> Report {
        Report {
            root: root.to_owned(),
            commit_log: commit_log.to_owned(),
            closed_in_order: true,
            counts: Counts::default(),
            findings: Vec::new(),
            totals: BTreeMap::new(),
            kept: [0; 3],
            damaged: false,
        }
    }

    /// Whether anything is not as it was written, apart from what a start sets right.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    pub(crate) fn add(
        &mut self,
        weight: Weight,
        kind: &'static str,
        file: &Path,
        at: Option<u64>,
        reason: String,
    ) {
        self.damaged |= weight == Weight::Damage;
        *self.totals.entry(format!("{weight} {kind}")).or_default() += 1;
        let Some(kept) = self
            .kept
            .get_mut(weight as usize)
            .filter(|kept| **kept < KEPT)
        else {
            return;
        };
        *kept += 1;
        let below = file.strip_prefix(&self.root).unwrap_or(file);
        self.findings.push(Finding {
            weight,
            kind,
            file: below.display().to_string(),
            at,
            reason,
        });
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Weight::Damage => "damage",
            Weight::Recoverable => "recoverable",
            Weight::Note => "note",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<11} {:<16} {}", self.weight, self.kind, self.file)?;
        if let Some(at) = self.at {
            write!(f, " at {at}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let left_out: u64 = self.totals.values().sum::<u64>() - self.findings.len() as u64;
        if left_out > 0 {
            writeln!(f, "… and {left_out} more, counted below")?;
        }
        let counts = &self.counts;
        let closed = if self.closed_in_order {
            "closed in order"
        } else {
            "not closed in order (abort is there): the next start recovers it"
        };
        writeln!(f, "\n{}: {closed}", self.root.display())?;
        writeln!(
            f,
            "  log     {:>12} messages in {} files, {} bytes from {} to {}, {} fillers",
            counts.messages,
            counts.log_files,
            counts.log_bytes,
            counts.log_begin,
            counts.log_end,
            counts.fillers
        )?;
        writeln!(
            f,
            "  queues  {:>12} entries in {} queues, and {} whose messages have expired",
            counts.queue_entries, counts.queues, counts.expired_entries
        )?;
        writeln!(
            f,
            "  index   {:>12} entries in {} files",
            counts.index_entries, counts.index_files
        )?;
        writeln!(f, "  config  {:>12} files", counts.config_files)?;
        for (kind, count) in &self.totals {
            writeln!(f, "  {count:>20} × {kind}")?;
        }
        let verdict = if self.damaged { "DAMAGED" } else { "sound" };
        writeln!(f, "  the store is {verdict}")
    }
}
