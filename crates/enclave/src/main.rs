//! The measured program as a process: frames in, frames out, nothing else. See `enclave::Program`.
//!
//! Descriptor 0 is the host's socket, descriptor 1 the security module's. There is no other output:
//! both are replaced by the null device once taken, so that a stray print ends nowhere.

mod nsm;

use std::{fs::File, os::fd::AsFd, os::unix::net::UnixStream, process::ExitCode};

use attestation::frame;
use enclave::Program;
use rustix::{
    process::{DumpableBehavior, Resource, Rlimit},
    stdio, thread,
};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // What failed is the channel itself: there is no one to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

/// Answers the host until it closes its socket.
fn run() -> std::io::Result<()> {
    harden()?;
    let mut host = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let module = UnixStream::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let null = File::options().read(true).write(true).open("/dev/null")?;
    stdio::dup2_stdin(&null)?;
    stdio::dup2_stdout(&null)?;

    let mut program = Program::new(nsm::Nsm(module));
    loop {
        let command = match frame::read(&mut host) {
            Ok(command) => command,
            Err(frame::FrameError::Closed) => return Ok(()),
            Err(error) => return Err(std::io::Error::other(error)),
        };
        frame::write(&mut host, &program.handle(&command)).map_err(std::io::Error::other)?;
    }
}

/// No core dumps, no debugger without privileges, no new privileges. Against other users of the
/// machine only: root sees everything, until hardware says otherwise.
fn harden() -> rustix::io::Result<()> {
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    thread::set_no_new_privs(true)
}
