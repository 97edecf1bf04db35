// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {OddToken} from "./OddToken.sol";
import {PoolFixture} from "./PoolFixture.sol";
import {Poseidon2Width4Plain} from "./Poseidon2Width4Plain.sol";
import {StatementVerifier} from "./StatementVerifier.sol";
import {Devnet} from "../../src/libraries/Devnet.sol";
import {Fold} from "../../src/libraries/Fold.sol";
import {ShieldedPool} from "../../src/second/ShieldedPool.sol";
import {IShieldedPool} from "../../src/second/interfaces/IShieldedPool.sol";
import {NoteTree} from "../../src/second/libraries/NoteTree.sol";
import {Values} from "../../src/second/libraries/Values.sol";

/// @dev Construction, deposits and absorptions.
contract DepositTest is PoolFixture {
    uint256 private constant TAG_LEAF = uint256(uint72(bytes9("cdpr.leaf")));
    /// @dev head 48, tail 48, nextIndex 40, cursor 8, period 40 bits from the right.
    bytes32 private constant ENTRY_SLOT = 0;

    // Construction.

    function test_constructor_listsAssetsAndVerifiersForGood() public view {
        (uint256 recorded, uint256 cap) = pool.asset(address(cash));
        assertEq(recorded, 0);
        assertEq(cap, CAP);
        (, cap) = pool.asset(address(this));
        assertEq(cap, 0);
        assertEq(pool.settleWindow(), WINDOW);
        assertEq(pool.entryRoot(0), NoteTree.EMPTY_ROOT);
        assertEq(keccak256(abi.encode(pool.verifiers())), keccak256(abi.encode(verifiers())));
    }

    function test_constructor_revertsWhenAnAssetOrItsCapIsNone() public {
        expectRevertOfPool(_both(address(cash), address(0)), _both(1, 1), IShieldedPool.ZeroAddress.selector, "");
        expectRevertOfPool(
            _both(address(cash), address(cash)),
            _both(1, 1),
            IShieldedPool.AssetListedTwice.selector,
            abi.encode(address(cash))
        );
        uint256 max = (1 << 112) - 1;
        expectRevertOfPool(
            _both(address(cash), address(claim)),
            _both(1, 0),
            IShieldedPool.CapOutOfRange.selector,
            abi.encode(address(claim), 0, max)
        );
        expectRevertOfPool(
            _both(address(cash), address(claim)),
            _both(max, max + 1),
            IShieldedPool.CapOutOfRange.selector,
            abi.encode(address(claim), max + 1, max)
        );
        expectRevertOfPool(
            _both(address(cash), address(claim)), new uint256[](1), Values.LengthMismatch.selector, abi.encode(1, 2)
        );
    }

    function test_constructor_revertsWhenTheWindowIsNone() public {
        uint256[2] memory windows = [uint256(59), 1 hours + 1];
        for (uint256 i = 0; i < 2; i++) {
            vm.expectRevert(
                abi.encodeWithSelector(IShieldedPool.WindowOutOfRange.selector, windows[i], 1 minutes, 1 hours)
            );
            new ShieldedPool(new address[](0), new uint256[](0), windows[i], verifiers());
        }
        new ShieldedPool(new address[](0), new uint256[](0), 1 minutes, verifiers());
        new ShieldedPool(new address[](0), new uint256[](0), 1 hours, verifiers());
    }

    /// @dev E12: whatever tool deploys, and whichever of the five it is.
    function test_constructor_revertsWhenADevelopmentVerifierIsOffDevnet() public {
        address ceremony = address(new StatementVerifier(false));
        address development = address(new StatementVerifier(true));
        vm.chainId(1);
        for (uint256 i = 0; i < 5; i++) {
            address[5] memory v = [ceremony, ceremony, ceremony, ceremony, ceremony];
            v[i] = development;
            vm.expectRevert(abi.encodeWithSelector(Devnet.DevelopmentVerifierOffDevnet.selector, 1, 31337));
            new ShieldedPool(
                new address[](0), new uint256[](0), WINDOW, IShieldedPool.Verifiers(v[0], v[1], v[2], v[3], v[4])
            );
            // What does not say is not asked twice.
            v[i] = address(cash);
            vm.expectRevert();
            new ShieldedPool(
                new address[](0), new uint256[](0), WINDOW, IShieldedPool.Verifiers(v[0], v[1], v[2], v[3], v[4])
            );
        }
        new ShieldedPool(
            new address[](0),
            new uint256[](0),
            WINDOW,
            IShieldedPool.Verifiers(ceremony, ceremony, ceremony, ceremony, ceremony)
        );
    }

    function test_constructor_revertsWhenAVerifierIsMissing() public {
        IShieldedPool.Verifiers memory v = verifiers();
        v.absorbMany = address(0);
        new ShieldedPool(new address[](0), new uint256[](0), WINDOW, v);
        v.clear = address(0);
        vm.expectRevert(IShieldedPool.ZeroAddress.selector);
        new ShieldedPool(new address[](0), new uint256[](0), WINDOW, v);
    }

    // Deposits.

    function test_deposit_queuesItsLeafAndRecordsWhatCameIn() public {
        for (uint256 i = 0; i < 3; i++) {
            uint256 leaf = Poseidon2Width4Plain.compress([TAG_LEAF, uint160(address(claim)), 100 + i, 7]);
            vm.expectEmit(address(pool));
            emit IShieldedPool.Deposited(address(claim), 100 + i, i);
            vm.expectEmit(address(pool));
            emit IShieldedPool.Queued(i, leaf, 8, type(uint256).max);
            assertEq(pool.deposit(address(claim), 100 + i, 7, 8, type(uint256).max), i);
            assertEq(pool.queuedLeaf(i), leaf);
        }
        (uint256 recorded,) = pool.asset(address(claim));
        assertEq(recorded, 303);
        assertEq(claim.balanceOf(address(pool)), 303);
        assertEq(pool.entry().tail, 3);
        assertEq(pool.entry().head, 0);
    }

    function test_deposit_revertsWhenAmountAssetOrInnerIsNone() public {
        uint256 max = (1 << 112) - 1;
        expectRevertOfDeposit(cash, 0, 1, abi.encodeWithSelector(IShieldedPool.AmountOutOfRange.selector, 0, max));
        expectRevertOfDeposit(
            cash, max + 1, 1, abi.encodeWithSelector(IShieldedPool.AmountOutOfRange.selector, max + 1, max)
        );
        OddToken other = new OddToken();
        expectRevertOfDeposit(
            other, 1, 1, abi.encodeWithSelector(IShieldedPool.AssetNotListed.selector, address(other))
        );
        expectRevertOfDeposit(cash, 1, P, abi.encodeWithSelector(IShieldedPool.NotInField.selector, P));
        pool.deposit(address(cash), 1, P - 1, 0, 0);
    }

    function test_deposit_revertsAboveTheCap() public {
        deposit(cash, 1);
        expectRevertOfDeposit(
            cash, CAP, 1, abi.encodeWithSelector(IShieldedPool.CapExceeded.selector, address(cash), CAP + 1, CAP)
        );
        deposit(cash, CAP - 1);
        cash.mint(address(this), 1);
        expectRevertOfDeposit(
            cash, 1, 1, abi.encodeWithSelector(IShieldedPool.CapExceeded.selector, address(cash), CAP + 1, CAP)
        );
        // Each asset has its own.
        deposit(claim, CAP);
    }

    function test_deposit_revertsWhenLessThanAQuarterOfTheQueueIsFree() public {
        depositMany(193);
        expectRevertOfDeposit(cash, 1, 1, abi.encodeWithSelector(IShieldedPool.QueueBusy.selector, 193, 256));
        absorb(1);
        deposit(cash, 1);
    }

    /// @dev Makers approve the pool, and anyone can call it.
    function test_deposit_takesTheCallersTokensAlone() public {
        vm.prank(BOB);
        vm.expectRevert(abi.encodeWithSelector(OddToken.Short.selector, 0, 1));
        pool.deposit(address(cash), 1, 1, 0, 0);
    }

    function test_deposit_revertsWhenTheTokenIsOdd() public {
        deposit(cash, 5);
        OddToken.Oddities memory o;
        o.fee = 1;
        expectRevertOfOddDeposit(o, transferMismatch(9));
        o.fee = 0;
        o.lies = true;
        expectRevertOfOddDeposit(o, transferMismatch(0));
        o.lies = false;
        o.forgets = true;
        expectRevertOfOddDeposit(o, transferMismatch(0));
        o.forgets = false;
        o.saysFalse = true;
        expectRevertOfOddDeposit(o, abi.encodeWithSelector(SafeERC20.SafeERC20FailedOperation.selector, address(cash)));
        (uint256 recorded,) = pool.asset(address(cash));
        assertEq(recorded, 5);
        assertEq(pool.entry().tail, 1);
    }

    /// @dev What the balance says is enough.
    function test_deposit_takesTokensThatReturnNothing() public {
        OddToken.Oddities memory o;
        o.silent = true;
        cash.be(o);
        deposit(cash, 10);
        assertEq(cash.balanceOf(address(pool)), 10);
    }

    function test_deposit_revertsWhenThePoolHoldsLessThanItRecorded() public {
        deposit(cash, 10);
        cash.burn(address(pool), 1);
        expectRevertOfDeposit(
            cash, 1, 1, abi.encodeWithSelector(IShieldedPool.BalanceBelowRecorded.selector, address(cash), 9, 10)
        );
        deposit(claim, 10);
    }

    function test_deposit_countsNoDonation() public {
        cash.mint(address(pool), 10);
        deposit(cash, 1);
        (uint256 recorded,) = pool.asset(address(cash));
        assertEq(recorded, 1);
    }

    function test_deposit_revertsWhenReentered() public {
        cash.callBack(address(pool), abi.encodeCall(pool.deposit, (address(cash), 1, 1, 0, 0)));
        expectRevertOfDeposit(
            cash, 1, 1, abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
        );
    }

    // Absorptions.

    function test_absorb_appendsTheQueueInItsOrder() public {
        uint256[5] memory counts = [uint256(1), 16, 17, 64, 3];
        for (uint256 i = 0; i < 5; i++) {
            depositMany(counts[i] + 1);
            vm.warp(block.timestamp + 60);
            absorb(counts[i]);
            IShieldedPool.Entry memory e = pool.entry();
            assertEq(e.nextIndex, entryTree.length());
            assertEq(e.cursor, i + 1);
            assertEq(pool.entryRoot(e.cursor), entryTree.root());
            assertEq(e.tail - e.head, i + 1);
        }
        // 16, 32, aligned to 64 and 128, 192, and 16 more.
        assertEq(pool.entry().nextIndex, 208);
    }

    function test_absorb_saysWhichLeavesWentWhere() public {
        depositMany(5);
        absorb(2);
        uint256[] memory posted = absorptionOf(3);
        uint256[8] memory proof;
        (proof, posted) = absorbs.prove(posted);
        vm.expectEmit(address(pool));
        emit IShieldedPool.Absorbed(2, 3, 16, posted[Values.ABSORB_ROOT_AFTER]);
        pool.absorb(2, 3, posted[Values.ABSORB_ROOT_AFTER], posted[0], proof);
    }

    /// @dev The ring goes round: 256 places, 300 leaves.
    function test_absorb_goesOnAfterALap() public {
        for (uint256 i = 0; i < 5; i++) {
            depositMany(60);
            absorb(60);
            assertEq(pool.entryRoot(pool.entry().cursor), entryTree.root());
        }
        assertEq(pool.entry().head, 300);
    }

    function test_absorb_revertsWhenTheProofIsOfOtherLeavesOrAnotherPlace() public {
        depositMany(20);
        absorb(4);
        for (uint256 index = 1; index < Values.ABSORB_LEAVES + 16; index++) {
            uint256[] memory posted = absorptionOf(10);
            posted[index] = addmod(posted[index], 1, P);
            expectRevertOfAbsorption(10, posted, posted[Values.ABSORB_ROOT_AFTER] - (index == 2 ? 1 : 0));
        }
        // Two leaves in each other's place.
        uint256[] memory swapped = absorptionOf(10);
        (swapped[4], swapped[5]) = (swapped[5], swapped[4]);
        expectRevertOfAbsorption(10, swapped, swapped[Values.ABSORB_ROOT_AFTER]);
        // One leaf more than is taken.
        swapped = absorptionOf(11);
        expectRevertOfAbsorption(10, swapped, swapped[Values.ABSORB_ROOT_AFTER]);
        absorb(10);
    }

    function test_absorb_revertsWhenAValueIsNotReduced() public {
        depositMany(1);
        uint256[] memory posted = absorptionOf(1);
        uint256[8] memory proof;
        (proof, posted) = absorbs.prove(posted);
        uint256 root = posted[Values.ABSORB_ROOT_AFTER];
        vm.expectRevert(abi.encodeWithSelector(Fold.WordNotInField.selector, 2, root + P));
        pool.absorb(0, 1, root + P, posted[0], proof);
        vm.expectRevert(abi.encodeWithSelector(Fold.WordNotInField.selector, 0, posted[0] + P));
        pool.absorb(0, 1, root, posted[0] + P, proof);
    }

    function test_absorb_revertsWhenTheQueueIsElsewhereOrShorter() public {
        depositMany(3);
        absorb(1);
        uint256[8] memory proof;
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.QueueMoved.selector, 0, 1));
        pool.absorb(0, 1, 1, 1, proof);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.CountOutOfRange.selector, 0, 2));
        pool.absorb(1, 0, 1, 1, proof);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.CountOutOfRange.selector, 3, 2));
        pool.absorb(1, 3, 1, 1, proof);
        depositMany(100);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.CountOutOfRange.selector, 65, 64));
        pool.absorb(1, 65, 1, 1, proof);
    }

    function test_absorb_takesNoMoreThanSixteenWithoutAVerifierForMore() public {
        IShieldedPool.Verifiers memory v = verifiers();
        v.absorbMany = address(0);
        pool = new ShieldedPool(_both(address(cash), address(claim)), _both(CAP, CAP), WINDOW, v);
        _endow(address(this));
        depositMany(20);
        uint256[8] memory proof;
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.CountOutOfRange.selector, 17, 16));
        pool.absorb(0, 17, 1, 1, proof);
        absorb(16);
    }

    function test_absorb_revertsWhenTheTreeIsFull() public {
        depositMany(20);
        uint256[8] memory proof;
        uint256 last = (1 << 32) - 16;
        setNextIndex(last + 16);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.TreeFull.selector, last + 16, 16));
        pool.absorb(0, 1, 1, 1, proof);
        setNextIndex(last);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.TreeFull.selector, last, 64));
        pool.absorb(0, 17, 1, 1, proof);
        // The last batch of the tree.
        uint256[] memory posted = absorptionOf(1);
        posted[Values.ABSORB_INDEX] = last;
        (proof, posted) = absorbs.prove(posted);
        pool.absorb(0, 1, posted[Values.ABSORB_ROOT_AFTER], posted[0], proof);
        assertEq(pool.entry().nextIndex, last + 16);
    }

    // Roots.

    function test_roots_areOneAMinute() public {
        depositMany(10);
        absorb(1);
        uint256 first = entryTree.root();
        assertEq(pool.entry().cursor, 1);
        vm.warp(block.timestamp + 59);
        absorb(1);
        assertEq(pool.entry().cursor, 1);
        assertTrue(pool.entryRoot(1) != first, "within its minute a root is overwritten");
        uint256 last = entryTree.root();
        vm.warp(block.timestamp + 1);
        absorb(1);
        assertEq(pool.entry().cursor, 2);
        assertEq(pool.entryRoot(1), last);
        // A quiet hour, then one absorption: one step, whatever the clock says.
        vm.warp(block.timestamp + 1 hours);
        assertEq(pool.entryRoot(2), entryTree.root());
        absorb(1);
        assertEq(pool.entry().cursor, 3);
        assertEq(pool.entryRoot(1), last);
    }

    /// @dev E5: no spam evicts a root that a proof in flight uses.
    function test_roots_lastOfAMinuteOutlivesSixtyThreeMinutesOfSpam() public {
        depositMany(70);
        uint256 root = absorbToAnyRoot();
        for (uint256 i = 0; i < 63; i++) {
            vm.warp(block.timestamp + 60);
            absorbToAnyRoot();
            assertEq(pool.entryRoot(1), root);
        }
        Spend memory s = spendOf(false, 1);
        s.entrySlot = 1;
        s.posted[Values.SPEND_ENTRY_ROOT] = root;
        uint256 state = vm.snapshotState();
        send(s);
        vm.revertToState(state);
        vm.warp(block.timestamp + 60);
        s.exit.deadline = block.timestamp;
        rebind(s);
        uint256 newest = absorbToAnyRoot();
        expectRevertOfSpend(s, mismatch(s.posted, Values.SPEND_ENTRY_ROOT, newest));
    }

    function test_views_revertOutsideOfTheirRings() public {
        depositMany(2);
        absorb(1);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.NotQueued.selector, 0, 1, 2));
        pool.queuedLeaf(0);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.NotQueued.selector, 2, 1, 2));
        pool.queuedLeaf(2);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.SlotOutOfRange.selector, 64, 64));
        pool.entryRoot(64);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.SlotOutOfRange.selector, 8, 8));
        pool.venueRoot(1, 8);
    }

    function expectRevertOfPool(address[] memory assets, uint256[] memory caps, bytes4 selector, bytes memory arguments)
        private
    {
        IShieldedPool.Verifiers memory v = verifiers();
        vm.expectRevert(abi.encodePacked(selector, arguments));
        new ShieldedPool(assets, caps, WINDOW, v);
    }

    function expectRevertOfDeposit(OddToken token, uint256 amount, uint256 inner, bytes memory data) private {
        vm.expectRevert(data);
        pool.deposit(address(token), amount, inner, 0, 0);
    }

    function expectRevertOfOddDeposit(OddToken.Oddities memory oddities, bytes memory data) private {
        cash.be(oddities);
        expectRevertOfDeposit(cash, 10, 1, data);
    }

    function expectRevertOfAbsorption(uint256 count, uint256[] memory posted, uint256 rootAfter) private {
        uint256[8] memory proof;
        (proof, posted) = absorbs.prove(posted);
        vm.expectRevert(StatementVerifier.ProofInvalid.selector);
        pool.absorb(4, count, rootAfter, posted[0], proof);
    }

    function transferMismatch(uint256 moved) private view returns (bytes memory) {
        return abi.encodeWithSelector(IShieldedPool.TransferMismatch.selector, address(cash), moved, 10);
    }

    function setNextIndex(uint256 index) private {
        uint256 word = uint256(vm.load(address(pool), ENTRY_SLOT));
        word = word & ~(uint256(type(uint40).max) << 96) | index << 96;
        vm.store(address(pool), ENTRY_SLOT, bytes32(word));
        assertEq(pool.entry().nextIndex, index);
    }
}
