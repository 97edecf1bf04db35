//! Accounts behind keys and signatures: what a contract's `ecrecover` says, for those who are not one.

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};

use crate::{Address, keccak256};

/// The address of a key: the last 20 bytes of `keccak256(x ‖ y)`.
///
/// Source: Ethereum Yellow Paper, appendix F.
///
/// # Panics
/// Never: 20 of 32 bytes are 20 bytes.
#[must_use]
pub fn address(key: &VerifyingKey) -> Address {
    let hash = keccak256(&[&key.to_sec1_point(false).as_bytes()[1..]]);
    Address(*hash.last_chunk().expect("32 bytes end in 20"))
}

/// The account behind `r ‖ s ‖ v` of 65 bytes, v 27 or 28, over a 32-byte digest; none if nobody could have
/// made it.
#[must_use]
pub fn recover(digest: &[u8; 32], signature: &[u8]) -> Option<Address> {
    let (rs, [v]) = signature.split_last_chunk::<1>()?;
    let recovery = RecoveryId::from_byte(v.checked_sub(27)?)?;
    let signature = Signature::from_slice(rs).ok()?;
    let key = VerifyingKey::recover_from_prehash(digest, &signature, recovery).ok()?;
    Some(address(&key))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;
    use alloc::vec::Vec;

    use k256::ecdsa::SigningKey;

    use super::*;

    #[test]
    fn a_key_has_the_address_that_ethereum_gives_it() {
        // The first account of every development chain: derived from "test test … junk".
        let mut key = [0; 32];
        for (byte, pair) in key
            .iter_mut()
            .zip(b"ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80".chunks(2))
        {
            *byte = u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        let key = SigningKey::from_slice(&key).unwrap();
        assert_eq!(
            address(key.verifying_key()).to_string(),
            "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
        );
    }

    #[test]
    fn a_signature_recovers_its_signer_and_no_other_form_of_it_does() {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let digest = keccak256(&[b"digest"]);
        let (signature, recovery) = key.sign_prehash_recoverable(&digest);
        let mut bytes: Vec<u8> = signature.to_bytes().to_vec();
        bytes.push(27 + recovery.to_byte());

        assert_eq!(recover(&digest, &bytes), Some(address(key.verifying_key())));
        let other = recover(&keccak256(&[b"another"]), &bytes);
        assert_ne!(other, Some(address(key.verifying_key())));
        for (len, v) in [(64, bytes[64]), (65, recovery.to_byte()), (65, 31), (66, bytes[64])] {
            let mut bad = bytes.clone();
            bad[64] = v;
            bad.resize(len, 0);
            assert_eq!(recover(&digest, &bad), None, "{len} bytes, v {v}");
        }
        assert_eq!(recover(&digest, &[]), None);
    }
}
