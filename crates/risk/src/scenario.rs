//! One world before any policy: who holds the coin, what breaks, who can help, what a stranger sees.

use serde::{Deserialize, Serialize};

use crate::fields::{Checked, Field, group, names};
use crate::units::{Dollars, Number, Rate, Share, Span};

/// A world. Every key has a default, so a file states what differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// The coin and its reserves.
    pub issuer: Issuer,
    /// What breaks.
    pub shock: Shock,
    /// Who may run.
    pub holders: Holders,
    /// Where the coin trades.
    pub market: Market,
    /// Who may fill the gap.
    pub makers: Makers,
    /// The enclave's outages.
    pub tee: Tee,
    /// What a stranger sees, and what is done about it.
    pub adversary: Adversary,
    /// How long a replication lasts.
    #[serde(with = "horizon")]
    pub horizon: Span,
    /// Length of a step. Every clock of the model counts steps, so a period is rounded **up** to whole steps.
    #[serde(with = "step")]
    pub step: Span,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            issuer: Issuer::default(),
            shock: Shock::default(),
            holders: Holders::default(),
            market: Market::default(),
            makers: Makers::default(),
            tee: Tee::default(),
            adversary: Adversary::default(),
            horizon: Span(168 * 3600),
            step: Span(300),
        }
    }
}

/// The two keys that stand outside any group.
pub(crate) const CLOCK_FIELDS: [Field; 2] = [
    Field {
        path: "horizon",
        unit: <Span as crate::units::Quantity>::EXPECTED,
        default: "\"168 h\"",
        range: (3600.0, 366.0 * 86_400.0),
        meaning: "How long a replication lasts.",
        source: "book, simulator 2",
    },
    Field {
        path: "step",
        unit: <Span as crate::units::Quantity>::EXPECTED,
        default: "\"5 min\"",
        range: (1.0, 3600.0),
        meaning: "Length of a step; every clock of the model counts steps.",
        source: "book, simulator 2",
    },
];

impl Scenario {
    /// Steps in the horizon, rounded **down**, at least 1.
    pub fn steps(&self) -> u32 {
        u32::try_from(self.horizon.0 / self.step.0.max(1)).unwrap_or(u32::MAX).max(1)
    }

    /// Every key with its value.
    pub(crate) fn checked(&self) -> Vec<Checked> {
        use crate::units::Quantity as _;
        let clocks = CLOCK_FIELDS
            .iter()
            .zip([self.horizon, self.step])
            .map(|(field, span)| Checked { field, values: span.each(), written: span.write() });
        let groups = [
            self.issuer.checked(),
            self.shock.checked(),
            self.holders.checked(),
            self.market.checked(),
            self.makers.checked(),
            self.tee.checked(),
            self.adversary.checked(),
        ];
        groups.into_iter().flatten().chain(clocks).collect()
    }
}

macro_rules! clock {
    ($name:ident) => {
        mod $name {
            use core::marker::PhantomData;

            use serde::de::DeserializeSeed as _;
            use serde::{Deserializer, Serialize as _, Serializer};

            use crate::fields::Keyed;
            use crate::units::{Quantity as _, Span};

            pub(super) fn serialize<S: Serializer>(
                span: &Span,
                serializer: S,
            ) -> Result<S::Ok, S::Error> {
                span.write().serialize(serializer)
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Span, D::Error> {
                Keyed(stringify!($name), PhantomData).deserialize(deserializer)
            }
        }
    };
}
clock!(horizon);
clock!(step);

group! {
    /// The coin and its reserves.
    Issuer at "issuer" {
        supply: Dollars = "$1bn", 1e6, 1e12, "Coins outstanding at the start.", "book, simulator 2";
        liquid: Share = "75%", 0, 2, "Reserves payable at par at once, as a share of supply, before the shock.", "book, simulator 2";
        illiquid: Share = "25%", 0, 2, "Good reserves that cannot be paid out at once, as a share of supply.", "book, simulator 2";
        buffer: Share = "0%", 0, 1, "Over-collateral b: reserves are to reach (1 + b) of supply.", "book, simulator 2";
        first_loss: Share = "0%", 0, 1, "Staked first-loss capital that may be seized, as a share of supply.", "Reserve and Umbrella have some; none here, book, simulator 7.7";
        token_value: Dollars = "$400M", 0, 1e12, "Market value of the governance token: minting v of it costs takers v/(2 x value) of price.", "assumed; linear impact after Kyle (1985)";
        liquidation: Rate = "1% /h", 0, 1, "Illiquid reserves that can be sold, as a share of initial supply per hour, once liquid reserves are gone.", "assumed";
        fire_sale: Share = "2%", 0, 1, "What selling illiquid reserves costs, as a share of what is raised; it adds to the gap.", "assumed; book, simulator 7.4";
        closed_at: Span = "0 h", 0, 31536000, "When primary redemption closes for reasons of its own (a weekend), from the start.", "USDC, 10 March 2023";
        closed_for: Span = "0 h", 0, 31536000, "How long it stays closed.", "USDC, 10-13 March 2023";
        reading_every: Span = "5 min", 1, 86400, "Time between two readings of the reserves.", "assumed: one a step";
        reading_age: Span = "0 min", 0, 86400, "How old a reading is when it counts.", "assumed";
        reading_noise: Share = "0%", 0, 0.1, "Standard deviation of a reading, as a share of supply.", "assumed";
        readings: u32 = 2, 1, 20, "Consecutive short readings that make a shortfall.", "design; book, simulator 7.2";
        governance: Span = "24 h", 0, 2592000, "How long the slow lane takes to widen the envelope once the fast lane is spent.", "assumed: 16-48 h at Sky, 8 d at Reserve";
        governance_premium: Share = "15%", 0, 1, "Premium cap of the one call governance may add.", "assumed";
        gap_growth: Share = "20%", 0, 10, "Growth of the need between two attempts that trips the breaker.", "design; book, simulator 7.7";
        liquid_floor: Share = "10%", 0, 1, "Liquid share of supply below which the breaker throttles redemption.", "assumed; book, simulator 7.7";
        throttle: Rate = "12.5% /h", 0, 100, "Redemption while throttled, as a share of supply per hour.", "reserve-protocol@9cd3a9a";
        throttle_floor: Dollars = "$2.5M", 0, 1e12, "Redemption while throttled is never held below this per hour.", "reserve-protocol@9cd3a9a";
        suspension: Span = "72 h", 1, 31536000, "How long a redemption may wait unpaid before redemption has failed.", "assumed: longer than the 58 h for which USDC's window was shut in March 2023, which it survived";
        cooldown: Span = "5.8 h", 0, 2592000, "How long redemption stays throttled after the breaker last tripped.", "half-life of USDC's discount after the guarantee, March 2023";
    }
}

names! {
    /// What kind of hole it is.
    Kind, "\"solvency\" or \"liquidity\"" {
        /// Reserves are lost.
        Solvency = "solvency",
        /// Reserves are good but cannot be paid out.
        Liquidity = "liquidity",
    }
}

group! {
    /// What breaks.
    Shock at "shock" {
        kind: Kind = "solvency", 0, 0, "Whether reserves are lost or only out of reach.", "book, simulator 7.1";
        gap: Share = "3%", 0, 1, "Median size of the hole, as a share of supply; it comes out of liquid reserves.", "book, simulator 7.1: the case compared";
        spread: Number = 0.0, 0, 3, "Standard deviation of the logarithm of the size.", "assumed: none, the size is given";
        probability: Share = "100%", 0, 1, "Chance that this replication has a hole at all.", "book, simulator 7.1; p0 of 7.3";
        at: Span = "1 h", 0, 31536000, "Earliest time of the shock.", "assumed";
        window: Span = "0 h", 0, 31536000, "The shock comes uniformly within this time after that.", "assumed";
        rumour: Share = "0%", 0, 1, "Size of the hole that a rumour tells of at the time of the shock, hole or none; 0 for no rumour.", "assumed";
    }
}

group! {
    /// Who may run.
    Holders at "holders" {
        count: u32 = 10000, 1, 1000000, "Holders.", "assumed";
        size_sd: Number = 1.0, 0, 3, "Standard deviation of the logarithm of a holding, in eight classes of equal head count.", "largest redeemers of USDC, March 2023: log-normal sd about 1.0";
        calm: Rate = "0.004% /h", 0, 1, "Hazard h0 of leaving for reasons of one's own, always.", "calm net outflow, measured 2-6e-5 per hour; book, simulator 7.3";
        attention: Rate = "0.02 /h", 0, 10, "Hazard omega of one who would leave, while there is news: attention and capacity.", "assumed; 0.0015 fits USDC's outflow of 11 March 2023, 0.013 UST's, 0.1 is like IRON";
        attention_decay: Span = "12 h", 60, 31536000, "Time in which attention falls by a factor e once there is no news any more.", "assumed, in a range of 3 to 24 h";
        settled: Span = "72 h", 3600, 31536000, "Time until the matter is settled, as holders reckon: who can act before then might leave.", "assumed: longer than USDC's weekend, 58 h; book, simulator 7.3";
        cost: Share = "0.5%", 1e-6, 1, "Median cost of leaving: one leaves who gains more.", "assumed, in a range of 0.1 to 2%";
        cost_sd: Number = 1.0, 0, 3, "Standard deviation of its logarithm.", "assumed, in a range of 0.5 to 1.5; thresholds that differ: Uhlig (2022)";
        frozen: Share = "0.5%", 0, 0.5, "What one loses whose redemption is frozen, as a share of what is due.", "assumed, in a range of 0 to 2%";
        doubt: Share = "0.5%", 1e-6, 0.999, "Chance of a hole that holders reckon with before any news.", "assumed; p0 of book, simulator 7.3";
        feared_gap: Share = "5%", 0.0001, 1, "Mean hole, exponential, that they reckon with where its size is not told.", "assumed, as makers.feared_gap";
        rumour_odds: Number = 10.0, 1, 1e6, "How many times likelier a rumour is where there is a hole than where there is none.", "assumed, in a range of 3 to 50";
        range_width: Share = "10%", 0.001, 1, "Width of a published range of the hole, on a grid of that width.", "assumed";
    }
}

group! {
    /// Where the coin trades: equation (7) and a StableSwap pool.
    Market at "market" {
        belief: Share = "4.2%", 0, 1, "Chance q that the hole becomes a loss, in the price while nobody knows.", "fitted to USDC, March 2023; book, simulator 7.5";
        belief_public: Share = "36.8%", 0, 1, "The same once the hole is public.", "fitted to USDC, March 2023; book, simulator 7.5";
        impact: Number = 1.0, 0, 100, "Discount lambda per share of supply in the hands of arbitrageurs.", "normalised in that fit";
        panic: Rate = "3.4% /h", 0, 10, "Selling by traders when a hole becomes public, as a share of supply.", "fitted to USDC, March 2023; book, simulator 7.5";
        panic_decay: Span = "5.2 h", 1, 2592000, "Time in which that selling falls by a factor e.", "fitted to USDC, March 2023; book, simulator 7.5";
        unwind_closed: Rate = "0.194 /h", 0, 100, "Rate at which arbitrageurs sell on while redemption is closed.", "fitted to USDC, March 2023; book, simulator 7.5";
        unwind_open: Rate = "1.37 /h", 0, 100, "Rate at which they redeem while it is open.", "fitted to USDC, March 2023; book, simulator 7.5";
        noise: Share = "0.02%", 0, 1, "Stationary standard deviation of the discount's own noise.", "measured, calm: 0.01% per root hour; book, simulator 7.5";
        noise_reversion: Rate = "0.109 /h", 1e-6, 1000, "Mean reversion of that noise.", "measured on USDC's stressed discount; book, simulator 7.5";
        pool: Share = "2%", 0, 10, "Coins in the StableSwap pool when balanced, as a share of supply.", "assumed";
        amplification: Number = 200.0, 1, 1e6, "The pool's amplification A as deployed pools state it: the factor is 2A for two coins.", "assumed: usual on Curve";
        pool_fee: Share = "4 bp", 0, 0.1, "The pool's fee; arbitrage leaves it within this of the market.", "Curve's default";
    }
}

group! {
    /// Who may fill the gap.
    Makers at "makers" {
        population: u32 = 40, 1, 1000, "Makers there are; a public auction is open to all of them.", "assumed; book, simulator 7.6";
        invited: u32 = 12, 1, 1000, "Makers a confidential request reaches at first.", "assumed; book, simulator 7.6";
        capacity: Dollars = "$4M", 0, 1e12, "Median capacity.", "assumed; book, simulator 7.6";
        capacity_sd: Number = 0.95, 0, 3, "Standard deviation of its logarithm.", "largest redeemers of USDC, March 2023: 0.9-1.0";
        cost: Share = "0.6%", 0, 1, "Median premium for funding, inventory and effort.", "assumed; book, simulator 7.6";
        cost_sd: Number = 0.6, 0, 3, "Standard deviation of its logarithm.", "assumed; book, simulator 7.6";
        slope: Share = "1%", 0, 1, "Premium above cost at which a maker offers all it has.", "assumed: s = 0.01/Q; book, simulator 7.6";
        lines: u32 = 4, 1, 16, "Lines a maker divides its capacity into along that slope.", "assumed: the enclave clears lines, not curves";
        fail: Share = "1%", 0, 1, "Chance q0 of failure that makers reckon with in calm.", "assumed; book, simulator 7.6";
        fail_run: Share = "10%", 0, 1, "What a run of all holders adds to it, q1.", "assumed; book, simulator 7.6";
        fear_unseen: Share = "25%", 0, 10, "How much of the run that the figure would start makers reckon with while the hole is not public; above 100% they fear worse than the figure.", "assumed: it decides between secrecy and telling, so sweep it; after Glosten and Milgrom (1985)";
        loss: Share = "30%", 0, 1, "Loss given default of a junior note; other instruments in proportion.", "assumed, in a range of 30-100%; book, simulator 7.6";
        feared_gap: Share = "5%", 0.0001, 10, "Mean hole that a request makes them fear, exponential.", "assumed; after Glosten and Milgrom (1985)";
        attested_gap: Share = "100%", 0.0001, 10, "Bound on the hole that the enclave proves to them; it truncates that fear.", "none by default; book, simulator 7.6";
        latency: Span = "20 min", 0, 604800, "Mean time an invited maker takes to answer, exponential.", "assumed; book, simulator 7.6";
        leak: Rate = "1% /h", 0, 0.99, "Chance per hour that one invited maker talks.", "assumed; book, simulator 7.6";
        waiting: Share = "0%", 0, 1, "Share of makers that wait for a rising clock.", "zero is myopic; book, simulator 7.6";
        shading: Share = "0%", 0, 1, "How far a bid moves from cost towards the cap in a sealed call.", "zero is truthful; book, simulator 7.6";
        colluding: u32 = 0, 0, 1000, "The largest this many bid as one, at the cap where they are pivotal.", "none by default; book, simulator 7.6";
    }
}

group! {
    /// The enclave's outages: alternating exponential times.
    Tee at "tee" {
        up: Span = "720 h", 1, 315360000, "Mean time between two outages.", "assumed";
        down: Span = "10 min", 0, 31536000, "Mean length of an outage, in which no call clears and no reading counts.", "assumed";
    }
}

group! {
    /// What a stranger sees, and what is done about it.
    Adversary at "adversary" {
        cover: Share = "0%", 0, 1, "Chance f that a replication without a hole has a drill, funded and settled as if it had.", "none by default; Warner (1965); book, simulator 7.3";
        lot: Dollars = "$1M", 1, 1e12, "Size of a settled lot: the count of lots is public.", "design; book, simulator 7.9";
        padding: bool = true, 0, 1, "Whether the count of lots is padded to a power of two.", "design; book, simulator 7.9";
        heartbeat: Span = "1 h", 1, 604800, "What is published waits for the next beat.", "design; book, simulator 7.9";
        delay: Span = "0 h", 0, 604800, "Mean of a random wait before that, exponential.", "design; book, simulator 7.9";
        mints: Rate = "6 /h", 0, 1e6, "Usual mints: none happen while minting is paused, which shows.", "assumed";
        window: Span = "24 h", 1, 31536000, "How long the stranger watches from the shock, or from when it would have been.", "assumed";
    }
}
