//! Trigger to result, each time in a cold instance; compilation apart.
//!
//! `cargo bench -p engine [-- path/to/guest.wasm ...]`. Microseconds, the minimum and the median of rounds: the
//! machine is rarely idle. Where the time goes is told by what is added to a module that only exits.
//! "as Chainlink's host" does per call, over the same wasmtime, what that host does: a new store, a linker
//! with every function defined anew, `SpeedAndSize`, epochs. It leaves out cgo and Go's own share, so it is
//! a lower bound of that host.
#![allow(clippy::print_stdout, reason = "a benchmark's result")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use cre::messages::{sdk, values};
use engine::{Limits, Mode, Module, World};
use prost::Message;

struct Quiet;

impl World for Quiet {
    fn call(&mut self, _: Mode, _: sdk::CapabilityRequest) -> Result<(), String> {
        Err("no capability".to_owned())
    }

    fn answer(&mut self, _: i32) -> Result<sdk::CapabilityResponse, String> {
        Err("no capability".to_owned())
    }

    fn secrets(&mut self, _: sdk::GetSecretsRequest) -> Result<sdk::SecretResponses, String> {
        Err("no secret".to_owned())
    }

    fn now(&mut self, _: Mode) -> Result<u64, String> {
        Ok(1_577_934_245_000_000_000)
    }

    fn execution_id(&self) -> &str {
        "id"
    }

    fn node_seed(&mut self) -> u64 {
        7
    }

    fn log(&mut self, _: Mode, _: &str) {}
}

fn request(config_len: usize) -> sdk::ExecuteRequest {
    let trigger = sdk::Trigger { id: 0, payload: None };
    sdk::ExecuteRequest {
        config: vec![b' '; config_len],
        request: Some(sdk::execute_request::Request::Trigger(trigger)),
        max_response_size: 0,
    }
}

fn guest(items: &str, body: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
  (import "env" "version_v2_rust" (func $version))
  (import "env" "send_response" (func $send_response (param i32 i32) (result i32)))
  (import "env" "now" (func $now (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 17)
  {items}
  (func (export "_start") {body} (call $proc_exit (i32.const 0))))"#
    ))
    .expect("a module")
}

fn measure(name: &str, mut run: impl FnMut()) -> Duration {
    let mut rounds: Vec<Duration> = (0..21)
        .map(|_| {
            const N: u32 = 50;
            let begun = Instant::now();
            for _ in 0..N {
                run();
            }
            begun.elapsed() / N
        })
        .collect();
    rounds.sort();
    let (min, median) = (rounds[0], rounds[rounds.len() / 2]);
    println!("{name:<52} {:>9.1} {:>9.1}", micros(min), micros(median));
    min
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn execute(name: &str, wasm: &[u8], config_len: usize) -> Duration {
    let module = Module::compile(wasm, &Limits::production()).expect("compiles");
    let request = request(config_len);
    measure(name, || {
        let _ = black_box(module.execute(black_box(&request), &mut Quiet));
    })
}

fn main() {
    println!("{:<52} {:>9} {:>9}", "µs", "min", "median");
    let args = "(drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
                (drop (call $args_get (i32.const 8) (i32.const 1024)))";
    let value = values::Value { value: Some(values::value::Value::BytesValue(vec![7; 10_000])) };
    let answer = sdk::ExecutionResult { result: Some(sdk::execution_result::Result::Value(value)) }
        .encode_to_vec();
    let data: String = answer.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let data = format!("(data (i32.const 0) \"{data}\")");
    let send = format!("(drop (call $send_response (i32.const 0) (i32.const {})))", answer.len());
    let spin = "(local $i i32)
        (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $l (i32.lt_u (local.get $i) (i32.const 1000000))))";
    execute("instantiate, exit", &guest("", ""), 0);
    execute("+ 10 KB of memory image, 10 KB result decoded", &guest(&data, &send), 0);
    execute("+ argv with 50 KB of config, encoded and copied", &guest("", args), 50_000);
    execute("+ 1,000 host calls", &guest("", &"(drop (call $now (i32.const 0)))".repeat(1_000)), 0);
    execute("+ 1,000,000 iterations", &guest("", spin), 0);

    let small = guest(&data, &format!("{args}{send}"));
    let mut guests = vec![("a small guest".to_owned(), small)];
    for path in std::env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        match std::fs::read(&path) {
            Ok(wasm) => guests.push((path, wasm)),
            Err(error) => println!("{path}: {error}"),
        }
    }
    for (name, wasm) in &guests {
        println!("\n{name}, {} bytes", wasm.len());
        let begun = Instant::now();
        let module = Module::compile(wasm, &Limits::production()).expect("compiles");
        println!("{:<52} {:>9.1}", "compile, once", micros(begun.elapsed()));
        drop(module);
        let ours = execute("this engine", wasm, 100);
        let theirs = chainlink::execute(wasm);
        println!("{:<52} {:>9.3}", "ratio of minima", ours.as_secs_f64() / theirs.as_secs_f64());
    }
}

/// What Chainlink's host does with wasmtime for one call, without Go.
mod chainlink {
    use super::{Duration, Message, black_box, measure, request};
    use base64::Engine as _;
    use wasmtime::{
        Caller, Config, Engine, Extern, Linker, Memory, Module, OptLevel, Store, StoreLimits,
        StoreLimitsBuilder, Val,
    };

    struct State {
        limits: StoreLimits,
        argument: Vec<u8>,
        response: Option<cre::messages::sdk::ExecutionResult>,
    }

    fn memory(caller: &mut Caller<'_, State>) -> Memory {
        caller.get_export("memory").and_then(Extern::into_memory).expect("a memory")
    }

    fn linker(engine: &Engine, module: &Module) -> Linker<State> {
        let mut linker = Linker::new(engine);
        linker.allow_shadowing(true);
        // Its linker defines all 46 functions of WASI and 12 of its own for each call; those that these guests
        // do not import are here by number only.
        for i in 0..50 {
            linker
                .func_wrap("unused", &format!("function_{i}"), |_: i32, _: i32| 0_i32)
                .expect("defines");
        }
        for import in module.imports() {
            let (from, name) = (import.module(), import.name());
            match name {
                "send_response" => linker
                    .func_wrap(from, name, |mut caller: Caller<'_, State>, ptr: u32, len: u32| {
                        let memory = memory(&mut caller);
                        let bytes = memory.data(&caller)[ptr as usize..][..len as usize].to_vec();
                        let decoded = cre::messages::sdk::ExecutionResult::decode(&bytes[..]);
                        caller.data_mut().response = decoded.ok();
                        0_i32
                    })
                    .map(drop),
                "args_sizes_get" => linker
                    .func_wrap(
                        from,
                        name,
                        |mut caller: Caller<'_, State>, count: u32, size: u32| {
                            let memory = memory(&mut caller);
                            let len = u32::try_from(caller.data().argument.len()).expect("fits");
                            memory
                                .write(&mut caller, count as usize, &2_u32.to_le_bytes())
                                .expect("fits");
                            memory
                                .write(&mut caller, size as usize, &len.to_le_bytes())
                                .expect("fits");
                            0_i32
                        },
                    )
                    .map(drop),
                "args_get" => linker
                    .func_wrap(
                        from,
                        name,
                        |mut caller: Caller<'_, State>, argv: u32, buffer: u32| {
                            let memory = memory(&mut caller);
                            let argument = std::mem::take(&mut caller.data_mut().argument);
                            memory.write(&mut caller, buffer as usize, &argument).expect("fits");
                            memory
                                .write(&mut caller, argv as usize, &buffer.to_le_bytes())
                                .expect("fits");
                            memory
                                .write(&mut caller, argv as usize + 4, &(buffer + 5).to_le_bytes())
                                .expect("fits");
                            0_i32
                        },
                    )
                    .map(drop),
                "proc_exit" => linker
                    .func_wrap(from, name, |_: i32| -> wasmtime::Result<()> {
                        Err(wasmtime::Error::msg("exit status 0"))
                    })
                    .map(drop),
                _ => {
                    // Results come as zeros of the right type, or as null references.
                    let Some(ty) = import.ty().func().cloned() else { continue };
                    linker
                        .func_new(from, name, ty, |_, _, results| {
                            for result in results {
                                if !matches!(result, Val::I64(_)) {
                                    *result = Val::I32(0);
                                }
                            }
                            Ok(())
                        })
                        .map(drop)
                }
            }
            .expect("defines");
        }
        linker
    }

    pub(super) fn execute(wasm: &[u8]) -> Duration {
        let mut config = Config::new();
        config.epoch_interruption(true).cranelift_opt_level(OptLevel::SpeedAndSize);
        let engine = Engine::new(&config).expect("an engine");
        let module = Module::new(&engine, wasm).expect("compiles");
        let request = request(100);
        measure("as Chainlink's host", || {
            let message = black_box(&request).encode_to_vec();
            let mut argument = b"wasi\0".to_vec();
            argument.extend(base64::engine::general_purpose::STANDARD.encode(message).bytes());
            argument.push(0);
            let limits = StoreLimitsBuilder::new()
                .memory_size(100_000_000)
                .instances(1)
                .tables(1)
                .memories(1)
                .build();
            let mut store = Store::new(&engine, State { limits, argument, response: None });
            store.limiter(|state| &mut state.limits);
            store.set_epoch_deadline(3_000);
            let instance =
                linker(&engine, &module).instantiate(&mut store, &module).expect("links");
            let start = instance.get_func(&mut store, "_start").expect("a start");
            let error = start.call(&mut store, &[], &mut []).expect_err("exits");
            assert!(format!("{error:#}").contains("exit status 0"), "{error:#}");
            black_box(store.into_data().response);
        })
    }
}
