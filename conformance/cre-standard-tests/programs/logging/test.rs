//! Logs one line.

use cre::{Error, Workflow};
use cre_standard_tests::basic_trigger;

fn setup(config: &[u8]) -> Result<Workflow<Vec<u8>>, Error> {
    Ok(Workflow::new(config.to_vec()).on(basic_trigger("logging", 0), |config, runtime, _| {
        runtime.log("log from wasm!");
        Ok(config.clone())
    }))
}

cre::workflow!(setup);
