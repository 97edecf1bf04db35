//! Modules over wasmi: an interpreter, for where a compiler and executable pages are not wanted, as in a TEE, and for
//! small modules, which have run before a compiler is done.
//!
//! The same functions, limits and errors as over wasmtime. What differs:
//! there is no SIMD and no JavaScript, and a module's own start section, which SDKs do not make, has to end
//! within [`SLICE`].

use std::sync::Arc;

use cre::messages::sdk;
use sha2::{Digest, Sha256};
use wasmi::errors::{ErrorKind, MemoryError};
use wasmi::{
    Caller, CompilationMode, Config, Engine, ExternType, Linker, Memory, ResourceLimiter, Store,
    TrapCode, TypedResumableCall, ValType,
};
use wasmi_core::LimiterError;

use crate::error::Stop;
use crate::imports::{CALL_CAPABILITY, ENV, VERSION, WASI, absent, env, params, wasi};
use crate::lend::lend;
use crate::session::{Ended, Guest, MemoryQuota, Session};
use crate::{Error, Limits, World, binary};

/// A module ready to be interpreted. Cheap to clone and to share between threads.
#[derive(Clone)]
pub struct Module {
    inner: Arc<Inner>,
}

struct Inner {
    module: wasmi::Module,
    linker: Linker<State>,
    limits: Arc<Limits>,
    sdk_label: String,
    hash: [u8; 32],
}

impl std::fmt::Debug for Module {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Module")
            .field("sdk_label", &self.inner.sdk_label)
            .finish_non_exhaustive()
    }
}

/// Units of fuel between two looks at the clock: some milliseconds.
pub const SLICE: u64 = 1_000_000;

impl Module {
    /// Validates and translates a module, raw or brotli.
    ///
    /// # Errors
    /// What is wrong with the module; the variants of [`Error`] up to the blank line.
    pub fn compile(wasm: &[u8], limits: &Limits) -> Result<Self, Error> {
        let wasm = binary::unpack(wasm, limits)?;
        let mut config = Config::default();
        // Fuel is what interrupts an interpreter: counted always, whether or not it is limited.
        config.consume_fuel(true);
        // Translated here, not at the first call: that would cost fuel of the execution, and wasmi 2.0.0 cannot
        // resume a call that runs out of it while translating.
        config.compilation_mode(CompilationMode::Eager);
        config.wasm_multi_memory(false);
        let engine = Engine::new(&config);
        let module = wasmi::Module::new(&engine, &wasm)
            .map_err(|error| Error::Invalid { reason: error.to_string() })?;
        if !matches!(module.get_export("memory"), Some(ExternType::Memory(_))) {
            return Err(Error::NoMemory);
        }
        let mut marker = None;
        for import in module.imports() {
            let (from, name) = (import.module(), import.name());
            let Some(expected) = params(from, name) else {
                return Err(Error::UnknownImport {
                    module: from.to_owned(),
                    name: name.to_owned(),
                });
            };
            if from == ENV && name.starts_with(VERSION) {
                marker.get_or_insert_with(|| name.to_owned());
            }
            if name != CALL_CAPABILITY && !has_params(import.ty(), expected) {
                return Err(Error::Link { reason: format!("`{from}.{name}` has another type") });
            }
        }
        let marker = marker.ok_or(Error::LegacyDag)?;
        let is_start = matches!(module.get_export("_start"), Some(ExternType::Func(function))
            if function.params().is_empty() && function.results().is_empty());
        if !is_start {
            return Err(Error::NoStart);
        }
        let linker =
            linker(&engine, &module).map_err(|error| Error::Link { reason: error.to_string() })?;
        Ok(Self {
            inner: Arc::new(Inner {
                module,
                linker,
                limits: Arc::new(limits.clone()),
                sdk_label: marker.trim_start_matches(VERSION).trim_start_matches('_').to_owned(),
                hash: Sha256::digest(&wasm).into(),
            }),
        })
    }

    /// Executes the module once, in a fresh instance.
    ///
    /// # Errors
    /// Why there is no result; the variants of [`Error`] after the blank line. The module's own failure is a result.
    pub fn execute(
        &self,
        request: &sdk::ExecuteRequest,
        world: &mut dyn World,
    ) -> Result<sdk::ExecutionResult, Error> {
        let inner = &*self.inner;
        lend(world, |world| {
            let session = Session::begin(world, &inner.limits, request)?;
            let mut store = Store::new(inner.module.engine(), State { session, memory: None });
            store.limiter(|state| &mut state.session.memory_quota);
            let ended = match inner.run(&mut store) {
                Ok(ended) => ended,
                Err(error) => ended(error)?,
            };
            store.into_data().session.end(ended)
        })
    }

    /// What the SDK calls itself: the text after `version_v2_` in the marker's name, perhaps empty.
    pub fn sdk_label(&self) -> &str {
        &self.inner.sdk_label
    }

    /// SHA-256 of the raw module.
    pub fn hash(&self) -> [u8; 32] {
        self.inner.hash
    }
}

impl Inner {
    fn run(&self, store: &mut Store<State>) -> Result<Ended, wasmi::Error> {
        let mut budget = self.limits.fuel_max.unwrap_or(u64::MAX);
        let first = SLICE.min(budget);
        budget -= first;
        store.set_fuel(first)?;
        let instance = self.linker.instantiate_and_start(&mut *store, &self.module)?;
        let memory = instance.get_memory(&*store, "memory");
        store.data_mut().memory = memory;
        let start = instance.get_typed_func::<(), ()>(&*store, "_start")?;
        let mut call = start.call_resumable(&mut *store, ())?;
        loop {
            let paused = match call {
                TypedResumableCall::Finished(()) => return Ok(Ended::Returned),
                TypedResumableCall::HostTrap(trap) => {
                    let error = trap.host_error();
                    return Ok(error.downcast_ref::<Stop>().map_or_else(
                        || Ended::Trapped(error.to_string()),
                        |stop| Ended::Stopped(stop.clone()),
                    ));
                }
                TypedResumableCall::OutOfFuel(paused) => paused,
            };
            if store.data().session.check_time().is_err() {
                return Ok(Ended::Interrupted);
            }
            let left = store.get_fuel()?;
            let more = SLICE.max(paused.required_fuel()).min(budget);
            if left.saturating_add(more) < paused.required_fuel() {
                return Ok(Ended::OutOfFuel);
            }
            budget -= more;
            store.set_fuel(left.saturating_add(more))?;
            call = paused.resume(&mut *store)?;
        }
    }
}

/// What an engine's error means for the run.
fn ended(error: wasmi::Error) -> Result<Ended, Error> {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return Ok(Ended::Stopped(stop.clone()));
    }
    #[allow(clippy::wildcard_enum_match_arm, reason = "the engine's enum, open to additions")]
    match error.kind() {
        ErrorKind::TrapCode(TrapCode::OutOfFuel) => Ok(Ended::OutOfFuel),
        ErrorKind::Linker(error) => Err(Error::Link { reason: error.to_string() }),
        ErrorKind::Memory(MemoryError::OutOfSystemMemory) => Ok(Ended::NoRoom(error.to_string())),
        _ => Ok(Ended::Trapped(error.to_string())),
    }
}

fn has_params(import: &ExternType, expected: &[&str]) -> bool {
    let ExternType::Func(function) = import else {
        return false;
    };
    let is = |(param, expected): (&ValType, &&str)| match *expected {
        "i64" => *param == ValType::I64,
        _ => *param == ValType::I32,
    };
    function.params().len() == expected.len() && function.params().iter().zip(expected).all(is)
}

/// A store's data.
struct State {
    session: Session,
    /// Known once instantiated; a start section runs before.
    memory: Option<Memory>,
}

impl wasmi::errors::HostError for Stop {}

impl ResourceLimiter for MemoryQuota {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(self.allows(desired))
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(desired <= crate::TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        1
    }
}

fn with_guest<R>(
    caller: &mut Caller<'_, State>,
    function: impl FnOnce(&mut Guest<'_>) -> Result<R, Stop>,
) -> Result<R, wasmi::Error> {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        None => caller
            .get_export("memory")
            .and_then(wasmi::Extern::into_memory)
            .ok_or_else(|| wasmi::Error::host(Stop::Broken(Error::NoMemory)))?,
    };
    let (memory, state) = memory.data_and_store_mut(&mut *caller);
    function(&mut Guest { memory, session: &mut state.session }).map_err(wasmi::Error::host)
}

fn linker(engine: &Engine, module: &wasmi::Module) -> Result<Linker<State>, wasmi::Error> {
    macro_rules! define {
        ($linker:ident $namespace:ident $module:ident $($name:ident($($arg:ident: $ty:ty),*);)*) => {
            $($linker.func_wrap(
                $module,
                stringify!($name),
                |mut caller: Caller<'_, State>, $($arg: $ty),*| {
                    with_guest(&mut caller, |guest| crate::$namespace::$name(guest, $($arg),*))
                },
            )?;)*
        };
    }
    let mut linker = Linker::new(engine);
    linker.allow_shadowing(true);
    env!(define linker env ENV);
    wasi!(define linker wasi WASI);
    absent!(define linker wasi WASI);
    for import in module.imports() {
        if import.module() != ENV {
            continue;
        }
        if import.name().starts_with(VERSION) {
            linker.func_wrap(ENV, import.name(), || ())?;
        }
        if import.name() == CALL_CAPABILITY {
            let n_params = import.ty().func().map_or(0, |function| function.params().len());
            if n_params == 4 {
                linker.func_wrap(
                    ENV,
                    CALL_CAPABILITY,
                    |mut caller: Caller<'_, State>, ptr: i32, len: i32, buffer: i32, max: i32| {
                        with_guest(&mut caller, |guest| {
                            crate::env::call_capability(guest, ptr, len, buffer, max)
                        })
                    },
                )?;
            } else {
                linker.func_wrap(
                    ENV,
                    CALL_CAPABILITY,
                    |mut caller: Caller<'_, State>, ptr: i32, len: i32| {
                        with_guest(&mut caller, |guest| {
                            crate::env::call_capability(guest, ptr, len, ptr, len)
                        })
                    },
                )?;
            }
        }
    }
    Ok(linker)
}
