//! Delivering a raw transaction, once.

use std::time::Duration;

use alloy::consensus::transaction::SignerRecoverable as _;
use alloy::consensus::{Transaction as _, TxEnvelope};
use alloy::eips::eip2718::Decodable2718 as _;
use alloy::primitives::{Address, TxHash, keccak256};
use alloy::providers::Provider;
use alloy::rpc::types::TransactionReceipt;
use alloy::transports::{RpcError, TransportError};

/// How long something of a chain's is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// In all.
    pub in_all: Duration,
    /// Before it is asked for again; above zero.
    pub pause: Duration,
}

impl Patience {
    /// For one answer of a node, every try of it included: 30 s, which is when go-ethereum gives up writing one. Half a
    /// second before the second try, where the node does not say how long, then twice as long each time.
    pub const ANSWER: Self =
        Self { in_all: Duration::from_secs(30), pause: Duration::from_millis(500) };

    /// For a block that holds a transaction: three minutes, which are 15 slots of Ethereum and as long as Chainlink lets a
    /// workflow's call last. A look every two seconds, the time of a block on the faster chains; what the looks take is
    /// not counted.
    pub const INCLUSION: Self =
        Self { in_all: Duration::from_mins(3), pause: Duration::from_secs(2) };
}

/// Looks in a row that find a nonce used and no receipt, until another transaction is believed to have used it: behind
/// one URL there may be several nodes, and one that lags.
const PASSED_LOOKS: u32 = 3;

/// Why a transaction has no receipt.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// These bytes are no signed transaction.
    #[error("the {len} bytes to send are no signed transaction")]
    Malformed {
        /// How many.
        len: usize,
    },
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
    /// The chain took it, and no block held it in time. Sending the same bytes again is safe.
    #[error(
        "transaction {hash} with nonce {nonce} was sent and in no block after {} s: the node {}",
        waited.as_secs_f32(),
        if *is_held { "still holds it, its fee may be too low" } else { "no longer knows it, send it again" }
    )]
    NotIncluded {
        /// The transaction.
        hash: TxHash,
        /// Its sender's.
        nonce: u64,
        /// How long it was waited for.
        waited: Duration,
        /// Whether the node still has it.
        is_held: bool,
    },
    /// It can never be included.
    #[error("transaction {hash} was sent, and another with its nonce {nonce} was included instead")]
    Replaced {
        /// The transaction.
        hash: TxHash,
        /// Its sender's.
        nonce: u64,
    },
}

/// Delivers a signed transaction and waits until a block holds it, as long as [`Patience::INCLUSION`]. A failed transaction has
/// a receipt too: look at its status.
///
/// Sending the same bytes again, after a crash or a lost answer, returns the same receipt and does
/// nothing twice. Where the chain offers EIP-7966, as ours does, the answer to the one request is
/// the receipt and nothing is polled; elsewhere it is asked for again and again.
///
/// # Errors
/// See [`SendError`]. Only [`SendError::Refused`], [`SendError::Replaced`] and [`SendError::Malformed`] say that the
/// transaction is not on its way.
pub async fn send(provider: &impl Provider, raw: &[u8]) -> Result<TransactionReceipt, SendError> {
    send_within(provider, raw, Patience::INCLUSION).await
}

/// The same with another patience.
///
/// # Errors
/// As [`send`].
pub async fn send_within(
    provider: &impl Provider,
    raw: &[u8],
    patience: Patience,
) -> Result<TransactionReceipt, SendError> {
    let sent = Sent::parse(raw)?;
    let hash = sent.hash;
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
        Ok(_) => return wait(provider, sent, patience).await,
        Err(error) if error.is_error_resp() => error,
        Err(error) => return Err(unreachable(error)),
    };
    match provider.get_transaction_by_hash(hash).await.map_err(unreachable)? {
        Some(_) => wait(provider, sent, patience).await,
        None => Err(SendError::Refused { hash, source: refusal }),
    }
}

/// What is waited for.
#[derive(Clone, Copy)]
struct Sent {
    hash: TxHash,
    from: Address,
    nonce: u64,
}

impl Sent {
    fn parse(raw: &[u8]) -> Result<Self, SendError> {
        let malformed = || SendError::Malformed { len: raw.len() };
        let signed = TxEnvelope::decode_2718_exact(raw).map_err(|_| malformed())?;
        let from = signed.recover_signer().map_err(|_| malformed())?;
        Ok(Self { hash: keccak256(raw), from, nonce: signed.nonce() })
    }
}

async fn wait(
    provider: &impl Provider,
    sent: Sent,
    patience: Patience,
) -> Result<TransactionReceipt, SendError> {
    let Sent { hash, from, nonce } = sent;
    let unreachable = |source| SendError::Unreachable { hash, source };
    let (mut waited, mut n_passed) = (Duration::ZERO, 0);
    loop {
        // In this order: between the two answers it can only have been included, not have left.
        let next = provider.get_transaction_count(from).await.map_err(unreachable)?;
        if let Some(receipt) = provider.get_transaction_receipt(hash).await.map_err(unreachable)? {
            return Ok(receipt);
        }
        n_passed = if next > nonce { n_passed + 1 } else { 0 };
        if n_passed == PASSED_LOOKS {
            return Err(SendError::Replaced { hash, nonce });
        }
        if waited >= patience.in_all {
            let held = provider.get_transaction_by_hash(hash).await.map_err(unreachable)?;
            let is_held = held.is_some();
            return Err(SendError::NotIncluded { hash, nonce, waited, is_held });
        }
        tokio::time::sleep(patience.pause).await;
        waited += patience.pause;
    }
}
