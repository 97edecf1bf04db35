// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The pool: tokens, the trees that notes are in, and the four relations that move them.
/// @notice Nobody owns it and nothing of it can be changed. Anyone deposits, absorbs, spends; a *venue* is any contract
/// that calls `account` and `clear`. A proof says what is conserved and who owns what; a venue says only what the
/// terms of those who named it leave to it.
///
/// Proofs are sent as `posted`: the digest, followed by the relation's values in the circuit's order. The pool holds
/// each value it knows to what it knows (`Values.ValueMismatch`, with the value's index in `posted`), folds the array
/// into the verifier's three inputs, and acts on that array. So whoever proved another statement learns which value.
interface IShieldedPool {
    /// @notice What a context is of. `Open` … `Resalt` have the numbers of the relation `account`.
    enum Kind {
        Clear,
        Open,
        Fund,
        TakeBack,
        Release,
        Resalt,
        Spend,
        Announce
    }

    /// @notice The verifiers.
    /// @param absorb Of `absorb` for 16 leaves.
    /// @param absorbMany Of `absorb` for 64; zero if there is none, and then no more than 16 are taken at once.
    struct Verifiers {
        address absorb;
        address absorbMany;
        address spend;
        address account;
        address clear;
    }

    /// @notice The entry tree and its queue.
    /// @param head Position of the first leaf that waits. Positions count all leaves ever queued, from 0.
    /// @param tail Position of the next leaf to be queued.
    /// @param nextIndex Leaf index at which the tree goes on, a multiple of 16.
    /// @param cursor Slot of the newest root, below 64.
    /// @param period The minute of the newest root, Unix time over 60; 0 before the first absorption.
    struct Entry {
        uint48 head;
        uint48 tail;
        uint40 nextIndex;
        uint8 cursor;
        uint40 period;
    }

    /// @notice What the pool keeps of a venue.
    /// @param nextIndex Leaf index at which its tree goes on, a multiple of 16.
    /// @param cursor Slot of its tree's newest root, below 8.
    /// @param period The five minutes of that root, Unix time over 300; 0 before the first settlement.
    /// @param closedAt The last round settled closed then, Unix seconds; 0 before the first.
    /// @param settledAt It settled then, Unix seconds; 0 before the first.
    /// @param account The account's commitment; 0 until it is opened.
    struct Venue {
        uint40 nextIndex;
        uint8 cursor;
        uint40 period;
        uint40 closedAt;
        uint40 settledAt;
        uint256 account;
    }

    /// @notice What a spend does outside. All of it is in the proof's context.
    /// @param asset The token of all notes. The proof has it as a value, as it has `amount`.
    /// @param amount Token base units that leave, fee included; 0 if none do.
    /// @param recipient Who gets `amount - fee`; zero if nothing leaves.
    /// @param relayer Who gets `fee`; zero if nobody does.
    /// @param fee Token base units.
    /// @param deadline Unix seconds; the last at which the spend may happen.
    /// @param hints A word for each output, for its owner.
    /// @param memos Another, for each output.
    struct Exit {
        address asset;
        uint256 amount;
        address recipient;
        address relayer;
        uint256 fee;
        uint256 deadline;
        uint256[2] hints;
        uint256[2] memos;
    }

    /// @notice What a venue does with its account.
    /// @param kind Open, Fund, TakeBack, Release or Resalt.
    /// @param asset The token that moves; zero if none does.
    /// @param amount Token base units, below 2^112; 0 if none move.
    /// @param recipient Who gets what TakeBack and Release take; zero for the other kinds.
    struct Move {
        Kind kind;
        address asset;
        uint256 amount;
        address recipient;
    }

    /// @notice An asset may be deposited up to a cap, for good.
    event AssetListed(address indexed asset, uint256 cap);
    /// @notice A deposit came in. Its leaf is the one queued at `position`.
    event Deposited(address indexed asset, uint256 amount, uint256 position);
    /// @notice A leaf waits for the entry tree.
    /// @param position Counts all leaves ever queued, from 0.
    /// @param leaf The note's commitment.
    /// @param hint Word for the note's owner, who recognises it. The pool does not read it.
    /// @param memo Another.
    event Queued(uint256 position, uint256 leaf, uint256 hint, uint256 memo);
    /// @notice Leaves entered the entry tree: the one queued at `position + i` has leaf index `index + i`.
    event Absorbed(uint256 position, uint256 count, uint256 index, uint256 root);
    /// @notice Notes were spent. What came of them is in `Queued`.
    event Spent(
        address indexed asset, uint256 amount, address recipient, address relayer, uint256 fee, uint256[2] nullifiers
    );
    /// @notice The owner of a locked note said that it leaves. Rounds that close from now on do not fill it.
    /// @param time Unix seconds.
    event Announced(uint256 nullifier, uint256 time);
    /// @notice A venue moved its account.
    event AccountMoved(
        uint256 indexed venue,
        Kind kind,
        address asset,
        uint256 amount,
        address recipient,
        uint256 before,
        uint256 after_
    );
    /// @notice A venue settled a round: digest and every value of the proof, whatever the venue itself says.
    event Cleared(uint256 indexed venue, uint256[] posted);

    error ZeroAddress();
    error WindowOutOfRange(uint256 window, uint256 min, uint256 max);
    error CapOutOfRange(address asset, uint256 cap, uint256 max);
    error AssetListedTwice(address asset);
    error AssetNotListed(address asset);
    error AmountOutOfRange(uint256 amount, uint256 max);
    error NotInField(uint256 value);
    error CapExceeded(address asset, uint256 recorded, uint256 cap);
    /// @notice More would leave than ever came in. No proof that holds can ask for it.
    error AboveRecorded(address asset, uint256 amount, uint256 recorded);
    /// @notice The pool holds less than it recorded, so nothing of the asset comes in any more. It still goes out.
    error BalanceBelowRecorded(address asset, uint256 balance, uint256 recorded);
    /// @notice The pool's balance moved by another amount than asked. Tokens that take fees, rebase or lie are refused.
    error TransferMismatch(address asset, uint256 moved, uint256 expected);
    /// @notice Less than a quarter of the queue is free. Absorb first.
    error QueueBusy(uint256 queued, uint256 size);
    /// @notice No slot is free. Absorb first, in the same transaction if need be.
    error QueueFull(uint256 queued, uint256 size);
    error NotQueued(uint256 position, uint256 head, uint256 tail);
    /// @notice Somebody else has absorbed since the proof was made.
    error QueueMoved(uint256 position, uint256 head);
    error CountOutOfRange(uint256 count, uint256 max);
    error TreeFull(uint256 nextIndex, uint256 leaves);
    error SlotOutOfRange(uint256 slot, uint256 slots);
    /// @notice No root was ever stored there.
    error SlotEmpty(uint256 slot);
    error FlagNotBoolean(uint256 index, uint256 value);
    error DeadlinePassed(uint256 deadline, uint256 timestamp);
    error FeeAboveAmount(uint256 fee, uint256 amount);
    /// @notice Nothing leaves, as with every announcement, so nobody gets it.
    error RecipientUnasked(address recipient);
    /// @notice None of the announced notes is locked, so there is nothing to announce: they can be spent at once.
    error NothingLocked();
    error NullifierAlreadySpent(uint256 nullifier);
    error NullifierAlreadyAnnounced(uint256 nullifier, uint256 announcedAt);
    /// @notice A locked note leaves after an announcement only.
    error NullifierNotAnnounced(uint256 nullifier);
    /// @notice A round that closed before the announcement may still settle.
    error AnnouncementTooYoung(uint256 nullifier, uint256 announcedAt, uint256 timestamp, uint256 window);
    /// @notice The note's owner announced before the round closed that it leaves.
    error AnnouncedBeforeClosing(uint256 nullifier, uint256 announcedAt, uint256 closedAt);
    error KindNotOfAccount(Kind kind);
    error AccountAlreadyOpen(uint256 venue);
    error AccountNotOpen(uint256 venue);
    error ClosedInFuture(uint256 closedAt, uint256 timestamp);
    /// @notice The round closed longer ago than a maker may be held to it; it is void.
    error ClosedTooLongAgo(uint256 closedAt, uint256 timestamp, uint256 window);
    error ClosedNotAfterLast(uint256 closedAt, uint256 last);
    /// @notice Whoever was filled has `GRACE` from the settlement to announce its change before the next closing.
    error ClosedWithinGrace(uint256 closedAt, uint256 settledAt, uint256 grace);

    /// @notice Deposits one note, without a proof. Anyone may call; the amount is public, its later use is not. The
    /// tokens are the caller's: the pool takes them from nobody else.
    /// @param asset A listed token of which the caller has approved `amount`.
    /// @param amount Token base units, 1 … 2^112 - 1.
    /// @param inner H(tag note, owner, order_hash, rho), below the field order. Opaque here: a wrong one makes a note
    /// that nobody can spend.
    /// @param hint Emitted, not read.
    /// @param memo Emitted, not read.
    /// @return position Where the leaf waits in the queue.
    function deposit(address asset, uint256 amount, uint256 inner, uint256 hint, uint256 memo)
        external
        returns (uint256 position);

    /// @notice Moves the next `count` leaves of the queue into the entry tree. Anyone may call, and nobody chooses
    /// anything: the values are root, root after, index, and the leaves, with zeros up to 16, or to 64 if `count` is
    /// above 16.
    /// @param position The queue's head, so that a proof that comes too late says so.
    /// @param count At least 1, at most the leaves that wait, at most 64.
    /// @param rootAfter The tree's root after.
    /// @param digest Digest of the values.
    function absorb(uint256 position, uint256 count, uint256 rootAfter, uint256 digest, uint256[8] calldata proof)
        external;

    /// @notice Spends two notes, dummies allowed, into two leaves and an amount that leaves, or announces that they
    /// will be spent. Anyone may send it: recipient, relayer, fee, deadline and words are in the proof's context.
    /// @dev A note that terms lock needs an announcement older than `settleWindow`; others leave at once. No pause,
    /// registry, operator, venue or issuer is on this path.
    /// @param exit What happens outside. Announcing: asset is the notes', everything else but deadline 0.
    /// @param entrySlot Slot of the entry root.
    /// @param venueSlot Slot of the venue's root; not looked at if the values name no venue.
    /// @param posted Digest, then context, announce, entry_root, venue, venue_root, asset, amount, nullifiers[2],
    /// locked[2], leaves[2].
    function spend(
        Exit calldata exit,
        uint256 entrySlot,
        uint256 venueSlot,
        uint256[8] calldata proof,
        uint256[] memory posted
    ) external;

    /// @notice Moves the caller's account. Funding takes the tokens from the caller.
    /// @param venueData Goes into the context; the caller's business.
    /// @param posted Digest, then context, venue, kind, asset, amount, before, after.
    function account(Move calldata move, bytes32 venueData, uint256[8] calldata proof, uint256[] memory posted) external;

    /// @notice Settles a round of the caller's, whose account pays for it: at most eight fills, sixteen leaves for
    /// the caller's tree.
    /// @param entrySlot Slot of the entry root.
    /// @param venueData Goes into the context: the caller's hash of what it decides.
    /// @param posted Digest, then context, venue, mandate, premium_cap_bps, price, closed_at, disclosure, request_old,
    /// request_new, account_old, account_new, status, entry_root, venue_root, venue_root_after, index, order_root,
    /// issuer_result, nullifiers[8], payouts[8], changes[8], results[8].
    function clear(uint256 entrySlot, bytes32 venueData, uint256[8] calldata proof, uint256[] memory posted) external;

    /// @notice keccak256(abi.encode(chain id, pool, caller)) >> 40: what terms, mandates and accounts name.
    function venueOf(address caller) external view returns (uint256);

    /// @notice The context of `clear` and of each action of `account`: keccak256(abi.encode(kind, chain id, pool,
    /// caller, next index of the caller's tree, venueData)) >> 8.
    function venueContext(Kind kind, address caller, bytes32 venueData) external view returns (uint256);

    /// @notice The context of a spend or an announcement: keccak256(abi.encode(kind, chain id, pool, recipient,
    /// relayer, fee, deadline, keccak256(abi.encode(hints, memos)))) >> 8.
    function exitContext(Kind kind, Exit calldata exit) external view returns (uint256);

    /// @notice 0: unspent. 1: spent. Else the Unix second at which the owner announced that it leaves.
    function nullifier(uint256 nullifier_) external view returns (uint256 word);

    function entry() external view returns (Entry memory);

    /// @notice A root of the entry tree, 0 if none was stored in the slot.
    /// @param slot Below 64. The last root of a minute stays for 63 further minutes that had absorptions.
    function entryRoot(uint256 slot) external view returns (uint256);

    /// @notice A leaf that waits, from `entry().head` up to `entry().tail`.
    function queuedLeaf(uint256 position) external view returns (uint256);

    function venue(uint256 venue_) external view returns (Venue memory);

    /// @notice A root of a venue's tree, 0 if none was stored in the slot.
    /// @param slot Below 8. The last root of five minutes stays for 7 further such periods that had settlements.
    function venueRoot(uint256 venue_, uint256 slot) external view returns (uint256);

    /// @notice What the pool owes of an asset, token base units, and the most it will owe. The cap of an asset that is
    /// not listed is 0.
    function asset(address asset_) external view returns (uint256 recorded, uint256 cap);

    /// @notice The verifiers, for good.
    function verifiers() external view returns (Verifiers memory);

    /// @notice Seconds from a round's closing within which it settles, and from an announcement after which the note
    /// may be spent.
    function settleWindow() external view returns (uint256);

    /// @notice Seconds from a settlement before which the venue's next round does not close.
    function GRACE() external view returns (uint256);
}
