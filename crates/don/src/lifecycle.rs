//! A workflow's life: it names its triggers once, and is run each time one of them fires.

use cre::messages::sdk::{
    ExecuteRequest, ExecutionResult, Regions, Requirements, Restrictions, TeeType,
    TeeTypeAndRegions, Trigger, TriggerSubscription, execute_request, execution_result, tee,
};

use crate::execution::{Executor, run};
use crate::usage::within;
use crate::{
    Behaviour, CapabilityError, Code, Don, Execution, Job, NoQuorum, ProgramError, Registry,
    Workflow, execute,
};

/// Why a workflow cannot be started, or a trigger not be answered.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// A limit is exceeded.
    #[error("the workflow was refused")]
    Refused(#[source] CapabilityError),
    /// The nodes returned different things, or nothing.
    #[error("the nodes did not agree on {what}")]
    NoQuorum {
        /// On what.
        what: &'static str,
        /// By how much.
        #[source]
        source: NoQuorum,
    },
    /// So many nodes have no answer that the others are no quorum: this is not the workflow's doing.
    #[error("{n_broken} of {n} nodes could not run the workflow for {what}")]
    Broken {
        /// For what.
        what: &'static str,
        /// How many.
        n_broken: usize,
        /// Of how many.
        n: usize,
        /// Why the first could not.
        #[source]
        source: ProgramError,
    },
    /// The workflow itself failed.
    #[error("the workflow failed to give {what}: {reason}")]
    Failed {
        /// To give what.
        what: &'static str,
        /// In its own words.
        reason: String,
    },
    /// It answered something else.
    #[error("the workflow was asked for {what} and gave something else")]
    Unexpected {
        /// For what.
        what: &'static str,
    },
    /// It requires a TEE that is not there.
    #[error("cannot find a runner that can satisfy the requirements for trigger {trigger}")]
    NoRunner {
        /// Its index.
        trigger: usize,
    },
    /// It has no such trigger.
    #[error("trigger {trigger} was not subscribed to, there are {n_triggers}")]
    UnknownTrigger {
        /// Its index.
        trigger: u64,
        /// How many there are.
        n_triggers: usize,
    },
}

/// The triggers of a workflow. A trigger's id is its place in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscriptions {
    /// As the workflow named them.
    pub triggers: Vec<TriggerSubscription>,
    /// Per trigger, which TEE runs it; `None` is the nodes themselves.
    tees: Vec<Option<usize>>,
}

/// Asks a workflow for its triggers.
///
/// # Errors
/// [`LifecycleError`], also if a trigger requires a TEE that `workflow.tees` has not.
pub fn subscribe(
    don: &Don,
    workflow: &Workflow<'_>,
    job: &Job,
    registry: &mut Registry<'_>,
    behaviours: &[Behaviour<'_>],
) -> Result<Subscriptions, LifecycleError> {
    const WHAT: &str = "its triggers";
    let limits = &workflow.limits;
    within(workflow.config.len(), limits.config_size_max, "a configuration")
        .map_err(LifecycleError::Refused)?;
    let request = ExecuteRequest {
        config: workflow.config.clone(),
        request: Some(execute_request::Request::Subscribe(())),
        max_response_size: 0,
    };
    let execution = execute(don, workflow, &request, job, registry, behaviours);
    let triggers = match agreed(WHAT, execution)?.result {
        Some(execution_result::Result::TriggerSubscriptions(list)) => list.subscriptions,
        Some(execution_result::Result::Error(reason)) => {
            return Err(LifecycleError::Failed { what: WHAT, reason });
        }
        Some(execution_result::Result::Value(_) | execution_result::Result::Restrictions(_))
        | None => return Err(LifecycleError::Unexpected { what: WHAT }),
    };
    if triggers.len() > limits.triggers_max {
        let (found, most) = (triggers.len(), limits.triggers_max);
        let message = format!("a workflow of {found} triggers, the limit is {most}");
        return Err(LifecycleError::Refused(CapabilityError::user(Code::LimitExceeded, message)));
    }
    let tees = triggers.iter().enumerate().map(|(trigger, subscription)| {
        let Some(required) = required_tee(subscription.requirements.as_ref()) else {
            return Ok(None);
        };
        let fits = |runner: &&dyn crate::TeeRunner| satisfies(&runner.tee(), required);
        let found = workflow.tees.iter().position(fits);
        found.map(Some).ok_or(LifecycleError::NoRunner { trigger })
    });
    let tees = tees.collect::<Result<_, _>>()?;
    Ok(Subscriptions { triggers, tees })
}

impl Subscriptions {
    /// Runs the workflow for a trigger that fired: its pre-hook first, if the trigger has one, on the nodes
    /// and without configuration; then its handler under the pre-hook's restrictions, on the nodes or in the
    /// TEE that the trigger requires. If the pre-hook reports an error, its execution is the outcome.
    ///
    /// # Errors
    /// [`LifecycleError`]. A handler's own failure is in the [`Execution`].
    pub fn fire(
        &self,
        don: &Don,
        workflow: &Workflow<'_>,
        trigger: Trigger,
        job: &Job,
        registry: &mut Registry<'_>,
        behaviours: &[Behaviour<'_>],
    ) -> Result<Execution, LifecycleError> {
        let unknown =
            LifecycleError::UnknownTrigger { trigger: trigger.id, n_triggers: self.triggers.len() };
        let Some(idx) = usize::try_from(trigger.id).ok().filter(|idx| *idx < self.triggers.len())
        else {
            return Err(unknown);
        };
        let mut job = job.clone();
        if self.triggers[idx].pre_hook {
            let request = ExecuteRequest {
                config: Vec::new(),
                request: Some(execute_request::Request::PreHook(trigger.clone())),
                max_response_size: 0,
            };
            let execution = execute(don, workflow, &request, &job, registry, behaviours);
            match restrictions(execution)? {
                PreHook::Restrictions(restrictions) => job.restrictions = Some(restrictions),
                PreHook::Failed(execution) => return Ok(*execution),
            }
        }
        let request = ExecuteRequest {
            config: workflow.config.clone(),
            request: Some(execute_request::Request::Trigger(trigger)),
            max_response_size: 0,
        };
        let tee = self.tees[idx].and_then(|tee| workflow.tees.get(tee));
        let executor = match tee {
            Some(tee) => Executor::Tee(*tee),
            None if self.tees[idx].is_some() => {
                return Err(LifecycleError::NoRunner { trigger: idx });
            }
            None => Executor::Nodes(workflow.program),
        };
        Ok(run(don, workflow, executor, &request, &job, registry, behaviours))
    }
}

enum PreHook {
    Restrictions(Restrictions),
    Failed(Box<Execution>),
}

fn restrictions(execution: Execution) -> Result<PreHook, LifecycleError> {
    const WHAT: &str = "its restrictions";
    if let Ok(agreement) = &execution.agreed
        && let Some(execution_result::Result::Error(_)) = &agreement.value.result
    {
        return Ok(PreHook::Failed(Box::new(execution)));
    }
    match agreed(WHAT, execution)?.result {
        Some(execution_result::Result::Restrictions(restrictions)) => {
            Ok(PreHook::Restrictions(restrictions))
        }
        Some(
            execution_result::Result::Value(_)
            | execution_result::Result::Error(_)
            | execution_result::Result::TriggerSubscriptions(_),
        )
        | None => Err(LifecycleError::Unexpected { what: WHAT }),
    }
}

fn agreed(what: &'static str, execution: Execution) -> Result<ExecutionResult, LifecycleError> {
    let source = match execution.agreed {
        Ok(agreement) => return Ok(agreement.value),
        Err(source) => source,
    };
    let n = execution.results.len();
    let n_broken = execution.results.iter().flatten().filter(|result| result.is_err()).count();
    match execution.results.into_iter().flatten().find_map(Result::err) {
        Some(error) if n - n_broken < source.quorum => {
            Err(LifecycleError::Broken { what, n_broken, n, source: error })
        }
        Some(_) | None => Err(LifecycleError::NoQuorum { what, source }),
    }
}

fn required_tee(requirements: Option<&Requirements>) -> Option<&tee::Item> {
    requirements?.tee.as_ref().map(|tee| {
        // A TEE without further words: any, anywhere.
        const ANY: &tee::Item = &tee::Item::AnyRegions(Regions { regions: Vec::new() });
        tee.item.as_ref().unwrap_or(ANY)
    })
}

/// Whether a TEE is of a required kind and shares a region with what is required; no region named is any.
fn satisfies(tee: &TeeTypeAndRegions, required: &tee::Item) -> bool {
    let is_known = tee.r#type != TeeType::Unspecified as i32;
    let in_region = |regions: &[String]| {
        regions.is_empty() || regions.iter().any(|region| tee.regions.contains(region))
    };
    is_known
        && match required {
            tee::Item::AnyRegions(any) => in_region(&any.regions),
            tee::Item::TeeTypesAndRegions(list) => list
                .tee_type_and_regions
                .iter()
                .any(|one| one.r#type == tee.r#type && in_region(&one.regions)),
        }
}
