//! What every decoder that a stranger reaches has to stand. A crate because one list of them serves two: tests
//! replay it on every change, and fuzzing looks further from the same inputs. The list is `tests/list`, one file a
//! family, so that whoever is tested here is a dependency of tests and of nothing else; `fuzz` is a workspace of
//! its own, since the fuzzer's engine is C++.
//!
//! Nouns: a [`Decoder`] is a row of the list; [`Decoder::meet`] gives it one input, [`replay`] every input there is.
//!
//! What holds for every input:
//! 1. The decoder returns: it takes the bytes or refuses them.
//! 2. It holds no more memory at once than [`MEMORY_FIXED`] and its row's multiple of the input's length.
//! 3. What it takes has one encoding, or, where a format has several, encodes to something it takes as the same.
//!    A row's function says which, and panics where that does not hold.

mod change;
mod memory;

use std::any::Any;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use change::{Random, alter, bytewise};

/// Memory that any decoder may hold, in bytes, whatever it is given: the state that it decodes into, and the megabyte
/// that borsh takes for a byte string before it looks how much of it is there.
pub const MEMORY_FIXED: usize = 2 << 20;

/// Inputs made of one seed by changing one byte: all there are, or so many, evenly spread.
const BYTEWISE_MAX: usize = 4_000;
/// And so many bytes of them: hostile seeds are long.
const BYTES_MAX: usize = 1 << 24;
/// Inputs made by several changes at once, for a whole row.
const ALTERED: usize = 1_000;

/// One decoder, and what it is given.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    name: &'static str,
    takes: fn(&[u8]) -> bool,
    good: fn() -> Vec<Vec<u8>>,
    bad: fn() -> Vec<Vec<u8>>,
    per_byte: usize,
    slowness: usize,
}

impl Decoder {
    /// A row. `takes` says whether bytes are taken, and panics where what is taken does not encode to the same.
    /// `good` are inputs that are taken, at least one, made by the encoder if there is one.
    #[must_use]
    pub const fn new(
        name: &'static str,
        takes: fn(&[u8]) -> bool,
        good: fn() -> Vec<Vec<u8>>,
    ) -> Self {
        Self { name, takes, good, bad: Vec::new, per_byte: 64, slowness: 1 }
    }

    /// Inputs that are refused, and that no small change of a good one gives.
    #[must_use]
    pub const fn bad(mut self, bad: fn() -> Vec<Vec<u8>>) -> Self {
        self.bad = bad;
        self
    }

    /// Bytes held at once for a byte of input, where 64 do not suffice.
    #[must_use]
    pub const fn per_byte(mut self, per_byte: usize) -> Self {
        self.per_byte = per_byte;
        self
    }

    /// It is slow, so it meets only one in so many of the changed inputs: ten where it takes a millisecond.
    #[must_use]
    pub const fn slow(mut self, one_in: usize) -> Self {
        self.slowness = one_in;
        self
    }

    /// What it is called.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Gives it one input; whether that was taken.
    ///
    /// # Panics
    /// If what holds for every input does not hold for this one.
    #[must_use]
    pub fn meet(&self, input: &[u8]) -> bool {
        let (taken, held) = memory::peak(|| (self.takes)(input));
        let (len, most) = (input.len(), self.per_byte * input.len() + MEMORY_FIXED);
        assert!(
            held <= most,
            "{} holds {held} bytes for an input of {len}, at most {most} are allowed",
            self.name
        );
        taken
    }
}

/// Gives each decoder its good and bad inputs, what is kept of it in `corpus/<name>`, and what changes make of them.
///
/// # Panics
/// If a good input is refused or a bad one taken; if something does not hold. For each decoder of which that is so,
/// with the first such input in hexadecimal.
pub fn replay(family: &[Decoder], corpus: &Path) {
    let stands = |decoder| catch_unwind(|| replay_row(decoder, corpus)).map_err(words);
    let failures: Vec<String> = family.iter().filter_map(|decoder| stands(decoder).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn replay_row(decoder: &Decoder, corpus: &Path) {
    let Decoder { name, slowness, .. } = *decoder;
    let (good, bad) = ((decoder.good)(), (decoder.bad)());
    assert!(!good.is_empty(), "{name}: a row has an input that is taken");
    for input in &good {
        assert!(meet(decoder, input), "{name}: a good input is refused: {}", Hex(input));
    }
    for input in &bad {
        assert!(!meet(decoder, input), "{name}: a bad input is taken: {}", Hex(input));
    }
    let kept = kept(&corpus.join(name))
        .unwrap_or_else(|error| panic!("{}/{name}: {error}", corpus.display()));
    let seeds: Vec<Vec<u8>> = [good, bad, kept].concat();
    for seed in &seeds {
        meet(decoder, seed);
        let most = (BYTES_MAX / seed.len().max(1)).min(BYTEWISE_MAX) / slowness;
        bytewise(seed, most.max(1), |changed| {
            meet(decoder, changed);
        });
    }
    let mut random = Random::new(name);
    for _ in 0..ALTERED / slowness {
        let mut input = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(3) {
            alter(&mut input, &seeds[random.below(seeds.len())], &mut random);
        }
        meet(decoder, &input);
    }
}

/// One input of a fuzzer: its first byte says which decoder of the family meets the rest.
///
/// # Panics
/// If something does not hold.
pub fn fuzz(family: &[Decoder], input: &[u8]) {
    if let Some((choice, input)) = input.split_first() {
        let _taken_or_not = family[usize::from(*choice) % family.len()].meet(input);
    }
}

/// Writes the inputs of a family into `folder` as [`fuzz`] reads them, for a fuzzer to begin with.
///
/// # Errors
/// If they cannot be written.
pub fn seed(family: &[Decoder], folder: &Path) -> io::Result<()> {
    for (choice, decoder) in (0..=u8::MAX).zip(family) {
        let name = decoder.name.replace('/', "-");
        let seeds = (decoder.good)().into_iter().chain((decoder.bad)());
        for (idx, seed) in seeds.enumerate() {
            fs::write(folder.join(format!("{name}-{idx}")), [&[choice][..], &seed].concat())?;
        }
    }
    Ok(())
}

/// Inputs that were found and are kept: most rows have none.
fn kept(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut paths =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    paths.into_iter().map(fs::read).collect()
}

/// [`Decoder::meet`], with the input in the panic's words.
fn meet(decoder: &Decoder, input: &[u8]) -> bool {
    // What a decoder unwinds through is gone with it.
    catch_unwind(AssertUnwindSafe(|| decoder.meet(input))).unwrap_or_else(|payload| {
        panic!("{}: {}\ninput: {}", decoder.name, words(payload), Hex(input))
    })
}

fn words(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(words) => *words,
        Err(payload) => (*payload.downcast_ref::<&str>().unwrap_or(&"it panics")).to_owned(),
    }
}

struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn row(takes: fn(&[u8]) -> bool) -> Decoder {
        Decoder::new("tests/row", takes, || vec![b"seed".to_vec()])
    }

    fn failure(decoder: Decoder) -> String {
        let nowhere = Path::new("nowhere");
        words(catch_unwind(|| replay(&[decoder], nowhere)).expect_err("it does not stand"))
    }

    #[test]
    fn a_decoder_that_panics_is_named_with_its_input() {
        let said = failure(row(|bytes| {
            assert_ne!(bytes.get(2), Some(&0xff), "the third byte");
            true
        }));
        assert!(said.starts_with("tests/row: assertion"), "{said}");
        assert!(said.contains("the third byte") && said.contains("input: 7365ff64"), "{said}");
    }

    #[test]
    fn memory_that_the_input_promises_is_found_though_it_is_never_touched() {
        let said = failure(row(|bytes| {
            let len = bytes.first().map_or(0, |byte| usize::from(*byte) << 14);
            std::hint::black_box(Vec::<u8>::with_capacity(len)).is_empty()
        }));
        assert!(said.contains("bytes for an input of 4, at most 2097408 are allowed"), "{said}");
    }

    #[test]
    fn what_a_row_says_of_its_inputs_is_compared() {
        assert!(failure(row(<[u8]>::is_empty)).contains("a good input is refused: 73656564"));
        let lenient = row(|_| true).bad(|| vec![vec![1]]);
        assert!(failure(lenient).contains("a bad input is taken: 01"));
    }

    #[test]
    fn the_first_byte_of_a_fuzzers_input_chooses_the_decoder() {
        let family = [row(|_| true), row(|bytes| panic!("met {bytes:?}"))];
        fuzz(&family, &[]);
        fuzz(&family, &[2, 7]);
        let payload = catch_unwind(|| fuzz(&family, &[1, 7])).expect_err("the second one");
        assert_eq!(words(payload), "met [7]");
    }
}
