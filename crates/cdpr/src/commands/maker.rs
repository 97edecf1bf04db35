//! `cdpr maker`: what a maker does on its own, over a node of the chain and nothing else: no enclave, issuer or node of
//! ours is asked, so none of them can keep anything in. Notes are found by a seed and the pool's logs; an account of the
//! chain pays gas and has no other part in it.

mod ledger;
mod place;

use anyhow::{Context as _, anyhow};
use circuits::keys::Circuit;
use circuits::second::prove::{Prover, Published as _};
use circuits::second::spend::Witness;
use clap::{Args, Subcommand};
use client::second::{Deposit, Line};
use evm::Wallet;
use evm::alloy::primitives::{Address, U256};
use evm::alloy::rpc::types::TransactionReceipt;
use evm::second::abi::ShieldedPool;
use evm::second::{Proven, call, element};
use pool::second::context::{Exit, Kind};
use pool::second::wallet::{Held, PlanError, Spend, Wanted};
use primitives::{Amount, Premium};
use serde_json::json;

use self::ledger::Ledger;
use self::place::Place;
use super::amount::{parse, words};
use super::sending::{Common, Sending, account, done, transact};
use super::{block_on, refuse};
use crate::addresses;
use crate::terminal::{Progress, on_interrupt, say};
use crate::{Ending, Failure, counts, keys};

/// Seconds in which a spend has to be in a block, from the newest on.
const DEADLINE: u64 = 3_600;

#[derive(Debug, Subcommand)]
pub(crate) enum Maker {
    /// Begin: make 24 words, or take those of an earlier life. They are the notes: keep them.
    Init(place::Arguments),
    /// Pay in. Without a premium the money is held and leaves whenever you like; with one it is a standing line, locked
    /// under its terms, and leaves after an announcement.
    Deposit(DepositArguments),
    /// What is spendable, locked, announced and waiting, as far as the chain was read.
    Balance(Common),
    /// Say that standing lines leave. A round that closes after that cannot have them.
    Announce(Sending),
    /// Take money out.
    Exit(ExitArguments),
}

#[derive(Debug, Args)]
pub(crate) struct DepositArguments {
    #[command(flatten)]
    sending: Sending,
    /// Tokens of the collateral, for example 1000 or 12.5.
    #[arg(value_name = "AMOUNT")]
    amount: String,
    /// Least premium, basis points: the deposit is a standing line at it.
    #[arg(long, value_name = "BPS", value_parser = counts::from_to::<u16>(0, 10_000))]
    premium_min: Option<u16>,
    /// Least that the line is filled for, tokens; any amount by default.
    #[arg(long, value_name = "AMOUNT", requires = "premium_min")]
    fill_min: Option<String>,
    /// Largest hole that the line stays for, hundredths of the coin.
    #[arg(long, value_name = "PERCENT", requires = "premium_min", default_value_t = 100, value_parser = counts::from_to::<u8>(0, 100))]
    gap_max: u8,
}

#[derive(Debug, Args)]
pub(crate) struct ExitArguments {
    #[command(flatten)]
    sending: Sending,
    /// Tokens, or `all`: every note that can be spent now, one transaction each.
    #[arg(value_name = "AMOUNT|all")]
    amount: String,
    /// Who gets them.
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// What: what was deposited, or what was paid for it.
    #[arg(long, value_enum, default_value_t = Asset::Collateral)]
    asset: Asset,
}

/// Which of the venue's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Asset {
    /// What makers deposit.
    Collateral,
    /// What they are paid in.
    Claim,
}

pub(crate) fn run(command: &Maker) -> Result<Ending, Failure> {
    let words =
        "interrupted; what was sent stays sent: `cdpr maker balance` says what became of it";
    on_interrupt(words.to_owned(), || false);
    block_on(async {
        match command {
            Maker::Init(arguments) => place::init(arguments).await,
            Maker::Deposit(arguments) => deposit(arguments).await,
            Maker::Balance(arguments) => balance(arguments).await,
            Maker::Announce(arguments) => announce(arguments).await,
            Maker::Exit(arguments) => exit(arguments).await,
        }
    })
}

async fn balance(arguments: &Common) -> Result<Ending, Failure> {
    let place = Place::open(&arguments.folder)?;
    let ledger = Ledger::open(&place, arguments.rpc.as_deref()).await?;
    let text = if arguments.json { ledger.to_json() } else { ledger.to_string() };
    say(text)?;
    Ok(Ending::Done)
}

async fn deposit(arguments: &DepositArguments) -> Result<Ending, Failure> {
    let Sending { common, .. } = &arguments.sending;
    let place = Place::open(&common.folder)?;
    let mut ledger = Ledger::open(&place, common.rpc.as_deref()).await?;
    let account = account(&arguments.sending, ledger.market().chain_id)?;
    let market = *ledger.market();
    let decimals = market.collateral_decimals;
    let amount = parse(&arguments.amount, decimals)?;
    let token = Address::from(market.collateral.0);
    let has = addresses::balance(&ledger.provider, token, account.address()).await?;
    if has < U256::from(amount.units()) {
        let has = u128::try_from(has).map_or_else(|_| has.to_string(), |has| words(has, decimals));
        return Err(refuse(
            format!("{} has {has} of the collateral {token}", account.address()),
            "deposit less, or from another account",
        ));
    }
    let deposit = match arguments.premium_min {
        None => ledger.maker.hold(market.collateral, amount),
        Some(bps) => {
            let fill_min = match &arguments.fill_min {
                Some(text) => parse(text, decimals)?,
                None => Amount::new(1).unwrap_or(amount),
            };
            let line = Line {
                capacity: amount,
                premium_min: Premium::new(bps).context("a premium")?,
                fill_min,
                gap_band_max: arguments.gap_max,
            };
            place.keep_line(ledger.maker.number(), &line)?;
            ledger.maker.offer(&line).context("the line's terms")?
        }
    };
    // Before anything is sent: two notes of one number are worse than a number that was never used.
    place.keep_number(ledger.maker.number())?;
    let Deposit { inner, hint, memo, .. } = deposit;
    let approve = evm::abi::CashToken::approveCall {
        spender: ledger.pool(),
        value: U256::from(amount.units()),
    };
    let pay = ShieldedPool::depositCall {
        asset_: token,
        amount: U256::from(amount.units()),
        inner: U256::from_be_bytes(inner),
        hint: U256::from_be_bytes(hint),
        memo: U256::from_be_bytes(memo),
    };
    transact(&ledger.provider, &account, token, &approve, "the token's approval").await?;
    let receipt = transact(&ledger.provider, &account, ledger.pool(), &pay, "the deposit").await?;
    let kind = if arguments.premium_min.is_some() { "a standing line" } else { "held" };
    let amount = words(amount.units(), decimals);
    done(
        common,
        &receipt,
        json!({ "deposited": amount, "as": kind }),
        &format!(
            "{amount} deposited, {kind}; it can be used once it is absorbed: see `cdpr maker balance`"
        ),
    )
}

async fn announce(arguments: &Sending) -> Result<Ending, Failure> {
    let place = Place::open(&arguments.common.folder)?;
    let ledger = Ledger::open(&place, arguments.common.rpc.as_deref()).await?;
    let account = account(arguments, ledger.market().chain_id)?;
    let lines: Vec<Held> = ledger.maker.lines().copied().collect();
    if lines.is_empty() {
        return Err(refuse(
            "no standing line is in the tree and not announced",
            "`cdpr maker balance` says what there is",
        ));
    }
    let prover = prover(&ledger)?;
    for (number, line) in (1..).zip(&lines) {
        let plan = ledger.maker.wallet().announce(&ledger.trees, &[line.nullifier]);
        let plan = plan.map_err(unplanned)?;
        let receipt = spend(&ledger, &prover, &account, &plan, Address::ZERO).await?;
        let amount = words(line.note.amount, ledger.decimals(line.note.asset));
        let leaves = ledger.time + ledger.window;
        done(
            &arguments.common,
            &receipt,
            json!({ "announced": amount, "leaves_after": leaves }),
            &format!(
                "line {number} of {}: {amount} announced; `cdpr maker exit` takes it {} s from now on",
                lines.len(),
                ledger.window
            ),
        )?;
    }
    Ok(Ending::Done)
}

async fn exit(arguments: &ExitArguments) -> Result<Ending, Failure> {
    let common = &arguments.sending.common;
    let recipient: Address = arguments.to.parse().map_err(|_| {
        refuse(
            format!("--to {:?} is no address, or its checksum is wrong", arguments.to),
            "0x and 40 hexadecimal digits, as a wallet shows them",
        )
    })?;
    let place = Place::open(&common.folder)?;
    let ledger = Ledger::open(&place, common.rpc.as_deref()).await?;
    if recipient == Address::ZERO || recipient == ledger.pool() {
        return Err(refuse(
            format!("--to {recipient} is nobody: what goes there is lost"),
            "give an address of yours",
        ));
    }
    let account = account(&arguments.sending, ledger.market().chain_id)?;
    let token = match arguments.asset {
        Asset::Collateral => ledger.market().collateral,
        Asset::Claim => ledger.market().consideration,
    };
    let asset = element(Address::from(token.0));
    let decimals = ledger.decimals(asset);
    let wallet = ledger.maker.wallet();
    let plans: Vec<Spend> = if arguments.amount == "all" {
        let ready: Vec<Held> = ledger.ready(asset).copied().collect();
        if ready.is_empty() {
            let waiting = wallet.balance(asset);
            return Err(unplanned(PlanError::NotEnough { need: 1, ready: 0, waiting }));
        }
        let plan = |held: &Held| {
            let wanted = Wanted { asset, amount: held.note.amount, outputs: Vec::new() };
            wallet.spend_these(&ledger.trees, &wanted, &[held.nullifier])
        };
        ready.iter().map(plan).collect::<Result<_, _>>().map_err(unplanned)?
    } else {
        let amount = parse(&arguments.amount, decimals)?.units();
        let wanted = Wanted { asset, amount, outputs: Vec::new() };
        let plan = wallet.spend(&ledger.trees, &wanted, ledger.time, ledger.window);
        vec![plan.map_err(|error| short(error, decimals))?]
    };
    let prover = prover(&ledger)?;
    for plan in &plans {
        let receipt = spend(&ledger, &prover, &account, plan, recipient).await?;
        let amount = words(plan.amount, decimals);
        let change: u128 = plan.outputs.iter().map(|(amount, _)| amount).sum();
        let rest = match change {
            0 => String::new(),
            rest => format!("; {} of the notes comes back once absorbed", words(rest, decimals)),
        };
        done(
            common,
            &receipt,
            json!({ "left": amount, "to": recipient, "change": words(change, decimals) }),
            &format!("{amount} left for {recipient}{rest}"),
        )?;
    }
    Ok(Ending::Done)
}

fn prover(ledger: &Ledger) -> Result<Prover<Witness>, Failure> {
    let chain_id = ledger.market().chain_id;
    if chain_id != evm::DEVELOPMENT_CHAIN_ID {
        return Err(refuse(
            format!("this build has no keys to prove a spend with on chain {chain_id}"),
            "keys for other chains come from a ceremony",
        ));
    }
    Ok(Prover::new(keys::of(Circuit::Spend, chain_id)?).context("the keys of spend")?)
}

/// Proves and sends what was planned.
async fn spend(
    ledger: &Ledger,
    prover: &Prover<Witness>,
    account: &Wallet,
    plan: &Spend,
    recipient: Address,
) -> Result<TransactionReceipt, Failure> {
    let kind = if plan.announce { Kind::Announce } else { Kind::Spend };
    let exit = Exit {
        recipient: recipient.into(),
        relayer: [0; 20],
        fee: 0,
        deadline: ledger.time + DEADLINE,
        hints: plan.hints(),
        memos: plan.memos(),
    };
    let context = ledger.market().deployment().exit_context(kind, &exit);
    let slots = ledger.slots(plan).await?;
    let progress = Progress::working("proving");
    let mut blinding = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *blinding).map_err(|error| anyhow!("no entropy: {error}"))?;
    let (statement, proof) = prover
        .prove(&Witness::of(plan, context), *blinding)
        .map_err(|error| anyhow!("no proof: {error}"))?;
    drop(progress);
    let proven = Proven { proof: proof.to_words(), posted: statement.posted() };
    let exit = call::exit(plan, &exit).context("the exit")?;
    let call = call::spend(exit, slots, &proven);
    transact(&ledger.provider, account, ledger.pool(), &call, "the spend").await
}

fn unplanned(error: PlanError) -> Failure {
    Failure::Input(anyhow!(error))
}

/// The same in tokens where it is about amounts.
fn short(error: PlanError, decimals: u8) -> Failure {
    let PlanError::NotEnough { need, ready, waiting } = error else { return unplanned(error) };
    let [need, ready, waiting] = [need, ready, waiting].map(|it| words(it, decimals));
    refuse(
        format!("{need} is wanted, {ready} can be spent now, {waiting} later"),
        "deposits leave once absorbed, standing lines once `cdpr maker announce` is old enough",
    )
}
