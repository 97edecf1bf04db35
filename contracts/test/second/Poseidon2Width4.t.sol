// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "../Test.sol";
import {Poseidon2Width4Plain} from "./Poseidon2Width4Plain.sol";
import {NoteTree} from "../../src/second/libraries/NoteTree.sol";
import {Poseidon2Width4} from "../../src/second/libraries/Poseidon2Width4.sol";

contract Poseidon2Width4Test is Test {
    uint256 private constant P = Poseidon2Width4.P;
    /// @dev A deposit's budget is made with it.
    uint256 private constant COMPRESS_GAS_MAX = 16_500;

    /// @dev Of the Horizen Labs reference.
    function test_permutation_isTheReferences() public pure {
        uint256[4] memory state = Poseidon2Width4Plain.permutation([uint256(0), 1, 2, 3]);
        assertEq(state[0], 786823568102245344938517132468097745676732687098822989626730198331658606391);
        assertEq(state[1], 16105493617470833344375945651585194737369509580406730765188791202038211593826);
        assertEq(state[2], 2169165722086073256768101917994796590773204847633762971322389403847680713675);
        assertEq(state[3], 20837792685223053096472825292260687493226094382304778455120670180090619921530);
        assertEq(Poseidon2Width4.compress(0, 1, 2, 3), state[0]);
    }

    function test_compress_matchesTheRustTwin() public view {
        string memory json = vm.readFile("test/vectors/width4.json");
        for (uint256 i = 0; i < 8; i++) {
            string memory entry = string.concat(".vectors[", vm.toString(i), "]");
            uint256[] memory c = vm.parseJsonUintArray(json, string.concat(entry, ".children"));
            assertEq(
                Poseidon2Width4.compress(c[0], c[1], c[2], c[3]), vm.parseJsonUint(json, string.concat(entry, ".node"))
            );
        }
        assertEq(NoteTree.EMPTY_ROOT, vm.parseJsonUint(json, ".empty"));
        assertEq(NoteTree.leaf(address(5), 6, 7), vm.parseJsonUint(json, ".leaf"));
    }

    function testFuzz_compress_isThePlainVersion(uint256 a, uint256 b, uint256 c, uint256 d) public pure {
        _comparesWithPlain(a % P, b % P, c % P, d % P);
    }

    function test_compress_isThePlainVersionAtTheEdges() public pure {
        uint256[4] memory edges = [0, 1, P - 1, P / 2];
        for (uint256 i = 0; i < 256; i++) {
            _comparesWithPlain(edges[i % 4], edges[i / 4 % 4], edges[i / 16 % 4], edges[i / 64]);
        }
    }

    function test_emptyRoot_isOfATreeWithoutLeaves() public pure {
        uint256 zero = 0;
        for (uint256 i = 0; i < 16; i++) {
            zero = Poseidon2Width4Plain.compress([zero, zero, zero, zero]);
        }
        assertEq(NoteTree.EMPTY_ROOT, zero);
    }

    function test_compress_costsLessThanItsBudget() public {
        uint256 before = gasleft();
        Poseidon2Width4.compress(before, 2, 3, 4);
        uint256 used = before - gasleft();
        emit GasMeasured("Poseidon2Width4.compress", used);
        assertTrue(used <= COMPRESS_GAS_MAX, "compress costs more than its budget");
    }

    function _comparesWithPlain(uint256 a, uint256 b, uint256 c, uint256 d) private pure {
        assertEq(Poseidon2Width4.compress(a, b, c, d), Poseidon2Width4Plain.compress([a, b, c, d]));
    }
}
