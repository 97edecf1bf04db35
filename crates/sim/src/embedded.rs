//! A world around a workflow of anyone's, for whoever simulates a DON: its chain with the contracts, and the
//! capability `darkpool@1.0.0` with the real enclave behind it.
//!
//! Nobody else lives in it: the custodian's statements follow the scenario, but no maker answers a request.

use std::cell::RefCell;
use std::sync::Arc;

use darkpool::{Backend as _, Failure, Scope, Service};
use don::chain::Transmitter;
use don::{Call, Capability, Don};
use evm::alloy::primitives::{Address, B256};
use evm::alloy::providers::DynProvider;
use evm::alloy::rpc::types::TransactionReceipt;
use evm::alloy::transports::TransportErrorKind;
use evm::deploy::Deployment;
use evm::report::SignedReport;
use evm::{SendError, mission};
use node::pool::Host;
use primitives::Timestamp;
use store::MemoryStorage;

use crate::{Error, Guest, Inputs, World};

/// The world, and what of it the simulation takes as its own.
pub struct Embedded {
    service: RefCell<Service<Host<World>>>,
    scope: Scope,
    don: Arc<Don>,
    contracts: Deployment,
    provider: DynProvider,
}

impl core::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Embedded({:?})", self.scope)
    }
}

impl Embedded {
    /// Opens a world in memory, at its scenario's start. Its contracts' addresses depend on `inputs.seed` alone;
    /// they take the reports of this guest and of no other.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(guest: Guest, inputs: Inputs) -> Result<Self, Error> {
        let start = inputs.scenario.start;
        let memory = || Box::new(MemoryStorage::new());
        let world = World::open_for(Some(guest), inputs, memory(), memory(), None)?;
        let (don, contracts) = (world.don.clone(), world.contracts);
        let (provider, scope) = (world.chain.connect(), world.scope());
        let host = world.into_host(start)?;
        let service = RefCell::new(Service::new(scope.clone(), host));
        Ok(Self { service, scope, don, contracts, provider })
    }

    /// The DON that the contracts believe.
    pub fn don(&self) -> Arc<Don> {
        self.don.clone()
    }

    /// Where the contracts are.
    pub const fn contracts(&self) -> Deployment {
        self.contracts
    }

    /// The names that its dark pool answers to.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// A connection to its chain.
    pub fn provider(&self) -> DynProvider {
        self.provider.clone()
    }

    /// Moves time on; never back.
    pub fn advance_to(&self, now: Timestamp) {
        self.service.borrow_mut().backend().advance_to(now);
    }

    /// `darkpool@1.0.0`.
    pub fn dark_pool(&self) -> impl Capability + '_ {
        |call: &Call<'_>| node::serve(&mut self.service.borrow_mut(), call)
    }

    /// Takes reports to the chain, and what they changed to the enclave.
    pub const fn transmitter(&self) -> impl Transmitter + '_ {
        Relay(self)
    }
}

struct Relay<'a>(&'a Embedded);

impl Transmitter for Relay<'_> {
    fn deliver(
        &mut self,
        receiver: Address,
        report: &SignedReport,
        _gas_limit: u64,
    ) -> Result<TransactionReceipt, SendError> {
        let failed = |error: Failure| SendError::Unreachable {
            hash: B256::ZERO,
            source: TransportErrorKind::custom(error),
        };
        let mut service = self.0.service.borrow_mut();
        let receipt = service.backend().transmit(receiver, report).map_err(failed)?;
        let emitters = service.backend().ports().emitters();
        let facts = mission::facts(&receipt, &emitters);
        if !facts.is_empty() {
            service.backend().inform(&facts).map_err(failed)?;
        }
        Ok(receipt)
    }
}
