// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CREReceiver} from "./CREReceiver.sol";
import {IConfidentialPoR} from "./interfaces/IConfidentialPoR.sol";
import {IEnclaveRegistry} from "./interfaces/IEnclaveRegistry.sol";
import {IRecoveryGuard} from "./interfaces/IRecoveryGuard.sol";
import {Observations} from "./libraries/Observations.sol";

/// @title Confidential proof of reserve: what the world is told about the reserves.
contract ConfidentialPoR is IConfidentialPoR, CREReceiver {
    /// @notice Told of every attestation.
    IRecoveryGuard public immutable guard;
    /// @notice Active enclave keys.
    IEnclaveRegistry public immutable registry;
    /// @notice Whose enclave is believed.
    address public immutable darkPool;

    bool private _recovered;
    uint64 private _timestamp;
    /// @dev Instant of the newest observation acted upon. Never zero, and in one slot with the others, so that
    /// the first report costs what the others do.
    uint64 private _observedAt = 1;
    /// @dev Its tick. The instant is the host's word, the tick is in every statement that the custodian signed.
    uint32 private _tick;
    /// @inheritdoc IConfidentialPoR
    /// @dev Never zero, so that every report changes a non-zero slot to a non-zero one.
    bytes32 public override statusCommitment = bytes32(uint256(1));

    /// @param owner_ Binds the workflow; meant to be a timelock.
    constructor(
        address owner_,
        address forwarder_,
        bytes32 workflowId_,
        address workflowOwner_,
        IRecoveryGuard guard_,
        IEnclaveRegistry registry_,
        address darkPool_
    ) CREReceiver(owner_, forwarder_, workflowId_, workflowOwner_) {
        if (address(guard_) == address(0) || address(registry_) == address(0) || darkPool_ == address(0)) {
            revert ZeroAddress();
        }
        guard = guard_;
        registry = registry_;
        darkPool = darkPool_;
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

    /// @inheritdoc IConfidentialPoR
    function isObserved(bytes calldata observation) external view override returns (bool) {
        (, address signer) = Observations.recovered(observation, darkPool);
        return registry.isActive(signer);
    }

    function _isAllowed(bytes4 selector) internal pure override returns (bool) {
        return selector == this.attestRecovery.selector || selector == this.reportStatus.selector;
    }

    /// @dev Both functions take from an observation all that they are called with, and observations only get newer.
    function _checkObservation(bytes4 selector, bytes memory call_, bytes memory observation) internal override {
        Observations.Observation memory o = Observations.checked(observation, registry, darkPool);
        if (o.timestamp < _observedAt) revert TimestampBeforeLast(o.timestamp, _observedAt);
        if (o.tick < _tick) revert TickBeforeLast(o.tick, _tick);
        bool isPlain = selector == this.attestRecovery.selector;
        bytes memory expected = isPlain
            ? abi.encodeCall(this.attestRecovery, (o.attested == Observations.Attested.Recovered, o.timestamp))
            : abi.encodeCall(this.reportStatus, (o.status));
        if ((isPlain && o.attested == Observations.Attested.Nothing) || keccak256(call_) != keccak256(expected)) {
            revert Observations.CallNotObserved(selector);
        }
        _observedAt = o.timestamp;
        _tick = o.tick;
    }

    function _startOver() internal override {
        _tick = 0;
    }
}
