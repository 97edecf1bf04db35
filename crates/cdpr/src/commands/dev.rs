//! `cdpr dev`: a chain on this machine with the pool on it, for whoever programs against it, as anvil is for Foundry.
//! It ends with the process, unless a folder keeps it. No enclave and no DON yet: what there is takes deposits,
//! absorbs them and lets them out, and has an issuer's account.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use circuits::keys::Circuit;
use clap::Args;
use devchain::{Genesis, LocalChain};
use evm::alloy::primitives::{Address, B256, Bytes};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::sol_types::SolCall as _;
use evm::deploy::{Don, GuardParameters, Mint, Timelock, Token};
use evm::second::deploy::{self, DeployConfig, Verifiers};
use evm::{Call, DEVELOPMENT_CHAIN_ID, Fees, Wallet, development_wallets, gas, send};
use node::absorb::Absorber;
use primitives::Disclosure;
use serde_json::json;
use server::rpc::Server;
use store::FileStorage;
use study::folder::{self, Claim};

use super::{now, refuse, unwritten, write};
use crate::addresses::{Addresses, Instrument};
use crate::terminal::{self, note, say};
use crate::{Ending, Failure, counts, keys};

/// Accounts that are paid tokens: who deploys, issues and absorbs has no use for them.
const DEPOSITORS: std::ops::Range<usize> = 3..10;
/// Of tokens, each depositor's.
const TOKENS: u128 = 10_000_000;
const UNIT: u128 = 1_000_000;
/// Seconds of the chain's from a block to the next, at most: as on Ethereum.
const BLOCK: u64 = 12;
/// Between two looks at the queue.
const LOOK: Duration = Duration::from_millis(500);
const PRICE: u64 = 100_000_000;
/// Of terms: beyond any chain's end here, and the same whenever the chain is started again.
const EXPIRY: u64 = (1 << 40) - 1;
/// Files of a folder that keeps a chain: its blocks, and when it began, Unix seconds.
const KEPT: [&str; 2] = ["chain", "began"];

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8_545, value_parser = counts::from_to::<u16>(0, 65_535))]
    port: u16,
    /// Where the address file goes that other commands read.
    #[arg(long, value_name = "FILE", default_value = "cdpr-dev.json")]
    addresses: PathBuf,
    /// Keep the chain in this folder: the same command goes on where it stopped, however it stopped.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The chain's clock goes so many times as fast as this machine's.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = counts::from_to::<u32>(1, 3_600))]
    speed: u32,
    /// One line of JSON on stdout when it is ready.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    folder::check(&arguments.addresses).map_err(unwritten)?;
    let absorb = keys::of(Circuit::Absorb, DEVELOPMENT_CHAIN_ID)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("an event loop")?;
    runtime.block_on(async {
        let accounts = development_wallets(DEVELOPMENT_CHAIN_ID);
        let State { chain, _claim } = State::open(arguments.state.as_deref(), &accounts)?;
        // Nobody's clock but the chain's went on while it stood still.
        let start = chain.timestamp().max(now()?.0);
        let clock = Clock { start, begun: Instant::now(), speed: arguments.speed.into() };
        clock.set(&chain);
        let provider = chain.connect();
        let config = config(&provider, &accounts).await?;
        let (plan, _) = deploy::deploy(&provider, &config).await.context("deploying")?;
        let at = plan.deployment;
        let serving = chain.clone();
        let answer = move |body: &[u8]| {
            clock.set(&serving);
            serving.answer(body)
        };
        let taken = |error: std::io::Error| {
            refuse(
                format!("port {} of 127.0.0.1: {error}", arguments.port),
                "give another with --port; 0 takes a free one",
            )
        };
        let server = Server::start(arguments.port, answer).await.map_err(taken)?;
        let instrument =
            Instrument { number: 1, price: [PRICE / 2, PRICE * 2], expiry: clock.start + EXPIRY };
        let addresses = Addresses::new(at, 1, instrument, server.url());
        write(&arguments.addresses, addresses.to_json().as_bytes())?;
        let words = match &arguments.state {
            Some(_) => "stopped; the same command goes on",
            None => "stopped: the chain is gone, and so is what was on it; --state DIR keeps one",
        };
        terminal::on_interrupt(words.to_owned(), || false);
        ready(arguments, &server, &addresses, &accounts)?;

        let mut absorber = Absorber::new(at.pool, 0, absorb).context("the keys of absorb")?;
        loop {
            tokio::time::sleep(LOOK).await;
            clock.set(&chain);
            absorb_waiting(&chain, &provider, &mut absorber, &accounts[2], at.pool).await?;
            // Time is seen in blocks.
            let newest = provider.get_block_by_number(Default::default()).await;
            let newest = newest.context("the newest block")?.context("the newest block")?;
            if chain.timestamp() >= newest.header.timestamp + BLOCK {
                let mined: Result<serde_json::Value, _> =
                    provider.raw_request("evm_mine".into(), ()).await;
                mined.context("a block")?;
            }
        }
    })
}

/// The chain, and the folder that keeps it for this process alone.
struct State {
    chain: LocalChain,
    _claim: Option<Claim>,
}

impl State {
    fn open(folder: Option<&Path>, accounts: &[Wallet; 10]) -> Result<Self, Failure> {
        let genesis =
            |began| Genesis::development(began).fund(accounts.each_ref().map(Wallet::address));
        let Some(folder) = folder else {
            return Ok(Self { chain: LocalChain::new(genesis(now()?.0)), _claim: None });
        };
        let claim = Claim::alone(folder).map_err(unwritten)?;
        let [chain, began] = KEPT.map(|name| folder.join(name));
        if !began.exists() {
            if chain.exists() {
                let what = format!("{}: there is a chain and not when it began", folder.display());
                return Err(refuse(what, "give another folder, or empty this one"));
            }
            let now = format!("{}\n", now()?.0);
            folder::write_over(&began, now.as_bytes()).map_err(unwritten)?;
        }
        let text = super::text(&began)?;
        let began: u64 = text.trim().parse().map_err(|_| {
            refuse(format!("{}: no Unix seconds", began.display()), "give another folder")
        })?;
        let file = FileStorage::open(&chain).map_err(|error| {
            refuse(format!("{}: {error}", chain.display()), "give another folder")
        })?;
        let opened = LocalChain::open(genesis(began), file);
        let (chain, torn) = opened.map_err(|error| {
            Failure::Input(anyhow::Error::new(error).context(format!("{}", chain.display())))
        })?;
        if torn.is_some() {
            note(
                "note: the last block was not whole when the chain stopped; it goes on from the one before",
            );
        }
        Ok(Self { chain, _claim: Some(claim) })
    }
}

/// The chain's time: as far from its start as this machine's, times the speed. It may be ahead, where somebody moved it.
#[derive(Clone, Copy)]
struct Clock {
    start: u64,
    begun: Instant,
    speed: u64,
}

impl Clock {
    fn set(&self, chain: &LocalChain) {
        let passed = self.begun.elapsed().as_secs() * self.speed;
        // Ahead already, or moved on in between.
        let _ = chain.set_next_timestamp(self.start + passed);
    }
}

/// Has what waits enter the tree, if anything does. Anyone may do it, and may have done it first.
async fn absorb_waiting(
    chain: &LocalChain,
    provider: &DynProvider,
    absorber: &mut Absorber,
    account: &Wallet,
    pool: Address,
) -> Result<(), Failure> {
    absorber.follow(provider, chain.height()).await.context("following the pool")?;
    let Some(call) = absorber.next().context("absorbing")? else { return Ok(()) };
    let (from, input) = (account.address(), Bytes::from(call.abi_encode()));
    let Ok(limit) = gas::limit(provider, from, pool, input.clone()).await else { return Ok(()) };
    let nonce = provider.get_transaction_count(from).await.context("absorbing")?;
    let transaction = account.sign(nonce, Fees::default(), Call::new(pool, input, limit));
    let receipt = send(provider, &transaction.bytes).await.context("absorbing")?;
    let (_, waiting) = absorber.trees().waiting();
    note(format_args!(
        "block {}: {} of {} deposits entered the tree, {} gas",
        receipt.block_number.unwrap_or_default(),
        call.count,
        waiting.len(),
        receipt.gas_used
    ));
    Ok(())
}

fn ready(
    arguments: &Arguments,
    server: &Server,
    addresses: &Addresses,
    accounts: &[Wallet],
) -> Result<(), Failure> {
    let (rpc, file) = (server.url(), arguments.addresses.display());
    let owned: Vec<String> =
        accounts[DEPOSITORS].iter().map(|it| it.address().to_string()).collect();
    if arguments.json {
        let line = json!({
            "rpc": rpc,
            "addresses": arguments.addresses,
            "contracts": addresses.contracts,
            "accounts": owned,
        });
        return say(format!("{line}\n"));
    }
    let at = &addresses.contracts;
    let mut text = format!(
        "A development chain with a dark pool on it, until Ctrl-C{}.\n\n\
         rpc        {rpc}, chain {}\n\
         pool       {}\n\
         venue      {}\n\
         collateral {}\n\
         addresses  {file}\n\n\
         Accounts of the development mnemonic: the issuer with {TOKENS} of the claim,\n\
         the rest with {TOKENS} of the collateral each:\n  \
         --account 1  {}\n",
        arguments
            .state
            .as_ref()
            .map_or_else(String::new, |state| format!(", kept in {}", state.display())),
        at.chain_id,
        at.pool,
        at.dark_pool,
        at.cash,
        accounts[1].address()
    );
    for (number, address) in DEPOSITORS.zip(owned) {
        text += &format!("  --account {number}  {address}\n");
    }
    text += &format!(
        "\nNow, elsewhere:\n  \
         cdpr maker init maker --addresses {file}\n  \
         cdpr maker deposit maker 1000 --account 3\n  \
         cdpr maker balance maker\n  \
         cdpr maker exit maker 400 --to {} --account 4\n  \
         cdpr issuer init issuer --addresses {file}\n  \
         cdpr status\n",
        accounts[9].address()
    );
    say(text)
}

/// Whose reports are taken is a DON of accounts that nobody runs.
async fn config(provider: &DynProvider, accounts: &[Wallet]) -> Result<DeployConfig, Failure> {
    let [deployer, issuer, ..] = accounts else { unreachable!("there are ten") };
    let owner = deployer.address();
    let mint =
        |token, account: &Wallet| Mint { token, to: account.address(), amount: TOKENS * UNIT };
    let mints = accounts[DEPOSITORS].iter().map(|account| mint(Token::Cash, account));
    let mints = mints.chain([mint(Token::Claim, issuer)]);
    Ok(DeployConfig {
        gas_limit: gas::ceiling(provider, owner).await.context("the chain's gas")?,
        deployer: deployer.clone(),
        deployer_nonce: 0,
        issuer: issuer.clone(),
        issuer_nonce: 0,
        fees: Fees::default(),
        don: Don {
            id: 1,
            config_version: 1,
            f: 1,
            signers: accounts[..4].iter().map(Wallet::address).collect(),
        },
        workflow: evm::report::Workflow { id: B256::with_last_byte(1), name: [0; 10], owner },
        timelock: Timelock { delay_min: 0, proposers: vec![owner], executors: vec![owner] },
        guardian: owner,
        guard: GuardParameters {
            attempts_max: 3,
            premium_cap_bps: 200,
            escalation_bps: vec![50, 100, 200],
        },
        price: PRICE,
        price_age_max: 31_536_000,
        workloads: vec![B256::with_last_byte(1)],
        disclosure: Disclosure::Immediate,
        cash_max: 1 << 100,
        claim_max: 1 << 100,
        settle_window: 600,
        tick: 900,
        verifiers: Verifiers::development(),
        mints: mints.collect(),
    })
}
