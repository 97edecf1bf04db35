// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {KeystoneForwarder} from "@chainlink/contracts/src/v0.8/keystone/KeystoneForwarder.sol";
import {Fixture} from "./Fixture.sol";
import {IDarkPool} from "../src/interfaces/IDarkPool.sol";

/// @dev The real forwarder, a DON of n = 4, f = 1, and our receivers behind it.
contract KeystoneForwarderTest is Fixture(address(new KeystoneForwarder()), IDarkPool.Disclosure.Immediate) {
    event ReportProcessed(
        address indexed receiver, bytes32 indexed workflowExecutionId, bytes2 indexed reportId, bool result
    );

    uint32 private constant DON_ID = 7;
    uint32 private constant CONFIG_VERSION = 1;
    bytes private constant REPORT_CONTEXT = abi.encode(bytes32(uint256(0xd)), uint256(1) << 8, bytes32(0));

    KeystoneForwarder private keystone;
    bytes32 private executionId = bytes32(uint256(0xe1));

    constructor() {
        keystone = KeystoneForwarder(forwarder);
        address[] memory signers = new address[](4);
        for (uint256 i = 0; i < 4; i++) {
            signers[i] = vm.addr(nodeKey(i));
        }
        keystone.setConfig(DON_ID, CONFIG_VERSION, 1, signers);
        registerEnclave(ENCLAVE_KEY, uint64(block.timestamp + 30 days));
    }

    function test_report_deliversWithFPlusOneSignatures() public {
        registerMandate();
        bytes memory raw = rawReport(
            payload(address(darkPool), abi.encodeCall(darkPool.requestCollateral, (bytes32(uint256(5)), 50, 1 hours)))
        );
        expectResult(address(darkPool), true);
        keystone.report(address(darkPool), raw, REPORT_CONTEXT, signaturesOf(raw, 2));
        IDarkPool.Request memory r = darkPool.request(darkPool.currentRequestId());
        assertEq(r.commitment, 5);
        assertEq(r.premiumCapBps, 50);
    }

    /// @dev E4: the nodes signed what one host told them all.
    function test_report_failsWhenTheEnclaveSignedNothing() public {
        attest(false);
        assertEq(guard.mintAllowed(), false);
        Observation memory o = observation_();
        o.attested = 2;
        bytes memory call_ = abi.encodeCall(por.attestRecovery, (true, block.timestamp));
        bytes[4] memory words = [bytes(""), abi.encode(o, ""), abi.encode(o, new bytes(65)), signed(o, nodeKey(0))];
        for (uint256 i = 0; i < words.length; i++) {
            executionId = bytes32(0xe100 + i);
            expectFailure(metadata(), payload(address(por), call_, words[i]));
        }
        assertEq(guard.mintAllowed(), false);
        executionId = bytes32(uint256(0xe200));
        bytes memory raw = rawReport(payload(address(por), call_, signed(o, ENCLAVE_KEY)));
        expectResult(address(por), true);
        keystone.report(address(por), raw, REPORT_CONTEXT, signaturesOf(raw, 2));
        assertEq(guard.mintAllowed(), true);
    }

    function test_report_revertsWhenThereAreFSignatures() public {
        bytes memory raw = rawReport(payload(address(por), attestCall()));
        bytes[] memory signatures = signaturesOf(raw, 1);
        vm.expectRevert(abi.encodeWithSelector(KeystoneForwarder.InvalidSignatureCount.selector, 2, 1));
        keystone.report(address(por), raw, REPORT_CONTEXT, signatures);
    }

    function test_report_revertsWhenOneNodeSignsTwice() public {
        bytes memory raw = rawReport(payload(address(por), attestCall()));
        bytes[] memory signatures = signaturesOf(raw, 2);
        signatures[1] = signatures[0];
        vm.expectRevert(abi.encodeWithSelector(KeystoneForwarder.DuplicateSigner.selector, vm.addr(nodeKey(0))));
        keystone.report(address(por), raw, REPORT_CONTEXT, signatures);
    }

    function test_report_failsWhenItIsForAnotherReceiver() public {
        // The forwarder binds no receiver: it delivers, and the receiver refuses.
        bytes memory raw = rawReport(payload(address(darkPool), attestCall()));
        expectResult(address(por), false);
        keystone.report(address(por), raw, REPORT_CONTEXT, signaturesOf(raw, 2));
        (, uint256 timestamp) = por.lastAttestation();
        assertEq(timestamp, 0);
    }

    function test_report_failsWhenTheWorkflowIsAnother() public {
        bytes memory payload_ = payload(address(por), attestCall());
        expectFailure(abi.encodePacked(bytes32(uint256(0xbb)), WORKFLOW_NAME, WORKFLOW_OWNER, bytes2(0x0001)), payload_);
        expectFailure(abi.encodePacked(WORKFLOW_ID, WORKFLOW_NAME, STRANGER, bytes2(0x0001)), payload_);
        // A name is 40 bits of a hash. Whoever deploys a workflow chooses his own.
        expectFailure(abi.encodePacked(bytes32(0), WORKFLOW_NAME, address(0), bytes2(0x0001)), payload_);
        expectFailure(abi.encodePacked(WORKFLOW_ID, WORKFLOW_NAME, address(0), bytes2(0x0001)), payload_);
    }

    function test_report_failsWhenItIsForAnotherChain() public {
        expectFailure(
            metadata(), abi.encode(uint256(1), address(por), uint64(1), uint64(block.timestamp), attestCall(), "")
        );
    }

    function test_report_failsWhenItsEpochIsStale() public {
        bytes memory older = payload(address(por), attestCall());
        bytes memory raw = rawReport(payload(address(por), attestCall()));
        expectResult(address(por), true);
        keystone.report(address(por), raw, REPORT_CONTEXT, signaturesOf(raw, 2));
        executionId = bytes32(uint256(0xe2));
        expectFailure(metadata(), older);
    }

    function test_report_succeedsWhenItIsRetriedOnceTheReceiverCanTakeIt() public {
        bytes memory raw = rawReport(
            payload(address(darkPool), abi.encodeCall(darkPool.requestCollateral, (bytes32(uint256(5)), 50, 1 hours)))
        );
        bytes[] memory signatures = signaturesOf(raw, 2);
        // There is no mandate yet.
        expectResult(address(darkPool), false);
        keystone.report(address(darkPool), raw, REPORT_CONTEXT, signatures);
        registerMandate();
        expectResult(address(darkPool), true);
        keystone.report(address(darkPool), raw, REPORT_CONTEXT, signatures);
        assertEq(darkPool.request(darkPool.currentRequestId()).commitment, 5);
        vm.expectRevert();
        keystone.report(address(darkPool), raw, REPORT_CONTEXT, signatures);
    }

    function test_report_failsWhenItIsRelayedAgain() public {
        bytes memory raw = rawReport(payload(address(por), attestCall()));
        bytes[] memory signatures = signaturesOf(raw, 2);
        keystone.report(address(por), raw, REPORT_CONTEXT, signatures);
        vm.expectRevert();
        keystone.report(address(por), raw, REPORT_CONTEXT, signatures);
        (bool recovered, uint256 timestamp) = por.lastAttestation();
        assertEq(recovered, false);
        assertEq(timestamp, block.timestamp);
        assertEq(guard.flagged(), true);
    }

    /// forge-config: default.isolate = true
    function test_report_staysWithinItsGasBudget() public {
        bytes memory raw = rawReport(payload(address(por), abi.encodeCall(por.reportStatus, (keccak256("any status")))));
        keystone.report(address(por), raw, REPORT_CONTEXT, signaturesOf(raw, 2));
        uint256 used = vm.lastCallGas().gasTotalUsed;
        emit GasMeasured("report of reportStatus", used);
        assertTrue(used <= 130_000, "a status report costs more than its budget");
    }

    function attestCall() private view returns (bytes memory) {
        return abi.encodeCall(por.attestRecovery, (false, block.timestamp));
    }

    /// @dev The forwarder delivers to ConfidentialPoR, which refuses and keeps nothing.
    function expectFailure(bytes memory metadata_, bytes memory payload_) private {
        uint64 epoch = por.lastEpoch();
        bytes memory raw = rawReport(metadata_, payload_);
        expectResult(address(por), false);
        keystone.report(address(por), raw, REPORT_CONTEXT, signaturesOf(raw, 2));
        assertEq(por.lastEpoch(), epoch);
    }

    function expectResult(address receiver, bool result) private {
        vm.expectEmit(address(keystone));
        emit ReportProcessed(receiver, executionId, 0x0001, result);
    }

    function nodeKey(uint256 i) private pure returns (uint256) {
        return 0xd000 + i;
    }

    function rawReport(bytes memory payload_) private view returns (bytes memory) {
        return rawReport(metadata(), payload_);
    }

    function rawReport(bytes memory metadata_, bytes memory payload_) private view returns (bytes memory) {
        return
            abi.encodePacked(
                uint8(1), executionId, uint32(block.timestamp), DON_ID, CONFIG_VERSION, metadata_, payload_
            );
    }

    function signaturesOf(bytes memory raw, uint256 n) private pure returns (bytes[] memory signatures) {
        bytes32 digest = keccak256(abi.encodePacked(keccak256(raw), REPORT_CONTEXT));
        signatures = new bytes[](n);
        for (uint256 i = 0; i < n; i++) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(nodeKey(i), digest);
            signatures[i] = abi.encodePacked(r, s, v - 27);
        }
    }
}
