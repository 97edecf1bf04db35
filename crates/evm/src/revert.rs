//! What a contract reverted with, in words.

use std::collections::BTreeMap;

use alloy::dyn_abi::{DynSolValue, ErrorExt as _};
use alloy::json_abi::{Error as AbiError, JsonAbi};
use alloy::primitives::hex;
use alloy::sol_types::{Panic, PanicKind, Revert, SolError as _, SolInterface as _};

use crate::abi::{
    ConfidentialPoR, DarkPool, EnclaveRegistry, KeystoneForwarder, RecoveryGuard, ShieldedPool,
};
use crate::second::abi::{ClearVerifier, DarkPool as Venue, ShieldedPool as Pool};

/// The longest data whose arguments are shown, bytes: arrays may share what they point to, so that data of a stranger's
/// names more than it holds.
const DATA_LEN_MAX: usize = 4_096;

/// Errors whose interface is known, beside Solidity's own and those of this project's contracts.
#[derive(Clone, Debug, Default)]
pub struct Errors(BTreeMap<[u8; 4], AbiError>);

impl Errors {
    /// Adds the errors of a contract's interface: a JSON ABI, or a compiler's artifact with one under `abi`. How many it
    /// has.
    ///
    /// # Errors
    /// It is neither.
    pub fn add(&mut self, json: &str) -> Result<usize, serde_json::Error> {
        let mut read: serde_json::Value = serde_json::from_str(json)?;
        let abi = match read.get_mut("abi") {
            Some(abi) => abi.take(),
            None => read,
        };
        let abi: JsonAbi = serde_json::from_value(abi)?;
        let errors: Vec<AbiError> = abi.errors().cloned().collect();
        let n = errors.len();
        self.0.extend(errors.into_iter().map(|error| (error.selector().0, error)));
        Ok(n)
    }

    /// The error's name and arguments; data of an unknown error in hexadecimal.
    #[must_use]
    pub fn words(&self, data: &[u8]) -> String {
        if data.is_empty() {
            return "no reason".to_owned();
        }
        if let Ok(Revert { reason }) = Revert::abi_decode(data) {
            return format!("Error({reason:?})");
        }
        if let Ok(Panic { code }) = Panic::abi_decode(data) {
            let kind = u32::try_from(code).ok().and_then(PanicKind::from_number);
            let kind = kind.map(|kind| format!(", {kind}")).unwrap_or_default();
            return format!("Panic(0x{code:02x}){kind}");
        }
        if let Some(words) = ours(data) {
            return words;
        }
        let selector = data.first_chunk::<4>();
        match selector.and_then(|selector| self.0.get(selector)) {
            Some(error) => named(error, data),
            None => hex::encode_prefixed(data),
        }
    }
}

/// An error of this project's contracts.
fn ours(data: &[u8]) -> Option<String> {
    macro_rules! first {
        ($($contract:ident :: $errors:ident),*) => {
            $(if let Ok(error) = $contract::$errors::abi_decode(data) {
                return Some(format!("{error:?}"));
            })*
        };
    }
    first!(
        DarkPool::IDarkPoolErrors,
        ConfidentialPoR::ConfidentialPoRErrors,
        RecoveryGuard::RecoveryGuardErrors,
        ShieldedPool::ShieldedPoolErrors,
        EnclaveRegistry::EnclaveRegistryErrors,
        KeystoneForwarder::KeystoneForwarderErrors,
        Pool::IShieldedPoolErrors,
        Venue::IDarkPoolErrors,
        // The verifiers of all relations have the same ones.
        ClearVerifier::ClearVerifierErrors
    );
    None
}

fn named(error: &AbiError, data: &[u8]) -> String {
    let decoded = Some(data).filter(|data| data.len() <= DATA_LEN_MAX);
    let decoded = decoded.and_then(|data| error.decode_error(data).ok());
    let Some(decoded) = decoded else {
        return format!(
            "{}, whose arguments do not decode: {}",
            error.name,
            hex::encode_prefixed(data)
        );
    };
    let arguments: Vec<String> = (error.inputs.iter().zip(&decoded.body))
        .map(|(input, value)| match input.name.as_str() {
            "" => shown(value),
            name => format!("{name}: {}", shown(value)),
        })
        .collect();
    format!("{}({})", error.name, arguments.join(", "))
}

fn shown(value: &DynSolValue) -> String {
    let list = |values: &[DynSolValue]| values.iter().map(shown).collect::<Vec<_>>().join(", ");
    match value {
        DynSolValue::Bool(yes) => yes.to_string(),
        DynSolValue::Int(n, _) => n.to_string(),
        DynSolValue::Uint(n, _) => n.to_string(),
        DynSolValue::FixedBytes(word, len) => {
            hex::encode_prefixed(word.get(..*len).unwrap_or(word.as_slice()))
        }
        DynSolValue::Address(address) => address.to_string(),
        DynSolValue::Function(function) => hex::encode_prefixed(function),
        DynSolValue::Bytes(bytes) => hex::encode_prefixed(bytes),
        DynSolValue::String(text) => format!("{text:?}"),
        DynSolValue::Array(values) | DynSolValue::FixedArray(values) => {
            format!("[{}]", list(values))
        }
        DynSolValue::Tuple(values) => format!("({})", list(values)),
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{Address, U256};
    use alloy::sol_types::SolValue as _;

    use super::*;

    const ABI: &str = r#"[
      { "type": "function", "name": "set", "inputs": [], "outputs": [], "stateMutability": "view" },
      { "type": "error", "name": "TooOld", "inputs": [
        { "name": "age", "type": "uint256" }, { "name": "", "type": "address" }, { "name": "why", "type": "string" }
      ] },
      { "type": "error", "name": "Closed", "inputs": [] }
    ]"#;

    fn too_old() -> Vec<u8> {
        let mut known = Errors::default();
        known.add(ABI).unwrap();
        let selector = known.0.iter().find(|(_, error)| error.name == "TooOld").unwrap().0;
        let arguments = (U256::from(90), Address::repeat_byte(0x11), "late".to_owned());
        [&selector[..], &arguments.abi_encode_params()].concat()
    }

    #[test]
    fn solidity_s_own_errors_are_told() {
        let words = |data: &[u8]| Errors::default().words(data);
        assert_eq!(words(&Revert::from("not the owner").abi_encode()), r#"Error("not the owner")"#);
        let panic = |code: u32| words(&Panic { code: U256::from(code) }.abi_encode());
        assert_eq!(panic(0x11), "Panic(0x11), arithmetic underflow or overflow");
        assert_eq!(panic(0x01), "Panic(0x01), assertion failed");
        assert_eq!(panic(0x77), "Panic(0x77)");
        assert_eq!(words(&[]), "no reason");
        assert_eq!(words(&[1, 2, 3]), "0x010203");
        let unknown = ConfidentialPoR::StatusZero {}.abi_encode();
        assert!(words(&unknown).contains("StatusZero"), "{}", words(&unknown));
        let said = [
            words(&Pool::AnnouncedBeforeClosing::SELECTOR),
            words(&Venue::TickTooShort { tick: U256::from(60), min: U256::from(720) }.abi_encode()),
            words(&ClearVerifier::ProofInvalid {}.abi_encode()),
        ];
        assert!(said[0].starts_with("0x"), "cut off: {}", said[0]);
        assert!(said[1].contains("TickTooShort { tick: 60, min: 720 }"), "{}", said[1]);
        assert!(said[2].contains("ProofInvalid"), "{}", said[2]);
    }

    #[test]
    fn errors_of_a_known_interface_have_their_arguments() {
        let data = too_old();
        assert_eq!(Errors::default().words(&data), hex::encode_prefixed(&data), "nobody knows it");
        for json in [ABI.to_owned(), format!("{{ \"contractName\": \"C\", \"abi\": {ABI} }}")] {
            let mut known = Errors::default();
            assert_eq!(known.add(&json).unwrap(), 2);
            assert_eq!(
                known.words(&data),
                "TooOld(age: 90, 0x1111111111111111111111111111111111111111, why: \"late\")"
            );
            let cut = known.words(&data[..40]);
            assert!(cut.starts_with("TooOld, whose arguments do not decode: 0x"), "{cut}");
            assert!(known.words(&[&data[..], &[0; 5_000]].concat()).contains("do not decode"));
        }
        for json in ["", "{}", "[{ \"type\": \"error\" }]", "{ \"abi\": 1 }"] {
            assert!(Errors::default().add(json).is_err(), "{json}");
        }
    }
}
