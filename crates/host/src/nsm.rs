//! The development security module: what AWS's Nitro Security Module does for an enclave, without
//! the hardware.
//!
//! It speaks the same requests, enforces AWS's limits, and signs the same documents under a root
//! whose key is public ([`attestation::mint`]). Time and entropy are arguments: the same seed, time
//! and requests give the same bytes, which replay of a journal needs. All of it exists on the
//! development chain only.

use std::{collections::BTreeMap, fmt};

use attestation::{
    DEVELOPMENT_CHAIN_ID, Measurement, Measurements,
    mint::{Chain, Statement},
    nsm_wire::{
        LABEL_LEN_MAX, N_PCRS, PUBLIC_KEY_LEN_MAX, RANDOM_LEN_MAX, Refusal, Request, Response,
        USER_DATA_LEN_MAX,
    },
};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};

/// Input of the development sealing keys. Public, like everything here: sealing shows which
/// measurement may read, not that others cannot.
const SEALING_ROOT: &[u8] = b"cdpr/development/sealing-root/v1";
/// Most labels one module counts: more is a program that makes labels up.
const LABELS_MAX: usize = 64;
/// Unix seconds from which on there is no development chain: its root ends with 2049.
const END_OF_TIME: u64 = 2_524_608_000;

/// Where one party's development entropy comes from: HKDF-SHA256 over the seed, with party, label
/// and a counter per label as its context.
#[derive(Clone)]
pub struct Entropy {
    /// The run's seed.
    pub seed: [u8; 32],
    /// Whose entropy it is, so that parties of one run draw apart.
    pub party: String,
}

/// The seed is not shown: it is every secret of its run.
impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entropy({})", self.party)
    }
}

impl Entropy {
    /// 32 bytes for this use: `HKDF-SHA256(ikm = seed, info = party ‖ label ‖ counter)`, party and
    /// label behind their lengths as `u64` big-endian, the counter likewise.
    pub fn draw(&self, label: &str, counter: u64) -> [u8; 32] {
        let mut block = [0; 32];
        self.fill(label, counter, &mut block);
        block
    }

    fn fill(&self, label: &str, counter: u64, out: &mut [u8]) {
        let mut context = Vec::new();
        for part in [self.party.as_str(), label] {
            context.extend_from_slice(&(part.len() as u64).to_be_bytes());
            context.extend_from_slice(part.as_bytes());
        }
        context.extend_from_slice(&counter.to_be_bytes());
        Hkdf::<Sha256>::new(Some(b"cdpr/development/entropy/v1"), &self.seed)
            .expand(&context, out)
            .expect("a request is far below HKDF's 8,160 bytes");
    }
}

/// A development module was asked to work elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the development security module is refused on chain {chain_id}, it exists on chain {DEVELOPMENT_CHAIN_ID} only\n\
     hint: other chains need an enclave on real hardware"
)]
pub struct OffDevnet {
    /// The chain asked for.
    pub chain_id: u64,
}

/// The module of one enclave process.
pub struct Nsmd {
    measurements: Measurements,
    entropy: Entropy,
    module_id: String,
    /// Requests answered, by label.
    drawn: BTreeMap<String, u64>,
    /// The last chain, which serves until its leaf's successor is due, and its leaf's first second.
    chain: Option<(u64, Chain)>,
}

impl fmt::Debug for Nsmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nsmd")
            .field("module_id", &self.module_id)
            .field("measurements", &self.measurements)
            .finish()
    }
}

impl Nsmd {
    /// A module for an enclave that measures `measurements`, on chain `chain_id`.
    ///
    /// # Errors
    /// [`OffDevnet`] unless the chain is the development chain.
    pub fn new(
        chain_id: u64,
        measurements: Measurements,
        entropy: Entropy,
    ) -> Result<Self, OffDevnet> {
        if chain_id != DEVELOPMENT_CHAIN_ID {
            return Err(OffDevnet { chain_id });
        }
        // AWS's names read `<instance>-enc<enclave>`.
        let party: String = Sha256::digest(entropy.party.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let module_id = format!("i-{}-enc{}", &party[..17], &party[17..33]);
        Ok(Self { measurements, entropy, module_id, drawn: BTreeMap::new(), chain: None })
    }

    /// What it measured.
    pub fn measurements(&self) -> &Measurements {
        &self.measurements
    }

    /// Answers one message at `now`, Unix time in milliseconds. A message that is none gets a refusal.
    pub fn answer(&mut self, message: &[u8], now: u64) -> Vec<u8> {
        let response = match Request::parse(message) {
            Ok(request) => self.handle(request, now),
            Err(_) => Response::Refused(Refusal::InvalidArgument),
        };
        response.encode()
    }

    /// Answers one request at `now`, Unix time in milliseconds.
    pub fn handle(&mut self, request: Request, now: u64) -> Response {
        let result = match request {
            Request::Attestation { user_data, nonce, public_key } => {
                self.attest(user_data, nonce, public_key, now)
            }
            Request::DescribePcr { index } => self.describe(index),
            Request::GetRandom { label, len } => self.random(label, len),
            Request::SealingKey => Ok(Response::SealingKey(sealing_key(&self.measurements))),
        };
        result.unwrap_or_else(Response::Refused)
    }

    fn attest(
        &mut self,
        user_data: Option<Vec<u8>>,
        nonce: Option<Vec<u8>>,
        public_key: Option<Vec<u8>>,
        now: u64,
    ) -> Result<Response, Refusal> {
        for (field, len_max) in [
            (&user_data, USER_DATA_LEN_MAX),
            (&nonce, USER_DATA_LEN_MAX),
            (&public_key, PUBLIC_KEY_LEN_MAX),
        ] {
            if field.as_ref().is_some_and(|bytes| bytes.len() > len_max) {
                return Err(Refusal::InputTooLarge);
            }
        }
        if now / 1_000 >= END_OF_TIME {
            return Err(Refusal::InvalidOperation);
        }
        let pcrs = (0..N_PCRS).map(|index| (index, self.register(index))).collect();
        let statement = Statement {
            module_id: self.module_id.clone(),
            timestamp_ms: now,
            pcrs,
            user_data,
            nonce,
            public_key,
        };
        Ok(Response::Attestation { document: statement.sign(self.chain(now / 1_000)) })
    }

    fn describe(&self, index: u8) -> Result<Response, Refusal> {
        if index >= N_PCRS {
            return Err(Refusal::InvalidIndex);
        }
        // Measured registers are locked; the others cannot be extended here either.
        Ok(Response::Pcr { locked: true, value: self.register(index).0 })
    }

    fn random(&mut self, label: String, len: u16) -> Result<Response, Refusal> {
        let len = usize::from(len);
        if len == 0 || len > RANDOM_LEN_MAX {
            return Err(Refusal::InvalidArgument);
        }
        if label.len() > LABEL_LEN_MAX {
            return Err(Refusal::InputTooLarge);
        }
        if self.drawn.len() >= LABELS_MAX && !self.drawn.contains_key(&label) {
            return Err(Refusal::InvalidOperation);
        }
        let mut bytes = vec![0; len];
        let counter = self.drawn.entry(label.clone()).or_default();
        self.entropy.fill(&label, *counter, &mut bytes);
        *counter += 1;
        Ok(Response::Random(bytes))
    }

    fn register(&self, index: u8) -> Measurement {
        match index {
            0 => self.measurements.pcr0,
            1 => self.measurements.pcr1,
            2 => self.measurements.pcr2,
            _ => Measurement::ZERO,
        }
    }

    /// The chain at `now`, in Unix seconds.
    fn chain(&mut self, now: u64) -> &Chain {
        let due = Chain::development_leaf_not_before(now);
        if self.chain.as_ref().is_none_or(|(not_before, _)| *not_before != due) {
            self.chain = Some((due, Chain::development(now)));
        }
        &self.chain.as_ref().expect("set above").1
    }
}

/// The key that only this workload gets: `HKDF-SHA256(sealing root, PCR0 ‖ PCR1 ‖ PCR2)`.
pub fn sealing_key(measurements: &Measurements) -> [u8; 32] {
    let Measurements { pcr0, pcr1, pcr2 } = measurements;
    let context = [pcr0.0, pcr1.0, pcr2.0].concat();
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, SEALING_ROOT)
        .expand(&context, &mut key)
        .expect("32 bytes are one block");
    key
}

#[cfg(test)]
mod tests {
    use attestation::{Anchors, Attested, CertificateProblem, Error, Policy, verify};

    use super::*;

    /// 2023-03-11T02:00:00Z, in milliseconds.
    const NOW: u64 = 1_678_500_000_000;

    const WORKLOAD: Measurements = Measurements {
        pcr0: Measurement([1; 48]),
        pcr1: Measurement([2; 48]),
        pcr2: Measurement([3; 48]),
    };

    #[test]
    fn other_chains_are_refused() {
        for chain_id in [0, 1, 11_155_111] {
            assert_eq!(
                Nsmd::new(chain_id, WORKLOAD, entropy("a")).unwrap_err(),
                OffDevnet { chain_id }
            );
        }
    }

    #[test]
    fn document_verifies_under_the_development_root_and_not_under_awss() {
        let document = attest(&mut nsmd(), NOW);
        let policy = Policy::new(DEVELOPMENT_CHAIN_ID, vec![WORKLOAD])
            .unwrap()
            .with_nonce(b"nonce".to_vec());
        let development = Anchors::development(DEVELOPMENT_CHAIN_ID).unwrap();
        let attested = verify(&document, &development, &policy, NOW).unwrap();
        assert!(matches!(attested, Attested::Development(_)));
        assert_eq!(attested.claims().user_data(), Some(&b"bundle hash"[..]));
        assert!(matches!(
            verify(&document, &Anchors::aws(), &policy, NOW),
            Err(Error::UnknownRoot { .. })
        ));
    }

    #[test]
    fn leaf_expires_within_three_hours() {
        let document = attest(&mut nsmd(), NOW);
        let policy =
            Policy::new(DEVELOPMENT_CHAIN_ID, vec![WORKLOAD]).unwrap().with_age_ms_max(u64::MAX);
        let development = Anchors::development(DEVELOPMENT_CHAIN_ID).unwrap();
        assert!(matches!(
            verify(&document, &development, &policy, NOW + 3 * 3_600_000),
            Err(Error::Certificate { index: 4, problem: CertificateProblem::Expired { .. } })
        ));
    }

    #[test]
    fn same_requests_at_the_same_time_give_the_same_bytes() {
        let run = || {
            let mut nsmd = nsmd();
            [
                attest(&mut nsmd, NOW),
                nsmd.answer(&Request::GetRandom { label: "seed".into(), len: 32 }.encode(), NOW),
                attest(&mut nsmd, NOW + 7_200_000),
            ]
        };
        assert_eq!(run(), run());
    }

    #[test]
    fn chain_kept_from_an_earlier_document_changes_nothing() {
        let mut kept = nsmd();
        for minutes in [0, 29, 30, 31, 119, 120, 10_000] {
            let now = NOW + minutes * 60_000;
            assert_eq!(attest(&mut kept, now), attest(&mut nsmd(), now));
        }
    }

    #[test]
    fn awss_limits_are_enforced() {
        let attest = |user_data: usize, nonce: usize, public_key: usize| {
            let field = |len| Some(vec![0; len]);
            nsmd().handle(
                Request::Attestation {
                    user_data: field(user_data),
                    nonce: field(nonce),
                    public_key: field(public_key),
                },
                NOW,
            )
        };
        assert!(matches!(attest(512, 512, 1_024), Response::Attestation { .. }));
        for too_large in [attest(513, 0, 0), attest(0, 513, 0), attest(0, 0, 1_025)] {
            assert_eq!(too_large, Response::Refused(Refusal::InputTooLarge));
        }
        let random =
            |label: &str, len| nsmd().handle(Request::GetRandom { label: label.into(), len }, NOW);
        assert!(matches!(random("x", 256), Response::Random(bytes) if bytes.len() == 256));
        assert_eq!(random("x", 257), Response::Refused(Refusal::InvalidArgument));
        assert_eq!(random("x", 0), Response::Refused(Refusal::InvalidArgument));
        assert_eq!(random(&"x".repeat(65), 1), Response::Refused(Refusal::InputTooLarge));
        assert_eq!(
            nsmd().handle(Request::DescribePcr { index: 16 }, NOW),
            Response::Refused(Refusal::InvalidIndex)
        );
        assert_eq!(nsmd().answer(b"?", NOW), Response::Refused(Refusal::InvalidArgument).encode());
    }

    #[test]
    fn labels_are_bounded() {
        let mut nsmd = nsmd();
        for i in 0..LABELS_MAX {
            assert!(matches!(random(&mut nsmd, &i.to_string()), Response::Random(_)));
        }
        assert_eq!(random(&mut nsmd, "one more"), Response::Refused(Refusal::InvalidOperation));
        assert!(matches!(random(&mut nsmd, "0"), Response::Random(_)));
    }

    #[test]
    fn after_the_roots_end_nothing_is_signed() {
        let request = Request::Attestation { user_data: None, nonce: None, public_key: None };
        for now in [END_OF_TIME * 1_000, u64::MAX] {
            assert_eq!(
                nsmd().handle(request.clone(), now),
                Response::Refused(Refusal::InvalidOperation)
            );
        }
    }

    #[test]
    fn entropy_differs_by_seed_party_label_and_count() {
        let mut nsmd = nsmd();
        let draws = [
            random(&mut nsmd, "seed"),
            random(&mut nsmd, "seed"),
            random(&mut nsmd, "other"),
            random(&mut Nsmd::new(DEVELOPMENT_CHAIN_ID, WORKLOAD, entropy("b")).unwrap(), "seed"),
            random(
                &mut Nsmd::new(
                    DEVELOPMENT_CHAIN_ID,
                    WORKLOAD,
                    Entropy { seed: [1; 32], ..entropy("a") },
                )
                .unwrap(),
                "seed",
            ),
        ];
        for (i, draw) in draws.iter().enumerate() {
            assert!(!draws[..i].contains(draw), "draw {i}");
        }
        // What is moved from the label into the party is another context.
        assert_ne!(entropy("ab").draw("c", 0), entropy("a").draw("bc", 0));
        let Response::Random(first) = &draws[0] else { panic!("{draws:?}") };
        assert_eq!(first, &entropy("a").draw("seed", 0));
    }

    #[test]
    fn sealing_key_differs_by_each_register() {
        let one = Measurement([9; 48]);
        let keys = [
            WORKLOAD,
            Measurements { pcr0: one, ..WORKLOAD },
            Measurements { pcr1: one, ..WORKLOAD },
            Measurements { pcr2: one, ..WORKLOAD },
        ]
        .map(|measurements| sealing_key(&measurements));
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key));
        }
    }

    fn entropy(party: &str) -> Entropy {
        Entropy { seed: [7; 32], party: party.into() }
    }

    fn nsmd() -> Nsmd {
        Nsmd::new(DEVELOPMENT_CHAIN_ID, WORKLOAD, entropy("a")).unwrap()
    }

    fn random(nsmd: &mut Nsmd, label: &str) -> Response {
        nsmd.handle(Request::GetRandom { label: label.into(), len: 32 }, NOW)
    }

    fn attest(nsmd: &mut Nsmd, now: u64) -> Vec<u8> {
        let request = Request::Attestation {
            user_data: Some(b"bundle hash".to_vec()),
            nonce: Some(b"nonce".to_vec()),
            public_key: None,
        };
        let Response::Attestation { document } = nsmd.handle(request, now) else {
            panic!("refused")
        };
        document
    }
}
