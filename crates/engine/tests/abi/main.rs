//! Modules in text, good and bad, against the ABI: each refusal is its own error, and the next run is
//! unaffected by it. The cases are the same for every engine.

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "wasmtime")]
mod over_wasmtime {
    use engine::Module;

    include!("cases.rs");
}

mod over_wasmi {
    use engine::wasmi::Module;

    include!("cases.rs");
}
