//! What one replication came to.

use serde::{Deserialize, Serialize};

/// Whether to keep every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// [`Outcome::steps`] stays empty.
    Off,
    /// Every step.
    Steps,
}

/// One replication. Times count from the shock, money is in micro-dollars, shares are of 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What was so, whatever anybody saw.
    pub truth: Truth,
    /// The need was met within the horizon by others than the holders. False where there was no hole.
    pub recovered: bool,
    /// A redemption waited longer than `issuer.suspension`, or holders were cut.
    pub failed: bool,
    /// Steps from the shock to recovery.
    pub ttr_steps: Option<u32>,
    /// Premiums and standby fees of this shock, micro-dollars.
    pub cost: i64,
    /// The same in basis points of initial supply.
    pub cost_bp: f64,
    /// What drills cost instead, micro-dollars.
    pub cover_cost: i64,
    /// Coins redeemed and paid from the shock to the end, as a share of initial supply.
    pub redeemed: f64,
    /// The same to 72 hours after the shock.
    pub redeemed_72h: f64,
    /// Largest discount.
    pub discount_max: f64,
    /// Integral of the discount over time, share times hours.
    pub discount_hours: f64,
    /// A maker talked.
    pub leaked: bool,
    /// Attempts made.
    pub attempts: u32,
    /// Herfindahl index of fills by maker, 0 without fills.
    pub hhi: f64,
    /// Discounts sold at, fees and haircuts since the shock, and the hole left at the end, micro-dollars.
    pub holder_loss: i64,
    /// Premiums and standby fees less makers' own costs and, after failure, what the instrument loses; micro-dollars.
    pub maker_pnl: i64,
    /// What a stranger saw.
    pub observation: Observation,
    /// Under `cdpr-workflow`, what happened when; empty under other policies.
    pub course: Course,
    /// Every step, with [`Trace::Steps`].
    pub steps: Vec<StepState>,
}

/// A mission under `cdpr-workflow`, in steps: the same on the model and on the real contracts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// Rounds that filled somebody, in order.
    pub rounds: Vec<Round>,
    /// When requests expired, or epochs ended short.
    pub expired: Vec<u32>,
    /// When minting halted.
    pub halted: Option<u32>,
    /// When recovery was first attested after a shortfall was.
    pub attested: Option<u32>,
}

/// One settlement with fills in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// When it closed.
    pub closed: u32,
    /// When it settled.
    pub settled: u32,
    /// The rung, basis points.
    pub cap_bps: u16,
    /// The uniform premium, basis points.
    pub premium_bps: u16,
    /// At most four, ascending by limit; ties are broken by chance.
    pub fills: Vec<Fill>,
}

/// What one line gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fill {
    /// The maker, in the order of invitation.
    pub maker: u32,
    /// Which of its lines.
    pub line: u32,
    /// Micro-dollars.
    pub amount: i64,
}

/// What a replication is made of: [`crate::Model::draw`].
#[derive(Debug, Clone, PartialEq)]
pub struct Draw {
    /// What is so.
    pub truth: Truth,
    /// Coins outstanding at the start, micro-dollars.
    pub supply: i64,
    /// Reserves at the start, micro-dollars.
    pub reserves: i64,
    /// What the shock puts out of reach, micro-dollars.
    pub blocked: i64,
    /// Invited makers, in order.
    pub makers: Vec<MakerDraw>,
}

/// One maker.
#[derive(Debug, Clone, PartialEq)]
pub struct MakerDraw {
    /// Its own cost, a share.
    pub cost: f64,
    /// Hours from a request to its answer.
    pub latency_h: f64,
    /// Capacity in micro-dollars and least premium in basis points, line by line.
    pub lines: Vec<(i64, u16)>,
}

/// What was so.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// There was a hole.
    pub deficit: bool,
    /// Its size as a share of initial supply, 0 without one.
    pub gap: f64,
    /// There was a drill instead.
    pub drill: bool,
    /// Step of the shock, or of when it would have been.
    pub shock_step: u32,
}

/// What a stranger saw within `adversary.window` of the shock, one field per channel of book, simulator 7.9.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The flag: something was published about a shortfall.
    pub flag: bool,
    /// Transaction timing: hours from the shock's earliest time to the first request on chain, on the heartbeat; none seen is −1.
    pub request_h: f64,
    /// Gas and calldata length: bytes settled on chain.
    pub calldata_bytes: u64,
    /// Number and size of fills: lots settled, padded if the scenario says so.
    pub fill_lots: u64,
    /// Makers' pre-funding: deposits into the pool.
    pub deposits: u32,
    /// Premium steps: how often a public cap rose.
    pub premium_steps: u32,
    /// Mint pause: hours without minting.
    pub mint_pause_h: f64,
    /// Absence of usual activity: mints seen.
    pub mints: u32,
    /// Makers' hedging in lit markets: mean discount.
    pub discount_mean: f64,
    /// Attestation time: hours from the shock's earliest time to the recovery attestation, on the heartbeat; none is −1.
    pub attested_h: f64,
    /// Oracle silence: readings that did not come.
    pub oracle_silent: u32,
    /// Panel chatter: somebody talked.
    pub chatter: bool,
    /// Redemptions, which anyone counts: share of initial supply.
    pub redeemed: f64,
}

/// The state after one step. Money in micro-dollars.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StepState {
    /// Hours from the start, at the end of the step.
    pub t_h: f64,
    /// Coins outstanding S.
    pub supply: i64,
    /// Redeemed since the shock, share of initial supply.
    pub redeemed: f64,
    /// Coins handed in that wait to be paid.
    pub waiting: i64,
    /// Liquid reserves R^L.
    pub liquid: i64,
    /// Illiquid good reserves R^I.
    pub illiquid: i64,
    /// Gap G for a solvency shock; what is still out of reach for a liquidity shock.
    pub need: i64,
    /// Junior claims issued J, face.
    pub junior: i64,
    /// Inventory of arbitrageurs I, share of initial supply.
    pub inventory: f64,
    /// Discount d.
    pub discount: f64,
    /// Hazard of leaving, per hour.
    pub hazard: f64,
    /// Premium on offer, 0 when none.
    pub premium: f64,
    /// Filled so far.
    pub filled: i64,
    /// The breaker.
    pub breaker: Breaker,
    /// A stranger's posterior of a hole, from the flag and its prior (book, simulator 7.3).
    pub posterior: f64,
}

/// The circuit breaker of book, simulator 7.7.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Breaker {
    /// Nothing wrong.
    #[default]
    Closed,
    /// Short readings, not yet enough of them.
    Armed,
    /// Attempts run.
    Recovering,
    /// Redemption is held to the throttle.
    Throttled,
    /// Redemption is stopped.
    Halted,
    /// The need was met.
    Recovered,
}
