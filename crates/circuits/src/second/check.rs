//! A circuit of the second design, taken apart: what its rules refuse, and whether each is needed.
//!
//! A rule is dropped by not looking at its rows. The forged witness beside it in a relation's table breaks
//! these and no others, so that without the rule it would be proven. The rows of a rule are recorded while
//! the circuit is synthesised; a rule that has no case, or a case that has no rule, fails here.
//!
//! Arithmetic on the way to a rule (hashes, products, selections) is counted with its rule. That none
//! of those wires is free is what [`Subject::n_free`] says.

use std::{cell::RefCell, collections::BTreeSet, ops::Range};

use pool::Fr;

use super::{Circuit, Relation};
use crate::{
    audit,
    prove::assign,
    r1cs::{R1cs, evaluate},
};

thread_local! {
    /// The rules begun on this thread, and how many constraints there were before each.
    pub(super) static RULES: RefCell<Vec<(&'static str, usize)>> = const { RefCell::new(Vec::new()) };
    /// The witness variables allocated as private values on this thread.
    pub(super) static CHOSEN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// A circuit and the rows of its rules.
pub(super) struct Subject {
    pub(super) r1cs: R1cs,
    rules: Vec<(&'static str, Range<usize>)>,
}

/// Why a rule is there.
#[derive(Clone, Copy)]
pub(super) enum Why {
    /// Nothing else refuses this.
    Needed,
    /// Others refuse what it refuses, the case as an example, for the reason given. It stays because the
    /// reason spans several rules, and it costs little.
    Implied(&'static str),
}

/// Makes a forged circuit; of rules in slots, in the slot it is given.
pub(super) type Forgery<R> = fn(usize) -> Circuit<R>;

/// A rule by its name, why it is there, and a forgery that it refuses.
pub(super) type Case<R> = (&'static str, Why, Forgery<R>);

impl Subject {
    /// Synthesises a circuit and notes its rules.
    pub(super) fn of(r1cs: impl FnOnce() -> R1cs) -> Self {
        RULES.take();
        let r1cs = r1cs();
        let mut end = r1cs.n_constraints();
        let mut rules: Vec<_> = RULES
            .take()
            .into_iter()
            .rev()
            .map(|(name, start)| (name, start..core::mem::replace(&mut end, start)))
            .collect();
        rules.reverse();
        assert_eq!(end, 0, "every constraint is some rule's");
        Self { r1cs, rules }
    }

    /// Every variable's value.
    pub(super) fn values(circuit: Circuit<impl Relation>) -> Vec<Fr> {
        assign(circuit).to_vec()
    }

    /// Whether the circuit's own assignment satisfies it.
    pub(super) fn holds(&self, circuit: Circuit<impl Relation>) -> bool {
        self.r1cs.first_broken(&Self::values(circuit)).is_none()
    }

    /// The rules that refuse it, by name.
    pub(super) fn refusing(&self, circuit: Circuit<impl Relation>) -> BTreeSet<&'static str> {
        let values = Self::values(circuit);
        let is_broken = |row: usize| {
            let [a, b, c] = [&self.r1cs.a, &self.r1cs.b, &self.r1cs.c]
                .map(|matrix| evaluate(&matrix[row], &values));
            a * b != c
        };
        let broken = self.rules.iter().filter(|(_, rows)| rows.clone().any(is_broken));
        broken.map(|(name, _)| *name).collect()
    }

    /// Each rule refuses its case; nothing else does if it is needed, something else does if it is implied.
    /// Cases take turns with the slots.
    #[track_caller]
    pub(super) fn check_cases(&self, cases: &[Case<impl Relation>], n_slots: usize) {
        let names: BTreeSet<_> = self.rules.iter().map(|(name, _)| *name).collect();
        let cased: BTreeSet<_> = cases.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names, cased, "each rule has a case and each case a rule");
        for (slot, (name, why, forge)) in (0..n_slots).cycle().zip(cases) {
            let mut refusing = self.refusing(forge(slot));
            assert!(refusing.remove(name), "{name}: in order, or refused by {refusing:?} only");
            match why {
                Why::Needed => assert!(refusing.is_empty(), "{name}: also refused by {refusing:?}"),
                Why::Implied(reason) => {
                    assert!(!refusing.is_empty(), "{name}: needed, and not {reason}");
                }
            }
        }
    }

    /// The book's page has a row for each rule, in order, with what it takes: `| rule | why | constraints |`.
    #[track_caller]
    pub(super) fn check_page(&self, page: &str) {
        let mut rules: Vec<(&str, Vec<usize>)> = Vec::new();
        for (name, rows) in &self.rules {
            match rules.iter_mut().find(|(known, _)| known == name) {
                Some((_, costs)) => costs.push(rows.len()),
                None => rules.push((name, vec![rows.len()])),
            }
        }
        let cost = |costs: &[usize]| match costs {
            [cost] => cost.to_string(),
            // Of each slot.
            [first, rest @ ..] if rest.iter().all(|cost| cost == first) => {
                format!("{} × {first}", costs.len())
            }
            _ => costs.iter().sum::<usize>().to_string(),
        };
        let expect: Vec<_> =
            rules.iter().map(|(name, costs)| format!("{name} | {}", cost(costs))).collect();
        let cells = page.lines().map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        let shown: Vec<_> = cells
            .filter_map(|cells| match cells[..] {
                ["", "rule" | "---", ..] => None,
                ["", name, _why, cost, ""] => Some(format!("{name} | {cost}")),
                _ => None,
            })
            .collect();
        assert!(shown == expect, "the page should have:\n{}", expect.join("\n"));
    }

    /// Variables that can be changed alone and break nothing.
    pub(super) fn n_loose(&self, circuit: Circuit<impl Relation>) -> usize {
        audit::loose_wires(&self.r1cs, &Self::values(circuit)).len()
    }

    /// Freedom that a prover has besides what it chooses: with the challenge and its private values fixed,
    /// but not those values that are `made` of them, how many combinations of all other variables can move.
    /// None, because the constraints' Jacobian has full rank in them, but for the hints of what is zero. Digest
    /// and sum are free to follow: held fast, they would hold a value that nothing else does.
    pub(super) fn n_free(&self, circuit: Circuit<impl Relation>, made: &[usize]) -> usize {
        CHOSEN.take();
        let values = Self::values(circuit);
        let chosen = CHOSEN.take();
        // The published values are chosen first, in their order.
        let is_made = |order: &usize| made.contains(order);
        let chosen = chosen.into_iter().enumerate().filter(|(order, _)| !is_made(order));
        let mut fixed: Vec<_> = chosen.map(|(_, index)| self.r1cs.n_instance + index).collect();
        let (one, challenge) = (0, 2);
        fixed.extend([one, challenge]);
        let n_others = self.r1cs.n_instance + self.r1cs.n_witness - fixed.len();
        n_others - audit::rank(&self.r1cs, &values, &fixed)
    }

    /// Each value changed by one and folded again is refused, but for those in `besides`, which may be
    /// either: that the proof binds them all the same is the folding's doing.
    #[track_caller]
    pub(super) fn check_values<R: Relation + Clone>(
        &self,
        relation: &R,
        values: &[Fr],
        besides: &[usize],
    ) {
        for index in (0..values.len()).filter(|index| !besides.contains(index)) {
            let mut said = values.to_vec();
            said[index] += Fr::from(1);
            assert!(!self.holds(Circuit::new(relation.clone(), said)), "value {index}");
        }
        for index in 0..values.len() {
            let mut circuit = Circuit::new(relation.clone(), values.to_vec());
            circuit.values[index] += Fr::from(1);
            assert!(!self.holds(circuit), "value {index}, behind the folding");
        }
    }
}
