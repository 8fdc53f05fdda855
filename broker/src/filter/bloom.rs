//! Java's bloom filter: the few bits of a message's bit map that stand for one group's filter.
//!
//! ```text
//! n groups, f percent mistaken for another   ▶ k bits a group = ⌈log½(f/100)⌉, m bits in all = ⌈n · log₂(100/f) · log₂e⌉ up to 8s
//! "group#topic" ─ murmur3_128, low 64 bits ─▶ two halves h₁ h₂ ─▶ bit i = |h₁ + i·h₂| mod m, for i from 1 to k
//! ```
//!
//! The rule that is easy to break: the sums wrap at 32 bits, and a negative one has all its bits flipped. Positions are
//! written to consumerFilter.json and must be the ones Java works out, or it throws its whole file away.
//!
//! Java 4.7.0 `filter/util/BloomFilter.java`, over Guava's `Hashing.murmur3_128`.

use remoting::java::json::number_array;
use serde::{Deserialize, Serialize};

/// How many bits there are, and how many a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BloomFilter {
    bits: u32,
    bits_each: u32,
}

/// The bits of one group and topic, as consumerFilter.json holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BloomBits {
    /// How many bits there are in all.
    pub bit_num: u32,
    /// Which of them, in the order they were worked out.
    #[serde(serialize_with = "number_array")]
    pub bit_pos: Vec<u32>,
}

impl BloomBits {
    /// Sets them in a bit map.
    pub(super) fn set_in(&self, map: &mut [u8]) {
        for at in &self.bit_pos {
            if let Some(byte) = map.get_mut((at / 8) as usize) {
                *byte |= 1 << (at % 8);
            }
        }
    }

    /// Whether all of them are set in a bit map. One of another length tells nothing: true.
    pub(super) fn are_set_in(&self, map: &[u8]) -> bool {
        let is_set = |at: &u32| {
            let byte = map.get((at / 8) as usize);
            byte.is_some_and(|byte| byte & 1 << (at % 8) != 0)
        };
        map.len() as u64 * 8 != u64::from(self.bit_num) || self.bit_pos.iter().all(is_set)
    }
}

impl BloomFilter {
    /// One without bits.
    pub(super) const NONE: BloomFilter = BloomFilter {
        bits: 0,
        bits_each: 0,
    };

    /// For so many groups (`expectConsumerNumUseFilter`) and so many percent of mistakes (`maxErrorRateOfBloomFilter`);
    /// `None` outside 1 to 99 percent, and without a group.
    #[must_use]
    pub fn new(groups: i32, error_percent: i32) -> Option<BloomFilter> {
        if !(1..100).contains(&error_percent) || groups < 1 {
            return None;
        }
        let log = |base: f64, of: f64| of.ln() / base.ln();
        let error = f64::from(error_percent) / 100.0;
        let least = f64::from(groups) * log(2.0, 1.0 / error) * log(2.0, std::f64::consts::E);
        // Java narrows twice; both numbers stay far below 2³¹ for any number of groups that has a use.
        Some(BloomFilter {
            bits: (8.0 * (f64::from(least.ceil() as i32) / 8.0).ceil()) as u32,
            bits_each: log(0.5, error).ceil() as u32,
        })
    }

    /// How many bits there are: the length of a message's bit map.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// The bits of a group's filter for a topic.
    #[must_use]
    pub fn bits_of(&self, group: &str, topic: &str) -> BloomBits {
        let hash = murmur3_low(format!("{group}#{topic}").as_bytes());
        let (first, second) = (hash as i32, (hash >> 32) as i32);
        let position = |i: u32| {
            let sum = first.wrapping_add((i as i32).wrapping_mul(second));
            let positive = if sum < 0 { !sum } else { sum };
            positive.unsigned_abs() % self.bits.max(1)
        };
        BloomBits {
            bit_num: self.bits,
            bit_pos: (1..=self.bits_each).map(position).collect(),
        }
    }

    /// Whether bits were worked out by a filter like this one.
    #[must_use]
    pub fn made(&self, bits: &BloomBits) -> bool {
        bits.bit_num == self.bits && bits.bit_pos.len() == self.bits_each as usize
    }
}

/// The low 64 bits of murmur3, 128 bits for 64-bit machines, seed 0.
fn murmur3_low(bytes: &[u8]) -> u64 {
    const FIRST: u64 = 0x87c3_7b91_1142_53d5;
    const SECOND: u64 = 0x4cf5_ad43_2745_937f;
    let first = |part: u64| {
        part.wrapping_mul(FIRST)
            .rotate_left(31)
            .wrapping_mul(SECOND)
    };
    let second = |part: u64| {
        part.wrapping_mul(SECOND)
            .rotate_left(33)
            .wrapping_mul(FIRST)
    };
    let (mut low, mut high) = (0_u64, 0_u64);
    let (blocks, rest) = bytes.as_chunks::<16>();
    for block in blocks {
        let (a, b) = halves(block);
        low = (low ^ first(a)).rotate_left(27).wrapping_add(high);
        low = low.wrapping_mul(5).wrapping_add(0x52dc_e729);
        high = (high ^ second(b)).rotate_left(31).wrapping_add(low);
        high = high.wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let mut last = [0; 16];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let (a, b) = halves(&last);
    let length = bytes.len() as u64;
    low ^= first(a) ^ length;
    high ^= second(b) ^ length;
    low = low.wrapping_add(high);
    high = high.wrapping_add(low);
    mixed(low).wrapping_add(mixed(high))
}

/// Two words of a block, their least byte first, as murmur3 defines it.
fn halves(block: &[u8; 16]) -> (u64, u64) {
    let word = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte))
    };
    let (low, high) = block.split_at(8);
    (word(low), word(high))
}

fn mixed(word: u64) -> u64 {
    let word = (word ^ word >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let word = (word ^ word >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    word ^ word >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn javas_defaults_give_112_bits_three_of_them_a_group() {
        let bloom = BloomFilter::new(32, 20).expect("Java's defaults");
        assert_eq!((bloom.bits, bloom.bits_each), (112, 3));
        assert_eq!(
            BloomFilter::new(64, 20).map(|bloom| bloom.bits()),
            Some(216)
        );
        assert_eq!(BloomFilter::new(0, 20), None);
        assert_eq!(BloomFilter::new(32, 0), None);
        assert_eq!(BloomFilter::new(32, 100), None);
    }

    #[test]
    fn positions_are_the_ones_java_has_written() {
        let bloom = BloomFilter::new(32, 20).expect("Java's defaults");
        let bits = bloom.bits_of("golden_consumer", "GoldenSql");
        assert_eq!(
            bits.bit_pos,
            [9, 83, 79],
            "golden/store/config/consumerFilter.json"
        );
        assert!(bloom.made(&bits));
        assert!(!BloomFilter::new(64, 20).expect("legal").made(&bits));
    }

    #[test]
    fn murmur3_is_the_published_one() {
        assert_eq!(murmur3_low(b""), 0);
        let text = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(murmur3_low(text), 0xe34b_bc7b_bc07_1b6c);
    }
}
