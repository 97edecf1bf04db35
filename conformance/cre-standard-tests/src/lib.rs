//! What Chainlink's standard tests ask of a guest SDK.
//!
//! The programs are in `programs`, one directory each, as the suite of Chainlink's host wants them. [`PROGRAMS`] lists them
//! with what the suite expects, for hosts other than Chainlink's; the rest is what the programs share.

use std::path::PathBuf;
use std::process::Command;

use cre::messages::{basic_action, basic_trigger, node_action};
use cre::{Consensus, Field, NodeRuntime, Promise, Runtime, Trigger};

/// Configuration that the suite gives.
pub const CONFIG: &[u8] = b"config";
/// What the suite's trigger says.
pub const TRIGGER_OUTPUT: &str = "test value";

/// A program, and what a host sees of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Directory under `programs`.
    pub name: &'static str,
    /// How the suite invokes it, what it answers, and what must come of it.
    pub runs: &'static [Run],
}

impl Program {
    /// The cargo example that builds it.
    pub fn example(&self) -> String {
        format!("standard_{}", self.name.replace('/', "_"))
    }
}

/// One invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// What is invoked.
    pub invocation: Invocation,
    /// What the host does meanwhile.
    pub world: World,
    /// What must come of it.
    pub expected: Expected,
}

/// What is invoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invocation {
    /// Subscribe.
    Subscribe,
    /// A trigger with this id, whose payload has this `cool_output`: a `basictrigger.v1.Outputs`, but of trigger 1
    /// an `actionandtrigger.v1.TriggerEvent`.
    Trigger(u64, &'static str),
    /// The pre-hook, with an empty configuration, then trigger 0 under the restrictions it gave.
    RestrictedTrigger,
}

/// What the host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// Nothing: no call may come.
    Silent,
    /// `basic-test-action@1.0.0` fails once with each of [`cre::Code::ALL`] in turn, as
    /// `Public:System:<code>:…`, then answers `Done`.
    EveryErrorThenDone,
    /// `basic-test-action@1.0.0` answers with its input as text, and the first call (`true`) blocks until the second one
    /// (`false`) has arrived.
    FirstBlocksUntilSecond,
    /// `basic-test-action@1.0.0` answers with this many bytes.
    AnswersBytes(usize),
    /// `basic-test-action@1.0.0` answers `test`; `basic-test-node-action@1.0.0` answers this number; consensus
    /// must be asked for [`node_consensus`] over it, and answers one more. Time is there in both modes.
    NodeActionThenConsensus {
        /// What the node action answers.
        output_thing: i32,
        /// How often DON time must be asked for; none if it does not matter.
        n_don_times: Option<u32>,
        /// The execution's id.
        execution_id: &'static str,
    },
    /// Consensus, and nothing else, is called once, and answers `hi`.
    ConsensusAnswersHi,
    /// Consensus, and nothing else, is called once, with an error, and fails with its text.
    ConsensusReturnsItsError,
    /// The secret `Foo` is this.
    Secret(&'static str),
    /// Secrets fail with this text.
    SecretError(&'static str),
    /// DON time is this, in Unix milliseconds.
    DonTime(u64),
}

/// What must come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A value of bytes.
    Bytes(&'static [u8]),
    /// A value of text.
    Text(&'static str),
    /// Some unsigned number, the same for the same execution id, another for another.
    NumberByExecution,
    /// As before, and one line in node mode: `***` and a number.
    NumberByExecutionAndLog,
    /// An error that contains this.
    Error(&'static str),
    /// A value of bytes, and one line in DON mode that contains the text.
    BytesAndLog(&'static [u8], &'static str),
    /// Exactly these subscriptions.
    Subscriptions(&'static [Subscription]),
}

/// A subscription, its method being `Trigger`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// Capability id. `basic-test-trigger@1.0.0` takes a `basictrigger.v1.Config`, `basic-test-action-trigger@1.0.0`
    /// an `actionandtrigger.v1.Config`.
    pub id: &'static str,
    /// The configuration's name.
    pub name: &'static str,
    /// The configuration's number.
    pub number: i32,
    /// Whether it must run on AWS Nitro in `us-west-2`.
    pub in_tee: bool,
    /// Whether it has a pre-hook.
    pub pre_hook: bool,
}

/// What a guest SDK must pass: facts of `pkg/workflows/wasm/host/standard_test.go` in `chainlink-common`, August 2026.
pub const PROGRAMS: &[Program] = &[
    Program { name: "config", runs: &[fired(World::Silent, Expected::Bytes(CONFIG))] },
    Program {
        name: "errors",
        runs: &[fired(World::Silent, Expected::Error("workflow execution failure"))],
    },
    Program {
        name: "capability_errors",
        runs: &[fired(World::EveryErrorThenDone, Expected::Text("Done"))],
    },
    Program {
        name: "capability_calls_are_async",
        runs: &[fired(World::FirstBlocksUntilSecond, Expected::Text("truefalse"))],
    },
    Program {
        name: "host_wasm_write_errors_are_respected",
        runs: &[fired(
            World::AnswersBytes(500_000_000),
            Expected::Error("response buffer too small"),
        )],
    },
    Program {
        name: "mode_switch/successful_mode_switch",
        runs: &[fired(
            World::NodeActionThenConsensus {
                output_thing: 555,
                n_don_times: Some(2),
                execution_id: "id",
            },
            Expected::Text("test556"),
        )],
    },
    Program {
        name: "mode_switch/node_runtime_in_don_mode",
        runs: &[fired(
            World::ConsensusAnswersHi,
            Expected::Error("cannot use NodeRuntime outside RunInNodeMode"),
        )],
    },
    Program {
        name: "mode_switch/don_runtime_in_node_mode",
        runs: &[fired(
            World::ConsensusReturnsItsError,
            Expected::Error("cannot use Runtime inside RunInNodeMode"),
        )],
    },
    Program {
        name: "secrets_fail_in_node_mode",
        runs: &[fired(
            World::ConsensusReturnsItsError,
            Expected::Error("cannot use Runtime inside RunInNodeMode"),
        )],
    },
    Program {
        name: "logging",
        runs: &[fired(World::Silent, Expected::BytesAndLog(CONFIG, "log from wasm!"))],
    },
    Program {
        name: "multiple_triggers",
        runs: &[
            Run {
                invocation: Invocation::Subscribe,
                world: World::Silent,
                expected: Expected::Subscriptions(&[
                    subscription("basic-test-trigger@1.0.0", "first-trigger", 100),
                    subscription("basic-test-action-trigger@1.0.0", "second-trigger", 150),
                    subscription("basic-test-trigger@1.0.0", "third-trigger", 200),
                ]),
            },
            Run {
                invocation: Invocation::Trigger(0, TRIGGER_OUTPUT),
                world: World::Silent,
                expected: Expected::Text("called 0 with test value"),
            },
            Run {
                invocation: Invocation::Trigger(2, "different"),
                world: World::Silent,
                expected: Expected::Text("called 2 with different"),
            },
            Run {
                invocation: Invocation::Trigger(1, "different"),
                world: World::Silent,
                expected: Expected::Text("called 1 with different"),
            },
        ],
    },
    Program {
        name: "random",
        runs: &[
            fired(node_action_answers(150, "Id"), Expected::NumberByExecution),
            fired(node_action_answers(99, "Id"), Expected::NumberByExecutionAndLog),
            fired(node_action_answers(120, "differentId"), Expected::NumberByExecution),
        ],
    },
    Program {
        name: "secrets",
        runs: &[
            fired(World::Secret("Bar"), Expected::Text("Bar")),
            fired(
                World::SecretError("could not find secret"),
                Expected::Error("could not find secret"),
            ),
        ],
    },
    Program {
        name: "time_interpretation",
        runs: &[fired(World::DonTime(1_577_934_245_000), Expected::Text("2020-01-02T03:04:05Z"))],
    },
    Program {
        name: "tee_runtime",
        runs: &[Run {
            invocation: Invocation::Subscribe,
            world: World::Silent,
            expected: Expected::Subscriptions(&[
                Subscription {
                    in_tee: true,
                    ..subscription("basic-test-trigger@1.0.0", "first-trigger", 100)
                },
                subscription("basic-test-trigger@1.0.0", "second-trigger", 200),
            ]),
        }],
    },
    Program {
        name: "restrictions",
        runs: &[
            Run {
                invocation: Invocation::Subscribe,
                world: World::Silent,
                expected: Expected::Subscriptions(&[Subscription {
                    pre_hook: true,
                    ..subscription("basic-test-trigger@1.0.0", "first-trigger", 100)
                }]),
            },
            Run {
                invocation: Invocation::RestrictedTrigger,
                world: World::Silent,
                expected: Expected::Error(
                    "call denied by user pre-hook restrictions: basic-test-action@1.0.0 PerformAction",
                ),
            },
        ],
    },
];

/// Why the modules can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Cargo can't be run.
    #[error("running cargo")]
    Cargo(#[source] std::io::Error),
    /// Cargo failed; is the target `wasm32-unknown-unknown` installed?
    #[error("cargo failed: {stderr}")]
    Failed {
        /// What it said.
        stderr: String,
    },
}

/// Builds the programs as the suite does, and the SDK's examples with them; the directory that has
/// `<Program::example>.wasm` for each.
///
/// # Errors
/// [`BuildError`]
pub fn build_modules() -> Result<PathBuf, BuildError> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = Command::new("cargo")
        .args(["build", "--quiet", "--manifest-path", manifest])
        .args(["--package", "cre-standard-tests", "--package", "cre", "--examples"])
        .args(["--profile", "workflow", "--target", "wasm32-unknown-unknown"])
        .args(["--message-format", "json"])
        .output()
        .map_err(BuildError::Cargo)?;
    // Cargo's messages name what it built; that is where its target directory shows.
    let messages = String::from_utf8_lossy(&output.stdout);
    let module = messages.split('"').find(|text| text.ends_with("standard_config.wasm"));
    let directory = module.and_then(|module| PathBuf::from(module).parent().map(PathBuf::from));
    match directory.filter(|_| output.status.success()) {
        Some(directory) => Ok(directory),
        None => {
            Err(BuildError::Failed { stderr: String::from_utf8_lossy(&output.stderr).into_owned() })
        }
    }
}

const fn fired(world: World, expected: Expected) -> Run {
    Run { invocation: Invocation::Trigger(0, TRIGGER_OUTPUT), world, expected }
}

const fn node_action_answers(output_thing: i32, execution_id: &'static str) -> World {
    World::NodeActionThenConsensus { output_thing, n_don_times: None, execution_id }
}

const fn subscription(id: &'static str, name: &'static str, number: i32) -> Subscription {
    Subscription { id, name, number, in_tee: false, pre_hook: false }
}

cre::record! {
    /// `nodeaction.v1.NodeOutputs` as a value, its key as Go names the field.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct NodeOutput {
        /// What the node action answered.
        pub output_thing: i32 as "OutputThing",
    }
}

/// The suite's trigger.
pub fn basic_trigger(name: &str, number: i32) -> Trigger<basic_trigger::Outputs> {
    let config = basic_trigger::Config { name: name.to_owned(), number };
    Trigger::new("basic-test-trigger@1.0.0", "Trigger", &config)
}

/// The suite's action in DON mode.
pub fn basic_action(runtime: &Runtime, input_thing: bool) -> Promise<basic_action::Outputs> {
    let inputs = basic_action::Inputs { input_thing };
    runtime.call("basic-test-action@1.0.0", "PerformAction", &inputs)
}

/// The suite's action in node mode.
pub fn node_action(node: &NodeRuntime, input_thing: bool) -> Promise<node_action::NodeOutputs> {
    let inputs = node_action::NodeInputs { input_thing };
    node.call("basic-test-node-action@1.0.0", "PerformAction", &inputs)
}

/// How the suite wants node outputs agreed on.
pub fn node_consensus() -> Consensus<NodeOutput> {
    Consensus::fields([("OutputThing", Field::median())])
        .with_default(NodeOutput { output_thing: 123 })
}
