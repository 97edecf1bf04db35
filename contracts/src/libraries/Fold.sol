// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title A proof's public values, folded into three inputs.
/// @notice A circuit takes its values w as private ones and shows D = sponge(w) and y = Σ wᵢ zⁱ for a z it is given.
/// Whoever sends a proof posts D and values v; this library draws z = keccak256(D ‖ v) mod p and computes
/// y = Σ vᵢ zⁱ. A proof that verifies with (D, z, y) is of v.
/// @dev Why: D fixes w before z is drawn, up to a collision of the sponge, and z is drawn after v, which is inside it.
/// Two different vectors of n values agree at a random z with probability (n − 1) / p. So z is never taken from a
/// caller, D and every value are inside it, and every value is reduced: v and v + p would fold alike and be, say, two
/// nullifiers. The same argument as for the proofs of equivalence of EIP-4844's blobs. Rust has the twin,
/// `pool::second::fold`, and `test/vectors/fold.json` is made by it.
library Fold {
    /// @notice Order of the BN254 scalar field.
    uint256 internal constant P = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;

    /// @notice A posted word is not below p. Index 0 is the digest.
    error WordNotInField(uint256 index, uint256 word);

    /// @notice The public inputs of a proof: digest, challenge, sum.
    /// @param posted The digest, followed by the values in the circuit's order. What is acted upon must be read from
    /// this array, after this call.
    /// @return digest D, as posted.
    /// @return challenge z.
    /// @return sum y.
    function inputs(uint256[] memory posted) internal pure returns (uint256 digest, uint256 challenge, uint256 sum) {
        bool reduced = true;
        assembly ("memory-safe") {
            let p := P
            let first := add(posted, 0x20)
            let size := shl(5, mload(posted))
            challenge := mod(keccak256(first, size), p)
            // Horner, from the last value to the first; the word before that is the digest.
            for { let at := add(posted, size) } gt(at, first) { at := sub(at, 0x20) } {
                let value := mload(at)
                reduced := and(reduced, lt(value, p))
                sum := addmod(mulmod(sum, challenge, p), value, p)
            }
            // An empty array has no digest: zero, with which nothing verifies.
            if size {
                digest := mload(first)
                reduced := and(reduced, lt(digest, p))
            }
        }
        if (!reduced) _refuse(posted);
    }

    /// @notice What the challenge is drawn from: keccak256 of digest and values, 32 bytes each. Whoever signs values
    /// signs this.
    function hash(uint256[] memory posted) internal pure returns (bytes32 hashed) {
        assembly ("memory-safe") {
            hashed := keccak256(add(posted, 0x20), shl(5, mload(posted)))
        }
    }

    /// @dev Names the first word that is not reduced.
    function _refuse(uint256[] memory posted) private pure {
        for (uint256 i = 0; i < posted.length; i++) {
            if (posted[i] >= P) revert WordNotInField(i, posted[i]);
        }
    }
}
