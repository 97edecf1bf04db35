//! Asks for a secret in node mode. A reference would not compile; a clone does.

use cre::{Consensus, Error, Workflow};
use cre_standard_tests::basic_trigger;

fn setup(_: &[u8]) -> Result<Workflow<()>, Error> {
    Ok(Workflow::new(()).on(basic_trigger("secrets-in-node", 0), |_, runtime, _| {
        let don = runtime.clone();
        let observed = runtime.run_in_node_mode(Consensus::identical(), move |_| {
            Ok(don.secret("Foo").wait()?.expose().to_owned())
        });
        observed.wait()
    }))
}

cre::workflow!(setup);
