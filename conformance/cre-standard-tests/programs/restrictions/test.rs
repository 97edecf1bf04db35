//! Forbids itself all calls, then makes one.

use cre::{Calls, Error, Handler, Restrictions, Workflow};
use cre_standard_tests::{basic_action, basic_trigger};

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    let handler = Handler::new(basic_trigger("first-trigger", 100), |_, runtime, _| {
        Ok(basic_action(runtime, true).wait()?.adapted_thing)
    });
    Ok(Workflow::new(())
        .with(handler.with_pre_hook(|_, _| Ok(Restrictions::none().calls(Calls::only(0))))))
}

cre::workflow!(setup);
