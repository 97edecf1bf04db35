//! Documents that no one here made: signed by AWS's hardware, or by an emulator.
//!
//! One is committed; the others are read from the folder of shared vectors, if it is there.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::PathBuf;

use attestation::{
    Anchors, Attested, CertificateProblem, DEVELOPMENT_CHAIN_ID, Document, Error, Policy, verify,
};

const CHAIN_ID: u64 = 1;
/// 2026-11-22T00:00:00Z, after every leaf here expired.
const MUCH_LATER: u64 = 1_795_305_600_000;

#[test]
fn aws_document_verifies_at_its_own_time() {
    check(include_bytes!("vectors/aws-eu-central-1.cose"), 1_736_179_625_472, Expect::Verified);
}

#[test]
fn marlins_aws_document_verifies_at_its_own_time() {
    let Some(document) = shared("marlin_attestation.bin") else { return };
    check(&document, 1_712_732_941_701, Expect::Verified);
}

#[test]
fn dstacks_aws_document_verifies_at_its_own_time() {
    let Some(document) = shared("dstack_nsm-qvl_nitro_attestation.bin") else { return };
    // The file frames the document: four bytes of tags and length before, a machine's event log
    // after it. With either it is no document.
    assert!(matches!(Document::parse(&document), Err(Error::Malformed { .. })));
    assert!(matches!(Document::parse(&document[4..]), Err(Error::Malformed { .. })));
    check(&document[4..4 + 4_527], 1_766_668_537_578, Expect::Verified);
}

#[test]
fn chainlinks_debug_document_is_refused_for_debug_mode() {
    let Some(document) = shared("chainlink_debug.cose") else { return };
    check(&document, 1_744_835_008_000, Expect::Debug);
}

#[test]
fn emulators_unsigned_document_is_refused_for_its_algorithm() {
    let Some(document) = shared("qemu_unsigned.cose") else { return };
    assert_eq!(Document::parse(&document), Err(Error::Algorithm { got: "a10120".into() }));
}

#[test]
fn pinned_aws_root_is_the_published_one() {
    let Some(pem) = shared("AWS_NitroEnclaves_Root-G1.pem") else { return };
    let pem = String::from_utf8(pem).unwrap();
    let base64: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
    assert_eq!(base64_of(Anchors::aws().root()), base64);
}

enum Expect {
    Verified,
    Debug,
}

/// Everything a document signed by AWS must do, whatever is in it.
fn check(document: &[u8], signed_at: u64, expect: Expect) {
    let parsed = Document::parse(document).unwrap();
    assert_eq!(parsed.timestamp_ms / 1_000, signed_at / 1_000);
    let now = parsed.timestamp_ms;
    let allowed = attestation::Measurements {
        pcr0: parsed.pcrs[&0],
        pcr1: parsed.pcrs[&1],
        pcr2: parsed.pcrs[&2],
    };
    let policy = Policy::new(CHAIN_ID, vec![allowed]).unwrap();
    let result = verify(document, &Anchors::aws(), &policy, now);
    match expect {
        Expect::Verified => {
            let attested = result.unwrap();
            assert!(matches!(attested, Attested::Hardware(_)));
            assert_eq!(attested.claims().measurements(), &allowed);
        }
        Expect::Debug => assert_eq!(result, Err(Error::DebugMode { index: 0 })),
    }

    // Not for ever, whatever the policy says about age.
    let patient = policy.clone().with_age_ms_max(u64::MAX);
    assert!(matches!(
        verify(document, &Anchors::aws(), &patient, MUCH_LATER),
        Err(Error::Certificate { problem: CertificateProblem::Expired { .. }, .. })
    ));
    let devnet = Policy::new(DEVELOPMENT_CHAIN_ID, vec![allowed]).unwrap();
    assert!(matches!(
        verify(document, &Anchors::development(DEVELOPMENT_CHAIN_ID).unwrap(), &devnet, now),
        Err(Error::UnknownRoot { .. })
    ));
    // A step that is no power of two, so that all kinds of bytes and all bits take their turn.
    for (i, at) in (0..document.len()).step_by(53).enumerate() {
        let mut flipped = document.to_vec();
        flipped[at] ^= 1 << (i % 8);
        assert!(verify(&flipped, &Anchors::aws(), &policy, now).is_err(), "byte {at}");
    }
}

#[allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the vectors are files, and may be missing"
)]
/// A file of the shared vectors, or a word on why the test is skipped.
fn shared(name: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("CDPR_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let path = folder.join("vectors/nitro").join(name);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        println!("skipped: {} is not there; CDPR_SHARED may name another folder", path.display());
    }
    bytes
}

fn base64_of(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let word = chunk.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte))
                << (8 * (3 - chunk.len()));
            (0..4).map(move |i| {
                if i > chunk.len() {
                    '='
                } else {
                    char::from(ALPHABET[(word >> (18 - 6 * i) & 63) as usize])
                }
            })
        })
        .collect()
}
