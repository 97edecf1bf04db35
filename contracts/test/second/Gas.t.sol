// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {PlainToken} from "../Tokens.sol";
import {OddToken} from "./OddToken.sol";
import {FreeVerifier} from "./StatementVerifier.sol";
import {VenueFixture} from "./VenueFixture.sol";
import {IDarkPool} from "../../src/second/interfaces/IDarkPool.sol";
import {IShieldedPool} from "../../src/second/interfaces/IShieldedPool.sol";
import {Values} from "../../src/second/libraries/Values.sol";

/// @dev Whole transactions, calldata and all, with verifiers that cost nothing but their call, and plain tokens. To
/// each proof belong `VERIFY` more.
contract SecondGasTest is VenueFixture(IDarkPool.Disclosure.Immediate) {
    /// @dev A Groth16 proof with three public inputs, its contract cold; measured in Yul.
    uint256 private constant VERIFY = 204_000;

    function newToken() internal override returns (OddToken) {
        // It has all the functions that are called here.
        return OddToken(address(new PlainToken()));
    }

    function newVerifiers() internal override returns (IShieldedPool.Verifiers memory) {
        // Each cold.
        return IShieldedPool.Verifiers(
            address(new FreeVerifier()),
            address(new FreeVerifier()),
            address(new FreeVerifier()),
            address(new FreeVerifier()),
            address(new FreeVerifier())
        );
    }

    /// forge-config: default.isolate = true
    function test_deposit_staysWithinItsBudget() public {
        deposit(cash, 1e18);
        deposit(cash, 1e18);
        measured("deposit, first lap of the queue", 0, 99_500);
        for (uint256 i = 0; i < 4; i++) {
            for (uint256 j = 0; j < 64; j++) {
                deposit(cash, 1);
            }
            absorbToAnyRootMany(64);
        }
        deposit(cash, 1e18);
        measured("deposit", 0, 82_000);
    }

    /// forge-config: default.isolate = true
    function test_absorb_staysWithinItsBudget() public {
        depositMany(160);
        absorbToAnyRootMany(16);
        absorbToAnyRootMany(16);
        // The goals are 20 k and 8 k a leaf.
        measured("absorb, 16 leaves", VERIFY, 16 * 18_500);
        absorbToAnyRootMany(64);
        measured("absorb, 64 leaves", VERIFY, 64 * 6_600);
    }

    /// forge-config: default.isolate = true
    function test_spend_staysWithinItsBudget() public {
        deposit(cash, 1e20);
        absorb(1);
        Spend memory s = spendOf(false, 1e18);
        send(s);
        measured("exit of all, to a recipient without a balance", VERIFY, 346_000);
        s = spendOf(false, 1e18);
        s.posted[Values.SPEND_LEAVES] = draw();
        send(s);
        measured("exit with change", VERIFY, 360_000);
        s = spendOf(false, 1e18);
        s.posted[Values.SPEND_LEAVES] = draw();
        (s.exit.relayer, s.exit.fee) = (RELAYER, 1e15);
        rebind(s);
        send(s);
        measured("exit with change, through a relayer without a balance", VERIFY, 386_000);
        Spend memory announced = spendOf(true, 0);
        send(announced);
        uint256 announcement = measured("announce", VERIFY, 279_000);
        vm.warp(block.timestamp + WINDOW + 1);
        s = spendOf(false, 1e18);
        s.posted[Values.SPEND_NULLIFIERS] = announced.posted[Values.SPEND_NULLIFIERS];
        s.posted[Values.SPEND_LOCKED] = 1;
        s.posted[Values.SPEND_LEAVES] = draw();
        send(s);
        uint256 exit = measured("exit of an announced line, with change", VERIFY, 343_000);
        assertTrue(announcement + exit <= 650_000, "announce and spend of a line");
    }

    /// forge-config: default.isolate = true
    function test_account_staysWithinItsBudget() public {
        deposit(claim, 1e20);
        move(darkPool, IShieldedPool.Kind.Fund, 1e18, address(0));
        measured("fund", VERIFY, 336_000);
        move(darkPool, IShieldedPool.Kind.Release, 1e18, WALLET);
        measured("release, to a wallet without a balance", VERIFY, 315_000);
    }

    /// forge-config: default.isolate = true
    function test_confidentialFill_staysWithinItsBudget() public {
        bytes32 id = requestOf(darkPool);
        for (uint256 round = 0; round < 9; round++) {
            warpPastClosing(id, 30);
            settle(fillOf(darkPool, id, 1));
            if (round == 2) measured("settlement, first lap of the venue's roots", VERIFY, 579_000);
        }
        uint256 usual = measured("settlement", VERIFY, 562_000);
        // The feed has moved since: two rounds of it are read.
        warpPastClosing(id, 30);
        Fill memory f = fillOf(darkPool, id, 1);
        feed.set(feed.latest() + 1, 2e8, block.timestamp);
        settle(f);
        uint256 moved = measured("settlement, after the feed has moved", VERIFY, 570_000);
        assertTrue(moved > usual, "the feed is read again");
    }

    function measured(string memory what, uint256 verify, uint256 budget) private returns (uint256 used) {
        used = vm.lastCallGas().gasTotalUsed + verify;
        emit GasMeasured(what, used);
        assertTrue(used <= budget, string.concat(what, " costs more than its budget: ", vm.toString(used)));
    }

    function absorbToAnyRootMany(uint256 count) private {
        IShieldedPool.Entry memory e = pool.entry();
        uint256[8] memory proof;
        uint256 root = draw();
        for (uint256 i = 0; i < 8; i++) {
            proof[i] = draw();
        }
        pool.absorb(e.head, count, root, draw(), proof);
    }
}
