//! A record that a crash left a part of: its topic or its properties, which no CRC covers.
//!
//! What never came to disk is zero, from the beginning of a cache line or a sector to the end of one, or
//! of the record. The fixed fields cannot be missing like this, for the lengths would not fit, nor the
//! body, for it has a CRC. The rule that is easy to break: recovery believes what [`looks_torn`] says of
//! a message that this broker stored, so this broker never stores one that looks so.
//! Java 4.7.0 checks neither.

/// What the memory of a page is read by at least when it is written to disk.
const CACHE_LINE_BYTES: usize = 64;

/// Whether a part of these properties may never have been written.
pub(crate) fn looks_torn(properties: &[u8]) -> bool {
    let run = |run: &[u8]| run.len() >= CACHE_LINE_BYTES;
    // Hardly any have a zero at all.
    memchr::memchr(0, properties).is_some()
        && (properties.ends_with(&[0]) || properties.split(|byte| *byte != 0).any(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_with_missing_parts_are_torn_and_a_zero_in_a_value_is_not() {
        let long = |zeros: usize| [b"a\x01b", &vec![0; zeros][..], b"c\x02"].concat();
        assert!(looks_torn(b"a\x01b\x02c\0") && looks_torn(&long(64)) && looks_torn(&[0; 3]));
        assert!(!looks_torn(b"") && !looks_torn(b"a\x01b\x02") && !looks_torn(&long(63)));
    }
}
