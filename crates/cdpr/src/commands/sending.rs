//! Whoever sends a transaction: who pays for it, what it would revert with, and what it did.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use evm::alloy::primitives::{Address, B256, Bytes};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::rpc::types::TransactionReceipt;
use evm::alloy::sol_types::SolCall;
use evm::revert::Errors;
use evm::{Call, Fees, Wallet, development_wallets, gas, send};
use serde_json::json;

use super::refuse;
use crate::terminal::{Progress, say};
use crate::{Ending, Failure, counts};

#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The party's folder, as `init` made it.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// A node of the chain, instead of the address file's.
    #[arg(long, value_name = "URL", env = "ETH_RPC_URL", hide_env_values = true)]
    pub(crate) rpc: Option<String>,
    /// One JSON object on stdout.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Sending {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Account of the development mnemonic that pays gas, on chain 31337 alone. Elsewhere its private key is in
    /// CDPR_PRIVATE_KEY.
    #[arg(long, value_name = "N", value_parser = counts::from_to::<u8>(0, 9))]
    pub(crate) account: Option<u8>,
}

/// Says what a transaction did.
pub(crate) fn done(
    common: &Common,
    receipt: &TransactionReceipt,
    mut facts: serde_json::Value,
    text: &str,
) -> Result<Ending, Failure> {
    if common.json {
        facts["transaction"] = json!(receipt.transaction_hash);
        facts["block"] = json!(receipt.block_number);
        facts["gas"] = json!(receipt.gas_used);
        say(format!("{facts}\n"))?;
    } else {
        let block = receipt.block_number.unwrap_or_default();
        say(format!("{text}\n  block {block}, {} gas\n", receipt.gas_used))?;
    }
    Ok(Ending::Done)
}

/// Whoever pays gas.
pub(crate) fn account(arguments: &Sending, chain_id: u64) -> Result<Wallet, Failure> {
    const HINT: &str = "set CDPR_PRIVATE_KEY to a key of 64 hexadecimal digits, or give --account on a development chain";
    if let Some(number) = arguments.account {
        if chain_id != evm::DEVELOPMENT_CHAIN_ID {
            let what = format!("--account is everybody's, and this is chain {chain_id}");
            return Err(refuse(what, HINT));
        }
        return Ok(development_wallets(chain_id)[usize::from(number)].clone());
    }
    let text = std::env::var("CDPR_PRIVATE_KEY").map(zeroize::Zeroizing::new);
    let text = text.map_err(|_| refuse("no account pays for the transaction", HINT))?;
    let key: B256 = text.trim().parse().map_err(|_| refuse("CDPR_PRIVATE_KEY is no key", HINT))?;
    Wallet::new(&key, chain_id).map_err(|_| refuse("CDPR_PRIVATE_KEY is no key", HINT))
}

/// Sends a call and waits for its receipt. What it would revert with is told before anything is sent.
pub(crate) async fn transact<C: SolCall>(
    provider: &DynProvider,
    account: &Wallet,
    to: Address,
    call: &C,
    what: &'static str,
) -> Result<TransactionReceipt, Failure> {
    let from = account.address();
    let input = Bytes::from(call.abi_encode());
    let limit = gas::limit(provider, from, to, input.clone()).await.map_err(|error| {
        let revert = error.as_error_resp().and_then(|it| it.as_revert_data());
        match revert {
            Some(data) => refuse(
                format!("{what} is refused: {}", Errors::default().words(&data)),
                "nothing was sent",
            ),
            None => anyhow!(error).context(format!("asking what {what} costs")).into(),
        }
    })?;
    let asked = |words: &'static str| format!("asking for {words}");
    let nonce = provider.get_transaction_count(from).await.context(asked("a nonce"))?;
    let block = provider.get_block_by_number(Default::default()).await.context(asked("fees"))?;
    let base = block.and_then(|block| block.header.base_fee_per_gas).unwrap_or(1_000_000_000);
    let tip = if account.chain_id() == evm::DEVELOPMENT_CHAIN_ID { 0 } else { 1_000_000_000 };
    let fees = Fees { fee_max: u128::from(base) * 2 + tip, priority_fee_max: tip };
    let transaction = account.sign(nonce, fees, Call::new(to, input, limit));
    let progress = Progress::working(format!("{what}: waiting for a block"));
    let receipt = send(provider, &transaction.bytes).await.with_context(|| what)?;
    drop(progress);
    if !receipt.status() {
        return Err(anyhow!("{what} failed in block {:?}", receipt.block_number).into());
    }
    Ok(receipt)
}
