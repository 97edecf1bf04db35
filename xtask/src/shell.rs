//! Running other programs: printed as a person would type them, so that a failure can be copied and rerun.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// One program call, relative to the repository's root.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    program: String,
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
    dir: &'static str,
}

impl Call {
    /// Splits `line` at spaces; arguments that contain some are added with [`Self::arg`].
    pub(crate) fn new(line: &str) -> Self {
        let mut words = line.split_whitespace().map(String::from);
        Self {
            program: words.next().expect("every call names its program"),
            args: words.collect(),
            env: Vec::new(),
            dir: ".",
        }
    }

    /// A program by its path, which may have spaces.
    pub(crate) fn at(path: &Path) -> Self {
        let program = path.to_string_lossy().into_owned();
        Self { program, args: Vec::new(), env: Vec::new(), dir: "." }
    }

    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Runs in `dir`, relative to the repository's root.
    pub(crate) fn dir(mut self, dir: &'static str) -> Self {
        self.dir = dir;
        self
    }

    /// Runs it on this terminal.
    ///
    /// # Errors
    /// When it can't be started or doesn't exit with 0.
    pub(crate) fn run(&self) -> Result<()> {
        let status = self.command().status().with_context(|| format!("starting `{self}`"))?;
        if !status.success() {
            bail!("`{self}` ended with {status}");
        }
        Ok(())
    }

    /// Runs it and returns what it wrote to stdout; stderr stays on this terminal.
    ///
    /// # Errors
    /// When it can't be started, doesn't exit with 0, or doesn't write UTF-8.
    pub(crate) fn read(&self) -> Result<String> {
        let output = self
            .command()
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("starting `{self}`"))?;
        if !output.status.success() {
            bail!("`{self}` ended with {}", output.status);
        }
        String::from_utf8(output.stdout).with_context(|| format!("reading what `{self}` printed"))
    }

    /// Runs it and returns what it wrote to stdout, and then what it wrote to stderr.
    ///
    /// # Errors
    /// When it can't be started or doesn't exit with 0; then with what it wrote.
    pub(crate) fn read_all(&self) -> Result<String> {
        let output = self.command().output().with_context(|| format!("starting `{self}`"))?;
        let bytes = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&bytes);
        if !output.status.success() {
            bail!("`{self}` ended with {}:\n{said}", output.status);
        }
        Ok(said.into_owned())
    }

    fn command(&self) -> Command {
        // `cargo run` names its toolchain's own cargo; going through it keeps one version per run.
        let program = match self.program.as_str() {
            "cargo" => env::var("CARGO").unwrap_or_else(|_| "cargo".into()),
            other => other.into(),
        };
        let mut command = Command::new(program);
        command.args(&self.args).current_dir(root().join(self.dir)).stdin(Stdio::null());
        // `cargo run` describes xtask to its child in these. Build scripts that watch them (ring's does) would
        // otherwise run again on every change between `cargo test` and `cargo xtask ci`.
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&*name);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dir != "." {
            write!(f, "cd {} && ", self.dir)?;
        }
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(&self.program)?;
        for arg in &self.args {
            write!(f, " {}", quoted(arg))?;
        }
        Ok(())
    }
}

/// The repository's root. `cargo run` says it at run time, which stays true when two clones share a target directory.
pub(crate) fn root() -> PathBuf {
    let manifest_dir =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest_dir).parent().expect("xtask is a folder of the repository").into()
}

pub(crate) fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    found.is_ok_and(|output| output.status.success())
}

fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("\"{word}\"") } else { word.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_prints_as_a_person_would_type_it() {
        let call = Call::new("cargo doc --no-deps").env("RUSTDOCFLAGS", "-D warnings").dir("web");
        assert_eq!(call.to_string(), r#"cd web && RUSTDOCFLAGS="-D warnings" cargo doc --no-deps"#);
    }

    #[test]
    fn a_failing_program_is_an_error_that_names_it() {
        let error = Call::new("false").run().unwrap_err().to_string();
        assert!(error.starts_with("`false` ended with"), "{error}");
    }
}
