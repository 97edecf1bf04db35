//! The part of CBOR (RFC 8949) that attestation documents use, read strictly.
//!
//! Strict means: an argument in its shortest form, byte and text strings of definite length,
//! UTF-8 text, no reserved values. Maps and arrays may have indefinite lengths, because AWS's
//! module writes its payload so. Duplicate keys are the caller's to refuse.

use crate::error::CborProblem;

/// Items inside items that [`Reader::skip`] follows. Real documents nest two deep.
const DEPTH_MAX: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The number of items announced, or `None` for an indefinite container.
type Count = Option<u64>;

/// Where in its items an array or map is.
#[derive(Debug)]
pub(crate) struct Items(Count);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Argument {
    Value(u64),
    Indefinite,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Nothing may follow.
    pub(crate) fn end(&self) -> Result<(), CborProblem> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.problem("trailing bytes")) }
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, CborProblem> {
        match self.head()? {
            (0, Argument::Value(value)) => Ok(value),
            _ => Err(self.problem("expected an unsigned integer")),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], CborProblem> {
        match self.head()? {
            (2, Argument::Value(len)) => self.slice(len),
            _ => Err(self.problem("expected a byte string of definite length")),
        }
    }

    /// A byte string, or `None` for null.
    pub(crate) fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, CborProblem> {
        match self.head()? {
            (2, Argument::Value(len)) => self.slice(len).map(Some),
            (7, Argument::Value(22)) => Ok(None),
            _ => Err(self.problem("expected a byte string of definite length, or null")),
        }
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, CborProblem> {
        match self.head()? {
            (3, Argument::Value(len)) => {
                let bytes = self.slice(len)?;
                core::str::from_utf8(bytes).map_err(|_| self.problem("text is not UTF-8"))
            }
            _ => Err(self.problem("expected a text string of definite length")),
        }
    }

    pub(crate) fn array(&mut self) -> Result<Items, CborProblem> {
        match self.head()? {
            (4, argument) => Ok(Items(argument.count())),
            _ => Err(self.problem("expected an array")),
        }
    }

    pub(crate) fn map(&mut self) -> Result<Items, CborProblem> {
        match self.head()? {
            (5, argument) => Ok(Items(argument.count())),
            _ => Err(self.problem("expected a map")),
        }
    }

    /// Whether another item (of a map: another pair) follows; takes the end of an indefinite one.
    pub(crate) fn more(&mut self, items: &mut Items) -> Result<bool, CborProblem> {
        match &mut items.0 {
            Some(0) => Ok(false),
            Some(count) => {
                *count -= 1;
                Ok(true)
            }
            None if self.bytes.get(self.at) == Some(&0xff) => {
                self.at += 1;
                items.0 = Some(0);
                Ok(false)
            }
            None => Ok(true),
        }
    }

    /// Passes one item whose meaning is unknown.
    pub(crate) fn skip(&mut self) -> Result<(), CborProblem> {
        self.skip_within(DEPTH_MAX)
    }

    fn skip_within(&mut self, depth: usize) -> Result<(), CborProblem> {
        let (major, argument) = self.head()?;
        match (major, argument) {
            (0 | 1 | 7, Argument::Value(_)) => Ok(()),
            (2, Argument::Value(len)) => self.slice(len).map(drop),
            (3, Argument::Value(len)) => {
                let bytes = self.slice(len)?;
                core::str::from_utf8(bytes).map(drop).map_err(|_| self.problem("text is not UTF-8"))
            }
            _ if depth == 0 => Err(self.problem("nested too deeply")),
            (4 | 5, argument) => {
                let mut items = Items(argument.count());
                while self.more(&mut items)? {
                    for _ in 3..major {
                        self.skip_within(depth - 1)?;
                    }
                }
                Ok(())
            }
            (6, Argument::Value(_)) => self.skip_within(depth - 1),
            _ => Err(self.problem("indefinite length here")),
        }
    }

    /// Major type and argument of the next item.
    fn head(&mut self) -> Result<(u8, Argument), CborProblem> {
        let [first] = self.array_of()?;
        let (major, low) = (first >> 5, first & 0x1f);
        let (value, least) = match low {
            0..24 => (u64::from(low), 0),
            24 => {
                (u64::from(u8::from_be_bytes(self.array_of()?)), if major == 7 { 32 } else { 24 })
            }
            25 => (u64::from(u16::from_be_bytes(self.array_of()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.array_of()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.array_of()?), 1 << 32),
            31 if matches!(major, 2..=5) => return Ok((major, Argument::Indefinite)),
            _ => return Err(self.problem("reserved value")),
        };
        // A float's bits (major type 7) are not a length, so they have no shorter form to prefer.
        if value < least && !(major == 7 && low > 24) {
            return Err(self.problem("argument not in its shortest form"));
        }
        Ok((major, Argument::Value(value)))
    }

    fn slice(&mut self, len: u64) -> Result<&'a [u8], CborProblem> {
        let slice = usize::try_from(len)
            .ok()
            .and_then(|len| self.bytes[self.at..].get(..len))
            .ok_or_else(|| self.problem("ends early"))?;
        self.at += slice.len();
        Ok(slice)
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], CborProblem> {
        self.slice(N as u64).map(|slice| slice.try_into().expect("sliced to this length"))
    }

    fn problem(&self, what: &'static str) -> CborProblem {
        CborProblem { at: self.at, what }
    }
}

impl Argument {
    fn count(self) -> Count {
        match self {
            Self::Value(value) => Some(value),
            Self::Indefinite => None,
        }
    }
}

/// Appends the head of an item in its shortest form.
pub(crate) fn put_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    match argument {
        0..24 => out.push(major | bytes[7]),
        24..0x100 => out.extend_from_slice(&[major | 24, bytes[7]]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend_from_slice(&bytes[4..]);
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Appends a byte string.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_head(out, 2, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a text string.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_head(out, 3, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skips(bytes: &[u8]) -> bool {
        let mut reader = Reader::new(bytes);
        reader.skip().is_ok() && reader.end().is_ok()
    }

    #[test]
    fn well_formed_items_are_passed() {
        // From RFC 8949, appendix A.
        let items: [&[u8]; 14] = [
            &[0x00],
            &[0x17],
            &[0x18, 0x18],
            &[0x1b, 0x00, 0x00, 0x00, 0xe8, 0xd4, 0xa5, 0x10, 0x00],
            &[0x20],
            &[0xf9, 0x00, 0x00],
            &[0xfb, 0x3f, 0xf1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a],
            &[0xf6],
            &[0xf8, 0xff],
            &[0xc1, 0x1a, 0x51, 0x4b, 0x67, 0xb0],
            &[0x44, 0x01, 0x02, 0x03, 0x04],
            &[0x62, 0xc3, 0xbc],
            &[0x82, 0x61, 0x61, 0xa1, 0x61, 0x62, 0x61, 0x63],
            &[0x9f, 0x01, 0xbf, 0x61, 0x61, 0x01, 0xff, 0xff],
        ];
        for item in items {
            assert!(skips(item), "{item:02x?}");
        }
    }

    #[test]
    fn loose_items_are_refused() {
        let items: [(&[u8], &str); 12] = [
            (&[], "nothing"),
            (&[0x18, 0x17], "one byte argument that fits the head"),
            (&[0x19, 0x00, 0xff], "two byte argument that fits one"),
            (&[0x1a, 0x00, 0x00, 0xff, 0xff], "four byte argument that fits two"),
            (&[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], "eight byte argument that fits four"),
            (&[0xf8, 0x18], "reserved simple value"),
            (&[0x1c], "reserved argument"),
            (&[0x5f, 0x41, 0x00, 0xff], "indefinite byte string"),
            (&[0x7f, 0x61, 0x61, 0xff], "indefinite text"),
            (&[0xff], "break outside a container"),
            (&[0x61, 0xff], "text that is not UTF-8"),
            (&[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "length beyond the end"),
        ];
        for (item, why) in items {
            assert!(!skips(item), "{why}");
        }
        assert!(!skips(&[0x00, 0x00]), "trailing byte");
        assert!(!skips(&[0xbf, 0x01, 0xff]), "key without a value");
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(skips(&[&[0x81; 8][..], &[0x00]].concat()));
        assert!(!skips(&[&[0x81; 9][..], &[0x00]].concat()));
        assert!(!skips(&[0x81; 30_000]));
    }

    #[test]
    fn heads_are_written_in_the_shortest_form() {
        for value in [0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let mut out = Vec::new();
            put_head(&mut out, 0, value);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.unsigned().unwrap(), value);
            reader.end().unwrap();
        }
    }
}
