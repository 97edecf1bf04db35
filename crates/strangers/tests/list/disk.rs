//! Logs, chunks and keys: files that whoever holds a disk, or made them for us, may have changed.
//!
//! Where a hash stands around what is decoded, the row puts it there: who changes a file can do so too.

use std::path::Path;
use std::sync::OnceLock;

use circuits::keys::{VerifyingKey, pinned};
use devchain::{Genesis, LocalChain};
use node::{Journaled, Kept};
use primitives::frames::{self, Kind};
use primitives::{Address, Bytes32, CommitmentHash, Disclosure, RequestId, Timestamp, encode};
use protocol::Outcome;
use protocol::attest::{Observed, Status};
use protocol::event::{Event, Ready};
use protocol::journal::{self, Included, Journal, Opening, Record};
use store::{Log, MemoryStorage};
use strangers::Decoder;
use study::chunk;
use study::plan::Plan;
use study::spec::Spec;

use super::sockets::facts;
use super::{is_borsh, is_same};

pub(crate) const DISK: &[Decoder] = &[
    Decoder::new(
        "disk/logs",
        |bytes| {
            let storage = MemoryStorage::named("log", bytes.to_vec());
            let taken = Log::open(Box::new(storage), &journal::KIND)
                .is_ok_and(|opened| opened.torn.is_none());
            let (read, flaw) = frames::read(&journal::KIND, bytes);
            assert_eq!(taken, flaw.is_none(), "a log and its frames");
            let records = read.frames.iter().map(|frame| frame.record.to_vec());
            let whole = &bytes[..read.end];
            if whole.is_empty() {
                taken
            } else {
                is_same(&framed(&journal::KIND, records), whole) && taken
            }
        },
        || vec![framed(&journal::KIND, records()), framed(&journal::KIND, []), Vec::new()],
    )
    .bad(|| vec![vec![0; 100], framed(&journal::KIND, records())[1..].to_vec()]),
    Decoder::new(
        "disk/journals",
        |bytes| Journal::read(bytes).1.is_none(),
        || vec![framed(&journal::KIND, records())],
    ),
    Decoder::new("disk/records", is_borsh::<Record>, records),
    // One record after the one that says of which run the journal is.
    Decoder::new(
        "disk/journal-of-a-run",
        |record| {
            let opening = encode(&Record::Opening(Box::new(opening())));
            let bytes = framed(&journal::KIND, [opening, record.to_vec()]);
            let run =
                node::run_of(Bytes32([1; 32]), "w", "d", Disclosure::Sealed, Bytes32([2; 32]));
            Journaled::open(Box::new(MemoryStorage::named("journal", bytes)), run).is_ok()
        },
        records,
    ),
    Decoder::new(
        "disk/enclave-log",
        |record| {
            const KIND: Kind = Kind { magic: b"CDPRENC1", domain: "cdpr/enclave-log/v1" };
            let run = Bytes32([3; 32]);
            let bytes = framed(&KIND, [encode(&(0_u8, run)), record.to_vec()]);
            Kept::open(Box::new(MemoryStorage::named("enclave", bytes)), run).is_ok()
        },
        || vec![encode(&(1_u8, vec![4_u8; 50])), encode(&(2_u8, 5_u64, Bytes32([6; 32])))],
    )
    // The log begins again; a count that no memory could hold.
    .bad(|| vec![encode(&(0_u8, Bytes32([3; 32]))), vec![1, 0xff, 0xff, 0xff, 0xff]]),
    // One record after a chain's first. A block is executed.
    Decoder::new("disk/chain-log", chain_log, || chain_records()[1..].to_vec()).slow(10),
    // The header of two rows.
    Decoder::new("disk/chunks", chunks, || vec![header(columns(), 2)]).bad(|| {
        // Rows of nothing, as many as one likes; and none, of more than there is.
        vec![header(0, 0), header(0, usize::MAX), header(usize::MAX, 0), header(usize::MAX / 8, 8)]
    }),
    Decoder::new(
        "disk/verifying-keys",
        |bytes| VerifyingKey::from_bytes(bytes).is_ok_and(|key| is_same(&key.to_bytes(), bytes)),
        || vec![pinned().verifying_key.clone()],
    )
    .bad(|| {
        // As many points as no memory could hold: the count stands after α, β, γ and δ.
        let mut many = pinned().verifying_key.clone();
        many[32 + 3 * 64..][..8].fill(0xff);
        vec![many]
    })
    .slow(10),
];

fn framed(kind: &Kind, records: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut writer = frames::Writer::new(kind);
    let frames = records.into_iter().flat_map(|record| writer.append(&record));
    kind.magic.iter().copied().chain(frames).collect()
}

fn opening() -> Opening {
    Opening {
        chain_id: 31_337,
        seed_commitment: Bytes32([1; 32]),
        workflow: "w".to_owned(),
        deployment: "d".to_owned(),
        disclosure: Disclosure::Sealed,
        scenario: Bytes32([2; 32]),
        attestation: vec![3; 30],
        key_bundle: vec![4; 20],
        configuration: vec![5; 10],
        signer: Address([6; 20]),
        started: Timestamp(7),
    }
}

/// One of each.
fn records() -> Vec<Vec<u8>> {
    let observed = Observed {
        tick: 1,
        now: Timestamp(5),
        status: Status::Backed(true),
        deficit: CommitmentHash([1; 32]),
        position: CommitmentHash([2; 32]),
        notice: vec![3; 20],
        opening: None,
    };
    let ready = Ready {
        request: RequestId([1; 32]),
        round: 1,
        zk_proof: vec![2; 60],
        tee_attestation: vec![3; 65],
    };
    let events = [
        Event::Ticked { tick: 1 },
        Event::Ordered { envelope: vec![1; 40], receipt: vec![2; 65] },
        Event::Observed { observed, signature: vec![4; 65] },
        Event::Unobserved { tick: 2 },
        Event::Written { transaction: Bytes32([5; 32]), delivered: true, facts: facts() },
        Event::Heard { facts: facts() },
        Event::Unwritten { agreeing: 2 },
        Event::Cleared { ready: Some(ready) },
        Event::Cleared { ready: None },
    ];
    let happened = events.map(|event| Record::Happened { now: Timestamp(300), event });
    let included =
        Included { timestamp: Timestamp(300), raw: vec![2; 30], success: true, gas_used: 21_000 };
    let closing =
        Record::Closing { outcome: Outcome::Recovered, n_events: 8, chain: Bytes32([9; 32]) };
    let opening = Record::Opening(Box::new(opening()));
    [opening, Record::Included(included)]
        .into_iter()
        .chain(happened)
        .chain([closing])
        .map(|record| encode(&record))
        .collect()
}

const CHAIN: Kind = Kind { magic: b"CDPRCHN1", domain: "cdpr/chain-log/v1" };

fn genesis() -> Genesis {
    let [wallet, ..] = evm::development_wallets(31_337);
    Genesis::development(1_678_492_800).fund([wallet.address()])
}

/// The log of a chain on which a value was sent and a block mined.
fn chain_records() -> &'static [Vec<u8>] {
    static RECORDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let storage = MemoryStorage::new();
        let (chain, _) = LocalChain::open(genesis(), storage.clone()).unwrap();
        let raw = super::bodies::transaction();
        chain.request("eth_sendRawTransaction", serde_json::json!([raw])).unwrap();
        chain.request("evm_mine", serde_json::Value::Null).unwrap();
        let bytes = storage.bytes();
        let (read, flaw) = frames::read(&CHAIN, &bytes);
        assert_eq!(flaw, None);
        read.frames.iter().map(|frame| frame.record.to_vec()).collect()
    })
}

fn chain_log(record: &[u8]) -> bool {
    // The last record is a block on top of the one before it.
    let before = chain_records().iter().take_while(|known| known.as_slice() != record);
    let n_before = before.count().min(chain_records().len() - 1);
    let records = chain_records()[..n_before].iter().cloned().chain([record.to_vec()]);
    LocalChain::open(genesis(), MemoryStorage::from(framed(&CHAIN, records))).is_ok()
}

fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| {
        let source = include_str!("../../../../examples/bench-1.toml");
        let spec = Spec::parse(source, "bench-1.toml").unwrap();
        Plan::new(spec, "bench-1.toml", |_| Err("there is no data".to_owned())).unwrap()
    })
}

fn columns() -> usize {
    study::model::columns(plan().spec().model).len()
}

fn header(columns: usize, rows: usize) -> Vec<u8> {
    let config = plan().config();
    format!(r#"{{"config":"{config}","index":0,"columns":{columns},"rows":{rows}}}"#).into_bytes()
}

fn chunks(header: &[u8]) -> bool {
    let rows = vec![0; 2 * columns() * 8];
    let bytes = framed(&chunk::KIND, [header.to_vec(), rows]);
    chunk::parse(plan(), 0, &bytes, Path::new("0.chunk")).is_ok_and(|rows| {
        let again = chunk::encode(plan(), 0, &rows);
        chunk::parse(plan(), 0, &again, Path::new("0.chunk")).is_ok()
    })
}
