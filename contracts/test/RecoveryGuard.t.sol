// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {Test} from "./Test.sol";
import {RecoveryGuard} from "../src/RecoveryGuard.sol";
import {DemoStablecoin} from "../src/demo/DemoStablecoin.sol";
import {IRecoveryGuard} from "../src/interfaces/IRecoveryGuard.sol";

contract RecoveryGuardTest is Test {
    address private constant GUARDIAN = address(0x0222);
    address private constant DARK_POOL = address(0x0d);
    address private constant POR = address(0x0a);
    address private constant STRANGER = address(0x0bad);

    TimelockController private timelock;
    RecoveryGuard private guard;
    DemoStablecoin private coin;

    constructor() {
        address[] memory self = new address[](1);
        self[0] = address(this);
        timelock = new TimelockController(1 days, self, self, address(0));
        guard = new RecoveryGuard(address(timelock), GUARDIAN, 3, 800, scheduleOf(50, 300, 800));
        guard.wire(DARK_POOL, POR);
        coin = new DemoStablecoin(address(this), guard);
    }

    function test_premiumFor_followsTheScheduleAndStaysAtItsEnd() public view {
        assertEq(guard.premiumFor(0), 50);
        assertEq(guard.premiumFor(1), 300);
        assertEq(guard.premiumFor(2), 800);
        assertEq(guard.premiumFor(3), 800);
        assertEq(guard.premiumFor(type(uint256).max), 800);
    }

    function test_onExpired_haltsAtTheAttemptCap() public {
        expire();
        expire();
        assertEq(guard.attempts(), 2);
        assertEq(guard.halted(), false);
        vm.expectEmit(address(guard));
        emit IRecoveryGuard.AttemptFailed(bytes32(uint256(1)), 3);
        vm.expectEmit(address(guard));
        emit IRecoveryGuard.Halted(3);
        expire();
        assertEq(guard.halted(), true);
        assertEq(guard.mintAllowed(), false);
    }

    function test_onRecovered_unflagsAndResetsAttemptsButNotAHalt() public {
        flag();
        expire();
        assertEq(guard.mintAllowed(), false);
        recover();
        assertEq(guard.attempts(), 0);
        assertEq(guard.mintAllowed(), true);
        expire();
        expire();
        expire();
        recover();
        assertEq(guard.attempts(), 0);
        assertEq(guard.halted(), true);
        assertEq(guard.mintAllowed(), false);
    }

    function test_mint_revertsWhenGuardDoesNotAllow() public {
        coin.mint(STRANGER, 5);
        flag();
        vm.expectRevert(DemoStablecoin.MintPaused.selector);
        coin.mint(STRANGER, 5);
        recover();
        coin.mint(STRANGER, 5);
        assertEq(coin.balanceOf(STRANGER), 10);
        assertEq(coin.decimals(), 6);
    }

    function test_stop_pausesMintingUntilTheTimelockResumes() public {
        vm.prank(GUARDIAN);
        guard.stop();
        recover();
        assertEq(guard.mintAllowed(), false);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, GUARDIAN));
        vm.prank(GUARDIAN);
        guard.resume();

        bytes memory call_ = abi.encodeCall(guard.resume, ());
        timelock.schedule(address(guard), 0, call_, 0, 0, 1 days);
        vm.expectRevert();
        timelock.execute(address(guard), 0, call_, 0, 0);
        vm.warp(block.timestamp + 1 days);
        timelock.execute(address(guard), 0, call_, 0, 0);
        assertEq(guard.mintAllowed(), true);
    }

    function test_stop_revertsWhenCallerIsNeitherGuardianNorOwner() public {
        vm.expectRevert(abi.encodeWithSelector(IRecoveryGuard.CallerNotGuardian.selector, STRANGER, GUARDIAN));
        vm.prank(STRANGER);
        guard.stop();
    }

    function test_reports_revertWhenCallerIsNotTheirReporter() public {
        bytes memory error_ = abi.encodeWithSelector(IRecoveryGuard.CallerNotReporter.selector, POR);
        vm.expectRevert(error_);
        vm.prank(POR);
        guard.onExpired(0);
        error_ = abi.encodeWithSelector(IRecoveryGuard.CallerNotReporter.selector, DARK_POOL);
        vm.expectRevert(error_);
        vm.prank(DARK_POOL);
        guard.onRecovered();
        error_ = abi.encodeWithSelector(IRecoveryGuard.CallerNotReporter.selector, STRANGER);
        vm.expectRevert(error_);
        vm.prank(STRANGER);
        guard.onShortfall();
    }

    function test_wire_revertsWhenCallerIsNotTheDeployerOrItIsWired() public {
        vm.expectRevert(abi.encodeWithSelector(IRecoveryGuard.CallerNotDeployer.selector, STRANGER, address(this)));
        vm.prank(STRANGER);
        guard.wire(STRANGER, STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IRecoveryGuard.AlreadyWired.selector, DARK_POOL));
        guard.wire(STRANGER, STRANGER);
    }

    function test_setParameters_revertsWhenTheyAreUnsound() public {
        expectRevertOfParameters(
            0, 800, scheduleOf(1, 2, 3), abi.encodeWithSelector(IRecoveryGuard.AttemptsMaxZero.selector)
        );
        expectRevertOfParameters(
            1,
            10_001,
            scheduleOf(1, 2, 3),
            abi.encodeWithSelector(IRecoveryGuard.PremiumCapTooHigh.selector, 10_001, 10_000)
        );
        expectRevertOfParameters(
            1, 800, new uint256[](0), abi.encodeWithSelector(IRecoveryGuard.EscalationEmpty.selector)
        );
        expectRevertOfParameters(
            1, 800, scheduleOf(50, 40, 800), abi.encodeWithSelector(IRecoveryGuard.EscalationInvalid.selector, 1, 40)
        );
        expectRevertOfParameters(
            1, 800, scheduleOf(50, 60, 801), abi.encodeWithSelector(IRecoveryGuard.EscalationInvalid.selector, 2, 801)
        );
    }

    function test_setParameters_revertsWhenCallerIsNotTheOwner() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this)));
        guard.setParameters(1, 800, scheduleOf(1, 2, 3));
    }

    function expire() private {
        vm.prank(DARK_POOL);
        guard.onExpired(bytes32(uint256(1)));
    }

    function flag() private {
        vm.prank(POR);
        guard.onShortfall();
    }

    function recover() private {
        vm.prank(POR);
        guard.onRecovered();
    }

    function scheduleOf(uint256 a, uint256 b, uint256 c) private pure returns (uint256[] memory schedule) {
        schedule = new uint256[](3);
        (schedule[0], schedule[1], schedule[2]) = (a, b, c);
    }

    function expectRevertOfParameters(uint256 attemptsMax, uint256 capBps, uint256[] memory schedule, bytes memory data)
        private
    {
        vm.expectRevert(data);
        vm.prank(address(timelock));
        guard.setParameters(attemptsMax, capBps, schedule);
    }
}
