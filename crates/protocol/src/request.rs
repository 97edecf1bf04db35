//! Request: a gap in, an ask out. The amount is the enclave's secret; the cap is public.

use primitives::{Amount, Decode, Encode, Overflow, Premium};

/// How premium caps rise from one failed attempt to the next, and when to stop.
///
/// Default ladder: 0.5 % (the seed's), then the three sealed calls at 1, 3 and 8 %.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Escalation {
    /// Cap per attempt, ascending; the last one repeats.
    pub ladder: Vec<Premium>,
    /// No request may exceed it.
    pub premium_cap: Premium,
    /// Expired attempts after which the breaker halts.
    pub attempts_max: u8,
}

impl Escalation {
    /// The cap of the request that follows `attempts` expired ones: the larger of the workflow's
    /// premium and the ladder's rung, never above the cap.
    pub fn premium(&self, workflow: Premium, attempts: u8) -> Premium {
        let rung = self
            .ladder
            .get(usize::from(attempts))
            .or(self.ladder.last())
            .copied()
            .unwrap_or_default();
        workflow.max(rung).min(self.premium_cap)
    }
}

/// Whole lots that close the gap, rounded **up**: a lot too many costs less than a recovery that
/// misses its target by one unit.
///
/// # Errors
/// [`Overflow`] if the ask leaves the range of an amount.
pub fn ask(gap: Amount, lot: Amount) -> Result<Amount, Overflow> {
    gap.lots_ceil(lot)
}

/// The coarse size a maker may cap in its terms: hundredths of liabilities, rounded **up**, at most 255.
pub fn gap_band(gap: Amount, liabilities: Amount) -> u8 {
    if gap.is_zero() {
        return 0;
    }
    let percent = (gap.units() * 100).checked_div(liabilities.units()).unwrap_or(u128::MAX);
    let is_exact =
        liabilities.units() > 0 && (gap.units() * 100).is_multiple_of(liabilities.units());
    u8::try_from(percent.saturating_add(u128::from(!is_exact))).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bps(value: u16) -> Premium {
        Premium::new(value).unwrap()
    }

    #[test]
    fn the_ladder_rises_and_stays_under_the_cap() {
        let escalation = Escalation {
            ladder: vec![bps(50), bps(100), bps(300)],
            premium_cap: bps(250),
            attempts_max: 4,
        };
        let caps: Vec<u16> =
            (0..5).map(|attempts| escalation.premium(bps(60), attempts).bps()).collect();
        assert_eq!(caps, [60, 100, 250, 250, 250]);
    }

    #[test]
    fn a_gap_band_is_a_percentage_rounded_up() {
        let tokens = Amount::from_tokens;
        assert_eq!(gap_band(tokens(0), tokens(100)), 0);
        assert_eq!(gap_band(tokens(3), tokens(100)), 3);
        assert_eq!(
            gap_band(tokens(3).checked_add(Amount::new(1).unwrap()).unwrap(), tokens(100)),
            4
        );
        assert_eq!(gap_band(tokens(900), tokens(100)), 255);
        assert_eq!(gap_band(tokens(1), tokens(0)), 255);
    }
}
