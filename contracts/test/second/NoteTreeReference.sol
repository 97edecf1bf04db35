// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Poseidon2Width4} from "../../src/second/libraries/Poseidon2Width4.sol";

/// @dev The tree as its definition has it: all leaves, hashed level by level.
contract NoteTreeReference {
    uint256[] private leaves;

    /// @dev At the next index that is a multiple of `size`, filled up to it with zeros.
    function append(uint256[] memory batch, uint256 size) public {
        while (leaves.length % size != 0) leaves.push(0);
        for (uint256 i = 0; i < size; i++) {
            leaves.push(i < batch.length ? batch[i] : 0);
        }
    }

    function length() external view returns (uint256) {
        return leaves.length;
    }

    function root() public view returns (uint256) {
        uint256[] memory level = leaves;
        uint256 zero = 0;
        for (uint256 height = 0; height < 16; height++) {
            uint256[] memory above = new uint256[]((level.length + 3) / 4);
            for (uint256 i = 0; i < above.length; i++) {
                above[i] = Poseidon2Width4.compress(
                    level[4 * i],
                    4 * i + 1 < level.length ? level[4 * i + 1] : zero,
                    4 * i + 2 < level.length ? level[4 * i + 2] : zero,
                    4 * i + 3 < level.length ? level[4 * i + 3] : zero
                );
            }
            level = above;
            zero = Poseidon2Width4.compress(zero, zero, zero, zero);
        }
        return level.length == 0 ? zero : level[0];
    }

    /// @dev The root after appending, without doing it.
    function rootWith(uint256[] memory batch, uint256 size) external returns (uint256 root_) {
        uint256 before = leaves.length;
        append(batch, size);
        root_ = root();
        while (leaves.length > before) leaves.pop();
    }
}
