//! `darkpool@1.0.0` for DONs of others: what hosts an enclave, as the capability sees it. Unlike a node it follows
//! no mission; it answers what it is asked, from the chain and the enclave as they are.

use darkpool::{Attested, Backend, Delivery, Failure, RequestState, Scope};
use evm::alloy::primitives::{Address as EvmAddress, B256, U256};
use evm::alloy::providers::{DynProvider, Provider as _};
use evm::alloy::rpc::types::{Filter, TransactionReceipt};
use evm::alloy::sol_types::SolEvent as _;
use evm::mission::Emitters;
use evm::report::{Reason, SignedReport};
use primitives::{Address, CommitmentHash, Premium, Price, RequestId, Timestamp};
use protocol::event::Ready;
use protocol::wire::{Command, Reply};
use protocol::workflow::Workflow;
use protocol::{Fact, RequestStatus};

use crate::ports::{Enclave, Reserves};
use crate::{Error, Word, judge};

/// What the dark pool of a workflow serves, by its names.
#[must_use]
pub fn scope(workflow: &Workflow, chain_id: u64, dark_pool: Address) -> Scope {
    let (image, oracle_feed) = workflow
        .compute()
        .map(|compute| (compute.image.clone(), compute.feed.clone()))
        .unwrap_or_default();
    let asset = workflow.dark_pool().map(|ask| ask.asset.clone()).unwrap_or_default();
    Scope { chain_id, dark_pool, image, oracle_feed, asset }
}

/// Hands a report to the forwarder, in a transaction of the host's own account.
pub trait Transmit {
    /// Sends the next transaction, in a block not before `now`.
    ///
    /// # Errors
    /// There is no receipt.
    fn transmit(
        &mut self,
        now: Timestamp,
        receiver: EvmAddress,
        report: &SignedReport,
    ) -> Result<TransactionReceipt, crate::ports::Failure>;
}

/// Where the host's contracts are, and what it clears at.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its contracts: whose logs are facts.
    pub emitters: Emitters,
    /// Its enclave: whose word counts.
    pub word: Word,
    /// Price that rounds clear at.
    pub price: Price,
}

/// A host: its place, its time, and the rounds its enclave has proved.
pub struct Host<P> {
    ports: P,
    place: Place,
    provider: DynProvider,
    runtime: tokio::runtime::Runtime,
    now: Timestamp,
    rounds: Vec<Ready>,
}

impl<P> core::fmt::Debug for Host<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Host({:?})", self.place)
    }
}

impl<P> Host<P> {
    /// A host as it is at `now`.
    ///
    /// # Errors
    /// The operating system gives no event loop.
    pub fn new(
        ports: P,
        place: Place,
        provider: DynProvider,
        now: Timestamp,
    ) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { ports, place, provider, runtime, now, rounds: Vec::new() })
    }

    /// What it is connected to.
    pub const fn ports(&mut self) -> &mut P {
        &mut self.ports
    }

    /// A connection to its chain.
    pub fn provider(&self) -> DynProvider {
        self.provider.clone()
    }

    /// Its time.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves time on; never back.
    pub fn advance_to(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// The receipt of the transaction that delivered a report to the pool, if one did.
    ///
    /// # Errors
    /// [`Failure::Chain`].
    pub fn delivery(&self, report: &SignedReport) -> Result<Option<TransactionReceipt>, Failure> {
        let header = evm::report::Report::parse(&report.raw).map_err(chain)?;
        // Anyone may emit such a log; only the forwarder's counts.
        let report_id = B256::right_padding_from(&header.report_id);
        let filter = Filter::new()
            .address(self.place.emitters.forwarder)
            .event_signature(evm::abi::KeystoneForwarder::ReportProcessed::SIGNATURE_HASH)
            .topic1(self.place.emitters.dark_pool.into_word())
            .topic2(header.execution_id)
            .topic3(report_id)
            .from_block(0);
        let provider = &self.provider;
        self.runtime.block_on(async {
            for log in provider.get_logs(&filter).await.map_err(chain)? {
                let taken = log
                    .log_decode::<evm::abi::KeystoneForwarder::ReportProcessed>()
                    .is_ok_and(|event| event.inner.data.result);
                if let (true, Some(hash)) = (taken, log.transaction_hash) {
                    return provider.get_transaction_receipt(hash).await.map_err(chain);
                }
            }
            Ok(None)
        })
    }
}

impl<P: Enclave + Transmit> Host<P> {
    /// Has the enclave clear and prove a round. False if there was nothing to clear.
    ///
    /// # Errors
    /// [`Error`] of the enclave.
    pub fn clear(&mut self, request: RequestId, round: u32) -> Result<bool, Error> {
        let price = self.place.price;
        let command = Command::Clear { request, round, closed_at: self.now, price };
        match self.ports.ask("clear a round", &command)? {
            Reply::Cleared { ready, .. } => {
                let is_ready = ready.is_some();
                self.rounds.extend(ready);
                Ok(is_ready)
            }
            Reply::Done
            | Reply::Attested { .. }
            | Reply::Receipt(_)
            | Reply::Observed { .. }
            | Reply::Unobserved
            | Reply::NotRestored { .. }
            | Reply::Refused(_) => Err(Error::Answer { what: "a round" }),
        }
    }

    /// Has the transmitter hand a report to the forwarder.
    ///
    /// # Errors
    /// [`Failure::Chain`].
    pub fn transmit(
        &mut self,
        receiver: EvmAddress,
        report: &SignedReport,
    ) -> Result<TransactionReceipt, Failure> {
        self.ports.transmit(self.now, receiver, report).map_err(Failure::Chain)
    }
}

impl<P: Enclave + Reserves + Transmit> Backend for Host<P> {
    fn now(&mut self) -> Timestamp {
        self.now
    }

    fn observe(&mut self, tick: u32, now: Timestamp) -> Result<Option<Attested>, Failure> {
        let statements = self.ports.statements(tick, now).map_err(Failure::Enclave)?;
        judge(&mut self.ports, &self.place.word, tick, now, statements).map_err(enclave)
    }

    fn delivered(&mut self, report: &SignedReport) -> Result<Option<Vec<Fact>>, Failure> {
        let emitters = self.place.emitters;
        Ok(self.delivery(report)?.map(|receipt| evm::mission::facts(&receipt, &emitters)))
    }

    fn deliver(&mut self, report: &SignedReport) -> Result<Delivery, Failure> {
        let emitters = self.place.emitters;
        let Emitters { dark_pool, forwarder, .. } = emitters;
        let receipt = self.transmit(dark_pool, report)?;
        let outcome = evm::report::outcome(&receipt, forwarder);
        let Some(outcome) = outcome.filter(|_| receipt.status()) else {
            return Ok(Delivery::Rejected);
        };
        if outcome.delivered {
            return Ok(Delivery::Taken(evm::mission::facts(&receipt, &emitters)));
        }
        let asked = evm::report::refusal(&self.provider, forwarder, dark_pool, &report.raw);
        let reason = self.runtime.block_on(asked).map_err(chain)?;
        Ok(Delivery::Refused(Reason(reason.unwrap_or_default().to_vec())))
    }

    fn inform(&mut self, facts: &[Fact]) -> Result<(), Failure> {
        let command = Command::Inform(facts.to_vec());
        self.ports.ask("learn what the chain says", &command).map(drop).map_err(enclave)
    }

    fn request(&mut self, id: RequestId) -> Result<Option<RequestState>, Failure> {
        let pool = evm::abi::DarkPool::new(self.place.emitters.dark_pool, &self.provider);
        self.runtime.block_on(async {
            let id = B256::from(id.0);
            let request = match pool.request(id).call().await {
                Ok(request) => request,
                Err(error) if error.as_revert_data().is_some() => return Ok(None),
                Err(error) => return Err(chain(error)),
            };
            let status = pool.getRequestStatus(id).call().await.map_err(chain)?;
            let number = |value: U256| value.to_be_bytes::<32>();
            let answer = |what| chain(Error::Answer { what });
            Ok(Some(RequestState {
                commitment: CommitmentHash(number(request.commitment)),
                premium: Premium::new(request.premiumCapBps)
                    .ok_or_else(|| answer("a request's premium"))?,
                opened: Timestamp(request.opened.to()),
                expires: Timestamp(request.expires.to()),
                status: RequestStatus::from_number(status)
                    .ok_or_else(|| answer("a request's status"))?,
            }))
        })
    }

    fn awaiting(&mut self, id: RequestId) -> Result<Option<Ready>, Failure> {
        let Some(ready) = self.rounds.iter().rfind(|round| round.request == id).cloned() else {
            return Ok(None);
        };
        let pool = evm::abi::DarkPool::new(self.place.emitters.dark_pool, &self.provider);
        let settled = self
            .runtime
            .block_on(async { pool.request(B256::from(id.0)).call().await.map_err(chain) })?;
        Ok((u64::from(ready.round) > settled.rounds).then_some(ready))
    }

    fn rounds(&mut self, from: usize) -> Result<Vec<Ready>, Failure> {
        Ok(self.rounds.get(from..).unwrap_or_default().to_vec())
    }
}

fn chain(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Chain(Box::new(error))
}

fn enclave(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Enclave(Box::new(error))
}
