//! Whatever a file holds, its reader answers: with what it read or with what is wrong, and never with a panic. Of what this
//! program reads, `study` tries specs, series, chunks and summaries itself, and `recovery` workflows and deployments.

use primitives::Timestamp;
use primitives::frames::Kind;
use proptest::prelude::*;
use protocol::journal::{self, Journal};
use store::{Log, MemoryStorage};
use study::places::{Places, dates_as_text};

use crate::addresses::Addresses;
use crate::commands::amount;
use crate::commands::verify::attestation::Examined;
use crate::commands::workflow::{limits, project, trigger};
use crate::damage::{damaged, damaged_text, damages};
use crate::words;

const SETTINGS: &str = "a: &x { b: [1, \"1\", 0x01] }\nc: *x\nstaging-settings:\n  rpcs:\n    - chain-name: e\n      url: \
                        http://${A}/x # why\n  - ~\n";
const PROJECT: &str = "staging-settings:\n  rpcs:\n    - { chain-name: ethereum-testnet-sepolia, url: \"https://x/${A}\" }\n  \
                       experimental-chains:\n    - { chain-selector: 7, rpc-url: http://y, forwarder: \"0x01\" }\n  \
                       user-workflow: { workflow-name: w }\n  workflow-artifacts: { workflow-path: w.wasm }\nsecretsNames:\n  \
                       KEY: [A, C]\n  OTHER:\n    - C\n";
const ENVIRONMENT: &str = "# why\nexport A='b c'\nC=\"d\"\n\nE==f\n";
const DOCUMENT: &[u8] = include_bytes!("../../attestation/tests/vectors/aws-eu-central-1.cose");

/// An address file, of contracts that are all at one place.
fn addresses() -> String {
    const NAMES: [&str; 17] = [
        "forwarder",
        "cash",
        "claim",
        "price_feed",
        "timelock",
        "pool",
        "guard",
        "registry",
        "por",
        "status_hash",
        "absorb_verifier",
        "absorb_many_verifier",
        "spend_verifier",
        "account_verifier",
        "clear_verifier",
        "dark_pool",
        "stablecoin",
    ];
    let mut contracts = serde_json::Map::new();
    contracts.insert("chain_id".to_owned(), 31_337.into());
    let there = "0x00000000000000000000000000000000000000EE";
    contracts.extend(NAMES.map(|name| (name.to_owned(), there.into())));
    let instrument = serde_json::json!({ "number": 1, "price": [1, 2], "expiry": 3 });
    let file = serde_json::json!({
        "format": "cdpr/addresses/v1",
        "rpc": null,
        "created": 1,
        "instrument": instrument,
        "contracts": contracts,
    });
    file.to_string()
}

/// BIP 39's own vector of 32 zero bytes.
const WORDS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                     abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art";

/// A log of three records.
fn log(kind: &'static Kind) -> Vec<u8> {
    let storage = MemoryStorage::new();
    let mut log = Log::open(Box::new(storage.clone()), kind).unwrap().log;
    log.append(&[&b"one"[..], b"two", b"three"]).unwrap();
    storage.bytes()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_scenario_of_any_bytes_is_read_or_refused(which in 0_usize..3, damages in damages(1..6)) {
        let shipped = sim::shipped();
        let good = shipped.values().nth(which).copied().unwrap_or_default();
        let source = damaged_text(good, &damages);
        let _ = Places::of(&source).find("panel.pricing.days[1]");
        if let Err(error) = sim::Scenario::parse(&dates_as_text(&source), "s.toml") {
            prop_assert!(error.to_string().starts_with("s.toml: "), "{error}");
        }
    }

    #[test]
    fn settings_of_any_bytes_are_read_or_refused(damages in damages(1..6)) {
        let _ = project::read_yaml(&damaged_text(SETTINGS, &damages));
        let environment = project::Environment::parse(&damaged_text(ENVIRONMENT, &damages));
        let _ = environment.expand(&damaged_text("https://x/${CDPR_A}/${CDPR_C}", &damages));
    }

    #[test]
    fn project_workflow_and_secrets_of_any_bytes_are_read_or_refused(damages in damages(1..6)) {
        if let Ok(settings) = project::read_yaml(&damaged_text(PROJECT, &damages)) {
            project::read_all(&settings, &project::Environment::parse(ENVIRONMENT));
        }
    }

    #[test]
    fn limits_of_any_bytes_are_read_or_refused(damages in damages(1..6)) {
        let good = limits::json(&engine::Limits::simulator()).to_string();
        let _ = limits::parse(&damaged_text(&good, &damages));
        let good = limits::as_chainlink_has_it(&engine::Limits::simulator()).to_string();
        let _ = limits::parse(&damaged_text(&good, &damages));
    }

    #[test]
    fn an_address_file_words_and_amounts_of_any_bytes_are_read_or_refused(
        damages in damages(1..6),
        decimals in 0_u8..=36,
    ) {
        let _ = Addresses::parse(&damaged_text(&addresses(), &damages));
        let _ = words::parse(&damaged_text(WORDS, &damages));
        if let Ok(units) = amount::parse(&damaged_text("1234.5", &damages), decimals) {
            let again = amount::parse(&amount::words(units.units(), decimals), decimals);
            prop_assert_eq!(again.map(|it| it.units()).ok(), Some(units.units()));
        }
    }

    #[test]
    fn an_event_of_any_bytes_is_read_or_refused(damages in damages(1..6)) {
        let good = r#"{"requestId": "0x01", "round": 1, "zkProof": "0x", "teeAttestation": "0x0102"}"#;
        let _ = trigger::text("--fill", &damaged_text(good, &damages));
    }

    #[test]
    fn a_log_of_any_bytes_is_read_or_refused(which in 0_usize..3, damages in damages(1..6)) {
        let kind = sim::Stores::KINDS[which];
        let bytes = damaged(&log(kind), &damages);
        let _ = Log::open(Box::new(MemoryStorage::from(bytes.clone())), kind);
        let _ = Journal::read(&bytes);
        prop_assert!(sim::audit::audit(&bytes).is_err());
    }

    #[test]
    fn a_module_of_any_bytes_is_read_or_refused(damages in damages(1..6)) {
        const SMALL: &str = "AGFzbQEAAAABBAFgAAADAgEABQMBAAEHEwIGbWVtb3J5AgAGX3N0YXJ0AAAKBAECAAs=";
        let limits = engine::Limits::simulator();
        let _ = engine::unpack(&damaged(SMALL.as_bytes(), &damages), &limits);
        let _ = engine::Module::compile(&damaged(b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0", &damages), &limits);
    }
}

proptest! {
    // Each verifies a chain of five certificates twice.
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_attestation_document_of_any_bytes_is_explained(damages in damages(1..6), at in any::<u64>()) {
        let document = damaged(DOCUMENT, &damages);
        let is_same = document == DOCUMENT;
        let examined = Examined::of(&document, Timestamp(at), None);
        let _ = (examined.words("d", true), examined.json("d", false));
        prop_assert!(is_same || examined.refusal().is_some());
    }
}

#[test]
fn what_is_damaged_here_is_good_before() {
    assert!(project::read_yaml("a: &x { b: [1] }\nc: *x\n").is_ok());
    assert!(Addresses::parse(&addresses()).is_ok() && words::parse(WORDS).is_ok());
    let (settings, environment) =
        (project::read_yaml(PROJECT).unwrap(), project::Environment::parse(ENVIRONMENT));
    assert!(project::secrets("s.yaml".as_ref(), &settings, &environment).is_ok());
    assert!(limits::parse(&limits::json(&engine::Limits::simulator()).to_string()).is_ok());
    let (journal, flaw) = Journal::read(&log(&journal::KIND));
    // Its frames are whole, and its records are no journal's.
    assert!(journal.records.is_empty() && flaw.is_some());
    for source in sim::shipped().values() {
        assert!(sim::Scenario::parse(source, "s.toml").is_ok());
    }
}
