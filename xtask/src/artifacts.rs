//! Generated Solidity and compiled contracts: committed, so that users need neither Node nor solc, and rebuilt here.

use std::fs;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};

use crate::shell::{self, Call};

/// Written by `circuits` from the development verification key, never by hand.
const VERIFIER: &str = "contracts/src/verifiers/ClearingVerifier.sol";

/// Regenerates the verifier, then the artifacts of all contracts. With `check`, compares and changes nothing.
///
/// # Errors
/// When a tool is missing or fails, or when `check` finds a difference.
pub(crate) fn run(check: bool) -> Result<()> {
    for tool in ["node", "npm"] {
        if !shell::is_installed(tool) {
            bail!("{tool} is not installed; hint: `apt-get install nodejs npm`");
        }
    }
    export_verifier(check)?;
    install_node_modules()?;
    let compile = Call::new("node contracts/scripts/compile.mjs");
    if check { compile.arg("--check").run() } else { compile.run() }
}

/// `npm ci` in `contracts/`, unless what is installed is what the lock file says.
pub(crate) fn install_node_modules() -> Result<()> {
    let contracts = shell::root().join("contracts");
    // npm writes this file last, a copy of the lock it has installed.
    let installed = modified(&contracts.join("node_modules/.package-lock.json"));
    let locked = modified(&contracts.join("package-lock.json"));
    if locked.is_some() && installed >= locked {
        return Ok(());
    }
    Call::new("npm ci --no-audit --no-fund --loglevel=error").dir("contracts").run()
}

fn export_verifier(check: bool) -> Result<()> {
    let path = shell::root().join(VERIFIER);
    let committed = fs::read(&path).ok();
    Call::new("cargo run --quiet --locked --package circuits --features solidity --example export_verifier")
        .run()?;
    if !check {
        return Ok(());
    }
    let generated = fs::read(&path).with_context(|| format!("reading the generated {VERIFIER}"))?;
    if committed.as_ref() == Some(&generated) {
        return Ok(());
    }
    match committed {
        Some(committed) => fs::write(&path, committed),
        None => fs::remove_file(&path),
    }
    .with_context(|| format!("putting {VERIFIER} back as it was"))?;
    bail!(
        "{VERIFIER} is not what the circuit's verification key generates; hint: `cargo xtask artifacts`, and say in \
         the commit why the key changed"
    )
}

fn modified(path: &std::path::Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
