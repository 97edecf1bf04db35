// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Confidential proof of reserve: what the world is told about the reserves.
/// @notice Both functions are called by the registered workflow only, through the forwarder, and with nothing but
/// what an active enclave signed: see `Observations`.
interface IConfidentialPoR {
    /// @notice The workflow said in public whether the coin is backed.
    /// @param recovered Whether reserves, the position included, are at or above the threshold.
    /// @param timestamp Unix seconds of the observation.
    event RecoveryAttested(bool recovered, uint256 timestamp);

    /// @notice The workflow committed to a tick's status without saying it.
    event StatusReported(bytes32 statusCommitment);

    error TimestampInFuture(uint256 timestamp, uint256 blockTimestamp);
    error TimestampBeforeLast(uint256 timestamp, uint256 last);
    error TickBeforeLast(uint32 tick, uint32 last);
    error StatusZero();
    error ZeroAddress();

    /// @notice Publishes the status bit and tells the guard (immediate disclosure, or an epoch's opening).
    /// @param recovered True: the guard unflags. False: it flags, and minting pauses.
    /// @param timestamp Unix seconds; not after the block, not before the last one attested.
    function attestRecovery(bool recovered, uint256 timestamp) external;

    /// @notice Publishes a commitment to the status (sealed disclosure). Not zero.
    /// @dev Writes one slot from non-zero to non-zero, whatever the status, so that gas tells nothing.
    function reportStatus(bytes32 statusCommitment) external;

    /// @notice Whether an active enclave of this issuer's signed an observation, `abi.encode(Observation, bytes
    /// signature)`; the workflow asks before it acts on one. Says nothing of its age, and reverts if it does not
    /// decode.
    function isObserved(bytes calldata observation) external view returns (bool);

    /// @notice The last attestation; (false, 0) before the first.
    function lastAttestation() external view returns (bool recovered, uint256 timestamp);

    /// @notice The last status commitment; 1 before the first.
    function statusCommitment() external view returns (bytes32);
}
