//! What the cluster keeps: a study spreads batches, a batch spreads chunks.
//!
//! ```text
//! study ──continues as new──▶ study        at most `run` batches each, `lanes` of them at once
//!   └─▶ batch                              a child workflow: its history holds its chunks' bytes
//!         └─▶ chunk                        an activity: retried until it is done once
//! ```
//!
//! Batches keep every history within what a server takes: 51,200 events and 50 MB. Workflow code is deterministic: it
//! only counts, and asks.

use std::cell::RefCell;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_common::RetryPolicy;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::workflows::join_all;
use temporalio_sdk::{
    ActivityOptions, ChildWorkflowCancellationType, ChildWorkflowOptions, ContinueAsNewOptions,
    WorkflowCancellationToken, WorkflowContext, WorkflowResult, WorkflowTermination,
};

use crate::worker::Chunks;

/// A worker that says nothing for so long is dead, and its chunks are given to others.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// A chunk takes some seconds; this long is a machine that does not progress.
const CHUNK_MAX: Duration = Duration::from_secs(3_600);

/// Chunks do not fail by chance, so what is retried is the death of a worker. One that kills this many is given up.
const ATTEMPTS_MAX: u32 = 10;

/// Which chunks, as ranges from and to, the second exclusive.
pub(crate) type Ranges = Vec<(u64, u64)>;

/// What a study's workflow is started with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The spec's text.
    pub(crate) spec: String,
    /// What the plan of that spec, without its data, hashes to: a worker of another version notices.
    pub(crate) config: String,
    pub(crate) chunks: Ranges,
    pub(crate) shape: Shape,
}

/// How a study is spread.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Shape {
    /// Chunks of a batch, all of them asked for at once.
    pub(crate) batch: u64,
    /// Batches at once.
    pub(crate) lanes: usize,
    /// Batches until a study continues as new.
    pub(crate) run: usize,
}

/// What one chunk is computed from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) spec: String,
    pub(crate) config: String,
    pub(crate) index: u64,
}

/// The workflow of a study.
#[workflow]
#[derive(Default)]
pub(crate) struct StudyWorkflow;

#[workflow_methods]
impl StudyWorkflow {
    #[run(name = "cdpr-study")]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>, job: Job) -> WorkflowResult<()> {
        let ctx = &*ctx;
        let mut batches = split(&job.chunks, job.shape.batch);
        let rest = batches.split_off(job.shape.run.min(batches.len()));
        let group = ctx.cancellation_token().child_token();
        let batch = |chunks: Ranges| {
            let options = ChildWorkflowOptions::builder()
                .workflow_id(format!("{}/{}", ctx.workflow_id(), chunks[0].0))
                .cancel_type(ChildWorkflowCancellationType::WaitCancellationCompleted)
                .cancellation_token(group.clone())
                .build();
            let job = Job { chunks, ..job.clone() };
            async move {
                let started = ctx.start_child_workflow(BatchWorkflow::run, job, options).await?;
                started.result().await?;
                Ok(())
            }
        };
        spread(batches, job.shape.lanes, &group, batch).await.map_err(|e| ending(ctx, e))?;
        if !rest.is_empty() {
            let job = Job { chunks: rest.concat(), ..job.clone() };
            ctx.continue_as_new(job, ContinueAsNewOptions::default())?;
        }
        Ok(())
    }
}

/// The workflow of a batch.
#[workflow]
#[derive(Default)]
pub(crate) struct BatchWorkflow;

#[workflow_methods]
impl BatchWorkflow {
    #[run(name = "cdpr-batch")]
    pub(crate) async fn run(ctx: &mut WorkflowContext<Self>, job: Job) -> WorkflowResult<()> {
        let ctx = &*ctx;
        let indices: Vec<u64> = job.chunks.iter().flat_map(|(from, to)| *from..*to).collect();
        let group = ctx.cancellation_token().child_token();
        let chunk = |index: u64| {
            let options = ActivityOptions::with_start_to_close_timeout(CHUNK_MAX)
                .activity_id(index.to_string())
                .heartbeat_timeout(SILENCE_MAX)
                .retry_policy(RetryPolicy::builder().maximum_attempts(ATTEMPTS_MAX).build())
                .cancellation_token(group.clone())
                .build();
            let task = Task { spec: job.spec.clone(), config: job.config.clone(), index };
            async move {
                ctx.execute_activity(Chunks::chunk, task, options).await?;
                Ok(())
            }
        };
        let lanes = indices.len();
        spread(indices, lanes, &group, chunk).await.map_err(|e| ending(ctx, e))
    }
}

/// A workflow that was asked to stop ends as cancelled, whatever its parts made of it.
fn ending<W>(ctx: &WorkflowContext<W>, error: WorkflowTermination) -> WorkflowTermination {
    if ctx.cancellation_token().is_cancelled() { WorkflowTermination::cancelled() } else { error }
}

/// Runs `each` on all `items`, `lanes` at once; the first error cancels `group` and is the result.
async fn spread<T, F>(
    items: Vec<T>,
    lanes: usize,
    group: &WorkflowCancellationToken,
    each: impl Fn(T) -> F,
) -> WorkflowResult<()>
where
    F: Future<Output = WorkflowResult<()>>,
{
    let lanes = lanes.min(items.len());
    let items = RefCell::new(items.into_iter());
    let first = RefCell::new(None);
    let lane = || async {
        while first.borrow().is_none() {
            let Some(item) = items.borrow_mut().next() else {
                return;
            };
            if let Err(error) = each(item).await {
                let is_first = first.borrow().is_none();
                if is_first {
                    first.replace(Some(error));
                    group.cancel_with_reason("another part failed");
                }
            }
        }
    };
    join_all((0..lanes).map(|_| lane())).await;
    first.into_inner().map_or(Ok(()), Err)
}

/// Ranges in order, cut so that each part has `size` chunks, and the last what is left.
fn split(ranges: &[(u64, u64)], size: u64) -> Vec<Ranges> {
    let mut parts: Vec<Ranges> = Vec::new();
    let mut room = 0;
    for (mut from, to) in ranges.iter().copied() {
        while from < to {
            if room == 0 {
                parts.push(Vec::new());
                room = size.max(1);
            }
            let cut = to.min(from.saturating_add(room));
            if let Some(part) = parts.last_mut() {
                part.push((from, cut));
            }
            room -= cut - from;
            from = cut;
        }
    }
    parts
}

/// Sorted indices as ranges.
pub(crate) fn ranges(indices: &[u64]) -> Ranges {
    let mut ranges: Ranges = Vec::new();
    for index in indices.iter().copied() {
        match ranges.last_mut() {
            Some((_, to)) if *to == index => *to += 1,
            _ => ranges.push((index, index + 1)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_become_ranges_and_batches_lose_none() {
        let indices = [0, 1, 2, 5, 6, 9, 20, 21, 22, 23];
        let ranges = ranges(&indices);
        assert_eq!(ranges, [(0, 3), (5, 7), (9, 10), (20, 24)]);
        for size in 0..12 {
            let parts = split(&ranges, size);
            let count =
                |part: &Ranges| part.iter().flat_map(|(from, to)| *from..*to).collect::<Vec<_>>();
            let (last, whole) = parts.split_last().unwrap();
            assert!(whole.iter().all(|part| count(part).len() as u64 == size.max(1)));
            assert!(count(last).len() as u64 <= size.max(1));
            assert_eq!(parts.iter().flat_map(count).collect::<Vec<_>>(), indices);
        }
        assert!(split(&[], 3).is_empty());
    }
}
