// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Test} from "./Test.sol";
import {FeeToken, PlainToken, ReentrantToken} from "./Tokens.sol";
import {MerkleReference} from "./MerkleReference.sol";
import {Poseidon2Plain} from "./Poseidon2Plain.sol";
import {IShieldedPool} from "../src/interfaces/IShieldedPool.sol";
import {ShieldedPool} from "../src/ShieldedPool.sol";
import {Poseidon2} from "../src/libraries/Poseidon2.sol";

contract ShieldedPoolTest is Test {
    address private constant STRANGER = address(0xbad);
    /// @dev Slot of darkPool, _nextIndex and _rootCursor: 20, 8 and 4 bytes from the right.
    bytes32 private constant HEAD_SLOT = bytes32(uint256(0));

    PlainToken private token = new PlainToken();
    FeeToken private feeToken = new FeeToken();
    ReentrantToken private reentrantToken = new ReentrantToken();
    ShieldedPool private pool;
    MerkleReference private tree = new MerkleReference();

    constructor() {
        address[] memory assets = new address[](3);
        (assets[0], assets[1], assets[2]) = (address(token), address(feeToken), address(reentrantToken));
        pool = new ShieldedPool(assets);
        pool.wire(address(this));
        token.mint(address(this), type(uint128).max);
        token.approve(address(pool), type(uint256).max);
    }

    function test_deposit_buildsTheTreeOfTheReference() public {
        assertEq(pool.currentRoot(), tree.root());
        for (uint256 i = 0; i < 35; i++) {
            uint256 index = depositOne(100 + i, i);
            assertEq(index, i);
            assertEq(pool.currentRoot(), tree.root());
        }
        assertEq(pool.nextIndex(), 35);
    }

    function test_deposit_computesTheCommitment() public {
        uint256 cm = Poseidon2Plain.compress(Poseidon2Plain.compress(uint160(address(token)), 7), 9);
        vm.expectEmit(address(pool));
        emit IShieldedPool.Deposited(address(token), 7, cm, 0);
        pool.deposit(address(token), 7, 9);
        assertEq(pool.recorded(address(token)), 7);
        assertEq(token.balanceOf(address(pool)), 7);
    }

    function test_settle_buildsTheTreeOfTheReferenceAfterDeposits() public {
        for (uint256 n = 0; n <= 17; n += n < 15 ? 3 : 1) {
            for (uint256 i = 0; i < n; i++) {
                depositOne(1, 1000 * n + i);
            }
            settleOne(n);
            assertEq(pool.nextIndex() % 16, 0);
            assertEq(pool.currentRoot(), tree.root());
            depositOne(1, 77 + n);
            assertEq(pool.currentRoot(), tree.root());
        }
    }

    /// forge-config: default.fuzz.runs = 12
    function testFuzz_anyOrderOfInsertions_buildsTheTreeOfTheReference(uint8[12] memory steps) public {
        for (uint256 i = 0; i < steps.length; i++) {
            uint256 n = steps[i] % 9;
            if (n == 0) {
                settleOne(i);
            } else {
                depositMany(n, 1 + uint256(steps[i]), i);
            }
            assertEq(pool.currentRoot(), tree.root());
            assertEq(pool.nextIndex(), tree.length());
        }
        assertEq(token.balanceOf(address(pool)), pool.recorded(address(token)));
    }

    function test_depositBatch_keepsOneRootOnly() public {
        uint256 before = pool.currentRoot();
        depositMany(20, 5, 1);
        assertEq(pool.currentRoot(), tree.root());
        assertTrue(pool.isKnownRoot(before), "the root before the batch is one back");
        assertEq(pool.recorded(address(token)), 100);
    }

    function test_settle_takesTheLastSixtyFourRoots() public {
        uint256 first = pool.currentRoot();
        for (uint256 i = 0; i < 63; i++) {
            depositOne(1, i);
        }
        assertTrue(pool.isKnownRoot(first), "63 insertions later");
        depositOne(1, 63);
        assertTrue(!pool.isKnownRoot(first), "64 insertions later");
        assertTrue(!pool.isKnownRoot(0), "0 fills the unused slots");
        assertTrue(pool.isKnownRoot(pool.currentRoot()), "the newest");
    }

    function test_settle_recordsNullifiersAndEmitsLeaves() public {
        uint256[9] memory leaves = leavesOf(3);
        uint256[] memory expected = new uint256[](9);
        for (uint256 i = 0; i < 9; i++) {
            expected[i] = leaves[i];
        }
        depositOne(1, 1);
        uint256 root = pool.currentRoot();
        vm.expectEmit(address(pool));
        emit IShieldedPool.NullifierSpent(41);
        vm.expectEmit(address(pool));
        emit IShieldedPool.NullifierSpent(42);
        vm.expectEmit(address(pool));
        emit IShieldedPool.NullifierSpent(43);
        vm.expectEmit(address(pool));
        emit IShieldedPool.NullifierSpent(44);
        vm.expectEmit(address(pool));
        emit IShieldedPool.NullifierSpent(45);
        vm.expectEmit(address(pool));
        emit IShieldedPool.LeavesInserted(16, expected);
        pool.settle(root, [uint256(41), 42, 43, 44, 45], leaves);
        assertTrue(pool.isSpent(41) && pool.isSpent(45), "spent");
        assertTrue(!pool.isSpent(46), "not spent");
    }

    function test_settle_revertsWhenCallerIsNotTheDarkPool() public {
        uint256 root = pool.currentRoot();
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.CallerNotDarkPool.selector, STRANGER, address(this)));
        vm.prank(STRANGER);
        pool.settle(root, nullifiersOf(0), leavesOf(0));
    }

    function test_settle_revertsWhenRootIsUnknown() public {
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.UnknownRoot.selector, 12));
        pool.settle(12, nullifiersOf(0), leavesOf(0));
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.UnknownRoot.selector, 0));
        pool.settle(0, nullifiersOf(0), leavesOf(0));
    }

    function test_settle_revertsWhenNullifierIsSpent() public {
        settleOne(0);
        uint256[5] memory nullifiers = nullifiersOf(1);
        nullifiers[4] = nullifiersOf(0)[2];
        uint256 root = pool.currentRoot();
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, nullifiers[4]));
        pool.settle(root, nullifiers, leavesOf(1));
    }

    function test_settle_revertsWhenNullifierIsThereTwice() public {
        uint256[5] memory nullifiers = nullifiersOf(1);
        nullifiers[3] = nullifiers[0];
        uint256 root = pool.currentRoot();
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, nullifiers[0]));
        pool.settle(root, nullifiers, leavesOf(1));
    }

    function test_settle_revertsWhenTreeIsFull() public {
        setNextIndex((1 << 32) - 15);
        uint256 root = pool.currentRoot();
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.TreeFull.selector, (1 << 32) - 15, 31));
        pool.settle(root, nullifiersOf(1), leavesOf(1));
    }

    function test_deposit_fillsTheLastLeafAndThenRevertsWhenTreeIsFull() public {
        setNextIndex((1 << 32) - 1);
        pool.deposit(address(token), 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.TreeFull.selector, 1 << 32, 1));
        pool.deposit(address(token), 1, 1);
    }

    function test_deposit_revertsWhenAssetIsNotAllowed() public {
        PlainToken other = new PlainToken();
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.AssetNotAllowed.selector, address(other)));
        pool.deposit(address(other), 1, 1);
    }

    function test_deposit_revertsWhenAmountIsOutOfRange() public {
        uint256 most = (1 << 112) - 1;
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.AmountOutOfRange.selector, 0, most));
        pool.deposit(address(token), 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.AmountOutOfRange.selector, most + 1, most));
        pool.deposit(address(token), most + 1, 1);
        pool.deposit(address(token), most, 1);
    }

    function test_deposit_revertsWhenInnerIsNotInField() public {
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.NotInField.selector, Poseidon2.P));
        pool.deposit(address(token), 1, Poseidon2.P);
    }

    function test_deposit_revertsWhenTokenTakesAFee() public {
        feeToken.mint(address(this), 10);
        feeToken.approve(address(pool), 10);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.TransferMismatch.selector, 9, 10));
        pool.deposit(address(feeToken), 10, 1);
    }

    function test_deposit_revertsWhenTokenReenters() public {
        reentrantToken.mint(address(this), 10);
        reentrantToken.approve(address(pool), 10);
        vm.expectRevert(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        pool.deposit(address(reentrantToken), 10, 1);
    }

    function test_deposit_revertsWhenPoolHoldsLessThanRecorded() public {
        pool.deposit(address(token), 10, 1);
        token.burnFrom(address(pool), 1);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.BalanceBelowRecorded.selector, address(token), 9, 10));
        pool.deposit(address(token), 10, 1);
    }

    function test_deposit_ignoresADonation() public {
        token.transfer(address(pool), 1000);
        pool.deposit(address(token), 10, 1);
        assertEq(pool.recorded(address(token)), 10);
    }

    function test_depositBatch_revertsWhenLengthsDiffer() public {
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.LengthMismatch.selector, 2, 1));
        pool.depositBatch(address(token), new uint256[](2), new uint256[](1));
    }

    function test_depositBatch_revertsWhenEmpty() public {
        vm.expectRevert(IShieldedPool.EmptyBatch.selector);
        pool.depositBatch(address(token), new uint256[](0), new uint256[](0));
    }

    function test_wire_revertsWhenCallerIsNotTheDeployerOrItIsWired() public {
        ShieldedPool fresh = new ShieldedPool(new address[](0));
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.CallerNotDeployer.selector, STRANGER, address(this)));
        vm.prank(STRANGER);
        fresh.wire(STRANGER);
        vm.expectRevert(IShieldedPool.ZeroAddress.selector);
        fresh.wire(address(0));
        fresh.wire(address(1));
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.AlreadyWired.selector, address(1)));
        fresh.wire(address(2));
    }

    function test_compress_revertsWhenInputIsNotInField() public {
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.NotInField.selector, Poseidon2.P));
        pool.compress(Poseidon2.P, 0);
        vm.expectRevert(abi.encodeWithSelector(IShieldedPool.NotInField.selector, Poseidon2.P + 1));
        pool.compress(0, Poseidon2.P + 1);
        assertEq(pool.compress(1, 2), Poseidon2Plain.compress(1, 2));
    }

    /// forge-config: default.isolate = true
    function test_deposit_staysWithinItsGasBudget() public {
        depositMany(3, 1, 0);
        pool.deposit(address(token), 1, 1);
        uint256 used = vm.lastCallGas().gasTotalUsed;
        emit GasMeasured("deposit, fourth leaf", used);
        assertTrue(used <= 440_000, "deposit costs more than its budget");
        depositMany(20, 1, 1);
        used = vm.lastCallGas().gasTotalUsed;
        emit GasMeasured("depositBatch of 20", used);
        assertTrue(used <= 1_100_000, "depositBatch costs more than its budget");
    }

    function depositOne(uint256 amount, uint256 inner) private returns (uint256 index) {
        index = pool.deposit(address(token), amount, inner);
        tree.push(commitment(amount, inner));
    }

    function depositMany(uint256 n, uint256 amount, uint256 salt) private {
        uint256[] memory amounts = new uint256[](n);
        uint256[] memory inners = new uint256[](n);
        for (uint256 i = 0; i < n; i++) {
            (amounts[i], inners[i]) = (amount, 1000 * salt + i);
            tree.push(commitment(amounts[i], inners[i]));
        }
        pool.depositBatch(address(token), amounts, inners);
    }

    function settleOne(uint256 salt) private {
        pool.settle(pool.currentRoot(), nullifiersOf(salt), leavesOf(salt));
        tree.pushBatch(leavesOf(salt));
    }

    function commitment(uint256 amount, uint256 inner) private view returns (uint256) {
        return Poseidon2.compress(Poseidon2.compress(uint160(address(token)), amount), inner);
    }

    function nullifiersOf(uint256 salt) private pure returns (uint256[5] memory nullifiers) {
        for (uint256 i = 0; i < 5; i++) {
            nullifiers[i] = uint256(keccak256(abi.encode("nullifier", salt, i))) >> 8;
        }
    }

    function leavesOf(uint256 salt) private pure returns (uint256[9] memory leaves) {
        for (uint256 i = 0; i < 9; i++) {
            leaves[i] = uint256(keccak256(abi.encode("leaf", salt, i))) >> 8;
        }
    }

    function setNextIndex(uint256 index) private {
        uint256 head = uint256(vm.load(address(pool), HEAD_SLOT));
        head = (head & ~(uint256(type(uint64).max) << 160)) | (index << 160);
        vm.store(address(pool), HEAD_SLOT, bytes32(head));
        assertEq(pool.nextIndex(), index);
    }
}
