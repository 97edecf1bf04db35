// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Keys of attested enclaves.
/// @notice Evidence is verified off chain by the DON and arrives as its report; the chain keeps which
/// workloads are allowed, which keys run them, and until when.
interface IEnclaveRegistry {
    /// @notice What the attestation rests on. Values are those of the report: 1 and 2.
    /// @dev `Development` evidence is signed under a root whose key is public.
    enum Trust {
        None,
        Development,
        Hardware
    }

    /// @param workloadId Identifier of the measured program, policy and configuration.
    /// @param keyBundleHash Hash of the bundle that the evidence signs (HPKE key, signer, chain, registry, epoch).
    /// @param activeFrom Unix seconds; active from block.timestamp >= activeFrom on.
    /// @param expiry Unix seconds; active while block.timestamp <= expiry.
    /// @param trust What the attestation rests on.
    /// @param revoked Set for ever by the guardian or the owner.
    struct Enclave {
        bytes32 workloadId;
        bytes32 keyBundleHash;
        uint64 activeFrom;
        uint64 expiry;
        Trust trust;
        bool revoked;
    }

    event WorkloadAllowed(bytes32 indexed workloadId);
    event WorkloadDisallowed(bytes32 indexed workloadId);
    event EnclaveRegistered(
        address indexed signer, bytes32 indexed workloadId, bytes32 keyBundleHash, uint64 expiry, Trust trust
    );
    event EnclaveRevoked(address indexed signer);

    error WorkloadNotAllowed(bytes32 workloadId);
    error DevelopmentEnclaveOffDevnet(uint256 chainId, uint256 devnet);
    error TrustUnknown(uint8 trust);
    error ActivationDelayTooShort(uint64 delay, uint64 min);
    error ExpiryPassed(uint64 expiry, uint256 timestamp);
    error ExpiryShortened(uint64 expiry, uint64 standing);
    error SignerRevoked(address signer);
    error CallerNotGuardian(address caller, address guardian);
    error ZeroAddress();

    /// @notice Allows a workload. Only the owner, a timelock.
    function allowWorkload(bytes32 workloadId) external;

    /// @notice Withdraws a workload; every key that runs it stops at once. The owner or the guardian.
    function disallowWorkload(bytes32 workloadId) external;

    /// @notice Registers or renews the settlement key of an attested enclave. Only through a DON report. A key is
    /// active after the registry's activation delay; a renewal before the expiry, on the same workload and trust,
    /// goes on without one, and may not end earlier than what stands: a key is stopped by whoever may revoke it.
    /// @param signer Address of the enclave's secp256k1 key.
    /// @param workloadId An allowed workload.
    /// @param keyBundleHash Hash of the attested key bundle.
    /// @param expiry Unix seconds, not in the past; a renewal's not before the present one.
    /// @param trust 1 (development, refused off chain id 31337) or 2 (hardware).
    function register(address signer, bytes32 workloadId, bytes32 keyBundleHash, uint64 expiry, uint8 trust) external;

    /// @notice Revokes a key for ever. The owner or the guardian.
    function revoke(address signer) external;

    /// @notice Whether the key is registered, past its activation delay, unrevoked, unexpired and runs an allowed workload.
    function isActive(address signer) external view returns (bool);

    /// @notice Whether a workload is allowed.
    function isWorkloadAllowed(bytes32 workloadId) external view returns (bool);

    /// @notice The record of a key; zero if it was never registered.
    function enclave(address signer) external view returns (Enclave memory);
}
