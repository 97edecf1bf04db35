use k256::ecdsa::signature::Signer as _;
use k256::ecdsa::{Signature, SigningKey};
use pool::mandate::Mandate;
use pool::note::Note;
use pool::position::Position;
use pool::{Fr, field, keys, seal};
use primitives::{Address, Amount, Bytes32, Duration, Premium, Ratio, decode, encode, secp256k1};
use protocol::detect::{Observation, Policy, Reserve};
use protocol::mission::Schedule;
use protocol::request::Escalation;
use protocol::wire::{self, Answer, BRIEF_INFO, Brief, LockedNote, SignedBrief, Statement};
use protocol::{Disclosure, Fact};

use super::*;

/// A platform in memory, with the measurement of whatever configuration it is given.
#[derive(Clone)]
pub(crate) struct Memory {
    configuration: Vec<u8>,
    sealing_key: [u8; 32],
}

impl Memory {
    pub(crate) const fn new(configuration: Vec<u8>) -> Self {
        Self { configuration, sealing_key: [1; 32] }
    }
}

impl Platform for Memory {
    fn register(&mut self, _: u8) -> Result<[u8; 48], Refused> {
        Ok(Measurement::of(&self.configuration).0)
    }

    fn random(&mut self, _: &str) -> Result<[u8; 32], Refused> {
        Ok([7; 32])
    }

    fn sealing_key(&mut self) -> Result<[u8; 32], Refused> {
        Ok(self.sealing_key)
    }

    fn attest(&mut self, user_data: &[u8], _: Option<&[u8]>) -> Result<Vec<u8>, Refused> {
        Ok(user_data.to_vec())
    }
}

fn issuer() -> SigningKey {
    SigningKey::from_slice(&[5; 32]).unwrap()
}

fn custodian() -> SigningKey {
    SigningKey::from_slice(&[4; 32]).unwrap()
}

pub(crate) fn configuration() -> Configuration {
    Configuration {
        chain_id: 31_337,
        dark_pool: Address([1; 20]),
        shielded_pool: Address([2; 20]),
        registry: Address([3; 20]),
        issuer: secp256k1::address(issuer().verifying_key()),
        collateral: Address([4; 20]),
        consideration: Address([5; 20]),
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
        lot: Amount::from_tokens(1),
        aggregate_min: Amount::ZERO,
        share_max: Premium::default(),
        custodian: custodian().verifying_key().to_sec1_point(true).as_bytes().to_vec(),
        don: vec![],
        proving_key: Bytes32([0; 32]),
        not_after: Timestamp(1),
    }
}

fn program(sealing_key: [u8; 32]) -> Program<Memory> {
    let bytes = encode(&configuration());
    let mut program = Program::new(Memory { configuration: bytes.clone(), sealing_key });
    assert!(matches!(ask(&mut program, &Command::Configure(bytes)).reply, Reply::Done));
    program
}

fn ask(program: &mut Program<Memory>, command: &Command) -> Answer {
    decode(&program.handle(&encode(command))).unwrap()
}

fn refusal(answer: Answer) -> String {
    let Reply::Refused(reason) = answer.reply else { panic!("it was not refused") };
    reason
}

/// A brief over a consideration note that is leaf 0, its fact, and how it is signed.
fn brief(program: &mut Program<Memory>, signer: &SigningKey, position: u128) -> (Fact, Command) {
    let configuration = configuration();
    let mandate = Mandate {
        issuer: field::from_address(&configuration.issuer.0),
        instrument: Fr::from(1u8),
        collateral_asset: field::from_address(&configuration.collateral.0),
        consideration_asset: field::from_address(&configuration.consideration.0),
        pool_id: crate::pool_id(&configuration),
        amount_max: 1,
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
    let fact = Fact::LeavesInserted { start: 0, leaves: vec![field::to_bytes(&note.commitment())] };
    let brief = Brief {
        mandate: mandate.to_bytes().to_vec(),
        position: Position { issuer: mandate.issuer, amount: position, salt: Fr::from(2u8) }
            .to_bytes()
            .to_vec(),
        consideration: LockedNote {
            amount: Amount::new(5).unwrap(),
            ak: field::to_bytes(&ak),
            nsk: *nsk.to_bytes(),
            rho: field::to_bytes(&note.rho),
            index: 0,
        },
        viewing_key: SecretKey::from_ikm(&[8; 32]).public_key(),
    };
    let key = program.0.booted.as_ref().unwrap().state.hpke.public_key();
    let (signature, recovery) = signer.sign_prehash_recoverable(&brief.digest(&key));
    let mut bytes = signature.to_bytes().to_vec();
    bytes.push(27 + recovery.to_byte());
    let message = encode(&SignedBrief { brief, signature: bytes });
    (fact, Command::Brief(seal::seal(&key, BRIEF_INFO, &[], &message, [6; 32]).unwrap()))
}

#[test]
fn a_configuration_that_was_not_measured_is_refused_with_both_measurements() {
    let measured = encode(&configuration());
    let mut program =
        Program::new(Memory { configuration: measured.clone(), sealing_key: [1; 32] });
    let other = encode(&Configuration { chain_id: 1, ..configuration() });
    let reason = refusal(ask(&mut program, &Command::Configure(other.clone())));
    assert!(reason.contains(&Measurement::of(&other).to_string()), "{reason}");
    assert!(reason.contains(&Measurement::of(&measured).to_string()), "{reason}");
}

#[test]
fn only_the_issuer_briefs_and_only_with_an_empty_position() {
    let mut program = program([1; 32]);
    let stranger = SigningKey::from_slice(&[6; 32]).unwrap();
    let (fact, forged) = brief(&mut program, &stranger, 0);
    ask(&mut program, &Command::Inform(vec![fact]));
    assert!(refusal(ask(&mut program, &forged)).contains("not signed by the configured issuer"));
    let (_, inflated) = brief(&mut program, &issuer(), 1);
    assert!(refusal(ask(&mut program, &inflated)).contains("a position starts empty"));
    let (_, honest) = brief(&mut program, &issuer(), 0);
    assert!(matches!(ask(&mut program, &honest).reply, Reply::Done));
}

#[test]
fn a_restarted_enclave_continues_and_another_measurement_gets_nothing() {
    let mut first = program([1; 32]);
    let (fact, honest) = brief(&mut first, &issuer(), 0);
    let entries: Vec<Vec<u8>> = [Command::Inform(vec![fact]), honest]
        .iter()
        .map(|command| ask(&mut first, command).sealed.expect("news is sealed"))
        .collect();
    let mut again = program([1; 32]);
    assert!(matches!(ask(&mut again, &Command::Restore(entries.clone())).reply, Reply::Done));
    assert!(again.0.booted.as_ref().unwrap().state.issuer().is_ok());
    // Heard before: answered, not sealed again.
    let (fact, _) = brief(&mut again, &issuer(), 0);
    assert!(ask(&mut again, &Command::Inform(vec![fact])).sealed.is_none());

    let mut changed = program([2; 32]);
    let reply = ask(&mut changed, &Command::Restore(entries)).reply;
    assert!(matches!(reply, Reply::NotRestored { entry: 0 }));
    assert!(changed.0.booted.as_ref().unwrap().state.issuer().is_err());
}

/// By its number among what the host keeps, one to a command, the seed's not counted.
#[test]
fn an_entry_that_is_not_the_next_one_is_named() {
    let mut first = program([1; 32]);
    let (fact, honest) = brief(&mut first, &issuer(), 0);
    let mut entries: Vec<Vec<u8>> =
        [Command::Inform(vec![fact]), honest].map(|c| ask(&mut first, &c).sealed.unwrap()).into();
    entries.push(observe(&mut first, 1, 1_021).sealed.unwrap());
    for named in 0..entries.len() {
        let mut changed = entries.clone();
        *changed[named].last_mut().unwrap() ^= 1;
        let mut again = program([1; 32]);
        let reply = ask(&mut again, &Command::Restore(changed)).reply;
        assert!(
            matches!(reply, Reply::NotRestored { entry } if entry == named as u64),
            "entry {named}"
        );
        assert!(again.0.booted.as_ref().unwrap().state.issuer().is_err(), "nothing is restored");
    }
}

#[test]
fn a_tick_that_nobody_speaks_of_ends_none_before_it() {
    let mut program = program([1; 32]);
    let (fact, honest) = brief(&mut program, &issuer(), 0);
    ask(&mut program, &Command::Inform(vec![fact]));
    ask(&mut program, &honest);
    for tick in [u32::MAX, 1, 1] {
        let statements = vec![None, Some(vec![1; 80]), None, None];
        let observe = Command::Observe { tick, now: Timestamp(5), statements };
        let answer = ask(&mut program, &observe);
        assert!(matches!(answer.reply, Reply::Unobserved), "{tick}");
        assert!(answer.sealed.is_none(), "nothing to remember of {tick}");
    }
}

/// A tick on which all nodes pass on that the custodian holds `reserves` against 1,000, in tokens.
fn observe(program: &mut Program<Memory>, tick: u32, reserves: u64) -> Answer {
    let now = Timestamp(u64::from(tick) * 300);
    let reserve =
        Reserve { id: 1, amount: Amount::from_tokens(reserves), haircut: Premium::default() };
    let observation = encode(&Observation {
        tick,
        observed_at: now,
        liabilities: Amount::from_tokens(1_000),
        reserves: vec![reserve],
    });
    let signature: Signature = custodian().sign(&observation);
    let statement = encode(&Statement { observation, signature: signature.to_vec() });
    let key = program.0.booted.as_ref().unwrap().state.hpke.public_key();
    let sealed = |node: u32| {
        let aad = wire::statement_aad(tick, node);
        seal::seal(&key, wire::STATEMENT_INFO, &aad, &statement, [6; 32]).unwrap()
    };
    let statements = (0..4).map(|node| Some(sealed(node))).collect();
    ask(program, &Command::Observe { tick, now, statements })
}

/// What contracts read of it.
fn attested(answer: &Answer) -> Option<bool> {
    let Reply::Observed { observed, .. } = &answer.reply else { panic!("it was not judged") };
    observed.attested()
}

#[test]
fn an_enclave_set_back_to_before_a_shortfall_does_not_say_that_the_coin_is_backed() {
    let mut live = program([1; 32]);
    let (fact, honest) = brief(&mut live, &issuer(), 0);
    let mut entries = vec![
        ask(&mut live, &Command::Inform(vec![fact])).sealed.unwrap(),
        ask(&mut live, &honest).sealed.unwrap(),
    ];
    // Threshold 1,020, target 1,022, two readings make a shortfall.
    for (tick, reserves, said) in [
        (1, 1_021, Some(true)),
        (2, 1_019, None),
        (3, 1_020, Some(true)),
        (4, 1_019, None),
        (5, 1_019, Some(false)),
        (6, 1_021, Some(false)),
        (7, 1_022, Some(true)),
        (8, 1_019, None),
        (9, 1_019, Some(false)),
    ] {
        let answer = observe(&mut live, tick, reserves);
        assert_eq!(attested(&answer), said, "tick {tick}");
        entries.push(answer.sealed.unwrap());
    }
    // The host keeps as much of the journal as it likes, and shows the next tick as it is.
    for kept in 2..=entries.len() {
        let mut again = program([1; 32]);
        assert!(matches!(
            ask(&mut again, &Command::Restore(entries[..kept].to_vec())).reply,
            Reply::Done
        ));
        assert_ne!(attested(&observe(&mut again, 10, 1_019)), Some(true), "{kept} entries kept");
    }
}

#[test]
fn a_tick_before_the_last_one_judged_is_refused_as_what_it_is() {
    let mut program = program([1; 32]);
    let (fact, honest) = brief(&mut program, &issuer(), 0);
    ask(&mut program, &Command::Inform(vec![fact]));
    ask(&mut program, &honest);
    observe(&mut program, 120, 1_021);
    // The workflow was bound again, and counts from a new start.
    let reason = refusal(observe(&mut program, 1, 1_021));
    assert!(
        reason.starts_with("tick 1 is over, since tick 120 was judged: keep `started`"),
        "{reason}"
    );
    assert!(matches!(observe(&mut program, 120, 1_021).reply, Reply::Observed { .. }));
}

#[test]
fn nothing_happens_before_its_turn_and_garbage_is_answered() {
    let mut fresh = Program::new(Memory { configuration: vec![], sealing_key: [1; 32] });
    assert!(
        refusal(ask(&mut fresh, &Command::Attest { nonce: vec![] }))
            .contains("configuration has to come first")
    );
    for frame in [&b""[..], b"\xff\xff\xff\xff", &[0; 64]] {
        let answer: Answer = decode(&fresh.handle(frame)).unwrap();
        let _ = refusal(answer);
    }
    let mut program = program([1; 32]);
    let clear = Command::Clear {
        request: primitives::RequestId([0; 32]),
        round: 1,
        closed_at: Timestamp(0),
        price: primitives::Price(1),
    };
    assert!(refusal(ask(&mut program, &clear)).contains("no such round"));
    assert!(refusal(ask(&mut program, &Command::Order(vec![0; 10]))).contains("4096 bytes"));
    assert!(refusal(ask(&mut program, &Command::ProvingKey(vec![1]))).contains("proving key"));
}
