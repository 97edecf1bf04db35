//! A WASM module is a program: every node runs the same compiled code, in an instance of its own.

use cre::messages::sdk::{ExecuteRequest, ExecutionResult};
use engine::{Module, World};

use crate::{Program, ProgramError};

impl Program for Module {
    fn run(
        &self,
        request: &ExecuteRequest,
        world: &mut dyn World,
    ) -> Result<ExecutionResult, ProgramError> {
        self.execute(request, world).map_err(|error| ProgramError::Failed(Box::new(error)))
    }
}
