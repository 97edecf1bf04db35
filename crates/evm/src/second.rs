//! The second design of the pool on chain, beside the first until nothing runs on that: [`deploy::plan`] is the system
//! as transactions; [`call`] and [`settlement`] are what is sent to it; [`log`](mod@log) and [`scan`] what it says;
//! [`roots`] where it keeps the root of a tree, [`price`] what a round clears at.

pub mod abi;
pub mod call;
pub mod deploy;
pub mod log;
pub mod price;
pub mod roots;
pub mod scan;
pub mod settlement;

use alloy::primitives::{Address, U256};
use pool::{Fr, field};

/// An address as the integer that notes, terms and accounts name it by.
#[must_use]
pub fn element(address: Address) -> Fr {
    field::from_address(&address.into())
}

/// The address that an integer is; `None` if it is too large to be one.
#[must_use]
pub fn address(element: &Fr) -> Option<Address> {
    let bytes = field::to_bytes(element);
    let (zeros, address) = bytes.split_last_chunk::<20>()?;
    zeros.iter().all(|byte| *byte == 0).then(|| Address::from(*address))
}

/// A field element as the contracts have it.
#[must_use]
pub fn word(element: &Fr) -> U256 {
    U256::from_be_bytes(field::to_bytes(element))
}

/// A field element of the contracts'.
///
/// # Errors
/// [`field::Error::NotReduced`] if it is none: the contracts never say such a thing.
pub fn scalar(word: U256) -> Result<Fr, field::Error> {
    field::from_bytes(&word.to_be_bytes())
}

/// A proof with what is posted beside it, as whoever proves hands them over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// In the order of EIP-197: A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y, each big-endian.
    pub proof: [[u8; 32]; 8],
    /// The digest, then the relation's values, each big-endian.
    pub posted: Vec<[u8; 32]>,
}

impl Proven {
    fn proof(&self) -> [U256; 8] {
        self.proof.map(U256::from_be_bytes)
    }

    fn posted(&self) -> Vec<U256> {
        self.posted.iter().copied().map(U256::from_be_bytes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_words_come_back() {
        let address = Address::repeat_byte(0xee);
        assert_eq!(super::address(&element(address)), Some(address));
        assert_eq!(super::address(&-Fr::from(1)), None);
        assert_eq!(scalar(word(&-Fr::from(1))), Ok(-Fr::from(1)));
        assert!(scalar(word(&-Fr::from(1)) + U256::ONE).is_err());
    }
}
