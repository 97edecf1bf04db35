//! Why a scenario and a policy do not make a world.

/// Names the key, the value and what would do; [`Error::hint`] says what to try.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A value outside its range.
    #[error("{path} is {value}, outside {min} to {max}")]
    OutOfRange {
        /// The key.
        path: &'static str,
        /// As written.
        value: String,
        /// Least, in shares, dollars, seconds, per hour.
        min: f64,
        /// Greatest.
        max: f64,
    },
    /// A list that is empty or does not rise.
    #[error("{path} must name at least one premium and rise")]
    Ladder {
        /// The key.
        path: String,
    },
    /// An instrument that does not cure this kind of gap.
    #[error("{instrument} cannot cure a {kind} gap")]
    Instrument {
        /// Of the policy.
        instrument: &'static str,
        /// Of the scenario.
        kind: &'static str,
        /// What can.
        cures: &'static str,
    },
    /// Nobody can be invited.
    #[error("makers.invited is {invited}, but makers.population is {population}")]
    Panel {
        /// Asked for.
        invited: u32,
        /// There are.
        population: u32,
    },
    /// A shock after the end.
    #[error("the shock may come {latest_s} s after the start, but the horizon is {horizon_s} s")]
    ShockAfterHorizon {
        /// Latest time of the shock, seconds.
        latest_s: u64,
        /// The horizon, seconds.
        horizon_s: u64,
    },
    /// Reserves do not cover the coin even before the shock.
    #[error(
        "issuer.liquid and issuer.illiquid make {reserves} of supply before the shock, {required} required"
    )]
    ShortFromTheStart {
        /// Their sum, a share.
        reserves: f64,
        /// 1 + buffer.
        required: f64,
    },
    /// More steps than a replication may have.
    #[error("{steps} steps of {step_s} s in the horizon, {max} at most")]
    TooManySteps {
        /// Asked for.
        steps: u64,
        /// Length of one, seconds.
        step_s: u64,
        /// Allowed.
        max: u64,
    },
    /// A published signal with nothing to say.
    #[error(
        "disclosure {disclosure} with mechanism {mechanism}: its auction is public from the first minute"
    )]
    Disclosure {
        /// Of the policy.
        disclosure: &'static str,
        /// Of the policy.
        mechanism: &'static str,
    },
    /// A disclosure that the contracts do not have.
    #[error(
        "disclosure {disclosure} with mechanism cdpr-workflow: the contracts are immediate or sealed"
    )]
    Workflow {
        /// Of the policy.
        disclosure: &'static str,
    },
    /// An epoch too short for its rounds.
    #[error(
        "cdpr-workflow.rounds is {rounds}, but cdpr-workflow.timeout has {ticks} steps: a round takes two"
    )]
    Rounds {
        /// Asked for.
        rounds: u32,
        /// There are.
        ticks: u64,
    },
}

impl Error {
    /// The key that it is about: a scenario's, `disclosure`, or a mechanism's, `mechanism.instrument`.
    pub fn key(&self) -> &str {
        match self {
            Self::OutOfRange { path, .. } => path,
            Self::Ladder { path } => path,
            Self::Instrument { .. } => "mechanism.instrument",
            Self::Panel { .. } => "makers.invited",
            Self::ShockAfterHorizon { .. } => "horizon",
            Self::ShortFromTheStart { .. } => "issuer.liquid",
            Self::TooManySteps { .. } => "step",
            Self::Disclosure { .. } | Self::Workflow { .. } => "disclosure",
            Self::Rounds { .. } => "cdpr-workflow.rounds",
        }
    }

    /// What to try.
    pub fn hint(&self) -> String {
        match self {
            Self::OutOfRange { path, .. } => {
                format!("`--explain {path}` says what it means and where its default comes from")
            }
            Self::Ladder { .. } => "write it as [\"1%\", \"3%\", \"8%\"]".into(),
            Self::Instrument { cures, .. } => format!("use {cures}, or change shock.kind"),
            Self::Panel { population, .. } => {
                format!("invite 1 to {population}, or raise makers.population")
            }
            Self::ShockAfterHorizon { .. } => {
                "raise horizon, or lower shock.at and shock.window".into()
            }
            Self::ShortFromTheStart { .. } => {
                "the hole belongs in shock.gap; raise issuer.liquid or lower issuer.buffer".into()
            }
            Self::TooManySteps { .. } => "a longer step or a shorter horizon".into(),
            Self::Disclosure { .. } => "disclosure = \"public\"".into(),
            Self::Rounds { ticks, .. } => {
                format!("at most {} rounds, or a longer timeout", ticks / 2)
            }
            Self::Workflow { .. } => {
                "disclosure = \"flag\" is the immediate mode, \"none\" the sealed one".into()
            }
        }
    }
}
