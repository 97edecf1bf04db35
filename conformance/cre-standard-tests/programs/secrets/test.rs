//! Returns a secret, or why there is none.

use cre::{Error, Workflow};
use cre_standard_tests::basic_trigger;

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(basic_trigger("secrets", 0), |_, runtime, _| {
        Ok(runtime.secret("Foo").wait()?.expose().to_owned())
    }))
}

cre::workflow!(setup);
