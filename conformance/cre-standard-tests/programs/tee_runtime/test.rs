//! One handler that must run in a TEE, and one that need not.

use cre::{Error, Tee, Workflow};
use cre_standard_tests::basic_trigger;

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(())
        .on_in_tee(basic_trigger("first-trigger", 100), Tee::nitro(["us-west-2"]), |_, _, _| {
            Ok("in a TEE")
        })
        .on(basic_trigger("second-trigger", 200), |_, _, _| Ok("on the DON")))
}

cre::workflow!(setup);
