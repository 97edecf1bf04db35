// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Poseidon2Width4} from "./Poseidon2Width4.sol";

/// @title What the chain knows of a tree of notes.
/// @notice 4-ary, 16 levels, node = P4 of four children, empty leaf 0. No node is ever hashed on chain: a proof takes
/// a root to the next. Rust has the twin, `pool::second::tree`.
library NoteTree {
    /// @notice Leaves a tree has room for.
    uint256 internal constant LEAVES = 1 << 32;
    /// @notice The root of a tree without any leaf. A test recomputes it.
    uint256 internal constant EMPTY_ROOT = 0x02f3a0618fba764045a91eebc59597123ab40a3f8f177620c758b24e33e93131;
    /// @dev tag("leaf"): the big-endian integer of the ASCII bytes.
    uint256 private constant TAG_LEAF = uint256(uint72(bytes9("cdpr.leaf")));

    /// @notice A note's commitment. All inputs are below the field's order, which is the caller's to ensure.
    function leaf(address asset, uint256 amount, uint256 inner) internal pure returns (uint256) {
        return Poseidon2Width4.compress(TAG_LEAF, uint160(asset), amount, inner);
    }
}
