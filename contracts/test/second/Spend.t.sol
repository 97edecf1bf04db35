// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {OddToken} from "./OddToken.sol";
import {PoolFixture} from "./PoolFixture.sol";
import {StatementVerifier} from "./StatementVerifier.sol";
import {Fold} from "../../src/libraries/Fold.sol";
import {IShieldedPool} from "../../src/second/interfaces/IShieldedPool.sol";
import {NoteTree} from "../../src/second/libraries/NoteTree.sol";
import {Values} from "../../src/second/libraries/Values.sol";

/// @dev Exits, splits, announcements.
contract SpendTest is PoolFixture {
    address private constant VENUE = address(0x1e17e);

    function setUp() public {
        deposit(cash, 1000);
        absorb(1);
    }

    // What goes through.

    function test_spend_paysRecipientAndRelayer() public {
        Spend memory s = spendOf(false, 100);
        (s.exit.relayer, s.exit.fee) = (RELAYER, 3);
        rebind(s);
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(s.posted);
        vm.expectEmit(address(pool));
        emit IShieldedPool.Spent(address(cash), 100, BOB, RELAYER, 3, [posted[8], posted[9]]);
        pool.spend(s.exit, s.entrySlot, 0, proof, posted);
        assertEq(cash.balanceOf(BOB), 97);
        assertEq(cash.balanceOf(RELAYER), 3);
        (uint256 recorded,) = pool.asset(address(cash));
        assertEq(recorded, 900);
        assertEq(pool.nullifier(s.posted[8]), 1);
        assertEq(pool.nullifier(s.posted[9]), 1);
        assertEq(pool.entry().tail, 1);
    }

    /// @dev Splitting, merging, locking again: nothing leaves.
    function test_spend_queuesLeavesThatHaveSomethingInThem() public {
        Spend memory s = spendOf(false, 0);
        s.exit.recipient = address(0);
        s.posted[Values.SPEND_LEAVES] = 7;
        s.posted[Values.SPEND_LEAVES + 1] = 8;
        rebind(s);
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(s.posted);
        vm.expectEmit(address(pool));
        emit IShieldedPool.Queued(1, 7, s.exit.hints[0], s.exit.memos[0]);
        vm.expectEmit(address(pool));
        emit IShieldedPool.Queued(2, 8, s.exit.hints[1], s.exit.memos[1]);
        pool.spend(s.exit, s.entrySlot, 0, proof, posted);
        s = spendOf(false, 0);
        s.exit.recipient = address(0);
        s.posted[Values.SPEND_LEAVES + 1] = 9;
        rebind(s);
        (proof, posted) = spends.prove(s.posted);
        vm.expectEmit(address(pool));
        emit IShieldedPool.Queued(3, 9, s.exit.hints[1], s.exit.memos[1]);
        pool.spend(s.exit, s.entrySlot, 0, proof, posted);
        assertEq(pool.entry().tail, 4);
        assertEq(pool.queuedLeaf(2), 8);
        absorb(3);
    }

    /// @dev Nothing of it meets the queue, and what absorbs fits the same transaction.
    function test_spend_ofAllLeavesWhenTheQueueIsFull() public {
        depositMany(193);
        for (uint256 i = 0; i < 31; i++) {
            Spend memory split = spendOf(false, 0);
            split.exit.recipient = address(0);
            (split.posted[12], split.posted[13]) = (draw(), draw());
            rebind(split);
            send(split);
        }
        Spend memory one = spendOf(false, 5);
        one.posted[12] = 7;
        uint256 queued = pool.entry().tail - pool.entry().head;
        assertEq(queued, 255);
        Spend memory two = spendOf(false, 5);
        (two.posted[12], two.posted[13]) = (8, 9);
        expectRevertOfSpend(two, abi.encodeWithSelector(IShieldedPool.QueueFull.selector, 255, 256));
        send(one);
        one = spendOf(false, 5);
        one.posted[13] = 7;
        expectRevertOfSpend(one, abi.encodeWithSelector(IShieldedPool.QueueFull.selector, 256, 256));
        send(spendOf(false, 5));
        absorb(1);
        one.entrySlot = pool.entry().cursor;
        one.posted[Values.SPEND_ENTRY_ROOT] = entryTree.root();
        send(one);
    }

    function test_spend_ofAVenuesNotes() public {
        openVenue();
        Spend memory s = spendOf(false, 10);
        s.posted[Values.SPEND_VENUE] = venueOf(VENUE);
        s.venueSlot = 1;
        s.posted[Values.SPEND_VENUE_ROOT] = pool.venueRoot(venueOf(VENUE), 1);
        send(s);
        // The empty tree's, which it had before.
        s = spendOf(false, 10);
        s.posted[Values.SPEND_VENUE] = venueOf(VENUE);
        send(s);
    }

    /// @dev Whoever sends it, the money goes where the proof says.
    function test_spend_isAnybodysToSend() public {
        Spend memory s = spendOf(false, 10);
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(s.posted);
        vm.prank(RELAYER);
        pool.spend(s.exit, s.entrySlot, 0, proof, posted);
        assertEq(cash.balanceOf(BOB), 10);
    }

    // What does not.

    function test_spend_revertsWhenAValueIsNotThePools() public {
        Spend memory s = spendOf(false, 10);
        uint256[6] memory known = [
            Values.SPEND_CONTEXT,
            Values.SPEND_ENTRY_ROOT,
            Values.SPEND_VENUE_ROOT,
            Values.SPEND_ASSET,
            Values.SPEND_AMOUNT,
            0
        ];
        for (uint256 i = 0; known[i] != 0; i++) {
            uint256 expected = s.posted[known[i]];
            s.posted[known[i]] = expected + 1;
            expectRevertOfSpend(s, mismatch(s.posted, known[i], expected));
            s.posted[known[i]] = expected;
        }
        send(s);
    }

    /// @dev Front-running with another recipient, relayer, fee, deadline or word; on another chain or in another pool.
    function test_spend_revertsWhenAnythingOutsideIsAnother() public {
        Spend memory s = spendOf(false, 10);
        (s.exit.relayer, s.exit.fee) = (RELAYER, 3);
        rebind(s);
        bytes memory exit = abi.encode(s.exit);
        for (uint256 i = 0; i < 8; i++) {
            s.exit = abi.decode(exit, (IShieldedPool.Exit));
            if (i == 0) s.exit.recipient = address(this);
            if (i == 1) s.exit.relayer = address(this);
            if (i == 2) s.exit.fee = 4;
            if (i == 3) s.exit.deadline += 1;
            if (i == 4) s.exit.hints[0] += 1;
            if (i == 5) s.exit.hints[1] += 1;
            if (i == 6) s.exit.memos[0] += 1;
            if (i == 7) s.exit.memos[1] += 1;
            uint256 expected = pool.exitContext(IShieldedPool.Kind.Spend, s.exit);
            expectRevertOfSpend(s, mismatch(s.posted, Values.SPEND_CONTEXT, expected));
        }
        s.exit = abi.decode(exit, (IShieldedPool.Exit));
        s.exit.asset = address(claim);
        expectRevertOfSpend(s, mismatch(s.posted, Values.SPEND_ASSET, uint160(address(claim))));
        s.exit.asset = address(cash);
        s.exit.amount = 11;
        expectRevertOfSpend(s, mismatch(s.posted, Values.SPEND_AMOUNT, 11));
        s.exit.amount = 10;
        uint256 context = pool.exitContext(IShieldedPool.Kind.Spend, s.exit);
        vm.chainId(31338);
        assertTrue(context != pool.exitContext(IShieldedPool.Kind.Spend, s.exit), "another chain");
        vm.chainId(31337);
        assertTrue(context != pool.exitContext(IShieldedPool.Kind.Announce, s.exit), "another kind");
        send(s);
    }

    /// @dev Every value that the pool acts on and does not know is the proof's.
    function test_spend_revertsWhenPostedIsNotWhatWasProven() public {
        Spend memory s = spendOf(false, 10);
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(s.posted);
        for (uint256 i = Values.SPEND_NULLIFIERS; i < Values.SPEND_LENGTH; i++) {
            posted[i] = addmod(posted[i], 1, P);
            vm.expectRevert(StatementVerifier.ProofInvalid.selector);
            pool.spend(s.exit, s.entrySlot, 0, proof, posted);
            posted[i] = addmod(posted[i], P - 1, P);
        }
        (posted[8], posted[9]) = (posted[9], posted[8]);
        vm.expectRevert(StatementVerifier.ProofInvalid.selector);
        pool.spend(s.exit, s.entrySlot, 0, proof, posted);
        (posted[8], posted[9]) = (posted[9], posted[8]);
        posted[0] = addmod(posted[0], 1, P);
        vm.expectRevert(StatementVerifier.ProofInvalid.selector);
        pool.spend(s.exit, s.entrySlot, 0, proof, posted);
    }

    /// @dev One changes and another makes up for it under the old challenge: which is another one by then.
    function test_spend_revertsWhenOneValueMakesUpForAnother() public {
        Spend memory s = spendOf(false, 10);
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(s.posted);
        uint256 z = uint256(Fold.hash(posted)) % P;
        // − z on the first nullifier's coefficient, 1 on the second's.
        posted[8] = addmod(posted[8], P - z, P);
        posted[9] = addmod(posted[9], 1, P);
        vm.expectRevert(StatementVerifier.ProofInvalid.selector);
        pool.spend(s.exit, s.entrySlot, 0, proof, posted);
    }

    /// @dev v and v + p are one element and two words.
    function test_spend_revertsWhenANullifierIsNotReduced() public {
        Spend memory s = spendOf(false, 10);
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(s.posted);
        posted[8] += P;
        vm.expectRevert(abi.encodeWithSelector(Fold.WordNotInField.selector, 8, posted[8]));
        pool.spend(s.exit, s.entrySlot, 0, proof, posted);
    }

    function test_spend_revertsWhenPostedHasAnotherLength() public {
        Spend memory s = spendOf(false, 10);
        uint256[8] memory proof;
        uint256[] memory posted = new uint256[](15);
        vm.expectRevert(abi.encodeWithSelector(Values.LengthMismatch.selector, 15, 14));
        pool.spend(s.exit, 0, 0, proof, posted);
        posted = new uint256[](0);
        vm.expectRevert(abi.encodeWithSelector(Values.LengthMismatch.selector, 0, 14));
        pool.spend(s.exit, 0, 0, proof, posted);
    }

    function test_spend_revertsWhenARootIsNotStored() public {
        Spend memory s = spendOf(false, 10);
        s.entrySlot = 2;
        s.posted[Values.SPEND_ENTRY_ROOT] = 0;
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.SlotEmpty.selector, 2));
        s.entrySlot = 64;
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.SlotOutOfRange.selector, 64, 64));
        s = spendOf(false, 10);
        // A venue that never was: its root is 0, and that is nobody's.
        s.posted[Values.SPEND_VENUE] = venueOf(VENUE);
        s.posted[Values.SPEND_VENUE_ROOT] = 0;
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.SlotEmpty.selector, 0));
        openVenue();
        s.venueSlot = 2;
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.SlotEmpty.selector, 2));
        s.venueSlot = 8;
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.SlotOutOfRange.selector, 8, 8));
        // Another venue's root.
        s.venueSlot = 0;
        s.posted[Values.SPEND_VENUE_ROOT] = pool.venueRoot(venueOf(VENUE), 1);
        expectRevertOfSpend(s, mismatch(s.posted, Values.SPEND_VENUE_ROOT, NoteTree.EMPTY_ROOT));
        // No venue, and a tree with something in it.
        s.posted[Values.SPEND_VENUE] = 0;
        expectRevertOfSpend(s, mismatch(s.posted, Values.SPEND_VENUE_ROOT, NoteTree.EMPTY_ROOT));
    }

    function test_spend_revertsWhenANullifierWasSpent() public {
        Spend memory s = spendOf(false, 10);
        send(s);
        for (uint256 i = 0; i < 2; i++) {
            Spend memory again = spendOf(false, 10);
            again.posted[9 - i] = s.posted[8 + i];
            expectRevertOfSpend(
                again, abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, s.posted[8 + i])
            );
        }
        Spend memory twice = spendOf(false, 10);
        twice.posted[9] = twice.posted[8];
        expectRevertOfSpend(
            twice, abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, twice.posted[8])
        );
    }

    function test_spend_revertsAfterItsDeadline() public {
        Spend memory s = spendOf(false, 10);
        vm.warp(block.timestamp + 1);
        expectRevertOfSpend(
            s, abi.encodeWithSelector(IShieldedPool.DeadlinePassed.selector, s.exit.deadline, block.timestamp)
        );
    }

    function test_spend_revertsWhenNobodyGetsWhatLeaves() public {
        Spend memory s = spendOf(false, 10);
        s.exit.recipient = address(0);
        rebind(s);
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.ZeroAddress.selector));
        s = spendOf(false, 10);
        s.exit.fee = 1;
        rebind(s);
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.ZeroAddress.selector));
        (s.exit.relayer, s.exit.fee) = (RELAYER, 11);
        rebind(s);
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.FeeAboveAmount.selector, 11, 10));
        s.exit.fee = 10;
        rebind(s);
        send(s);
        assertEq(cash.balanceOf(RELAYER), 10);
        s = spendOf(false, 0);
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.RecipientUnasked.selector, BOB));
    }

    /// @dev A proof that should not exist finds no more than was recorded.
    function test_spend_revertsAboveWhatIsRecorded() public {
        cash.mint(address(pool), 5000);
        expectRevertOfSpend(
            spendOf(false, 1001),
            abi.encodeWithSelector(IShieldedPool.AboveRecorded.selector, address(cash), 1001, 1000)
        );
    }

    // Tokens.

    function test_spend_revertsWhenThePoolLosesAnotherAmount() public {
        OddToken.Oddities memory o;
        o.surcharge = 2;
        expectRevertOfOddSpend(o, transferMismatch(12));
        o.surcharge = 0;
        o.lies = true;
        expectRevertOfOddSpend(o, transferMismatch(0));
        o.lies = false;
        o.forgets = true;
        expectRevertOfOddSpend(o, transferMismatch(1000));
        o.forgets = false;
        o.saysFalse = true;
        expectRevertOfOddSpend(o, abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(cash)));
        // To itself nothing leaves.
        cash.be(abi.decode(new bytes(192), (OddToken.Oddities)));
        Spend memory s = spendOf(false, 10);
        s.exit.recipient = address(pool);
        rebind(s);
        expectRevertOfSpend(s, transferMismatch(0));
    }

    /// @dev A token that begins to charge whoever receives, or that returns nothing, keeps nobody in.
    function test_spend_goesOnWhenTheRecipientIsCharged() public {
        OddToken.Oddities memory o;
        (o.fee, o.silent) = (1, true);
        cash.be(o);
        send(spendOf(false, 10));
        assertEq(cash.balanceOf(BOB), 9);
        (uint256 recorded,) = pool.asset(address(cash));
        assertEq(recorded, 990);
        assertEq(cash.balanceOf(address(pool)), 990);
    }

    /// @dev Whoever the token blocks stands alone; its note stays.
    function test_spend_ofABlockedRecipientStopsNobodyElse() public {
        cash.setBlocked(BOB, true);
        Spend memory s = spendOf(false, 10);
        expectRevertOfSpend(s, abi.encodeWithSelector(OddToken.Blocked.selector, BOB));
        assertEq(pool.nullifier(s.posted[8]), 0);
        s.exit.recipient = address(0xa11ce);
        rebind(s);
        send(s);
        assertEq(cash.balanceOf(address(0xa11ce)), 10);
    }

    function test_spend_goesOnWhenThePoolHoldsLessThanItRecorded() public {
        cash.burn(address(pool), 100);
        send(spendOf(false, 900));
        assertEq(cash.balanceOf(BOB), 900);
    }

    function test_spend_revertsWhenReentered() public {
        Spend memory inside = spendOf(false, 10);
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(inside.posted);
        cash.callBack(address(pool), abi.encodeCall(pool.spend, (inside.exit, inside.entrySlot, 0, proof, posted)));
        expectRevertOfSpend(
            spendOf(false, 10), abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
    }

    // Announcements.

    function test_announce_turnsTheWordsOfLockedInputsAlone() public {
        Spend memory s = spendOf(true, 0);
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(s.posted);
        vm.expectEmit(address(pool));
        emit IShieldedPool.Announced(s.posted[8], block.timestamp);
        pool.spend(s.exit, s.entrySlot, 0, proof, posted);
        assertEq(pool.nullifier(s.posted[8]), block.timestamp);
        assertEq(pool.nullifier(s.posted[9]), 0);
        s = spendOf(true, 0);
        s.posted[Values.SPEND_LOCKED + 1] = 1;
        send(s);
        assertEq(pool.nullifier(s.posted[8]), block.timestamp);
        assertEq(pool.nullifier(s.posted[9]), block.timestamp);
        assertEq(pool.entry().tail, 1);
    }

    function test_announce_isNeverMovedNorWithdrawn() public {
        Spend memory s = spendOf(true, 0);
        send(s);
        uint256 time = block.timestamp;
        vm.warp(time + 1);
        Spend memory again = spendOf(true, 0);
        again.posted[8] = s.posted[8];
        expectRevertOfSpend(
            again, abi.encodeWithSelector(IShieldedPool.NullifierAlreadyAnnounced.selector, s.posted[8], time)
        );
        Spend memory twice = spendOf(true, 0);
        (twice.posted[9], twice.posted[11]) = (twice.posted[8], 1);
        expectRevertOfSpend(
            twice, abi.encodeWithSelector(IShieldedPool.NullifierAlreadyAnnounced.selector, twice.posted[8], time + 1)
        );
        Spend memory exit = spendOf(false, 10);
        send(exit);
        again.posted[8] = exit.posted[8];
        expectRevertOfSpend(again, abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, exit.posted[8]));
    }

    /// @dev With an amount, a recipient, a fee; from a root that is not stored; of nothing that is locked.
    function test_announce_revertsWhenItIsMore() public {
        Spend memory s = spendOf(true, 0);
        s.exit.recipient = BOB;
        rebind(s);
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.RecipientUnasked.selector, BOB));
        s = spendOf(true, 0);
        (s.exit.relayer, s.exit.fee) = (RELAYER, 1);
        rebind(s);
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.FeeAboveAmount.selector, 1, 0));
        s = spendOf(true, 0);
        s.posted[Values.SPEND_ENTRY_ROOT] = NoteTree.EMPTY_ROOT;
        expectRevertOfSpend(s, mismatch(s.posted, Values.SPEND_ENTRY_ROOT, entryTree.root()));
        s = spendOf(true, 0);
        s.posted[Values.SPEND_LOCKED] = 0;
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.NothingLocked.selector));
        s = spendOf(true, 0);
        s.posted[Values.SPEND_ANNOUNCE] = 2;
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.FlagNotBoolean.selector, Values.SPEND_ANNOUNCE, 2));
    }

    /// @dev A proof of an announcement is no proof of a spend, nor the other way round.
    function test_announce_isAnotherKind() public {
        Spend memory s = spendOf(true, 0);
        s.posted[Values.SPEND_ANNOUNCE] = 0;
        expectRevertOfSpend(
            s, mismatch(s.posted, Values.SPEND_CONTEXT, pool.exitContext(IShieldedPool.Kind.Spend, s.exit))
        );
        s = spendOf(false, 10);
        s.posted[Values.SPEND_ANNOUNCE] = 1;
        expectRevertOfSpend(
            s, mismatch(s.posted, Values.SPEND_CONTEXT, pool.exitContext(IShieldedPool.Kind.Announce, s.exit))
        );
    }

    function test_spend_ofALockedNoteWaitsForTheWindow() public {
        Spend memory s = spendOf(false, 10);
        s.posted[Values.SPEND_LOCKED] = 1;
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.NullifierNotAnnounced.selector, s.posted[8]));
        Spend memory announced = spendOf(true, 0);
        announced.posted[8] = s.posted[8];
        send(announced);
        uint256 time = block.timestamp;
        vm.warp(time + WINDOW);
        s.exit.deadline = block.timestamp + 1;
        rebind(s);
        expectRevertOfSpend(
            s,
            abi.encodeWithSelector(
                IShieldedPool.AnnouncementTooYoung.selector, s.posted[8], time, time + WINDOW, WINDOW
            )
        );
        // The other input is as locked as this one.
        s.posted[Values.SPEND_LOCKED + 1] = 1;
        vm.warp(time + WINDOW + 1);
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.NullifierNotAnnounced.selector, s.posted[9]));
        s.posted[Values.SPEND_LOCKED + 1] = 0;
        send(s);
        assertEq(pool.nullifier(s.posted[8]), 1);
        expectRevertOfSpend(s, abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, s.posted[8]));
    }

    function openVenue() private {
        send(actionOf(VENUE, IShieldedPool.Kind.Open, cash, 0));
        send(roundOf(VENUE, block.timestamp));
    }

    function expectRevertOfOddSpend(OddToken.Oddities memory oddities, bytes memory data) private {
        cash.be(oddities);
        expectRevertOfSpend(spendOf(false, 10), data);
    }

    function transferMismatch(uint256 moved) private view returns (bytes memory) {
        return abi.encodeWithSelector(IShieldedPool.TransferMismatch.selector, address(cash), moved, 10);
    }
}
