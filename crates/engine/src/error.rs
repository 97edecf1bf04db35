//! Why a module does not run, or its run has no result.

use std::time::Duration;

/// Why a module does not run, or its run has no result. The host is unharmed by each, and the next
/// execution starts from nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Neither `\0asm` nor something that brotli takes for its own.
    #[error("not a WebAssembly module, nor a brotli stream of one")]
    NotWasm,
    /// It begins as a module in brotli, and breaks off or is damaged.
    #[error("the brotli stream of the module is damaged")]
    CorruptBrotli,
    /// As deployed, it is too large.
    #[error("the compressed module has {len} bytes, limit {limit}")]
    CompressedTooLarge {
        /// Bytes it has.
        len: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// As run, it is too large; a brotli bomb ends here, after `limit` bytes of output.
    #[error("the module has more than {limit} bytes")]
    WasmTooLarge {
        /// Bytes it may have.
        limit: usize,
    },
    /// It has the magic of a module and does not validate, or needs a proposal that is off.
    #[error("not a valid module: {reason}")]
    Invalid {
        /// The validator's words.
        reason: String,
    },
    /// No `_start` to call.
    #[error("the module exports no function `_start` without parameters and results")]
    NoStart,
    /// No memory to read from and write to.
    #[error("the module exports no memory named `memory`")]
    NoMemory,
    /// It does not say that it speaks version 2 of the ABI. The text is Chainlink's.
    #[error("cannot execute a legacy dag workflow")]
    LegacyDag,
    /// It needs what no CRE host has.
    #[error("the module imports `{module}.{name}`, which no CRE host provides")]
    UnknownImport {
        /// The import's module.
        module: String,
        /// The import's name.
        name: String,
    },
    /// It imports something under a known name, with another type.
    #[error("the module does not link: {reason}")]
    Link {
        /// The linker's words.
        reason: String,
    },
    /// A JavaScript bundle does not compile.
    #[error("the JavaScript does not compile: {reason}")]
    JavaScript {
        /// The plugin's words.
        reason: String,
    },
    /// The module given as a JavaScript plugin is not one.
    #[error("the JavaScript plugin has no export `{name}` of the expected type")]
    NotAPlugin {
        /// The missing export.
        name: &'static str,
    },

    /// The request's configuration is too large.
    #[error("the configuration has {len} bytes, limit {limit}")]
    ConfigTooLarge {
        /// Bytes it has.
        len: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// It returned instead of exiting. Chainlink's hosts lose such a run's response.
    #[error("the module returned from `_start` without `proc_exit(0)`: its response is lost")]
    ReturnedWithoutExit {
        /// Whether it had sent a response.
        had_response: bool,
    },
    /// It exited with a failure.
    #[error("the module exited with status {status}")]
    Exit {
        /// Not 0.
        status: i32,
    },
    /// It exited successfully and had sent nothing.
    #[error("the module exited without sending a response")]
    NoResponse,
    /// It exited successfully, and what it sent is no `ExecutionResult`.
    #[error("the module's response of {len} bytes is not an ExecutionResult")]
    NotAnExecutionResult {
        /// Bytes it has.
        len: usize,
    },
    /// Its response is too large.
    #[error("the response has {len} bytes, limit {limit}")]
    ResponseTooLarge {
        /// Bytes it has.
        len: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// It did what WebAssembly forbids, or panicked.
    #[error("the module trapped: {reason}")]
    Trap {
        /// The engine's words.
        reason: String,
    },
    /// It failed after it was refused memory, or needs more from the start.
    #[error("the module asked for {wanted} bytes of memory, limit {limit}")]
    Memory {
        /// Bytes it asked for in all.
        wanted: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// This machine does not give it the memory that its limit allows.
    #[error("this machine has no room for the module's memory, see `ulimit -v`: {reason}")]
    NoRoom {
        /// The engine's words.
        reason: String,
    },
    /// It ran too long.
    #[error("the execution ran for more than {limit:?}")]
    Deadline {
        /// How long it may.
        limit: Duration,
    },
    /// It executed too many instructions.
    #[error("the execution used more than {limit} units of fuel")]
    Fuel {
        /// How many it may.
        limit: u64,
    },
    /// The engine cannot be set up on this machine.
    #[error("no engine on this machine: {reason}")]
    Engine {
        /// The engine's words.
        reason: String,
    },
}

/// What ends a run from inside a host function.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// `proc_exit`.
    #[error("exit status {0}")]
    Exit(i32),
    /// A limit.
    #[error(transparent)]
    Broken(#[from] Error),
}
