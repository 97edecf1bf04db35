// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Fixture} from "./Fixture.sol";
import {TestVerifier} from "./TestVerifier.sol";
import {DarkPool} from "../src/DarkPool.sol";
import {RequestStatus} from "../src/ICREDarkPool.sol";
import {ShieldedPool} from "../src/ShieldedPool.sol";
import {IClearingVerifier} from "../src/interfaces/IClearingVerifier.sol";
import {IDarkPool} from "../src/interfaces/IDarkPool.sol";
import {Devnet} from "../src/libraries/Devnet.sol";
import {ClearingVerifier} from "../src/verifiers/ClearingVerifier.sol";
import {Observations} from "../src/libraries/Observations.sol";
import {IShieldedPool} from "../src/interfaces/IShieldedPool.sol";

contract DarkPoolTest is Fixture(address(0xf0), IDarkPool.Disclosure.Immediate) {
    uint256 private constant REQUEST = 0x333333;
    uint256 private constant TIMEOUT = 1 hours;

    bytes32 private id;

    constructor() {
        registerEnclave(ENCLAVE_KEY, uint64(block.timestamp + 30 days));
    }

    function setUp() public {
        registerMandate();
        id = requestCollateral(REQUEST, 50, TIMEOUT);
        vm.warp(block.timestamp + 300);
        // Feeds beat.
        feed.setAnswer(1e8);
    }

    // Construction.

    /// @dev E12: it is the chain that refuses, whatever tool deploys.
    function test_constructor_revertsWhenADevelopmentVerifierIsOffDevnet() public {
        IClearingVerifier development = new TestVerifier(true);
        IClearingVerifier ceremony = new TestVerifier(false);
        IClearingVerifier generated = IClearingVerifier(address(new ClearingVerifier()));
        assertEq(generated.isDevelopment(), true);
        vm.chainId(1);
        vm.expectRevert(abi.encodeWithSelector(Devnet.DevelopmentVerifierOffDevnet.selector, 1, 31337));
        new DarkPool(deploymentOf(development, IDarkPool.Disclosure.Immediate));
        vm.expectRevert(abi.encodeWithSelector(Devnet.DevelopmentVerifierOffDevnet.selector, 1, 31337));
        new DarkPool(deploymentOf(generated, IDarkPool.Disclosure.Sealed));
        // What does not say is not asked twice.
        vm.expectRevert();
        new DarkPool(deploymentOf(IClearingVerifier(address(feed)), IDarkPool.Disclosure.Immediate));
        new DarkPool(deploymentOf(ceremony, IDarkPool.Disclosure.Immediate));
    }

    /// @dev A venue that does not look is refused by the pool.
    function test_wire_revertsWhenADevelopmentVerifierIsOffDevnet() public {
        DarkPool ceremonial = new DarkPool(deploymentOf(new TestVerifier(false), IDarkPool.Disclosure.Immediate));
        ShieldedPool fresh = new ShieldedPool(new address[](0));
        vm.chainId(1);
        vm.expectRevert(abi.encodeWithSelector(Devnet.DevelopmentVerifierOffDevnet.selector, 1, 31337));
        fresh.wire(address(darkPool));
        fresh.wire(address(ceremonial));
    }

    // Mandate.

    function test_registerMandate_keepsThePositionThatSettlementsLeft() public {
        settle(id, fillOf(id, 2));
        uint256 position = darkPool.position();
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.PositionMismatch.selector, POSITION, position));
        vm.prank(ISSUER);
        darkPool.registerMandate(7, POSITION);
        vm.prank(ISSUER);
        darkPool.registerMandate(7, position);
        assertEq(darkPool.mandate(), 7);
    }

    function test_registerMandate_revertsWhenCallerIsNotTheIssuer() public {
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.CallerNotIssuer.selector, OWNER, ISSUER));
        vm.prank(OWNER);
        darkPool.registerMandate(7, POSITION);
    }

    function test_registerMandate_revertsWhenARequestIsOpen() public {
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestOpen.selector, id));
        vm.prank(ISSUER);
        darkPool.registerMandate(7, POSITION);
    }

    function test_registerMandate_revertsWhenACommitmentIsZeroOrNotInField() public {
        settle(id, fillOf(id, 2));
        vm.expectRevert(IDarkPool.ZeroCommitment.selector);
        vm.prank(ISSUER);
        darkPool.registerMandate(0, POSITION);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.NotInField.selector, P));
        vm.prank(ISSUER);
        darkPool.registerMandate(1, P);
    }

    // Request.

    function test_requestCollateral_opensARequest() public {
        settle(id, fillOf(id, 2));
        bytes32 expected = keccak256(abi.encode(block.chainid, address(darkPool), ISSUER, uint256(1)));
        vm.expectEmit(address(darkPool));
        emit IDarkPool.CollateralRequested(
            expected, ISSUER, bytes32(uint256(9)), 800, block.timestamp, block.timestamp + 7 days
        );
        bytes32 second = requestCollateral(9, 800, 7 days);
        assertEq(second, expected);
        assertEq(darkPool.currentRequestId(), expected);
        assertEq(darkPool.nonce(), 2);
        assertStatus(second, RequestStatus.PENDING);
        assertEq(darkPool.request(second).expires, block.timestamp + 7 days);
    }

    function test_requestCollateral_actsForTheIssuerWhenTheWorkflowReports() public {
        settle(id, fillOf(id, 2));
        report(darkPool, abi.encodeCall(darkPool.requestCollateral, (bytes32(uint256(9)), 50, TIMEOUT)));
        bytes32 expected = keccak256(abi.encode(block.chainid, address(darkPool), ISSUER, uint256(1)));
        assertEq(darkPool.currentRequestId(), expected);
    }

    /// @dev What the nodes were told to ask for, nobody in the enclave may know how to open.
    function test_requestCollateral_revertsWhenTheEnclaveSignedAnother() public {
        vm.warp(darkPool.request(id).expires);
        darkPool.expireRequest(id);
        bytes memory call_ = abi.encodeCall(darkPool.requestCollateral, (bytes32(uint256(9)), 50, TIMEOUT));
        Observation memory o = observation_();
        expectRevertOfWord(call_, "", abi.encodeWithSelector(Observations.ObservationMissing.selector));
        expectRevertOfWord(
            call_,
            signed(o, ENCLAVE_KEY),
            abi.encodeWithSelector(Observations.CallNotObserved.selector, darkPool.requestCollateral.selector)
        );
        o.deficit = bytes32(uint256(9));
        expectRevertOfWord(
            call_, signed(o, 0xbad), abi.encodeWithSelector(Observations.ObservationNotSigned.selector, vm.addr(0xbad))
        );
        o.timestamp -= 601;
        expectRevertOfWord(
            call_,
            signed(o, ENCLAVE_KEY),
            abi.encodeWithSelector(Observations.ObservationOutOfTime.selector, o.timestamp, block.timestamp, 10 minutes)
        );
    }

    function expectRevertOfWord(bytes memory call_, bytes memory observation, bytes memory data) private {
        bytes memory payload_ = payload(address(darkPool), call_, observation);
        vm.expectRevert(data);
        vm.prank(forwarder);
        darkPool.onReport(metadata(), payload_);
    }

    function test_requestCollateral_revertsWhenCallerIsNotTheIssuer() public {
        settle(id, fillOf(id, 2));
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.CallerNotIssuer.selector, STRANGER, ISSUER));
        vm.prank(STRANGER);
        darkPool.requestCollateral(bytes32(REQUEST), 50, TIMEOUT);
    }

    function test_requestCollateral_revertsWhenPremiumIsAboveTheCap() public {
        settle(id, fillOf(id, 2));
        expectRevertOfRequest(
            REQUEST, 801, TIMEOUT, abi.encodeWithSelector(IDarkPool.PremiumAboveCap.selector, 801, 800)
        );
    }

    function test_requestCollateral_revertsWhenTimeoutIsOutOfRange() public {
        settle(id, fillOf(id, 2));
        expectRevertOfRequest(
            REQUEST, 50, 299, abi.encodeWithSelector(IDarkPool.TimeoutOutOfRange.selector, 299, 300, 604_800)
        );
        expectRevertOfRequest(
            REQUEST, 50, 604_801, abi.encodeWithSelector(IDarkPool.TimeoutOutOfRange.selector, 604_801, 300, 604_800)
        );
        expectRevertOfRequest(
            REQUEST,
            50,
            type(uint256).max,
            abi.encodeWithSelector(IDarkPool.TimeoutOutOfRange.selector, type(uint256).max, 300, 604_800)
        );
    }

    function test_requestCollateral_revertsWhenARequestIsOpenOrNotYetMarkedExpired() public {
        expectRevertOfRequest(REQUEST, 50, TIMEOUT, abi.encodeWithSelector(IDarkPool.RequestOpen.selector, id));
        vm.warp(block.timestamp + TIMEOUT);
        expectRevertOfRequest(REQUEST, 50, TIMEOUT, abi.encodeWithSelector(IDarkPool.RequestOpen.selector, id));
        darkPool.expireRequest(id);
        requestCollateral(REQUEST, 50, TIMEOUT);
    }

    function test_requestCollateral_revertsWhenCommitmentIsZeroOrNotInField() public {
        settle(id, fillOf(id, 2));
        expectRevertOfRequest(0, 50, TIMEOUT, abi.encodeWithSelector(IDarkPool.ZeroCommitment.selector));
        expectRevertOfRequest(P, 50, TIMEOUT, abi.encodeWithSelector(IDarkPool.NotInField.selector, P));
    }

    // Expiry, attempts, halt.

    function test_expireRequest_countsAttemptsUntilTheGuardHalts() public {
        vm.warp(block.timestamp + TIMEOUT);
        for (uint256 attempt = 1; attempt <= 3; attempt++) {
            assertStatus(id, RequestStatus.EXPIRED);
            vm.prank(STRANGER);
            darkPool.expireRequest(id);
            assertStatus(id, RequestStatus.EXPIRED);
            assertEq(guard.attempts(), attempt);
            if (attempt == 3) break;
            id = requestCollateral(REQUEST + attempt, guard.premiumFor(attempt), TIMEOUT);
            vm.warp(block.timestamp + TIMEOUT);
        }
        assertEq(guard.halted(), true);
        assertEq(guard.mintAllowed(), false);
        expectRevertOfRequest(REQUEST, 50, TIMEOUT, abi.encodeWithSelector(IDarkPool.RecoveryHalted.selector, 3));
        vm.prank(OWNER);
        guard.resume();
        requestCollateral(REQUEST, 50, TIMEOUT);
    }

    function test_expireRequest_revertsWhenNotYetExpired() public {
        uint256 expires = darkPool.request(id).expires;
        vm.warp(expires - 1);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestNotExpired.selector, id, expires - 1, expires));
        darkPool.expireRequest(id);
        vm.warp(expires);
        darkPool.expireRequest(id);
    }

    function test_expireRequest_revertsWhenAlreadyExpiredOrFilled() public {
        vm.warp(block.timestamp + TIMEOUT);
        darkPool.expireRequest(id);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.EXPIRED));
        darkPool.expireRequest(id);
        assertEq(guard.attempts(), 1);

        feed.setAnswer(1e8);
        id = requestCollateral(REQUEST, 50, TIMEOUT);
        settle(id, fillOf(id, 2));
        vm.warp(block.timestamp + TIMEOUT);
        assertStatus(id, RequestStatus.FILLED);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.FILLED));
        darkPool.expireRequest(id);
    }

    function test_expireRequest_revertsWhenUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestUnknown.selector, bytes32(0)));
        darkPool.expireRequest(0);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestUnknown.selector, bytes32(0)));
        darkPool.getRequestStatus(0);
    }

    function test_cancelRequest_withdrawsAnUnsettledRequest() public {
        vm.prank(ISSUER);
        darkPool.cancelRequest(id);
        assertStatus(id, RequestStatus.CANCELLED);
        assertEq(guard.attempts(), 0);
        vm.warp(block.timestamp + TIMEOUT);
        assertStatus(id, RequestStatus.CANCELLED);
        requestCollateral(REQUEST, 50, TIMEOUT);
    }

    function test_cancelRequest_revertsWhenCallerIsNotTheIssuer() public {
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.CallerNotIssuer.selector, STRANGER, ISSUER));
        vm.prank(STRANGER);
        darkPool.cancelRequest(id);
    }

    function test_cancelRequest_revertsWhenARoundHasSettled() public {
        settle(id, fillOf(id, 0));
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RoundAlreadySettled.selector, id, 1));
        vm.prank(ISSUER);
        darkPool.cancelRequest(id);
    }

    function test_cancelRequest_revertsWhenExpired() public {
        vm.warp(block.timestamp + TIMEOUT);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.EXPIRED));
        vm.prank(ISSUER);
        darkPool.cancelRequest(id);
    }

    function test_openRequest_revertsWhenDisclosureIsImmediate() public {
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.WrongDisclosure.selector, IDarkPool.Disclosure.Immediate));
        darkPool.openRequest(id, 2, 0);
    }

    // Settlement.

    function test_confidentialFill_settlesRoundsUntilFilled() public {
        Fill memory f = fillOf(id, 0);
        settle(id, f);
        assertStatus(id, RequestStatus.PENDING);
        f = fillOf(id, 1);
        assertEq(f.round, 2);
        settle(id, f);
        assertStatus(id, RequestStatus.PARTIALLY_FILLED);
        f = fillOf(id, 2);
        uint256 nextIndex = pool.nextIndex();
        vm.expectEmit(address(darkPool));
        emit IDarkPool.Settled(id, 3, f.inputs, f.ciphertexts);
        settle(id, f);
        assertStatus(id, RequestStatus.FILLED);
        IDarkPool.Request memory r = darkPool.request(id);
        assertEq(r.rounds, 3);
        assertEq(r.commitment, f.inputs[8]);
        assertEq(darkPool.position(), f.inputs[10]);
        assertEq(pool.nextIndex(), nextIndex + 16);
        for (uint256 i = 12; i < 17; i++) {
            assertTrue(pool.isSpent(f.inputs[i]), "nullifier");
        }
        expectRevertOfFill(
            id, fillOf(id, 2), abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.FILLED)
        );
    }

    function test_confidentialFill_goesThroughAReportToo() public {
        Fill memory f = fillOf(id, 2);
        report(darkPool, abi.encodeCall(darkPool.confidentialFill, (id, encodeProof(f), attestationOf(id, f))));
        assertStatus(id, RequestStatus.FILLED);
    }

    function test_confidentialFill_revertsWhenReplayed() public {
        Fill memory f = fillOf(id, 1);
        settle(id, f);
        // The signature is for the round before; whoever it recovers to, no enclave signed this round.
        bytes memory proof = encodeProof(f);
        bytes memory attestation = attestationOf(id, f);
        address recovered = recoveredFor(id, 2, f, attestation);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.EnclaveNotActive.selector, recovered));
        darkPool.confidentialFill(id, proof, attestation);
        // Signed anew, the proof is still for the round before.
        f.round = 2;
        expectMismatch(f, 0, darkPool.context(id, 2));
    }

    function test_confidentialFill_revertsWhenNullifierIsSpent() public {
        uint256 spent = fillOf(id, 0).inputs[13];
        settle(id, fillOf(id, 0));
        Fill memory f = fillOf(id, 0);
        f.inputs[16] = spent;
        expectRevertOfFill(id, f, abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, spent));
    }

    function test_confidentialFill_revertsWhenNullifierIsThereTwice() public {
        Fill memory f = fillOf(id, 0);
        f.inputs[15] = f.inputs[12];
        expectRevertOfFill(id, f, abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, f.inputs[12]));
    }

    function test_confidentialFill_revertsWhenRootIsUnknown() public {
        Fill memory f = fillOf(id, 0);
        f.inputs[1] = 12;
        expectRevertOfFill(id, f, abi.encodeWithSelector(IShieldedPool.UnknownRoot.selector, 12));
    }

    function test_confidentialFill_takesAnEarlierRoot() public {
        Fill memory f = fillOf(id, 0);
        cash.mint(address(this), 5);
        cash.approve(address(pool), 5);
        pool.deposit(address(cash), 5, 1);
        assertTrue(f.inputs[1] != pool.currentRoot(), "a deposit came between");
        settle(id, f);
    }

    function test_confidentialFill_revertsWhenProofIsForAnotherRequest() public {
        Fill memory f = fillOf(id, 0);
        f.inputs[0] = darkPool.context(bytes32(uint256(id) ^ 1), 1);
        expectMismatch(f, 0, darkPool.context(id, 1));
    }

    function test_confidentialFill_revertsWhenProofIsForAnotherRound() public {
        Fill memory f = fillOf(id, 0);
        f.inputs[0] = darkPool.context(id, 2);
        expectMismatch(f, 0, darkPool.context(id, 1));
    }

    function test_confidentialFill_revertsWhenProofIsForAnotherChain() public {
        Fill memory f = fillOf(id, 0);
        vm.chainId(1);
        expectMismatch(f, 0, darkPool.context(id, 1));
    }

    function test_confidentialFill_revertsWhenProofIsForAnotherContract() public {
        Fill memory f = fillOf(id, 0);
        f.inputs[0] = uint256(keccak256(abi.encode(block.chainid, address(this), id, uint256(1)))) >> 8;
        expectMismatch(f, 0, darkPool.context(id, 1));
    }

    function test_confidentialFill_revertsWhenAPublicInputIsNotTheChains() public {
        uint8[6] memory indices = [2, 3, 4, 6, 7, 9];
        for (uint256 i = 0; i < indices.length; i++) {
            Fill memory f = fillOf(id, 0);
            uint256 expected = f.inputs[indices[i]];
            f.inputs[indices[i]] = expected + 1;
            expectMismatch(f, indices[i], expected);
        }
    }

    function test_confidentialFill_revertsWhenAnInputIsNotInField() public {
        for (uint256 i = 0; i < 26; i++) {
            Fill memory f = fillOf(id, 0);
            f.inputs[i] = i % 2 == 0 ? P : type(uint256).max;
            expectRevertOfFill(id, f, abi.encodeWithSelector(IDarkPool.PublicInputNotInField.selector, i, f.inputs[i]));
        }
    }

    function test_confidentialFill_revertsWhenClosedAtIsOutOfRange() public {
        Fill memory f = fillOf(id, 0);
        uint256 opened = darkPool.request(id).opened;
        f.inputs[5] = opened - 1;
        expectRevertOfFill(
            id, f, abi.encodeWithSelector(IDarkPool.ClosedAtOutOfRange.selector, opened - 1, opened, block.timestamp)
        );
        f.inputs[5] = block.timestamp + 1;
        expectRevertOfFill(
            id,
            f,
            abi.encodeWithSelector(IDarkPool.ClosedAtOutOfRange.selector, block.timestamp + 1, opened, block.timestamp)
        );
    }

    function test_confidentialFill_revertsWhenPriceIsStale() public {
        settle(id, fillOf(id, 2));
        id = requestCollateral(REQUEST, 50, 1 days);
        uint256 updatedAt = block.timestamp;
        vm.warp(updatedAt + 1 hours);
        settle(id, fillOf(id, 0));
        vm.warp(updatedAt + 1 hours + 1);
        expectRevertOfFill(
            id,
            fillOf(id, 0),
            abi.encodeWithSelector(IDarkPool.PriceStale.selector, updatedAt, block.timestamp, 1 hours)
        );
    }

    function test_confidentialFill_revertsWhenPriceIsNotPositive() public {
        feed.setAnswer(0);
        expectRevertOfFill(id, fillOf(id, 0), abi.encodeWithSelector(IDarkPool.PriceNotPositive.selector, 0));
    }

    function test_confidentialFill_revertsWhenProofIsInvalid() public {
        Fill memory f = fillOf(id, 0);
        f.proof[0] = 2;
        expectRevertOfFill(id, f, abi.encodeWithSelector(TestVerifier.ProofInvalid.selector));
    }

    function test_confidentialFill_revertsWhenVersionIsAnother() public {
        Fill memory f = fillOf(id, 0);
        f.version = 2;
        expectRevertOfFill(id, f, abi.encodeWithSelector(IDarkPool.UnsupportedVersion.selector, 2, 1));
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.UnsupportedVersion.selector, 0, 1));
        darkPool.confidentialFill(id, "", "");
    }

    function test_confidentialFill_revertsWhenCiphertextsHaveAnotherCount() public {
        Fill memory f = fillOf(id, 0);
        f.ciphertexts = new bytes[](4);
        expectRevertOfFill(id, f, abi.encodeWithSelector(IDarkPool.CiphertextCountMismatch.selector, 4, 5));
        f.ciphertexts = new bytes[](6);
        expectRevertOfFill(id, f, abi.encodeWithSelector(IDarkPool.CiphertextCountMismatch.selector, 6, 5));
    }

    function test_confidentialFill_revertsWhenACiphertextHasAnotherLength() public {
        for (uint256 i = 0; i < 5; i++) {
            Fill memory f = fillOf(id, 0);
            f.ciphertexts[i] = new bytes(CIPHERTEXT_LEN + 1);
            expectRevertOfFill(
                id,
                f,
                abi.encodeWithSelector(
                    IDarkPool.CiphertextLengthMismatch.selector, i, CIPHERTEXT_LEN + 1, CIPHERTEXT_LEN
                )
            );
        }
    }

    function test_confidentialFill_revertsWhenSignerIsNotRegistered() public {
        Fill memory f = fillOf(id, 0);
        f.key = 0xbad;
        expectRevertOfFill(id, f, abi.encodeWithSelector(IDarkPool.EnclaveNotActive.selector, vm.addr(0xbad)));
    }

    function test_confidentialFill_revertsWhenEnclaveIsExpired() public {
        uint256 other = 0xe0c2;
        registerEnclave(other, uint64(block.timestamp + 10));
        Fill memory f = fillOf(id, 0);
        f.key = other;
        vm.warp(block.timestamp + 11);
        expectRevertOfFill(id, f, abi.encodeWithSelector(IDarkPool.EnclaveNotActive.selector, vm.addr(other)));
    }

    function test_confidentialFill_revertsWhenEnclaveIsRevoked() public {
        vm.prank(GUARDIAN);
        registry.revoke(vm.addr(ENCLAVE_KEY));
        expectRevertOfFill(
            id, fillOf(id, 0), abi.encodeWithSelector(IDarkPool.EnclaveNotActive.selector, vm.addr(ENCLAVE_KEY))
        );
    }

    function test_confidentialFill_revertsWhenCiphertextsAreSwapped() public {
        Fill memory f = fillOf(id, 0);
        bytes memory attestation = attestationOf(id, f);
        f.ciphertexts[0][1] = 0x01;
        bytes memory proof = encodeProof(f);
        address recovered = recoveredFor(id, 1, f, attestation);
        assertTrue(recovered != vm.addr(ENCLAVE_KEY), "the signature covers the ciphertexts");
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.EnclaveNotActive.selector, recovered));
        darkPool.confidentialFill(id, proof, attestation);
    }

    function test_confidentialFill_revertsWhenSignatureIsMalleated() public {
        Fill memory f = fillOf(id, 0);
        bytes memory attestation = attestationOf(id, f);
        uint256 n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        uint256 s;
        assembly {
            s := mload(add(attestation, 0x40))
            mstore(add(attestation, 0x40), sub(n, s))
        }
        attestation[64] = bytes1(uint8(attestation[64]) ^ 7);
        bytes memory proof = encodeProof(f);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, n - s));
        darkPool.confidentialFill(id, proof, attestation);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 0));
        darkPool.confidentialFill(id, proof, "");
    }

    function test_confidentialFill_revertsWhenExpiredCancelledOrUnknown() public {
        Fill memory f = fillOf(id, 0);
        vm.warp(darkPool.request(id).expires);
        expectRevertOfFill(id, f, abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.EXPIRED));
        darkPool.expireRequest(id);
        feed.setAnswer(1e8);
        id = requestCollateral(REQUEST, 50, TIMEOUT);
        f = fillOf(id, 0);
        vm.prank(ISSUER);
        darkPool.cancelRequest(id);
        expectRevertOfFill(
            id, f, abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.CANCELLED)
        );
        expectRevertOfFill(0, f, abi.encodeWithSelector(IDarkPool.RequestUnknown.selector, bytes32(0)));
    }

    /// forge-config: default.isolate = true
    function test_confidentialFill_staysWithinItsGasBudget() public {
        settle(id, fillOf(id, 0));
        settle(id, fillOf(id, 1));
        uint256 used = vm.lastCallGas().gasTotalUsed;
        emit GasMeasured("confidentialFill, test verifier", used);
        // About a million with a real verifier's 360,000.
        assertTrue(used <= 670_000, "confidentialFill costs more than its budget");
    }

    function assertStatus(bytes32 requestId, RequestStatus expected) private view {
        assertEq(uint8(darkPool.getRequestStatus(requestId)), uint8(expected));
    }

    function expectRevertOfRequest(uint256 commitment, uint256 premiumBps, uint256 timeout, bytes memory data) private {
        vm.expectRevert(data);
        vm.prank(ISSUER);
        darkPool.requestCollateral(bytes32(commitment), premiumBps, timeout);
    }

    function expectMismatch(Fill memory f, uint256 index, uint256 expected) private {
        expectRevertOfFill(
            id, f, abi.encodeWithSelector(IDarkPool.PublicInputMismatch.selector, index, f.inputs[index], expected)
        );
    }

    function recoveredFor(bytes32 requestId, uint64 round, Fill memory f, bytes memory attestation)
        private
        view
        returns (address)
    {
        return ECDSA.recover(
            darkPool.settlementDigest(
                requestId, round, keccak256(abi.encodePacked(f.inputs)), keccak256(abi.encode(f.ciphertexts))
            ),
            attestation
        );
    }
}
