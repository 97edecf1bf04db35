//! One execution: what the module asked for so far, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use cre::messages::sdk;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::error::Stop;
use crate::lend::Lent;
use crate::{Error, Limits, Mode};

/// What a host function works on.
pub(crate) struct Guest<'a> {
    /// The module's memory.
    pub(crate) memory: &'a mut [u8],
    /// The execution.
    pub(crate) session: &'a mut Session,
}

/// One execution's state outside the module.
pub(crate) struct Session {
    pub(crate) world: Lent,
    pub(crate) limits: Arc<Limits>,
    /// `argv`, each with its final NUL.
    pub(crate) args: [Vec<u8>; 2],
    /// `None` until the module says which, and again when it names none.
    pub(crate) mode: Option<Mode>,
    pub(crate) capabilities: Capabilities,
    pub(crate) secrets: Secrets,
    pub(crate) log_lines: LogLines,
    pub(crate) response: Option<sdk::ExecutionResult>,
    /// Length of the last response that did not decode.
    pub(crate) malformed_len: Option<usize>,
    /// FNV-1a-64 of the execution id.
    pub(crate) don_seed: u64,
    node_seed: Option<u64>,
    /// Bytes of WASI randomness handed out.
    random_blocks: u64,
    /// First answer of the clock, nanoseconds.
    pub(crate) clock_base: Option<u64>,
    pub(crate) memory_quota: MemoryQuota,
    time_max: Duration,
    /// `None` is never.
    deadline: Option<Instant>,
}

/// Capability calls by callback id.
#[derive(Default)]
pub(crate) struct Capabilities {
    pub(crate) used: BTreeSet<i32>,
    /// Accepted, not awaited.
    pub(crate) calls: BTreeMap<i32, Call>,
    /// Of these, not answered: by order of acceptance.
    pub(crate) in_flight: BTreeMap<u64, i32>,
    pub(crate) accepted: u64,
}

/// A capability call that was accepted and is not awaited yet.
pub(crate) enum Call {
    /// Its place in the order of acceptance.
    InFlight(u64),
    /// Answered early, to make room.
    Answered(Result<sdk::CapabilityResponse, String>),
}

/// Secrets asked for, by callback id.
#[derive(Default)]
pub(crate) struct Secrets {
    pub(crate) used: BTreeSet<i32>,
    pub(crate) calls: BTreeMap<i32, sdk::GetSecretsRequest>,
}

/// How much memory a module may have.
pub(crate) struct MemoryQuota {
    /// Bytes.
    max: usize,
    /// Bytes that the last refused growth asked for in all.
    refused: Option<usize>,
}

impl MemoryQuota {
    /// Whether the memory may grow to `wanted` bytes.
    pub(crate) fn allows(&mut self, wanted: usize) -> bool {
        let allowed = wanted <= self.max;
        if !allowed {
            self.refused = Some(wanted);
        }
        allowed
    }
}

/// Lines logged, by mode.
#[derive(Default)]
pub(crate) struct LogLines {
    pub(crate) don: u32,
    pub(crate) node: u32,
}

/// How an engine's call of a module ended.
pub(crate) enum Ended {
    /// `_start` returned.
    Returned,
    /// A host function ended it.
    Stopped(Stop),
    /// The engine's deadline.
    Interrupted,
    /// The engine's fuel.
    OutOfFuel,
    /// WebAssembly's own failure, in the engine's words.
    Trapped(String),
    /// This machine's failure to give an instance its memory, in the engine's words.
    NoRoom(String),
}

impl Session {
    /// Begins an execution.
    ///
    /// # Errors
    /// [`Error::ConfigTooLarge`].
    pub(crate) fn begin(
        world: Lent,
        limits: &Arc<Limits>,
        request: &sdk::ExecuteRequest,
    ) -> Result<Self, Error> {
        let (len, limit) = (request.config.len(), limits.config_size_max);
        if len > limit {
            return Err(Error::ConfigTooLarge { len, limit });
        }
        let time_max = match request.request {
            Some(sdk::execute_request::Request::PreHook(_)) => limits.pre_hook_time_max,
            Some(
                sdk::execute_request::Request::Subscribe(_)
                | sdk::execute_request::Request::Trigger(_),
            )
            | None => limits.execution_time_max,
        };
        let don_seed = world.with(|world| fnv1a(world.execution_id().as_bytes()));
        Ok(Self {
            world,
            limits: limits.clone(),
            args: [b"wasi\0".to_vec(), encode_request(request, limits)],
            mode: None,
            capabilities: Capabilities::default(),
            secrets: Secrets::default(),
            log_lines: LogLines::default(),
            response: None,
            malformed_len: None,
            don_seed: don_seed.unwrap_or_default(),
            node_seed: None,
            random_blocks: 0,
            clock_base: None,
            memory_quota: MemoryQuota { max: limits.memory_size_max, refused: None },
            time_max,
            deadline: Instant::now().checked_add(time_max),
        })
    }

    /// How long this execution may take in all.
    #[cfg(feature = "wasmtime")]
    pub(crate) fn time_max(&self) -> Duration {
        self.time_max
    }

    /// How long it may take from now on.
    pub(crate) fn time_left(&self) -> Duration {
        self.deadline
            .map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Ends the execution when its time is over: after every wait, because the engines look only when the
    /// module itself runs.
    pub(crate) fn check_time(&self) -> Result<(), Stop> {
        if self.time_left().is_zero() {
            return Err(Error::Deadline { limit: self.time_max }.into());
        }
        Ok(())
    }

    /// Seed of this node's randomness, asked for once.
    pub(crate) fn node_seed(&mut self) -> u64 {
        let world = &self.world;
        *self
            .node_seed
            .get_or_insert_with(|| world.with(|world| world.node_seed()).unwrap_or_default())
    }

    /// Fills `out` with WASI randomness: SHA-256 in counter mode over the node's seed.
    ///
    /// Chainlink's host gives true randomness here. Ours is a function of the seed, so that an execution can
    /// be repeated, byte for byte, from what its world answered; the seed is as good as the world makes it.
    pub(crate) fn fill_random(&mut self, out: &mut [u8]) {
        let seed = self.node_seed();
        for chunk in out.chunks_mut(32) {
            let block = Sha256::new()
                .chain_update(b"wasi random_get")
                .chain_update(seed.to_le_bytes())
                .chain_update(self.random_blocks.to_le_bytes())
                .finalize();
            self.random_blocks = self.random_blocks.wrapping_add(1);
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }

    /// What became of the execution.
    ///
    /// # Errors
    /// All that an execution can fail with.
    pub(crate) fn end(self, ended: Ended) -> Result<sdk::ExecutionResult, Error> {
        let MemoryQuota { max: limit, refused } = self.memory_quota;
        let out_of_memory = refused.map(|wanted| Error::Memory { wanted, limit });
        match ended {
            Ended::Stopped(Stop::Exit(0)) => match (self.response, self.malformed_len) {
                (Some(response), _) => Ok(response),
                (None, Some(len)) => Err(Error::NotAnExecutionResult { len }),
                (None, None) => Err(Error::NoResponse),
            },
            Ended::Stopped(Stop::Exit(status)) => {
                Err(out_of_memory.unwrap_or(Error::Exit { status }))
            }
            Ended::Stopped(Stop::Broken(error)) => Err(error),
            Ended::Returned => {
                Err(Error::ReturnedWithoutExit { had_response: self.response.is_some() })
            }
            Ended::Interrupted => Err(Error::Deadline { limit: self.time_max }),
            Ended::OutOfFuel => {
                Err(Error::Fuel { limit: self.limits.fuel_max.unwrap_or_default() })
            }
            Ended::Trapped(reason) => Err(out_of_memory.unwrap_or(Error::Trap { reason })),
            Ended::NoRoom(reason) => Err(out_of_memory.unwrap_or(Error::NoRoom { reason })),
        }
    }
}

/// The second argument of a module: padded standard base64 of the request, which is told how large a
/// response may be, and a NUL.
pub(crate) fn encode_request(request: &sdk::ExecuteRequest, limits: &Limits) -> Vec<u8> {
    // The field is the last one by number but two, and protobuf lets the last of repeated scalars win: the
    // request is encoded as it is, without a copy of its configuration, and the size appended.
    let size = sdk::ExecuteRequest {
        max_response_size: limits.response_size_max as u64,
        ..sdk::ExecuteRequest::default()
    };
    let mut message = Vec::with_capacity(request.encoded_len() + size.encoded_len());
    message.extend(request.encode_to_vec());
    message.extend(size.encode_to_vec());
    let mut argument = base64::engine::general_purpose::STANDARD.encode(message).into_bytes();
    argument.push(0);
    argument
}

/// FNV-1a, 64 bits. Source: draft-eastlake-fnv.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::{encode_request, fnv1a};
    use crate::Limits;
    use base64::Engine as _;
    use cre::messages::sdk;
    use prost::Message;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_request_arrives_with_the_hosts_response_size() {
        let request = sdk::ExecuteRequest {
            config: b"config".to_vec(),
            max_response_size: 1,
            request: Some(sdk::execute_request::Request::Trigger(sdk::Trigger {
                id: 7,
                payload: None,
            })),
        };
        let argument = encode_request(&request, &Limits::production());
        let (nul, text) = argument.split_last().expect("not empty");
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).expect("base64");
        let seen = sdk::ExecuteRequest::decode(&bytes[..]).expect("decodes");
        assert_eq!(*nul, 0);
        assert_eq!(seen, sdk::ExecuteRequest { max_response_size: 100_000, ..request });
    }
}
