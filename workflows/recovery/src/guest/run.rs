//! The workflow on CRE: its trigger, and a tick's ports over the SDK's runtime.

use cre::evm::{CallContractRequest, Client};
use cre::messages::darkpool::{
    CheckReservesRequest, CheckReservesResponse, CollateralRequest, GetRequestStatusRequest,
    GetRequestStatusResponse,
};
use cre::messages::evm::{ReceiverContractExecutionStatus, TxStatus, WriteReportReply};
use cre::{Error, Report, Runtime, Value, Workflow, cron};
use primitives::{Address, Timestamp};

use super::chain::Read;
use super::config::Recovery;
use super::tick::{Ports, tick};

/// Gas of one write: a settlement takes about a million, CRE allows five.
const WRITE_GAS: u64 = 5_000_000;

/// Builds the workflow from its configuration: one trigger, the YAML's schedule.
///
/// # Errors
/// The configuration's first mistake, with file, line and hint.
pub fn workflow(config: &[u8]) -> Result<Workflow<Recovery>, Error> {
    let recovery = Recovery::parse(config).map_err(Error::workflow)?;
    let schedule = recovery.document.workflow.cron.to_string();
    Ok(Workflow::new(recovery).on(cron::trigger(schedule), on_tick))
}

fn on_tick(
    recovery: &Recovery,
    runtime: &mut Runtime,
    fired: cron::Payload,
) -> Result<Value, Error> {
    let scheduled = fired.scheduled_execution_time.map(|time| u64::try_from(time.seconds));
    let Some(Ok(now)) = scheduled else {
        return Err(Error::workflow("the trigger names no instant after 1970"));
    };
    let mut ports = OnCre { runtime, chain: Client::new(recovery.chain_selector) };
    let ticked = tick(recovery, Timestamp(now), &mut ports).map_err(Error::workflow)?;
    Ok(Value::map([
        ("tick", Value::from(u64::from(ticked.tick))),
        ("observed", Value::from(ticked.observed)),
        ("writes", Value::from(u64::from(ticked.writes))),
        ("delivered", Value::from(u64::from(ticked.delivered))),
    ]))
}

struct OnCre<'a> {
    runtime: &'a mut Runtime,
    chain: Client,
}

impl Ports for OnCre<'_> {
    fn read(&mut self, calls: &[Read]) -> Result<Vec<Vec<u8>>, String> {
        // All are started before the first is waited for.
        let started: Vec<_> = calls
            .iter()
            .map(|(to, data)| {
                let request = CallContractRequest::new(to.0, data.clone());
                self.chain.call_contract(self.runtime, &request)
            })
            .collect();
        let answers = started.into_iter().map(|promise| promise.wait().map(|reply| reply.data));
        answers.collect::<Result<_, _>>().map_err(|error| error.chain())
    }

    fn check_reserves(
        &mut self,
        request: CheckReservesRequest,
    ) -> Result<CheckReservesResponse, String> {
        cre::darkpool::check_reserves(self.runtime, &request).wait().map_err(|error| error.chain())
    }

    fn request_status(
        &mut self,
        request: GetRequestStatusRequest,
    ) -> Result<GetRequestStatusResponse, String> {
        let status = cre::darkpool::get_request_status(self.runtime, &request);
        status.wait().map_err(|error| error.chain())
    }

    fn report(&mut self, payload: Vec<u8>) -> Result<Report, String> {
        self.runtime.report(payload).wait().map_err(|error| error.chain())
    }

    fn request_collateral(&mut self, request: CollateralRequest) -> Result<(), String> {
        let requested = cre::darkpool::request_collateral(self.runtime, &request);
        requested.wait().map(|_| ()).map_err(|error| error.chain())
    }

    fn write(&mut self, receiver: Address, report: Report) -> Result<(), String> {
        let written = self.chain.write_report(self.runtime, receiver.0, report, Some(WRITE_GAS));
        refusal(&written.wait().map_err(|error| error.chain())?)
    }

    fn log(&mut self, line: &str) {
        self.runtime.log(line);
    }
}

/// The forwarder's transaction succeeds whether or not the receiver takes the report.
fn refusal(reply: &WriteReportReply) -> Result<(), String> {
    let is_refused =
        reply.receiver_contract_execution_status() == ReceiverContractExecutionStatus::Reverted;
    match (reply.tx_status(), is_refused) {
        (TxStatus::Success, false) => Ok(()),
        (TxStatus::Success, true) => Err("the receiver refused the report".to_owned()),
        (TxStatus::Reverted | TxStatus::Fatal, _) => {
            Err(format!("the forwarder refused the report: {}", reply.error_message()))
        }
    }
}
