//! What all terms and the mandate have in common.

use pool::{Fr, field};
use primitives::{Address, Price, Timestamp, keccak256};

/// One instrument of one issuer, in one pool, at the prices everyone signs.
#[derive(Debug, Clone, Copy)]
pub struct Market {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// `ShieldedPool`.
    pub pool: Address,
    /// The issuer's account.
    pub issuer: Address,
    /// Instrument number.
    pub instrument: u8,
    /// Token that makers lock.
    pub collateral: Address,
    /// Token that they are paid in.
    pub consideration: Address,
    /// Price band, from and to.
    pub price: [Price; 2],
    /// Good until.
    pub expiry: Timestamp,
}

impl Market {
    /// Chain and pool as a scalar: `keccak256(chain id ‖ pool)`, each a 32-byte big-endian word.
    pub(crate) fn pool_id(&self) -> Fr {
        let mut words = [0u8; 64];
        words[24..32].copy_from_slice(&self.chain_id.to_be_bytes());
        words[44..64].copy_from_slice(&self.pool.0);
        field::from_digest(&keccak256(&[&words]))
    }

    pub(crate) fn issuer(&self) -> Fr {
        field::from_address(&self.issuer.0)
    }

    pub(crate) fn collateral(&self) -> Fr {
        field::from_address(&self.collateral.0)
    }

    pub(crate) fn consideration(&self) -> Fr {
        field::from_address(&self.consideration.0)
    }
}
