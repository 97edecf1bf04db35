//! 24 words (BIP 39): all that there is of a party.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use bip39::Mnemonic;
use study::folder::Claim;
use zeroize::Zeroizing;

use crate::Failure;
use crate::commands::{refuse, unwritten};

/// The file of a party's folder that they are in.
const FILE: &str = "words";
/// Most bytes of 24 words in a file.
const LEN_MAX: u64 = 1_024;

/// A party's folder begins, with these words or new ones.
pub(crate) fn begin(folder: &Path, given: Option<Mnemonic>) -> Result<(Mnemonic, Claim), Failure> {
    if are_in(folder) {
        return Err(refuse(
            format!("{}: there are words already", folder.display()),
            "a folder is one party's: give another",
        ));
    }
    let words = given.map_or_else(new, Ok)?;
    let claim = Claim::alone(folder).map_err(unwritten)?;
    keep(folder, &words)?;
    Ok((words, claim))
}

/// New ones.
fn new() -> anyhow::Result<Mnemonic> {
    let mut entropy = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *entropy).map_err(|error| anyhow!("no entropy: {error}"))?;
    Mnemonic::from_entropy(&*entropy).context("32 bytes make 24 words")
}

/// What keys are derived from.
pub(crate) fn seed(words: &Mnemonic) -> Zeroizing<[u8; 64]> {
    Zeroizing::new(words.to_seed_normalized(""))
}

/// Whether a folder has some.
pub(crate) fn are_in(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// Writes them into a folder that has none, for its owner's eyes.
fn keep(folder: &Path, words: &Mnemonic) -> anyhow::Result<()> {
    let file = folder.join(FILE);
    let phrase = Zeroizing::new(format!("{words}\n"));
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
    let kept = made.and_then(|mut made| {
        made.write_all(phrase.as_bytes())?;
        made.sync_all()
    });
    kept.with_context(|| format!("writing {}", file.display()))
}

/// Those of a folder, if nobody else could have read them.
pub(crate) fn kept(folder: &Path) -> Result<Mnemonic, Failure> {
    let file = folder.join(FILE);
    let mode = fs::metadata(&file).context("the words' file")?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(refuse(
            format!("{} can be read by others (mode {:o})", file.display(), mode & 0o777),
            format!("chmod 600 {}", file.display()),
        ));
    }
    read(&file)
}

/// What whoever begins is told of new ones.
pub(crate) fn shown(folder: &Path, words: &Mnemonic) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "\n{}\nThese 24 words are all that there is of what it will have: whoever reads them has it, and\n\
         who loses them has lost it. They are in {}, readable by you alone; write them down elsewhere too.\n",
        *columns(words),
        folder.join(FILE).display()
    ))
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
pub(crate) fn read(path: &Path) -> Result<Mnemonic, Failure> {
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
    source.take(LEN_MAX).read_to_string(&mut phrase).map_err(failed)?;
    parse(&phrase).map_err(|(what, hint)| refuse(format!("{name}: {what}"), hint))
}

/// What is wrong with words, and what to do about it. The words themselves are not repeated but for one that is none.
pub(crate) fn parse(phrase: &str) -> Result<Mnemonic, (String, String)> {
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
