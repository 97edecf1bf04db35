//! Waits for an answer that there is no room for.

use cre::{Error, Workflow};
use cre_standard_tests::{basic_action, basic_trigger};

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(basic_trigger("write-errors", 0), |_, runtime, _| {
        Ok(basic_action(runtime, true).wait()?.adapted_thing)
    }))
}

cre::workflow!(setup);
