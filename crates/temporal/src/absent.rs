//! The same names without the SDK: nothing of them can be had.

use std::convert::Infallible;
use std::path::Path;

use study::execute::Makers;
use study::plan::Plan;

use crate::{Address, Error};

/// A connection to a cluster.
#[derive(Debug)]
pub struct Cluster(Infallible);

/// A study on a cluster.
#[derive(Debug)]
pub struct Study<'a>(&'a Cluster);

impl Cluster {
    /// # Errors
    /// [`Error::NotBuilt`].
    pub fn connect(_: &Address) -> Result<Self, Error> {
        Err(Error::NotBuilt)
    }

    /// As with feature `sdk`.
    ///
    /// # Errors
    /// None: there is no cluster.
    pub fn study(&self, _: &Plan, _: &str, _: &str) -> Result<Study<'_>, Error> {
        match self.0 {}
    }

    /// As with feature `sdk`.
    pub fn cancel_on_interrupt(&self) {
        match self.0 {}
    }

    /// As with feature `sdk`.
    ///
    /// # Errors
    /// None: there is no cluster.
    pub fn work(
        &self,
        _: usize,
        _: impl Fn(&str, u64) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        match self.0 {}
    }
}

impl Study<'_> {
    /// As with feature `sdk`.
    pub fn workflow(&self) -> &str {
        match self.0.0 {}
    }
}

impl Makers for Study<'_> {
    fn width(&self) -> usize {
        match self.0.0 {}
    }

    fn make(
        &self,
        _: &Plan,
        _: &[u64],
        _: &Path,
        _: &(dyn Fn(u64) + Sync),
    ) -> Result<(), study::chunk::Error> {
        match self.0.0 {}
    }
}
