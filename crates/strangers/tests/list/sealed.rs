//! Ciphertexts, which anyone may put where others will try to open them.

use pool::Fr;
use pool::notice::{FillNotice, IssuerNotice};
use pool::seal::{self, SecretKey};
use strangers::Decoder;

use super::is_same;

pub(crate) const SEALED: &[Decoder] = &[
    Decoder::new(
        "sealed/messages",
        |bytes| seal::open(&key(), b"info", b"aad", bytes).is_ok(),
        || {
            let sealed = |text: &[u8]| {
                seal::seal(&key().public_key(), b"info", b"aad", text, [2; 32]).unwrap()
            };
            vec![sealed(b"text"), sealed(&[])]
        },
    )
    // A key of small order.
    .bad(|| vec![vec![0; 48], vec![0; 64]])
    .slow(10),
    Decoder::new(
        "sealed/padding",
        |bytes| {
            seal::unpad(bytes)
                .is_ok_and(|message| is_same(&seal::pad(message, bytes.len()).unwrap(), bytes))
        },
        || vec![seal::pad(b"message", 40).unwrap().to_vec(), vec![0, 0]],
    ),
    Decoder::new(
        "sealed/fill-notices",
        |bytes| FillNotice::open(&key(), Fr::from(7u8), 1, bytes).is_ok(),
        || {
            let notice = FillNotice {
                asset: Fr::from(1u8),
                fill: 2,
                payout: 3,
                change: 4,
                payout_rho: Fr::from(5u8),
                change_rho: Fr::from(6u8),
                payout_leaf: 1,
                change_leaf: 5,
                premium_bps: 50,
            };
            vec![notice.seal(&key().public_key(), Fr::from(7u8), 1, [3; 32]).unwrap()]
        },
    )
    .slow(10),
    Decoder::new(
        "sealed/issuer-notices",
        |bytes| IssuerNotice::open(&key(), Fr::from(7u8), bytes).is_ok(),
        || {
            let notice = IssuerNotice {
                requested: 1,
                remaining: 2,
                position: 3,
                request_salt: Fr::from(4u8),
                position_salt: Fr::from(5u8),
                consideration: 6,
                consideration_rho: Fr::from(7u8),
                status: 1,
                n_fills: 2,
                payout: 8,
                premium_bps: 9,
            };
            vec![notice.seal(&key().public_key(), Fr::from(7u8), [4; 32]).unwrap()]
        },
    )
    .slow(10),
    Decoder::new(
        "sealed/runner-secrets",
        |bytes| runner_key().open(&[2; 32], bytes).is_ok(),
        || {
            let key = runner_key().public_key();
            vec![runner::seal::seal(&key, &[2; 32], b"secret", [3; 32]).unwrap()]
        },
    )
    .slow(10),
];

fn key() -> SecretKey {
    SecretKey::from_ikm(&[1; 32])
}

fn runner_key() -> runner::seal::SecretKey {
    runner::seal::SecretKey::from_ikm(&[1; 32])
}
