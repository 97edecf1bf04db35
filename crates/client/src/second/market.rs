//! What all terms and the mandate have in common.

use pool::second::account::Holder;
use pool::second::context::Deployment;
use pool::second::deal::{Deal, Scale};
use pool::second::wallet::Asset;
use pool::{Fr, field};
use primitives::{Address, Price, Timestamp};

use super::Error;

/// One instrument of one issuer, at one venue, at the prices everyone signs.
#[derive(Debug, Clone, Copy)]
pub struct Market {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// `ShieldedPool`.
    pub pool: Address,
    /// `DarkPool`: the venue.
    pub venue: Address,
    /// The issuer's account.
    pub issuer: Address,
    /// Instrument number.
    pub instrument: u8,
    /// Token that makers lock.
    pub collateral: Address,
    /// Its decimals.
    pub collateral_decimals: u8,
    /// Token that they are paid in.
    pub consideration: Address,
    /// Its decimals.
    pub consideration_decimals: u8,
    /// Price band, from and to.
    pub price: [Price; 2],
    /// Good until.
    pub expiry: Timestamp,
}

impl Market {
    /// The pool, as contexts name it.
    pub fn deployment(&self) -> Deployment {
        Deployment { chain_id: self.chain_id, pool: self.pool.0 }
    }

    /// The tokens, as wallets name them.
    pub fn assets(&self) -> Vec<Asset> {
        let asset = |address: Address, decimals| Asset { address: scalar(address), decimals };
        vec![
            asset(self.collateral, self.collateral_decimals),
            asset(self.consideration, self.consideration_decimals),
        ]
    }

    /// What terms and mandate are for.
    ///
    /// # Errors
    /// [`Error::Decimals`].
    pub fn deal(&self) -> Result<Deal, Error> {
        let (collateral, consideration) = (self.collateral_decimals, self.consideration_decimals);
        let scale = Scale::between(collateral, consideration);
        Ok(Deal {
            issuer: scalar(self.issuer),
            instrument: Fr::from(self.instrument),
            consideration_asset: scalar(self.consideration),
            venue: self.deployment().venue(&self.venue.0),
            scale: scale.ok_or(Error::Decimals { collateral, consideration })?,
        })
    }

    pub(super) fn holder(&self) -> Holder {
        Holder {
            venue: self.deployment().venue(&self.venue.0),
            issuer: scalar(self.issuer),
            collateral_asset: scalar(self.collateral),
            consideration_asset: scalar(self.consideration),
        }
    }
}

fn scalar(address: Address) -> Fr {
    field::from_address(&address.0)
}
