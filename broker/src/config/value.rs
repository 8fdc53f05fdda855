//! One configuration value: read from text as Java reads it, printed as Java prints it.
//!
//! The rule that is easy to break: nothing is trimmed. `java.util.Properties` keeps the blanks at the end of a value,
//! and `Integer.parseInt` refuses them, so `fileReservedTime=48 ` leaves the default in force. A boolean is true for
//! `true` in any case and false for everything else.
//! Java 4.7.0 `common/MixAll.java`, `properties2Object` and `printObjectProperties`.

use std::path::PathBuf;
use std::time::Duration;

use store::{BrokerRole, FlushDiskType};

/// Width of the Java field behind a number: what does not fit is not a number to Java.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    /// 32 bits, `Integer.parseInt`.
    Int,
    /// 64 bits, `Long.parseLong`.
    Long,
}

/// Java type of a key that is only kept, see [`super::accepted`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JavaType {
    Int,
    Long,
    Bool,
    Text,
    /// A text that is null by default.
    Nullable,
}

/// Where the value of one key lives, with the way it is read and printed.
pub(crate) enum Slot<'a> {
    Int(&'a mut i32),
    Long(&'a mut i64),
    Bool(&'a mut bool),
    Text(&'a mut String),
    /// Java's null is `None` and prints as nothing.
    MaybeText(&'a mut Option<String>),
    Path(&'a mut PathBuf),
    Port(&'a mut u16),
    /// An int that makes sense from 0 on: a number of bytes or of things.
    Count32(&'a mut u32),
    /// A duration kept in `unit_ms` steps in a Java field of that width.
    Time {
        value: &'a mut Duration,
        unit_ms: u64,
        width: Width,
    },
    /// A part of something, such as 0.85; from 0 on.
    Ratio(&'a mut f64),
    Role(&'a mut BrokerRole),
    Flush(&'a mut FlushDiskType),
    /// Text of a key that acts on nothing, held to its Java type all the same.
    Kept {
        value: &'a mut String,
        java: JavaType,
    },
}

/// Why a text is no value for a key. Java keeps the default then, and so do we; the text ends up in a WARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Not a whole number.
    NotANumber,
    /// A number with blanks around it, which Java's parser refuses.
    Blanks,
    /// A number outside what the key can hold.
    OutOfRange {
        /// Smallest value.
        least: i64,
        /// Greatest value.
        most: i64,
    },
    /// Not a number such as 0.85, or below 0.
    NotARatio,
    /// None of the words this key knows.
    NotOneOf(&'static [&'static str]),
}

/// A value was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// As it was written.
    Plainly,
    /// Something other than `true` or `false`, which Java reads as false.
    AsFalse,
    /// A text with blanks at an end, which Java keeps.
    WithBlanks,
}

impl Slot<'_> {
    /// Sets the value from `text`, or leaves it alone.
    pub(crate) fn set(self, text: &str) -> Result<Taken, Problem> {
        match self {
            Slot::Int(value) => *value = whole(text, i32::MIN.into(), i32::MAX.into())? as i32,
            Slot::Long(value) => *value = whole(text, i64::MIN, i64::MAX)?,
            Slot::Port(value) => *value = whole(text, 0, u16::MAX.into())? as u16,
            Slot::Count32(value) => *value = whole(text, 0, i32::MAX.into())? as u32,
            Slot::Time {
                value,
                unit_ms,
                width,
            } => {
                let most = match width {
                    Width::Int => i32::MAX.into(),
                    Width::Long => i64::MAX / unit_ms as i64,
                };
                *value = Duration::from_millis(whole(text, 0, most)? as u64 * unit_ms);
            }
            Slot::Bool(value) => {
                *value = text.eq_ignore_ascii_case("true");
                return Ok(boolean_taken(text));
            }
            Slot::Text(value) => return Ok(take_text(value, text)),
            Slot::MaybeText(value) => return Ok(take_text(value.insert(String::new()), text)),
            Slot::Path(value) => *value = PathBuf::from(text),
            Slot::Ratio(value) => *value = ratio(text)?,
            Slot::Role(value) => *value = one_of(text, &ROLES)?,
            Slot::Flush(value) => *value = one_of(text, &FLUSHES)?,
            Slot::Kept { value, java } => return keep(value, java, text),
        }
        Ok(Taken::Plainly)
    }

    /// The value as Java prints it; `None` where Java has null.
    pub(crate) fn show(self) -> Option<String> {
        Some(match self {
            Slot::Int(value) => value.to_string(),
            Slot::Long(value) => value.to_string(),
            Slot::Port(value) => value.to_string(),
            Slot::Count32(value) => value.to_string(),
            Slot::Time { value, unit_ms, .. } => {
                (value.as_millis() / u128::from(unit_ms)).to_string()
            }
            Slot::Bool(value) => value.to_string(),
            Slot::Text(value) => value.clone(),
            Slot::MaybeText(value) => return value.clone(),
            Slot::Path(value) => value.display().to_string(),
            Slot::Ratio(value) => value.to_string(),
            Slot::Role(value) => word(*value, &ROLES),
            Slot::Flush(value) => word(*value, &FLUSHES),
            Slot::Kept {
                value,
                java: JavaType::Nullable,
            } if value.is_empty() => return None,
            Slot::Kept { value, .. } => value.clone(),
        })
    }
}

/// Words of an enum key, in the order a WARN lists them.
type Words<T, const N: usize> = ([&'static str; N], [T; N]);

static ROLES: Words<BrokerRole, 3> = (
    ["ASYNC_MASTER", "SYNC_MASTER", "SLAVE"],
    [
        BrokerRole::AsyncMaster,
        BrokerRole::SyncMaster,
        BrokerRole::Slave,
    ],
);
static FLUSHES: Words<FlushDiskType, 2> = (
    ["ASYNC_FLUSH", "SYNC_FLUSH"],
    [FlushDiskType::Async, FlushDiskType::Sync],
);

fn one_of<T: Copy, const N: usize>(text: &str, words: &'static Words<T, N>) -> Result<T, Problem> {
    let found = words.0.iter().zip(words.1).find(|(word, _)| **word == text);
    found
        .map(|(_, value)| value)
        .ok_or(Problem::NotOneOf(&words.0))
}

fn word<T: PartialEq + Copy, const N: usize>(value: T, words: &Words<T, N>) -> String {
    let found = words
        .0
        .iter()
        .zip(words.1)
        .find(|(_, known)| *known == value);
    found.map_or_else(String::new, |(word, _)| (*word).to_owned())
}

fn whole(text: &str, least: i64, most: i64) -> Result<i64, Problem> {
    let number = text.parse::<i128>().map_err(|_| {
        if text.trim().parse::<i128>().is_ok() {
            Problem::Blanks
        } else {
            Problem::NotANumber
        }
    })?;
    let fits = i64::try_from(number)
        .ok()
        .filter(|number| (least..=most).contains(number));
    fits.ok_or(Problem::OutOfRange { least, most })
}

/// As Java's `Double.parseDouble`, which does trim; what can be no ratio is none.
fn ratio(text: &str) -> Result<f64, Problem> {
    let number = text.trim().parse::<f64>().ok();
    let number = number.filter(|ratio| ratio.is_finite() && *ratio >= 0.0);
    number.ok_or(Problem::NotARatio)
}

fn boolean_taken(text: &str) -> Taken {
    let plain = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
    if plain {
        Taken::Plainly
    } else {
        Taken::AsFalse
    }
}

fn take_text(value: &mut String, text: &str) -> Taken {
    text.clone_into(value);
    if text.trim() == text {
        Taken::Plainly
    } else {
        Taken::WithBlanks
    }
}

fn keep(value: &mut String, java: JavaType, text: &str) -> Result<Taken, Problem> {
    match java {
        JavaType::Int => {
            *value = whole(text, i32::MIN.into(), i32::MAX.into())?.to_string();
            Ok(Taken::Plainly)
        }
        JavaType::Long => {
            *value = whole(text, i64::MIN, i64::MAX)?.to_string();
            Ok(Taken::Plainly)
        }
        JavaType::Bool => {
            *value = text.eq_ignore_ascii_case("true").to_string();
            Ok(boolean_taken(text))
        }
        JavaType::Text | JavaType::Nullable => Ok(take_text(value, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_java_reads_them() {
        let mut number = 7;
        assert_eq!(Slot::Int(&mut number).set("-12"), Ok(Taken::Plainly));
        assert_eq!(Slot::Int(&mut number).set("+13"), Ok(Taken::Plainly));
        assert_eq!(Slot::Int(&mut number).set("48 "), Err(Problem::Blanks));
        assert_eq!(
            Slot::Int(&mut number).set("1_000"),
            Err(Problem::NotANumber)
        );
        assert_eq!(Slot::Int(&mut number).set("0x10"), Err(Problem::NotANumber));
        assert!(matches!(
            Slot::Int(&mut number).set("2147483648"),
            Err(Problem::OutOfRange { .. })
        ));
        assert_eq!(number, 13);
        let mut far = 0;
        assert_eq!(Slot::Long(&mut far).set("2147483648"), Ok(Taken::Plainly));
        assert!(Slot::Long(&mut far).set("99999999999999999999999").is_err());
    }

    #[test]
    fn only_true_is_true() {
        let mut value = true;
        assert_eq!(Slot::Bool(&mut value).set("yes"), Ok(Taken::AsFalse));
        assert!(!value);
        assert_eq!(Slot::Bool(&mut value).set("TRUE"), Ok(Taken::Plainly));
        assert!(value);
        assert_eq!(Slot::Bool(&mut value).set("true "), Ok(Taken::AsFalse));
        assert!(!value);
    }

    #[test]
    fn a_ratio_is_read_as_java_reads_a_double() {
        let mut value = 0.85;
        for bad in ["", "x", "-0.1", "NaN", "1e999"] {
            let problem = Slot::Ratio(&mut value).set(bad);
            assert_eq!((problem, value), (Err(Problem::NotARatio), 0.85), "{bad}");
        }
        for (text, number) in [("0.90", 0.9), (" 1 ", 1.0), ("98e-2", 0.98)] {
            assert_eq!(Slot::Ratio(&mut value).set(text), Ok(Taken::Plainly));
            assert_eq!(value, number);
        }
        assert_eq!(Slot::Ratio(&mut value).show().as_deref(), Some("0.98"));
    }

    #[test]
    fn a_wrong_word_changes_nothing() {
        let mut role = BrokerRole::SyncMaster;
        assert!(matches!(
            Slot::Role(&mut role).set("SLAVE "),
            Err(Problem::NotOneOf(_))
        ));
        assert!(Slot::Role(&mut role).set("slave").is_err());
        assert_eq!(role, BrokerRole::SyncMaster);
        assert_eq!(Slot::Role(&mut role).set("SLAVE"), Ok(Taken::Plainly));
        assert_eq!(Slot::Role(&mut role).show().as_deref(), Some("SLAVE"));
    }

    #[test]
    fn a_duration_is_printed_in_the_unit_of_its_key() {
        let mut time = Duration::ZERO;
        fn hours(value: &mut Duration) -> Slot<'_> {
            Slot::Time {
                value,
                unit_ms: 3_600_000,
                width: Width::Int,
            }
        }
        assert_eq!(hours(&mut time).set("48"), Ok(Taken::Plainly));
        assert_eq!(time, Duration::from_secs(48 * 3_600));
        assert_eq!(hours(&mut time).show().as_deref(), Some("48"));
        assert!(hours(&mut time).set("-1").is_err());
    }
}
