//! What becomes of an input by small changes.

/// What lengths, counts, tags and quotes are made of.
const TELLING: [u8; 12] = [0x00, 0x01, 0x7f, 0x80, 0xff, b'"', b'{', b'[', b'-', b'0', b'\n', b' '];

/// Every cut of `seed`, and every byte of it changed in five ways: in all, or evenly spread, at most `most`.
pub(crate) fn bytewise(seed: &[u8], most: usize, mut give: impl FnMut(&[u8])) {
    const WAYS: usize = 6;
    let stride = (seed.len() * WAYS).div_ceil(most).max(1);
    let mut changed = seed.to_vec();
    for way in 0..WAYS {
        // Ways of a spread set fall on different bytes.
        for at in (way % stride..seed.len()).step_by(stride) {
            let byte = seed[at];
            changed[at] = match way {
                0 => byte ^ 1,
                1 => byte ^ 0x80,
                2 => byte.wrapping_add(1),
                3 => 0x00,
                4 => 0xff,
                _ => {
                    give(&seed[..at]);
                    continue;
                }
            };
            give(&changed);
            changed[at] = byte;
        }
    }
}

/// One change: a bit, a byte, a piece cut out, doubled, or of another seed, or the end.
pub(crate) fn alter(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    if bytes.is_empty() {
        return bytes.extend_from_slice(other);
    }
    let (one, two) = (random.below(bytes.len()), random.below(bytes.len()));
    let (from, to) = (one.min(two), one.max(two));
    match random.below(8) {
        0 => bytes[from] ^= 1 << random.below(8),
        1 => bytes[from] = TELLING[random.below(TELLING.len())],
        2 => bytes.insert(from, TELLING[random.below(TELLING.len())]),
        3 => drop(bytes.drain(from..to)),
        4 => bytes.truncate(from),
        5 => bytes.extend_from_within(from..to),
        6 => drop(bytes.splice(from..from, bytes[from..to].to_vec())),
        _ => {
            let end = to.min(other.len());
            drop(bytes.splice(from.., other[from.min(end)..].iter().copied()));
        }
    }
}

/// The same numbers for the same name, so that a test that fails fails again. Source: Marsaglia (2003), "Xorshift
/// RNGs", 64 bits with (13, 7, 17).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(name: &str) -> Self {
        // FNV-1a; never zero, which would stay zero.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash | 1)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 16) % end as u64).expect("below a usize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_changed_and_every_cut_made_where_there_is_room() {
        let seed = [7, 8, 9];
        let mut seen = Vec::new();
        bytewise(&seed, 100, |changed| seen.push(changed.to_vec()));
        assert_eq!(seen.len(), 18);
        for at in 0..seed.len() {
            assert!(seen.contains(&seed[..at].to_vec()), "cut at {at}");
            let changed = seen.iter().filter(|one| one.len() == 3 && one[at] != seed[at]);
            assert_eq!(changed.count(), 5, "byte {at}");
        }
    }

    #[test]
    fn a_long_seed_is_spread_over_what_there_is() {
        let mut seen = 0;
        bytewise(&[1; 10_000], 600, |_| seen += 1);
        assert!((500..=600).contains(&seen), "{seen}");
    }

    #[test]
    fn the_same_name_gives_the_same_changes() {
        let altered = |name| {
            let mut random = Random::new(name);
            let mut bytes = b"a seed of some length".to_vec();
            (0..20).for_each(|_| alter(&mut bytes, b"another", &mut random));
            bytes
        };
        assert_eq!(altered("one"), altered("one"));
        assert_ne!(altered("one"), altered("two"));
    }
}
