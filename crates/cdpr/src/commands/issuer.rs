//! `cdpr issuer`: the account at its venue: opened, funded, taken back from, released from, and the mandate that says how
//! much may be raised, at what premium. Amounts in the account are hidden: what opens them is 24 words and the logs.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use circuits::keys::Circuit;
use circuits::second::account::Witness;
use circuits::second::prove::{Prover, Published as _};
use clap::{Args, Subcommand};
use client::Secrets;
use client::second::{AccountMove, Error, Issuer, Mandated, Market};
use evm::alloy::primitives::{Address, U256};
use evm::alloy::providers::DynProvider;
use evm::alloy::rpc::types::TransactionReceipt;
use evm::second::abi::DarkPool;
use evm::second::log::Facts;
use evm::second::scan::Scan;
use evm::second::{Proven, call};
use primitives::{Amount, Duration, Premium, sha256};
use serde::{Deserialize, Serialize};
use serde_json::json;
use study::folder::{self, Claim};
use zeroize::Zeroizing;

use super::amount::{parse, words as tokens};
use super::sending::{Common, Sending, account, done, transact};
use super::{block_on, refuse, text, unwritten};
use crate::addresses::{self, Addresses, Connected};
use crate::terminal::{Progress, on_interrupt, say};
use crate::{Ending, Failure, counts, keys, words};

const ADDRESSES: &str = "addresses.json";
const STATE: &str = "issuer.json";
const FORMAT: &str = "cdpr/issuer/v1";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin: make 24 words, or take those of an earlier life, and say what the mandate allows.
    Init(InitArguments),
    /// Open the account at the venue, empty.
    Open(Sending),
    /// Pay what makers are paid with into the account.
    Fund(AmountArguments),
    /// Take back what was paid in and not used.
    TakeBack(AmountArguments),
    /// Take raised collateral out, to a wallet that the venue's owner has registered.
    Release(ReleaseArguments),
    /// Register the mandate.
    Mandate(Sending),
    /// What the account has, as the chain says and the words open it.
    Position(Common),
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// A folder that is not there yet, or is empty.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The address file of the system.
    #[arg(long, value_name = "FILE")]
    addresses: PathBuf,
    /// Words of an earlier life, instead of new ones: a file of them, or `-` for standard input.
    #[arg(long, value_name = "FILE")]
    words: Option<PathBuf>,
    /// Most collateral that is raised in an epoch, tokens.
    #[arg(long, value_name = "AMOUNT", default_value = "1000000")]
    amount_max: String,
    /// Most that is paid for it, basis points.
    #[arg(long, value_name = "BPS", default_value_t = 200, value_parser = counts::from_to::<u16>(0, 10_000))]
    premium_max: u16,
    /// How long an epoch is, days.
    #[arg(long, value_name = "DAYS", default_value_t = 1, value_parser = counts::from_to::<u32>(1, 3_650))]
    epoch_days: u32,
    /// Fills are multiples of it, tokens.
    #[arg(long, value_name = "AMOUNT", default_value = "1")]
    lot: String,
    /// Smallest fill that takes a slot, tokens.
    #[arg(long, value_name = "AMOUNT", default_value = "10")]
    slot_min: String,
    /// A node of the chain, instead of the address file's.
    #[arg(long, value_name = "URL", env = "ETH_RPC_URL", hide_env_values = true)]
    rpc: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AmountArguments {
    #[command(flatten)]
    sending: Sending,
    /// Tokens.
    #[arg(value_name = "AMOUNT")]
    amount: String,
}

#[derive(Debug, Args)]
pub(crate) struct ReleaseArguments {
    #[command(flatten)]
    amount: AmountArguments,
    /// The registered wallet.
    #[arg(long, value_name = "ADDRESS")]
    to: Address,
}

pub(crate) fn run(command: &Command) -> Result<Ending, Failure> {
    let words =
        "interrupted; what was sent stays sent: `cdpr issuer position` says what became of it";
    on_interrupt(words.to_owned(), || false);
    block_on(async {
        match command {
            Command::Init(arguments) => init(arguments).await,
            Command::Open(sending) => {
                let treasury = Treasury::open(&sending.common).await?;
                treasury.act(sending, treasury.issuer.open(), "opened").await
            }
            Command::Fund(AmountArguments { sending, amount }) => {
                let treasury = Treasury::open(&sending.common).await?;
                let amount = parse(amount, treasury.market.consideration_decimals)?;
                treasury.act(sending, treasury.issuer.fund(amount), "funded").await
            }
            Command::TakeBack(AmountArguments { sending, amount }) => {
                let treasury = Treasury::open(&sending.common).await?;
                let amount = parse(amount, treasury.market.consideration_decimals)?;
                treasury.act(sending, treasury.issuer.take_back(amount), "taken back").await
            }
            Command::Release(ReleaseArguments { amount, to }) => {
                let AmountArguments { sending, amount } = amount;
                let treasury = Treasury::open(&sending.common).await?;
                let amount = parse(amount, treasury.market.collateral_decimals)?;
                let to = primitives::Address((*to).into());
                treasury.act(sending, treasury.issuer.release(amount, to), "released").await
            }
            Command::Mandate(sending) => mandate(sending).await,
            Command::Position(common) => position(common).await,
        }
    })
}

/// What the mandate allows, as it was said at the beginning: with the words it opens the mandate's commitment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    format: String,
    /// Base units.
    amount_max: u128,
    premium_max_bps: u16,
    epoch_seconds: u64,
    /// Base units.
    lot: u128,
    /// Base units.
    slot_min: u128,
}

impl State {
    fn mandated(&self) -> anyhow::Result<Mandated> {
        Ok(Mandated {
            amount_max: Amount::new(self.amount_max)?,
            epoch: Duration(self.epoch_seconds),
            premium_max: Premium::new(self.premium_max_bps).context("a premium")?,
            lot: Amount::new(self.lot)?,
            slot_min: Amount::new(self.slot_min)?,
        })
    }
}

async fn init(arguments: &InitArguments) -> Result<Ending, Failure> {
    let addresses = Addresses::read(&arguments.addresses)?;
    let given = arguments.words.as_deref().map(words::read).transpose()?;
    let is_new = given.is_none();
    let Connected { market, .. } = addresses::connect(&addresses, arguments.rpc.as_deref()).await?;
    let units = |text: &str| Ok::<_, Failure>(parse(text, market.collateral_decimals)?.units());
    let state = State {
        format: FORMAT.to_owned(),
        amount_max: units(&arguments.amount_max)?,
        premium_max_bps: arguments.premium_max,
        epoch_seconds: u64::from(arguments.epoch_days) * 86_400,
        lot: units(&arguments.lot)?,
        slot_min: units(&arguments.slot_min)?,
    };
    let folder = &arguments.folder;
    let (words, _claim) = words::begin(folder, given)?;
    let keep = |name: &str, text: &str| {
        folder::write_over(&folder.join(name), text.as_bytes()).map_err(unwritten)
    };
    keep(ADDRESSES, &addresses.to_json())?;
    let json = serde_json::to_string_pretty(&state).expect("numbers have a JSON");
    keep(STATE, &(json + "\n"))?;
    let issuer = Address::from(market.issuer.0);
    let mut said = Zeroizing::new(format!("issuer in {}, for {issuer}\n", folder.display()));
    if is_new {
        *said += &words::shown(folder, &words);
    }
    say(said.as_bytes())?;
    Ok(Ending::Done)
}

/// The issuer as of the newest block.
struct Treasury {
    provider: DynProvider,
    market: Market,
    addresses: Addresses,
    issuer: Issuer,
    block: u64,
    _claim: Claim,
}

impl Treasury {
    async fn open(common: &Common) -> Result<Self, Failure> {
        let folder: &Path = &common.folder;
        if !words::are_in(folder) || !folder.join(STATE).is_file() {
            return Err(refuse(
                format!("{} is no issuer's folder", folder.display()),
                "`cdpr issuer init DIR --addresses FILE` makes one",
            ));
        }
        let claim = Claim::alone(folder).map_err(unwritten)?;
        let path = folder.join(STATE);
        let state: State = serde_json::from_str(&text(&path)?).map_err(|error| {
            refuse(format!("{}: {error}", path.display()), "make the folder anew from its words")
        })?;
        let addresses = Addresses::read(&folder.join(ADDRESSES))?;
        let connected = addresses::connect(&addresses, common.rpc.as_deref()).await?;
        let (block, _) = connected.final_block().await?;
        let Connected { provider, market, .. } = connected;
        let secrets = secrets(words::seed(&words::kept(folder)?));
        let mut issuer = Issuer::new(&state.mandated()?, market, secrets)
            .map_err(|error| refuse(error, "the tokens' decimals do not fit one another"))?;
        let progress = Progress::working("reading the venue's logs");
        let mut facts = Facts::new(&addresses.contracts);
        let mut scan = Scan::of(&addresses.contracts, addresses.created);
        while !scan.has_read(block) {
            for log in scan.advance(&provider, block).await.context("reading the venue")? {
                if let Some(fact) = facts.read(&log).context("reading the venue")? {
                    issuer.hear(&fact);
                }
            }
        }
        drop(progress);
        Ok(Self { provider, market, addresses, issuer, block, _claim: claim })
    }

    fn venue(&self) -> Address {
        self.addresses.contracts.dark_pool
    }

    /// Proves a move of the account and sends it. Only the issuer's own account may.
    async fn act(
        &self,
        sending: &Sending,
        planned: Result<AccountMove, Error>,
        done_what: &str,
    ) -> Result<Ending, Failure> {
        let planned = planned.map_err(|error| Failure::Input(error.into()))?;
        let AccountMove { plan, asset, recipient } = planned;
        let account = account(sending, self.market.chain_id)?;
        let issuer = Address::from(self.market.issuer.0);
        if account.address() != issuer {
            return Err(refuse(
                format!("{} is not the venue's issuer, {issuer}", account.address()),
                "send from the issuer's account",
            ));
        }
        if self.market.chain_id != evm::DEVELOPMENT_CHAIN_ID {
            return Err(refuse(
                format!("this build has no keys for chain {}", self.market.chain_id),
                "keys for other chains come from a ceremony",
            ));
        }
        let kind = plan.kind.into();
        let asset = Address::from(asset.0);
        if kind == pool::second::context::Kind::Fund {
            let (spender, value) = (self.venue(), U256::from(plan.amount));
            let approve = evm::abi::CashToken::approveCall { spender, value };
            transact(&self.provider, &account, asset, &approve, "the token's approval").await?;
        }
        let keys = keys::of(Circuit::Account, self.market.chain_id)?;
        let prover = Prover::<Witness>::new(keys).context("the keys of account")?;
        let mut blinding = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *blinding).map_err(|error| anyhow::anyhow!("no entropy: {error}"))?;
        let (statement, proof) = prover
            .prove(&Witness::of(&plan), *blinding)
            .map_err(|error| anyhow::anyhow!("no proof: {error}"))?;
        let proven = Proven { proof: proof.to_words(), posted: statement.posted() };
        let recipient = Address::from(recipient.0);
        let call = call::move_account(kind, asset, plan.amount, recipient, &proven);
        let receipt = transact(&self.provider, &account, self.venue(), &call, "the move").await?;
        self.done(&sending.common, &receipt, plan.amount, done_what)
    }

    fn done(
        &self,
        common: &Common,
        receipt: &TransactionReceipt,
        amount: u128,
        what: &str,
    ) -> Result<Ending, Failure> {
        let amount = tokens(amount, self.market.consideration_decimals);
        let text = if amount == "0" { what.to_owned() } else { format!("{amount} {what}") };
        done(common, receipt, json!({ "done": what, "amount": amount }), &text)
    }
}

/// `SHA-256("cdpr/issuer/v1" ‖ seed, 64 bytes ‖ counter, 8 bytes big-endian ‖ label)`.
fn secrets(seed: Zeroizing<[u8; 64]>) -> Secrets {
    Secrets::new(move |label, counter| {
        sha256(&[FORMAT.as_bytes(), &*seed, &counter.to_be_bytes(), label.as_bytes()])
    })
}

async fn mandate(sending: &Sending) -> Result<Ending, Failure> {
    let treasury = Treasury::open(&sending.common).await?;
    let account = account(sending, treasury.market.chain_id)?;
    let mandate_ = U256::from_be_bytes(treasury.issuer.mandate());
    let call = DarkPool::registerMandateCall { mandate_ };
    let (provider, venue) = (&treasury.provider, treasury.venue());
    let receipt = transact(provider, &account, venue, &call, "the mandate").await?;
    treasury.done(&sending.common, &receipt, 0, "the mandate is registered")
}

async fn position(common: &Common) -> Result<Ending, Failure> {
    let treasury = Treasury::open(common).await?;
    let Treasury { provider, market, issuer, block, .. } = &treasury;
    let registered = DarkPool::new(treasury.venue(), provider).mandate().call().await;
    let registered = registered.context("asking for the mandate")?;
    let is_ours = registered == U256::from_be_bytes(issuer.mandate());
    let mandate = match is_ours {
        true => "registered",
        false if registered == U256::ZERO => "none registered",
        false => "another is registered, or these are not its words",
    };
    let (collateral, claim) = (market.collateral_decimals, market.consideration_decimals);
    let account = issuer.account().map(|account| {
        (tokens(account.position, collateral), tokens(account.consideration, claim))
    });
    if common.json {
        let account = account.map(|(position, consideration)| {
            json!({ "raised": position, "consideration": consideration })
        });
        let json = json!({ "block": block, "account": account, "mandate_is_ours": is_ours });
        say(format!("{json}\n"))?;
        return Ok(Ending::Done);
    }
    let account = account.map_or_else(
        || "account     not open, or not these words'\n".to_owned(),
        |(position, consideration)| {
            format!("raised      {position}\nto pay with {consideration}\n")
        },
    );
    say(format!("{account}mandate     {mandate}\nread to block {block}\n"))?;
    Ok(Ending::Done)
}
