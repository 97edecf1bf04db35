//! Makers as programs of their own, over a node of the chain and nothing else: in, out, and back from 24 words.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use evm::abi::CashToken;
use evm::alloy::primitives::{Address, U256};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::sol_types::SolCall as _;
use evm::second::abi::ShieldedPool;
use evm::{Call, Fees, development_wallets, send};
use serde_json::{Value, json};

const CDPR: &str = env!("CARGO_BIN_EXE_cdpr");
/// Looks at a balance before it is given up: an absorption takes a proof.
const LOOKS_MAX: u32 = 600;

/// `cdpr dev`, ended with its test.
struct Dev {
    process: Child,
    folder: PathBuf,
    rpc: String,
    cash: Address,
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(CDPR);
    command
        .args(arguments)
        .current_dir(folder)
        .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
        .env_remove("ETH_RPC_URL")
        .env_remove("CDPR_PRIVATE_KEY")
        .stdin(Stdio::null());
    command
}

fn empty(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

impl Dev {
    fn start(name: &str) -> Self {
        Self::start_in(empty(name), &[])
    }

    fn start_in(folder: PathBuf, more: &[&str]) -> Self {
        let arguments = [&["dev", "--port", "0", "--json"], more].concat();
        let mut process = command(&arguments, &folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let rpc = ready["rpc"].as_str().unwrap().to_owned();
        let cash = ready["contracts"]["cash"].as_str().unwrap().parse().unwrap();
        Self { process, folder, rpc, cash }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        command(arguments, &self.folder).output().unwrap()
    }

    /// What a command that succeeds says.
    fn said(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Is bad input, and says each of `wants`.
    fn refused(&self, arguments: &[&str], wants: &[&str]) {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        for want in wants {
            assert!(stderr.contains(want), "{arguments:?}: expected {want:?} in: {stderr}");
        }
    }

    fn init(&self, maker: &str) -> String {
        self.said(&["maker", "init", maker, "--addresses", "cdpr-dev.json"])
    }

    fn balance(&self, maker: &str) -> Value {
        let said = self.said(&["maker", "balance", maker, "--json"]);
        serde_json::from_str(&said).unwrap()
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.said(&["status", "--json"])).unwrap()
    }

    /// Waits until the collateral is so much spendable, locked, announced and waiting.
    fn until(&self, maker: &str, wanted: [&str; 4]) {
        let mut row = Value::Null;
        for _ in 0..LOOKS_MAX {
            row = self.balance(maker)["assets"][0].clone();
            let kinds = ["spendable", "locked", "announced", "waiting"];
            if kinds.map(|kind| row[kind].as_str().unwrap().to_owned()) == wanted {
                return;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("{maker} has {row}, not {wanted:?}");
    }

    fn provider(&self) -> DynProvider {
        don::http::connect(&self.rpc)
    }

    /// Base units of the collateral.
    fn paid(&self, owner: &str) -> u64 {
        let provider = self.provider();
        let token = CashToken::new(self.cash, &provider);
        runtime().block_on(async {
            token.balanceOf(owner.parse().unwrap()).call().await.unwrap().to::<u64>()
        })
    }

    fn deposit_of_a_stranger(&self) {
        let provider = self.provider();
        let file = fs::read_to_string(self.folder.join("cdpr-dev.json")).unwrap();
        let file: Value = serde_json::from_str(&file).unwrap();
        let pool: Address = file["contracts"]["pool"].as_str().unwrap().parse().unwrap();
        let stranger = development_wallets(31_337)[9].clone();
        let approve = CashToken::approveCall { spender: pool, value: U256::from(1) };
        let deposit = ShieldedPool::depositCall {
            asset_: self.cash,
            amount: U256::from(1),
            inner: U256::from(1),
            hint: U256::MAX,
            memo: U256::MAX,
        };
        let calls = [(self.cash, approve.abi_encode()), (pool, deposit.abi_encode())];
        runtime().block_on(async {
            for (nonce, (to, data)) in (0..).zip(calls) {
                let call = Call::new(to, data, 2_000_000);
                let raw = stranger.sign(nonce, Fees::default(), call);
                assert!(send(&provider, &raw.bytes).await.unwrap().status());
            }
        });
    }

    fn pass(&self, seconds: u64) {
        let provider = self.provider();
        runtime().block_on(async {
            let _: Value =
                provider.raw_request("evm_increaseTime".into(), (seconds,)).await.unwrap();
            let _: Value = provider.raw_request("evm_mine".into(), ()).await.unwrap();
        });
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_maker_pays_in_leaves_and_comes_back_from_its_words() {
    const TO: &str = "0x00000000000000000000000000000000000000EE";
    let dev = Dev::start("makers");
    let said = dev.init("one");
    assert!(said.contains("   1 ") && said.contains("  24 "), "{said}");
    let words = dev.folder.join("one/words");
    assert_eq!(fs::metadata(&words).unwrap().permissions().mode() & 0o777, 0o600);
    dev.init("two");
    // A stranger's deposit whose words for a wallet are no field elements: it must stop nobody.
    dev.deposit_of_a_stranger();

    let deposit = |maker: &str, amount: &str, more: &[&str]| {
        dev.said(&[&["maker", "deposit", maker, amount, "--account", "3"], more].concat())
    };
    deposit("one", "1000", &[]);
    deposit("two", "70.5", &[]);
    deposit("one", "500", &["--premium-min", "80", "--fill-min", "10"]);
    dev.until("one", ["1000", "500", "0", "0"]);
    dev.until("two", ["70.5", "0", "0", "0"]);

    let status = dev.status();
    let held = json!({ "token": dev.cash, "recorded": "1570.500001", "held": "1570.500001", "cap": status["pool"]["collateral"]["cap"] });
    assert_eq!(status["pool"]["collateral"], held);
    assert_eq!(status["pool"]["waiting"]["leaves"], 0);
    assert_eq!(status["wrong"], json!([]));

    // What is held leaves when its owner likes, in part; whoever pays the gas.
    let exit =
        |amount: &'static str| ["maker", "exit", "one", amount, "--to", TO, "--account", "7"];
    dev.said(&exit("400.25"));
    assert_eq!(dev.paid(TO), 400_250_000);
    dev.until("one", ["599.75", "500", "0", "0"]);

    // A line leaves after its announcement, and not before.
    let early = dev.run(&exit("1000"));
    assert_eq!(early.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&early.stderr)
            .contains("1000 is wanted, 599.75 can be spent now, 500 later")
    );
    dev.said(&["maker", "announce", "one", "--account", "7"]);
    dev.until("one", ["599.75", "0", "500", "0"]);
    dev.refused(&["maker", "announce", "one", "--account", "7"], &["no standing line"]);
    dev.pass(601);
    dev.until("one", ["1099.75", "0", "0", "0"]);

    // All of it, by somebody who has the words alone.
    let restore =
        ["maker", "init", "again", "--addresses", "cdpr-dev.json", "--words", "one/words"];
    dev.said(&restore);
    assert_eq!(dev.balance("again")["assets"], dev.balance("one")["assets"]);
    dev.said(&["maker", "exit", "again", "all", "--to", TO, "--account", "8"]);
    assert_eq!(dev.paid(TO), 1_500_000_000);
    dev.until("one", ["0", "0", "0", "0"]);
    dev.until("two", ["70.5", "0", "0", "0"]);
}

#[test]
fn an_issuer_opens_funds_and_comes_back_from_its_words() {
    let dev = Dev::start("issuer");
    let init = ["issuer", "init", "one", "--addresses", "cdpr-dev.json", "--premium-max", "150"];
    dev.said(&init);
    let issuer = |what: &'static str| ["issuer", what, "one", "--account", "1"];
    let position = |folder: &'static str| -> Value {
        let said = dev.said(&["issuer", "position", folder, "--json"]);
        serde_json::from_str(&said).unwrap()
    };
    let fund = |amount: &'static str| ["issuer", "fund", "one", amount, "--account", "1"];
    dev.refused(&fund("5"), &["the account is not open"]);
    let other = ["issuer", "open", "one", "--account", "3"];
    dev.refused(&other, &["is not the venue's issuer"]);
    assert_eq!(position("one")["account"], Value::Null);
    dev.said(&issuer("open"));
    dev.refused(&issuer("open"), &["open already"]);
    dev.said(&fund("2500.5"));
    dev.said(&["issuer", "take-back", "one", "500", "--account", "1"]);
    dev.refused(
        &["issuer", "take-back", "one", "2000.6", "--account", "1"],
        &["is more than the account has"],
    );
    let release = [
        "issuer",
        "release",
        "one",
        "1",
        "--to",
        "0x00000000000000000000000000000000000000EE",
        "--account",
        "1",
    ];
    dev.refused(&release, &["is more than the account has"]);
    dev.said(&issuer("mandate"));
    let wanted = json!({ "raised": "0", "consideration": "2000.5" });
    assert_eq!(
        (&position("one")["account"], &position("one")["mandate_is_ours"]),
        (&wanted, &json!(true))
    );
    assert_eq!(dev.status()["venue"]["account"], true);
    assert_eq!(dev.status()["pool"]["claim"]["recorded"], "2000.5");

    // The words alone open it; the mandate takes what it allows as well, and other words open nothing.
    let again = ["issuer", "init", "again", "--addresses", "cdpr-dev.json", "--words", "one/words"];
    dev.said(&[&again[..], &["--premium-max", "150"]].concat());
    assert_eq!(position("again"), position("one"));
    dev.said(&["issuer", "init", "other", "--addresses", "cdpr-dev.json"]);
    assert_eq!(position("other")["account"], Value::Null);
    assert_eq!(position("other")["mandate_is_ours"], false);
    dev.refused(&["issuer", "position", "none"], &["no issuer's folder"]);
    dev.refused(&init, &["there are words already"]);
}

#[test]
fn a_chain_that_is_killed_goes_on_where_it_stopped() {
    let folder = empty("makers-killed");
    let state = ["--state", "kept"];
    let dev = Dev::start_in(folder.clone(), &state);
    dev.init("one");
    dev.said(&["maker", "deposit", "one", "12.5", "--account", "3"]);
    let second = dev.run(&["dev", "--port", "0", "--state", "kept", "--addresses", "second.json"]);
    assert_eq!(second.status.code(), Some(2), "two processes on one chain");
    dev.until("one", ["12.5", "0", "0", "0"]);
    // By SIGKILL, and a block that was not whole.
    drop(dev);
    let blocks = folder.join("kept/chain");
    let len = fs::metadata(&blocks).unwrap().len();
    fs::OpenOptions::new().write(true).open(&blocks).unwrap().set_len(len - 1).unwrap();

    let dev = Dev::start_in(folder.clone(), &state);
    let restore =
        ["maker", "init", "again", "--addresses", "cdpr-dev.json", "--words", "one/words"];
    dev.said(&restore);
    dev.until("again", ["12.5", "0", "0", "0"]);
    dev.said(&["maker", "deposit", "again", "1", "--account", "3"]);
    dev.until("again", ["13.5", "0", "0", "0"]);
    drop(dev);

    // One byte of a block that was whole.
    let mut bytes = fs::read(&blocks).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blocks, bytes).unwrap();
    let output = command(&["dev", "--port", "0", "--state", "kept"], &folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("kept/chain") && said.contains("at byte"), "{said}");
}

#[test]
fn what_a_maker_cannot_do_is_said_and_nothing_is_sent() {
    let dev = Dev::start("makers-refused");
    dev.init("one");
    let deposit = |amount: &'static str| ["maker", "deposit", "one", amount, "--account", "3"];
    dev.refused(&deposit("0"), &["amount \"0\" is nothing"]);
    dev.refused(&deposit("1.0000001"), &["finer than the token", "at most 6"]);
    dev.refused(&deposit("10000001"), &["has 10000000 of the collateral"]);
    dev.refused(&["maker", "deposit", "one", "1"], &["no account pays", "CDPR_PRIVATE_KEY"]);
    dev.refused(&["maker", "balance", "none"], &["no maker's folder", "cdpr maker init"]);
    let init = ["maker", "init", "one", "--addresses", "cdpr-dev.json"];
    dev.refused(&init, &["there are words already"]);
    let exit = |to: &'static str| ["maker", "exit", "one", "1", "--to", to, "--account", "3"];
    dev.refused(&exit("0x12"), &["is no address"]);
    dev.refused(&exit("0x0000000000000000000000000000000000000000"), &["is nobody"]);
    dev.refused(&exit("0x00000000000000000000000000000000000000EE"), &["0 can be spent now"]);
    dev.refused(&["maker", "announce", "one", "--account", "3"], &["no standing line"]);

    // Words with a typing error: which.
    let words = fs::read_to_string(dev.folder.join("one/words")).unwrap();
    let (first, rest) = words.split_once(' ').unwrap();
    let restore =
        ["maker", "init", "typed", "--addresses", "cdpr-dev.json", "--words", "typed.txt"];
    fs::write(
        dev.folder.join("typed.txt"),
        format!("{first} {first}x {}", rest.split_once(' ').unwrap().1),
    )
    .unwrap();
    dev.refused(&restore, &["word 2 is", "which is none"]);
    fs::write(dev.folder.join("typed.txt"), rest).unwrap();
    dev.refused(&restore, &["23 words where 24 are needed"]);
    assert!(!dev.folder.join("typed").exists());

    // A feed that fell silent is told of, and what it means.
    dev.pass(31_536_001);
    let wrong = dev.status()["wrong"].clone();
    assert!(
        wrong[0].as_str().unwrap().contains("s old: no round that closes now settles"),
        "{wrong}"
    );

    // Words that others can read, a second process, and a file of another system.
    let file = dev.folder.join("one/words");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    dev.refused(&["maker", "balance", "one"], &["can be read by others", "chmod 600"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let addresses = fs::read_to_string(dev.folder.join("cdpr-dev.json")).unwrap();
    let other = |key: &str, value: &str| {
        let mut json: Value = serde_json::from_str(&addresses).unwrap();
        json["contracts"][key] = serde_json::from_str(value).unwrap();
        // As written by `cdpr dev`: the format comes first.
        let text = serde_json::to_string_pretty(&json).unwrap();
        fs::write(dev.folder.join("other.json"), text).unwrap();
        ["maker", "init", "other", "--addresses", "other.json"]
    };
    let nobody = "\"0x00000000000000000000000000000000000000ee\"";
    dev.refused(&other("pool", nobody), &["no code at", "where the pool should be"]);
    dev.refused(&other("spend_verifier", nobody), &["another pool at"]);
    dev.refused(&other("chain_id", "1"), &["is of chain 31337, the contracts are on chain 1"]);
    let more = addresses.replacen("\"created\"", "\"crated\"", 1);
    fs::write(dev.folder.join("other.json"), more).unwrap();
    let wants = ["other.json: unknown field `crated`", "line 4"];
    dev.refused(&["maker", "init", "other", "--addresses", "other.json"], &wants);
    fs::write(dev.folder.join("mine.json"), "{}").unwrap();
    let foreign = dev.run(&["dev", "--port", "0", "--addresses", "mine.json"]);
    assert_eq!(foreign.status.code(), Some(2));
    assert_eq!(fs::read_to_string(dev.folder.join("mine.json")).unwrap(), "{}");

    // A chain that is gone.
    let rpc = dev.rpc.clone();
    let folder = dev.folder.clone();
    drop(dev);
    let output = command(&["maker", "balance", "one"], &folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&format!("asking {rpc}")), "{said}");
}
