//! `cdpr verify attestation`: what a Nitro attestation document says, and each check of it in words.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::anyhow;
use attestation::{
    Anchors, DEVELOPMENT_CHAIN_ID, Document, Error, Measurement, Measurements, Policy, Trust,
    verify,
};
use clap::Args;
use primitives::{Timestamp, hex};
use serde_json::json;

use crate::commands::{bytes, now};
use crate::terminal::say;
use crate::{Ending, Failure, counts};

/// Most bytes that are read: what is longer than a document may be is told by how long it is.
const LEN_MAX: u64 = 1 << 20;

/// COSE_Sign1 as RFC 9052 tags it: AWS leaves the tag out, others put it before the same bytes.
const TAG_18: u8 = 0xd2;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The document: COSE_Sign1, with CBOR tag 18 or without.
    #[arg(value_name = "FILE")]
    document: PathBuf,
    /// When it has to hold: Unix seconds or ISO 8601 (2026-01-31T12:00:00Z); now by default.
    #[arg(long, value_name = "TIME", value_parser = counts::instant)]
    at: Option<Timestamp>,
    /// The PCR0 that is expected, 96 hexadecimal digits: which program runs.
    #[arg(long, value_name = "HEX", value_parser = register)]
    pcr0: Option<Measurement>,
    /// One JSON object on stdout.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let name = arguments.document.display().to_string();
    let refuse = |what: String| Failure::Input(anyhow!("{name}: {what}"));
    let file = bytes(&arguments.document, LEN_MAX).map_err(|why| {
        refuse(format!("{why}\n  hint: give the document as the enclave gave it"))
    })?;
    let at = arguments.at.map_or_else(now, Ok)?;
    let untagged = file.strip_prefix(&[TAG_18]);
    let examined = Examined::of(untagged.unwrap_or(&file), at, arguments.pcr0);
    let is_tagged = untagged.is_some();
    say(if arguments.json {
        examined.json(&name, is_tagged)
    } else {
        examined.words(&name, is_tagged)
    })?;
    let Some((check, why)) = examined.refusal() else {
        return Ok(Ending::Done);
    };
    let hint = match &examined.document {
        _ if check <= 4 => "\n  hint: is it an attestation document, and all of it?".to_owned(),
        Some(Said { signed_at, is_sound: true, .. }) if check == 7 || check == 12 => {
            format!("\n  hint: when it was signed it held: --at {signed_at}")
        }
        _ => String::new(),
    };
    Err(refuse(format!("check {check} fails: {why}{hint}")))
}

/// A register, as `nitro-cli` and these tables write it.
fn register(text: &str) -> Result<Measurement, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let value: Option<Vec<u8>> = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    value
        .filter(|_| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .and_then(|value| <[u8; 48]>::try_from(value).ok())
        .map(Measurement)
        .ok_or_else(|| format!("it has {} hexadecimal digits, not 96", digits.len()))
}

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Finding {
    Holds,
    Fails(String),
    /// Nothing to compare with, and what would be.
    Unasked(&'static str),
    /// An earlier one failed, without which it says nothing.
    Unreached,
}

/// A document, and each of the checks that [`attestation`] numbers.
#[derive(Debug)]
pub(crate) struct Examined {
    at: Timestamp,
    trust: Option<Trust>,
    document: Option<Said>,
    checks: Vec<(u8, &'static str, Finding)>,
}

/// What it claims, whether or not it holds.
#[derive(Debug)]
struct Said {
    module: String,
    signed_at: Timestamp,
    /// Whether all but time and expectation holds.
    is_sound: bool,
    pcrs: Vec<(u8, Measurement)>,
    nonce: Option<Vec<u8>>,
    user_data: Option<Vec<u8>>,
    public_key: Option<Vec<u8>>,
}

impl Examined {
    pub(crate) fn of(bytes: &[u8], at: Timestamp, expected: Option<Measurement>) -> Self {
        let mut examined = Self { at, trust: None, document: None, checks: Vec::new() };
        for (number, what) in CHECKS {
            examined.checks.push((number, what, Finding::Unreached));
        }
        let document = match Document::parse(bytes) {
            Ok(document) => document,
            Err(error) => {
                let failed = error.check().unwrap_or(1);
                // The third and the fourth are made in turns.
                let before: Vec<u8> = (1..failed.min(3)).collect();
                examined.hold(&before);
                examined.set(failed, Finding::Fails(words(&error)));
                return examined;
            }
        };
        examined.hold(&[1, 2, 3, 4]);
        let anchors = [Some(Anchors::aws()), Anchors::development(DEVELOPMENT_CHAIN_ID).ok()];
        let mut anchors = anchors.into_iter().flatten();
        let anchors =
            anchors.find(|one| document.cabundle.first().is_some_and(|root| root == one.root()));
        let of = |index| document.pcrs.get(&index).copied().unwrap_or(Measurement::ZERO);
        let own = Measurements { pcr0: of(0), pcr1: of(1), pcr2: of(2) };
        let check = |now_ms: u64, age_ms_max: u64| {
            let anchors = anchors.clone().unwrap_or_else(Anchors::aws);
            let policy = Policy::new(DEVELOPMENT_CHAIN_ID, vec![own])?.with_age_ms_max(age_ms_max);
            verify(bytes, &anchors, &policy, now_ms).map(drop)
        };
        // By its own clock, so that time does not hide what is wrong in other ways.
        let sound = check(document.timestamp_ms, u64::MAX);
        examined.trust = anchors.as_ref().map(Anchors::trust);
        match &sound {
            Ok(()) => examined.hold(&[5, 6, 7, 8, 9, 11, 14]),
            Err(error) => {
                // In the order in which they are made; those of certificates go together.
                for group in [&[5][..], &[6, 7, 8, 9, 10], &[11], &[14]] {
                    if let Some(failed) = error.check().filter(|number| group.contains(number)) {
                        examined.set(failed, Finding::Fails(words(error)));
                        break;
                    }
                    examined.hold(group);
                }
            }
        }
        if examined.trust.is_some() {
            // Of a development root on another chain, policies speak, not documents.
            examined.hold(&[16]);
        }
        let is_chain_sound = examined.result(6) == Some(&Finding::Holds);
        if is_chain_sound {
            examined.set(10, Finding::Unasked("no list of revoked certificates is given"));
            if let Err(error) = check(at.0.saturating_mul(1_000), u64::MAX)
                && error.check() == Some(7)
            {
                examined.set(7, Finding::Fails(words(&error)));
            }
        }
        if examined.result(11) == Some(&Finding::Holds) {
            let apart_ms = at.0.saturating_mul(1_000).abs_diff(document.timestamp_ms);
            let is_fresh = apart_ms <= Policy::AGE_MS_MAX;
            let apart = primitives::Duration(apart_ms / 1_000);
            let late = Finding::Fails(format!("it was signed {apart} from then"));
            examined.set(12, if is_fresh { Finding::Holds } else { late });
            examined.set(13, Finding::Unasked("a challenge is whoever asked for the document's"));
            examined.set(
                15,
                match expected {
                    None => Finding::Unasked("--pcr0 says which one is expected"),
                    Some(expected) if expected == own.pcr0 => Finding::Holds,
                    Some(expected) => {
                        Finding::Fails(format!("PCR0 is {}, expected {expected}", own.pcr0))
                    }
                },
            );
            examined.set(17, Finding::Unasked("the keys travel beside the document"));
        }
        examined.document = Some(Said {
            signed_at: Timestamp(document.timestamp_ms / 1_000),
            is_sound: sound.is_ok(),
            module: document.module_id,
            pcrs: document.pcrs.into_iter().collect(),
            nonce: document.nonce,
            user_data: document.user_data,
            public_key: document.public_key,
        });
        examined
    }

    fn set(&mut self, number: u8, result: Finding) {
        if let Some(check) = self.checks.iter_mut().find(|(known, ..)| *known == number) {
            check.2 = result;
        }
    }

    fn result(&self, number: u8) -> Option<&Finding> {
        self.checks.iter().find(|(known, ..)| *known == number).map(|(_, _, result)| result)
    }

    fn hold(&mut self, numbers: &[u8]) {
        numbers.iter().for_each(|number| self.set(*number, Finding::Holds));
    }

    /// The first check that fails.
    pub(crate) fn refusal(&self) -> Option<(u8, &str)> {
        self.checks.iter().find_map(|(number, _, result)| match result {
            Finding::Fails(why) => Some((*number, why.as_str())),
            Finding::Holds | Finding::Unasked(_) | Finding::Unreached => None,
        })
    }

    pub(crate) fn words(&self, name: &str, is_tagged: bool) -> String {
        let mut text = format!("{name}: {}\n", worth(self.trust));
        if is_tagged {
            text.push_str("  tag 18 stands before it, which says no more than what it is\n");
        }
        let mut row = |what: &str, value: &str| {
            let _ = writeln!(text, "  {what:<11} {value}");
        };
        if let Some(said) = &self.document {
            row("module", &said.module.escape_default().to_string());
            row("signed at", &said.signed_at.to_string());
            for (index, value) in &said.pcrs {
                if *index < 3 || *value != Measurement::ZERO {
                    row(&format!("PCR{index}"), &value.to_string());
                }
            }
            for (what, value) in [
                ("user data", &said.user_data),
                ("nonce", &said.nonce),
                ("public key", &said.public_key),
            ] {
                row(what, &value.as_deref().map_or_else(|| "none".to_owned(), hex));
            }
        }
        row("checked at", &self.at.to_string());
        text.push('\n');
        for (number, what, result) in &self.checks {
            let (word, detail) = match result {
                Finding::Holds => ("holds", ""),
                Finding::Fails(why) => ("FAILS", why.as_str()),
                Finding::Unasked(why) => ("unasked", *why),
                Finding::Unreached => ("unreached", ""),
            };
            let _ = writeln!(text, "  {number:>2} {word:<9} {what}");
            if !detail.is_empty() {
                let _ = writeln!(text, "               {detail}");
            }
        }
        text
    }

    pub(crate) fn json(&self, name: &str, is_tagged: bool) -> String {
        let checks = self.checks.iter().map(|(number, what, result)| {
            let (word, detail) = match result {
                Finding::Holds => ("holds", None),
                Finding::Fails(why) => ("fails", Some(why.as_str())),
                Finding::Unasked(why) => ("unasked", Some(*why)),
                Finding::Unreached => ("unreached", None),
            };
            json!({ "check": number, "what": what, "result": word, "detail": detail })
        });
        let said = self.document.as_ref().map(|said| {
            let field = |value: &Option<Vec<u8>>| value.as_deref().map(hex);
            let pcrs: serde_json::Map<_, _> = said
                .pcrs
                .iter()
                .map(|(index, value)| (index.to_string(), json!(value.to_string())))
                .collect();
            json!({
                "module": said.module, "signed_at": said.signed_at.to_string(), "pcrs": pcrs,
                "user_data": field(&said.user_data), "nonce": field(&said.nonce),
                "public_key": field(&said.public_key),
            })
        });
        let object = json!({
            "file": name,
            "at": self.at.to_string(),
            "is_tagged": is_tagged,
            "trust": self.trust.map(|trust| trust.to_string()),
            "document": said,
            "checks": checks.collect::<Vec<_>>(),
            "holds": self.refusal().is_none(),
        });
        format!("{object}\n")
    }
}

/// The checks, as [`attestation`] numbers them.
const CHECKS: [(u8, &str); 17] = [
    (1, "it is one COSE_Sign1 of at most 32 KiB, with nothing after it"),
    (2, "it is signed with ES384 and has no other header"),
    (3, "its claims are one map, none twice"),
    (4, "every claim is there, and as long as it may be"),
    (5, "its certificates begin at a root that is known: AWS's, or the development root"),
    (6, "each certificate is signed by the one above it"),
    (7, "each certificate is valid then"),
    (8, "authorities may sign certificates, and the enclave's own may not"),
    (9, "no certificate asks for what is not understood"),
    (10, "no certificate is revoked"),
    (11, "the document is signed by its own certificate's key"),
    (12, "it was signed within five minutes of then"),
    (13, "it answers the challenge"),
    (14, "PCR0, PCR1 and PCR2 are there and not zero: its memory is closed to its host"),
    (15, "its program is the one that is expected"),
    (16, "a development enclave counts on chain 31337 only"),
    (17, "it vouches for the keys"),
];

fn worth(trust: Option<Trust>) -> &'static str {
    match trust {
        Some(Trust::Hardware) => "an attestation document under AWS's root: of Nitro hardware",
        Some(Trust::Development) => {
            "an attestation document under the development root: anyone can make one, and nothing is hidden"
        }
        None => "under no root that is known here",
    }
}

/// An error and its cause, on one line.
fn words(error: &Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    let words = format!("{error}{}", cause.unwrap_or_default());
    words.replace("\nhint: ", "; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: &[u8] =
        include_bytes!("../../../../attestation/tests/vectors/aws-eu-central-1.cose");
    /// When it was signed.
    const THEN: Timestamp = Timestamp(1_736_179_625);

    fn failed(bytes: &[u8], at: Timestamp, expected: Option<Measurement>) -> Vec<u8> {
        let examined = Examined::of(bytes, at, expected);
        let fails = |result: &Finding| matches!(result, Finding::Fails(_));
        examined.checks.iter().filter(|check| fails(&check.2)).map(|check| check.0).collect()
    }

    #[test]
    fn a_document_holds_at_its_time_and_each_fault_is_told_by_its_check() {
        let examined = Examined::of(AWS, THEN, None);
        assert_eq!((examined.refusal(), examined.trust), (None, Some(Trust::Hardware)));
        let unreached = examined.checks.iter().any(|check| check.2 == Finding::Unreached);
        assert!(!unreached, "{}", examined.words("d", false));
        assert_eq!(failed(AWS, Timestamp(THEN.0 + 600), None), [12]);
        assert_eq!(failed(AWS, Timestamp(THEN.0 + 86_400), None), [7, 12]);
        assert_eq!(failed(AWS, THEN, Some(Measurement([7; 48]))), [15]);
        assert_eq!(failed(b"", THEN, None), [1]);
        assert_eq!(failed(b"root:x:0:0", THEN, None), [1]);
        let mut other = AWS.to_vec();
        *other.last_mut().unwrap() ^= 1;
        assert_eq!(failed(&other, THEN, None), [11]);
        for at in (0..AWS.len()).step_by(61) {
            let mut other = AWS.to_vec();
            other[at] ^= 1;
            assert_eq!(failed(&other, THEN, None).len(), 1, "byte {at}");
        }
    }

    #[test]
    fn registers_are_96_hexadecimal_digits() {
        assert_eq!(register(&"0a".repeat(48)), Ok(Measurement([10; 48])));
        assert_eq!(register(&format!("0x{}", "0A".repeat(48))), Ok(Measurement([10; 48])));
        for bad in ["", "0a", &"0a".repeat(47), &"+a".repeat(48), &"é".repeat(48)] {
            assert!(register(bad).is_err(), "{bad}");
        }
    }
}
