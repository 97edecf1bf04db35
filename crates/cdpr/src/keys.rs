//! The development proving key: derived once, cached for the user, checked against the pin each time.

use std::path::PathBuf;

use circuits::keys::{Keys, Step};
use indicatif::{HumanDuration, ProgressBar};
use primitives::sha256;
use study::folder;

use crate::terminal::{Progress, note};

/// The clearing circuit's development keys, as bytes. Made under a progress bar the first time, some
/// seconds; read from the user's cache afterwards. A damaged cache is made again.
pub(crate) fn development(chain_id: u64) -> anyhow::Result<Vec<u8>> {
    let pin = sim::proving_key_pin();
    let path = cache_file(&pin);
    if let Some(bytes) =
        path.as_ref().and_then(|path| std::fs::read(path).ok()).filter(|b| sha256(&[b]) == pin)
    {
        return Ok(bytes);
    }
    let progress = Progress::new(
        ProgressBar::new_spinner()
            .with_message("deriving development keys for the clearing circuit, once"),
        "{spinner} {msg} ({elapsed})",
        |bar| format!("{}, {}", bar.message(), HumanDuration(bar.elapsed())),
    );
    let keys = Keys::development(chain_id, |step| {
        progress.bar.set_message(match step {
            Step::Circuit => "development keys, once: synthesising the clearing circuit",
            Step::Keys => "development keys, once: computing the proving key",
            Step::Check => "development keys, once: checking them",
        });
    })?;
    let bytes = keys.to_bytes();
    drop(progress);
    anyhow::ensure!(
        sha256(&[&bytes]) == pin,
        "the derived keys are not the ones this build pins; run `cargo xtask artifacts` after changing the circuit"
    );
    if let Some(path) = path {
        // A cache that cannot be written costs time, not correctness.
        let kept = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let kept = kept.map_err(anyhow::Error::from);
        if let Err(error) = kept.and_then(|()| Ok(folder::write_over(&path, &bytes)?)) {
            note(format_args!("note: keys are not cached at {}: {error:#}", path.display()));
        }
    }
    Ok(bytes)
}

/// `$XDG_CACHE_HOME/cdpr`, else `~/.cache/cdpr`.
fn cache_file(pin: &[u8; 32]) -> Option<PathBuf> {
    let folder = std::env::var_os("XDG_CACHE_HOME")
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    let name = primitives::hex(&pin[..8]);
    Some(folder.join("cdpr").join(format!("clearing-development-{name}.keys")))
}
