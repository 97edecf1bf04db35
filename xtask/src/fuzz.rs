//! Fuzz targets, built and run for a while on stable: coverage guides them, no sanitizer watches.
//!
//! A person who looks for long uses `cargo fuzz run -s none <target>` in the crate.

use std::fs;

use anyhow::{Context as _, Result};

use crate::ci;
use crate::shell::Call;

/// What `cargo fuzz -s none` compiles with.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions";

const PACKAGE: &str = "crates/engine/fuzz";
const TARGETS: [&str; 3] = ["guest", "host_calls", "modules"];

/// Runs each target for `seconds`.
///
/// # Errors
/// When one doesn't build, or an input breaks it: the input is kept where the message says.
pub(crate) fn run(seconds: u32) -> Result<()> {
    let dir = ci::target_dir()?.join("fuzz");
    fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    // With a target named, the flags are not for build scripts, which have no fuzzer to link.
    let host = Call::new("rustc --print host-tuple").read()?;
    Call::new("cargo build --release --quiet --locked --bins --manifest-path")
        .arg(format!("{PACKAGE}/Cargo.toml"))
        .arg("--target")
        .arg(host.trim())
        .env("CARGO_TARGET_DIR", dir.to_string_lossy())
        .env("RUSTFLAGS", FLAGS)
        .run()?;
    for target in TARGETS {
        Call::at(&dir.join(host.trim()).join("release").join(target))
            .arg(format!("-max_total_time={seconds}"))
            .arg("-print_final_stats=1")
            .arg("-verbosity=0")
            .arg(format!("-artifact_prefix={}/{target}-", dir.display()))
            .run()?;
    }
    Ok(())
}
