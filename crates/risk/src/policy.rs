//! What is done about a shock, and what the public is told.

use serde::{Deserialize, Serialize};

use crate::fields::{Checked, Field, group, names};
use crate::units::{Dollars, Number, Rate, Share, Span};

/// A mechanism and what the public is told while it works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What a table calls it.
    pub name: String,
    /// How the gap is filled.
    pub mechanism: Mechanism,
    /// What the public is told.
    #[serde(default = "nothing_said")]
    pub disclosure: Disclosure,
}

fn nothing_said() -> Disclosure {
    Disclosure::None
}

names! {
    /// What the public is told from detection until recovery.
    Disclosure, "\"none\", \"flag\", \"range\" or \"public\"" {
        /// Nothing.
        None = "none",
        /// That reserves are below a threshold.
        Flag = "flag",
        /// A range the liquid share lies in.
        Range = "range",
        /// The liquid share, to a tenth of a percent.
        Public = "public",
    }
}

names! {
    /// What a maker gets for its collateral.
    Instrument, "one of \"secured-repo\", \"junior-note\", \"governance-token\", \"first-loss\", \"buy-back\", \"asset-sale\"" {
        /// A loan against good illiquid reserves. Cures a liquidity gap only.
        SecuredRepo = "secured-repo",
        /// A claim behind the coin.
        JuniorNote = "junior-note",
        /// Newly minted governance token at the oracle's price and a premium.
        GovernanceToken = "governance-token",
        /// Seized first-loss capital, sold.
        FirstLoss = "first-loss",
        /// Makers buy coins below par and hand them in at what they paid.
        BuyBack = "buy-back",
        /// A good illiquid reserve asset, sold. Cures a liquidity gap only.
        AssetSale = "asset-sale",
    }
}

macro_rules! mechanisms {
    ($($(#[$doc:meta])* $variant:ident($params:ident) = $name:literal;)+) => {
        /// How the gap is filled. In a file: a table with its `kind` and what differs from the defaults.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        pub enum Mechanism {
            $($(#[$doc])* $variant($params),)+
        }

        impl Mechanism {
            /// Every mechanism with its defaults, in the order of the documentation.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$variant($params::default())),+]
            }

            /// As a file writes it.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)+ }
            }

            /// Its keys.
            pub const fn fields(&self) -> &'static [Field] {
                match self { $(Self::$variant(_) => $params::FIELDS,)+ }
            }

            pub(crate) fn checked(&self) -> Vec<Checked> {
                match self { $(Self::$variant(params) => params.checked(),)+ }
            }
        }
    };
}

impl Mechanism {
    /// What takers get; none where nobody takes anything.
    pub const fn instrument(&self) -> Option<Instrument> {
        match self {
            Self::Nothing(_) | Self::Halt(_) | Self::Liquity(_) | Self::Gyro(_) => None,
            Self::Flop(_) | Self::Frax(_) => Some(Instrument::GovernanceToken),
            Self::Reserve(_) => Some(Instrument::FirstLoss),
            Self::Standby(standby) => Some(standby.instrument),
            Self::CdprFixed(fixed) => Some(fixed.instrument),
            Self::CdprClock(clock) => Some(clock.instrument),
            Self::CdprUniform(call) => Some(call.instrument),
            Self::CdprPayAsBid(call) => Some(call.instrument),
            Self::CdprVcg(call) => Some(call.instrument),
            Self::CdprWorkflow(workflow) => Some(workflow.instrument),
        }
    }
}

mechanisms! {
    /// Nothing is done.
    Nothing(Nothing) = "nothing";
    /// Redemption stops at detection and does not reopen.
    Halt(Halt) = "halt";
    /// Maker's debt auction, after its wait.
    Flop(Flop) = "flop";
    /// Frax's recollateralisation at a fixed bonus.
    Frax(Frax) = "frax";
    /// Reserve's Dutch auctions of seized stake, then a haircut.
    Reserve(Reserve) = "reserve";
    /// Liquity's redemption fee.
    Liquity(Liquity) = "liquity";
    /// Gyroscope's redemption curve.
    Gyro(Gyro) = "gyro";
    /// Capacity paid for in advance.
    Standby(Standby) = "standby";
    /// A confidential request at a fixed premium.
    CdprFixed(CdprFixed) = "cdpr-fixed";
    /// A confidential request at a premium that rises until it is filled.
    CdprClock(CdprClock) = "cdpr-clock";
    /// Sealed calls, everyone paid the marginal premium.
    CdprUniform(CdprUniform) = "cdpr-uniform";
    /// Sealed calls, everyone paid its own limit.
    CdprPayAsBid(CdprPayAsBid) = "cdpr-pay-as-bid";
    /// Sealed calls, everyone paid what it saves the others.
    CdprVcg(CdprVcg) = "cdpr-vcg";
    /// What the workflow and the contracts do today, tick by tick.
    CdprWorkflow(CdprWorkflow) = "cdpr-workflow";
}

group! {
    /// Nothing is done.
    Nothing at "nothing" {}
}

group! {
    /// Redemption stops at detection.
    Halt at "halt" {}
}

group! {
    /// Maker's flop, dss@fa4f663: fixed bid, falling lot.
    Flop at "flop" {
        wait: Span = "6 h", 0, 2592000, "From detection to the first auction.", "assumed: 6 h, where Maker's is reported as 156 h in 2020";
        beg: Share = "5%", 0.0001, 1, "A bid asks for at least this much less than the one before.", "dss flop.sol: beg 1.05";
        pad: Share = "50%", 0.0001, 10, "The lot grows by this much after an auction without bids.", "dss flop.sol: pad 1.50";
        bid_time: Span = "1 h", 1, 604800, "An auction ends when its best bid has stood this long.", "assumed: 1 h, where dss flop.sol has ttl 3 h";
        auction_time: Span = "48 h", 1, 2592000, "An auction without bids is restarted after this.", "dss flop.sol: tau 2 d";
        start: Share = "40%", 0, 16, "Premium that the first lot offers over market.", "Maker, March 2020: 250 MKR for 50,000 DAI";
        lot: Dollars = "$50k", 1, 1e9, "Raised by one auction.", "Maker's sump, March 2020";
    }
}

group! {
    /// Frax v1's `recollateralizeFRAX`, frax-solidity@30532c8.
    Frax at "frax" {
        bonus: Share = "0.75%", 0, 1, "What a taker gets over the value it brings, in newly minted token.", "frax-solidity: bonus_rate at genesis";
        hourly: Share = "1%", 0, 10, "What may be raised in an hour, as a share of initial supply.", "frax-solidity V3: rctMaxFxsOutPerHour; value assumed";
    }
}

group! {
    /// Reserve's recapitalisation, reserve-protocol@9cd3a9a.
    Reserve at "reserve" {
        warm_up: Span = "15 min", 0, 604800, "From detection to the first auction.", "reserve-protocol: 15 min";
        auction: Span = "30 min", 1, 604800, "Length of a Dutch auction.", "reserve-protocol: 30 min on L1";
        slippage: Share = "1%", 0, 0.99, "maxTradeSlippage: no auction sells below this.", "reserve-protocol: 1% on L1";
        auctions: u32 = 8, 1, 1000, "Auctions before the haircut.", "assumed";
        trade: Dollars = "$1M", 1, 1e12, "Most that one fill of an auction takes.", "reserve-protocol: maxTrade";
        haircut: bool = true, 0, 1, "Whether what is left is taken from holders.", "reserve-protocol: setBasketsNeeded";
    }
}

group! {
    /// Liquity's redemption fee, liquity/dev@39f1f7f.
    Liquity at "liquity" {
        beta: Number = 2.0, 0.01, 1000, "Redeeming a share x of supply adds x/beta to the base rate.", "liquity/dev: 2, bold: 1";
        half_life: Span = "12 h", 60, 2592000, "In which the base rate halves.", "liquity/dev: 12 h, bold: 6 h";
        floor: Share = "0.5%", 0, 1, "Fee at a base rate of zero.", "liquity: 0.5%";
    }
}

group! {
    /// Gyroscope's P-AMM, gyd-core@69a19a0: the marginal redemption price falls before the reserve does.
    Gyro at "gyro" {
        decay: Number = 0.3, 0.001, 1000, "Slope alpha-bar of the redemption price, per share of supply redeemed.", "gyd-core; value assumed";
        at_par: Share = "10%", 0, 1, "Share x_U of supply redeemable at par before it falls.", "gyd-core; value assumed";
        floor: Share = "80%", 0, 1, "Price theta-bar below which it never falls while the reserve ratio is above.", "gyd-core; value assumed";
        memory: Span = "72 h", 60, 31536000, "Time in which past outflow is forgotten by a factor e.", "gyd-core; value assumed";
    }
}

group! {
    /// Standing commitments, paid as Umbrella pays its stakers, aave-umbrella@d34359f.
    Standby at "standby" {
        instrument: Instrument = "junior-note", 0, 0, "What the providers get.", "design; book, simulator 7.6";
        committed: Dollars = "$30M", 0, 1e12, "Capacity committed.", "assumed: the base gap";
        target: Dollars = "$30M", 1, 1e12, "Capacity at which the yield is the one below.", "assumed";
        yearly: Share = "2%", 0, 1, "Yearly fee at the target, on what is committed; elsewhere along Umbrella's curve.", "aave-umbrella's curve; value assumed";
        between: Span = "365 d", 1, 3153600000f64, "Time between two shocks: what one costs in fees.", "assumed";
        premium: Share = "1%", 0, 1, "Premium on what is drawn.", "assumed";
        notice: Span = "15 min", 0, 604800, "From detection to the money.", "assumed";
        fall_down: Share = "2%", 0, 1, "Chance that a provider does not pay.", "assumed";
    }
}

group! {
    /// The seed's request: so much at this premium.
    CdprFixed at "cdpr-fixed" {
        instrument: Instrument = "junior-note", 0, 0, "What makers get.", "design; book, simulator 7.6";
        every: Span = "5 min", 1, 604800, "Time between two clearings.", "assumed: one a step";
        premium: Share = "0.5%", 0, 1.6383, "The premium.", "the seed";
        lot: Dollars = "$100k", 1, 1e12, "Fills are multiples of this.", "assumed";
        share_max: Share = "35%", 0, 1, "Most that one maker fills of a request, of its size at detection, but a lot at least.", "design, against hold-up; book, simulator 7.7";
        timeout: Span = "6 h", 1, 2592000, "An attempt ends after this.", "assumed";
        attempts: u32 = 3, 1, 100, "Attempts before the ladder goes on to harsher steps.", "design; book, simulator 7.7";
        widen: u32 = 0, 0, 1000, "Makers invited in addition after each attempt.", "design; book, simulator 7.7";
        haircut: bool = false, 0, 1, "Whether the ladder ends in a haircut or in a halt.", "design; book, simulator 7.7";
    }
}

group! {
    /// A rising premium, paid as filled.
    CdprClock at "cdpr-clock" {
        instrument: Instrument = "junior-note", 0, 0, "What makers get.", "design; book, simulator 7.6";
        every: Span = "5 min", 1, 604800, "Time between two clearings.", "assumed: one a step";
        start: Share = "0.5%", 0, 1.6383, "Premium at the start of an attempt.", "design; book, simulator 7.7";
        slope: Rate = "1% /h", 0, 100, "How fast it rises.", "design: 1-4%/h; book, simulator 7.7";
        cap: Share = "8%", 0, 1.6383, "Where it stops.", "design; book, simulator 7.7";
        lot: Dollars = "$100k", 1, 1e12, "Fills are multiples of this.", "assumed";
        share_max: Share = "35%", 0, 1, "Most that one maker fills of a request, of its size at detection, but a lot at least.", "design, against hold-up; book, simulator 7.7";
        timeout: Span = "10 h", 1, 2592000, "An attempt ends after this.", "assumed: the cap and a while";
        attempts: u32 = 3, 1, 100, "Attempts before the ladder goes on to harsher steps.", "design; book, simulator 7.7";
        widen: u32 = 0, 0, 1000, "Makers invited in addition after each attempt.", "design; book, simulator 7.7";
        haircut: bool = false, 0, 1, "Whether the ladder ends in a haircut or in a halt.", "design; book, simulator 7.7";
    }
}

macro_rules! call {
    ($(#[$meta:meta])* $type:ident at $prefix:literal) => {
        group! {
            $(#[$meta])*
            $type at $prefix {
                instrument: Instrument = "junior-note", 0, 0, "What makers get.", "design; book, simulator 7.6";
                every: Span = "15 min", 1, 604800, "Time between two calls, from detection.", "design; book, simulator 7.7";
                ladder: Vec<Share> = ["1%", "3%", "8%"], 0, 1.6383, "Premium cap of each attempt, ascending; the last one repeats.", "design; book, simulator 7.7";
                aggregate_min: Share = "60%", 0, 1, "A call that raises less than this share of the need takes nothing.", "design; book, simulator 7.7";
                lot: Dollars = "$100k", 1, 1e12, "Fills are multiples of this.", "assumed";
                share_max: Share = "35%", 0, 1, "Most that one maker fills of a request, of its size at detection, but a lot at least.", "design, against hold-up; book, simulator 7.7";
                attempts: u32 = 6, 1, 100, "Calls that may fail before the ladder goes on to harsher steps.", "design: the three rungs, and the last once more for each time it is raised; book, simulator 7.7";
                widen: u32 = 4, 0, 1000, "Makers invited in addition after each attempt.", "assumed; book, simulator 7.7";
                haircut: bool = false, 0, 1, "Whether the ladder ends in a haircut or in a halt.", "design; book, simulator 7.7";
            }
        }
    };
}

call! {
    /// Sealed calls at a uniform premium: the production clearing.
    CdprUniform at "cdpr-uniform"
}
call! {
    /// The same calls, each fill paid its own limit.
    CdprPayAsBid at "cdpr-pay-as-bid"
}
call! {
    /// The same calls, each maker paid what its presence saves.
    CdprVcg at "cdpr-vcg"
}

group! {
    /// The workflow's YAML and its deployment file: standing lines, requests that expire, calls on fixed ticks.
    CdprWorkflow at "cdpr-workflow" {
        instrument: Instrument = "secured-repo", 0, 0, "What makers get.", "deployments/embedded.toml: a claim on deposits that are stuck";
        timeout: Span = "1 h", 300, 604800, "How long a request lives; an epoch under sealed disclosure.", "the seed";
        every: Span = "15 min", 1, 604800, "From a request to its first call and from one call to the next; disclosure flag only.", "deployments/embedded.toml";
        rounds: u32 = 4, 1, 1000, "Rounds of an epoch, each a rung higher; disclosure none only.", "deployments/embedded.toml";
        ladder: Vec<Share> = ["0.5%", "1%", "3%", "8%"], 0, 1.6383, "Premium cap by attempt, ascending; the last one repeats.", "deployments/embedded.toml";
        attempts: u32 = 4, 1, 255, "Requests that may expire before minting halts.", "deployments/embedded.toml";
        lot: Dollars = "$1M", 1, 1e12, "Fills are multiples of this.", "deployments/embedded.toml";
        fill_min: Dollars = "$10M", 1, 1e12, "A call that raises less takes nothing, unless less remains.", "deployments/embedded.toml";
        share_max: Share = "35%", 0.0001, 1, "Most that one line fills of a request in one call.", "deployments/embedded.toml";
    }
}
