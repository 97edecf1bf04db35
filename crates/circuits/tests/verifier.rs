//! The committed Solidity verifier is the one the pinned key generates. That the pinned key is the
//! circuit's own is a unit test, which derives it.

#[path = "../examples/export_verifier/solidity.rs"]
mod solidity;

use circuits::keys::pinned;

#[test]
fn the_committed_contract_is_the_exported_one() {
    let committed = include_str!("../../../contracts/src/verifiers/ClearingVerifier.sol");
    assert!(committed.contains(&format!("\ncontract {} {{", solidity::CONTRACT)));
    assert!(
        committed == solidity::verifier(pinned()),
        "the circuit changed: run the example export_verifier and say why in the commit",
    );
}
