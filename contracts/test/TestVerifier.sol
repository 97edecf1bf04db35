// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IClearingVerifier} from "../src/interfaces/IClearingVerifier.sol";

/// @dev Takes every proof that begins with 1, and any input, in field or not: what DarkPool has to refuse by
/// itself, nothing here refuses for it.
contract TestVerifier is IClearingVerifier {
    bool public immutable isDevelopment;

    error ProofInvalid();

    constructor(bool isDevelopment_) {
        isDevelopment = isDevelopment_;
    }

    function verifyProof(uint256[8] calldata proof, uint256[26] calldata) external pure {
        if (proof[0] != 1) revert ProofInvalid();
    }
}
