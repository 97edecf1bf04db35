//! The price of a round: the feed's answer that was the newest when the round closed, as the venue will look for it.

use alloy::contract::Error as Call;
use alloy::eips::BlockId;
use alloy::primitives::aliases::U80;
use alloy::primitives::{Address, I256};
use alloy::providers::Provider;
use alloy::transports::TransportError;
use primitives::{Price, Timestamp};

use crate::abi::PriceFeed;

/// Rounds of the feed that are looked at, from the newest back. A feed that has moved more often since a closing is
/// not one of the kind that closings every ten minutes are priced by.
pub const ROUNDS_MAX: u32 = 256;

/// What a round clears at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Consideration units per collateral unit, 8 decimals.
    pub price: Price,
    /// The feed's round, for the settlement.
    pub price_round: U80,
}

/// Why a closing has no price.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// The chain has no block after the closing, so that the feed may still answer before it.
    #[error(
        "the newest block is of {newest}, the closing of {closed_at}; hint: wait for a later block"
    )]
    NotClosed {
        /// Unix seconds.
        newest: u64,
        /// Unix seconds.
        closed_at: u64,
    },
    /// The feed did not answer before the closing, as far as it or we look back.
    #[error("the feed has no answer from before {closed_at} among its newest {looked_at}")]
    NoAnswer {
        /// Unix seconds.
        closed_at: u64,
        /// How many were looked at.
        looked_at: u32,
    },
    /// No price.
    #[error("the feed's round {price_round} answers {answer}, which is no price of 64 bits")]
    OutOfRange {
        /// The feed's round.
        price_round: U80,
        /// As it stands, 8 decimals.
        answer: I256,
    },
    /// The chain does not say what time it is.
    #[error("the chain does not tell its newest block")]
    Block(#[source] Option<TransportError>),
    /// The feed cannot be asked.
    #[error("the price feed {feed} does not answer; hint: is this its address, on this chain?")]
    Feed {
        /// Its address.
        feed: Address,
        /// Why.
        #[source]
        source: Call,
    },
}

/// The answer that was the newest at a closing, read as of one block. How old it may be is the venue's to say.
///
/// # Errors
/// [`PriceError`].
pub async fn at_closing(
    provider: &impl Provider,
    feed: Address,
    closed_at: Timestamp,
) -> Result<Closing, PriceError> {
    let closed_at = closed_at.0;
    let block = provider.get_block(BlockId::latest()).await;
    let block = block.map_err(|source| PriceError::Block(Some(source)))?;
    let block = block.ok_or(PriceError::Block(None))?;
    let newest = block.header.timestamp;
    if newest <= closed_at {
        return Err(PriceError::NotClosed { newest, closed_at });
    }
    let as_of = BlockId::number(block.header.number);
    let contract = PriceFeed::new(feed, provider);
    let failed = |source| PriceError::Feed { feed, source };
    let latest = contract.latestRoundData().block(as_of).call().await.map_err(failed)?;
    let (mut price_round, mut answer, mut updated_at) = (latest._0, latest._1, latest._3);
    for looked_at in 1..=ROUNDS_MAX {
        if !updated_at.is_zero() && updated_at <= alloy::primitives::U256::from(closed_at) {
            let price = u64::try_from(answer).ok().filter(|price| *price != 0);
            let price = price.ok_or(PriceError::OutOfRange { price_round, answer })?;
            return Ok(Closing { price: Price(price), price_round });
        }
        let Some(before) = price_round.checked_sub(U80::from(1)).filter(|round| !round.is_zero())
        else {
            return Err(PriceError::NoAnswer { closed_at, looked_at });
        };
        let round = match contract.getRoundData(before).block(as_of).call().await {
            Ok(round) => round,
            // Some feeds revert for a round that they do not have.
            Err(error) if error.as_revert_data().is_some() => {
                return Err(PriceError::NoAnswer { closed_at, looked_at });
            }
            Err(error) => return Err(failed(error)),
        };
        (price_round, answer, updated_at) = (before, round._1, round._3);
    }
    Err(PriceError::NoAnswer { closed_at, looked_at: ROUNDS_MAX })
}
