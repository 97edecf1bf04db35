// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "./Test.sol";
import {Poseidon2Plain} from "./Poseidon2Plain.sol";
import {Poseidon2} from "../src/libraries/Poseidon2.sol";
import {ZeroHashes} from "../src/libraries/ZeroHashes.sol";

contract Poseidon2Test is Test {
    /// @dev What the tree's budget is made with (book, decision 8).
    uint256 private constant COMPRESS_GAS_MAX = 9_500;

    function test_compress_matchesTheKnownAnswers() public view {
        string memory json = vm.readFile("test/vectors/poseidon2.json");
        for (uint256 i = 0; i < 32; i++) {
            string memory entry = string.concat(".vectors[", vm.toString(i), "]");
            uint256 l = vm.parseJsonUint(json, string.concat(entry, ".left"));
            uint256 r = vm.parseJsonUint(json, string.concat(entry, ".right"));
            (uint256 a, uint256 b) = Poseidon2Plain.permutation(l, r);
            assertEq(a, vm.parseJsonUint(json, string.concat(entry, ".permutation[0]")));
            assertEq(b, vm.parseJsonUint(json, string.concat(entry, ".permutation[1]")));
            assertEq(Poseidon2.compress(l, r), vm.parseJsonUint(json, string.concat(entry, ".compress")));
        }
    }

    function testFuzz_compress_isThePlainVersion(uint256 l, uint256 r) public pure {
        l %= Poseidon2.P;
        r %= Poseidon2.P;
        assertEq(Poseidon2.compress(l, r), Poseidon2Plain.compress(l, r));
    }

    function test_compress_isThePlainVersionAtTheEdges() public pure {
        uint256[5] memory edges = [
            0, 1, Poseidon2.P - 1, Poseidon2.P / 2, 0x0fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
        ];
        for (uint256 i = 0; i < edges.length; i++) {
            for (uint256 j = 0; j < edges.length; j++) {
                assertEq(Poseidon2.compress(edges[i], edges[j]), Poseidon2Plain.compress(edges[i], edges[j]));
            }
        }
    }

    function test_compress_costsLessThanItsBudget() public {
        uint256 before = gasleft();
        Poseidon2.compress(before, 2);
        uint256 used = before - gasleft();
        emit GasMeasured("Poseidon2.compress", used);
        assertTrue(used <= COMPRESS_GAS_MAX, "compress costs more than 9,500 gas");
    }

    function test_zeroHashes_areTheRootsOfEmptySubtrees() public view {
        string memory json = vm.readFile("test/vectors/poseidon2.json");
        uint256[] memory known = vm.parseJsonUintArray(json, ".zeros");
        uint256[32] memory zeros = ZeroHashes.table();
        uint256 zero = 0;
        for (uint256 i = 0; i < 32; i++) {
            assertEq(zeros[i], zero);
            assertEq(known[i], zero);
            zero = Poseidon2Plain.compress(zero, zero);
        }
        assertEq(ZeroHashes.EMPTY_ROOT, zero);
        assertEq(known[32], zero);
    }
}
