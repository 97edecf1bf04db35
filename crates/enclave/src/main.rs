//! The measured program as a process: frames in, frames out, nothing else. See `enclave::Program`.

use std::{os::unix::net::UnixStream, process::ExitCode};

use enclave::Program;

fn main() -> ExitCode {
    platform::live(|module| {
        let mut program = Program::new(module);
        move |command: &[u8], _: &mut UnixStream| program.handle(command)
    })
}
