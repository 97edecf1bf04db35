//! What is said to a terminal, a pipe or a file, and how the one who watches is kept informed.
//!
//! Answers go to stdout, everything else to stderr. A reader that has left has had enough, so a closed pipe is no error;
//! a device that is full is one. What cannot be said on stderr is not said.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::anyhow;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;

/// Between two lines about work that goes on, where nobody sees a bar.
const PERIOD: Duration = Duration::from_secs(5);

/// The same while only the clock is waited for, which may be for days.
const PERIOD_OF_WAITING: Duration = Duration::from_mins(1);

/// What a shell reports of a process that Ctrl-C ended: 128 and the signal's number.
pub(crate) const INTERRUPTED: u8 = 130;

/// Answers: all of `text`, at once.
///
/// # Errors
/// [`Failure::Unheard`] when nobody reads any more: whatever goes on has nobody to go on for.
pub(crate) fn say(text: impl AsRef<[u8]>) -> Result<(), Failure> {
    to(&mut io::stdout().lock(), text.as_ref())
}

fn to(out: &mut impl Write, text: &[u8]) -> Result<(), Failure> {
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::Unheard),
        Err(error) => {
            let hint = "what was written to files is there";
            let words = format!("standard output cannot be written\n  hint: {hint}");
            Err(Failure::Internal(anyhow!(error).context(words)))
        }
    }
}

/// Says something beside the answer.
pub(crate) fn note(words: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{words}");
}

/// Whether answers may be coloured: `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, `TERM` and what stdout is decide, as everywhere.
pub(crate) fn is_coloured() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// How wide answers may be: what `COLUMNS` says, or the terminal; elsewhere 80, which every page holds.
pub(crate) fn columns() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let own = || {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    };
    asked.or_else(own).unwrap_or(80)
}

/// A bar for who watches a terminal, a line every few seconds for who reads a log.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) bar: ProgressBar,
    telling: Option<Telling>,
}

impl Progress {
    /// `template` is indicatif's; `words` says of the bar what a line says.
    pub(crate) fn new(
        bar: ProgressBar,
        template: &str,
        words: impl Fn(&ProgressBar) -> String + Send + 'static,
    ) -> Self {
        Self::telling(PERIOD, bar, template, words)
    }

    /// Of work that does not count its steps, in words.
    pub(crate) fn working(words: impl Into<Cow<'static, str>>) -> Self {
        Self::spinning(PERIOD, words)
    }

    /// Of a wait for the clock.
    pub(crate) fn waiting(words: impl Into<Cow<'static, str>>) -> Self {
        Self::spinning(PERIOD_OF_WAITING, words)
    }

    fn spinning(period: Duration, words: impl Into<Cow<'static, str>>) -> Self {
        let bar = ProgressBar::new_spinner().with_message(words);
        Self::telling(period, bar, "{spinner} {msg} ({elapsed})", |bar| {
            format!("{}, {}", bar.message(), HumanDuration(bar.elapsed()))
        })
    }

    fn telling(
        period: Duration,
        bar: ProgressBar,
        template: &str,
        words: impl Fn(&ProgressBar) -> String + Send + 'static,
    ) -> Self {
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bar.with_style(style);
        let telling = if io::stderr().is_terminal() {
            bar.enable_steady_tick(Duration::from_millis(250));
            None
        } else {
            let told = bar.clone();
            Some(Telling::start(period, move || note(words(&told))))
        };
        Self { bar, telling }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.telling = None;
        self.bar.finish_and_clear();
    }
}

/// A thread that says something now and then.
#[derive(Debug)]
struct Telling {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Telling {
    /// Without a thread to be had, nothing is said.
    fn start(period: Duration, mut tell: impl FnMut() + Send + 'static) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().spawn(move || {
            while stopped.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                tell();
            }
        });
        Self { stop: Some(stop), thread: thread.ok() }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What is still to be done when the process ends from within, where nothing is dropped.
static LAST: Mutex<Vec<Box<dyn FnOnce() + Send>>> = Mutex::new(Vec::new());

/// Has something done should the process be interrupted: what a guard would do when it is dropped.
pub(crate) fn when_interrupted(act: impl FnOnce() + Send + 'static) {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(act));
}

/// The same of a folder of nobody else's.
pub(crate) fn remove_when_interrupted(folder: &Path) {
    let folder = folder.to_owned();
    when_interrupted(move || drop(std::fs::remove_dir_all(folder)));
}

/// Ends the process as a shell expects of one that was interrupted, and leaves nothing half done.
fn end() -> ! {
    let last = std::mem::take(&mut *LAST.lock().unwrap_or_else(PoisonError::into_inner));
    last.into_iter().for_each(|act| act());
    study::folder::remove_half();
    std::process::exit(INTERRUPTED.into())
}

/// Says how to go on when Ctrl-C or SIGTERM comes, from the moment that this returns. The first time `stop` may end the work
/// by itself, which it says by returning true; otherwise, and the second time, the process ends.
pub(crate) fn on_interrupt(words: String, stop: impl Fn() -> bool + Send + 'static) {
    let (listens, listening) = mpsc::channel();
    // Without a thread or signals, the process ends without a word, as it would have.
    let _ = std::thread::Builder::new().spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            let _ = listens.send(());
            for time in 0.. {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if time == 0 {
                    note(format_args!("\n{words}"));
                }
                if time > 0 || !stop() {
                    end();
                }
            }
        });
    });
    let _ = listening.recv();
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_device_is() {
        let left = to(&mut Broken(io::ErrorKind::BrokenPipe), b"x");
        assert!(matches!(left, Err(Failure::Unheard)));
        let Err(Failure::Internal(error)) = to(&mut Broken(io::ErrorKind::StorageFull), b"x")
        else {
            panic!("a full device was not told");
        };
        assert!(format!("{error:#}").contains("standard output cannot be written"));
    }

    #[test]
    fn long_work_is_told_of_until_it_ends() {
        let (told, telling) = mpsc::channel();
        let work = Telling::start(Duration::from_millis(1), move || {
            let _ = told.send(());
        });
        telling.recv().expect("it is told of");
        telling.recv().expect("and again");
        drop(work);
        while telling.recv().is_ok() {}
    }
}
