//! Judges that no one here wrote: Chainlink's messages, workflows and host, each as a dependency from its registry.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::shell::{self, Call};

/// What `run.sh` says when the judge cannot be had here.
const SKIPPED: i32 = 77;

/// Our table of the wire against the descriptors in the official SDK.
///
/// # Errors
/// When npm fails, or a message differs.
pub(crate) fn messages() -> Result<()> {
    // Their install scripts fetch prebuilt programs from elsewhere; none is needed.
    Call::new("npm ci --ignore-scripts --no-audit --no-fund --loglevel=error")
        .dir("conformance/npm")
        .run()?;
    Call::new("npm run --silent messages").dir("conformance/npm").run()
}

/// Workflows on the official TypeScript SDK, and the programs of the standard tests, in our engines; and `cdpr workflow` on
/// projects in both languages.
///
/// # Errors
/// When something does not build, or a test fails.
pub(crate) fn engines() -> Result<()> {
    Call::new("node build.mjs").dir("conformance/npm").run()?;
    Call::new(
        "cargo build --quiet --locked --package cre-standard-tests --examples --profile workflow --target wasm32-unknown-unknown",
    )
    .run()?;
    let modules = crate::ci::target_dir()?.join("wasm32-unknown-unknown/workflow/examples");
    // Both engines; and what `cargo test` skips: projects that are built, and TypeScript.
    Call::new(
        "cargo test --locked --features cdpr/compiler --test abi --test book --test kept --test standard --test surroundings --test typescript --test workflow",
    )
    .env("CRE_STANDARD_DIR", modules.to_string_lossy())
    .env("CDPR_BUILD_PROJECTS", "1")
    .run()
}

/// Chainlink's own host over our modules. False where the module proxy does not serve it; it has printed why.
///
/// # Errors
/// When the host runs and a module fails.
pub(crate) fn host() -> Result<bool> {
    let script = shell::root().join("conformance/go/run.sh");
    let status = Command::new("sh")
        .arg(&script)
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("starting {}", script.display()))?;
    match status.code() {
        Some(0) => Ok(true),
        Some(SKIPPED) => Ok(false),
        _ => bail!("{} ended with {status}", script.display()),
    }
}
