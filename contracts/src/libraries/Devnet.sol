// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClearingVerifier} from "../interfaces/IClearingVerifier.sol";

/// @title The one chain on which keys that everybody knows are taken.
library Devnet {
    uint256 internal constant CHAIN_ID = 31337;

    error DevelopmentVerifierOffDevnet(uint256 chainId, uint256 devnet);

    /// @dev Whatever tool deploys: elsewhere a verifier whose key anyone can forge proofs for is refused, and so is
    /// one that does not say whether it is.
    function check(IClearingVerifier verifier) internal view {
        if (block.chainid != CHAIN_ID && verifier.isDevelopment()) {
            revert DevelopmentVerifierOffDevnet(block.chainid, CHAIN_ID);
        }
    }
}
