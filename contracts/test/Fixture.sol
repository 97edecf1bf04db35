// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "./Test.sol";
import {TestVerifier} from "./TestVerifier.sol";
import {IReceiver} from "@chainlink/contracts/src/v0.8/keystone/interfaces/IReceiver.sol";
import {ConfidentialPoR} from "../src/ConfidentialPoR.sol";
import {CREReceiver} from "../src/CREReceiver.sol";
import {DarkPool} from "../src/DarkPool.sol";
import {EnclaveRegistry} from "../src/EnclaveRegistry.sol";
import {RecoveryGuard} from "../src/RecoveryGuard.sol";
import {ShieldedPool} from "../src/ShieldedPool.sol";
import {IClearingVerifier} from "../src/interfaces/IClearingVerifier.sol";
import {IDarkPool} from "../src/interfaces/IDarkPool.sol";
import {CashToken} from "../src/demo/CashToken.sol";
import {ClaimToken} from "../src/demo/ClaimToken.sol";
import {DemoStablecoin} from "../src/demo/DemoStablecoin.sol";
import {PriceFeed} from "../src/demo/PriceFeed.sol";

/// @dev Everything deployed and wired, with one active enclave. The forwarder is an account of the
/// test's, except where a test brings the real one.
abstract contract Fixture is Test {
    address internal constant OWNER = address(0x0111);
    address internal constant GUARDIAN = address(0x0222);
    address internal constant ISSUER = address(0x0333);
    address internal constant STRANGER = address(0x0bad);
    bytes32 internal constant WORKFLOW_ID = bytes32(uint256(0x00aa11));
    bytes10 internal constant WORKFLOW_NAME = "deadbeef00";
    address internal constant WORKFLOW_OWNER = address(0x0444);
    bytes32 internal constant WORKLOAD = bytes32(uint256(0x3041));
    uint256 internal constant ENCLAVE_KEY = 0xe0c1;
    uint256 internal constant MANDATE = 0x111111;
    uint256 internal constant POSITION = 0x222222;
    uint256 internal constant CIPHERTEXT_LEN = 192;
    uint256 internal constant P = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    /// @dev What goes into a call of confidentialFill.
    struct Fill {
        uint16 version;
        uint256[8] proof;
        uint256[26] inputs;
        bytes[] ciphertexts;
        uint64 round;
        uint256 key;
    }

    /// @dev `Observations.Observation`, spelt out.
    struct Observation {
        uint32 tick;
        uint64 timestamp;
        uint8 attested;
        bytes32 status;
        bytes32 deficit;
        bytes32 answer;
    }

    address internal forwarder;
    CashToken internal cash;
    ClaimToken internal claim;
    PriceFeed internal feed;
    ShieldedPool internal pool;
    RecoveryGuard internal guard;
    EnclaveRegistry internal registry;
    ConfidentialPoR internal por;
    DarkPool internal darkPool;
    DemoStablecoin internal coin;

    uint64 private _epoch;

    constructor(address forwarder_, IDarkPool.Disclosure disclosure) {
        forwarder = forwarder_;
        cash = new CashToken(address(this));
        claim = new ClaimToken(address(this));
        feed = new PriceFeed(address(this), 1e8);
        address[] memory assets = new address[](2);
        (assets[0], assets[1]) = (address(cash), address(claim));
        pool = new ShieldedPool(assets);
        uint256[] memory escalation = new uint256[](3);
        (escalation[0], escalation[1], escalation[2]) = (50, 300, 800);
        guard = new RecoveryGuard(OWNER, GUARDIAN, 3, 800, escalation);
        registry = new EnclaveRegistry(OWNER, GUARDIAN, forwarder, WORKFLOW_ID, WORKFLOW_OWNER, 0);
        darkPool = new DarkPool(deploymentOf(new TestVerifier(true), disclosure));
        por = new ConfidentialPoR(OWNER, forwarder, WORKFLOW_ID, WORKFLOW_OWNER, guard, registry, address(darkPool));
        pool.wire(address(darkPool));
        guard.wire(address(darkPool), address(por));
        coin = new DemoStablecoin(ISSUER, guard);
        vm.prank(OWNER);
        registry.allowWorkload(WORKLOAD);
    }

    function deploymentOf(IClearingVerifier verifier, IDarkPool.Disclosure disclosure)
        internal
        view
        returns (DarkPool.Deployment memory)
    {
        return DarkPool.Deployment({
            owner: OWNER,
            issuer: ISSUER,
            forwarder: forwarder,
            workflowId: WORKFLOW_ID,
            workflowOwner: WORKFLOW_OWNER,
            pool: pool,
            verifier: verifier,
            registry: registry,
            guard: guard,
            priceFeed: feed,
            priceAgeMax: 1 hours,
            ciphertextLen: CIPHERTEXT_LEN,
            disclosure: disclosure
        });
    }

    function metadata() internal pure returns (bytes memory) {
        return abi.encodePacked(WORKFLOW_ID, WORKFLOW_NAME, WORKFLOW_OWNER, bytes2(0x0001));
    }

    /// @dev With the enclave's word for it, where the call rests on one.
    function payload(address receiver, bytes memory call_) internal returns (bytes memory) {
        bytes4 selector = bytes4(call_);
        bytes memory observation;
        Observation memory o = observation_();
        if (selector == por.attestRecovery.selector) {
            (bool recovered, uint256 timestamp) = abi.decode(argumentsOf(call_), (bool, uint256));
            o.timestamp = uint64(timestamp);
            o.attested = recovered ? 2 : 1;
            observation = signed(o, ENCLAVE_KEY);
        } else if (selector == por.reportStatus.selector) {
            o.status = abi.decode(argumentsOf(call_), (bytes32));
            observation = signed(o, ENCLAVE_KEY);
        } else if (selector == darkPool.requestCollateral.selector) {
            (o.deficit,,) = abi.decode(argumentsOf(call_), (bytes32, uint256, uint256));
            observation = signed(o, ENCLAVE_KEY);
        }
        return payload(receiver, call_, observation);
    }

    function payload(address receiver, bytes memory call_, bytes memory observation) internal returns (bytes memory) {
        return abi.encode(block.chainid, receiver, ++_epoch, uint64(block.timestamp), call_, observation);
    }

    /// @dev A healthy tick, now, under sealed disclosure.
    function observation_() internal view returns (Observation memory o) {
        o = Observation(
            7, uint64(block.timestamp), 0, bytes32(uint256(0x57)), bytes32(uint256(0xdef)), keccak256("rest")
        );
    }

    /// @dev The digest is put together here a second time, from the spec and not from the library.
    function signed(Observation memory o, uint256 key) internal view returns (bytes memory) {
        bytes32 hash = keccak256(
            abi.encode(
                keccak256(
                    "Observation(uint32 tick,uint64 timestamp,uint8 attested,bytes32 status,bytes32 deficit,bytes32 answer)"
                ),
                o.tick,
                o.timestamp,
                o.attested,
                o.status,
                o.deficit,
                o.answer
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain(), hash)));
        return abi.encode(o, abi.encodePacked(r, s, v));
    }

    function argumentsOf(bytes memory call_) private pure returns (bytes memory arguments) {
        arguments = new bytes(call_.length - 4);
        for (uint256 i = 0; i < arguments.length; i++) {
            arguments[i] = call_[i + 4];
        }
    }

    function domain() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("CDPR"),
                keccak256("1"),
                block.chainid,
                address(darkPool)
            )
        );
    }

    /// @dev Delivers a call as the workflow's report.
    function report(CREReceiver receiver, bytes memory call_) internal {
        bytes memory payload_ = payload(address(receiver), call_);
        vm.prank(forwarder);
        receiver.onReport(metadata(), payload_);
    }

    function expectRevertOfReport(CREReceiver receiver, bytes memory call_, bytes memory data) internal {
        bytes memory payload_ = payload(address(receiver), call_);
        vm.expectRevert(data);
        vm.prank(forwarder);
        receiver.onReport(metadata(), payload_);
    }

    function registerEnclave(uint256 key, uint64 expiry) internal {
        report(registry, abi.encodeCall(registry.register, (vm.addr(key), WORKLOAD, bytes32(uint256(1)), expiry, 1)));
    }

    function registerMandate() internal {
        vm.prank(ISSUER);
        darkPool.registerMandate(MANDATE, POSITION);
    }

    function requestCollateral(uint256 commitment, uint256 premiumBps, uint256 timeout)
        internal
        returns (bytes32 requestId)
    {
        vm.prank(ISSUER);
        requestId = darkPool.requestCollateral(bytes32(commitment), premiumBps, timeout);
    }

    function attest(bool recovered) internal {
        report(por, abi.encodeCall(por.attestRecovery, (recovered, block.timestamp)));
    }

    /// @dev A settlement of the request's next round that is in order, with the status given.
    function fillOf(bytes32 requestId, uint256 status) internal view returns (Fill memory f) {
        IDarkPool.Request memory r = darkPool.request(requestId);
        f.version = 1;
        f.proof[0] = 1;
        f.round = r.rounds + 1;
        f.key = ENCLAVE_KEY;
        for (uint256 i = 0; i < 26; i++) {
            f.inputs[i] = uint256(keccak256(abi.encode(requestId, f.round, i))) >> 8;
        }
        f.inputs[0] = darkPool.context(requestId, f.round);
        f.inputs[1] = pool.currentRoot();
        f.inputs[2] = darkPool.mandate();
        f.inputs[3] = r.premiumCapBps;
        f.inputs[4] = 1e8;
        f.inputs[5] = block.timestamp;
        f.inputs[6] = uint256(darkPool.disclosure());
        f.inputs[7] = r.commitment;
        f.inputs[9] = darkPool.position();
        f.inputs[11] = status;
        f.ciphertexts = new bytes[](5);
        for (uint256 i = 0; i < 5; i++) {
            f.ciphertexts[i] = new bytes(CIPHERTEXT_LEN);
            f.ciphertexts[i][0] = bytes1(uint8(i + 1));
        }
    }

    function encodeProof(Fill memory f) internal pure returns (bytes memory) {
        return abi.encode(f.version, f.proof, f.inputs, f.ciphertexts);
    }

    /// @dev The digest is put together here a second time, from the spec and not from the contract.
    function attestationOf(bytes32 requestId, Fill memory f) internal view returns (bytes memory) {
        bytes32 settlement = keccak256(
            abi.encode(
                keccak256(
                    "Settlement(bytes32 requestId,uint64 round,bytes32 publicInputsHash,bytes32 ciphertextsHash)"
                ),
                requestId,
                f.round,
                keccak256(abi.encodePacked(f.inputs)),
                keccak256(abi.encode(f.ciphertexts))
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(f.key, keccak256(abi.encodePacked(hex"1901", domain(), settlement)));
        return abi.encodePacked(r, s, v);
    }

    function settle(bytes32 requestId, Fill memory f) internal {
        bytes memory proof = encodeProof(f);
        bytes memory attestation = attestationOf(requestId, f);
        darkPool.confidentialFill(requestId, proof, attestation);
    }

    function expectRevertOfFill(bytes32 requestId, Fill memory f, bytes memory data) internal {
        bytes memory proof = encodeProof(f);
        bytes memory attestation = attestationOf(requestId, f);
        vm.expectRevert(data);
        darkPool.confidentialFill(requestId, proof, attestation);
    }
}
