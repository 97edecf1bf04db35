//! Uses the DON's runtime in node mode. A reference would not compile; a clone does.

use cre::{Consensus, Error, Workflow};
use cre_standard_tests::{basic_action, basic_trigger};

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(basic_trigger("don-in-node", 0), |_, runtime, _| {
        let don = runtime.clone();
        let observed = runtime.run_in_node_mode(Consensus::identical(), move |_| {
            Ok(basic_action(&don, true).wait()?.adapted_thing)
        });
        observed.wait()
    }))
}

cre::workflow!(setup);
