//! Values of the second design that contracts, circuits and other people's tools must agree with.

use core::fmt::Write;

use pool::{
    Fr, field,
    second::{fold, note, poseidon2, tree},
};
use primitives::Hex;

fn hex(value: &Fr) -> String {
    format!("\"0x{}\"", Hex(&field::to_bytes(value)))
}

/// Vectors of as many values as relations have, and of edges.
fn vectors() -> String {
    let some = |n: u64| (0..n).map(|index| Fr::from(index * index + 1)).collect::<Vec<_>>();
    let wide = |n: u8| (0..n).map(|byte| field::from_entropy(&[byte; 32])).collect::<Vec<_>>();
    let all: [Vec<Fr>; 8] = [
        vec![],
        vec![Fr::from(0)],
        vec![-Fr::from(1); 4],
        some(3),
        some(7),
        wide(13),
        wide(19),
        wide(50),
    ];
    let mut json =
        "{\n  \"source\": \"pool::second::fold; posted is the digest and then the values; 32-byte \
                    big-endian values\",\n  \"vectors\": [\n"
            .to_owned();
    for (index, values) in all.iter().enumerate() {
        let [digest, challenge, sum] = fold::inputs(values);
        let posted: Vec<_> = [digest].iter().chain(values).map(hex).collect();
        let comma = if index + 1 < all.len() { "," } else { "" };
        writeln!(
            json,
            "    {{\n      \"challenge\": {},\n      \"posted\": [{}],\n      \"sum\": {}\n    }}{comma}",
            hex(&challenge),
            posted.join(", "),
            hex(&sum),
        )
        .expect("a string takes everything");
    }
    json.push_str("  ]\n}\n");
    json
}

/// If this changes, so does what every proof is of: the file is what this prints, and the commit says why.
#[test]
fn the_contracts_vectors_are_these() {
    let committed = include_str!("../../../contracts/test/vectors/fold.json");
    let fresh = vectors();
    assert!(committed == fresh, "contracts/test/vectors/fold.json should be:\n{fresh}");
}

/// Nodes of edges and of nodes, a leaf, and the root of a tree without leaves.
fn nodes() -> String {
    let [zero, one, last] = [Fr::from(0), Fr::from(1), -Fr::from(1)];
    let mut all = vec![
        [zero; 4],
        [0, 1, 2, 3].map(Fr::from),
        [one, zero, zero, zero],
        [zero, zero, zero, one],
        [last; 4],
        [last, zero, last, zero],
        [3, 5, 7, 11].map(Fr::from),
    ];
    let [a, b, c, _] = all[6];
    all.push([poseidon2::compress(all[6]), a, b, c]);
    let mut json =
        "{\n  \"source\": \"pool::second::poseidon2::compress and pool::second::note::leaf; \
                    32-byte big-endian values\",\n  \"vectors\": [\n"
            .to_owned();
    for (index, children) in all.iter().enumerate() {
        let node = hex(&poseidon2::compress(*children));
        let children = children.each_ref().map(hex).join(", ");
        let comma = if index + 1 < all.len() { "," } else { "" };
        writeln!(json, "    {{ \"children\": [{children}], \"node\": {node} }}{comma}")
            .expect("a string takes everything");
    }
    let empty = hex(&tree::zeros()[tree::NOTE_DEPTH]);
    let leaf = hex(&note::leaf(Fr::from(5), Fr::from(6), Fr::from(7)));
    write!(json, "  ],\n  \"empty\": {empty},\n  \"leaf\": {leaf}\n}}\n")
        .expect("a string takes everything");
    json
}

/// If this changes, so do all notes.
#[test]
fn the_contracts_nodes_and_leaf_are_these() {
    let committed = include_str!("../../../contracts/test/vectors/width4.json");
    let fresh = nodes();
    assert!(committed == fresh, "contracts/test/vectors/width4.json should be:\n{fresh}");
}
