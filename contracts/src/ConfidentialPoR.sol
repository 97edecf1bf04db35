// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CREReceiver} from "./CREReceiver.sol";
import {IConfidentialPoR} from "./interfaces/IConfidentialPoR.sol";
import {IRecoveryGuard} from "./interfaces/IRecoveryGuard.sol";

/// @title Confidential proof of reserve: what the world is told about the reserves.
contract ConfidentialPoR is IConfidentialPoR, CREReceiver {
    /// @notice Told of every attestation.
    IRecoveryGuard public immutable guard;

    bool private _recovered;
    uint64 private _timestamp;
    /// @inheritdoc IConfidentialPoR
    /// @dev Never zero, so that every report changes a non-zero slot to a non-zero one.
    bytes32 public override statusCommitment = bytes32(uint256(1));

    /// @param owner_ Binds the workflow; meant to be a timelock.
    constructor(address owner_, address forwarder_, bytes32 workflowId_, address workflowOwner_, IRecoveryGuard guard_)
        CREReceiver(owner_, forwarder_, workflowId_, workflowOwner_)
    {
        if (address(guard_) == address(0)) revert ZeroAddress();
        guard = guard_;
    }

    /// @inheritdoc IConfidentialPoR
    function attestRecovery(bool recovered, uint256 timestamp) external override onlyWorkflow {
        if (timestamp > block.timestamp) revert TimestampInFuture(timestamp, block.timestamp);
        if (timestamp < _timestamp) revert TimestampBeforeLast(timestamp, _timestamp);
        _recovered = recovered;
        // At most the block's, hence far below 2^64.
        _timestamp = uint64(timestamp);
        emit RecoveryAttested(recovered, timestamp);
        if (recovered) guard.onRecovered();
        else guard.onShortfall();
    }

    /// @inheritdoc IConfidentialPoR
    function reportStatus(bytes32 statusCommitment_) external override onlyWorkflow {
        if (statusCommitment_ == 0) revert StatusZero();
        statusCommitment = statusCommitment_;
        emit StatusReported(statusCommitment_);
    }

    /// @inheritdoc IConfidentialPoR
    function lastAttestation() external view override returns (bool recovered, uint256 timestamp) {
        return (_recovered, _timestamp);
    }

    function _isAllowed(bytes4 selector) internal pure override returns (bool) {
        return selector == this.attestRecovery.selector || selector == this.reportStatus.selector;
    }
}
