// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ICREDarkPool, RequestStatus} from "../ICREDarkPool.sol";
import {IClearingVerifier} from "./IClearingVerifier.sol";

/// @title The dark pool of one issuer: the seed's three functions and what they need around them.
/// @notice Stages: register a mandate, request collateral, settle rounds, then open, expire or cancel.
interface IDarkPool is ICREDarkPool {
    /// @notice When the world learns a request's outcome.
    /// @dev Immediate: with each settlement. Sealed: all together when the request is opened.
    enum Disclosure {
        Immediate,
        Sealed
    }

    /// @notice What is kept of a request.
    /// @param commitment The seed's encryptedAmount: a hiding commitment to amount, remainder and mandate.
    /// Each settlement replaces it.
    /// @param statusCommitment Sealed: commitment to the status after the last round; 1 before the first round.
    /// @param opened Unix seconds.
    /// @param expires Unix seconds; the first instant at which no round settles any more.
    /// @param premiumCapBps The public premium cap, basis points.
    /// @param rounds Rounds settled so far.
    /// @param status As last written; `getRequestStatus` adds the clock.
    struct Request {
        uint256 commitment;
        uint256 statusCommitment;
        uint40 opened;
        uint40 expires;
        uint16 premiumCapBps;
        uint64 rounds;
        RequestStatus status;
    }

    event MandateRegistered(uint256 mandate, uint256 position);
    event CollateralRequested(
        bytes32 indexed requestId,
        address indexed issuer,
        bytes32 encryptedAmount,
        uint256 premiumBps,
        uint256 opened,
        uint256 expires
    );
    /// @notice A round settled, empty or not. Owners find their notes by trying the ciphertexts, or by search.
    /// @param round Counts from 1 within the request.
    /// @param publicInputs The statement's 26 public inputs.
    /// @param ciphertexts Five of equal, fixed length: four slots, then the issuer.
    event Settled(bytes32 indexed requestId, uint64 indexed round, uint256[26] publicInputs, bytes[] ciphertexts);
    event RequestOpened(bytes32 indexed requestId, uint8 status);
    event RequestExpired(bytes32 indexed requestId);
    event RequestCancelled(bytes32 indexed requestId);

    error CallerNotIssuer(address caller, address issuer);
    error ZeroAddress();
    error FeedDecimalsMismatch(uint8 decimals, uint8 expected);
    error NotInField(uint256 value);
    error ZeroCommitment();
    error MandateNotRegistered();
    /// @notice Only settlements move the position; a later mandate has to name it as it stands.
    error PositionMismatch(uint256 position, uint256 stored);
    error PremiumAboveCap(uint256 premiumBps, uint256 capBps);
    error TimeoutOutOfRange(uint256 timeout, uint256 timeoutMin, uint256 timeoutMax);
    /// @notice A request is still open, or has run out and waits for `expireRequest` or `openRequest`.
    error RequestOpen(bytes32 requestId);
    error RecoveryHalted(uint256 attempts);
    error RequestUnknown(bytes32 requestId);
    error RequestNotOpen(bytes32 requestId, RequestStatus status);
    error RequestNotExpired(bytes32 requestId, uint256 timestamp, uint256 expires);
    error RoundAlreadySettled(bytes32 requestId, uint64 rounds);
    error UnsupportedVersion(uint256 version, uint256 supported);
    error CiphertextCountMismatch(uint256 count, uint256 expected);
    error CiphertextLengthMismatch(uint256 index, uint256 length, uint256 expected);
    error EnclaveNotActive(address signer);
    error PublicInputNotInField(uint256 index, uint256 value);
    /// @notice A public input is not what the chain says it is. Indices are those of the statement.
    error PublicInputMismatch(uint256 index, uint256 given, uint256 expected);
    error ClosedAtOutOfRange(uint256 closedAt, uint256 opened, uint256 timestamp);
    /// @notice The round closed longer ago than a maker may be held to it; it is void.
    error RoundTooOld(uint256 closedAt, uint256 timestamp, uint256 window);
    error PriceNotPositive(int256 answer);
    error PriceStale(uint256 updatedAt, uint256 timestamp, uint256 ageMax);
    /// @notice The function belongs to the other disclosure mode.
    error WrongDisclosure(Disclosure disclosure);
    error OpeningMismatch(uint256 commitment, uint256 stored);
    error StatusOutOfRange(uint256 status);
    error SealedRequestCannotBeCancelled();

    /// @notice Registers the mandate that every settlement has to stay inside, and once the position. Only the
    /// issuer, while no request is open.
    /// @param mandate Hiding commitment, in field, not zero.
    /// @param position First call: commitment to the issuer's position. Later calls: the stored one.
    function registerMandate(uint256 mandate, uint256 position) external;

    /// @notice Withdraws a request of which no round has settled. Only the issuer, under immediate disclosure.
    function cancelRequest(bytes32 requestId) external;

    /// @notice Ends a request that ran out and counts a failed attempt with the guard. Anyone.
    /// @dev Sealed: only when the opening is overdue by `OPENING_GRACE`, and then the epoch counts as
    /// undercollateralised (promise P9).
    function expireRequest(bytes32 requestId) external;

    /// @notice Sealed: opens the status commitment of the last round, from `expires` on. Anyone who has the
    /// opening, so that it depends on nobody's goodwill. Not FILLED counts as a failed attempt.
    /// @param status 0 pending, 1 partially filled, 2 filled.
    /// @param salt Opening of the status commitment, below the field order.
    function openRequest(bytes32 requestId, uint8 status, uint256 salt) external;

    /// @notice A request as stored. Reverts `RequestUnknown`.
    function request(bytes32 requestId) external view returns (Request memory);

    /// @notice The newest request; zero before the first.
    function currentRequestId() external view returns (bytes32);

    /// @notice The number of requests made, hence the nonce of the next one's id.
    function nonce() external view returns (uint256);

    function mandate() external view returns (uint256);
    function position() external view returns (uint256);
    function issuer() external view returns (address);
    function disclosure() external view returns (Disclosure);

    /// @notice Checks the proof of every settlement.
    function verifier() external view returns (IClearingVerifier);

    /// @notice What public input 0 has to be for a request's round: keccak256(abi.encode(chain id, this,
    /// requestId, round)) >> 8.
    function context(bytes32 requestId, uint64 round) external view returns (uint256);

    /// @notice The EIP-712 digest an enclave signs for a settlement.
    /// @param publicInputsHash keccak256(abi.encodePacked(publicInputs)).
    /// @param ciphertextsHash keccak256(abi.encode(ciphertexts)).
    function settlementDigest(bytes32 requestId, uint64 round, bytes32 publicInputsHash, bytes32 ciphertextsHash)
        external
        view
        returns (bytes32);
}
