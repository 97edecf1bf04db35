// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "../Test.sol";
import {Fold} from "../../src/libraries/Fold.sol";
import {AbsorbVerifier} from "../../src/second/verifiers/AbsorbVerifier.sol";
import {AccountVerifier} from "../../src/second/verifiers/AccountVerifier.sol";
import {ClearVerifier} from "../../src/second/verifiers/ClearVerifier.sol";
import {SpendVerifier} from "../../src/second/verifiers/SpendVerifier.sol";

/// @dev What the four generated verifiers have in common.
interface IGenerated {
    error PublicInputNotInField();
    error ProofInvalid();

    function isDevelopment() external view returns (bool);
    function verifyProof(uint256[8] calldata proof, uint256[3] calldata input) external view;
}

/// @dev Real proofs, one of each relation, made by `circuits` under the keys that the verifiers are generated from.
contract SecondVerifiersTest is Test {
    uint256 private constant Q = 0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47;
    /// @dev A cold call included.
    uint256 private constant VERIFY_GAS_MAX = 215_000;

    IGenerated[4] private _verifiers;
    uint256[8][4] private _proofs;
    uint256[3][4] private _inputs;

    function setUp() public {
        string memory json = vm.readFile("test/vectors/proofs.json");
        _verifiers = [
            IGenerated(address(new AbsorbVerifier())),
            IGenerated(address(new SpendVerifier())),
            IGenerated(address(new AccountVerifier())),
            IGenerated(address(new ClearVerifier()))
        ];
        for (uint256 i = 0; i < 4; i++) {
            string memory entry = string.concat(".proofs[", vm.toString(i), "]");
            // As the pool does it: digest and values are posted, the inputs are its own.
            uint256[] memory posted = vm.parseJsonUintArray(json, string.concat(entry, ".posted"));
            (_inputs[i][0], _inputs[i][1], _inputs[i][2]) = Fold.inputs(posted);
            uint256[] memory inputs = vm.parseJsonUintArray(json, string.concat(entry, ".inputs"));
            uint256[] memory proof = vm.parseJsonUintArray(json, string.concat(entry, ".proof"));
            for (uint256 j = 0; j < 3; j++) {
                assertEq(_inputs[i][j], inputs[j]);
            }
            for (uint256 j = 0; j < 8; j++) {
                _proofs[i][j] = proof[j];
            }
        }
    }

    function test_verifyProof_takesRealProofsAndSaysWhatItsKeyIsWorth() public view {
        for (uint256 i = 0; i < 4; i++) {
            (uint256[8] memory proof, uint256[3] memory input) = (_proofs[i], _inputs[i]);
            uint256 before = gasleft();
            _verifiers[i].verifyProof(proof, input);
            assertTrue(before - gasleft() <= VERIFY_GAS_MAX, "verifying costs too much");
            assertTrue(_verifiers[i].isDevelopment(), "anyone can forge proofs for it");
        }
    }

    function test_verifyProof_revertsWhenAnInputIsAnother() public {
        for (uint256 i = 0; i < 4; i++) {
            for (uint256 j = 0; j < 3; j++) {
                uint256[3] memory input = _inputs[i];
                input[j] = addmod(input[j], 1, Fold.P);
                _refuses(i, _proofs[i], input, IGenerated.ProofInvalid.selector);
                input = _inputs[i];
                input[j] += Fold.P;
                _refuses(i, _proofs[i], input, IGenerated.PublicInputNotInField.selector);
            }
        }
    }

    function test_verifyProof_revertsWhenTheProofIsAltered() public {
        for (uint256 i = 0; i < 4; i++) {
            for (uint256 j = 0; j < 8; j++) {
                uint256[8] memory proof = _proofs[i];
                proof[j] ^= 1;
                _refuses(i, proof, _inputs[i], IGenerated.ProofInvalid.selector);
                proof = _proofs[i];
                proof[j] += Q;
                _refuses(i, proof, _inputs[i], IGenerated.ProofInvalid.selector);
            }
            uint256[8] memory negated = _proofs[i];
            negated[1] = Q - negated[1];
            _refuses(i, negated, _inputs[i], IGenerated.ProofInvalid.selector);
            uint256[8] memory none;
            _refuses(i, none, _inputs[i], IGenerated.ProofInvalid.selector);
        }
    }

    function test_verifyProof_revertsWhenTheProofIsOfAnotherRelation() public {
        for (uint256 i = 0; i < 4; i++) {
            for (uint256 j = 0; j < 4; j++) {
                if (i != j) _refuses(i, _proofs[j], _inputs[j], IGenerated.ProofInvalid.selector);
            }
        }
    }

    function _refuses(uint256 i, uint256[8] memory proof, uint256[3] memory input, bytes4 selector) private {
        vm.expectRevert(abi.encodeWithSelector(selector));
        // The precompile takes all it is given for points that are none.
        _verifiers[i].verifyProof{gas: 1_000_000}(proof, input);
    }
}
