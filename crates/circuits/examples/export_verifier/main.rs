//! Derives the development keys and writes what is committed of them: the Solidity verifier, the
//! pinned hashes with the verifying key, and the costs. To be run when the circuit changes:
//! `cargo run --release -p circuits --features solidity --example export_verifier`.

mod solidity;

use std::{fs, path::Path};

use circuits::{
    clearing,
    keys::{DEVELOPMENT_CHAIN, Keys, Pinned},
};

#[expect(clippy::print_stdout, reason = "it is a program")]
fn main() -> std::io::Result<()> {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_root.join("../..");
    let keys = Keys::development(DEVELOPMENT_CHAIN, |step| println!("{step:?}"))
        .expect("this is the development chain");
    let pinned = Pinned::of(&keys);

    fs::write(crate_root.join("keys/clearing.txt"), pinned.to_text())?;
    let verifiers = root.join("contracts/src/verifiers");
    fs::create_dir_all(&verifiers)?;
    let contract = format!("{}.sol", solidity::CONTRACT);
    fs::write(verifiers.join(contract), solidity::verifier(&pinned))?;
    fs::create_dir_all(root.join("snapshots"))?;
    fs::write(root.join("snapshots/costs.json"), clearing::costs(&clearing::r1cs(), &pinned))?;
    print!("{}", pinned.to_text());
    Ok(())
}
