//! The trees: 4-ary, fixed depth, leaves appended from the left, empty leaves zero.
//!
//! Nothing of a tree is hashed on chain: a proof takes a root to the next. Every append is a whole
//! aligned subtree, so that what is proven is one path: the subtree at an index was empty and is now
//! this one.

use std::sync::OnceLock;

use ark_ff::AdditiveGroup;

use super::poseidon2::compress;
use crate::Fr;

/// Children of a node.
pub const ARITY: usize = 4;

/// Levels between a note and the root of its tree: 2^32 leaves.
pub const NOTE_DEPTH: usize = 16;

/// Levels between an order and the root of its set: 1,024 places.
pub const ORDER_DEPTH: usize = 5;

/// Why leaves cannot be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No room left.
    #[error("tree is full: {len} leaves used of {max}, {asked} more asked for; hint: none goes on")]
    Full {
        /// Leaves used.
        len: u64,
        /// Leaves there are.
        max: u64,
        /// Leaves asked for.
        asked: u64,
    },
    /// More leaves than the subtree has.
    #[error(
        "batch of {found} leaves is larger than its subtree of {max}; hint: append it in parts"
    )]
    BatchTooLarge {
        /// Leaves in it.
        found: usize,
        /// Leaves the subtree has.
        max: usize,
    },
}

/// `node = P4(c0, c1, c2, c3)`.
#[must_use]
pub fn node(children: [Fr; ARITY]) -> Fr {
    compress(children)
}

/// The root of an empty subtree of each height, `z_0 = 0`, `z_{i+1} = node(z_i, z_i, z_i, z_i)`; the
/// last is the root of an empty tree of notes.
#[must_use]
pub fn zeros() -> &'static [Fr; NOTE_DEPTH + 1] {
    static ZEROS: OnceLock<[Fr; NOTE_DEPTH + 1]> = OnceLock::new();
    ZEROS.get_or_init(|| {
        let mut zeros = [Fr::ZERO; NOTE_DEPTH + 1];
        for level in 0..NOTE_DEPTH {
            zeros[level + 1] = node([zeros[level]; ARITY]);
        }
        zeros
    })
}

/// The root of the subtree of `height` over `leaves` and as many zeros as fill it.
///
/// # Panics
/// If there are more than 4^height leaves.
#[must_use]
pub fn subtree(leaves: &[Fr], height: usize) -> Fr {
    assert!(leaves.len() <= 1_usize << (2 * height), "the subtree holds them");
    let mut nodes = leaves.to_vec();
    for zero in &zeros()[..height] {
        nodes = nodes
            .chunks(ARITY)
            .map(|chunk| node(core::array::from_fn(|at| chunk.get(at).copied().unwrap_or(*zero))))
            .collect();
    }
    nodes.first().copied().unwrap_or(zeros()[height])
}

/// A tree with all its leaves, for whoever has to prove membership.
///
/// Costs about 43 bytes a leaf.
#[derive(Clone, Debug)]
pub struct Tree {
    /// `levels[0]` are the leaves, `levels[l + 1]` the parents of `levels[l]`, each as long as it has
    /// nodes that were ever above an appended leaf. There are as many as the depth, and one.
    levels: Vec<Vec<Fr>>,
}

impl Tree {
    /// The empty tree of this depth, [`NOTE_DEPTH`] or [`ORDER_DEPTH`].
    ///
    /// # Panics
    /// If it is deeper than [`NOTE_DEPTH`].
    #[must_use]
    pub fn new(depth: usize) -> Self {
        assert!(depth <= NOTE_DEPTH, "no tree is deeper");
        Self { levels: vec![Vec::new(); depth + 1] }
    }

    /// Levels between a leaf and the root.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.levels.len() - 1
    }

    /// Leaves used, skipped ones included: the index of the next leaf.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Whether no leaf was ever appended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Fr {
        self.node(self.depth(), 0)
    }

    /// The leaf at `index`; zero if it is empty, skipped or not there yet.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Fr {
        self.node(0, index)
    }

    /// Skips to the next multiple of 4^height, appends `leaves` and as many zeros as fill that subtree.
    /// Returns the index of the first. A height of 0 appends one leaf.
    ///
    /// # Errors
    /// [`Error::BatchTooLarge`] or [`Error::Full`]; the tree is unchanged.
    pub fn append(&mut self, leaves: &[Fr], height: usize) -> Result<u64, Error> {
        let asked = 1_usize << (2 * height);
        let found = leaves.len();
        if found > asked {
            return Err(Error::BatchTooLarge { found, max: asked });
        }
        let (len, max) = (self.len(), 1_u64 << (2 * self.depth()));
        let start = len.next_multiple_of(asked as u64);
        if start + asked as u64 > max {
            return Err(Error::Full { len, max, asked: asked as u64 });
        }
        let mut first = usize::try_from(start).expect("an index that memory has room for");
        let leaves_level = &mut self.levels[0];
        leaves_level.resize(first, Fr::ZERO);
        leaves_level.extend_from_slice(leaves);
        leaves_level.resize(first + asked, Fr::ZERO);
        for level in 0..self.depth() {
            // Parents of skipped leaves are subtrees of zeros, except for the first, which may have
            // leaves on its left and is there already.
            first /= ARITY;
            let end = self.levels[level].len().div_ceil(ARITY);
            self.levels[level + 1].resize(end, zeros()[level + 1]);
            for index in first..end {
                let children = |at| self.node(level, (ARITY * index + at) as u64);
                self.levels[level + 1][index] = node(core::array::from_fn(children));
            }
        }
        Ok(start)
    }

    /// What leads from the node at `height` above the leaf `index` to the root, whether there is a leaf
    /// yet or not.
    ///
    /// # Panics
    /// If the tree has no such index.
    #[must_use]
    pub fn path(&self, index: u64, height: usize) -> Path {
        assert!(index < 1 << (2 * self.depth()), "an index of the tree");
        let index = index >> (2 * height);
        let siblings = (height..self.depth())
            .map(|level| {
                let at = index >> (2 * (level - height));
                let mut others = (0..ARITY as u64).filter(|place| *place != at % ARITY as u64);
                [0; 3].map(|_| {
                    let place = others.next().expect("three are left");
                    self.node(level, at / ARITY as u64 * ARITY as u64 + place)
                })
            })
            .collect();
        Path { index, siblings }
    }

    fn node(&self, level: usize, index: u64) -> Fr {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.levels[level].get(index))
            .copied()
            .unwrap_or(zeros()[level])
    }
}

/// Where a node is, and what it has to be hashed with to reach the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Index of the node among those of its level; two bits a level say which child an ancestor is,
    /// the lowest of the node itself.
    pub index: u64,
    /// The three siblings at each level, from the node upwards, in their order.
    pub siblings: Vec<[Fr; ARITY - 1]>,
}

impl Path {
    /// A path of `depth` levels from nothing to nowhere, for what is not checked.
    #[must_use]
    pub fn dummy(depth: usize) -> Self {
        Self { index: 0, siblings: vec![[Fr::ZERO; ARITY - 1]; depth] }
    }

    /// The children at each level, from `node` upwards: the path's siblings and what it leads through.
    #[must_use]
    pub fn children(&self, node: Fr) -> Vec<[Fr; ARITY]> {
        let mut here = node;
        let levels = self.siblings.iter().enumerate().map(|(level, siblings)| {
            let place = usize::try_from(self.index >> (2 * level) & 3).expect("below 4");
            let mut siblings = siblings.iter();
            let children = core::array::from_fn(|at| {
                if at == place { here } else { *siblings.next().expect("three") }
            });
            here = self::node(children);
            children
        });
        levels.collect()
    }

    /// The root this path leads to from `node`. Bits of `index` beyond its levels are ignored.
    #[must_use]
    pub fn root(&self, node: Fr) -> Fr {
        self.children(node).last().map_or(node, |children| self::node(*children))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The root computed the slow way, from the definition, over the leaves that a small tree has.
    fn reference_root(leaves: &[Fr], depth: usize) -> Fr {
        let mut nodes = leaves.to_vec();
        nodes.resize(1 << (2 * depth), Fr::ZERO);
        for _ in 0..depth {
            nodes = nodes.chunks(4).map(|chunk| node(chunk.try_into().expect("four"))).collect();
        }
        nodes[0]
    }

    #[test]
    fn an_empty_tree_is_all_zeros() {
        assert_eq!(Tree::new(NOTE_DEPTH).root(), zeros()[NOTE_DEPTH]);
        assert_eq!(Tree::new(ORDER_DEPTH).root(), zeros()[ORDER_DEPTH]);
        assert_eq!(Tree::new(3).root(), reference_root(&[], 3));
    }

    #[test]
    fn a_batch_starts_at_a_multiple_of_its_size() {
        let mut tree = Tree::new(NOTE_DEPTH);
        assert_eq!(tree.append(&[Fr::from(1)], 0), Ok(0));
        assert_eq!(tree.append(&[Fr::from(2); 9], 2), Ok(16));
        assert_eq!(tree.append(&[], 2), Ok(32));
        assert_eq!(tree.append(&[Fr::from(3); 20], 3), Ok(64));
        assert_eq!(tree.len(), 128);
        let too_large = Error::BatchTooLarge { found: 17, max: 16 };
        assert_eq!(tree.append(&[Fr::from(4); 17], 2), Err(too_large));
    }

    #[test]
    fn a_full_tree_takes_no_more() {
        let mut tree = Tree::new(1);
        for index in 0..4 {
            assert_eq!(tree.append(&[Fr::from(1)], 0), Ok(index));
        }
        assert_eq!(tree.append(&[Fr::from(1)], 0), Err(Error::Full { len: 4, max: 4, asked: 1 }));
    }

    #[test]
    fn a_foreign_leaf_has_another_root() {
        let mut tree = Tree::new(NOTE_DEPTH);
        tree.append(&[Fr::from(1)], 0).expect("room");
        let path = tree.path(0, 0);
        assert_eq!(path.root(Fr::from(1)), tree.root());
        assert_ne!(path.root(Fr::from(2)), tree.root());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn appending_agrees_with_the_definition(
            steps in proptest::collection::vec((0..=2_usize, 0..=16_usize), 1..8)
        ) {
            let (mut tree, mut leaves) = (Tree::new(4), Vec::new());
            let mut next = 0_u64;
            for (height, n) in steps {
                let size = 1_usize << (2 * height);
                let batch: Vec<_> =
                    (0..n.min(size)).map(|_| { next += 1; Fr::from(next) }).collect();
                leaves.resize(leaves.len().next_multiple_of(size), Fr::ZERO);
                let before = tree.path(leaves.len() as u64, height);
                prop_assert_eq!(before.root(zeros()[height]), tree.root());
                prop_assert_eq!(tree.append(&batch, height), Ok(leaves.len() as u64));
                prop_assert_eq!(before.root(subtree(&batch, height)), tree.root());
                let end = leaves.len() + size;
                leaves.extend(batch);
                leaves.resize(end, Fr::ZERO);
            }
            prop_assert_eq!(tree.root(), reference_root(&leaves, 4));
            for (index, leaf) in (0..).zip(&leaves) {
                prop_assert_eq!(tree.leaf(index), *leaf);
                prop_assert_eq!(tree.path(index, 0).root(*leaf), tree.root());
            }
        }
    }
}
