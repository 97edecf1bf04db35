//! The scripted parties: `client`'s makers, issuer and custodian, with keys drawn from the seed and, for a maker,
//! the draw that says when it acts.

use client::{Line, Market, Secrets};
use primitives::Amount;

use crate::panel::Maker;
use crate::{Error, entropy};

/// A maker of the panel with its keys.
#[derive(Debug)]
pub struct MakerAgent {
    /// Its draw.
    pub maker: Maker,
    /// What it holds.
    pub client: client::Maker,
}

impl MakerAgent {
    /// Writes terms for a drawn maker, and a note to lock under them.
    pub(crate) fn new(maker: Maker, market: &Market, secrets: Secrets, fill_min: Amount) -> Self {
        let line = Line {
            capacity: maker.capacity,
            premium_min: maker.premium_min,
            fill_min,
            gap_band_max: maker.gap_band_max,
        };
        Self { maker, client: client::Maker::new(line, market, secrets) }
    }
}

/// A party's secrets, from the run's seed.
///
/// # Errors
/// [`Error::OffDevnet`] on any chain but 31 337.
pub(crate) fn secrets(seed: u64, party: &str, chain_id: u64) -> Result<Secrets, Error> {
    let entropy = entropy(seed, party, chain_id)?;
    Ok(Secrets::new(move |label, counter| entropy.draw(label, counter)))
}
