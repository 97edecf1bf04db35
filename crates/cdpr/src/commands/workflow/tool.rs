//! Programs of others that a command runs: started, waited for, and ended where they do not end by themselves.

use std::io::Read as _;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::refuse;
use crate::Failure;

/// Between two looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Runs a program to its end, and gives what it wrote to its standard output where that is a pipe. `name` is what
/// people call it, `hint` where they get it.
///
/// Of one that takes longer than `within` only the program itself is killed: in a process group of its own its
/// children would not hear an interrupt from the terminal.
///
/// # Errors
/// It does not start, or does not end in time.
pub(super) fn run(
    command: &mut Command,
    name: &str,
    within: Duration,
    hint: &str,
) -> Result<Output, Failure> {
    let mut child =
        command.spawn().map_err(|error| refuse(format!("{name} does not start: {error}"), hint))?;
    let failed =
        |error: std::io::Error| refuse(format!("{name} cannot be waited for: {error}"), hint);
    // Apart from the wait, because a child may hand its end of the pipe to one that lives longer.
    let stdout = child.stdout.take().map(|mut pipe| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.read_to_end(&mut bytes).map(|_| bytes)
        })
    });
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if begun.elapsed() >= within {
            // Fails only if it is gone, and whether it is gone is not asked again.
            let _ = child.kill();
            let _ = child.wait();
            let what =
                format!("{name} did not end within {} s and was killed", within.as_secs_f32());
            return Err(refuse(
                what,
                "run it by hand to see what it waits for: a lock, the network, a prompt",
            ));
        }
        std::thread::sleep(LOOK);
    };
    let stdout = match stdout {
        // It has ended, and what it wrote is in the pipe.
        Some(reader) => reader.join().unwrap_or_else(|_| Ok(Vec::new())).map_err(failed)?,
        None => Vec::new(),
    };
    Ok(Output { status, stdout, stderr: Vec::new() })
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    fn shell(script: &str, within: Duration) -> Result<Output, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped());
        run(&mut command, "sh", within, "install a shell").map_err(|failure| match failure {
            Failure::Input(error) => error.to_string(),
            Failure::Internal(error) => panic!("{error}"),
            Failure::Interrupted(_) | Failure::Unheard => panic!("nobody asked for that"),
        })
    }

    #[test]
    fn program_that_does_not_end_is_killed_and_named() {
        let said = shell("exec sleep 600", Duration::from_millis(50)).unwrap_err();
        assert!(said.starts_with("sh did not end within 0.05 s and was killed"), "{said}");
        assert!(said.contains("hint:"), "{said}");
    }

    #[test]
    fn program_that_ends_is_heard_to_the_last_byte() {
        // More than a pipe holds.
        let output = shell("yes | head -c 200000; exit 3", Duration::from_secs(60)).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 200_000));
    }

    #[test]
    fn program_that_is_not_there_has_its_hint() {
        let mut absent = Command::new("/nonexistent/cargo");
        let refused = run(&mut absent, "cargo", Duration::from_secs(1), "install Rust").err();
        let Some(Failure::Input(error)) = refused else { panic!("{refused:?}") };
        let said = error.to_string();
        assert!(said.contains("cargo does not start") && said.contains("install Rust"), "{said}");
    }
}
