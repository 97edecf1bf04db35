// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {AggregatorV3Interface} from "@chainlink/contracts/src/v0.8/shared/interfaces/AggregatorV3Interface.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {CREReceiver} from "./CREReceiver.sol";
import {ICREDarkPool, RequestStatus} from "./ICREDarkPool.sol";
import {IClearingVerifier} from "./interfaces/IClearingVerifier.sol";
import {IDarkPool} from "./interfaces/IDarkPool.sol";
import {IEnclaveRegistry} from "./interfaces/IEnclaveRegistry.sol";
import {IRecoveryGuard} from "./interfaces/IRecoveryGuard.sol";
import {IShieldedPool} from "./interfaces/IShieldedPool.sol";
import {Devnet} from "./libraries/Devnet.sol";
import {Observations} from "./libraries/Observations.sol";

/// @title The dark pool of one issuer.
/// @dev `PENDING` and `PARTIALLY_FILLED` are the open statuses. One request is open at a time, the
/// newest; "open" is read off its own status, so that no slot is cleared when one fills. Under sealed
/// disclosure a settlement writes the same slots, non-zero to non-zero, whatever happened inside.
contract DarkPool is IDarkPool, CREReceiver, EIP712, ReentrancyGuardTransient {
    /// @param owner Binds the workflow; meant to be a timelock.
    /// @param issuer Registers the mandate; the workflow acts for it.
    /// @param forwarder The KeystoneForwarder.
    /// @param workflowId The workflow that may act.
    /// @param workflowOwner Its owner.
    /// @param pool The notes. Wired to this contract afterwards.
    /// @param verifier Verifier of the clearing statement; a development one is refused off chain 31337.
    /// @param registry Active enclave keys.
    /// @param guard Premium cap and attempts. Wired to this contract afterwards.
    /// @param priceFeed Consideration units per collateral unit, 8 decimals.
    /// @param priceAgeMax Seconds a price may be old.
    /// @param ciphertextLen Bytes of each of the five ciphertexts of a settlement.
    /// @param disclosure When outcomes become public.
    struct Deployment {
        address owner;
        address issuer;
        address forwarder;
        bytes32 workflowId;
        address workflowOwner;
        IShieldedPool pool;
        IClearingVerifier verifier;
        IEnclaveRegistry registry;
        IRecoveryGuard guard;
        AggregatorV3Interface priceFeed;
        uint256 priceAgeMax;
        uint256 ciphertextLen;
        Disclosure disclosure;
    }

    /// @dev A decoded `zkProof`.
    struct Settlement {
        uint256[8] proof;
        uint256[26] inputs;
        bytes[] ciphertexts;
    }

    /// @notice Version of the `zkProof` encoding: abi.encode(uint16 version, uint256[8] proof, uint256[26]
    /// publicInputs, bytes[] ciphertexts).
    uint256 public constant VERSION = 1;
    /// @notice Seconds. Less than one tick of the seed's workflow could never be filled.
    uint256 public constant TIMEOUT_MIN = 5 minutes;
    /// @notice Seconds. A gap open for longer is no longer a liquidity matter.
    uint256 public constant TIMEOUT_MAX = 7 days;
    /// @notice Seconds after `expires` from which an unopened sealed request counts against the issuer.
    /// A day: time to assemble the committee that holds the opening.
    uint256 public constant OPENING_GRACE = 1 days;
    /// @notice Seconds from a round's close within which it settles: two ticks of the seed's workflow. A maker is
    /// bound to a closed round no longer than this, and nobody holds a signed round as an option.
    uint256 public constant SETTLE_WINDOW = 10 minutes;
    /// @notice Four slots and the issuer.
    uint256 public constant CIPHERTEXTS = 5;
    /// @notice What `teeAttestation` signs.
    bytes32 public constant SETTLEMENT_TYPEHASH =
        keccak256("Settlement(bytes32 requestId,uint64 round,bytes32 publicInputsHash,bytes32 ciphertextsHash)");

    uint256 private constant P = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    uint8 private constant FEED_DECIMALS = 8;
    /// @dev tag("status"): the big-endian integer of the ASCII bytes.
    uint256 private constant TAG_STATUS = uint256(uint88(bytes11("cdpr.status")));
    /// @dev No commitment can be found that opens this.
    uint256 private constant STATUS_UNSETTLED = 1;

    // Indices of the statement's public inputs.
    uint256 private constant CONTEXT = 0;
    uint256 private constant ROOT = 1;
    uint256 private constant MANDATE = 2;
    uint256 private constant PREMIUM_CAP_BPS = 3;
    uint256 private constant PRICE = 4;
    uint256 private constant CLOSED_AT = 5;
    uint256 private constant DISCLOSURE = 6;
    uint256 private constant REQUEST_OLD = 7;
    uint256 private constant REQUEST_NEW = 8;
    uint256 private constant POSITION_OLD = 9;
    uint256 private constant POSITION_NEW = 10;
    uint256 private constant STATUS = 11;
    uint256 private constant NULLIFIERS = 12;
    uint256 private constant LEAVES = 17;
    uint256 private constant INPUTS = 26;

    /// @inheritdoc IDarkPool
    address public immutable override issuer;
    /// @inheritdoc IDarkPool
    Disclosure public immutable override disclosure;
    IShieldedPool public immutable pool;
    /// @inheritdoc IDarkPool
    IClearingVerifier public immutable override verifier;
    IEnclaveRegistry public immutable registry;
    IRecoveryGuard public immutable guard;
    AggregatorV3Interface public immutable priceFeed;
    /// @notice Seconds a price may be old.
    uint256 public immutable priceAgeMax;
    /// @notice Bytes of each ciphertext of a settlement.
    uint256 public immutable ciphertextLen;

    /// @inheritdoc IDarkPool
    uint256 public override mandate;
    /// @inheritdoc IDarkPool
    uint256 public override position;
    /// @inheritdoc IDarkPool
    bytes32 public override currentRequestId;
    /// @inheritdoc IDarkPool
    uint256 public override nonce;
    mapping(bytes32 requestId => Request) private _requests;

    constructor(Deployment memory d)
        CREReceiver(d.owner, d.forwarder, d.workflowId, d.workflowOwner)
        EIP712("CDPR", "1")
    {
        if (
            d.issuer == address(0) || address(d.pool) == address(0) || address(d.verifier) == address(0)
                || address(d.registry) == address(0) || address(d.guard) == address(0)
        ) revert ZeroAddress();
        Devnet.check(d.verifier);
        uint8 decimals = d.priceFeed.decimals();
        if (decimals != FEED_DECIMALS) revert FeedDecimalsMismatch(decimals, FEED_DECIMALS);
        issuer = d.issuer;
        pool = d.pool;
        verifier = d.verifier;
        registry = d.registry;
        guard = d.guard;
        priceFeed = d.priceFeed;
        priceAgeMax = d.priceAgeMax;
        ciphertextLen = d.ciphertextLen;
        disclosure = d.disclosure;
    }

    /// @inheritdoc IDarkPool
    function registerMandate(uint256 mandate_, uint256 position_) external override {
        if (msg.sender != issuer) revert CallerNotIssuer(msg.sender, issuer);
        if (_isOpen(_requests[currentRequestId])) revert RequestOpen(currentRequestId);
        _checkCommitment(mandate_);
        _checkCommitment(position_);
        if (position == 0) position = position_;
        else if (position != position_) revert PositionMismatch(position_, position);
        mandate = mandate_;
        emit MandateRegistered(mandate_, position_);
    }

    /// @inheritdoc ICREDarkPool
    /// @dev Only the issuer or its workflow, the latter for what an active enclave signed. `encryptedAmount` is a commitment, in field and not zero;
    /// `premiumBps` is the public cap, at most the guard's; `timeout` is in seconds, TIMEOUT_MIN … TIMEOUT_MAX.
    function requestCollateral(bytes32 encryptedAmount, uint256 premiumBps, uint256 timeout)
        external
        override
        returns (bytes32 requestId)
    {
        if (msg.sender != issuer && msg.sender != address(this)) revert CallerNotIssuer(msg.sender, issuer);
        if (mandate == 0) revert MandateNotRegistered();
        if (_isOpen(_requests[currentRequestId])) revert RequestOpen(currentRequestId);
        if (guard.halted()) revert RecoveryHalted(guard.attempts());
        _checkCommitment(uint256(encryptedAmount));
        uint256 capBps = guard.premiumCapBps();
        if (premiumBps > capBps) revert PremiumAboveCap(premiumBps, capBps);
        if (timeout < TIMEOUT_MIN || timeout > TIMEOUT_MAX) {
            revert TimeoutOutOfRange(timeout, TIMEOUT_MIN, TIMEOUT_MAX);
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
    /// by an active enclave key. The signature covers public inputs and ciphertexts, never the proof's
    /// bytes, which are malleable.
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
        _checkAttestation(requestId, round, s, teeAttestation);
        _checkInputs(requestId, round, r, s.inputs);
        verifier.verifyProof(s.proof, s.inputs);

        r.rounds = round;
        r.commitment = s.inputs[REQUEST_NEW];
        position = s.inputs[POSITION_NEW];
        if (disclosure == Disclosure.Sealed) {
            r.statusCommitment = s.inputs[STATUS];
        } else {
            // The proof makes it 0, 1 or 2, which are the enum's first three.
            r.status = RequestStatus(s.inputs[STATUS]);
        }
        emit Settled(requestId, round, s.inputs, s.ciphertexts);
        _settleNotes(s.inputs);
    }

    /// @inheritdoc IDarkPool
    function openRequest(bytes32 requestId, uint8 status, uint256 salt) external override nonReentrant {
        if (disclosure != Disclosure.Sealed) revert WrongDisclosure(disclosure);
        Request storage r = _requests[requestId];
        _checkEnded(requestId, r, r.expires);
        if (status > uint8(RequestStatus.FILLED)) revert StatusOutOfRange(status);
        uint256 commitment = pool.compress(TAG_STATUS + status, salt);
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
        if (msg.sender != issuer) revert CallerNotIssuer(msg.sender, issuer);
        // A sealed epoch always runs to its opening, else a cancellation would speak.
        if (disclosure == Disclosure.Sealed) revert SealedRequestCannotBeCancelled();
        Request storage r = _requests[requestId];
        RequestStatus status = _status(requestId, r);
        if (r.rounds != 0) revert RoundAlreadySettled(requestId, r.rounds);
        if (status != RequestStatus.PENDING) revert RequestNotOpen(requestId, status);
        r.status = RequestStatus.CANCELLED;
        emit RequestCancelled(requestId);
    }

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
    function context(bytes32 requestId, uint64 round) public view override returns (uint256) {
        // 248 bits, hence in field.
        return uint256(keccak256(abi.encode(block.chainid, address(this), requestId, uint256(round)))) >> 8;
    }

    /// @inheritdoc IDarkPool
    function settlementDigest(bytes32 requestId, uint64 round, bytes32 publicInputsHash, bytes32 ciphertextsHash)
        public
        view
        override
        returns (bytes32)
    {
        return _hashTypedDataV4(
            keccak256(abi.encode(SETTLEMENT_TYPEHASH, requestId, round, publicInputsHash, ciphertextsHash))
        );
    }

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

    /// @dev Ends the request as EXPIRED and counts the attempt.
    function _expire(bytes32 requestId, Request storage r) private {
        r.status = RequestStatus.EXPIRED;
        emit RequestExpired(requestId);
        guard.onExpired(requestId);
    }

    function _settleNotes(uint256[26] memory inputs) private {
        uint256[5] memory nullifiers;
        for (uint256 i = 0; i < 5; i++) {
            nullifiers[i] = inputs[NULLIFIERS + i];
        }
        uint256[9] memory leaves;
        for (uint256 i = 0; i < 9; i++) {
            leaves[i] = inputs[LEAVES + i];
        }
        pool.settle(inputs[ROOT], nullifiers, leaves);
    }

    function _decode(bytes calldata zkProof) private view returns (Settlement memory s) {
        uint256 version = zkProof.length < 32 ? 0 : uint256(bytes32(zkProof[0:32]));
        if (version != VERSION) revert UnsupportedVersion(version, VERSION);
        (, s.proof, s.inputs, s.ciphertexts) = abi.decode(zkProof, (uint16, uint256[8], uint256[26], bytes[]));
        if (s.ciphertexts.length != CIPHERTEXTS) revert CiphertextCountMismatch(s.ciphertexts.length, CIPHERTEXTS);
        for (uint256 i = 0; i < CIPHERTEXTS; i++) {
            uint256 length = s.ciphertexts[i].length;
            if (length != ciphertextLen) revert CiphertextLengthMismatch(i, length, ciphertextLen);
        }
    }

    function _checkAttestation(bytes32 requestId, uint64 round, Settlement memory s, bytes calldata teeAttestation)
        private
        view
    {
        bytes32 digest = settlementDigest(
            requestId, round, keccak256(abi.encodePacked(s.inputs)), keccak256(abi.encode(s.ciphertexts))
        );
        address signer = ECDSA.recover(digest, teeAttestation);
        if (!registry.isActive(signer)) revert EnclaveNotActive(signer);
    }

    /// @dev Holds every public input that the chain knows to what the chain knows.
    function _checkInputs(bytes32 requestId, uint64 round, Request storage r, uint256[26] memory inputs) private view {
        // Before anything is compared or stored: a nullifier n and n + p would be two.
        for (uint256 i = 0; i < INPUTS; i++) {
            if (inputs[i] >= P) revert PublicInputNotInField(i, inputs[i]);
        }
        _checkInput(inputs, CONTEXT, context(requestId, round));
        _checkInput(inputs, MANDATE, mandate);
        _checkInput(inputs, PREMIUM_CAP_BPS, r.premiumCapBps);
        _checkInput(inputs, PRICE, _price());
        _checkInput(inputs, DISCLOSURE, uint256(disclosure));
        _checkInput(inputs, REQUEST_OLD, r.commitment);
        _checkInput(inputs, POSITION_OLD, position);
        uint256 closedAt = inputs[CLOSED_AT];
        if (closedAt < r.opened || closedAt > block.timestamp) {
            revert ClosedAtOutOfRange(closedAt, r.opened, block.timestamp);
        }
        // No underflow by the check above.
        if (block.timestamp - closedAt > SETTLE_WINDOW) {
            revert RoundTooOld(closedAt, block.timestamp, SETTLE_WINDOW);
        }
    }

    function _checkInput(uint256[26] memory inputs, uint256 index, uint256 expected) private pure {
        if (inputs[index] != expected) revert PublicInputMismatch(index, inputs[index], expected);
    }

    function _checkCommitment(uint256 commitment) private pure {
        if (commitment == 0) revert ZeroCommitment();
        if (commitment >= P) revert NotInField(commitment);
    }

    /// @dev Reverts unless the request is open in storage and its time, `ended`, has come.
    function _checkEnded(bytes32 requestId, Request storage r, uint256 ended) private view {
        if (r.opened == 0) revert RequestUnknown(requestId);
        if (!_isOpenStatus(r.status)) revert RequestNotOpen(requestId, r.status);
        if (block.timestamp < ended) revert RequestNotExpired(requestId, block.timestamp, ended);
    }

    /// @dev The feed's answer, 8 decimals, positive and fresh.
    function _price() private view returns (uint256) {
        (, int256 answer,, uint256 updatedAt,) = priceFeed.latestRoundData();
        if (answer <= 0) revert PriceNotPositive(answer);
        if (updatedAt > block.timestamp || block.timestamp - updatedAt > priceAgeMax) {
            revert PriceStale(updatedAt, block.timestamp, priceAgeMax);
        }
        return uint256(answer);
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
