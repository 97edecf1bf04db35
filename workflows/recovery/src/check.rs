//! A workflow against a deployment: do its names mean something here, and do its numbers fit.

use std::collections::BTreeMap;

use primitives::Timestamp;
use protocol::workflow::{
    Compute, DarkPool, OnchainCall, Output, OutputKind, Step, StepKind, TIMEOUT_MAX, Workflow,
};

use crate::DisclosureMode;
use crate::deployment::{AssetRole, ContractRole, Deployment, Feed, ImageRole, PoolRole, percent};
use crate::diagnostic::{Complaint, Diagnostic, Language, Report, quoted, suggestion};
use crate::parse::{Document, no_function};

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

/// The call that a contract offers a workflow.
const fn offered(role: ContractRole) -> OnchainCall {
    match role {
        ContractRole::DarkPool => OnchainCall::Settle,
        ContractRole::ConfidentialPor => OnchainCall::Attest,
    }
}

struct Checker<'a> {
    report: Report<'a>,
    document: &'a Document,
    deployment: &'a Deployment,
}

impl Checker<'_> {
    fn step(&mut self, step: &Step) {
        match &step.kind {
            StepKind::ConfidentialCompute(compute) => self.compute(step, compute),
            StepKind::Conditional { .. } | StepKind::Wait { .. } => {}
            StepKind::DarkPool(ask) => self.dark_pool(step, ask),
            StepKind::OnchainTx { call, contract } => {
                let role = self.name(step, "contract", contract, &self.deployment.contracts);
                if let Some(offered) = role.map(offered).filter(|offered| offered != call) {
                    let reason = no_function(contract, call.function());
                    let hint = suggestion(call.function(), [offered.function()]);
                    self.refuse(step, "function", "function", reason, hint);
                }
            }
        }
    }

    fn compute(&mut self, step: &Step, compute: &Compute) {
        let Compute { image, feed, threshold, outputs } = compute;
        let role = self.name(step, "image", image, &self.deployment.images);
        if let Some(ImageRole::Enclave) = role {
            outputs.iter().for_each(|output| self.enclave_output(step, output));
        }
        let known: Option<Feed> = self.name(step, "oracle_feed", feed, &self.deployment.feeds);
        let target = self.deployment.detect.target;
        if let Some(threshold) = threshold.filter(|threshold| *threshold > target) {
            let reason = format!("{threshold} is above the deployment's detect.target of {target}");
            let hint = "recovery fills up to the target and would trigger again; raise the target or lower the threshold";
            self.refuse(step, "threshold", "threshold", reason, hint);
        }
        // W5. What nobody knows by name has been refused for that.
        let Some(first) = self.document.workflow.compute() else { return };
        let another = || "is not what the first compute step says".to_owned();
        let hint =
            "the enclave judges the reserves once a tick, and every compute step reads that answer";
        if role.is_some() && *image != first.image {
            self.refuse(step, "image", "image", another(), hint);
        }
        if known.is_some() && *feed != first.feed {
            self.refuse(step, "oracle_feed", "oracle_feed", another(), hint);
        }
        if threshold.is_some() && *threshold != first.threshold {
            self.refuse(step, "threshold", "threshold", another(), hint);
        }
    }

    fn dark_pool(&mut self, step: &Step, ask: &DarkPool) {
        let deployment = self.deployment;
        let DarkPool { pool, asset, amount: _, premium, timeout } = ask;
        let _: Option<PoolRole> = self.name(step, "pool", pool, &deployment.pools);
        if let Some(AssetRole::Claim) = self.name(step, "asset", asset, &deployment.assets) {
            let reason = format!("{} is what makers are paid in, not collateral", quoted(asset));
            let hint = "ask for an asset with the role \"cash\"";
            self.refuse(step, "asset", "asset", reason, hint);
        }
        let cap = deployment.guard.premium_cap;
        if *premium > cap {
            let (premium, cap) = (percent(*premium), percent(cap));
            let reason = format!("{premium} is above the deployment's cap of {cap}");
            let hint = format!("lower it, or raise guard.premium_cap in {}", deployment.file);
            self.refuse(step, "premium", "premium", reason, hint);
        }
        let (min, max) = (deployment.request.timeout_min, deployment.request.timeout_max);
        if *timeout < min || *timeout > max {
            let reason = format!("{timeout} is outside the deployment's {min} to {max}");
            let file = &deployment.file;
            let hint = format!("change it, or request.timeout_min and timeout_max in {file}");
            self.refuse(step, "timeout", "timeout", reason, hint);
        } else {
            self.outlives_its_rounds(step, *timeout);
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
