//! One unit of a queue's extension: what an entry of 20 bytes has no room for.
//!
//! | bytes   | name                 | meaning                                                        |
//! |---------|----------------------|----------------------------------------------------------------|
//! | 0..2    | size                 | of the whole unit; -1: the rest of this file is not used       |
//! | 2..10   | `tags_code`          | as it would stand in the entry                                 |
//! | 10..18  | `store_timestamp_ms` | when the message was stored                                    |
//! | 18..20  | bytes of the map     | 0: nobody had a filter                                         |
//! | 20..    | `filter_bits`        | bloom filter of the groups that want it; bit i is bit i % 8 of byte i / 8 |
//!
//! The entry then has the unit's address in the place of its tags code: the byte of the extension it begins at, less
//! 2⁶³. The rule that is easy to break: an address is below every code, also below one that is a negative hash.
//! Java 4.7.0 `store/ConsumeQueueExt.java`.

/// Bytes of a unit without a map.
pub(super) const LEAST_BYTES: usize = 20;
/// Bytes at the end of every file that no unit takes: room for the mark.
pub(super) const MARK_BYTES: u64 = 4;
/// What stands in front of a file's unused rest.
pub(super) const MARK: [u8; 2] = (-1_i16).to_be_bytes();
/// The greatest number that is an address.
const LAST_ADDRESS: i64 = i32::MIN as i64 - 1;
/// The greatest byte that has one.
pub(super) const LAST_BYTE: u64 = LAST_ADDRESS.wrapping_sub(i64::MIN).cast_unsigned();

/// What a queue's extension says about a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtUnit<'a> {
    /// Java hash of its tag, 0 without one; in the schedule topic when it is due, milliseconds since 1970.
    pub tags_code: i64,
    /// When it was stored. Milliseconds since 1970.
    pub store_timestamp_ms: i64,
    /// Bit map of the groups that want it; empty when nobody worked it out.
    pub filter_bits: &'a [u8],
}

impl<'a> ExtUnit<'a> {
    /// The unit as it is on disk; `None` when its map is too long.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let bytes = LEAST_BYTES + self.filter_bits.len();
        let size = i16::try_from(bytes).ok()?;
        let map_bytes = size - LEAST_BYTES as i16;
        let mut out = Vec::with_capacity(bytes);
        out.extend(size.to_be_bytes());
        out.extend(self.tags_code.to_be_bytes());
        out.extend(self.store_timestamp_ms.to_be_bytes());
        out.extend(map_bytes.to_be_bytes());
        out.extend(self.filter_bits);
        Some(out)
    }

    /// The unit that `bytes` begin with, and its size; `None` if they do not begin with a whole one.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<(ExtUnit<'a>, u64)> {
        let (head, rest) = bytes.split_first_chunk::<LEAST_BYTES>()?;
        let [s, t, a, b, c, d, e, f, g, h, stored @ .., m, n] = *head;
        let size = usize::try_from(i16::from_be_bytes([s, t])).ok()?;
        let map_bytes = usize::try_from(i16::from_be_bytes([m, n])).unwrap_or(0);
        if size != LEAST_BYTES + map_bytes {
            return None;
        }
        let unit = ExtUnit {
            tags_code: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
            store_timestamp_ms: i64::from_be_bytes(stored),
            filter_bits: rest.get(..map_bytes)?,
        };
        Some((unit, size as u64))
    }
}

/// The address of byte `at`, which must be `LAST_BYTE` at most.
pub(super) fn address(at: u64) -> i64 {
    i64::MIN.wrapping_add_unsigned(at)
}

/// The byte that an entry's code is the address of; `None` if it is a code.
pub(super) fn byte_of(tags_code: i64) -> Option<u64> {
    (tags_code <= LAST_ADDRESS).then(|| tags_code.wrapping_sub(i64::MIN).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_javas_bytes_and_every_cut_of_it_is_refused() {
        let unit = ExtUnit {
            tags_code: -2,
            store_timestamp_ms: 0x0102_0304_0506_0708,
            filter_bits: &[0xaa, 0x55],
        };
        let bytes = unit.encode().expect("short");
        let expected = [
            0, 22, 255, 255, 255, 255, 255, 255, 255, 254, 1, 2, 3, 4, 5, 6, 7, 8, 0, 2, 0xaa, 0x55,
        ];
        assert_eq!(bytes, expected);
        assert_eq!(ExtUnit::decode(&bytes), Some((unit, 22)));
        for cut in 0..bytes.len() {
            assert_eq!(ExtUnit::decode(&bytes[..cut]), None, "cut at {cut}");
        }
        assert_eq!(ExtUnit::decode(&[0; 64]), None, "the unused rest of a file");
        assert_eq!(ExtUnit::decode(&[0xff; 64]), None, "a mark");
    }

    #[test]
    fn a_map_that_a_size_cannot_name_is_refused() {
        let unit = |bits| ExtUnit {
            filter_bits: bits,
            ..ExtUnit::default()
        };
        let map = vec![1; i16::MAX as usize];
        assert!(unit(&map[..map.len() - LEAST_BYTES]).encode().is_some());
        assert!(unit(&map[..map.len() - LEAST_BYTES + 1]).encode().is_none());
    }

    #[test]
    fn addresses_are_below_every_hash_and_every_time() {
        assert_eq!(address(0), i64::MIN);
        assert_eq!(byte_of(address(34)), Some(34));
        assert_eq!(byte_of(address(LAST_BYTE)), Some(LAST_BYTE));
        for code in [i64::from(i32::MIN), -1, 0, i64::from(i32::MAX), i64::MAX] {
            assert_eq!(byte_of(code), None);
        }
        assert_eq!(address(LAST_BYTE), i64::from(i32::MIN) - 1);
    }
}
