use alloy::primitives::LogData;

use super::*;

const ISSUER: Address = Address::repeat_byte(9);

fn deployment() -> Deployment {
    let [forwarder, dark_pool, pool, por, guard] = [1, 2, 3, 4, 5].map(Address::repeat_byte);
    let nobody = Address::ZERO;
    Deployment {
        chain_id: 31_337,
        forwarder,
        cash: nobody,
        claim: nobody,
        price_feed: nobody,
        timelock: nobody,
        pool,
        guard,
        registry: nobody,
        por,
        status_hash: nobody,
        absorb_verifier: nobody,
        absorb_many_verifier: nobody,
        spend_verifier: nobody,
        account_verifier: nobody,
        clear_verifier: nobody,
        dark_pool,
        stablecoin: nobody,
    }
}

fn log(index: u64, address: Address, event: &impl SolEvent) -> Log {
    let inner = Logged { address, data: event.encode_log_data() };
    Log { inner, block_number: Some(7), log_index: Some(index), ..Log::default() }
}

fn number(number: u64) -> U256 {
    U256::from(number)
}

fn queued(position: u64) -> ShieldedPool::Queued {
    let [leaf, hint, memo] = [100, 200, 300].map(|base| number(base + position));
    ShieldedPool::Queued { position: number(position), leaf, hint, memo }
}

fn absorbed(position: u64, count: u64) -> ShieldedPool::Absorbed {
    let [position, count, index, root] = [position, count, 16, 77].map(number);
    ShieldedPool::Absorbed { position, count, index, root }
}

fn cleared(venue: &Fr, disclosure: u64, status: u64) -> ShieldedPool::Cleared {
    let mut posted: Vec<_> = (0..POSTED as u64).map(|at| number(1_000 + at)).collect();
    posted[2] = word(venue);
    posted[at::DISCLOSURE] = number(disclosure);
    posted[at::STATUS] = number(status);
    ShieldedPool::Cleared { venue: posted[2], posted }
}

fn settled_by_venue(round: u64) -> DarkPool::Settled {
    DarkPool::Settled {
        requestId: B256::repeat_byte(8),
        round,
        closedAt: number(50),
        orderRoot: number(4),
        priceRound: alloy::primitives::aliases::U80::from(3),
    }
}

fn bytes(number: u64) -> [u8; 32] {
    U256::from(number).to_be_bytes()
}

fn words(result: Result<Option<Fact>, LogError>) -> String {
    result.expect_err("it is refused").to_string()
}

#[test]
fn leaves_become_a_fact_when_they_enter_the_tree() {
    let Deployment { pool, .. } = deployment();
    let mut facts = Facts::new(&deployment());
    for at in 0..3 {
        assert_eq!(facts.read(&log(at, pool, &queued(at))).unwrap(), None);
    }
    let entered = facts.read(&log(3, pool, &absorbed(0, 2))).unwrap();
    let leaves = vec![bytes(100), bytes(101)];
    assert_eq!(entered, Some(Fact::Absorbed { index: 16, leaves, root: bytes(77) }));

    let said = |log: Log| words(facts.clone().read(&log));
    assert!(said(log(3, pool, &queued(3))).starts_with("log 7.3 is not after 7.3"));
    assert!(
        said(log(4, pool, &queued(4))).starts_with("a leaf is queued at 4, the next position is 3")
    );
    for (position, count) in [(0, 1), (3, 1), (2, 2), (2, 0)] {
        let waiting = said(log(4, pool, &absorbed(position, count)));
        let expected = format!("{count} leaves are absorbed from {position} on, 1 wait from 2 on");
        assert!(waiting.starts_with(&expected), "{waiting}");
    }
    // What was refused has changed nothing.
    assert!(facts.read(&log(4, pool, &absorbed(2, 1))).unwrap().is_some());
}

/// The pool emits hint and memo as it was given them, by anyone: what is no element must stop nobody.
#[test]
fn words_for_a_wallet_that_are_no_elements_stop_nobody() {
    let pool = deployment().pool;
    let order = word(&-Fr::from(1)) + U256::ONE;
    for words in [[U256::MAX; 2], [order, U256::ZERO], [U256::ZERO, order + number(5)]] {
        let [hint, memo] = words;
        let log = log(0, pool, &ShieldedPool::Queued { hint, memo, ..queued(0) });
        let read = event(&log, pool).expect("a log that the pool may emit");
        let [hint, memo] = words.map(|word| scalar(word % order).unwrap());
        assert_eq!(read, Some(Event::Queued { position: 0, leaf: Fr::from(100), hint, memo }));
        let mut facts = Facts::new(&deployment());
        assert_eq!(facts.read(&log).expect("read"), None);
    }
    // The pool computes the leaf, so that one is no element only if a node says so.
    let leaf = ShieldedPool::Queued { leaf: order, ..queued(0) };
    assert!(matches!(event(&log(0, pool, &leaf), pool), Err(LogError::Range { what: "leaf", .. })));
}

#[test]
fn a_round_is_the_venues_and_the_pools_word_together() {
    let (at, venue) = (deployment(), deployment().venue());
    let read = |disclosure, status| {
        let mut facts = Facts::new(&at);
        assert_eq!(facts.read(&log(0, at.dark_pool, &settled_by_venue(2))).unwrap(), None);
        facts.read(&log(1, at.pool, &cleared(&venue, disclosure, status)))
    };
    let Some(Fact::RoundSettled { id, round, status, posted }) = read(0, 1).unwrap() else {
        panic!("a round is settled")
    };
    assert_eq!((id, round, status), (RequestId([8; 32]), 2, RequestStatus::PartiallyFilled));
    assert_eq!((posted.len(), posted[50]), (POSTED, bytes(1_050)));
    // A sealed one commits to its status.
    let sealed = read(1, 99).unwrap();
    assert!(matches!(sealed, Some(Fact::RoundSettled { status: RequestStatus::Pending, .. })));
    assert!(words(read(0, 99)).contains("Cleared at 7.1 has a status that is out of range"));

    // One without the other.
    let alone = |first: Log, second: Option<Log>| {
        let mut facts = Facts::new(&at);
        match second {
            None => words(facts.read(&first)),
            Some(second) => {
                facts.read(&first).unwrap();
                words(facts.read(&second))
            }
        }
    };
    let unpaired = "word on a round do not meet";
    assert!(alone(log(0, at.pool, &cleared(&venue, 1, 1)), None).contains(unpaired));
    let said = log(0, at.dark_pool, &settled_by_venue(1));
    for other in [
        log(1, at.pool, &cleared(&-Fr::from(1), 1, 1)),
        log(1, at.pool, &queued(0)),
        log(1, at.dark_pool, &settled_by_venue(2)),
        log(1, at.guard, &RecoveryGuard::Halted { attempts: number(3) }),
    ] {
        assert!(alone(said.clone(), Some(other)).contains(unpaired));
    }
    // Another venue's round is its own business, between two of ours.
    let mut facts = Facts::new(&at);
    assert_eq!(facts.read(&log(0, at.pool, &cleared(&Fr::from(5), 1, 1))).unwrap(), None);
}

/// Attack E11's cousin: anyone may deploy a contract that logs what ours log.
#[test]
fn each_fact_has_one_contract_that_may_say_it() {
    let at = deployment();
    let Deployment { dark_pool, pool, por, guard, .. } = at;
    let id = B256::repeat_byte(8);
    let request = RequestId(id.0);
    let nullifiers = [number(1), number(2)];
    let moved = ShieldedPool::AccountMoved {
        venue: word(&at.venue()),
        kind: 2,
        asset: Address::repeat_byte(6),
        amount: number(40),
        recipient: Address::ZERO,
        before: number(1),
        after_: number(2),
    };
    let spent = ShieldedPool::Spent {
        asset: Address::repeat_byte(6),
        amount: number(1),
        recipient: ISSUER,
        relayer: Address::ZERO,
        fee: U256::ZERO,
        nullifiers,
    };
    let opened = DarkPool::CollateralRequested {
        requestId: id,
        issuer: ISSUER,
        encryptedAmount: B256::repeat_byte(7),
        premiumBps: number(50),
        opened: number(5),
        expires: number(3_605),
    };
    let failed = RecoveryGuard::AttemptFailed { requestId: id, attempts: number(2) };
    let attested = ConfidentialPoR::RecoveryAttested { recovered: true, timestamp: number(5) };
    let status = B256::repeat_byte(3);
    let cases: Vec<(Address, Log, Fact)> = vec![
        (pool, log(0, pool, &spent), Fact::Spent { nullifiers: [bytes(1), bytes(2)] }),
        (
            pool,
            log(0, pool, &ShieldedPool::Announced { nullifier: number(1), time: number(9) }),
            Fact::Announced { nullifier: bytes(1), time: Timestamp(9) },
        ),
        (
            pool,
            log(0, pool, &moved),
            Fact::AccountMoved {
                kind: 2,
                amount: Amount::new(40).unwrap(),
                recipient: primitives::Address([0; 20]),
                account: CommitmentHash(bytes(2)),
            },
        ),
        (
            dark_pool,
            log(0, dark_pool, &opened),
            Fact::RequestOpened {
                id: request,
                commitment: CommitmentHash([7; 32]),
                premium: Premium::new(50).unwrap(),
                opened: Timestamp(5),
                expires: Timestamp(3_605),
            },
        ),
        (
            dark_pool,
            log(0, dark_pool, &DarkPool::RequestCancelled { requestId: id }),
            Fact::RequestCancelled { id: request },
        ),
        (
            dark_pool,
            log(0, dark_pool, &DarkPool::RequestOpened { requestId: id, status: 2 }),
            Fact::RequestRevealed { id: request, status: RequestStatus::Filled },
        ),
        (
            dark_pool,
            log(0, dark_pool, &DarkPool::MandateRegistered { mandate: number(6) }),
            Fact::MandateRegistered { mandate: CommitmentHash(bytes(6)) },
        ),
        (
            dark_pool,
            log(0, dark_pool, &DarkPool::ReportExecuted { epoch: 4, selector: [1; 4].into() }),
            Fact::ReportExecuted { epoch: 4 },
        ),
        (
            por,
            log(0, por, &ConfidentialPoR::ReportExecuted { epoch: 5, selector: [1; 4].into() }),
            Fact::ReportExecuted { epoch: 5 },
        ),
        (guard, log(0, guard, &failed), Fact::RequestExpired { id: request, attempts: 2 }),
        (guard, log(0, guard, &RecoveryGuard::Halted { attempts: number(3) }), Fact::Halted),
        (por, log(0, por, &attested), Fact::RecoveryAttested { recovered: true }),
        (
            por,
            log(0, por, &ConfidentialPoR::StatusReported { statusCommitment: status }),
            Fact::StatusReported { commitment: CommitmentHash(status.0) },
        ),
    ];
    for (whose, log, fact) in cases {
        let is_report = matches!(fact, Fact::ReportExecuted { .. });
        assert_eq!(Facts::new(&at).read(&log).unwrap().as_ref(), Some(&fact));
        for other in [dark_pool, pool, por, guard, at.forwarder, Address::repeat_byte(0xee)] {
            let may = other == whose || is_report && [dark_pool, por].contains(&other);
            let mut copied = log.clone();
            copied.inner.address = other;
            let read = Facts::new(&at).read(&copied).unwrap();
            assert_eq!(read.is_some(), may, "{fact:?} of {other}");
        }
    }
    // Another venue's account is its own business.
    let theirs = ShieldedPool::AccountMoved { venue: number(5), ..moved };
    assert_eq!(Facts::new(&at).read(&log(0, pool, &theirs)).unwrap(), None);
}

#[test]
fn a_log_of_ours_that_is_none_is_an_error_and_not_skipped() {
    let at = deployment();
    let said = |log: &Log| words(Facts::new(&at).read(log));
    let pending = Log { block_number: None, ..log(0, at.pool, &queued(0)) };
    assert!(said(&pending).contains("has no block"));

    let mut cut = log(0, at.pool, &queued(0));
    let data = cut.inner.data.data.slice(..96);
    cut.inner.data = LogData::new_unchecked(cut.inner.data.topics().to_vec(), data);
    assert!(said(&cut).starts_with("Queued at 7.0 does not decode"), "{}", said(&cut));

    let beyond = ShieldedPool::Queued { leaf: U256::MAX, ..queued(0) };
    assert!(said(&log(0, at.pool, &beyond)).starts_with("Queued at 7.0 has a leaf that is out of"));
    let beyond = ShieldedPool::Queued { position: U256::from(u128::MAX), ..queued(0) };
    assert!(said(&log(0, at.pool, &beyond)).starts_with("Queued at 7.0 has a position that is"));
    let mut short = cleared(&at.venue(), 1, 1);
    short.posted.pop();
    assert!(said(&log(0, at.pool, &short)).starts_with("Cleared at 7.0 has a value that is out"));
    let revealed = DarkPool::RequestOpened { requestId: B256::ZERO, status: 9 };
    assert!(said(&log(0, at.dark_pool, &revealed)).contains("a status that is out of range"));
    // A stranger's are not even read.
    cut.inner.address = Address::repeat_byte(0xee);
    assert_eq!(Facts::new(&at).read(&cut).unwrap(), None);
    assert_eq!(event(&cut, at.pool).unwrap(), None);
}
