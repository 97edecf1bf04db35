//! The address file: where a system is, for everything that speaks to it.

use std::path::Path;

use anyhow::Context as _;
use client::second::Market;
use don::http::connect_within;
use evm::Patience;
use evm::abi::CashToken as Token;
use evm::alloy::eips::BlockNumberOrTag;
use evm::alloy::primitives::{Address, U256};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::second::abi::{DarkPool, ShieldedPool};
use evm::second::deploy::Deployment;
use evm::second::word;
use primitives::{Price, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::commands::{refuse, text};

/// Most decimals of a token: beyond that a pool's largest amount is less than one.
const DECIMALS_MAX: u8 = 33;

/// What an address file is.
const FORMAT: &str = "cdpr/addresses/v1";

/// Contracts, and what everyone who deals at them agrees on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Addresses {
    /// [`FORMAT`]: the first key, by which the file is known as ours.
    format: String,
    /// A node of the chain, if one is known.
    pub(crate) rpc: Option<String>,
    /// No block before this one has a log of the contracts.
    pub(crate) created: u64,
    pub(crate) instrument: Instrument,
    pub(crate) contracts: Deployment,
}

/// What all terms at the venue have in common.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Instrument {
    /// Its number.
    pub(crate) number: u8,
    /// Consideration units per collateral unit that terms allow, from and to, 8 decimals.
    pub(crate) price: [u64; 2],
    /// Terms are good until then, Unix seconds.
    pub(crate) expiry: u64,
}

impl Connected {
    /// Number and time, Unix seconds, of the newest block that is final; on a development chain, where nothing is taken
    /// back, of the newest.
    pub(crate) async fn final_block(&self) -> Result<(u64, u64), Failure> {
        let tag = if self.market.chain_id == evm::DEVELOPMENT_CHAIN_ID {
            BlockNumberOrTag::Latest
        } else {
            BlockNumberOrTag::Finalized
        };
        let block = self.provider.get_block_by_number(tag).await.context("asking for a block")?;
        let header = block.context("the node knows no final block")?.header;
        Ok((header.number, header.timestamp))
    }
}

impl Addresses {
    pub(crate) fn new(
        contracts: Deployment,
        created: u64,
        instrument: Instrument,
        rpc: String,
    ) -> Self {
        Self { format: FORMAT.to_owned(), rpc: Some(rpc), created, instrument, contracts }
    }

    /// Reads an address file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |what| refuse(format!("{}: {what}", path.display()), "`cdpr dev` writes one");
        Self::parse(&text(path)?).map_err(wrong)
    }

    /// The same from a file's text; else what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let addresses: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if addresses.format != FORMAT {
            return Err(format!("format {:?} where {FORMAT:?} is read", addresses.format));
        }
        Ok(addresses)
    }

    pub(crate) fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("addresses and numbers have a JSON");
        text + "\n"
    }
}

/// A connection to a chain on which the contracts were found.
pub(crate) struct Connected {
    pub(crate) provider: DynProvider,
    pub(crate) market: Market,
    /// Seconds in which a round that has closed may still be settled: so old an announcement has to be.
    pub(crate) window: u64,
}

/// Connects to the chain of the contracts, at `rpc` or where the file says, and sees that they are there.
pub(crate) async fn connect(
    addresses: &Addresses,
    rpc: Option<&str>,
) -> Result<Connected, Failure> {
    let at = &addresses.contracts;
    let rpc = rpc.or(addresses.rpc.as_deref()).ok_or_else(|| {
        refuse("no node of the chain is known", "give one with --rpc URL or ETH_RPC_URL")
    })?;
    let provider = connect_within(rpc, Patience::ANSWER);
    let found = provider.get_chain_id().await.with_context(|| format!("asking {rpc}"))?;
    if found != at.chain_id {
        let hint = "give the node of the chain that the address file is of";
        return Err(refuse(
            format!("{rpc} is of chain {found}, the contracts are on chain {}", at.chain_id),
            hint,
        ));
    }
    let elsewhere = |what: String| {
        refuse(
            format!("{rpc} has {what}"),
            "is it a chain that has begun again? take its newest address file",
        )
    };
    for (what, address) in [("pool", at.pool), ("venue", at.dark_pool), ("token", at.cash)] {
        let code = provider.get_code_at(address).await.with_context(|| format!("asking {rpc}"))?;
        if code.is_empty() {
            return Err(elsewhere(format!("no code at {address}, where the {what} should be")));
        }
    }
    let pool = ShieldedPool::new(at.pool, &provider);
    let venue = DarkPool::new(at.dark_pool, &provider);
    let other = |_| elsewhere(format!("another contract at {}", at.pool));
    let verifiers = pool.verifiers().call().await.map_err(other)?;
    let named = [verifiers.absorb, verifiers.spend, verifiers.account, verifiers.clear];
    let ours = [at.absorb_verifier, at.spend_verifier, at.account_verifier, at.clear_verifier];
    let its_venue = pool.venueOf(at.dark_pool).call().await.map_err(other)?;
    if named != ours || its_venue != word(&at.venue()) {
        return Err(elsewhere(format!("another pool at {}", at.pool)));
    }
    let window = pool.settleWindow().call().await.map_err(other)?;
    let issuer = venue.issuer().call().await;
    let issuer = issuer.map_err(|_| elsewhere(format!("another venue at {}", at.dark_pool)))?;
    let market = Market {
        chain_id: at.chain_id,
        pool: primitives::Address(at.pool.into()),
        venue: primitives::Address(at.dark_pool.into()),
        issuer: primitives::Address(issuer.into()),
        instrument: addresses.instrument.number,
        collateral: primitives::Address(at.cash.into()),
        collateral_decimals: decimals(&provider, at.cash).await?,
        consideration: primitives::Address(at.claim.into()),
        consideration_decimals: decimals(&provider, at.claim).await?,
        price: addresses.instrument.price.map(Price),
        expiry: Timestamp(addresses.instrument.expiry),
    };
    let window = u64::try_from(window).unwrap_or(u64::MAX);
    Ok(Connected { provider, market, window })
}

async fn decimals(provider: &DynProvider, token: Address) -> Result<u8, Failure> {
    let asked = Token::new(token, provider).decimals().call().await;
    let decimals = asked.with_context(|| format!("asking {token} for its decimals"))?;
    if decimals > DECIMALS_MAX {
        return Err(refuse(
            format!("{token} has {decimals} decimals"),
            format!("amounts of 112 bits make sense with {DECIMALS_MAX} at most"),
        ));
    }
    Ok(decimals)
}

/// What an account has of a token, base units.
pub(crate) async fn balance(
    provider: &DynProvider,
    token: Address,
    owner: Address,
) -> Result<U256, Failure> {
    let asked = Token::new(token, provider).balanceOf(owner).call().await;
    Ok(asked.with_context(|| format!("asking {token} for a balance"))?)
}
