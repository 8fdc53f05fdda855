//! Which names a topic or a group may have.
//!
//! Names become folders below `consumequeue/`, so they are checked on every path that makes one, whoever asks:
//! CVE-2019-17572 was an auto-created topic `../../x`. Two rules:
//!
//! | for             | rule                                                                         |
//! |-----------------|------------------------------------------------------------------------------|
//! | making a name   | Java's: letters, digits, `%`, `|`, `_`, `-`; a topic to 127, a group to 255  |
//! | names in files  | anything that is one harmless file name, since other clients made odd groups |
//!
//! Java 4.7.0 `broker/topic/TopicValidator.java`; for groups, which 4.7.0's broker does not check at all,
//! `client/Validators.java`.

use std::fmt;

/// The pattern, as Java's remarks quote it.
const PATTERN: &str = "^[%|a-zA-Z0-9_-]+$";
/// Longest topic, in UTF-16 units as Java counts; the pattern leaves only ASCII anyway.
pub const TOPIC_CHARACTERS: usize = 127;
/// Longest group.
const GROUP_CHARACTERS: usize = 255;
/// In front of a group: the topic its messages come back through.
pub const RETRY_PREFIX: &str = "%RETRY%";
/// In front of a group: the topic its messages end in.
pub const DEAD_LETTER_PREFIX: &str = "%DLQ%";
/// Template of automatically made topics; nobody may send to it.
pub const AUTO_CREATE_TOPIC: &str = "TBW102";

/// Why a name is refused. `Display` is Java's remark, to the letter; it goes out with code 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// Nothing but blanks.
    TopicBlank,
    /// A character outside the pattern.
    TopicCharacters,
    /// Too long.
    TopicTooLong,
    /// It is the template's name.
    TopicIsTemplate,
    /// Nothing but blanks.
    GroupBlank,
    /// A character outside the pattern.
    GroupCharacters,
    /// Too long.
    GroupTooLong,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::TopicBlank => f.write_str("The specified topic is blank."),
            NameError::TopicCharacters => {
                write!(
                    f,
                    "The specified topic contains illegal characters, allowing only {PATTERN}"
                )
            }
            NameError::TopicTooLong => {
                f.write_str("The specified topic is longer than topic max length.")
            }
            NameError::TopicIsTemplate => {
                f.write_str("The specified topic is conflict with AUTO_CREATE_TOPIC_KEY_TOPIC.")
            }
            NameError::GroupBlank => f.write_str("the specified group is blank"),
            NameError::GroupCharacters => {
                write!(
                    f,
                    "the specified group contains illegal characters, allowing only {PATTERN}"
                )
            }
            NameError::GroupTooLong => {
                f.write_str("the specified group is longer than group max length 255.")
            }
        }
    }
}

impl std::error::Error for NameError {}

/// Whether a topic of this name may be sent to or made. `TopicValidator.validateTopic`, in its order of checks.
///
/// # Errors
/// [`NameError`], the remark of the refusal.
pub fn check_topic(topic: &str) -> Result<(), NameError> {
    if is_blank(topic) {
        return Err(NameError::TopicBlank);
    }
    if !topic.bytes().all(is_legal) {
        return Err(NameError::TopicCharacters);
    }
    if topic.len() > TOPIC_CHARACTERS {
        return Err(NameError::TopicTooLong);
    }
    if topic == AUTO_CREATE_TOPIC {
        return Err(NameError::TopicIsTemplate);
    }
    Ok(())
}

/// Whether a group of this name may be made. Java 4.7.0's broker makes any; its clients refuse what this refuses.
///
/// # Errors
/// [`NameError`], the remark of the refusal.
pub fn check_group(group: &str) -> Result<(), NameError> {
    if is_blank(group) {
        return Err(NameError::GroupBlank);
    }
    if !group.bytes().all(is_legal) {
        return Err(NameError::GroupCharacters);
    }
    if group.len() > GROUP_CHARACTERS {
        return Err(NameError::GroupTooLong);
    }
    Ok(())
}

/// Whether a name read from a file is harmless: one file name, in the folder where it is put.
#[must_use]
pub fn may_be_kept(name: &str) -> bool {
    let harmful = |c: char| c == '/' || c == '\\' || c.is_control();
    !is_blank(name)
        && name.len() <= GROUP_CHARACTERS
        && name != "."
        && name != ".."
        && !name.contains(harmful)
}

fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'%' | b'|' | b'_' | b'-')
}

/// `UtilAll.isBlank`: empty, or Java whitespace alone.
fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_checked_with_javas_words() {
        let remark = |topic: &str| check_topic(topic).err().map(|error| error.to_string());
        assert_eq!(remark("TopicTest"), None);
        assert_eq!(remark("%RETRY%group_1-a|b"), None);
        assert_eq!(remark(&"a".repeat(127)), None);
        assert_eq!(
            remark("  ").as_deref(),
            Some("The specified topic is blank.")
        );
        assert_eq!(
            remark("a.b").as_deref(),
            Some(
                "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
            )
        );
        assert_eq!(
            remark(&"a".repeat(128)).as_deref(),
            Some("The specified topic is longer than topic max length.")
        );
        assert_eq!(
            remark("TBW102").as_deref(),
            Some("The specified topic is conflict with AUTO_CREATE_TOPIC_KEY_TOPIC.")
        );
    }

    #[test]
    fn no_name_that_walks_directories_is_made_or_kept() {
        for name in [
            "../../x",
            "a/b",
            "..",
            ".",
            "a\\b",
            "a\0b",
            "",
            "/etc/passwd",
        ] {
            assert!(check_topic(name).is_err(), "{name:?}");
            assert!(check_group(name).is_err(), "{name:?}");
            assert!(!may_be_kept(name), "{name:?}");
        }
        assert!(may_be_kept("group.of.another:client"));
    }
}
