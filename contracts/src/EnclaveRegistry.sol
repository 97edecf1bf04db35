// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CREReceiver} from "./CREReceiver.sol";
import {IEnclaveRegistry} from "./interfaces/IEnclaveRegistry.sol";
import {Devnet} from "./libraries/Devnet.sol";

/// @title Keys of attested enclaves.
/// @dev Nitro evidence is checked by the DON's nodes: P-384 on chain costs 14–50 M gas.
contract EnclaveRegistry is IEnclaveRegistry, CREReceiver {
    /// @notice The only chain on which development enclaves may register.
    uint256 public constant DEVNET_CHAIN_ID = Devnet.CHAIN_ID;

    /// @notice The shortest activation delay anywhere else, in seconds.
    uint64 public constant ACTIVATION_DELAY_MIN = 1 hours;

    /// @notice Seconds from a key's registration to its first use. f + 1 nodes that agree on evidence which never
    /// was register a key of their own: this is what the guardian has to see it and revoke it.
    uint64 public immutable activationDelay;

    /// @notice May revoke keys and withdraw workloads, nothing else.
    address public immutable guardian;

    mapping(bytes32 workloadId => bool) private _allowed;
    mapping(address signer => Enclave) private _enclaves;

    /// @param owner_ Allows workloads and binds the workflow; meant to be a timelock.
    /// @param activationDelay_ Seconds; at least `ACTIVATION_DELAY_MIN`, but on the chain for development.
    constructor(
        address owner_,
        address guardian_,
        address forwarder_,
        bytes32 workflowId_,
        address workflowOwner_,
        uint64 activationDelay_
    ) CREReceiver(owner_, forwarder_, workflowId_, workflowOwner_) {
        if (guardian_ == address(0)) revert ZeroAddress();
        if (activationDelay_ < ACTIVATION_DELAY_MIN && block.chainid != DEVNET_CHAIN_ID) {
            revert ActivationDelayTooShort(activationDelay_, ACTIVATION_DELAY_MIN);
        }
        activationDelay = activationDelay_;
        guardian = guardian_;
    }

    /// @inheritdoc IEnclaveRegistry
    function allowWorkload(bytes32 workloadId) external override onlyOwner {
        _allowed[workloadId] = true;
        emit WorkloadAllowed(workloadId);
    }

    /// @inheritdoc IEnclaveRegistry
    function disallowWorkload(bytes32 workloadId) external override {
        _checkGuardian();
        _allowed[workloadId] = false;
        emit WorkloadDisallowed(workloadId);
    }

    /// @inheritdoc IEnclaveRegistry
    function register(address signer, bytes32 workloadId, bytes32 keyBundleHash, uint64 expiry, uint8 trust)
        external
        override
        onlyWorkflow
    {
        if (signer == address(0)) revert ZeroAddress();
        if (trust == 0 || trust > uint8(type(Trust).max)) revert TrustUnknown(trust);
        Trust trust_ = Trust(trust);
        if (trust_ == Trust.Development && block.chainid != DEVNET_CHAIN_ID) {
            revert DevelopmentEnclaveOffDevnet(block.chainid, DEVNET_CHAIN_ID);
        }
        if (!_allowed[workloadId]) revert WorkloadNotAllowed(workloadId);
        if (block.timestamp > expiry) revert ExpiryPassed(expiry, block.timestamp);
        Enclave memory last = _enclaves[signer];
        if (last.revoked) revert SignerRevoked(signer);
        bool renews = last.workloadId == workloadId && last.trust == trust_ && block.timestamp <= last.expiry;
        if (renews && expiry < last.expiry) revert ExpiryShortened(expiry, last.expiry);
        uint64 activeFrom = renews ? last.activeFrom : uint64(block.timestamp) + activationDelay;
        _enclaves[signer] = Enclave(workloadId, keyBundleHash, activeFrom, expiry, trust_, false);
        emit EnclaveRegistered(signer, workloadId, keyBundleHash, expiry, trust_);
    }

    /// @inheritdoc IEnclaveRegistry
    function revoke(address signer) external override {
        _checkGuardian();
        _enclaves[signer].revoked = true;
        emit EnclaveRevoked(signer);
    }

    /// @inheritdoc IEnclaveRegistry
    function isActive(address signer) external view override returns (bool) {
        Enclave storage e = _enclaves[signer];
        return e.trust != Trust.None && !e.revoked && e.activeFrom <= block.timestamp && block.timestamp <= e.expiry
            && _allowed[e.workloadId];
    }

    /// @inheritdoc IEnclaveRegistry
    function isWorkloadAllowed(bytes32 workloadId) external view override returns (bool) {
        return _allowed[workloadId];
    }

    /// @inheritdoc IEnclaveRegistry
    function enclave(address signer) external view override returns (Enclave memory) {
        return _enclaves[signer];
    }

    function _isAllowed(bytes4 selector) internal pure override returns (bool) {
        return selector == this.register.selector;
    }

    /// @dev Stopping is open to the owner too.
    function _checkGuardian() private view {
        if (msg.sender != guardian && msg.sender != owner()) revert CallerNotGuardian(msg.sender, guardian);
    }
}
