//! Returns the DON's time as text.

use cre::{Error, Workflow};
use cre_standard_tests::basic_trigger;

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(())
        .on(basic_trigger("time", 0), |_, runtime, _| Ok(runtime.now()?.to_string())))
}

cre::workflow!(setup);
