//! Why what was kept cannot be gone on with.

use std::io;

/// Each names the file, and the byte where it is a byte's fault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The medium failed.
    #[error("{file} cannot be {action}")]
    Medium {
        /// Which.
        file: String,
        /// What was attempted.
        action: &'static str,
        /// The medium's answer.
        #[source]
        source: io::Error,
    },
    /// The bytes were changed after they were written.
    #[error("{file} is damaged at byte {offset}: {reason}")]
    Damaged {
        /// Which.
        file: String,
        /// Where the first frame begins that is not as it was.
        offset: u64,
        /// What does not hold.
        reason: &'static str,
    },
    /// The log is whole, and another run's, or the same one's by another build.
    #[error("{file} is of another run or build: the record at byte {offset} says so")]
    OtherRun {
        /// Which.
        file: String,
        /// Where the frame begins that differs.
        offset: u64,
    },
    /// The log is whole, and whoever keeps it cannot go through one of its records again: another build wrote it, or
    /// someone who frames records as well as we do.
    #[error(
        "{file} cannot be gone through again: the record at byte {offset} is whole, and not this build's"
    )]
    Unreplayed {
        /// Which.
        file: String,
        /// Where the frame begins.
        offset: u64,
        /// What came of the record.
        #[source]
        source: Box<dyn core::error::Error + Send + Sync>,
    },
    /// The log is whole as far as it goes, and others know that it went further.
    #[error("{file} ends at byte {offset}, before {what}: it is missing, or was cut")]
    Lost {
        /// Which.
        file: String,
        /// Where its last record ends.
        offset: u64,
        /// What it has held, and who knows.
        what: String,
    },
}
