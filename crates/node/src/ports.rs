//! What a node is connected to. Each port is one machine in life; a simulator implements them over a chain in its
//! process, a script and virtual time, a daemon over JSON-RPC, a launcher, sockets and a clock.
//!
//! Ports persist apart, so everything that is asked of one may be asked again after a crash, in the same words: a
//! report by the same number is the same transaction, and a command has the same answer. Faults are decorators: a
//! port that fails at its nth call, a storage that loses what it did not sync. Nothing in this crate knows them.

use cre::messages::sdk;
use don::{Don, Execution, Job, Registry};
use evm::alloy::primitives::Address;
use evm::alloy::providers::DynProvider;
use evm::alloy::rpc::types::TransactionReceipt;
use evm::report::SignedReport;
use primitives::{Bytes32, Timestamp};
use protocol::journal::Included;
use protocol::wire::{Command, Reply};

use crate::view::View;
use crate::{Error, Journaled};

/// Why a port did not do what it was asked, in its own words.
pub type Failure = Box<dyn core::error::Error + Send + Sync>;

/// All of them.
pub struct Ports {
    /// Where contracts are.
    pub chain: Box<dyn Chain>,
    /// Where secrets are.
    pub enclave: Box<dyn Enclave>,
    /// Who runs the workflow's module.
    pub network: Box<dyn Network>,
    /// What nodes relay.
    pub reserves: Box<dyn Reserves>,
    /// What the world does by itself.
    pub inbox: Box<dyn Inbox>,
    /// The node's journal: publishable, and all that it keeps.
    pub journal: Journaled,
}

impl core::fmt::Debug for Ports {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Ports")
    }
}

/// The chain that missions are settled on, and the node's account there: nonces, fees and finality are the port's.
pub trait Chain {
    /// A connection for reads that see the chain as it is; for a tick that goes on after a crash, as it was when
    /// `after` was the newest transaction, so that it asks for the same things.
    ///
    /// # Errors
    /// The chain cannot be asked.
    fn reads(&mut self, after: Option<&Included>) -> Result<DynProvider, Failure>;

    /// Brings the node's `number`th report, counted from 0, to a receiver through the forwarder, in a block not
    /// before `now`. The same number is the same transaction, found where it is there already.
    ///
    /// # Errors
    /// There is no receipt; the transaction may be on its way.
    fn deliver(
        &mut self,
        now: Timestamp,
        number: u64,
        report: &Outgoing<'_>,
    ) -> Result<(TransactionReceipt, Included), Failure>;

    /// What is in blocks after a transaction, everybody's, in order; all there is if there is none. A chain that can
    /// take blocks back says it of those that it will not.
    ///
    /// # Errors
    /// The chain cannot be asked, or does not hold that transaction.
    fn since(
        &mut self,
        after: Option<&Included>,
    ) -> Result<Vec<(TransactionReceipt, Included)>, Failure>;

    /// What a receiver would revert with if it was handed a report now; empty if it would take it.
    ///
    /// # Errors
    /// The chain cannot be asked.
    fn refusal(&mut self, receiver: Address, raw: &[u8]) -> Result<Vec<u8>, Failure>;

    /// A digest over blocks and receipts, for the journal's last record.
    ///
    /// # Errors
    /// The chain cannot be asked.
    fn digest(&mut self) -> Result<Bytes32, Failure>;
}

/// A report on its way.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// Whom it is for.
    pub receiver: Address,
    /// As the DON signed it.
    pub report: &'a SignedReport,
    /// The transaction's, gas.
    pub gas_limit: u64,
}

/// The enclave, and where its sealed entries are kept.
pub trait Enclave {
    /// Asks. An entry that the answer comes with is durable before this returns.
    ///
    /// # Errors
    /// [`Error::Refused`] with the enclave's reason, or it cannot be asked; `what` is what was wanted of it, after
    /// "to".
    fn ask(&mut self, what: &'static str, command: &Command) -> Result<Reply, Error>;

    /// Notes beside the sealed entries that the journal, of this head, is about to hold so many events, durably: else
    /// nobody could tell a log of entries that was cut from a shorter life, or whose it is.
    ///
    /// # Errors
    /// It cannot be noted.
    fn reach(&mut self, n_events: u64, head: Bytes32) -> Result<(), Error>;
}

/// The DON that runs the workflow's module.
pub trait Network {
    /// Its members and keys.
    fn don(&self) -> &Don;

    /// Has every node run the module for one trigger, with these capabilities.
    ///
    /// # Errors
    /// The module does not wait for this trigger, or cannot be run.
    fn fire(
        &mut self,
        trigger: sdk::Trigger,
        job: &Job,
        registry: &mut Registry<'_>,
    ) -> Result<Execution, Failure>;
}

/// The custodian's statements, as nodes have them.
pub trait Reserves {
    /// What each node relays on a tick, by index: a statement sealed to the enclave for that node, if it has one.
    ///
    /// # Errors
    /// None can be had of anybody; a single node without one is no error.
    fn statements(&mut self, tick: u32, now: Timestamp) -> Result<Vec<Option<Vec<u8>>>, Failure>;
}

/// What the world does by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The schedule's next instant has come.
    Due,
    /// Before that, at `at`, a maker's envelope.
    Envelope {
        /// When it came.
        at: Timestamp,
        /// As it came.
        envelope: Vec<u8>,
    },
    /// Nothing more: the mission is over.
    Stop,
}

/// Where inputs come from.
pub trait Inbox {
    /// Waits for the next input, until `due` at most: the schedule's next instant.
    ///
    /// # Errors
    /// Nothing can come in any more.
    fn next(&mut self, view: &View, due: Timestamp) -> Result<Input, Failure>;

    /// The envelope handed out last was answered: with the enclave's signed receipt, or with why it was refused.
    ///
    /// # Errors
    /// The answer cannot be passed on, and the node must not go on without.
    fn answered(&mut self, answer: Result<&[u8], &str>) -> Result<(), Failure>;
}
