// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OddToken} from "./OddToken.sol";
import {NoteTreeReference} from "./NoteTreeReference.sol";
import {PoolFixture} from "./PoolFixture.sol";
import {StatementVerifier} from "./StatementVerifier.sol";
import {Fold} from "../../src/libraries/Fold.sol";
import {IShieldedPool} from "../../src/second/interfaces/IShieldedPool.sol";
import {NoteTree} from "../../src/second/libraries/NoteTree.sol";
import {Values} from "../../src/second/libraries/Values.sol";

/// @dev What the pool holds a venue to. Venues here are accounts that call: nobody is asked for leave.
contract VenueTest is PoolFixture {
    address private constant A = address(0xaaaa);
    address private constant B = address(0xbbbb);
    /// @dev Of `_venues`: entry 1, entry roots 64, queue 256, nullifiers 1 before it.
    uint256 private constant VENUES_SLOT = 322;

    function setUp() public {
        _endow(A);
        _endow(B);
        send(actionOf(A, IShieldedPool.Kind.Open, cash, 0));
        send(actionOf(B, IShieldedPool.Kind.Open, cash, 0));
        deposit(claim, 1000);
        absorb(1);
    }

    // Accounts.

    function test_account_movesOneSumAtATime() public {
        send(actionOf(A, IShieldedPool.Kind.Fund, cash, 100));
        assertRecorded(cash, 100);
        assertEq(cash.balanceOf(A), CAP - 100);
        send(actionOf(A, IShieldedPool.Kind.TakeBack, cash, 30));
        assertRecorded(cash, 70);
        assertEq(cash.balanceOf(BOB), 30);
        send(actionOf(A, IShieldedPool.Kind.Release, claim, 400));
        assertRecorded(claim, 600);
        assertEq(claim.balanceOf(BOB), 400);
        Action memory a = actionOf(A, IShieldedPool.Kind.Resalt, cash, 0);
        (uint256[8] memory proof, uint256[] memory posted) = accounts.prove(a.posted);
        vm.expectEmit(address(pool));
        emit IShieldedPool.AccountMoved(
            venueOf(A), IShieldedPool.Kind.Resalt, address(0), 0, address(0), a.posted[6], a.posted[7]
        );
        vm.prank(A);
        pool.account(a.move, a.data, proof, posted);
        assertEq(pool.venue(venueOf(A)).account, a.posted[7]);
    }

    function test_account_opensOnce() public {
        Action memory a = actionOf(A, IShieldedPool.Kind.Open, cash, 0);
        expectRevertOfAction(a, abi.encodeWithSelector(IShieldedPool.AccountAlreadyOpen.selector, venueOf(A)));
        a.posted[Values.ACCOUNT_BEFORE] = 0;
        expectRevertOfAction(a, abi.encodeWithSelector(IShieldedPool.AccountAlreadyOpen.selector, venueOf(A)));
        a = actionOf(BOB, IShieldedPool.Kind.Fund, cash, 5);
        expectRevertOfAction(a, abi.encodeWithSelector(IShieldedPool.AccountNotOpen.selector, venueOf(BOB)));
        a = actionOf(BOB, IShieldedPool.Kind.Open, cash, 0);
        send(a);
        assertEq(pool.venueRoot(venueOf(BOB), 0), NoteTree.EMPTY_ROOT);
    }

    function test_account_revertsWhenTheKindIsNone() public {
        IShieldedPool.Kind[3] memory kinds =
            [IShieldedPool.Kind.Clear, IShieldedPool.Kind.Spend, IShieldedPool.Kind.Announce];
        for (uint256 i = 0; i < 3; i++) {
            Action memory a = actionOf(A, kinds[i], cash, 0);
            expectRevertOfAction(a, abi.encodeWithSelector(IShieldedPool.KindNotOfAccount.selector, kinds[i]));
        }
    }

    /// @dev Whoever knows the opening of A's account, as its enclave does, is not A.
    function test_account_isItsVenuesAlone() public {
        Action memory a = actionOf(A, IShieldedPool.Kind.Release, claim, 400);
        a.venue = B;
        expectRevertOfAction(
            a, mismatch(a.posted, Values.ACCOUNT_CONTEXT, pool.venueContext(IShieldedPool.Kind.Release, B, a.data))
        );
        // Under B's context: it is A's venue and A's account that the proof is of.
        a.posted[Values.ACCOUNT_CONTEXT] = contextOf(4, B, a.data);
        expectRevertOfAction(a, mismatch(a.posted, Values.ACCOUNT_VENUE, venueOf(B)));
        a.posted[Values.ACCOUNT_VENUE] = venueOf(B);
        expectRevertOfAction(a, mismatch(a.posted, Values.ACCOUNT_BEFORE, pool.venue(venueOf(B)).account));
        a.venue = BOB;
        expectRevertOfAction(a, abi.encodeWithSelector(IShieldedPool.AccountNotOpen.selector, venueOf(BOB)));
    }

    function test_account_revertsWhenAValueIsNotThePools() public {
        Action memory a = actionOf(A, IShieldedPool.Kind.Fund, cash, 100);
        for (uint256 i = Values.ACCOUNT_CONTEXT; i <= Values.ACCOUNT_BEFORE; i++) {
            uint256 expected = a.posted[i];
            a.posted[i] = expected + 1;
            expectRevertOfAction(a, mismatch(a.posted, i, expected));
            a.posted[i] = expected;
        }
        (uint256[8] memory proof, uint256[] memory posted) = accounts.prove(a.posted);
        posted[Values.ACCOUNT_AFTER] += 1;
        vm.expectRevert(StatementVerifier.ProofInvalid.selector);
        vm.prank(A);
        pool.account(a.move, a.data, proof, posted);
        posted[Values.ACCOUNT_AFTER] += P - 1;
        vm.expectRevert(abi.encodeWithSelector(Fold.WordNotInField.selector, 7, posted[7]));
        vm.prank(A);
        pool.account(a.move, a.data, proof, posted);
        vm.expectRevert(abi.encodeWithSelector(Values.LengthMismatch.selector, 7, 8));
        vm.prank(A);
        pool.account(a.move, a.data, proof, new uint256[](7));
    }

    /// @dev The proof of one kind is none of another, and data is the venue's own.
    function test_account_revertsWhenTheMoveIsAnother() public {
        Action memory a = actionOf(A, IShieldedPool.Kind.TakeBack, cash, 100);
        a.move.kind = IShieldedPool.Kind.Release;
        expectRevertOfAction(
            a, mismatch(a.posted, Values.ACCOUNT_CONTEXT, pool.venueContext(IShieldedPool.Kind.Release, A, a.data))
        );
        a.move.kind = IShieldedPool.Kind.TakeBack;
        a.move.amount = 101;
        expectRevertOfAction(a, mismatch(a.posted, Values.ACCOUNT_AMOUNT, 101));
        a.move.amount = 100;
        a.move.asset = address(claim);
        expectRevertOfAction(a, mismatch(a.posted, Values.ACCOUNT_ASSET, uint160(address(claim))));
        a.data = bytes32(uint256(a.data) + 1);
        expectRevertOfAction(
            a, mismatch(a.posted, Values.ACCOUNT_CONTEXT, pool.venueContext(IShieldedPool.Kind.TakeBack, A, a.data))
        );
    }

    function test_account_revertsWhenTheRecipientIsMissingOrUnasked() public {
        Action memory a = actionOf(A, IShieldedPool.Kind.Release, claim, 1);
        a.move.recipient = address(0);
        expectRevertOfAction(a, abi.encodeWithSelector(IShieldedPool.ZeroAddress.selector));
        a = actionOf(A, IShieldedPool.Kind.Fund, cash, 1);
        a.move.recipient = BOB;
        expectRevertOfAction(a, abi.encodeWithSelector(IShieldedPool.RecipientUnasked.selector, BOB));
    }

    function test_account_fundsWithinTheCapAndWithListedAssets() public {
        Action memory a = actionOf(A, IShieldedPool.Kind.Fund, cash, CAP + 1);
        expectRevertOfAction(a, abi.encodeWithSelector(IShieldedPool.CapExceeded.selector, address(cash), CAP + 1, CAP));
        OddToken other = new OddToken();
        a = actionOf(A, IShieldedPool.Kind.Fund, other, 1);
        expectRevertOfAction(a, abi.encodeWithSelector(IShieldedPool.AssetNotListed.selector, address(other)));
        a = actionOf(A, IShieldedPool.Kind.Fund, cash, 1 << 112);
        expectRevertOfAction(
            a, abi.encodeWithSelector(IShieldedPool.AmountOutOfRange.selector, 1 << 112, (1 << 112) - 1)
        );
        a = actionOf(A, IShieldedPool.Kind.Release, claim, 1001);
        expectRevertOfAction(
            a, abi.encodeWithSelector(IShieldedPool.AboveRecorded.selector, address(claim), 1001, 1000)
        );
    }

    /// @dev There is no `from`: what a venue funds is its own. A maker's allowance is out of its reach.
    function test_account_takesTheVenuesTokensAlone() public {
        address poor = address(0x9009);
        send(actionOf(poor, IShieldedPool.Kind.Open, cash, 0));
        expectRevertOfAction(
            actionOf(poor, IShieldedPool.Kind.Fund, cash, 1), abi.encodeWithSelector(OddToken.Short.selector, 0, 1)
        );
    }

    function test_account_revertsWhenTheTokenIsOdd() public {
        OddToken.Oddities memory o;
        o.fee = 1;
        cash.be(o);
        expectRevertOfAction(actionOf(A, IShieldedPool.Kind.Fund, cash, 10), transferMismatch(cash, 9));
        (o.fee, o.surcharge) = (0, 1);
        claim.be(o);
        expectRevertOfAction(actionOf(A, IShieldedPool.Kind.Release, claim, 10), transferMismatch(claim, 11));
        claim.setBlocked(BOB, true);
        expectRevertOfAction(
            actionOf(A, IShieldedPool.Kind.Release, claim, 10), abi.encodeWithSelector(OddToken.Blocked.selector, BOB)
        );
    }

    // Rounds.

    function test_clear_movesTreeAccountWordsAndTimes() public {
        NoteTreeReference tree = new NoteTreeReference();
        for (uint256 round = 1; round <= 10; round++) {
            vm.warp(block.timestamp + 300);
            Round memory r = roundOf(A, block.timestamp - 10);
            // Payouts, then changes.
            uint256[] memory leaves = new uint256[](16);
            for (uint256 i = 0; i < 16; i++) {
                leaves[i] = r.posted[Values.CLEAR_NULLIFIERS + 8 + i];
            }
            assertEq(r.posted[Values.CLEAR_VENUE_ROOT], tree.root());
            r.posted[Values.CLEAR_VENUE_ROOT_AFTER] = tree.rootWith(leaves, 16);
            tree.append(leaves, 16);
            (uint256[8] memory proof, uint256[] memory posted) = clears.prove(r.posted);
            vm.expectEmit(address(pool));
            emit IShieldedPool.Cleared(venueOf(A), posted);
            vm.prank(A);
            pool.clear(r.entrySlot, r.data, proof, posted);
            IShieldedPool.Venue memory v = pool.venue(venueOf(A));
            assertEq(v.account, posted[Values.CLEAR_ACCOUNT_NEW]);
            assertEq(v.nextIndex, 16 * round);
            assertEq(v.cursor, round % 8);
            assertEq(v.closedAt, block.timestamp - 10);
            assertEq(v.settledAt, block.timestamp);
            assertEq(pool.venueRoot(venueOf(A), v.cursor), tree.root());
            for (uint256 i = 0; i < 8; i++) {
                assertEq(pool.nullifier(posted[Values.CLEAR_NULLIFIERS + i]), 1);
            }
        }
        // B's are as they were.
        assertEq(pool.venue(venueOf(B)).nextIndex, 0);
    }

    /// @dev Within five minutes the root is overwritten; the last one stays for seven such periods.
    function test_clear_keepsOneRootEveryFiveMinutes() public {
        vm.warp(block.timestamp + 1);
        send(roundOf(A, block.timestamp));
        assertEq(pool.venue(venueOf(A)).cursor, 1);
        vm.warp(block.timestamp + 150);
        send(roundOf(A, block.timestamp));
        assertEq(pool.venue(venueOf(A)).cursor, 1);
        uint256 last = pool.venueRoot(venueOf(A), 1);
        for (uint256 i = 0; i < 7; i++) {
            vm.warp(block.timestamp + 300);
            send(roundOf(A, block.timestamp));
            assertEq(pool.venueRoot(venueOf(A), 1), last);
        }
        vm.warp(block.timestamp + 300);
        send(roundOf(A, block.timestamp));
        assertTrue(pool.venueRoot(venueOf(A), 1) != last, "the ring has gone round");
    }

    /// @dev What a stranger can void: a round over a root whose minute is not over. One over the last root of a minute
    /// that is over stands, whoever absorbs.
    function test_clear_isVoidedByAnAbsorptionWithinItsRootsMinuteOnly() public {
        depositMany(3);
        vm.warp((block.timestamp / 60 + 1) * 60);
        absorb(1);
        vm.warp(block.timestamp + 60);
        Round memory over = roundOf(A, block.timestamp);
        absorb(1);
        Round memory within = roundOf(A, block.timestamp);
        vm.warp(block.timestamp + 30);
        vm.prank(BOB);
        absorb(1);
        expectRevertOfRound(within, mismatch(within.posted, Values.CLEAR_ENTRY_ROOT, entryTree.root()));
        send(over);
    }

    function test_clear_revertsWhenAValueIsNotThePools() public {
        Round memory r = roundOf(A, block.timestamp);
        uint256[6] memory known = [
            Values.CLEAR_CONTEXT,
            Values.CLEAR_VENUE,
            Values.CLEAR_ACCOUNT_OLD,
            Values.CLEAR_ENTRY_ROOT,
            Values.CLEAR_VENUE_ROOT,
            Values.CLEAR_INDEX
        ];
        for (uint256 i = 0; i < 6; i++) {
            uint256 expected = r.posted[known[i]];
            r.posted[known[i]] = addmod(expected, 1, P);
            expectRevertOfRound(r, mismatch(r.posted, known[i], expected));
            r.posted[known[i]] = expected;
        }
        r.entrySlot = 5;
        expectRevertOfRound(r, abi.encodeWithSelector(IShieldedPool.SlotEmpty.selector, 5));
        r.entrySlot = 64;
        expectRevertOfRound(r, abi.encodeWithSelector(IShieldedPool.SlotOutOfRange.selector, 64, 64));
        vm.expectRevert(abi.encodeWithSelector(Values.LengthMismatch.selector, 50, 51));
        vm.prank(A);
        pool.clear(0, 0, [uint256(1), 0, 0, 0, 0, 0, 0, 0], new uint256[](50));
    }

    function test_clear_revertsWhenPostedIsNotWhatWasProven() public {
        Round memory r = roundOf(A, block.timestamp);
        vm.warp(block.timestamp + 1);
        (uint256[8] memory proof, uint256[] memory posted) = clears.prove(r.posted);
        for (uint256 i = 0; i < Values.CLEAR_LENGTH; i++) {
            // Those are held to the chain's before.
            bool known = i == Values.CLEAR_CONTEXT || i == Values.CLEAR_VENUE || i == Values.CLEAR_ACCOUNT_OLD
                || i == Values.CLEAR_ENTRY_ROOT || i == Values.CLEAR_VENUE_ROOT || i == Values.CLEAR_INDEX;
            if (known) continue;
            posted[i] += 1;
            vm.expectRevert(StatementVerifier.ProofInvalid.selector);
            vm.prank(A);
            pool.clear(r.entrySlot, r.data, proof, posted);
            posted[i] -= 1;
            // Two in each other's place, where nothing else tells them apart.
            if (i < Values.CLEAR_NULLIFIERS || i + 1 == Values.CLEAR_LENGTH) continue;
            (posted[i], posted[i + 1]) = (posted[i + 1], posted[i]);
            vm.expectRevert(StatementVerifier.ProofInvalid.selector);
            vm.prank(A);
            pool.clear(r.entrySlot, r.data, proof, posted);
            (posted[i], posted[i + 1]) = (posted[i + 1], posted[i]);
        }
        for (uint256 i = 0; i < 8; i++) {
            uint256 at = Values.CLEAR_NULLIFIERS + i;
            posted[at] += P;
            vm.expectRevert(abi.encodeWithSelector(Fold.WordNotInField.selector, at, posted[at]));
            vm.prank(A);
            pool.clear(r.entrySlot, r.data, proof, posted);
            posted[at] -= P;
        }
        vm.prank(A);
        pool.clear(r.entrySlot, r.data, proof, posted);
    }

    /// @dev Whole settlements of A's, sent by B.
    function test_clear_isItsVenuesAlone() public {
        Round memory r = roundOf(A, block.timestamp);
        r.venue = B;
        expectRevertOfRound(
            r, mismatch(r.posted, Values.CLEAR_CONTEXT, pool.venueContext(IShieldedPool.Kind.Clear, B, r.data))
        );
        r.posted[Values.CLEAR_CONTEXT] = contextOf(0, B, r.data);
        expectRevertOfRound(r, mismatch(r.posted, Values.CLEAR_VENUE, venueOf(B)));
        r.posted[Values.CLEAR_VENUE] = venueOf(B);
        expectRevertOfRound(r, mismatch(r.posted, Values.CLEAR_ACCOUNT_OLD, pool.venue(venueOf(B)).account));
        r.venue = BOB;
        expectRevertOfRound(r, abi.encodeWithSelector(IShieldedPool.AccountNotOpen.selector, venueOf(BOB)));
    }

    function test_clear_happensOnce() public {
        Round memory r = roundOf(A, block.timestamp);
        uint256 old = r.posted[Values.CLEAR_ACCOUNT_OLD];
        send(r);
        expectRevertOfRound(
            r, mismatch(r.posted, Values.CLEAR_CONTEXT, pool.venueContext(IShieldedPool.Kind.Clear, A, r.data))
        );
        assertTrue(pool.venue(venueOf(A)).account != old, "another account");
    }

    function test_clear_revertsWhenTheTreeIsFull() public {
        uint256 last = (1 << 32) - 16;
        setNextIndex(last + 16);
        expectRevertOfRound(
            roundOf(A, block.timestamp), abi.encodeWithSelector(IShieldedPool.TreeFull.selector, last + 16, 16)
        );
        setNextIndex(last);
        send(roundOf(A, block.timestamp));
        assertEq(pool.venue(venueOf(A)).nextIndex, last + 16);
    }

    // The clock.

    function test_clear_revertsWhenTheClosingIsNotNow() public {
        uint256 time = block.timestamp;
        expectRevertOfRound(
            roundOf(A, time + 1), abi.encodeWithSelector(IShieldedPool.ClosedInFuture.selector, time + 1, time)
        );
        uint256 old = time - WINDOW - 1;
        expectRevertOfRound(
            roundOf(A, old), abi.encodeWithSelector(IShieldedPool.ClosedTooLongAgo.selector, old, time, WINDOW)
        );
        uint256 lastYear = time - 365 days;
        expectRevertOfRound(
            roundOf(A, lastYear),
            abi.encodeWithSelector(IShieldedPool.ClosedTooLongAgo.selector, lastYear, time, WINDOW)
        );
        // As wide as the values are.
        expectRevertOfRound(
            roundOf(A, time + (1 << 40)),
            abi.encodeWithSelector(IShieldedPool.ClosedInFuture.selector, time + (1 << 40), time)
        );
        send(roundOf(A, time - WINDOW));
    }

    function test_clear_revertsWhenTheClosingIsNotAfterTheLast() public {
        uint256 closedAt = block.timestamp;
        send(roundOf(A, closedAt));
        vm.warp(closedAt + WINDOW);
        expectRevertOfRound(
            roundOf(A, closedAt), abi.encodeWithSelector(IShieldedPool.ClosedNotAfterLast.selector, closedAt, closedAt)
        );
        vm.warp(closedAt + WINDOW - 1);
        expectRevertOfRound(
            roundOf(A, closedAt - 1),
            abi.encodeWithSelector(IShieldedPool.ClosedNotAfterLast.selector, closedAt - 1, closedAt)
        );
        // Another venue's closings are its own.
        send(roundOf(B, closedAt));
    }

    /// @dev Whoever was filled has the time to say that it leaves: no fill a round outruns an announcement.
    function test_clear_revertsWithinGrace() public {
        uint256 settledAt = block.timestamp;
        send(roundOf(A, settledAt - 60));
        vm.warp(settledAt + 120);
        expectRevertOfRound(
            roundOf(A, settledAt + 119),
            abi.encodeWithSelector(IShieldedPool.ClosedWithinGrace.selector, settledAt + 119, settledAt, 120)
        );
        send(roundOf(A, settledAt + 120));
    }

    // Words.

    function test_clear_revertsWhenANullifierWasSpent() public {
        Spend memory s = spendOf(false, 0);
        s.exit.recipient = address(0);
        rebind(s);
        send(s);
        Round memory before = roundOf(B, block.timestamp);
        send(before);
        uint256[2] memory spent = [s.posted[Values.SPEND_NULLIFIERS], before.posted[Values.CLEAR_NULLIFIERS + 7]];
        for (uint256 i = 0; i < 2; i++) {
            Round memory r = roundOf(A, block.timestamp);
            r.posted[Values.CLEAR_NULLIFIERS + 3] = spent[i];
            expectRevertOfRound(r, abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, spent[i]));
        }
        Round memory twice = roundOf(A, block.timestamp);
        twice.posted[Values.CLEAR_NULLIFIERS + 7] = twice.posted[Values.CLEAR_NULLIFIERS];
        expectRevertOfRound(
            twice,
            abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, twice.posted[Values.CLEAR_NULLIFIERS])
        );
        // What a round took does not leave.
        Spend memory late = spendOf(false, 0);
        late.exit.recipient = address(0);
        late.posted[Values.SPEND_NULLIFIERS] = spent[1];
        rebind(late);
        expectRevertOfSpend(late, abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, spent[1]));
    }

    /// @dev The last round that may take an announced note is the one that closed when it was announced, and the last
    /// moment at which it may is before the first at which the note leaves.
    function test_clear_takesNoNoteAnnouncedBeforeItsClosing() public {
        Spend memory announced = spendOf(true, 0);
        announced.exit.asset = address(claim);
        rebind(announced);
        uint256 time = block.timestamp;
        uint256 nf = announced.posted[Values.SPEND_NULLIFIERS];
        send(announced);
        vm.warp(time + 1);
        Round memory r = roundOf(A, time + 1);
        r.posted[Values.CLEAR_NULLIFIERS] = nf;
        expectRevertOfRound(
            r, abi.encodeWithSelector(IShieldedPool.AnnouncedBeforeClosing.selector, nf, time, time + 1)
        );
        vm.warp(time + WINDOW);
        r.posted[Values.CLEAR_CLOSED_AT] = time;
        uint256 state = vm.snapshotState();
        send(r);
        assertEq(pool.nullifier(nf), 1);
        vm.revertToState(state);

        Spend memory s = spendOf(false, 10);
        s.exit.asset = address(claim);
        (s.posted[Values.SPEND_NULLIFIERS], s.posted[Values.SPEND_LOCKED]) = (nf, 1);
        rebind(s);
        expectRevertOfSpend(
            s, abi.encodeWithSelector(IShieldedPool.AnnouncementTooYoung.selector, nf, time, time + WINDOW, WINDOW)
        );
        vm.warp(time + WINDOW + 1);
        expectRevertOfRound(
            r, abi.encodeWithSelector(IShieldedPool.ClosedTooLongAgo.selector, time, time + WINDOW + 1, WINDOW)
        );
        s.exit.deadline = block.timestamp;
        rebind(s);
        send(s);
        assertEq(claim.balanceOf(BOB), 10);
    }

    /// @dev Whatever times a round closes and settles and a note is announced and leaves: never both.
    function testFuzz_aNoteIsNeverTakenAndSpent(uint8 announced, uint16 closed, uint16 now_) public {
        uint256 start = block.timestamp;
        Spend memory a = spendOf(true, 0);
        uint256 nf = a.posted[Values.SPEND_NULLIFIERS];
        vm.warp(start + announced);
        a.exit.deadline = block.timestamp;
        rebind(a);
        send(a);
        uint256 closedAt = start + closed % 600;
        vm.warp(start + announced + now_ % 600);
        Round memory r = roundOf(A, closedAt);
        r.posted[Values.CLEAR_NULLIFIERS] = nf;
        Spend memory s = spendOf(false, 0);
        s.exit.recipient = address(0);
        (s.posted[Values.SPEND_NULLIFIERS], s.posted[Values.SPEND_LOCKED]) = (nf, 1);
        rebind(s);
        bool taken = tries(r);
        bool spent = tries(s);
        assertTrue(!(taken && spent), "once");
        assertEq(taken || spent, pool.nullifier(nf) == 1);
        if (block.timestamp > start + announced + WINDOW) assertTrue(spent, "it leaves, whatever the venue does");
    }

    function tries(Round memory r) private returns (bool success) {
        (uint256[8] memory proof, uint256[] memory posted) = clears.prove(r.posted);
        vm.prank(A);
        (success,) = address(pool).call(abi.encodeCall(pool.clear, (r.entrySlot, r.data, proof, posted)));
    }

    function tries(Spend memory s) private returns (bool success) {
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(s.posted);
        bytes memory call_ = abi.encodeCall(pool.spend, (s.exit, s.entrySlot, s.venueSlot, proof, posted));
        (success,) = address(pool).call(call_);
    }

    function assertRecorded(OddToken token, uint256 expected) private view {
        (uint256 recorded,) = pool.asset(address(token));
        assertEq(recorded, expected);
    }

    function transferMismatch(OddToken token, uint256 moved) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IShieldedPool.TransferMismatch.selector, address(token), moved, 10);
    }

    function setNextIndex(uint256 index) private {
        bytes32 slot = keccak256(abi.encode(venueOf(A), VENUES_SLOT));
        uint256 word = uint256(vm.load(address(pool), slot));
        vm.store(address(pool), slot, bytes32(word & ~uint256(type(uint40).max) | index));
        assertEq(pool.venue(venueOf(A)).nextIndex, index);
    }
}
