//! Keys and raw transactions.
//!
//! There are no fillers: whoever writes a transaction ahead into a journal has to know its bytes,
//! so the nonce, the gas limit and the fees are arguments. Signatures are deterministic (RFC 6979):
//! equal arguments give equal bytes.

use std::fmt;

use alloy::consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::primitives::{Address, B256, Bytes, Signature, TxHash, TxKind, U256, b256};
use alloy::signers::SignerSync as _;
use alloy::signers::local::PrivateKeySigner;

/// What a transaction pays, wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fees {
    /// At most this in all.
    pub fee_max: u128,
    /// Of it to the block's producer.
    pub priority_fee_max: u128,
}

impl Default for Fees {
    /// Twice the in-process chain's base fee, nothing to the producer.
    fn default() -> Self {
        Self { fee_max: 2_000_000_000, priority_fee_max: 0 }
    }
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// A contract or account; `Create` deploys `input`.
    pub to: TxKind,
    /// Wei.
    pub value: U256,
    /// Calldata, or creation code with constructor arguments.
    pub input: Bytes,
    /// Gas.
    pub gas_limit: u64,
}

impl Call {
    /// A call without value.
    #[must_use]
    pub fn new(to: Address, input: impl Into<Bytes>, gas_limit: u64) -> Self {
        Self { to: to.into(), value: U256::ZERO, input: input.into(), gas_limit }
    }
}

/// A signed transaction, ready to be kept and sent.
#[derive(Clone, PartialEq, Eq)]
pub struct RawTransaction {
    /// Keccak-256 of `bytes`.
    pub hash: TxHash,
    /// EIP-2718 encoding.
    pub bytes: Bytes,
}

impl fmt::Debug for RawTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawTransaction({}, {} bytes)", self.hash, self.bytes.len())
    }
}

/// A secp256k1 key bound to one chain.
#[derive(Clone)]
pub struct Wallet {
    signer: PrivateKeySigner,
    chain_id: u64,
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wallet({} on {})", self.address(), self.chain_id)
    }
}

/// The key is zero or not below the order of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the private key is out of range")]
pub struct KeyError;

impl Wallet {
    /// `key` is big-endian.
    ///
    /// # Errors
    /// If `key` is zero or not below the order of the curve.
    pub fn new(key: &B256, chain_id: u64) -> Result<Self, KeyError> {
        let signer = PrivateKeySigner::from_bytes(key).map_err(|_| KeyError)?;
        Ok(Self { signer, chain_id })
    }

    /// The account of the key.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// EIP-155 chain id that goes into every transaction.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// An EIP-1559 transaction with the given nonce.
    #[must_use]
    pub fn sign(&self, nonce: u64, fees: Fees, call: Call) -> RawTransaction {
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit: call.gas_limit,
            max_fee_per_gas: fees.fee_max,
            max_priority_fee_per_gas: fees.priority_fee_max,
            to: call.to,
            value: call.value,
            access_list: Vec::new().into(),
            input: call.input,
        };
        let signature = self.sign_hash(&transaction.signature_hash());
        let envelope = TxEnvelope::from(transaction.into_signed(signature));
        RawTransaction { hash: *envelope.tx_hash(), bytes: envelope.encoded_2718().into() }
    }

    /// Signs a 32-byte digest as it is, without a prefix.
    #[must_use]
    pub fn sign_hash(&self, digest: &B256) -> Signature {
        self.signer.sign_hash_sync(digest).expect("a key in memory can sign any digest")
    }
}

/// The ten accounts that development nodes fund, from the mnemonic "test test test test test test
/// test test test test test junk". Everyone knows their keys: worthless anywhere but on a
/// development chain.
#[must_use]
pub fn development_wallets(chain_id: u64) -> [Wallet; 10] {
    DEVELOPMENT_KEYS
        .map(|key| Wallet::new(&key, chain_id).expect("the keys are constants, checked by a test"))
}

/// Paths m/44'/60'/0'/0/0 to 9.
const DEVELOPMENT_KEYS: [B256; 10] = [
    b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
    b256!("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
    b256!("7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"),
    b256!("47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"),
    b256!("8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba"),
    b256!("92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e"),
    b256!("4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356"),
    b256!("dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97"),
    b256!("2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::address;

    #[test]
    fn development_wallets_have_their_well_known_addresses() {
        let wallets = development_wallets(31337);
        let expected = [
            address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
            address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"),
            address!("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
            address!("90F79bf6EB2c4f870365E785982E1f101E93b906"),
            address!("15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
            address!("9965507D1a55bcC2695C58ba16FB37d819B0A4dc"),
            address!("976EA74026E726554dB657fA54763abd0C3a0aa9"),
            address!("14dC79964da2C08b23698B3D3cc7Ca32193d9955"),
            address!("23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f"),
            address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720"),
        ];
        assert_eq!(wallets.each_ref().map(Wallet::address), expected);
    }

    #[test]
    fn equal_arguments_give_equal_bytes() {
        let [wallet, ..] = development_wallets(31337);
        let call = Call::new(Address::repeat_byte(0x11), [1, 2, 3], 50_000);
        let first = wallet.sign(7, Fees::default(), call.clone());
        assert_eq!(first, wallet.sign(7, Fees::default(), call.clone()));
        assert_ne!(first, wallet.sign(8, Fees::default(), call));
    }

    #[test]
    fn zero_key_is_refused() {
        assert_eq!(Wallet::new(&B256::ZERO, 1).unwrap_err(), KeyError);
    }

    #[test]
    fn debug_of_a_wallet_shows_no_key() {
        let [wallet, ..] = development_wallets(31337);
        assert!(!format!("{wallet:?}").contains("ac0974"));
    }
}
