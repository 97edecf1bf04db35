//! A workflow whose host says whatever it likes: `cargo fuzz run -s none guest`, in `crates/engine`.
#![no_main]

use cre::messages::sdk::{ExecuteRequest, Trigger, execute_request};
use cre::messages::{cron::Payload, pack};
use cre::{Consensus, Error, Runtime, Workflow, cron, evm, guest, http, testing};
use prost::Message as _;

libfuzzer_sys::fuzz_target!(|said: &[u8]| {
    // The input, piece by piece: a byte says how long the next is, its highest bit that it is an error.
    let (bytes, mut at) = (said.to_vec(), 0);
    let mut say = move || {
        let Some((head, rest)) = bytes[at..].split_first() else { return Ok(Vec::new()) };
        let said = &rest[..usize::from(head & 0x7f).min(rest.len())];
        at += 1 + said.len();
        if head & 0x80 == 0 { Ok(said.to_vec()) } else { Err(said.to_vec()) }
    };
    let argument = match say() {
        // Nothing said, and the guest is triggered as it should be.
        Ok(nothing) if nothing.is_empty() => {
            let trigger = Trigger { id: 0, payload: Some(pack(&Payload::default())) };
            let request = Some(execute_request::Request::Trigger(trigger));
            testing::argument(&ExecuteRequest { request, ..ExecuteRequest::default() })
        }
        Ok(request) => ExecuteRequest::decode(&request[..])
            .map_or(request, |request| testing::argument(&request)),
        Err(argument) => argument,
    };
    guest::execute(setup, &argument, testing::Saying(say));
});

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(cron::trigger("*/30 * * * * *"), everything))
}

/// Every kind of answer that a guest decodes. None ends it, so that all are reached.
fn everything(_: &(), runtime: &mut Runtime, _: Payload) -> Result<f64, Error> {
    let _ = runtime.secret("KEY").wait();
    let _ = runtime
        .run_in_node_mode(Consensus::median(), |node| {
            let response = http::Request::get("https://prices.example").send(node).wait()?;
            Ok(f64::from(response.status_code))
        })
        .wait();
    let chain = evm::Client::new(1);
    let _ = chain.call_contract(runtime, &evm::CallContractRequest::new([7; 20], [1])).wait();
    if let Ok(report) = runtime.report(vec![1]).wait() {
        let _ = chain.write_report(runtime, [7; 20], report, None).wait();
    }
    Ok(0.0)
}
