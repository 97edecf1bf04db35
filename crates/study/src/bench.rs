//! CDPR-Bench-1 through the study's own path, beside a loop written by hand: what the machinery costs.

/// A row of [`crate::model::BENCH1`].
pub fn row(_seed: u64, _replication: u64, _is_naive: bool) -> Vec<f64> {
    unimplemented!()
}
