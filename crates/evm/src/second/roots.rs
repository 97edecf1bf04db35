//! Where the pool keeps a root: proofs are over one of those, and whoever sends one names its slot.

use alloy::contract::Error;
use alloy::primitives::{Address, U256};
use alloy::providers::Provider;
use pool::Fr;

use super::abi::ShieldedPool;
use super::settlement::ENTRY_ROOTS;
use super::word;

/// Slots in which the pool keeps roots of a venue's tree.
pub const VENUE_ROOTS: u8 = 8;

/// The slot of a root of the entry tree, below 64; `None` if the pool has it no longer, or never had: leaves of one
/// minute replace one another's root. The newest is looked at first.
///
/// # Errors
/// If the chain cannot be asked.
pub async fn entry_slot(
    provider: &impl Provider,
    pool: Address,
    root: &Fr,
) -> Result<Option<u8>, Error> {
    let pool = ShieldedPool::new(pool, provider);
    let newest = pool.entry().call().await?.cursor;
    for slot in backwards(newest, ENTRY_ROOTS) {
        if pool.entryRoot(U256::from(slot)).call().await? == word(root) {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

/// The same of a venue's tree, below 8.
///
/// # Errors
/// If the chain cannot be asked.
pub async fn venue_slot(
    provider: &impl Provider,
    pool: Address,
    venue: &Fr,
    root: &Fr,
) -> Result<Option<u8>, Error> {
    let pool = ShieldedPool::new(pool, provider);
    let newest = pool.venue(word(venue)).call().await?.cursor;
    for slot in backwards(newest, VENUE_ROOTS) {
        if pool.venueRoot(word(venue), U256::from(slot)).call().await? == word(root) {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

/// All slots of a ring, from this one back.
fn backwards(newest: u8, slots: u8) -> impl Iterator<Item = u8> {
    let newest = newest % slots;
    (0..slots).map(move |age| (newest + slots - age) % slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_looked_at_from_the_newest_back_each_slot_once() {
        assert_eq!(backwards(1, 4).collect::<Vec<_>>(), [1, 0, 3, 2]);
        assert_eq!(backwards(63, 64).count(), 64);
        // Whatever a node says the cursor is.
        assert!(backwards(255, 64).all(|slot| slot < 64));
    }
}
