//! The imports and the entry of a module: all of the crate's `unsafe`.
//!
//! Three functions of WASI are declared by hand, so that a module *cannot* import a clock, a source of randomness, the
//! environment or a file: what would differ between nodes does not link.

#![allow(
    unsafe_code,
    reason = "a guest reaches its host through raw imports, declared here and nowhere else"
)]

use prost::Message as _;

use crate::error::Error;
use crate::host::{Host, Mode};
use crate::messages::sdk::{ExecutionResult, execution_result};
use crate::workflow::Workflow;

/// Room for an error's text where there is no answer to make room for.
const TEXT_LEN_MAX: usize = 4096;

/// What a refused call says where its host says nothing.
const NO_REASON: &[u8] = b"the host refused the call and gave no reason; hint: its log may";

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    /// Its name's start makes the module one of version 2 of the ABI; what follows labels the host's metrics.
    fn version_v2_rust();
    fn send_response(ptr: *const u8, len: usize) -> i32;
    /// The older of its two forms, which every host takes: hosts before August 2026 know no other. An error's text is
    /// written over the request.
    fn call_capability(ptr: *mut u8, len: usize) -> i64;
    fn await_capabilities(ptr: *const u8, len: usize, buffer: *mut u8, buffer_len: usize) -> i64;
    fn get_secrets(ptr: *const u8, len: usize, buffer: *mut u8, buffer_len: usize) -> i64;
    fn await_secrets(ptr: *const u8, len: usize, buffer: *mut u8, buffer_len: usize) -> i64;
    fn log(ptr: *const u8, len: usize);
    fn emit_metric(ptr: *const u8, len: usize) -> i32;
    fn switch_modes(mode: i32);
    fn random_seed(mode: i32) -> i64;
    fn now(unix_nanos: *mut u8) -> i32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn args_sizes_get(n_arguments: *mut usize, buffer_len: *mut usize) -> i32;
    fn args_get(arguments: *mut *mut u8, buffer: *mut u8) -> i32;
    fn proc_exit(code: i32) -> !;
}

/// A module's entry: executes what the host asks, and ends the only way in which a host takes the response.
pub fn start<C: 'static>(setup: fn(&[u8]) -> Result<Workflow<C>, Error>) {
    // SAFETY: takes and gives nothing.
    unsafe { version_v2_rust() };
    // A panic would be a bare trap, without its reason and without a response.
    std::panic::set_hook(Box::new(|panic| {
        let error = format!("workflow panicked: {panic}");
        respond(&ExecutionResult { result: Some(execution_result::Result::Error(error)) });
    }));
    respond(&super::execute(setup, &argument(), Imports { buffer: Vec::new() }));
}

/// Sends the response and exits: a host drops the response of a module that merely returns.
fn respond(result: &ExecutionResult) -> ! {
    let bytes = result.encode_to_vec();
    // SAFETY: the range is that of a live slice. A host that can't read it has no use for more words.
    unsafe {
        let _ = send_response(bytes.as_ptr(), bytes.len());
        proc_exit(0)
    }
}

/// `argv[1]`, or nothing.
fn argument() -> Vec<u8> {
    let (mut n_arguments, mut buffer_len) = (0, 0);
    // SAFETY: both are places for an integer.
    if unsafe { args_sizes_get(&mut n_arguments, &mut buffer_len) } != 0 || n_arguments < 2 {
        return Vec::new();
    }
    let mut starts = vec![std::ptr::null_mut(); n_arguments];
    let mut buffer = vec![0u8; buffer_len];
    // SAFETY: there is room for as many pointers and as many bytes as the host asked for.
    if unsafe { args_get(starts.as_mut_ptr(), buffer.as_mut_ptr()) } != 0 {
        return Vec::new();
    }
    // Arguments lie in the buffer one after the other, each with a zero byte at its end.
    buffer.split(|byte| *byte == 0).nth(1).unwrap_or_default().to_vec()
}

/// The host, through the module's imports.
struct Imports {
    /// Where answers are written. Kept, since it is as long as the longest answer may be.
    buffer: Vec<u8>,
}

type Import = unsafe extern "C" fn(*const u8, usize, *mut u8, usize) -> i64;

impl Imports {
    /// Calls an import that writes an answer of n bytes and gives n, or an error's text and −n.
    fn ask(&mut self, import: Import, request: &[u8], len_max: usize) -> Result<&[u8], Vec<u8>> {
        if self.buffer.len() < len_max {
            self.buffer.resize(len_max, 0);
        }
        let buffer = &mut self.buffer[..len_max];
        // SAFETY: both ranges are those of live slices, and the host writes within the second.
        let n =
            unsafe { import(request.as_ptr(), request.len(), buffer.as_mut_ptr(), buffer.len()) };
        let len = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX).min(len_max);
        if n < 0 { Err(buffer[..len].to_vec()) } else { Ok(&buffer[..len]) }
    }
}

impl Host for Imports {
    fn call_capability(&mut self, request: &[u8]) -> Result<(), Vec<u8>> {
        let mut text = request.to_vec();
        // SAFETY: the range is that of a live slice that may be written to.
        let n = unsafe { call_capability(text.as_mut_ptr(), text.len()) };
        if n >= 0 {
            return Ok(());
        }
        text.truncate(usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX));
        // Some hosts refuse with −1 and write nothing.
        if request.starts_with(&text) { Err(NO_REASON.to_vec()) } else { Err(text) }
    }

    fn await_capabilities(&mut self, request: &[u8], len_max: usize) -> Result<Vec<u8>, Vec<u8>> {
        self.ask(await_capabilities, request, len_max).map(<[u8]>::to_vec)
    }

    fn get_secrets(&mut self, request: &[u8]) -> Result<(), Vec<u8>> {
        self.ask(get_secrets, request, TEXT_LEN_MAX).map(|_| ())
    }

    fn await_secrets(&mut self, request: &[u8], len_max: usize) -> Result<Vec<u8>, Vec<u8>> {
        self.ask(await_secrets, request, len_max).map(<[u8]>::to_vec)
    }

    fn log(&mut self, line: &str) {
        // SAFETY: the range is that of a live slice.
        unsafe { log(line.as_ptr(), line.len()) };
    }

    fn emit_metric(&mut self, metric: &[u8]) -> bool {
        // SAFETY: the range is that of a live slice.
        unsafe { emit_metric(metric.as_ptr(), metric.len()) == 0 }
    }

    fn switch_modes(&mut self, mode: Mode) {
        // SAFETY: takes a number.
        unsafe { switch_modes(mode.number()) };
    }

    fn random_seed(&mut self, mode: Mode) -> u64 {
        // SAFETY: takes and gives a number.
        unsafe { random_seed(mode.number()) }.cast_unsigned()
    }

    fn now(&mut self) -> Option<u64> {
        let mut nanos = [0u8; 8];
        // SAFETY: there is room for the eight bytes that the host writes.
        let code = unsafe { now(nanos.as_mut_ptr()) };
        (code == 0).then(|| u64::from_le_bytes(nanos))
    }
}
