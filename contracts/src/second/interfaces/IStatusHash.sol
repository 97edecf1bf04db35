// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The hash behind a request's status commitment.
interface IStatusHash {
    error NotInField(uint256 value);

    /// @notice C(tag(status) + status, salt), Poseidon2 at width 2.
    /// @param status 0 pending, 1 partially filled, 2 filled.
    /// @param salt Below the field order.
    function commitment(uint8 status, uint256 salt) external pure returns (uint256);
}
