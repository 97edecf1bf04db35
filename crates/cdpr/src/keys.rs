//! Development proving keys: derived once, cached for the user, checked against their pins each time.

use std::ffi::OsString;
use std::path::PathBuf;

use circuits::keys::{Circuit, Keys, Step};
use primitives::sha256;
use rustix::process::{Resource, getrlimit};
use study::{folder, reading};

use crate::terminal::{Progress, note};

/// Most bytes of a file that could be them.
const LEN_MAX: u64 = 1 << 30;

/// Of address space: with less, a mission's proofs run out of memory (between 400 and 500 MB are too little, measured
/// under `ulimit -v`), and a Rust program that runs out of memory ends without a word of what it was doing.
const ROOM_MIN: u64 = 512 << 20;

/// The first pool's, as bytes: see [`development_of`].
pub(crate) fn development(chain_id: u64) -> anyhow::Result<Vec<u8>> {
    development_of(Circuit::Clearing, chain_id)
}

/// A relation's, ready to prove with.
pub(crate) fn of(circuit: Circuit, chain_id: u64) -> anyhow::Result<Keys> {
    let bytes = development_of(circuit, chain_id)?;
    Ok(Keys::from_bytes_of(circuit, &bytes, &circuit.pinned().keys_sha256, chain_id)?)
}

/// A circuit's development keys, as bytes. Made under a progress bar the first time, some seconds; read from the user's
/// cache afterwards. A damaged cache is made again.
fn development_of(circuit: Circuit, chain_id: u64) -> anyhow::Result<Vec<u8>> {
    if let Some(room) = getrlimit(Resource::As).current.filter(|room| *room < ROOM_MIN) {
        anyhow::bail!(
            "this process may use {} MB of address space, and proving takes {} MB\n  hint: raise `ulimit -v`",
            room >> 20,
            ROOM_MIN >> 20
        );
    }
    let (name, pin) = (circuit.name(), circuit.pinned().keys_sha256);
    let path = cache_file(name, &pin);
    if let Some(bytes) = path
        .as_ref()
        .and_then(|path| reading::read(path, LEN_MAX).ok())
        .filter(|b| sha256(&[b]) == pin)
    {
        return Ok(bytes);
    }
    let progress = Progress::working(format!("deriving development keys of {name}, once"));
    let keys = Keys::development_of(circuit, chain_id, |step| {
        let step = match step {
            Step::Circuit => "synthesising the circuit",
            Step::Keys => "computing the proving key",
            Step::Check => "checking them",
        };
        progress.bar.set_message(format!("development keys of {name}, once: {step}"));
    })?;
    let bytes = keys.to_bytes();
    drop(progress);
    anyhow::ensure!(
        sha256(&[&bytes]) == pin,
        "the derived keys are not the ones this build pins; run `cargo xtask artifacts` after changing the circuit"
    );
    // A cache that cannot be written costs time, not correctness.
    let Some(path) = path else {
        note(
            "note: keys are not cached and derived again next time: neither XDG_CACHE_HOME nor HOME is an absolute path",
        );
        return Ok(bytes);
    };
    let kept = path.parent().map_or(Ok(()), folder::make);
    if let Err(error) = kept.and_then(|()| folder::write_over(&path, &bytes)) {
        let error = anyhow::Error::from(error);
        note(format_args!("note: keys are not cached at {}: {error:#}", path.display()));
    }
    Ok(bytes)
}

fn cache_file(circuit: &str, pin: &[u8; 32]) -> Option<PathBuf> {
    let pin = primitives::hex(&pin[..8]);
    Some(cache()?.join(format!("{circuit}-development-{pin}.keys")))
}

/// `$XDG_CACHE_HOME/cdpr`, else `~/.cache/cdpr`.
pub(crate) fn cache() -> Option<PathBuf> {
    let folder = cache_folder(std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME"))?;
    Some(folder.join("cdpr"))
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
