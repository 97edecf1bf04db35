//! What CRE may hand the workflow, and what it says to whoever wrote it.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

use recovery::DisclosureMode;
use recovery::guest::{Config, Recovery};

fn good() -> Config {
    Config {
        workflow: recovery::SEED.to_owned(),
        deployment: include_str!("../../../deployments/embedded.toml").to_owned(),
        disclosure: Some(DisclosureMode::Immediate),
        chain_selector: "7759470850252068959".to_owned(),
        started: 1_678_464_000,
        dark_pool: format!("0x{}", "11".repeat(20)),
        confidential_por: format!("0x{}", "22".repeat(20)),
        recovery_guard: format!("0x{}", "33".repeat(20)),
        endpoint: None,
    }
}

fn check(config: &Config, expect: &str) {
    let refused = Recovery::parse(&config.encode()).unwrap_err();
    let mut words = refused.to_string();
    if let Some(source) = std::error::Error::source(&refused) {
        words = format!("{words}: {source}");
    }
    assert!(words.contains(expect), "{words}");
}

#[test]
fn a_good_configuration_is_read_back() {
    let read = Recovery::parse(&good().encode()).unwrap();
    assert_eq!(read.chain_selector, 7_759_470_850_252_068_959);
    assert_eq!(read.contract("CONFIDENTIAL_POR").0, [0x22; 20]);
    assert_eq!(read.contract("DARKPOOL_SETTLEMENT").0, [0x11; 20]);
    assert_eq!(read.contract("CRE_COLLATERAL_DARKPOOL").0, [0x11; 20]);
    assert!(good().encode().len() < 50_000, "CRE's quota of a configuration");
}

#[test]
fn ticks_are_the_schedules_fires_after_the_start() {
    let read = Recovery::parse(&good().encode()).unwrap();
    let at = |seconds: u64| read.tick_of(primitives::Timestamp(1_678_464_000 + seconds));
    // 16:00:00, and every five minutes after.
    assert_eq!([at(0), at(299), at(300), at(301), at(3_600)], [0, 0, 1, 1, 12]);
}

#[test]
fn mistakes_are_named() {
    check(&Config { dark_pool: "0x12".to_owned(), ..good() }, "dark_pool: \"0x12\" is no address");
    let multibyte = format!("0x{}€", "1".repeat(37));
    check(&Config { dark_pool: multibyte, ..good() }, "is no address");
    check(
        &Config { recovery_guard: format!("0x{}", "zz".repeat(20)), ..good() },
        "recovery_guard:",
    );
    check(&Config { chain_selector: "-1".to_owned(), ..good() }, "chain_selector: \"-1\"");
    check(&Config { workflow: "workflow: 3".to_owned(), ..good() }, "workflow:1");
    let deployment = good().deployment.replacen("id = 31337", "id = 31337\nidd = 1", 1);
    check(&Config { deployment, ..good() }, "idd");
    let text = String::from_utf8(good().encode()).unwrap();
    let unknown = text.replacen("\"started\"", "\"startd\"", 1);
    let refused = Recovery::parse(unknown.as_bytes()).unwrap_err();
    let source = std::error::Error::source(&refused).unwrap().to_string();
    assert!(source.contains("startd"), "{source}");
    assert!(Recovery::parse(b"").is_err() && Recovery::parse(b"[1]").is_err());
}
