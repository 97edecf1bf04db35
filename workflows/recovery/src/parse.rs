//! The workflow's grammar, and the rules of `protocol::workflow` that need no deployment: W1 to W4 and the
//! arguments of W6.
//!
//! One walk in file order: a reference is looked up among the steps declared so far, so that the
//! first mistake in the file is the one reported.

use std::collections::BTreeMap;

use primitives::{Bytes32, Duration, sha256};
use protocol::workflow::{
    Compute, Condition, Cron, CronError, DarkPool, FillEvent, OnchainCall, Output, OutputKind,
    REQUEST_ID_OUTPUT, Reference, Step, StepKind, TIMEOUT_MAX, TIMEOUT_MIN, Workflow,
};

use crate::diagnostic::{Complaint, Diagnostic, Language, Position, Report, quoted, suggestion};
use crate::quantity;
use crate::tree::{Entry, Mapping, Node, ScalarKind, Value};
use crate::yaml;

/// A workflow that makes sense in itself, with where its words stand, for [`crate::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it says.
    pub workflow: Workflow,
    /// SHA-256 of the source's bytes, comments and all.
    pub source_hash: Bytes32,
    pub(crate) file: String,
    pub(crate) positions: Positions,
}

/// Reads a workflow. `file` is only for messages.
///
/// # Errors
/// The first mistake in the file. Text that is not YAML, or not what a workflow may use of it, is
/// reported before anything the text says.
pub fn parse(source: &str, file: &str) -> Result<Document, Diagnostic> {
    let mut report = Report::new(file, Language::Yaml);
    let root = match yaml::parse(source) {
        Ok(node) => Entry { at: Position::START, key: "workflow".to_owned(), node },
        Err((at, complaint)) => {
            report.add(at, None, complaint);
            return Err(report.into_result().expect_err("a complaint was just added"));
        }
    };
    let mut reader = Reader {
        report,
        declared: Vec::new(),
        later: BTreeMap::new(),
        scope: Vec::new(),
        positions: Positions::default(),
    };
    let workflow = reader.workflow(&root);
    reader.report.into_result()?;
    Ok(Document {
        workflow: workflow.expect("what could not be read was reported"),
        source_hash: Bytes32(sha256(&[source.as_bytes()])),
        file: file.to_owned(),
        positions: reader.positions,
    })
}

/// Where a step's values stand: step id and key, `outputs.` before names the author chose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Positions(BTreeMap<(String, String), Position>);

impl Positions {
    pub(crate) fn of(&self, step: &str, key: &str) -> Position {
        self.0.get(&(step.to_owned(), key.to_owned())).copied().unwrap_or(Position::START)
    }
}

/// What a reference finds, or an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Boolean,
    Encrypted,
    RequestId,
    /// `dark_pool.zk_proof`.
    Proof,
    /// `now()`.
    Now,
}

impl Shape {
    const fn noun(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Encrypted => "encrypted",
            Self::RequestId => "a request's id",
            Self::Proof => "the settlement proof",
            Self::Now => "the time of the tick",
        }
    }
}

/// What a call takes, by name.
const fn parameters(call: OnchainCall) -> &'static [(&'static str, Shape)] {
    match call {
        OnchainCall::Settle => &[("request_id", Shape::RequestId), ("proof", Shape::Proof)],
        OnchainCall::Attest => &[("recovered", Shape::Boolean), ("timestamp", Shape::Now)],
    }
}

/// A step that stands above the one being read.
#[derive(Debug)]
struct Declared {
    id: String,
    line: u32,
    /// None for one of an unknown type.
    kind: Option<&'static str>,
    /// The conditionals around it, outermost first.
    scope: Vec<String>,
    outputs: Vec<(String, Shape)>,
}

#[derive(Debug)]
struct Reader<'a> {
    report: Report<'a>,
    declared: Vec<Declared>,
    /// Every id in the file and its line, to tell a later step from none.
    later: BTreeMap<String, u32>,
    scope: Vec<String>,
    positions: Positions,
}

const STEP_TYPES: [&str; 5] =
    ["confidential_compute", "conditional", "dark_pool", "wait", "onchain_tx"];

/// Words that stand for the pool and the clock in expressions.
const RESERVED_IDS: [&str; 2] = ["dark_pool", "now"];

const FILL_EVENT: &str = "dark_pool.fill_event";
const PROOF: &str = "dark_pool.zk_proof";
const NOW: &str = "now()";

const NAME_LEN_MAX: usize = 64;

impl Reader<'_> {
    fn workflow(&mut self, root: &Entry) -> Option<Workflow> {
        let top = root.mapping(&mut self.report, &["workflow"])?;
        let body =
            top.require_mapping(&mut self.report, "workflow", &["name", "triggers", "steps"])?;
        let name = body.require(&mut self.report, "name").and_then(|entry| self.title(entry));
        let cron =
            body.require(&mut self.report, "triggers").and_then(|entry| self.triggers(entry));
        let steps = body.require(&mut self.report, "steps").and_then(|entry| {
            collect_ids(entry, &mut self.later);
            self.steps(entry)
        });
        Some(Workflow { name: name?, cron: cron?, steps: steps? })
    }

    fn title(&mut self, entry: &Entry) -> Option<String> {
        let text = entry.text(&mut self.report)?;
        if text.chars().count() > NAME_LEN_MAX || text.chars().any(char::is_control) {
            return entry.refuse(
                &mut self.report,
                "is not a name",
                format!("one line of at most {NAME_LEN_MAX} characters"),
            );
        }
        Some(text.to_owned())
    }

    fn triggers(&mut self, entry: &Entry) -> Option<Cron> {
        let triggers = entry.sequence(&mut self.report, "trigger")?;
        if let Some(second) = triggers.get(1) {
            let complaint = Complaint::new(
                format!("a workflow has one trigger, this is the second of {}", triggers.len()),
                "put both times into one cron schedule, or make two workflows",
            );
            self.report.add(second.at, Some("triggers"), complaint);
        }
        let trigger = triggers.first()?.mapping(&mut self.report, "triggers")?;
        let kind = trigger.require(&mut self.report, "type")?;
        match kind.text(&mut self.report)? {
            "cron" => {}
            other => {
                let reason = format!("a trigger of type {} is not supported here", quoted(other));
                return kind.refuse(
                    &mut self.report,
                    reason,
                    "the one trigger is cron, for example schedule: \"*/5 * * * *\"",
                );
            }
        }
        trigger.refuse_unknown(&mut self.report, &["type", "schedule"]);
        let schedule = trigger.require(&mut self.report, "schedule")?;
        let cron = schedule.text(&mut self.report)?.parse().map_err(|error: CronError| {
            let hint = match error {
                CronError::NeverFires { .. } => "29 February fires in leap years; 30 February, 31 April and their like never do",
                CronError::FieldCount { .. }
                | CronError::Item { .. }
                | CronError::OutOfRange { .. }
                | CronError::Inverted { .. }
                | CronError::Step { .. } => "for example \"*/5 * * * *\", every five minutes; seconds, @names, ?, L, W and # are not supported",
            };
            Complaint::new(error.to_string(), hint)
        });
        self.report.take(schedule.node.at, "schedule", cron)
    }

    fn steps(&mut self, entry: &Entry) -> Option<Vec<Step>> {
        let outer = self.report.step.clone();
        let nodes = entry.sequence(&mut self.report, "step")?;
        // Every step is read, even below a broken one, because a mistake reported later may stand earlier.
        let mut steps = Vec::new();
        for (idx, node) in nodes.iter().enumerate() {
            self.report.step = None;
            steps.push(self.step(node, idx + 1));
            self.report.step.clone_from(&outer);
        }
        steps.into_iter().collect()
    }

    fn step(&mut self, node: &Node, number: usize) -> Option<Step> {
        self.report.step = id_of(node).filter(|id| is_word(id)).map(str::to_owned);
        let step = node.mapping(&mut self.report, "steps")?;
        let Some(id_entry) = step.get("id") else {
            if step.refuse_misspelt(&mut self.report, "id") {
                return None;
            }
            let complaint = Complaint::new(
                format!("step {number} of this list has none"),
                "add \"id: …\", by which other steps call it",
            );
            self.report.add(node.at, Some("id"), complaint);
            return None;
        };
        let id = self.id(id_entry)?;
        if let Some(earlier) = self.declared.iter().find(|earlier| earlier.id == id) {
            let reason = format!("is also the id of the step in line {}", earlier.line);
            id_entry.refuse::<()>(
                &mut self.report,
                reason,
                "ids are unique over the whole workflow; rename one",
            );
        }
        let idx = self.declared.len();
        self.declared.push(Declared {
            id: id.clone(),
            line: id_entry.at.line,
            kind: None,
            scope: self.scope.clone(),
            outputs: Vec::new(),
        });
        let kind_entry = step.require(&mut self.report, "type")?;
        let kind_name = kind_entry.text(&mut self.report)?;
        self.declared[idx].kind = STEP_TYPES.into_iter().find(|known| *known == kind_name);
        let (kind, outputs) = match kind_name {
            "confidential_compute" => self.confidential_compute(&id, step)?,
            "conditional" => (self.conditional(&id, step)?, Vec::new()),
            "dark_pool" => {
                if let Some(other) =
                    self.declared[..idx].iter().find(|earlier| earlier.kind == Some("dark_pool"))
                {
                    let reason = format!(
                        "a second request: step {} in line {} makes the first",
                        quoted(&other.id),
                        other.line
                    );
                    kind_entry.refuse::<()>(
                        &mut self.report,
                        reason,
                        "an issuer has one request open at a time; escalation is the guard's",
                    );
                }
                (self.dark_pool(&id, step)?, vec![(REQUEST_ID_OUTPUT.to_owned(), Shape::RequestId)])
            }
            "wait" => (self.wait(&id, step)?, Vec::new()),
            "onchain_tx" => (self.onchain_tx(&id, step)?, Vec::new()),
            other => {
                let reason = format!("there is no step type {}", quoted(other));
                return kind_entry.refuse(&mut self.report, reason, suggestion(other, STEP_TYPES));
            }
        };
        self.declared[idx].outputs = outputs;
        Some(Step { id, kind })
    }

    fn id(&mut self, entry: &Entry) -> Option<String> {
        let text = entry.text(&mut self.report)?;
        if !is_word(text) {
            let hint =
                "letters, digits, - and _, beginning with a letter, at most 64: \"check-reserves\"";
            return entry.refuse(
                &mut self.report,
                format!("{} cannot be an id", quoted(text)),
                hint,
            );
        }
        if RESERVED_IDS.contains(&text) {
            return entry.refuse(
                &mut self.report,
                format!("{} means something else in expressions", quoted(text)),
                "choose another id",
            );
        }
        Some(text.to_owned())
    }

    fn confidential_compute(
        &mut self,
        id: &str,
        step: Mapping<'_>,
    ) -> Option<(StepKind, Vec<(String, Shape)>)> {
        step.refuse_unknown(&mut self.report, &["id", "type", "spec"]);
        let spec =
            step.require_mapping(&mut self.report, "spec", &["image", "inputs", "outputs"])?;
        let image = self.name(id, spec, "image");
        let inputs =
            spec.require(&mut self.report, "inputs").and_then(|entry| self.inputs(id, entry));
        let outputs =
            spec.require(&mut self.report, "outputs").and_then(|entry| self.outputs(id, entry));
        let (feed, threshold) = inputs?;
        let outputs = outputs?;
        let shape = |output: &Output| match output.kind {
            OutputKind::Boolean => Shape::Boolean,
            OutputKind::Encrypted => Shape::Encrypted,
        };
        let shapes = outputs.iter().map(|output| (output.name.clone(), shape(output))).collect();
        let compute = Compute { image: image?, feed, threshold, outputs };
        Some((StepKind::ConfidentialCompute(compute), shapes))
    }

    fn inputs(&mut self, id: &str, entry: &Entry) -> Option<(String, Option<primitives::Ratio>)> {
        let (mut feed, mut threshold) = (None, None);
        // An item nobody understands may have been meant to be the feed.
        let mut understood = true;
        for pair in entry.pairs(&mut self.report, "input")? {
            match pair.map(|pair| (pair, pair.key.as_str())) {
                Some((pair, "oracle_feed")) => feed = Some(self.entry_name(id, pair)),
                Some((pair, "threshold")) => {
                    self.place(id, "threshold", pair);
                    let text = pair.number(&mut self.report);
                    threshold = Some(text.and_then(|text| {
                        self.report.take(pair.node.at, "threshold", quantity::ratio(text))
                    }));
                }
                Some((pair, other)) => {
                    understood = false;
                    let hint = suggestion(other, ["oracle_feed", "threshold"]);
                    self.report.add(pair.at, Some(other), Complaint::new("is not an input", hint));
                }
                None => understood = false,
            }
        }
        if feed.is_none() && understood {
            let complaint =
                Complaint::new("is missing", "add \"- oracle_feed: …\", the reserves to look at");
            self.report.add(entry.node.at, Some("oracle_feed"), complaint);
        }
        Some((
            feed??,
            match threshold {
                Some(threshold) => Some(threshold?),
                None => None,
            },
        ))
    }

    fn outputs(&mut self, id: &str, entry: &Entry) -> Option<Vec<Output>> {
        let mut outputs = Vec::new();
        for pair in entry.pairs(&mut self.report, "output")? {
            let Some(pair) = pair else {
                outputs.push(None);
                continue;
            };
            self.place(id, &format!("outputs.{}", pair.key), pair);
            let name = pair.key.clone();
            if !is_word(&name) {
                let hint = "letters, digits, - and _, beginning with a letter, at most 64";
                self.report.add(
                    pair.at,
                    Some(&name),
                    Complaint::new("cannot be the name of an output", hint),
                );
            }
            let kind = pair.text(&mut self.report).and_then(|kind| match kind {
                "boolean" => Some(OutputKind::Boolean),
                "encrypted" => Some(OutputKind::Encrypted),
                other => {
                    let reason = format!("there is no kind of output {}", quoted(other));
                    pair.refuse(
                        &mut self.report,
                        reason,
                        suggestion(other, ["boolean", "encrypted"]),
                    )
                }
            });
            outputs.push(kind.map(|kind| Output { name, kind }));
        }
        outputs.into_iter().collect()
    }

    fn conditional(&mut self, id: &str, step: Mapping<'_>) -> Option<StepKind> {
        step.refuse_unknown(&mut self.report, &["id", "type", "condition", "steps"]);
        let condition =
            step.require(&mut self.report, "condition").and_then(|entry| self.condition(entry));
        let steps = step.require(&mut self.report, "steps").and_then(|entry| {
            self.scope.push(id.to_owned());
            let steps = self.steps(entry);
            self.scope.pop();
            steps
        });
        Some(StepKind::Conditional { condition: condition?, steps: steps? })
    }

    fn condition(&mut self, entry: &Entry) -> Option<Condition> {
        let text = entry.text(&mut self.report)?;
        let comparison = text.split_once("==").and_then(|(left, right)| {
            let equals = match right.trim() {
                "true" => true,
                "false" => false,
                _ => return None,
            };
            Some((reference(left.trim())?, equals))
        });
        let Some((reference, equals)) = comparison else {
            let reason =
                format!("{} is not a comparison of an output with true or false", quoted(text));
            return entry.refuse(
                &mut self.report,
                reason,
                "write \"check-reserves.status == false\"",
            );
        };
        self.resolve(entry, &reference, Shape::Boolean)?;
        Some(Condition { step: reference.step, output: reference.output, equals })
    }

    fn dark_pool(&mut self, id: &str, step: Mapping<'_>) -> Option<StepKind> {
        step.refuse_unknown(&mut self.report, &["id", "type", "spec"]);
        let spec = step.require_mapping(&mut self.report, "spec", &["pool", "request"])?;
        let pool = self.name(id, spec, "pool");
        let known = ["asset", "amount_encrypted", "premium", "timeout"];
        let request = spec.require_mapping(&mut self.report, "request", &known)?;
        let asset = self.name(id, request, "asset");
        let amount = request.require(&mut self.report, "amount_encrypted").and_then(|entry| {
            let reference = self.reference(entry)?;
            self.resolve(entry, &reference, Shape::Encrypted)?;
            Some(reference)
        });
        let premium = request.require(&mut self.report, "premium").and_then(|entry| {
            self.place(id, "premium", entry);
            let text = entry.number(&mut self.report)?;
            self.report.take(entry.node.at, "premium", quantity::percent(text))
        });
        let timeout = self.timeout(id, request);
        Some(StepKind::DarkPool(DarkPool {
            pool: pool?,
            asset: asset?,
            amount: amount?,
            premium: premium?,
            timeout: timeout?,
        }))
    }

    fn wait(&mut self, id: &str, step: Mapping<'_>) -> Option<StepKind> {
        step.refuse_unknown(&mut self.report, &["id", "type", "for", "timeout"]);
        let event = step.require(&mut self.report, "for").and_then(|entry| {
            let text = entry.text(&mut self.report)?;
            if text != FILL_EVENT {
                let reason = format!("there is no event {}", quoted(text));
                return entry.refuse(
                    &mut self.report,
                    reason,
                    format!("the one event is \"{FILL_EVENT}\""),
                );
            }
            if !self.has_run("dark_pool") {
                let hint = "put a dark_pool step above it, in the same list or around it";
                return entry.refuse(&mut self.report, "no request has been made by then", hint);
            }
            Some(FillEvent::ClearingReady)
        });
        let timeout = self.timeout(id, step);
        Some(StepKind::Wait { event: event?, timeout: timeout? })
    }

    fn onchain_tx(&mut self, id: &str, step: Mapping<'_>) -> Option<StepKind> {
        step.refuse_unknown(&mut self.report, &["id", "type", "contract", "function", "args"]);
        let contract = self.name(id, step, "contract");
        let call = step
            .require(&mut self.report, "function")
            .and_then(|entry| self.function(id, entry, contract.as_deref()));
        let args = step
            .require(&mut self.report, "args")
            .and_then(|entry| self.arguments(entry, call.map(|call| (call, parameters(call)))));
        args.and(Some(StepKind::OnchainTx { call: call?, contract: contract? }))
    }

    fn function(&mut self, id: &str, entry: &Entry, contract: Option<&str>) -> Option<OnchainCall> {
        let name = self.entry_name(id, entry)?;
        let found = OnchainCall::ALL.into_iter().find(|call| call.function() == name);
        if found.is_none() {
            let reason = no_function(contract.unwrap_or_default(), &name);
            let hint = suggestion(&name, OnchainCall::ALL.map(OnchainCall::function));
            entry.refuse::<()>(&mut self.report, reason, hint);
        }
        found
    }

    /// Reads every argument, even of a call nobody knows.
    fn arguments(
        &mut self,
        entry: &Entry,
        call: Option<(OnchainCall, &[(&'static str, Shape)])>,
    ) -> Option<()> {
        let (mut given, mut understood) = (Vec::new(), true);
        for pair in entry.pairs(&mut self.report, "argument")? {
            let Some(pair) = pair else {
                understood = false;
                continue;
            };
            given.push(pair.key.as_str());
            let argument = self.argument(pair);
            let Some((call, parameters)) = call else { continue };
            let parameter = parameters.iter().find(|(name, _)| *name == pair.key);
            match (parameter, argument) {
                (None, _) => {
                    understood = false;
                    let hint = suggestion(&pair.key, parameters.iter().map(|(name, _)| *name));
                    let reason = format!("is not an argument of {}", call.function());
                    pair.refuse::<()>(&mut self.report, reason, hint);
                }
                (Some((_, wanted)), Some(found)) if *wanted != found => {
                    let (reason, hint) = mistaken(*wanted);
                    pair.refuse::<()>(&mut self.report, reason, hint);
                }
                (Some(_), _) => {}
            }
        }
        // An argument nobody knows was meant to be one of these.
        let (call, parameters) = call.filter(|_| understood)?;
        let names = || parameters.iter().map(|(name, _)| *name);
        for name in names().filter(|name| !given.contains(name)) {
            let all = names().collect::<Vec<_>>().join(", ");
            let reason = format!("is missing: {} takes {all}", call.function());
            let complaint = Complaint::new(reason, format!("add \"- {name}: …\""));
            self.report.add(entry.node.at, Some(name), complaint);
        }
        Some(())
    }

    fn argument(&mut self, entry: &Entry) -> Option<Shape> {
        if let Value::Scalar { kind: ScalarKind::Number | ScalarKind::Boolean, .. } =
            entry.node.value
        {
            let reason = format!("a workflow cannot make up {}", entry.node.noun());
            return entry.refuse(
                &mut self.report,
                reason,
                "name an output of an earlier step, such as \"verify-recovery.status\"",
            );
        }
        let text = entry.text(&mut self.report)?;
        if text == NOW {
            return Some(Shape::Now);
        }
        if text == PROOF {
            if !self.has_run("wait") {
                let hint = format!("put a step that waits for \"{FILL_EVENT}\" above it");
                return entry.refuse(&mut self.report, "no proof can be ready by then", hint);
            }
            return Some(Shape::Proof);
        }
        if text.starts_with("dark_pool.") || text.ends_with("()") {
            let reason = format!("there is no {}", quoted(text));
            return entry.refuse(&mut self.report, reason, suggestion(text, [NOW, PROOF]));
        }
        let reference = self.reference(entry)?;
        self.find(entry, &reference)
    }

    fn reference(&mut self, entry: &Entry) -> Option<Reference> {
        let text = entry.text(&mut self.report)?;
        reference(text).or_else(|| {
            let reason = format!("{} is not a reference to a step's output", quoted(text));
            entry.refuse(
                &mut self.report,
                reason,
                "write step and output with a dot between: \"check-reserves.deficit\"",
            )
        })
    }

    /// Finds the output and wants it to be of a shape.
    fn resolve(&mut self, entry: &Entry, reference: &Reference, wanted: Shape) -> Option<()> {
        let found = self.find(entry, reference)?;
        if found == wanted {
            return Some(());
        }
        let reason = format!(
            "{} is {}, not {}",
            quoted(&reference.to_string()),
            found.noun(),
            wanted.noun()
        );
        let hint = match wanted {
            Shape::Boolean => "only a boolean is public, so only a boolean can be compared",
            Shape::Encrypted => {
                "an amount never leaves the enclave in the clear: name an encrypted output"
            }
            Shape::RequestId | Shape::Proof | Shape::Now => "name the id of a dark_pool step",
        };
        entry.refuse(&mut self.report, reason, hint)
    }

    /// The shape of an output of a step that has run by now (W2).
    fn find(&mut self, entry: &Entry, reference: &Reference) -> Option<Shape> {
        let Reference { step, output } = reference;
        let here = self.report.step.as_deref();
        let Some(declared) = self.declared.iter().find(|declared| declared.id == *step) else {
            let (reason, hint) = match self.later.get(step) {
                Some(line) => (
                    format!(
                        "refers to a later step: {} stands in line {line} and has not run by then",
                        quoted(step)
                    ),
                    "move that step up, or refer to an earlier one".to_owned(),
                ),
                None => (
                    format!("there is no step {}", quoted(step)),
                    suggestion(
                        step,
                        self.declared
                            .iter()
                            .map(|declared| declared.id.as_str())
                            .filter(|id| Some(*id) != here),
                    ),
                ),
            };
            return entry.refuse(&mut self.report, reason, hint);
        };
        if Some(step.as_str()) == here {
            return entry.refuse(
                &mut self.report,
                "a step cannot refer to itself",
                "refer to an earlier step",
            );
        }
        if !self.scope.starts_with(&declared.scope) {
            let around = declared.scope.last().map_or("", String::as_str);
            let reason = format!(
                "{} may not have run: it stands inside the conditional {}",
                quoted(step),
                quoted(around)
            );
            return entry.refuse(&mut self.report, reason, "use it inside the same conditional");
        }
        match declared.outputs.iter().find(|(name, _)| name == output) {
            Some((_, shape)) => Some(*shape),
            None => {
                let reason = format!("step {} has no output {}", quoted(step), quoted(output));
                let hint = match declared.kind {
                    Some(kind) if declared.outputs.is_empty() => {
                        format!("steps of type {kind} have no outputs")
                    }
                    Some(_) | None => {
                        suggestion(output, declared.outputs.iter().map(|(name, _)| name.as_str()))
                    }
                };
                entry.refuse(&mut self.report, reason, hint)
            }
        }
    }

    /// Whether a step of this type stands above, where it must have run if this runs.
    fn has_run(&self, kind: &str) -> bool {
        self.declared
            .iter()
            .any(|declared| declared.kind == Some(kind) && self.scope.starts_with(&declared.scope))
    }

    fn timeout(&mut self, id: &str, mapping: Mapping<'_>) -> Option<Duration> {
        let entry = mapping.require(&mut self.report, "timeout")?;
        self.place(id, "timeout", entry);
        let text = entry.number(&mut self.report)?;
        let timeout = self.report.take(entry.node.at, "timeout", quantity::duration(text))?;
        if timeout < TIMEOUT_MIN || timeout > TIMEOUT_MAX {
            let end =
                if timeout < TIMEOUT_MIN { "shorter than 5 minutes" } else { "longer than 7 days" };
            return entry.refuse(
                &mut self.report,
                format!("{} is {end}", quoted(text)),
                "the contracts accept 5m to 7d",
            );
        }
        Some(timeout)
    }

    fn name(&mut self, id: &str, mapping: Mapping<'_>, key: &str) -> Option<String> {
        let entry = mapping.require(&mut self.report, key)?;
        self.entry_name(id, entry)
    }

    fn entry_name(&mut self, id: &str, entry: &Entry) -> Option<String> {
        self.place(id, &entry.key, entry);
        entry.text(&mut self.report).map(str::to_owned)
    }

    fn place(&mut self, id: &str, key: &str, entry: &Entry) {
        self.positions.0.insert((id.to_owned(), key.to_owned()), entry.node.at);
    }
}

/// What is wrong with a function that its contract does not offer a workflow.
pub(crate) fn no_function(contract: &str, name: &str) -> String {
    format!("{} has no function {} a workflow may call", quoted(contract), quoted(name))
}

/// What is wrong with an argument that should be a `wanted`, and what to write.
const fn mistaken(wanted: Shape) -> (&'static str, &'static str) {
    match wanted {
        Shape::RequestId => (
            "takes a request's id",
            "name the id of a dark_pool step, such as \"create-request.id\"",
        ),
        Shape::Proof => ("takes the settlement proof", "write \"dark_pool.zk_proof\""),
        Shape::Boolean | Shape::Encrypted => {
            ("takes a boolean output", "name one, such as \"verify-recovery.status\"")
        }
        Shape::Now => ("takes the time of the tick", "write \"now()\""),
    }
}

/// `step.output`.
fn reference(text: &str) -> Option<Reference> {
    let (step, output) = text.split_once('.')?;
    (is_word(step) && is_word(output))
        .then(|| Reference { step: step.to_owned(), output: output.to_owned() })
}

fn is_word(text: &str) -> bool {
    text.len() <= NAME_LEN_MAX
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Every `id` below `steps` and its line, whatever else is wrong there. The first of two wins.
fn collect_ids(steps: &Entry, ids: &mut BTreeMap<String, u32>) {
    let Value::Sequence(nodes) = &steps.node.value else { return };
    for node in nodes {
        if let Some(id) = id_of(node) {
            ids.entry(id.to_owned()).or_insert(node.at.line);
        }
        if let Value::Mapping(entries) = &node.value {
            entries
                .iter()
                .filter(|entry| entry.key == "steps")
                .for_each(|entry| collect_ids(entry, ids));
        }
    }
}

/// What a step calls itself, before anyone checked whether it may.
fn id_of(step: &Node) -> Option<&str> {
    let Value::Mapping(entries) = &step.value else { return None };
    match &entries.iter().find(|entry| entry.key == "id")?.node.value {
        Value::Scalar { text, .. } => Some(text),
        Value::Sequence(_) | Value::Mapping(_) => None,
    }
}
