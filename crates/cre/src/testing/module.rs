//! What a built module asks of its host.

/// What a host of the ABI's version 2 defines in `env`, markers apart.
const ENV: [&str; 10] = [
    "await_capabilities",
    "await_secrets",
    "call_capability",
    "emit_metric",
    "get_secrets",
    "log",
    "now",
    "random_seed",
    "send_response",
    "switch_modes",
];
/// A module imports one function of this name's start: what makes it one of version 2.
const MARKER: &str = "version_v2";
/// All of WASI that this SDK uses.
const WASI: [&str; 3] = ["args_get", "args_sizes_get", "proc_exit"];

/// Why a module is not fit for a host, or not pure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModuleError {
    /// The bytes end, or are not what they should be, at this offset.
    #[error("not a WebAssembly module: byte {at}")]
    Malformed {
        /// Offset in bytes.
        at: usize,
    },
    /// It imports what no host of CRE defines, or what would let nodes differ: a clock, randomness, files.
    #[error("imports {module}.{name}")]
    Import {
        /// The import's module.
        module: String,
        /// Its name.
        name: String,
    },
    /// It does not say which version of the ABI it is for.
    #[error("imports no function of env whose name starts with version_v2")]
    NoMarker,
    /// It does not export what a host calls or reads.
    #[error("does not export {name}")]
    NoExport {
        /// The export.
        name: &'static str,
    },
}

/// Checks that a module imports nothing but the ABI's version 2 and three functions of WASI, and exports `memory` and
/// `_start`.
///
/// # Errors
/// The first thing that is not so.
pub fn check(module: &[u8]) -> Result<(), ModuleError> {
    let mut reader = Reader { bytes: module, at: 0 };
    if reader.take(8)? != b"\0asm\x01\0\0\0" {
        return Err(ModuleError::Malformed { at: 0 });
    }
    let (mut has_marker, mut exports) = (false, Vec::new());
    while reader.at < module.len() {
        let id = reader.byte()?;
        let len = reader.number()?;
        let mut section = Reader { bytes: reader.take(len)?, at: 0 };
        match id {
            2 => has_marker = check_imports(&mut section)?,
            7 => exports = read_exports(&mut section)?,
            _ => {}
        }
    }
    if !has_marker {
        return Err(ModuleError::NoMarker);
    }
    for (name, kind) in [("memory", 2), ("_start", 0)] {
        if !exports.contains(&(name.as_bytes(), kind)) {
            return Err(ModuleError::NoExport { name });
        }
    }
    Ok(())
}

/// Whether the marker is among them.
fn check_imports(section: &mut Reader<'_>) -> Result<bool, ModuleError> {
    let mut has_marker = false;
    for _ in 0..section.number()? {
        let (module, name) = (section.name()?, section.name()?);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (module, name) = (text(module), text(name));
        let is_marker = module == "env" && name.starts_with(MARKER);
        let is_known = match module.as_str() {
            "env" => is_marker || ENV.contains(&name.as_str()),
            "wasi_snapshot_preview1" => WASI.contains(&name.as_str()),
            _ => false,
        };
        // Functions only: a table, memory or global is nobody's to give.
        if !is_known || section.byte()? != 0 {
            return Err(ModuleError::Import { module, name });
        }
        has_marker |= is_marker;
        section.number()?;
    }
    Ok(has_marker)
}

fn read_exports<'a>(section: &mut Reader<'a>) -> Result<Vec<(&'a [u8], u8)>, ModuleError> {
    let mut exports = Vec::new();
    for _ in 0..section.number()? {
        exports.push((section.name()?, section.byte()?));
        section.number()?;
    }
    Ok(exports)
}

/// WebAssembly's binary format, section 5.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], ModuleError> {
        let end = self.at.checked_add(len);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or(ModuleError::Malformed { at: self.at })?;
        self.at += len;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, ModuleError> {
        Ok(self.take(1)?[0])
    }

    /// LEB128, of 32 bits at most.
    fn number(&mut self) -> Result<usize, ModuleError> {
        let start = self.at;
        let mut number = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(number).map_err(|_| ModuleError::Malformed { at: start });
            }
        }
        Err(ModuleError::Malformed { at: start })
    }

    fn name(&mut self) -> Result<&'a [u8], ModuleError> {
        let len = self.number()?;
        self.take(len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Vec<u8> {
        let len = u8::try_from(text.len()).unwrap();
        [&[len], text.as_bytes()].concat()
    }

    fn module(imports: &[(&str, &str)], exports: &[(&str, u8)]) -> Vec<u8> {
        let count = |n: usize| vec![u8::try_from(n).unwrap()];
        let mut section = count(imports.len());
        for (module, import) in imports {
            section.extend([name(module), name(import), vec![0, 0]].concat());
        }
        let mut bytes = [b"\0asm\x01\0\0\0", &[2][..], &count(section.len()), &section].concat();
        let mut section = count(exports.len());
        for (export, kind) in exports {
            section.extend([name(export), vec![*kind, 0]].concat());
        }
        bytes.extend([vec![7], count(section.len()), section].concat());
        bytes
    }

    const EXPORTS: [(&str, u8); 2] = [("memory", 2), ("_start", 0)];

    #[test]
    fn a_module_of_the_abi_passes_and_others_are_refused_by_name() {
        let marker = ("env", "version_v2_rust");
        let wasi = "wasi_snapshot_preview1";
        assert_eq!(
            check(&module(&[marker, ("env", "now"), (wasi, "proc_exit")], &EXPORTS)),
            Ok(())
        );
        for (from, what) in
            [(wasi, "clock_time_get"), (wasi, "random_get"), ("env", "getrandom"), ("x", "now")]
        {
            let error = check(&module(&[marker, (from, what)], &EXPORTS)).unwrap_err();
            assert_eq!(error.to_string(), format!("imports {from}.{what}"));
        }
        assert_eq!(check(&module(&[("env", "now")], &EXPORTS)), Err(ModuleError::NoMarker));
        let error = check(&module(&[marker], &EXPORTS[..1])).unwrap_err();
        assert_eq!(error, ModuleError::NoExport { name: "_start" });
        assert_eq!(check(b"not a module"), Err(ModuleError::Malformed { at: 0 }));
    }

    proptest! {
        #[test]
        fn a_damaged_module_is_refused_or_not_and_no_more(at in 0usize..60, with: u8, cut in 0usize..60) {
            let mut bytes = module(&[("env", "version_v2_rust")], &EXPORTS);
            let len = bytes.len();
            bytes[at % len] = with;
            bytes.truncate(len.min(cut.max(8)));
            let _either = check(&bytes).is_ok();
        }
    }
}
