//! A workflow's code as something that runs: a module, a JavaScript bundle, or TypeScript to bundle.

use std::path::{Path, PathBuf};
use std::process::Command;

use cre::messages::sdk::{ExecuteRequest, ExecutionResult, TeeType, TeeTypeAndRegions};
use don::confidential::Confidential;
use don::{Program, ProgramError, TeeRunner};
use engine::{Error, Limits, Module, World};

use super::refuse;
use crate::Failure;

/// What npm has to bring.
const NPM: &str = "npm install @chainlink/cre-sdk @chainlink/cre-sdk-javy-plugin bun typescript";

/// A workflow's code, ready to run.
pub(crate) struct Loaded {
    pub(crate) module: Module,
    /// Its bytes; `None` of JavaScript.
    pub(crate) wasm: Option<Vec<u8>>,
    /// Whether its bytes name the dark pool's capability, which whoever calls it has to.
    pub(crate) names_dark_pool: bool,
}

/// Compiles whatever the file is.
pub(crate) fn load(path: &Path, limits: &Limits) -> Result<Loaded, Failure> {
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    let names = |bytes: &[u8]| {
        let id = cre::messages::darkpool::ID.as_bytes();
        bytes.windows(id.len()).any(|window| window == id)
    };
    let refused = |error: Error| {
        let words = format!("{}: {error}", path.display());
        refuse(words, hint(&error))
    };
    let script = |plugin: &Path, bundle: &[u8]| {
        let module = Module::javascript(&read(plugin)?, bundle, limits).map_err(refused)?;
        Ok(Loaded { module, wasm: None, names_dark_pool: names(bundle) })
    };
    match kind {
        "ts" | "tsx" => {
            let (npm, scratch) = (Npm::above(path)?, Scratch::new()?);
            script(&npm.plugin, &npm.bundle(path, &scratch)?)
        }
        "js" | "mjs" => {
            let plugin = plugin_above(path).ok_or_else(|| absent(path, "the Javy plugin"))?;
            script(&plugin, &read(path)?)
        }
        "go" | "rs" => {
            let hint = "build it first (`cdpr workflow build`, or its Makefile) and give the .wasm";
            Err(refuse(format!("{}: this is source", path.display()), hint))
        }
        _ => {
            let bytes = read(path)?;
            let wasm = engine::unpack(&bytes, limits).map_err(refused)?;
            let module = Module::compile(&wasm, limits).map_err(refused)?;
            let names_dark_pool = names(&wasm);
            Ok(Loaded { module, wasm: Some(wasm.into()), names_dark_pool })
        }
    }
}

/// What to do about a module that is refused.
pub(crate) const fn hint(error: &Error) -> &'static str {
    match error {
        Error::NotWasm | Error::CorruptBrotli => "give a WebAssembly module, raw or as brotli",
        Error::CompressedTooLarge { .. } | Error::WasmTooLarge { .. } | Error::Memory { .. } => {
            "build with optimisation (opt-level \"s\", lto, strip), or raise it with --limits"
        }
        Error::LegacyDag => "build it with a CRE SDK; a module has to import env.version_v2*",
        Error::UnknownImport { .. } | Error::Link { .. } => {
            "a workflow has no files, threads or sockets; drop the dependency that wants them"
        }
        Error::NoStart | Error::NoMemory => {
            "a workflow is a program: `cre::workflow!(…)` in a cdylib makes its entry"
        }
        Error::JavaScript { .. } | Error::NotAPlugin { .. } => {
            "bundle with @chainlink/cre-sdk's compile-to-js, and keep SDK and plugin of one release"
        }
        Error::Invalid { .. }
        | Error::ConfigTooLarge { .. }
        | Error::ReturnedWithoutExit { .. }
        | Error::Exit { .. }
        | Error::NoResponse
        | Error::NotAnExecutionResult { .. }
        | Error::ResponseTooLarge { .. }
        | Error::Trap { .. }
        | Error::Deadline { .. }
        | Error::Fuel { .. }
        | Error::Engine { .. } => "see `cdpr workflow limits`",
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        let hint = "build the workflow first: `cdpr workflow build`, or `make build` in its folder";
        refuse(format!("{}: {error}", path.display()), hint)
    })
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
    fn bundle(&self, source: &Path, scratch: &Scratch) -> Result<Vec<u8>, Failure> {
        let failed = |what: String| refuse(what, "the SDK's compiler printed why, above");
        // The script calls `bun` by name.
        let link = scratch.0.join("bun");
        std::os::unix::fs::symlink(&self.bun, &link).map_err(|error| failed(error.to_string()))?;
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(scratch.0.clone()).chain(std::env::split_paths(&folders));
        let folders = std::env::join_paths(folders).map_err(|error| failed(error.to_string()))?;
        let (source, out) = (absolute(source), scratch.0.join("bundle.js"));
        let status = Command::new(&link)
            .arg(&self.script)
            .arg("compile-to-js")
            .args([&source, &out])
            .arg("--skip-type-checks")
            .current_dir(source.parent().unwrap_or(Path::new("/")))
            .env("PATH", folders)
            .stdout(std::process::Stdio::null())
            .status()
            .map_err(|error| failed(format!("bun does not start: {error}")))?;
        if !status.success() {
            return Err(failed(format!("{}: does not bundle: {status}", source.display())));
        }
        read(&out)
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A folder that is gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("cdpr-bundle-{}", std::process::id()));
        std::fs::create_dir_all(&folder)
            .map_err(|error| refuse(format!("{}: {error}", folder.display()), "set TMPDIR"))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is a bundle in a temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where a trigger that requires a TEE is handled: a measured runner, a process of its own that the nodes check.
/// It runs WebAssembly; a JavaScript workflow is handled here instead, once and with calls of its own.
pub(crate) struct Tee<'a> {
    pub(crate) module: &'a Module,
    pub(crate) runner: Option<&'a Confidential<'static>>,
}

impl Program for Tee<'_> {
    fn run(
        &self,
        request: &ExecuteRequest,
        world: &mut dyn World,
    ) -> Result<ExecutionResult, ProgramError> {
        match self.runner {
            Some(runner) => runner.run(request, world),
            None => Program::run(self.module, request, world),
        }
    }
}

impl TeeRunner for Tee<'_> {
    /// Simulated ones are wherever a workflow wants them.
    fn tee(&self) -> TeeTypeAndRegions {
        let regions = [
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
            "ca-central-1",
            "sa-east-1",
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "eu-central-1",
            "eu-north-1",
            "eu-south-1",
            "ap-south-1",
            "ap-southeast-1",
            "ap-southeast-2",
            "ap-northeast-1",
            "ap-northeast-2",
            "ap-northeast-3",
            "ap-east-1",
            "me-south-1",
            "af-south-1",
        ];
        let regions = regions.map(str::to_owned).to_vec();
        TeeTypeAndRegions { r#type: TeeType::AwsNitro.into(), regions }
    }
}
