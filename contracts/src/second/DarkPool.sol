// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AggregatorV3Interface} from "@chainlink/contracts/src/v0.8/shared/interfaces/AggregatorV3Interface.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {CREReceiver} from "../CREReceiver.sol";
import {ICREDarkPool, RequestStatus} from "../ICREDarkPool.sol";
import {IEnclaveRegistry} from "../interfaces/IEnclaveRegistry.sol";
import {IRecoveryGuard} from "../interfaces/IRecoveryGuard.sol";
import {Fold} from "../libraries/Fold.sol";
import {Observations} from "../libraries/Observations.sol";
import {IDarkPool} from "./interfaces/IDarkPool.sol";
import {IShieldedPool} from "./interfaces/IShieldedPool.sol";
import {IStatusHash} from "./interfaces/IStatusHash.sol";
import {Values} from "./libraries/Values.sol";

/// @title The dark pool of one issuer.
/// @dev `PENDING` and `PARTIALLY_FILLED` are the open statuses. One request is open at a time, the
/// newest; "open" is read off its own status, so that no slot is cleared when one fills. Under sealed
/// disclosure a settlement writes the same slots, non-zero to non-zero, whatever happened inside.
contract DarkPool is IDarkPool, CREReceiver, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using Values for uint256[];

    /// @param owner Binds the workflow and registers reserve wallets; meant to be a timelock.
    /// @param issuer Registers the mandate and moves the account; the workflow acts for it.
    /// @param forwarder The KeystoneForwarder.
    /// @param workflowId The workflow that may act.
    /// @param workflowOwner Its owner.
    /// @param pool The notes.
    /// @param statusHash Opens status commitments.
    /// @param registry Active enclave keys.
    /// @param guard Premium cap and attempts. Wired to this contract afterwards.
    /// @param priceFeed Consideration units per collateral unit, 8 decimals.
    /// @param priceAgeMax Seconds a price may be old at a closing.
    /// @param tick Seconds from one closing to the next, at least the pool's window and grace.
    /// @param disclosure When outcomes become public.
    struct Deployment {
        address owner;
        address issuer;
        address forwarder;
        bytes32 workflowId;
        address workflowOwner;
        IShieldedPool pool;
        IStatusHash statusHash;
        IEnclaveRegistry registry;
        IRecoveryGuard guard;
        AggregatorV3Interface priceFeed;
        uint256 priceAgeMax;
        uint256 tick;
        Disclosure disclosure;
    }

    /// @dev A decoded `zkProof`.
    struct Settlement {
        uint80 priceRound;
        uint256 entrySlot;
        uint256[8] proof;
        uint256[] posted;
    }

    /// @notice Version of the `zkProof` encoding: abi.encode(uint16 version, uint80 priceRound, uint256 entrySlot,
    /// uint256[8] proof, uint256[] posted), the last as the pool's `clear` has it.
    uint256 public constant VERSION = 2;
    /// @notice Seconds. A gap open for longer is no longer a liquidity matter.
    uint256 public constant TIMEOUT_MAX = 7 days;
    /// @notice Seconds after `expires` from which an unopened sealed request counts against the issuer.
    /// A day: time to assemble the committee that holds the opening.
    uint256 public constant OPENING_GRACE = 1 days;
    /// @notice What `teeAttestation` signs.
    bytes32 public constant SETTLEMENT_TYPEHASH =
        keccak256("Settlement(bytes32 requestId,uint64 round,bytes32 postedHash)");

    uint8 private constant FEED_DECIMALS = 8;
    /// @dev No commitment can be found that opens this.
    uint256 private constant STATUS_UNSETTLED = 1;

    /// @inheritdoc IDarkPool
    address public immutable override issuer;
    /// @inheritdoc IDarkPool
    Disclosure public immutable override disclosure;
    /// @inheritdoc IDarkPool
    IShieldedPool public immutable override pool;
    IStatusHash public immutable statusHash;
    IEnclaveRegistry public immutable registry;
    IRecoveryGuard public immutable guard;
    AggregatorV3Interface public immutable priceFeed;
    /// @notice Seconds a price may be old at a closing.
    uint256 public immutable priceAgeMax;
    /// @inheritdoc IDarkPool
    uint256 public immutable override tick;
    /// @notice Seconds. From the opening to the first closing and its window: less could never be filled.
    uint256 public immutable timeoutMin;
    uint256 private immutable _settleWindow;
    uint256 private immutable _venue;

    /// @inheritdoc IDarkPool
    uint256 public override mandate;
    /// @inheritdoc IDarkPool
    bytes32 public override currentRequestId;
    /// @inheritdoc IDarkPool
    uint256 public override nonce;
    mapping(bytes32 requestId => Request) private _requests;
    /// @inheritdoc IDarkPool
    mapping(address wallet => bool) public override isReserveWallet;

    constructor(Deployment memory d)
        CREReceiver(d.owner, d.forwarder, d.workflowId, d.workflowOwner)
        EIP712("CDPR", "1")
    {
        if (
            d.issuer == address(0) || address(d.pool) == address(0) || address(d.statusHash) == address(0)
                || address(d.registry) == address(0) || address(d.guard) == address(0)
        ) revert ZeroAddress();
        uint8 decimals = d.priceFeed.decimals();
        if (decimals != FEED_DECIMALS) revert FeedDecimalsMismatch(decimals, FEED_DECIMALS);
        uint256 window = d.pool.settleWindow();
        // Then a settlement never reaches into the grace before the next closing, and there is a time in every tick at
        // which no round is in flight.
        if (d.tick < window + d.pool.GRACE()) revert TickTooShort(d.tick, window + d.pool.GRACE());
        issuer = d.issuer;
        pool = d.pool;
        statusHash = d.statusHash;
        registry = d.registry;
        guard = d.guard;
        priceFeed = d.priceFeed;
        priceAgeMax = d.priceAgeMax;
        tick = d.tick;
        timeoutMin = d.tick + window;
        disclosure = d.disclosure;
        _settleWindow = window;
        _venue = d.pool.venueOf(address(this));
    }

    // Mandate, account, wallets

    /// @inheritdoc IDarkPool
    function registerMandate(uint256 mandate_) external override {
        _checkIssuer();
        if (_isOpen(_requests[currentRequestId])) revert RequestOpen(currentRequestId);
        _checkCommitment(mandate_);
        mandate = mandate_;
        emit MandateRegistered(mandate_);
    }

    /// @inheritdoc IDarkPool
    function moveAccount(IShieldedPool.Move calldata move, uint256[8] calldata proof, uint256[] memory posted)
        external
        override
        nonReentrant
    {
        _checkIssuer();
        _checkNoRoundInFlight();
        if (move.kind == IShieldedPool.Kind.Release && !isReserveWallet[move.recipient]) {
            revert WalletNotRegistered(move.recipient);
        }
        if (move.kind == IShieldedPool.Kind.TakeBack && move.recipient != issuer) {
            revert RecipientNotIssuer(move.recipient, issuer);
        }
        if (move.kind == IShieldedPool.Kind.Fund) {
            IERC20(move.asset).safeTransferFrom(issuer, address(this), move.amount);
            IERC20(move.asset).forceApprove(address(pool), move.amount);
        }
        pool.account(move, _accountData(move.recipient), proof, posted);
    }

    /// @inheritdoc IDarkPool
    function registerReserveWallet(address wallet) external override onlyOwner {
        if (wallet == address(0)) revert ZeroAddress();
        if (isReserveWallet[wallet]) revert WalletAlreadyRegistered(wallet);
        isReserveWallet[wallet] = true;
        emit ReserveWalletRegistered(wallet);
    }

    /// @inheritdoc IDarkPool
    function removeReserveWallet(address wallet) external override onlyOwner {
        if (!isReserveWallet[wallet]) revert WalletNotRegistered(wallet);
        isReserveWallet[wallet] = false;
        emit ReserveWalletRemoved(wallet);
    }

    // Requests

    /// @inheritdoc ICREDarkPool
    /// @dev Only the issuer or its workflow, the latter for what an active enclave signed. `encryptedAmount` is a
    /// commitment, in field and not zero; `premiumBps` is the public cap, at most the guard's; `timeout` is in seconds,
    /// timeoutMin … TIMEOUT_MAX.
    function requestCollateral(bytes32 encryptedAmount, uint256 premiumBps, uint256 timeout)
        external
        override
        returns (bytes32 requestId)
    {
        if (msg.sender != address(this)) _checkIssuer();
        if (mandate == 0) revert MandateNotRegistered();
        if (_isOpen(_requests[currentRequestId])) revert RequestOpen(currentRequestId);
        if (guard.halted()) revert RecoveryHalted(guard.attempts());
        _checkCommitment(uint256(encryptedAmount));
        uint256 capBps = guard.premiumCapBps();
        if (premiumBps > capBps) revert PremiumAboveCap(premiumBps, capBps);
        if (timeout < timeoutMin || timeout > TIMEOUT_MAX) {
            revert TimeoutOutOfRange(timeout, timeoutMin, TIMEOUT_MAX);
        }

        requestId = keccak256(abi.encode(block.chainid, address(this), issuer, nonce++));
        currentRequestId = requestId;
        _requests[requestId] = Request({
            commitment: uint256(encryptedAmount),
            statusCommitment: STATUS_UNSETTLED,
            // Times are below 2^40 for 34,000 years; the cap is at most the guard's limit of 10,000.
            opened: uint40(block.timestamp),
            expires: uint40(block.timestamp + timeout),
            premiumCapBps: uint16(premiumBps),
            rounds: 0,
            status: RequestStatus.PENDING
        });
        emit CollateralRequested(
            requestId, issuer, encryptedAmount, premiumBps, block.timestamp, block.timestamp + timeout
        );
    }

    /// @inheritdoc ICREDarkPool
    /// @dev Anyone. `zkProof` as at `VERSION`; `teeAttestation` is a 65-byte r, s, v signature of `settlementDigest`
    /// by an active enclave key. The signature covers the values, never the proof's bytes, which are malleable.
    function confidentialFill(bytes32 requestId, bytes calldata zkProof, bytes calldata teeAttestation)
        external
        override
        nonReentrant
    {
        Request storage r = _requests[requestId];
        RequestStatus status = _status(requestId, r);
        // A sealed request reads PENDING after its time too.
        if (block.timestamp >= r.expires && _isOpenStatus(status)) status = RequestStatus.EXPIRED;
        if (!_isOpenStatus(status)) revert RequestNotOpen(requestId, status);

        Settlement memory s = _decode(zkProof);
        uint64 round = r.rounds + 1;
        _checkAttestation(requestId, round, s.posted, teeAttestation);
        uint256 closedAt = s.posted[Values.CLEAR_CLOSED_AT];
        _checkOnGrid(closedAt, r.opened);
        uint256 price = _priceAt(s.priceRound, closedAt);
        s.posted.check(Values.CLEAR_MANDATE, mandate);
        s.posted.check(Values.CLEAR_PREMIUM_CAP_BPS, r.premiumCapBps);
        s.posted.check(Values.CLEAR_PRICE, price);
        s.posted.check(Values.CLEAR_DISCLOSURE, uint256(disclosure));
        s.posted.check(Values.CLEAR_REQUEST_OLD, r.commitment);

        r.rounds = round;
        r.commitment = s.posted[Values.CLEAR_REQUEST_NEW];
        if (disclosure == Disclosure.Sealed) {
            r.statusCommitment = s.posted[Values.CLEAR_STATUS];
        } else {
            uint256 left = s.posted[Values.CLEAR_STATUS];
            if (left > uint256(RequestStatus.FILLED)) revert StatusOutOfRange(left);
            r.status = RequestStatus(left);
        }
        uint256 orderRoot = s.posted[Values.CLEAR_ORDER_ROOT];
        emit Settled(requestId, round, closedAt, orderRoot, s.priceRound);
        pool.clear(s.entrySlot, _roundData(requestId, round, closedAt, price, orderRoot), s.proof, s.posted);
    }

    /// @inheritdoc IDarkPool
    function openRequest(bytes32 requestId, uint8 status, uint256 salt) external override nonReentrant {
        if (disclosure != Disclosure.Sealed) revert WrongDisclosure(disclosure);
        Request storage r = _requests[requestId];
        _checkEnded(requestId, r, r.expires);
        if (status > uint8(RequestStatus.FILLED)) revert StatusOutOfRange(status);
        uint256 commitment = statusHash.commitment(status, salt);
        if (commitment != r.statusCommitment) revert OpeningMismatch(commitment, r.statusCommitment);
        emit RequestOpened(requestId, status);
        if (status == uint8(RequestStatus.FILLED)) r.status = RequestStatus.FILLED;
        else _expire(requestId, r);
    }

    /// @inheritdoc IDarkPool
    function expireRequest(bytes32 requestId) external override nonReentrant {
        Request storage r = _requests[requestId];
        if (disclosure == Disclosure.Sealed) {
            _checkEnded(requestId, r, r.expires + OPENING_GRACE);
            _expire(requestId, r);
            guard.onShortfall();
        } else {
            _checkEnded(requestId, r, r.expires);
            _expire(requestId, r);
        }
    }

    /// @inheritdoc IDarkPool
    function cancelRequest(bytes32 requestId) external override {
        _checkIssuer();
        // A sealed epoch always runs to its opening, else a cancellation would speak.
        if (disclosure == Disclosure.Sealed) revert SealedRequestCannotBeCancelled();
        Request storage r = _requests[requestId];
        RequestStatus status = _status(requestId, r);
        if (r.rounds != 0) revert RoundAlreadySettled(requestId, r.rounds);
        if (status != RequestStatus.PENDING) revert RequestNotOpen(requestId, status);
        // The price has moved since: whoever could cancel now would have an option on the round.
        _checkNoRoundInFlight();
        r.status = RequestStatus.CANCELLED;
        emit RequestCancelled(requestId);
    }

    // Views

    /// @inheritdoc ICREDarkPool
    /// @dev EXPIRED from `expires` on unless FILLED; under sealed disclosure PENDING until opened.
    function getRequestStatus(bytes32 requestId) external view override returns (RequestStatus status) {
        return _status(requestId, _requests[requestId]);
    }

    /// @inheritdoc IDarkPool
    function request(bytes32 requestId) external view override returns (Request memory) {
        if (_requests[requestId].opened == 0) revert RequestUnknown(requestId);
        return _requests[requestId];
    }

    /// @inheritdoc IDarkPool
    function roundInFlight() public view override returns (uint256 closedAt) {
        Request storage r = _requests[currentRequestId];
        if (!_isOpen(r) || block.timestamp >= r.expires) return 0;
        closedAt = block.timestamp - (block.timestamp - r.opened) % tick;
        // The first closing is a tick after the opening.
        if (closedAt == r.opened || block.timestamp - closedAt > _settleWindow) return 0;
        if (closedAt <= pool.venue(_venue).closedAt) return 0;
    }

    /// @inheritdoc IDarkPool
    function context(bytes32 requestId, uint64 round, uint256 closedAt, uint256 price, uint256 orderRoot)
        external
        view
        override
        returns (uint256)
    {
        bytes32 data = _roundData(requestId, round, closedAt, price, orderRoot);
        return pool.venueContext(IShieldedPool.Kind.Clear, address(this), data);
    }

    /// @inheritdoc IDarkPool
    function accountContext(IShieldedPool.Kind kind, address recipient) external view override returns (uint256) {
        return pool.venueContext(kind, address(this), _accountData(recipient));
    }

    /// @inheritdoc IDarkPool
    function settlementDigest(bytes32 requestId, uint64 round, bytes32 postedHash)
        public
        view
        override
        returns (bytes32)
    {
        return _hashTypedDataV4(keccak256(abi.encode(SETTLEMENT_TYPEHASH, requestId, round, postedHash)));
    }

    // The workflow

    function _isAllowed(bytes4 selector) internal pure override returns (bool) {
        return selector == this.requestCollateral.selector || selector == this.confidentialFill.selector
            || selector == this.expireRequest.selector || selector == this.openRequest.selector;
    }

    /// @dev What a request asks for is the enclave's word; the other calls carry their own proof, opening or time.
    function _checkObservation(bytes4 selector, bytes memory call_, bytes memory observation) internal override {
        if (selector != this.requestCollateral.selector) {
            super._checkObservation(selector, call_, observation);
            return;
        }
        Observations.Observation memory o = Observations.checked(observation, registry, address(this));
        if (Observations.firstArgument(call_) != o.deficit) revert Observations.CallNotObserved(selector);
    }

    // A settlement

    function _decode(bytes calldata zkProof) private pure returns (Settlement memory s) {
        uint256 version = zkProof.length < 32 ? 0 : uint256(bytes32(zkProof[0:32]));
        if (version != VERSION) revert UnsupportedVersion(version, VERSION);
        (, s.priceRound, s.entrySlot, s.proof, s.posted) =
            abi.decode(zkProof, (uint16, uint80, uint256, uint256[8], uint256[]));
        s.posted.checkLength(Values.CLEAR_LENGTH);
    }

    function _checkAttestation(bytes32 requestId, uint64 round, uint256[] memory posted, bytes calldata teeAttestation)
        private
        view
    {
        bytes32 digest = settlementDigest(requestId, round, Fold.hash(posted));
        address signer = ECDSA.recover(digest, teeAttestation);
        if (!registry.isActive(signer)) revert EnclaveNotActive(signer);
    }

    /// @dev At any moment one closing at most can be settled, and it was known before.
    function _checkOnGrid(uint256 closedAt, uint256 opened) private view {
        if (closedAt < opened + tick || (closedAt - opened) % tick != 0) revert ClosedOffGrid(closedAt, opened, tick);
    }

    /// @dev The answer of the feed's round, 8 decimals, if it was the newest when the round closed, and fresh then: the
    /// newest now that came before the closing, or the one before a round that came after it. A feed that moves
    /// between closing and settlement changes nothing, and whoever settles chooses nothing.
    function _priceAt(uint80 priceRound, uint256 closedAt) private view returns (uint256) {
        (uint80 latest, int256 answer,, uint256 updatedAt,) = priceFeed.latestRoundData();
        uint256 next = 0;
        if (latest != priceRound) {
            (answer, updatedAt) = _roundOfFeed(priceRound);
            // A proxy's round is phase · 2^64 + number, and an aggregator that it left may go on: what that says is no
            // price any more.
            if (priceRound >> 64 == latest >> 64) {
                unchecked {
                    // The last round there could be is followed by 0, which no feed has.
                    (, next) = _roundOfFeed(priceRound + 1);
                }
            }
            if (next <= closedAt) revert PriceNotOfClosing(priceRound, updatedAt, next, closedAt);
        }
        if (updatedAt == 0 || updatedAt > closedAt) revert PriceNotOfClosing(priceRound, updatedAt, next, closedAt);
        if (closedAt - updatedAt > priceAgeMax) revert PriceStale(updatedAt, closedAt, priceAgeMax);
        if (answer <= 0) revert PriceNotPositive(answer);
        return uint256(answer);
    }

    /// @dev Some feeds revert for a round they do not have, others answer with zeros.
    function _roundOfFeed(uint80 priceRound) private view returns (int256, uint256) {
        try priceFeed.getRoundData(priceRound) returns (uint80, int256 answer, uint256, uint256 updatedAt, uint80) {
            return (answer, updatedAt);
        } catch {
            return (0, 0);
        }
    }

    /// @dev Everything the fills depend on that no earlier settlement fixes, so that equal contexts mean equal fills.
    function _roundData(bytes32 requestId, uint64 round, uint256 closedAt, uint256 price, uint256 orderRoot)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(requestId, round, closedAt, price, orderRoot));
    }

    // Checks

    function _accountData(address recipient) private pure returns (bytes32) {
        return keccak256(abi.encode(recipient));
    }

    function _checkIssuer() private view {
        if (msg.sender != issuer) revert CallerNotIssuer(msg.sender, issuer);
    }

    function _checkNoRoundInFlight() private view {
        uint256 closedAt = roundInFlight();
        if (closedAt != 0) revert RoundInFlight(closedAt, block.timestamp);
    }

    function _checkCommitment(uint256 commitment) private pure {
        if (commitment == 0) revert ZeroCommitment();
        if (commitment >= Fold.P) revert NotInField(commitment);
    }

    /// @dev Ends the request as EXPIRED and counts the attempt.
    function _expire(bytes32 requestId, Request storage r) private {
        r.status = RequestStatus.EXPIRED;
        emit RequestExpired(requestId);
        guard.onExpired(requestId);
    }

    /// @dev Reverts unless the request is open in storage and its time, `ended`, has come.
    function _checkEnded(bytes32 requestId, Request storage r, uint256 ended) private view {
        if (r.opened == 0) revert RequestUnknown(requestId);
        if (!_isOpenStatus(r.status)) revert RequestNotOpen(requestId, r.status);
        if (block.timestamp < ended) revert RequestNotExpired(requestId, block.timestamp, ended);
    }

    function _status(bytes32 requestId, Request storage r) private view returns (RequestStatus) {
        if (r.opened == 0) revert RequestUnknown(requestId);
        RequestStatus status = r.status;
        if (disclosure == Disclosure.Immediate && _isOpenStatus(status) && block.timestamp >= r.expires) {
            return RequestStatus.EXPIRED;
        }
        return status;
    }

    /// @dev Open in storage: neither filled, nor ended, nor cancelled, whatever the clock says.
    function _isOpen(Request storage r) private view returns (bool) {
        return r.opened != 0 && _isOpenStatus(r.status);
    }

    function _isOpenStatus(RequestStatus status) private pure returns (bool) {
        return status == RequestStatus.PENDING || status == RequestStatus.PARTIALLY_FILLED;
    }
}
