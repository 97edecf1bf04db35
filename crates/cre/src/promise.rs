//! A call that has started.

use crate::error::Error;

/// The answer of a call that has started, and that the workflow has yet to wait for.
///
/// Start several, then wait: they run at the same time. A call that could not even start says so when waited for.
#[must_use = "the call's answer, and its error, come from `wait`"]
pub struct Promise<T> {
    answer: Box<dyn FnOnce() -> Result<T, Error>>,
}

impl<T: 'static> Promise<T> {
    pub(crate) fn new(answer: impl FnOnce() -> Result<T, Error> + 'static) -> Self {
        Self { answer: Box::new(answer) }
    }

    /// One that is known already.
    pub fn ready(answer: Result<T, Error>) -> Self {
        Self::new(move || answer)
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// The call could not start, or failed; or its answer is not what it should be; or the runtime it was
    /// started on may not be used where the workflow is now.
    pub fn wait(self) -> Result<T, Error> {
        (self.answer)()
    }

    /// The answer, made into something else once it is there.
    pub fn map<U: 'static>(self, f: impl FnOnce(T) -> U + 'static) -> Promise<U> {
        Promise::new(move || self.wait().map(f))
    }

    /// The answer, made into something else once it is there, if it can be.
    pub fn and_then<U: 'static>(
        self,
        f: impl FnOnce(T) -> Result<U, Error> + 'static,
    ) -> Promise<U> {
        Promise::new(move || self.wait().and_then(f))
    }
}

impl<T> std::fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Promise")
    }
}
