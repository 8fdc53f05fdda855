//! Seeded numbers for tests that throw bytes at a reader: the same seed, the same bytes.

/// Xorshift64*, after Marsaglia and Vigna.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed.max(1))
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`, which is above 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.roll() % limit as u64) as usize
    }

    /// `bytes` with one to four bytes changed, cut out or put in, biased to those that mean something in JSON.
    pub(crate) fn damage(&mut self, bytes: &[u8]) -> Vec<u8> {
        const MEANING: &[u8] = b"{}[]:,\"'\\$@.un0-9 \x00\xff\x7f";
        let mut damaged = bytes.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(damaged.len() + 1);
            let byte = if self.below(3) == 0 {
                self.roll() as u8
            } else {
                MEANING[self.below(MEANING.len())]
            };
            match self.below(4) {
                0 if at < damaged.len() => damaged[at] = byte,
                1 if at < damaged.len() => drop(damaged.remove(at)),
                2 => damaged.truncate(at),
                _ => damaged.insert(at, byte),
            }
        }
        damaged
    }
}
