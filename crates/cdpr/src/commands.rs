//! One file per command.

pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod simulate;
pub(crate) mod verify;
pub(crate) mod workflow;
