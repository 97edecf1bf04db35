//! Fixed-width encodings: integers big-endian, field elements as [`crate::field`] has them.
//!
//! Every encoding is a version byte followed by the fields in declaration order, so its length says
//! nothing about its contents, and each value has exactly one.

use crate::{Fr, field};

/// Why bytes are not a record of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Wrong number of bytes.
    #[error("{record} has {found} bytes, must have {expected}")]
    Length {
        /// What was being decoded.
        record: &'static str,
        /// Bytes it has.
        found: usize,
        /// Bytes it must have.
        expected: usize,
    },
    /// Written by another version of this program, or not such a record at all.
    #[error("{record} has version {found}, must have {expected}")]
    Version {
        /// What was being decoded.
        record: &'static str,
        /// Version it has.
        found: u8,
        /// Version it must have.
        expected: u8,
    },
    /// An integer beyond its range, which no commitment of ours would contain.
    #[error("{record} has a {field} out of range: {found} is not below 2^{bits}")]
    Range {
        /// What was being decoded.
        record: &'static str,
        /// Its field.
        field: &'static str,
        /// The integer found.
        found: u128,
        /// Bits it may have.
        bits: u32,
    },
    /// A field element of `p` or more.
    #[error("{record} has a field element that is not reduced")]
    Field {
        /// What was being decoded.
        record: &'static str,
        /// What was wrong with it.
        #[source]
        source: field::Error,
    },
    /// Padding that is not zero: a second encoding of the same value.
    #[error("{record} has padding that is not zero")]
    Padding {
        /// What was being decoded.
        record: &'static str,
    },
}

/// Writes what [`Reader`] reads: `N` bytes, zero where nothing was written.
pub(crate) struct Writer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Writer<N> {
    pub(crate) fn new(version: u8) -> Self {
        Self { bytes: [0; N], len: 0 }.put(&[version])
    }

    pub(crate) fn field(self, value: &Fr) -> Self {
        self.put(&field::to_bytes(value))
    }

    pub(crate) fn put(mut self, bytes: &[u8]) -> Self {
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
        self
    }

    pub(crate) fn finish(self) -> [u8; N] {
        self.bytes
    }
}

pub(crate) struct Reader<'a> {
    record: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts reading a `record` of exactly `len` bytes whose first byte is `version`.
    pub(crate) fn new(
        record: &'static str,
        bytes: &'a [u8],
        len: usize,
        version: u8,
    ) -> Result<Self, Error> {
        if bytes.len() != len {
            return Err(Error::Length { record, found: bytes.len(), expected: len });
        }
        let mut reader = Self { record, rest: bytes };
        let [found] = reader.take();
        if found != version {
            return Err(Error::Version { record, found, expected: version });
        }
        Ok(reader)
    }

    pub(crate) fn field(&mut self) -> Result<Fr, Error> {
        let record = self.record;
        field::from_bytes(&self.take()).map_err(|source| Error::Field { record, source })
    }

    pub(crate) fn u8(&mut self) -> u8 {
        let [byte] = self.take();
        byte
    }

    pub(crate) fn u16(&mut self, name: &'static str, bits: u32) -> Result<u16, Error> {
        let found = u16::from_be_bytes(self.take());
        self.check(name, u128::from(found), bits)?;
        Ok(found)
    }

    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    pub(crate) fn u64(&mut self, name: &'static str, bits: u32) -> Result<u64, Error> {
        let found = u64::from_be_bytes(self.take());
        self.check(name, u128::from(found), bits)?;
        Ok(found)
    }

    pub(crate) fn u128(&mut self, name: &'static str, bits: u32) -> Result<u128, Error> {
        let found = u128::from_be_bytes(self.take());
        self.check(name, found, bits)?;
        Ok(found)
    }

    /// What is left must be zero.
    pub(crate) fn padding(self) -> Result<(), Error> {
        if self.rest.iter().any(|byte| *byte != 0) {
            return Err(Error::Padding { record: self.record });
        }
        Ok(())
    }

    fn check(&self, name: &'static str, found: u128, bits: u32) -> Result<(), Error> {
        if found.checked_shr(bits).unwrap_or(0) != 0 {
            return Err(Error::Range { record: self.record, field: name, found, bits });
        }
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.rest.split_first_chunk().expect("the length was checked");
        self.rest = rest;
        *head
    }
}
