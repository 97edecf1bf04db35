//! Fails by itself.

use cre::{Error, Workflow};
use cre_standard_tests::basic_trigger;

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(basic_trigger("errors", 0), |_, _, _| {
        Err::<(), _>(Error::workflow("workflow execution failure"))
    }))
}

cre::workflow!(setup);
