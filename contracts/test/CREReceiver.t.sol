// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IReceiver} from "@chainlink/contracts/src/v0.8/keystone/interfaces/IReceiver.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Fixture} from "./Fixture.sol";
import {CREReceiver} from "../src/CREReceiver.sol";
import {IConfidentialPoR} from "../src/interfaces/IConfidentialPoR.sol";
import {IDarkPool} from "../src/interfaces/IDarkPool.sol";

/// @dev Through ConfidentialPoR, the smallest receiver.
contract CREReceiverTest is Fixture(address(0xf0), IDarkPool.Disclosure.Immediate) {
    constructor() {
        registerEnclave(ENCLAVE_KEY, uint64(block.timestamp + 30 days));
    }

    function test_onReport_callsTheReceiver() public {
        report(por, reportStatusCall());
        assertEq(por.statusCommitment(), bytes32(uint256(7)));
        // The first was the registry's.
        assertEq(por.lastEpoch(), 2);
    }

    function test_onReport_revertsWhenCallerIsNotTheForwarder() public {
        bytes memory payload_ = payload(address(por), reportStatusCall());
        vm.expectRevert(abi.encodeWithSelector(CREReceiver.CallerNotForwarder.selector, STRANGER, forwarder));
        vm.prank(STRANGER);
        por.onReport(metadata(), payload_);
    }

    function test_onReport_revertsWhenMetadataIsShort() public {
        expectRevertOf(
            abi.encodePacked(WORKFLOW_ID, WORKFLOW_NAME, WORKFLOW_OWNER),
            payload(address(por), reportStatusCall()),
            abi.encodeWithSelector(CREReceiver.MetadataLengthMismatch.selector, 62, 64)
        );
    }

    function test_onReport_revertsWhenWorkflowIsAnother() public {
        bytes32 other = bytes32(uint256(0xbb));
        expectRevertOf(
            abi.encodePacked(other, WORKFLOW_NAME, WORKFLOW_OWNER, bytes2(0x0001)),
            payload(address(por), reportStatusCall()),
            abi.encodeWithSelector(CREReceiver.WorkflowIdMismatch.selector, other, WORKFLOW_ID)
        );
    }

    function test_onReport_revertsWhenWorkflowOwnerIsAnother() public {
        expectRevertOf(
            abi.encodePacked(WORKFLOW_ID, WORKFLOW_NAME, STRANGER, bytes2(0x0001)),
            payload(address(por), reportStatusCall()),
            abi.encodeWithSelector(CREReceiver.WorkflowOwnerMismatch.selector, STRANGER, WORKFLOW_OWNER)
        );
    }

    function test_onReport_revertsWhenReportIsForAnotherChain() public {
        expectRevertOf(
            metadata(),
            abi.encode(uint256(1), address(por), uint64(1), uint64(block.timestamp), reportStatusCall(), ""),
            abi.encodeWithSelector(CREReceiver.ReportForAnotherChain.selector, 1, block.chainid)
        );
    }

    function test_onReport_revertsWhenReportIsForAnotherReceiver() public {
        expectRevertOf(
            metadata(),
            payload(address(darkPool), reportStatusCall()),
            abi.encodeWithSelector(CREReceiver.ReportForAnotherReceiver.selector, address(darkPool), address(por))
        );
    }

    function test_onReport_revertsWhenEpochIsStale() public {
        bytes memory payload_ = payload(address(por), reportStatusCall());
        vm.prank(forwarder);
        por.onReport(metadata(), payload_);
        expectRevertOf(metadata(), payload_, abi.encodeWithSelector(CREReceiver.ReportStale.selector, 2, 2));
        bytes memory zeroth =
            abi.encode(block.chainid, address(por), uint64(0), uint64(block.timestamp), reportStatusCall(), "");
        expectRevertOf(metadata(), zeroth, abi.encodeWithSelector(CREReceiver.ReportStale.selector, 0, 2));
    }

    function test_onReport_revertsWhenEpochIsAheadOfTime() public {
        uint64[3] memory epochs = [uint64(block.timestamp + 1), 1 << 32, type(uint64).max];
        for (uint256 i = 0; i < epochs.length; i++) {
            expectRevertOf(
                metadata(),
                payloadAt(epochs[i]),
                abi.encodeWithSelector(CREReceiver.EpochAheadOfTime.selector, epochs[i], block.timestamp)
            );
        }
        assertEq(por.lastEpoch(), 0);
    }

    /// @dev The furthest that f + 1 nodes can push a receiver is where the next tick's reports are again.
    function test_onReport_goesOnAfterTheHighestEpochThereIs() public {
        deliver(payloadAt(uint64(block.timestamp)));
        uint64 next = por.lastEpoch() + 1;
        vm.warp(block.timestamp + 300);
        deliver(payloadAt(next));
        assertEq(por.lastEpoch(), next);
    }

    function test_onReport_revertsWhenReportIsExpired() public {
        bytes memory payload_ = payload(address(por), reportStatusCall());
        uint256 expiry = block.timestamp;
        vm.warp(expiry + 1);
        expectRevertOf(
            metadata(), payload_, abi.encodeWithSelector(CREReceiver.ReportExpired.selector, expiry, expiry + 1)
        );
    }

    function test_onReport_revertsWhenSelectorIsNotAllowed() public {
        expectRevertOf(
            metadata(),
            payload(address(por), abi.encodeCall(Ownable.transferOwnership, (STRANGER))),
            abi.encodeWithSelector(CREReceiver.SelectorNotAllowed.selector, Ownable.transferOwnership.selector)
        );
        expectRevertOf(
            metadata(),
            payload(address(darkPool), abi.encodeCall(darkPool.registerMandate, (1, 1))),
            abi.encodeWithSelector(CREReceiver.ReportForAnotherReceiver.selector, address(darkPool), address(por))
        );
        expectRevertOf(
            metadata(),
            payload(address(por), hex"aabb"),
            abi.encodeWithSelector(CREReceiver.SelectorNotAllowed.selector, bytes4(hex"aabb0000"))
        );
    }

    function test_onReport_revertsWhenDarkPoolIsToldToRegisterAMandateOrCancel() public {
        expectRevertOfReport(
            darkPool,
            abi.encodeCall(darkPool.registerMandate, (1, 1)),
            abi.encodeWithSelector(CREReceiver.SelectorNotAllowed.selector, darkPool.registerMandate.selector)
        );
        expectRevertOfReport(
            darkPool,
            abi.encodeCall(darkPool.cancelRequest, (0)),
            abi.encodeWithSelector(CREReceiver.SelectorNotAllowed.selector, darkPool.cancelRequest.selector)
        );
    }

    function test_onReport_revertsWhenAnObservationStandsBesideACallThatRestsOnNone() public {
        bytes memory observation = signed(observation_(), ENCLAVE_KEY);
        bytes memory payload_ = payload(address(darkPool), abi.encodeCall(darkPool.expireRequest, (0)), observation);
        vm.expectRevert(
            abi.encodeWithSelector(CREReceiver.ObservationUnasked.selector, darkPool.expireRequest.selector)
        );
        vm.prank(forwarder);
        darkPool.onReport(metadata(), payload_);
    }

    function test_onReport_bubblesTheRevertAndKeepsTheEpoch() public {
        expectRevertOf(
            metadata(),
            payload(address(por), abi.encodeCall(por.reportStatus, (0))),
            abi.encodeWithSelector(IConfidentialPoR.StatusZero.selector)
        );
        assertEq(por.lastEpoch(), 0);
    }

    function test_supportsInterface_namesTheReceiver() public view {
        assertTrue(por.supportsInterface(type(IReceiver).interfaceId), "IReceiver");
        assertTrue(por.supportsInterface(0x01ffc9a7), "IERC165");
        assertTrue(!por.supportsInterface(0xffffffff), "nothing");
    }

    function test_bindWorkflow_replacesForwarderAndWorkflow() public {
        vm.prank(OWNER);
        por.bindWorkflow(address(0xf1), bytes32(uint256(0xcc)), address(0x555));
        bytes memory payload_ = payload(address(por), reportStatusCall());
        vm.expectRevert(abi.encodeWithSelector(CREReceiver.CallerNotForwarder.selector, forwarder, address(0xf1)));
        vm.prank(forwarder);
        por.onReport(metadata(), payload_);
    }

    function test_bindWorkflow_startsEpochsOver() public {
        deliver(payloadAt(uint64(block.timestamp)));
        vm.prank(OWNER);
        por.bindWorkflow(forwarder, WORKFLOW_ID, WORKFLOW_OWNER);
        assertEq(por.lastEpoch(), 0);
        deliver(payloadAt(1));
        assertEq(por.lastEpoch(), 1);
    }

    function test_bindWorkflow_revertsWhenCallerIsNotTheOwner() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        vm.prank(STRANGER);
        por.bindWorkflow(STRANGER, WORKFLOW_ID, WORKFLOW_OWNER);
    }

    function test_bindWorkflow_revertsWhenIncomplete() public {
        vm.expectRevert(
            abi.encodeWithSelector(CREReceiver.WorkflowIncomplete.selector, address(0), WORKFLOW_ID, WORKFLOW_OWNER)
        );
        vm.prank(OWNER);
        por.bindWorkflow(address(0), WORKFLOW_ID, WORKFLOW_OWNER);
    }

    function reportStatusCall() private view returns (bytes memory) {
        return abi.encodeCall(por.reportStatus, (bytes32(uint256(7))));
    }

    function payloadAt(uint64 epoch) private view returns (bytes memory) {
        Observation memory o = observation_();
        o.status = bytes32(uint256(7));
        return abi.encode(
            block.chainid, address(por), epoch, uint64(block.timestamp), reportStatusCall(), signed(o, ENCLAVE_KEY)
        );
    }

    function deliver(bytes memory payload_) private {
        vm.prank(forwarder);
        por.onReport(metadata(), payload_);
    }

    function expectRevertOf(bytes memory metadata_, bytes memory payload_, bytes memory data) private {
        vm.expectRevert(data);
        vm.prank(forwarder);
        por.onReport(metadata_, payload_);
    }
}
