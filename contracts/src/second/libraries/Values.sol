// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Where the values of each relation stand in what is posted, and how they are held to what the chain knows.
/// @notice `posted[0]` is the digest, so that every index is one more than in the circuit's own order, which is
/// `Statement::to_values` of `circuits::second`. Typed things are widened and compared; nothing is cut out.
library Values {
    // absorb. The leaves follow.
    uint256 internal constant ABSORB_ROOT = 1;
    uint256 internal constant ABSORB_ROOT_AFTER = 2;
    uint256 internal constant ABSORB_INDEX = 3;
    uint256 internal constant ABSORB_LEAVES = 4;

    // spend.
    uint256 internal constant SPEND_CONTEXT = 1;
    uint256 internal constant SPEND_ANNOUNCE = 2;
    uint256 internal constant SPEND_ENTRY_ROOT = 3;
    uint256 internal constant SPEND_VENUE = 4;
    uint256 internal constant SPEND_VENUE_ROOT = 5;
    uint256 internal constant SPEND_ASSET = 6;
    uint256 internal constant SPEND_AMOUNT = 7;
    uint256 internal constant SPEND_NULLIFIERS = 8;
    uint256 internal constant SPEND_LOCKED = 10;
    uint256 internal constant SPEND_LEAVES = 12;
    uint256 internal constant SPEND_LENGTH = 14;

    // account.
    uint256 internal constant ACCOUNT_CONTEXT = 1;
    uint256 internal constant ACCOUNT_VENUE = 2;
    uint256 internal constant ACCOUNT_KIND = 3;
    uint256 internal constant ACCOUNT_ASSET = 4;
    uint256 internal constant ACCOUNT_AMOUNT = 5;
    uint256 internal constant ACCOUNT_BEFORE = 6;
    uint256 internal constant ACCOUNT_AFTER = 7;
    uint256 internal constant ACCOUNT_LENGTH = 8;

    // clear.
    uint256 internal constant CLEAR_CONTEXT = 1;
    uint256 internal constant CLEAR_VENUE = 2;
    uint256 internal constant CLEAR_MANDATE = 3;
    uint256 internal constant CLEAR_PREMIUM_CAP_BPS = 4;
    uint256 internal constant CLEAR_PRICE = 5;
    uint256 internal constant CLEAR_CLOSED_AT = 6;
    uint256 internal constant CLEAR_DISCLOSURE = 7;
    uint256 internal constant CLEAR_REQUEST_OLD = 8;
    uint256 internal constant CLEAR_REQUEST_NEW = 9;
    uint256 internal constant CLEAR_ACCOUNT_OLD = 10;
    uint256 internal constant CLEAR_ACCOUNT_NEW = 11;
    uint256 internal constant CLEAR_STATUS = 12;
    uint256 internal constant CLEAR_ENTRY_ROOT = 13;
    uint256 internal constant CLEAR_VENUE_ROOT = 14;
    uint256 internal constant CLEAR_VENUE_ROOT_AFTER = 15;
    uint256 internal constant CLEAR_INDEX = 16;
    uint256 internal constant CLEAR_ORDER_ROOT = 17;
    // 18 is the issuer's result; after the nullifiers come payouts, changes and results, which the chain only emits.
    uint256 internal constant CLEAR_NULLIFIERS = 19;
    /// @notice Fills of a settlement, real and dummy together.
    uint256 internal constant SLOTS = 8;
    uint256 internal constant CLEAR_LENGTH = 51;

    error LengthMismatch(uint256 length, uint256 expected);
    /// @notice A value is not what the chain knows it to be. `index` counts in `posted`, where the digest is 0: the
    /// proof is of another state, or was made for another call.
    error ValueMismatch(uint256 index, uint256 value, uint256 expected);

    /// @dev Before anything else is read from `posted`.
    function checkLength(uint256[] memory posted, uint256 expected) internal pure {
        if (posted.length != expected) revert LengthMismatch(posted.length, expected);
    }

    /// @dev Holds a value to what the chain knows.
    function check(uint256[] memory posted, uint256 index, uint256 expected) internal pure {
        uint256 value = posted[index];
        if (value != expected) revert ValueMismatch(index, value, expected);
    }
}
