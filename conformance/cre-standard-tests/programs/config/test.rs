//! Returns the configuration as it came.

use cre::{Error, Workflow};
use cre_standard_tests::basic_trigger;

fn setup(config: &[u8]) -> Result<Workflow<Vec<u8>>, Error> {
    Ok(Workflow::new(config.to_vec())
        .on(basic_trigger("config", 0), |config, _, _| Ok(config.clone())))
}

cre::workflow!(setup);
