//! What is proven, how it is proven, and the keys.
//!
//! A crate of its own because arkworks is heavy and nothing else should know it: the enclave links
//! this to prove, everyone else to verify.
//!
//! Four nouns: a [`clearing::Witness`] is every secret of a settlement at once; a
//! [`clearing::Statement`] is what of it becomes public; [`keys::Keys`] tie a circuit to a proof
//! system; a [`prove::Proof`] convinces whoever has the verifying key.
//!
//! A relation is written twice, in plain Rust and in constraints, from the same page of the book;
//! tests hold the two against each other.

pub mod clearing;
pub mod second;

pub mod keys;
pub mod prove;

pub mod r1cs;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

mod gadgets;

#[cfg(test)]
mod audit;
