//! The runner as a process: frames in, frames out, nothing else. See `runner::Program`.

use std::process::ExitCode;

fn main() -> ExitCode {
    platform::live(|module| {
        let mut program = runner::Program::new(module);
        move |frame, host| program.handle(frame, host)
    })
}
