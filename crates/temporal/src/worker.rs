//! A worker: takes chunks, computes them, sends back their bytes. It writes nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use study::chunk;
use study::plan::Plan;
use study::spec::Spec;
use temporalio_client::Client;
use temporalio_common::data_converters::RawValue;
use temporalio_common::error::ApplicationFailure;
use temporalio_common::protos::temporal::api::common::v1::Payload;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use temporalio_sdk::runtime::RuntimeOptions;
use temporalio_sdk::runtime::worker_tuner::{FixedSizeSlotSupplier, TunerHolder};
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use tokio::signal::unix::{SignalKind, signal};

use crate::Error;
use crate::workflow::{BatchWorkflow, StudyWorkflow, Task};

/// Three of these, and the cluster still waits.
const BEAT: Duration = Duration::from_secs(3);

/// What chunks in progress get when a worker is asked to stop; the rest is made by others.
const GRACE: Duration = Duration::from_secs(20);

/// Told the study's name and the chunk's index when a worker takes it.
pub(crate) type Tell = Box<dyn Fn(&str, u64) + Send + Sync>;

/// What a worker knows between chunks: the plan of the last.
pub(crate) struct Chunks {
    last: Mutex<Option<(String, Arc<Plan>)>>,
    tell: Tell,
}

/// Why a chunk cannot be computed, here or anywhere: nothing of it changes by trying again.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Spec(#[from] study::spec::Error),
    #[error(
        "a worker of version {version} makes another study of this spec; hint: give each version a queue of its own",
        version = study::VERSION
    )]
    Version,
    #[error("chunk {index}: {cause}")]
    Chunk { index: u64, cause: chunk::Error },
    #[error("chunk {index}: the worker's code panicked")]
    Panicked { index: u64 },
}

#[activities]
impl Chunks {
    #[activity(name = "cdpr-chunk")]
    pub(crate) async fn chunk(
        self: Arc<Self>,
        ctx: ActivityContext,
        task: Task,
    ) -> Result<RawValue, ActivityError> {
        let index = task.index;
        let mut work = tokio::task::spawn_blocking(move || self.compute(&task));
        let result = loop {
            match tokio::time::timeout(BEAT, &mut work).await {
                Ok(result) => break result,
                Err(_) => ctx.record_heartbeat(()).await?,
            }
        };
        let bytes = result
            .unwrap_or(Err(Refusal::Panicked { index }))
            .map_err(|refusal| ActivityError::from(ApplicationFailure::non_retryable(refusal)))?;
        Ok(payload(bytes))
    }
}

impl Chunks {
    fn compute(&self, task: &Task) -> Result<Vec<u8>, Refusal> {
        let plan = self.plan(task)?;
        (self.tell)(&plan.spec().name, task.index);
        let rows = chunk::compute(&plan, task.index)
            .map_err(|cause| Refusal::Chunk { index: task.index, cause })?;
        Ok(chunk::encode(&plan, task.index, &rows))
    }

    fn plan(&self, task: &Task) -> Result<Arc<Plan>, Refusal> {
        // Held while the plan is made, so that a study of many points is checked once and not by every thread.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((config, plan)) = &*last
            && *config == task.config
        {
            return Ok(Arc::clone(plan));
        }
        let plan = plan(&task.spec, "the spec")?;
        if plan.config() != task.config {
            return Err(Refusal::Version);
        }
        let plan = Arc::new(plan);
        *last = Some((task.config.clone(), Arc::clone(&plan)));
        Ok(plan)
    }
}

/// The plan of a spec without its measured data, which no run looks at: it stays with the client.
pub(crate) fn plan(source: &str, file: &str) -> Result<Plan, study::spec::Error> {
    let spec = Spec { data: None, ..Spec::parse(source, file)? };
    Plan::new(spec, file, |_| Err("not needed".to_owned()))
}

fn payload(data: Vec<u8>) -> RawValue {
    let metadata = [("encoding".to_owned(), b"binary/plain".to_vec())].into();
    RawValue::new(vec![Payload { metadata, data, ..Payload::default() }])
}

/// Works until told to stop by SIGINT or SIGTERM.
pub(crate) async fn work(
    client: Client,
    queue: &str,
    jobs: usize,
    tell: Tell,
) -> Result<(), Error> {
    fn broken(error: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::Worker(Box::new(error))
    }
    // No reports on the worker: they have the machine's name, its processor's load and its memory's.
    let options = RuntimeOptions::builder().heartbeat_interval(None).build();
    let options = options.map_err(|error| Error::Worker(error.into()))?;
    let runtime = Runtime::from_current_tokio(options).map_err(broken)?;
    let slots = FixedSizeSlotSupplier::new;
    let tuner = TunerHolder::builder()
        .workflow_task_slot_supplier(slots(100))
        .activity_task_slot_supplier(slots(jobs))
        .local_activity_task_slot_supplier(slots(1))
        .nexus_task_slot_supplier(slots(1))
        .build();
    let options = WorkerOptions::new(queue)
        .tuner(tuner)
        .graceful_shutdown_period(GRACE)
        .register_activities(Chunks { last: Mutex::new(None), tell })
        .register_workflow::<StudyWorkflow>()
        .and_then(|options| options.register_workflow::<BatchWorkflow>())
        .map_err(broken)?
        .build();
    let mut worker = Worker::new(&runtime, client, options).map_err(broken)?;
    let stop = worker.shutdown_handle();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Start)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Start)?;
    let stopping = tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop();
    });
    // Dropping the worker while it runs would panic in the SDK: it is run to its end.
    let result = worker.run().await;
    stopping.abort();
    result.map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "[study]\nname = \"s\"\nreplications = 3\n[[policy]]\nname = \"halt\"\nmechanism = { kind = \"halt\" }";

    fn compute(spec: &str, config: &str, index: u64) -> Result<Vec<u8>, String> {
        let chunks = Chunks { last: Mutex::new(None), tell: Box::new(|_, _| {}) };
        let task = Task { spec: spec.to_owned(), config: config.to_owned(), index };
        chunks.compute(&task).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn a_task_gives_the_chunks_file_and_one_that_cannot_be_done_says_why() {
        let plan = plan(SPEC, "s.toml").unwrap();
        let rows = chunk::compute(&plan, 0).unwrap();
        assert_eq!(compute(SPEC, plan.config(), 0), Ok(chunk::encode(&plan, 0, &rows)));

        let refused = |spec: &str, config: &str, index: u64, expect: &str| {
            let reason = compute(spec, config, index).unwrap_err();
            assert!(reason.contains(expect), "{reason}");
        };
        refused(SPEC, plan.config(), 1, "chunk 1: there is no chunk 1");
        refused(SPEC, "of another version", 0, "makes another study of this spec");
        refused(&SPEC.replace("halt\" }", "hold\" }"), plan.config(), 0, "the spec");
    }
}
