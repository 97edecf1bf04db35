// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AggregatorV3Interface} from "@chainlink/contracts/src/v0.8/shared/interfaces/AggregatorV3Interface.sol";
import {PoolFixture} from "./PoolFixture.sol";
import {CREReceiver} from "../../src/CREReceiver.sol";
import {EnclaveRegistry} from "../../src/EnclaveRegistry.sol";
import {RecoveryGuard} from "../../src/RecoveryGuard.sol";
import {DarkPool} from "../../src/second/DarkPool.sol";
import {StatusHash} from "../../src/second/StatusHash.sol";
import {IDarkPool} from "../../src/second/interfaces/IDarkPool.sol";
import {IShieldedPool} from "../../src/second/interfaces/IShieldedPool.sol";
import {Values} from "../../src/second/libraries/Values.sol";

/// @dev A feed whose rounds a test sets one by one.
contract RoundFeed is AggregatorV3Interface {
    struct Round {
        int256 answer;
        uint256 updatedAt;
    }

    uint8 public decimals = 8;
    uint256 public constant version = 1;
    string public constant description = "test";
    uint80 public latest;
    /// @dev Whether it answers for a round it does not have, with zeros.
    bool public answersZeros;
    mapping(uint80 roundId => Round) private _rounds;

    error NoData(uint80 roundId);

    function set(uint80 roundId, int256 answer, uint256 updatedAt) external {
        _rounds[roundId] = Round(answer, updatedAt);
        latest = roundId;
    }

    function setDecimals(uint8 decimals_) external {
        decimals = decimals_;
    }

    function setAnswersZeros(bool answersZeros_) external {
        answersZeros = answersZeros_;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return _data(latest);
    }

    function getRoundData(uint80 roundId) external view returns (uint80, int256, uint256, uint256, uint80) {
        if (_rounds[roundId].updatedAt == 0 && !answersZeros) revert NoData(roundId);
        return _data(roundId);
    }

    function _data(uint80 roundId) private view returns (uint80, int256, uint256, uint256, uint80) {
        Round memory r = _rounds[roundId];
        return (roundId, r.answer, r.updatedAt, r.updatedAt, roundId);
    }
}

/// @dev A venue over the pool of `PoolFixture`, with one active enclave. The forwarder is an account of the test's.
abstract contract VenueFixture is PoolFixture {
    address internal constant OWNER = address(0x0111);
    address internal constant GUARDIAN = address(0x0222);
    address internal constant ISSUER = address(0x0333);
    address internal constant STRANGER = address(0x0bad);
    address internal constant WALLET = address(0x3a11e7);
    address internal constant FORWARDER = address(0xf0);
    bytes32 internal constant WORKFLOW_ID = bytes32(uint256(0x00aa11));
    address internal constant WORKFLOW_OWNER = address(0x0444);
    bytes32 internal constant WORKLOAD = bytes32(uint256(0x3041));
    uint256 internal constant ENCLAVE_KEY = 0xe0c1;
    uint256 internal constant MANDATE = 0x111111;
    uint256 internal constant REQUEST = 0x333333;
    uint256 internal constant TICK = 5 minutes;
    uint256 internal constant PRICE_AGE_MAX = 1 hours;

    /// @dev What goes into a call of confidentialFill. `round.data` is made from the rest.
    struct Fill {
        DarkPool venue;
        bytes32 requestId;
        uint64 number;
        uint16 version;
        uint80 priceRound;
        Round round;
        uint256 key;
    }

    RoundFeed internal feed = new RoundFeed();
    RecoveryGuard internal guard;
    EnclaveRegistry internal registry;
    StatusHash internal statusHash = new StatusHash();
    DarkPool internal darkPool;
    IDarkPool.Disclosure private immutable _disclosure;
    uint64 private _epoch;

    constructor(IDarkPool.Disclosure disclosure) {
        _disclosure = disclosure;
        feed.set(1, 1e8, block.timestamp);
        registry = new EnclaveRegistry(OWNER, GUARDIAN, FORWARDER, WORKFLOW_ID, WORKFLOW_OWNER, 0);
        vm.prank(OWNER);
        registry.allowWorkload(WORKLOAD);
        (guard, darkPool) = deployVenue(ISSUER);
        registerEnclave(ENCLAVE_KEY, uint64(block.timestamp + 3650 days));
    }

    // Deployment.

    function deploymentOf(address issuer, RecoveryGuard guard_) internal view returns (DarkPool.Deployment memory) {
        return DarkPool.Deployment({
            owner: OWNER,
            issuer: issuer,
            forwarder: FORWARDER,
            workflowId: WORKFLOW_ID,
            workflowOwner: WORKFLOW_OWNER,
            pool: pool,
            statusHash: statusHash,
            registry: registry,
            guard: guard_,
            priceFeed: feed,
            priceAgeMax: PRICE_AGE_MAX,
            tick: TICK,
            disclosure: _disclosure
        });
    }

    /// @dev With an account that is open, a mandate, a wallet, and an issuer who has tokens.
    function deployVenue(address issuer) internal returns (RecoveryGuard guard_, DarkPool venue) {
        uint256[] memory escalation = new uint256[](1);
        escalation[0] = 50;
        guard_ = new RecoveryGuard(OWNER, GUARDIAN, 3, 800, escalation);
        venue = new DarkPool(deploymentOf(issuer, guard_));
        guard_.wire(address(venue), address(this));
        cash.mint(issuer, CAP);
        vm.prank(issuer);
        cash.approve(address(venue), type(uint256).max);
        vm.prank(issuer);
        venue.registerMandate(MANDATE);
        vm.prank(OWNER);
        venue.registerReserveWallet(WALLET);
        move(venue, IShieldedPool.Kind.Open, 0, address(0));
    }

    function registerEnclave(uint256 key, uint64 expiry) internal {
        report(
            registry, abi.encodeCall(registry.register, (vm.addr(key), WORKLOAD, bytes32(uint256(1)), expiry, 1)), ""
        );
    }

    /// @dev Delivers a call as the workflow's report.
    function report(CREReceiver receiver, bytes memory call_, bytes memory observation) internal {
        (bytes memory metadata, bytes memory payload) = payloadOf(receiver, call_, observation);
        vm.prank(FORWARDER);
        receiver.onReport(metadata, payload);
    }

    function payloadOf(CREReceiver receiver, bytes memory call_, bytes memory observation)
        internal
        returns (bytes memory metadata, bytes memory payload)
    {
        metadata = abi.encodePacked(WORKFLOW_ID, bytes10("deadbeef00"), WORKFLOW_OWNER, bytes2(0x0001));
        payload = abi.encode(block.chainid, receiver, ++_epoch, uint64(block.timestamp), call_, observation);
    }

    // Accounts.

    function moveOf(DarkPool venue, IShieldedPool.Kind kind, uint256 amount, address recipient)
        internal
        returns (Action memory a)
    {
        a = actionOf(address(venue), kind, kind == IShieldedPool.Kind.Release ? claim : cash, amount);
        a.move.recipient = recipient;
        a.data = keccak256(abi.encode(recipient));
        a.posted[Values.ACCOUNT_CONTEXT] = contextOf(uint256(kind), address(venue), a.data);
    }

    function move(DarkPool venue, IShieldedPool.Kind kind, uint256 amount, address recipient) internal {
        Action memory a = moveOf(venue, kind, amount, recipient);
        (uint256[8] memory proof, uint256[] memory posted) = accounts.prove(a.posted);
        vm.prank(venue.issuer());
        venue.moveAccount(a.move, proof, posted);
    }

    function expectRevertOfMove(address caller, Action memory a, bytes memory data) internal {
        (uint256[8] memory proof, uint256[] memory posted) = accounts.prove(a.posted);
        vm.expectRevert(data);
        vm.prank(caller);
        darkPool.moveAccount(a.move, proof, posted);
    }

    // Requests and rounds.

    function requestOf(DarkPool venue) internal returns (bytes32 requestId) {
        vm.prank(venue.issuer());
        return venue.requestCollateral(bytes32(REQUEST), 50, 1 hours);
    }

    /// @dev To the next closing, at which the feed beats, and so many seconds past it.
    function warpPastClosing(bytes32 requestId, uint256 seconds_) internal {
        uint256 opened = darkPool.request(requestId).opened;
        uint256 closing = block.timestamp + TICK - (block.timestamp - opened) % TICK;
        feed.set(feed.latest() + 1, 1e8, closing - 1);
        vm.warp(closing + seconds_);
    }

    /// @dev The request's next round that is in order, of the last closing, with the status given.
    function fillOf(DarkPool venue, bytes32 requestId, uint256 status) internal returns (Fill memory f) {
        IDarkPool.Request memory request = venue.request(requestId);
        f.venue = venue;
        f.requestId = requestId;
        f.number = request.rounds + 1;
        f.version = 2;
        f.priceRound = feed.latest();
        f.key = ENCLAVE_KEY;
        f.round = roundOf(address(venue), block.timestamp - (block.timestamp - request.opened) % TICK);
        uint256[] memory posted = f.round.posted;
        posted[Values.CLEAR_MANDATE] = venue.mandate();
        posted[Values.CLEAR_PREMIUM_CAP_BPS] = request.premiumCapBps;
        posted[Values.CLEAR_PRICE] = 1e8;
        posted[Values.CLEAR_DISCLOSURE] = uint256(venue.disclosure());
        posted[Values.CLEAR_REQUEST_OLD] = request.commitment;
        posted[Values.CLEAR_STATUS] = status;
        rebind(f);
    }

    function rebind(Fill memory f) internal view {
        uint256[] memory posted = f.round.posted;
        f.round.data = keccak256(
            abi.encode(
                f.requestId,
                f.number,
                posted[Values.CLEAR_CLOSED_AT],
                posted[Values.CLEAR_PRICE],
                posted[Values.CLEAR_ORDER_ROOT]
            )
        );
        posted[Values.CLEAR_CONTEXT] = contextOf(0, address(f.venue), f.round.data);
    }

    function fillCall(Fill memory f) internal returns (bytes memory) {
        (uint256[8] memory proof, uint256[] memory posted) = clears.prove(f.round.posted);
        return abi.encodeCall(
            f.venue.confidentialFill,
            (
                f.requestId,
                abi.encode(f.version, f.priceRound, f.round.entrySlot, proof, posted),
                attestationOf(f, posted)
            )
        );
    }

    /// @dev The digest is put together here a second time, from the spec and not from the contract.
    function attestationOf(Fill memory f, uint256[] memory posted) internal view returns (bytes memory) {
        bytes32 settlement = keccak256(
            abi.encode(
                keccak256("Settlement(bytes32 requestId,uint64 round,bytes32 postedHash)"),
                f.requestId,
                f.number,
                keccak256(abi.encodePacked(posted))
            )
        );
        bytes32 domain = domainOf(address(f.venue));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(f.key, keccak256(abi.encodePacked(hex"1901", domain, settlement)));
        return abi.encodePacked(r, s, v);
    }

    function domainOf(address venue) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("CDPR"),
                keccak256("1"),
                block.chainid,
                venue
            )
        );
    }

    function settle(Fill memory f) internal {
        bytes memory call_ = fillCall(f);
        (bool success, bytes memory reason) = address(f.venue).call(call_);
        if (success) return;
        assembly {
            revert(add(reason, 0x20), mload(reason))
        }
    }

    function expectRevertOfFill(Fill memory f, bytes memory data) internal {
        bytes memory call_ = fillCall(f);
        (bool success, bytes memory reason) = address(f.venue).call(call_);
        assertTrue(!success, "the round is refused");
        assertEq(keccak256(reason), keccak256(data));
    }
}
