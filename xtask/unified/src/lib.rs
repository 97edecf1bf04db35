//! Empty. Its manifest names features that only some builds ask of crates which all builds share: those of tests, and
//! those of `--features compiler`. Cargo unites the features of the packages it builds, and builds all of this
//! workspace's by default, so that the README's two commands and the gate compile alloy, revm and arkworks once.
//! (A "workspace hack", as cargo-hakari calls it: <https://docs.rs/cargo-hakari>.)
