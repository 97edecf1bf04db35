//! Bytes as a module, raw or brotli: `cargo fuzz run -s none modules`, in `crates/engine`.
#![no_main]

use engine::{Limits, wasmi::Module};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut limits = Limits::production();
    limits.wasm_size_max = 1_000_000;
    let _ = Module::compile(bytes, &limits);
});
