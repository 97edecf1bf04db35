//! Reading chunks out of a workflow's history, as it grows.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::tonic::Code;
use temporalio_client::{
    Client, UntypedWorkflow, WorkflowExecutionInfo, WorkflowFetchHistoryOptions, WorkflowHandle,
};
use temporalio_common::protos::temporal::api::failure::v1::Failure;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{Ending, Error};

/// A cluster that is away for longer is gone.
const AWAY_MAX: Duration = Duration::from_secs(120);

/// Between two tries to reach it.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// Children read at once, of thousands that a study may have. More than run at once, or the first chunks would wait.
const READERS: usize = 32;

/// A chunk's index, and its bytes as some worker sent them.
pub(crate) type Made = (u64, Vec<u8>);

/// One run of a workflow.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) workflow: String,
    pub(crate) run: String,
    /// The last of the runs that continue it, where it is known: read in place of one that the cluster no longer keeps.
    pub(crate) last: Option<String>,
}

/// With a cluster that does not answer.
#[derive(Default)]
struct Patience {
    /// Of the failures since the last answer, when the first was.
    since: Option<Instant>,
}

impl Patience {
    const fn answered(&mut self) {
        self.since = None;
    }

    /// Whether a call that failed `now` is made again.
    fn is_left(&mut self, now: Instant) -> bool {
        now.duration_since(*self.since.get_or_insert(now)) < AWAY_MAX
    }
}

/// What an event means to a reader.
enum News {
    Made(Made),
    Child(Run),
    Next(Next),
}

/// Sends every chunk in the history of `run`, of those that continue it and of their children; the last one's ending,
/// and none if the cluster no longer keeps it.
///
/// Waits for what is not there yet. Each chunk is sent once for each time it was asked for, whatever its attempts were.
pub(crate) fn follow(
    client: Client,
    run: Run,
    made: Sender<Made>,
) -> Pin<Box<dyn Future<Output = Result<Option<Ending>, Error>> + Send>> {
    Box::pin(follow_runs(client, run, made))
}

async fn follow_runs(
    client: Client,
    mut run: Run,
    made: Sender<Made>,
) -> Result<Option<Ending>, Error> {
    let mut children =
        Children { running: JoinSet::new(), readers: Arc::new(Semaphore::new(READERS)) };
    let ending = loop {
        match follow_run(&client, &run, &made, &mut children).await? {
            Next::Run(next) => run.run = next,
            Next::Ending(ending) => break Some(ending),
            // What only a lost history has is asked for again.
            Next::Lost => match run.last.take() {
                Some(last) if last != run.run => run.run = last,
                _ => break None,
            },
        }
    };
    let mut children = children.running;
    while let Some(child) = children.join_next().await {
        // How a child ended is told by its parent; that it cannot be read is told here.
        child.map_err(|error| refused("history", &run.workflow, error))??;
    }
    Ok(ending)
}

/// What comes after a run.
enum Next {
    Run(String),
    Ending(Ending),
    /// The cluster has no history of it: a namespace keeps closed workflows for some days.
    Lost,
}

/// The workflows that a workflow started.
struct Children {
    running: JoinSet<Result<Option<Ending>, Error>>,
    readers: Arc<Semaphore>,
}

impl Children {
    fn follow(&mut self, client: &Client, child: Run, made: &Sender<Made>) {
        let following = follow(client.clone(), child, made.clone());
        let readers = Arc::clone(&self.readers);
        self.running.spawn(async move {
            let _turn = readers.acquire().await;
            following.await
        });
    }
}

async fn follow_run(
    client: &Client,
    run: &Run,
    made: &Sender<Made>,
    children: &mut Children,
) -> Result<Next, Error> {
    // Activities by the event that asked for them, and the last event read: a reader that was cut off starts from the
    // first event again.
    let (mut asked, mut last) = (BTreeMap::new(), 0);
    let mut patience = Patience::default();
    loop {
        let info = WorkflowExecutionInfo::builder()
            .namespace(client.options().namespace.clone())
            .workflow_id(run.workflow.clone())
            .run_id(run.run.clone())
            .build();
        let handle = WorkflowHandle::<Client, UntypedWorkflow>::new(client.clone(), info);
        let options = WorkflowFetchHistoryOptions::builder().wait_new_event(true).build();
        let mut events = handle.fetch_history(options);
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => event,
                Err(error) if is_passing(&error) && patience.is_left(Instant::now()) => break,
                Err(WorkflowInteractionError::NotFound(_)) => return Ok(Next::Lost),
                Err(error) => return Err(refused("history", &run.workflow, error)),
            };
            // Every answer brings one: a history that is opened again starts at its first event.
            patience.answered();
            if event.event_id <= last {
                continue;
            }
            last = event.event_id;
            match read(event, &mut asked) {
                // A reader that is gone has what it wanted; the rest is still followed to its end.
                Some(News::Made(chunk)) => drop(made.send(chunk).await),
                Some(News::Child(child)) => children.follow(client, child, made),
                Some(News::Next(next)) => return Ok(next),
                None => {}
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "of a server's sixty events these matter")]
fn read(event: HistoryEvent, names: &mut BTreeMap<i64, u64>) -> Option<News> {
    let ended = |ending| News::Next(Next::Ending(ending));
    match event.attributes? {
        Attributes::ActivityTaskScheduledEventAttributes(asked) => {
            names.insert(event.event_id, asked.activity_id.parse().ok()?);
            None
        }
        Attributes::ActivityTaskCompletedEventAttributes(done) => {
            let index = *names.get(&done.scheduled_event_id)?;
            let result = done.result?.payloads.into_iter().next()?;
            Some(News::Made((index, result.data)))
        }
        Attributes::ChildWorkflowExecutionStartedEventAttributes(child) => {
            let child = child.workflow_execution?;
            Some(News::Child(Run { workflow: child.workflow_id, run: child.run_id, last: None }))
        }
        Attributes::WorkflowExecutionContinuedAsNewEventAttributes(next) => {
            Some(News::Next(Next::Run(next.new_execution_run_id)))
        }
        Attributes::WorkflowExecutionCompletedEventAttributes(_) => Some(ended(Ending::Completed)),
        Attributes::WorkflowExecutionCanceledEventAttributes(_) => Some(ended(Ending::Cancelled)),
        Attributes::WorkflowExecutionFailedEventAttributes(failed) => {
            let reason = words(failed.failure.as_ref());
            Some(ended(Ending::Failed { reason }))
        }
        Attributes::WorkflowExecutionTerminatedEventAttributes(_) => {
            Some(ended(Ending::Terminated))
        }
        Attributes::WorkflowExecutionTimedOutEventAttributes(_) => Some(ended(Ending::TimedOut)),
        _ => None,
    }
}

/// The innermost words: those around it say that an activity of a child failed, which is known.
fn words(mut failure: Option<&Failure>) -> String {
    let mut words = "for a reason that is not given".to_owned();
    while let Some(inner) = failure {
        if !inner.message.is_empty() {
            words.clone_from(&inner.message);
        }
        failure = inner.cause.as_deref();
    }
    words
}

/// Whether it may be over in a while.
fn is_passing(error: &WorkflowInteractionError) -> bool {
    // A connection that broke is unknown to the client in the SDK.
    const PASSING: [Code; 7] = [
        Code::Aborted,
        Code::Cancelled,
        Code::DeadlineExceeded,
        Code::Internal,
        Code::ResourceExhausted,
        Code::Unavailable,
        Code::Unknown,
    ];
    matches!(error, WorkflowInteractionError::Rpc(status) if PASSING.contains(&status.code()))
}

/// A call that was refused.
pub(crate) fn refused(
    call: &'static str,
    workflow: &str,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::Call { call, workflow: workflow.to_owned(), cause: Box::new(cause) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_counted_from_the_first_failure_since_an_answer() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut patience = Patience::default();
        // However long the study went on before.
        assert!(patience.is_left(at(100_000)));
        assert!(patience.is_left(at(100_119)));
        assert!(!patience.is_left(at(100_120)));
        patience.answered();
        assert!(patience.is_left(at(100_121)));
        assert!(!patience.is_left(at(100_300)));
    }
}
