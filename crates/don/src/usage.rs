//! What one execution has used. Counted per node, so that every node stops at the same call.

use cre::messages::sdk::CapabilityRequest;
use cre::messages::{evm, unpack};
use engine::{HttpLimits, Limits};

use crate::{CapabilityError, Code};

/// What an execution has used, on one node.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    http: u32,
    confidential_http: u32,
    chain_reads: u32,
    chain_writes: u32,
    consensus: u32,
    secret_calls: u32,
    secrets_len: usize,
}

impl Usage {
    /// Counts a capability call, before it is made.
    pub(crate) fn call(
        &mut self,
        limits: &Limits,
        request: &CapabilityRequest,
    ) -> Result<(), CapabilityError> {
        let len = request.payload.as_ref().map_or(0, |payload| payload.value.len());
        let (kind, _) = request.id.split_once(['@', ':']).unwrap_or((&request.id, ""));
        match kind {
            "http-actions" => {
                count(&mut self.http, limits.http.calls_max, "HTTP calls")?;
                within(len, limits.http.request_size_max, "an HTTP request")
            }
            "confidential-http" => {
                let HttpLimits { calls_max, request_size_max, .. } = limits.confidential_http;
                count(&mut self.confidential_http, calls_max, "confidential HTTP calls")?;
                within(len, request_size_max, "a confidential HTTP request")
            }
            "consensus" => {
                count(&mut self.consensus, limits.consensus_calls_max, "consensus calls")?;
                within(len, limits.consensus_observation_size_max, "an observation")
            }
            "evm" if request.method == "WriteReport" => {
                count(&mut self.chain_writes, limits.evm_writes_max, "chain writes")?;
                let payload = request.payload.as_ref();
                let write: Option<evm::WriteReportRequest> =
                    payload.and_then(|any| unpack(any).ok());
                let Some(write) = write else { return Ok(()) };
                let report_len = write.report.map_or(0, |report| report.raw_report.len());
                within(report_len, limits.report_size_max, "a report")?;
                let gas = write.gas_config.map_or(0, |config| config.gas_limit);
                if gas > limits.evm_write_gas_max {
                    let most = limits.evm_write_gas_max;
                    return Err(exceeded(format!("a write of {gas} gas, the limit is {most}")));
                }
                Ok(())
            }
            "evm" => {
                count(&mut self.chain_reads, limits.evm_reads_max, "chain reads")?;
                within(len, limits.evm_read_size_max, "a chain read")
            }
            _ => Ok(()),
        }
    }

    /// Counts a request for secrets.
    pub(crate) fn secrets(&mut self, limits: &Limits) -> Result<(), CapabilityError> {
        count(&mut self.secret_calls, limits.secrets_calls_max, "secret calls")
    }

    /// Counts secrets given.
    pub(crate) fn secrets_given(
        &mut self,
        limits: &Limits,
        len: usize,
    ) -> Result<(), CapabilityError> {
        self.secrets_len += len;
        within(self.secrets_len, limits.secrets_size_max, "the secrets of an execution")
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

fn count(used: &mut u32, most: u32, what: &str) -> Result<(), CapabilityError> {
    if *used >= most {
        return Err(exceeded(format!("more than {most} {what} in one execution")));
    }
    *used += 1;
    Ok(())
}

fn exceeded(message: String) -> CapabilityError {
    CapabilityError::user(Code::LimitExceeded, message)
}
