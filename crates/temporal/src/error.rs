//! Why a study did not run on a cluster.

use crate::address::Reason;

/// How a workflow ended, or may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// Every chunk was made.
    #[error("completed")]
    Completed,
    /// On request.
    #[error("was cancelled")]
    Cancelled,
    /// A chunk failed for good.
    #[error("failed: {reason}")]
    Failed {
        /// In the words of who failed.
        reason: String,
    },
    /// Someone ended it by force.
    #[error("was terminated")]
    Terminated,
    /// By a limit that the namespace sets.
    #[error("timed out")]
    TimedOut,
}

/// Why a study did not run on a cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not an address.
    #[error("{address:?} is not the address of a cluster")]
    Address {
        /// As given.
        address: String,
        /// What is wrong.
        #[source]
        reason: Reason,
    },
    /// The SDK is not in this build.
    #[error("this build cannot reach a Temporal cluster")]
    NotBuilt,
    /// Nobody answers, or not as Temporal does.
    #[error("{address} does not answer")]
    Connect {
        /// Where.
        address: String,
        /// The client's words.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A call that the cluster refused.
    #[error("{call} of {workflow} was refused")]
    Call {
        /// Which call.
        call: &'static str,
        /// About what.
        workflow: String,
        /// The cluster's words.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The machine has no threads or no signals to give.
    #[error("the client could not start")]
    Start(#[source] std::io::Error),
    /// The worker stopped by itself.
    #[error("the worker stopped")]
    Worker(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The plan was changed after its spec was read, and workers read the spec.
    #[error("workers would make another study: they see the spec as it was written")]
    OtherPlan,
    /// Too much for one message.
    #[error("{what} has {bytes} bytes, and a message at most {bytes_max}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// How large.
        bytes: u64,
        /// What fits.
        bytes_max: u64,
    },
    /// The workflow ended before the study did.
    #[error("workflow {workflow} {ending}")]
    Ended {
        /// Its id.
        workflow: String,
        /// How.
        ending: Ending,
    },
    /// The workflow completed, and chunks that were asked for are not in its history.
    #[error("workflow {workflow} completed without {missing} of the chunks asked for")]
    Incomplete {
        /// Its id.
        workflow: String,
        /// How many.
        missing: usize,
    },
    /// What a worker sent back is not the chunk, or it could not be kept.
    #[error("chunk {index}")]
    Chunk {
        /// Which.
        index: u64,
        /// What is wrong.
        #[source]
        cause: study::chunk::Error,
    },
}

impl Error {
    /// What to do about it.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Address { .. } => Some(
                "temporal://HOST:PORT[/NAMESPACE][?queue=QUEUE], for example temporal://localhost:7233",
            ),
            Self::OtherPlan => Some("write what the command line changes into the spec"),
            Self::NotBuilt => Some("build with it: cargo build --release --features temporal"),
            Self::Connect { .. } => Some(
                "check host, port and namespace; `temporal server start-dev` runs a server for a try",
            ),
            Self::TooLarge { .. } => Some(
                "give the study fewer policies, or run it by `cdpr simulate chunk` on a batch system",
            ),
            Self::Ended { ending: Ending::Failed { .. }, .. } => {
                Some("mend the cause and run again: chunks that were made are kept")
            }
            Self::Ended { .. } => Some("run again to go on: chunks that were made are kept"),
            Self::Call { .. }
            | Self::Start(_)
            | Self::Worker(_)
            | Self::Incomplete { .. }
            | Self::Chunk { .. } => None,
        }
    }

    /// Whether it is for the user to change what was given.
    pub const fn is_input(&self) -> bool {
        matches!(
            self,
            Self::Address { .. } | Self::NotBuilt | Self::OtherPlan | Self::TooLarge { .. }
        )
    }
}
