//! What the committed artifacts say about the sources they were compiled from.

use std::collections::BTreeMap;

use alloy::primitives::{B256, keccak256};

/// A source file that is not the one an artifact was compiled from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{artifact} was compiled from another {source_path}; run `cargo xtask artifacts`")]
pub struct Stale {
    /// File name of the artifact.
    pub artifact: String,
    /// Path of the source, relative to the contracts' folder.
    pub source_path: String,
}

/// Why an artifact cannot be checked.
#[derive(Debug, thiserror::Error)]
#[error("the artifact has no readable list of sources")]
pub struct ArtifactError(#[from] serde_json::Error);

#[derive(serde::Deserialize)]
struct Artifact {
    sources: BTreeMap<String, B256>,
}

/// The sources under `src/` of one artifact (its JSON text), with the Keccak-256 they had, by path.
///
/// # Errors
/// If the text is not such an artifact.
pub fn sources(artifact: &str) -> Result<BTreeMap<String, B256>, ArtifactError> {
    let Artifact { mut sources } = serde_json::from_str(artifact)?;
    sources.retain(|path, _| path.starts_with("src/"));
    Ok(sources)
}

/// Compares one artifact, a file name and its text, with the sources as they are. `read` gives a
/// source by its path relative to the contracts' folder, `None` if there is no such file.
///
/// # Errors
/// If the text is not an artifact.
pub fn stale(
    artifact: (&str, &str),
    mut read: impl FnMut(&str) -> Option<Vec<u8>>,
) -> Result<Vec<Stale>, ArtifactError> {
    let (name, text) = artifact;
    Ok(sources(text)?
        .into_iter()
        .filter(|(path, hash)| read(path).is_none_or(|source| keccak256(source) != *hash))
        .map(|(source_path, _)| Stale { artifact: name.to_owned(), source_path })
        .collect())
}
