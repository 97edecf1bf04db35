//! The list of `../tests/list`, for a fuzzer to look further from.

#[path = "../../tests/list/mod.rs"]
mod list;

use std::path::Path;

use strangers::Decoder;

/// A target that looks at one family.
#[macro_export]
macro_rules! target {
    ($family:literal) => {
        libfuzzer_sys::fuzz_target!(init: $crate::seed($family), |input: &[u8]| {
            strangers::fuzz($crate::family($family), input);
        });
    };
}

/// A family by its name.
pub fn family(name: &str) -> &'static [Decoder] {
    let mut families = list::FAMILIES.iter();
    families.find(|(family, _)| *family == name).expect("a target is named for its family").1
}

/// Writes the family's inputs where `FUZZ_SEEDS` says, before the fuzzer reads its corpus there.
pub fn seed(name: &str) {
    if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
        strangers::seed(family(name), Path::new(&folder)).expect("a folder to write to");
    }
}
