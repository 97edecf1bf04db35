//! A world that answers nothing.

use cre::messages::sdk;

use crate::{Mode, World};

/// A world without capabilities, secrets or time: for code that runs before there is an execution, as a
/// plugin's compiler does.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "wasmtime"),
    allow(dead_code, reason = "only a plugin's compiler has use for it")
)]
pub(crate) struct Silent;

impl World for Silent {
    fn call(&mut self, _: Mode, _: sdk::CapabilityRequest) -> Result<(), String> {
        Err(NOTHING.to_owned())
    }

    fn answer(&mut self, _: i32) -> Result<sdk::CapabilityResponse, String> {
        Err(NOTHING.to_owned())
    }

    fn secrets(&mut self, _: sdk::GetSecretsRequest) -> Result<sdk::SecretResponses, String> {
        Err(NOTHING.to_owned())
    }

    fn now(&mut self, _: Mode) -> Result<u64, String> {
        Ok(0)
    }

    fn execution_id(&self) -> &str {
        ""
    }

    fn node_seed(&mut self) -> u64 {
        0
    }

    fn log(&mut self, _: Mode, _: &str) {}
}

const NOTHING: &str = "no execution is under way";

/// A world that accepts every call and answers it with nothing.
#[cfg(any(test, fuzzing))]
#[derive(Debug)]
pub(crate) struct Agreeable;

#[cfg(any(test, fuzzing))]
impl World for Agreeable {
    fn call(&mut self, _: Mode, _: sdk::CapabilityRequest) -> Result<(), String> {
        Ok(())
    }

    fn answer(&mut self, _: i32) -> Result<sdk::CapabilityResponse, String> {
        Ok(sdk::CapabilityResponse::default())
    }

    fn secrets(&mut self, _: sdk::GetSecretsRequest) -> Result<sdk::SecretResponses, String> {
        Ok(sdk::SecretResponses::default())
    }

    fn now(&mut self, _: Mode) -> Result<u64, String> {
        Ok(u64::MAX)
    }

    fn execution_id(&self) -> &str {
        "id"
    }

    fn node_seed(&mut self) -> u64 {
        7
    }

    fn log(&mut self, _: Mode, _: &str) {}
}
