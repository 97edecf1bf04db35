//! Workflow modules: built from this repository, committed with the hashes of their sources, rebuilt and compared.
//!
//! `cargo run` and `cargo test` embed the committed module, so that neither needs a WASM target.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::shell::{self, Call};

/// Package, file name of its library, and the folder that its module is committed to.
const GUESTS: [(&str, &str, &str); 1] =
    [("recovery-guest", "recovery_guest", "workflows/recovery/wasm")];

/// The target on which no clock, entropy, environment or file can be imported.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The hashes that [`tidy`](crate::tidy) compares without building anything.
pub(crate) const SOURCES: &str = "workflows/recovery/wasm/sources.txt";

/// Whether the target is installed, or can be: asks rustup for it where rustup is.
pub(crate) fn has_target() -> Result<bool> {
    let sysroot = Call::new("rustc --print sysroot").read()?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET);
    if !library.exists() && shell::is_installed("rustup") {
        let added = Call::new(&format!("rustup target add {TARGET}")).run();
        if let Err(error) = added {
            eprintln!("{error:#}");
        }
    }
    Ok(library.exists())
}

/// Builds every module. With `check`, compares with what is committed and changes nothing.
///
/// # Errors
/// When a build fails, or when `check` finds a difference.
pub(crate) fn run(check: bool) -> Result<()> {
    if !has_target()? {
        bail!("the {TARGET} target is not installed; hint: `rustup target add {TARGET}`");
    }
    for (package, library, folder) in GUESTS {
        let (module, sources) = build(package, library)?;
        let folder = shell::root().join(folder);
        let (module_path, sources_path) =
            (folder.join("workflow.wasm"), folder.join("sources.txt"));
        println!("{package}: {} bytes", module.len());
        if !check {
            fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
            fs::write(&module_path, &module)
                .with_context(|| format!("writing {}", module_path.display()))?;
            fs::write(&sources_path, &sources)
                .with_context(|| format!("writing {}", sources_path.display()))?;
            continue;
        }
        let same = fs::read(&module_path).is_ok_and(|committed| committed == module)
            && fs::read_to_string(&sources_path).is_ok_and(|committed| committed == sources);
        if !same {
            bail!(
                "{} is not what {package} builds to; hint: `cargo xtask guests`, and say in the commit what changed",
                module_path.display()
            );
        }
    }
    Ok(())
}

/// The module, and the list of its sources with their hashes.
fn build(package: &str, library: &str) -> Result<(Vec<u8>, String)> {
    Call::new(&format!(
        "cargo build --locked --package {package} --profile guest --target {TARGET}"
    ))
    .env("CARGO_ENCODED_RUSTFLAGS", flags()?)
    .run()?;
    let built = crate::ci::target_dir()?.join(TARGET).join("guest");
    let module = built.join(format!("{library}.wasm"));
    let bytes = fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
    let dep_info = built.join(format!("{library}.d"));
    let listed =
        fs::read_to_string(&dep_info).with_context(|| format!("reading {}", dep_info.display()))?;
    Ok((bytes, hashes(&listed)?))
}

/// Hides the names of this machine's folders, which would be in the module otherwise.
fn flags() -> Result<String> {
    let sysroot = Call::new("rustc --print sysroot").read()?;
    let version = Call::new("rustc -vV").read()?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo"))).context("a cargo home")?;
    let registries = home.join("registry/src");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(&registries).into_iter().flatten().flatten().map(|it| it.path()).collect();
    folders.sort();
    let library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
    let mut flags = vec![
        remap(&shell::root(), "/cdpr"),
        remap(&library, &format!("/rustc/{}", commit.unwrap_or("unknown"))),
    ];
    flags.extend(folders.iter().map(|folder| remap(folder, "/registry")));
    Ok(flags.join("\u{1f}"))
}

fn remap(from: &Path, to: &str) -> String {
    format!("--remap-path-prefix={}={to}", from.display())
}

/// `sha256  path` a line, sorted: every workspace source that the compiler lists, and the manifests above them.
fn hashes(dep_info: &str) -> Result<String> {
    let root = shell::root();
    let (_, listed) = dep_info.split_once(": ").context("a target and its sources")?;
    let listed: Vec<PathBuf> = listed.split_whitespace().map(PathBuf::from).collect();
    let manifests = listed.iter().filter_map(|file| {
        file.ancestors().map(|folder| folder.join("Cargo.toml")).find(|path| path.exists())
    });
    let files: BTreeSet<PathBuf> = listed.iter().cloned().chain(manifests).collect();
    let mut text = String::new();
    for file in &files {
        let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        let name = file.strip_prefix(&root).unwrap_or(file);
        writeln!(text, "{}  {}", hash(&bytes), name.display())?;
    }
    Ok(text)
}

/// Lower-case hexadecimal SHA-256.
pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
