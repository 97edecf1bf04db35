// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The tree of shielded notes and the set of spent ones.
/// @notice Leaves are note commitments, field elements of BN254's scalar field. The tree has depth
/// 32; an empty leaf is 0; nodes are C(l, r), Poseidon2 with t = 2 (see `Poseidon2`).
interface IShieldedPool {
    /// @notice A note was deposited.
    /// @param asset The token.
    /// @param amount Token base units.
    /// @param cm The commitment, C(C(asset, amount), inner).
    /// @param index Leaf index, from 0.
    event Deposited(address indexed asset, uint256 amount, uint256 cm, uint256 index);

    /// @notice A settlement appended its outputs as one aligned batch of 16; the rest of the batch is empty.
    /// @param startIndex Index of the first leaf, a multiple of 16. Indices skipped to reach it stay empty.
    /// @param leaves The nine outputs: payout[4], change[4], consideration change.
    event LeavesInserted(uint256 startIndex, uint256[] leaves);

    /// @notice A nullifier was recorded; its note cannot be spent again.
    event NullifierSpent(uint256 nullifier);

    /// @notice The one-time wiring took place.
    event Wired(address darkPool);

    error CallerNotDeployer(address caller, address deployer);
    error CallerNotDarkPool(address caller, address darkPool);
    error AlreadyWired(address darkPool);
    error ZeroAddress();
    error AssetNotAllowed(address asset);
    error AmountOutOfRange(uint256 amount, uint256 amountMax);
    error NotInField(uint256 value);
    error LengthMismatch(uint256 amounts, uint256 inners);
    error EmptyBatch();
    /// @notice The token moved another amount than asked: fee-on-transfer and rebasing tokens are refused.
    error TransferMismatch(uint256 received, uint256 expected);
    /// @notice The breaker of promise P4: the pool holds less than it recorded, so entry stops.
    error BalanceBelowRecorded(address asset, uint256 balance, uint256 recorded);
    error UnknownRoot(uint256 root);
    error NullifierAlreadySpent(uint256 nullifier);
    error TreeFull(uint256 nextIndex, uint256 leaves);

    /// @notice Deposits one note. Anyone may call; the amount is public, its later use is not.
    /// @param asset An allow-listed token of which the caller has approved `amount`.
    /// @param amount Token base units, 1 … 2^112 - 1.
    /// @param inner H(tag note, owner, order_hash, rho), below the field order. Opaque here: a wrong one
    /// makes a note that nobody can spend.
    /// @return index The leaf index.
    function deposit(address asset, uint256 amount, uint256 inner) external returns (uint256 index);

    /// @notice Deposits several notes of one asset with one transfer and one new root.
    /// @param amounts Token base units of each note, each 1 … 2^112 - 1. At least one.
    /// @param inners As in `deposit`, one per amount.
    /// @return index The leaf index of the first; the others follow it.
    function depositBatch(address asset, uint256[] calldata amounts, uint256[] calldata inners)
        external
        returns (uint256 index);

    /// @notice Spends five notes known under `root` and appends nine. Only the wired DarkPool may call.
    /// @dev Reverts `UnknownRoot`, or `NullifierAlreadySpent` for a replay and for a duplicate within the call alike.
    /// @param root One of the last 64 roots.
    /// @param nullifiers nullifier[4] of the slots, then the consideration's.
    /// @param leaves payout[4], change[4], consideration change.
    function settle(uint256 root, uint256[5] calldata nullifiers, uint256[9] calldata leaves) external;

    /// @notice The newest root.
    function currentRoot() external view returns (uint256);

    /// @notice Whether `root` is among the last 64. 0 never is.
    function isKnownRoot(uint256 root) external view returns (bool);

    /// @notice The next free leaf index.
    function nextIndex() external view returns (uint256);

    /// @notice Whether a nullifier has been spent.
    function isSpent(uint256 nullifier) external view returns (bool);

    /// @notice Whether an asset may be deposited.
    function isAssetAllowed(address asset) external view returns (bool);

    /// @notice Token base units deposited so far. The token balance is at least this; a donated surplus is ignored.
    function recorded(address asset) external view returns (uint256);

    /// @notice The tree's hash, C(l, r). Reverts `NotInField` for an input not below the field order.
    function compress(uint256 l, uint256 r) external pure returns (uint256);
}
