// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The breaker: what may be offered, how often, and whether the coin may be minted meanwhile.
/// @notice Parameters belong to the owner, a timelock. The guardian can only stop.
interface IRecoveryGuard {
    event Wired(address darkPool, address por);
    event ParametersSet(uint256 attemptsMax, uint256 premiumCapBps, uint256[] escalationBps);
    /// @notice A request ran out; `attempts` counts it.
    event AttemptFailed(bytes32 indexed requestId, uint256 attempts);
    /// @notice The attempt cap was reached: no minting and no further request until the owner resumes.
    event Halted(uint256 attempts);
    event ShortfallFlagged();
    event RecoveryNoted();
    event MintStopped(address indexed by);
    event Resumed();

    error CallerNotDeployer(address caller, address deployer);
    error CallerNotReporter(address caller);
    error CallerNotGuardian(address caller, address guardian);
    error AlreadyWired(address darkPool);
    error ZeroAddress();
    error AttemptsMaxZero();
    error EscalationEmpty();
    /// @notice A step of the schedule lies above the cap, or below the step before it.
    error EscalationInvalid(uint256 stepIdx, uint256 premiumBps);
    error PremiumCapTooHigh(uint256 premiumCapBps, uint256 limitBps);

    /// @notice The premium cap to offer at an attempt, basis points. Past the schedule's end its last step stays.
    /// @param attempt Failed attempts so far, from 0.
    function premiumFor(uint256 attempt) external view returns (uint256 premiumBps);

    /// @notice Whether new coins may be minted: neither flagged, nor halted, nor stopped.
    function mintAllowed() external view returns (bool);

    /// @notice Notes that a request ran out. Only the DarkPool.
    function onExpired(bytes32 requestId) external;

    /// @notice Notes an attested recovery: unflags and starts counting attempts afresh. Only ConfidentialPoR.
    /// @dev A halt stays: after the attempt cap people look before machines go on.
    function onRecovered() external;

    /// @notice Notes a shortfall: minting pauses. Only the DarkPool and ConfidentialPoR.
    function onShortfall() external;

    /// @notice Stops minting until the owner resumes. The guardian or the owner.
    function stop() external;

    /// @notice Lifts halt and stop and starts counting attempts afresh. Only the owner.
    function resume() external;

    /// @notice Sets the parameters. Only the owner.
    /// @param attemptsMax Requests that may run out before the halt, at least 1.
    /// @param premiumCapBps Largest premium a request may offer, basis points, at most 10,000.
    /// @param escalationBps Premium per attempt, basis points, non-decreasing, at most the cap, not empty.
    function setParameters(uint256 attemptsMax, uint256 premiumCapBps, uint256[] calldata escalationBps) external;

    function attempts() external view returns (uint256);
    function attemptsMax() external view returns (uint256);
    function premiumCapBps() external view returns (uint256);
    function flagged() external view returns (bool);
    function halted() external view returns (bool);
    function stopped() external view returns (bool);
}
