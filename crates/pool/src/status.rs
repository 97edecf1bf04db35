//! A request's status, in the seed's numbering, plain or committed.
//!
//! Under immediate disclosure a settlement publishes the status; under sealed disclosure it publishes
//! a commitment, opened at the end of the epoch.

pub use primitives::Disclosure;

use crate::{
    Fr,
    hash::{compress, poseidon, tag},
    request::Request,
};

/// Nothing filled yet.
pub const PENDING: u8 = 0;
/// Some filled, some missing.
pub const PARTIALLY_FILLED: u8 = 1;
/// Nothing missing.
pub const FILLED: u8 = 2;

/// What a settlement makes of a request: [`FILLED`] if nothing remains, [`PARTIALLY_FILLED`] if less
/// remains than was asked for, [`PENDING`] otherwise. A cover request, for zero, is filled at once.
#[must_use]
pub fn of(request: &Request) -> u8 {
    if request.remaining == 0 {
        FILLED
    } else if request.remaining < request.requested {
        PARTIALLY_FILLED
    } else {
        PENDING
    }
}

/// `C(tag(status) + status, salt)`: a status that can be opened on chain with one hash.
#[must_use]
pub fn commitment(status: u8, salt: Fr) -> Fr {
    compress(tag("status") + Fr::from(status), salt)
}

/// `H(tag salt.status, request_salt, context)`: hides the status of the settlement under `context`.
/// `request_salt` is the salt of the request *before* it.
#[must_use]
pub fn salt(request_salt: Fr, context: Fr) -> Fr {
    poseidon(&[tag("salt.status"), request_salt, context])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(requested: u128, remaining: u128) -> Request {
        Request {
            requested,
            remaining,
            instrument: Fr::from(1),
            mandate: Fr::from(2),
            gap_band: 0,
            salt: Fr::from(3),
        }
    }

    #[test]
    fn status_follows_what_remains() {
        assert_eq!(of(&request(10, 10)), PENDING);
        assert_eq!(of(&request(10, 9)), PARTIALLY_FILLED);
        assert_eq!(of(&request(10, 0)), FILLED);
        assert_eq!(of(&request(0, 0)), FILLED);
    }

    #[test]
    fn a_commitment_tells_statuses_and_salts_apart() {
        let salt = Fr::from(9);
        assert_ne!(commitment(PENDING, salt), commitment(FILLED, salt));
        assert_ne!(commitment(FILLED, salt), commitment(FILLED, salt + Fr::from(1)));
    }
}
