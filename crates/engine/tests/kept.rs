//! Compiled modules on disk. In a process of its own, since the folder is a process's.

#![cfg(feature = "wasmtime")]
#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use engine::{Limits, Module};

/// Modules, without the notes that the cache keeps about them.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let modules = files.into_iter().filter(|path| {
        path.extension().is_none()
            && !path.file_name().unwrap().as_encoded_bytes().starts_with(b".")
    });
    folders.iter().flat_map(|folder| self::files(folder)).chain(modules).collect()
}

#[test]
fn what_is_compiled_is_kept_and_damage_only_costs_time() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("modules");
    let _ = std::fs::remove_dir_all(&folder);
    engine::keep_compiled_in(folder.clone());

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let wasm = std::fs::read(root.join("workflows/recovery/wasm/workflow.wasm")).unwrap();
    let compile = || Module::compile(&wasm, &Limits::production()).unwrap().hash();
    let hash = compile();
    let [kept] = &files(&folder)[..] else { panic!("one module, one file: {:?}", files(&folder)) };

    // Taken from there, not written again.
    let old = SystemTime::UNIX_EPOCH;
    std::fs::File::open(kept).unwrap().set_modified(old).unwrap();
    assert_eq!(compile(), hash);
    assert_eq!(std::fs::metadata(kept).unwrap().modified().unwrap(), old);

    // Written again where it is damaged.
    let whole = std::fs::read(kept).unwrap();
    for damaged in [&whole[..whole.len() / 2], &[][..], &vec![0xa5; whole.len()]] {
        std::fs::write(kept, damaged).unwrap();
        assert_eq!(compile(), hash);
        assert_eq!(std::fs::read(kept).unwrap(), whole);
    }
}
