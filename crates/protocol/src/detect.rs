//! Detect: reserve observations in, a shortfall out. Runs inside the enclave.
//!
//! Invariants, quoted by tests:
//! 1. Nothing is concluded from fewer than `quorum` equal, fresh observations of this tick.
//! 2. Each reserve unit counts once, whatever an observation repeats.
//! 3. The status goes short only after `readings` consecutive readings below the threshold, and comes
//!    back only at the target, which is not below it: a fill to the edge does not fall back.

use primitives::{Amount, Decode, Duration, Encode, Overflow, Premium, Ratio, Timestamp};

/// What one DON node's read of the custodian says.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Observation {
    /// The tick it was read for.
    pub tick: u32,
    /// When the custodian made the statement.
    pub observed_at: Timestamp,
    /// Coins outstanding, less coins fenced with their collateral.
    pub liabilities: Amount,
    /// Reserve units, at most [`RESERVES_MAX`].
    pub reserves: Vec<Reserve>,
}

/// One reserve unit: an account, a bill, a deposit.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Reserve {
    /// The custodian's number for it.
    pub id: u32,
    /// Face value in collateral base units.
    pub amount: Amount,
    /// Share of it that does not count: 10 000 for a deposit nobody can reach.
    pub haircut: Premium,
}

/// One hundred percent, in the width haircuts have.
const WHOLE: u16 = 10_000;

/// More reserve units than any custodian statement we accept.
pub const RESERVES_MAX: usize = 64;

/// When readings count and what they are measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Policy {
    /// A shortfall exists below this ratio (the seed's 1.02).
    pub threshold: Ratio,
    /// What a recovery is asked up to, not below the threshold.
    pub target: Ratio,
    /// Equal observations needed: 2f + 1 of 3f + 1 nodes.
    pub quorum: u8,
    /// Oldest statement accepted.
    pub age_max: Duration,
    /// Consecutive readings below the threshold that make a shortfall.
    pub readings: u8,
}

/// What one tick's observations amount to.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Coins outstanding.
    pub liabilities: Amount,
    /// Reserves net of haircuts, with the issuer's recovery position; rounded **down** per unit.
    pub reserves: Amount,
    /// `max(0, ceil(target × liabilities) − reserves)`.
    pub gap: Amount,
    /// Reserves are below `threshold × liabilities`.
    pub below_threshold: bool,
    /// Reserves are below `target × liabilities`.
    pub below_target: bool,
}

/// Why nothing can be concluded on a tick.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Invariant 1.
    #[error("{agreeing} equal fresh observations, {quorum} needed")]
    NoQuorum {
        /// Size of the largest group of equal, fresh observations.
        agreeing: usize,
        /// The policy's quorum.
        quorum: u8,
    },
    /// Sums left the range of an amount.
    #[error("adding up reserves")]
    Overflow(#[from] Overflow),
}

/// Reads one tick. `observations` holds at most one entry per DON node; `position` is the collateral
/// that recovery has brought so far.
///
/// # Errors
/// [`Rejected`] without a quorum of equal fresh observations, or when sums overflow.
pub fn read(
    observations: &[Option<Observation>],
    position: Amount,
    policy: &Policy,
    tick: u32,
    now: Timestamp,
) -> Result<Reading, Rejected> {
    let fresh = || {
        observations.iter().flatten().filter(|observation| {
            observation.tick == tick
                && observation.observed_at <= now
                && now.since(observation.observed_at) <= policy.age_max
                && observation.reserves.len() <= RESERVES_MAX
        })
    };
    let votes = |candidate: &Observation| fresh().filter(|other| *other == candidate).count();
    let best = fresh().max_by_key(|candidate| votes(candidate));
    let agreeing = best.map_or(0, votes);
    let Some(statement) = best.filter(|_| agreeing >= usize::from(policy.quorum)) else {
        return Err(Rejected::NoQuorum { agreeing, quorum: policy.quorum });
    };

    let mut reserves = position;
    for (index, unit) in statement.reserves.iter().enumerate() {
        let counted_before =
            statement.reserves[..index].iter().any(|earlier| earlier.id == unit.id);
        if !counted_before {
            let kept = Premium::new(WHOLE.saturating_sub(unit.haircut.bps())).unwrap_or_default();
            reserves = reserves.checked_add(unit.amount.share_floor(kept))?;
        }
    }
    let liabilities = statement.liabilities;
    let gap = policy.target.of_ceil(liabilities)?.saturating_sub(reserves);
    Ok(Reading {
        liabilities,
        reserves,
        gap,
        below_threshold: reserves < policy.threshold.of_ceil(liabilities)?,
        below_target: !gap.is_zero(),
    })
}

/// The status with its hysteresis (invariant 3). Backed until shown otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Detector {
    short: bool,
    streak: u8,
}

impl Detector {
    /// Takes a reading in; returns the seed's `status`: true while backed.
    pub fn observe(&mut self, reading: &Reading, readings: u8) -> bool {
        if self.short {
            // The target is the hysteresis: waiting longer would ask for a gap that is closed.
            self.short = reading.below_target;
        } else {
            self.streak = if reading.below_threshold { self.streak.saturating_add(1) } else { 0 };
            self.short = self.streak >= readings.max(1);
        }
        if self.short {
            self.streak = 0;
        }
        !self.short
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        threshold: Ratio(1_020_000),
        target: Ratio(1_021_000),
        quorum: 3,
        age_max: Duration(600),
        readings: 2,
    };

    fn observation(reserves: u64) -> Observation {
        Observation {
            tick: 7,
            observed_at: Timestamp(1_000),
            liabilities: Amount::from_tokens(1_000),
            reserves: vec![Reserve {
                id: 1,
                amount: Amount::from_tokens(reserves),
                haircut: Premium::default(),
            }],
        }
    }

    fn four(reserves: [u64; 4]) -> Vec<Option<Observation>> {
        reserves.into_iter().map(|r| (r > 0).then(|| observation(r))).collect()
    }

    fn read_at(observations: &[Option<Observation>], now: u64) -> Result<Reading, Rejected> {
        read(observations, Amount::ZERO, &POLICY, 7, Timestamp(now))
    }

    #[test]
    fn one_liar_or_one_absentee_changes_nothing() {
        let honest = read_at(&four([1_025; 4]), 1_000).map(|r| r.reserves);
        assert_eq!(read_at(&four([1_025, 1_025, 9, 1_025]), 1_000).map(|r| r.reserves), honest);
        assert_eq!(read_at(&four([1_025, 0, 1_025, 1_025]), 1_000).map(|r| r.reserves), honest);
    }

    #[test]
    fn two_liars_leave_no_quorum() {
        let rejected = Rejected::NoQuorum { agreeing: 2, quorum: 3 };
        assert_eq!(read_at(&four([1_025, 1_025, 9, 9]), 1_000).err(), Some(rejected.clone()));
        assert_eq!(read_at(&four([1_025, 1_025, 0, 0]), 1_000).err(), Some(rejected));
    }

    #[test]
    fn stale_and_future_observations_do_not_count() {
        assert!(read_at(&four([1_025; 4]), 1_600).is_ok());
        assert_eq!(
            read_at(&four([1_025; 4]), 1_601).err(),
            Some(Rejected::NoQuorum { agreeing: 0, quorum: 3 })
        );
        assert_eq!(
            read_at(&four([1_025; 4]), 999).err(),
            Some(Rejected::NoQuorum { agreeing: 0, quorum: 3 })
        );
    }

    #[test]
    fn another_ticks_observation_does_not_count() {
        assert_eq!(
            read(&four([1_025; 4]), Amount::ZERO, &POLICY, 8, Timestamp(1_000)).err(),
            Some(Rejected::NoQuorum { agreeing: 0, quorum: 3 })
        );
    }

    #[test]
    fn each_unit_counts_once_and_haircuts_apply() {
        let mut doubled = observation(1_000);
        doubled.reserves.push(doubled.reserves[0].clone());
        doubled.reserves.push(Reserve {
            id: 2,
            amount: Amount::from_tokens(100),
            haircut: Premium::new(2_500).unwrap(),
        });
        let reading = read_at(&vec![Some(doubled); 3], 1_000).ok().unwrap();
        assert_eq!(reading.reserves, Amount::from_tokens(1_075));
    }

    #[test]
    fn the_gap_reaches_the_target_and_counts_the_position() {
        let reading = read_at(&four([1_000; 4]), 1_000).ok().unwrap();
        assert_eq!(reading.gap, Amount::from_tokens(21));
        assert!(reading.below_threshold);
        let filled = read(&four([1_000; 4]), Amount::from_tokens(21), &POLICY, 7, Timestamp(1_000))
            .ok()
            .unwrap();
        assert!(filled.gap.is_zero() && !filled.below_target);
    }

    #[test]
    fn status_goes_short_only_after_enough_readings_and_back_only_at_target() {
        let reading = |reserves| read_at(&four([reserves; 4]), 1_000).ok().unwrap();
        let mut detector = Detector::default();
        let mut status = |reserves| detector.observe(&reading(reserves), POLICY.readings);
        assert!(status(1_000));
        assert!(status(1_025));
        assert!(status(1_000));
        assert!(!status(1_000));
        assert!(!status(1_020), "at the threshold, below the target");
        assert!(status(1_021));
        assert!(status(1_000), "one reading is not two");
    }
}
