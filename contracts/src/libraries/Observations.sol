// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IEnclaveRegistry} from "../interfaces/IEnclaveRegistry.sol";

/// @title What an enclave said of one tick, under its signature.
/// @notice f + 1 nodes vouch for what they were told. Whoever serves the enclave's answers to all of them is one
/// host, so a receiver that acts on such an answer asks for the enclave's own word:
/// `abi.encode(Observation, bytes signature)`, the signature r, s, v over `digest` by a key that the registry
/// holds active.
library Observations {
    /// @notice What the tick says in public in plain words.
    /// @dev Sealed disclosure says nothing but at an epoch's opening.
    enum Attested {
        Nothing,
        Shortfall,
        Recovered
    }

    /// @param tick Number of the tick, from 1.
    /// @param timestamp Its instant, Unix seconds.
    /// @param attested The bit, where it is said.
    /// @param status Commitment to the status under sealed disclosure, else zero.
    /// @param deficit Commitment to a request for the present gap.
    /// @param answer Hash of the enclave's whole answer, so that the nodes hold the rest to the same signature.
    struct Observation {
        uint32 tick;
        uint64 timestamp;
        Attested attested;
        bytes32 status;
        bytes32 deficit;
        bytes32 answer;
    }

    /// @notice Seconds after its tick within which an observation is acted upon: two ticks of the seed's workflow,
    /// as long as its report may be delivered.
    uint256 internal constant AGE_MAX = 10 minutes;

    bytes32 internal constant TYPEHASH = keccak256(
        "Observation(uint32 tick,uint64 timestamp,uint8 attested,bytes32 status,bytes32 deficit,bytes32 answer)"
    );

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    error ObservationMissing();
    error ObservationNotSigned(address signer);
    error ObservationOutOfTime(uint256 timestamp, uint256 blockTimestamp, uint256 ageMax);
    error CallNotObserved(bytes4 selector);

    /// @notice The observation, if an active enclave signed it and its tick is now.
    /// @param darkPool Whose enclave; settlements are signed under the same domain.
    function checked(bytes memory observation, IEnclaveRegistry registry, address darkPool)
        internal
        view
        returns (Observation memory o)
    {
        if (observation.length == 0) revert ObservationMissing();
        address signer;
        (o, signer) = recovered(observation, darkPool);
        if (!registry.isActive(signer)) revert ObservationNotSigned(signer);
        if (o.timestamp > block.timestamp || block.timestamp - o.timestamp > AGE_MAX) {
            revert ObservationOutOfTime(o.timestamp, block.timestamp, AGE_MAX);
        }
    }

    /// @notice The observation and whose signature it bears: zero, which is nobody's, if it is none.
    function recovered(bytes memory observation, address darkPool)
        internal
        view
        returns (Observation memory o, address signer)
    {
        bytes memory signature;
        (o, signature) = abi.decode(observation, (Observation, bytes));
        (signer,,) = ECDSA.tryRecover(digest(o, darkPool), signature);
    }

    /// @notice First word of a call's arguments; zero if there is none.
    function firstArgument(bytes memory call_) internal pure returns (bytes32 word) {
        if (call_.length < 36) return 0;
        // Length, then four bytes of selector.
        assembly ("memory-safe") {
            word := mload(add(call_, 36))
        }
    }

    /// @notice What the enclave signs: EIP-712, in the dark pool's domain.
    function digest(Observation memory o, address darkPool) internal view returns (bytes32) {
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("CDPR"), keccak256("1"), block.chainid, darkPool));
        return MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(TYPEHASH, o)));
    }
}
