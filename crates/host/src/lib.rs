//! What stands around the enclave: the adapters that a deployment would get from a cloud. It touches
//! processes, sockets and files, so that `protocol` need not.
//!
//! Nouns: the enclave's [`image`] as this build made it, [`launch::Enclave`] as it runs, and
//! [`nsm::Nsmd`], the development security module that vouches for it.

pub mod image;
pub mod launch;
pub mod nsm;
