//! Where to run the model: points in the unit cube, which a sweep then maps to its keys.

use crate::random::Stream;
use crate::stats::len_f64;

/// Most dimensions of a Sobol sequence; half of it for [`saltelli`], which needs two points at once.
pub const SOBOL_DIMENSIONS_MAX: usize = 256;

/// Most points of a Sobol sequence: beyond it the generator repeats.
pub const SOBOL_POINTS_MAX: usize = 1 << 16;

/// The first `n` points of an Owen-scrambled Sobol sequence. Powers of two are balanced best.
///
/// Source: Sobol' (1967); Owen (1995); Burley (2020), "Practical hash-based Owen scrambling", which is what
/// `sobol_burley` implements, with 24 bits a coordinate.
///
/// # Panics
/// If `n` is above [`SOBOL_POINTS_MAX`] or `dimensions` above [`SOBOL_DIMENSIONS_MAX`].
pub fn sobol(n: usize, dimensions: usize, seed: u64) -> Vec<Vec<f64>> {
    assert!(n <= SOBOL_POINTS_MAX && dimensions <= SOBOL_DIMENSIONS_MAX, "the spec was validated");
    let seed = fold(seed);
    (0..n)
        .map(|index| {
            (0..dimensions)
                .map(|d| sobol_burley::sample(to_u32(index), to_u32(d), seed))
                .map(f64::from)
                .collect()
        })
        .collect()
}

/// `n` points of a Latin hypercube: each of `n` equal strata of each dimension holds one point, at a random place.
///
/// Source: McKay, Beckman and Conover (1979).
pub fn latin_hypercube(n: usize, dimensions: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut points = vec![vec![0.0; dimensions]; n];
    for d in 0..dimensions {
        let mut stream = Stream::keyed(seed, &[d as u64]);
        let mut strata: Vec<usize> = (0..n).collect();
        stream.shuffle(&mut strata);
        for (point, stratum) in points.iter_mut().zip(strata) {
            point[d] = (len_f64(stratum) + stream.uniform()) / len_f64(n);
        }
    }
    points
}

/// The `base`·(2d + 2) points of Saltelli's design: for each base point `A, B, AB₁…AB_d, BA₁…BA_d`, where `AB_i` is
/// `A` with the i-th coordinate of `B`.
///
/// Source: Saltelli (2002), "Making best use of model evaluations to compute sensitivity indices".
///
/// # Panics
/// As [`sobol`], of twice the dimensions.
pub fn saltelli(base: usize, dimensions: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut points = Vec::with_capacity(base * (2 * dimensions + 2));
    for both in sobol(base, 2 * dimensions, seed) {
        let (a, b) = both.split_at(dimensions);
        points.push(a.to_vec());
        points.push(b.to_vec());
        for (from, to) in [(a, b), (b, a)] {
            for d in 0..dimensions {
                let mut mixed = from.to_vec();
                mixed[d] = to[d];
                points.push(mixed);
            }
        }
    }
    points
}

/// `trajectories`·(d + 1) points of Morris's design on a grid of `levels`, an even number of at least two: along a
/// trajectory each coordinate moves once, in random order, by levels/2 steps of the grid.
///
/// Source: Morris (1991), "Factorial sampling plans for preliminary computational experiments".
///
/// # Panics
/// If `levels` is odd or zero.
pub fn morris(trajectories: usize, dimensions: usize, levels: usize, seed: u64) -> Vec<Vec<f64>> {
    assert!(levels >= 2 && levels.is_multiple_of(2), "the spec was validated");
    let cell = 1.0 / len_f64(levels - 1);
    let mut points = Vec::with_capacity(trajectories * (dimensions + 1));
    for trajectory in 0..trajectories {
        let mut stream = Stream::keyed(seed, &[trajectory as u64]);
        let mut point: Vec<usize> = (0..dimensions).map(|_| stream.below(levels)).collect();
        let mut order: Vec<usize> = (0..dimensions).collect();
        stream.shuffle(&mut order);
        let real = |point: &[usize]| point.iter().map(|level| len_f64(*level) * cell).collect();
        points.push(real(&point));
        for d in order {
            // Half the grid up from the lower half, down from the upper: the only move that stays inside.
            let half = levels / 2;
            point[d] = if point[d] < half { point[d] + half } else { point[d] - half };
            points.push(real(&point));
        }
    }
    points
}

/// The cell of a full grid: the index of the value of each key, the last key fastest.
pub fn grid_cell(mut index: usize, sizes: &[usize]) -> Vec<usize> {
    let mut cell = vec![0; sizes.len()];
    for (place, size) in cell.iter_mut().zip(sizes).rev() {
        *place = index % size;
        index /= size;
    }
    cell
}

#[allow(clippy::cast_possible_truncation, reason = "bounded by the two limits above")]
const fn to_u32(index: usize) -> u32 {
    index as u32
}

#[allow(clippy::cast_possible_truncation, reason = "folding keeps what fits")]
const fn fold(seed: u64) -> u32 {
    (seed ^ (seed >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_power_of_two_of_the_sobol_sequence_fills_every_stratum_once() {
        for point_count in [16_usize, 256] {
            let points = sobol(point_count, 6, 42);
            for d in 0..6 {
                let mut strata: Vec<usize> = points
                    .iter()
                    .map(|point| crate::stats::index_floor(point[d] * len_f64(point_count)))
                    .collect();
                strata.sort_unstable();
                assert_eq!(strata, (0..point_count).collect::<Vec<_>>(), "dimension {d}");
            }
        }
    }

    /// ∏ (1 + 2(x − ½)/d) integrates to one; the error of 4096 random points would be about 0.009.
    #[test]
    fn the_sobol_sequence_integrates_far_better_than_chance() {
        let d = 5;
        let mean = sobol(4096, d, 1)
            .iter()
            .map(|x| x.iter().map(|x| 1.0 + 2.0 * (x - 0.5) / len_f64(d)).product::<f64>())
            .sum::<f64>()
            / 4096.0;
        assert!((mean - 1.0).abs() < 2e-4, "{mean}");
    }

    #[test]
    fn a_latin_hypercube_has_one_point_in_every_row_and_column() {
        let points = latin_hypercube(50, 3, 8);
        for d in 0..3 {
            let mut strata: Vec<usize> =
                points.iter().map(|point| crate::stats::index_floor(point[d] * 50.0)).collect();
            strata.sort_unstable();
            assert_eq!(strata, (0..50).collect::<Vec<_>>());
        }
        assert_ne!(points, latin_hypercube(50, 3, 9));
    }

    #[test]
    fn saltellis_design_swaps_one_coordinate_at_a_time() {
        let points = saltelli(8, 3, 5);
        assert_eq!(points.len(), 8 * 8);
        let block = &points[..8];
        for d in 0..3 {
            let mixed = |from: &[f64], to: &[f64]| {
                let mut point = from.to_vec();
                point[d] = to[d];
                point
            };
            assert_eq!(block[2 + d], mixed(&block[0], &block[1]));
            assert_eq!(block[5 + d], mixed(&block[1], &block[0]));
        }
    }

    #[test]
    fn a_grid_counts_like_an_odometer() {
        let cells: Vec<Vec<usize>> = (0..6).map(|index| grid_cell(index, &[2, 3])).collect();
        assert_eq!(cells[0], [0, 0]);
        assert_eq!(cells[2], [0, 2]);
        assert_eq!(cells[3], [1, 0]);
        assert_eq!(cells[5], [1, 2]);
    }
}
