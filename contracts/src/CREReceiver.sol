// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IReceiver} from "@chainlink/contracts/src/v0.8/keystone/interfaces/IReceiver.sol";
// The very interface that IReceiver inherits.
import {IERC165} from "@openzeppelin/contracts@5.0.2/utils/introspection/IERC165.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @title A contract that a CRE workflow acts on through the KeystoneForwarder.
/// @notice The forwarder checks that f + 1 nodes of the DON signed a report; it binds neither the
/// receiver nor the chain, and a signed report can be delivered late and by anyone. So the payload is
/// `abi.encode(uint256 chainId, address receiver, uint64 epoch, uint64 expiry, bytes call, bytes observation)`,
/// and this contract checks all of it, and the workflow in the metadata, before it calls itself with `call`.
/// `observation` is the enclave's signed word (`Observations`) where the call rests on one, and empty elsewhere.
/// @dev A function that the workflow may use is an ordinary external one whose selector
/// `_isAllowed` names; it recognises the workflow by `msg.sender == address(this)`. A contract that
/// inherits this must therefore never call itself on behalf of anybody else.
abstract contract CREReceiver is IReceiver, Ownable {
    /// @notice A report was carried out.
    event ReportExecuted(uint64 indexed epoch, bytes4 indexed selector);
    /// @notice The owner named the forwarder and the workflow to listen to.
    event WorkflowBound(address forwarder, bytes32 workflowId, address workflowOwner);

    error CallerNotForwarder(address caller, address forwarder);
    error CallerNotWorkflow(address caller);
    error MetadataLengthMismatch(uint256 length, uint256 expected);
    error WorkflowIdMismatch(bytes32 workflowId, bytes32 expected);
    error WorkflowOwnerMismatch(address workflowOwner, address expected);
    error ReportForAnotherChain(uint256 chainId, uint256 expected);
    error ReportForAnotherReceiver(address receiver, address expected);
    error ReportStale(uint64 epoch, uint64 lastEpoch);
    error EpochAheadOfTime(uint64 epoch, uint256 timestamp);
    error ReportExpired(uint64 expiry, uint256 timestamp);
    error SelectorNotAllowed(bytes4 selector);
    error ObservationUnasked(bytes4 selector);
    error WorkflowIncomplete(address forwarder, bytes32 workflowId, address workflowOwner);

    /// @dev workflow id 32, workflow name 10, workflow owner 20, report id 2.
    uint256 private constant METADATA_LENGTH = 64;

    /// @notice The forwarder whose calls are reports.
    address public forwarder;
    /// @notice The workflow that may act.
    bytes32 public workflowId;
    /// @notice Its owner, as the CRE workflow registry has it.
    address public workflowOwner;
    /// @notice The epoch of the last report carried out since the workflow was bound; the next one's must be
    /// greater, and not above the block's time in Unix seconds.
    /// @dev A workflow counts its reports and sends a handful every few minutes, so its epochs never meet the
    /// clock; whoever signs a far one in its place moves it no further than to the clock, which is past it a
    /// second later, for every receiver alike. Without the bound 2^64 - 1 would be the last report ever. Beside `workflowOwner` in one slot, so that the first report costs what the others do.
    uint64 public lastEpoch;

    /// @dev For what nobody but the workflow may do.
    modifier onlyWorkflow() {
        if (msg.sender != address(this)) revert CallerNotWorkflow(msg.sender);
        _;
    }

    /// @param owner_ May bind another forwarder or workflow; meant to be a timelock.
    constructor(address owner_, address forwarder_, bytes32 workflowId_, address workflowOwner_) Ownable(owner_) {
        _bindWorkflow(forwarder_, workflowId_, workflowOwner_);
    }

    /// @notice Names the forwarder and the workflow to listen to, whose epochs start over. Only the owner.
    /// @dev A workflow's id covers its code and configuration, so every upgrade of it comes here. A report that
    /// the same workflow signed before lives no longer than its `expiry`.
    function bindWorkflow(address forwarder_, bytes32 workflowId_, address workflowOwner_) external onlyOwner {
        _bindWorkflow(forwarder_, workflowId_, workflowOwner_);
        _startOver();
    }

    /// @inheritdoc IReceiver
    function onReport(bytes calldata metadata, bytes calldata report) external override {
        _checkOrigin(metadata);
        (uint256 chainId, address receiver, uint64 epoch, uint64 expiry, bytes memory call_, bytes memory observation) =
            abi.decode(report, (uint256, address, uint64, uint64, bytes, bytes));
        if (chainId != block.chainid) revert ReportForAnotherChain(chainId, block.chainid);
        if (receiver != address(this)) revert ReportForAnotherReceiver(receiver, address(this));
        if (epoch <= lastEpoch) revert ReportStale(epoch, lastEpoch);
        if (epoch > block.timestamp) revert EpochAheadOfTime(epoch, block.timestamp);
        if (block.timestamp > expiry) revert ReportExpired(expiry, block.timestamp);
        bytes4 selector = bytes4(call_);
        if (call_.length < 4 || !_isAllowed(selector)) revert SelectorNotAllowed(selector);
        _checkObservation(selector, call_, observation);

        // Before the call, so that nothing it reaches can deliver the report again. A revert undoes it,
        // and the forwarder lets the report be retried.
        lastEpoch = epoch;
        emit ReportExecuted(epoch, selector);
        (bool success, bytes memory returned) = address(this).call(call_);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(returned, 0x20), mload(returned))
            }
        }
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) external pure override returns (bool) {
        return interfaceId == type(IReceiver).interfaceId || interfaceId == type(IERC165).interfaceId;
    }

    /// @dev Whether the workflow may call the function.
    function _isAllowed(bytes4 selector) internal pure virtual returns (bool);

    /// @dev Reverts unless the enclave's word admits the call. Here no call rests on one.
    function _checkObservation(bytes4 selector, bytes memory, bytes memory observation) internal virtual {
        if (observation.length != 0) revert ObservationUnasked(selector);
    }

    /// @dev Another workflow counts its ticks anew.
    function _startOver() internal virtual {}

    /// @dev Reverts unless the forwarder calls, for the bound workflow.
    function _checkOrigin(bytes calldata metadata) private view {
        if (msg.sender != forwarder) revert CallerNotForwarder(msg.sender, forwarder);
        if (metadata.length != METADATA_LENGTH) revert MetadataLengthMismatch(metadata.length, METADATA_LENGTH);
        // The name, 40 bits of a hash, proves nothing beside the id and is not looked at.
        bytes32 id = bytes32(metadata[0:32]);
        if (id != workflowId) revert WorkflowIdMismatch(id, workflowId);
        address workflowOwner_ = address(bytes20(metadata[42:62]));
        if (workflowOwner_ != workflowOwner) revert WorkflowOwnerMismatch(workflowOwner_, workflowOwner);
    }

    function _bindWorkflow(address forwarder_, bytes32 workflowId_, address workflowOwner_) private {
        if (forwarder_ == address(0) || workflowId_ == 0 || workflowOwner_ == address(0)) {
            revert WorkflowIncomplete(forwarder_, workflowId_, workflowOwner_);
        }
        forwarder = forwarder_;
        workflowId = workflowId_;
        workflowOwner = workflowOwner_;
        lastEpoch = 0;
        emit WorkflowBound(forwarder_, workflowId_, workflowOwner_);
    }
}
