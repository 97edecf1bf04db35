// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fixture} from "./Fixture.sol";
import {CREReceiver} from "../src/CREReceiver.sol";
import {IConfidentialPoR} from "../src/interfaces/IConfidentialPoR.sol";
import {IDarkPool} from "../src/interfaces/IDarkPool.sol";

contract ConfidentialPoRTest is Fixture(address(0xf0), IDarkPool.Disclosure.Immediate) {
    function test_attestRecovery_tellsTheWorldAndTheGuard() public {
        vm.expectEmit(address(por));
        emit IConfidentialPoR.RecoveryAttested(false, block.timestamp);
        attest(false);
        assertEq(guard.mintAllowed(), false);
        vm.warp(block.timestamp + 300);
        attest(true);
        assertEq(guard.mintAllowed(), true);
        (bool recovered, uint256 timestamp) = por.lastAttestation();
        assertEq(recovered, true);
        assertEq(timestamp, block.timestamp);
    }

    function test_attestRecovery_revertsWhenCallerIsNotTheWorkflow() public {
        vm.expectRevert(abi.encodeWithSelector(CREReceiver.CallerNotWorkflow.selector, ISSUER));
        vm.prank(ISSUER);
        por.attestRecovery(true, block.timestamp);
    }

    function test_attestRecovery_revertsWhenTimestampIsInTheFuture() public {
        expectRevertOfReport(
            por,
            abi.encodeCall(por.attestRecovery, (true, block.timestamp + 1)),
            abi.encodeWithSelector(IConfidentialPoR.TimestampInFuture.selector, block.timestamp + 1, block.timestamp)
        );
    }

    function test_attestRecovery_revertsWhenTimestampIsBeforeTheLast() public {
        attest(true);
        expectRevertOfReport(
            por,
            abi.encodeCall(por.attestRecovery, (true, block.timestamp - 1)),
            abi.encodeWithSelector(IConfidentialPoR.TimestampBeforeLast.selector, block.timestamp - 1, block.timestamp)
        );
    }

    function test_reportStatus_storesTheCommitmentAndNothingElse() public {
        assertEq(por.statusCommitment(), bytes32(uint256(1)));
        vm.expectEmit(address(por));
        emit IConfidentialPoR.StatusReported(bytes32(uint256(0xabc)));
        report(por, abi.encodeCall(por.reportStatus, (bytes32(uint256(0xabc)))));
        assertEq(por.statusCommitment(), bytes32(uint256(0xabc)));
        assertEq(guard.mintAllowed(), true);
    }

    function test_reportStatus_revertsWhenCallerIsNotTheWorkflow() public {
        vm.expectRevert(abi.encodeWithSelector(CREReceiver.CallerNotWorkflow.selector, ISSUER));
        vm.prank(ISSUER);
        por.reportStatus(bytes32(uint256(1)));
    }

    function test_reportStatus_revertsWhenCommitmentIsZero() public {
        expectRevertOfReport(
            por, abi.encodeCall(por.reportStatus, (0)), abi.encodeWithSelector(IConfidentialPoR.StatusZero.selector)
        );
    }

    /// forge-config: default.isolate = true
    function testFuzz_reportStatus_costsTheSameFromTheFirstOn(uint256 seed) public {
        uint256 first = gasOfReportStatus(seed);
        assertEq(gasOfReportStatus(seed ^ 1), first);
        assertEq(gasOfReportStatus(~seed), first);
    }

    function gasOfReportStatus(uint256 seed) private returns (uint256) {
        // No zero byte, whatever the seed: what a commitment's zero bytes save is all that may differ.
        bytes32 commitment = keccak256(abi.encode(seed)) | bytes32(uint256(type(uint256).max) / 255);
        bytes memory payload_ = payload(address(por), abi.encodeCall(por.reportStatus, (commitment)));
        bytes memory metadata_ = metadata();
        vm.prank(forwarder);
        por.onReport(metadata_, payload_);
        return vm.lastCallGas().gasTotalUsed;
    }
}
