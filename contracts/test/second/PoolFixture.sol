// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "../Test.sol";
import {NoteTreeReference} from "./NoteTreeReference.sol";
import {OddToken} from "./OddToken.sol";
import {StatementVerifier} from "./StatementVerifier.sol";
import {Fold} from "../../src/libraries/Fold.sol";
import {ShieldedPool} from "../../src/second/ShieldedPool.sol";
import {IShieldedPool} from "../../src/second/interfaces/IShieldedPool.sol";
import {NoteTree} from "../../src/second/libraries/NoteTree.sol";
import {Values} from "../../src/second/libraries/Values.sol";

/// @dev A pool over two tokens, with provers who can prove anything, see `StatementVerifier`. Statements are made here
/// as an honest prover would; a test changes what it is about. Contexts are put together a second time, from the spec
/// and not from the contract.
abstract contract PoolFixture is Test {
    uint256 internal constant P = Fold.P;
    uint256 internal constant WINDOW = 3 minutes;
    uint256 internal constant CAP = 1e30;
    address internal constant BOB = address(0x0b0b);
    address internal constant RELAYER = address(0x0e1a);

    struct Spend {
        IShieldedPool.Exit exit;
        uint256 entrySlot;
        uint256 venueSlot;
        uint256[] posted;
    }

    struct Action {
        address venue;
        IShieldedPool.Move move;
        bytes32 data;
        uint256[] posted;
    }

    struct Round {
        address venue;
        uint256 entrySlot;
        bytes32 data;
        uint256[] posted;
    }

    OddToken internal cash = newToken();
    OddToken internal claim = newToken();
    StatementVerifier internal absorbs = new StatementVerifier(true);
    StatementVerifier internal absorbsMany = new StatementVerifier(true);
    StatementVerifier internal spends = new StatementVerifier(true);
    StatementVerifier internal accounts = new StatementVerifier(true);
    StatementVerifier internal clears = new StatementVerifier(true);
    ShieldedPool internal pool;
    NoteTreeReference internal entryTree = new NoteTreeReference();
    /// @dev Makes what would be drawn twice another one.
    uint256 private _serial;

    constructor() {
        pool = new ShieldedPool(_both(address(cash), address(claim)), _both(CAP, CAP), WINDOW, newVerifiers());
        _endow(address(this));
    }

    /// @dev What a measurement replaces.
    function newToken() internal virtual returns (OddToken) {
        return new OddToken();
    }

    /// @dev As `newToken`.
    function newVerifiers() internal virtual returns (IShieldedPool.Verifiers memory) {
        return verifiers();
    }

    function verifiers() internal view returns (IShieldedPool.Verifiers memory) {
        return IShieldedPool.Verifiers(
            address(absorbs), address(absorbsMany), address(spends), address(accounts), address(clears)
        );
    }

    // Entry.

    function deposit(OddToken token, uint256 amount) internal returns (uint256 position) {
        return pool.deposit(address(token), amount, draw(), draw(), draw());
    }

    function depositMany(uint256 n) internal {
        for (uint256 i = 0; i < n; i++) {
            deposit(cash, 1 + i);
        }
    }

    /// @dev What an honest prover makes of the queue's next leaves.
    function absorptionOf(uint256 count) internal returns (uint256[] memory posted) {
        IShieldedPool.Entry memory e = pool.entry();
        uint256 size = count > 16 ? 64 : 16;
        uint256[] memory leaves = new uint256[](count);
        posted = new uint256[](Values.ABSORB_LEAVES + size);
        for (uint256 i = 0; i < count; i++) {
            leaves[i] = pool.queuedLeaf(e.head + i);
            posted[Values.ABSORB_LEAVES + i] = leaves[i];
        }
        posted[Values.ABSORB_ROOT] = entryTree.root();
        posted[Values.ABSORB_ROOT_AFTER] = entryTree.rootWith(leaves, size);
        posted[Values.ABSORB_INDEX] = (entryTree.length() + size - 1) / size * size;
    }

    function absorb(uint256 count) internal {
        uint256[] memory posted = absorptionOf(count);
        uint256 head = pool.entry().head;
        uint256[8] memory proof;
        (proof, posted) = (count > 16 ? absorbsMany : absorbs).prove(posted);
        pool.absorb(head, count, posted[Values.ABSORB_ROOT_AFTER], posted[0], proof);
        uint256[] memory leaves = new uint256[](count);
        for (uint256 i = 0; i < count; i++) {
            leaves[i] = posted[Values.ABSORB_LEAVES + i];
        }
        entryTree.append(leaves, count > 16 ? 64 : 16);
    }

    /// @dev Takes one leaf, without a tree behind it.
    function absorbToAnyRoot() internal returns (uint256 root) {
        IShieldedPool.Entry memory e = pool.entry();
        uint256[] memory posted = new uint256[](Values.ABSORB_LEAVES + 16);
        posted[Values.ABSORB_ROOT] = pool.entryRoot(e.cursor);
        root = draw();
        posted[Values.ABSORB_ROOT_AFTER] = root;
        posted[Values.ABSORB_INDEX] = e.nextIndex;
        posted[Values.ABSORB_LEAVES] = pool.queuedLeaf(e.head);
        uint256[8] memory proof;
        (proof, posted) = absorbs.prove(posted);
        pool.absorb(e.head, 1, root, posted[0], proof);
    }

    // Spends.

    /// @dev Of two notes that leave, or of one announced and a dummy.
    function spendOf(bool announces, uint256 amount) internal returns (Spend memory s) {
        s.exit.asset = address(cash);
        s.exit.deadline = block.timestamp;
        s.exit.hints = [draw(), draw()];
        s.exit.memos = [draw(), draw()];
        if (!announces) {
            s.exit.amount = amount;
            s.exit.recipient = BOB;
        }
        s.entrySlot = pool.entry().cursor;
        s.posted = new uint256[](Values.SPEND_LENGTH);
        s.posted[Values.SPEND_ANNOUNCE] = announces ? 1 : 0;
        s.posted[Values.SPEND_ENTRY_ROOT] = pool.entryRoot(s.entrySlot);
        s.posted[Values.SPEND_VENUE_ROOT] = NoteTree.EMPTY_ROOT;
        s.posted[Values.SPEND_NULLIFIERS] = draw();
        s.posted[Values.SPEND_NULLIFIERS + 1] = draw();
        s.posted[Values.SPEND_LOCKED] = announces ? 1 : 0;
        rebind(s);
    }

    /// @dev What the proof says of what happens outside.
    function rebind(Spend memory s) internal view {
        s.posted[Values.SPEND_ASSET] = uint160(s.exit.asset);
        s.posted[Values.SPEND_AMOUNT] = s.exit.amount;
        s.posted[Values.SPEND_CONTEXT] = uint256(
            keccak256(
                abi.encode(
                    s.posted[Values.SPEND_ANNOUNCE] == 1 ? 7 : 6,
                    block.chainid,
                    address(pool),
                    s.exit.recipient,
                    s.exit.relayer,
                    s.exit.fee,
                    s.exit.deadline,
                    keccak256(abi.encode(s.exit.hints[0], s.exit.hints[1], s.exit.memos[0], s.exit.memos[1]))
                )
            )
        ) >> 8;
    }

    function send(Spend memory s) internal {
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(s.posted);
        pool.spend(s.exit, s.entrySlot, s.venueSlot, proof, posted);
    }

    function expectRevertOfSpend(Spend memory s, bytes memory data) internal {
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(s.posted);
        vm.expectRevert(data);
        pool.spend(s.exit, s.entrySlot, s.venueSlot, proof, posted);
    }

    // Accounts.

    function actionOf(address venue, IShieldedPool.Kind kind, OddToken token, uint256 amount)
        internal
        returns (Action memory a)
    {
        a.venue = venue;
        a.move.kind = kind;
        a.move.asset =
            kind == IShieldedPool.Kind.Open || kind == IShieldedPool.Kind.Resalt ? address(0) : address(token);
        a.move.amount = amount;
        a.data = bytes32(draw());
        if (kind == IShieldedPool.Kind.TakeBack || kind == IShieldedPool.Kind.Release) a.move.recipient = BOB;
        a.posted = new uint256[](Values.ACCOUNT_LENGTH);
        a.posted[Values.ACCOUNT_VENUE] = venueOf(venue);
        a.posted[Values.ACCOUNT_KIND] = uint256(kind);
        a.posted[Values.ACCOUNT_ASSET] = uint160(a.move.asset);
        a.posted[Values.ACCOUNT_AMOUNT] = amount;
        a.posted[Values.ACCOUNT_BEFORE] = pool.venue(venueOf(venue)).account;
        a.posted[Values.ACCOUNT_AFTER] = draw();
        a.posted[Values.ACCOUNT_CONTEXT] = contextOf(uint256(kind), venue, a.data);
    }

    function send(Action memory a) internal {
        (uint256[8] memory proof, uint256[] memory posted) = accounts.prove(a.posted);
        vm.prank(a.venue);
        pool.account(a.move, a.data, proof, posted);
    }

    function expectRevertOfAction(Action memory a, bytes memory data) internal {
        (uint256[8] memory proof, uint256[] memory posted) = accounts.prove(a.posted);
        vm.expectRevert(data);
        vm.prank(a.venue);
        pool.account(a.move, a.data, proof, posted);
    }

    // Rounds.

    function roundOf(address venue, uint256 closedAt) internal returns (Round memory r) {
        r.venue = venue;
        r.data = bytes32(draw());
        r.entrySlot = pool.entry().cursor;
        r.posted = new uint256[](Values.CLEAR_LENGTH);
        for (uint256 i = 0; i < r.posted.length; i++) {
            r.posted[i] = draw();
        }
        IShieldedPool.Venue memory v = pool.venue(venueOf(venue));
        r.posted[Values.CLEAR_CONTEXT] = contextOf(0, venue, r.data);
        r.posted[Values.CLEAR_VENUE] = venueOf(venue);
        r.posted[Values.CLEAR_CLOSED_AT] = closedAt;
        r.posted[Values.CLEAR_ACCOUNT_OLD] = v.account;
        r.posted[Values.CLEAR_ENTRY_ROOT] = pool.entryRoot(r.entrySlot);
        r.posted[Values.CLEAR_VENUE_ROOT] = pool.venueRoot(venueOf(venue), v.cursor);
        r.posted[Values.CLEAR_INDEX] = v.nextIndex;
    }

    function send(Round memory r) internal {
        (uint256[8] memory proof, uint256[] memory posted) = clears.prove(r.posted);
        vm.prank(r.venue);
        pool.clear(r.entrySlot, r.data, proof, posted);
    }

    function expectRevertOfRound(Round memory r, bytes memory data) internal {
        (uint256[8] memory proof, uint256[] memory posted) = clears.prove(r.posted);
        vm.expectRevert(data);
        vm.prank(r.venue);
        pool.clear(r.entrySlot, r.data, proof, posted);
    }

    // Both.

    function venueOf(address venue) internal view returns (uint256) {
        return uint256(keccak256(abi.encode(block.chainid, address(pool), venue))) >> 40;
    }

    function contextOf(uint256 kind, address venue, bytes32 data) internal view returns (uint256) {
        uint256 index = pool.venue(venueOf(venue)).nextIndex;
        return uint256(keccak256(abi.encode(kind, block.chainid, address(pool), venue, index, data))) >> 8;
    }

    function mismatch(uint256[] memory posted, uint256 index, uint256 expected) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(Values.ValueMismatch.selector, index, posted[index], expected);
    }

    /// @dev An element of the field, another one each time.
    function draw() internal returns (uint256) {
        return uint256(keccak256(abi.encode("draw", ++_serial))) >> 8;
    }

    function _endow(address account) internal {
        cash.mint(account, CAP);
        claim.mint(account, CAP);
        vm.prank(account);
        cash.approve(address(pool), type(uint256).max);
        vm.prank(account);
        claim.approve(address(pool), type(uint256).max);
    }

    function _both(address a, address b) internal pure returns (address[] memory both) {
        both = new address[](2);
        (both[0], both[1]) = (a, b);
    }

    function _both(uint256 a, uint256 b) internal pure returns (uint256[] memory both) {
        both = new uint256[](2);
        (both[0], both[1]) = (a, b);
    }
}
