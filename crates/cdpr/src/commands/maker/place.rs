//! A maker's folder: its words, where the system is, and which numbers were given out.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bip39::Mnemonic;
use clap::Args;
use client::second::{Line, Maker, Market};
use evm::alloy::providers::Provider as _;
use primitives::{Amount, Premium};
use serde::{Deserialize, Serialize};
use study::folder::{self, Claim};
use zeroize::Zeroizing;

use crate::addresses::{self, Addresses};
use crate::commands::{refuse, text, unwritten};
use crate::terminal::say;
use crate::{Ending, Failure, counts, words};

const ADDRESSES: &str = "addresses.json";
const STATE: &str = "maker.json";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// A folder that is not there yet, or is empty.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The address file of the system.
    #[arg(long, value_name = "FILE")]
    addresses: PathBuf,
    /// Words of an earlier life, instead of new ones: a file of them, or `-` for standard input.
    #[arg(long, value_name = "FILE")]
    words: Option<PathBuf>,
    /// With --words: no block before this one has a note of theirs. The system's first by default.
    #[arg(long, value_name = "BLOCK", requires = "words", value_parser = counts::from_to::<u64>(0, u64::MAX))]
    birthday: Option<u64>,
    /// A node of the chain, instead of the address file's.
    #[arg(long, value_name = "URL", env = "ETH_RPC_URL", hide_env_values = true)]
    rpc: Option<String>,
}

/// What is kept beside the words.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    format: String,
    /// No block before it has a note of the words.
    birthday: u64,
    /// Numbers below it were given out.
    number: u64,
    /// Lines by their numbers, so that they can be offered: an enclave is shown their terms.
    lines: Vec<Offered>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Offered {
    number: u64,
    /// Base units.
    capacity: u128,
    premium_min_bps: u16,
    /// Base units.
    fill_min: u128,
    gap_max: u8,
}

const FORMAT: &str = "cdpr/maker/v1";
/// Most deposits of one maker: each is looked for whenever the chain is read.
const NUMBERS_MAX: u64 = 1 << 20;

pub(super) async fn init(arguments: &Arguments) -> Result<Ending, Failure> {
    let addresses = Addresses::read(&arguments.addresses)?;
    let given = arguments.words.as_deref().map(words::read).transpose()?;
    let connected = addresses::connect(&addresses, arguments.rpc.as_deref()).await?;
    let birthday = match (&given, arguments.birthday) {
        (_, Some(block)) => block,
        (Some(_), None) => addresses.created,
        (None, None) => {
            connected.provider.get_block_number().await.context("asking for the newest block")?
        }
    };
    let is_new = given.is_none();
    let folder = &arguments.folder;
    let (words, _claim) = words::begin(folder, given)?;
    let keep = |name: &str, text: &str| {
        folder::write_over(&folder.join(name), text.as_bytes()).map_err(unwritten)
    };
    keep(ADDRESSES, &addresses.to_json())?;
    let state = State { format: FORMAT.to_owned(), birthday, number: 0, lines: Vec::new() };
    keep(STATE, &state.to_json())?;
    let mut said =
        Zeroizing::new(format!("maker in {}, from block {birthday} on\n", folder.display()));
    if is_new {
        *said += &words::shown(folder, &words);
    }
    say(said.as_bytes())?;
    Ok(Ending::Done)
}

/// An opened folder; nobody else has it open.
pub(super) struct Place {
    folder: PathBuf,
    addresses: Addresses,
    words: Mnemonic,
    state: State,
    _claim: Claim,
}

impl Place {
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        if !words::are_in(folder) {
            return Err(refuse(
                format!("{} is no maker's folder", folder.display()),
                "`cdpr maker init DIR --addresses FILE` makes one",
            ));
        }
        let claim = Claim::alone(folder).map_err(unwritten)?;
        let words = words::kept(folder)?;
        let path = folder.join(STATE);
        let state: State = serde_json::from_str(&text(&path)?).map_err(|error| {
            refuse(format!("{}: {error}", path.display()), "make the folder anew from its words")
        })?;
        if state.format != FORMAT {
            return Err(refuse(
                format!("{}: format {:?}", path.display(), state.format),
                format!("this version reads {FORMAT:?}"),
            ));
        }
        if state.number > NUMBERS_MAX {
            return Err(refuse(
                format!("{}: {} deposits were made", path.display(), state.number),
                format!(
                    "a wallet looks for {NUMBERS_MAX} at most: make the folder anew from its words"
                ),
            ));
        }
        Ok(Self {
            addresses: Addresses::read(&folder.join(ADDRESSES))?,
            words,
            folder: folder.to_owned(),
            state,
            _claim: claim,
        })
    }

    pub(super) const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The maker before it has read anything.
    pub(super) fn maker(&self, market: Market) -> Result<Maker, Failure> {
        let seed = words::seed(&self.words);
        let mut maker =
            Maker::new(&*seed, market, self.state.birthday).context("a seed of 64 bytes")?;
        maker.resume(self.state.number);
        for offered in &self.state.lines {
            let line = offered.line().context("an offered line")?;
            maker.recall(offered.number, &line).context("an offered line")?;
        }
        Ok(maker)
    }

    /// Notes a line before it is deposited.
    pub(super) fn keep_line(&self, number: u64, line: &Line) -> Result<(), Failure> {
        let offered = Offered {
            number,
            capacity: line.capacity.units(),
            premium_min_bps: line.premium_min.bps(),
            fill_min: line.fill_min.units(),
            gap_max: line.gap_band_max,
        };
        let mut state = self.state_now()?;
        state.lines.push(offered);
        self.keep(&state)
    }

    /// Notes that numbers below this one are given out.
    pub(super) fn keep_number(&self, number: u64) -> Result<(), Failure> {
        let state = State { number, ..self.state_now()? };
        self.keep(&state)
    }

    fn state_now(&self) -> Result<State, Failure> {
        let text = text(&self.folder.join(STATE))?;
        Ok(serde_json::from_str(&text).context("what this process wrote")?)
    }

    fn keep(&self, state: &State) -> Result<(), Failure> {
        folder::write_over(&self.folder.join(STATE), state.to_json().as_bytes()).map_err(unwritten)
    }
}

impl State {
    fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers have a JSON") + "\n"
    }
}

impl Offered {
    fn line(&self) -> Option<Line> {
        Some(Line {
            capacity: Amount::new(self.capacity).ok()?,
            premium_min: Premium::new(self.premium_min_bps)?,
            fill_min: Amount::new(self.fill_min).ok()?,
            gap_band_max: self.gap_max,
        })
    }
}
