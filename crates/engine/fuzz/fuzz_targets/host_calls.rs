//! Host functions on arbitrary memory: `cargo fuzz run -s none host_calls`, in `crates/engine`.
#![no_main]

libfuzzer_sys::fuzz_target!(|program: &[u8]| engine::fuzzing::host_calls(program));
