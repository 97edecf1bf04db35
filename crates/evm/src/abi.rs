//! Bindings generated from the committed artifacts: calls, events, errors, creation code.

#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm,
    reason = "generated; the contracts document themselves"
)]

use alloy::sol;

sol!(
    #[sol(rpc, all_derives)]
    CashToken,
    "../../contracts/artifacts/CashToken.json"
);
sol!(
    #[sol(rpc, all_derives)]
    ClaimToken,
    "../../contracts/artifacts/ClaimToken.json"
);
sol!(
    #[sol(rpc, all_derives)]
    ClearingVerifier,
    "../../contracts/artifacts/ClearingVerifier.json"
);
sol!(
    #[sol(rpc, all_derives)]
    ConfidentialPoR,
    "../../contracts/artifacts/ConfidentialPoR.json"
);
mod dark_pool {
    // Named for the interface, because `sol!` puts types of no contract, such as `RequestStatus`,
    // beside those of the contract it is named for, and `IDarkPool.Request` needs it there.
    alloy::sol!(
        #[sol(rpc, all_derives)]
        IDarkPool,
        "../../contracts/artifacts/DarkPool.json"
    );
}
pub use dark_pool::DarkPool::Deployment as DarkPoolDeployment;
pub use dark_pool::IDarkPool as DarkPool;
sol!(
    #[sol(rpc, all_derives)]
    DemoStablecoin,
    "../../contracts/artifacts/DemoStablecoin.json"
);
sol!(
    #[sol(rpc, all_derives)]
    EnclaveRegistry,
    "../../contracts/artifacts/EnclaveRegistry.json"
);
sol!(
    #[sol(rpc, all_derives)]
    KeystoneForwarder,
    "../../contracts/artifacts/KeystoneForwarder.json"
);
sol!(
    #[sol(rpc, all_derives)]
    PriceFeed,
    "../../contracts/artifacts/PriceFeed.json"
);
sol!(
    #[sol(rpc, all_derives)]
    RecoveryGuard,
    "../../contracts/artifacts/RecoveryGuard.json"
);
sol!(
    #[sol(rpc, all_derives)]
    ShieldedPool,
    "../../contracts/artifacts/ShieldedPool.json"
);
sol!(
    #[sol(rpc, all_derives)]
    TimelockController,
    "../../contracts/artifacts/TimelockController.json"
);
