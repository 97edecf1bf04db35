//! What a program is, in 48 bytes.

use core::fmt;

use sha2::{Digest, Sha384};

/// The value of one platform configuration register: 48 bytes, a SHA-384 hash chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Measurement(pub [u8; 48]);

impl Measurement {
    /// The value of a register that nothing was extended into. A document in which a measured
    /// register reads zero comes from an enclave in debug mode.
    pub const ZERO: Self = Self([0; 48]);

    /// Measures `content`: one extension of a zero register by its hash,
    /// `SHA-384(0^48 ‖ SHA-384(content))`, as Nitro does for an image file.
    pub fn of(content: &[u8]) -> Self {
        let digest = Sha384::digest(content);
        let mut register = Sha384::new();
        register.update(Self::ZERO.0);
        register.update(digest);
        Self(register.finalize().into())
    }
}

/// Lower-case hexadecimal, 96 digits.
impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The three registers that identify a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Measurements {
    /// The program: the enclave's image (development: its ELF file).
    pub pcr0: Measurement,
    /// What starts it: kernel and boot (development: the launcher's policy).
    pub pcr1: Measurement,
    /// What it was given: the application (development: its configuration).
    pub pcr2: Measurement,
}

impl Measurements {
    /// The 32 bytes by which `EnclaveRegistry` knows this workload:
    /// the first 32 bytes of `SHA-384("cdpr/workload/v1" ‖ PCR0 ‖ PCR1 ‖ PCR2)`.
    pub fn workload_id(&self) -> [u8; 32] {
        let mut hash = Sha384::new();
        hash.update(b"cdpr/workload/v1");
        hash.update(self.pcr0.0);
        hash.update(self.pcr1.0);
        hash.update(self.pcr2.0);
        let digest: [u8; 48] = hash.finalize().into();
        *digest.first_chunk().expect("48 bytes hold 32")
    }
}

/// `pcr0 … pcr1 … pcr2 …`, in hexadecimal.
impl fmt::Display for Measurements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pcr0 {} pcr1 {} pcr2 {}", self.pcr0, self.pcr1, self.pcr2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measuring_extends_a_zero_register_by_the_hash() {
        // echo -n abc | sha384sum, prefixed by 48 zero bytes, hashed again with coreutils.
        assert_eq!(
            Measurement::of(b"abc").to_string(),
            include_str!("../tests/vectors/abc.pcr").trim()
        );
    }

    #[test]
    fn workload_id_depends_on_every_register() {
        let zero = Measurements {
            pcr0: Measurement::ZERO,
            pcr1: Measurement::ZERO,
            pcr2: Measurement::ZERO,
        };
        let one = Measurement([1; 48]);
        let ids = [
            zero.workload_id(),
            Measurements { pcr0: one, ..zero }.workload_id(),
            Measurements { pcr1: one, ..zero }.workload_id(),
            Measurements { pcr2: one, ..zero }.workload_id(),
        ];
        for (i, id) in ids.iter().enumerate() {
            assert!(!ids[..i].contains(id));
        }
    }
}
