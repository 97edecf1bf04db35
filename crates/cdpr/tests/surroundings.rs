//! Machines that lack something, and others that stall: the step that failed and a way out, soon.
//!
//! What takes it away is a program of the system's; where there is none a test says so and passes.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const CDPR: &str = env!("CARGO_BIN_EXE_cdpr");
const RECOVERY: &str = "../../workflows/recovery";

fn temporary(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("surroundings").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// `program` with what a user has: a path, and the cache that the tests of this crate share.
fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Fails, and says each of `wants`.
fn fails(output: &Output, wants: &[&str]) {
    let said = said(output);
    assert!(matches!(output.status.code(), Some(2 | 3)), "{:?}: {said}", output.status);
    for want in wants {
        assert!(said.contains(want), "expected {want:?} in: {said}");
    }
}

/// Runs a mission in a mount namespace of its own, in which something lies over `path`.
fn without(path: &str) -> Option<Output> {
    let script = format!("mount -t tmpfs none {path} && exec {CDPR} run --json");
    let unshare = |extra: &[&str], script: &str| {
        let arguments = [extra, &["--mount", "sh", "-c", script]].concat();
        command("unshare", &arguments).output()
    };
    let may = |extra: &[&str]| {
        unshare(extra, &format!("mount -t tmpfs none {path}"))
            .is_ok_and(|output| output.status.success())
    };
    let as_root = ["--user", "--map-root-user"];
    let extra: &[&str] = if may(&[]) {
        &[]
    } else if may(&as_root) {
        &as_root
    } else {
        println!("skipped: no mount namespaces here");
        return None;
    };
    Some(unshare(extra, &script).unwrap())
}

/// Runs a mission whose system calls of a name fail, as a sandbox has them fail.
fn refusing(call: &str, error: &str) -> Option<Output> {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error={error}"));
    let strace = ["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    let may = command("strace", &[&strace[..4], &["true"]].concat()).output();
    if !may.is_ok_and(|output| output.status.success()) {
        println!("skipped: strace cannot trace here");
        return None;
    }
    Some(command("strace", &[&strace[..], &[CDPR, "run", "--json"]].concat()).output().unwrap())
}

#[test]
fn without_proc_the_image_does_not_start_and_the_hint_is_to_mount_it() {
    let Some(output) = without("/proc") else { return };
    fails(&output, &["launching the enclave failed at starting the image", "hint:", "mount /proc"]);
}

#[test]
fn enclaves_dying_words_reach_whoever_started_it() {
    let Some(output) = without("/dev") else { return };
    fails(
        &output,
        &[
            "the enclave died: exit status: 1",
            "the system refuses the null device (open /dev/null)",
        ],
    );
}

#[test]
fn refused_memory_file_is_named_with_a_way_out() {
    let Some(output) = refusing("memfd_create", "ENOSYS") else { return };
    fails(
        &output,
        &["failed at the memory file (memfd_create)", "hint:", "run outside it", "os error 38"],
    );
}

#[test]
fn system_call_that_a_sandbox_refuses_the_enclave_is_named() {
    let Some(output) = refusing("prctl", "EPERM") else { return };
    fails(&output, &["the enclave died: exit status: 1", "PR_SET_", "Operation not permitted"]);
}

#[test]
fn file_that_cannot_be_locked_is_told_from_one_that_is_held() {
    let journal = temporary("unlockable").join("journal").display().to_string();
    let strace = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=flock", "-e"];
    let inject = ["inject=flock:error=ENOLCK", CDPR, "run", "--json", "--journal", &journal];
    let may = command("strace", &["-f", "-qq", "-o", "/dev/null", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        println!("skipped: strace cannot trace here");
        return;
    }
    let output = command("strace", &[&strace[..], &inject].concat()).output().unwrap();
    fails(&output, &["no lock can be had", "hint:"]);
}

#[test]
fn a_run_on_a_full_disk_says_what_to_do_and_goes_on_afterwards() {
    let may = command("strace", &["-f", "-qq", "-o", "/dev/null", "true"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        println!("skipped: strace cannot trace here");
        return;
    }
    for beside in ["", ".chain", ".enclave"] {
        let journal = temporary("full").join("journal").display().to_string();
        let run = ["run", "--scenario", "healthy", "--json", "--journal", &journal];
        // Of one file alone, from its third write on.
        let full = format!("{journal}{beside}");
        let strace = ["-f", "-qq", "-o", "/dev/null", "-P", &full, "-e", "trace=write", "-e"];
        let inject = ["inject=write:error=ENOSPC:when=3+", CDPR];
        let output = command("strace", &[&strace[..], &inject, &run].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{full}: {}", said(&output));
        let hint = "hint: make room, then run the same again";
        fails(&output, &[full.as_str(), "No space left on device", hint]);
        let again = command(CDPR, &run).output().unwrap();
        assert_eq!(again.status.code(), Some(0), "{full}: {}", said(&again));
    }
}

#[test]
fn four_gigabytes_of_address_space_are_enough_or_too_little_memory_is_named() {
    let limited = |limit: &str, arguments: &[&str]| {
        command("prlimit", &[&[limit, CDPR][..], arguments].concat()).output()
    };
    let Ok(output) = limited("--as=4294967296", &["workflow", "simulate", RECOVERY, "--json"])
    else {
        println!("skipped: no prlimit here");
        return;
    };
    let said = said(&output);
    // An interpreter takes what the module uses; compiled code wants room for each node.
    if !cfg!(feature = "compiler") {
        assert_eq!(output.status.code(), Some(0), "{said}");
        return;
    }
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("no room for the module's memory") && said.contains("ulimit -v"),
        "{said}"
    );
    assert!(said.contains("hint: raise `ulimit -v`"), "{said}");
}

#[test]
fn too_little_address_space_for_a_proof_is_named_before_the_mission_starts() {
    let limited =
        |limit: &str| command("prlimit", &[limit, CDPR, "run", "--scenario", "healthy"]).output();
    let Ok(output) = limited("--as=400000000") else {
        println!("skipped: no prlimit here");
        return;
    };
    fails(&output, &["may use 381 MB of address space", "takes 512 MB", "hint: raise `ulimit -v`"]);
    // Compiled code wants room for each node, see above.
    if !cfg!(feature = "compiler") {
        let output = limited("--as=536870912").unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
}

#[test]
fn keys_are_never_cached_where_somebody_happens_to_stand() {
    let folder = temporary("stands");
    // The keys are derived, and then there is no place for the journal.
    let arguments = ["run", "--journal", "/nonexistent/journal"];
    let mut run = command(CDPR, &arguments);
    run.env("HOME", "").env("XDG_CACHE_HOME", "cache").current_dir(&folder);
    fails(&run.output().unwrap(), &["/nonexistent/journal"]);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "something was left where it ran");
}

#[test]
fn broadcast_to_a_node_that_never_answers_ends_when_its_time_is_over() {
    // It accepts, by the kernel's hand, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let root = temporary("silent");
    let url = format!("http://{}", listener.local_addr().unwrap());
    let project = format!(
        "staging-settings:\n  rpcs: [{{ chain-name: ethereum-testnet-sepolia, url: \"{url}\" }}]\n\
         production-settings: {{}}\n"
    );
    fs::create_dir_all(root.join("w/wasm")).unwrap();
    fs::write(root.join("project.yaml"), project).unwrap();
    fs::write(root.join("secrets.yaml"), "secretsNames: {}\n").unwrap();
    for file in ["workflow.yaml", "config.staging.json", "wasm/workflow.wasm"] {
        fs::copy(Path::new(RECOVERY).join(file), root.join("w").join(file)).unwrap();
    }
    let path = root.join("w").display().to_string();
    let mut simulate =
        command(CDPR, &["workflow", "simulate", &path, "--broadcast", "--rpc-timeout", "1"]);
    simulate.env("CRE_ETH_PRIVATE_KEY", "11".repeat(32)).env("NO_PROXY", "127.0.0.1");
    let output = simulate.output().unwrap();
    let said = said(&output);
    // A node's health is a warning; what fails is the workflow that asks it.
    assert_eq!(output.status.code(), Some(1), "{said}");
    for want in ["ethereum-testnet-sepolia", "did not answer within 1000 ms", "hint:"] {
        assert!(said.contains(want), "expected {want:?} in: {said}");
    }
}
