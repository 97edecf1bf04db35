// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ICREDarkPool, RequestStatus} from "../../ICREDarkPool.sol";
import {IShieldedPool} from "./IShieldedPool.sol";

/// @title The dark pool of one issuer, a venue of the shielded pool: the seed's three functions and what they need.
/// @notice Stages: open and fund the account, register a mandate, request collateral, settle rounds, then open, expire
/// or cancel the request; release collateral to reserve wallets. What conserves value and who owns what is the pool's
/// to check; this contract says only what was asked for, under which mandate, cap, price, closing and order set, and
/// that a registered enclave stands for the round.
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
    /// @param opened Unix seconds. Rounds close at `opened + k · tick`, k at least 1.
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

    event MandateRegistered(uint256 mandate);
    event ReserveWalletRegistered(address indexed wallet);
    event ReserveWalletRemoved(address indexed wallet);
    event CollateralRequested(
        bytes32 indexed requestId,
        address indexed issuer,
        bytes32 encryptedAmount,
        uint256 premiumBps,
        uint256 opened,
        uint256 expires
    );
    /// @notice A round settled, empty or not. Its values are in the pool's `Cleared`, in the same transaction.
    /// @param round Counts from 1 within the request.
    /// @param priceRound The feed's round that was the newest at the closing.
    event Settled(
        bytes32 indexed requestId, uint64 indexed round, uint256 closedAt, uint256 orderRoot, uint80 priceRound
    );
    event RequestOpened(bytes32 indexed requestId, uint8 status);
    event RequestExpired(bytes32 indexed requestId);
    event RequestCancelled(bytes32 indexed requestId);

    error CallerNotIssuer(address caller, address issuer);
    error ZeroAddress();
    error FeedDecimalsMismatch(uint8 decimals, uint8 expected);
    /// @notice A settlement and the grace after it would not fit between two closings.
    error TickTooShort(uint256 tick, uint256 min);
    error NotInField(uint256 value);
    error ZeroCommitment();
    error MandateNotRegistered();
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
    error EnclaveNotActive(address signer);
    /// @notice The closing is not one of the request's.
    error ClosedOffGrid(uint256 closedAt, uint256 opened, uint256 tick);
    /// @notice A round closed and may still settle, so the account stays as the round knows it.
    error RoundInFlight(uint256 closedAt, uint256 timestamp);
    error PriceNotPositive(int256 answer);
    /// @notice The feed's round is not the one that was the newest at the closing, or the feed cannot show it.
    /// @param next When the round after it came, 0 if the feed has none.
    error PriceNotOfClosing(uint80 priceRound, uint256 updatedAt, uint256 next, uint256 closedAt);
    error PriceStale(uint256 updatedAt, uint256 closedAt, uint256 ageMax);
    error WalletNotRegistered(address wallet);
    error RecipientNotIssuer(address recipient, address issuer);
    error WalletAlreadyRegistered(address wallet);
    /// @notice The function belongs to the other disclosure mode.
    error WrongDisclosure(Disclosure disclosure);
    error OpeningMismatch(uint256 commitment, uint256 stored);
    error StatusOutOfRange(uint256 status);
    error SealedRequestCannotBeCancelled();

    /// @notice Registers the mandate that every settlement has to stay inside. Only the issuer, while no request is
    /// open.
    /// @param mandate Hiding commitment, in field, not zero. It names this venue, the issuer and the assets.
    function registerMandate(uint256 mandate) external;

    /// @notice Opens, funds, takes back from, releases from or re-salts the issuer's account in the pool. Only the
    /// issuer, and never while a round that closed may still settle.
    /// @dev Funding takes the tokens from the issuer, who has approved this contract. What is taken back goes to the
    /// issuer, what is released to a registered reserve wallet; the context binds the recipient.
    /// @param posted As the pool's `account` has it, under the context of `accountContext`.
    function moveAccount(IShieldedPool.Move calldata move, uint256[8] calldata proof, uint256[] memory posted) external;

    /// @notice Lets collateral be released to a wallet. Only the owner, a timelock.
    function registerReserveWallet(address wallet) external;

    /// @notice Withdraws a wallet. Only the owner.
    function removeReserveWallet(address wallet) external;

    /// @notice Withdraws a request of which no round has settled. Only the issuer, under immediate disclosure, and
    /// never while a round that closed may still settle.
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
    function issuer() external view returns (address);
    function disclosure() external view returns (Disclosure);

    /// @notice Where this venue's notes, account and roots are.
    function pool() external view returns (IShieldedPool);

    /// @notice Seconds from one closing to the next.
    function tick() external view returns (uint256);

    function isReserveWallet(address wallet) external view returns (bool);

    /// @notice The closing whose round may still settle now; 0 if there is none.
    function roundInFlight() external view returns (uint256 closedAt);

    /// @notice What the context of a settlement has to be, as long as no other settlement comes before it: the pool's,
    /// with the venue data keccak256(abi.encode(requestId, round, closedAt, price, orderRoot)).
    /// @param price 8 decimals.
    function context(bytes32 requestId, uint64 round, uint256 closedAt, uint256 price, uint256 orderRoot)
        external
        view
        returns (uint256);

    /// @notice What the context of a move of the account has to be: the pool's, with the venue data
    /// keccak256(abi.encode(recipient)).
    function accountContext(IShieldedPool.Kind kind, address recipient) external view returns (uint256);

    /// @notice The EIP-712 digest an enclave signs for a settlement.
    /// @param postedHash keccak256 of digest and values, 32 bytes each: what the challenge is made of.
    function settlementDigest(bytes32 requestId, uint64 round, bytes32 postedHash) external view returns (bytes32);
}
