//! Starts two calls before it waits for either.

use cre::{Error, Workflow};
use cre_standard_tests::{basic_action, basic_trigger};

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(basic_trigger("async", 0), |_, runtime, _| {
        let (first, second) = (basic_action(runtime, true), basic_action(runtime, false));
        Ok(first.wait()?.adapted_thing + &second.wait()?.adapted_thing)
    }))
}

cre::workflow!(setup);
