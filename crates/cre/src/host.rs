//! The guest ABI as a trait: on wasm32 the imports of a module, natively whatever a test puts there.

/// Where a workflow runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every node does the same, call for call.
    Don,
    /// Each node by itself; what comes out goes through consensus.
    Node,
}

impl Mode {
    /// The ABI's number.
    pub const fn number(self) -> i32 {
        match self {
            Self::Don => 1,
            Self::Node => 2,
        }
    }
}

/// What a workflow may ask of whoever runs it: Chainlink's guest ABI, version 2, on bytes.
///
/// Requests are protobuf; an `Err` is the host's text, meant to be UTF-8 and never trusted to be.
pub trait Host {
    /// Starts the call that a `CapabilityRequest` describes, and returns at once.
    ///
    /// # Errors
    /// The host does not accept it.
    fn call_capability(&mut self, request: &[u8]) -> Result<(), Vec<u8>>;

    /// Waits for the ids of an `AwaitCapabilitiesRequest`; the result is an `AwaitCapabilitiesResponse` of
    /// at most `len_max` bytes.
    ///
    /// # Errors
    /// The host has no answer, or one longer than `len_max`.
    fn await_capabilities(&mut self, request: &[u8], len_max: usize) -> Result<Vec<u8>, Vec<u8>>;

    /// Starts fetching what a `GetSecretsRequest` names.
    ///
    /// # Errors
    /// The host does not accept it.
    fn get_secrets(&mut self, request: &[u8]) -> Result<(), Vec<u8>>;

    /// Waits for the ids of an `AwaitSecretsRequest`; the result is an `AwaitSecretsResponse` of at most
    /// `len_max` bytes.
    ///
    /// # Errors
    /// As for [`Host::await_capabilities`].
    fn await_secrets(&mut self, request: &[u8], len_max: usize) -> Result<Vec<u8>, Vec<u8>>;

    /// Keeps a line. Hosts drop lines above their limits without saying so.
    fn log(&mut self, line: &str);

    /// Takes a `WorkflowUserMetric`; whether it was taken.
    fn emit_metric(&mut self, metric: &[u8]) -> bool;

    /// Says where the workflow runs from now on.
    fn switch_modes(&mut self, mode: Mode);

    /// Seed of randomness: in DON mode the same on every node of an execution.
    fn random_seed(&mut self, mode: Mode) -> u64;

    /// Unix nanoseconds: in DON mode agreed, in node mode the node's own. None if the host has no time.
    fn now(&mut self) -> Option<u64>;
}
