//! `cdpr workflow build`: cargo for the one target on which a workflow cannot reach a clock or a file, and
//! a node's checks of what comes out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Args;
use engine::{Limits, Module};
use serde_json::Value;
use study::{folder, reading};

use super::{program, refuse, tool};
use crate::commands::unwritten;
use crate::terminal::{self, say};
use crate::{Ending, Failure};

/// No clock, entropy, environment or file can be imported here.
const TARGET: &str = "wasm32-unknown-unknown";

/// Where both of them come from.
const INSTALL: &str = "install Rust: https://rustup.rs";
/// Rust's compiler says where it is at once; what is called by its name may be rustup, which fetches a toolchain first.
const RUSTC_TIME_MAX: Duration = Duration::from_mins(10);
/// A workflow and all it depends on compile within a minute or two; a first download over a slow line is waited for.
const CARGO_TIME_MAX: Duration = Duration::from_mins(30);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The workflow's crate.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Cargo's profile.
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,
    /// Also write the form in which CRE takes modules, base64 of brotli, beside it:
    /// wasm/workflow.wasm.br.b64.
    #[arg(long)]
    deploy: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let folder = &arguments.folder;
    if !folder.join("Cargo.toml").exists() {
        let hint = "give the folder of a Rust workflow; one in another language is built by its Makefile, and \
                    TypeScript needs no building";
        return Err(refuse(format!("{}: no Cargo.toml here", folder.display()), hint));
    }
    let words = "interrupted; run it again: cargo goes on where it stopped";
    terminal::on_interrupt(words.to_owned(), || false);
    require_target(folder)?;
    let built = compile(folder, &arguments.profile)?;
    let wasm = program::read(&built)?;
    let limits = Limits::production();
    let module = Module::compile(&wasm, &limits)
        .map_err(|error| refuse(format!("{}: {error}", built.display()), program::hint(&error)))?;
    let file = folder.join("wasm/workflow.wasm");
    write(&file, &wasm)?;
    let mut text = format!(
        "{}\n  sha256  {}\n  SDK     {}\n  imports only what a CRE node provides\n  {} bytes raw, the limit is {}\n",
        file.display(),
        primitives::hex(&module.hash()),
        module.sdk_label(),
        wasm.len(),
        limits.wasm_size_max,
    );
    if arguments.deploy {
        let deployed = engine::deploy_form(&wasm);
        // Base64 writes three bytes as four; its padding is at most two of them.
        let compressed = deployed.len() / 4 * 3;
        if compressed > limits.wasm_compressed_size_max {
            let what = format!("the module has {compressed} bytes as brotli");
            return Err(refuse(what, format!("the limit is {}", limits.wasm_compressed_size_max)));
        }
        let file = folder.join("wasm/workflow.wasm.br.b64");
        write(&file, deployed.as_bytes())?;
        text.push_str(&format!(
            "{}\n  {compressed} bytes of brotli, the limit is {}\n",
            file.display(),
            limits.wasm_compressed_size_max
        ));
    }
    say(text)?;
    Ok(Ending::Done)
}

/// How a module begins.
const MODULE: &[u8] = b"\0asm";

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=\n".contains(byte);
    let is_module = |found: &[u8]| match bytes.starts_with(MODULE) {
        true => found.is_empty() || found.starts_with(MODULE),
        false => found.iter().all(is_base64),
    };
    let found = reading::read(file, program::LEN_MAX);
    if file.exists() && !found.is_ok_and(|found| is_module(&found)) {
        let what = format!("{}: there already, and not a module", file.display());
        return Err(refuse(what, "move it away"));
    }
    folder::make(file.parent().unwrap_or(Path::new("."))).map_err(unwritten)?;
    folder::write_over(file, bytes).map_err(unwritten)
}

/// Refuses early what cargo would refuse with a page of errors.
fn require_target(folder: &Path) -> Result<(), Failure> {
    let hint = format!("rustup target add {TARGET}");
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]).current_dir(folder).stdout(Stdio::piped());
    let rustc = tool::run(rustc.stderr(Stdio::null()), "rustc", RUSTC_TIME_MAX, INSTALL)?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&rustc.stdout).trim());
    if sysroot.join("lib/rustlib").join(TARGET).exists() {
        return Ok(());
    }
    Err(refuse(format!("the target {TARGET} is not installed"), hint))
}

/// Builds the library; cargo's own words go to the terminal.
fn compile(folder: &Path, profile: &str) -> Result<PathBuf, Failure> {
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--lib", "--target", TARGET, "--profile", profile])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let output = tool::run(&mut cargo, "cargo", CARGO_TIME_MAX, INSTALL)?;
    if !output.status.success() {
        return Err(refuse("the workflow does not compile", "cargo says why, above"));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let files = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let modules = files.flat_map(|message| {
        let files = message["filenames"].as_array().cloned().unwrap_or_default();
        files.into_iter().filter_map(|file| file.as_str().map(PathBuf::from))
    });
    // The workflow itself comes last, after what it depends on.
    let mut modules = modules.filter(|file| file.extension().is_some_and(|kind| kind == "wasm"));
    modules.next_back().ok_or_else(|| {
        refuse("cargo made no module", "Cargo.toml needs [lib] crate-type = [\"cdylib\"]")
    })
}
