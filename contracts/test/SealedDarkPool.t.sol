// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Fixture} from "./Fixture.sol";
import {Poseidon2Plain} from "./Poseidon2Plain.sol";
import {RequestStatus} from "../src/ICREDarkPool.sol";
import {IDarkPool} from "../src/interfaces/IDarkPool.sol";

contract SealedDarkPoolTest is Fixture(address(0xf0), IDarkPool.Disclosure.Sealed) {
    uint256 private constant TAG_STATUS = uint256(uint88(bytes11("cdpr.status")));
    uint256 private constant REQUEST = 0x333333;
    uint256 private constant TIMEOUT = 1 hours;
    uint256 private constant SALT = 0x5a17;

    bytes32 private id;

    constructor() {
        registerEnclave(ENCLAVE_KEY, uint64(block.timestamp + 30 days));
    }

    function setUp() public {
        registerMandate();
        id = requestCollateral(REQUEST, 50, TIMEOUT);
    }

    function test_openRequest_publishesFilled() public {
        settle(id, fillOf(id, commitmentOf(1)));
        settle(id, fillOf(id, commitmentOf(2)));
        assertStatus(RequestStatus.PENDING);
        vm.warp(darkPool.request(id).expires);
        assertStatus(RequestStatus.PENDING);
        vm.expectEmit(address(darkPool));
        emit IDarkPool.RequestOpened(id, 2);
        report(darkPool, abi.encodeCall(darkPool.openRequest, (id, 2, SALT)));
        assertStatus(RequestStatus.FILLED);
        assertEq(guard.attempts(), 0);
        requestCollateral(REQUEST, 50, TIMEOUT);
    }

    function test_openRequest_countsAnAttemptWhenNotFilled() public {
        settle(id, fillOf(id, commitmentOf(1)));
        vm.warp(darkPool.request(id).expires);
        vm.prank(STRANGER);
        darkPool.openRequest(id, 1, SALT);
        assertStatus(RequestStatus.EXPIRED);
        assertEq(guard.attempts(), 1);
        assertEq(guard.flagged(), false);
    }

    function test_openRequest_revertsWhenOpeningIsAnother() public {
        settle(id, fillOf(id, commitmentOf(1)));
        vm.warp(darkPool.request(id).expires);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.OpeningMismatch.selector, commitmentOf(2), commitmentOf(1)));
        darkPool.openRequest(id, 2, SALT);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.StatusOutOfRange.selector, 3));
        darkPool.openRequest(id, 3, SALT);
    }

    function test_openRequest_revertsWhenNoRoundSettled() public {
        vm.warp(darkPool.request(id).expires);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.OpeningMismatch.selector, commitmentOf(0), 1));
        darkPool.openRequest(id, 0, SALT);
    }

    function test_openRequest_revertsWhenEpochIsNotOver() public {
        settle(id, fillOf(id, commitmentOf(2)));
        uint256 expires = darkPool.request(id).expires;
        vm.warp(expires - 1);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestNotExpired.selector, id, expires - 1, expires));
        darkPool.openRequest(id, 2, SALT);
    }

    function test_openRequest_revertsWhenAlreadyOpened() public {
        settle(id, fillOf(id, commitmentOf(2)));
        vm.warp(darkPool.request(id).expires);
        darkPool.openRequest(id, 2, SALT);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.FILLED));
        darkPool.openRequest(id, 2, SALT);
    }

    function test_expireRequest_countsAnUnopenedEpochAsUndercollateralised() public {
        settle(id, fillOf(id, commitmentOf(2)));
        uint256 overdue = darkPool.request(id).expires + darkPool.OPENING_GRACE();
        vm.warp(overdue - 1);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestNotExpired.selector, id, overdue - 1, overdue));
        darkPool.expireRequest(id);
        vm.warp(overdue);
        darkPool.expireRequest(id);
        assertStatus(RequestStatus.EXPIRED);
        assertEq(guard.attempts(), 1);
        assertEq(guard.flagged(), true);
    }

    function test_confidentialFill_revertsWhenExpiredAlthoughItReadsPending() public {
        Fill memory f = fillOf(id, commitmentOf(2));
        vm.warp(darkPool.request(id).expires);
        assertStatus(RequestStatus.PENDING);
        expectRevertOfFill(id, f, abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.EXPIRED));
    }

    function test_confidentialFill_settlesOnAfterTheRequestIsFilled() public {
        settle(id, fillOf(id, commitmentOf(2)));
        settle(id, fillOf(id, commitmentOf(2)));
        assertEq(darkPool.request(id).rounds, 2);
    }

    function test_cancelRequest_revertsWhenSealed() public {
        vm.expectRevert(IDarkPool.SealedRequestCannotBeCancelled.selector);
        vm.prank(ISSUER);
        darkPool.cancelRequest(id);
    }

    /// @dev Promise P2: what happened inside does not move the gas, except by what zero bytes cost.
    /// forge-config: default.isolate = true
    function testFuzz_confidentialFill_costsTheSameWhateverHappened(uint256 seed) public {
        // The first round writes STATUS_UNSETTLED's slot; let it be any round.
        settle(id, fillOf(id, commitmentOf(0)));
        uint256 state = vm.snapshotState();
        uint256 first = gasButForZeroBytes(seed);
        vm.revertToState(state);
        assertEq(gasButForZeroBytes(~seed), first);
    }

    function gasButForZeroBytes(uint256 seed) private returns (uint256) {
        Fill memory f = fillOf(id, uint256(keccak256(abi.encode(seed))) >> 8);
        uint8[2] memory hidden = [8, 10];
        for (uint256 i = 0; i < 2; i++) {
            f.inputs[hidden[i]] = uint256(keccak256(abi.encode(seed, i))) >> 8;
        }
        for (uint256 i = 12; i < 26; i++) {
            f.inputs[i] = uint256(keccak256(abi.encode(seed, i))) >> 8;
        }
        bytes memory proof = encodeProof(f);
        bytes memory attestation = attestationOf(id, f);
        darkPool.confidentialFill(id, proof, attestation);
        // A zero byte of calldata costs 4 gas, another one 16.
        return vm.lastCallGas().gasTotalUsed + 12 * (zeroBytes(proof) + zeroBytes(attestation));
    }

    function zeroBytes(bytes memory data) private pure returns (uint256 n) {
        for (uint256 i = 0; i < data.length; i++) {
            if (data[i] == 0) n++;
        }
    }

    function commitmentOf(uint256 status) private pure returns (uint256) {
        return Poseidon2Plain.compress(TAG_STATUS + status, SALT);
    }

    function assertStatus(RequestStatus expected) private view {
        assertEq(uint8(darkPool.getRequestStatus(id)), uint8(expected));
    }
}
