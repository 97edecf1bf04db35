//! `cdpr workflow` as people and scripts use it.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

#[path = "workflow/projects.rs"]
mod projects;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use devchain::{Genesis, LocalChain};
use evm::DEVELOPMENT_CHAIN_ID;
use evm::alloy::primitives::Address;
use evm::{Call, Fees, development_wallets};
use serde_json::{Value, json};

const RECOVERY: &str = "../../workflows/recovery";
const MODULE: &str = "../../workflows/recovery/wasm/workflow.wasm";
const NOW: &str = "2023-03-10T16:00:00Z";

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("workflow").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cdpr"));
    command.arg("workflow").args(arguments).stdin(std::process::Stdio::null());
    for name in ["CRE_TARGET", "CRE_ETH_PRIVATE_KEY", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    // One cache for all tests of this crate: the dark pool's keys are derived once.
    command.env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
    command
}

fn cdpr(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Refused as bad input, with every one of `wants` in what is said, a hint among it.
fn refused(arguments: &[&str], wants: &[&str]) {
    let output = cdpr(arguments);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    for want in wants.iter().chain(&["hint:"]) {
        assert!(error.contains(want), "{arguments:?}: expected {want:?} in: {error}");
    }
}

fn done(arguments: &[&str]) -> String {
    let output = cdpr(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn write(file: &Path, content: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

/// A project around the recovery's module: its folder.
fn project(name: &str, project: &str, secrets: &str) -> (PathBuf, String) {
    let root = folder(name);
    write(&root.join("project.yaml"), project);
    write(&root.join("secrets.yaml"), secrets);
    let workflow = fs::read_to_string(format!("{RECOVERY}/workflow.yaml")).unwrap();
    write(&root.join("w/workflow.yaml"), &workflow);
    let config = fs::read_to_string(format!("{RECOVERY}/config.staging.json")).unwrap();
    write(&root.join("w/config.staging.json"), &config);
    fs::create_dir_all(root.join("w/wasm")).unwrap();
    fs::copy(MODULE, root.join("w/wasm/workflow.wasm")).unwrap();
    let path = root.join("w").display().to_string();
    (root, path)
}

const NO_CHAINS: &str = "staging-settings: { rpcs: [] }\nproduction-settings: {}\n";
const NO_SECRETS: &str = "secretsNames: {}\n";

fn object(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn recovery_workflow_is_a_cre_project_that_completes_a_tick_over_a_dark_pool() {
    let said = object(&done(&["simulate", RECOVERY, "--json"]));
    assert_eq!(said["target"], "staging-settings");
    assert_eq!(said["triggers"][0]["id"], "cron-trigger@1.0.0");
    assert_eq!(said["triggers"][0]["schedule"], "*/5 * * * *");
    assert_eq!(said["now"], NOW, "the first fire in the scenario");
    assert_eq!(said["result"]["tick"], 1, "{said}");
    assert_eq!((&said["result"]["observed"], &said["error"]), (&json!(true), &Value::Null));
    assert_eq!(said["result"]["delivered"], 1, "the status of the reserves, on chain: {said}");
    let calls = said["calls"].as_array().unwrap();
    assert_eq!(calls[0]["id"], "darkpool@1.0.0");
    assert_eq!(calls[0]["voters"], json!([0, 1, 2, 3]));
    assert!(calls.iter().all(|call| call["error"].is_null()), "{said}");
    // What the committed configuration names is what the simulation has.
    let config = fs::read(format!("{RECOVERY}/config.staging.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    for contract in ["dark_pool", "confidential_por", "recovery_guard"] {
        assert_eq!(said["dark_pool"][contract], config[contract], "{contract}");
    }

    // Production's names no contracts, and its chain is a stand-in here.
    let target = ["--target", "production-settings"];
    let output = cdpr(&[&["simulate", RECOVERY, "--json"], &target[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let said = object(&text(&output.stdout));
    assert!(said["error"].as_str().unwrap().contains("is this their address"), "{said}");
}

#[test]
fn workflow_without_the_capability_asks_the_dark_pools_endpoint_from_a_measured_runner() {
    let secrets = "secretsNames: { DARKPOOL_TOKEN: [CDPR_TEST_TOKEN] }\n";
    let (root, path) = project("endpoint", NO_CHAINS, secrets);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = root.join("w/config.staging.json");
    let mut config = object(&fs::read_to_string(&file).unwrap());
    config["endpoint"] = json!(format!("http://{}", listener.local_addr().unwrap()));
    write(&file, &config.to_string());
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 65_536];
        let n = stream.read(&mut buffer).unwrap();
        let answer = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy";
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8_lossy(&buffer[..n]).to_lowercase()
    });
    let output = command(&["simulate", &path]).env("CDPR_TEST_TOKEN", "sesame").output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}{}", text(&output.stderr));
    // One request, from one execution; the answer, a failure, is the workflow's to tell.
    let request = served.join().unwrap();
    assert!(request.starts_with("post /darkpool/v1/checkreserves http/1.1"), "{request}");
    assert!(request.contains("authorization: bearer sesame"), "{request}");
    assert!(said.contains("a measured runner handles it") && said.contains("PCR0 "), "{said}");
    assert!(said.contains("busy"), "{said}");
    assert!(!said.contains("sesame"), "{said}");
}

#[test]
fn schedule_is_followed_in_the_scenarios_time_until_collateral_is_asked_for() {
    let said = done(&["run", RECOVERY, "--count", "10", "--json"]);
    let ticks: Vec<Value> = said.lines().map(object).collect();
    assert_eq!(ticks.len(), 10);
    for (tick, said) in (1..).zip(&ticks) {
        assert_eq!(
            (&said["result"]["tick"], &said["result"]["observed"]),
            (&json!(tick), &json!(true))
        );
        assert_eq!(said["result"]["delivered"], said["result"]["writes"], "{said}");
    }
    let asks = |said: &Value| {
        let calls = said["calls"].as_array().unwrap();
        calls.iter().filter(|call| call["method"] == "RequestCollateral").count()
    };
    // The shock is at 16:40; two readings below the threshold make a shortfall.
    assert_eq!(ticks[8]["now"], "2023-03-10T16:40:00Z");
    assert_eq!(ticks.iter().map(asks).collect::<Vec<_>>(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    let healthy = ["run", RECOVERY, "--count", "10", "--json", "--scenario", "healthy"];
    assert!(done(&healthy).lines().all(|line| asks(&object(line)) == 0));
    for (arguments, want) in [
        (["--now", "2023-03-10T15:00:00Z"], "about another time"),
        (["--scenario", "boom"], "boom"),
    ] {
        refused(&[&["simulate", RECOVERY], &arguments[..]].concat(), &[want]);
    }
}

#[test]
fn recovery_configurations_are_read_by_the_workflow_and_hold_the_shipped_sources() {
    for name in ["staging", "production"] {
        let bytes = fs::read(format!("{RECOVERY}/config.{name}.json")).unwrap();
        assert!(bytes.len() < 50_000, "CRE's quota of a configuration");
        let config: recovery::guest::Config = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(config.workflow, recovery::SEED, "{name}");
        let deployment = fs::read_to_string("../../deployments/embedded.toml").unwrap();
        assert_eq!(config.deployment, deployment, "{name}");
        recovery::guest::Recovery::parse(&bytes).unwrap();
    }
}

#[test]
fn simulation_is_the_same_twice_and_depends_on_its_time_and_don() {
    let run = |now: &str, extra: &[&str]| {
        let base = ["simulate", RECOVERY, "--json", "--now", now];
        let output = cdpr(&[&base[..], extra].concat());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let first = run(NOW, &[]);
    assert_eq!(run("1678464000", &[]), first, "the same instant");
    assert_ne!(run("1678464300", &[])["execution_id"], first["execution_id"]);
    let larger = run(NOW, &["--nodes", "7", "--faults", "2"]);
    assert_eq!(larger["calls"][0]["voters"].as_array().unwrap().len(), 7);
}

#[test]
fn words_are_those_of_cres_simulator() {
    let output = cdpr(&["simulate", RECOVERY, "-g", "--now", NOW]);
    let words = text(&output.stdout);
    for want in [
        "Simulator Initialized",
        "0  cron-trigger@1.0.0 Trigger \"*/5 * * * *\"",
        "Running trigger trigger=cron-trigger@1.0.0 at 2023-03-10T16:00:00Z",
        "[ENGINE] don=[0, 1, 2, 3] darkpool@1.0.0 CheckReserves",
        "[ENGINE] don=[0, 1, 2, 3] consensus@1.0.0-alpha Report",
        "those of `cdpr run`, in scenario \"usdc-2023-03\"",
        "Workflow Simulation Result:",
    ] {
        assert!(words.contains(want), "expected {want:?} in: {words}");
    }
}

#[test]
fn initialised_project_builds_and_simulates() {
    let root = folder("initialised").join("project");
    let path = root.display().to_string();
    let said = done(&["init", &path, "--cre", "../cre"]);
    assert!(said.contains("cdpr workflow build"), "{said}");
    refused(&["init", &path], &["not empty"]);
    let workflow = root.join("my-workflow").display().to_string();
    refused(&["simulate", &workflow], &["workflow.wasm", "cdpr workflow build"]);

    if !built(&workflow) {
        return;
    }
    assert!(root.join("my-workflow/wasm/workflow.wasm.br.b64").exists());
    let words = done(&["simulate", &workflow, "--now", NOW]);
    for want in [
        "[USER LOG] Hello, DON!",
        "Workflow Simulation Result:",
        "\"now\": \"2023-03-10T16:00:00Z\"",
    ] {
        assert!(words.contains(want), "expected {want:?} in: {words}");
    }
    assert_eq!(words.matches("[USER LOG]").count(), 1, "one node's lines stand for all: {words}");

    // A schedule of whole seconds is followed in real time; production's limit holds unless taken away.
    let config = root.join("fast.json").display().to_string();
    fs::write(&config, "{\"schedule\": \"* * * * * *\"}").unwrap();
    refused(&["run", &workflow, "--config", &config, "--count", "1"], &["after 1 s", "30 s"]);
    let run = ["run", &workflow, "--config", &config, "--count", "2", "--limits", "none", "--json"];
    let said = done(&run);
    assert_eq!(said.lines().count(), 2, "{said}");
    refused(&["simulate", &workflow, "--no-config"], &["configuration"]);
}

/// Builds; `false` where the target is missing, after checking that one is told how to get it. A project of
/// its own resolves its dependencies by itself, which takes a registry: `CDPR_BUILD_PROJECTS=1` asks for it.
fn built(workflow: &str) -> bool {
    if std::env::var_os("CDPR_BUILD_PROJECTS").is_none() {
        println!("skipped: CDPR_BUILD_PROJECTS is not set");
        return false;
    }
    // Each in its own target folder: all are called alike, and cargo would take one for another.
    let build = command(&["build", workflow, "--deploy"]).output();
    let build = build.unwrap();
    let error = text(&build.stderr);
    if error.contains("is not installed") {
        assert!(error.contains("hint: rustup target add wasm32-unknown-unknown"), "{error}");
        println!("skipped: {error}");
        return false;
    }
    assert_eq!(build.status.code(), Some(0), "{error}");
    let said = text(&build.stdout);
    assert!(said.contains("bytes raw") && said.contains("bytes of brotli"), "{said}");
    true
}

#[test]
fn bad_input_is_named_and_hinted_at() {
    let folder = folder("bad");
    let file = |name: &str, content: &str| {
        let path = folder.join(name);
        write(&path, content);
        path.display().to_string()
    };
    let (no_wasm, empty_module) =
        (file("no.wasm", "hello"), file("empty.wasm", "\0asm\u{1}\0\0\0"));
    refused(&["simulate", &no_wasm], &["not a WebAssembly module"]);
    refused(&["simulate", &empty_module], &["memory"]);
    // Its memory is shared.
    let threads = "\0asm\u{1}\0\0\0\u{5}\u{4}\u{1}\u{3}\u{1}\u{1}";
    refused(&["simulate", &file("threads.wasm", threads)], &["plain WebAssembly"]);
    refused(&["simulate", &file("main.go", "package main")], &["source"]);
    refused(&["simulate", "no/such/folder"], &["no such file or folder"]);
    refused(&["simulate", &folder.display().to_string()], &["no workflow.yaml"]);
    let [typescript, javascript] = if cfg!(feature = "compiler") {
        [["@chainlink/cre-sdk", "npm install"], ["Javy plugin", "npm install"]]
    } else {
        [["not in this build", "--features compiler"]; 2]
    };
    refused(&["simulate", &file("main.ts", "")], &typescript);
    refused(&["simulate", &file("main.js", "")], &javascript);
    refused(&["simulate", RECOVERY, "--target", "mainnet"], &["mainnet", "staging-settings"]);
    refused(
        &["simulate", RECOVERY, "--trigger-index", "7"],
        &["no trigger 7", "cron-trigger@1.0.0"],
    );
    refused(&["simulate", RECOVERY, "--config", "no-such.json"], &["no-such.json"]);
    refused(&["simulate", RECOVERY, "--no-config"], &["configuration"]);
    refused(&["simulate", RECOVERY, "--nodes", "4", "--faults", "2"], &["4 nodes", "2 faulty"]);
    refused(&["simulate", RECOVERY, "--broadcast"], &["--broadcast"]);
    refused(&["build", &folder.display().to_string()], &["Cargo.toml"]);
    let orphan = folder.join("orphan");
    write(&orphan.join("workflow.yaml"), "a: { user-workflow: { workflow-name: x } }");
    refused(&["simulate", &orphan.display().to_string()], &["no project.yaml"]);
    for arguments in [&["simulate", RECOVERY, "--now", "noon"][..], &["simulate"], &["simulated"]] {
        assert_eq!(cdpr(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn mistakes_in_settings_are_named() {
    let secrets = "secretsNames: { ORDER_KEY: [CDPR_TEST_ORDER_KEY] }\n";
    let (root, path) = project("secrets", NO_CHAINS, secrets);
    refused(&["simulate", &path], &["ORDER_KEY", "export CDPR_TEST_ORDER_KEY=…"]);
    let run = |name: &str, value: &str| {
        command(&["simulate", &path, "--json"]).env(name, value).output().unwrap().status.code()
    };
    assert_eq!(run("CDPR_TEST_ORDER_KEY", "k"), Some(0), "it is found, and the workflow runs");
    fs::write(root.join(".env"), "# keys\nexport CDPR_TEST_ORDER_KEY=\"k\"\n").unwrap();
    assert_eq!(run("UNRELATED", ""), Some(0), "so it is in .env");
    assert_eq!(run("CRE_TARGET", "nowhere"), Some(2), "a target that is not there");

    let (_, path) = project("chains", "staging-settings:\n  rpcs: [\n", NO_SECRETS);
    refused(&["simulate", &path], &["project.yaml"]);
}

#[test]
fn limits_are_shown_exported_and_applied() {
    let table = done(&["limits"]);
    assert!(table.contains("memory_size_max") && table.contains("100000000"), "{table}");
    let profiles: Value = serde_json::from_str(&done(&["limits", "--json"])).unwrap();
    assert_eq!(profiles["production"]["config_size_max"], 50_000);
    assert_eq!(profiles["simulator"]["config_size_max"], 1_000_000);
    assert_eq!(profiles["none"]["config_size_max"], Value::Null);

    let folder = folder("limits");
    let file = folder.join("limits.json").display().to_string();
    done(&["limits", "export", &file]);
    refused(&["limits", "export", &file], &["limits.json", "not there yet"]);
    let link = folder.join("link.json");
    std::os::unix::fs::symlink("elsewhere", &link).unwrap();
    refused(&["limits", "export", &link.display().to_string()], &["not there yet"]);
    let nowhere = folder.join("nowhere/limits.json").display().to_string();
    refused(&["limits", "export", &nowhere], &["nowhere", "make its folder first"]);
    refused(&["limits", "export", &format!("{file}2"), "--profile", "huge"], &["huge"]);
    assert_eq!(cdpr(&["simulate", RECOVERY, "--limits", &file]).status.code(), Some(0));
    assert_eq!(cdpr(&["simulate", RECOVERY, "--limits", "none"]).status.code(), Some(0));
    for (limits, want) in [
        ("{\"wasm_size_max\": 1000}", "more than 1000 bytes"),
        ("{\"config_size_max\": 10}", "the limit is 10"),
        ("{\"memory_size_max\": 65536}", "memory"),
        ("{\"wasm_sise_max\": 1}", "wasm_sise_max"),
        ("{\"wasm_size_max\": \"1 MB\"}", "1 MB"),
        ("{\"wasm_size_max\": 0}", "\"wasm_size_max\": 0 is outside 1 to 4,294,967,296"),
        ("{\"call_time_max_ms\": 1e12}", "is outside 1 to 86,400,000, in whole numbers"),
        ("[]", "limits.json"),
    ] {
        fs::write(&file, limits).unwrap();
        refused(&["simulate", RECOVERY, "--limits", &file], &[want]);
    }
}

#[test]
fn brotli_of_a_module_runs_like_the_module() {
    let folder = folder("brotli");
    let text = engine::deploy_form(&fs::read(MODULE).unwrap());
    let file = folder.join("workflow.wasm.br");
    fs::write(&file, decode(&text)).unwrap();
    let file = file.display().to_string();
    let output = cdpr(&["simulate", RECOVERY, "--wasm", &file, "--json", "--now", NOW]);
    let compressed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let output = cdpr(&["simulate", RECOVERY, "--json", "--now", NOW]);
    assert_eq!(compressed, serde_json::from_slice::<Value>(&output.stdout).unwrap());
}

fn decode(base64: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut out = Vec::new();
    for four in base64.trim_end_matches('=').as_bytes().chunks(4) {
        let word =
            four.iter().fold(0, |word, byte| word << 6 | digit(*byte)) << (6 * (4 - four.len()));
        out.extend_from_slice(&word.to_be_bytes()[1..four.len()]);
    }
    out
}

#[test]
fn http_goes_out_from_every_node_and_a_write_is_only_tried() {
    // The SDK's example, in a project of its own.
    let root = folder("http").join("project");
    let path = root.display().to_string();
    done(&["init", &path, "--cre", "../cre"]);
    fs::write(
        root.join("my-workflow/src/lib.rs"),
        include_str!("../../cre/examples/price_report.rs"),
    )
    .unwrap();
    let workflow = root.join("my-workflow").display().to_string();
    if !built(&workflow) {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/price", listener.local_addr().unwrap());
    let served = thread::spawn(move || {
        for _ in 0..4 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            let n = stream.read(&mut buffer).unwrap();
            assert!(buffer[..n].starts_with(b"GET /price HTTP/1.1\r\n"));
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n41.5\n";
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let config = root.join("config");
    fs::write(&config, url).unwrap();
    let output =
        command(&["simulate", &workflow, "--config", &config.display().to_string(), "--json"])
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .unwrap();
    let object: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    served.join().unwrap();
    let calls = object["calls"].as_array().unwrap();
    let http = calls.iter().filter(|call| call["id"] == "http-actions@1.0.0-alpha");
    assert_eq!(http.count(), 4, "{object}");
    // There is no contract at the example's receiver, and the workflow is told so.
    let note = object["notes"][0].as_str().unwrap();
    assert!(note.contains("was not sent") && note.contains("no contract"), "{note}");
    assert_eq!(object["result"], 41.5, "{object}");
}

#[test]
fn log_of_a_real_transaction_fires_its_trigger_over_json_rpc() {
    // A token that logs a transfer when called, and answers 42.
    let token = Address::repeat_byte(0x22);
    let transfer = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";
    let code = format!("0x7f{transfer}60006000a1602a60005260206000f3");
    let [wallet, ..] = development_wallets(DEVELOPMENT_CHAIN_ID);
    let chain = LocalChain::new(Genesis::development(1_678_464_000).fund([wallet.address()]));
    chain.request("anvil_setCode", json!([token, code])).unwrap();
    let sent = wallet.sign(0, Fees::default(), Call::new(token, [0_u8; 0], 100_000));
    chain.request("eth_sendRawTransaction", json!([sent.bytes])).unwrap();
    let url = serve(chain);

    let root = folder("log").join("project");
    let path = root.display().to_string();
    done(&["init", &path, "--cre", "../cre"]);
    let example = include_str!("../../cre/examples/log_watcher.rs");
    fs::write(root.join("my-workflow/src/lib.rs"), example).unwrap();
    let rpcs = format!(
        "staging-settings:\n  rpcs: [{{ chain-name: ethereum-testnet-sepolia, url: \"{url}\" }}]\n"
    );
    fs::write(root.join("project.yaml"), rpcs).unwrap();
    let workflow = root.join("my-workflow").display().to_string();
    if !built(&workflow) {
        return;
    }
    let (hash, none) = (sent.hash.to_string(), format!("0x{}", "00".repeat(32)));
    let simulate = ["simulate", &workflow, "--non-interactive", "--json"];
    let with = |extra: &[&str]| {
        let output =
            command(&[&simulate[..], extra].concat()).env("NO_PROXY", "127.0.0.1").output();
        let output = output.unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, error) = with(&["--evm-tx-hash", &hash, "--evm-event-index", "0"]);
    assert_eq!(code, Some(0), "{out} {error}");
    let object: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(object["result"]["block"], 1, "{object}");
    assert!(
        object["result"]["supply"].as_str().unwrap().ends_with("Co="),
        "42 in a word: {object}"
    );
    for (extra, want) in [
        (&[][..], "--evm-tx-hash"),
        (&["--evm-tx-hash", "0x12"], "0x12"),
        (&["--evm-tx-hash", &none], "no transaction"),
        (&["--evm-tx-hash", &hash, "--evm-event-index", "1"], "1 logs"),
    ] {
        let (code, _, error) = with(extra);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(want) && error.contains("hint:"), "{error}");
    }
}

#[test]
fn round_of_the_dark_pool_fires_its_trigger() {
    // Contracts' addresses follow from the order they are deployed in, and the example names one.
    let example = include_str!("../../cre/examples/fill_watcher.rs");
    let config = include_str!("../../../workflows/recovery/config.staging.json");
    let config: Value = serde_json::from_str(config).unwrap();
    let named = example.split_once("= [").unwrap().1.split_once(']').unwrap().0;
    let named: String =
        named.split(',').filter_map(|byte| byte.trim().strip_prefix("0x")).collect();
    assert_eq!(config["dark_pool"], format!("0x{named}"));
    let root = folder("fill").join("project");
    let path = root.display().to_string();
    done(&["init", &path, "--cre", "../cre"]);
    fs::write(root.join("my-workflow/src/lib.rs"), example).unwrap();
    let workflow = root.join("my-workflow").display().to_string();
    if !built(&workflow) {
        return;
    }
    let simulate = |extra: &[&str]| {
        let output = cdpr(&[&["simulate", &workflow, "--non-interactive"], extra].concat());
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    // No maker lives in this world, so the round is made up; the dark pool knows no such request.
    let id = format!("0x{}", "05".repeat(32));
    let round = json!({ "requestId": id, "round": 2, "zkProof": "0x01", "teeAttestation": "0x02" });
    let (code, out, error) = simulate(&["--fill", &round.to_string()]);
    assert_eq!(code, Some(1), "{out} {error}");
    assert!(out.contains("there is no request") && out.contains(&id[2..]), "{out}");
    let short = json!({ "requestId": "0x05", "round": 2, "zkProof": "0x", "teeAttestation": "0x" });
    for (extra, want) in [
        (vec![], "--fill"),
        (vec!["--fill", "{}"], "requestId"),
        (vec!["--fill", &short.to_string()], "--fill"),
    ] {
        let (code, _, error) = simulate(&extra);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(want) && error.contains("hint:"), "{error}");
    }
}

/// A chain behind JSON-RPC over HTTP, one request to a connection, until the process ends.
fn serve(chain: LocalChain) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut len = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    len = value.trim().parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; len];
            reader.read_exact(&mut body).unwrap();
            let asked: Value = serde_json::from_slice(&body).unwrap();
            let result = chain.request(asked["method"].as_str().unwrap(), asked["params"].clone());
            let mut answer = json!({ "jsonrpc": "2.0", "id": asked["id"] });
            match result {
                Ok(result) => answer["result"] = result,
                Err(error) => {
                    answer["error"] = json!({
                        "code": error.code, "message": error.message, "data": error.data,
                    });
                }
            }
            let answer = answer.to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                answer.len()
            );
            reader.get_mut().write_all((head + &answer).as_bytes()).unwrap();
        }
    });
    url
}

/// Official TypeScript, where `npm ci` has been run in conformance/npm and the build has an engine for it; CI does both.
#[test]
fn typescript_is_bundled_by_the_official_sdk_and_runs() {
    let source = "../../conformance/npm/workflows/http.ts";
    if !cfg!(feature = "compiler") {
        println!("skipped: needs --features compiler");
        return;
    }
    if !Path::new("../../conformance/npm/node_modules/@chainlink/cre-sdk").exists()
        || !Path::new(source).exists()
    {
        println!("skipped: npm ci in conformance/npm first");
        return;
    }
    let config = folder("typescript").join("config.json");
    // Nobody listens at port 1, so no node has a price.
    fs::write(&config, "{\"url\": \"http://127.0.0.1:1/\"}").unwrap();
    let config = config.display().to_string();
    let output = cdpr(&["simulate", source, "--config", &config, "--json", "--now", NOW]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["triggers"][0]["schedule"], "*/30 * * * * *");
    assert_eq!(
        object["calls"].as_array().unwrap().len(),
        5,
        "4 nodes and their consensus: {object}"
    );
}
