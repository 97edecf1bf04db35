//! Fuzz targets, built and run for a while on stable: coverage guides them, no sanitizer watches.
//!
//! A person who looks for long uses `cargo fuzz run -s none <target>` in the crate.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::ci;
use crate::shell::Call;

/// What `cargo fuzz -s none` compiles with.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions";

/// How long the gate has each target look.
pub(crate) const SECONDS: u32 = 60;

/// Workspaces of their own, with their targets.
const PACKAGES: [(&str, &[&str]); 2] = [
    ("crates/engine/fuzz", &["guest", "host_calls", "modules"]),
    (
        "crates/strangers/fuzz",
        &[
            "sockets", "second", "evidence", "sealed", "chain", "disk", "messages", "bodies",
            "files",
        ],
    ),
];

/// Runs each target, or the named ones, for `seconds`.
///
/// # Errors
/// When there is no such target, one doesn't build, or an input breaks it: the input is kept where the message says.
pub(crate) fn run(only: Option<&[&str]>, seconds: u32) -> Result<()> {
    let dir = ci::target_dir()?.join("fuzz");
    fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    let is_known = |name: &&str| PACKAGES.iter().any(|(_, targets)| targets.contains(name));
    let unknown = only.unwrap_or_default().iter().find(|name| !is_known(name));
    ensure!(
        unknown.is_none(),
        "there is no fuzz target {}; hint: there are {}",
        unknown.unwrap_or(&""),
        PACKAGES.map(|(_, targets)| targets.join(", ")).join(", ")
    );
    for (package, targets) in PACKAGES {
        let is_asked = |target: &&str| only.is_none_or(|only| only.contains(target));
        let targets: Vec<&str> = targets.iter().copied().filter(is_asked).collect();
        if !targets.is_empty() {
            run_package(&dir, package, &targets, seconds)?;
        }
    }
    Ok(())
}

/// Whether the lock files of all packages are as their manifests ask, and those of ours that they depend on.
///
/// # Errors
/// When one is not.
pub(crate) fn check_locks() -> Result<()> {
    for (package, _) in PACKAGES {
        Call::new("cargo fetch --quiet --locked --manifest-path")
            .arg(format!("{package}/Cargo.toml"))
            .run()
            .with_context(|| {
                format!("hint: cargo update --workspace --manifest-path {package}/Cargo.toml")
            })?;
    }
    Ok(())
}

fn run_package(dir: &Path, package: &str, targets: &[&str], seconds: u32) -> Result<()> {
    // With a target named, the flags are not for build scripts, which have no fuzzer to link.
    let host = Call::new("rustc --print host-tuple").read()?;
    let mut build = Call::new("cargo build --release --quiet --locked --manifest-path")
        .arg(format!("{package}/Cargo.toml"))
        .arg("--target")
        .arg(host.trim());
    for target in targets {
        build = build.arg("--bin").arg(*target);
    }
    build.env("CARGO_TARGET_DIR", dir.to_string_lossy()).env("RUSTFLAGS", FLAGS).run()?;
    for target in targets {
        // Where targets that have inputs to begin with write them, and all leave what they found new.
        let seeds = dir.join("corpus").join(target);
        fs::create_dir_all(&seeds).with_context(|| format!("making {}", seeds.display()))?;
        Call::at(&dir.join(host.trim()).join("release").join(target))
            .arg(seeds.display().to_string())
            .arg(format!("-max_total_time={seconds}"))
            .arg("-print_final_stats=1")
            .arg("-verbosity=0")
            .arg(format!("-artifact_prefix={}/{target}-", dir.display()))
            .env("FUZZ_SEEDS", seeds.to_string_lossy())
            .run()?;
    }
    Ok(())
}
