//! The workflow on CRE: its trigger, and a tick's ports over the SDK's runtime.
//!
//! On a DON that has registered `darkpool@1.0.0` the tick runs on the nodes. On one that has not, the
//! configuration names the dark pool's endpoint, and the tick runs in a TEE: there an HTTP request is made
//! once, and what it asks and hears is not every node's to see.

use core::fmt::Display;

use cre::evm::{CallContractRequest, Client};
use cre::http;
use cre::messages::darkpool::{
    CheckReservesRequest, CheckReservesResponse, CollateralRequest, GetRequestStatusRequest,
    GetRequestStatusResponse, RequestResponse,
};
use cre::messages::evm::{
    GetTransactionReceiptReply, GetTransactionReceiptRequest, ReceiverContractExecutionStatus,
    TxStatus, WriteReportReply, WriteReportRequest,
};
use cre::{Error, Report, Runtime, Tee, TeeRuntime, Value, Workflow, cron};
use darkpool::{CapabilityError, Code, DarkPool, Fallback};
use primitives::{Address, Timestamp};

use super::chain::Read;
use super::config::Recovery;
use super::tick::{Ports, tick};

/// Gas of one write: a settlement takes about a million, CRE allows five.
const WRITE_GAS: u64 = 5_000_000;

/// Where Chainlink runs confidential workflows.
const TEE_REGION: &str = "us-west-2";

/// The secret that the dark pool's endpoint asks for.
pub const TOKEN: &str = "DARKPOOL_TOKEN";

/// Builds the workflow from its configuration: one trigger, the YAML's schedule, on the nodes or, for a dark
/// pool behind an endpoint, in a TEE.
///
/// # Errors
/// The configuration's first mistake, with file, line and hint.
pub fn workflow(config: &[u8]) -> Result<Workflow<Recovery>, Error> {
    let recovery = Recovery::parse(config).map_err(Error::workflow)?;
    let schedule = cron::trigger(recovery.document.workflow.cron.to_string());
    let workflow = Workflow::new(recovery.clone());
    Ok(match recovery.endpoint {
        None => workflow.on(schedule, on_tick),
        Some(_) => workflow.on_in_tee(schedule, Tee::nitro([TEE_REGION]), on_tick_in_tee),
    })
}

fn on_tick(
    recovery: &Recovery,
    runtime: &mut Runtime,
    fired: cron::Payload,
) -> Result<Value, Error> {
    let chain = Client::new(recovery.chain_selector);
    let pool = Registered(runtime.clone());
    run(recovery, OnCre { runtime: runtime.clone(), chain, pool }, &fired)
}

fn on_tick_in_tee(
    recovery: &Recovery,
    tee: &mut TeeRuntime,
    fired: cron::Payload,
) -> Result<Value, Error> {
    let url = recovery.endpoint.clone().unwrap_or_default();
    let token = tee.secret(TOKEN).wait()?;
    let runtime = tee.using_the_dons().clone();
    let chain = Client::new(recovery.chain_selector);
    let pool = Fallback {
        host: Endpoint { tee, url, authorization: format!("Bearer {}", token.expose()) },
        chain: OnChain { runtime: runtime.clone(), chain: chain.clone() },
    };
    run(recovery, OnCre { runtime, chain, pool }, &fired)
}

fn run<P: DarkPool<Error: Display>>(
    recovery: &Recovery,
    mut ports: OnCre<P>,
    fired: &cron::Payload,
) -> Result<Value, Error> {
    let scheduled = fired.scheduled_execution_time.as_ref().map(|time| u64::try_from(time.seconds));
    let Some(Ok(now)) = scheduled else {
        return Err(Error::workflow("the trigger names no instant after 1970"));
    };
    let ticked = tick(recovery, Timestamp(now), &mut ports).map_err(Error::workflow)?;
    Ok(Value::map([
        ("tick", Value::from(u64::from(ticked.tick))),
        ("observed", Value::from(ticked.observed)),
        ("writes", Value::from(u64::from(ticked.writes))),
        ("delivered", Value::from(u64::from(ticked.delivered))),
    ]))
}

/// The dark pool of a DON that has registered it.
struct Registered(Runtime);

impl DarkPool for Registered {
    type Error = String;

    fn check_reserves(
        &mut self,
        request: CheckReservesRequest,
    ) -> Result<CheckReservesResponse, String> {
        cre::darkpool::check_reserves(&self.0, &request).wait().map_err(|error| error.chain())
    }

    fn request_collateral(
        &mut self,
        request: CollateralRequest,
    ) -> Result<RequestResponse, String> {
        cre::darkpool::request_collateral(&self.0, &request).wait().map_err(|error| error.chain())
    }

    fn get_request_status(
        &mut self,
        request: GetRequestStatusRequest,
    ) -> Result<GetRequestStatusResponse, String> {
        cre::darkpool::get_request_status(&self.0, &request).wait().map_err(|error| error.chain())
    }
}

/// The dark pool's endpoint, from inside a TEE.
struct Endpoint<'a> {
    tee: &'a TeeRuntime,
    url: String,
    authorization: String,
}

impl darkpool::Host for Endpoint<'_> {
    fn post(&mut self, path: &str, body: Vec<u8>) -> Result<(u32, Vec<u8>), CapabilityError> {
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        let request =
            http::Request::post(url, body).with_header("authorization", &*self.authorization);
        let answer = request.send(self.tee).wait().map_err(|error| unavailable(&error))?;
        Ok((answer.status_code, answer.body))
    }
}

/// The chain, as the fallback uses it.
struct OnChain {
    runtime: Runtime,
    chain: Client,
}

impl darkpool::Chain for OnChain {
    fn write_report(
        &mut self,
        request: WriteReportRequest,
    ) -> Result<WriteReportReply, CapabilityError> {
        let written = self.runtime.call(self.chain.id(), "WriteReport", &request);
        written.wait().map_err(|error| unavailable(&error))
    }

    fn receipt(
        &mut self,
        request: GetTransactionReceiptRequest,
    ) -> Result<GetTransactionReceiptReply, CapabilityError> {
        let receipt = self.chain.get_transaction_receipt(&self.runtime, &request);
        receipt.wait().map_err(|error| unavailable(&error))
    }
}

fn unavailable(error: &Error) -> CapabilityError {
    CapabilityError::system(Code::Unavailable, error.chain())
}

struct OnCre<P> {
    runtime: Runtime,
    chain: Client,
    pool: P,
}

impl<P: DarkPool<Error: Display>> Ports for OnCre<P> {
    fn read(&mut self, calls: &[Read]) -> Result<Vec<Vec<u8>>, String> {
        // All are started before the first is waited for.
        let started: Vec<_> = calls
            .iter()
            .map(|(to, data)| {
                let request = CallContractRequest::new(to.0, data.clone());
                self.chain.call_contract(&self.runtime, &request)
            })
            .collect();
        let answers = started.into_iter().map(|promise| promise.wait().map(|reply| reply.data));
        answers.collect::<Result<_, _>>().map_err(|error| error.chain())
    }

    fn check_reserves(
        &mut self,
        request: CheckReservesRequest,
    ) -> Result<CheckReservesResponse, String> {
        self.pool.check_reserves(request).map_err(|error| error.to_string())
    }

    fn request_status(
        &mut self,
        request: GetRequestStatusRequest,
    ) -> Result<GetRequestStatusResponse, String> {
        self.pool.get_request_status(request).map_err(|error| error.to_string())
    }

    fn report(&mut self, payload: Vec<u8>) -> Result<Report, String> {
        self.runtime.report(payload).wait().map_err(|error| error.chain())
    }

    fn request_collateral(&mut self, request: CollateralRequest) -> Result<(), String> {
        self.pool.request_collateral(request).map(|_| ()).map_err(|error| error.to_string())
    }

    fn write(&mut self, receiver: Address, report: Report) -> Result<(), String> {
        let written = self.chain.write_report(&self.runtime, receiver.0, report, Some(WRITE_GAS));
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
