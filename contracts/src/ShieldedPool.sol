// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IDarkPool} from "./interfaces/IDarkPool.sol";
import {IShieldedPool} from "./interfaces/IShieldedPool.sol";
import {Devnet} from "./libraries/Devnet.sol";
import {Poseidon2} from "./libraries/Poseidon2.sol";
import {ZeroHashes} from "./libraries/ZeroHashes.sol";

/// @title The tree of shielded notes and the set of spent ones.
/// @dev The tree is a frontier of fixed depth: of every height it keeps the last complete left node that
/// still waits for its right neighbour. Appending a node of height h climbs through the complete
/// pairs above it, stores one frontier node, and goes on to the root against empty siblings.
contract ShieldedPool is IShieldedPool, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @notice Height of the root; 2^32 leaves.
    uint256 public constant DEPTH = 32;
    /// @notice How many roots back a proof may look. A proof takes seconds, so this is the number of
    /// insertions, by anybody, that may come between its root and its settlement.
    uint256 public constant ROOTS = 64;
    /// @notice Amounts are below this: what the circuits range-check.
    uint256 public constant AMOUNT_LIMIT = 1 << 112;

    /// @dev A settlement's leaves fill one subtree of this height.
    uint256 private constant BATCH_HEIGHT = 4;
    uint256 private constant BATCH_LEAVES = 1 << BATCH_HEIGHT;

    address private immutable _deployer;

    /// @notice The only contract that may settle; zero until wired.
    address public darkPool;
    uint64 private _nextIndex;
    /// @dev Insertions so far; the newest root is at `_rootCursor % ROOTS`.
    uint32 private _rootCursor;
    uint256[32] private _frontier;
    uint256[64] private _roots;
    mapping(uint256 nullifier => bool) private _spent;
    mapping(address asset => bool) private _allowed;
    mapping(address asset => uint256) private _recorded;

    /// @param assets The tokens that may be deposited, for good. Plain ERC-20: no fees on transfer, no rebasing.
    constructor(address[] memory assets) {
        _deployer = msg.sender;
        for (uint256 i = 0; i < assets.length; i++) {
            if (assets[i] == address(0)) revert ZeroAddress();
            _allowed[assets[i]] = true;
        }
        _roots[0] = ZeroHashes.EMPTY_ROOT;
    }

    /// @notice Names the DarkPool, once. Only the deployer. Off chain 31337 its verifier is no development one.
    /// @dev The two contracts need each other's address; this one is deployed first.
    function wire(address darkPool_) external {
        if (msg.sender != _deployer) revert CallerNotDeployer(msg.sender, _deployer);
        if (darkPool != address(0)) revert AlreadyWired(darkPool);
        if (darkPool_ == address(0)) revert ZeroAddress();
        if (block.chainid != Devnet.CHAIN_ID) Devnet.check(IDarkPool(darkPool_).verifier());
        darkPool = darkPool_;
        emit Wired(darkPool_);
    }

    /// @inheritdoc IShieldedPool
    function deposit(address asset, uint256 amount, uint256 inner)
        external
        override
        nonReentrant
        returns (uint256 index)
    {
        uint256[32] memory zeros = ZeroHashes.table();
        index = _reserve(1);
        uint256 cm = _commitment(asset, amount, inner);
        emit Deposited(asset, amount, cm, index);
        _pushRoot(_append(cm, index, 0, zeros));
        _take(asset, amount);
    }

    /// @inheritdoc IShieldedPool
    function depositBatch(address asset, uint256[] calldata amounts, uint256[] calldata inners)
        external
        override
        nonReentrant
        returns (uint256 index)
    {
        uint256 n = amounts.length;
        if (n != inners.length) revert LengthMismatch(n, inners.length);
        if (n == 0) revert EmptyBatch();
        uint256[32] memory zeros = ZeroHashes.table();
        index = _reserve(n);
        uint256 total = 0;
        for (uint256 i = 0; i < n; i++) {
            uint256 cm = _commitment(asset, amounts[i], inners[i]);
            total += amounts[i];
            emit Deposited(asset, amounts[i], cm, index + i);
            // Only the last leaf's root is ever seen.
            if (i + 1 < n) _appendQuietly(cm, index + i, 0);
            else _pushRoot(_append(cm, index + i, 0, zeros));
        }
        _take(asset, total);
    }

    /// @inheritdoc IShieldedPool
    function settle(uint256 root, uint256[5] calldata nullifiers, uint256[9] calldata leaves)
        external
        override
        nonReentrant
    {
        if (msg.sender != darkPool) revert CallerNotDarkPool(msg.sender, darkPool);
        if (!isKnownRoot(root)) revert UnknownRoot(root);
        for (uint256 i = 0; i < 5; i++) {
            uint256 nullifier = nullifiers[i];
            if (_spent[nullifier]) revert NullifierAlreadySpent(nullifier);
            _spent[nullifier] = true;
            emit NullifierSpent(nullifier);
        }
        _insertBatch(leaves);
    }

    /// @inheritdoc IShieldedPool
    function currentRoot() external view override returns (uint256) {
        return _roots[_rootCursor % ROOTS];
    }

    /// @inheritdoc IShieldedPool
    /// @dev Newest first, because a settlement's root is seldom old: 2.1 k gas a step back. A map from roots
    /// would cost each insertion 17 k more.
    function isKnownRoot(uint256 root) public view override returns (bool) {
        if (root == 0) return false;
        uint256 cursor = _rootCursor;
        for (uint256 i = 0; i < ROOTS; i++) {
            unchecked {
                // Wraps below 0 modulo 2^256, of which ROOTS is a divisor.
                if (_roots[(cursor - i) % ROOTS] == root) return true;
            }
        }
        return false;
    }

    /// @inheritdoc IShieldedPool
    function nextIndex() external view override returns (uint256) {
        return _nextIndex;
    }

    /// @inheritdoc IShieldedPool
    function isSpent(uint256 nullifier) external view override returns (bool) {
        return _spent[nullifier];
    }

    /// @inheritdoc IShieldedPool
    function isAssetAllowed(address asset) external view override returns (bool) {
        return _allowed[asset];
    }

    /// @inheritdoc IShieldedPool
    function recorded(address asset) external view override returns (uint256) {
        return _recorded[asset];
    }

    /// @inheritdoc IShieldedPool
    function compress(uint256 l, uint256 r) external pure override returns (uint256) {
        if (l >= Poseidon2.P) revert NotInField(l);
        if (r >= Poseidon2.P) revert NotInField(r);
        return Poseidon2.compress(l, r);
    }

    /// @dev C(C(asset, amount), inner), with the checks that make its inputs canonical.
    function _commitment(address asset, uint256 amount, uint256 inner) private view returns (uint256) {
        if (!_allowed[asset]) revert AssetNotAllowed(asset);
        if (amount == 0 || amount >= AMOUNT_LIMIT) revert AmountOutOfRange(amount, AMOUNT_LIMIT - 1);
        if (inner >= Poseidon2.P) revert NotInField(inner);
        return Poseidon2.compress(Poseidon2.compress(uint160(asset), amount), inner);
    }

    /// @dev Takes the tokens and records them. Last, so that all state stands when the token is called.
    function _take(address asset, uint256 amount) private {
        uint256 balanceBefore = IERC20(asset).balanceOf(address(this));
        uint256 recordedBefore = _recorded[asset];
        if (balanceBefore < recordedBefore) revert BalanceBelowRecorded(asset, balanceBefore, recordedBefore);
        _recorded[asset] = recordedBefore + amount;
        IERC20(asset).safeTransferFrom(msg.sender, address(this), amount);
        uint256 balanceAfter = IERC20(asset).balanceOf(address(this));
        if (balanceAfter != balanceBefore + amount) revert TransferMismatch(balanceAfter - balanceBefore, amount);
    }

    /// @dev Claims the next `leaves` indices.
    function _reserve(uint256 leaves) private returns (uint256 index) {
        index = _nextIndex;
        if (index + leaves > 1 << DEPTH) revert TreeFull(index, leaves);
        // Below 2^33 by the check above.
        _nextIndex = uint64(index + leaves);
    }

    /// @dev Appends the nine leaves as a batch of 16 at the next multiple of 16: 11 hashes inside the batch, 28
    /// above it, and at most 4 to close the batch before with empty leaves.
    function _insertBatch(uint256[9] calldata leaves) private {
        uint256[32] memory zeros = ZeroHashes.table();
        uint256 index = _nextIndex;
        uint256 skipped = (BATCH_LEAVES - index % BATCH_LEAVES) % BATCH_LEAVES;
        _reserve(skipped + BATCH_LEAVES);
        if (skipped != 0) {
            // Close the batch that deposits have begun.
            uint256 node = 0;
            for (uint256 height = 0; height < BATCH_HEIGHT; height++) {
                // Bit clear: everything from here to the right at this height is empty, and so is the node.
                node = (index >> height) & 1 == 1
                    ? Poseidon2.compress(_frontier[height], node)
                    : node == zeros[height] ? zeros[height + 1] : Poseidon2.compress(node, zeros[height]);
            }
            _appendQuietly(node, index >> BATCH_HEIGHT, BATCH_HEIGHT);
            index += skipped;
        }

        // Nine leaves of sixteen: 5 + 3 + 2 + 1 hashes; the rest is empty.
        uint256 a = _quad(leaves[0], leaves[1], leaves[2], leaves[3]);
        uint256 b = _quad(leaves[4], leaves[5], leaves[6], leaves[7]);
        uint256 c = Poseidon2.compress(Poseidon2.compress(leaves[8], 0), zeros[1]);
        uint256 batch = Poseidon2.compress(Poseidon2.compress(a, b), Poseidon2.compress(c, zeros[2]));
        _pushRoot(_append(batch, index >> BATCH_HEIGHT, BATCH_HEIGHT, zeros));

        uint256[] memory inserted = new uint256[](9);
        for (uint256 i = 0; i < 9; i++) {
            inserted[i] = leaves[i];
        }
        emit LeavesInserted(index, inserted);
    }

    function _quad(uint256 a, uint256 b, uint256 c, uint256 d) private pure returns (uint256) {
        return Poseidon2.compress(Poseidon2.compress(a, b), Poseidon2.compress(c, d));
    }

    /// @dev Appends a node and yields the root.
    /// @param node Root of the subtree to append.
    /// @param position Its index among the nodes of its height.
    function _append(uint256 node, uint256 position, uint256 height, uint256[32] memory zeros)
        private
        returns (uint256)
    {
        bool stored = false;
        for (; height < DEPTH; height++) {
            if (position & 1 == 1) {
                node = Poseidon2.compress(_frontier[height], node);
            } else {
                // The first left node on the way is complete and will be asked for again; those above it are not.
                if (!stored) {
                    _frontier[height] = node;
                    stored = true;
                }
                node = Poseidon2.compress(node, zeros[height]);
            }
            position >>= 1;
        }
        return node;
    }

    /// @dev Appends a node without computing the root.
    function _appendQuietly(uint256 node, uint256 position, uint256 height) private {
        for (; height < DEPTH; height++) {
            if (position & 1 == 0) {
                _frontier[height] = node;
                return;
            }
            node = Poseidon2.compress(_frontier[height], node);
            position >>= 1;
        }
    }

    function _pushRoot(uint256 root) private {
        // 2^32 insertions fill the tree before the cursor could wrap.
        uint32 cursor = _rootCursor + 1;
        _rootCursor = cursor;
        _roots[cursor % ROOTS] = root;
    }
}
