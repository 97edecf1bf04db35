//! The enclave's image, and what it measures, both fixed when this crate was built.
//!
//! The measurement is what makers demand. It is computed from the build's output, at build time, and
//! never from the file that is about to run: a launcher that measured what it runs and then allowed
//! that would allow anything.

use attestation::{Measurement, Measurements};

use crate::launch;

include!(concat!(env!("OUT_DIR"), "/image.rs"));

/// What an enclave measures that runs [`ENCLAVE`] with `config` under this launcher.
pub fn measurements(config: &[u8]) -> Measurements {
    Measurements {
        pcr0: Measurement(MEASUREMENT),
        pcr1: Measurement::of(launch::POLICY),
        pcr2: Measurement::of(config),
    }
}
