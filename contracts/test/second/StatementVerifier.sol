// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRelationVerifier} from "../../src/second/interfaces/IRelationVerifier.sol";
import {Fold} from "../../src/libraries/Fold.sol";

/// @dev Stands where a Groth16 verifier does, and binds values as one does: a proof is a number under which the prover
/// left its values w, and verifies if the digest is of w and y = Σ wᵢ zⁱ. What it leaves out is the relation: anybody
/// can prove any values here. So what these tests show is what the contracts add to true statements.
contract StatementVerifier is IRelationVerifier {
    bool public immutable isDevelopment;
    mapping(uint256 proof => uint256[] values) private _proven;
    uint256 private _proofs;

    error ProofInvalid();
    error PublicInputNotInField();

    constructor(bool isDevelopment_) {
        isDevelopment = isDevelopment_;
    }

    /// @dev A proof of the values in `posted[1..]`, and `posted` with their digest before them.
    function prove(uint256[] memory posted) external returns (uint256[8] memory proof, uint256[] memory) {
        uint256[] storage w = _proven[++_proofs];
        for (uint256 i = 1; i < posted.length; i++) {
            w.push(posted[i]);
        }
        proof[0] = _proofs;
        // As wide as points are, for whoever measures calldata.
        for (uint256 i = 1; i < 8; i++) {
            proof[i] = uint256(keccak256(abi.encode(_proofs, i)));
        }
        posted[0] = digestOf(w);
        return (proof, posted);
    }

    function verifyProof(uint256[8] calldata proof, uint256[3] calldata input) external view {
        uint256[] memory w = _proven[proof[0]];
        for (uint256 i = 0; i < 3; i++) {
            if (input[i] >= Fold.P) revert PublicInputNotInField();
        }
        if (w.length == 0 || digestOf(w) != input[0]) revert ProofInvalid();
        uint256 sum = 0;
        for (uint256 i = w.length; i > 0; i--) {
            sum = addmod(mulmod(sum, input[1], Fold.P), w[i - 1], Fold.P);
        }
        if (sum != input[2]) revert ProofInvalid();
    }

    /// @dev In place of the sponge: any hash of all values does.
    function digestOf(uint256[] memory values) public pure returns (uint256) {
        return uint256(keccak256(abi.encode(values))) % Fold.P;
    }
}

/// @dev Takes everything and costs nothing, to measure what is around a proof.
contract FreeVerifier is IRelationVerifier {
    bool public constant isDevelopment = true;

    function verifyProof(uint256[8] calldata, uint256[3] calldata) external pure {}
}
