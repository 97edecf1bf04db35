// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Verifier of one relation of the pool (Groth16 over BN254), whichever: each has another key.
/// @notice The shape of the contract that taceo-groth16-sol generates for three public inputs, so that it needs no
/// adapter, and what its key is worth.
interface IRelationVerifier {
    /// @notice Whether the secrets behind its key are known, so that anyone can prove anything: for chain 31337 only.
    function isDevelopment() external view returns (bool);

    /// @notice Returns if, and only if, the proof verifies.
    /// @param proof A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y (the order of EIP-197).
    /// @param input Digest, challenge and sum of the values, as `Fold` computes them.
    /// @dev Reverts `PublicInputNotInField()` if an input is not below the scalar field's order, and
    /// `ProofInvalid()` if a point is not on its curve or the pairing equation fails. It never
    /// returns false, so a caller cannot forget to look.
    function verifyProof(uint256[8] calldata proof, uint256[3] calldata input) external view;
}
