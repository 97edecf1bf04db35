//! JavaScript and TypeScript in a build without the compiler that they take.

use std::path::Path;

use engine::Limits;

use super::program::Loaded;
use super::refuse;
use crate::Failure;

/// # Errors
/// Always, before anything is bundled.
pub(super) fn load(path: &Path, _: &Limits, _: bool) -> Result<Loaded, Failure> {
    Err(refuse(
        format!("{}: JavaScript takes a compiler that is not in this build", path.display()),
        "build it in: `cargo run --release --features compiler -- workflow ...`",
    ))
}
