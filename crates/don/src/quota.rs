//! How much one execution may use. Counted per node, so that every node stops at the same call.

use cre::messages::sdk::CapabilityRequest;
use cre::messages::{evm, unpack};

use crate::{CapabilityError, Code};

/// Limits of a workflow and of one of its executions. Lengths in bytes; a kilobyte is 1,000.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotas {
    /// Configuration.
    pub config_len_max: usize,
    /// What an execution returns.
    pub result_len_max: usize,
    /// Triggers of a workflow.
    pub triggers_max: usize,
    /// Shortest time between two firings of a schedule, seconds.
    pub cron_period_min_s: u64,
    /// Contracts that one log trigger watches.
    pub log_trigger_addresses_max: usize,
    /// Values in one topic's place of a log trigger.
    pub log_trigger_topic_values_max: usize,
    /// A log that fires a trigger.
    pub log_len_max: usize,
    /// Calls begun and not yet answered.
    pub calls_concurrent_max: usize,
    /// HTTP.
    pub http: HttpQuotas,
    /// Confidential HTTP.
    pub confidential_http: HttpQuotas,
    /// Reads of chains.
    pub chain_reads_max: usize,
    /// Blocks that one query for logs spans.
    pub log_blocks_max: u64,
    /// Request or answer of one read.
    pub chain_read_len_max: usize,
    /// Reports written to chains.
    pub chain_writes_max: usize,
    /// A raw report.
    pub report_len_max: usize,
    /// Gas of one write.
    pub write_gas_max: u64,
    /// Rounds of consensus, observations and reports alike.
    pub consensus_calls_max: usize,
    /// What a node brings to one of them.
    pub consensus_len_max: usize,
    /// Requests for secrets.
    pub secret_calls_max: usize,
    /// All secrets of an execution together.
    pub secrets_len_max: usize,
    /// Lines logged, per mode.
    pub log_lines_max: usize,
    /// One line.
    pub log_line_len_max: usize,
}

/// Limits of HTTP calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpQuotas {
    /// Calls.
    pub calls_max: usize,
    /// The request, encoded.
    pub request_len_max: usize,
    /// The response's body.
    pub response_len_max: usize,
    /// Longest wait, seconds.
    pub timeout_max_s: u64,
}

impl Quotas {
    /// What Chainlink documents for production (service quotas, August 2026).
    pub const PRODUCTION: Self = Self {
        config_len_max: 50_000,
        result_len_max: 100_000,
        triggers_max: 10,
        cron_period_min_s: 30,
        log_trigger_addresses_max: 5,
        log_trigger_topic_values_max: 10,
        log_len_max: 5_000,
        calls_concurrent_max: 30,
        http: HttpQuotas {
            calls_max: 5,
            request_len_max: 10_000,
            response_len_max: 100_000,
            timeout_max_s: 10,
        },
        confidential_http: HttpQuotas {
            calls_max: 5,
            request_len_max: 10_000,
            response_len_max: 100_000,
            timeout_max_s: 10,
        },
        chain_reads_max: 15,
        log_blocks_max: 100,
        chain_read_len_max: 5_000,
        chain_writes_max: 10,
        report_len_max: 5_000,
        write_gas_max: 5_000_000,
        consensus_calls_max: 20,
        consensus_len_max: 25_000,
        secret_calls_max: 5,
        secrets_len_max: 27_000,
        log_lines_max: 1_000,
        log_line_len_max: 1_000,
    };

    /// What `cre workflow simulate` applies unless told otherwise.
    pub const SIMULATOR: Self = Self {
        config_len_max: 1_000_000,
        http: HttpQuotas {
            calls_max: 15,
            request_len_max: 120_000,
            response_len_max: 250_000,
            timeout_max_s: 10,
        },
        confidential_http: HttpQuotas {
            calls_max: 15,
            request_len_max: 125_000,
            response_len_max: 500_000,
            timeout_max_s: 90,
        },
        report_len_max: 50_000,
        write_gas_max: 10_000_000,
        consensus_calls_max: 50,
        secrets_len_max: 1_000_000,
        ..Self::PRODUCTION
    };
}

impl Default for Quotas {
    fn default() -> Self {
        Self::PRODUCTION
    }
}

/// What an execution has used, on one node.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    http: usize,
    confidential_http: usize,
    chain_reads: usize,
    chain_writes: usize,
    consensus: usize,
    secret_calls: usize,
    secrets_len: usize,
}

impl Usage {
    /// Counts a capability call, before it is made.
    pub(crate) fn call(
        &mut self,
        quotas: &Quotas,
        request: &CapabilityRequest,
    ) -> Result<(), CapabilityError> {
        let len = request.payload.as_ref().map_or(0, |payload| payload.value.len());
        let (kind, _) = request.id.split_once(['@', ':']).unwrap_or((&request.id, ""));
        match kind {
            "http-actions" => {
                count(&mut self.http, quotas.http.calls_max, "HTTP calls")?;
                within(len, quotas.http.request_len_max, "an HTTP request")
            }
            "confidential-http" => {
                let HttpQuotas { calls_max, request_len_max, .. } = quotas.confidential_http;
                count(&mut self.confidential_http, calls_max, "confidential HTTP calls")?;
                within(len, request_len_max, "a confidential HTTP request")
            }
            "consensus" => {
                count(&mut self.consensus, quotas.consensus_calls_max, "consensus calls")?;
                within(len, quotas.consensus_len_max, "an observation")
            }
            "evm" if request.method == "WriteReport" => {
                count(&mut self.chain_writes, quotas.chain_writes_max, "chain writes")?;
                let payload = request.payload.as_ref();
                let write: Option<evm::WriteReportRequest> =
                    payload.and_then(|any| unpack(any).ok());
                let Some(write) = write else { return Ok(()) };
                let report_len = write.report.map_or(0, |report| report.raw_report.len());
                within(report_len, quotas.report_len_max, "a report")?;
                let gas = write.gas_config.map_or(0, |config| config.gas_limit);
                if gas > quotas.write_gas_max {
                    let most = quotas.write_gas_max;
                    return Err(exceeded(format!("a write of {gas} gas, the limit is {most}")));
                }
                Ok(())
            }
            "evm" => {
                count(&mut self.chain_reads, quotas.chain_reads_max, "chain reads")?;
                within(len, quotas.chain_read_len_max, "a chain read")
            }
            _ => Ok(()),
        }
    }

    /// Counts a request for secrets.
    pub(crate) fn secrets(&mut self, quotas: &Quotas) -> Result<(), CapabilityError> {
        count(&mut self.secret_calls, quotas.secret_calls_max, "secret calls")
    }

    /// Counts secrets given.
    pub(crate) fn secrets_given(
        &mut self,
        quotas: &Quotas,
        len: usize,
    ) -> Result<(), CapabilityError> {
        self.secrets_len += len;
        within(self.secrets_len, quotas.secrets_len_max, "the secrets of an execution")
    }
}

/// Refuses what is too long.
///
/// # Errors
/// [`Code::LimitExceeded`].
pub(crate) fn within(len: usize, len_max: usize, what: &str) -> Result<(), CapabilityError> {
    if len > len_max {
        return Err(exceeded(format!("{what} of {len} bytes, the limit is {len_max}")));
    }
    Ok(())
}

fn count(used: &mut usize, most: usize, what: &str) -> Result<(), CapabilityError> {
    if *used >= most {
        return Err(exceeded(format!("more than {most} {what} in one execution")));
    }
    *used += 1;
    Ok(())
}

fn exceeded(message: String) -> CapabilityError {
    CapabilityError::user(Code::LimitExceeded, message)
}
