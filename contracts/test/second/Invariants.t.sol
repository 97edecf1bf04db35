// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Test} from "../Test.sol";
import {NoteTreeReference} from "./NoteTreeReference.sol";
import {OddToken} from "./OddToken.sol";
import {VenueFixture} from "./VenueFixture.sol";
import {RequestStatus} from "../../src/ICREDarkPool.sol";
import {RecoveryGuard} from "../../src/RecoveryGuard.sol";
import {DarkPool} from "../../src/second/DarkPool.sol";
import {IDarkPool} from "../../src/second/interfaces/IDarkPool.sol";
import {IShieldedPool} from "../../src/second/interfaces/IShieldedPool.sol";
import {Values} from "../../src/second/libraries/Values.sol";

/// @dev Everybody who calls the pool and two venues over it, in any order: depositors, whoever absorbs, owners who
/// split, announce and leave, two issuers, an enclave whose statements are all true, and who tries what must be
/// refused. It keeps a second set of books. No call of it may revert, so that one that never gets through fails the
/// run instead of passing for nothing; each counts what it has reached.
contract PoolHandler is VenueFixture(IDarkPool.Disclosure.Immediate) {
    uint256 private constant MANY = 16;

    enum Reached {
        Deposit,
        BusyQueueRefused,
        Donation,
        Absorption,
        Exit,
        Split,
        Announcement,
        LockedExit,
        LockedExitRefused,
        AnnouncedFillRefused,
        ReplayRefused,
        SecondClosingRefused,
        Funding,
        TakingBack,
        Release,
        MoveInFlightRefused,
        Settlement,
        SecondRequestRefused
    }

    mapping(Reached what => uint256) public reached;
    uint256 public calls;
    mapping(address asset => uint256) public entered;
    mapping(address asset => uint256) public left;
    /// @dev All that were ever in a statement, and the words they should have.
    uint256[] public nullifiers;
    mapping(uint256 nullifier => uint256) public wordOf;
    uint256[] private _announced;
    DarkPool[2] public venues;
    RecoveryGuard[2] private _guards;
    NoteTreeReference[2] public venueTrees;
    uint256[2] public lastClosing;
    bytes32[][2] private _requests;

    modifier counted() {
        calls++;
        _;
    }

    constructor() {
        (venues[0], _guards[0]) = (darkPool, guard);
        (_guards[1], venues[1]) = deployVenue(address(0x0334));
        (venueTrees[0], venueTrees[1]) = (new NoteTreeReference(), new NoteTreeReference());
    }

    // In.

    function deposit(bool isCash, uint64 amount) external counted {
        OddToken token = isCash ? cash : claim;
        IShieldedPool.Entry memory e = pool.entry();
        uint256 queued = e.tail - e.head;
        uint256[3] memory words = [draw(), draw(), draw()];
        try pool.deposit(address(token), uint256(amount) + 1, words[0], words[1], words[2]) {
            entered[address(token)] += uint256(amount) + 1;
            reached[Reached.Deposit]++;
        } catch (bytes memory reason) {
            _expect(reason, abi.encodeWithSelector(IShieldedPool.QueueBusy.selector, queued, 256));
            assertTrue(queued > 192, "less than a quarter is free");
            reached[Reached.BusyQueueRefused]++;
            absorb(64);
        }
    }

    /// @dev Fills the queue faster than one by one.
    function depositSome(uint8 n) external counted {
        for (uint256 i = 0; i < n % MANY; i++) {
            if (pool.entry().tail - pool.entry().head > 192) return;
            deposit(cash, 1);
            entered[address(cash)] += 1;
        }
    }

    function donate(bool isCash, uint64 amount) external counted {
        (isCash ? cash : claim).mint(address(pool), amount);
        reached[Reached.Donation]++;
    }

    function absorbSome(uint8 count) external counted {
        uint256 queued = pool.entry().tail - pool.entry().head;
        if (queued == 0) return;
        absorb(1 + count % (queued < 64 ? queued : 64));
        reached[Reached.Absorption]++;
    }

    // Out.

    function exit(uint64 amount, uint8 fee) external counted {
        (uint256 recorded,) = pool.asset(address(cash));
        if (recorded == 0) return;
        Spend memory s = spendOf(false, 1 + amount % recorded);
        if (fee != 0 && fee <= s.exit.amount) (s.exit.relayer, s.exit.fee) = (RELAYER, fee);
        rebind(s);
        send(s);
        _words(s, 1, 1);
        left[address(cash)] += s.exit.amount;
        reached[Reached.Exit]++;
    }

    function split(bool one) external counted {
        Spend memory s = spendOf(false, 0);
        s.exit.recipient = address(0);
        s.posted[Values.SPEND_LEAVES] = draw();
        if (!one) s.posted[Values.SPEND_LEAVES + 1] = draw();
        rebind(s);
        if (pool.entry().tail - pool.entry().head > 254) absorb(64);
        s.posted[Values.SPEND_ENTRY_ROOT] = pool.entryRoot(pool.entry().cursor);
        s.entrySlot = pool.entry().cursor;
        send(s);
        _words(s, 1, 1);
        reached[Reached.Split]++;
    }

    function announce(bool both) external counted {
        Spend memory s = spendOf(true, 0);
        if (both) s.posted[Values.SPEND_LOCKED + 1] = 1;
        send(s);
        _words(s, block.timestamp, both ? block.timestamp : 0);
        _announced.push(s.posted[Values.SPEND_NULLIFIERS]);
        reached[Reached.Announcement]++;
    }

    /// @dev At once, and after the window.
    function leaveAfterAnnouncement(uint256 which, bool waits) external counted {
        if (_announced.length == 0) return;
        uint256 nf = _announced[which % _announced.length];
        uint256 word = wordOf[nf];
        if (word == 1) return;
        if (waits && block.timestamp <= word + WINDOW) vm.warp(word + WINDOW + 1);
        Spend memory s = spendOf(false, 0);
        s.exit.recipient = address(0);
        (s.posted[Values.SPEND_NULLIFIERS], s.posted[Values.SPEND_LOCKED]) = (nf, 1);
        rebind(s);
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(s.posted);
        try pool.spend(s.exit, s.entrySlot, 0, proof, posted) {
            assertTrue(block.timestamp > word + WINDOW, "not before the window is over");
            _words(s, 1, 1);
            reached[Reached.LockedExit]++;
        } catch (bytes memory reason) {
            _expect(
                reason,
                abi.encodeWithSelector(IShieldedPool.AnnouncementTooYoung.selector, nf, word, block.timestamp, WINDOW)
            );
            _words(s, word, 0);
            reached[Reached.LockedExitRefused]++;
        }
    }

    function replay(uint256 which) external counted {
        if (nullifiers.length == 0) return;
        uint256 nf = nullifiers[which % nullifiers.length];
        if (wordOf[nf] != 1) return;
        Spend memory s = spendOf(false, 0);
        s.exit.recipient = address(0);
        s.posted[Values.SPEND_NULLIFIERS + 1] = nf;
        rebind(s);
        (uint256[8] memory proof, uint256[] memory posted) = spends.prove(s.posted);
        try pool.spend(s.exit, s.entrySlot, 0, proof, posted) {}
        catch (bytes memory reason) {
            _expect(reason, abi.encodeWithSelector(IShieldedPool.NullifierAlreadySpent.selector, nf));
            _words(s, 0, 1);
            reached[Reached.ReplayRefused]++;
        }
    }

    // Venues.

    function fund(uint8 which, uint64 amount) external counted {
        DarkPool venue = _quiet(which);
        move(venue, IShieldedPool.Kind.Fund, amount, address(0));
        entered[address(cash)] += amount;
        reached[Reached.Funding]++;
    }

    function takeBack(uint8 which, uint64 amount) external counted {
        (uint256 recorded,) = pool.asset(address(cash));
        if (recorded == 0) return;
        DarkPool venue = _quiet(which);
        uint256 taken = amount % recorded;
        move(venue, IShieldedPool.Kind.TakeBack, taken, venue.issuer());
        left[address(cash)] += taken;
        reached[Reached.TakingBack]++;
    }

    function release(uint8 which, uint64 amount) external counted {
        (uint256 recorded,) = pool.asset(address(claim));
        if (recorded == 0) return;
        DarkPool venue = _quiet(which);
        uint256 released = amount % recorded;
        move(venue, IShieldedPool.Kind.Release, released, WALLET);
        left[address(claim)] += released;
        reached[Reached.Release]++;
    }

    /// @dev To the next closing and a little past it; and then again, and with a note announced before, which is
    /// refused, as is a move of the account in between.
    function settleRound(uint8 which, uint8 status, uint8 late) external counted {
        which %= 2;
        bytes32 id = _pastClosing(which, late);
        _moveInFlight(which);
        _fillAnnounced(which, id);
        Fill memory f = fillOf(venues[which], id, status % 3);
        uint256 closedAt = f.round.posted[Values.CLEAR_CLOSED_AT];
        uint256[] memory leaves = new uint256[](16);
        for (uint256 i = 0; i < 16; i++) {
            leaves[i] = f.round.posted[Values.CLEAR_NULLIFIERS + 8 + i];
        }
        venueTrees[which].append(leaves, 16);
        f.round.posted[Values.CLEAR_VENUE_ROOT_AFTER] = venueTrees[which].root();
        settle(f);
        assertTrue(closedAt > lastClosing[which], "closings only go forward");
        lastClosing[which] = closedAt;
        for (uint256 i = 0; i < 8; i++) {
            _word(f.round.posted[Values.CLEAR_NULLIFIERS + i], 1);
        }
        reached[Reached.Settlement]++;
        if (status % 3 != 2) _settleAgain(which, id);
    }

    function requestTwice(uint8 which) external counted {
        which %= 2;
        bytes32 first = _open(which);
        vm.prank(venues[which].issuer());
        try venues[which].requestCollateral(bytes32(uint256(7)), 50, 1 hours) returns (bytes32 second) {
            _requests[which].push(second);
        } catch (bytes memory reason) {
            _expect(reason, abi.encodeWithSelector(IDarkPool.RequestOpen.selector, first));
            reached[Reached.SecondRequestRefused]++;
        }
    }

    function pass(uint16 time) external counted {
        vm.warp(block.timestamp + time % 1000);
    }

    // Books.

    function openRequests(uint256 which) external view returns (uint256 open) {
        for (uint256 i = 0; i < _requests[which].length; i++) {
            bytes32 id = _requests[which][i];
            if (uint8(venues[which].request(id).status) > uint8(RequestStatus.PARTIALLY_FILLED)) continue;
            open++;
            assertEq(id, venues[which].currentRequestId());
        }
    }

    function contracts() external view returns (IShieldedPool, NoteTreeReference, address[2] memory) {
        return (pool, entryTree, [address(cash), address(claim)]);
    }

    function nNullifiers() external view returns (uint256) {
        return nullifiers.length;
    }

    function _moveInFlight(uint8 which) private {
        DarkPool venue = venues[which];
        address issuer = venue.issuer();
        Action memory a = moveOf(venue, IShieldedPool.Kind.Resalt, 0, address(0));
        (uint256[8] memory proof, uint256[] memory posted) = accounts.prove(a.posted);
        uint256 closedAt = venue.roundInFlight();
        vm.prank(issuer);
        try venue.moveAccount(a.move, proof, posted) {
            assertEq(closedAt, 0);
        } catch (bytes memory reason) {
            _expect(reason, abi.encodeWithSelector(IDarkPool.RoundInFlight.selector, closedAt, block.timestamp));
            reached[Reached.MoveInFlightRefused]++;
        }
    }

    /// @dev With a note that is announced, if one is and that was before the closing.
    function _fillAnnounced(uint8 which, bytes32 id) private {
        if (_announced.length == 0) return;
        uint256 nf = _announced[_announced.length - 1];
        Fill memory f = fillOf(venues[which], id, 1);
        uint256 closedAt = f.round.posted[Values.CLEAR_CLOSED_AT];
        uint256 word = wordOf[nf];
        if (word == 1 || word >= closedAt) return;
        f.round.posted[Values.CLEAR_NULLIFIERS + 7] = nf;
        expectRevertOfFill(f, abi.encodeWithSelector(IShieldedPool.AnnouncedBeforeClosing.selector, nf, word, closedAt));
        for (uint256 i = 0; i < 7; i++) {
            _word(f.round.posted[Values.CLEAR_NULLIFIERS + i], 0);
        }
        reached[Reached.AnnouncedFillRefused]++;
    }

    function _settleAgain(uint8 which, bytes32 id) private {
        Fill memory f = fillOf(venues[which], id, 1);
        uint256 closedAt = f.round.posted[Values.CLEAR_CLOSED_AT];
        expectRevertOfFill(f, abi.encodeWithSelector(IShieldedPool.ClosedNotAfterLast.selector, closedAt, closedAt));
        reached[Reached.SecondClosingRefused]++;
    }

    /// @dev The venue, with no round in flight.
    function _quiet(uint8 which) private returns (DarkPool venue) {
        venue = venues[which % 2];
        uint256 closedAt = venue.roundInFlight();
        if (closedAt != 0) vm.warp(closedAt + WINDOW + 1);
        assertEq(venue.roundInFlight(), 0);
    }

    /// @dev An open request that has a closing ahead of it, and the time of that closing.
    function _pastClosing(uint8 which, uint8 late) private returns (bytes32 id) {
        id = _open(which);
        uint256 opened = venues[which].request(id).opened;
        uint256 closing = block.timestamp + TICK - (block.timestamp - opened) % TICK;
        if (closing + WINDOW >= venues[which].request(id).expires) {
            vm.warp(venues[which].request(id).expires);
            id = _open(which);
            closing = block.timestamp + TICK;
        }
        feed.set(feed.latest() + 1, 1e8, closing - 1);
        vm.warp(closing + late % (WINDOW + 1));
    }

    /// @dev The open request, a new one if there is none.
    function _open(uint8 which) private returns (bytes32 id) {
        DarkPool venue = venues[which];
        id = venue.currentRequestId();
        if (id != 0 && uint8(venue.request(id).status) <= uint8(RequestStatus.PARTIALLY_FILLED)) {
            if (block.timestamp < venue.request(id).expires) return id;
            venue.expireRequest(id);
        }
        if (_guards[which].halted()) {
            vm.prank(OWNER);
            _guards[which].resume();
        }
        id = requestOf(venue);
        _requests[which].push(id);
    }

    /// @dev A word goes from 0 to the time to 1, or from 0 to 1.
    function _word(uint256 nf, uint256 word) private {
        uint256 before = wordOf[nf];
        assertTrue(word == before || word == 1 || (before == 0 && word == block.timestamp), "words go forward only");
        if (before == 0) nullifiers.push(nf);
        wordOf[nf] = word;
    }

    function _words(Spend memory s, uint256 first, uint256 second) private {
        _word(s.posted[Values.SPEND_NULLIFIERS], first);
        _word(s.posted[Values.SPEND_NULLIFIERS + 1], second);
    }

    function _expect(bytes memory reason, bytes memory expected) private pure {
        assertEq(keccak256(reason), keccak256(expected));
    }
}

/// @dev What holds after every call, whoever called what.
contract PoolInvariantsTest is Test {
    /// @dev forge reads it.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev Of a run, as `foundry.toml` has it.
    uint256 private constant DEPTH = 80;

    PoolHandler private handler;
    IShieldedPool private pool;
    NoteTreeReference private entryTree;
    address[2] private assets;

    constructor() {
        handler = new PoolHandler();
        (pool, entryTree, assets) = handler.contracts();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](15);
        selectors[0] = bytes4(keccak256("deposit(bool,uint64)"));
        selectors[1] = PoolHandler.depositSome.selector;
        selectors[2] = PoolHandler.donate.selector;
        selectors[3] = PoolHandler.absorbSome.selector;
        selectors[4] = PoolHandler.exit.selector;
        selectors[5] = PoolHandler.split.selector;
        selectors[6] = PoolHandler.announce.selector;
        selectors[7] = PoolHandler.leaveAfterAnnouncement.selector;
        selectors[8] = PoolHandler.replay.selector;
        selectors[9] = PoolHandler.fund.selector;
        selectors[10] = PoolHandler.takeBack.selector;
        selectors[11] = PoolHandler.release.selector;
        selectors[12] = PoolHandler.settleRound.selector;
        selectors[13] = PoolHandler.requestTwice.selector;
        selectors[14] = PoolHandler.pass.selector;
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    /// @dev A run that settled nothing and let nobody out showed nothing. A shorter one is a failure on its way to its
    /// shortest.
    function afterInvariant() external view {
        if (handler.calls() < DEPTH) return;
        assertTrue(handler.reached(PoolHandler.Reached.Deposit) > 0, "a deposit");
        assertTrue(handler.reached(PoolHandler.Reached.Settlement) > 0, "a settlement");
    }

    function test_everyCallOfTheHandlerReachesWhatItIsFor() public {
        handler.deposit(true, 1000);
        handler.deposit(false, 1000);
        handler.donate(true, 5);
        handler.absorbSome(1);
        handler.exit(5, 3);
        handler.split(true);
        handler.split(false);
        handler.announce(false);
        handler.leaveAfterAnnouncement(0, false);
        handler.leaveAfterAnnouncement(0, true);
        handler.announce(true);
        handler.replay(0);
        handler.fund(0, 500);
        handler.takeBack(1, 5);
        handler.release(0, 5);
        handler.settleRound(0, 1, 5);
        handler.settleRound(1, 2, 180);
        handler.requestTwice(0);
        handler.pass(5);
        for (uint256 i = 0; i < 13; i++) {
            handler.depositSome(15);
        }
        handler.deposit(true, 1);
        for (uint8 what = 0; what <= uint8(type(PoolHandler.Reached).max); what++) {
            assertTrue(
                handler.reached(PoolHandler.Reached(what)) > 0,
                string.concat("every call gets somewhere, but not ", vm.toString(what))
            );
        }
        invariant_whatCameInLessWhatLeftIsRecorded();
        invariant_thePoolHoldsWhatItRecords();
        assertTreesAreTheReferences();
        invariant_wordsOnlyGoForward();
        invariant_atMostOneRequestIsOpen();
        invariant_closingsAreTheBooks();
    }

    function invariant_whatCameInLessWhatLeftIsRecorded() public view {
        for (uint256 i = 0; i < 2; i++) {
            (uint256 recorded,) = pool.asset(assets[i]);
            assertEq(recorded, handler.entered(assets[i]) - handler.left(assets[i]));
        }
    }

    function invariant_thePoolHoldsWhatItRecords() public view {
        for (uint256 i = 0; i < 2; i++) {
            (uint256 recorded,) = pool.asset(assets[i]);
            assertTrue(recorded <= IERC20(assets[i]).balanceOf(address(pool)), "recorded is at most the balance");
        }
    }

    /// @dev The references hash every leaf anew. A tree that has once left them never meets them again, so that a look
    /// at every sixteenth call, the last one among them, sees what a look at each would.
    function invariant_theRootsAreTheReferences() public view {
        if (handler.calls() % 16 == 0) assertTreesAreTheReferences();
    }

    /// @dev 0, then a time or 1, and after a time 1: the handler's books can do nothing else.
    function invariant_wordsOnlyGoForward() public view {
        uint256 n = handler.nNullifiers();
        for (uint256 i = 0; i < n; i++) {
            uint256 nf = handler.nullifiers(i);
            assertEq(pool.nullifier(nf), handler.wordOf(nf));
        }
    }

    function invariant_atMostOneRequestIsOpen() public view {
        for (uint256 which = 0; which < 2; which++) {
            assertTrue(handler.openRequests(which) <= 1, "one request at a time");
        }
    }

    function invariant_closingsAreTheBooks() public view {
        for (uint256 which = 0; which < 2; which++) {
            IShieldedPool.Venue memory v = pool.venue(pool.venueOf(address(handler.venues(which))));
            assertEq(v.closedAt, handler.lastClosing(which));
        }
    }

    function assertTreesAreTheReferences() private view {
        IShieldedPool.Entry memory e = pool.entry();
        assertEq(e.nextIndex, entryTree.length());
        assertEq(pool.entryRoot(e.cursor), entryTree.root());
        for (uint256 which = 0; which < 2; which++) {
            uint256 venue = pool.venueOf(address(handler.venues(which)));
            IShieldedPool.Venue memory v = pool.venue(venue);
            assertEq(v.nextIndex, handler.venueTrees(which).length());
            assertEq(pool.venueRoot(venue, v.cursor), handler.venueTrees(which).root());
        }
    }
}
