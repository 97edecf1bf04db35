// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Poseidon2} from "../src/libraries/Poseidon2.sol";

/// @dev The tree as its definition has it: all leaves, hashed level by level.
contract MerkleReference {
    uint256[] private leaves;

    function push(uint256 leaf) public {
        leaves.push(leaf);
    }

    function pushBatch(uint256[9] memory batch) external {
        while (leaves.length % 16 != 0) leaves.push(0);
        for (uint256 i = 0; i < 9; i++) {
            leaves.push(batch[i]);
        }
        while (leaves.length % 16 != 0) leaves.push(0);
    }

    function length() external view returns (uint256) {
        return leaves.length;
    }

    function root() external view returns (uint256) {
        uint256 n = leaves.length;
        uint256[] memory level = new uint256[](n + 1);
        for (uint256 i = 0; i < n; i++) {
            level[i] = leaves[i];
        }
        uint256 zero = 0;
        for (uint256 height = 0; height < 32; height++) {
            if (n % 2 == 1) level[n] = zero;
            n = (n + 1) / 2;
            for (uint256 i = 0; i < n; i++) {
                level[i] = Poseidon2.compress(level[2 * i], level[2 * i + 1]);
            }
            zero = Poseidon2.compress(zero, zero);
            if (n == 0) level[0] = zero;
        }
        return level[0];
    }
}
