//! What this program may write over, and what it may remove: what it made, and nothing else.
//!
//! A file is ours by its name and by how it begins, a folder by its mark or by holding nothing that is not ours. Whoever
//! works in a folder holds a lock on its mark, which ends with the process.
//!
//! Files appear whole, by a rename; until then they carry a random name that ends in [`PARTIAL`], which is unique over
//! machines that share a folder. What a killed process left under such a name goes when the next one claims the folder.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tempfile::NamedTempFile;

/// The mark of a folder, and what its first line is.
const MARK: (&str, &str) = (".cdpr", "cdpr writes this folder, and removes what it wrote.\n");

/// Ends the name of a file that is not whole yet.
pub const PARTIAL: &str = ".cdpr-part";

/// Random characters of such a name: of 62 kinds, so 95 bits.
const RANDOM: usize = 16;

/// What every report and plot has in its first lines.
pub const MADE_BY: &str = "<!-- made by cdpr -->";

/// The same of a manual page.
pub const MADE_BY_ROFF: &str = ".\\\" made by cdpr\n";

/// How an address file begins, whatever its name.
pub const ADDRESSES: &str = "{\n  \"format\": \"cdpr/addresses/";

/// How much of a file is looked at to tell whose it is.
const BEGINNING: usize = 64;

/// Files that a study leaves, by name and by how they begin.
const FILES: [(&str, &[u8]); 7] = [
    ("results.csv", b"point,replication,policy,"),
    ("results.parquet", b"PAR1"),
    ("summary.json", b"{\n  \"card\": {\n    \"study\": "),
    ("run-card.json", b"{\n  \"study\": "),
    ("report.html", HTML),
    ("report.json", JSON),
    MARK_FILE,
];

const MARK_FILE: (&str, &[u8]) = (MARK.0, MARK.1.as_bytes());
const HTML: &[u8] = b"<!doctype html>\n<!-- made by cdpr -->";
const JSON: &[u8] = b"{\n  \"studies\": ";

/// Folders within a study's that are filled by us too.
const FOLDERS: [&str; 2] = ["chunks", "plots"];

/// How long a claim that only just exists is waited for.
const PATIENCE: (u32, Duration) = (100, Duration::from_millis(10));

/// Why a place cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of somebody else's.
    #[error("{} is there already, and not by this program", .path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// A folder with something of somebody else's.
    #[error("{} holds {found:?}, which is not this program's", .path.display())]
    Shared {
        /// Which.
        path: PathBuf,
        /// What is in it.
        found: String,
    },
    /// Somebody works there.
    #[error("another process is at work in {}", .path.display())]
    Busy {
        /// Where.
        path: PathBuf,
    },
    /// The file system.
    #[error("{}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Its words.
        #[source]
        cause: io::Error,
    },
}

impl Error {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |cause| Self::File { path: path.to_owned(), cause }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Foreign { .. } => Some("move it away, or give another place"),
            Self::Shared { .. } => Some("give a folder that is new, empty, or this program's"),
            Self::Busy { .. } => Some("wait until it has ended, or give another folder"),
            Self::File { cause, .. } => hint(cause),
        }
    }

    /// Whether it is for the user to change what was given.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Foreign { .. } | Self::Shared { .. } | Self::Busy { .. } => true,
            Self::File { cause, .. } => is_input(cause),
        }
    }
}

/// Whether a place was named that cannot be used, rather than that the machine failed.
pub fn is_input(cause: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    let kinds = [
        Kind::NotFound,
        Kind::PermissionDenied,
        Kind::AlreadyExists,
        Kind::NotADirectory,
        Kind::IsADirectory,
        Kind::ReadOnlyFilesystem,
        Kind::InvalidFilename,
        Kind::InvalidInput,
    ];
    kinds.contains(&cause.kind())
}

/// Whether there was no room: on the disk, in a quota, or under `ulimit -f`.
pub fn is_full(cause: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(cause.kind(), Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge)
}

/// What to do about an error of the file system, met in writing.
pub fn hint(cause: &io::Error) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    if is_full(cause) {
        Some("make room, then run the same again")
    } else if cause.kind() == Kind::NotFound {
        Some("make its folder first, or give a place in one that is there")
    } else if matches!(cause.kind(), Kind::AlreadyExists | Kind::NotADirectory) {
        Some("a file is where a folder has to be: give another place")
    } else if is_input(cause) {
        Some("give a place that this user may write")
    } else {
        None
    }
}

/// Whether a file of this name that begins so is ours. An empty one is, since nothing is lost with it.
fn is_ours(name: &OsStr, beginning: &[u8]) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    let known = FILES.iter().find(|(known, _)| *known == name).map(|(_, header)| *header);
    let header = match known {
        Some(header) => header,
        None if is_chunk(name) => crate::chunk::FAMILY,
        None if is_partial(name) => return true,
        // A report may go by any name.
        None => {
            let made =
                [HTML, JSON, MADE_BY.as_bytes(), MADE_BY_ROFF.as_bytes(), ADDRESSES.as_bytes()];
            return beginning.is_empty() || made.iter().any(|made| beginning.starts_with(made));
        }
    };
    beginning.is_empty() || beginning.starts_with(header)
}

fn is_chunk(name: &str) -> bool {
    name.strip_suffix(".chunk")
        .is_some_and(|digits| digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_partial(name: &str) -> bool {
    let stem = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(PARTIAL));
    let random = stem.and_then(|stem| stem.rsplit_once('.')).map(|(_, random)| random);
    random.is_some_and(|random| {
        random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BEGINNING as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Refuses a file that is there and not ours. What is no file, such as a terminal or a pipe, is nobody's.
///
/// # Errors
/// [`Error::Foreign`], or [`Error::File`] when it cannot be looked at.
pub fn check(path: &Path) -> Result<(), Error> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => {
            let name = path.file_name().unwrap_or_default();
            if is_ours(name, &beginning(path).map_err(Error::file(path))?) {
                Ok(())
            } else {
                Err(Error::Foreign { path: path.to_owned() })
            }
        }
        Ok(_) => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(Error::File { path: path.to_owned(), cause }),
    }
}

/// Makes a folder, and those above it.
///
/// # Errors
/// [`Error::File`].
pub fn make(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::file(folder))
}

/// Files of this process that are not whole yet.
static HALF: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn half() -> std::sync::MutexGuard<'static, BTreeSet<PathBuf>> {
    HALF.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what is not whole yet: for a process that ends from within, where nothing is dropped.
pub fn remove_half() {
    for path in std::mem::take(&mut *half()) {
        let _ = fs::remove_file(path);
    }
}

/// A file that is being written: removed unless it is [kept](Partial::keep).
#[derive(Debug)]
pub struct Partial {
    file: NamedTempFile,
    path: PathBuf,
}

impl Partial {
    /// Starts what will be `path`.
    ///
    /// # Errors
    /// As [`check`], or when it cannot be written beside.
    pub fn new(path: &Path) -> Result<Self, Error> {
        check(path)?;
        Self::over(path)
    }

    /// The same over whatever is there.
    fn over(path: &Path) -> Result<Self, Error> {
        // Through a link to what it points to.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(path.file_name().unwrap_or_default());
        prefix.push(".");
        let made = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(PARTIAL)
            .rand_bytes(RANDOM)
            // As any file of this user; temporary ones are for nobody else to read.
            .permissions(fs::Permissions::from_mode(0o666))
            .tempfile_in(folder.unwrap_or(Path::new(".")));
        // The error names the temporary file, which means nothing to anybody.
        let file = made.map_err(|cause| cause.kind().into()).map_err(Error::file(&path))?;
        half().insert(file.path().to_owned());
        Ok(Self { file, path })
    }

    /// The file, to be written to.
    ///
    /// # Errors
    /// When the machine has no more files to give.
    pub fn file(&self) -> Result<File, Error> {
        self.file.as_file().try_clone().map_err(Error::file(&self.path))
    }

    /// Gives it its name, once it is on the disk.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn keep(self) -> Result<(), Error> {
        let Self { file, path } = self;
        let part = file.path().to_owned();
        file.as_file().sync_all().map_err(Error::file(&path))?;
        file.persist(&path).map_err(|error| Error::file(&path)(error.error))?;
        half().remove(&part);
        Ok(())
    }
}

/// Writes a file whole or not at all, over none but our own.
///
/// # Errors
/// [`Error`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let file = OpenOptions::new().write(true).open(path);
        return file.and_then(|mut file| file.write_all(bytes)).map_err(Error::file(path));
    }
    let partial = Partial::new(path)?;
    partial.file()?.write_all(bytes).map_err(Error::file(path))?;
    partial.keep()
}

/// Writes a file whole or not at all, over whatever is there: in folders that are nobody else's, such as a cache.
///
/// # Errors
/// [`Error::File`].
pub fn write_over(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let partial = Partial::over(path)?;
    partial.file()?.write_all(bytes).map_err(Error::file(path))?;
    partial.keep()
}

/// Removes files of ours, and the folder when nothing else is in it.
///
/// # Errors
/// [`Error::File`].
pub fn remove(folder: &Path, mut is_meant: impl FnMut(&Path) -> bool) -> Result<(), Error> {
    let mut others = false;
    for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
        let entry = entry.map_err(Error::file(folder))?;
        let path = entry.path();
        if entry.file_name() == MARK.0 {
            continue;
        }
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && is_meant(&path) && check(&path).is_ok() {
            fs::remove_file(&path).map_err(Error::file(&path))?;
        } else {
            others = true;
        }
    }
    if !others {
        // Somebody may have come in the meantime; then the folder is theirs.
        let _ = fs::remove_file(folder.join(MARK.0)).and_then(|()| fs::remove_dir(folder));
    }
    Ok(())
}

/// A folder that is worked in.
#[derive(Debug)]
pub struct Claim {
    folder: PathBuf,
    mark: File,
    is_new: bool,
}

impl Claim {
    /// Claims a folder for oneself, making it if it is not there.
    ///
    /// # Errors
    /// [`Error`].
    pub fn alone(folder: &Path) -> Result<Self, Error> {
        Self::take(folder, |mark| match mark.try_lock() {
            Err(TryLockError::WouldBlock) => None,
            locked => Some(locked.is_ok()),
        })
    }

    /// Claims a folder together with others who do the same, as those who make chunks of one study do.
    ///
    /// # Errors
    /// [`Error`].
    pub fn together(folder: &Path) -> Result<Self, Error> {
        let claim = Self::take(folder, |mark| match mark.try_lock() {
            Err(TryLockError::WouldBlock) => match mark.try_lock_shared() {
                Err(TryLockError::WouldBlock) => None,
                Ok(()) | Err(TryLockError::Error(_)) => Some(false),
            },
            // Alone for long enough to remove what others left.
            locked => Some(locked.is_ok()),
        })?;
        let _ = claim.mark.lock_shared();
        Ok(claim)
    }

    /// `lock` is none when somebody else holds it, and true when nobody else can.
    fn take(folder: &Path, lock: impl Fn(&File) -> Option<bool>) -> Result<Self, Error> {
        let is_new = !folder.exists();
        let path = folder.join(MARK.0);
        for attempt in 0..PATIENCE.0 {
            make(folder)?;
            check_folder(folder)?;
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let mut mark = options.open(&path).map_err(Error::file(&path))?;
            let Some(is_alone) = lock(&mark) else {
                if attempt + 1 == PATIENCE.0 {
                    break;
                }
                std::thread::sleep(PATIENCE.1);
                continue;
            };
            // Whoever held it may have removed it in the meantime.
            let (ours, there) = (mark.metadata(), fs::metadata(&path));
            let is_same = ours.is_ok_and(|ours| {
                there.is_ok_and(|there| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
            });
            if !is_same {
                continue;
            }
            let claim = Self {
                folder: folder.to_owned(),
                mark: mark.try_clone().map_err(Error::file(&path))?,
                is_new,
            };
            if mark.metadata().is_ok_and(|mark| mark.len() == 0) {
                mark.write_all(MARK.1.as_bytes()).map_err(Error::file(&path))?;
            }
            if is_alone {
                sweep(folder)?;
            }
            return Ok(claim);
        }
        Err(Error::Busy { path: folder.to_owned() })
    }
}

impl Drop for Claim {
    /// A folder that came to nothing goes.
    fn drop(&mut self) {
        let is_empty = || {
            fs::read_dir(&self.folder)
                .is_ok_and(|entries| entries.flatten().all(|entry| entry.file_name() == MARK.0))
        };
        if self.is_new && is_empty() {
            let mark = fs::remove_file(self.folder.join(MARK.0));
            let _ = mark.and_then(|()| fs::remove_dir(&self.folder));
        }
    }
}

/// Removes what killed processes left.
fn sweep(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::file(folder))?.flatten() {
        if entry.file_name().to_str().is_some_and(is_partial) {
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// Refuses a folder that has something of somebody else's and no mark.
fn check_folder(folder: &Path) -> Result<(), Error> {
    let mark = folder.join(MARK.0);
    if mark.exists() {
        return check(&mark);
    }
    for entry in fs::read_dir(folder).map_err(Error::file(folder))? {
        let entry = entry.map_err(Error::file(folder))?;
        let (name, kind) = (entry.file_name(), entry.file_type().map_err(Error::file(folder))?);
        let is_ours = if kind.is_dir() {
            FOLDERS.iter().any(|known| name == *known) && check_folder(&entry.path()).is_ok()
        } else {
            kind.is_file()
                && is_ours(&name, &beginning(&entry.path()).map_err(Error::file(&entry.path()))?)
        };
        // An empty file of any name may be waiting for its owner.
        let is_ours = is_ours && (kind.is_dir() || is_known(&name));
        if !is_ours {
            let found = name.to_string_lossy().into_owned();
            return Err(Error::Shared { path: folder.to_owned(), found });
        }
    }
    Ok(())
}

/// Whether a study leaves files of this name.
fn is_known(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        let is_plot = name.ends_with(".svg") || name.ends_with(".html");
        FILES.iter().any(|(known, _)| *known == name)
            || is_chunk(name)
            || is_partial(name)
            || is_plot
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_is_taken_when_it_is_new_empty_marked_or_ours_by_name_and_header() {
        let root = TempDir::new().unwrap();
        let at = |name: &str| root.path().join(name);
        drop(Claim::alone(&at("new")).unwrap());
        assert!(!at("new").exists(), "what came to nothing is gone");
        fs::create_dir(at("empty")).unwrap();
        drop(Claim::alone(&at("empty")).unwrap());
        assert_eq!(names(&at("empty")), [".cdpr"]);
        fs::write(at("empty").join("notes.md"), "mine").unwrap();
        drop(Claim::alone(&at("empty")).unwrap());

        fs::create_dir_all(at("old/chunks")).unwrap();
        fs::write(at("old/results.csv"), "point,replication,policy,deficit\n").unwrap();
        drop(Claim::alone(&at("old")).unwrap());
        for (file, text) in [
            ("results.csv", "date,price\n"),
            ("thesis.txt", ""),
            ("chunks/thesis.txt", "mine"),
            ("00000001.chunk", "not one"),
            (".cdpr", "settings of another program"),
        ] {
            let folder = TempDir::new().unwrap();
            fs::create_dir(folder.path().join("chunks")).unwrap();
            fs::write(folder.path().join(file), text).unwrap();
            let error = Claim::alone(folder.path()).unwrap_err();
            assert!(error.is_input() && error.hint().is_some(), "{error}");
            assert!(matches!(error, Error::Shared { .. } | Error::Foreign { .. }), "{error}");
            assert_eq!(fs::read_to_string(folder.path().join(file)).unwrap(), text);
        }
    }

    #[test]
    fn one_works_alone_and_several_together() {
        let root = TempDir::new().unwrap();
        let out = root.path().join("out");
        let alone = Claim::alone(&out).unwrap();
        assert!(matches!(Claim::alone(&out), Err(Error::Busy { .. })));
        assert!(matches!(Claim::together(&out), Err(Error::Busy { .. })));
        drop(alone);
        let together = [Claim::together(&out).unwrap(), Claim::together(&out).unwrap()];
        assert!(matches!(Claim::alone(&out), Err(Error::Busy { .. })));
        drop(together);
        drop(Claim::alone(&out).unwrap());
    }

    #[test]
    fn what_a_kill_left_goes_when_nobody_is_at_work() {
        let root = TempDir::new().unwrap();
        let left = format!(".00000001.chunk.{}{PARTIAL}", "a".repeat(RANDOM));
        let first = Claim::together(root.path()).unwrap();
        for name in [left.as_str(), "mine.cdpr-part"] {
            fs::write(root.path().join(name), "half").unwrap();
        }
        drop(Claim::together(root.path()).unwrap());
        assert!(root.path().join(&left).exists(), "it may be the first one's");
        drop(first);
        drop(Claim::together(root.path()).unwrap());
        assert_eq!(names(root.path()), [".cdpr", "mine.cdpr-part"]);
    }

    #[test]
    fn a_file_is_written_over_none_but_ours_and_leaves_nothing_on_an_error() {
        let root = TempDir::new().unwrap();
        let path = root.path().join("report.html");
        write(&path, HTML).unwrap();
        write(&path, HTML).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        fs::write(root.path().join("plain"), "").unwrap();
        let plain = fs::metadata(root.path().join("plain")).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, plain, "as any other file");
        fs::write(&path, "<p>mine</p>").unwrap();
        assert!(matches!(write(&path, HTML), Err(Error::Foreign { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "<p>mine</p>");
        drop(Partial::new(&root.path().join("results.csv")).unwrap());
        assert_eq!(names(root.path()), ["plain", "report.html"]);
        // What would be removed; it is not, because other tests write at the same time.
        let partial = Partial::new(&root.path().join("results.csv")).unwrap();
        let part = partial.file.path().to_owned();
        assert!(half().contains(&part));
        partial.keep().unwrap();
        assert!(!half().contains(&part));
        let nowhere = root.path().join("no/such/folder");
        assert!(write(&nowhere, b"x").unwrap_err().is_input());
        assert!(write(&path.join("below"), b"x").unwrap_err().is_input());
        assert!(write(&nowhere, b"x").unwrap_err().hint().unwrap().contains("make its folder"));
        assert!(make(&path).unwrap_err().hint().unwrap().contains("a folder has to be"));
    }
}
