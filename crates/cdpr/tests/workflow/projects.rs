//! Projects as Chainlink's developers have them: they open as they are, and say what is wrong with a chain once it is used.

use cre::messages::cron::Config as CronConfig;
use cre::messages::evm as wire;
use cre::messages::sdk::{
    AwaitCapabilitiesRequest, CapabilityRequest, ExecutionResult, ReportResponse,
    TriggerSubscription, TriggerSubscriptionRequest, execution_result,
};
use cre::messages::values::{Value as CreValue, value};
use cre::messages::{Any, pack};
use prost::Message as _;

use super::*;

const SEPOLIA: &str = "ethereum-testnet-sepolia";
/// Where simulated reports come from there, and where deployed workflows' do.
const MOCK: &str = "15fC6ae953E024d975e77382eEeC56A9101f9F88";
const DEPLOYED: &str = "F8344CFd5c43616a4366C34E3EEE75af79a74482";
const RECEIVER: [u8; 20] = [0x5e; 20];

/// A project in the shape of the official TypeScript examples: two targets, each with an EVM chain and a Solana one,
/// and a workflow without secrets.
fn official(name: &str, url: &str) -> PathBuf {
    let root = folder(name);
    let rpcs = format!(
        "  rpcs:\n    - chain-name: {SEPOLIA}\n      url: {url}\n    - chain-name: solana-devnet\n      url: \
         https://api.devnet.solana.com\n"
    );
    let project = format!("# Settings.\nstaging-settings:\n{rpcs}\nproduction-settings:\n{rpcs}");
    write(&root.join("project.yaml"), &project);
    let artifacts = |config: &str| {
        format!(
            "  user-workflow:\n    workflow-name: \"on-chain\"\n  workflow-artifacts:\n    workflow-path: \"./main.ts\"\n    \
             config-path: \"./{config}\"\n    secrets-path: \"\"\n"
        )
    };
    let workflow = format!(
        "staging-settings:\n{}\nproduction-settings:\n{}",
        artifacts("config.staging.json"),
        artifacts("config.production.json")
    );
    write(&root.join("src/on-chain/workflow.yaml"), &workflow);
    for config in ["config.staging.json", "config.production.json"] {
        write(&root.join("src/on-chain").join(config), "");
    }
    write(&root.join("src/on-chain/main.ts"), "// bundled by npm's packages, where they are\n");
    root
}

/// A workflow of one trigger that makes these calls in turn, whatever is answered, and is done. It takes no
/// configuration.
fn module(trigger: TriggerSubscription, calls: &[CapabilityRequest]) -> Vec<u8> {
    let subscriptions = TriggerSubscriptionRequest { subscriptions: vec![trigger] };
    let result = |result| ExecutionResult { result: Some(result) }.encode_to_vec();
    let done = CreValue { value: Some(value::Value::StringValue("done".to_owned())) };
    let mut data = vec![
        result(execution_result::Result::TriggerSubscriptions(subscriptions)),
        result(execution_result::Result::Value(done)),
    ];
    for call in calls {
        data.push(call.encode_to_vec());
        data.push(AwaitCapabilitiesRequest { ids: vec![call.callback_id] }.encode_to_vec());
    }
    let at = |n: usize| 4_096 * (n + 1);
    let segments = data.iter().enumerate().map(|(n, bytes)| {
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        format!("(data (i32.const {}) \"{escaped}\")", at(n))
    });
    let segments = segments.collect::<Vec<_>>().join("\n");
    let send = |n: usize| {
        format!("(drop (call $send (i32.const {}) (i32.const {})))", at(n), data[n].len())
    };
    let calls = (0..calls.len()).map(|n| {
        let (call, wait) = (2 + 2 * n, 3 + 2 * n);
        format!(
            "(if (i64.lt_s (call $call (i32.const {}) (i32.const {}) (i32.const 98304) (i32.const 4096)) (i64.const 0)) \
             (then unreachable)) (drop (call $await (i32.const {}) (i32.const {}) (i32.const 98304) (i32.const 65536)))",
            at(call), data[call].len(), at(wait), data[wait].len()
        )
    });
    let calls = calls.collect::<Vec<_>>().join("\n");
    // Arguments are `wasi` and the request in base64, which begins with E if it is to subscribe.
    let text = format!(
        r#"(module
          (import "env" "version_v2_rust" (func $version))
          (import "env" "send_response" (func $send (param i32 i32) (result i32)))
          (import "env" "call_capability" (func $call (param i32 i32 i32 i32) (result i64)))
          (import "env" "await_capabilities" (func $await (param i32 i32 i32 i32) (result i64)))
          (import "env" "switch_modes" (func $switch_modes (param i32)))
          (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
          (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
          (memory (export "memory") 4)
          {segments}
          (func (export "_start")
            (drop (call $args_get (i32.const 0) (i32.const 196608)))
            (if (i32.eq (i32.load8_u (i32.const 196613)) (i32.const 69))
              (then {} (call $proc_exit (i32.const 0))))
            (call $switch_modes (i32.const 1))
            {calls}
            {}
            (call $proc_exit (i32.const 0))))"#,
        send(0),
        send(1)
    );
    wat::parse_str(text).unwrap()
}

fn subscription(id: &str, method: &str, payload: Any) -> TriggerSubscription {
    TriggerSubscription {
        id: id.to_owned(),
        payload: Some(payload),
        method: method.to_owned(),
        requirements: None,
        pre_hook: false,
    }
}

fn cron(schedule: &str) -> TriggerSubscription {
    let config = CronConfig { schedule: schedule.to_owned() };
    subscription("cron-trigger@1.0.0", "Trigger", pack(&config))
}

fn call(callback_id: i32, id: &str, method: &str, payload: Any) -> CapabilityRequest {
    CapabilityRequest {
        id: id.to_owned(),
        payload: Some(payload),
        method: method.to_owned(),
        callback_id,
    }
}

fn sepolia() -> String {
    don::chain::id(cre::chains::selector(SEPOLIA))
}

/// A balance's question to a chain.
fn read(callback_id: i32, id: &str) -> CapabilityRequest {
    let asked = wire::BalanceAtRequest { account: vec![1; 20], block_number: None };
    call(callback_id, id, "BalanceAt", pack(&asked))
}

/// A report to the receiver.
fn report(callback_id: i32, gas_limit: u64) -> CapabilityRequest {
    let report = ReportResponse {
        raw_report: [&[1][..], &[0; 108], b"payload"].concat(),
        report_context: vec![0; 96],
        sigs: Vec::new(),
        ..ReportResponse::default()
    };
    let asked = wire::WriteReportRequest {
        receiver: RECEIVER.to_vec(),
        report: Some(report),
        gas_config: Some(wire::GasConfig { gas_limit }),
    };
    call(callback_id, &sepolia(), "WriteReport", pack(&asked))
}

/// Runs a folder's workflow with another module, and no configuration: exit code, what it says, and what beside it.
fn simulate(folder: &Path, module: &[u8], extra: &[&str]) -> (Option<i32>, String, String) {
    let file = folder.join("test.wasm");
    fs::write(&file, module).unwrap();
    let (folder, file) = (folder.display().to_string(), file.display().to_string());
    let arguments = ["simulate", &folder, "--wasm", &file, "--no-config", "--non-interactive"];
    let output = command(&[&arguments[..], extra].concat())
        .env("NO_PROXY", "127.0.0.1")
        .env_remove("CDPR_TEST_UNSET")
        .output()
        .unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn development() -> LocalChain {
    let [wallet, ..] = development_wallets(DEVELOPMENT_CHAIN_ID);
    LocalChain::new(Genesis::development(1_678_464_000).fund([wallet.address()]))
}

#[test]
fn official_examples_project_opens_and_its_solana_chain_is_an_error_only_of_who_uses_it() {
    let root = official("official", &serve(development()));
    let workflow = root.join("src/on-chain");
    let solana = "solana:ChainSelector:16423721717087811551@1.0.0";
    let module = module(cron("*/5 * * * *"), &[read(1, &sepolia()), read(2, solana)]);
    for target in ["staging-settings", "production-settings"] {
        let (code, out, error) = simulate(&workflow, &module, &["--json", "-T", target]);
        assert_eq!(code, Some(0), "{out}{error}");
        assert!(
            error.contains("warning: project.yaml: solana-devnet: only EVM chains are simulated"),
            "{error}"
        );
        // Its node is a development chain, and says so.
        assert!(error.contains("is chain 11155111") && error.contains("chain 31337"), "{error}");
        let said = object(&out);
        assert_eq!((&said["result"], &said["target"]), (&json!("done"), &json!(target)));
        assert_eq!(said["calls"][0]["error"], Value::Null, "{said}");
        let why = said["calls"][1]["error"].as_str().unwrap();
        assert!(why.contains("solana-devnet") && why.contains("hint"), "{why}");
    }
}

#[test]
fn chain_that_cannot_be_used_is_a_warning_until_it_is_used() {
    let module = module(cron("*/5 * * * *"), &[read(1, &sepolia())]);
    for (rpcs, wants) in [
        ("rpcs: [{ chain-name: sepolia, url: \"http://x\" }]", &["sepolia", "did you mean"][..]),
        ("rpcs: [{ chain-name: aptos-testnet, url: \"http://x\" }]", &["aptos-testnet"]),
        ("rpcs: [{ chain-name: ethereum-testnet-sepolia, url: \"ftp://x\" }]", &["ftp://x"]),
        ("rpcs: [{ chain-name: ethereum-testnet-sepolia, url: \"<your url>\" }]", &["<your url>"]),
        (
            "rpcs: [{ chain-name: ethereum-testnet-sepolia, url: \"http://${CDPR_TEST_UNSET}\" }]",
            &["CDPR_TEST_UNSET"],
        ),
        ("rpcs: [{ chain-name: ethereum-testnet-sepolia }]", &["no URL"]),
        (
            "rpcs: [{ chain-name: ethereum-testnet-sepolia, url: \"http://127.0.0.1:1\" }]",
            &["does not answer", "check its URL"],
        ),
        (
            "experimental-chains: [{ chain-selector: 16015286601757825753, rpc-url: \"http://x\", chain-type: sui }]",
            &["sui"],
        ),
        (
            "experimental-chains: [{ chain-selector: 16015286601757825753, rpc-url: \"http://x\", forwarder: 0x12 }]",
            &["forwarder", "0x12"],
        ),
    ] {
        let root = official("unusable", "http://127.0.0.1:1");
        write(&root.join("project.yaml"), &format!("staging-settings:\n  {rpcs}\n"));
        let (code, out, error) = simulate(&root.join("src/on-chain"), &module, &["--json"]);
        assert_eq!(code, Some(0), "{rpcs}: {out}{error}");
        for want in wants.iter().chain(&["warning", "hint:"]) {
            assert!(error.contains(want), "{rpcs}: expected {want:?} in: {error}");
        }
        let said = object(&out);
        assert_eq!(said["result"], "done");
        assert!(said["calls"][0]["error"].is_string(), "{rpcs}: {said}");
    }
}

#[test]
fn official_flags_say_where_a_project_and_its_variables_are() {
    let root = official("flags", "http://127.0.0.1:1/${CDPR_TEST_KEY}");
    let settings = fs::read_to_string(root.join("src/on-chain/workflow.yaml")).unwrap();
    let settings = settings.replace("secrets-path: \"\"", "secrets-path: \"../../secrets.yaml\"");
    write(&root.join("src/on-chain/workflow.yaml"), &settings);
    write(&root.join("secrets.yaml"), "secretsNames: { KEY: [CDPR_TEST_KEY] }\n");
    write(&root.join("other.yaml"), "secretsNames: { KEY: [CDPR_TEST_OTHER] }\n");
    write(&root.join("dev.env"), "CDPR_TEST_KEY=of-the-file\nCRE_TARGET=production-settings\n");
    write(&root.join("src/on-chain/test.wasm"), "");
    fs::write(root.join("src/on-chain/test.wasm"), module(cron("*/5 * * * *"), &[])).unwrap();
    let at = |file: &str| root.join(file).display().to_string();
    let (top, wasm, env) = (at(""), at("src/on-chain/test.wasm"), at("dev.env"));
    let run = |extra: &[&str]| {
        let base = ["simulate", "src/on-chain", "-R", &top, "--wasm", &wasm, "--no-config", "-v"];
        let output = command(&[&base[..], extra].concat())
            .env("CDPR_TEST_KEY", "of-the-shell")
            .output()
            .unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    // As Chainlink's tool, the file's before the shell's.
    let (code, out, error) = run(&["-e", &env]);
    assert_eq!(code, Some(0), "{out}{error}");
    for want in ["target production-settings", "at http://127.0.0.1:1", "dev.env", "secrets.yaml"] {
        assert!(error.contains(want), "expected {want:?} in: {error}");
    }
    assert!(!error.contains("of-the-file"), "a key is not shown: {error}");
    let (code, _, error) = run(&["--secrets", &at("other.yaml")]);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("CDPR_TEST_OTHER"), "{error}");
    for (extra, want) in [
        (["-e", "no-such.env"], "no-such.env"),
        (["--secrets", "no-such.yaml"], "no-such.yaml"),
        (["-T", "nowhere"], "nowhere"),
    ] {
        let (code, _, error) = run(&extra);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(want) && error.contains("hint:"), "{error}");
    }
    refused(&["simulate", "src/on-chain", "-R", &at("src")], &["no project.yaml here", "-R"]);

    // Said or not, the configuration is that of the settings.
    let base = ["simulate", &at("src/on-chain"), "--wasm", &wasm, "--skip-type-checks"];
    for (extra, code) in [
        (&["--default-config"][..], Some(0)),
        (&["--default-config", "--no-config"], Some(2)),
        (&["--default-config", "--config", "x"], Some(2)),
    ] {
        let output = command(&[&base[..], extra].concat()).env("CDPR_TEST_KEY", "k").output();
        assert_eq!(output.unwrap().status.code(), code, "{extra:?}");
    }
}

#[test]
fn file_of_no_project_has_the_secrets_beside_it() {
    let within = folder("bare");
    let file = within.join("test.wasm");
    fs::write(&file, module(cron("*/5 * * * *"), &[])).unwrap();
    let file = file.display().to_string();
    let simulate = ["simulate", &file, "--json"];
    assert_eq!(object(&done(&simulate))["result"], "done");
    write(&within.join("secrets.yaml"), "secretsNames: { KEY: [CDPR_TEST_BESIDE] }\n");
    refused(&simulate, &["secrets.yaml", "CDPR_TEST_BESIDE"]);
    write(&within.join(".env"), "CDPR_TEST_BESIDE=k\n");
    assert_eq!(object(&done(&simulate))["result"], "done");
    let other = within.join("other.yaml");
    write(&other, "secretsNames: { KEY: [CDPR_TEST_ELSEWHERE] }\n");
    let other = other.display().to_string();
    refused(&[&simulate[..], &["--secrets", &other]].concat(), &["CDPR_TEST_ELSEWHERE"]);
}

/// A receiver's code: it answers ERC-165 and, from a report on, does `then`, whose first byte is number 33.
fn receiver(then: &[u8]) -> String {
    let erc165 = "5f3560e01c63805f21321460215760043560e01c63ffffffff14155f5260205ff3";
    format!("0x{erc165}{}", primitives::hex(then))
}

/// Takes a report from one account only.
fn only_from(account: &str) -> Vec<u8> {
    let account: Vec<u8> = (0..20)
        .map(|byte| u8::from_str_radix(&account[2 * byte..2 * byte + 2], 16).unwrap())
        .collect();
    [&[0x5b, 0x33, 0x73][..], &account, &[0x14, 0x60, 63, 0x57, 0x5f, 0x5f, 0xfd, 0x5b, 0x00]]
        .concat()
}

#[test]
fn dry_run_calls_as_the_forwarder_and_with_the_gas_that_it_leaves() {
    // Runs on until its gas is used up if it has less than 300,000.
    let heavy =
        [0x5b, 0x62, 0x04, 0x93, 0xe0, 0x5a, 0x10, 0x60, 44, 0x57, 0x00, 0x5b, 0x60, 44, 0x56];
    // Reverts with Closed(uint256 7), whose interface the project has.
    let closed = evm::alloy::primitives::keccak256("Closed(uint256)");
    let closed = [
        &[0x5b, 0x63][..],
        &closed[..4],
        &[0x60, 0xe0, 0x1b, 0x5f, 0x52, 0x60, 7, 0x60, 4, 0x52, 0x60, 36, 0x5f, 0xfd],
    ]
    .concat();
    let abi = r#"[{ "type": "error", "name": "Closed", "inputs": [{ "name": "since", "type": "uint256" }] }]"#;
    for (code, gas_limit, result, wants) in [
        (receiver(&[0x5b, 0x00]), 500_000, true, &["the receiver takes the report"][..]),
        (receiver(&only_from(MOCK)), 500_000, true, &["the receiver takes the report"]),
        (
            receiver(&only_from(DEPLOYED)),
            500_000,
            false,
            &["reverts: no reason", DEPLOYED, "of deployed workflows"],
        ),
        (receiver(&heavy), 5_000_000, true, &["the receiver takes the report"]),
        (
            receiver(&heavy),
            350_000,
            false,
            &["of a gas limit of 350000 it gets some", "does not do"],
        ),
        (receiver(&[0x5b, 0x00]), 100_000, false, &["would not be reached", "gas limit of 100000"]),
        (receiver(&closed), 500_000, false, &["it reverts: Closed(since: 7)"]),
        ("0x60015f5260205ff3".to_owned(), 500_000, false, &["ERC-165"]),
        ("0x".to_owned(), 500_000, false, &["no contract"]),
    ] {
        let chain = development();
        let receiver = Address::from(RECEIVER);
        chain.request("anvil_setCode", json!([receiver, code])).unwrap();
        let root = official("dry", &serve(chain));
        write(&root.join("contracts/evm/src/abi/Market.abi"), abi);
        let module = module(cron("*/5 * * * *"), &[report(1, gas_limit)]);
        let (exit, out, error) = simulate(&root.join("src/on-chain"), &module, &["--json"]);
        assert_eq!(exit, Some(0), "{out}{error}");
        let said = object(&out);
        let note = said["notes"][0].as_str().unwrap_or_else(|| panic!("{said}"));
        for want in wants {
            assert!(note.contains(want), "{wants:?}: {note}");
        }
        assert_eq!(note.contains("takes the report"), result, "{note}");
    }
}

#[test]
fn schedule_in_a_time_zone_is_taken_and_an_unknown_zone_is_not() {
    let root = official("zones", "http://127.0.0.1:1");
    let workflow = root.join("src/on-chain");
    let (code, out, error) =
        simulate(&workflow, &module(cron("TZ=America/New_York 0 9 * * *"), &[]), &[]);
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(out.contains("\"TZ=America/New_York 0 9 * * *\""), "{out}");
    let (code, _, error) =
        simulate(&workflow, &module(cron("TZ=America/Nowhere 0 9 * * *"), &[]), &[]);
    assert_eq!(code, Some(2), "{error}");
    assert!(
        error.contains("no time zone \"America/Nowhere\"") && error.contains("hint:"),
        "{error}"
    );
}

#[test]
fn log_trigger_whose_address_is_not_in_base64_is_told_so() {
    let root = official("hexadecimal", "http://127.0.0.1:1");
    let filter = wire::FilterLogTriggerRequest {
        addresses: vec![format!("0x{MOCK}").into_bytes()],
        topics: Vec::new(),
        confidence: 0,
    };
    let trigger = subscription(&sepolia(), "LogTrigger", pack(&filter));
    let (code, _, error) = simulate(&root.join("src/on-chain"), &module(trigger, &[]), &[]);
    assert_eq!(code, Some(2), "{error}");
    for want in [MOCK, "hexadecimal", "base64", "hint: hexToBase64"] {
        assert!(error.contains(want), "expected {want:?} in: {error}");
    }
}

#[test]
fn limits_in_chainlinks_form_are_written_and_applied() {
    let root = official("limits", "http://127.0.0.1:1");
    let file = root.join("limits.json").display().to_string();
    done(&["limits", "export", &file, "--format", "chainlink"]);
    let exported = fs::read_to_string(&file).unwrap();
    assert_eq!(exported, done(&["limits", "export", "--format", "chainlink"]), "or on stdout");
    assert_eq!(object(&exported)["CRONTrigger"]["FastestScheduleInterval"], "30s");
    let workflow = root.join("src/on-chain");
    let often = module(cron("*/10 * * * * *"), &[]);
    let with = |limits: &str| {
        fs::write(&file, limits).unwrap();
        simulate(&workflow, &often, &["--limits", &file])
    };
    let (code, _, error) = with(&exported);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("after 10 s, the limit is once in 30 s"), "{error}");
    let (code, out, error) = with(&exported.replace("\"30s\"", "\"5s\""));
    assert_eq!(code, Some(0), "{out}{error}");
    let (code, _, error) =
        with(r#"{ "CRONTrigger": { "FastestScheduleInterval": "5s", "New": "1" } }"#);
    assert_eq!(code, Some(0), "{error}");
    assert!(error.contains("without effect here: CRONTrigger.New"), "{error}");
    let (code, _, error) = with(r#"{ "CRONTrigger": { "FastestScheduleInterval": "soon" } }"#);
    assert_eq!(code, Some(2), "{error}");
    assert!(
        error.contains("CRONTrigger.FastestScheduleInterval") && error.contains("hint:"),
        "{error}"
    );
}
