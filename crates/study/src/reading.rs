//! Reading with an end. What is no regular file may never begin or never end, and what is longer than it may be does not fit
//! into memory: both are refused before anything is read of them.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// Reads a whole file of at most `most` bytes.
///
/// # Errors
/// The system's, or [`io::ErrorKind::InvalidInput`] when it is a pipe, a device or a socket, or longer.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let refuse = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    let found = fs::metadata(path)?;
    // A folder is named by the system.
    if !found.is_file() && !found.is_dir() {
        return refuse("not a regular file, so it may never end: write it to one first".to_owned());
    }
    let is_longer = |len: u64| len > most;
    let mut bytes = Vec::new();
    if !(found.is_file() && is_longer(found.len())) {
        // It may grow meanwhile, and files of /proc have no length.
        File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
        if !is_longer(bytes.len() as u64) {
            return Ok(bytes);
        }
    }
    refuse(format!("larger than {}", size(most)))
}

/// A power of two in the largest unit that it is a whole number of.
fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes >= 1 << 30 => format!("{} GiB", bytes >> 30),
        _ if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        _ => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    #[test]
    fn only_a_regular_file_that_is_not_too_long_is_read() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("four"), "four").unwrap();
        assert_eq!(read(&at("four"), 4).unwrap(), b"four");
        let refused = |path: &Path, most| read(path, most).unwrap_err().to_string();
        assert_eq!(refused(&at("four"), 3), "larger than 3 bytes");
        // Nothing of it is read: there is no memory for it.
        File::create(at("sparse")).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(refused(&at("sparse"), 2 << 30), "larger than 2 GiB");
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RUSR).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink("pipe", at("link")).unwrap();
        for path in [at("pipe"), at("link"), at("socket"), "/dev/zero".into(), "/dev/null".into()] {
            assert!(refused(&path, 4).starts_with("not a regular file"), "{}", path.display());
        }
        drop(socket);
        assert!(refused(folder.path(), 4).starts_with("Is a directory"));
        assert!(refused(&at("none"), 4).starts_with("No such file"));
        assert!(read(Path::new("/proc/self/status"), 1 << 20).unwrap().starts_with(b"Name:"));
    }
}
