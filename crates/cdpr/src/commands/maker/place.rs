//! A maker's folder: its words, where the system is, and which numbers were given out.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
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
use crate::{Ending, Failure, counts};

const WORDS: &str = "words";
const ADDRESSES: &str = "addresses.json";
const STATE: &str = "maker.json";
/// Most bytes of 24 words in a file.
const WORDS_MAX: u64 = 1_024;

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

pub(super) async fn init(arguments: &Arguments) -> Result<Ending, Failure> {
    let addresses = Addresses::read(&arguments.addresses)?;
    let given = arguments.words.as_deref().map(read).transpose()?;
    let connected = addresses::connect(&addresses, arguments.rpc.as_deref()).await?;
    let birthday = match (&given, arguments.birthday) {
        (_, Some(block)) => block,
        (Some(_), None) => addresses.created,
        (None, None) => {
            connected.provider.get_block_number().await.context("asking for the newest block")?
        }
    };
    let is_new = given.is_none();
    let words = match given {
        Some(words) => words,
        None => {
            let mut entropy = Zeroizing::new([0; 32]);
            getrandom::fill(&mut *entropy).map_err(|error| anyhow!("no entropy: {error}"))?;
            Mnemonic::from_entropy(&*entropy).context("32 bytes make 24 words")?
        }
    };
    let folder = &arguments.folder;
    if folder.join(WORDS).exists() {
        return Err(refuse(
            format!("{}: there are words already", folder.display()),
            "a folder is one maker's: give another",
        ));
    }
    let _claim = Claim::alone(folder).map_err(unwritten)?;
    let file = folder.join(WORDS);
    let phrase = Zeroizing::new(format!("{words}\n"));
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
    let kept = made.and_then(|mut made| {
        made.write_all(phrase.as_bytes())?;
        made.sync_all()
    });
    kept.with_context(|| format!("writing {}", file.display()))?;
    let keep = |name: &str, text: &str| {
        folder::write_over(&folder.join(name), text.as_bytes()).map_err(unwritten)
    };
    keep(ADDRESSES, &addresses.to_json())?;
    let state = State { format: FORMAT.to_owned(), birthday, number: 0, lines: Vec::new() };
    keep(STATE, &state.to_json())?;
    let mut said =
        Zeroizing::new(format!("maker in {}, from block {birthday} on\n", folder.display()));
    if is_new {
        *said += &format!(
            "\n{}\nThese 24 words are all that there is of what it will have: whoever reads them has it, and\n\
             who loses them has lost it. They are in {}, readable by you alone; write them down elsewhere too.\n",
            *columns(&words),
            file.display()
        );
    }
    say(said.as_bytes())?;
    Ok(Ending::Done)
}

/// Four words a line, numbered.
fn columns(words: &Mnemonic) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::new());
    for (word, number) in words.words().zip(1..) {
        *text += &format!("{number:>4} {word}");
        *text += if number % 4 == 0 { "\n" } else { &"         "[word.len().min(9)..] };
    }
    text
}

/// Reads words that somebody wrote down.
fn read(path: &Path) -> Result<Mnemonic, Failure> {
    let name = path.display();
    let failed = |error: std::io::Error| {
        refuse(format!("{name}: {error}"), "a file of 24 words, or - for standard input")
    };
    let mut phrase = Zeroizing::new(String::new());
    let source: &mut dyn std::io::Read = if path == Path::new("-") {
        &mut std::io::stdin().lock()
    } else {
        &mut File::open(path).map_err(failed)?
    };
    source.take(WORDS_MAX).read_to_string(&mut phrase).map_err(failed)?;
    parse(&phrase).map_err(|(what, hint)| refuse(format!("{name}: {what}"), hint))
}

/// What is wrong with words, and what to do about it. The words themselves are not repeated but for one that is none.
fn parse(phrase: &str) -> Result<Mnemonic, (String, String)> {
    let given: Vec<&str> = phrase.split_whitespace().collect();
    if given.len() != 24 {
        let hint = "all 24, in their order, with spaces or line ends between";
        return Err((format!("{} words where 24 are needed", given.len()), hint.to_owned()));
    }
    let list = bip39::Language::English.word_list();
    if let Some(at) = given.iter().position(|word| !list.contains(&word.to_lowercase().as_str())) {
        let nearest = study::spec::nearest(&given[at].to_lowercase(), list);
        let meant = nearest.map(|word| format!("did you mean {word:?}? ")).unwrap_or_default();
        let hint = format!("{meant}All are of BIP 39's English list");
        return Err((format!("word {} is {:?}, which is none", at + 1, given[at]), hint));
    }
    let phrase = Zeroizing::new(given.join(" ").to_lowercase());
    Mnemonic::parse_normalized(&phrase).map_err(|_| {
        let what = "every word is one, but together they are not: their checksum is wrong";
        (what.to_owned(), "look for two that changed places, or one taken for another".to_owned())
    })
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
        let file = folder.join(WORDS);
        if !file.is_file() {
            return Err(refuse(
                format!("{} is no maker's folder", folder.display()),
                "`cdpr maker init DIR --addresses FILE` makes one",
            ));
        }
        let claim = Claim::alone(folder).map_err(unwritten)?;
        let mode = fs::metadata(&file).context("the words' file")?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(refuse(
                format!("{} can be read by others (mode {:o})", file.display(), mode & 0o777),
                format!("chmod 600 {}", file.display()),
            ));
        }
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
        Ok(Self {
            addresses: Addresses::read(&folder.join(ADDRESSES))?,
            words: read(&file)?,
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
        let seed = Zeroizing::new(self.words.to_seed_normalized(""));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// BIP 39's own vector of 32 zero bytes.
    const ZEROS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                         abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon art";

    #[test]
    fn words_are_read_as_bip_39_says_and_a_wrong_one_is_named() {
        let words = parse(&ZEROS.replace(' ', "\n").to_uppercase()).unwrap();
        // Without a passphrase. Computed with Python's hashlib.pbkdf2_hmac.
        let seed = words.to_seed_normalized("");
        assert_eq!(primitives::hex(&seed[..8]), "408b285c12383600");
        let wrong = |phrase: &str| parse(phrase).unwrap_err();
        let (what, hint) = wrong(&ZEROS.replacen("abandon abandon", "abandon abandom", 1));
        assert_eq!(what, "word 2 is \"abandom\", which is none");
        assert!(hint.starts_with("did you mean \"abandon\"?"), "{hint}");
        assert!(wrong(&ZEROS.replace("art", "zoo")).0.contains("their checksum is wrong"));
        assert_eq!(wrong("abandon art").0, "2 words where 24 are needed");
    }
}
