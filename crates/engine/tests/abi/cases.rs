// Included once per engine, which brings its `Module`.

use std::time::Duration;

use super::common::{self, Script, lines, module, subscribe, value, wat};
use cre::messages::sdk;
use engine::{Error, Limits, Mode};
use prost::Message;

fn compile(text: &str) -> Result<Module, Error> {
    Module::compile(&wat(text), &Limits::production())
}

fn run(text: &str) -> Result<sdk::ExecutionResult, Error> {
    run_with(text, &Limits::production(), &mut Script::default())
}

fn run_with(
    text: &str,
    limits: &Limits,
    world: &mut Script,
) -> Result<sdk::ExecutionResult, Error> {
    let module = Module::compile(&wat(text), limits).expect("compiles");
    let result = module.execute(&subscribe(), world);
    // The host is unharmed: a good module runs as if nothing had been.
    let good = compile(&module_that_answers("fine")).expect("compiles");
    assert_eq!(good.execute(&subscribe(), &mut Script::default()), Ok(value("fine")));
    result
}

fn module_that_answers(text: &str) -> String {
    let message = value(text).encode_to_vec();
    module(
        &format!("(data (i32.const 0) \"{}\")", common::escaped(&message)),
        &format!(
            "(drop (call $send_response (i32.const 0) (i32.const {})))
             (call $proc_exit (i32.const 0))",
            message.len()
        ),
    )
}

/// Does `body`, which leaves an `i64` on the stack, then answers with the error text that the call wrote at
/// 1024, as an `ExecutionResult.error`; with `ok` when the call succeeded.
fn module_that_reports(data: &str, body: &str) -> String {
    module(
        &format!("(data (i32.const 2048) \"\\12\\02ok\") {data}"),
        &format!(
            "(local $result i64) (local $len i32)
             {body}
             (local.set $result)
             (if (i64.ge_s (local.get $result) (i64.const 0))
               (then (drop (call $send_response (i32.const 2048) (i32.const 4))))
               (else
                 (local.set $len (i32.wrap_i64 (i64.sub (i64.const 0) (local.get $result))))
                 ;; Field 2, length-delimited, below 128 bytes, ahead of the text.
                 (i32.store8 (i32.const 1022) (i32.const 0x12))
                 (i32.store8 (i32.const 1023) (local.get $len))
                 (drop (call $send_response (i32.const 1022)
                   (i32.add (local.get $len) (i32.const 2))))))
             (call $proc_exit (i32.const 0))"
        ),
    )
}

fn reported(text: &str, world: &mut Script) -> String {
    match run_with(text, &Limits::production(), world).expect("a result").result {
        Some(sdk::execution_result::Result::Error(text)) => text,
        other => panic!("expected a text, got {other:?}"),
    }
}

fn call_request(id: i32) -> Vec<u8> {
    sdk::CapabilityRequest {
        id: "basic-test-action@1.0.0".to_owned(),
        payload: None,
        method: "PerformAction".to_owned(),
        callback_id: id,
    }
    .encode_to_vec()
}

fn call_data(at: u32, id: i32) -> (String, usize) {
    let bytes = call_request(id);
    (format!("(data (i32.const {at}) \"{}\")", common::escaped(&bytes)), bytes.len())
}

fn await_data(at: u32, ids: &[i32]) -> (String, usize) {
    let bytes = sdk::AwaitCapabilitiesRequest { ids: ids.to_vec() }.encode_to_vec();
    (format!("(data (i32.const {at}) \"{}\")", common::escaped(&bytes)), bytes.len())
}

// Refused before it runs.

#[test]
fn what_is_neither_wasm_nor_brotli_is_refused() {
    for bytes in [&b""[..], b"hello", b"\x7fELF\x02\x01\x01", &[0xff; 100]] {
        assert_eq!(Module::compile(bytes, &Limits::production()).unwrap_err(), Error::NotWasm);
    }
}

#[test]
fn a_module_that_does_not_validate_is_refused() {
    let error = Module::compile(b"\0asm\x01\0\0\0\xff\xff\xff", &Limits::production());
    assert!(matches!(error, Err(Error::Invalid { .. })), "{error:?}");
}

#[test]
fn a_module_in_brotli_runs() {
    let compressed = common::brotli(&wat(&module_that_answers("fine")));
    let module = Module::compile(&compressed, &Limits::production()).expect("compiles");
    assert_eq!(module.execute(&subscribe(), &mut Script::default()), Ok(value("fine")));
}

#[test]
fn damaged_brotli_is_refused() {
    let compressed = common::brotli(&wat(&module_that_answers("fine")));
    let cut = Module::compile(&compressed[..compressed.len() / 2], &Limits::production());
    assert_eq!(cut.unwrap_err(), Error::CorruptBrotli);
}

#[test]
fn a_brotli_bomb_ends_at_the_limit() {
    let mut bomb = b"\0asm\x01\0\0\0".to_vec();
    bomb.resize(50_000_000, 0);
    let limits = Limits { wasm_size_max: 1_000_000, ..Limits::production() };
    let compressed = common::brotli(&bomb);
    assert!(compressed.len() < 1_000);
    let error = Module::compile(&compressed, &limits).unwrap_err();
    assert_eq!(error, Error::WasmTooLarge { limit: 1_000_000 });
}

#[test]
fn a_large_module_is_refused_raw_and_compressed() {
    let wasm = wat(&module_that_answers("fine"));
    let raw = Limits { wasm_size_max: wasm.len() - 1, ..Limits::production() };
    assert_eq!(
        Module::compile(&wasm, &raw).unwrap_err(),
        Error::WasmTooLarge { limit: wasm.len() - 1 }
    );
    let compressed = common::brotli(&wasm);
    let (len, limit) = (compressed.len(), compressed.len() - 1);
    let limits = Limits { wasm_compressed_size_max: limit, ..Limits::production() };
    assert_eq!(
        Module::compile(&compressed, &limits).unwrap_err(),
        Error::CompressedTooLarge { len, limit }
    );
}

#[test]
fn a_module_without_start_is_refused() {
    let text = r#"(module (import "env" "version_v2" (func)) (memory (export "memory") 1))"#;
    assert_eq!(compile(text).unwrap_err(), Error::NoStart);
    let takes_a_parameter = r#"(module (import "env" "version_v2" (func))
        (memory (export "memory") 1) (func (export "_start") (param i32)))"#;
    assert_eq!(compile(takes_a_parameter).unwrap_err(), Error::NoStart);
}

#[test]
fn a_module_without_memory_is_refused() {
    let text = r#"(module (import "env" "version_v2" (func)) (func (export "_start")))"#;
    assert_eq!(compile(text).unwrap_err(), Error::NoMemory);
    let wrong_kind = r#"(module (import "env" "version_v2" (func)) (func (export "_start"))
        (func (export "memory")))"#;
    assert_eq!(compile(wrong_kind).unwrap_err(), Error::NoMemory);
}

#[test]
fn a_module_of_the_old_generation_is_refused_in_chainlinks_words() {
    let text = r#"(module (memory (export "memory") 1) (func (export "_start")))"#;
    let error = compile(text).unwrap_err();
    assert_eq!(error, Error::LegacyDag);
    assert_eq!(error.to_string(), "cannot execute a legacy dag workflow");
}

#[test]
fn an_unknown_import_is_named() {
    let text = r#"(module (import "env" "version_v2" (func)) (import "env" "steal" (func))
        (memory (export "memory") 1) (func (export "_start")))"#;
    let expected = Error::UnknownImport { module: "env".to_owned(), name: "steal".to_owned() };
    assert_eq!(compile(text).unwrap_err(), expected);
}

#[test]
fn a_known_import_of_another_type_does_not_link() {
    let text = r#"(module (import "env" "version_v2" (func)) (import "env" "now" (func))
        (memory (export "memory") 1) (func (export "_start")))"#;
    assert!(matches!(compile(text), Err(Error::Link { .. })));
}

#[test]
fn threads_do_not_validate() {
    let text = r#"(module (import "env" "version_v2" (func)) (memory (export "memory") 1 1 shared)
        (func (export "_start")))"#;
    assert!(matches!(compile(text), Err(Error::Invalid { .. })));
}

#[test]
fn the_marker_names_the_sdk() {
    let module = compile(&module_that_answers("fine")).expect("compiles");
    assert_eq!(module.sdk_label(), "rust");
}

// Runs without a result.

#[test]
fn a_module_that_returns_loses_its_response() {
    assert_eq!(run(&module("", "")), Err(Error::ReturnedWithoutExit { had_response: false }));
    let sends = module(
        "(data (i32.const 0) \"\\12\\02ok\")",
        "(drop (call $send_response (i32.const 0) (i32.const 4)))",
    );
    assert_eq!(run(&sends), Err(Error::ReturnedWithoutExit { had_response: true }));
}

#[test]
fn a_failing_exit_is_an_error_whatever_was_sent() {
    let text = module(
        "(data (i32.const 0) \"\\12\\02ok\")",
        "(drop (call $send_response (i32.const 0) (i32.const 4))) (call $proc_exit (i32.const 3))",
    );
    assert_eq!(run(&text), Err(Error::Exit { status: 3 }));
}

#[test]
fn an_exit_without_a_response_is_an_error() {
    assert_eq!(run(&module("", "(call $proc_exit (i32.const 0))")), Err(Error::NoResponse));
}

#[test]
fn a_trap_is_an_error() {
    let error = run(&module("", "(unreachable)")).unwrap_err();
    assert!(matches!(&error, Error::Trap { reason } if reason.contains("unreachable")), "{error}");
}

#[test]
fn endless_recursion_is_a_trap() {
    let text = module("(func $again (call $again) (call $again))", "(call $again)");
    assert!(matches!(run(&text), Err(Error::Trap { .. })));
}

#[test]
fn an_infinite_loop_ends_at_the_deadline() {
    let limit = Duration::from_millis(50);
    let limits = Limits { execution_time_max: limit, ..Limits::production() };
    let text = module("", "(loop $l (br $l))");
    let result = run_with(&text, &limits, &mut Script::default());
    assert_eq!(result, Err(Error::Deadline { limit }));
}

#[test]
fn a_sleep_ends_at_the_deadline() {
    let limit = Duration::from_millis(50);
    let limits = Limits { execution_time_max: limit, ..Limits::production() };
    // One relative clock subscription of an hour.
    let text = module(
        "",
        "(i64.store (i32.const 24) (i64.const 3600000000000))
         (drop (call $poll_oneoff (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)))",
    );
    let result = run_with(&text, &limits, &mut Script::default());
    assert_eq!(result, Err(Error::Deadline { limit }));
}

#[test]
fn an_infinite_loop_ends_when_its_fuel_is_used() {
    let limits = Limits { fuel_max: Some(10_000), ..Limits::production() };
    let result = run_with(&module("", "(loop $l (br $l))"), &limits, &mut Script::default());
    assert_eq!(result, Err(Error::Fuel { limit: 10_000 }));
}

#[test]
fn memory_beyond_the_limit_is_refused_and_is_the_reason_when_the_module_gives_up() {
    let text = module(
        "",
        "(if (i32.eq (memory.grow (i32.const 2000)) (i32.const -1)) (then (unreachable)))
         (call $proc_exit (i32.const 0))",
    );
    assert_eq!(run(&text), Err(Error::Memory { wanted: 2_001 * 65_536, limit: 100_000_000 }));
    let large_from_the_start = r#"(module (import "env" "version_v2" (func))
        (memory (export "memory") 2000) (func (export "_start")))"#;
    assert_eq!(
        run(large_from_the_start),
        Err(Error::Memory { wanted: 2_000 * 65_536, limit: 100_000_000 })
    );
}

#[test]
fn a_module_may_live_with_less_memory() {
    let text = module(
        "(data (i32.const 0) \"\\12\\02ok\")",
        "(drop (memory.grow (i32.const 2000)))
         (drop (call $send_response (i32.const 0) (i32.const 4)))
         (call $proc_exit (i32.const 0))",
    );
    assert!(run(&text).is_ok());
}

#[test]
fn a_large_response_is_refused() {
    let text = module(
        "",
        "(drop (memory.grow (i32.const 4)))
         (drop (call $send_response (i32.const 0) (i32.const 100001)))
         (call $proc_exit (i32.const 0))",
    );
    assert_eq!(run(&text), Err(Error::ResponseTooLarge { len: 100_001, limit: 100_000 }));
}

#[test]
fn a_response_that_does_not_decode_is_an_error_unless_another_does() {
    let bad = "(drop (call $send_response (i32.const 0) (i32.const 3)))";
    let data = "(data (i32.const 0) \"\\ff\\ff\\ff\") (data (i32.const 16) \"\\12\\02ok\")";
    let exit = "(call $proc_exit (i32.const 0))";
    assert_eq!(
        run(&module(data, &format!("{bad}{exit}"))),
        Err(Error::NotAnExecutionResult { len: 3 })
    );
    let good = "(drop (call $send_response (i32.const 16) (i32.const 4)))";
    assert!(run(&module(data, &format!("{bad}{good}{bad}{exit}"))).is_ok());
}

#[test]
fn an_unreadable_response_is_efault() {
    for (ptr, len) in [(-1, 4), (0, -1), (65_535, 2), (i32::MAX, i32::MAX)] {
        let text = module(
            "(data (i32.const 0) \"\\12\\02ok\")",
            &format!(
                "(if (i32.ne (call $send_response (i32.const {ptr}) (i32.const {len})) (i32.const 21))
                   (then (unreachable)))
                 (drop (call $send_response (i32.const 0) (i32.const 4)))
                 (call $proc_exit (i32.const 0))"
            ),
        );
        assert!(run(&text).is_ok());
    }
}

#[test]
fn a_large_configuration_is_refused() {
    let module = compile(&module_that_answers("fine")).expect("compiles");
    let request = sdk::ExecuteRequest { config: vec![0; 50_001], ..subscribe() };
    let result = module.execute(&request, &mut Script::default());
    assert_eq!(result, Err(Error::ConfigTooLarge { len: 50_001, limit: 50_000 }));
}

// What calls answer.

const CALL: &str = "(call $call_capability (i32.const 0) (i32.const LEN) (i32.const 1024) (i32.const 100))";

fn call(len: usize) -> String {
    CALL.replace("LEN", &len.to_string())
}

#[test]
fn the_worlds_refusal_reaches_the_module() {
    let (data, len) = call_data(0, 1);
    let mut world = Script { refusal: Some("no such capability".to_owned()), ..Script::default() };
    let text = reported(&module_that_reports(&data, &call(len)), &mut world);
    assert_eq!(text, "error calling callCapAsync: no such capability");
}

#[test]
fn a_reused_id_is_refused() {
    let (data, len) = call_data(0, 1);
    let body = format!("(drop {}) {}", call(len), call(len));
    let text = reported(&module_that_reports(&data, &body), &mut Script::default());
    assert_eq!(text, "error calling callCapAsync: duplicate callback id not allowed");
}

#[test]
fn a_call_outside_memory_is_refused() {
    for (ptr, len, expected) in [
        (65_530, 100, "error calling wasmRead: out of bounds memory access"),
        (i32::MAX, i32::MAX, "error calling wasmRead: out of bounds memory access"),
        (-5, 3, "error calling wasmRead: invalid memory access: ptr: -5, size: 3"),
        (5, -3, "error calling wasmRead: invalid memory access: ptr: 5, size: -3"),
    ] {
        let body = format!(
            "(call $call_capability (i32.const {ptr}) (i32.const {len}) (i32.const 1024) (i32.const 100))"
        );
        let text = reported(&module_that_reports("", &body), &mut Script::default());
        assert_eq!(text, expected);
    }
}

#[test]
fn a_call_that_does_not_decode_is_refused() {
    let data = "(data (i32.const 0) \"\\ff\\ff\\ff\")";
    let text = reported(&module_that_reports(data, &call(3)), &mut Script::default());
    assert!(text.starts_with("error calling proto unmarshal: "), "{text}");
}

#[test]
fn an_unknown_id_and_a_second_await_are_refused() {
    let (call_bytes, call_len) = call_data(0, 1);
    let (await_bytes, await_len) = await_data(512, &[1]);
    let data = format!("{call_bytes}{await_bytes}");
    let wait = format!(
        "(call $await_capabilities (i32.const 512) (i32.const {await_len}) (i32.const 1024) (i32.const 100))"
    );
    let mut world = Script::default();
    assert_eq!(
        reported(&module_that_reports(&data, &wait), &mut world),
        "failed to get call from store : 1"
    );
    let twice = format!("(drop {}) (drop {wait}) {wait}", call(call_len));
    assert_eq!(
        reported(&module_that_reports(&data, &twice), &mut world),
        "failed to get call from store : 1"
    );
    let once = format!("(drop {}) {wait}", call(call_len));
    assert_eq!(reported(&module_that_reports(&data, &once), &mut world), "ok");
}

#[test]
fn an_answer_that_does_not_fit_is_refused() {
    let (call_bytes, call_len) = call_data(0, 1);
    let (await_bytes, await_len) = await_data(512, &[1]);
    let mut world = Script { answer_len: 500_000_000, ..Script::default() };
    let body = format!(
        "(drop {}) (call $await_capabilities (i32.const 512) (i32.const {await_len}) (i32.const 1024) (i32.const 100))",
        call(call_len)
    );
    let text =
        reported(&module_that_reports(&format!("{call_bytes}{await_bytes}"), &body), &mut world);
    assert_eq!(text, "response buffer too small");
}

#[test]
fn ids_are_awaited_in_the_order_asked() {
    let (one, len) = call_data(0, 1);
    let (two, _) = call_data(100, 2);
    let (wait, wait_len) = await_data(512, &[2, 1]);
    let body = format!(
        "(drop {}) (drop {}) (call $await_capabilities (i32.const 512) (i32.const {wait_len}) (i32.const 1024) (i32.const 200))",
        call(len),
        call(len).replacen("(i32.const 0)", "(i32.const 100)", 1),
    );
    let mut world = Script::default();
    reported(&module_that_reports(&format!("{one}{two}{wait}"), &body), &mut world);
    assert_eq!(world.events, lines(&["call 1 Don", "call 2 Don", "answer 2", "answer 1"]));
}

#[test]
fn at_the_limit_a_call_waits_for_the_oldest() {
    let (one, len) = call_data(0, 1);
    let (two, _) = call_data(100, 2);
    let (wait, wait_len) = await_data(512, &[1, 2]);
    let body = format!(
        "(drop {}) (drop {}) (call $await_capabilities (i32.const 512) (i32.const {wait_len}) (i32.const 1024) (i32.const 200))",
        call(len),
        call(len).replacen("(i32.const 0)", "(i32.const 100)", 1),
    );
    let text = module_that_reports(&format!("{one}{two}{wait}"), &body);
    let limits = Limits { calls_in_flight_max: 1, ..Limits::production() };
    let mut world = Script::default();
    run_with(&text, &limits, &mut world).expect("a result");
    assert_eq!(world.events, lines(&["call 1 Don", "answer 1", "call 2 Don", "answer 2"]));
}

#[test]
fn the_old_form_writes_the_error_over_the_request() {
    let (data, len) = call_data(1024, 1);
    let text = module_that_reports(&data, &format!("(call $call_capability (i32.const 1024) (i32.const {len}))"))
        .replace(common::NEW_FORM, common::OLD_FORM);
    let mut world = Script { refusal: Some("no".to_owned()), ..Script::default() };
    assert_eq!(reported(&text, &mut world), "error calling callCapAsync: no");
}

#[test]
fn too_many_secrets_are_refused() {
    let request = sdk::GetSecretsRequest {
        requests: vec![sdk::SecretRequest { id: "a".to_owned(), namespace: String::new() }; 6],
        callback_id: 1,
    }
    .encode_to_vec();
    let data = format!("(data (i32.const 0) \"{}\")", common::escaped(&request));
    let body = format!(
        "(call $get_secrets (i32.const 0) (i32.const {}) (i32.const 1024) (i32.const 100))",
        request.len()
    );
    let text = reported(&module_that_reports(&data, &body), &mut Script::default());
    assert_eq!(text, "error calling getSecretsAsync: 6 secrets in one call, limit 5");
}

#[test]
fn lines_are_dropped_without_a_mode_and_above_the_limits() {
    let limits = Limits { log_lines_max: 2, log_line_size_max: 4, ..Limits::production() };
    let log = |ptr: u32, len: u32| format!("(call $log (i32.const {ptr}) (i32.const {len}))");
    let text = module(
        "(data (i32.const 0) \"abcdefgh\") (data (i32.const 16) \"\\12\\02ok\")",
        &format!(
            "{} (call $switch_modes (i32.const 1)) {} {} {} (call $switch_modes (i32.const 2)) {}
             (call $switch_modes (i32.const 7)) {}
             (drop (call $send_response (i32.const 16) (i32.const 4))) (call $proc_exit (i32.const 0))",
            log(0, 1),
            log(1, 2),
            log(0, 5),
            log(2, 1),
            log(3, 1),
            log(4, 1),
        ),
    );
    let mut world = Script::default();
    run_with(&text, &limits, &mut world).expect("a result");
    assert_eq!(world.logs, [(Mode::Don, "bc".to_owned()), (Mode::Node, "d".to_owned())]);
}

#[test]
fn seeds_and_time_are_the_modes() {
    // Writes both seeds, node time and DON time, and traps unless the error codes are as they should be.
    let text = module(
        "",
        "(i64.store (i32.const 2) (call $random_seed (i32.const 1)))
         (i64.store (i32.const 10) (call $random_seed (i32.const 2)))
         (if (i64.ne (call $random_seed (i32.const 0)) (i64.const -1)) (then (unreachable)))
         (drop (call $now (i32.const 18)))
         (call $switch_modes (i32.const 1))
         (drop (call $now (i32.const 26)))
         (if (i32.eqz (call $now (i32.const 65532))) (then (unreachable)))
         (i32.store8 (i32.const 0) (i32.const 0x0a))
         (i32.store8 (i32.const 1) (i32.const 34))
         (memory.copy (i32.const 4) (i32.const 2) (i32.const 32))
         (i32.store8 (i32.const 2) (i32.const 0x1a))
         (i32.store8 (i32.const 3) (i32.const 32))
         (drop (call $send_response (i32.const 0) (i32.const 36)))
         (call $proc_exit (i32.const 0))",
    );
    let result = run(&text).expect("a result");
    let Some(sdk::execution_result::Result::Value(value)) = result.result else {
        panic!("expected a value, got {result:?}");
    };
    let Some(cre::messages::values::value::Value::BytesValue(bytes)) = value.value else {
        panic!("expected bytes, got {value:?}");
    };
    let words: Vec<u64> =
        bytes.chunks(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight"))).collect();
    // FNV-1a-64 of "id".
    assert_eq!(words, [0x08b7_2e07_b55c_3ac0, 7, 2_000, 1_000]);
}

#[test]
fn argv_is_the_request() {
    // Answers with the second argument as text, as the module gets it.
    let text = module(
        "(global $len (mut i32) (i32.const 0))",
        "(drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
         (if (i32.ne (i32.load (i32.const 0)) (i32.const 2)) (then (unreachable)))
         ;; Without \"wasi\\0\" and the last NUL.
         (global.set $len (i32.sub (i32.load (i32.const 4)) (i32.const 6)))
         (drop (call $args_get (i32.const 8) (i32.const 997)))
         (if (i32.ne (i32.load (i32.const 12)) (i32.const 1002)) (then (unreachable)))
         (i32.store8 (i32.const 1000) (i32.const 0x12))
         (i32.store8 (i32.const 1001) (global.get $len))
         (drop (call $send_response (i32.const 1000) (i32.add (global.get $len) (i32.const 2))))
         (call $proc_exit (i32.const 0))",
    );
    let result = run(&text).expect("a result");
    // config "config", subscribe {}, max_response_size 100,000.
    let expected = "CgZjb25maWcSACCgjQY=";
    assert_eq!(result.result, Some(sdk::execution_result::Result::Error(expected.to_owned())));
}

#[test]
fn wasi_randomness_repeats_with_the_seed_and_never_within_a_run() {
    let text = module(
        "",
        "(drop (call $random_get (i32.const 4) (i32.const 40)))
         (drop (call $random_get (i32.const 44) (i32.const 40)))
         (if (i64.eq (i64.load (i32.const 4)) (i64.load (i32.const 44))) (then (unreachable)))
         (if (i32.eqz (call $random_get (i32.const 65530) (i32.const 40))) (then (unreachable)))
         (i32.store (i32.const 0) (i32.const 0x501a520a))
         (drop (call $send_response (i32.const 0) (i32.const 84)))
         (call $proc_exit (i32.const 0))",
    );
    let with_seed = |seed| {
        let mut world = Script { seed, ..Script::default() };
        run_with(&text, &Limits::production(), &mut world).expect("a result")
    };
    assert_eq!(with_seed(7), with_seed(7));
    assert_ne!(with_seed(7), with_seed(8));
}

#[test]
fn a_nan_has_one_form() {
    // 0/0, whose sign differs between machines.
    let text = module(
        "",
        "(local $zero f64)
         (f64.store (i32.const 4) (f64.div (local.get $zero) (local.get $zero)))
         (i32.store (i32.const 0) (i32.const 0x081a0a0a))
         (drop (call $send_response (i32.const 0) (i32.const 12)))
         (call $proc_exit (i32.const 0))",
    );
    let result = run(&text).expect("a result");
    let bytes = result.encode_to_vec();
    assert_eq!(bytes[4..], 0x7ff8_0000_0000_0000_u64.to_le_bytes());
}

#[test]
fn a_module_runs_on_many_threads_at_once() {
    let module = compile(&module_that_answers("fine")).expect("compiles");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    let result = module.execute(&subscribe(), &mut Script::default());
                    assert_eq!(result, Ok(value("fine")));
                }
            });
        }
    });
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// Every host function, on random memory with random arguments: no panic, no hang, and either a
        /// result or a typed error.
        #[test]
        fn random_calls_leave_the_host_unharmed(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            calls in proptest::collection::vec((0usize..14, any::<[i16; 4]>(), any::<[bool; 4]>()), 1..20),
        ) {
            const FUNCTIONS: [(&str, usize, bool); 14] = [
                ("send_response", 2, true), ("call_capability", 4, true),
                ("await_capabilities", 4, true), ("get_secrets", 4, true),
                ("await_secrets", 4, true), ("log", 2, false), ("switch_modes", 1, false),
                ("random_seed", 1, true), ("now", 1, true), ("args_get", 2, true),
                ("args_sizes_get", 2, true), ("random_get", 2, true), ("fd_write", 4, true),
                ("poll_oneoff", 4, true),
            ];
            let body: String = calls.iter().map(|(which, arguments, far)| {
                let (name, n, has_result) = FUNCTIONS[*which];
                let arguments: String = arguments.iter().zip(far).take(n).map(|(argument, far)| {
                    let argument = if *far { i32::from(*argument) << 16 } else { i32::from(*argument) % 256 };
                    format!("(i32.const {argument})")
                }).collect();
                let call = format!("(call ${name} {arguments})");
                if has_result { format!("(drop {call})") } else { call }
            }).collect();
            let text = module(
                &format!("(data (i32.const 0) \"{}\")", common::escaped(&bytes)),
                &format!("{body} (call $proc_exit (i32.const 0))"),
            );
            let limits = Limits { execution_time_max: Duration::from_millis(200), ..Limits::production() };
            let module = Module::compile(&wat(&text), &limits).expect("compiles");
            let _ = module.execute(&subscribe(), &mut Script::default());
        }

        #[test]
        fn random_bytes_are_no_module(bytes in proptest::collection::vec(any::<u8>(), 0..300), magic: bool) {
            let mut module = if magic { b"\0asm\x01\0\0\0".to_vec() } else { Vec::new() };
            module.extend(&bytes);
            prop_assert!(Module::compile(&module, &Limits::production()).is_err());
        }
    }
}
