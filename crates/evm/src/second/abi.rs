//! Bindings generated from the committed artifacts of the second design.

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

mod dark_pool {
    // Named for the interface, as the first design's is.
    alloy::sol!(
        #[sol(rpc, all_derives)]
        IDarkPool,
        "../../contracts/artifacts/SecondDarkPool.json"
    );
}
pub use dark_pool::DarkPool::Deployment as DarkPoolDeployment;
pub use dark_pool::IDarkPool as DarkPool;
/// What the venue passes on to the pool.
pub use dark_pool::IShieldedPool::Move;

mod shielded_pool {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        IShieldedPool,
        "../../contracts/artifacts/SecondShieldedPool.json"
    );
}
pub use shielded_pool::IShieldedPool as ShieldedPool;

sol!(
    #[sol(rpc, all_derives)]
    StatusHash,
    "../../contracts/artifacts/StatusHash.json"
);
sol!(
    #[sol(rpc, all_derives)]
    AbsorbVerifier,
    "../../contracts/artifacts/AbsorbVerifier.json"
);
sol!(
    #[sol(rpc, all_derives)]
    SpendVerifier,
    "../../contracts/artifacts/SpendVerifier.json"
);
sol!(
    #[sol(rpc, all_derives)]
    AccountVerifier,
    "../../contracts/artifacts/AccountVerifier.json"
);
sol!(
    #[sol(rpc, all_derives)]
    ClearVerifier,
    "../../contracts/artifacts/ClearVerifier.json"
);
