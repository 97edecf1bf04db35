//! The tree of note commitments, exactly as `ShieldedPool` grows it.
//!
//! Fixed depth, leaves appended from the left, empty leaves zero. A deposit appends one leaf; a
//! settlement first skips to a multiple of [`BATCH_LEAVES`] and appends a whole batch, so that the
//! contract hashes the batch as one subtree of four levels and touches the frontier once.

use std::sync::OnceLock;

use ark_ff::AdditiveGroup;

use crate::{Fr, hash::compress};

/// Levels between a leaf and the root.
pub const DEPTH: usize = 32;

/// Leaves a batch occupies, filled or not.
pub const BATCH_LEAVES: usize = 16;

/// Leaves the tree holds.
pub const LEAVES_MAX: u64 = 1 << DEPTH;

/// Why a leaf cannot be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No room left.
    #[error("tree is full: {len} leaves used of {LEAVES_MAX}, {asked} more asked for")]
    Full {
        /// Leaves used.
        len: u64,
        /// Leaves asked for.
        asked: u64,
    },
    /// A batch larger than its subtree.
    #[error("batch of {found} leaves is larger than {BATCH_LEAVES}")]
    BatchTooLarge {
        /// Leaves in it.
        found: usize,
    },
}

/// The root of an empty subtree of each height, `z_0 = 0`, `z_{i+1} = C(z_i, z_i)`; the last is the
/// root of the empty tree.
#[must_use]
pub fn zeros() -> &'static [Fr; DEPTH + 1] {
    static ZEROS: OnceLock<[Fr; DEPTH + 1]> = OnceLock::new();
    ZEROS.get_or_init(|| {
        let mut zeros = [Fr::ZERO; DEPTH + 1];
        for level in 0..DEPTH {
            zeros[level + 1] = compress(zeros[level], zeros[level]);
        }
        zeros
    })
}

/// A tree with all its leaves, for whoever has to prove membership.
///
/// Costs 64 bytes a leaf and 32 hashes an append.
#[derive(Clone, Debug)]
pub struct Tree {
    /// `levels[0]` are the leaves, `levels[l + 1]` the parents of `levels[l]`, each as long as it has
    /// nodes that are not [`zeros`]; there is always one node at the top.
    levels: Vec<Vec<Fr>>,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// The empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self { levels: vec![Vec::new(); DEPTH + 1] }
    }

    /// Leaves used, skipped ones included: the index of the next leaf.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the tree always has a level of leaves")]
    pub fn len(&self) -> u64 {
        self.levels.first().expect("a tree has leaves").len() as u64
    }

    /// Whether no leaf was ever appended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Fr {
        self.node(DEPTH, 0)
    }

    /// The leaf at `index`; zero if it is empty, skipped or not there yet.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Fr {
        self.node(0, index)
    }

    /// Appends one leaf, as a deposit does, and returns its index.
    ///
    /// # Errors
    /// [`Error::Full`] if no index is left; the tree is unchanged.
    pub fn append(&mut self, leaf: Fr) -> Result<u64, Error> {
        let index = self.reserve(self.len(), 1)?;
        self.write(index, &[leaf]);
        Ok(index)
    }

    /// Skips to the next multiple of [`BATCH_LEAVES`], appends `leaves` and as many zero leaves as fill
    /// the batch, as a settlement does. Returns the index of the first.
    ///
    /// # Errors
    /// [`Error::BatchTooLarge`] if there are more than [`BATCH_LEAVES`], [`Error::Full`] if no such
    /// range is left; the tree is unchanged.
    pub fn append_batch(&mut self, leaves: &[Fr]) -> Result<u64, Error> {
        if leaves.len() > BATCH_LEAVES {
            return Err(Error::BatchTooLarge { found: leaves.len() });
        }
        let start = self.len().next_multiple_of(BATCH_LEAVES as u64);
        let start = self.reserve(start, BATCH_LEAVES as u64)?;
        let mut batch = [Fr::ZERO; BATCH_LEAVES];
        batch[..leaves.len()].copy_from_slice(leaves);
        self.write(start, &batch);
        Ok(start)
    }

    /// The siblings of the leaf at `index`, or `None` if there is no such leaf yet.
    #[must_use]
    pub fn path(&self, index: u64) -> Option<Path> {
        (index < self.len()).then(|| Path {
            index,
            siblings: core::array::from_fn(|level| self.node(level, (index >> level) ^ 1)),
        })
    }

    fn node(&self, level: usize, index: u64) -> Fr {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.levels[level].get(index))
            .copied()
            .unwrap_or(zeros()[level])
    }

    fn reserve(&self, start: u64, asked: u64) -> Result<u64, Error> {
        if start > LEAVES_MAX - asked {
            return Err(Error::Full { len: self.len(), asked });
        }
        Ok(start)
    }

    /// Writes `leaves` from `start`, at or after the end, and recomputes what is above them.
    fn write(&mut self, start: u64, leaves: &[Fr]) {
        let mut first = usize::try_from(start).expect("an index that memory has room for");
        self.levels[0].resize(first, Fr::ZERO);
        self.levels[0].extend_from_slice(leaves);
        // The parents of skipped leaves are new too, and cost nothing: they are subtrees of zeros,
        // except for the first, which may have leaves on its left.
        for level in 0..DEPTH {
            let old = self.levels[level + 1].len();
            let end = self.levels[level].len().div_ceil(2);
            first /= 2;
            self.levels[level + 1].resize(end.max(old), zeros()[level + 1]);
            for index in first..end {
                let [left, right] = [0, 1].map(|side| self.node(level, 2 * index as u64 + side));
                self.levels[level + 1][index] = compress(left, right);
            }
        }
    }
}

/// Where a leaf is, and what it has to be hashed with to reach the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Index of the leaf, below 2^32; bit `l` says whether its ancestor at level `l` is a right child.
    pub index: u64,
    /// The sibling at each level, from the leaf upwards.
    pub siblings: [Fr; DEPTH],
}

impl Path {
    /// A path that leads from nothing to nowhere, for a slot that is not checked.
    #[must_use]
    pub fn dummy() -> Self {
        Self { index: 0, siblings: [Fr::ZERO; DEPTH] }
    }

    /// The root this path leads to from `leaf`. Bits of `index` beyond the depth are ignored.
    #[must_use]
    pub fn root(&self, leaf: Fr) -> Fr {
        self.siblings.iter().enumerate().fold(leaf, |node, (level, sibling)| {
            if self.index >> level & 1 == 1 {
                compress(*sibling, node)
            } else {
                compress(node, *sibling)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// The root computed the slow way, from the definition.
    fn reference_root(leaves: &[Fr]) -> Fr {
        let mut nodes: BTreeMap<u64, Fr> = (0..).zip(leaves.iter().copied()).collect();
        for zero in &zeros()[..DEPTH] {
            let get = |index: u64| nodes.get(&index).copied().unwrap_or(*zero);
            nodes = nodes
                .keys()
                .map(|index| index / 2)
                .map(|index| (index, compress(get(2 * index), get(2 * index + 1))))
                .collect();
        }
        nodes.get(&0).copied().unwrap_or(zeros()[DEPTH])
    }

    #[test]
    fn an_empty_tree_is_all_zeros() {
        assert_eq!(Tree::new().root(), zeros()[DEPTH]);
        assert_eq!(zeros()[1], compress(Fr::ZERO, Fr::ZERO));
        assert!(Tree::new().path(0).is_none());
    }

    #[test]
    fn a_batch_starts_at_a_multiple_of_sixteen() {
        let mut tree = Tree::new();
        assert_eq!(tree.append(Fr::from(1)), Ok(0));
        assert_eq!(tree.append_batch(&[Fr::from(2); 9]), Ok(16));
        assert_eq!(tree.len(), 32);
        assert_eq!(tree.append(Fr::from(3)), Ok(32));
        assert_eq!(tree.append_batch(&[]), Ok(48));
        assert_eq!(tree.append_batch(&[Fr::from(4); 16]), Ok(64));
        assert_eq!(tree.append_batch(&[Fr::from(4); 17]), Err(Error::BatchTooLarge { found: 17 }));
    }

    #[test]
    fn a_foreign_leaf_has_another_root() {
        let mut tree = Tree::new();
        tree.append(Fr::from(1)).expect("room");
        let path = tree.path(0).expect("there");
        assert_eq!(path.root(Fr::from(1)), tree.root());
        assert_ne!(path.root(Fr::from(2)), tree.root());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn appending_agrees_with_the_definition(
            steps in proptest::collection::vec(proptest::option::of(0..=16_usize), 1..20)
        ) {
            let (mut tree, mut leaves) = (Tree::new(), Vec::new());
            let mut next = 0_u64;
            let mut fresh = || { next += 1; Fr::from(next) };
            for step in steps {
                if let Some(n) = step {
                    let batch: Vec<_> = (0..n).map(|_| fresh()).collect();
                    leaves.resize(leaves.len().next_multiple_of(16), Fr::ZERO);
                    prop_assert_eq!(tree.append_batch(&batch), Ok(leaves.len() as u64));
                    let end = leaves.len() + 16;
                    leaves.extend(batch);
                    leaves.resize(end, Fr::ZERO);
                } else {
                    let leaf = fresh();
                    prop_assert_eq!(tree.append(leaf), Ok(leaves.len() as u64));
                    leaves.push(leaf);
                }
            }
            prop_assert_eq!(tree.root(), reference_root(&leaves));
            for (index, leaf) in (0..).zip(&leaves) {
                prop_assert_eq!(tree.leaf(index), *leaf);
                prop_assert_eq!(tree.path(index).expect("there").root(*leaf), tree.root());
            }
        }
    }
}
