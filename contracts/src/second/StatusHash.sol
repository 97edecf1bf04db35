// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Poseidon2} from "../libraries/Poseidon2.sol";
import {IStatusHash} from "./interfaces/IStatusHash.sol";

/// @title Opens status commitments.
/// @dev Apart and stateless: one serves all venues of a chain, and its 5 kB of constants do not fit beside a venue's
/// code (EIP-170). `pool::status::commitment` is the twin.
contract StatusHash is IStatusHash {
    /// @dev tag("status"): the big-endian integer of the ASCII bytes.
    uint256 private constant TAG_STATUS = uint256(uint88(bytes11("cdpr.status")));

    /// @inheritdoc IStatusHash
    function commitment(uint8 status, uint256 salt) external pure override returns (uint256) {
        if (salt >= Poseidon2.P) revert NotInField(salt);
        return Poseidon2.compress(TAG_STATUS + status, salt);
    }
}
