//! Each check of the verifier, failed by a document that is right in every other respect.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::collections::BTreeMap;

use attestation::{
    Anchors, Attested, CertificateProblem, DEVELOPMENT_CHAIN_ID, Document, Error, KeyBundle,
    MalformedBundle, Measurement, Measurements, Policy, Trust,
    mint::{self, Certificate, Chain, Extension, SigningKey, Statement, usage},
    verify,
};

/// 2023-03-11T02:00:00Z, in milliseconds.
const NOW: u64 = 1_678_500_000_000;
const NONCE: &[u8] = b"a challenge";

const WORKLOAD: Measurements = Measurements {
    pcr0: Measurement([1; 48]),
    pcr1: Measurement([2; 48]),
    pcr2: Measurement([3; 48]),
};

#[test]
fn development_document_verifies_on_the_development_chain() {
    let document = statement().sign(&chain());
    let attested = verify(&document, &anchors(), &policy(), NOW).unwrap();
    assert_eq!(attested.trust(), Trust::Development);
    assert!(matches!(attested, Attested::Development(_)));
    let claims = attested.claims();
    assert_eq!(claims.measurements(), &WORKLOAD);
    assert_eq!(claims.timestamp_ms(), NOW);
    assert_eq!(claims.nonce(), Some(NONCE));
    assert_eq!(claims.module_id(), "i-test-enc-test");
    // The leaf of 01:30 lives three hours.
    assert_eq!(claims.not_after(), NOW / 1_000 - 1_800 + 3 * 3_600);
}

#[test]
fn pinned_development_root_is_the_derived_one() {
    assert_eq!(anchors().root(), mint::development_root().1);
}

#[test]
fn same_inputs_give_the_same_document() {
    assert_eq!(statement().sign(&chain()), statement().sign(&chain()));
}

#[test]
fn development_chain_is_valid_whenever_it_is_made() {
    // Around every kind of renewal: 12 days, 3 days, 12 hours, 90 minutes.
    let renewal = 12 * 86_400 * 1_618;
    for offset in [0, 1, 5_399, 5_400, 43_199, 43_200, 259_199, 259_200, 1_036_799, 1_036_800] {
        for now in [renewal + offset, renewal - 1 - offset] {
            let document = Statement { timestamp_ms: now * 1_000, ..statement() }
                .sign(&Chain::development(now));
            verify(&document, &anchors(), &policy(), now * 1_000).unwrap();
            // And for two fifths of the shortest life after that.
            let later = (now + 3_600 + 720) * 1_000;
            verify(&document, &anchors(), &policy().with_age_ms_max(u64::MAX), later).unwrap();
        }
    }
}

#[test]
fn check_1_overlong_document() {
    let document = [statement().sign(&chain()), vec![0; 32 << 10]].concat();
    assert!(matches!(Document::parse(&document), Err(Error::DocumentTooLong { max: 32_768, .. })));
}

#[test]
fn check_1_trailing_tagged_indefinite_or_cut() {
    let document = statement().sign(&chain());
    let trailing = [&document[..], &[0]].concat();
    let tagged = [&[0xd2], &document[..]].concat();
    let indefinite = [&[0x9f], &document[1..], &[0xff]].concat();
    for bytes in [&trailing[..], &tagged, &indefinite, &document[..document.len() - 1], &[]] {
        assert!(matches!(Document::parse(bytes), Err(Error::Malformed { part: "envelope", .. })));
    }
}

#[test]
fn check_1_document_cut_anywhere() {
    let document = statement().sign(&chain());
    for len in 0..document.len() {
        assert!(Document::parse(&document[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn check_2_other_algorithm() {
    let document = statement().sign(&chain());
    for (header, got) in [
        // ES256.
        (&[0x43, 0xa1, 0x01, 0x26][..], "a10126"),
        // ES384 and a content type.
        (&[0x46, 0xa2, 0x01, 0x38, 0x22, 0x03, 0x00], "a20138220300"),
        (&[0x40], ""),
    ] {
        let other = [&document[..1], header, &document[6..]].concat();
        assert_eq!(Document::parse(&other), Err(Error::Algorithm { got: got.into() }));
    }
}

#[test]
fn check_2_unprotected_header() {
    let document = statement().sign(&chain());
    assert_eq!(document[6], 0xa0);
    let other = [&document[..6], &[0xa1, 0x04, 0x41, 0x00], &document[7..]].concat();
    assert_eq!(Document::parse(&other), Err(Error::UnprotectedHeader));
}

#[test]
fn check_2_signature_of_another_length() {
    let document = statement().sign(&chain());
    let at = document.len() - 98;
    assert_eq!(&document[at..at + 2], &[0x58, 96]);
    let other = [&document[..at], &[0x58, 95], &document[at + 2..document.len() - 1]].concat();
    assert_eq!(
        Document::parse(&other),
        Err(Error::Length { field: "signature", len: 95, min: 96, max: 96 })
    );
}

#[test]
fn check_3_duplicate_key_and_unknown_key() {
    let unknown = with_pair(&[0x61, b'x'], &[0x82, 0x01, 0xa1, 0x61, b'y', 0xf6]);
    verify(&unknown, &anchors(), &policy(), NOW).unwrap();
    let duplicate = with_pair(&[0x65, b'n', b'o', b'n', b'c', b'e'], &[0xf6]);
    assert_eq!(Document::parse(&duplicate), Err(Error::Duplicate { key: "nonce".into() }));
    let number = with_pair(&[0x01], &[0xf6]);
    assert!(matches!(Document::parse(&number), Err(Error::Malformed { part: "payload", .. })));
}

#[test]
fn check_4_missing_fields() {
    let payload = statement().payload(&chain());
    for field in ["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"] {
        // Renamed, it is an unknown key, which is skipped.
        let at = find(&payload, field.as_bytes());
        let mut other = payload.clone();
        other[at] = b'X';
        let document = mint::sign_payload(&other, &chain().key);
        assert_eq!(Document::parse(&document), Err(Error::Missing { field }));
    }
}

#[test]
fn check_4_other_digest() {
    let mut payload = statement().payload(&chain());
    let at = find(&payload, b"SHA384");
    payload[at + 3..at + 6].copy_from_slice(b"512");
    let document = mint::sign_payload(&payload, &chain().key);
    assert_eq!(Document::parse(&document), Err(Error::Digest { got: "SHA512".into() }));
}

#[test]
fn check_4_registers() {
    let none = Statement { pcrs: BTreeMap::new(), ..statement() };
    assert!(matches!(parse(&none), Error::Length { field: "pcrs", len: 0, .. }));

    let mut beyond = statement();
    beyond.pcrs.insert(32, Measurement::ZERO);
    assert_eq!(parse(&beyond), Error::RegisterIndex { index: 32, max: 31 });

    let payload = statement().payload(&chain());
    let at = find(&payload, b"pcrs") + 4;
    assert_eq!(&payload[at..at + 4], &[0xa3, 0x00, 0x58, 48]);
    let mut twice = payload.clone();
    // Register 1 becomes a second register 0.
    assert_eq!(twice[at + 4 + 48], 1);
    twice[at + 4 + 48] = 0;
    let document = mint::sign_payload(&twice, &chain().key);
    assert_eq!(Document::parse(&document), Err(Error::Duplicate { key: "pcr 0".into() }));

    let short = [&payload[..at + 3], &[47], &payload[at + 5..]].concat();
    let document = mint::sign_payload(&short, &chain().key);
    assert_eq!(
        Document::parse(&document),
        Err(Error::Length { field: "pcr", len: 47, min: 48, max: 48 })
    );
}

#[test]
fn check_4_lengths() {
    let full = Statement {
        user_data: Some(vec![0; 1_024]),
        public_key: Some(vec![0; 1_024]),
        nonce: Some(vec![]),
        ..statement()
    };
    Document::parse(&full.sign(&chain())).unwrap();
    let over = |field| Error::Length { field, len: 1_025, min: 0, max: 1_024 };
    let long = || Some(vec![0; 1_025]);
    assert_eq!(parse(&Statement { user_data: long(), ..statement() }), over("user_data"));
    assert_eq!(parse(&Statement { public_key: long(), ..statement() }), over("public_key"));
    assert_eq!(parse(&Statement { nonce: long(), ..statement() }), over("nonce"));
    assert!(matches!(
        parse(&Statement { module_id: String::new(), ..statement() }),
        Error::Length { field: "module_id", len: 0, .. }
    ));

    let refused = |chain: Chain| Document::parse(&statement().sign(&chain)).unwrap_err();
    assert!(matches!(
        refused(Chain { leaf: vec![0; 1_025], ..chain() }),
        Error::Length { field: "certificate", len: 1_025, .. }
    ));
    assert!(matches!(
        refused(Chain { authorities: vec![vec![]], ..chain() }),
        Error::Length { field: "cabundle certificate", len: 0, .. }
    ));
    assert!(matches!(
        refused(Chain { authorities: vec![], ..chain() }),
        Error::Length { field: "cabundle", len: 0, .. }
    ));
    assert!(matches!(
        refused(Chain { authorities: vec![vec![0]; 9], ..chain() }),
        Error::Length { field: "cabundle", len: 9, .. }
    ));
}

#[test]
fn check_5_other_root() {
    let document = statement().sign(&chain());
    let policy = policy();
    assert!(matches!(
        verify(&document, &Anchors::aws(), &policy, NOW),
        Err(Error::UnknownRoot { .. })
    ));

    // The same root, differently signed: the key is right, the bytes are not.
    let (root_key, _) = mint::development_root();
    let mut chain = chain();
    chain.authorities[0] = Certificate { serial: [9; 16], ..root(&root_key) }.sign(&root_key);
    assert!(matches!(refuse(&chain), Error::UnknownRoot { .. }));
}

#[test]
fn check_6_malformed_certificate() {
    let mut longer = chain();
    longer.leaf.push(0);
    assert_eq!(refuse(&longer), certificate(4, CertificateProblem::Malformed));

    // `cA FALSE` spelled out is the default in a second encoding.
    let spelled_out =
        Extension { value: vec![0x30, 0x03, 0x01, 0x01, 0x00], ..Extension::not_authority() };
    let other = forge(|leaf| leaf.extensions[0] = spelled_out);
    assert_eq!(refuse(&other), certificate(4, CertificateProblem::Malformed));
}

#[test]
fn check_6_other_version() {
    let chain = forge_to_be_signed(|tbs| {
        let at = find(tbs, &[0xa0, 0x03, 0x02, 0x01, 0x02]);
        tbs[at + 4] = 1;
    });
    assert_eq!(refuse(&chain), certificate(4, CertificateProblem::Version));
}

#[test]
fn check_6_other_algorithm() {
    // ecdsa-with-SHA256 instead of ecdsa-with-SHA384, inside the signed part.
    let chain = forge_to_be_signed(|tbs| {
        let at = find(tbs, &[0xce, 0x3d, 0x04, 0x03, 0x03]);
        tbs[at + 4] = 2;
    });
    assert_eq!(refuse(&chain), certificate(4, CertificateProblem::Algorithm));
}

#[test]
fn check_6_other_curve() {
    // secp521r1 named for a P-384 point.
    let chain = forge_to_be_signed(|tbs| {
        let at = find(tbs, &[0x2b, 0x81, 0x04, 0x00, 0x22]);
        tbs[at + 4] = 0x23;
    });
    assert_eq!(refuse(&chain), certificate(4, CertificateProblem::Key));
}

#[test]
fn check_6_point_off_the_curve() {
    let chain = forge_to_be_signed(|tbs| {
        let at = find(tbs, &[0x03, 0x62, 0x00, 0x04]);
        tbs[at + 50] ^= 1;
    });
    assert_eq!(refuse(&chain), certificate(4, CertificateProblem::Key));
}

#[test]
fn check_6_other_issuer() {
    let chain = forge(|leaf| leaf.issuer = "someone.else".into());
    assert_eq!(refuse(&chain), certificate(4, CertificateProblem::Issuer));
}

#[test]
fn check_6_signed_by_someone_else() {
    let mut chain = chain();
    let (key, leaf) = leaf();
    chain.leaf = leaf.sign(&key);
    chain.key = key;
    assert_eq!(refuse(&chain), certificate(4, CertificateProblem::Signature));
}

#[test]
fn check_6_authorities_out_of_order() {
    let mut chain = chain();
    chain.authorities.swap(1, 2);
    assert!(matches!(refuse(&chain), Error::Certificate { index: 1, .. }));
}

#[test]
fn check_7_validity_ends_are_inclusive() {
    let now = NOW / 1_000;
    let valid = |not_before, not_after| {
        let chain = forge(|leaf| (leaf.not_before, leaf.not_after) = (not_before, not_after));
        verify(&statement().sign(&chain), &anchors(), &policy(), NOW + 999).map(drop)
    };
    assert_eq!(valid(now, now), Ok(()));
    assert_eq!(
        valid(now + 1, now + 1),
        Err(certificate(4, CertificateProblem::NotYetValid { not_before: now + 1, now }))
    );
    assert_eq!(
        valid(now - 1, now - 1),
        Err(certificate(4, CertificateProblem::Expired { not_after: now - 1, now }))
    );
}

#[test]
fn check_7_each_tier_expires_in_its_turn() {
    let document = statement().sign(&chain());
    let patient = policy().with_age_ms_max(u64::MAX);
    for (index, hours) in [(4, 3), (3, 24), (2, 24 * 6), (1, 24 * 20), (0, 24 * 366 * 27)] {
        let later = NOW + hours * 3_600_000;
        match verify(&document, &anchors(), &patient, later) {
            // Authorities are looked at first, from the root down.
            Err(Error::Certificate { index: at, problem: CertificateProblem::Expired { .. } }) => {
                assert_eq!(at, index)
            }
            other => panic!("{other:?}"),
        }
    }
    let before_the_root = 1_500_000_000_000;
    assert!(matches!(
        verify(&document, &anchors(), &patient, before_the_root),
        Err(Error::Certificate { index: 0, problem: CertificateProblem::NotYetValid { .. } })
    ));
}

#[test]
fn check_8_leaf_signs_no_certificates() {
    // A leaf that makes itself an authority, and one that does so without the right to.
    for path_len in [None, Some(0)] {
        let chain = forge(|leaf| leaf.extensions[0] = Extension::authority(path_len));
        assert_eq!(refuse(&chain), certificate(4, CertificateProblem::AuthorityLeaf));
    }
    // Someone below the root who is no authority, or says nothing about it, and signs a leaf.
    let usage = Extension::key_usage(usage::KEY_CERT_SIGN);
    for extensions in [vec![Extension::not_authority(), usage.clone()], vec![usage]] {
        assert_eq!(
            refuse(&short_chain(extensions)),
            certificate(1, CertificateProblem::NotAuthority)
        );
    }
}

#[test]
fn check_8_path_is_no_longer_than_allowed() {
    let longer = below_the_leaf();
    // The regional authority allows two below it; now there are three.
    assert_eq!(
        refuse(&longer),
        certificate(1, CertificateProblem::PathLength { allowed: 2, below: 3 })
    );
}

#[test]
fn check_8_key_usage() {
    let without = forge(|leaf| drop(leaf.extensions.remove(1)));
    assert_eq!(refuse(&without), certificate(4, CertificateProblem::KeyUsage));
    let other = forge(|leaf| leaf.extensions[1] = Extension::key_usage(usage::KEY_CERT_SIGN));
    assert_eq!(refuse(&other), certificate(4, CertificateProblem::KeyUsage));

    let idle = short_chain(vec![
        Extension::authority(Some(0)),
        Extension::key_usage(usage::DIGITAL_SIGNATURE),
    ]);
    assert_eq!(refuse(&idle), certificate(1, CertificateProblem::KeyUsage));
    let silent = short_chain(vec![Extension::authority(Some(0))]);
    assert_eq!(refuse(&silent), certificate(1, CertificateProblem::KeyUsage));
    // The helper's chain is good but for what is tested here.
    let good = short_chain(vec![
        Extension::authority(Some(0)),
        Extension::key_usage(usage::KEY_CERT_SIGN),
    ]);
    verify(&statement().sign(&good), &anchors(), &policy(), NOW).unwrap();
}

#[test]
fn check_9_extensions() {
    // id-ce-nameConstraints, which we do not implement.
    let constraints =
        |critical| Extension { oid: &[0x55, 0x1d, 0x1e], critical, value: vec![0x30, 0x00] };
    let ignored = forge(|leaf| leaf.extensions.push(constraints(false)));
    verify(&statement().sign(&ignored), &anchors(), &policy(), NOW).unwrap();
    let critical = forge(|leaf| leaf.extensions.push(constraints(true)));
    assert_eq!(refuse(&critical), certificate(4, CertificateProblem::CriticalExtension));
    let twice = forge(|leaf| leaf.extensions.push(leaf.extensions[1].clone()));
    assert_eq!(refuse(&twice), certificate(4, CertificateProblem::DuplicateExtension));
}

#[test]
fn check_10_revoked() {
    let (_, leaf) = leaf();
    let issuer = issuer_name(&leaf.to_be_signed(), &leaf.issuer);
    let document = statement().sign(&chain());
    assert_eq!(
        verify(&document, &anchors(), &policy().revoking(issuer.clone(), leaf.serial), NOW),
        Err(certificate(4, CertificateProblem::Revoked))
    );
    verify(&document, &anchors(), &policy().revoking(issuer, [1; 16]), NOW).unwrap();
}

#[test]
fn check_11_signed_by_another_key() {
    let chain = chain();
    let (other, _) = mint::development_root();
    let document = mint::sign_payload(&statement().payload(&chain), &other);
    assert_eq!(verify(&document, &anchors(), &policy(), NOW), Err(Error::Signature));
}

#[test]
fn check_11_no_bit_can_change() {
    let document = statement().sign(&chain());
    for (i, at) in (0..document.len()).step_by(19).enumerate() {
        let mut flipped = document.clone();
        flipped[at] ^= 1 << (i % 8);
        assert!(verify(&flipped, &anchors(), &policy(), NOW).is_err(), "byte {at}");
    }
}

#[test]
fn check_12_age_limit_is_inclusive_either_way() {
    let document = statement().sign(&chain());
    let at = |now| verify(&document, &anchors(), &policy(), now).map(drop);
    let max_ms = Policy::AGE_MS_MAX;
    assert_eq!(at(NOW + max_ms), Ok(()));
    assert_eq!(at(NOW + max_ms + 1), Err(Error::Stale { age_ms: max_ms + 1, max_ms }));
    assert_eq!(at(NOW - max_ms), Ok(()));
    assert_eq!(at(NOW - max_ms - 1), Err(Error::FromTheFuture { ahead_ms: max_ms + 1, max_ms }));
}

#[test]
fn check_13_other_nonce_or_none() {
    for nonce in [None, Some(vec![]), Some(b"another one".to_vec())] {
        let document = Statement { nonce, ..statement() }.sign(&chain());
        assert_eq!(verify(&document, &anchors(), &policy(), NOW), Err(Error::Nonce));
    }
}

#[test]
fn check_14_debug_mode_and_missing_registers() {
    for index in 0..3 {
        let mut debug = statement();
        debug.pcrs.insert(index, Measurement::ZERO);
        assert_eq!(refuse_statement(&debug), Error::DebugMode { index });
        let mut missing = statement();
        missing.pcrs.remove(&index);
        assert!(matches!(refuse_statement(&missing), Error::Missing { .. }));
    }
}

#[test]
fn check_14_policy_cannot_allow_debug_mode() {
    let zeros =
        Measurements { pcr0: Measurement::ZERO, pcr1: Measurement::ZERO, pcr2: Measurement::ZERO };
    let lenient = Policy::new(DEVELOPMENT_CHAIN_ID, vec![zeros]).unwrap();
    let mut debug = statement();
    debug.pcrs = (0..3).map(|index| (index, Measurement::ZERO)).collect();
    let document = debug.sign(&chain());
    assert_eq!(verify(&document, &anchors(), &lenient, NOW), Err(Error::DebugMode { index: 0 }));
}

#[test]
fn check_15_message_names_both_measurements() {
    for index in 0..3 {
        let mut other = statement();
        other.pcrs.insert(index, Measurement([0xee; 48]));
        let error = refuse_statement(&other);
        let message = error.to_string();
        let Error::Measurement { expected, got } = error else { panic!("{message}") };
        assert_eq!(expected, [WORKLOAD]);
        assert!(message.contains(&WORKLOAD.to_string()), "{message}");
        assert!(message.contains(&got.to_string()), "{message}");
        assert!(message.contains(&"ee".repeat(48)), "{message}");
    }
}

#[test]
fn check_15_registers_are_allowed_as_a_set() {
    // Each register is allowed somewhere, the combination nowhere.
    let other = Measurements {
        pcr0: Measurement([4; 48]),
        pcr1: Measurement([5; 48]),
        pcr2: Measurement([6; 48]),
    };
    let policy = Policy::new(DEVELOPMENT_CHAIN_ID, vec![WORKLOAD, other]).unwrap();
    let mut mixed = statement();
    mixed.pcrs.insert(1, other.pcr1);
    assert!(matches!(
        verify(&mixed.sign(&chain()), &anchors(), &policy, NOW),
        Err(Error::Measurement { expected, .. }) if expected.len() == 2
    ));
    assert_eq!(Policy::new(DEVELOPMENT_CHAIN_ID, vec![]).unwrap_err(), Error::EmptyPolicy);
}

#[test]
fn check_16_development_is_refused_on_every_other_chain() {
    for chain_id in [0, 1, 31_336, 31_338, u64::MAX] {
        assert_eq!(
            Anchors::development(chain_id).unwrap_err(),
            Error::DevelopmentOffDevnet { chain_id }
        );
        let policy = Policy::new(chain_id, vec![WORKLOAD]).unwrap();
        // An anchor made for the development chain does not travel to another one.
        assert_eq!(
            verify(&statement().sign(&chain()), &anchors(), &policy, NOW),
            Err(Error::DevelopmentOffDevnet { chain_id })
        );
    }
}

#[test]
fn check_17_key_bundle() {
    let bundle = KeyBundle {
        chain_id: DEVELOPMENT_CHAIN_ID,
        registry: [1; 20],
        epoch: 1,
        hpke_public_key: [2; 32],
        settlement_signer: [3; 20],
        config_hash: [4; 48],
        not_after: NOW / 1_000,
    };
    let attest = |user_data: Option<Vec<u8>>| {
        let document = Statement { user_data, ..statement() }.sign(&chain());
        verify(&document, &anchors(), &policy(), NOW).unwrap()
    };
    let attested = attest(Some(bundle.user_data().to_vec()));
    let claims = attested.claims();
    assert_eq!(claims.key_bundle(&bundle.encode(), NOW + 999), Ok(bundle.clone()));
    assert_eq!(
        claims.key_bundle(&bundle.encode(), NOW + 1_000),
        Err(Error::BundleExpired { not_after: NOW / 1_000, now: NOW / 1_000 + 1 })
    );
    assert_eq!(claims.key_bundle(&[], NOW), Err(Error::Bundle(MalformedBundle::Length { len: 0 })));
    let other = KeyBundle { hpke_public_key: [9; 32], ..bundle.clone() };
    assert_eq!(claims.key_bundle(&other.encode(), NOW), Err(Error::BundleNotAttested));
    assert_eq!(
        attest(None).claims().key_bundle(&bundle.encode(), NOW),
        Err(Error::BundleNotAttested)
    );
    let elsewhere = KeyBundle { chain_id: 1, ..bundle };
    assert_eq!(
        attest(Some(elsewhere.user_data().to_vec())).claims().key_bundle(&elsewhere.encode(), NOW),
        Err(Error::BundleChain { got: 1, expected: DEVELOPMENT_CHAIN_ID })
    );
}

fn statement() -> Statement {
    Statement {
        module_id: "i-test-enc-test".into(),
        timestamp_ms: NOW,
        pcrs: [(0, WORKLOAD.pcr0), (1, WORKLOAD.pcr1), (2, WORKLOAD.pcr2)].into(),
        user_data: None,
        nonce: Some(NONCE.to_vec()),
        public_key: None,
    }
}

fn chain() -> Chain {
    Chain::development(NOW / 1_000)
}

fn anchors() -> Anchors {
    Anchors::development(DEVELOPMENT_CHAIN_ID).unwrap()
}

fn policy() -> Policy {
    Policy::new(DEVELOPMENT_CHAIN_ID, vec![WORKLOAD]).unwrap().with_nonce(NONCE)
}

/// How the verifier refuses an otherwise good statement under this chain.
fn refuse(chain: &Chain) -> Error {
    verify(&statement().sign(chain), &anchors(), &policy(), NOW).unwrap_err()
}

fn refuse_statement(statement: &Statement) -> Error {
    verify(&statement.sign(&chain()), &anchors(), &policy(), NOW).unwrap_err()
}

fn parse(statement: &Statement) -> Error {
    Document::parse(&statement.sign(&chain())).unwrap_err()
}

fn certificate(index: usize, problem: CertificateProblem) -> Error {
    Error::Certificate { index, problem }
}

/// Key and content of the leaf of [`chain`].
fn leaf() -> (SigningKey, Certificate) {
    (chain().key, mint::development_tier("enclave", NOW / 1_000).1)
}

fn root(key: &SigningKey) -> Certificate {
    Certificate {
        subject: "development.nitro-enclaves".into(),
        issuer: "development.nitro-enclaves".into(),
        serial: [1; 16],
        not_before: 0,
        not_after: 2_000_000_000,
        key: *key.verifying_key(),
        extensions: vec![Extension::authority(None), Extension::key_usage(usage::KEY_CERT_SIGN)],
    }
}

/// The chain with an edited leaf, properly signed by the instance's authority.
fn forge(edit: impl FnOnce(&mut Certificate)) -> Chain {
    let (key, mut leaf) = leaf();
    edit(&mut leaf);
    let instance = mint::development_tier("instance", NOW / 1_000).0;
    Chain { leaf: leaf.sign(&instance), key, ..chain() }
}

/// The chain with a leaf edited byte by byte, properly signed by the instance's authority.
fn forge_to_be_signed(edit: impl FnOnce(&mut Vec<u8>)) -> Chain {
    let (key, leaf) = leaf();
    let mut to_be_signed = leaf.to_be_signed();
    edit(&mut to_be_signed);
    let instance = mint::development_tier("instance", NOW / 1_000).0;
    Chain { leaf: mint::sign_certificate(&to_be_signed, &instance), key, ..chain() }
}

/// The chain with one more certificate, signed by what used to be the leaf.
fn below_the_leaf() -> Chain {
    let (key, leaf) = leaf();
    let instance = mint::development_tier("instance", NOW / 1_000).0;
    let authority = Certificate {
        extensions: vec![Extension::authority(None), Extension::key_usage(usage::KEY_CERT_SIGN)],
        ..leaf.clone()
    };
    let below = Certificate { issuer: leaf.subject.clone(), subject: "below".into(), ..leaf };
    let mut chain = chain();
    chain.authorities.push(authority.sign(&instance));
    Chain { leaf: below.sign(&key), key, ..chain }
}

/// Root, one certificate with these extensions, leaf.
fn short_chain(extensions: Vec<Extension>) -> Chain {
    let (root_key, root_der) = mint::development_root();
    let (key, leaf) = leaf();
    let middle = Certificate {
        issuer: root(&root_key).subject,
        subject: leaf.issuer.clone(),
        extensions,
        ..leaf.clone()
    };
    Chain { authorities: vec![root_der, middle.sign(&root_key)], leaf: leaf.sign(&key), key }
}

/// The DER of the issuer's name, cut out of a `TBSCertificate`: it ends with the common name.
fn issuer_name(to_be_signed: &[u8], common_name: &str) -> Vec<u8> {
    let end = find(to_be_signed, common_name.as_bytes()) + common_name.len();
    let start = (0..end)
        .find(|&start| {
            to_be_signed[start] == 0x30 && usize::from(to_be_signed[start + 1]) == end - start - 2
        })
        .expect("a name is a sequence below 128 bytes");
    to_be_signed[start..end].to_vec()
}

/// A document whose payload has one more pair.
fn with_pair(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut payload = statement().payload(&chain());
    assert_eq!(payload[0], 0xa9);
    payload[0] = 0xaa;
    payload.extend_from_slice(key);
    payload.extend_from_slice(value);
    mint::sign_payload(&payload, &chain().key)
}

fn find(haystack: &[u8], needle: &[u8]) -> usize {
    haystack.windows(needle.len()).position(|window| window == needle).expect("it is in there")
}
