//! What crosses the enclave's socket in the pool's second design, and what parties seal for it.

use attestation::{KeyBundle, Measurement};
use client::second::{Issuer, Line, Maker, Mandated, Market};
use client::{Custodian, Secrets};
use enclave::second::Program;
use k256::ecdsa::SigningKey;
use platform::{Platform, Refused};
use pool::field;
use pool::second::account::Account;
use pool::second::mandate::Mandate;
use pool::second::terms::Terms;
use pool::second::wallet::{Cursor, Event};
use primitives::{
    Address, Amount, Bytes32, CommitmentHash, Disclosure, Duration, Premium, Price, Ratio,
    RequestId, Timestamp, decode, encode, secp256k1, sha256,
};
use protocol::RequestStatus;
use protocol::detect::{Observation, Policy, Reserve};
use protocol::mission::Schedule;
use protocol::request::Escalation;
use protocol::second::{
    Block, Brief, Command, Configuration, Fact, Order, Receipt, SignedBrief, TickNotice,
};
use protocol::wire::{self, Answer, Reply};
use strangers::Decoder;

use super::{is_borsh, is_same};

pub(crate) const SECOND: &[Decoder] = &[
    Decoder::new("second/commands", commands, good_commands)
        .bad(|| {
            // Counts that no memory could hold: of bytes, of entries, of statements, of facts.
            let count = [0xff; 4];
            vec![
                [&[0][..], &count].concat(),
                [&[2][..], &count].concat(),
                [&[6][..], &[0; 12], &count].concat(),
                [&[7][..], &[0; 16], &count].concat(),
            ]
        })
        .slow(20),
    Decoder::new("second/configurations", is_borsh::<Configuration>, || {
        vec![encode(&configuration())]
    }),
    Decoder::new("second/orders", is_borsh::<Order>, || vec![encode(&order())]),
    Decoder::new("second/briefs", is_borsh::<SignedBrief>, || {
        let brief = Brief {
            mandate: vec![1; 280],
            account: vec![2; 217],
            request: Some(vec![3; 130]),
            viewing_key: [4; 32],
        };
        vec![encode(&SignedBrief { brief, signature: vec![5; 65] })]
    }),
    Decoder::new("second/receipts", is_borsh::<Receipt>, || {
        vec![encode(&Receipt { number: 7, since: Timestamp(5), signature: vec![1; 65] })]
    }),
    Decoder::new("second/tick-notices", is_borsh::<TickNotice>, || {
        let amount = Amount::from_tokens(3);
        let reading = wire::TickNotice {
            liabilities: amount,
            reserves: amount,
            position: amount,
            gap: amount,
            backed: true,
        };
        vec![encode(&TickNotice { reading, request: vec![1; 130] })]
    }),
    Decoder::new(
        "second/terms",
        |bytes| Terms::from_bytes(bytes).is_ok_and(|it| is_same(&it.to_bytes(), bytes)),
        || vec![order().terms],
    ),
    Decoder::new(
        "second/mandates",
        |bytes| Mandate::from_bytes(bytes).is_ok_and(|it| is_same(&it.to_bytes(), bytes)),
        || {
            let deal = market().deal().unwrap();
            let mandate = Mandate {
                deal,
                collateral_asset: deal.issuer,
                premium_bps_max: 5,
                price_min: 6,
                price_max: 7,
                expiry: 8,
                epoch_seconds: 9,
                amount_max: 10,
                lot: 11,
                slot_min: 12,
                salt: deal.venue,
            };
            vec![mandate.to_bytes().to_vec()]
        },
    ),
    Decoder::new(
        "second/accounts",
        |bytes| Account::from_bytes(bytes).is_ok_and(|it| is_same(&it.to_bytes(), bytes)),
        || vec![issuer().open().unwrap().plan.after.to_bytes().to_vec()],
    ),
];

/// Decoded; and if it is a command, given to an enclave that has its configuration and its brief.
fn commands(bytes: &[u8]) -> bool {
    if !is_borsh::<Command>(bytes) {
        return false;
    }
    let (mut program, _) = briefed();
    assert!(decode::<Answer>(&program.handle(bytes)).is_ok(), "an answer to whatever is asked");
    // Whatever it was, the enclave still answers.
    let nothing =
        Command::Inform { block: Block { number: 0, time: Timestamp(0) }, facts: Vec::new() };
    assert!(decode::<Answer>(&program.handle(&encode(&nothing))).is_ok());
    true
}

fn good_commands() -> Vec<Vec<u8>> {
    let (_, life) = briefed();
    let key = hpke_key();
    let mut program = configured();
    let entries = life.iter().filter_map(|command| ask(&mut program, command).sealed).collect();
    let maker = maker();
    let envelope = maker.seal(&key, &order()).unwrap();
    let observation = Observation {
        tick: 1,
        observed_at: Timestamp(5),
        liabilities: Amount::from_tokens(9),
        reserves: vec![Reserve {
            id: 1,
            amount: Amount::from_tokens(8),
            haircut: Premium::default(),
        }],
    };
    let statement = |node| custodian().statement(&observation, node, &key).ok();
    let observe = Command::Observe {
        tick: 1,
        now: Timestamp(5),
        statements: vec![statement(0), statement(1), statement(2), None],
    };
    let clear = Command::Clear {
        request: RequestId([7; 32]),
        round: 1,
        closed_at: Timestamp(4),
        price: Price(100_000_000),
        price_round: 1,
        entry_slot: 1,
    };
    let block = Block { number: 9, time: Timestamp(9) };
    let mut all = vec![
        Command::Configure(encode(&configuration())),
        Command::ProvingKey(vec![1; 100]),
        Command::Restore(entries),
        Command::Attest { nonce: vec![8; 16] },
        Command::Order(envelope),
        observe,
        Command::Inform { block, facts: facts() },
        clear,
    ];
    all.extend(life);
    all.iter().map(encode).collect()
}

/// Every fact there is.
fn facts() -> Vec<Fact> {
    let (id, commitment) = (RequestId([7; 32]), CommitmentHash([1; 32]));
    vec![
        Fact::RequestOpened {
            id,
            commitment,
            premium: Premium::new(800).unwrap(),
            opened: Timestamp(2),
            expires: Timestamp(3_605),
        },
        Fact::RoundSettled {
            id,
            round: 1,
            status: RequestStatus::Pending,
            posted: vec![[1; 32]; 51],
        },
        Fact::RequestExpired { id, attempts: 2 },
        Fact::RequestCancelled { id },
        Fact::RequestRevealed { id, status: RequestStatus::Filled },
        Fact::RecoveryAttested { recovered: true },
        Fact::StatusReported { commitment },
        Fact::Halted,
        Fact::ReportExecuted { epoch: 3 },
        Fact::MandateRegistered { mandate: commitment },
        Fact::AccountMoved {
            kind: 4,
            amount: Amount::from_tokens(2),
            recipient: Address([3; 20]),
            account: commitment,
        },
        Fact::Absorbed { index: 16, leaves: vec![[2; 32], [3; 32]], root: [4; 32] },
        Fact::Spent { nullifiers: [[5; 32], [6; 32]] },
        Fact::Announced { nullifier: [7; 32], time: Timestamp(8) },
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

/// An enclave that was shown an open account and a mandate, and briefed; with what it was asked for that.
fn briefed() -> (Program<Memory>, [Command; 2]) {
    let mut issuer = issuer();
    let plan = issuer.open().unwrap().plan;
    let facts = vec![
        Fact::MandateRegistered { mandate: CommitmentHash(issuer.mandate()) },
        Fact::AccountMoved {
            kind: 1,
            amount: Amount::ZERO,
            recipient: Address([0; 20]),
            account: CommitmentHash(field::to_bytes(&plan.after.commitment())),
        },
    ];
    for fact in &facts {
        issuer.hear(fact);
    }
    let sign = |digest: &[u8; 32]| {
        let (signature, recovery) = issuers_key().sign_prehash_recoverable(digest);
        let mut bytes = [0; 65];
        bytes[..64].copy_from_slice(&signature.to_bytes());
        bytes[64] = 27 + recovery.to_byte();
        bytes
    };
    let block = Block { number: 1, time: Timestamp(1) };
    let brief = Command::Brief(issuer.brief(&hpke_key(), sign).unwrap());
    let life = [Command::Inform { block, facts }, brief];
    let mut program = configured();
    for command in &life {
        assert!(matches!(ask(&mut program, command).reply, Reply::Done));
    }
    (program, life)
}

/// The key to which parties seal: the same in every life of this platform.
fn hpke_key() -> [u8; 32] {
    let attest = Command::Attest { nonce: Vec::new() };
    let Reply::Attested { key_bundle, .. } = ask(&mut configured(), &attest).reply else {
        panic!("an enclave with its configuration attests");
    };
    KeyBundle::parse(&key_bundle).unwrap().hpke_public_key
}

fn issuers_key() -> SigningKey {
    SigningKey::from_slice(&[5; 32]).unwrap()
}

fn secrets() -> Secrets {
    Secrets::new(|label, counter| sha256(&[label.as_bytes(), &counter.to_be_bytes()]))
}

fn custodian() -> Custodian {
    Custodian::new(secrets(), 4).unwrap()
}

fn issuer() -> Issuer {
    let mandated = Mandated {
        amount_max: Amount::from_tokens(1_000),
        epoch: Duration(86_400),
        premium_max: Premium::new(500).unwrap(),
        lot: Amount::from_tokens(1),
        slot_min: Amount::from_tokens(2),
    };
    Issuer::new(&mandated, market(), secrets()).unwrap()
}

/// A maker with a line in the entry tree.
fn maker() -> Maker {
    let mut maker = Maker::new(&[6; 32], market(), 0).unwrap();
    let line = Line {
        capacity: Amount::from_tokens(50),
        premium_min: Premium::new(20).unwrap(),
        fill_min: Amount::ZERO,
        gap_band_max: 200,
    };
    let deposit = maker.offer(&line).unwrap();
    let [inner, hint, memo] =
        [deposit.inner, deposit.hint, deposit.memo].map(|word| field::from_bytes(&word).unwrap());
    let leaf = pool::second::note::leaf(
        field::from_address(&deposit.asset.0),
        deposit.amount.units().into(),
        inner,
    );
    let queued = Event::Queued { position: 0, leaf, hint, memo };
    let absorbed = Event::Absorbed { position: 0, count: 1, index: 0, root: leaf };
    maker.scan(Cursor { block: 1, log: 0 }, &queued).unwrap();
    maker.scan(Cursor { block: 2, log: 0 }, &absorbed).unwrap();
    maker
}

fn order() -> Order {
    let maker = maker();
    let held = maker.lines().next().unwrap();
    maker.order(held).unwrap()
}

fn market() -> Market {
    Market {
        chain_id: 31_337,
        pool: Address([2; 20]),
        venue: Address([1; 20]),
        issuer: secp256k1::address(issuers_key().verifying_key()),
        instrument: 1,
        collateral: Address([4; 20]),
        collateral_decimals: 6,
        consideration: Address([5; 20]),
        consideration_decimals: 6,
        price: [Price(90_000_000), Price(110_000_000)],
        expiry: Timestamp(1 << 39),
    }
}

fn configuration() -> Configuration {
    let Market { chain_id, pool, venue, issuer, collateral, consideration, .. } = market();
    Configuration {
        chain_id,
        dark_pool: venue,
        shielded_pool: pool,
        registry: Address([3; 20]),
        issuer,
        collateral,
        consideration,
        disclosure: Disclosure::Immediate,
        policy: Policy {
            threshold: Ratio(1_020_000),
            target: Ratio(1_022_000),
            quorum: 3,
            age_max: Duration(600),
            readings: 2,
        },
        premium: Premium::default(),
        escalation: Escalation { ladder: vec![], premium_cap: Premium::default(), attempts_max: 1 },
        schedule: Schedule {
            call_every: 3,
            epoch_ticks: 12,
            round_ticks: vec![],
            opening_delay: 0,
        },
        aggregate_min: Amount::ZERO,
        share_max: Premium::new(10_000).unwrap(),
        custodian: custodian().public_key(),
        don: vec![],
        proving_key: Bytes32([0; 32]),
        not_after: Timestamp(1),
    }
}
