// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IRecoveryGuard} from "./interfaces/IRecoveryGuard.sol";

/// @title The breaker: what may be offered, how often, and whether the coin may be minted meanwhile.
contract RecoveryGuard is IRecoveryGuard, Ownable {
    /// @notice No cap above 100 %.
    uint256 public constant PREMIUM_BPS_LIMIT = 10_000;

    address private immutable _deployer;
    /// @notice May stop minting, nothing else.
    address public immutable guardian;

    /// @notice Reports expired requests; zero until wired.
    address public darkPool;
    /// @notice Reports attestations; zero until wired.
    address public por;

    /// @inheritdoc IRecoveryGuard
    uint256 public override attempts;
    /// @inheritdoc IRecoveryGuard
    uint256 public override attemptsMax;
    /// @inheritdoc IRecoveryGuard
    uint256 public override premiumCapBps;
    /// @inheritdoc IRecoveryGuard
    bool public override flagged;
    /// @inheritdoc IRecoveryGuard
    bool public override halted;
    /// @inheritdoc IRecoveryGuard
    bool public override stopped;
    uint256[] private _escalationBps;

    /// @param owner_ Sets parameters and resumes; meant to be a TimelockController.
    /// @param guardian_ May stop minting.
    constructor(
        address owner_,
        address guardian_,
        uint256 attemptsMax_,
        uint256 premiumCapBps_,
        uint256[] memory escalationBps_
    ) Ownable(owner_) {
        if (guardian_ == address(0)) revert ZeroAddress();
        _deployer = msg.sender;
        guardian = guardian_;
        _setParameters(attemptsMax_, premiumCapBps_, escalationBps_);
    }

    /// @notice Names the two contracts that report here, once. Only the deployer.
    function wire(address darkPool_, address por_) external {
        if (msg.sender != _deployer) revert CallerNotDeployer(msg.sender, _deployer);
        if (darkPool != address(0)) revert AlreadyWired(darkPool);
        if (darkPool_ == address(0) || por_ == address(0)) revert ZeroAddress();
        darkPool = darkPool_;
        por = por_;
        emit Wired(darkPool_, por_);
    }

    /// @inheritdoc IRecoveryGuard
    function onExpired(bytes32 requestId) external override {
        if (msg.sender != darkPool) revert CallerNotReporter(msg.sender);
        uint256 attempts_ = attempts + 1;
        attempts = attempts_;
        emit AttemptFailed(requestId, attempts_);
        if (attempts_ >= attemptsMax && !halted) {
            halted = true;
            emit Halted(attempts_);
        }
    }

    /// @inheritdoc IRecoveryGuard
    function onRecovered() external override {
        if (msg.sender != por) revert CallerNotReporter(msg.sender);
        // Called every tick of a sound issuer: say something only when something changes.
        if (!flagged && attempts == 0) return;
        flagged = false;
        attempts = 0;
        emit RecoveryNoted();
    }

    /// @inheritdoc IRecoveryGuard
    function onShortfall() external override {
        if (msg.sender != por && msg.sender != darkPool) revert CallerNotReporter(msg.sender);
        if (flagged) return;
        flagged = true;
        emit ShortfallFlagged();
    }

    /// @inheritdoc IRecoveryGuard
    function stop() external override {
        if (msg.sender != guardian && msg.sender != owner()) revert CallerNotGuardian(msg.sender, guardian);
        stopped = true;
        emit MintStopped(msg.sender);
    }

    /// @inheritdoc IRecoveryGuard
    function resume() external override onlyOwner {
        stopped = false;
        halted = false;
        attempts = 0;
        emit Resumed();
    }

    /// @inheritdoc IRecoveryGuard
    function setParameters(uint256 attemptsMax_, uint256 premiumCapBps_, uint256[] calldata escalationBps_)
        external
        override
        onlyOwner
    {
        _setParameters(attemptsMax_, premiumCapBps_, escalationBps_);
    }

    /// @inheritdoc IRecoveryGuard
    function premiumFor(uint256 attempt) external view override returns (uint256 premiumBps) {
        uint256 last = _escalationBps.length - 1;
        return _escalationBps[attempt < last ? attempt : last];
    }

    /// @inheritdoc IRecoveryGuard
    function mintAllowed() external view override returns (bool) {
        return !flagged && !halted && !stopped;
    }

    /// @notice The premium of every attempt, basis points, in order.
    function escalationBps() external view returns (uint256[] memory) {
        return _escalationBps;
    }

    function _setParameters(uint256 attemptsMax_, uint256 premiumCapBps_, uint256[] memory escalationBps_) private {
        if (attemptsMax_ == 0) revert AttemptsMaxZero();
        if (premiumCapBps_ > PREMIUM_BPS_LIMIT) revert PremiumCapTooHigh(premiumCapBps_, PREMIUM_BPS_LIMIT);
        if (escalationBps_.length == 0) revert EscalationEmpty();
        uint256 before = 0;
        for (uint256 i = 0; i < escalationBps_.length; i++) {
            uint256 step = escalationBps_[i];
            if (step < before || step > premiumCapBps_) revert EscalationInvalid(i, step);
            before = step;
        }
        attemptsMax = attemptsMax_;
        premiumCapBps = premiumCapBps_;
        _escalationBps = escalationBps_;
        emit ParametersSet(attemptsMax_, premiumCapBps_, escalationBps_);
    }
}
