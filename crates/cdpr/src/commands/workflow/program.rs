//! A workflow's code as something that runs: a module, a JavaScript bundle, or TypeScript to bundle.

use std::path::Path;

use cre::messages::sdk::{ExecuteRequest, ExecutionResult, TeeType, TeeTypeAndRegions};
use don::confidential::Confidential;
use don::{Program, ProgramError, TeeRunner};
use engine::{Error, Limits, Module, World};

use super::{refuse, script};
use crate::Failure;
use crate::commands::bytes;

/// Most bytes of a module or a bundle that are read: limits are below, and say so in their own words.
pub(super) const LEN_MAX: u64 = 1 << 30;

/// A workflow's code, ready to run.
pub(crate) struct Loaded {
    pub(crate) module: Module,
    /// Its bytes; `None` of JavaScript.
    pub(crate) wasm: Option<Vec<u8>>,
    /// Whether its bytes name the dark pool's capability, which whoever calls it has to.
    pub(crate) names_dark_pool: bool,
}

/// Compiles whatever the file is; `checks_types` of TypeScript, where there is what it takes.
pub(crate) fn load(path: &Path, limits: &Limits, checks_types: bool) -> Result<Loaded, Failure> {
    #[cfg(feature = "compiler")]
    if let Some(folder) = crate::keys::cache() {
        engine::keep_compiled_in(folder.join("modules"));
    }
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    let refused = |error| refused(path, &error);
    match kind {
        "ts" | "tsx" | "js" | "mjs" => script::load(path, limits, checks_types),
        "go" | "rs" => {
            let hint = "build it first (`cdpr workflow build`, or its Makefile) and give the .wasm";
            Err(refuse(format!("{}: this is source", path.display()), hint))
        }
        _ => {
            let bytes = read(path)?;
            let wasm = engine::unpack(&bytes, limits).map_err(refused)?;
            let module = Module::compile(&wasm, limits).map_err(refused)?;
            let names_dark_pool = names_dark_pool(&wasm);
            Ok(Loaded { module, wasm: Some(wasm.into()), names_dark_pool })
        }
    }
}

pub(super) fn names_dark_pool(bytes: &[u8]) -> bool {
    let id = cre::messages::darkpool::ID.as_bytes();
    bytes.windows(id.len()).any(|window| window == id)
}

pub(super) fn refused(path: &Path, error: &Error) -> Failure {
    refuse(format!("{}: {error}", path.display()), hint(error))
}

/// What to do about a workflow that stops by itself.
pub(super) const CONFIGURATION: &str =
    "is its configuration the right one? --config FILE gives another";

/// What to do about one that uses more than it may.
pub(super) const ROOM: &str =
    "--limits FILE gives it more room; `cdpr workflow limits export FILE` writes one";

/// What to do about a module that is refused.
pub(crate) fn hint(error: &Error) -> &'static str {
    match error {
        Error::NotWasm | Error::CorruptBrotli => "give a WebAssembly module, raw or as brotli",
        Error::CompressedTooLarge { .. } | Error::WasmTooLarge { .. } | Error::Memory { .. } => {
            "build with optimisation (opt-level \"s\", lto, strip), or raise it with --limits"
        }
        Error::NoRoom { .. } => {
            "raise `ulimit -v`: a build with the compiler reserves 4 GiB of address space for each of the DON's nodes, \
             one without takes what the module uses"
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
        // Validators say of a proposal that is off that it must be, or is not, enabled.
        Error::Invalid { reason } if reason.contains("enabled") => {
            "build for plain WebAssembly: nodes have no threads, 64-bit memory or SIMD"
        }
        Error::Invalid { .. } => "build it again: a part of it is missing, or was changed",
        Error::ConfigTooLarge { .. }
        | Error::ResponseTooLarge { .. }
        | Error::Deadline { .. }
        | Error::Fuel { .. } => ROOM,
        Error::ReturnedWithoutExit { .. }
        | Error::Exit { .. }
        | Error::NoResponse
        | Error::Trap { .. } => CONFIGURATION,
        Error::NotAnExecutionResult { .. } => "build it with a CRE SDK",
        Error::Engine { .. } => "another machine, or fewer limits on this one, may run it",
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    bytes(path, LEN_MAX).map_err(|why| {
        let hint = "build the workflow first: `cdpr workflow build`, or `make build` in its folder";
        refuse(format!("{}: {why}", path.display()), hint)
    })
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
