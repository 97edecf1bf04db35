// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Fixture} from "./Fixture.sol";
import {MerkleReference} from "./MerkleReference.sol";
import {Test} from "./Test.sol";
import {RequestStatus} from "../src/ICREDarkPool.sol";
import {IDarkPool} from "../src/interfaces/IDarkPool.sol";
import {IShieldedPool} from "../src/interfaces/IShieldedPool.sol";
import {CashToken} from "../src/demo/CashToken.sol";

/// @dev Everybody who calls the pools, in any order: depositors, the issuer, the workflow, an enclave whose proofs
/// all verify, and who tries what must be refused. It keeps a second set of books. No call of it may revert, so that
/// one that never gets through fails the run instead of passing for nothing; each counts what it has reached.
contract Handler is Fixture {
    uint256 private constant TAG_STATUS = uint256(uint88(bytes11("cdpr.status")));
    uint256 private constant SALT = 0x5a17;

    enum Reached {
        Deposit,
        Batch,
        Donation,
        Request,
        SecondRequestRefused,
        Settlement,
        OldRootSettlement,
        ReplayRefused,
        DuplicateRefused,
        UnknownRootRefused,
        StrangerRefused,
        End
    }

    MerkleReference public tree = new MerkleReference();
    mapping(Reached what => uint256) public reached;
    uint256 public calls;
    mapping(address asset => uint256) public deposited;
    /// @dev Of settlements that went through, and of those that did not and were in none that did.
    uint256[] public spent;
    uint256[] public unspent;
    bytes32[] public requests;
    uint256[] private _roots;
    /// @dev Makes what would be drawn twice another one.
    uint256 private _serial;

    modifier counted() {
        calls++;
        _;
    }

    constructor(IDarkPool.Disclosure disclosure) Fixture(address(0xf0), disclosure) {
        registerEnclave(ENCLAVE_KEY, type(uint64).max);
        registerMandate();
        cash.approve(address(pool), type(uint256).max);
        claim.approve(address(pool), type(uint256).max);
        _roots.push(pool.currentRoot());
    }

    // What goes through.

    function deposit(bool isCash, uint96 amount) external counted {
        CashToken token = _token(isCash);
        uint256 taken = uint256(amount) + 1;
        token.mint(address(this), taken);
        pool.deposit(address(token), taken, ++_serial);
        tree.push(pool.compress(pool.compress(uint160(address(token)), taken), _serial));
        _grown(Reached.Deposit);
        deposited[address(token)] += taken;
    }

    function depositBatch(bool isCash, uint96 amount, uint8 n) external counted {
        CashToken token = _token(isCash);
        uint256[] memory amounts = new uint256[](1 + n % 20);
        uint256[] memory inners = new uint256[](amounts.length);
        for (uint256 i = 0; i < amounts.length; i++) {
            (amounts[i], inners[i]) = (uint256(amount) + 1 + i, ++_serial);
            tree.push(pool.compress(pool.compress(uint160(address(token)), amounts[i]), inners[i]));
            deposited[address(token)] += amounts[i];
            token.mint(address(this), amounts[i]);
        }
        pool.depositBatch(address(token), amounts, inners);
        _grown(Reached.Batch);
    }

    function donate(bool isCash, uint96 amount) external counted {
        _token(isCash).mint(address(pool), amount);
        reached[Reached.Donation]++;
    }

    function settle(uint8 status, uint8 rootsBack) external counted {
        bytes32 id = _open();
        Fill memory f = _fill(id, status % 3);
        uint256 back = rootsBack % (_roots.length < pool.ROOTS() ? _roots.length : pool.ROOTS());
        f.inputs[1] = _roots[_roots.length - 1 - back];
        settle(id, f);
        uint256[9] memory leaves;
        for (uint256 i = 0; i < 9; i++) {
            leaves[i] = f.inputs[17 + i];
        }
        tree.pushBatch(leaves);
        for (uint256 i = 12; i < 17; i++) {
            spent.push(f.inputs[i]);
        }
        _grown(Reached.Settlement);
        if (back != 0) reached[Reached.OldRootSettlement]++;
    }

    /// @dev Ends the request in whichever way is open to it, and may wait for that.
    function end(uint8 status, uint8 way) external counted {
        bytes32 id = _open();
        IDarkPool.Request memory r = darkPool.request(id);
        if (darkPool.disclosure() == IDarkPool.Disclosure.Sealed) {
            vm.warp(r.expires + (way % 2 == 0 ? 0 : darkPool.OPENING_GRACE()));
            if (way % 2 == 0 && r.statusCommitment == _status(status % 3)) darkPool.openRequest(id, status % 3, SALT);
            else vm.warp(r.expires + darkPool.OPENING_GRACE());
            if (_isOpen(id)) darkPool.expireRequest(id);
        } else if (way % 2 == 0 && r.rounds == 0) {
            vm.prank(ISSUER);
            darkPool.cancelRequest(id);
        } else {
            vm.warp(r.expires);
            darkPool.expireRequest(id);
        }
        reached[Reached.End]++;
    }

    function pass(uint16 time) external counted {
        vm.warp(block.timestamp + time);
    }

    // What must not.

    function requestTwice(uint16 premiumBps) external counted {
        bytes32 first = _open();
        vm.prank(ISSUER);
        try darkPool.requestCollateral(bytes32(uint256(7)), premiumBps % 800, 1 hours) returns (bytes32 second) {
            requests.push(second);
        } catch (bytes memory reason) {
            _expect(reason, abi.encodeWithSelector(IDarkPool.RequestOpen.selector, first));
            reached[Reached.SecondRequestRefused]++;
        }
    }

    /// @dev One nullifier of an earlier settlement among fresh ones.
    function replay(uint256 which, uint8 slot) external counted {
        if (spent.length == 0) return;
        uint256 nullifier = spent[which % spent.length];
        bytes32 id = _open();
        Fill memory f = _fill(id, 1);
        f.inputs[12 + slot % 5] = nullifier;
        _refused(
            id,
            f,
            slot % 5,
            abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, nullifier),
            Reached.ReplayRefused
        );
    }

    /// @dev One nullifier twice.
    function duplicate(uint8 slot, uint8 other) external counted {
        if (slot % 5 == other % 5) return;
        bytes32 id = _open();
        Fill memory f = _fill(id, 1);
        f.inputs[12 + slot % 5] = f.inputs[12 + other % 5];
        bytes memory reason =
            abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, f.inputs[12 + other % 5]);
        _refused(id, f, slot % 5, reason, Reached.DuplicateRefused);
    }

    function settleUnderAnotherRoot(uint256 root) external counted {
        bytes32 id = _open();
        Fill memory f = _fill(id, 1);
        f.inputs[1] = root % P;
        if (pool.isKnownRoot(f.inputs[1])) return;
        _refused(
            id,
            f,
            5,
            abi.encodeWithSelector(IShieldedPool.UnknownRoot.selector, f.inputs[1]),
            Reached.UnknownRootRefused
        );
    }

    function settleAsStranger() external counted {
        uint256[5] memory nullifiers;
        uint256[9] memory leaves;
        for (uint256 i = 0; i < 5; i++) {
            nullifiers[i] = uint256(keccak256(abi.encode("stranger", ++_serial))) >> 8;
            unspent.push(nullifiers[i]);
        }
        uint256 root = pool.currentRoot();
        vm.prank(STRANGER);
        try pool.settle(root, nullifiers, leaves) {}
        catch (bytes memory reason) {
            _expect(
                reason, abi.encodeWithSelector(IShieldedPool.CallerNotDarkPool.selector, STRANGER, address(darkPool))
            );
            reached[Reached.StrangerRefused]++;
        }
    }

    function counts() external view returns (uint256 nSpent, uint256 nUnspent, uint256 nRequests) {
        return (spent.length, unspent.length, requests.length);
    }

    function contracts() external view returns (address pool_, address darkPool_, address cash_, address claim_) {
        return (address(pool), address(darkPool), address(cash), address(claim));
    }

    /// @dev The open request, a new one if there is none.
    function _open() private returns (bytes32 id) {
        id = darkPool.currentRequestId();
        if (id != 0 && _isOpen(id)) {
            if (block.timestamp < darkPool.request(id).expires) return id;
            // Nobody opened it in time.
            if (darkPool.disclosure() == IDarkPool.Disclosure.Sealed) {
                vm.warp(darkPool.request(id).expires + darkPool.OPENING_GRACE());
            }
            darkPool.expireRequest(id);
        }
        if (guard.halted()) {
            vm.prank(OWNER);
            guard.resume();
        }
        id = requestCollateral(uint256(keccak256(abi.encode("request", ++_serial))) >> 8, 50, 1 hours);
        requests.push(id);
        reached[Reached.Request]++;
    }

    function _isOpen(bytes32 id) private view returns (bool) {
        return uint8(darkPool.request(id).status) <= uint8(RequestStatus.PARTIALLY_FILLED);
    }

    function _fill(bytes32 id, uint256 status) private returns (Fill memory f) {
        feed.setAnswer(1e8);
        bool isSealed = darkPool.disclosure() == IDarkPool.Disclosure.Sealed;
        f = fillOf(id, isSealed ? _status(status) : status);
    }

    function _status(uint256 status) private view returns (uint256) {
        return pool.compress(TAG_STATUS + status, SALT);
    }

    /// @dev Sends what is refused. Its own nullifiers, all but that of `forged`, are then in nothing that settled:
    /// the round is numbered on only when one goes through, so they are made anew first.
    function _refused(bytes32 id, Fill memory f, uint256 forged, bytes memory expected, Reached what) private {
        for (uint256 i = 0; i < 5; i++) {
            if (i == forged || f.inputs[12 + i] == f.inputs[12 + forged % 5]) continue;
            f.inputs[12 + i] = uint256(keccak256(abi.encode("refused", ++_serial))) >> 8;
            unspent.push(f.inputs[12 + i]);
        }
        bytes memory proof = encodeProof(f);
        bytes memory attestation = attestationOf(id, f);
        try darkPool.confidentialFill(id, proof, attestation) {}
        catch (bytes memory reason) {
            _expect(reason, expected);
            reached[what]++;
        }
    }

    function _expect(bytes memory reason, bytes memory expected) private pure {
        assertEq(keccak256(reason), keccak256(expected));
    }

    function _grown(Reached what) private {
        _roots.push(pool.currentRoot());
        reached[what]++;
    }

    /// @dev Both have the same functions.
    function _token(bool isCash) private view returns (CashToken) {
        return isCash ? cash : CashToken(address(claim));
    }
}

/// @dev What holds after every call, whoever called what.
abstract contract Invariants is Test {
    /// @dev forge reads it.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev Of a run, as `foundry.toml` has it.
    uint256 private constant DEPTH = 80;

    Handler private handler;
    IShieldedPool private pool;
    IDarkPool private darkPool;
    address[2] private assets;

    constructor(IDarkPool.Disclosure disclosure) {
        handler = new Handler(disclosure);
        (address pool_, address darkPool_, address cash, address claim) = handler.contracts();
        (pool, darkPool, assets) = (IShieldedPool(pool_), IDarkPool(darkPool_), [cash, claim]);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](11);
        selectors[0] = Handler.deposit.selector;
        selectors[1] = Handler.depositBatch.selector;
        selectors[2] = Handler.donate.selector;
        selectors[3] = bytes4(keccak256("settle(uint8,uint8)"));
        selectors[4] = Handler.end.selector;
        selectors[5] = Handler.pass.selector;
        selectors[6] = Handler.requestTwice.selector;
        selectors[7] = Handler.replay.selector;
        selectors[8] = Handler.duplicate.selector;
        selectors[9] = Handler.settleUnderAnotherRoot.selector;
        selectors[10] = Handler.settleAsStranger.selector;
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    /// @dev A run that settled nothing showed nothing. A shorter one is a failure on its way to its shortest.
    function afterInvariant() external view {
        if (handler.calls() < DEPTH) return;
        assertTrue(handler.reached(Handler.Reached.Deposit) > 0, "a deposit");
        assertTrue(handler.reached(Handler.Reached.Settlement) > 0, "a settlement");
    }

    function test_everyCallOfTheHandlerReachesWhatItIsFor() public {
        handler.deposit(true, 5);
        handler.depositBatch(false, 5, 3);
        handler.donate(true, 5);
        handler.settle(1, 0);
        handler.settle(1, 2);
        handler.requestTwice(5);
        handler.replay(3, 1);
        handler.duplicate(0, 4);
        handler.settleUnderAnotherRoot(5);
        handler.settleAsStranger();
        handler.end(1, 0);
        handler.settle(2, 0);
        handler.end(0, 1);
        handler.pass(5);
        for (uint8 what = 0; what <= uint8(type(Handler.Reached).max); what++) {
            assertTrue(handler.reached(Handler.Reached(what)) > 0, "every call gets somewhere");
        }
        invariant_everyDepositIsRecordedAndNothingElse();
        invariant_thePoolHoldsWhatItRecords();
        assertTreeIsTheReference();
        invariant_nullifiersOnlyGrow();
        invariant_atMostOneRequestIsOpen();
    }

    /// @dev There are no exits yet: what is recorded is the sum of deposits, whatever settles.
    function invariant_everyDepositIsRecordedAndNothingElse() public view {
        for (uint256 i = 0; i < 2; i++) {
            assertEq(pool.recorded(assets[i]), handler.deposited(assets[i]));
        }
    }

    function invariant_thePoolHoldsWhatItRecords() public view {
        for (uint256 i = 0; i < 2; i++) {
            uint256 balance = IERC20(assets[i]).balanceOf(address(pool));
            assertTrue(pool.recorded(assets[i]) <= balance, "recorded is at most the balance");
        }
    }

    /// @dev The reference hashes every leaf anew. A tree that has once left it never meets it again, so that a look at
    /// every eighth call, the last one among them, sees what a look at each would.
    function invariant_theRootIsTheReferences() public view {
        if (handler.calls() % 8 == 0) assertTreeIsTheReference();
    }

    /// @dev What was once spent stays so, and what was refused never was.
    function invariant_nullifiersOnlyGrow() public view {
        (uint256 nSpent, uint256 nUnspent,) = handler.counts();
        assertEq(nSpent, 5 * handler.reached(Handler.Reached.Settlement));
        for (uint256 i = 0; i < nSpent; i++) {
            assertTrue(pool.isSpent(handler.spent(i)), "spent once, spent for good");
        }
        for (uint256 i = 0; i < nUnspent; i++) {
            assertTrue(!pool.isSpent(handler.unspent(i)), "refused, so not spent");
        }
    }

    function invariant_atMostOneRequestIsOpen() public view {
        (,, uint256 n) = handler.counts();
        uint256 open = 0;
        for (uint256 i = 0; i < n; i++) {
            bytes32 id = handler.requests(i);
            if (uint8(darkPool.request(id).status) > uint8(RequestStatus.PARTIALLY_FILLED)) continue;
            open++;
            assertEq(id, darkPool.currentRequestId());
        }
        assertTrue(open <= 1, "one request at a time");
    }

    function assertTreeIsTheReference() private view {
        assertEq(pool.nextIndex(), handler.tree().length());
        assertEq(pool.currentRoot(), handler.tree().root());
    }
}

contract ImmediateInvariantsTest is Invariants(IDarkPool.Disclosure.Immediate) {}

contract SealedInvariantsTest is Invariants(IDarkPool.Disclosure.Sealed) {}
