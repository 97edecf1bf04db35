// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Verifier of the clearing statement (Groth16 over BN254).
/// @notice The shape of the contract that taceo-groth16-sol generates, so that it needs no adapter, and what its key
/// is worth.
interface IClearingVerifier {
    /// @notice Whether the secrets behind its key are known, so that anyone can prove anything: for chain 31337 only.
    function isDevelopment() external view returns (bool);

    /// @notice Returns if, and only if, the proof verifies.
    /// @param proof A.x, A.y, B.x.c1, B.x.c0, B.y.c1, B.y.c0, C.x, C.y (the order of EIP-197).
    /// @param input The 26 public inputs in the order of the statement.
    /// @dev Reverts `PublicInputNotInField()` if an input is not below the scalar field's order, and
    /// `ProofInvalid()` if a point is not on its curve or the pairing equation fails. It never
    /// returns false, so a caller cannot forget to look.
    function verifyProof(uint256[8] calldata proof, uint256[26] calldata input) external view;
}
