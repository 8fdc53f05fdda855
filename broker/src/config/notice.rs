//! What an operator should know about the configuration that was read. Data, so that it can be tested, and logged once
//! logging is up.
//!
//! Java 4.7.0 says nothing in any of these cases.

use std::fmt;
use std::path::PathBuf;

use tracing::Level;

use super::value::Problem;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In the file given with `-c`.
    File(PathBuf),
    /// On the command line.
    CommandLine,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => write!(f, "{}", path.display()),
            Source::CommandLine => f.write_str("the command line"),
        }
    }
}

/// One thing to know. Its text names the key, the value, the place and what is used instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The value cannot be read; what was in force stays, as in Java.
    BadValue {
        /// Key as written.
        key: &'static str,
        /// Value as written.
        value: String,
        /// Where.
        source: Source,
        /// What is wrong with it.
        problem: Problem,
        /// Value in force.
        kept: String,
    },
    /// A yes-or-no key with a text that is neither; Java reads it as false.
    ReadAsFalse {
        /// Key as written.
        key: &'static str,
        /// Value as written.
        value: String,
        /// Where.
        source: Source,
    },
    /// A text that begins or ends with blanks; they are part of the value, as in Java.
    Blanks {
        /// Key as written.
        key: &'static str,
        /// Value as written.
        value: String,
        /// Where.
        source: Source,
    },
    /// A key that 4.7.0 no longer has.
    Gone {
        /// Key as written.
        key: String,
        /// Where.
        source: Source,
        /// What took its place.
        instead: &'static str,
    },
    /// A key of a later Java version.
    Later {
        /// Key as written.
        key: String,
        /// Where.
        source: Source,
    },
    /// A key nobody knows.
    Unknown {
        /// Key as written.
        key: String,
        /// Where.
        source: Source,
        /// A key that is written nearly so.
        similar: Option<&'static str>,
    },
    /// A key that acts on nothing here, set to something other than its default.
    NoEffect {
        /// Key.
        key: &'static str,
        /// Value as written.
        value: String,
        /// Why.
        why: &'static str,
    },
    /// A key that asks for something this broker does not do.
    NotDone {
        /// Key.
        key: &'static str,
        /// Value in force.
        value: String,
        /// What follows.
        consequence: &'static str,
    },
    /// A value that the role overrules: a master is always 0.
    BrokerIdForced {
        /// `brokerId` as written.
        written: i64,
    },
    /// `storePathRootDir` is set and `storePathCommitLog` is not, so the log is not below the root.
    CommitLogElsewhere {
        /// Root directory.
        root: String,
        /// Where the log is.
        commit_log: String,
    },
    /// A word on the command line that is no option; ignored, as in Java.
    StrayArgument(String),
}

impl Notice {
    /// How loud it is to be said.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Notice::NoEffect { .. } => Level::INFO,
            Notice::NotDone { .. } => Level::ERROR,
            _ => Level::WARN,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NotANumber => f.write_str("it is not a whole number"),
            Problem::NotARatio => f.write_str("it is not a ratio such as 0.85"),
            Problem::Blanks => f.write_str("there are blanks around the number, take them out"),
            Problem::OutOfRange { least, most } => write!(f, "it must be from {least} to {most}"),
            Problem::NotOneOf(words) => write!(f, "it must be exactly one of {}", words.join(", ")),
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Gone {
                key,
                source,
                instead,
            } => {
                write!(
                    f,
                    "{key} in {source} has no effect, as in Java 4.7.0: {instead}"
                )
            }
            Notice::Later { key, source } => {
                write!(
                    f,
                    "{key} in {source} has no effect: it came after Java 4.7.0"
                )
            }
            Notice::Unknown {
                key,
                source,
                similar,
            } => {
                write!(f, "{key} in {source} is not a known key and has no effect")?;
                similar.map_or(Ok(()), |similar| write!(f, ": is {similar} meant?"))
            }
            Notice::StrayArgument(word) => {
                write!(
                    f,
                    "\"{word}\" on the command line is no option and is ignored; "
                )?;
                f.write_str("a file is given with -c")
            }
            of_a_value => of_a_value.write_value(f),
        }
    }
}

impl Notice {
    /// The texts about a key that is known.
    fn write_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::BadValue {
                key,
                value,
                source,
                problem,
                kept,
            } => {
                write!(f, "{key}=\"{value}\" in {source} is not used: {problem}; ")?;
                write!(f, "{key}={kept} is in force")
            }
            Notice::ReadAsFalse { key, value, source } => {
                write!(f, "{key}=\"{value}\" in {source} is read as false: ")?;
                f.write_str("only the word true means true")
            }
            Notice::Blanks { key, value, source } => {
                write!(
                    f,
                    "{key}=\"{value}\" in {source}: the blanks are part of the value"
                )
            }
            Notice::NoEffect { key, value, why } => write!(f, "{key}={value} has no effect: {why}"),
            Notice::NotDone {
                key,
                value,
                consequence,
            } => {
                write!(f, "{key}={value}: {consequence}")
            }
            Notice::BrokerIdForced { written } => {
                write!(
                    f,
                    "brokerId={written} is not used: brokerRole makes this broker a master, "
                )?;
                f.write_str("and a master is 0")
            }
            Notice::CommitLogElsewhere { root, commit_log } => {
                write!(
                    f,
                    "storePathRootDir={root} without storePathCommitLog: the commit log "
                )?;
                write!(f, "lies in {commit_log}, as in Java 4.7.0; ")?;
                write!(
                    f,
                    "storePathCommitLog={root}/commitlog puts it below the root"
                )
            }
            Notice::Gone { .. }
            | Notice::Later { .. }
            | Notice::Unknown { .. }
            | Notice::StrayArgument(_) => Ok(()),
        }
    }
}
