//! A workflow against a deployment: do its names mean something here, and do its numbers fit.

use std::collections::BTreeMap;

use primitives::Timestamp;
use protocol::workflow::{
    Argument, Output, OutputKind, Reference, Step, StepKind, TIMEOUT_MAX, Workflow,
};

use crate::deployment::{
    AssetRole, ContractRole, Deployment, DisclosureMode, Feed, ImageRole, PoolRole, percent,
};
use crate::diagnostic::{Complaint, Diagnostic, Language, Report, quoted, suggestion};
use crate::parse::Document;

/// Checks that a deployment can run a workflow.
///
/// # Errors
/// The first thing in the workflow's file that this deployment does not know, or forbids.
pub fn check(document: &Document, deployment: &Deployment) -> Result<(), Diagnostic> {
    let mut checker =
        Checker { report: Report::new(&document.file, Language::Yaml), document, deployment };
    for step in document.workflow.steps() {
        checker.report.step = Some(step.id.clone());
        checker.step(step);
    }
    checker.report.into_result()
}

/// What the program behind an image can answer.
const ENCLAVE_OUTPUTS: [(&str, OutputKind); 2] =
    [("status", OutputKind::Boolean), ("deficit", OutputKind::Encrypted)];

/// What a parameter of a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parameter {
    RequestId,
    Proof,
    Boolean,
    Now,
}

struct Function {
    name: &'static str,
    parameters: &'static [(&'static str, Parameter)],
}

const DARK_POOL_FUNCTIONS: [Function; 1] = [Function {
    name: "confidentialFill",
    parameters: &[("request_id", Parameter::RequestId), ("proof", Parameter::Proof)],
}];

const CONFIDENTIAL_POR_FUNCTIONS: [Function; 1] = [Function {
    name: "attestRecovery",
    parameters: &[("recovered", Parameter::Boolean), ("timestamp", Parameter::Now)],
}];

struct Checker<'a> {
    report: Report<'a>,
    document: &'a Document,
    deployment: &'a Deployment,
}

impl Checker<'_> {
    fn step(&mut self, step: &Step) {
        let deployment = self.deployment;
        match &step.kind {
            StepKind::ConfidentialCompute { image, feed, threshold, outputs } => {
                if let Some(ImageRole::Enclave) =
                    self.name(step, "image", image, &deployment.images)
                {
                    outputs.iter().for_each(|output| self.enclave_output(step, output));
                }
                let _: Option<Feed> = self.name(step, "oracle_feed", feed, &deployment.feeds);
                let target = deployment.detect.target;
                if let Some(threshold) = threshold.filter(|threshold| *threshold > target) {
                    let reason =
                        format!("{threshold} is above the deployment's detect.target of {target}");
                    let hint = "recovery fills up to the target and would trigger again; raise the target or lower the threshold";
                    self.refuse(step, "threshold", "threshold", reason, hint);
                }
            }
            StepKind::Conditional { .. } => {}
            StepKind::DarkPool { pool, asset, amount: _, premium, timeout } => {
                let _: Option<PoolRole> = self.name(step, "pool", pool, &deployment.pools);
                if let Some(AssetRole::Claim) = self.name(step, "asset", asset, &deployment.assets)
                {
                    let reason =
                        format!("{} is what makers are paid in, not collateral", quoted(asset));
                    self.refuse(
                        step,
                        "asset",
                        "asset",
                        reason,
                        "ask for an asset with the role \"cash\"",
                    );
                }
                let cap = deployment.guard.premium_cap;
                if *premium > cap {
                    let reason = format!(
                        "{} is above the deployment's cap of {}",
                        percent(*premium),
                        percent(cap)
                    );
                    let hint =
                        format!("lower it, or raise guard.premium_cap in {}", deployment.file);
                    self.refuse(step, "premium", "premium", reason, hint);
                }
                let (min, max) = (deployment.request.timeout_min, deployment.request.timeout_max);
                if *timeout < min || *timeout > max {
                    let reason = format!("{timeout} is outside the deployment's {min} to {max}");
                    let hint = format!(
                        "change it, or request.timeout_min and timeout_max in {}",
                        deployment.file
                    );
                    self.refuse(step, "timeout", "timeout", reason, hint);
                } else {
                    self.outlives_its_rounds(step, *timeout);
                }
            }
            StepKind::Wait { .. } => {}
            StepKind::OnchainTx { contract, function, args } => {
                match self.name(step, "contract", contract, &deployment.contracts) {
                    Some(ContractRole::DarkPool) => {
                        self.call(step, contract, function, args, &DARK_POOL_FUNCTIONS)
                    }
                    Some(ContractRole::ConfidentialPor) => {
                        self.call(step, contract, function, args, &CONFIDENTIAL_POR_FUNCTIONS)
                    }
                    None => {}
                }
            }
        }
    }

    fn enclave_output(&mut self, step: &Step, output: &Output) {
        let position_key = format!("outputs.{}", output.name);
        match ENCLAVE_OUTPUTS.iter().find(|(name, _)| *name == output.name) {
            None => {
                let hint = suggestion(&output.name, ENCLAVE_OUTPUTS.iter().map(|(name, _)| *name));
                self.refuse(
                    step,
                    &position_key,
                    &output.name,
                    "is nothing this image can answer".to_owned(),
                    hint,
                );
            }
            Some((_, kind)) if *kind != output.kind => {
                let (reason, hint) = match kind {
                    OutputKind::Boolean => {
                        ("this image answers it in the clear", "write \"boolean\"")
                    }
                    OutputKind::Encrypted => (
                        "this image answers it encrypted",
                        "write \"encrypted\": no amount leaves the enclave in the clear",
                    ),
                };
                self.refuse(step, &position_key, &output.name, reason.to_owned(), hint);
            }
            Some(_) => {}
        }
    }

    /// A request that expires before its last round, or before anyone looks again, recovers nothing.
    fn outlives_its_rounds(&mut self, step: &Step, timeout: primitives::Duration) {
        let disclosure = &self.deployment.disclosure;
        let (ticks, what) = match disclosure.mode {
            DisclosureMode::Immediate => (1, "next tick"),
            DisclosureMode::Sealed => (
                disclosure.round_ticks().last().copied().unwrap_or(1),
                "last round of a sealed epoch",
            ),
        };
        if let Some(span) =
            longest_span(&self.document.workflow, ticks).filter(|span| timeout <= *span)
        {
            let reason = format!("{timeout} is over before the {what}, which can be {span} later");
            let hint = match disclosure.mode {
                DisclosureMode::Immediate => {
                    "lengthen it, or let the cron fire more often".to_owned()
                }
                DisclosureMode::Sealed => format!(
                    "lengthen it, or shorten disclosure.epoch_ticks in {}",
                    self.deployment.file
                ),
            };
            self.refuse(step, "timeout", "timeout", reason, hint);
        }
    }

    fn call(
        &mut self,
        step: &Step,
        contract: &str,
        name: &str,
        args: &[(String, Argument)],
        functions: &[Function],
    ) {
        let Some(function) = functions.iter().find(|function| function.name == name) else {
            let hint = suggestion(name, functions.iter().map(|function| function.name));
            let reason = format!(
                "{} has no function {} a workflow may call",
                quoted(contract),
                quoted(name)
            );
            return self.refuse(step, "function", "function", reason, hint);
        };
        let mut understood = true;
        for (arg, argument) in args {
            let position_key = format!("args.{arg}");
            match function.parameters.iter().find(|(parameter, _)| parameter == arg) {
                None => {
                    understood = false;
                    let hint = suggestion(
                        arg,
                        function.parameters.iter().map(|(parameter, _)| *parameter),
                    );
                    self.refuse(
                        step,
                        &position_key,
                        arg,
                        format!("is not an argument of {name}"),
                        hint,
                    );
                }
                Some((_, parameter)) if !self.fits(*parameter, argument) => {
                    let (reason, hint) = match parameter {
                        Parameter::RequestId => (
                            "takes a request's id",
                            "name the id of a dark_pool step, such as \"create-request.id\"",
                        ),
                        Parameter::Proof => {
                            ("takes the settlement proof", "write \"dark_pool.zk_proof\"")
                        }
                        Parameter::Boolean => (
                            "takes a boolean output",
                            "name one, such as \"verify-recovery.status\"",
                        ),
                        Parameter::Now => ("takes the time of the tick", "write \"now()\""),
                    };
                    self.refuse(step, &position_key, arg, reason.to_owned(), hint);
                }
                Some(_) => {}
            }
        }
        // An argument nobody knows was meant to be one of these.
        for (parameter, _) in function.parameters.iter().filter(|_| understood) {
            if !args.iter().any(|(arg, _)| arg == parameter) {
                let reason = format!(
                    "is missing: {name} takes {}",
                    function
                        .parameters
                        .iter()
                        .map(|(name, _)| *name)
                        .collect::<Vec<_>>()
                        .join(", ")
                );
                self.refuse(step, "args", parameter, reason, format!("add \"- {parameter}: …\""));
            }
        }
    }

    fn fits(&self, parameter: Parameter, argument: &Argument) -> bool {
        match argument {
            Argument::Now => parameter == Parameter::Now,
            Argument::Proof => parameter == Parameter::Proof,
            Argument::Reference(reference) => self.shape(reference) == Some(parameter),
        }
    }

    /// What a reference would be as an argument; an encrypted output is none.
    fn shape(&self, reference: &Reference) -> Option<Parameter> {
        match &self.document.workflow.step(&reference.step)?.kind {
            StepKind::ConfidentialCompute { outputs, .. } => {
                match outputs.iter().find(|output| output.name == reference.output)?.kind {
                    OutputKind::Boolean => Some(Parameter::Boolean),
                    OutputKind::Encrypted => None,
                }
            }
            StepKind::DarkPool { .. } => Some(Parameter::RequestId),
            StepKind::Conditional { .. } | StepKind::Wait { .. } | StepKind::OnchainTx { .. } => {
                None
            }
        }
    }

    fn name<T: Copy>(
        &mut self,
        step: &Step,
        key: &str,
        name: &str,
        known: &BTreeMap<String, T>,
    ) -> Option<T> {
        let found = known.get(name).copied();
        if found.is_none() {
            let reason = format!(
                "{} does not name {} {name}",
                self.deployment.file,
                article(key),
                name = quoted(name)
            );
            self.refuse(step, key, key, reason, suggestion(name, known.keys().map(String::as_str)));
        }
        found
    }

    fn refuse(
        &mut self,
        step: &Step,
        position_key: &str,
        key: &str,
        reason: String,
        hint: impl Into<String>,
    ) {
        let at = self.document.positions.of(&step.id, position_key);
        self.report.add(at, Some(key), Complaint::new(reason, hint));
    }
}

fn article(key: &str) -> &'static str {
    match key {
        "image" => "an image",
        "oracle_feed" => "a feed",
        "pool" => "a pool",
        "asset" => "an asset",
        _ => "a contract",
    }
}

/// The longest `ticks` consecutive ticks can take, as far as a week of five-minute ticks shows it;
/// at most a little over the longest timeout, where it stops mattering.
fn longest_span(workflow: &Workflow, ticks: u32) -> Option<primitives::Duration> {
    /// Seven days of ticks five minutes apart.
    const TICKS_SEEN: usize = 2_016;
    let ticks = usize::try_from(ticks).ok()?;
    let mut fires: Vec<Timestamp> = Vec::new();
    let mut now = Timestamp(0);
    while fires.len() < TICKS_SEEN + ticks {
        let Some(next) = workflow.cron.next_after(now) else { break };
        fires.push(next);
        now = next;
        if let Some(start) = fires.len().checked_sub(ticks + 1)
            && next.since(fires[start]) > TIMEOUT_MAX
        {
            break;
        }
    }
    fires.windows(ticks + 1).filter_map(|window| Some(window.last()?.since(*window.first()?))).max()
}
