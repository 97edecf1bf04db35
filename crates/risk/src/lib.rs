//! The recovery model: one world ([`Scenario`]), one [`Policy`], one replication, one [`Outcome`]. It is a crate
//! for purity: no clock, no entropy, no files, no threads, no hash-ordered maps. The same seed gives the same
//! bytes on any machine, in any order, on any number of threads.
//!
//! Nouns: [`Scenario`], [`Policy`], [`Model`], [`Outcome`].
//!
//! ```
//! use risk::{Disclosure, Mechanism, Model, Policy, Scenario, Trace};
//!
//! let policy = Policy {
//!     name: "sealed call".into(),
//!     mechanism: Mechanism::CdprUniform(Default::default()),
//!     disclosure: Disclosure::None,
//! };
//! let model = Model::new(&Scenario::default(), &policy)?;
//! let recovered = (0..100).filter(|replication| model.run(1, *replication, Trace::Off).recovered).count();
//! assert!(recovered > 90);
//! # Ok::<(), risk::Error>(())
//! ```
//!
//! # What is production code and what is not
//! The detector, the ask, the ladder of caps and the clearing of every CDPR policy are `protocol::detect::Detector`,
//! `protocol::request::{ask, Escalation}` and `protocol::matching::clear`: the functions the enclave runs, in whole
//! lots on a basis-point grid. `protocol` has one price rule, uniform, and one instrument. Rising and posted premiums,
//! pay-as-bid, VCG, the instruments, the steps of the ladder after its last call and the breaker's states between
//! Closed and Halted stand here until the contracts follow.
//!
//! # What is assumed
//! Each key says where its default comes from, and "assumed" is the commonest answer. What weighs most, and why:
//! - Makers' costs. No confidential recapitalisation has published its price: vary `makers.cost`, `makers.loss` and
//!   `makers.fail_run` first.
//! - Makers are myopic, truthful and apart unless `makers.waiting`, `shading` and `colluding` say otherwise. Myopic
//!   makers flatter a rising clock. Waiting is one round of best response; a ring bids its cap only where pivotal.
//! - `makers.leak`. What leaks is the whole truth, at once, to everybody. A drill that is talked about harms nobody.
//! - Holders run only on news, and then by what leaving gains if anybody might leave ([`closed_form::Leaving`]). What they
//!   doubt before any, what leaving costs them and how long they attend are assumed. The price teaches them nothing.
//! - `makers.fear_unseen`: how much of a run that has not begun is in the price of secrecy. Above one it is a lemons premium,
//!   and secrecy costs more than telling.
//! - A recovery attestation restores the belief of before. It does not restore liquid reserves: a coin whose run came
//!   first can be whole and still fail, so `recovered` and `failed` are not opposites.
//! - Traders' panic weighs on the price and redeems nothing; holders who leave do. There are no mints, so supply only falls.
//! - `cost` is premiums and fees. Principal owed, token minted and stake seized are not in it.
//!
//! The tests compare orderings, closed forms and published moments. None of that validates a default.

pub mod balance;
mod belief;
pub mod bench1;
pub mod closed_form;
mod crowd;
mod error;
mod fields;
mod maths;
mod model;
mod outcome;
mod panel;
mod plan;
mod policy;
mod price;
pub mod rng;
mod scenario;
pub mod units;
pub mod usdc;
mod validate;

/// Raised whenever the numbers of a run change: what was made under another is not continued, nor mixed with.
pub const REVISION: u32 = 4;

pub use error::Error;
pub use fields::Field;
pub use model::Model;
pub use outcome::{
    Breaker, Course, Draw, Fill, MakerDraw, Observation, Outcome, Round, StepState, Trace, Truth,
};
pub use policy::{
    CdprClock, CdprFixed, CdprPayAsBid, CdprUniform, CdprVcg, CdprWorkflow, Disclosure, Flop, Frax,
    Gyro, Halt, Instrument, Liquity, Mechanism, Nothing, Policy, Reserve, Standby,
};
pub use scenario::{Adversary, Holders, Issuer, Kind, Makers, Market, Scenario, Shock, Tee};
pub use validate::{schema, validate};

/// Runs `replication` of `seed` in one call; a sweep keeps a [`Model`].
///
/// # Errors
/// As [`validate`].
pub fn run(
    scenario: &Scenario,
    policy: &Policy,
    seed: u64,
    replication: u64,
    trace: Trace,
) -> Result<Outcome, Error> {
    Ok(Model::new(scenario, policy)?.run(seed, replication, trace))
}
