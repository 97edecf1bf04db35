//! Generated Solidity and compiled contracts: committed, so that users need neither Node nor solc, and rebuilt here.

use std::fs;
use std::time::SystemTime;

use anyhow::{Result, bail};

use crate::shell::{self, Call};

/// Regenerates the verifiers, then the artifacts of all contracts. With `check`, compares the artifacts and changes
/// nothing; that the verifiers are those which the pinned keys generate is a test of `circuits`.
///
/// # Errors
/// When a tool is missing or fails, or when `check` finds a difference.
pub(crate) fn run(check: bool) -> Result<()> {
    for tool in ["node", "npm"] {
        if !shell::is_installed(tool) {
            bail!("{tool} is not installed; hint: `apt-get install nodejs npm`");
        }
    }
    if !check {
        Call::new("cargo run --quiet --locked --package circuits --example export_verifier")
            .run()?;
    }
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

fn modified(path: &std::path::Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
