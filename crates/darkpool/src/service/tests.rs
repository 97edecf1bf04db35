use evm::alloy::primitives::Bytes;

use super::*;
use crate::scripted::{Scripted, report, request, scope};

fn service() -> Service<Scripted> {
    Service::new(scope(), Scripted::default())
}

fn code(result: Result<RequestResponse, Error>) -> (Code, String) {
    let error = result.unwrap_err();
    (error.code(), error.to_string())
}

/// Spoils a good request, and expects the refusal before anything was delivered.
fn check(spoil: impl FnOnce(&mut CollateralRequest), expect: Code, text: &str) {
    let mut service = service();
    let mut request = request(1);
    spoil(&mut request);
    let (code, message) = code(service.request_collateral(&request));
    assert_eq!(code, expect, "{message}");
    assert!(message.contains(text), "{message:?} does not say {text:?}");
    assert_eq!(service.backend().n_deliveries, 0, "nothing was sent");
}

fn re_sign(request: &mut CollateralRequest, edit: impl FnOnce(&mut Payload)) {
    let parsed = Report::parse(&request.report.as_ref().unwrap().raw_report).unwrap();
    let mut payload = Payload::decode(&parsed.payload).unwrap();
    edit(&mut payload);
    request.report = Some(report(1, payload.encode()));
}

#[test]
fn malformed_lengths_are_refused() {
    use Code::InvalidArgument;
    check(
        |r| r.dark_pool.truncate(19),
        InvalidArgument,
        "dark_pool is 19 bytes long instead of 20",
    );
    check(|r| r.encrypted_amount.push(0), InvalidArgument, "encrypted_amount is 33 bytes");
    check(|r| r.report = None, InvalidArgument, "report is missing");
    let context =
        |r: &mut CollateralRequest| r.report.as_mut().unwrap().report_context.truncate(95);
    check(context, InvalidArgument, "report_context is 95 bytes");
}

#[test]
fn what_is_not_served_here_is_refused() {
    use Code::InvalidArgument;
    check(|r| r.dark_pool[0] ^= 1, InvalidArgument, "this is the dark pool");
    check(|r| r.asset.push('X'), InvalidArgument, "asset");
    let mut service = service();
    let good =
        CheckReservesRequest { image: "image".into(), oracle_feed: "feed".into(), tick: 1, now: 5 };
    assert!(service.check_reserves(&good).is_ok());
    for spoilt in [
        CheckReservesRequest { image: "other".into(), ..good.clone() },
        CheckReservesRequest { oracle_feed: "other".into(), ..good.clone() },
    ] {
        let error = service.check_reserves(&spoilt).unwrap_err();
        assert!(matches!(error, Error::OtherName { .. }), "{error}");
    }
    let (clock, ahead) = (Scripted::default().now().0, AHEAD_MAX.0);
    let latest = CheckReservesRequest { now: clock + ahead, ..good.clone() };
    service.check_reserves(&latest).unwrap();
    for spoilt in [
        CheckReservesRequest { tick: 0, ..good },
        CheckReservesRequest { now: latest.now + 1, ..latest.clone() },
        CheckReservesRequest { now: u64::MAX, ..latest },
    ] {
        assert_eq!(service.check_reserves(&spoilt).unwrap_err().code(), Code::OutOfRange);
    }
}

#[test]
fn a_report_that_is_none_is_refused() {
    use Code::InvalidArgument;
    let short = |r: &mut CollateralRequest| r.report.as_mut().unwrap().raw_report.truncate(100);
    check(short, InvalidArgument, "the report is malformed");
    let payload = |r: &mut CollateralRequest| {
        r.report.as_mut().unwrap().raw_report.truncate(200);
    };
    check(payload, InvalidArgument, "the report is malformed");
    let signature = |r: &mut CollateralRequest| {
        r.report.as_mut().unwrap().sigs[0].signature.truncate(64);
    };
    check(signature, InvalidArgument, "the report is malformed");
}

#[test]
fn a_report_for_somebody_else_is_refused() {
    use Code::InvalidArgument;
    let chain = |r: &mut CollateralRequest| re_sign(r, |payload| payload.chain_id = 1);
    check(chain, InvalidArgument, "for chain 1, not for 31337");
    let receiver = |r: &mut CollateralRequest| {
        re_sign(r, |payload| payload.receiver = [9; 20].into());
    };
    check(receiver, InvalidArgument, "is addressed to 0x0909");
    let call = |r: &mut CollateralRequest| {
        re_sign(r, |payload| payload.call = Bytes::from_static(&[1, 2, 3, 4]));
    };
    check(call, InvalidArgument, "does not call requestCollateral");
}

#[test]
fn a_report_that_says_something_else_than_the_message_is_refused() {
    use Code::InvalidArgument;
    check(|r| r.encrypted_amount[0] ^= 1, InvalidArgument, "the report's encryptedAmount");
    check(|r| r.premium_bps += 1, InvalidArgument, "the report's premiumBps");
    check(|r| r.timeout_s += 1, InvalidArgument, "the report's timeout");
}

#[test]
fn the_same_report_twice_gives_the_same_request_and_one_delivery() {
    let mut service = service();
    let first = service.request_collateral(&request(1)).unwrap();
    assert_eq!(first.expires_at, 3_605);
    assert_eq!(service.request_collateral(&request(1)).unwrap(), first);
    assert_eq!(service.backend().n_deliveries, 1);
}

#[test]
fn the_pools_reason_reaches_the_caller() {
    let mut service = service();
    service.request_collateral(&request(1)).unwrap();
    let (code, message) = code(service.request_collateral(&request(2)));
    assert_eq!(code, Code::FailedPrecondition);
    assert!(message.contains("RequestOpen"), "{message}");
    assert_eq!(Reason(vec![1, 2]).to_string(), "0x0102", "an unknown reason is told as it is");
}

#[test]
fn a_report_the_forwarder_rejects_is_denied() {
    let mut service = service();
    let mut forged = request(1);
    forged.report.as_mut().unwrap().sigs.truncate(1);
    assert_eq!(code(service.request_collateral(&forged)).0, Code::PermissionDenied);
}

#[test]
fn a_delivery_lost_to_another_node_is_found() {
    let mut service = service();
    service.backend().rival = true;
    assert!(service.request_collateral(&request(1)).is_ok());
}

#[test]
fn a_silent_enclave_leaves_a_request_that_a_retry_completes() {
    let mut service = service();
    service.backend().enclave_is_silent = true;
    let error = service.request_collateral(&request(1)).unwrap_err();
    assert!(matches!(error, Error::Unacknowledged { .. }), "{error}");
    assert_eq!(error.code(), Code::Unavailable);
    assert!(!CapabilityError::from(&error).message.contains("secret detail"), "causes stay behind");
    service.backend().enclave_is_silent = false;
    assert!(service.request_collateral(&request(1)).is_ok());
    assert_eq!(service.backend().n_deliveries, 1);
}

#[test]
fn a_delivery_that_opens_nothing_is_a_bug_and_said_so() {
    let mut service = service();
    service.backend().opens_nothing = true;
    assert_eq!(code(service.request_collateral(&request(1))).0, Code::Internal);
}

#[test]
fn a_chain_that_does_not_answer_is_unavailable() {
    let mut service = service();
    service.backend().chain_is_down = true;
    let (code, message) = code(service.request_collateral(&request(1)));
    assert_eq!((code, message.as_str()), (Code::Unavailable, "the chain does not answer"));
}

#[test]
fn an_unknown_request_is_not_found() {
    let asked = GetRequestStatusRequest {
        dark_pool: scope().dark_pool.0.to_vec(),
        request_id: vec![7; 32],
    };
    let error = service().get_request_status(&asked).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    let short = GetRequestStatusRequest { request_id: vec![7; 31], ..asked };
    assert_eq!(service().get_request_status(&short).unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn asking_for_an_open_request_makes_the_enclave_acknowledge_it() {
    let mut service = service();
    let request_id = service.request_collateral(&request(1)).unwrap().request_id;
    let told = service.backend().n_told;
    let asked = GetRequestStatusRequest { dark_pool: scope().dark_pool.0.to_vec(), request_id };
    service.get_request_status(&asked).unwrap();
    assert_eq!(service.backend().n_told, told + 1);
    service.backend().enclave_is_silent = true;
    let error = service.get_request_status(&asked).unwrap_err();
    assert!(matches!(error, Error::Unacknowledged { .. }), "{error}");
}

#[test]
fn only_rounds_that_await_settlement_are_fills() {
    let mut service = service();
    let config = FillTriggerConfig { dark_pool: scope().dark_pool.0.to_vec() };
    let request_id = service.request_collateral(&request(1)).unwrap().request_id;
    assert_eq!(service.fills(&config, 0).unwrap(), (vec![], 0));
    service.backend().prove(1);
    let (fills, next) = service.fills(&config, 0).unwrap();
    assert_eq!((fills.len(), fills[0].round, next), (1, 1, 1));
    assert_eq!(service.fills(&config, next).unwrap(), (vec![], 1));
    let asked = GetRequestStatusRequest { dark_pool: scope().dark_pool.0.to_vec(), request_id };
    assert_eq!(service.get_request_status(&asked).unwrap().fill, Some(fills[0].clone()));
    service.backend().settled = 1;
    assert_eq!(service.fills(&config, 0).unwrap(), (vec![], 1), "settled since");
    let other = FillTriggerConfig { dark_pool: vec![1; 20] };
    assert!(matches!(service.fills(&other, 0), Err(Error::OtherPool { .. })));
}

#[test]
fn a_call_by_name_checks_method_and_type() {
    let mut service = service();
    let payload = pack(&request(1));
    assert!(service.call(REQUEST_COLLATERAL, &payload).is_ok());
    let error = service.call("Nonsense", &payload).unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    let error = service.call(CHECK_RESERVES, &payload).unwrap_err();
    assert!(matches!(error, Error::Payload(UnpackError::Type { .. })), "{error}");
}

#[test]
fn the_pinned_topic_is_the_events() {
    use evm::alloy::sol_types::SolEvent as _;
    assert_eq!(crate::COLLATERAL_REQUESTED, Abi::CollateralRequested::SIGNATURE_HASH.0);
}
