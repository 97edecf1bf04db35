// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {VenueFixture} from "./VenueFixture.sol";
import {RequestStatus} from "../../src/ICREDarkPool.sol";
import {RecoveryGuard} from "../../src/RecoveryGuard.sol";
import {IEnclaveRegistry} from "../../src/interfaces/IEnclaveRegistry.sol";
import {Observations} from "../../src/libraries/Observations.sol";
import {DarkPool} from "../../src/second/DarkPool.sol";
import {IDarkPool} from "../../src/second/interfaces/IDarkPool.sol";
import {IShieldedPool} from "../../src/second/interfaces/IShieldedPool.sol";
import {IStatusHash} from "../../src/second/interfaces/IStatusHash.sol";
import {Values} from "../../src/second/libraries/Values.sol";

contract SecondDarkPoolTest is VenueFixture(IDarkPool.Disclosure.Immediate) {
    bytes32 private id;

    function setUp() public {
        id = requestOf(darkPool);
    }

    // Construction.

    function test_constructor_revertsWhenAPartIsMissing() public {
        for (uint256 i = 0; i < 5; i++) {
            DarkPool.Deployment memory d = deploymentOf(ISSUER, guard);
            if (i == 0) d.issuer = address(0);
            if (i == 1) d.pool = IShieldedPool(address(0));
            if (i == 2) d.statusHash = IStatusHash(address(0));
            if (i == 3) d.registry = IEnclaveRegistry(address(0));
            if (i == 4) d.guard = RecoveryGuard(address(0));
            vm.expectRevert(IDarkPool.ZeroAddress.selector);
            new DarkPool(d);
        }
    }

    /// @dev Else a settlement's grace would reach past the next closing.
    function test_constructor_revertsWhenTheTickIsTooShort() public {
        DarkPool.Deployment memory d = deploymentOf(ISSUER, guard);
        d.tick = WINDOW + 2 minutes - 1;
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.TickTooShort.selector, d.tick, d.tick + 1));
        new DarkPool(d);
        d.tick += 1;
        new DarkPool(d);
    }

    function test_constructor_revertsWhenTheFeedHasOtherDecimals() public {
        DarkPool.Deployment memory d = deploymentOf(ISSUER, guard);
        feed.setDecimals(18);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.FeedDecimalsMismatch.selector, 18, 8));
        new DarkPool(d);
    }

    // Mandate.

    function test_registerMandate_isTheIssuersWhileNothingIsOpen() public {
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.CallerNotIssuer.selector, OWNER, ISSUER));
        vm.prank(OWNER);
        darkPool.registerMandate(7);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestOpen.selector, id));
        vm.prank(ISSUER);
        darkPool.registerMandate(7);
        cancel();
        vm.expectRevert(IDarkPool.ZeroCommitment.selector);
        vm.prank(ISSUER);
        darkPool.registerMandate(0);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.NotInField.selector, P));
        vm.prank(ISSUER);
        darkPool.registerMandate(P);
        vm.expectEmit(address(darkPool));
        emit IDarkPool.MandateRegistered(7);
        vm.prank(ISSUER);
        darkPool.registerMandate(7);
    }

    // Requests.

    function test_requestCollateral_opensOneAtATime() public {
        IDarkPool.Request memory r = darkPool.request(id);
        assertEq(r.commitment, REQUEST);
        assertEq(r.opened, block.timestamp);
        assertEq(r.expires, block.timestamp + 1 hours);
        expectRevertOfRequest(REQUEST, 50, 1 hours, abi.encodeWithSelector(IDarkPool.RequestOpen.selector, id));
        cancel();
        assertStatus(RequestStatus.CANCELLED);
        assertTrue(requestOf(darkPool) != id, "another request");
    }

    function test_requestCollateral_revertsOutOfRange() public {
        cancel();
        expectRevertOfRequest(0, 50, 1 hours, abi.encodeWithSelector(IDarkPool.ZeroCommitment.selector));
        expectRevertOfRequest(P, 50, 1 hours, abi.encodeWithSelector(IDarkPool.NotInField.selector, P));
        expectRevertOfRequest(1, 801, 1 hours, abi.encodeWithSelector(IDarkPool.PremiumAboveCap.selector, 801, 800));
        // The first closing and its window.
        uint256 min = TICK + WINDOW;
        uint256[2] memory timeouts = [min - 1, 7 days + 1];
        for (uint256 i = 0; i < 2; i++) {
            expectRevertOfRequest(
                1,
                50,
                timeouts[i],
                abi.encodeWithSelector(IDarkPool.TimeoutOutOfRange.selector, timeouts[i], min, 7 days)
            );
        }
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.CallerNotIssuer.selector, STRANGER, ISSUER));
        vm.prank(STRANGER);
        darkPool.requestCollateral(bytes32(REQUEST), 50, 1 hours);
    }

    function test_requestCollateral_revertsWithoutMandateOrWhenHalted() public {
        DarkPool fresh = new DarkPool(deploymentOf(ISSUER, guard));
        vm.expectRevert(IDarkPool.MandateNotRegistered.selector);
        vm.prank(ISSUER);
        fresh.requestCollateral(bytes32(REQUEST), 50, 1 hours);
        for (uint256 i = 0; i < 3; i++) {
            vm.warp(darkPool.request(id).expires);
            darkPool.expireRequest(id);
            if (i < 2) id = requestOf(darkPool);
        }
        expectRevertOfRequest(REQUEST, 50, 1 hours, abi.encodeWithSelector(IDarkPool.RecoveryHalted.selector, 3));
    }

    /// @dev The workflow asks for what an active enclave signed, and for nothing else.
    function test_requestCollateral_isTheWorkflowsForWhatTheEnclaveSigned() public {
        cancel();
        bytes memory call_ = abi.encodeCall(darkPool.requestCollateral, (bytes32(uint256(0xdef)), 50, 1 hours));
        Observations.Observation memory o;
        (o.tick, o.timestamp, o.deficit) = (7, uint64(block.timestamp), bytes32(uint256(0xded)));
        (bytes memory metadata, bytes memory payload) = payloadOf(darkPool, call_, signed(o));
        vm.expectRevert(
            abi.encodeWithSelector(Observations.CallNotObserved.selector, darkPool.requestCollateral.selector)
        );
        vm.prank(FORWARDER);
        darkPool.onReport(metadata, payload);
        o.deficit = bytes32(uint256(0xdef));
        report(darkPool, call_, signed(o));
        assertEq(darkPool.request(darkPool.currentRequestId()).commitment, 0xdef);
    }

    // Settlement.

    function test_confidentialFill_settlesRoundsToTheEnd() public {
        for (uint256 round = 1; round <= 2; round++) {
            warpPastClosing(id, 60);
            Fill memory f = fillOf(darkPool, id, round);
            uint256[] memory posted = f.round.posted;
            assertEq(
                posted[Values.CLEAR_CONTEXT],
                darkPool.context(id, f.number, posted[6], 1e8, posted[Values.CLEAR_ORDER_ROOT])
            );
            bytes memory call_ = fillCall(f);
            vm.expectEmit(address(darkPool));
            emit IDarkPool.Settled(id, f.number, block.timestamp - 60, posted[Values.CLEAR_ORDER_ROOT], f.priceRound);
            (bool success,) = address(darkPool).call(call_);
            assertTrue(success, "the round settles");
            IDarkPool.Request memory r = darkPool.request(id);
            assertEq(r.commitment, posted[Values.CLEAR_REQUEST_NEW]);
            assertEq(r.rounds, round);
            assertEq(pool.venue(venueOf(address(darkPool))).account, posted[Values.CLEAR_ACCOUNT_NEW]);
        }
        assertStatus(RequestStatus.FILLED);
        Fill memory after_ = fillOf(darkPool, id, 2);
        expectRevertOfFill(after_, abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.FILLED));
        requestOf(darkPool);
    }

    function test_confidentialFill_isAnybodysToSend() public {
        warpPastClosing(id, 0);
        bytes memory call_ = fillCall(fillOf(darkPool, id, 0));
        uint256 state = vm.snapshotState();
        vm.prank(STRANGER);
        (bool success,) = address(darkPool).call(call_);
        assertTrue(success, "a stranger sends it");
        vm.revertToState(state);
        report(darkPool, call_, "");
        assertEq(darkPool.request(id).rounds, 1);
    }

    function test_confidentialFill_revertsWhenAValueIsNotTheVenues() public {
        warpPastClosing(id, 0);
        Fill memory f = fillOf(darkPool, id, 0);
        uint256[5] memory known = [
            Values.CLEAR_MANDATE,
            Values.CLEAR_PREMIUM_CAP_BPS,
            Values.CLEAR_PRICE,
            Values.CLEAR_DISCLOSURE,
            Values.CLEAR_REQUEST_OLD
        ];
        for (uint256 i = 0; i < 5; i++) {
            uint256 expected = f.round.posted[known[i]];
            f.round.posted[known[i]] = expected + 1;
            expectRevertOfFill(f, mismatch(f.round.posted, known[i], expected));
            f.round.posted[known[i]] = expected;
        }
        settle(f);
    }

    /// @dev The context is of this request, round, closing, price and order set.
    function test_confidentialFill_revertsWhenTheProofIsOfAnotherRound() public {
        warpPastClosing(id, 0);
        Fill memory f = fillOf(darkPool, id, 0);
        uint256 expected = f.round.posted[Values.CLEAR_CONTEXT];
        for (uint256 i = 0; i < 5; i++) {
            Fill memory other = fillOf(darkPool, id, 0);
            other.round.posted[Values.CLEAR_ORDER_ROOT] = f.round.posted[Values.CLEAR_ORDER_ROOT];
            bytes32[5] memory words = [
                id,
                bytes32(uint256(1)),
                bytes32(other.round.posted[6]),
                bytes32(uint256(1e8)),
                bytes32(other.round.posted[17])
            ];
            words[i] = bytes32(uint256(words[i]) + 1);
            other.round.posted[Values.CLEAR_CONTEXT] = contextOf(0, address(darkPool), keccak256(abi.encode(words)));
            expectRevertOfFill(other, mismatch(other.round.posted, Values.CLEAR_CONTEXT, expected));
        }
        settle(f);
    }

    function test_confidentialFill_revertsWhenTheStatusIsNone() public {
        warpPastClosing(id, 0);
        expectRevertOfFill(fillOf(darkPool, id, 3), abi.encodeWithSelector(IDarkPool.StatusOutOfRange.selector, 3));
    }

    function test_confidentialFill_revertsWhenItDoesNotDecode() public {
        warpPastClosing(id, 0);
        Fill memory f = fillOf(darkPool, id, 0);
        f.version = 1;
        expectRevertOfFill(f, abi.encodeWithSelector(IDarkPool.UnsupportedVersion.selector, 1, 2));
        f.version = 2;
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.UnsupportedVersion.selector, 0, 2));
        darkPool.confidentialFill(id, hex"02", "");
        f.round.posted = new uint256[](52);
        expectRevertOfFill(f, abi.encodeWithSelector(Values.LengthMismatch.selector, 52, 51));
    }

    function test_confidentialFill_revertsWhenNoEnclaveStandsForIt() public {
        warpPastClosing(id, 0);
        Fill memory f = fillOf(darkPool, id, 0);
        f.key = 0xbad;
        expectRevertOfFill(f, abi.encodeWithSelector(IDarkPool.EnclaveNotActive.selector, vm.addr(0xbad)));
        f.key = ENCLAVE_KEY;
        // It signed other values, which somebody else proved.
        uint256[] memory signedValues = f.round.posted;
        (uint256[8] memory proof, uint256[] memory posted) = clears.prove(f.round.posted);
        bytes memory attestation = attestationOf(f, signedValues);
        posted[Values.CLEAR_LENGTH - 1] += 1;
        (proof, posted) = clears.prove(posted);
        address recovered =
            ECDSA.recover(darkPool.settlementDigest(id, 1, keccak256(abi.encodePacked(posted))), attestation);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.EnclaveNotActive.selector, recovered));
        darkPool.confidentialFill(
            id, abi.encode(f.version, f.priceRound, f.round.entrySlot, proof, posted), attestation
        );
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 0));
        darkPool.confidentialFill(id, abi.encode(f.version, f.priceRound, f.round.entrySlot, proof, posted), "");
        vm.prank(GUARDIAN);
        registry.revoke(vm.addr(ENCLAVE_KEY));
        expectRevertOfFill(f, abi.encodeWithSelector(IDarkPool.EnclaveNotActive.selector, vm.addr(ENCLAVE_KEY)));
    }

    function test_confidentialFill_revertsWhenTheRequestIsNotOpen() public {
        vm.warp(darkPool.request(id).expires - 10);
        feed.set(2, 1e8, block.timestamp - TICK);
        Fill memory f = fillOf(darkPool, id, 0);
        vm.warp(darkPool.request(id).expires);
        expectRevertOfFill(f, abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.EXPIRED));
        f.requestId = 0;
        expectRevertOfFill(f, abi.encodeWithSelector(IDarkPool.RequestUnknown.selector, bytes32(0)));
        darkPool.expireRequest(id);
        id = requestOf(darkPool);
        cancel();
        f.requestId = id;
        expectRevertOfFill(f, abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.CANCELLED));
    }

    // Closings.

    function test_confidentialFill_revertsOffTheGrid() public {
        uint256 opened = darkPool.request(id).opened;
        // Not at the opening itself: whoever sees the request has a tick to say that it leaves.
        Fill memory f = fillOf(darkPool, id, 0);
        assertEq(f.round.posted[Values.CLEAR_CLOSED_AT], opened);
        expectRevertOfFill(f, abi.encodeWithSelector(IDarkPool.ClosedOffGrid.selector, opened, opened, TICK));
        warpPastClosing(id, 1);
        for (uint256 i = 0; i < 3; i += 2) {
            f = fillOf(darkPool, id, 0);
            uint256 closedAt = opened + TICK - 1 + i;
            f.round.posted[Values.CLEAR_CLOSED_AT] = closedAt;
            rebind(f);
            expectRevertOfFill(f, abi.encodeWithSelector(IDarkPool.ClosedOffGrid.selector, closedAt, opened, TICK));
        }
        // The next one, which is to come.
        f = fillOf(darkPool, id, 0);
        f.round.posted[Values.CLEAR_CLOSED_AT] = opened + 2 * TICK;
        feed.set(feed.latest() + 1, 1e8, block.timestamp);
        f.priceRound = feed.latest();
        rebind(f);
        expectRevertOfFill(
            f, abi.encodeWithSelector(IShieldedPool.ClosedInFuture.selector, opened + 2 * TICK, block.timestamp)
        );
    }

    function test_confidentialFill_settlesOneRoundAClosingWithinItsWindow() public {
        warpPastClosing(id, WINDOW + 1);
        Fill memory f = fillOf(darkPool, id, 0);
        uint256 closedAt = block.timestamp - WINDOW - 1;
        expectRevertOfFill(
            f, abi.encodeWithSelector(IShieldedPool.ClosedTooLongAgo.selector, closedAt, block.timestamp, WINDOW)
        );
        warpPastClosing(id, 0);
        settle(fillOf(darkPool, id, 0));
        expectRevertOfFill(
            fillOf(darkPool, id, 0),
            abi.encodeWithSelector(IShieldedPool.ClosedNotAfterLast.selector, block.timestamp, block.timestamp)
        );
        // As late as it can be: the next closing is not within its grace.
        warpPastClosing(id, WINDOW);
        settle(fillOf(darkPool, id, 0));
        warpPastClosing(id, 0);
        settle(fillOf(darkPool, id, 0));
        assertEq(darkPool.request(id).rounds, 3);
    }

    // Price.

    /// @dev E6: the feed moves between closing and settlement, once, twice, and is quiet.
    function test_price_isOfTheRoundThatWasNewestAtTheClosing() public {
        uint256 closing = darkPool.request(id).opened + TICK;
        feed.set(2, 101e6, closing);
        vm.warp(closing);
        Fill memory f = fillOf(darkPool, id, 0);
        f.round.posted[Values.CLEAR_PRICE] = 101e6;
        rebind(f);
        uint256 state = vm.snapshotState();
        settle(f);
        vm.revertToState(state);
        vm.warp(closing + 60);
        feed.set(3, 102e6, closing + 30);
        settle(f);
        vm.revertToState(state);
        vm.warp(closing + 60);
        feed.set(3, 102e6, closing + 1);
        feed.set(4, 103e6, closing + 30);
        settle(f);
    }

    function test_price_revertsWhenTheRoundIsAnother() public {
        uint256 closing = darkPool.request(id).opened + TICK;
        feed.set(2, 101e6, closing);
        feed.set(3, 102e6, closing + 1);
        feed.set(4, 103e6, closing + 2);
        vm.warp(closing + 60);
        // Too old, too new, the latest, none, and the last there could be.
        expectRevertOfPrice(1, block.timestamp - 360, closing);
        expectRevertOfPrice(3, closing + 1, closing + 2);
        expectRevertOfPrice(4, closing + 2, 0);
        expectRevertOfPrice(7, 0, 0);
        expectRevertOfPrice(type(uint80).max, 0, 0);
        feed.setAnswersZeros(true);
        expectRevertOfPrice(7, 0, 0);
        expectRevertOfPrice(type(uint80).max, 0, 0);
    }

    /// @dev An aggregator's last round, whose next is in another phase: what the feed cannot show is void.
    function test_price_revertsWhenTheFeedBeganANewPhase() public {
        uint256 closing = darkPool.request(id).opened + TICK;
        feed.set(2, 101e6, closing - 10);
        feed.set(uint80(1) << 64 | 1, 101e6, closing + 10);
        vm.warp(closing + 60);
        expectRevertOfPrice(2, closing - 10, 0);
        feed.setAnswersZeros(true);
        expectRevertOfPrice(2, closing - 10, 0);
    }

    /// @dev A proxy's old aggregator may go on for a while. What it says is no price of the feed any more.
    function test_price_revertsWhenTheRoundIsOfAPhaseThatIsOver() public {
        uint256 closing = darkPool.request(id).opened + TICK;
        feed.set(uint80(1) << 64 | 7, 90e6, closing - 10);
        feed.set(uint80(1) << 64 | 8, 91e6, closing + 10);
        feed.set(uint80(2) << 64 | 1, 101e6, closing - 60);
        vm.warp(closing + 60);
        Fill memory f = fillOf(darkPool, id, 0);
        f.round.posted[Values.CLEAR_PRICE] = 101e6;
        rebind(f);
        uint256 state = vm.snapshotState();
        settle(f);
        vm.revertToState(state);
        f.priceRound = uint80(1) << 64 | 7;
        f.round.posted[Values.CLEAR_PRICE] = 90e6;
        rebind(f);
        expectRevertOfFill(
            f, abi.encodeWithSelector(IDarkPool.PriceNotOfClosing.selector, f.priceRound, closing - 10, 0, closing)
        );
    }

    function test_price_revertsWhenStaleOrNotPositive() public {
        uint256 closing = darkPool.request(id).opened + TICK;
        vm.warp(closing + 60);
        feed.set(2, 1e8, closing - PRICE_AGE_MAX - 1);
        Fill memory f = fillOf(darkPool, id, 0);
        expectRevertOfFill(
            f,
            abi.encodeWithSelector(IDarkPool.PriceStale.selector, closing - PRICE_AGE_MAX - 1, closing, PRICE_AGE_MAX)
        );
        feed.set(2, 0, closing);
        expectRevertOfFill(f, abi.encodeWithSelector(IDarkPool.PriceNotPositive.selector, int256(0)));
        feed.set(2, -1, closing);
        expectRevertOfFill(f, abi.encodeWithSelector(IDarkPool.PriceNotPositive.selector, int256(-1)));
        // Old enough by now, fresh at the closing.
        feed.set(2, 1e8, closing - PRICE_AGE_MAX);
        settle(f);
    }

    // Accounts.

    function test_moveAccount_fundsTakesBackReleasesAndResalts() public {
        deposit(claim, 1000);
        move(darkPool, IShieldedPool.Kind.Fund, 100, address(0));
        assertEq(cash.balanceOf(ISSUER), CAP - 100);
        assertEq(cash.balanceOf(address(pool)), 100);
        assertEq(cash.balanceOf(address(darkPool)), 0);
        assertEq(cash.allowance(address(darkPool), address(pool)), 0);
        move(darkPool, IShieldedPool.Kind.TakeBack, 40, ISSUER);
        assertEq(cash.balanceOf(ISSUER), CAP - 60);
        move(darkPool, IShieldedPool.Kind.Release, 700, WALLET);
        assertEq(claim.balanceOf(WALLET), 700);
        uint256 before = pool.venue(venueOf(address(darkPool))).account;
        move(darkPool, IShieldedPool.Kind.Resalt, 0, address(0));
        assertTrue(pool.venue(venueOf(address(darkPool))).account != before, "another salt");
    }

    function test_moveAccount_isTheIssuersAlone() public {
        Action memory a = moveOf(darkPool, IShieldedPool.Kind.Release, 1, WALLET);
        expectRevertOfMove(STRANGER, a, abi.encodeWithSelector(IDarkPool.CallerNotIssuer.selector, STRANGER, ISSUER));
        expectRevertOfMove(OWNER, a, abi.encodeWithSelector(IDarkPool.CallerNotIssuer.selector, OWNER, ISSUER));
    }

    function test_moveAccount_releasesToRegisteredWalletsAndTakesBackToTheIssuer() public {
        deposit(claim, 1000);
        Action memory a = moveOf(darkPool, IShieldedPool.Kind.Release, 1, STRANGER);
        expectRevertOfMove(ISSUER, a, abi.encodeWithSelector(IDarkPool.WalletNotRegistered.selector, STRANGER));
        a = moveOf(darkPool, IShieldedPool.Kind.Release, 1, ISSUER);
        expectRevertOfMove(ISSUER, a, abi.encodeWithSelector(IDarkPool.WalletNotRegistered.selector, ISSUER));
        a = moveOf(darkPool, IShieldedPool.Kind.TakeBack, 1, WALLET);
        expectRevertOfMove(ISSUER, a, abi.encodeWithSelector(IDarkPool.RecipientNotIssuer.selector, WALLET, ISSUER));
        // The proof says to whom.
        vm.prank(OWNER);
        darkPool.registerReserveWallet(STRANGER);
        a = moveOf(darkPool, IShieldedPool.Kind.Release, 1, WALLET);
        a.move.recipient = STRANGER;
        expectRevertOfMove(
            ISSUER,
            a,
            mismatch(a.posted, Values.ACCOUNT_CONTEXT, darkPool.accountContext(IShieldedPool.Kind.Release, STRANGER))
        );
        vm.prank(OWNER);
        darkPool.removeReserveWallet(WALLET);
        a.move.recipient = WALLET;
        expectRevertOfMove(ISSUER, a, abi.encodeWithSelector(IDarkPool.WalletNotRegistered.selector, WALLET));
    }

    function test_reserveWallets_areTheOwners() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, ISSUER));
        vm.prank(ISSUER);
        darkPool.registerReserveWallet(ISSUER);
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, ISSUER));
        vm.prank(ISSUER);
        darkPool.removeReserveWallet(WALLET);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.WalletAlreadyRegistered.selector, WALLET));
        vm.prank(OWNER);
        darkPool.registerReserveWallet(WALLET);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.WalletNotRegistered.selector, STRANGER));
        vm.prank(OWNER);
        darkPool.removeReserveWallet(STRANGER);
        vm.expectRevert(IDarkPool.ZeroAddress.selector);
        vm.prank(OWNER);
        darkPool.registerReserveWallet(address(0));
    }

    /// @dev Whoever could move the account after the closing could void the round it does not like.
    function test_moveAccount_neverBetweenAClosingAndItsSettlement() public {
        uint256 opened = darkPool.request(id).opened;
        uint256 closing = opened + TICK;
        vm.warp(closing - 1);
        assertEq(darkPool.roundInFlight(), 0);
        resalt();
        for (uint256 i = 0; i < 2; i++) {
            vm.warp(closing + i * WINDOW);
            assertEq(darkPool.roundInFlight(), closing);
            expectRevertOfMove(
                ISSUER,
                moveOf(darkPool, IShieldedPool.Kind.Resalt, 0, address(0)),
                abi.encodeWithSelector(IDarkPool.RoundInFlight.selector, closing, block.timestamp)
            );
            vm.expectRevert(abi.encodeWithSelector(IDarkPool.RoundInFlight.selector, closing, block.timestamp));
            vm.prank(ISSUER);
            darkPool.cancelRequest(id);
        }
        // Void by now.
        vm.warp(closing + WINDOW + 1);
        resalt();
        // Settled.
        warpPastClosing(id, 10);
        settle(fillOf(darkPool, id, 0));
        resalt();
        // No round settles any more.
        vm.warp(darkPool.request(id).expires);
        resalt();
        darkPool.expireRequest(id);
        resalt();
    }

    // The end.

    function test_cancelRequest_revertsOnceARoundSettled() public {
        warpPastClosing(id, 0);
        settle(fillOf(darkPool, id, 0));
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RoundAlreadySettled.selector, id, 1));
        vm.prank(ISSUER);
        darkPool.cancelRequest(id);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.CallerNotIssuer.selector, STRANGER, ISSUER));
        vm.prank(STRANGER);
        darkPool.cancelRequest(id);
    }

    function test_expireRequest_countsAnAttempt() public {
        uint256 expires = darkPool.request(id).expires;
        vm.warp(expires - 1);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestNotExpired.selector, id, expires - 1, expires));
        darkPool.expireRequest(id);
        vm.warp(expires);
        assertStatus(RequestStatus.EXPIRED);
        darkPool.expireRequest(id);
        assertEq(guard.attempts(), 1);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.EXPIRED));
        darkPool.expireRequest(id);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestUnknown.selector, bytes32(0)));
        darkPool.expireRequest(0);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.WrongDisclosure.selector, IDarkPool.Disclosure.Immediate));
        darkPool.openRequest(id, 0, 1);
    }

    // Rotation and company.

    /// @dev E7: another enclave, another mandate, an old key shut out; account and position stay.
    function test_rotation_ofEnclaveAndMandate() public {
        warpPastClosing(id, 0);
        settle(fillOf(darkPool, id, 2));
        uint256 other = 0xe0c2;
        registerEnclave(other, uint64(block.timestamp + 30 days));
        vm.prank(GUARDIAN);
        registry.revoke(vm.addr(ENCLAVE_KEY));
        resalt();
        vm.prank(ISSUER);
        darkPool.registerMandate(0x7777);
        uint256 account = pool.venue(venueOf(address(darkPool))).account;
        id = requestOf(darkPool);
        warpPastClosing(id, 0);
        Fill memory f = fillOf(darkPool, id, 1);
        assertEq(f.round.posted[Values.CLEAR_ACCOUNT_OLD], account);
        assertEq(f.round.posted[Values.CLEAR_MANDATE], 0x7777);
        expectRevertOfFill(f, abi.encodeWithSelector(IDarkPool.EnclaveNotActive.selector, vm.addr(ENCLAVE_KEY)));
        f.key = other;
        settle(f);
        assertEq(pool.venue(venueOf(address(darkPool))).nextIndex, 32);
    }

    /// @dev Two issuers, one pool: one entry tree and one set of words, and nothing else in common.
    function test_twoIssuersShareOnePool() public {
        address otherIssuer = address(0x0334);
        (, DarkPool other) = deployVenue(otherIssuer);
        bytes32 otherId = requestOf(other);
        move(other, IShieldedPool.Kind.Fund, 50, address(0));
        warpPastClosing(id, 10);
        Fill memory mine = fillOf(darkPool, id, 1);
        Fill memory theirs = fillOf(other, otherId, 2);
        assertTrue(mine.round.posted[2] != theirs.round.posted[2], "two venues");

        settle(mine);
        // One note in two rounds.
        uint256 nf = mine.round.posted[Values.CLEAR_NULLIFIERS];
        uint256 own = theirs.round.posted[Values.CLEAR_NULLIFIERS];
        theirs.round.posted[Values.CLEAR_NULLIFIERS] = nf;
        expectRevertOfFill(theirs, abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, nf));
        theirs.round.posted[Values.CLEAR_NULLIFIERS] = own;
        settle(theirs);
        assertEq(uint8(other.getRequestStatus(otherId)), uint8(RequestStatus.FILLED));
        assertStatus(RequestStatus.PARTIALLY_FILLED);
        assertEq(pool.venue(venueOf(address(darkPool))).nextIndex, 16);
        assertEq(pool.venue(venueOf(address(other))).nextIndex, 16);
        move(other, IShieldedPool.Kind.TakeBack, 50, otherIssuer);
        assertEq(cash.balanceOf(otherIssuer), CAP);
    }

    /// @dev A line of theirs in my round is a proof of theirs, and their enclave's word is none for me, though the
    /// enclave is the same.
    function test_twoIssuers_doNotPassForEachOther() public {
        (, DarkPool other) = deployVenue(address(0x0334));
        warpPastClosing(id, 10);
        Fill memory f = fillOf(darkPool, id, 1);
        (uint256[8] memory proof, uint256[] memory posted) = clears.prove(f.round.posted);
        bytes memory zkProof = abi.encode(f.version, f.priceRound, f.round.entrySlot, proof, posted);
        bytes32 digest = darkPool.settlementDigest(id, 1, keccak256(abi.encodePacked(posted)));
        f.venue = other;
        bytes memory attestation = attestationOf(f, posted);
        address recovered = ECDSA.recover(digest, attestation);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.EnclaveNotActive.selector, recovered));
        darkPool.confidentialFill(id, zkProof, attestation);
        f.venue = darkPool;
        f.round.posted[Values.CLEAR_VENUE] = venueOf(address(other));
        expectRevertOfFill(f, mismatch(f.round.posted, Values.CLEAR_VENUE, venueOf(address(darkPool))));
    }

    function cancel() private {
        vm.prank(ISSUER);
        darkPool.cancelRequest(id);
    }

    function resalt() private {
        move(darkPool, IShieldedPool.Kind.Resalt, 0, address(0));
    }

    function assertStatus(RequestStatus expected) private view {
        assertEq(uint8(darkPool.getRequestStatus(id)), uint8(expected));
    }

    function expectRevertOfRequest(uint256 commitment, uint256 premiumBps, uint256 timeout, bytes memory data) private {
        vm.expectRevert(data);
        vm.prank(ISSUER);
        darkPool.requestCollateral(bytes32(commitment), premiumBps, timeout);
    }

    function expectRevertOfPrice(uint80 priceRound, uint256 updatedAt, uint256 next) private {
        uint256 closing = darkPool.request(id).opened + TICK;
        Fill memory f = fillOf(darkPool, id, 0);
        f.priceRound = priceRound;
        expectRevertOfFill(
            f, abi.encodeWithSelector(IDarkPool.PriceNotOfClosing.selector, priceRound, updatedAt, next, closing)
        );
    }

    function signed(Observations.Observation memory o) private view returns (bytes memory) {
        bytes32 hash = keccak256(
            abi.encode(
                keccak256(
                    "Observation(uint32 tick,uint64 timestamp,uint8 attested,bytes32 status,bytes32 deficit,bytes32 answer)"
                ),
                o
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domainOf(address(darkPool)), hash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(ENCLAVE_KEY, digest);
        return abi.encode(o, abi.encodePacked(r, s, v));
    }
}

contract SecondSealedDarkPoolTest is VenueFixture(IDarkPool.Disclosure.Sealed) {
    uint256 private constant SALT = 0x5a17;
    bytes32 private id;

    function setUp() public {
        id = requestOf(darkPool);
    }

    function test_openRequest_publishesTheLastStatus() public {
        settleWith(1);
        settleWith(2);
        assertStatus(RequestStatus.PENDING);
        uint256 expires = darkPool.request(id).expires;
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestNotExpired.selector, id, block.timestamp, expires));
        darkPool.openRequest(id, 2, SALT);
        vm.warp(expires);
        expectRevertOfFill(
            fillOf(darkPool, id, 2),
            abi.encodeWithSelector(IDarkPool.RequestNotOpen.selector, id, RequestStatus.EXPIRED)
        );
        vm.expectRevert(
            abi.encodeWithSelector(
                IDarkPool.OpeningMismatch.selector, statusHash.commitment(1, SALT), statusHash.commitment(2, SALT)
            )
        );
        darkPool.openRequest(id, 1, SALT);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.StatusOutOfRange.selector, 3));
        darkPool.openRequest(id, 3, SALT);
        vm.expectRevert(abi.encodeWithSelector(IStatusHash.NotInField.selector, SALT + P));
        darkPool.openRequest(id, 2, SALT + P);
        vm.prank(STRANGER);
        darkPool.openRequest(id, 2, SALT);
        assertStatus(RequestStatus.FILLED);
        assertEq(guard.attempts(), 0);
    }

    function test_openRequest_countsAnAttemptWhenNotFilled() public {
        settleWith(1);
        vm.warp(darkPool.request(id).expires);
        darkPool.openRequest(id, 1, SALT);
        assertStatus(RequestStatus.EXPIRED);
        assertEq(guard.attempts(), 1);
        assertEq(guard.flagged(), false);
    }

    /// @dev Promise P9.
    function test_expireRequest_flagsWhatNobodyOpened() public {
        settleWith(2);
        uint256 due = darkPool.request(id).expires + darkPool.OPENING_GRACE();
        vm.warp(due - 1);
        vm.expectRevert(abi.encodeWithSelector(IDarkPool.RequestNotExpired.selector, id, due - 1, due));
        darkPool.expireRequest(id);
        vm.warp(due);
        darkPool.expireRequest(id);
        assertEq(guard.flagged(), true);
    }

    function test_cancelRequest_reverts() public {
        vm.expectRevert(IDarkPool.SealedRequestCannotBeCancelled.selector);
        vm.prank(ISSUER);
        darkPool.cancelRequest(id);
    }

    /// @dev The account is the issuer's again, whatever the outcome: the clock says so and not the status.
    function test_moveAccount_afterTheEpochSaysNothing() public {
        vm.warp(darkPool.request(id).expires);
        move(darkPool, IShieldedPool.Kind.Resalt, 0, address(0));
    }

    function settleWith(uint256 status) private {
        warpPastClosing(id, 0);
        settle(fillOf(darkPool, id, statusHash.commitment(uint8(status), SALT)));
    }

    function assertStatus(RequestStatus expected) private view {
        assertEq(uint8(darkPool.getRequestStatus(id)), uint8(expected));
    }
}
