//! Where things lie below the store's root, and the names of its numbered files.
//!
//! | path                                    | what                                        |
//! |-----------------------------------------|---------------------------------------------|
//! | `consumequeue/<topic>/<queue>/<20 digits>` | queue entries                            |
//! | `consumequeue_ext/<topic>/<queue>/<20 digits>` | what else is known of a message  |
//! | `index/<yyyyMMddHHmmssSSS>`             | hash index by key                           |
//! | `checkpoint` `abort` `lock`             | three timestamps, "still open", one owner   |
//! | `cut/<20 digits>`, `cut/<17 digits>`    | ours: what a damaged log lost at its end, and damaged index files |
//!
//! A numbered file is named after the offset of its first byte. The log's own directory is
//! configured apart from the root.
//! Java 4.7.0 `store/config/StorePathConfigHelper.java`, `UtilAll.offset2FileName`.

use std::path::{Path, PathBuf};

pub(crate) fn consume_queue_dir(root: &Path) -> PathBuf {
    root.join("consumequeue")
}

pub(crate) fn consume_queue_ext_dir(root: &Path) -> PathBuf {
    root.join("consumequeue_ext")
}

pub(crate) fn index_dir(root: &Path) -> PathBuf {
    root.join("index")
}

pub(crate) fn checkpoint(root: &Path) -> PathBuf {
    root.join("checkpoint")
}

pub(crate) fn abort(root: &Path) -> PathBuf {
    root.join("abort")
}

pub(crate) fn lock(root: &Path) -> PathBuf {
    root.join("lock")
}

/// Copies of what a start took away from the end of a damaged log; Java knows nothing of it.
pub(crate) fn cut_dir(root: &Path) -> PathBuf {
    root.join("cut")
}

/// The file that begins at `offset`.
pub(crate) fn numbered(dir: &Path, offset: u64) -> PathBuf {
    dir.join(format!("{offset:020}"))
}

/// The offset a numbered file begins at; `None` for any other name.
pub(crate) fn offset_of(name: &str) -> Option<u64> {
    let digits = name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit());
    // What Java's `long` holds: no sum of an offset and a file's length is too great then.
    let offset: u64 = name.parse().ok().filter(|_| digits)?;
    (offset <= i64::MAX as u64).then_some(offset)
}

/// Whether a topic can be a directory's name: what stands between a message and `../../x`.
/// The broker is stricter about the characters.
pub(crate) fn is_topic(topic: &str) -> bool {
    !topic.is_empty()
        && topic.len() <= 127
        && topic != "."
        && topic != ".."
        && !topic.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_its_offset_in_twenty_digits() {
        let path = numbered(Path::new("d"), 1_073_741_824);
        assert_eq!(path, Path::new("d/00000000001073741824"));
        assert_eq!(offset_of("00000000001073741824"), Some(1_073_741_824));
        for other in [
            "",
            "1",
            "lost+found",
            "0000000000107374182x",
            "+0000000001073741824",
            "09223372036854775808",
            "99999999999999999999",
        ] {
            assert_eq!(offset_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_topic_never_walks_directories() {
        assert!(is_topic("%RETRY%group_1-a|b"));
        for bad in ["", ".", "..", "../x", "a/b", "a\0b", &"x".repeat(128)] {
            assert!(!is_topic(bad), "{bad}");
        }
    }
}
