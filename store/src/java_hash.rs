//! `java.lang.String.hashCode`: tag codes and index keys are made with it.
//!
//! `h = 31 * h + unit` over the UTF-16 units, wrapping at 32 bits. The rule that is easy to break:
//! units, not bytes and not code points, so a character beyond U+FFFF counts twice.

/// Java's `hashCode` of the text. Bytes that are not UTF-8 count as U+FFFD, as when Java reads them.
#[must_use]
pub fn java_hash(text: &[u8]) -> i32 {
    extend(0, text)
}

/// The hash of some text of hash `hash` with `text` put behind it: `extend(java_hash(a), b)` is
/// `java_hash(a + b)`, so a joined key need never be built.
#[must_use]
pub(crate) fn extend(hash: i32, text: &[u8]) -> i32 {
    if text.is_ascii() {
        // Four at a time: each step waits for the multiplication before it.
        let (fours, rest) = text.as_chunks::<4>();
        let hash = fours.iter().fold(hash, |hash, four| {
            let [a, b, c, d] = four.map(i32::from);
            let four = (((a * 31) + b) * 31 + c) * 31 + d;
            hash.wrapping_mul(31 * 31 * 31 * 31).wrapping_add(four)
        });
        return rest.iter().fold(hash, |h, byte| step(h, u16::from(*byte)));
    }
    String::from_utf8_lossy(text)
        .encode_utf16()
        .fold(hash, step)
}

fn step(hash: i32, unit: u16) -> i32 {
    hash.wrapping_mul(31).wrapping_add(i32::from(unit))
}

/// The code a tag has in a queue entry: its Java hash, sign-extended; 0 for no tag.
#[must_use]
pub fn tags_code(tags: &[u8]) -> i64 {
    i64::from(java_hash(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        // From jshell: "".hashCode(), "TagA".hashCode() and so on.
        assert_eq!(java_hash(b""), 0);
        assert_eq!(java_hash(b"TagA"), 2_598_919);
        assert_eq!(java_hash(b"hello world"), 1_794_106_052);
        assert_eq!(java_hash("标签".as_bytes()), 857_175);
        assert_eq!(java_hash("😀".as_bytes()), 1_772_899);
        assert_eq!(java_hash(b"polygenelubricants"), i32::MIN);
    }

    #[test]
    fn a_negative_hash_is_sign_extended() {
        assert_eq!(tags_code(b"polygenelubricants"), i64::from(i32::MIN));
    }

    #[test]
    fn extending_equals_hashing_the_joined_text() {
        assert_eq!(
            extend(java_hash("主题#".as_bytes()), b"key"),
            java_hash("主题#key".as_bytes())
        );
    }
}
