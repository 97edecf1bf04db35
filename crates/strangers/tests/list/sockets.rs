//! Frames to and from the enclave, the runner and the security module, and what parties seal for the enclave.

use std::io::Cursor;

use attestation::nsm_wire::{Refusal, Request, Response};
use attestation::{KeyBundle, Measurement, frame};
use client::Custodian;
use ed25519_dalek::{Signer as _, SigningKey as NodeKey};
use enclave::{Program, pool_id};
use k256::ecdsa::SigningKey;
use platform::{Platform, Refused};
use pool::mandate::Mandate;
use pool::note::Note;
use pool::position::Position;
use pool::terms::Terms;
use pool::{Fr, field, keys, seal};
use primitives::{
    Address, Amount, Bytes32, CommitmentHash, Disclosure, Duration, Premium, Price, Ratio,
    RequestId, Timestamp, decode, encode, secp256k1, sha256,
};
use protocol::RequestStatus;
use protocol::attest::{Observed, Opening, Status};
use protocol::detect::{Observation, Policy, Reserve};
use protocol::event::{Fact, Ready};
use protocol::mission::Schedule;
use protocol::request::Escalation;
use protocol::wire::{
    Answer, BRIEF_INFO, Brief, Command, Configuration, ENVELOPE_LEN, LockedNote, ORDER_INFO, Order,
    Reply, SignedBrief, Statement, TickNotice,
};
use runner::hash::{ComputeRequest, EnclaveConfig, signed_by_node};
use runner::relay::{CapabilityParams, Config, Execution, SecretId, SecretsParams};
use runner::wire::{Ask, FromRunner, Limits, Line, Signed, ToRunner};
use strangers::Decoder;

use super::{is_borsh, is_same};

pub(crate) const SOCKETS: &[Decoder] = &[
    Decoder::new("sockets/commands", commands, good_commands)
        .bad(|| {
            // Counts that no memory could hold: of bytes, of entries, of statements, of facts.
            let count = [0xff; 4];
            let observe = [&[6][..], &[0; 12], &count].concat();
            vec![
                [&[0][..], &count].concat(),
                [&[2][..], &count].concat(),
                observe,
                [&[7][..], &count].concat(),
            ]
        })
        .slow(20),
    Decoder::new("sockets/answers", is_borsh::<Answer>, good_answers),
    Decoder::new("sockets/configurations", is_borsh::<Configuration>, || {
        vec![encode(&configuration())]
    }),
    Decoder::new("sockets/orders", is_borsh::<Order>, || vec![encode(&order())]),
    Decoder::new("sockets/briefs", is_borsh::<SignedBrief>, || {
        vec![encode(&signed_brief(&[4; 32]).0)]
    }),
    Decoder::new("sockets/statements", is_borsh::<Statement>, || {
        let observation = encode(&observation());
        vec![encode(&Statement { observation, signature: vec![1; 64] })]
    }),
    Decoder::new("sockets/observations", is_borsh::<Observation>, || vec![encode(&observation())]),
    Decoder::new("sockets/tick-notices", is_borsh::<TickNotice>, || {
        let amount = Amount::from_tokens(3);
        vec![encode(&TickNotice {
            liabilities: amount,
            reserves: amount,
            position: amount,
            gap: amount,
            backed: true,
        })]
    }),
    Decoder::new(
        "sockets/terms",
        |bytes| Terms::from_bytes(bytes).is_ok_and(|it| is_same(&it.to_bytes(), bytes)),
        || vec![order().terms],
    ),
    Decoder::new(
        "sockets/mandates",
        |bytes| Mandate::from_bytes(bytes).is_ok_and(|it| is_same(&it.to_bytes(), bytes)),
        || vec![signed_brief(&[4; 32]).0.brief.mandate],
    ),
    Decoder::new(
        "sockets/positions",
        |bytes| Position::from_bytes(bytes).is_ok_and(|it| is_same(&it.to_bytes(), bytes)),
        || vec![signed_brief(&[4; 32]).0.brief.position],
    ),
    Decoder::new(
        "sockets/requests",
        |bytes| {
            pool::request::Request::from_bytes(bytes).is_ok_and(|it| is_same(&it.to_bytes(), bytes))
        },
        || {
            let request = pool::request::Request {
                requested: 7,
                remaining: 6,
                instrument: Fr::from(1u8),
                mandate: Fr::from(2u8),
                gap_band: 3,
                salt: Fr::from(4u8),
            };
            vec![request.to_bytes().to_vec()]
        },
    ),
    Decoder::new("sockets/runner-commands", runner_commands, good_runner_commands).slow(20),
    Decoder::new(
        "sockets/runner-answers",
        |bytes| {
            runner::wire::decode::<FromRunner>(bytes)
                .is_some_and(|it| is_same(&runner::wire::encode(&it), bytes))
        },
        good_runner_answers,
    ),
    Decoder::new(
        "sockets/module-requests",
        |bytes| Request::parse(bytes).is_ok_and(|it| is_same(&it.encode(), bytes)),
        || {
            let attestation = Request::Attestation {
                user_data: Some(vec![1; 49]),
                nonce: None,
                public_key: Some(Vec::new()),
            };
            let random = Request::GetRandom { label: "enclave".to_owned(), len: 32 };
            let requests =
                [attestation, random, Request::DescribePcr { index: 2 }, Request::SealingKey];
            requests.iter().map(Request::encode).collect()
        },
    )
    .bad(|| vec![vec![0, 1, 0xff, 0xff, 0xff, 0xff]]),
    Decoder::new(
        "sockets/module-answers",
        |bytes| Response::parse(bytes).is_ok_and(|it| is_same(&it.encode(), bytes)),
        || {
            let responses = [
                Response::Attestation { document: vec![7; 200] },
                Response::Pcr { locked: true, value: [9; 48] },
                Response::Random(vec![3; 32]),
                Response::SealingKey([5; 32]),
                Response::Refused(Refusal::InputTooLarge),
            ];
            responses.iter().map(Response::encode).collect()
        },
    ),
    Decoder::new(
        "sockets/frames",
        |bytes| {
            let mut rest = bytes;
            frame::read(&mut rest).is_ok_and(|read| {
                is_same(&frame::encode(&read).unwrap(), &bytes[..bytes.len() - rest.len()])
            })
        },
        || vec![frame::encode(b"a frame").unwrap(), frame::encode(&[]).unwrap()],
    )
    // The longest that may be promised, and longer.
    .bad(|| vec![vec![0x04, 0, 0, 0, 1], vec![0xff; 8], Vec::new()]),
];

/// Decoded; and if it is a command, given to an enclave that has its configuration and its brief.
fn commands(bytes: &[u8]) -> bool {
    if !is_borsh::<Command>(bytes) {
        return false;
    }
    let mut program = briefed();
    assert!(decode::<Answer>(&program.handle(bytes)).is_ok(), "an answer to whatever is asked");
    // Whatever it was, the enclave still answers.
    assert!(decode::<Answer>(&program.handle(&encode(&tell_nothing()))).is_ok());
    true
}

fn tell_nothing() -> Command {
    Command::Inform(Vec::new())
}

fn good_commands() -> Vec<Vec<u8>> {
    let (key, mut program) = (hpke_key(), configured());
    let (brief, fact) = signed_brief(&key);
    let sealed_brief = seal::seal(&key, BRIEF_INFO, &[], &encode(&brief), [6; 32]).unwrap();
    let life = [Command::Inform(vec![fact]), Command::Brief(sealed_brief)];
    let entries = life.iter().filter_map(|command| ask(&mut program, command).sealed).collect();
    let padded = seal::pad(&encode(&order()), ENVELOPE_LEN - seal::OVERHEAD).unwrap();
    let envelope = seal::seal(&key, ORDER_INFO, &[], &padded, [7; 32]).unwrap();
    let statement = |node| custodian().statement(&observation(), node, &key).ok();
    let observe = Command::Observe {
        tick: observation().tick,
        now: observation().observed_at,
        statements: vec![statement(0), statement(1), statement(2), None],
    };
    let clear = Command::Clear {
        request: RequestId([7; 32]),
        round: 2,
        closed_at: Timestamp(1_678_500_000),
        price: Price(100_000_000),
    };
    let [tell, brief] = life;
    [
        Command::Configure(encode(&configuration())),
        Command::ProvingKey(vec![1; 100]),
        Command::Restore(entries),
        Command::Attest { nonce: vec![8; 16] },
        brief,
        Command::Order(envelope),
        observe,
        tell,
        Command::Inform(facts()),
        clear,
    ]
    .iter()
    .map(encode)
    .collect()
}

fn good_answers() -> Vec<Vec<u8>> {
    let observed = Observed {
        tick: 3,
        now: Timestamp(5),
        status: Status::Sealed(CommitmentHash([1; 32])),
        deficit: CommitmentHash([2; 32]),
        position: CommitmentHash([3; 32]),
        notice: vec![4; 113],
        opening: Some(Opening { status: RequestStatus::Filled, salt: [5; 32], recovered: true }),
    };
    let ready = Ready {
        request: RequestId([6; 32]),
        round: 1,
        zk_proof: vec![7; 300],
        tee_attestation: vec![8; 65],
    };
    [
        Reply::Done,
        Reply::Attested { document: vec![1; 50], key_bundle: vec![2; 145] },
        Reply::Receipt(vec![3; 65]),
        Reply::Observed { observed, signature: vec![4; 65] },
        Reply::Unobserved,
        Reply::Cleared { ready: Some(ready), prove_ms: 2_000, constraints: 65_218 },
        Reply::Refused("an envelope is 4096 bytes".to_owned()),
        Reply::NotRestored { entry: 2 },
    ]
    .into_iter()
    .map(|reply| encode(&Answer { sealed: Some(vec![9; 40]), reply }))
    .collect()
}

/// Every fact there is.
pub(crate) fn facts() -> Vec<Fact> {
    let (id, commitment) = (RequestId([7; 32]), CommitmentHash([1; 32]));
    vec![
        Fact::LeavesInserted { start: 1, leaves: vec![[2; 32], [0; 32]] },
        Fact::RequestOpened {
            id,
            commitment,
            premium: Premium::new(800).unwrap(),
            opened: Timestamp(5),
            expires: Timestamp(3_605),
        },
        Fact::RoundSettled { id, round: 1, status: RequestStatus::Pending, position: commitment },
        Fact::RequestExpired { id, attempts: 2 },
        Fact::RequestRevealed { id, status: RequestStatus::Filled },
        Fact::RecoveryAttested { recovered: true },
        Fact::StatusReported { commitment },
        Fact::Halted,
    ]
}

/// A platform in memory, with the measurement of whatever configuration it is given.
struct Memory(Vec<u8>);

impl Platform for Memory {
    fn register(&mut self, _: u8) -> Result<[u8; 48], Refused> {
        Ok(Measurement::of(&self.0).0)
    }

    fn random(&mut self, _: &str) -> Result<[u8; 32], Refused> {
        Ok([7; 32])
    }

    fn sealing_key(&mut self) -> Result<[u8; 32], Refused> {
        Ok([1; 32])
    }

    fn attest(&mut self, user_data: &[u8], _: Option<&[u8]>) -> Result<Vec<u8>, Refused> {
        Ok(user_data.to_vec())
    }
}

fn ask(program: &mut Program<Memory>, command: &Command) -> Answer {
    decode(&program.handle(&encode(command))).unwrap()
}

fn configured() -> Program<Memory> {
    let bytes = encode(&configuration());
    let mut program = Program::new(Memory(bytes.clone()));
    assert!(matches!(ask(&mut program, &Command::Configure(bytes)).reply, Reply::Done));
    program
}

fn briefed() -> Program<Memory> {
    let (key, mut program) = (hpke_key(), configured());
    let (brief, fact) = signed_brief(&key);
    let brief = seal::seal(&key, BRIEF_INFO, &[], &encode(&brief), [6; 32]).unwrap();
    for command in [Command::Inform(vec![fact]), Command::Brief(brief)] {
        assert!(matches!(ask(&mut program, &command).reply, Reply::Done));
    }
    program
}

/// The key to which parties seal: the same in every life of this platform.
fn hpke_key() -> [u8; 32] {
    let nonce = Vec::new();
    let Reply::Attested { key_bundle, .. } =
        ask(&mut configured(), &Command::Attest { nonce }).reply
    else {
        panic!("an enclave with its configuration attests");
    };
    KeyBundle::parse(&key_bundle).unwrap().hpke_public_key
}

fn issuer() -> SigningKey {
    SigningKey::from_slice(&[5; 32]).unwrap()
}

fn custodian() -> Custodian {
    let secrets =
        client::Secrets::new(|label, counter| sha256(&[label.as_bytes(), &counter.to_be_bytes()]));
    Custodian::new(secrets, 4).unwrap()
}

fn configuration() -> Configuration {
    Configuration {
        chain_id: 31_337,
        dark_pool: Address([1; 20]),
        shielded_pool: Address([2; 20]),
        registry: Address([3; 20]),
        issuer: secp256k1::address(issuer().verifying_key()),
        collateral: Address([4; 20]),
        consideration: Address([5; 20]),
        disclosure: Disclosure::Sealed,
        policy: Policy {
            threshold: Ratio(1_020_000),
            target: Ratio(1_022_000),
            quorum: 3,
            age_max: Duration(600),
            readings: 1,
        },
        premium: Premium::default(),
        escalation: Escalation {
            ladder: vec![Premium::default()],
            premium_cap: Premium::default(),
            attempts_max: 1,
        },
        schedule: Schedule {
            call_every: 3,
            epoch_ticks: 12,
            round_ticks: vec![3, 7, 11],
            opening_delay: 1,
        },
        lot: Amount::from_tokens(1),
        aggregate_min: Amount::ZERO,
        share_max: Premium::default(),
        custodian: custodian().public_key(),
        don: vec![Address([6; 20])],
        proving_key: Bytes32([0; 32]),
        not_after: Timestamp(1),
    }
}

/// A brief for the enclave with this key, over a consideration note that is leaf 0; and that leaf.
fn signed_brief(enclave: &[u8; 32]) -> (SignedBrief, Fact) {
    let configuration = configuration();
    let mandate = Mandate {
        issuer: field::from_address(&configuration.issuer.0),
        instrument: Fr::from(1u8),
        collateral_asset: field::from_address(&configuration.collateral.0),
        consideration_asset: field::from_address(&configuration.consideration.0),
        pool_id: pool_id(&configuration),
        amount_max: 1 << 60,
        premium_bps_max: 1,
        price_min: 1,
        price_max: 2,
        expiry: 1,
        salt: Fr::from(9u8),
    };
    let nsk = keys::NullifierSecret::from_entropy(&[1; 32]);
    let ak = Fr::from(3u8);
    let note = Note {
        asset: mandate.consideration_asset,
        amount: 5,
        owner: keys::owner(ak, nsk.nullifier_key()),
        order_hash: mandate.commitment(),
        rho: Fr::from(4u8),
    };
    let position = Position { issuer: mandate.issuer, amount: 0, salt: Fr::from(2u8) };
    let brief = Brief {
        mandate: mandate.to_bytes().to_vec(),
        position: position.to_bytes().to_vec(),
        consideration: LockedNote {
            amount: Amount::new(5).unwrap(),
            ak: field::to_bytes(&ak),
            nsk: *nsk.to_bytes(),
            rho: field::to_bytes(&note.rho),
            index: 0,
        },
        viewing_key: seal::SecretKey::from_ikm(&[8; 32]).public_key(),
    };
    let (signature, recovery) = issuer().sign_prehash_recoverable(&brief.digest(enclave));
    let signature = [&signature.to_bytes()[..], &[27 + recovery.to_byte()]].concat();
    let leaf = Fact::LeavesInserted { start: 0, leaves: vec![field::to_bytes(&note.commitment())] };
    (SignedBrief { brief, signature }, leaf)
}

fn order() -> Order {
    let terms = Terms {
        issuer: Fr::from(1u8),
        instrument: Fr::from(2u8),
        consideration_asset: Fr::from(3u8),
        payout_owner: Fr::from(4u8),
        pool_id: Fr::from(5u8),
        premium_bps_min: 6,
        price_min: 7,
        price_max: 8,
        fill_min: 9,
        gap_band_max: 10,
        expiry: 11,
    };
    let note = LockedNote {
        amount: Amount::from_tokens(1_000_000),
        ak: [1; 32],
        nsk: [2; 32],
        rho: [3; 32],
        index: 4,
    };
    Order { note, terms: terms.to_bytes().to_vec(), viewing_key: [6; 32] }
}

fn observation() -> Observation {
    let reserve = |id| Reserve {
        id,
        amount: Amount::from_tokens(900_000),
        haircut: Premium::new(10_000).unwrap_or_default(),
    };
    Observation {
        tick: 3,
        observed_at: Timestamp(1_678_500_000),
        liabilities: Amount::from_tokens(1_000_000),
        reserves: vec![reserve(1), reserve(2)],
    }
}

fn node_key() -> NodeKey {
    NodeKey::from_bytes(&[3; 32])
}

fn runner_configuration() -> runner::wire::Configuration {
    let enclave = EnclaveConfig {
        signers: vec![node_key().verifying_key().to_bytes()],
        master_public_key: Vec::new(),
        t: 0,
        f: 0,
    };
    runner::wire::Configuration { enclave, limits: Limits::Production }
}

/// Decoded; and a request to run something is signed as it came, so that a runner looks at what is in it.
fn runner_commands(bytes: &[u8]) -> bool {
    let Some(mut command) = runner::wire::decode::<ToRunner>(bytes) else { return false };
    is_same(&runner::wire::encode(&command), bytes);
    let configuration = runner_configuration();
    let mut program = runner::Program::new(Memory(configuration.encode()));
    let mut say = |command: &ToRunner| {
        let mut host = Cursor::new(Vec::new());
        let said = program.handle(&runner::wire::encode(command), &mut host);
        runner::wire::decode::<FromRunner>(&said).expect("an answer to whatever is asked")
    };
    let configured = say(&ToRunner::Configure(configuration));
    assert!(matches!(configured, FromRunner::Configured { .. }), "{configured:?}");
    if let ToRunner::Execute { request, signatures, .. } = &mut command {
        let signature = node_key().sign(&signed_by_node(&request.hash())).to_bytes();
        *signatures = vec![Signed { node: 0, signature }];
    }
    say(&command);
    true
}

fn execution() -> Execution {
    Execution {
        workflow_id: "11".repeat(32),
        owner: format!("0x{}", "22".repeat(20)),
        execution_id: "33".repeat(32),
        org_id: String::new(),
    }
}

fn good_runner_commands() -> Vec<Vec<u8>> {
    let request = ComputeRequest {
        request_id: [1; 32],
        application_request_id: "an execution".to_owned(),
        public_data: vec![2; 40],
        ciphertexts: vec![vec![3; 10]],
        ciphertext_names: vec!["KEY".to_owned()],
        enclave_ephemeral_public_key: vec![4; 32],
        master_public_key: Vec::new(),
        app_id: runner::hash::APP_ID.to_owned(),
        version: "1.0.0".to_owned(),
    };
    let signatures = vec![Signed { node: 0, signature: [5; 64] }];
    let commands = [
        ToRunner::Configure(runner_configuration()),
        ToRunner::Execute { request, signatures, module: b"\0asm\x01\0\0\0".to_vec() },
        ToRunner::Reply(runner::wire::Reply::Now(Ok(7))),
        ToRunner::Reply(runner::wire::Reply::Failed("no".to_owned())),
    ];
    commands.iter().map(runner::wire::encode).collect()
}

fn good_runner_answers() -> Vec<Vec<u8>> {
    let call = CapabilityParams {
        of: execution(),
        reference_id: "1".to_owned(),
        capability_id: "http-actions@1.0.0-alpha".to_owned(),
        payload: "AAAA".to_owned(),
        enclave_config: Config(runner_configuration().enclave),
    };
    let secrets = SecretsParams {
        of: execution(),
        secrets: vec![SecretId { key: "KEY".to_owned(), namespace: "main".to_owned() }],
        enclave_public_key: "44".repeat(32),
        enclave_config: Config(runner_configuration().enclave),
    };
    let lines = vec![Line { is_node_mode: true, text: "a line".to_owned() }];
    let document = vec![6; 20];
    let answers = [
        FromRunner::Configured { public_key: [7; 32], document: document.clone() },
        FromRunner::Asked(Ask::Call {
            is_node_mode: false,
            params: call,
            document: document.clone(),
        }),
        FromRunner::Asked(Ask::Secrets { params: secrets, document: document.clone() }),
        FromRunner::Asked(Ask::Await { callback_id: 3 }),
        FromRunner::Finished { output: vec![8; 9], document, lines: lines.clone() },
        FromRunner::Refused { reason: "no".to_owned(), lines },
    ];
    answers.iter().map(runner::wire::encode).collect()
}
