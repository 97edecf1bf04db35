//! What whoever is about to trust a measured program is shown: documents, the certificates in them, key bundles.

use std::sync::OnceLock;

use attestation::mint::{Chain, Statement};
use attestation::{Anchors, Document, KeyBundle, Measurement, Measurements, Policy, verify};
use strangers::Decoder;

use super::is_same;

/// 2023-03-11T02:00:00Z, in milliseconds.
const NOW: u64 = 1_678_500_000_000;

pub(crate) const EVIDENCE: &[Decoder] = &[
    // COSE and CBOR.
    Decoder::new(
        "evidence/documents",
        |bytes| Document::parse(bytes).is_ok(),
        || {
            let aws = include_bytes!("../../../attestation/tests/vectors/aws-eu-central-1.cose");
            vec![document(), aws.to_vec()]
        },
    )
    .bad(|| {
        // Arrays of arrays where anything may stand, and strings and maps of more than there is.
        let deep = [&[0x84, 0x40, 0xa1, 0x00][..], &[0x81; 20_000]].concat();
        let long = vec![0x84, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        let wide = vec![0x84, 0x40, 0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        vec![deep, long, wide, vec![0x84; 32 * 1024 + 1]]
    }),
    // The same, down to the signature.
    Decoder::new(
        "evidence/attestations",
        |bytes| verify(bytes, &anchors(), &policy(), NOW).is_ok(),
        || vec![document()],
    )
    .slow(40),
    // X.509, in a document that is signed all the same: what a bad authority could send.
    Decoder::new(
        "evidence/certificates",
        |bytes| {
            let chain = Chain { leaf: bytes.to_vec(), ..chain().clone() };
            verify(&statement().sign(&chain), &anchors(), &policy(), NOW).is_ok()
        },
        || vec![chain().leaf.clone()],
    )
    .slow(40),
    Decoder::new(
        "evidence/key-bundles",
        |bytes| KeyBundle::parse(bytes).is_ok_and(|bundle| is_same(&bundle.encode(), bytes)),
        || {
            let bundle = KeyBundle {
                chain_id: 31_337,
                registry: [1; 20],
                epoch: 2,
                hpke_public_key: [3; 32],
                settlement_signer: [4; 20],
                config_hash: [5; 48],
                not_after: NOW / 1_000,
            };
            vec![bundle.encode()]
        },
    ),
];

fn anchors() -> Anchors {
    Anchors::development(attestation::DEVELOPMENT_CHAIN_ID).unwrap()
}

fn policy() -> Policy {
    Policy::new(attestation::DEVELOPMENT_CHAIN_ID, vec![measurements()]).unwrap()
}

fn measurements() -> Measurements {
    let [pcr0, pcr1, pcr2] = [1, 2, 3].map(|byte| Measurement([byte; 48]));
    Measurements { pcr0, pcr1, pcr2 }
}

fn document() -> Vec<u8> {
    statement().sign(chain())
}

fn statement() -> Statement {
    let Measurements { pcr0, pcr1, pcr2 } = measurements();
    Statement {
        module_id: "i-test-enc-test".into(),
        timestamp_ms: NOW,
        pcrs: [(0, pcr0), (1, pcr1), (2, pcr2)].into(),
        user_data: Some(vec![1; 49]),
        nonce: None,
        public_key: None,
    }
}

fn chain() -> &'static Chain {
    static CHAIN: OnceLock<Chain> = OnceLock::new();
    CHAIN.get_or_init(|| Chain::development(NOW / 1_000))
}
