//! Bad input: the embedded deployment with one thing wrong, and the whole message its author gets.

use primitives::{Amount, Duration, Premium, Price, Ratio};
use recovery::{AssetRole, ContractRole, Deployment, DisclosureMode, ImageRole, PoolRole};

const EMBEDDED: &str = include_str!("../../../deployments/embedded.toml");

#[test]
fn the_embedded_deployment_says_what_its_comments_say() {
    let deployment = Deployment::parse(EMBEDDED, "d.toml").expect("a deployment");

    assert_eq!(deployment.chain_id, 31_337);
    let feed = deployment.feeds["USDC_RESERVES"];
    assert_eq!((feed.decimals, feed.observers, feed.quorum, feed.public), (6, 4, 3, false));
    assert_eq!(feed.age_max, Duration(600));
    assert_eq!(deployment.pools["CRE_COLLATERAL_DARKPOOL"], PoolRole::DarkPool);
    assert_eq!(deployment.contracts["DARKPOOL_SETTLEMENT"], ContractRole::DarkPool);
    assert_eq!(deployment.contracts["CONFIDENTIAL_POR"], ContractRole::ConfidentialPor);
    assert_eq!(deployment.assets["USDC_COLLATERAL"], AssetRole::Cash);
    assert_eq!(deployment.images["chainlink/confidential-por:latest"], ImageRole::Enclave);
    assert_eq!(deployment.disclosure.mode, DisclosureMode::Immediate);
    assert_eq!(deployment.disclosure.round_ticks(), [2, 5, 8, 11]);
    assert_eq!(deployment.detect.target, Ratio(1_022_000));
    assert_eq!((deployment.detect.readings, deployment.detect.quorum), (2, 3));
    assert_eq!(deployment.guard.premium_cap.bps(), 800);
    assert_eq!(deployment.request.lot, Amount::from_tokens(1_000_000));
    assert_eq!(deployment.request.maker_share_max.bps(), 3_500);
    assert_eq!((deployment.don.nodes, deployment.don.faults_max), (4, 1));
    assert_eq!(deployment.instrument.consideration, AssetRole::Claim);
    assert_eq!(deployment.instrument.price, Price(100_000_000));
    assert_eq!(deployment.instrument.amount_max, Amount::from_tokens(5_000_000_000));
    assert_eq!(deployment.instrument.expiry, Duration(30 * 24 * 60 * 60));
}

#[test]
fn the_guard_escalates_then_repeats_then_halts() {
    let source = EMBEDDED.replace("attempts_max = 4", "attempts_max = 5");
    let guard = Deployment::parse(&source, "d.toml").expect("a deployment").guard;
    let premiums: Vec<_> = (0..6).map(|attempt| guard.premium(attempt).map(Premium::bps)).collect();
    assert_eq!(premiums, [Some(50), Some(100), Some(300), Some(800), Some(800), None]);
}

#[test]
fn the_command_line_may_seal_unless_there_is_nothing_to_hide() {
    let parse = |source: &str| Deployment::parse(source, "d.toml").expect("a deployment");
    let sealed =
        parse(EMBEDDED).with_disclosure(DisclosureMode::Sealed).expect("the feed is private");
    assert_eq!(sealed.disclosure.mode, DisclosureMode::Sealed);
    let public = parse(&EMBEDDED.replace("public = false", "public = true"));
    let refused = public.with_disclosure(DisclosureMode::Sealed).expect_err("the feed is public");
    assert_eq!(refused.reason, "sealed disclosure hides nothing here: every feed is public");
}

#[test]
fn quantities_may_be_numbers_where_toml_has_them() {
    let quoted = Deployment::parse(EMBEDDED, "d.toml");
    let source = EMBEDDED.replace("\"1.022\"", "1.022").replace("\"1_000_000\"", "1_000_000");
    assert_eq!(Deployment::parse(&source, "d.toml"), quoted);
    let source = EMBEDDED
        .replace("id = 31337", "id = 0x7a_69")
        .replace("nodes = 4", "nodes = 0b100")
        .replace("epoch_ticks = 12", "epoch_ticks = 0o14");
    assert_eq!(Deployment::parse(&source, "d.toml"), quoted);
    let refused = |from: &str, to: &str| {
        let error = Deployment::parse(&EMBEDDED.replace(from, to), "d.toml");
        error.expect_err("it is out of range").to_string()
    };
    assert!(refused("nodes = 4", "nodes = 0xff").contains("255 is not 1 to 31"));
    let huge = refused("id = 31337", "id = 0xffffffffffffffffff");
    assert!(huge.contains("0xffffffffffffffffff"), "{huge}");
    assert!(refused("age_max = \"10m\"", "age_max = \"8d\"").contains("1s to 7d"));
    assert!(refused("expiry = \"30d\"", "expiry = \"4000d\"").contains("3650d"));
}

#[test]
fn a_deployment_is_toml() {
    refuse(
        &[("mode = \"immediate\"", "mode = immediate")],
        "d.toml:52: this is not TOML: invalid float, expected `inf`
  hint: text goes in double quotes, and so do percentages and spans of time",
    );
    refuse(
        &[("quorum = 3\n# The old", "quorum = 0.5%\n# The old")],
        "d.toml:19: this is not TOML: invalid float, expected nothing
  hint: text goes in double quotes, and so do percentages and spans of time",
    );
    refuse(
        &[("nodes = 4", "nodes = 4\nnodes = 5")],
        "d.toml:92: this is not TOML: duplicate key
  hint: keep one of them",
    );
}

#[test]
fn keys_are_known_and_complete() {
    refuse(
        &[("readings = 2", "reading = 2")],
        r#"d.toml:65: key "detect.reading": is not a key that belongs here
  hint: did you mean "readings"?"#,
    );
    refuse(
        &[("readings = 2", "readings = 2\ncolour = 1")],
        r#"d.toml:66: key "detect.colour": is not a key that belongs here
  hint: known here: target, readings, quorum"#,
    );
    refuse(
        &[("[don]", "[dom]")],
        r#"d.toml:89: key "dom": is not a key that belongs here
  hint: did you mean "don"?"#,
    );
    refuse(
        &[("[pools]\nCRE_COLLATERAL_DARKPOOL = \"dark-pool\"\n", "")],
        r#"d.toml:1: key "pools": is missing
  hint: add "pools" here"#,
    );
    refuse(
        &[("nodes = 4\n", "")],
        r#"d.toml:89: key "don.nodes": is missing
  hint: add "nodes" here"#,
    );
    refuse(
        &[("CRE_COLLATERAL_DARKPOOL = \"dark-pool\"\n", "")],
        r#"d.toml:27: key "pools": is empty
  hint: name at least one"#,
    );
}

#[test]
fn values_have_the_type_their_key_takes() {
    refuse(
        &[("public = false", "public = \"no\"")],
        r#"d.toml:24: key "feeds.USDC_RESERVES.public": expects true or false, found the text "no"
  hint: write true or false without quotes"#,
    );
    refuse(
        &[("id = 31337", "id = true")],
        r#"d.toml:10: key "chain.id": expects a number, found the boolean true
  hint: write a number, such as 4 or 1.02"#,
    );
    refuse(
        &[("nodes = 4", "nodes = []")],
        r#"d.toml:91: key "don.nodes": expects a number, found a list
  hint: write a number, such as 4 or 1.02"#,
    );
    refuse(
        &[("nodes = 4", "nodes = 2023-03-11")],
        r#"d.toml:91: key "don.nodes": expects a number, found a date
  hint: write a number, such as 4 or 1.02"#,
    );
    refuse(
        &[("[\"0.5%\", \"1%\", \"3%\", \"8%\"]", "\"0.5%\"")],
        r#"d.toml:74: key "guard.escalation": expects a list, found the text "0.5%"
  hint: put each premium between brackets, [ and ]"#,
    );
}

#[test]
fn roles_are_known() {
    refuse(
        &[("POR = \"confidential-por\"", "POR = \"confidential-poor\"")],
        r#"d.toml:35: key "contracts.CONFIDENTIAL_POR": there is no "confidential-poor"
  hint: did you mean "confidential-por"?"#,
    );
    refuse(
        &[("mode = \"immediate\"", "mode = \"seald\"")],
        r#"d.toml:52: key "disclosure.mode": there is no "seald"
  hint: did you mean "sealed"?"#,
    );
    refuse(
        &[("kind = \"secured-claim\"", "kind = \"repo\"")],
        r#"d.toml:97: key "instrument.kind": there is no "repo"
  hint: known here: secured-claim"#,
    );
}

#[test]
fn a_feed_can_reach_its_quorum() {
    refuse(
        &[("quorum = 3\n# The old", "quorum = 5\n# The old")],
        r#"d.toml:19: key "feeds.USDC_RESERVES.quorum": 5 is not 1 to 4
  hint: a reading needs one report, and no more than there are observers"#,
    );
    refuse(
        &[("age_max = \"10m\"", "age_max = \"0s\"")],
        r#"d.toml:21: key "feeds.USDC_RESERVES.age_max": every report would be too old
  hint: allow at least one tick"#,
    );
    refuse(
        &[("decimals = 6", "decimals = 19")],
        r#"d.toml:15: key "feeds.USDC_RESERVES.decimals": 19 is not 0 to 18
  hint: the decimals its reports carry; 6 for most dollars"#,
    );
}

#[test]
fn the_chain_has_an_id() {
    refuse(
        &[("id = 31337", "id = 0")],
        r#"d.toml:10: key "chain.id": no chain has the id 0
  hint: the embedded chain is 31337"#,
    );
}

#[test]
fn sealed_disclosure_hides_something_and_fits_its_rounds() {
    refuse(
        &[("mode = \"immediate\"", "mode = \"sealed\""), ("public = false", "public = true")],
        r#"d.toml:52: key "disclosure.mode": sealed disclosure hides nothing here: every feed is public
  hint: use "immediate", or add a feed with public = false"#,
    );
    refuse(
        &[("rounds_per_epoch = 4", "rounds_per_epoch = 7")],
        r#"d.toml:56: key "disclosure.rounds_per_epoch": 7 rounds do not fit an epoch of 12 ticks
  hint: a round takes two ticks: one to close, one to settle"#,
    );
    refuse(
        &[("call_ticks = 3", "call_ticks = 0")],
        r#"d.toml:58: key "disclosure.call_ticks": 0 is not 1 to 100000
  hint: a call needs a tick to close"#,
    );
}

#[test]
fn the_target_is_a_recovery() {
    refuse(
        &[("target = \"1.022\"", "target = \"0.99\"")],
        r#"d.toml:63: key "detect.target": is below 1
  hint: reserves below liabilities are no recovery: 1 or more, such as "1.022""#,
    );
    refuse(
        &[("target = \"1.022\"", "target = 1.0220001")],
        r#"d.toml:63: key "detect.target": "1.0220001" has more decimal places than a ratio can hold
  hint: write a decimal such as 1.02, with at most 6 places"#,
    );
    refuse(
        &[("readings = 2", "readings = 0")],
        r#"d.toml:65: key "detect.readings": 0 is not 1 to 100
  hint: one reading changes the status at once, two ignore a blip"#,
    );
    refuse(
        &[(
            "readings = 2\n# DON nodes that must have seen the same, from f + 1 to all.\nquorum = 3",
            "readings = 2\nquorum = 1",
        )],
        r#"d.toml:66: key "detect.quorum": 1 is not 2 to 4
  hint: f liars must not suffice, and no more than all can agree"#,
    );
    refuse(
        &[(
            "readings = 2\n# DON nodes that must have seen the same, from f + 1 to all.\nquorum = 3",
            "readings = 2\nquorum = 5",
        )],
        r#"d.toml:66: key "detect.quorum": 5 is not 2 to 4
  hint: f liars must not suffice, and no more than all can agree"#,
    );
}

#[test]
fn escalation_rises_to_the_cap() {
    refuse(
        &[("\"0.5%\", \"1%\", \"3%\", \"8%\"", "\"0.5%\", \"3%\", \"1%\", \"8%\"")],
        r#"d.toml:74: key "guard.escalation": 1% does not rise
  hint: each attempt offers more than the one before"#,
    );
    refuse(
        &[("\"3%\", \"8%\"", "\"3%\", \"9%\"")],
        r#"d.toml:74: key "guard.escalation": 9% is above the cap of 8%
  hint: lower it, or raise premium_cap"#,
    );
    refuse(
        &[("[\"0.5%\", \"1%\", \"3%\", \"8%\"]", "[]")],
        r#"d.toml:74: key "guard.escalation": is empty
  hint: give at least one premium"#,
    );
    refuse(
        &[("attempts_max = 4", "attempts_max = 3")],
        r#"d.toml:74: key "guard.escalation": has 4 premiums for 3 attempts
  hint: raise attempts_max, or drop the premiums nobody would see"#,
    );
}

#[test]
fn requests_stay_within_the_contracts() {
    refuse(
        &[("timeout_min = \"5m\"", "timeout_min = \"1m\"")],
        r#"d.toml:80: key "request.timeout_min": is outside what the contracts accept
  hint: 5m to 7d"#,
    );
    refuse(
        &[("timeout_max = \"7d\"", "timeout_max = \"8d\"")],
        r#"d.toml:81: key "request.timeout_max": is outside what the contracts accept
  hint: 5m to 7d"#,
    );
    refuse(
        &[
            ("timeout_max = \"7d\"", "timeout_max = \"5m\""),
            ("timeout_min = \"5m\"", "timeout_min = \"6m\""),
        ],
        r#"d.toml:81: key "request.timeout_max": is shorter than timeout_min
  hint: swap them"#,
    );
    refuse(
        &[("lot = \"1_000_000\"", "lot = \"0\"")],
        r#"d.toml:83: key "request.lot": a lot of nothing divides nothing
  hint: for example "1_000_000" tokens"#,
    );
    refuse(
        &[("fill_min = \"10_000_000\"", "fill_min = \"10_500_000\"")],
        r#"d.toml:85: key "request.fill_min": is not a number of whole lots
  hint: a multiple of request.lot, above 0"#,
    );
    refuse(
        &[("\"35%\"", "\"0%\"")],
        r#"d.toml:87: key "request.maker_share_max": nobody could fill anything
  hint: for example "35%""#,
    );
}

#[test]
fn the_don_tolerates_its_faults() {
    refuse(
        &[("nodes = 4", "nodes = 3")],
        r#"d.toml:91: key "don.nodes": 3 nodes cannot agree when 1 may lie
  hint: f = 1 needs at least 3f + 1 = 4"#,
    );
    refuse(
        &[("f = 1\n", "f = 0\n")],
        r#"d.toml:92: key "don.f": 0 is not 1 to 31
  hint: the forwarder wants f + 1 signatures and refuses f = 0"#,
    );
    refuse(
        &[("nodes = 4", "nodes = 32")],
        r#"d.toml:91: key "don.nodes": 32 is not 1 to 31
  hint: the forwarder admits no more; 3f + 1 is the least"#,
    );
}

#[test]
fn the_instrument_can_pay() {
    refuse(
        &[("consideration = \"USDC_CLAIM\"", "consideration = \"USDC_COLLATERAL\"")],
        r#"d.toml:99: key "instrument.consideration": "USDC_COLLATERAL" is the collateral
  hint: makers would be paid in what they bring; name an asset with the role "claim""#,
    );
    refuse(
        &[("consideration = \"USDC_CLAIM\"", "consideration = \"USDC_CLAIMS\"")],
        r#"d.toml:99: key "instrument.consideration": there is no asset "USDC_CLAIMS"
  hint: did you mean "USDC_CLAIM"?"#,
    );
    refuse(
        &[("price = \"1.0\"", "price = \"1.1\"")],
        r#"d.toml:101: key "instrument.price": is outside price_min to price_max
  hint: the band has to hold the price it starts from"#,
    );
    refuse(
        &[("price = \"1.0\"", "price = 0")],
        r#"d.toml:101: key "instrument.price": a price of 0 gives collateral away
  hint: write a decimal such as "1.0", with at most 8 places"#,
    );
    refuse(
        &[("amount_max = \"5_000_000_000\"", "amount_max = \"0.5\"")],
        r#"d.toml:105: key "instrument.amount_max": is not a number of whole lots
  hint: a multiple of request.lot, above 0"#,
    );
    refuse(
        &[(
            "amount_max = \"5_000_000_000\"",
            "amount_max = \"5_000_000_000_000_000_000_000_000_000_000\"",
        )],
        r#"d.toml:105: key "instrument.amount_max": a value leaves the range of an amount, 0 to 2^112 - 1 base units
  hint: write tokens, not base units: "5_000_000_000" or "0.5", with at most 6 places"#,
    );
    refuse(
        &[("standing = \"6_000_000_000\"", "standing = \"5_000_000_000\"")],
        r#"d.toml:107: key "instrument.standing": cannot pay for amount_max: 5,670,000,000.00 tokens at price_max and a premium of 8%
  hint: raise standing, or lower amount_max"#,
    );
    refuse(
        &[("expiry = \"30d\"", "expiry = \"6d\"")],
        r#"d.toml:109: key "instrument.expiry": is shorter than a request may live
  hint: at least request.timeout_max"#,
    );
}

/// The embedded deployment with each text replaced once, and what its author is told.
#[track_caller]
fn refuse(changes: &[(&str, &str)], expected: &str) {
    let mut source = EMBEDDED.to_owned();
    for (from, to) in changes {
        assert!(source.contains(from), "the deployment does not say {from}");
        source = source.replacen(from, to, 1);
    }
    let refused = Deployment::parse(&source, "d.toml").expect_err("this is a mistake");
    assert_eq!(refused.to_string(), expected);
}
