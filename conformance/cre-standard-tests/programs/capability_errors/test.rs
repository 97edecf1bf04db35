//! Reads every kind of error that a capability may give, then a good answer.

use cre::error::{Origin, Visibility};
use cre::{Code, Error, Workflow};
use cre_standard_tests::{basic_action, basic_trigger};

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(basic_trigger("capability-errors", 0), |_, runtime, _| {
        for code in Code::ALL {
            let Err(error) = basic_action(runtime, true).wait() else {
                return Err(Error::workflow(format!("{} did not come", code.name())));
            };
            let said = error.capability().ok_or("the error is not the capability's")?;
            if (said.code, said.origin, said.visibility)
                != (*code, Origin::System, Visibility::Public)
            {
                return Err(Error::workflow(format!("expected {}, got {said:?}", code.name())));
            }
        }
        Ok(basic_action(runtime, true).wait()?.adapted_thing)
    }))
}

cre::workflow!(setup);
