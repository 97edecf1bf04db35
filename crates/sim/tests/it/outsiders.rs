//! Others on the same chain: anyone may deposit, settle a round, expire a request, or bring a report of the DON's to
//! its receiver, at any moment. The mission ends as without them, and its journal says what they did.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use devchain::LocalChain;
use evm::abi::{CashToken, DarkPool, ShieldedPool};
use evm::alloy::primitives::{Address, B256, Bytes, U256};
use evm::alloy::sol_types::SolCall;
use evm::report::Payload;
use evm::{Call, Fees, Wallet};
use protocol::event::{Event, Fact};
use protocol::journal::{Journal, Record};
use protocol::{Outcome, RequestStatus};
use recovery::DisclosureMode::{self, Immediate, Sealed};
use sim::audit::audit;
use sim::{Faults, Inputs, Outsider, Plug, Point, Report, Seen, World, shipped};

use crate::{Disks, inputs, quick, run, run_until};

/// Somebody with gas and some of the demo's cash.
struct Stranger(Wallet);

impl Stranger {
    fn new() -> Self {
        let key = sim::entropy(1, "deployer", 31_337).unwrap().draw("wallet", 0);
        Self(Wallet::new(&B256::from(key), 31_337).unwrap())
    }

    /// Sends a transaction: whether it succeeded.
    fn send(&self, chain: &LocalChain, to: Address, data: Vec<u8>) -> bool {
        let nonce = chain.request("eth_getTransactionCount", params(self.0.address())).unwrap();
        let nonce =
            u64::from_str_radix(nonce.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
        let transaction = self.0.sign(nonce, Fees::default(), Call::new(to, data, 3_000_000));
        let hash = chain
            .request("eth_sendRawTransaction", serde_json::json!([transaction.bytes]))
            .unwrap();
        let receipt =
            chain.request("eth_getTransactionReceipt", serde_json::json!([hash])).unwrap();
        receipt["status"] == "0x1"
    }

    /// Deposits the least there is, under a commitment of no use to anyone.
    fn deposit(&self, chain: &LocalChain, inner: u32) -> bool {
        let (pool, amount, inner) = (places().pool, U256::from(1), U256::from(inner));
        self.send(
            chain,
            pool,
            ShieldedPool::depositCall { asset: places().cash, amount, inner }.abi_encode(),
        )
    }

    /// Gets what it deposits: two transactions.
    fn provide(&self, chain: &LocalChain) -> bool {
        let (cash, pool) = (places().cash, places().pool);
        let mint = CashToken::mintCall { to: self.0.address(), amount: U256::from(1_000_000) };
        let approve = CashToken::approveCall { spender: pool, value: U256::MAX };
        self.send(chain, cash, mint.abi_encode()) && self.send(chain, cash, approve.abi_encode())
    }
}

fn params(address: Address) -> serde_json::Value {
    serde_json::json!([address, "latest"])
}

/// Where everything is, in every run of one seed.
fn places() -> &'static evm::deploy::Deployment {
    static PLACES: OnceLock<evm::deploy::Deployment> = OnceLock::new();
    PLACES.get_or_init(|| {
        let stores = Disks::default().stores();
        World::open(mission(Immediate), stores.chain, stores.enclave).unwrap().contracts
    })
}

fn mission(mode: DisclosureMode) -> Inputs {
    inputs(&quick(), mode, 1, Faults::default())
}

/// It ended as it does alone, and the journal stands on its own.
fn goes_on(ended: Result<Report, sim::Error>, disks: &Disks, n_others: usize) -> Report {
    let report = ended.expect("the mission goes on");
    assert!(report.is_success(), "{:?}", report.outcome);
    let audited = audit(&disks.journal.bytes()).unwrap();
    assert_eq!((audited.journal_hash, audited.outcome), (report.journal_hash, report.outcome));
    let told = report.lines.iter().filter_map(|line| match line.what {
        sim::What::Overheard { transactions } => Some(transactions),
        _ => None,
    });
    assert_eq!(told.sum::<usize>(), n_others, "the journal tells of each of them");
    report
}

/// A run with somebody who acts so each time, and counts its transactions.
fn beside(
    mode: DisclosureMode,
    acts: impl Fn(&Stranger, &LocalChain, Seen<'_>) -> usize + Send + Sync + 'static,
) -> Report {
    let n_sent = Arc::new(AtomicUsize::new(0));
    let counted = n_sent.clone();
    let stranger = Stranger::new();
    let outsider = Outsider::new(move |chain, seen| {
        counted.fetch_add(acts(&stranger, chain, seen), Ordering::Relaxed);
    });
    let disks = Disks::default();
    let faults = Faults { outsider: Some(outsider), ..Faults::default() };
    let ended = run(inputs(&quick(), mode, 1, faults), &disks);
    goes_on(ended, &disks, n_sent.load(Ordering::Relaxed))
}

/// Deposits whenever anything happens; each commitment is another.
fn deposits() -> impl Fn(&Stranger, &LocalChain) -> usize {
    let n_deposits = AtomicU32::new(0);
    move |stranger, chain| {
        let n = n_deposits.fetch_add(1, Ordering::Relaxed);
        if n == 0 {
            assert!(stranger.provide(chain));
        }
        assert!(stranger.deposit(chain, n));
        if n == 0 { 3 } else { 1 }
    }
}

/// Brings every report before the node does.
fn copies(stranger: &Stranger, chain: &LocalChain, seen: Seen<'_>) -> usize {
    let Seen::Report(outgoing) = seen else { return 0 };
    let copied = outgoing.report.calldata(outgoing.receiver);
    assert!(stranger.send(chain, places().forwarder, copied.to_vec()));
    1
}

#[test]
fn deposits_at_every_moment_change_nothing() {
    let deposits = deposits();
    let report = beside(Immediate, move |stranger, chain, _| deposits(stranger, chain));
    assert!(report.rounds >= 2, "{}", report.rounds);
}

#[test]
fn reports_brought_by_others_count_as_brought() {
    let report = beside(Immediate, copies);
    let alone = run(mission(Immediate), &Disks::default()).unwrap();
    assert_eq!((report.ticks, report.rounds), (alone.ticks, alone.rounds));
    assert!(report.transactions.iter().all(|sent| sent.success));
}

#[test]
fn under_sealed_disclosure_others_change_nothing_either() {
    let deposits = deposits();
    let report = beside(Sealed, move |stranger, chain, seen| {
        deposits(stranger, chain) + copies(stranger, chain, seen)
    });
    assert!(report.transactions.iter().all(|sent| sent.success));
}

#[test]
fn a_report_brought_while_the_node_is_down_counts_as_brought() {
    // The node dies with its first report signed; somebody has seen it.
    let disks = Disks::default();
    let seen: Arc<Mutex<Option<(Address, Bytes)>>> = Arc::default();
    let sees = seen.clone();
    let outsider = Outsider::new(move |_, it| {
        if let Seen::Report(outgoing) = it {
            let copied = outgoing.report.calldata(outgoing.receiver);
            sees.lock().unwrap().get_or_insert((outgoing.receiver, copied));
        }
    });
    let mut faulty = mission(Immediate);
    faulty.faults.outsider = Some(outsider);
    // The second report is begun when the first has been seen and is in a block; so the journal goes back to before it.
    faulty.faults.plug =
        Some(Plug::new(|moment| moment.point == Point::BeforeAppend && moment.kind == "written"));
    assert!(matches!(run(faulty, &disks), Err(sim::Error::Crashed(Point::BeforeAppend))));
    let (receiver, copied) = seen.lock().unwrap().clone().unwrap();
    assert_eq!(receiver, places().por);
    // On a chain that has not seen it yet: as the disks were, without the node's own transaction.
    let [journal, chain, enclave] = disks.bytes();
    let before = Disks::holding([journal, without_last_block(&chain), enclave]);
    let stores = before.stores();
    let world = World::open(mission(Immediate), stores.chain, stores.enclave).unwrap();
    world.chain.set_next_timestamp(mission(Immediate).scenario.start.0 + 300).unwrap();
    assert!(Stranger::new().send(&world.chain, places().forwarder, copied.to_vec()));
    drop(world);
    goes_on(run(mission(Immediate), &before), &before, 1);
}

/// A chain's log without its newest record.
fn without_last_block(log: &[u8]) -> Vec<u8> {
    let (read, flaw) = primitives::frames::read(&devchain::LOG, log);
    assert_eq!(flaw, None);
    log[..read.frames.last().unwrap().offset].to_vec()
}

#[test]
fn anyone_may_settle_a_round() {
    let disks = Disks::default();
    run_until(mission(Immediate), &disks, "cleared");
    let ready =
        Journal::read(&disks.journal.bytes()).0.records.into_iter().rev().find_map(|record| {
            match record {
                Record::Happened { event: Event::Cleared { ready }, .. } => ready,
                _ => None,
            }
        });
    let ready = ready.unwrap();
    let stores = disks.stores();
    let world = World::open(mission(Immediate), stores.chain, stores.enclave).unwrap();
    let fill = DarkPool::confidentialFillCall {
        requestId: B256::from(ready.request.0),
        zkProof: ready.zk_proof.into(),
        teeAttestation: ready.tee_attestation.into(),
    };
    let stranger = Stranger::new();
    assert!(stranger.provide(&world.chain) && stranger.deposit(&world.chain, 7));
    assert!(stranger.send(&world.chain, places().dark_pool, fill.abi_encode()));
    drop(world);
    let report = goes_on(run(mission(Immediate), &disks), &disks, 4);
    assert_eq!(report.request.map(|request| request.status), Some(RequestStatus::Filled));
}

/// A panel too thin: the first request expires on tick 22, the next opens.
fn thin() -> Inputs {
    let short = shipped()["thin-panel"].replace("ticks_max = 144", "ticks_max = 26");
    inputs(&short, Immediate, 1, Faults::default())
}

fn expire(chain: &LocalChain, pool: Address) -> Vec<u8> {
    let call = serde_json::json!([
        { "to": pool, "data": Bytes::from(DarkPool::currentRequestIdCall {}.abi_encode()) },
        "latest"
    ]);
    let id: B256 = chain.request("eth_call", call).unwrap().as_str().unwrap().parse().unwrap();
    DarkPool::expireRequestCall { requestId: id }.abi_encode()
}

/// How a run of it ended: attempts counted, requests made.
fn counted(disks: &Disks) -> (Vec<u8>, usize) {
    let facts: Vec<Fact> = Journal::read(&disks.journal.bytes())
        .0
        .records
        .into_iter()
        .flat_map(|record| match record {
            Record::Happened { event, .. } => event.facts().to_vec(),
            _ => Vec::new(),
        })
        .collect();
    let attempts = facts.iter().filter_map(|fact| match fact {
        Fact::RequestExpired { attempts, .. } => Some(*attempts),
        _ => None,
    });
    let is_opened = |fact: &&Fact| matches!(fact, Fact::RequestOpened { .. });
    (attempts.collect(), facts.iter().filter(is_opened).count())
}

#[test]
fn anyone_may_expire_a_request() {
    let alone = Disks::default();
    let ended = run(thin(), &alone).unwrap();
    assert_eq!((ended.outcome, counted(&alone)), (Outcome::Unrecovered, (vec![1], 2)));

    // Before the tick on which the node would.
    let (disks, mut ticks) = (Disks::default(), 0);
    let mut cut = thin();
    cut.faults.plug = Some(Plug::new(move |moment| {
        ticks += u32::from(moment.point == Point::BeforeAppend && moment.kind == "ticked");
        ticks == 22
    }));
    assert!(run(cut, &disks).is_err(), "the plug is pulled");
    let stores = disks.stores();
    let world = World::open(thin(), stores.chain, stores.enclave).unwrap();
    world.chain.set_next_timestamp(thin().scenario.start.0 + 22 * 300).unwrap();
    let (pool, stranger) = (world.contracts.dark_pool, Stranger::new());
    assert!(stranger.send(&world.chain, pool, expire(&world.chain, pool)));
    drop(world);
    let report = run(thin(), &disks).expect("the mission goes on");
    assert_eq!((report.outcome, counted(&disks)), (Outcome::Unrecovered, (vec![1], 2)));
    audit(&disks.journal.bytes()).unwrap();

    // Within it, when the nodes have read the chain and before their report is there.
    let disks = Disks::default();
    let stranger = Stranger::new();
    let start = thin().scenario.start.0;
    let outsider = Outsider::new(move |chain, seen| {
        let Seen::Report(outgoing) = seen else { return };
        let payload = outgoing.report.raw[evm::report::HEADER_LEN..].to_vec();
        let call = Payload::decode(&payload).unwrap().call;
        if call.starts_with(&DarkPool::expireRequestCall::SELECTOR) {
            chain.set_next_timestamp(start + 22 * 300).unwrap();
            assert!(stranger.send(chain, pool, expire(chain, pool)));
        }
    });
    let mut inputs = thin();
    inputs.faults.outsider = Some(outsider);
    let report = run(inputs, &disks).expect("the mission goes on");
    assert_eq!((report.outcome, counted(&disks)), (Outcome::Unrecovered, (vec![1], 2)));
    audit(&disks.journal.bytes()).unwrap();
}
