//! The committed Solidity verifiers are those the pinned keys generate. That the pinned keys are the
//! circuits' own is a unit test, which derives them.

#[path = "../examples/export_verifier/solidity.rs"]
mod solidity;

use circuits::keys::Circuit;

#[test]
fn the_committed_contracts_are_the_exported_ones() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for circuit in Circuit::ALL {
        let path = solidity::path(circuit);
        let committed = std::fs::read_to_string(root.join(&path)).expect("it is committed");
        let name = path.rsplit(['/', '.']).nth(1).expect("a file with an extension");
        assert!(committed.contains(&format!("\ncontract {name} {{")), "{path}");
        assert!(
            committed == solidity::verifier(circuit, circuit.pinned()),
            "{path}: the circuit changed: run the example export_verifier and say why in the commit",
        );
    }
}
