//! Matrices searched for freedom that a prover should not have.

use std::collections::BTreeMap;

use ark_ff::{Field, One, Zero};
use pool::{Fr, field};

use crate::r1cs::{R1cs, evaluate};

/// The rank of the constraints' Jacobian at `values`, in the variables that are not `fixed`. The first
/// variable is one and always fixed.
pub(crate) fn rank(r1cs: &R1cs, values: &[Fr], fixed: &[usize]) -> usize {
    let mut is_fixed = vec![false; values.len()];
    is_fixed[0] = true;
    fixed.iter().for_each(|index| is_fixed[*index] = true);
    // Of each variable that was solved for: the combination of others that it is.
    let mut solved = vec![None::<Vec<(usize, Fr)>>; values.len()];
    for row in 0..r1cs.n_constraints() {
        let (a, b, c) = (&r1cs.a[row], &r1cs.b[row], &r1cs.c[row]);
        let (at_a, at_b) = (evaluate(a, values), evaluate(b, values));
        // d(A·B − C) = B·dA + A·dB − dC.
        let mut pending = Vec::new();
        for (terms, factor) in [(a, at_b), (b, at_a), (c, -Fr::one())] {
            let terms = terms.iter().filter(|(_, index)| !is_fixed[*index]);
            pending.extend(terms.map(|(coefficient, index)| (*index, *coefficient * factor)));
        }
        let mut form = BTreeMap::<usize, Fr>::new();
        while let Some((index, factor)) = pending.pop() {
            match &solved[index] {
                Some(others) => {
                    pending.extend(others.iter().map(|(other, f)| (*other, factor * f)));
                }
                None => *form.entry(index).or_default() += factor,
            }
        }
        form.retain(|_, factor| !factor.is_zero());
        let Some((pivot, factor)) = form.pop_last() else { continue };
        let scale = -factor.inverse().expect("not zero");
        solved[pivot] = Some(form.into_iter().map(|(index, f)| (index, f * scale)).collect());
    }
    solved.iter().flatten().count()
}

/// The variables that can be changed alone, by 1, −1 or a large number, and break nothing.
pub(crate) fn loose_wires(r1cs: &R1cs, values: &[Fr]) -> Vec<usize> {
    let matrices = [&r1cs.a, &r1cs.b, &r1cs.c];
    let n_rows = r1cs.n_constraints();
    let sums: Vec<[Fr; 3]> =
        (0..n_rows).map(|row| matrices.map(|matrix| evaluate(&matrix[row], values))).collect();
    // Of each variable: the rows it is in, and with which coefficient in A, B and C.
    let mut columns = vec![Vec::<(usize, [Fr; 3])>::new(); values.len()];
    for row in 0..n_rows {
        for (which, matrix) in matrices.iter().enumerate() {
            for (coefficient, variable) in &matrix[row] {
                let column = &mut columns[*variable];
                if column.last().is_none_or(|(last, _)| *last != row) {
                    column.push((row, [Fr::zero(); 3]));
                }
                column.last_mut().expect("just pushed").1[which] += coefficient;
            }
        }
    }
    let deltas = [Fr::one(), -Fr::one(), field::from_entropy(&[0xa5; 32])];
    let unnoticed = |column: &[(usize, [Fr; 3])], delta: Fr| {
        column.iter().all(|(row, coefficients)| {
            let [a, b, c] =
                core::array::from_fn(|which| sums[*row][which] + coefficients[which] * delta);
            a * b == c
        })
    };
    (1..values.len())
        .filter(|variable| deltas.iter().any(|delta| unnoticed(&columns[*variable], *delta)))
        .collect()
}
