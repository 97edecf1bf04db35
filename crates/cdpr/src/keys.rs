//! The development proving key: derived once, cached for the user, checked against the pin each time.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use circuits::keys::{Keys, Step};
use indicatif::{ProgressBar, ProgressStyle};
use primitives::sha256;

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
    let bar = ProgressBar::new_spinner()
        .with_style(
            ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
                .context("a progress template")?,
        )
        .with_message("deriving development keys for the clearing circuit, once");
    bar.enable_steady_tick(Duration::from_millis(120));
    let keys = Keys::development(chain_id, |step| {
        bar.set_message(match step {
            Step::Circuit => "development keys, once: synthesising the clearing circuit",
            Step::Keys => "development keys, once: computing the proving key",
            Step::Check => "development keys, once: checking them",
        });
    })?;
    let bytes = keys.to_bytes();
    bar.finish_and_clear();
    anyhow::ensure!(
        sha256(&[&bytes]) == pin,
        "the derived keys are not the ones this build pins; run `cargo xtask artifacts` after changing the circuit"
    );
    // A cache that cannot be written costs time, not correctness.
    match path {
        Some(path) => {
            if let Err(error) = write_whole(&path, &bytes) {
                eprintln!("note: keys are not cached at {}: {error}", path.display());
            }
        }
        None => eprintln!(
            "note: keys are not cached and derived again next time: neither XDG_CACHE_HOME nor HOME is an absolute path"
        ),
    }
    Ok(bytes)
}

/// Writes beside the file and renames, so that a reader never sees half a key.
fn write_whole(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = path.with_extension(format!("part-{}", std::process::id()));
    std::fs::write(&part, bytes)?;
    std::fs::rename(&part, path)
}

/// `$XDG_CACHE_HOME/cdpr`, else `~/.cache/cdpr`.
fn cache_file(pin: &[u8; 32]) -> Option<PathBuf> {
    let folder = cache_folder(std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME"))?;
    let name = primitives::hex(&pin[..8]);
    Some(folder.join("cdpr").join(format!("clearing-development-{name}.keys")))
}

/// Where this user's caches are. A path that is not absolute is not taken: the XDG base directory specification (0.8)
/// has such a one ignored, and wherever somebody happens to stand is no place for a cache.
fn cache_folder(xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    xdg.and_then(absolute).or_else(|| Some(home.and_then(absolute)?.join(".cache")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_is_never_put_where_somebody_happens_to_stand() {
        let folder = |xdg: Option<&str>, home: Option<&str>| {
            cache_folder(xdg.map(Into::into), home.map(Into::into))
                .map(|folder| folder.display().to_string())
        };
        assert_eq!(folder(Some("/c"), Some("/h")).unwrap(), "/c");
        for ignored in [None, Some(""), Some("rel"), Some("./rel")] {
            assert_eq!(folder(ignored, Some("/h")).unwrap(), "/h/.cache");
            for home in [None, Some(""), Some("rel")] {
                assert_eq!(folder(ignored, home), None, "{ignored:?} {home:?}");
            }
        }
    }
}
