//! Delivering a raw transaction, once.

use alloy::primitives::{TxHash, keccak256};
use alloy::providers::{PendingTransactionBuilder, PendingTransactionError, Provider};
use alloy::rpc::types::TransactionReceipt;
use alloy::transports::{RpcError, TransportError};

/// Why a transaction has no receipt.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The chain refuses it and does not hold it. Whether a later try helps depends on the reason.
    #[error("the chain refuses transaction {hash}")]
    Refused {
        /// The transaction.
        hash: TxHash,
        /// The chain's answer.
        #[source]
        source: TransportError,
    },
    /// The chain cannot be asked. The transaction may or may not be included; send it again.
    #[error("the chain does not answer about transaction {hash}")]
    Unreachable {
        /// The transaction.
        hash: TxHash,
        /// What failed.
        #[source]
        source: TransportError,
    },
    /// The chain took it and its receipt did not come. Send it again.
    #[error("transaction {hash} was sent and its receipt did not come")]
    NoReceipt {
        /// The transaction.
        hash: TxHash,
        /// What failed.
        #[source]
        source: PendingTransactionError,
    },
}

/// Delivers a signed transaction and waits until a block holds it. A failed transaction has a
/// receipt too: look at its status.
///
/// Sending the same bytes again, after a crash or a lost answer, returns the same receipt and does
/// nothing twice. Where the chain offers EIP-7966, as ours does, the answer to the one request is
/// the receipt and nothing is polled; elsewhere the provider's own waiting is used.
///
/// # Errors
/// See [`SendError`]. Only [`SendError::Refused`] says that the transaction is not on its way.
pub async fn send(provider: &impl Provider, raw: &[u8]) -> Result<TransactionReceipt, SendError> {
    let hash = keccak256(raw);
    let unreachable = |source| SendError::Unreachable { hash, source };
    if let Some(receipt) = provider.get_transaction_receipt(hash).await.map_err(unreachable)? {
        return Ok(receipt);
    }
    match provider.send_raw_transaction_sync(raw).await {
        Ok(receipt) => return Ok(receipt),
        // The method is unknown, its patience is over, or the transaction is refused or known
        // already; every node words that differently, and the plain method tells.
        Err(RpcError::ErrorResp(_)) => {}
        Err(error) => return Err(unreachable(error)),
    }
    let refusal = match provider.send_raw_transaction(raw).await {
        Ok(_) => return wait(provider, hash).await,
        Err(error) if error.is_error_resp() => error,
        Err(error) => return Err(unreachable(error)),
    };
    match provider.get_transaction_by_hash(hash).await.map_err(unreachable)? {
        Some(_) => wait(provider, hash).await,
        None => Err(SendError::Refused { hash, source: refusal }),
    }
}

async fn wait(provider: &impl Provider, hash: TxHash) -> Result<TransactionReceipt, SendError> {
    PendingTransactionBuilder::new(provider.root().clone(), hash)
        .get_receipt()
        .await
        .map_err(|source| SendError::NoReceipt { hash, source })
}
