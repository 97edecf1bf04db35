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
        source: "research note §7.1",
    },
    Field {
        path: "step",
        unit: <Span as crate::units::Quantity>::EXPECTED,
        default: "\"5 min\"",
        range: (1.0, 3600.0),
        meaning: "Length of a step; every clock of the model counts steps.",
        source: "research note §7.1",
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
        supply: Dollars = "$1bn", 1e6, 1e12, "Coins outstanding at the start.", "research note §7.1";
        liquid: Share = "75%", 0, 2, "Reserves payable at par at once, as a share of supply, before the shock.", "research note §7.1";
        illiquid: Share = "25%", 0, 2, "Good reserves that cannot be paid out at once, as a share of supply.", "research note §7.1";
        buffer: Share = "0%", 0, 1, "Over-collateral b: reserves are to reach (1 + b) of supply.", "research note §7.1";
        first_loss: Share = "0%", 0, 1, "Staked first-loss capital that may be seized, as a share of supply.", "research note §1.1 (Reserve, Umbrella); zero as in the prototype";
        token_value: Dollars = "$400M", 0, 1e12, "Market value of the governance token: minting v of it costs takers v/(2 x value) of price.", "assumed; linear impact after Kyle (1985)";
        liquidation: Rate = "1% /h", 0, 1, "Illiquid reserves that can be sold, as a share of initial supply per hour, once liquid reserves are gone.", "assumed";
        fire_sale: Share = "2%", 0, 1, "What selling illiquid reserves costs, as a share of what is raised; it adds to the gap.", "research note §7.1; value assumed";
        closed_at: Span = "0 h", 0, 31536000, "When primary redemption closes for reasons of its own (a weekend), from the start.", "USDC, 10 March 2023";
        closed_for: Span = "0 h", 0, 31536000, "How long it stays closed.", "USDC, 10-13 March 2023";
        reading_every: Span = "5 min", 1, 86400, "Time between two readings of the reserves.", "assumed: one a step";
        reading_age: Span = "0 min", 0, 86400, "How old a reading is when it counts.", "assumed";
        reading_noise: Share = "0%", 0, 0.1, "Standard deviation of a reading, as a share of supply.", "assumed";
        readings: u32 = 2, 1, 20, "Consecutive short readings that make a shortfall.", "research note §2c, step 0";
        governance: Span = "24 h", 0, 2592000, "How long the slow lane takes to widen the envelope once the fast lane is spent.", "research note §2e: 16-48 h at Sky, 8 d at Reserve";
        governance_premium: Share = "15%", 0, 1, "Premium cap of the one call governance may add.", "assumed";
        gap_growth: Share = "20%", 0, 10, "Growth of the need between two attempts that trips the breaker.", "research note §2g";
        liquid_floor: Share = "10%", 0, 1, "Liquid share of supply below which the breaker throttles redemption.", "research note §2g; value assumed";
        throttle: Rate = "12.5% /h", 0, 100, "Redemption while throttled, as a share of supply per hour.", "Reserve, research note §1.1";
        throttle_floor: Dollars = "$2.5M", 0, 1e12, "Redemption while throttled is never held below this per hour.", "Reserve, research note §1.1";
        cooldown: Span = "5.8 h", 0, 2592000, "How long redemption stays throttled after the breaker last tripped.", "research note §2g: half-life after the guarantee";
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
        kind: Kind = "solvency", 0, 0, "Whether reserves are lost or only out of reach.", "research note §7.3";
        gap: Share = "3%", 0, 1, "Median size of the hole, as a share of supply; it comes out of liquid reserves.", "research note §7.1";
        spread: Number = 0.0, 0, 3, "Standard deviation of the logarithm of the size.", "assumed: none, the size is given";
        probability: Share = "100%", 0, 1, "Chance that this replication has a hole at all.", "research note §2d: p0 per epoch";
        at: Span = "1 h", 0, 31536000, "Earliest time of the shock.", "assumed";
        window: Span = "0 h", 0, 31536000, "The shock comes uniformly within this time after that.", "assumed";
        rumour: Share = "0%", 0, 1, "How much a rumour lowers what holders believe of the liquid share, from the shock on, hole or none.", "assumed";
    }
}

names! {
    /// Which equilibrium holders play where there are several.
    Selection, "\"worst\" or \"best\"" {
        /// The largest threshold: the most running.
        Worst = "worst",
        /// The smallest.
        Best = "best",
    }
}

group! {
    /// Who may run.
    Holders at "holders" {
        count: u32 = 10000, 1, 1000000, "Holders.", "assumed";
        size_sd: Number = 1.0, 0, 3, "Standard deviation of the logarithm of a holding, in eight classes of equal head count.", "research note §2a: largest redeemers, log-normal sd about 1.0";
        calm: Rate = "0.004% /h", 0, 1, "Hazard h0 of leaving for reasons of one's own.", "research note §7.2: measured 2-6e-5 per hour";
        attention: Rate = "0.02 /h", 0, 10, "Hazard omega of one who would withdraw: attention and capacity.", "research note §7.2: 0.0015 USDC, 0.02 DeFi base, 0.1 IRON";
        kappa: Share = "25%", 0.001, 0.999, "Cost of leaving over loss if staying: withdraw if failure is at least this likely.", "research note §7.2";
        private_precision: Number = 400.0, 1, 1e6, "Precision beta of what a holder sees for itself, of a share of 1.", "research note §7.2";
        prior: Share = "95%", 0, 2, "Liquid share that holders believe in before any news.", "research note §7.2";
        prior_precision: Number = 25.0, 0, 1e4, "Precision alpha of that belief.", "research note §7.2: sd 20%";
        public_precision: Number = 49.0, 0, 1e4, "Precision of an exact public figure, and the most any public signal has.", "research note §7.2";
        flag_below: Share = "80%", 0.001, 2, "Liquid share below which holders think a flag would fire.", "research note §7.2";
        range_width: Share = "10%", 0.001, 1, "Width of a published range of the liquid share, on a grid of that width.", "assumed";
        selection: Selection = "worst", 0, 0, "Which equilibrium holders play where there are several.", "research note §7.2: never silently";
    }
}

group! {
    /// Where the coin trades: equation (7) and a StableSwap pool.
    Market at "market" {
        belief: Share = "4.2%", 0, 1, "Chance q that the hole becomes a loss, in the price while nobody knows.", "research note §7.4, fit to USDC 2023";
        belief_public: Share = "36.8%", 0, 1, "The same once the hole is public.", "research note §7.4, fit to USDC 2023";
        impact: Number = 1.0, 0, 100, "Discount lambda per share of supply in the hands of arbitrageurs.", "research note §7.4: normalised in the fit";
        panic: Rate = "3.4% /h", 0, 10, "Selling by traders when a hole becomes public, as a share of supply.", "research note §7.4, fit to USDC 2023";
        panic_decay: Span = "5.2 h", 1, 2592000, "Time in which that selling falls by a factor e.", "research note §7.4, fit to USDC 2023";
        unwind_closed: Rate = "0.194 /h", 0, 100, "Rate at which arbitrageurs sell on while redemption is closed.", "research note §7.4, fit to USDC 2023";
        unwind_open: Rate = "1.37 /h", 0, 100, "Rate at which they redeem while it is open.", "research note §7.4, fit to USDC 2023";
        noise: Share = "0.02%", 0, 1, "Stationary standard deviation of the discount's own noise.", "research note §2a: calm 0.01% per root hour";
        noise_reversion: Rate = "0.109 /h", 1e-6, 1000, "Mean reversion of that noise.", "research note §2a";
        pool: Share = "2%", 0, 10, "Coins in the StableSwap pool when balanced, as a share of supply.", "assumed";
        amplification: Number = 200.0, 1, 1e6, "The pool's amplification A.", "assumed: usual on Curve";
        pool_fee: Share = "4 bp", 0, 0.1, "The pool's fee; arbitrage leaves it within this of the market.", "Curve's default";
    }
}

group! {
    /// Who may fill the gap.
    Makers at "makers" {
        population: u32 = 40, 1, 1000, "Makers there are; a public auction is open to all of them.", "research note §7.9: 40 bidders";
        invited: u32 = 12, 1, 1000, "Makers a confidential request reaches at first.", "research note §7.9";
        capacity: Dollars = "$4M", 0, 1e12, "Median capacity.", "research note §7.5";
        capacity_sd: Number = 0.95, 0, 3, "Standard deviation of its logarithm.", "research note §7.5: 0.9-1.0";
        cost: Share = "0.6%", 0, 1, "Median premium for funding, inventory and effort.", "research note §7.5";
        cost_sd: Number = 0.6, 0, 3, "Standard deviation of its logarithm.", "research note §7.5";
        slope: Share = "1%", 0, 1, "Premium above cost at which a maker offers all it has.", "research note §7.5: s = 0.01/Q";
        lines: u32 = 4, 1, 16, "Lines a maker divides its capacity into along that slope.", "assumed: the enclave clears lines, not curves";
        fail: Share = "1%", 0, 1, "Chance q0 of failure that makers reckon with in calm.", "research note §2a";
        fail_run: Share = "10%", 0, 1, "What a run of all holders adds to it when public, q1; a quarter of that while it is not.", "research note §7.5; value assumed";
        loss: Share = "30%", 0, 1, "Loss given default of a junior note; other instruments in proportion.", "research note §7.3: 30-100%";
        feared_gap: Share = "5%", 0.0001, 10, "Mean hole that a request makes them fear, exponential.", "assumed; after Glosten and Milgrom (1985)";
        attested_gap: Share = "100%", 0.0001, 10, "Bound on the hole that the enclave proves to them; it truncates that fear.", "research note §2a; none by default";
        latency: Span = "20 min", 0, 604800, "Mean time an invited maker takes to answer, exponential.", "research note §7.5";
        leak: Rate = "1% /h", 0, 0.99, "Chance per hour that one invited maker talks.", "research note §7.5";
        waiting: Share = "0%", 0, 1, "Share of makers that wait for a rising clock.", "research note §7.5; zero is myopic";
        shading: Share = "0%", 0, 1, "How far a bid moves from cost towards the cap in a sealed call.", "research note §7.5; zero is truthful";
        colluding: u32 = 0, 0, 1000, "The largest this many bid as one, at the cap where they are pivotal.", "research note §3";
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
        cover: Share = "0%", 0, 1, "Chance f that a replication without a hole has a drill, funded and settled as if it had.", "research note §2d";
        lot: Dollars = "$1M", 1, 1e12, "Size of a settled lot: the count of lots is public.", "research note §2d";
        padding: bool = true, 0, 1, "Whether the count of lots is padded to a power of two.", "research note §2d";
        heartbeat: Span = "1 h", 1, 604800, "What is published waits for the next beat.", "research note §2d";
        delay: Span = "0 h", 0, 604800, "Mean of a random wait before that, exponential.", "research note §2d";
        mints: Rate = "6 /h", 0, 1e6, "Usual mints: none happen while minting is paused, which shows.", "assumed";
        window: Span = "24 h", 1, 31536000, "How long the stranger watches from the shock, or from when it would have been.", "assumed";
    }
}
