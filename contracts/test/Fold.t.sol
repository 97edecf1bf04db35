// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "./Test.sol";
import {Fold} from "../src/libraries/Fold.sol";

contract FoldTest is Test {
    uint256 private constant P = Fold.P;
    /// @dev Fifty values are a settlement's.
    uint256 private constant FOLD_GAS_MAX = 6_500;

    function test_inputs_matchThoseOfTheRustTwin() public view {
        string memory json = vm.readFile("test/vectors/fold.json");
        for (uint256 i = 0; i < 8; i++) {
            string memory entry = string.concat(".vectors[", vm.toString(i), "]");
            uint256[] memory posted = vm.parseJsonUintArray(json, string.concat(entry, ".posted"));
            (uint256 digest, uint256 challenge, uint256 sum) = Fold.inputs(posted);
            assertEq(digest, posted[0]);
            assertEq(challenge, vm.parseJsonUint(json, string.concat(entry, ".challenge")));
            assertEq(sum, vm.parseJsonUint(json, string.concat(entry, ".sum")));
        }
    }

    function testFuzz_inputs_areThePlainOnes(uint256[] memory posted) public pure {
        for (uint256 i = 0; i < posted.length; i++) {
            posted[i] %= P;
        }
        _comparesWithPlain(posted);
    }

    function test_inputs_areThePlainOnesAtTheEdges() public pure {
        for (uint256 n = 0; n < 6; n++) {
            uint256[] memory posted = new uint256[](n);
            _comparesWithPlain(posted);
            for (uint256 i = 0; i < n; i++) {
                posted[i] = P - 1 - i;
            }
            _comparesWithPlain(posted);
        }
    }

    function test_inputs_leaveTheArrayAndMemoryAlone() public pure {
        uint256[] memory posted = _some(9);
        bytes32 before = keccak256(abi.encode(posted));
        uint256[] memory next = _some(3);
        Fold.inputs(posted);
        assertEq(keccak256(abi.encode(posted)), before);
        assertEq(keccak256(abi.encode(next)), keccak256(abi.encode(_some(3))));
    }

    /// @dev v and v + p fold alike, so that nothing but this check tells them apart.
    function test_inputs_revertWhenAWordIsNotReduced() public {
        for (uint256 i = 0; i < 9; i++) {
            uint256[] memory posted = _some(9);
            uint256[3] memory words = [posted[i] + P, P, type(uint256).max];
            for (uint256 j = 0; j < 3; j++) {
                posted[i] = words[j];
                vm.expectRevert(abi.encodeWithSelector(Fold.WordNotInField.selector, i, words[j]));
                this.inputs(posted);
            }
            posted[i] = P - 1;
            this.inputs(posted);
        }
        // The first one is named.
        uint256[] memory two = _some(9);
        (two[3], two[7]) = (P, P + 1);
        vm.expectRevert(abi.encodeWithSelector(Fold.WordNotInField.selector, 3, P));
        this.inputs(two);
    }

    /// @dev The sum alone would not tell: with a z that is known before, one value makes up for another.
    function test_inputs_drawAnotherChallengeForOtherValues() public pure {
        uint256[] memory posted = _some(9);
        (, uint256 challenge, uint256 sum) = Fold.inputs(posted);
        // posted[3] is v₂, of weight z², and posted[2] is v₁, of weight z.
        posted[3] = addmod(posted[3], 1, P);
        posted[2] = addmod(posted[2], P - challenge, P);
        (uint256 z, uint256 y) = (challenge, _sum(posted, challenge));
        assertEq(y, sum);
        (, z, y) = Fold.inputs(posted);
        assertTrue(z != challenge && y != sum, "the challenge is of the values");
    }

    function test_inputs_tellOrderLengthAndDigestApart() public pure {
        (, uint256 challenge, uint256 sum) = Fold.inputs(_some(9));
        uint256[] memory other = _some(9);
        (other[4], other[5]) = (other[5], other[4]);
        _differs(other, challenge, sum);
        other = _some(9);
        other[0] = addmod(other[0], 1, P);
        _differs(other, challenge, sum);
        _differs(_some(8), challenge, sum);
        // A value more that is zero leaves the polynomial as it is.
        other = new uint256[](10);
        for (uint256 i = 0; i < 9; i++) {
            other[i] = _some(9)[i];
        }
        assertEq(_sum(other, challenge), sum);
        _differs(other, challenge, sum);
    }

    function test_inputs_costLessThanTheirBudget() public {
        uint256[] memory posted = _some(51);
        uint256 before = gasleft();
        Fold.inputs(posted);
        uint256 used = before - gasleft();
        emit GasMeasured("Fold.inputs, 50 values", used);
        assertTrue(used <= FOLD_GAS_MAX, "folding fifty values costs more than 6,500 gas");
    }

    function inputs(uint256[] memory posted) external pure returns (uint256, uint256, uint256) {
        return Fold.inputs(posted);
    }

    function _comparesWithPlain(uint256[] memory posted) private pure {
        (uint256 digest, uint256 challenge, uint256 sum) = Fold.inputs(posted);
        assertEq(digest, posted.length == 0 ? 0 : posted[0]);
        assertEq(challenge, uint256(keccak256(abi.encodePacked(posted))) % P);
        assertEq(sum, _sum(posted, challenge));
    }

    /// @dev Σ vᵢ zⁱ by its powers, as written.
    function _sum(uint256[] memory posted, uint256 z) private pure returns (uint256 sum) {
        uint256 power = 1;
        for (uint256 i = 1; i < posted.length; i++) {
            sum = addmod(sum, mulmod(posted[i], power, P), P);
            power = mulmod(power, z, P);
        }
    }

    function _differs(uint256[] memory posted, uint256 challenge, uint256 sum) private pure {
        (, uint256 z, uint256 y) = Fold.inputs(posted);
        assertTrue(z != challenge && y != sum, "other values fold to the same inputs");
    }

    function _some(uint256 n) private pure returns (uint256[] memory posted) {
        posted = new uint256[](n);
        for (uint256 i = 0; i < n; i++) {
            posted[i] = uint256(keccak256(abi.encode(i))) % P;
        }
    }
}
