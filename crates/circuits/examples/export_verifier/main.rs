//! Derives the development keys and writes what is committed of them: the Solidity verifiers, the
//! pinned hashes with the verifying keys, a proof of each relation, and the costs. To be run when a circuit
//! changes: `cargo run --release -p circuits --features solidity --example export_verifier`.

mod solidity;

use std::{fs, path::Path, time::Instant};

use circuits::{
    keys::{Circuit, DEVELOPMENT_CHAIN, Keys, Pinned, costs},
    second::testing::Provers,
};

#[expect(clippy::print_stdout, reason = "it is a program")]
#[expect(clippy::disallowed_methods, reason = "it says how long keys take")]
fn main() -> std::io::Result<()> {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_root.join("../..");
    let mut rows = Vec::new();
    let mut export = |circuit: Circuit| {
        let started = Instant::now();
        let keys = Keys::development_of(circuit, DEVELOPMENT_CHAIN, |_| ())
            .expect("this is the development chain");
        let seconds = started.elapsed().as_secs_f64();
        let pinned = Pinned::of(&keys);
        let size = keys.to_bytes().len();
        println!("{}: {seconds:.1} s, {size} bytes\n{}", circuit.name(), pinned.to_text());
        let pins = crate_root.join("keys").join(format!("{}.txt", circuit.name()));
        fs::write(pins, pinned.to_text())?;
        let contract = root.join(solidity::path(circuit));
        fs::create_dir_all(contract.parent().expect("a file is in a folder"))?;
        fs::write(contract, solidity::verifier(circuit, &pinned))?;
        rows.push((circuit, circuit.r1cs().n_constraints(), pinned));
        std::io::Result::Ok(keys)
    };
    export(Circuit::Clearing)?;
    let provers = Provers::new(|circuit| {
        export(circuit).unwrap_or_else(|error| panic!("writing what is committed: {error}"))
    });
    let rows: Vec<_> = rows.iter().map(|(circuit, n, pinned)| (*circuit, *n, pinned)).collect();
    fs::create_dir_all(root.join("snapshots"))?;
    let snapshot = root.join("snapshots/costs.json");
    let committed = fs::read_to_string(&snapshot).unwrap_or_default();
    fs::write(&snapshot, with_gas_of(&committed, &costs(&rows)))?;
    fs::write(root.join("contracts/test/vectors/proofs.json"), provers.vectors())
}

/// The circuits' costs, and behind them the gas that was committed: that is measured on contracts, by `devchain`'s tests.
fn with_gas_of(committed: &str, circuits: &str) -> String {
    const GAS: &str = ",\n  \"gas\"";
    match (committed.split_once(GAS), circuits.strip_suffix("\n}\n")) {
        (Some((_, gas)), Some(circuits)) => format!("{circuits}{GAS}{gas}"),
        _ => circuits.to_owned(),
    }
}
