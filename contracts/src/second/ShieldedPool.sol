// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IClearingVerifier} from "../interfaces/IClearingVerifier.sol";
import {Devnet} from "../libraries/Devnet.sol";
import {Fold} from "../libraries/Fold.sol";
import {IRelationVerifier} from "./interfaces/IRelationVerifier.sol";
import {IShieldedPool} from "./interfaces/IShieldedPool.sol";
import {NoteTree} from "./libraries/NoteTree.sol";
import {Values} from "./libraries/Values.sol";

/// @title The pool, which nobody owns.
/// @dev Every function with a proof goes the same way: the length of `posted`, each value the pool knows, the rule of
/// the words and the clock, the proof, then state, event and, last, tokens. Values are read from the one array in
/// memory that was folded.
contract ShieldedPool is IShieldedPool, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using Values for uint256[];

    // Constants

    /// @notice Amounts are below this: what the circuits range-check.
    uint256 public constant AMOUNT_LIMIT = 1 << 112;
    /// @notice Leaves that can wait. Filling three quarters costs an attacker some 21 M gas, and each absorption of 64
    /// for 0.4 M takes a third of it back.
    uint256 public constant QUEUE_SIZE = 256;
    /// @notice Roots of the entry tree that are kept, one a minute in which leaves entered.
    uint256 public constant ENTRY_ROOTS = 64;
    /// @notice Roots of a venue's tree that are kept, one for every five minutes in which a round settled.
    uint256 public constant VENUE_ROOTS = 8;
    /// @inheritdoc IShieldedPool
    uint256 public constant override GRACE = 2 minutes;
    /// @notice Shortest window: a proof and a transaction take some ten seconds each.
    uint256 public constant SETTLE_WINDOW_MIN = 1 minutes;
    /// @notice Longest window: nobody who wants to leave waits longer.
    uint256 public constant SETTLE_WINDOW_MAX = 1 hours;

    /// @dev Leaves of a settlement, and of the smaller absorption.
    uint256 private constant BATCH = 16;
    uint256 private constant BATCH_MANY = 64;
    uint256 private constant ENTRY_PERIOD = 1 minutes;
    uint256 private constant VENUE_PERIOD = 5 minutes;
    /// @dev The word of a nullifier that was spent. No announcement is as old.
    uint256 private constant SPENT = 1;

    // Immutables

    /// @inheritdoc IShieldedPool
    uint256 public immutable override settleWindow;
    IRelationVerifier private immutable _absorbVerifier;
    IRelationVerifier private immutable _absorbManyVerifier;
    IRelationVerifier private immutable _spendVerifier;
    IRelationVerifier private immutable _accountVerifier;
    IRelationVerifier private immutable _clearVerifier;

    // Storage

    /// @dev Cap 0: not listed.
    struct Asset {
        uint112 recorded;
        uint112 cap;
    }

    Entry private _entry;
    uint256[ENTRY_ROOTS] private _entryRoots;
    uint256[QUEUE_SIZE] private _queue;
    mapping(uint256 nullifier => uint256 word) private _nullifiers;
    mapping(uint256 venue => Venue) private _venues;
    mapping(uint256 venue => uint256[VENUE_ROOTS]) private _venueRoots;
    mapping(address asset => Asset) private _assets;

    // Construction

    /// @param assets The tokens that may come in, for good, each once. Plain ERC-20: no fees on transfer, no rebasing.
    /// @param caps The most of each that the pool will owe, token base units, 1 … 2^112 - 1.
    /// @param settleWindow_ Seconds. With `GRACE` it must fit between two closings of a venue.
    /// @param v Development ones are refused off chain 31337.
    constructor(address[] memory assets, uint256[] memory caps, uint256 settleWindow_, Verifiers memory v) {
        if (assets.length != caps.length) revert Values.LengthMismatch(caps.length, assets.length);
        for (uint256 i = 0; i < assets.length; i++) {
            if (assets[i] == address(0)) revert ZeroAddress();
            if (_assets[assets[i]].cap != 0) revert AssetListedTwice(assets[i]);
            if (caps[i] == 0 || caps[i] >= AMOUNT_LIMIT) revert CapOutOfRange(assets[i], caps[i], AMOUNT_LIMIT - 1);
            // Below 2^112 by the check above.
            _assets[assets[i]].cap = uint112(caps[i]);
            emit AssetListed(assets[i], caps[i]);
        }
        if (settleWindow_ < SETTLE_WINDOW_MIN || settleWindow_ > SETTLE_WINDOW_MAX) {
            revert WindowOutOfRange(settleWindow_, SETTLE_WINDOW_MIN, SETTLE_WINDOW_MAX);
        }
        settleWindow = settleWindow_;
        _absorbVerifier = _checked(v.absorb);
        _absorbManyVerifier = v.absorbMany == address(0) ? IRelationVerifier(address(0)) : _checked(v.absorbMany);
        _spendVerifier = _checked(v.spend);
        _accountVerifier = _checked(v.account);
        _clearVerifier = _checked(v.clear);
        _entryRoots[0] = NoteTree.EMPTY_ROOT;
    }

    // In

    /// @inheritdoc IShieldedPool
    function deposit(address asset_, uint256 amount, uint256 inner, uint256 hint, uint256 memo)
        external
        override
        nonReentrant
        returns (uint256 position)
    {
        if (amount == 0) revert AmountOutOfRange(amount, AMOUNT_LIMIT - 1);
        if (inner >= Fold.P) revert NotInField(inner);
        Entry memory e = _entry;
        uint256 queued = e.tail - e.head;
        // The last quarter is for what spends leave behind: nobody's money waits for somebody else's deposits.
        if (4 * (QUEUE_SIZE - queued) < QUEUE_SIZE) revert QueueBusy(queued, QUEUE_SIZE);
        uint256 recorded = _record(asset_, amount);
        position = e.tail;
        uint256 leaf = NoteTree.leaf(asset_, amount, inner);
        _queue[position % QUEUE_SIZE] = leaf;
        // 2^48 leaves are more than the tree has room for.
        _entry.tail = uint48(position + 1);
        emit Deposited(asset_, amount, position);
        emit Queued(position, leaf, hint, memo);
        _take(asset_, amount, recorded);
    }

    /// @inheritdoc IShieldedPool
    function absorb(uint256 position, uint256 count, uint256 rootAfter, uint256 digest, uint256[8] calldata proof)
        external
        override
        nonReentrant
    {
        Entry memory e = _entry;
        if (position != e.head) revert QueueMoved(position, e.head);
        uint256 max = address(_absorbManyVerifier) == address(0) ? BATCH : BATCH_MANY;
        if (max > e.tail - e.head) max = e.tail - e.head;
        if (count == 0 || count > max) revert CountOutOfRange(count, max);
        (uint256 leaves, IRelationVerifier verifier) =
            count > BATCH ? (BATCH_MANY, _absorbManyVerifier) : (BATCH, _absorbVerifier);
        // Aligned to its size; leaves that this skips stay empty.
        uint256 index = (e.nextIndex + leaves - 1) / leaves * leaves;
        if (index + leaves > NoteTree.LEAVES) revert TreeFull(e.nextIndex, leaves);

        uint256[] memory posted = new uint256[](Values.ABSORB_LEAVES + leaves);
        posted[0] = digest;
        posted[Values.ABSORB_ROOT] = _entryRoots[e.cursor];
        posted[Values.ABSORB_ROOT_AFTER] = rootAfter;
        posted[Values.ABSORB_INDEX] = index;
        for (uint256 i = 0; i < count; i++) {
            posted[Values.ABSORB_LEAVES + i] = _queue[(position + i) % QUEUE_SIZE];
        }
        _verify(verifier, proof, posted);

        // Nothing is zeroed: the next lap overwrites, which costs what it costs now.
        e.head = uint48(position + count);
        // At most 2^32 by the check above.
        e.nextIndex = uint40(index + leaves);
        uint256 period = block.timestamp / ENTRY_PERIOD;
        if (period != e.period) {
            e.cursor = uint8((e.cursor + 1) % ENTRY_ROOTS);
            e.period = uint40(period);
        }
        _entry = e;
        _entryRoots[e.cursor] = rootAfter;
        emit Absorbed(position, count, index, rootAfter);
    }

    // Out

    /// @inheritdoc IShieldedPool
    function spend(
        Exit calldata exit,
        uint256 entrySlot,
        uint256 venueSlot,
        uint256[8] calldata proof,
        uint256[] memory posted
    ) external override nonReentrant {
        posted.checkLength(Values.SPEND_LENGTH);
        uint256 announce = posted[Values.SPEND_ANNOUNCE];
        if (announce > 1) revert FlagNotBoolean(Values.SPEND_ANNOUNCE, announce);
        posted.check(Values.SPEND_CONTEXT, exitContext(announce == 1 ? Kind.Announce : Kind.Spend, exit));
        posted.check(Values.SPEND_ENTRY_ROOT, _rootAt(_entryRoots[_slot(entrySlot, ENTRY_ROOTS)], entrySlot));
        posted.check(Values.SPEND_VENUE_ROOT, _namedVenueRoot(posted[Values.SPEND_VENUE], venueSlot));
        posted.check(Values.SPEND_ASSET, uint160(exit.asset));
        posted.check(Values.SPEND_AMOUNT, exit.amount);
        if (block.timestamp > exit.deadline) revert DeadlinePassed(exit.deadline, block.timestamp);
        if (exit.fee > exit.amount) revert FeeAboveAmount(exit.fee, exit.amount);
        if (exit.amount == 0 && exit.recipient != address(0)) revert RecipientUnasked(exit.recipient);
        if (exit.amount != 0 && exit.recipient == address(0)) revert ZeroAddress();
        if (exit.fee != 0 && exit.relayer == address(0)) revert ZeroAddress();
        _verify(_spendVerifier, proof, posted);

        if (announce == 1) {
            _announce(posted);
            return;
        }
        for (uint256 i = 0; i < 2; i++) {
            _spendWord(posted[Values.SPEND_NULLIFIERS + i], posted[Values.SPEND_LOCKED + i] != 0);
        }
        _enqueue(exit, posted);
        emit Spent(
            exit.asset,
            exit.amount,
            exit.recipient,
            exit.relayer,
            exit.fee,
            [posted[Values.SPEND_NULLIFIERS], posted[Values.SPEND_NULLIFIERS + 1]]
        );
        if (exit.amount != 0) _give(exit.asset, exit.amount, exit.recipient, exit.relayer, exit.fee);
    }

    // Venues

    /// @inheritdoc IShieldedPool
    function account(Move calldata move, bytes32 venueData, uint256[8] calldata proof, uint256[] memory posted)
        external
        override
        nonReentrant
    {
        if (move.kind == Kind.Clear || move.kind > Kind.Resalt) revert KindNotOfAccount(move.kind);
        bool gives = move.kind == Kind.TakeBack || move.kind == Kind.Release;
        if (gives && move.recipient == address(0)) revert ZeroAddress();
        if (!gives && move.recipient != address(0)) revert RecipientUnasked(move.recipient);
        posted.checkLength(Values.ACCOUNT_LENGTH);
        uint256 venue_ = venueOf(msg.sender);
        Venue storage v = _venues[venue_];
        uint256 before = v.account;
        if (move.kind == Kind.Open) {
            if (before != 0) revert AccountAlreadyOpen(venue_);
        } else if (before == 0) {
            revert AccountNotOpen(venue_);
        }
        posted.check(Values.ACCOUNT_CONTEXT, _venueContext(move.kind, msg.sender, v.nextIndex, venueData));
        posted.check(Values.ACCOUNT_VENUE, venue_);
        posted.check(Values.ACCOUNT_KIND, uint256(move.kind));
        posted.check(Values.ACCOUNT_ASSET, uint160(move.asset));
        posted.check(Values.ACCOUNT_AMOUNT, move.amount);
        posted.check(Values.ACCOUNT_BEFORE, before);
        _verify(_accountVerifier, proof, posted);

        uint256 after_ = posted[Values.ACCOUNT_AFTER];
        v.account = after_;
        if (move.kind == Kind.Open) _venueRoots[venue_][0] = NoteTree.EMPTY_ROOT;
        emit AccountMoved(venue_, move.kind, move.asset, move.amount, move.recipient, before, after_);
        if (move.amount == 0) return;
        if (move.kind == Kind.Fund) _take(move.asset, move.amount, _record(move.asset, move.amount));
        else _give(move.asset, move.amount, move.recipient, address(0), 0);
    }

    /// @inheritdoc IShieldedPool
    function clear(uint256 entrySlot, bytes32 venueData, uint256[8] calldata proof, uint256[] memory posted)
        external
        override
        nonReentrant
    {
        posted.checkLength(Values.CLEAR_LENGTH);
        uint256 venue_ = venueOf(msg.sender);
        Venue memory v = _venues[venue_];
        if (v.account == 0) revert AccountNotOpen(venue_);
        posted.check(Values.CLEAR_CONTEXT, _venueContext(Kind.Clear, msg.sender, v.nextIndex, venueData));
        posted.check(Values.CLEAR_VENUE, venue_);
        posted.check(Values.CLEAR_ACCOUNT_OLD, v.account);
        posted.check(Values.CLEAR_ENTRY_ROOT, _rootAt(_entryRoots[_slot(entrySlot, ENTRY_ROOTS)], entrySlot));
        posted.check(Values.CLEAR_VENUE_ROOT, _venueRoots[venue_][v.cursor]);
        posted.check(Values.CLEAR_INDEX, v.nextIndex);
        if (v.nextIndex + BATCH > NoteTree.LEAVES) revert TreeFull(v.nextIndex, BATCH);
        uint256 closedAt = posted[Values.CLEAR_CLOSED_AT];
        _checkClosing(v, closedAt);
        _verify(_clearVerifier, proof, posted);

        for (uint256 i = 0; i < Values.SLOTS; i++) {
            _fillWord(posted[Values.CLEAR_NULLIFIERS + i], closedAt);
        }
        v.account = posted[Values.CLEAR_ACCOUNT_NEW];
        // At most 2^32 by the check above.
        v.nextIndex = uint40(v.nextIndex + BATCH);
        // Not after the block's time, which is below 2^40 for 34,000 years.
        v.closedAt = uint40(closedAt);
        v.settledAt = uint40(block.timestamp);
        uint256 period = block.timestamp / VENUE_PERIOD;
        if (period != v.period) {
            v.cursor = uint8((v.cursor + 1) % VENUE_ROOTS);
            v.period = uint40(period);
        }
        _venues[venue_] = v;
        _venueRoots[venue_][v.cursor] = posted[Values.CLEAR_VENUE_ROOT_AFTER];
        emit Cleared(venue_, posted);
    }

    // Views

    /// @inheritdoc IShieldedPool
    function venueOf(address caller) public view override returns (uint256) {
        return uint256(keccak256(abi.encode(block.chainid, address(this), caller))) >> 40;
    }

    /// @inheritdoc IShieldedPool
    function venueContext(Kind kind, address caller, bytes32 venueData) external view override returns (uint256) {
        return _venueContext(kind, caller, _venues[venueOf(caller)].nextIndex, venueData);
    }

    /// @inheritdoc IShieldedPool
    function exitContext(Kind kind, Exit calldata exit) public view override returns (uint256) {
        bytes32 words = keccak256(abi.encode(exit.hints, exit.memos));
        bytes memory all = abi.encode(
            kind, block.chainid, address(this), exit.recipient, exit.relayer, exit.fee, exit.deadline, words
        );
        return uint256(keccak256(all)) >> 8;
    }

    /// @inheritdoc IShieldedPool
    function nullifier(uint256 nullifier_) external view override returns (uint256) {
        return _nullifiers[nullifier_];
    }

    /// @inheritdoc IShieldedPool
    function entry() external view override returns (Entry memory) {
        return _entry;
    }

    /// @inheritdoc IShieldedPool
    function entryRoot(uint256 slot) external view override returns (uint256) {
        return _entryRoots[_slot(slot, ENTRY_ROOTS)];
    }

    /// @inheritdoc IShieldedPool
    function queuedLeaf(uint256 position) external view override returns (uint256) {
        if (position < _entry.head || position >= _entry.tail) revert NotQueued(position, _entry.head, _entry.tail);
        return _queue[position % QUEUE_SIZE];
    }

    /// @inheritdoc IShieldedPool
    function venue(uint256 venue_) external view override returns (Venue memory) {
        return _venues[venue_];
    }

    /// @inheritdoc IShieldedPool
    function venueRoot(uint256 venue_, uint256 slot) external view override returns (uint256) {
        return _venueRoots[venue_][_slot(slot, VENUE_ROOTS)];
    }

    /// @inheritdoc IShieldedPool
    function asset(address asset_) external view override returns (uint256 recorded, uint256 cap) {
        Asset memory a = _assets[asset_];
        return (a.recorded, a.cap);
    }

    /// @inheritdoc IShieldedPool
    function verifiers() external view override returns (Verifiers memory) {
        return Verifiers(
            address(_absorbVerifier),
            address(_absorbManyVerifier),
            address(_spendVerifier),
            address(_accountVerifier),
            address(_clearVerifier)
        );
    }

    // Proofs and roots

    /// @dev Not zero, and off chain 31337 no development one.
    function _checked(address verifier) private view returns (IRelationVerifier) {
        if (verifier == address(0)) revert ZeroAddress();
        // The first design's interface asks the same question.
        Devnet.check(IClearingVerifier(verifier));
        return IRelationVerifier(verifier);
    }

    function _verify(IRelationVerifier verifier, uint256[8] calldata proof, uint256[] memory posted) private view {
        (uint256 digest, uint256 challenge, uint256 sum) = Fold.inputs(posted);
        verifier.verifyProof(proof, [digest, challenge, sum]);
    }

    function _venueContext(Kind kind, address caller, uint256 nextIndex, bytes32 venueData)
        private
        view
        returns (uint256)
    {
        // 248 bits, hence in field.
        return uint256(keccak256(abi.encode(kind, block.chainid, address(this), caller, nextIndex, venueData))) >> 8;
    }

    function _slot(uint256 slot, uint256 slots) private pure returns (uint256) {
        if (slot >= slots) revert SlotOutOfRange(slot, slots);
        return slot;
    }

    /// @dev Whoever knew an opening of the root 0 could make money; so it is never compared with.
    function _rootAt(uint256 root, uint256 slot) private pure returns (uint256) {
        if (root == 0) revert SlotEmpty(slot);
        return root;
    }

    /// @dev The empty tree's if no venue is named, so that nothing is in it. Only what the pool once computed as a
    /// venue has a root, so that `venue` is below 2^216.
    function _namedVenueRoot(uint256 venue_, uint256 slot) private view returns (uint256) {
        if (venue_ == 0) return NoteTree.EMPTY_ROOT;
        return _rootAt(_venueRoots[venue_][_slot(slot, VENUE_ROOTS)], slot);
    }

    // Words and clock

    /// @dev At any moment a venue can settle nothing that closed longer ago than the window, so that words of that age
    /// are safe to spend; and closings only go forward, and never back before a settlement's grace.
    function _checkClosing(Venue memory v, uint256 closedAt) private view {
        if (closedAt > block.timestamp) revert ClosedInFuture(closedAt, block.timestamp);
        if (block.timestamp - closedAt > settleWindow) {
            revert ClosedTooLongAgo(closedAt, block.timestamp, settleWindow);
        }
        if (closedAt <= v.closedAt) revert ClosedNotAfterLast(closedAt, v.closedAt);
        // The first round of a venue follows none.
        if (v.settledAt != 0 && closedAt < v.settledAt + GRACE) {
            revert ClosedWithinGrace(closedAt, v.settledAt, GRACE);
        }
    }

    /// @dev A round takes a note that is unspent, and not announced before the round closed. Equal ones in one round
    /// meet the word that the first has written.
    function _fillWord(uint256 nullifier_, uint256 closedAt) private {
        uint256 word = _nullifiers[nullifier_];
        if (word != 0) {
            if (word == SPENT) revert NullifierAlreadySpent(nullifier_);
            if (word < closedAt) revert AnnouncedBeforeClosing(nullifier_, word, closedAt);
        }
        _nullifiers[nullifier_] = SPENT;
    }

    /// @dev A round that settles now closed `settleWindow` ago at most, and took no note announced before. So once the
    /// announcement is older than that, no round can take the note any more.
    function _spendWord(uint256 nullifier_, bool locked) private {
        uint256 word = _nullifiers[nullifier_];
        if (word == SPENT) revert NullifierAlreadySpent(nullifier_);
        if (locked) {
            if (word == 0) revert NullifierNotAnnounced(nullifier_);
            if (block.timestamp <= word + settleWindow) {
                revert AnnouncementTooYoung(nullifier_, word, block.timestamp, settleWindow);
            }
        }
        _nullifiers[nullifier_] = SPENT;
    }

    /// @dev The proof makes what leaves and both leaves 0. An announcement is never moved and never withdrawn.
    function _announce(uint256[] memory posted) private {
        bool any = false;
        for (uint256 i = 0; i < 2; i++) {
            if (posted[Values.SPEND_LOCKED + i] == 0) continue;
            uint256 nullifier_ = posted[Values.SPEND_NULLIFIERS + i];
            uint256 word = _nullifiers[nullifier_];
            if (word == SPENT) revert NullifierAlreadySpent(nullifier_);
            if (word != 0) revert NullifierAlreadyAnnounced(nullifier_, word);
            _nullifiers[nullifier_] = block.timestamp;
            emit Announced(nullifier_, block.timestamp);
            any = true;
        }
        if (!any) revert NothingLocked();
    }

    // Queue

    /// @dev A leaf of 0 is an output with nothing in it. A full exit has two, and never meets the queue.
    function _enqueue(Exit calldata exit, uint256[] memory posted) private {
        uint256 first = posted[Values.SPEND_LEAVES];
        uint256 second = posted[Values.SPEND_LEAVES + 1];
        if (first == 0 && second == 0) return;
        Entry memory e = _entry;
        uint256 tail = e.tail;
        uint256 queued = tail - e.head;
        if (queued + (first != 0 && second != 0 ? 2 : 1) > QUEUE_SIZE) revert QueueFull(queued, QUEUE_SIZE);
        for (uint256 i = 0; i < 2; i++) {
            uint256 leaf = posted[Values.SPEND_LEAVES + i];
            if (leaf == 0) continue;
            _queue[tail % QUEUE_SIZE] = leaf;
            emit Queued(tail, leaf, exit.hints[i], exit.memos[i]);
            tail++;
        }
        _entry.tail = uint48(tail);
    }

    // Tokens

    /// @dev Records what will come in, up to the cap, and returns what was recorded before.
    function _record(address asset_, uint256 amount) private returns (uint256 recorded) {
        if (amount >= AMOUNT_LIMIT) revert AmountOutOfRange(amount, AMOUNT_LIMIT - 1);
        Asset storage a = _assets[asset_];
        uint256 cap = a.cap;
        if (cap == 0) revert AssetNotListed(asset_);
        recorded = a.recorded;
        if (recorded + amount > cap) revert CapExceeded(asset_, recorded + amount, cap);
        // At most the cap, which is one.
        a.recorded = uint112(recorded + amount);
    }

    /// @dev Takes the caller's tokens, nobody else's. What did not arrive in full never came.
    function _take(address asset_, uint256 amount, uint256 recordedBefore) private {
        uint256 before = IERC20(asset_).balanceOf(address(this));
        if (before < recordedBefore) revert BalanceBelowRecorded(asset_, before, recordedBefore);
        IERC20(asset_).safeTransferFrom(msg.sender, address(this), amount);
        uint256 after_ = IERC20(asset_).balanceOf(address(this));
        if (after_ < before || after_ - before != amount) {
            revert TransferMismatch(asset_, after_ < before ? 0 : after_ - before, amount);
        }
    }

    /// @dev Only the pool's own balance is measured: what a recipient is charged is between it and the token, and no
    /// reason to keep its money.
    function _give(address asset_, uint256 amount, address recipient, address relayer, uint256 fee) private {
        Asset storage a = _assets[asset_];
        uint256 recorded = a.recorded;
        if (amount > recorded) revert AboveRecorded(asset_, amount, recorded);
        // At most what was recorded.
        a.recorded = uint112(recorded - amount);
        uint256 before = IERC20(asset_).balanceOf(address(this));
        IERC20(asset_).safeTransfer(recipient, amount - fee);
        if (fee != 0) IERC20(asset_).safeTransfer(relayer, fee);
        uint256 after_ = IERC20(asset_).balanceOf(address(this));
        if (after_ > before || before - after_ != amount) {
            revert TransferMismatch(asset_, after_ > before ? 0 : before - after_, amount);
        }
    }
}
