//! Chance that can be had again.

/// xorshift64*.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Neighbouring seeds give unlike rolls.
    pub fn new(seed: u64) -> Dice {
        let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Dice((state ^ (state >> 31)) | 1)
    }

    /// 0 up to `sides`, exclusively; 0 for no sides.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        value as usize % sides.max(1)
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }

    /// True once in so many times.
    pub fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }
}
