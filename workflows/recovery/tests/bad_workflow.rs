//! Bad input: the seed's workflow with one thing wrong, and the whole message its author gets.

use recovery::{Deployment, Diagnostic, DisclosureMode, SEED, check, parse};

#[test]
fn the_seed_parses_and_fits_the_embedded_deployment() {
    let document = parse(SEED, "w.yaml").expect("the seed is a workflow");
    for mode in [DisclosureMode::Immediate, DisclosureMode::Sealed] {
        let deployment = embedded().with_disclosure(mode).expect("the feed is private");
        check(&document, &deployment).expect("the seed fits");
    }
}

#[test]
fn a_step_type_is_one_of_five() {
    refuse(
        &[("type: dark_pool", "type: dark_pol")],
        r#"w.yaml:29: step "create-request", key "type": there is no step type "dark_pol"
  hint: did you mean "dark_pool"?"#,
    );
    refuse(
        &[("type: dark_pool", "type: swap")],
        r#"w.yaml:29: step "create-request", key "type": there is no step type "swap"
  hint: known here: confidential_compute, conditional, dark_pool, wait, onchain_tx"#,
    );
    refuse(
        &[("          type: wait\n", "")],
        r#"w.yaml:39: step "monitor-fill", key "type": is missing
  hint: add "type" here"#,
    );
    refuse(
        &[("type: wait", "typ: wait")],
        r#"w.yaml:40: step "monitor-fill", key "typ": is not a key that belongs here
  hint: did you mean "type"?"#,
    );
}

/// W2 of `protocol::workflow`.
#[test]
fn a_reference_names_an_output_of_a_step_that_has_run() {
    refuse(
        &[("\"create-request.id\"", "\"trigger-recovery.id\"")],
        r#"w.yaml:50: step "settle", key "request_id": step "trigger-recovery" has no output "id"
  hint: steps of type conditional have no outputs"#,
    );
    refuse(
        &[("check-reserves.status == false", "verify-recovery.status == false")],
        r#"w.yaml:24: step "trigger-recovery", key "condition": refers to a later step: "verify-recovery" stands in line 54 and has not run by then
  hint: move that step up, or refer to an earlier one"#,
    );
    refuse(
        &[("check-reserves.deficit", "chek-reserves.deficit")],
        r#"w.yaml:34: step "create-request", key "amount_encrypted": there is no step "chek-reserves"
  hint: did you mean "check-reserves"?"#,
    );
    refuse(
        &[("\"create-request.id\"", "\"settle.id\"")],
        r#"w.yaml:50: step "settle", key "request_id": a step cannot refer to itself
  hint: refer to an earlier step"#,
    );
    refuse(
        &[("\"verify-recovery.status\"", "\"create-request.id\"")],
        r#"w.yaml:69: step "publish-attestation", key "recovered": "create-request" may not have run: it stands inside the conditional "trigger-recovery"
  hint: use it inside the same conditional"#,
    );
    refuse(
        &[("check-reserves.deficit", "check-reserves.deficits")],
        r#"w.yaml:34: step "create-request", key "amount_encrypted": step "check-reserves" has no output "deficits"
  hint: did you mean "deficit"?"#,
    );
    refuse(
        &[("\"create-request.id\"", "\"monitor-fill.id\"")],
        r#"w.yaml:50: step "settle", key "request_id": step "monitor-fill" has no output "id"
  hint: steps of type wait have no outputs"#,
    );
    refuse(
        &[("          - deficit: encrypted  # only TEE sees this\n", "")],
        r#"w.yaml:33: step "create-request", key "amount_encrypted": step "check-reserves" has no output "deficit"
  hint: known here: status"#,
    );
    refuse(
        &[("check-reserves.deficit", "check-reserves.status")],
        r#"w.yaml:34: step "create-request", key "amount_encrypted": "check-reserves.status" is boolean, not encrypted
  hint: an amount never leaves the enclave in the clear: name an encrypted output"#,
    );
    refuse(
        &[("check-reserves.status ==", "check-reserves.deficit ==")],
        r#"w.yaml:24: step "trigger-recovery", key "condition": "check-reserves.deficit" is encrypted, not boolean
  hint: only a boolean is public, so only a boolean can be compared"#,
    );
}

#[test]
fn a_threshold_is_an_exact_ratio_above_zero() {
    refuse(
        &[("threshold: 1.02", "threshold: 0")],
        r#"w.yaml:16: step "check-reserves", key "threshold": 0 is not above 0
  hint: 1.02 means reserves of 102% of liabilities"#,
    );
    refuse(
        &[("threshold: 1.02", "threshold: -1.02")],
        r#"w.yaml:16: step "check-reserves", key "threshold": "-1.02" is negative
  hint: write a decimal such as 1.02, with at most 6 places"#,
    );
    refuse(
        &[("threshold: 1.02", "threshold: 102")],
        r#"w.yaml:16: step "check-reserves", key "threshold": "102" is absurd: reserves of more than 10 times the liabilities
  hint: 1.02 means 102%; write the ratio, not the percentage"#,
    );
    refuse(
        &[("threshold: 1.02", "threshold: lots")],
        r#"w.yaml:16: step "check-reserves", key "threshold": "lots" is not a ratio
  hint: write a decimal such as 1.02, with at most 6 places"#,
    );
    refuse(
        &[("threshold: 1.02", "threshold: true")],
        r#"w.yaml:16: step "check-reserves", key "threshold": expects a number, found the boolean true
  hint: write a number, such as 4 or 1.02"#,
    );
    refuse(
        &[("threshold: 1.02", "threshold: 1.0200001")],
        r#"w.yaml:16: step "check-reserves", key "threshold": "1.0200001" has more decimal places than a ratio can hold
  hint: write a decimal such as 1.02, with at most 6 places"#,
    );
    refuse(
        &[("threshold: 1.02", "threshold: 1.03")],
        r#"w.yaml:16: step "check-reserves", key "threshold": 1.0300 is above the deployment's detect.target of 1.0220
  hint: recovery fills up to the target and would trigger again; raise the target or lower the threshold"#,
    );
}

#[test]
fn a_premium_is_a_percentage_up_to_the_cap() {
    refuse(
        &[("\"0.5%\"", "\"9.5%\"")],
        r#"w.yaml:35: step "create-request", key "premium": 9.5% is above the deployment's cap of 8%
  hint: lower it, or raise guard.premium_cap in deployments/embedded.toml"#,
    );
    refuse(
        &[("\"0.5%\"", "\"-0.5%\"")],
        r#"w.yaml:35: step "create-request", key "premium": "-0.5%" is negative
  hint: write a percentage such as "0.5%", in steps of 0.01%"#,
    );
    refuse(
        &[("\"0.5%\"", "\"half\"")],
        r#"w.yaml:35: step "create-request", key "premium": "half" has no percent sign
  hint: write a percentage such as "0.5%", in steps of 0.01%"#,
    );
    refuse(
        &[("\"0.5%\"", "0.5")],
        r#"w.yaml:35: step "create-request", key "premium": "0.5" has no percent sign
  hint: write "0.5%" if percent is meant"#,
    );
    refuse(
        &[("              premium: \"0.5%\"  # incentive for market makers\n", "")],
        r#"w.yaml:33: step "create-request", key "premium": is missing
  hint: add "premium" here"#,
    );
}

#[test]
fn a_timeout_is_what_the_contracts_accept() {
    refuse(
        &[("timeout: \"1h\"\n              ", "timeout: \"0s\"\n              ")],
        r#"w.yaml:36: step "create-request", key "timeout": "0s" is shorter than 5 minutes
  hint: the contracts accept 5m to 7d"#,
    );
    refuse(
        &[("timeout: \"1h\"\n              ", "timeout: \"8d\"\n              ")],
        r#"w.yaml:36: step "create-request", key "timeout": "8d" is longer than 7 days
  hint: the contracts accept 5m to 7d"#,
    );
    refuse(
        &[("timeout: \"1h\"\n              ", "timeout: \"soon\"\n              ")],
        r#"w.yaml:36: step "create-request", key "timeout": "soon" is not a span of time
  hint: write a whole number and a unit: "90s", "30m", "1h" or "2d""#,
    );
    refuse(
        &[("timeout: \"1h\"\n              ", "timeout: 3600\n              ")],
        r#"w.yaml:36: step "create-request", key "timeout": "3600" has no unit
  hint: write "3600s" if seconds are meant"#,
    );
    refuse(
        &[("timeout: \"1h\"\n          \n", "timeout: \"4m\"\n          \n")],
        r#"w.yaml:42: step "monitor-fill", key "timeout": "4m" is shorter than 5 minutes
  hint: the contracts accept 5m to 7d"#,
    );
}

/// W4 of `protocol::workflow`.
#[test]
fn a_trigger_is_one_cron_that_fires() {
    refuse(
        &[("*/5 * * * *", "0 0 30 2 *")],
        r#"w.yaml:6: key "schedule": "0 0 30 2 *" never fires: none of its months has any of its days
  hint: 29 February fires in leap years; 30 February, 31 April and their like never do"#,
    );
    refuse(
        &[("*/5 * * * *", "*/5 * * *")],
        r#"w.yaml:6: key "schedule": a schedule has 5 fields (minute, hour, day of month, month, day of week), this one has 4
  hint: for example "*/5 * * * *", every five minutes; seconds, @names, ?, L, W and # are not supported"#,
    );
    refuse(
        &[("*/5 * * * *", "61 * * * *")],
        r#"w.yaml:6: key "schedule": "61" is outside the minute field, which is 0 to 59
  hint: for example "*/5 * * * *", every five minutes; seconds, @names, ?, L, W and # are not supported"#,
    );
    refuse(
        &[("*/5 * * * *", "0 */2 * * *")],
        r#"w.yaml:36: step "create-request", key "timeout": 1 h is over before the next tick, which can be 2 h later
  hint: lengthen it, or let the cron fire more often"#,
    );
    refuse(
        &[("type: cron", "type: http")],
        r#"w.yaml:5: key "type": a trigger of type "http" is not supported here
  hint: the one trigger is cron, for example schedule: "*/5 * * * *""#,
    );
    refuse(
        &[("    \n  steps:\n", "    - type: cron\n      schedule: \"0 0 * * *\"\n  steps:\n")],
        r#"w.yaml:7: key "triggers": a workflow has one trigger, this is the second of 2
  hint: put both times into one cron schedule, or make two workflows"#,
    );
    refuse(
        &[(
            "  triggers:\n    - type: cron\n      schedule: \"*/5 * * * *\"  # Check every 5 min\n",
            "  triggers: []\n",
        )],
        r#"w.yaml:4: key "triggers": is empty
  hint: give at least one trigger"#,
    );
    refuse(
        &[("      schedule: \"*/5 * * * *\"  # Check every 5 min\n", "")],
        r#"w.yaml:5: key "schedule": is missing
  hint: add "schedule" here"#,
    );
}

#[test]
fn a_name_is_one_the_deployment_knows() {
    refuse(
        &[("\"CRE_COLLATERAL_DARKPOOL\"", "\"CRE_COLATERAL_DARKPOOL\"")],
        r#"w.yaml:31: step "create-request", key "pool": deployments/embedded.toml does not name a pool "CRE_COLATERAL_DARKPOOL"
  hint: did you mean "CRE_COLLATERAL_DARKPOOL"?"#,
    );
    refuse(
        &[("\"CONFIDENTIAL_POR\"", "\"POR\"")],
        r#"w.yaml:66: step "publish-attestation", key "contract": deployments/embedded.toml does not name a contract "POR"
  hint: known here: CONFIDENTIAL_POR, DARKPOOL_SETTLEMENT"#,
    );
    refuse(
        &[(
            "- id: verify-recovery\n      type: confidential_compute\n      spec:\n        image: chainlink/confidential-por:latest",
            "- id: verify-recovery\n      type: confidential_compute\n      spec:\n        image: chainlink/confidential-por:v2",
        )],
        r#"w.yaml:57: step "verify-recovery", key "image": deployments/embedded.toml does not name an image "chainlink/confidential-por:v2"
  hint: did you mean "chainlink/confidential-por:latest"?"#,
    );
    refuse(
        &[(
            "- oracle_feed: \"USDC_RESERVES\"\n          - thr",
            "- oracle_feed: \"USDT_RESERVES\"\n          - thr",
        )],
        r#"w.yaml:15: step "check-reserves", key "oracle_feed": deployments/embedded.toml does not name a feed "USDT_RESERVES"
  hint: did you mean "USDC_RESERVES"?"#,
    );
    refuse(
        &[("\"USDC_COLLATERAL\"", "\"GOLD\"")],
        r#"w.yaml:33: step "create-request", key "asset": deployments/embedded.toml does not name an asset "GOLD"
  hint: known here: USDC_CLAIM, USDC_COLLATERAL"#,
    );
    refuse(
        &[("\"USDC_COLLATERAL\"", "\"USDC_CLAIM\"")],
        r#"w.yaml:33: step "create-request", key "asset": "USDC_CLAIM" is what makers are paid in, not collateral
  hint: ask for an asset with the role "cash""#,
    );
}

#[test]
fn a_call_is_one_the_contract_offers_a_workflow() {
    refuse(
        &[("\"confidentialFill\"", "\"confidentialFil\"")],
        r#"w.yaml:48: step "settle", key "function": "DARKPOOL_SETTLEMENT" has no function "confidentialFil" a workflow may call
  hint: did you mean "confidentialFill"?"#,
    );
    refuse(
        &[("- proof:", "- prof:")],
        r#"w.yaml:51: step "settle", key "prof": is not an argument of confidentialFill
  hint: did you mean "proof"?"#,
    );
    refuse(
        &[("            - proof: \"dark_pool.zk_proof\"\n", "")],
        r#"w.yaml:50: step "settle", key "proof": is missing: confidentialFill takes request_id, proof
  hint: add "- proof: …""#,
    );
    refuse(
        &[(
            "      args:\n        - recovered: \"verify-recovery.status\"\n        - timestamp: \"now()\"",
            "",
        )],
        r#"w.yaml:64: step "publish-attestation", key "args": is missing
  hint: add "args" here"#,
    );
    refuse(
        &[("- timestamp:", "- recovered:")],
        r#"w.yaml:70: step "publish-attestation", key "recovered": is given twice
  hint: keep one of them"#,
    );
    refuse(
        &[("\"verify-recovery.status\"", "\"now()\"")],
        r#"w.yaml:69: step "publish-attestation", key "recovered": takes a boolean output
  hint: name one, such as "verify-recovery.status""#,
    );
    refuse(
        &[("\"verify-recovery.status\"", "\"check-reserves.deficit\"")],
        r#"w.yaml:69: step "publish-attestation", key "recovered": takes a boolean output
  hint: name one, such as "verify-recovery.status""#,
    );
    refuse(
        &[("\"verify-recovery.status\"", "true")],
        r#"w.yaml:69: step "publish-attestation", key "recovered": a workflow cannot make up the boolean true
  hint: name an output of an earlier step, such as "verify-recovery.status""#,
    );
    refuse(
        &[("\"now()\"", "\"today()\"")],
        r#"w.yaml:70: step "publish-attestation", key "timestamp": there is no "today()"
  hint: known here: now(), dark_pool.zk_proof"#,
    );
    refuse(
        &[("\"dark_pool.zk_proof\"", "\"dark_pool.proof\"")],
        r#"w.yaml:51: step "settle", key "proof": there is no "dark_pool.proof"
  hint: did you mean "dark_pool.zk_proof"?"#,
    );
}

/// W5 of `protocol::workflow`: nodes and module once took the first compute step's feed, the dark pool the last's.
#[test]
fn every_compute_step_asks_what_the_first_one_asks() {
    let second = |from: &str, to: &str| {
        let (first, second) = SEED.split_at(SEED.find("- id: verify-recovery").expect("is there"));
        assert!(second.contains(from), "the seed's second compute step does not say {from}");
        format!("{first}{}", second.replacen(from, to, 1))
    };
    let feed = EMBEDDED.split("[feeds.USDC_RESERVES]").nth(1).expect("the feed");
    let feed = feed.split("\n[").next().expect("its keys");
    let two = EMBEDDED
        .replace("[images]", "[images]\n\"chainlink/other\" = \"enclave\"")
        .replace("[pools]", &format!("[feeds.USDT_RESERVES]{feed}\n[pools]"));
    let two = Deployment::parse(&two, "d.toml").expect("a deployment of two feeds");
    let hint =
        "the enclave judges the reserves once a tick, and every compute step reads that answer";
    for (from, to, line, key) in [
        ("USDC_RESERVES", "USDT_RESERVES", 59, "oracle_feed"),
        ("chainlink/confidential-por:latest", "chainlink/other", 57, "image"),
        ("_RESERVES\"", "_RESERVES\"\n          - threshold: 1.01", 60, "threshold"),
    ] {
        let document = parse(&second(from, to), "w.yaml").expect("a workflow");
        assert_eq!(
            message(check(&document, &two)),
            format!(
                "w.yaml:{line}: step \"verify-recovery\", key \"{key}\": is not what the first compute step says\n  hint: {hint}"
            )
        );
    }
    let same = second("_RESERVES\"", "_RESERVES\"\n          - threshold: 1.02");
    let document = parse(&same, "w.yaml").expect("a workflow");
    check(&document, &two).expect("the first says 1.02 too");
}

/// W6 of `protocol::workflow`.
#[test]
fn a_call_is_its_own_contracts() {
    refuse(
        &[("contract: \"DARKPOOL_SETTLEMENT\"", "contract: \"CONFIDENTIAL_POR\"")],
        r#"w.yaml:48: step "settle", key "function": "CONFIDENTIAL_POR" has no function "confidentialFill" a workflow may call
  hint: known here: attestRecovery"#,
    );
}

#[test]
fn an_output_is_one_the_image_answers() {
    refuse(
        &[("        outputs:\n          - status: boolean  # backed: true\n", "")],
        r#"w.yaml:57: step "verify-recovery", key "outputs": is missing
  hint: add "outputs" here"#,
    );
    refuse(
        &[("deficit: encrypted", "deficit: secret")],
        r#"w.yaml:19: step "check-reserves", key "deficit": there is no kind of output "secret"
  hint: known here: boolean, encrypted"#,
    );
    refuse(
        &[
            ("- deficit: encrypted", "- deficit: boolean"),
            ("\"check-reserves.deficit\"", "\"check-reserves.other\""),
            ("- deficit: boolean", "- deficit: boolean\n          - other: encrypted"),
        ],
        r#"w.yaml:19: step "check-reserves", key "deficit": this image answers it encrypted
  hint: write "encrypted": no amount leaves the enclave in the clear"#,
    );
    refuse(
        &[("- deficit: encrypted", "- deficit: encrypted\n          - shortfall: encrypted")],
        r#"w.yaml:20: step "check-reserves", key "shortfall": is nothing this image can answer
  hint: known here: status, deficit"#,
    );
}

#[test]
fn an_input_is_a_feed_or_a_threshold() {
    refuse(
        &[(
            "          - oracle_feed: \"USDC_RESERVES\"\n          - threshold",
            "          - threshold",
        )],
        r#"w.yaml:15: step "check-reserves", key "oracle_feed": is missing
  hint: add "- oracle_feed: …", the reserves to look at"#,
    );
    refuse(
        &[("- threshold: 1.02", "- treshold: 1.02")],
        r#"w.yaml:16: step "check-reserves", key "treshold": is not an input
  hint: did you mean "threshold"?"#,
    );
    refuse(
        &[(
            "          - oracle_feed: \"USDC_RESERVES\"\n          - threshold",
            "          - oracle_feed: \"USDC_RESERVES\"\n            threshold",
        )],
        r#"w.yaml:15: step "check-reserves", key "inputs": expects one input per dash, found 2
  hint: give each input its own dash"#,
    );
}

/// W1 of `protocol::workflow`.
#[test]
fn an_id_is_a_word_used_once() {
    refuse(
        &[("id: publish-attestation", "id: settle")],
        r#"w.yaml:64: step "settle", key "id": is also the id of the step in line 45
  hint: ids are unique over the whole workflow; rename one"#,
    );
    refuse(
        &[("id: settle", "id: dark_pool")],
        r#"w.yaml:45: step "dark_pool", key "id": "dark_pool" means something else in expressions
  hint: choose another id"#,
    );
    refuse(
        &[("id: settle", "id: settle it")],
        r#"w.yaml:45: key "id": "settle it" cannot be an id
  hint: letters, digits, - and _, beginning with a letter, at most 64: "check-reserves""#,
    );
    refuse(
        &[("- id: monitor-fill\n          type: wait", "- type: wait")],
        r#"w.yaml:39: key "id": step 2 of this list has none
  hint: add "id: …", by which other steps call it"#,
    );
    refuse(
        &[("- id: monitor-fill", "- ID: monitor-fill")],
        r#"w.yaml:39: key "ID": is not a key that belongs here
  hint: did you mean "id"?"#,
    );
}

#[test]
fn a_condition_compares_an_output_with_a_literal() {
    refuse(
        &[("== false", "!= true")],
        r#"w.yaml:24: step "trigger-recovery", key "condition": "check-reserves.status != true" is not a comparison of an output with true or false
  hint: write "check-reserves.status == false""#,
    );
    refuse(
        &[("== false", "== 1")],
        r#"w.yaml:24: step "trigger-recovery", key "condition": "check-reserves.status == 1" is not a comparison of an output with true or false
  hint: write "check-reserves.status == false""#,
    );
    refuse(
        &[("check-reserves.status == false", "check-reserves.status")],
        r#"w.yaml:24: step "trigger-recovery", key "condition": "check-reserves.status" is not a comparison of an output with true or false
  hint: write "check-reserves.status == false""#,
    );
    refuse(
        &[("\"check-reserves.status == false\"", "false")],
        r#"w.yaml:24: step "trigger-recovery", key "condition": expects text, found the boolean false
  hint: put it in quotes: "false""#,
    );
}

/// W3 of `protocol::workflow`.
#[test]
fn the_pool_is_asked_then_waited_for_then_settled() {
    refuse(
        &[("\"dark_pool.fill_event\"", "\"dark_pool.filled\"")],
        r#"w.yaml:41: step "monitor-fill", key "for": there is no event "dark_pool.filled"
  hint: the one event is "dark_pool.fill_event""#,
    );
    refuse(
        &[(
            "        # 2b. Monitor Fill\n",
            "        - id: create-another\n          type: dark_pool\n          spec:\n            pool: \"CRE_COLLATERAL_DARKPOOL\"\n            request:\n              asset: \"USDC_COLLATERAL\"\n              amount_encrypted: \"check-reserves.deficit\"\n              premium: \"0.5%\"\n              timeout: \"1h\"\n",
        )],
        r#"w.yaml:39: step "create-another", key "type": a second request: step "create-request" in line 28 makes the first
  hint: an issuer has one request open at a time; escalation is the guard's"#,
    );
    refuse(
        &[(
            "    - id: trigger-recovery",
            "    - id: too-early\n      type: wait\n      for: \"dark_pool.fill_event\"\n      timeout: \"1h\"\n    - id: trigger-recovery",
        )],
        r#"w.yaml:24: step "too-early", key "for": no request has been made by then
  hint: put a dark_pool step above it, in the same list or around it"#,
    );
    refuse(
        &[(
            "        - id: monitor-fill\n          type: wait\n          for: \"dark_pool.fill_event\"\n          timeout: \"1h\"\n",
            "",
        )],
        r#"w.yaml:47: step "settle", key "proof": no proof can be ready by then
  hint: put a step that waits for "dark_pool.fill_event" above it"#,
    );
}

#[test]
fn keys_are_known_and_given_once() {
    refuse(
        &[("amount_encrypted:", "amount_encryptd:")],
        r#"w.yaml:34: step "create-request", key "amount_encryptd": is not a key that belongs here
  hint: did you mean "amount_encrypted"?"#,
    );
    refuse(
        &[("              premium:", "              colour: red\n              premium:")],
        r#"w.yaml:35: step "create-request", key "colour": is not a key that belongs here
  hint: known here: asset, amount_encrypted, premium, timeout"#,
    );
    refuse(
        &[("workflow:", "workflw:")],
        r#"w.yaml:1: key "workflw": is not a key that belongs here
  hint: did you mean "workflow"?"#,
    );
    refuse(
        &[("          contract: \"DARK", "          adress: x\n          contract: \"DARK")],
        r#"w.yaml:47: step "settle", key "adress": is not a key that belongs here
  hint: known here: id, type, contract, function, args"#,
    );
    refuse(
        &[(
            "              premium: \"0.5%\"",
            "              premium: \"0.5%\"\n              premium: \"0.6%\"",
        )],
        r#"w.yaml:36: step "create-request", key "premium": is given twice, first in line 35
  hint: keep one of them"#,
    );
    refuse(
        &[("  name: confidential-recovery-darkpool\n", "")],
        r#"w.yaml:3: key "name": is missing
  hint: add "name" here"#,
    );
    refuse(
        &[(
            "name: confidential-recovery-darkpool",
            "name: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        )],
        r#"w.yaml:2: key "name": is not a name
  hint: one line of at most 64 characters"#,
    );
}

#[test]
fn values_have_the_type_their_key_takes() {
    refuse(
        &[(
            "      condition: \"check-reserves.status == false\"\n      steps:",
            "      condition: \"check-reserves.status == false\"\n      steps: none\n      stepz:",
        )],
        r#"w.yaml:25: step "trigger-recovery", key "steps": expects a list, found the text "none"
  hint: give each step its own dash"#,
    );
    refuse(
        &[(
            "image: chainlink/confidential-por:latest\n        inputs:\n          - oracle_feed: \"USDC_RESERVES\"\n          - thr",
            "image: [a]\n        inputs:\n          - oracle_feed: \"USDC_RESERVES\"\n          - thr",
        )],
        r#"w.yaml:13: step "check-reserves", key "image": expects text, found a list
  hint: write one word or one quoted text"#,
    );
    refuse(
        &[("pool: \"CRE_COLLATERAL_DARKPOOL\"", "pool: 7")],
        r#"w.yaml:31: step "create-request", key "pool": expects text, found the number 7
  hint: put it in quotes: "7""#,
    );
    refuse(
        &[("pool: \"CRE_COLLATERAL_DARKPOOL\"", "pool:")],
        r#"w.yaml:31: step "create-request", key "pool": expects text, found nothing
  hint: write one word or one quoted text"#,
    );
    refuse(
        &[("\"CRE_COLLATERAL_DARKPOOL\"", "\"\"")],
        r#"w.yaml:31: step "create-request", key "pool": is empty
  hint: write its value"#,
    );
    refuse(
        &[(
            "          - status: boolean  # backed: true/false\n          - deficit: encrypted",
            "          status: boolean\n          deficit: encrypted",
        )],
        r#"w.yaml:18: step "check-reserves", key "outputs": expects a list, found keys and values
  hint: give each output its own dash"#,
    );
    refuse(
        &[("    - id: verify-recovery", "    - hello\n    - id: verify-recovery")],
        r#"w.yaml:54: key "steps": expects keys and values, found the text "hello"
  hint: write `key: value` lines below it, indented"#,
    );
}

#[test]
fn a_workflow_is_plain_yaml() {
    refuse(
        &[("name: confidential-recovery-darkpool", "name: \"confidential")],
        "w.yaml:2: this is not YAML: invalid indentation in quoted scalar
  hint: check indentation, quotes and colons",
    );
    refuse(
        &[("  name:", "	name:")],
        "w.yaml:2: this is not YAML: tabs disallowed within this context (block indentation)
  hint: indent with spaces, never with tabs",
    );
    refuse(
        &[("\"USDC_RESERVES\"\n          - thr", "&a \"USDC_RESERVES\"\n          - thr")],
        "w.yaml:15: anchors and aliases (& and *) are not supported in a workflow
  hint: write the value out",
    );
    refuse(
        &[("image: chainlink", "image: !!str chainlink")],
        "w.yaml:13: tags (!) are not supported in a workflow
  hint: write the value without it",
    );
    refuse(
        &[("  name:", "  ? [a]\n  : b\n  name:")],
        "w.yaml:2: a key has to be one word, not a list or a mapping
  hint: check the indentation and the question marks",
    );
    refuse(
        &[
            ("workflow:\n", "---\nworkflow:\n"),
            ("timestamp: \"now()\"", "timestamp: \"now()\"\n---\nworkflow: {}"),
        ],
        "w.yaml:72: a second document begins here
  hint: a file holds one workflow; remove the ---",
    );
}

#[test]
fn the_first_mistake_in_the_file_is_reported() {
    refuse(
        &[
            ("threshold: 1.02", "threshold: 0"),
            ("*/5 * * * *", "* *"),
            ("id: settle", "id: dark_pool"),
        ],
        r#"w.yaml:6: key "schedule": a schedule has 5 fields (minute, hour, day of month, month, day of week), this one has 2
  hint: for example "*/5 * * * *", every five minutes; seconds, @names, ?, L, W and # are not supported"#,
    );
}

#[test]
fn a_file_that_is_no_workflow_says_so() {
    for (source, expected) in [
        (
            "",
            r#"w.yaml:1: the file is empty
  hint: a workflow begins with "workflow:""#,
        ),
        (
            "hello",
            r#"w.yaml:1: key "workflow": expects keys and values, found the text "hello"
  hint: write `key: value` lines below it, indented"#,
        ),
        (
            "workflow: {}\n",
            r#"w.yaml:1: key "name": is missing
  hint: add "name" here"#,
        ),
        (
            "workflow: {name: w, triggers: [{type: cron, schedule: \"* * * * *\"}], steps: []}\n",
            r#"w.yaml:1: key "steps": is empty
  hint: give at least one step"#,
        ),
        (
            "workflow:\n  name: w\n  triggers:\n    - type: cron\n      schedule: \"* * * * *\"\n  steps:\n",
            r#"w.yaml:6: key "steps": expects a list, found nothing
  hint: give each step its own dash"#,
        ),
        (
            "# nothing\n",
            r#"w.yaml:1: the file is empty
  hint: a workflow begins with "workflow:""#,
        ),
        (
            "\0\u{1}\u{2}",
            "w.yaml:1: this is not YAML: found unprintable character
  hint: check indentation, quotes and colons",
        ),
    ] {
        assert_eq!(message(parse(source, "w.yaml")), expected);
    }
    let huge = "#".repeat(recovery::SOURCE_LEN_MAX + 1);
    let deep = "[".repeat(100);
    for (source, expected) in [
        (
            huge,
            "w.yaml:1: the file has 65537 bytes, the limit is 65536\n  hint: a workflow is a page of text; is this the right file?",
        ),
        (
            deep,
            "w.yaml:1: this is nested too deep\n  hint: a workflow needs no more than 32 levels",
        ),
    ] {
        assert_eq!(message(parse(&source, "w.yaml")), expected);
    }
}

#[test]
fn a_request_outlives_the_last_round_of_a_sealed_epoch() {
    let sealed = embedded().with_disclosure(DisclosureMode::Sealed).expect("the feed is private");
    let document = parse(&SEED.replace("\"1h\"", "\"50m\""), "w.yaml").expect("a workflow");
    let expected = r#"w.yaml:36: step "create-request", key "timeout": 50 min is over before the last round of a sealed epoch, which can be 55 min later
  hint: lengthen it, or shorten disclosure.epoch_ticks in deployments/embedded.toml"#;
    assert_eq!(message(check(&document, &sealed)), expected);
    check(&document, &embedded()).expect("immediate disclosure settles whenever a round is ready");
}

#[test]
fn a_deployment_may_be_stricter_about_timeouts_than_the_contracts() {
    let strict = EMBEDDED.replace("timeout_max = \"7d\"", "timeout_max = \"30m\"");
    let strict = Deployment::parse(&strict, "d.toml").expect("a deployment");
    let document = parse(SEED, "w.yaml").expect("a workflow");
    let expected = r#"w.yaml:36: step "create-request", key "timeout": 1 h is outside the deployment's 5 min to 30 min
  hint: change it, or request.timeout_min and timeout_max in d.toml"#;
    assert_eq!(message(check(&document, &strict)), expected);
}

#[test]
fn a_diagnostic_carries_its_place_in_fields_too() {
    let diagnostic = parse(&SEED.replace("1.02 ", "0 "), "w.yaml").expect_err("a threshold of 0");
    assert_eq!((diagnostic.line, diagnostic.column), (16, 24));
    assert_eq!(
        (diagnostic.step.as_deref(), diagnostic.key.as_deref()),
        (Some("check-reserves"), Some("threshold"))
    );
    assert_eq!(&*diagnostic.file, "w.yaml");
}

const EMBEDDED: &str = include_str!("../../../deployments/embedded.toml");

fn embedded() -> Deployment {
    Deployment::parse(EMBEDDED, "deployments/embedded.toml")
        .expect("the embedded deployment is one")
}

/// The seed with each text replaced once, and what its author is told.
#[track_caller]
fn refuse(changes: &[(&str, &str)], expected: &str) {
    let mut source = SEED.to_owned();
    for (from, to) in changes {
        assert!(source.contains(from), "the seed does not say {from}");
        source = source.replacen(from, to, 1);
    }
    let result = parse(&source, "w.yaml").and_then(|document| check(&document, &embedded()));
    assert_eq!(message(result), expected);
}

#[track_caller]
fn message<T>(result: Result<T, Diagnostic>) -> String {
    result.err().expect("this is a mistake").to_string()
}
