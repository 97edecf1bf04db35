//! Gas limits for whatever a chain charges: what a slot or a byte of code costs is a fork's decision, and the next one
//! announced multiplies both. So no limit here is a constant.

use alloy::primitives::{Address, Bytes, TxKind, bytes};
use alloy::providers::Provider;
use alloy::rpc::types::TransactionRequest;
use alloy::transports::TransportError;

/// Most that a transaction may ask for since EIP-7825; a fork that charges more lifts it.
const TRANSACTION_MAX: u64 = 1 << 24;

/// Longest creation code (EIP-3860), bytes.
const CREATION_CODE_MAX: usize = 49_152;

/// Creation code that writes 128 slots for the first time and leaves the longest contract there may be (EIP-170).
///
/// ```text
/// PUSH2 128   loop: JUMPDEST DUP1 DUP1 SSTORE   PUSH1 1 SWAP1 SUB   DUP1 PUSH1 loop JUMPI   PUSH2 24576 PUSH0 RETURN
/// ```
const DEAREST: Bytes = bytes!("6100805b8080556001900380600357" "6160005ff3");

/// More than any one transaction of a deployment needs on this chain: the longest creation code, 128 new slots and the
/// longest contract. It depends on the chain's rules alone, so that the same deployment is signed in the same bytes
/// until a fork.
///
/// # Errors
/// If the chain cannot be asked.
pub async fn ceiling(provider: &impl Provider, from: Address) -> Result<u64, TransportError> {
    let mut input = DEAREST.to_vec();
    input.resize(CREATION_CODE_MAX, 0xff);
    let mut request = TransactionRequest::default().from(from).input(Bytes::from(input).into());
    request.to = Some(TxKind::Create);
    provider.estimate_gas(request).await
}

/// What a call needs, and half as much again: between the estimate and the block that includes it other transactions
/// may leave slots that it has to write for the first time. Above the most that a transaction may ask for only if the
/// chain says so itself.
///
/// # Errors
/// If the call reverts, with what is to be read by [`crate::revert`], or the chain cannot be asked.
pub async fn limit(
    provider: &impl Provider,
    from: Address,
    to: Address,
    input: Bytes,
) -> Result<u64, TransportError> {
    let request = TransactionRequest::default().from(from).to(to).input(input.into());
    Ok(with_headroom(provider.estimate_gas(request).await?))
}

fn with_headroom(estimate: u64) -> u64 {
    estimate.saturating_add(estimate / 2).min(estimate.max(TRANSACTION_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headroom_is_a_half_below_the_cap_and_what_the_chain_says_above() {
        assert_eq!(with_headroom(600_000), 900_000);
        assert_eq!(with_headroom(12_000_000), TRANSACTION_MAX);
        assert_eq!(with_headroom(40_000_000), 40_000_000);
    }
}
