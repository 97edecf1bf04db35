//! Blocks: executing transactions, sealing, replaying.

use std::collections::BTreeMap;

use alloy_evm::{Evm as _, EvmEnv, EvmFactory as _, FromRecoveredTx as _, eth::EthEvmFactory};
use evm::alloy::consensus::constants::{EMPTY_OMMER_ROOT_HASH, EMPTY_WITHDRAWALS};
use evm::alloy::consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use evm::alloy::consensus::transaction::{Recovered, SignerRecoverable as _};
use evm::alloy::consensus::{
    EthereumTxEnvelope, Header, Receipt as ConsensusReceipt, ReceiptEnvelope, ReceiptWithBloom,
    Transaction as _, TxEip4844, TxEnvelope, TxType,
};
use evm::alloy::eips::eip2718::Decodable2718 as _;
use evm::alloy::eips::eip7685::EMPTY_REQUESTS_HASH;
use evm::alloy::primitives::{Address, B256, Bloom, Bytes, U256, keccak256};
use evm::alloy::rlp::Encodable as _;
use evm::alloy::rpc::types::{Log as RpcLog, TransactionReceipt};
use revm::bytecode::Bytecode;
use revm::context::result::{ExecutionResult, ResultAndState};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::database_interface::WrapDatabaseRef;
use revm::primitives::hardfork::SpecId;
use store::{Log, Opened, Storage, TornTail};

use crate::log::{Entry, KIND};
use crate::state::{State, View};
use crate::{Genesis, Rejected, ReplayError};

/// The rules of the mainnet since December 2025. Contracts are compiled for an earlier set, which
/// this one contains; gas differs by the calldata floor of EIP-7623 and the cap of EIP-7825.
pub(crate) const HARDFORK: SpecId = SpecId::OSAKA;

/// A sealed block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) header: Header,
    pub(crate) hash: B256,
    pub(crate) included: Option<Included>,
    /// Chained over all blocks up to this one, see [`crate::LocalChain::digest`].
    pub(crate) digest: B256,
    /// [`State::mark`] after the block.
    mark: usize,
}

/// The one transaction of a block.
#[derive(Clone, Debug)]
pub(crate) struct Included {
    pub(crate) transaction: Recovered<TxEnvelope>,
    pub(crate) receipt: TransactionReceipt,
}

/// A place to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot {
    blocks: usize,
    mark: usize,
    time: u64,
}

/// The chain itself, single-threaded.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    /// Never empty: genesis first.
    pub(crate) blocks: Vec<Block>,
    hashes: Vec<B256>,
    by_hash: BTreeMap<B256, usize>,
    by_transaction: BTreeMap<B256, usize>,
    pub(crate) state: State,
    /// Unix seconds that the next block will carry; never below the last block's.
    pub(crate) time: u64,
    pub(crate) snapshots: BTreeMap<u64, Snapshot>,
    next_snapshot: u64,
    log: Option<Log>,
}

impl Chain {
    pub(crate) fn new(genesis: Genesis) -> Self {
        let mut state = State::default();
        for (address, balance) in &genesis.accounts {
            state.set_balance(*address, *balance);
        }
        let mut chain = Self {
            time: genesis.timestamp,
            genesis,
            blocks: Vec::new(),
            hashes: Vec::new(),
            by_hash: BTreeMap::new(),
            by_transaction: BTreeMap::new(),
            state,
            snapshots: BTreeMap::new(),
            next_snapshot: 0,
            log: None,
        };
        let genesis = chain.seal(None);
        chain.push(genesis);
        chain
    }

    /// Replays what `storage` holds and appends to it from then on.
    pub(crate) fn open(
        genesis: Genesis,
        storage: Box<dyn Storage>,
    ) -> Result<(Self, Option<TornTail>), store::Error> {
        let Opened { log, records, torn } = Log::open(storage, &KIND)?;
        let mut chain = Self::new(genesis);
        if let Some(first) = records.first()
            && first.bytes != chain.first_entry()
        {
            return Err(log.of_another_run(first.offset));
        }
        for record in records.iter().skip(1) {
            let damaged = |reason| log.damaged(record.offset, reason);
            let entry = Entry::decode(&record.bytes)
                .map_err(|_| damaged("it is not an entry of this version"))?;
            chain.apply(entry).map_err(|error| log.unreplayed(record.offset, error))?;
        }
        chain.log = Some(log);
        Ok((chain, torn))
    }

    /// Redoes one logged entry and checks that the same block comes of it.
    fn apply(&mut self, entry: Entry) -> Result<(), ReplayError> {
        let height = self.blocks.len() as u64;
        let sealed = match entry {
            Entry::Genesis { .. } => return Err(ReplayError::SecondGenesis { height }),
            Entry::Transaction { timestamp, raw, block } => {
                self.time = timestamp;
                self.submit(&raw).map_err(|source| ReplayError::Refused { height, source })?;
                Some(block)
            }
            Entry::Empty { timestamp, block } => {
                self.time = timestamp;
                self.mine().map_err(|source| ReplayError::Refused { height, source })?;
                Some(block)
            }
            Entry::Revert { blocks, mark, time } => {
                let blocks = usize::try_from(blocks).unwrap_or(usize::MAX);
                let mark = usize::try_from(mark).unwrap_or(usize::MAX);
                if blocks == 0 || blocks > self.blocks.len() || mark > self.state.mark() {
                    return Err(ReplayError::RevertsAhead { height });
                }
                self.go_back(Snapshot { blocks, mark, time });
                None
            }
            edit @ (Entry::Balance { .. }
            | Entry::Nonce { .. }
            | Entry::Code { .. }
            | Entry::Slot { .. }) => {
                self.write(&edit);
                None
            }
        };
        let found = self.tip().hash;
        match sealed {
            Some(expected) if expected != found => {
                Err(ReplayError::Diverged { height, expected, found })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Includes a signed transaction in a block of its own and returns its hash. One that is
    /// already included is left alone.
    pub(crate) fn submit(&mut self, raw: &Bytes) -> Result<B256, Rejected> {
        let hash = keccak256(raw);
        if self.by_transaction.contains_key(&hash) {
            return Ok(hash);
        }
        let transaction = recover(raw)?;
        let tx_env = TxEnv::from_recovered_tx(transaction.inner(), transaction.signer());
        let env = self.env(self.blocks.len() as u64, self.time);
        let ResultAndState { result, state } = execute(&self.state, &self.hashes, env, tx_env)
            .map_err(|reason| Rejected::Invalid { reason })?;
        let mark = self.state.mark();
        self.state.commit(state);
        let block = self.seal(Some((transaction, result)));
        let entry =
            Entry::Transaction { timestamp: self.time, raw: raw.clone(), block: block.hash };
        self.keep(&entry, mark)?;
        self.push(block);
        Ok(hash)
    }

    /// See [`crate::LocalChain::price`].
    pub(crate) fn price(&self, raw: &Bytes, rules: SpecId) -> Result<ExecutionResult, Rejected> {
        let transaction = recover(raw)?;
        let tx_env = TxEnv::from_recovered_tx(transaction.inner(), transaction.signer());
        let mut env = self.env(self.blocks.len() as u64, self.time);
        env.cfg_env.set_spec_and_mainnet_gas_params(rules);
        env.block_env.gas_limit = u64::MAX;
        let priced = execute(&self.state, &self.hashes, env, tx_env);
        priced.map(|outcome| outcome.result).map_err(|reason| Rejected::Invalid { reason })
    }

    /// See [`crate::LocalChain::expect`].
    pub(crate) fn expect(&self, transactions: &[B256], witness: &str) -> Result<(), store::Error> {
        let missing = transactions.iter().find(|hash| !self.by_transaction.contains_key(*hash));
        match (missing, &self.log) {
            (Some(hash), Some(log)) => {
                Err(log.lost(format!("transaction {hash}, which {witness} has")))
            }
            (Some(_), None) | (None, _) => Ok(()),
        }
    }

    /// Seals a block without transactions.
    pub(crate) fn mine(&mut self) -> Result<(), Rejected> {
        let block = self.seal(None);
        let entry = Entry::Empty { timestamp: self.time, block: block.hash };
        self.keep(&entry, self.state.mark())?;
        self.push(block);
        Ok(())
    }

    /// Changes the state outside of any block, as only a test chain can.
    pub(crate) fn edit(&mut self, entry: &Entry) -> Result<(), Rejected> {
        let mark = self.state.mark();
        self.write(entry);
        self.keep(entry, mark)
    }

    pub(crate) fn snapshot(&mut self) -> u64 {
        let snapshot =
            Snapshot { blocks: self.blocks.len(), mark: self.state.mark(), time: self.time };
        let id = self.next_snapshot;
        self.next_snapshot += 1;
        self.snapshots.insert(id, snapshot);
        id
    }

    /// Goes back to a snapshot and forgets it and later ones. False if there is none of that id.
    pub(crate) fn revert(&mut self, id: u64) -> Result<bool, Rejected> {
        let Some(snapshot) = self.snapshots.get(&id).copied() else { return Ok(false) };
        let entry = Entry::Revert {
            blocks: snapshot.blocks as u64,
            mark: snapshot.mark as u64,
            time: snapshot.time,
        };
        self.keep(&entry, self.state.mark())?;
        self.snapshots.split_off(&id);
        self.go_back(snapshot);
        Ok(true)
    }

    pub(crate) fn tip(&self) -> &Block {
        self.blocks.last().expect("genesis is never removed")
    }

    pub(crate) fn block_by_hash(&self, hash: B256) -> Option<&Block> {
        self.by_hash.get(&hash).map(|height| &self.blocks[*height])
    }

    pub(crate) fn block_of_transaction(&self, hash: B256) -> Option<(&Block, &Included)> {
        let block = self.by_transaction.get(&hash).map(|height| &self.blocks[*height])?;
        block.included.as_ref().map(|included| (block, included))
    }

    /// State after block `height`; after the tip, with edits made since.
    pub(crate) fn state_at(&self, height: usize) -> std::borrow::Cow<'_, State> {
        if height + 1 >= self.blocks.len() {
            return std::borrow::Cow::Borrowed(&self.state);
        }
        let mut state = self.state.clone();
        state.roll_back(self.blocks[height].mark);
        std::borrow::Cow::Owned(state)
    }

    /// Executes without keeping anything. `height` is the block whose state is used; at the tip the
    /// time is the chain's, because on a live chain the latest block is never far from now.
    pub(crate) fn simulate(
        &self,
        height: usize,
        pending: bool,
        tx_env: TxEnv,
    ) -> Result<ExecutionResult, String> {
        let at_tip = height + 1 >= self.blocks.len();
        let timestamp = if at_tip { self.time } else { self.blocks[height].header.timestamp };
        let mut env = self.env(height as u64 + u64::from(pending), timestamp);
        env.cfg_env.disable_base_fee = true;
        env.cfg_env.disable_eip3607 = true;
        env.cfg_env.disable_nonce_check = true;
        env.cfg_env.tx_gas_limit_cap = Some(u64::MAX);
        let hashes = &self.hashes[..=height.min(self.hashes.len() - 1)];
        execute(&self.state_at(height), hashes, env, tx_env).map(|outcome| outcome.result)
    }

    /// What a log begins with: a hash of everything that has to be equal for two chains to replay each other's.
    fn first_entry(&self) -> Vec<u8> {
        let Genesis { chain_id, run, .. } = &self.genesis;
        let parameters =
            keccak256([&chain_id.to_be_bytes()[..], &self.hashes[0][..], &run[..]].concat());
        Entry::Genesis { parameters }.encode()
    }

    fn env(&self, number: u64, timestamp: u64) -> EvmEnv {
        EvmEnv {
            cfg_env: CfgEnv::new_with_spec(HARDFORK).with_chain_id(self.genesis.chain_id),
            block_env: BlockEnv {
                number: U256::from(number),
                beneficiary: Address::ZERO,
                timestamp: U256::from(timestamp),
                gas_limit: self.genesis.gas_limit,
                basefee: self.genesis.base_fee_wei,
                ..BlockEnv::default()
            },
        }
    }

    /// Builds the next block on the present state.
    fn seal(&self, executed: Option<(Recovered<TxEnvelope>, ExecutionResult)>) -> Block {
        let number = self.blocks.len() as u64;
        let (transactions, receipts) = match &executed {
            Some((transaction, result)) => {
                let receipt = consensus_receipt(transaction.tx_type(), result);
                (vec![transaction.inner().clone()], vec![receipt])
            }
            None => (vec![], vec![]),
        };
        let header = Header {
            parent_hash: self.hashes.last().copied().unwrap_or_default(),
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            state_root: self.state.root(),
            transactions_root: calculate_transaction_root(&transactions),
            receipts_root: calculate_receipt_root(&receipts),
            logs_bloom: receipts.first().map_or(Bloom::ZERO, |receipt| *receipt.logs_bloom()),
            number,
            gas_limit: self.genesis.gas_limit,
            gas_used: receipts.first().map_or(0, ReceiptEnvelope::cumulative_gas_used),
            timestamp: self.time,
            base_fee_per_gas: Some(self.genesis.base_fee_wei),
            withdrawals_root: Some(EMPTY_WITHDRAWALS),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(B256::ZERO),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Header::default()
        };
        let hash = header.hash_slow();
        let included =
            executed.zip(receipts.into_iter().next()).map(|((transaction, result), receipt)| {
                let receipt = rpc_receipt(&header, hash, &transaction, &result, receipt);
                Included { transaction, receipt }
            });
        let digest = match self.blocks.last() {
            Some(parent) => digest(parent.digest, header.timestamp, included.as_ref()),
            None => hash,
        };
        Block { header, hash, included, digest, mark: self.state.mark() }
    }

    fn push(&mut self, block: Block) {
        let height = self.blocks.len();
        self.hashes.push(block.hash);
        self.by_hash.insert(block.hash, height);
        if let Some(included) = &block.included {
            self.by_transaction.insert(included.receipt.transaction_hash, height);
        }
        self.blocks.push(block);
    }

    /// Logs an entry; if that fails, takes the state back to `mark`, so that nothing is seen that
    /// a reopened chain would not have.
    fn keep(&mut self, entry: &Entry, mark: usize) -> Result<(), Rejected> {
        let first = self.first_entry();
        let Some(log) = &mut self.log else { return Ok(()) };
        let entry = entry.encode();
        let kept = if log.is_empty() { log.append(&[first, entry]) } else { log.append(&[entry]) };
        kept.map_err(|source| {
            self.state.roll_back(mark);
            Rejected::NotKept { source }
        })
    }

    fn write(&mut self, entry: &Entry) {
        match entry {
            Entry::Balance { address, balance } => self.state.set_balance(*address, *balance),
            Entry::Nonce { address, nonce } => self.state.set_nonce(*address, *nonce),
            // Checked when it was asked for.
            Entry::Code { address, code } => {
                self.state.set_code(*address, Bytecode::new_raw(code.clone()));
            }
            Entry::Slot { address, slot, value } => {
                self.state.set_storage(*address, *slot, *value);
            }
            Entry::Genesis { .. }
            | Entry::Transaction { .. }
            | Entry::Empty { .. }
            | Entry::Revert { .. } => unreachable!("callers pass edits only"),
        }
    }

    fn go_back(&mut self, to: Snapshot) {
        for block in self.blocks.drain(to.blocks..) {
            self.by_hash.remove(&block.hash);
            if let Some(included) = &block.included {
                self.by_transaction.remove(&included.receipt.transaction_hash);
            }
        }
        self.hashes.truncate(to.blocks);
        self.state.roll_back(to.mark);
        self.time = to.time;
    }
}

/// A signed transaction and who signed it.
fn recover(raw: &Bytes) -> Result<Recovered<TxEnvelope>, Rejected> {
    // Without sidecars a blob transaction could be executed, but nobody could get its blobs.
    let transaction = EthereumTxEnvelope::<TxEip4844>::decode_2718_exact(raw)
        .map_err(|error| Rejected::Malformed { reason: error.to_string() })?;
    if transaction.is_eip4844() {
        return Err(Rejected::Blobs);
    }
    let transaction: TxEnvelope = transaction.into();
    if *transaction.tx_hash() != keccak256(raw) {
        return Err(Rejected::Malformed { reason: "the encoding is not canonical".into() });
    }
    let sender = transaction
        .recover_signer()
        .map_err(|_| Rejected::Malformed { reason: "the signature recovers no key".into() })?;
    Ok(Recovered::new_unchecked(transaction, sender))
}

/// One transaction on a state, leaving it as it was. An error is a transaction that no block can
/// hold.
fn execute(
    state: &State,
    hashes: &[B256],
    env: EvmEnv,
    tx_env: TxEnv,
) -> Result<ResultAndState, String> {
    let view = WrapDatabaseRef(View { state, hashes });
    let mut evm = EthEvmFactory::default().create_evm(view, env);
    evm.transact(tx_env).map_err(|error| error.to_string())
}

fn consensus_receipt(tx_type: TxType, result: &ExecutionResult) -> ReceiptEnvelope {
    let receipt = ConsensusReceipt {
        status: result.is_success().into(),
        cumulative_gas_used: result.tx_gas_used(),
        logs: result.logs().to_vec(),
    };
    let logs_bloom = receipt.bloom_slow();
    ReceiptEnvelope::from_typed(tx_type, ReceiptWithBloom { receipt, logs_bloom })
}

fn rpc_receipt(
    header: &Header,
    block_hash: B256,
    transaction: &Recovered<TxEnvelope>,
    result: &ExecutionResult,
    receipt: ReceiptEnvelope,
) -> TransactionReceipt {
    let transaction_hash = *transaction.tx_hash();
    let mut log_index = 0;
    let inner = receipt.map_logs(|inner| {
        let log = RpcLog {
            inner,
            block_hash: Some(block_hash),
            block_number: Some(header.number),
            block_timestamp: Some(header.timestamp),
            transaction_hash: Some(transaction_hash),
            transaction_index: Some(0),
            log_index: Some(log_index),
            removed: false,
        };
        log_index += 1;
        log
    });
    TransactionReceipt {
        inner,
        transaction_hash,
        transaction_index: Some(0),
        block_hash: Some(block_hash),
        block_number: Some(header.number),
        gas_used: result.tx_gas_used(),
        effective_gas_price: transaction.effective_gas_price(header.base_fee_per_gas),
        blob_gas_used: None,
        blob_gas_price: None,
        from: transaction.signer(),
        to: transaction.to(),
        // A failed creation has an address too, as on other nodes: where it would have been.
        contract_address: transaction
            .is_create()
            .then(|| transaction.signer().create(transaction.nonce())),
    }
}

/// `keccak256(parent ‖ timestamp u64 ‖ transaction hash ‖ success u8 ‖ gas used u64 ‖
/// keccak256(rlp(logs)))`, integers big-endian; a block without a transaction ends after its
/// timestamp.
fn digest(parent: B256, timestamp: u64, included: Option<&Included>) -> B256 {
    let mut bytes = parent.to_vec();
    bytes.extend_from_slice(&timestamp.to_be_bytes());
    if let Some(Included { receipt, .. }) = included {
        let logs: Vec<_> = receipt.inner.logs().iter().map(|log| log.inner.clone()).collect();
        let mut encoded = Vec::new();
        logs.encode(&mut encoded);
        bytes.extend_from_slice(&receipt.transaction_hash[..]);
        bytes.push(u8::from(receipt.status()));
        bytes.extend_from_slice(&receipt.gas_used.to_be_bytes());
        bytes.extend_from_slice(&keccak256(encoded)[..]);
    }
    keccak256(bytes)
}
