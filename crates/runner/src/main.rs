//! The runner as a process: frames in, frames out, nothing else. See `runner::Program`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let served = platform::serve(|module| {
        let mut program = runner::Program::new(module);
        move |frame, host| program.handle(frame, host)
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        // What failed is the channel itself: there is no one to tell.
        Err(_) => ExitCode::FAILURE,
    }
}
