//! JavaScript and TypeScript: bundled by the official SDK's own script, run by its QuickJS plugin, which takes the compiler.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use engine::{Limits, Module};
use tempfile::TempDir;

use super::program::{Loaded, names_dark_pool, read, refused};
use super::{refuse, tool};
use crate::Failure;
use crate::terminal::{self, note};

/// What npm has to bring.
const NPM: &str = "npm install @chainlink/cre-sdk @chainlink/cre-sdk-javy-plugin bun typescript";

/// A bundle takes a second or two.
const BUNDLE_TIME_MAX: Duration = Duration::from_mins(2);

/// Bundles a workflow if it is TypeScript, and compiles it.
pub(super) fn load(path: &Path, limits: &Limits, checks_types: bool) -> Result<Loaded, Failure> {
    let is_typescript = path.extension().is_some_and(|kind| kind == "ts" || kind == "tsx");
    let (plugin, bundle) = if is_typescript {
        let (npm, scratch) = (Npm::above(path)?, scratch()?);
        let unchecked = if checks_types { lacks_for_types(path) } else { None };
        if let Some(lacks) = unchecked {
            note(format_args!("types are not checked: there is no {lacks} here or above"));
        }
        let bundle = npm.bundle(path, &scratch, checks_types && unchecked.is_none())?;
        (npm.plugin, bundle)
    } else {
        let plugin = plugin_above(path).ok_or_else(|| absent(path, "the Javy plugin"))?;
        (plugin, read(path)?)
    };
    let module = Module::javascript(&read(&plugin)?, &bundle, limits)
        .map_err(|error| refused(path, &error))?;
    Ok(Loaded { module, wasm: None, names_dark_pool: names_dark_pool(&bundle) })
}

fn absent(path: &Path, what: &str) -> Failure {
    refuse(format!("{}: no {what} in a node_modules here or above", path.display()), NPM)
}

/// The packages of a TypeScript project.
struct Npm {
    plugin: PathBuf,
    script: PathBuf,
    bun: PathBuf,
}

fn find_above(path: &Path, find: impl Fn(&Path) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = std::fs::canonicalize(path).ok()?;
    absolute.ancestors().find_map(|folder| find(&folder.join("node_modules")))
}

fn plugin_above(path: &Path) -> Option<PathBuf> {
    let file = "@chainlink/cre-sdk-javy-plugin/dist/javy-chainlink-sdk.plugin.wasm";
    find_above(path, |modules| Some(modules.join(file)).filter(|file| file.exists()))
}

/// What is missing to check a workflow's types, if something is: the SDK's script takes npm's `typescript`, and the
/// options of the nearest tsconfig.json.
fn lacks_for_types(path: &Path) -> Option<&'static str> {
    let compiler = |modules: &Path| {
        Some(modules.join("typescript/lib/typescript.js")).filter(|file| file.exists())
    };
    if find_above(path, compiler).is_none() {
        return Some("typescript in a node_modules");
    }
    let absolute = absolute(path);
    let mut folders = absolute.ancestors().skip(1);
    let is_configured = folders.any(|folder| folder.join("tsconfig.json").exists());
    (!is_configured).then_some("tsconfig.json")
}

impl Npm {
    fn above(path: &Path) -> Result<Self, Failure> {
        let script = find_above(path, |modules| {
            Some(modules.join("@chainlink/cre-sdk/scripts/run.ts")).filter(|file| file.exists())
        });
        // bun's postinstall moves the platform's program into the package; npm may have blocked that, and
        // then the program is where it came in. What stands in its place meanwhile is a small script.
        let is_program = |file: &PathBuf| file.metadata().is_ok_and(|file| file.len() > 1_000_000);
        let bun = find_above(path, |modules| {
            let platforms =
                std::fs::read_dir(modules.join("@oven")).into_iter().flatten().flatten();
            let mut files: Vec<_> = platforms.map(|entry| entry.path().join("bin/bun")).collect();
            files.sort();
            files.push(modules.join("bun/bin/bun.exe"));
            files.into_iter().find(is_program)
        });
        let on_path = || {
            let folders = std::env::var_os("PATH")?;
            std::env::split_paths(&folders).map(|folder| folder.join("bun")).find(is_program)
        };
        Ok(Self {
            plugin: plugin_above(path).ok_or_else(|| absent(path, "the Javy plugin"))?,
            script: script.ok_or_else(|| absent(path, "@chainlink/cre-sdk"))?,
            bun: bun.or_else(on_path).ok_or_else(|| absent(path, "bun"))?,
        })
    }

    /// One JavaScript file of a workflow and all it imports, by the official SDK's own script.
    fn bundle(
        &self,
        source: &Path,
        scratch: &TempDir,
        checks_types: bool,
    ) -> Result<Vec<u8>, Failure> {
        let failed = |what: String| {
            let types =
                if checks_types { "; --skip-type-checks leaves its types alone" } else { "" };
            refuse(what, format!("the SDK's compiler printed why, above{types}"))
        };
        // The script calls `bun` by name.
        let link = scratch.path().join("bun");
        std::os::unix::fs::symlink(&self.bun, &link).map_err(|error| failed(error.to_string()))?;
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let folders =
            std::iter::once(scratch.path().to_owned()).chain(std::env::split_paths(&folders));
        let folders = std::env::join_paths(folders).map_err(|error| failed(error.to_string()))?;
        let (source, out) = (absolute(source), scratch.path().join("bundle.js"));
        let mut bun = Command::new(&link);
        bun.arg(&self.script)
            .arg("compile-to-js")
            .args([&source, &out])
            .args((!checks_types).then_some("--skip-type-checks"))
            .current_dir(source.parent().unwrap_or(Path::new("/")))
            .env("PATH", folders)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let status = tool::run(&mut bun, "bun", BUNDLE_TIME_MAX, NPM)?.status;
        if !status.success() {
            return Err(failed(format!("{}: does not bundle: {status}", source.display())));
        }
        read(&out)
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A folder of nobody else's that is gone when dropped.
fn scratch() -> Result<TempDir, Failure> {
    let made = tempfile::Builder::new().prefix("cdpr-bundle-").tempdir();
    let made = made.map_err(|error| refuse(error, "set TMPDIR to a folder you may write"))?;
    terminal::remove_when_interrupted(made.path());
    Ok(made)
}
