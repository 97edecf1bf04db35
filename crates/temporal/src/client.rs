//! The client: starts a study's workflow or joins it, and keeps what workers make.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use study::chunk;
use study::execute::Makers;
use study::plan::Plan;
use study::spec::Spec;
use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, UntypedWorkflow, Url,
    WorkflowCancelOptions, WorkflowDescribeOptions, WorkflowExecutionStatus, WorkflowHandle,
    WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowStartOptions,
};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::history::{Made, PAUSE, Run, follow, refused};
use crate::workflow::{Job, Shape, StudyWorkflow, ranges};
use crate::{Address, Ending, Error, worker};

/// Whoever does not answer by then is not there.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A server takes 2 MiB in one message; the rest is for its envelope.
const CHUNK_BYTES_MAX: u64 = 2 * 1_024 * 1_024 - 64 * 1_024;

/// Every chunk's task carries the spec.
const SPEC_BYTES_MAX: u64 = 64 * 1_024;

/// A batch's history has its chunks and their tasks; a server warns of 10 MB and refuses 50 MB.
const BATCH_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// Chunks of a batch, however small they are.
const BATCH_MAX: u64 = 64;

/// Batches at once: with [`BATCH_MAX`], 1,024 chunks are asked for at once, and a server takes 2,000 in a workflow.
const LANES: usize = 16;

/// Batches until the study continues as new: each takes some nine events of 51,200.
const RUN_MAX: u64 = 1_000;

/// A study's history has the spec once for each batch.
const RUN_BYTES_MAX: u64 = 8 * 1_024 * 1_024;

/// Chunks of a wave under a stop rule.
const WAVE: usize = 256;

/// How long a workflow that was asked to stop is waited for.
const CANCEL_MAX: Duration = Duration::from_secs(30);

/// Runs of other clients that are joined without a chunk of ours in them, before it is said that something is wrong.
const IN_VAIN_MAX: u32 = 3;

/// Why a connection is no cluster.
#[derive(Debug, thiserror::Error)]
#[error("it took the connection and said nothing for {} s", .0.as_secs())]
struct Silent(Duration);

/// A connection to a cluster.
pub struct Cluster {
    runtime: Runtime,
    client: Client,
    address: Address,
    interrupt: Arc<Interrupt>,
}

/// Ctrl-C, while somebody waits for chunks.
#[derive(Default)]
struct Interrupt {
    is_awaited: AtomicBool,
    came: Notify,
}

impl Cluster {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Connect`] when nobody answers.
    pub fn connect(address: &Address) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(Error::Start)?;
        let cause = |cause: Box<dyn std::error::Error + Send + Sync>| Error::Connect {
            address: address.to_string(),
            cause,
        };
        let url: Url = format!("http://{}", address.authority)
            .parse()
            .map_err(|error| cause(Box::new(error)))?;
        let client = runtime.block_on(async {
            let options = ConnectionOptions::new(url)
                .identity(format!("cdpr-{}", std::process::id()))
                .connect_timeout(CONNECT_MAX)
                .build();
            // It asks the server what it can do, and whoever took the connection may never say.
            let connection = tokio::time::timeout(CONNECT_MAX, Connection::connect(options))
                .await
                .map_err(|_| cause(Silent(CONNECT_MAX).into()))?
                .map_err(|error| cause(Box::new(error)))?;
            let options = ClientOptions::new(address.namespace.clone()).build();
            Client::new(connection, options).map_err(|error| cause(Box::new(error)))
        })?;
        let interrupt = Arc::default();
        Ok(Self { runtime, client, address: address.clone(), interrupt })
    }

    /// From now on Ctrl-C cancels the workflow that is waited for; a second one, or one in between, ends the process.
    pub fn cancel_on_interrupt(&self) {
        let interrupt = Arc::clone(&self.interrupt);
        self.runtime.spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if !interrupt.is_awaited.swap(false, Ordering::SeqCst) {
                    // As a shell counts it: 128 and the signal's number.
                    std::process::exit(130);
                }
                interrupt.came.notify_one();
            }
        });
    }

    /// A study to be run here, from the text of its spec, as `plan` was; `file` names it in errors.
    ///
    /// # Errors
    /// [`Error::OtherPlan`], [`Error::TooLarge`], or [`Error::Chunk`] when the spec is refused.
    pub fn study(&self, plan: &Plan, spec: &str, file: &str) -> Result<Study<'_>, Error> {
        let asked = plan;
        let plan = worker::plan(spec, file).map_err(|error| Error::Chunk {
            index: 0,
            cause: chunk::Error::Elsewhere(Box::new(error)),
        })?;
        is_sent_as(asked, &plan)?;
        let rows =
            plan.block(0).map_or(0, |block| block.to - block.from) * plan.policies().len() as u64;
        let chunk = rows * study::model::columns(plan.spec().model).len() as u64 * 8 + 256;
        let spec_bytes = spec.len() as u64;
        let fits = |what, bytes, bytes_max| {
            if bytes <= bytes_max {
                Ok(())
            } else {
                Err(Error::TooLarge { what, bytes, bytes_max })
            }
        };
        fits("the spec", spec_bytes, SPEC_BYTES_MAX)?;
        fits("a chunk", chunk, CHUNK_BYTES_MAX)?;
        let batch = (BATCH_BYTES_MAX / (chunk + spec_bytes)).clamp(1, BATCH_MAX);
        let run = run(spec_bytes);
        Ok(Study {
            cluster: self,
            spec: spec.to_owned(),
            workflow: format!("cdpr-{}-{}", plan.spec().name, &plan.config()[..24]),
            shape: Shape { batch, lanes: LANES, run },
            sent: plan,
            was_harvested: AtomicBool::new(false),
        })
    }

    /// Works for every study of the queue, `jobs` chunks at once, until told to stop by SIGINT or SIGTERM. Calls `tell`
    /// with a study's name and a chunk's index when it is taken.
    ///
    /// # Errors
    /// [`Error::Worker`] when it stops for another reason.
    pub fn work(
        &self,
        jobs: usize,
        tell: impl Fn(&str, u64) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let work = worker::work(self.client.clone(), &self.address.queue, jobs, Box::new(tell));
        self.runtime.block_on(work)
    }
}

/// Whether workers make what is asked for: rows of a study that differs in more than its data would be other rows.
fn is_sent_as(asked: &Plan, sent: &Plan) -> Result<(), Error> {
    let asked = Spec { data: None, ..asked.spec().clone() };
    if asked == *sent.spec() { Ok(()) } else { Err(Error::OtherPlan) }
}

/// Batches of a run of the study's workflow.
fn run(spec_bytes: u64) -> usize {
    (RUN_BYTES_MAX / spec_bytes.max(1)).clamp(1, RUN_MAX) as usize
}

/// A study on a cluster: what its chunks are asked from.
pub struct Study<'a> {
    cluster: &'a Cluster,
    spec: String,
    /// What workers see: the plan without its measured data.
    sent: Plan,
    workflow: String,
    shape: Shape,
    was_harvested: AtomicBool,
}

impl Study<'_> {
    /// The id of its workflow: its name and what decides its results, so that the same study is the same workflow.
    pub fn workflow(&self) -> &str {
        &self.workflow
    }

    /// How it is spread, for tests of large studies by small ones.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_shape(mut self, batch: u64, lanes: usize, run: usize) -> Self {
        self.shape = Shape { batch, lanes, run };
        self
    }

    fn handle(&self) -> WorkflowHandle<Client, UntypedWorkflow> {
        self.cluster.client.get_workflow_handle(self.workflow.clone())
    }

    /// The first of the runs that continue each other, and whether the last still goes on; none if there are none.
    async fn latest(&self) -> Result<Option<(Run, bool)>, Error> {
        let described = match self.handle().describe(WorkflowDescribeOptions::default()).await {
            Ok(described) => described,
            Err(WorkflowInteractionError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(refused("describe", &self.workflow, error)),
        };
        let is_running = described.status() == WorkflowExecutionStatus::Running;
        let info = described.raw().workflow_execution_info.as_ref();
        let first = info.map(|info| info.first_run_id.clone()).filter(|first| !first.is_empty());
        let last = described.run_id().to_owned();
        let run = first.unwrap_or_else(|| last.clone());
        let run = Run { workflow: self.workflow.clone(), run, last: Some(last) };
        Ok(Some((run, is_running)))
    }

    async fn start(&self, missing: &BTreeSet<u64>) -> Result<(), Error> {
        let chunks = ranges(&missing.iter().copied().collect::<Vec<_>>());
        let job = Job {
            spec: self.spec.clone(),
            config: self.sent.config().to_owned(),
            chunks,
            shape: self.shape,
        };
        let options =
            WorkflowStartOptions::new(self.cluster.address.queue.clone(), self.workflow.clone())
                .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicate)
                .id_conflict_policy(WorkflowIdConflictPolicy::UseExisting)
                .static_summary(self.sent.spec().name.clone())
                .build();
        let started = self.cluster.client.start_workflow(StudyWorkflow::run, job, options).await;
        started.map(drop).map_err(|error| refused("start", &self.workflow, error))
    }

    /// Reads a run to its end, keeps what is missing, and gives its ending, if the cluster still has it. To the end even when nothing is missing: the
    /// next start would otherwise join this run.
    async fn gather(
        &self,
        run: Run,
        missing: &mut BTreeSet<u64>,
        keep: &dyn Fn(Made) -> Result<(), Error>,
    ) -> Result<Option<Ending>, Error> {
        let (sender, mut receiver) = mpsc::channel(64);
        // Ends with this function, whatever way that goes.
        let mut following = JoinSet::new();
        following.spawn(follow(self.cluster.client.clone(), run, sender));
        let interrupt = &self.cluster.interrupt;
        let mut cancelling = None;
        loop {
            let patience = async {
                match cancelling {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                chunk = receiver.recv() => match chunk {
                    Some((index, bytes)) => {
                        if missing.remove(&index) {
                            keep((index, bytes))?;
                        }
                    }
                    None => {
                        let ending = following.join_next().await.expect("one was spawned");
                        let ending =
                            ending.map_err(|error| refused("history", &self.workflow, error))??;
                        // Whatever became of it, nothing is started after it.
                        if cancelling.is_some() && !missing.is_empty() {
                            return Err(self.ended(Ending::Cancelled));
                        }
                        return Ok(ending);
                    }
                },
                () = interrupt.came.notified(), if cancelling.is_none() => {
                    let options = WorkflowCancelOptions::builder().reason("interrupted").build();
                    match self.handle().cancel(options).await {
                        Ok(()) => cancelling = Some(tokio::time::Instant::now() + CANCEL_MAX),
                        // It had ended before.
                        Err(WorkflowInteractionError::NotFound(_)) => {
                            return Err(self.ended(Ending::Cancelled));
                        }
                        Err(error) => return Err(refused("cancel", &self.workflow, error)),
                    }
                }
                // Nobody is there to end it; it ends as soon as a worker is.
                () = patience => return Err(self.ended(Ending::Cancelled)),
            }
        }
    }

    async fn obtain(
        &self,
        indices: &[u64],
        keep: &dyn Fn(Made) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut missing: BTreeSet<u64> = indices.iter().copied().collect();
        // What the study's workflow made without us, if there was one.
        if !self.was_harvested.swap(true, Ordering::SeqCst)
            && let Some((run, is_running)) = self.latest().await?
        {
            match self.gather(run, &mut missing, keep).await? {
                // A client that was interrupted may have left it: it is cancelled once a worker comes.
                None | Some(Ending::Completed | Ending::Cancelled) => {}
                Some(ending) if is_running && !missing.is_empty() => {
                    return Err(self.ended(ending));
                }
                Some(Ending::Failed { .. } | Ending::Terminated | Ending::TimedOut) => {}
            }
        }
        let mut in_vain = 0;
        while !missing.is_empty() {
            let before = missing.len();
            self.start(&missing).await?;
            let ending = match self.latest().await? {
                Some((run, _)) => self.gather(run, &mut missing, keep).await?,
                None => None,
            };
            match ending {
                _ if missing.is_empty() => {}
                // Another client's run may have been joined, which was asked for other chunks.
                None | Some(Ending::Completed) if missing.len() < before => {}
                None | Some(Ending::Completed) if in_vain < IN_VAIN_MAX => {
                    in_vain += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                None | Some(Ending::Completed) => {
                    let workflow = self.workflow.clone();
                    return Err(Error::Incomplete { workflow, missing: missing.len() });
                }
                Some(ending) => return Err(self.ended(ending)),
            }
        }
        Ok(())
    }

    fn ended(&self, ending: Ending) -> Error {
        Error::Ended { workflow: self.workflow.clone(), ending }
    }
}

impl Makers for Study<'_> {
    fn width(&self) -> usize {
        WAVE
    }

    fn make(
        &self,
        plan: &Plan,
        indices: &[u64],
        folder: &Path,
        made: &(dyn Fn(u64) + Sync),
    ) -> Result<(), chunk::Error> {
        let keep = |(index, bytes): Made| {
            let place = format!("chunk {index} from a worker");
            chunk::parse(&self.sent, index, &bytes, place.as_ref())
                .and_then(|rows| chunk::keep(plan, index, &rows, folder))
                .map_err(|cause| Error::Chunk { index, cause })?;
            made(index);
            Ok(())
        };
        let awaited = &self.cluster.interrupt.is_awaited;
        awaited.store(true, Ordering::SeqCst);
        let result = is_sent_as(plan, &self.sent)
            .and_then(|()| self.cluster.runtime.block_on(self.obtain(indices, &keep)));
        awaited.store(false, Ordering::SeqCst);
        result.map_err(|error| chunk::Error::Elsewhere(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_a_long_spec_has_fewer_batches_and_one_at_least() {
        assert_eq!([0, 500, 8_388].map(run), [1_000; 3]);
        assert_eq!(run(SPEC_BYTES_MAX), 128);
        assert_eq!(run(u64::MAX), 1);
    }
}
