//! Settle: a clearing in, rounds of constant shape out.

use std::collections::VecDeque;

use primitives::{Amount, Premium};

use crate::RequestStatus;

/// Slots of one settlement, the circuit's N. Unused slots are dummies.
pub const SLOTS: usize = 4;

/// Fills of one clearing that still await their round. All of them are paid the same premium.
#[derive(Clone)]
pub struct Queue<F> {
    /// The uniform clearing premium.
    pub premium: Premium,
    fills: VecDeque<F>,
}

impl<F> Queue<F> {
    /// A clearing's fills, in clearing order.
    pub fn new(premium: Premium, fills: impl IntoIterator<Item = F>) -> Self {
        Self { premium, fills: fills.into_iter().collect() }
    }

    /// Whether every fill has had its round.
    pub fn is_empty(&self) -> bool {
        self.fills.is_empty()
    }

    /// Takes the next round: at most [`SLOTS`] fills.
    pub fn next_round(&mut self) -> Vec<F> {
        let n = self.fills.len().min(SLOTS);
        self.fills.drain(..n).collect()
    }
}

/// The plain status after a round: what the circuit proves.
pub fn status_after(requested: Amount, remaining: Amount) -> RequestStatus {
    if remaining.is_zero() {
        RequestStatus::Filled
    } else if remaining < requested {
        RequestStatus::PartiallyFilled
    } else {
        RequestStatus::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_take_every_fill_once_and_in_order() {
        let mut queue = Queue::new(Premium::default(), 0..9);
        let rounds: Vec<Vec<i32>> =
            core::iter::from_fn(|| (!queue.is_empty()).then(|| queue.next_round())).collect();
        assert_eq!(rounds, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8]]);
        assert!(queue.next_round().is_empty());
    }

    #[test]
    fn status_follows_the_remainder() {
        let amount = Amount::from_tokens;
        assert_eq!(status_after(amount(5), amount(5)), RequestStatus::Pending);
        assert_eq!(status_after(amount(5), amount(1)), RequestStatus::PartiallyFilled);
        assert_eq!(status_after(amount(5), amount(0)), RequestStatus::Filled);
    }
}
