//! A scripted world and modules in text.
#![allow(dead_code, reason = "each test program uses a part")]

use std::fmt::Write;

use cre::messages::{sdk, values};
use engine::{Mode, World};

/// A world that does as it is told and writes down what it was asked.
#[derive(Debug)]
pub(crate) struct Script {
    /// What `call` says instead of accepting.
    pub(crate) refusal: Option<String>,
    /// Bytes of an answer's payload.
    pub(crate) answer_len: usize,
    /// The node's seed.
    pub(crate) seed: u64,
    /// Calls and answers, in order.
    pub(crate) events: Vec<String>,
    /// Lines logged.
    pub(crate) logs: Vec<(Mode, String)>,
}

impl Default for Script {
    fn default() -> Self {
        Self { refusal: None, answer_len: 5, seed: 7, events: Vec::new(), logs: Vec::new() }
    }
}

impl World for Script {
    fn call(&mut self, mode: Mode, request: sdk::CapabilityRequest) -> Result<(), String> {
        self.events.push(format!("call {} {mode:?}", request.callback_id));
        self.refusal.clone().map_or(Ok(()), Err)
    }

    fn answer(&mut self, callback_id: i32) -> Result<sdk::CapabilityResponse, String> {
        self.events.push(format!("answer {callback_id}"));
        let payload =
            prost_types::Any { type_url: "t".to_owned(), value: vec![0; self.answer_len] };
        Ok(sdk::CapabilityResponse {
            response: Some(sdk::capability_response::Response::Payload(payload)),
        })
    }

    fn secrets(&mut self, request: sdk::GetSecretsRequest) -> Result<sdk::SecretResponses, String> {
        self.events.push(format!("secrets {}", request.callback_id));
        Ok(sdk::SecretResponses::default())
    }

    fn now(&mut self, mode: Mode) -> Result<u64, String> {
        Ok(match mode {
            Mode::Don => 1_000,
            Mode::Node => 2_000,
        })
    }

    fn execution_id(&self) -> &str {
        "id"
    }

    fn node_seed(&mut self) -> u64 {
        self.seed
    }

    fn log(&mut self, mode: Mode, line: &str) {
        self.logs.push((mode, line.to_owned()));
    }
}

/// A subscription's request, with a configuration.
pub(crate) fn subscribe() -> sdk::ExecuteRequest {
    sdk::ExecuteRequest {
        config: b"config".to_vec(),
        request: Some(sdk::execute_request::Request::Subscribe(())),
        max_response_size: 0,
    }
}

/// A result that is a text.
pub(crate) fn value(text: &str) -> sdk::ExecutionResult {
    let value = values::value::Value::StringValue(text.to_owned());
    sdk::ExecutionResult {
        result: Some(sdk::execution_result::Result::Value(values::Value { value: Some(value) })),
    }
}

/// Texts as `String`s.
pub(crate) fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// The import of `call_capability` with a buffer of its own.
pub(crate) const NEW_FORM: &str =
    r#"(func $call_capability (param i32 i32 i32 i32) (result i64))"#;
/// The import of `call_capability` that answers over the request.
pub(crate) const OLD_FORM: &str = r#"(func $call_capability (param i32 i32) (result i64))"#;

/// A module with one page of memory, `items`, and a `_start` that does `body`.
pub(crate) fn module(items: &str, body: &str) -> String {
    format!(
        r#"(module
  (import "env" "version_v2_rust" (func $version))
  (import "env" "send_response" (func $send_response (param i32 i32) (result i32)))
  (import "env" "call_capability" {NEW_FORM})
  (import "env" "await_capabilities" (func $await_capabilities (param i32 i32 i32 i32) (result i64)))
  (import "env" "get_secrets" (func $get_secrets (param i32 i32 i32 i32) (result i64)))
  (import "env" "await_secrets" (func $await_secrets (param i32 i32 i32 i32) (result i64)))
  (import "env" "log" (func $log (param i32 i32)))
  (import "env" "switch_modes" (func $switch_modes (param i32)))
  (import "env" "random_seed" (func $random_seed (param i32) (result i64)))
  (import "env" "now" (func $now (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  {items}
  (func (export "_start") {body}))"#
    )
}

/// A module in binary.
pub(crate) fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("a module in text")
}

/// Bytes as in a data segment's text.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\{byte:02x}");
        text
    })
}

/// Brotli, quickly.
pub(crate) fn brotli(bytes: &[u8]) -> Vec<u8> {
    let parameters = brotli::enc::BrotliEncoderParams { quality: 5, ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut { bytes }, &mut compressed, &parameters).expect("compresses");
    compressed
}
