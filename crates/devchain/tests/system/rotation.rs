//! Another enclave, another mandate: what was filled before goes on under them. Real proofs, real contracts.

use circuits::second::account::Kind as Move;
use pool::Fr;
use pool::request::Request;
use pool::second::account::Account;
use pool::second::mandate::Mandate;
use pool::status;

use super::stage::{
    ANYONE, DAY_ENDS, ISSUER, Leaving, OTHER_WORKLOAD, PRICE, Pool, Stage, TICK, UNIT, Venue,
    WINDOW, element, prove, provers, word,
};
use super::*;

/// Another image under another key, after the first one's has expired; another mandate; a salt that the first one
/// does not know. Lines, payouts and the position are what they were.
#[tokio::test]
async fn another_enclave_and_another_mandate_take_over_after_a_fill() {
    let mut stage = Stage::set().await;
    for number in 0..4 {
        stage.deposit("", (100 + number) * UNIT, true);
    }
    stage.absorb("");
    let all = 10 * UNIT;
    stage.request = Request { requested: all, remaining: all, ..stage.request };
    stage.open_request(TICK + WINDOW);
    let closed_at = stage.close();
    let line = stage.lines()[0];
    let first = stage.round(closed_at, &[line]);
    let call = stage.settlement(&prove(&provers().clear, &first));
    stage.transact(ANYONE, stage.venue, call);
    stage.settled(&first, &[line]);
    assert_eq!(stage.account.position, all);

    // A day later: the key has expired, and so has the request, which was filled and is opened.
    stage.wait_until(DAY_ENDS + 1);
    let salt = status::salt(first.request.salt, first.round.context);
    let open =
        Venue::openRequestCall { requestId: stage.id, status: status::FILLED, salt: word(salt) };
    stage.transact(ANYONE, stage.venue, open.abi_encode());
    let price = abi::PriceFeed::setAnswerCall { answer_: PRICE.to_string().parse().unwrap() };
    stage.transact(1, stage.system.at.price_feed, price.abi_encode());
    stage.price_round = 2;

    // The issuer shuts the first enclave out of its account, and registers another mandate.
    let salted = Account { salt: Fr::from(99), ..stage.account };
    stage.move_account("", Move::Resalt, 0, Address::ZERO, salted);
    let mandate =
        Mandate { premium_bps_max: 45, lot: 2 * UNIT, salt: Fr::from(33), ..stage.mandate };
    assert_ne!(mandate.commitment(), stage.mandate.commitment());
    stage.mandate = mandate;
    let register = Venue::registerMandateCall { mandate_: word(mandate.commitment()) };
    stage.transact(ISSUER, stage.venue, register.abi_encode());
    let mandate = mandate.commitment();
    stage.request = Request {
        requested: 3 * all,
        remaining: 3 * all,
        mandate,
        salt: Fr::from(44),
        ..first.request
    };
    stage.rounds = 0;
    stage.open_request(86_400);

    // What the first one left of its line, and a line that it never touched.
    let closed_at = stage.close();
    let change = *stage.lines().iter().find(|line| line.in_venue).unwrap();
    let fresh = *stage.lines().iter().find(|line| !line.in_venue).unwrap();
    let second = stage.round(closed_at, &[change, fresh]);
    let proven = prove(&provers().clear, &second);
    let expired = stage.settlement(&proven);
    let error = stage.attempt(ANYONE, stage.venue, &expired).unwrap_err();
    let error = decode::<Venue::EnclaveNotActive>(&error);
    assert_eq!(error.signer, wallet(7).address());
    stage.enclave = 6;
    let unknown = stage.settlement(&proven);
    decode::<Venue::EnclaveNotActive>(&stage.attempt(ANYONE, stage.venue, &unknown).unwrap_err());
    stage.register(6, OTHER_WORKLOAD, DAY_ENDS + 86_400);
    stage.transact(ANYONE, stage.venue, unknown);
    stage.settled(&second, &[change, fresh]);
    assert_eq!(stage.account.position, 3 * all);
    assert_eq!(stage.venue_state().account, word(stage.account.commitment()));

    // And what the first one paid still leaves.
    let claim = element(stage.system.at.claim);
    let payout = *stage.held.iter().find(|held| held.note.asset == claim).unwrap();
    let recipient = Address::repeat_byte(0xee);
    let amount = payout.note.amount;
    let leaving = Leaving {
        inputs: vec![payout],
        announce: false,
        amount,
        recipient,
        relayer: Address::ZERO,
        fee: 0,
        change: 0,
    };
    stage.spend("", &leaving);
    let balance = abi::ClaimToken::balanceOfCall { account: recipient };
    assert_eq!(stage.ask(stage.system.at.claim, &balance), U256::from(amount));
    let recorded = stage.ask(stage.pool, &Pool::assetCall { asset_: stage.system.at.claim });
    assert_eq!(recorded.recorded.to::<u128>(), 1_000_000 * UNIT - amount);
}
