//! The study's own randomness: resampling and scrambling. The model's is in `risk`, keyed by run, agent and purpose.

/// A stream of numbers that depends on its key alone: `SplitMix64`.
///
/// Source: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators", figure 16.
#[derive(Debug, Clone)]
pub struct Stream {
    state: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Stream {
    /// The stream of a seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The stream of a seed and of the words that say what it is for.
    pub fn keyed(seed: u64, key: &[u64]) -> Self {
        let state = key.iter().fold(mix(seed ^ GOLDEN), |state, word| {
            mix(state.wrapping_add(GOLDEN) ^ mix(word.wrapping_add(GOLDEN)))
        });
        Self { state }
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// Uniform in [0, 1), 53 bits.
    pub const fn uniform(&mut self) -> f64 {
        crate::stats::to_f64(self.bits() >> 11) / 9_007_199_254_740_992.0
    }

    /// Uniform in 0..bound. The bias is below bound / 2⁶⁴.
    ///
    /// # Panics
    /// If `bound` is zero.
    pub const fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "no index below zero");
        let wide = (self.bits() as u128) * (bound as u128);
        #[allow(clippy::cast_possible_truncation, reason = "the high word is below `bound`")]
        let index = (wide >> 64) as usize;
        index
    }

    /// A standard normal, by inversion.
    pub fn normal(&mut self) -> f64 {
        crate::stats::normal_quantile(self.uniform() + f64::EPSILON / 4.0)
    }

    /// Shuffles in place (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published outputs for seed 1234567, of the reference implementation in C.
    #[test]
    fn the_stream_is_splitmix64() {
        let mut stream = Stream::new(1_234_567);
        let outputs: [u64; 3] = std::array::from_fn(|_| stream.bits());
        assert_eq!(
            outputs,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn uniform_numbers_have_the_moments_of_the_uniform() {
        let mut stream = Stream::keyed(1, &[2, 3]);
        let n = 100_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let u = stream.uniform();
            sum += u;
            squares += u * u;
        }
        assert!((sum / f64::from(n) - 0.5).abs() < 4.0 * (1.0 / 12.0 / f64::from(n)).sqrt());
        assert!((squares / f64::from(n) - 1.0 / 3.0).abs() < 0.005);
    }
}
