//! From the host's request to the module's response.

#[cfg(target_arch = "wasm32")]
mod abi;
pub(crate) mod base64;

use crate::error::Error;
use crate::host::{Host, Mode};
use crate::messages::sdk::{ExecuteRequest, ExecutionResult, execution_result};
use crate::runtime::{Runtime, decode};
use crate::workflow::Workflow;

#[cfg(target_arch = "wasm32")]
pub use abi::start;

/// The longest answer there is room for when the host does not say: what Chainlink's own host says.
pub const RESPONSE_LEN_DEFAULT: usize = 5_000_000;
/// The longest answer there is ever room for. Modules have 100 MB.
pub const RESPONSE_LEN_MAX: usize = 32_000_000;

/// One invocation of a workflow: `argument` is what a host passes as `argv[1]`.
///
/// A module's `_start` does this and nothing else; natively it takes any host. Bytes of the host that are not what
/// they should be are errors, never panics.
pub fn execute<C: 'static>(
    setup: impl FnOnce(&[u8]) -> Result<Workflow<C>, Error>,
    argument: &[u8],
    mut host: impl Host + 'static,
) -> ExecutionResult {
    host.switch_modes(Mode::Don);
    try_execute(setup, argument, host).unwrap_or_else(|error| failure(&error))
}

fn try_execute<C: 'static>(
    setup: impl FnOnce(&[u8]) -> Result<Workflow<C>, Error>,
    argument: &[u8],
    host: impl Host + 'static,
) -> Result<ExecutionResult, Error> {
    let bytes = base64::decode(argument).ok_or(Error::Arguments)?;
    let request: ExecuteRequest = decode("ExecuteRequest", &bytes)?;
    let workflow = setup(&request.config)?;
    let len_max = match usize::try_from(request.max_response_size) {
        Ok(0) => RESPONSE_LEN_DEFAULT,
        Ok(len_max) => len_max.min(RESPONSE_LEN_MAX),
        Err(_) => RESPONSE_LEN_MAX,
    };
    let asked = request.request.ok_or(Error::Missing { what: "what to execute" })?;
    workflow.execute(&asked, Runtime::new(host, len_max))
}

fn failure(error: &Error) -> ExecutionResult {
    ExecutionResult { result: Some(execution_result::Result::Error(error.chain())) }
}

/// Makes a workflow the module's entry: `workflow!(setup)`, once in a `cdylib`.
///
/// `setup` takes the configuration's bytes and gives a `Result<Workflow<_>, Error>`. Natively the macro does
/// nothing but check that, so that the crate's tests run on the machine that compiles it.
#[macro_export]
macro_rules! workflow {
    ($setup:path) => {
        /// The module's entry.
        #[cfg(target_arch = "wasm32")]
        #[unsafe(no_mangle)]
        pub extern "C" fn _start() {
            $crate::guest::start($setup)
        }

        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            #[allow(dead_code, reason = "it is there to be type-checked")]
            fn check<C>(_: fn(&[u8]) -> Result<$crate::Workflow<C>, $crate::Error>) {}
            #[allow(dead_code, reason = "it is there to be type-checked")]
            fn checked() {
                check($setup)
            }
        };
    };
}
