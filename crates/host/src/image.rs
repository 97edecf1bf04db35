//! The images of the measured programs, and what they measure, all fixed when this crate was built.
//!
//! The measurement is what makers and nodes demand. It is computed from the build's output, at build time, and
//! never from the file that is about to run: a launcher that measured what it runs and then allowed
//! that would allow anything.

use attestation::{Measurement, Measurements};

use crate::launch;

/// A measured program.
#[derive(Debug)]
pub struct Image {
    /// Its ELF file.
    pub elf: &'static [u8],
    /// `SHA-384(0^48 ‖ SHA-384(elf))`, computed at build time.
    pub pcr0: Measurement,
}

impl Image {
    /// What an enclave measures that runs this with `config` under this launcher.
    pub fn measurements(&self, config: &[u8]) -> Measurements {
        Measurements {
            pcr0: self.pcr0,
            pcr1: Measurement::of(launch::POLICY),
            pcr2: Measurement::of(config),
        }
    }
}

include!(concat!(env!("OUT_DIR"), "/image.rs"));
