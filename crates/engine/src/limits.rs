//! How much a workflow may use.

use std::time::Duration;

/// Chainlink's quotas as one profile. What belongs to a module's run is enforced here; what needs to know
/// what a call *is* (its kind, its report, its trigger) is enforced by whoever implements
/// [`World`](crate::World), from the same value.
///
/// Sizes are bytes, with Chainlink's decimal multiples (1 KB = 1,000). Every number of
/// [`Limits::production`] is from CRE's service quotas as of August 2026 unless its field says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A module as it is run, bytes. Enforced here.
    pub wasm_size_max: usize,
    /// A module as it is deployed, brotli, bytes. Enforced here.
    pub wasm_compressed_size_max: usize,
    /// A workflow's configuration, bytes. Enforced here.
    pub config_size_max: usize,
    /// A module's linear memory, bytes. Enforced here: growth beyond it fails inside the module, and is
    /// the error if the module then fails.
    pub memory_size_max: usize,
    /// One execution, waiting for capabilities included. Enforced here, to the engine's tick.
    pub execution_time_max: Duration,
    /// One pre-hook. Source: the default of Chainlink's host library. Enforced here.
    pub pre_hook_time_max: Duration,
    /// Instructions of one execution, in the engine's own unit; `None` does not count them. Chainlink
    /// does not count by default. Exact and the same on every machine, where time is neither; costs about
    /// a tenth of the speed. Enforced here.
    pub fuel_max: Option<u64>,
    /// An execution's result, bytes; also what a module is told to expect of an answer
    /// (`ExecuteRequest.max_response_size`). Enforced here.
    pub response_size_max: usize,
    /// Callback ids of one execution, capabilities and secrets together: ours, so that a module cannot
    /// make its host remember without bound. Enforced here.
    pub callback_ids_max: usize,
    /// Capability calls accepted and not yet answered. At the limit, as on Chainlink's host, a new call
    /// waits until the oldest is answered. Enforced here.
    pub calls_in_flight_max: usize,
    /// Subscriptions of one `poll_oneoff`. Source: `WASMPollOneoffSubscriptionLimit`. Enforced here.
    pub poll_subscriptions_max: u32,
    /// Log lines of one execution and mode; more are dropped. Enforced here.
    pub log_lines_max: u32,
    /// One log line, bytes; longer ones are dropped. Enforced here.
    pub log_line_size_max: usize,
    /// `get_secrets` calls of one execution. Enforced here.
    pub secrets_calls_max: u32,
    /// Secrets in one `get_secrets` call. Enforced here.
    pub secrets_per_call_max: usize,
    /// All of a workflow's secrets together, bytes. Enforced here, per answer.
    pub secrets_size_max: usize,

    /// Time for one capability call. Enforced by the host, as are all below.
    pub call_time_max: Duration,
    /// Triggers a workflow subscribes to.
    pub triggers_max: usize,
    /// Executions of one workflow at a time.
    pub executions_per_workflow_max: usize,
    /// Executions of one owner at a time; `None` is no limit.
    pub executions_per_owner_max: Option<usize>,
    /// How long an execution above the limit is queued before it is dropped.
    pub queue_time_max: Duration,
    /// The fastest a cron trigger fires.
    pub cron_interval_min: Duration,
    /// One HTTP trigger event per this long, burst 1.
    pub http_trigger_interval_min: Duration,
    /// EVM log trigger events per [`Limits::log_trigger_window`].
    pub log_trigger_events_max: u32,
    /// The window of [`Limits::log_trigger_events_max`].
    pub log_trigger_window: Duration,
    /// Addresses in a log trigger's filter.
    pub log_trigger_addresses_max: usize,
    /// Topics in each slot of a log trigger's filter.
    pub log_trigger_topics_per_slot_max: usize,
    /// One log event, bytes.
    pub log_trigger_event_size_max: usize,
    /// HTTP actions of one execution.
    pub http: HttpLimits,
    /// How long an HTTP response may be served from cache.
    pub http_cache_age_max: Duration,
    /// Confidential HTTP requests of one execution.
    pub confidential_http: HttpLimits,
    /// EVM reads of one execution.
    pub evm_reads_max: u32,
    /// Blocks that one log query may span.
    pub evm_log_query_blocks_max: u64,
    /// One EVM read's payload, bytes.
    pub evm_read_size_max: usize,
    /// EVM writes of one execution.
    pub evm_writes_max: u32,
    /// One report, bytes of payload.
    pub report_size_max: usize,
    /// Gas of one EVM write.
    pub evm_write_gas_max: u64,
    /// Consensus calls of one execution.
    pub consensus_calls_max: u32,
    /// One node's observation, bytes.
    pub consensus_observation_size_max: usize,
}

/// Limits of one kind of HTTP capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Calls of one execution.
    pub calls_max: u32,
    /// One request, bytes.
    pub request_size_max: usize,
    /// One response, bytes.
    pub response_size_max: usize,
    /// Time to connect.
    pub connect_time_max: Duration,
}

const KB: usize = 1_000;
const MB: usize = 1_000 * KB;

impl Limits {
    /// What a deployed workflow gets. Source: CRE service quotas; names of the node's settings where the
    /// quotas are silent.
    pub const fn production() -> Self {
        Self {
            wasm_size_max: 100 * MB,
            wasm_compressed_size_max: 20 * MB,
            config_size_max: 50 * KB,
            memory_size_max: 100 * MB,
            execution_time_max: Duration::from_mins(5),
            pre_hook_time_max: Duration::from_secs(10),
            fuel_max: None,
            response_size_max: 100 * KB,
            callback_ids_max: 10_000,
            calls_in_flight_max: 30,
            poll_subscriptions_max: 128,
            log_lines_max: 1_000,
            log_line_size_max: KB,
            secrets_calls_max: 5,
            secrets_per_call_max: 5,
            secrets_size_max: 27 * KB,
            call_time_max: Duration::from_mins(3),
            triggers_max: 10,
            executions_per_workflow_max: 10,
            executions_per_owner_max: Some(5),
            queue_time_max: Duration::from_mins(10),
            cron_interval_min: Duration::from_secs(30),
            http_trigger_interval_min: Duration::from_mins(1),
            log_trigger_events_max: 10,
            log_trigger_window: Duration::from_secs(6),
            log_trigger_addresses_max: 5,
            log_trigger_topics_per_slot_max: 10,
            log_trigger_event_size_max: 5 * KB,
            http: HttpLimits {
                calls_max: 5,
                request_size_max: 10 * KB,
                response_size_max: 100 * KB,
                connect_time_max: Duration::from_secs(10),
            },
            http_cache_age_max: Duration::from_mins(10),
            confidential_http: HttpLimits {
                calls_max: 5,
                request_size_max: 10 * KB,
                response_size_max: 100 * KB,
                connect_time_max: Duration::from_secs(10),
            },
            evm_reads_max: 15,
            evm_log_query_blocks_max: 100,
            evm_read_size_max: 5 * KB,
            evm_writes_max: 10,
            report_size_max: 5 * KB,
            evm_write_gas_max: 5_000_000,
            consensus_calls_max: 20,
            consensus_observation_size_max: 25 * KB,
        }
    }

    /// What Chainlink's simulator gives by default. Source: `cre workflow simulate`'s limits file, July 2026.
    pub const fn simulator() -> Self {
        let mut limits = Self::production();
        limits.config_size_max = MB;
        limits.secrets_size_max = MB;
        limits.executions_per_workflow_max = 50;
        limits.executions_per_owner_max = None;
        limits.http_trigger_interval_min = Duration::from_secs(30);
        limits.http = HttpLimits {
            calls_max: 15,
            request_size_max: 120 * KB,
            response_size_max: 250 * KB,
            connect_time_max: Duration::from_secs(10),
        };
        limits.confidential_http = HttpLimits {
            calls_max: 15,
            request_size_max: 125 * KB,
            response_size_max: 500 * KB,
            connect_time_max: Duration::from_secs(90),
        };
        limits.report_size_max = 50 * KB;
        limits.evm_write_gas_max = 10_000_000;
        limits.consensus_calls_max = 50;
        limits
    }

    /// As much as the formats allow, for experiments. Answers still fit a module's memory: a module
    /// allocates a buffer of [`Limits::response_size_max`], here the 5 MB that Chainlink's library defaults to.
    pub const fn unlimited() -> Self {
        let http = HttpLimits {
            calls_max: u32::MAX,
            request_size_max: usize::MAX,
            response_size_max: usize::MAX,
            connect_time_max: Duration::MAX,
        };
        Self {
            wasm_size_max: usize::MAX,
            wasm_compressed_size_max: usize::MAX,
            config_size_max: usize::MAX,
            memory_size_max: usize::MAX,
            execution_time_max: Duration::MAX,
            pre_hook_time_max: Duration::MAX,
            fuel_max: None,
            response_size_max: 5 * MB,
            callback_ids_max: usize::MAX,
            calls_in_flight_max: usize::MAX,
            poll_subscriptions_max: 128,
            log_lines_max: u32::MAX,
            log_line_size_max: usize::MAX,
            secrets_calls_max: u32::MAX,
            secrets_per_call_max: usize::MAX,
            secrets_size_max: usize::MAX,
            call_time_max: Duration::MAX,
            triggers_max: usize::MAX,
            executions_per_workflow_max: usize::MAX,
            executions_per_owner_max: None,
            queue_time_max: Duration::MAX,
            cron_interval_min: Duration::ZERO,
            http_trigger_interval_min: Duration::ZERO,
            log_trigger_events_max: u32::MAX,
            log_trigger_window: Duration::from_secs(6),
            log_trigger_addresses_max: usize::MAX,
            log_trigger_topics_per_slot_max: usize::MAX,
            log_trigger_event_size_max: usize::MAX,
            http,
            http_cache_age_max: Duration::MAX,
            confidential_http: http,
            evm_reads_max: u32::MAX,
            evm_log_query_blocks_max: u64::MAX,
            evm_read_size_max: usize::MAX,
            evm_writes_max: u32::MAX,
            report_size_max: usize::MAX,
            evm_write_gas_max: u64::MAX,
            consensus_calls_max: u32::MAX,
            consensus_observation_size_max: usize::MAX,
        }
    }
}
