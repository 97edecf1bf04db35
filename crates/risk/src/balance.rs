//! The coin's balance, in whole micro-dollars. Every operation moves the hole by exactly what it says
//! (book, simulator 7.1, 7.4 and 7.6); tests quote the numbers.
//!
//! With `hole = S − R^L − R^I` (negative is a surplus):
//! 1. Redeeming `n` coins for `paid`: `ΔS = −n`, `ΔR^L = −paid`, `Δhole = −(n − paid)`; at par the hole stays.
//! 2. Selling illiquid reserves to raise `x` at a cost of `f·x`: `ΔR^L = x`, `ΔR^I = −x − f·x`, `Δhole = f·x`.
//! 3. A loss of `x`: `Δhole = x`. What is only out of reach moves from liquid to illiquid: the hole stays.
//! 4. A fill of `x` owing `o`: `ΔR^L = x`, `ΔJ = x + o`, `Δhole = −x`.
//!    New capital that owes nothing (a token sold, stake seized) is the same without `J`.
//! 5. An asset sold at what it is worth: `ΔR^L = x`, `ΔR^I = −x`, the hole stays. What it fetches less is made good by
//!    the sponsor and is a cost, not a flow.
//! 6. A haircut: `S ← S·CR`, rounded **down**: the hole closes.

use primitives::Amount;

/// One in [`share_ceil`]'s and [`share_floor`]'s unit.
const BILLION: i128 = 1_000_000_000;

/// What is outstanding and what stands behind it, micro-dollars; none is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Balance {
    /// S: coins outstanding.
    pub supply: i64,
    /// R^L: payable at once.
    pub liquid: i64,
    /// R^I: good, not payable at once, marked at true value.
    pub illiquid: i64,
    /// What a liquidity shock has put out of reach and nobody has replaced.
    pub blocked: i64,
    /// J: junior claims issued, face.
    pub junior: i64,
}

impl Balance {
    /// S − R^L − R^I; negative is a surplus.
    pub const fn hole(&self) -> i64 {
        self.supply - self.liquid - self.illiquid
    }

    /// G = max(0, (1 + b)·S − R^L − R^I), rounded **up**, or what is blocked, if that is more.
    pub fn need(&self, buffer: f64) -> i64 {
        self.required(buffer).max(self.blocked).max(0)
    }

    /// (1 + b)·S − R^L − R^I, rounded **up**; negative is a surplus.
    pub fn required(&self, buffer: f64) -> i64 {
        self.hole() + share_ceil(self.supply, buffer)
    }

    /// θ = R^L / S, 1 where nothing is outstanding.
    pub fn liquid_share(&self) -> f64 {
        if self.supply <= 0 { 1.0 } else { self.liquid as f64 / self.supply as f64 }
    }

    /// Takes `coins` in and pays `paid` out, at most one for one (1). Nothing happens beyond what there is.
    pub fn redeem(&mut self, coins: i64, paid: i64) {
        debug_assert!(0 <= paid && paid <= coins && coins <= self.supply && paid <= self.liquid);
        self.supply -= coins;
        self.liquid -= paid;
    }

    /// Raises up to `wanted` from illiquid reserves at cost `fire_sale`, a share of what is raised, rounded **up** (2).
    /// Returns what was raised. Blocked reserves cannot be sold.
    pub fn liquidate(&mut self, wanted: i64, fire_sale: f64) -> i64 {
        let sellable = (self.illiquid - self.blocked).max(0);
        // Whole, and rounded down, so that what is raised and its cost, rounded up, never exceed what there is.
        let most = i128::from(sellable) * BILLION / (BILLION + i128::from(micros(fire_sale * 1e9)));
        let raised = wanted.min(i64::try_from(most).unwrap_or(i64::MAX)).max(0);
        self.liquid += raised;
        self.illiquid -= raised + share_ceil(raised, fire_sale);
        raised
    }

    /// Loses up to `amount`, liquid reserves first (3). Returns what was lost.
    pub fn lose(&mut self, amount: i64) -> i64 {
        let from_liquid = amount.min(self.liquid);
        let from_illiquid = (amount - from_liquid).min(self.illiquid);
        self.liquid -= from_liquid;
        self.illiquid -= from_illiquid;
        from_liquid + from_illiquid
    }

    /// Puts up to `amount` of liquid reserves out of reach (3). Returns how much.
    pub fn block(&mut self, amount: i64) -> i64 {
        let amount = amount.min(self.liquid);
        self.liquid -= amount;
        self.illiquid += amount;
        self.blocked += amount;
        amount
    }

    /// Takes `amount` of collateral in and owes `amount + owed` behind the coin (4). Against a liquidity gap the cash
    /// stands in for what is blocked.
    pub fn fill(&mut self, amount: i64, owed: i64) {
        self.liquid += amount;
        self.junior += amount + owed;
        self.blocked = (self.blocked - amount).max(0);
    }

    /// Takes `amount` of new capital in, which owes nothing (4).
    pub fn raise(&mut self, amount: i64) {
        self.liquid += amount;
        self.blocked = (self.blocked - amount).max(0);
    }

    /// Sells up to `amount` of illiquid reserves, blocked or not, at what they are worth (5).
    pub fn swap(&mut self, amount: i64) {
        let amount = amount.min(self.illiquid);
        self.liquid += amount;
        self.illiquid -= amount;
        self.blocked = (self.blocked - amount).max(0);
    }

    /// Cuts every coin to what stands behind it (6). Returns what holders lose.
    pub fn haircut(&mut self) -> i64 {
        let supply = self.supply.min(self.liquid + self.illiquid);
        let lost = self.supply - supply;
        self.supply = supply;
        lost
    }
}

/// `amount × share`, rounded **up** to a micro-dollar; the share counts in billionths, rounded to the nearest.
pub fn share_ceil(amount: i64, share: f64) -> i64 {
    let product = i128::from(amount) * i128::from(micros(share * 1e9));
    i64::try_from((product + BILLION - 1).div_euclid(BILLION)).unwrap_or(i64::MAX)
}

/// `amount × share`, rounded **down** to a micro-dollar; the share counts in billionths, rounded to the nearest.
pub fn share_floor(amount: i64, share: f64) -> i64 {
    let product = i128::from(amount) * i128::from(micros(share * 1e9));
    i64::try_from(product.div_euclid(BILLION)).unwrap_or(i64::MAX)
}

/// Micro-dollars as the protocol's amount: nothing below zero, and at most [`Amount::MAX`].
pub fn amount(micros: i64) -> Amount {
    Amount::new(u128::try_from(micros).unwrap_or(0)).unwrap_or(Amount::MAX)
}

/// To the nearest whole number; the cast saturates.
#[allow(
    clippy::cast_possible_truncation,
    reason = "floats saturate, and money stays below 2^63 micro-dollars"
)]
pub(crate) fn micros(value: f64) -> i64 {
    libm::round(value) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DOLLAR: i64 = 1_000_000;

    fn billion() -> Balance {
        Balance {
            supply: 1_000_000_000 * DOLLAR,
            liquid: 750_000_000 * DOLLAR,
            illiquid: 250_000_000 * DOLLAR,
            ..Balance::default()
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Redeem(i64, f64),
        Liquidate(i64, f64),
        Lose(i64),
        Block(i64),
        Fill(i64, f64),
        Raise(i64),
        Swap(i64),
        Haircut,
    }

    fn arb_step() -> impl Strategy<Value = Step> {
        let amount = || 0..200_000_000 * DOLLAR;
        prop_oneof![
            (amount(), 0.0..1.0).prop_map(|(n, price)| Step::Redeem(n, price)),
            (amount(), 0.0..0.5).prop_map(|(x, cost)| Step::Liquidate(x, cost)),
            amount().prop_map(Step::Lose),
            amount().prop_map(Step::Block),
            (amount(), 0.0..0.2).prop_map(|(x, premium)| Step::Fill(x, premium)),
            amount().prop_map(Step::Raise),
            amount().prop_map(Step::Swap),
            Just(Step::Haircut),
        ]
    }

    proptest! {
        #[test]
        fn every_operation_moves_the_hole_by_exactly_its_row_in_any_order(steps in prop::collection::vec(arb_step(), 0..40)) {
            let mut balance = billion();
            let (mut hole, mut junior) = (balance.hole(), 0);
            for step in steps {
                match step {
                    Step::Redeem(n, price) => {
                        let coins = n.min(balance.supply).min(balance.liquid);
                        let paid = share_floor(coins, price);
                        balance.redeem(coins, paid);
                        hole -= coins - paid;
                    }
                    Step::Liquidate(x, cost) => {
                        let raised = balance.liquidate(x, cost);
                        hole += share_ceil(raised, cost);
                    }
                    Step::Lose(x) => hole += balance.lose(x),
                    Step::Block(x) => _ = balance.block(x),
                    Step::Fill(x, premium) => {
                        let owed = share_ceil(x, premium);
                        balance.fill(x, owed);
                        hole -= x;
                        junior += x + owed;
                    }
                    Step::Raise(x) => {
                        balance.raise(x);
                        hole -= x;
                    }
                    Step::Swap(x) => balance.swap(x),
                    Step::Haircut => hole -= balance.haircut(),
                }
                prop_assert_eq!(balance.hole(), hole);
                prop_assert_eq!(balance.junior, junior);
                prop_assert!(balance.supply >= 0 && balance.liquid >= 0 && balance.illiquid >= 0, "{balance:?}");
                prop_assert!(balance.need(0.0) >= 0);
            }
        }

        #[test]
        fn redeeming_at_par_leaves_the_gap_and_lowers_the_ratio(n in 1..700_000_000 * DOLLAR, lost in 1..50_000_000 * DOLLAR) {
            let mut balance = billion();
            balance.lose(lost);
            let ratio = |b: &Balance| (b.liquid + b.illiquid) as f64 / b.supply as f64;
            let (gap, before) = (balance.need(0.0), ratio(&balance));
            balance.redeem(n, n);
            prop_assert_eq!(balance.need(0.0), gap);
            prop_assert!(ratio(&balance) < before);
        }
    }

    #[test]
    fn a_buffer_and_a_block_count_as_need() {
        let mut balance = billion();
        assert_eq!(balance.need(0.0), 0);
        assert_eq!(balance.need(0.02), 20_000_000 * DOLLAR);
        balance.block(30_000_000 * DOLLAR);
        assert_eq!((balance.hole(), balance.need(0.0)), (0, 30_000_000 * DOLLAR));
        balance.fill(30_000_000 * DOLLAR, 0);
        assert_eq!(balance.need(0.0), 0);
    }
}
