// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Fixture} from "./Fixture.sol";
import {CREReceiver} from "../src/CREReceiver.sol";
import {EnclaveRegistry} from "../src/EnclaveRegistry.sol";
import {IDarkPool} from "../src/interfaces/IDarkPool.sol";
import {IEnclaveRegistry} from "../src/interfaces/IEnclaveRegistry.sol";

contract EnclaveRegistryTest is Fixture(address(0xf0), IDarkPool.Disclosure.Immediate) {
    address private signer = vm.addr(ENCLAVE_KEY);

    function test_register_activatesUntilExpiry() public {
        uint64 expiry = uint64(block.timestamp + 1 hours);
        registerEnclave(ENCLAVE_KEY, expiry);
        assertTrue(registry.isActive(signer), "at once");
        assertEq(uint8(registry.enclave(signer).trust), 1);
        vm.warp(expiry);
        assertTrue(registry.isActive(signer), "at expiry");
        vm.warp(expiry + 1);
        assertTrue(!registry.isActive(signer), "after expiry");
        registerEnclave(ENCLAVE_KEY, expiry + 2);
        assertTrue(registry.isActive(signer), "renewed");
    }

    /// @dev f + 1 nodes vouch for evidence that never was: the guardian has the delay to see it.
    function test_register_givesTheGuardianTheDelayToRevoke() public {
        vm.chainId(1);
        EnclaveRegistry delayed =
            new EnclaveRegistry(OWNER, GUARDIAN, forwarder, WORKFLOW_ID, WORKFLOW_OWNER, 1 hours);
        vm.prank(OWNER);
        delayed.allowWorkload(WORKLOAD);
        uint256 start = block.timestamp;
        report(delayed, registerCall(WORKLOAD, 2, start + 2 hours));
        assertTrue(!delayed.isActive(signer), "at once");
        vm.warp(start + 1 hours - 1);
        assertTrue(!delayed.isActive(signer), "a second early");
        uint256 state = vm.snapshotState();
        vm.prank(GUARDIAN);
        delayed.revoke(signer);
        vm.warp(start + 1 hours);
        assertTrue(!delayed.isActive(signer), "revoked in time");
        vm.revertToState(state);
        vm.warp(start + 1 hours);
        assertTrue(delayed.isActive(signer), "after the delay");
        // A renewal in time goes on without a pause; one too late, or on another workload, starts over.
        vm.warp(start + 2 hours);
        state = vm.snapshotState();
        report(delayed, registerCall(WORKLOAD, 2, start + 4 hours));
        assertTrue(delayed.isActive(signer), "renewed");
        vm.revertToState(state);
        vm.warp(start + 2 hours + 1);
        report(delayed, registerCall(WORKLOAD, 2, start + 4 hours));
        assertTrue(!delayed.isActive(signer), "renewed too late");
        vm.revertToState(state);
        bytes32 other = bytes32(uint256(9));
        vm.prank(OWNER);
        delayed.allowWorkload(other);
        report(delayed, registerCall(other, 2, start + 4 hours));
        assertTrue(!delayed.isActive(signer), "another workload");
    }

    function test_constructor_revertsWhenTheDelayIsShortOffDevnet() public {
        vm.chainId(1);
        vm.expectRevert(
            abi.encodeWithSelector(IEnclaveRegistry.ActivationDelayTooShort.selector, 1 hours - 1, 1 hours)
        );
        new EnclaveRegistry(OWNER, GUARDIAN, forwarder, WORKFLOW_ID, WORKFLOW_OWNER, 1 hours - 1);
    }

    function test_register_revertsWhenCallerIsNotTheWorkflow() public {
        vm.expectRevert(abi.encodeWithSelector(CREReceiver.CallerNotWorkflow.selector, OWNER));
        vm.prank(OWNER);
        registry.register(signer, WORKLOAD, 0, type(uint64).max, 2);
    }

    function test_register_revertsWhenDevelopmentEnclaveIsOffDevnet() public {
        vm.chainId(1);
        expectRevertOfRegister(
            WORKLOAD, 1, abi.encodeWithSelector(IEnclaveRegistry.DevelopmentEnclaveOffDevnet.selector, 1, 31337)
        );
        report(registry, registerCall(WORKLOAD, 2));
        assertTrue(registry.isActive(signer), "hardware is welcome anywhere");
    }

    function test_register_revertsWhenTrustIsUnknown() public {
        expectRevertOfRegister(WORKLOAD, 0, abi.encodeWithSelector(IEnclaveRegistry.TrustUnknown.selector, 0));
        expectRevertOfRegister(WORKLOAD, 3, abi.encodeWithSelector(IEnclaveRegistry.TrustUnknown.selector, 3));
    }

    function test_register_revertsWhenWorkloadIsNotAllowed() public {
        bytes32 other = bytes32(uint256(9));
        expectRevertOfRegister(other, 1, abi.encodeWithSelector(IEnclaveRegistry.WorkloadNotAllowed.selector, other));
    }

    function test_register_revertsWhenExpiryHasPassed() public {
        uint64 expiry = uint64(block.timestamp - 1);
        expectRevertOfReport(
            registry,
            abi.encodeCall(registry.register, (signer, WORKLOAD, 0, expiry, 1)),
            abi.encodeWithSelector(IEnclaveRegistry.ExpiryPassed.selector, expiry, block.timestamp)
        );
    }

    /// @dev Who vouches for evidence cannot end what was vouched for: that is the guardian's, and is seen.
    function test_register_revertsWhenARenewalEndsEarlier() public {
        uint64 expiry = uint64(block.timestamp + 2 hours);
        registerEnclave(ENCLAVE_KEY, expiry);
        expectRevertOfReport(
            registry,
            registerCall(WORKLOAD, 1, expiry - 1),
            abi.encodeWithSelector(IEnclaveRegistry.ExpiryShortened.selector, expiry - 1, expiry)
        );
        registerEnclave(ENCLAVE_KEY, expiry);
        registerEnclave(ENCLAVE_KEY, expiry + 1);
        assertEq(registry.enclave(signer).expiry, expiry + 1);
    }

    function test_register_revertsWhenSignerIsRevoked() public {
        report(registry, registerCall(WORKLOAD, 1));
        vm.prank(GUARDIAN);
        registry.revoke(signer);
        assertTrue(!registry.isActive(signer), "revoked");
        expectRevertOfRegister(WORKLOAD, 1, abi.encodeWithSelector(IEnclaveRegistry.SignerRevoked.selector, signer));
    }

    function test_revoke_revertsWhenCallerIsNeitherGuardianNorOwner() public {
        vm.expectRevert(abi.encodeWithSelector(IEnclaveRegistry.CallerNotGuardian.selector, STRANGER, GUARDIAN));
        vm.prank(STRANGER);
        registry.revoke(signer);
    }

    function test_disallowWorkload_stopsEveryKeyThatRunsIt() public {
        report(registry, registerCall(WORKLOAD, 1));
        vm.prank(GUARDIAN);
        registry.disallowWorkload(WORKLOAD);
        assertTrue(!registry.isActive(signer), "workload withdrawn");
        vm.expectRevert(abi.encodeWithSelector(IEnclaveRegistry.CallerNotGuardian.selector, STRANGER, GUARDIAN));
        vm.prank(STRANGER);
        registry.disallowWorkload(WORKLOAD);
    }

    function test_allowWorkload_revertsWhenCallerIsTheGuardian() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, GUARDIAN));
        vm.prank(GUARDIAN);
        registry.allowWorkload(WORKLOAD);
    }

    function test_isActive_isFalseForAKeyNobodyRegistered() public view {
        assertTrue(!registry.isActive(signer), "never registered");
        assertTrue(!registry.isActive(address(0)), "zero");
    }

    function registerCall(bytes32 workload, uint8 trust) private view returns (bytes memory) {
        return registerCall(workload, trust, block.timestamp + 1);
    }

    function registerCall(bytes32 workload, uint8 trust, uint256 expiry) private view returns (bytes memory) {
        return abi.encodeCall(registry.register, (signer, workload, bytes32(uint256(1)), uint64(expiry), trust));
    }

    function expectRevertOfRegister(bytes32 workload, uint8 trust, bytes memory data) private {
        expectRevertOfReport(registry, registerCall(workload, trust), data);
    }
}
