//! The programs as modules, built as the suite builds them.

use cre::testing::module;
use cre_standard_tests::{BuildError, PROGRAMS, Program, build_modules};

#[test]
fn every_program_and_example_imports_the_abi_and_nothing_else() {
    let modules = match build_modules() {
        Err(BuildError::Failed { stderr }) if stderr.contains("may not be installed") => {
            println!("skipped: hint: rustup target add wasm32-unknown-unknown");
            return;
        }
        built => built.unwrap(),
    };
    let examples =
        ["price_report", "log_watcher", "fill_watcher", "sealed_balance"].map(str::to_owned);
    for name in PROGRAMS.iter().map(Program::example).chain(examples) {
        let path = modules.join(&name).with_extension("wasm");
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(module::check(&bytes), Ok(()), "{name}");
        assert!(bytes.len() < 200_000, "{name} is {} bytes", bytes.len());
    }
}

#[test]
fn every_program_has_a_directory_and_every_directory_a_program() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/programs");
    let mut found = Vec::new();
    let mut directories = vec![(root.to_owned(), String::new())];
    while let Some((path, name)) = directories.pop() {
        for entry in std::fs::read_dir(&path).unwrap() {
            let entry = entry.unwrap();
            let file = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                let name = if name.is_empty() { file } else { format!("{name}/{file}") };
                directories.push((entry.path().to_str().unwrap().to_owned(), name));
            } else if file == "test.rs" {
                found.push(name.clone());
            }
        }
    }
    found.sort();
    let mut listed: Vec<String> = PROGRAMS.iter().map(|program| program.name.to_owned()).collect();
    listed.sort();
    assert_eq!(found, listed);
}
