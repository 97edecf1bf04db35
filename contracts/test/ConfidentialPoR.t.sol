// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fixture} from "./Fixture.sol";
import {ConfidentialPoR} from "../src/ConfidentialPoR.sol";
import {CREReceiver} from "../src/CREReceiver.sol";
import {IConfidentialPoR} from "../src/interfaces/IConfidentialPoR.sol";
import {IDarkPool} from "../src/interfaces/IDarkPool.sol";
import {IEnclaveRegistry} from "../src/interfaces/IEnclaveRegistry.sol";
import {Observations} from "../src/libraries/Observations.sol";

contract ConfidentialPoRTest is Fixture(address(0xf0), IDarkPool.Disclosure.Immediate) {
    constructor() {
        registerEnclave(ENCLAVE_KEY, uint64(block.timestamp + 30 days));
    }

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
            abi.encodeWithSelector(
                Observations.ObservationOutOfTime.selector, block.timestamp + 1, block.timestamp, 10 minutes
            )
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

    /// @dev E4: f + 1 nodes sign what they were told, and whoever told them signed nothing.
    function test_attestRecovery_revertsWithoutTheEnclavesSignature() public {
        attest(false);
        vm.warp(block.timestamp + 300);
        expectRevertOfWord(attestCall(), "", abi.encodeWithSelector(Observations.ObservationMissing.selector));
        Observation memory o = recovery();
        expectRevertOfWord(
            attestCall(),
            abi.encode(o, ""),
            abi.encodeWithSelector(Observations.ObservationNotSigned.selector, address(0))
        );
        uint256 other = 0xbad;
        expectRevertOfWord(
            attestCall(),
            signed(o, other),
            abi.encodeWithSelector(Observations.ObservationNotSigned.selector, vm.addr(other))
        );
        assertEq(guard.mintAllowed(), false);
        // And with it, nothing else stands in the way.
        deliver(attestCall(), signed(o, ENCLAVE_KEY));
        assertEq(guard.mintAllowed(), true);
    }

    function test_attestRecovery_revertsWhenTheEnclaveIsRevokedOrExpired() public {
        bytes memory revert_ = abi.encodeWithSelector(Observations.ObservationNotSigned.selector, vm.addr(ENCLAVE_KEY));
        uint256 state = vm.snapshotState();
        vm.prank(GUARDIAN);
        registry.revoke(vm.addr(ENCLAVE_KEY));
        expectRevertOfWord(attestCall(), signed(recovery(), ENCLAVE_KEY), revert_);
        vm.revertToState(state);
        vm.prank(GUARDIAN);
        registry.disallowWorkload(WORKLOAD);
        expectRevertOfWord(attestCall(), signed(recovery(), ENCLAVE_KEY), revert_);
        vm.revertToState(state);
        vm.warp(block.timestamp + 30 days + 1);
        expectRevertOfWord(attestCall(), signed(recovery(), ENCLAVE_KEY), revert_);
    }

    /// @dev What was true once is no answer for another tick, whatever the call beside it says.
    function test_attestRecovery_revertsWhenAnOldAnswerIsReplayed() public {
        bytes memory old = signed(recovery(), ENCLAVE_KEY);
        bytes memory oldCall = attestCall();
        uint256 then_ = block.timestamp;
        deliver(oldCall, old);
        vm.warp(then_ + 300);
        attest(false);
        expectRevertOfWord(
            oldCall, old, abi.encodeWithSelector(IConfidentialPoR.TimestampBeforeLast.selector, then_, then_ + 300)
        );
        expectRevertOfWord(
            attestCall(), old, abi.encodeWithSelector(IConfidentialPoR.TimestampBeforeLast.selector, then_, then_ + 300)
        );
        vm.warp(then_ + 601);
        expectRevertOfWord(
            oldCall,
            old,
            abi.encodeWithSelector(Observations.ObservationOutOfTime.selector, then_, then_ + 601, 10 minutes)
        );
        assertEq(guard.mintAllowed(), false);
    }

    /// @dev The instant is the host's, who may show the enclave an older tick's statements late.
    function test_attestRecovery_revertsWhenATickIsShownAfterALaterOne() public {
        Observation memory earlier = recovery();
        attest(false);
        vm.warp(block.timestamp + 1);
        earlier.timestamp = uint64(block.timestamp);
        earlier.tick -= 1;
        bytes memory revert_ =
            abi.encodeWithSelector(IConfidentialPoR.TickBeforeLast.selector, earlier.tick, earlier.tick + 1);
        expectRevertOfWord(attestCall(), signed(earlier, ENCLAVE_KEY), revert_);
        // Another workflow counts from 1.
        vm.prank(OWNER);
        por.bindWorkflow(forwarder, WORKFLOW_ID, WORKFLOW_OWNER);
        deliver(attestCall(), signed(earlier, ENCLAVE_KEY));
    }

    /// @dev Several calls may rest on one tick: an epoch's opening and its status.
    function test_reportStatus_followsAnAttestationOfTheSameTick() public {
        Observation memory o = recovery();
        o.status = keccak256("status");
        bytes memory word = signed(o, ENCLAVE_KEY);
        deliver(attestCall(), word);
        deliver(abi.encodeCall(por.reportStatus, (o.status)), word);
        assertEq(por.statusCommitment(), o.status);
    }

    /// @dev An undecided tick says neither.
    function test_attestRecovery_revertsWhenNothingIsSaid() public {
        Observation memory o = observation_();
        o.attested = 0;
        bytes memory revert_ =
            abi.encodeWithSelector(Observations.CallNotObserved.selector, por.attestRecovery.selector);
        expectRevertOfWord(attestCall(), signed(o, ENCLAVE_KEY), revert_);
        bytes memory call_ = abi.encodeCall(por.attestRecovery, (false, block.timestamp));
        expectRevertOfWord(call_, signed(o, ENCLAVE_KEY), revert_);
    }

    function test_attestRecovery_revertsWhenTheObservationSaysSomethingElse() public {
        Observation[5] memory others;
        for (uint256 i = 0; i < 5; i++) {
            others[i] = recovery();
        }
        others[0].attested = 1;
        others[1].attested = 0;
        others[2].timestamp -= 1;
        // Nobody signed these.
        others[3].tick += 1;
        others[4].answer = keccak256("another");
        bytes memory word = signed(recovery(), ENCLAVE_KEY);
        for (uint256 i = 0; i < 3; i++) {
            expectRevertOfWord(
                attestCall(),
                signed(others[i], ENCLAVE_KEY),
                abi.encodeWithSelector(Observations.CallNotObserved.selector, por.attestRecovery.selector)
            );
        }
        (, bytes memory signature) = abi.decode(word, (Observation, bytes));
        for (uint256 i = 3; i < 5; i++) {
            expectAnyRevertOfWord(attestCall(), abi.encode(others[i], signature));
        }
        expectRevertOfWord(
            abi.encodeCall(por.reportStatus, (bytes32(uint256(0x58)))),
            word,
            abi.encodeWithSelector(Observations.CallNotObserved.selector, por.reportStatus.selector)
        );
    }

    /// @dev For another issuer's pool, or another chain, the same words are another digest.
    function test_attestRecovery_revertsWhenSignedForAnotherDarkPoolOrChain() public {
        bytes memory word = signed(recovery(), ENCLAVE_KEY);
        ConfidentialPoR other =
            new ConfidentialPoR(OWNER, forwarder, WORKFLOW_ID, WORKFLOW_OWNER, guard, registry, address(0xd0));
        assertEq(por.isObserved(word), true);
        assertEq(other.isObserved(word), false);
        vm.chainId(1);
        assertEq(por.isObserved(word), false);
    }

    function test_isObserved_saysWhatTheReceiverWouldSayOfTheSignature() public {
        assertEq(por.isObserved(signed(recovery(), ENCLAVE_KEY)), true);
        assertEq(por.isObserved(signed(recovery(), 0xbad)), false);
        assertEq(por.isObserved(abi.encode(recovery(), "")), false);
        assertEq(por.isObserved(abi.encode(recovery(), new bytes(65))), false);
        vm.prank(GUARDIAN);
        registry.revoke(vm.addr(ENCLAVE_KEY));
        assertEq(por.isObserved(signed(recovery(), ENCLAVE_KEY)), false);
    }

    function test_constructor_revertsWhenAnAddressIsZero() public {
        vm.expectRevert(IConfidentialPoR.ZeroAddress.selector);
        new ConfidentialPoR(
            OWNER, forwarder, WORKFLOW_ID, WORKFLOW_OWNER, guard, IEnclaveRegistry(address(0)), address(darkPool)
        );
        vm.expectRevert(IConfidentialPoR.ZeroAddress.selector);
        new ConfidentialPoR(OWNER, forwarder, WORKFLOW_ID, WORKFLOW_OWNER, guard, registry, address(0));
    }

    function recovery() private view returns (Observation memory o) {
        o = observation_();
        o.attested = 2;
    }

    function attestCall() private view returns (bytes memory) {
        return abi.encodeCall(por.attestRecovery, (true, block.timestamp));
    }

    function deliver(bytes memory call_, bytes memory observation) private {
        bytes memory payload_ = payload(address(por), call_, observation);
        vm.prank(forwarder);
        por.onReport(metadata(), payload_);
    }

    function expectRevertOfWord(bytes memory call_, bytes memory observation, bytes memory data) private {
        bytes memory payload_ = payload(address(por), call_, observation);
        vm.expectRevert(data);
        vm.prank(forwarder);
        por.onReport(metadata(), payload_);
    }

    function expectAnyRevertOfWord(bytes memory call_, bytes memory observation) private {
        bytes memory payload_ = payload(address(por), call_, observation);
        vm.expectRevert();
        vm.prank(forwarder);
        por.onReport(metadata(), payload_);
    }

    /// forge-config: default.isolate = true
    function testFuzz_reportStatus_costsTheSameFromTheFirstOn(uint256 seed) public {
        uint256 first = gasOfReportStatus(seed);
        vm.warp(block.timestamp + 300);
        assertEq(gasOfReportStatus(seed ^ 1), first);
        vm.warp(block.timestamp + 300);
        assertEq(gasOfReportStatus(~seed), first);
    }

    function zeroBytes(bytes memory data) private pure returns (uint256 n) {
        for (uint256 i = 0; i < data.length; i++) {
            if (data[i] == 0) n++;
        }
    }

    function gasOfReportStatus(uint256 seed) private returns (uint256) {
        bytes32 commitment = keccak256(abi.encode(seed));
        Observation memory o = observation_();
        o.status = commitment;
        bytes memory observation = signed(o, ENCLAVE_KEY);
        bytes memory payload_ = payload(address(por), abi.encodeCall(por.reportStatus, (commitment)), observation);
        bytes memory metadata_ = metadata();
        vm.prank(forwarder);
        por.onReport(metadata_, payload_);
        // A signature's zero bytes say nothing either: 4 gas, and another byte 16.
        return vm.lastCallGas().gasTotalUsed + 12 * zeroBytes(payload_);
    }
}
