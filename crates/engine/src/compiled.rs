//! Modules over wasmtime: compiled once, each execution in an instance of its own.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use cre::messages::sdk;
use sha2::{Digest, Sha256};
use wasmtime::{
    Cache, CacheConfig, Caller, Config, Engine, ExternType, Instance, InstancePre, Linker, Memory,
    OptLevel, Store, Trap, TypedFunc, WasmParams, WasmResults,
};

use crate::error::Stop;
use crate::imports::{CALL_CAPABILITY, ENV, VERSION, WASI, absent, env, params, wasi};
use crate::lend::lend;
use crate::session::{Ended, Guest, MemoryQuota, Session};
use crate::{Error, Limits, World, binary};

/// A compiled module. Cheap to clone and to share between threads.
#[derive(Clone)]
pub struct Module {
    inner: Arc<Inner>,
}

struct Inner {
    pre: InstancePre<State>,
    limits: Arc<Limits>,
    sdk_label: String,
    hash: [u8; 32],
    entry: Entry,
}

enum Entry {
    Start,
    /// QuickJS bytecode for the plugin's `invoke`.
    JavaScript(Vec<u8>),
}

impl std::fmt::Debug for Module {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Module")
            .field("sdk_label", &self.inner.sdk_label)
            .finish_non_exhaustive()
    }
}

impl Module {
    /// Compiles a module, raw or brotli.
    ///
    /// # Errors
    /// What is wrong with the module; the variants of [`Error`] up to the blank line.
    pub fn compile(wasm: &[u8], limits: &Limits) -> Result<Self, Error> {
        let wasm = binary::unpack(wasm, limits)?;
        let module = Self::link(&wasm, limits, Entry::Start)?;
        let start = module.inner.pre.module().get_export("_start");
        let is_start = matches!(&start, Some(ExternType::Func(function))
            if function.params().len() == 0 && function.results().len() == 0);
        if is_start { Ok(module) } else { Err(Error::NoStart) }
    }

    /// Compiles a workflow in JavaScript with a plugin of the Javy family: npm's
    /// `@chainlink/cre-sdk-javy-plugin`, and a bundle made by `@chainlink/cre-sdk`'s `compile-to-js`.
    ///
    /// The bundle is compiled to QuickJS bytecode here, once; an execution loads the bytecode.
    ///
    /// # Errors
    /// As [`Module::compile`]; [`Error::NotAPlugin`], [`Error::JavaScript`].
    pub fn javascript(
        plugin_wasm: &[u8],
        bundle_js: &[u8],
        limits: &Limits,
    ) -> Result<Self, Error> {
        let wasm = binary::unpack(plugin_wasm, limits)?;
        let plugin = Self::link(&wasm, limits, Entry::JavaScript(Vec::new()))?;
        let bytecode = plugin.compile_source(bundle_js)?;
        let hash = Sha256::new().chain_update(&wasm).chain_update(bundle_js).finalize().into();
        Ok(Self {
            inner: Arc::new(Inner {
                pre: plugin.inner.pre.clone(),
                limits: plugin.inner.limits.clone(),
                sdk_label: plugin.inner.sdk_label.clone(),
                hash,
                entry: Entry::JavaScript(bytecode),
            }),
        })
    }

    /// Executes the module once, in a fresh instance.
    ///
    /// # Errors
    /// Why there is no result; the variants of [`Error`] after the blank line. The module's own failure is
    /// a result.
    pub fn execute(
        &self,
        request: &sdk::ExecuteRequest,
        world: &mut dyn World,
    ) -> Result<sdk::ExecutionResult, Error> {
        let inner = &*self.inner;
        lend(world, |world| {
            let session = Session::begin(world, &inner.limits, request)?;
            let (ended, session) = self.run(session, |store, instance| match &inner.entry {
                Entry::Start => export::<(), ()>(store, instance, "_start")?.call(store, ()),
                Entry::JavaScript(bytecode) => {
                    let (pointer, len) = load(store, instance, bytecode)?;
                    // No function's name: the bundle runs `main` at its top level, and would run it twice.
                    export::<(i32, i32, i32, i32, i32), ()>(store, instance, "invoke")?
                        .call(store, (pointer, len, 0, 0, 0))
                }
            })?;
            session.end(ended.map_or_else(|ended| ended, |()| Ended::Returned))
        })
    }

    /// What the SDK calls itself: the text after `version_v2_` in the marker's name, perhaps empty.
    pub fn sdk_label(&self) -> &str {
        &self.inner.sdk_label
    }

    /// SHA-256 of the raw module; of a JavaScript workflow, of the plugin and the bundle, one after the other.
    pub fn hash(&self) -> [u8; 32] {
        self.inner.hash
    }

    fn link(wasm: &[u8], limits: &Limits, entry: Entry) -> Result<Self, Error> {
        let engine = engine(limits.fuel_max.is_some())?;
        let module = wasmtime::Module::new(engine, wasm)
            .map_err(|error| Error::Invalid { reason: words(&error) })?;
        if !matches!(module.get_export("memory"), Some(ExternType::Memory(_))) {
            return Err(Error::NoMemory);
        }
        let unknown =
            module.imports().find(|import| params(import.module(), import.name()).is_none());
        if let Some(import) = unknown {
            return Err(Error::UnknownImport {
                module: import.module().to_owned(),
                name: import.name().to_owned(),
            });
        }
        let marker = module
            .imports()
            .find(|import| import.module() == ENV && import.name().starts_with(VERSION))
            .ok_or(Error::LegacyDag)?;
        let sdk_label =
            marker.name().trim_start_matches(VERSION).trim_start_matches('_').to_owned();
        let pre = linker(engine, &module)
            .and_then(|linker| linker.instantiate_pre(&module))
            .map_err(|error| Error::Link { reason: words(&error) })?;
        let hash = Sha256::digest(wasm).into();
        Ok(Self {
            inner: Arc::new(Inner {
                pre,
                limits: Arc::new(limits.clone()),
                sdk_label,
                hash,
                entry,
            }),
        })
    }

    fn compile_source(&self, source: &[u8]) -> Result<Vec<u8>, Error> {
        lend(&mut crate::silent::Silent, |world| {
            let request = sdk::ExecuteRequest::default();
            let session = Session::begin(world, &self.inner.limits, &request)?;
            let (compiled, session) = self.run(session, |store, instance| {
                for name in ["initialize-runtime", "cabi_realloc", "compile-src", "invoke"] {
                    if instance.get_func(&mut *store, name).is_none() {
                        return Err(Stop::Broken(Error::NotAPlugin { name }).into());
                    }
                }
                let (pointer, len) = load(store, instance, source)?;
                let result = export::<(i32, i32), i32>(store, instance, "compile-src")?
                    .call(&mut *store, (pointer, len))?;
                // Three words: 0 or an error, the pointer and the length of the bytecode or of the text.
                let memory = memory_of(store, instance)?.data(&*store);
                let word = |i: i32| crate::memory::read_u32(memory, result.wrapping_add(4 * i));
                let (Some(status), Some(at), Some(len)) = (word(0), word(1), word(2)) else {
                    return Err(broken("no answer".to_owned()));
                };
                let bytes = crate::memory::read(memory, at.cast_signed(), len.cast_signed())
                    .map(<[u8]>::to_vec);
                match (status, bytes) {
                    (0, Ok(bytecode)) => Ok(bytecode),
                    (_, Ok(text)) => Err(broken(String::from_utf8_lossy(&text).into_owned())),
                    (_, Err(reason)) => Err(broken(reason)),
                }
            })?;
            match compiled {
                Ok(bytecode) => Ok(bytecode),
                Err(ended) => Err(match session.end(ended) {
                    Err(error) => error,
                    Ok(_) => Error::JavaScript { reason: "the plugin ended".to_owned() },
                }),
            }
        })
    }

    /// Instantiates the module and calls into it, watching the time.
    #[allow(
        clippy::type_complexity,
        reason = "how it ended, and the session for what to make of it"
    )]
    fn run<R>(
        &self,
        session: Session,
        enter: impl FnOnce(&mut Store<State>, &Instance) -> wasmtime::Result<R>,
    ) -> Result<(Result<R, Ended>, Session), Error> {
        let inner = &*self.inner;
        let engine = inner.pre.module().engine();
        let ticks = session.time_max().as_nanos() / TICK.as_nanos() + 1;
        let mut store = Store::new(engine, State { session, memory: None });
        store.limiter(|state| &mut state.session.memory_quota);
        // An epoch that cannot be reached stands for no deadline.
        store.set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX).min(u64::MAX / 2));
        if let Some(fuel) = inner.limits.fuel_max {
            store.set_fuel(fuel).map_err(|error| Error::Engine { reason: words(&error) })?;
        }
        let _ticking = tick();
        let outcome = match inner.pre.instantiate(&mut store) {
            Ok(instance) => {
                let memory = instance.get_memory(&mut store, "memory");
                store.data_mut().memory = memory;
                enter(&mut store, &instance)
            }
            Err(error) => Err(error),
        };
        let ended = outcome.map_err(|error| match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Ended::Interrupted,
            Some(Trap::OutOfFuel) => Ended::OutOfFuel,
            _ => match error.downcast::<Stop>() {
                Ok(stop) => Ended::Stopped(stop),
                Err(error) if words(&error).ends_with(NO_MEMORY) => Ended::NoRoom(words(&error)),
                Err(error) => Ended::Trapped(words(&error)),
            },
        });
        Ok((ended, store.into_data().session))
    }
}

/// ENOMEM in Rust's words, where an instance's memory cannot be reserved; the type behind them is no crate's of ours.
const NO_MEMORY: &str = "(os error 12)";

fn broken(reason: String) -> wasmtime::Error {
    Stop::Broken(Error::JavaScript { reason }).into()
}

/// Starts the plugin's JavaScript and brings bytes into its memory.
fn load(
    store: &mut Store<State>,
    instance: &Instance,
    bytes: &[u8],
) -> wasmtime::Result<(i32, i32)> {
    export::<(), ()>(store, instance, "initialize-runtime")?.call(&mut *store, ())?;
    let len = i32::try_from(bytes.len())?;
    // Old pointer, old size, alignment, new size.
    let pointer = export::<(i32, i32, i32, i32), i32>(store, instance, "cabi_realloc")?
        .call(&mut *store, (0, 0, 1, len))?;
    memory_of(store, instance)?.write(store, usize::try_from(pointer)?, bytes)?;
    Ok((pointer, len))
}

fn export<P: WasmParams, R: WasmResults>(
    store: &mut Store<State>,
    instance: &Instance,
    name: &'static str,
) -> wasmtime::Result<TypedFunc<P, R>> {
    instance.get_typed_func(store, name)
}

fn memory_of(store: &mut Store<State>, instance: &Instance) -> wasmtime::Result<Memory> {
    instance.get_memory(store, "memory").ok_or_else(|| Stop::from(Error::NoMemory).into())
}

/// A store's data.
struct State {
    session: Session,
    /// Known once instantiated; a start section runs before.
    memory: Option<Memory>,
}

impl wasmtime::ResourceLimiter for MemoryQuota {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.allows(desired))
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
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
) -> wasmtime::Result<R> {
    let memory = match caller.data().memory {
        Some(memory) => memory,
        None => caller
            .get_export("memory")
            .and_then(wasmtime::Extern::into_memory)
            .ok_or(Stop::Broken(Error::NoMemory))?,
    };
    let (memory, state) = memory.data_and_store_mut(caller);
    Ok(function(&mut Guest { memory, session: &mut state.session })?)
}

fn linker(engine: &Engine, module: &wasmtime::Module) -> wasmtime::Result<Linker<State>> {
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

static KEPT_IN: OnceLock<PathBuf> = OnceLock::new();

/// Keeps what this process compiles in `folder`, by the hash of module, compiler and settings, and takes from there what is
/// there. Has to be said before the first module is compiled; of several calls the first counts. A folder that cannot be
/// written, or a file in it that is damaged, costs time and nothing else.
///
/// The folder is this user's own: whoever writes to it writes code that this process runs.
pub fn keep_compiled_in(folder: PathBuf) {
    let _ = KEPT_IN.set(folder);
}

fn cache() -> Option<Cache> {
    let mut config = CacheConfig::new();
    config.with_directory(KEPT_IN.get()?);
    Cache::new(config).ok()
}

/// The process's engine, with or without counting fuel. One of each, because the deadline's ticks are an
/// engine's.
fn engine(counts_fuel: bool) -> Result<&'static Engine, Error> {
    static ENGINES: [OnceLock<Result<Engine, Error>>; 2] = [OnceLock::new(), OnceLock::new()];
    let made = ENGINES[usize::from(counts_fuel)].get_or_init(|| {
        let mut config = Config::new();
        config.consume_fuel(counts_fuel);
        config.epoch_interruption(true);
        config.cranelift_opt_level(OptLevel::Speed);
        // The same bits on every node: one NaN, and none of the proposals whose results depend on the
        // machine. Threads, garbage collection and components are not even compiled in.
        config.cranelift_nan_canonicalization(true);
        config.wasm_relaxed_simd(false);
        config.wasm_memory64(false);
        config.wasm_multi_memory(false);
        // Every run ends in an error, `proc_exit`'s: it should not walk the stack.
        config.wasm_backtrace_max_frames(None);
        config.generate_address_map(false);
        config.cache(cache());
        Engine::new(&config).map_err(|error| Error::Engine { reason: words(&error) })
    });
    match made {
        Ok(engine) => Ok(engine),
        Err(error) => Err(error.clone()),
    }
}

/// How precisely a deadline is kept. Chainlink's host ticks every 100 ms.
const TICK: Duration = Duration::from_millis(10);

/// The ticker thread's work: executions under way.
struct Ticker {
    n_running: Mutex<usize>,
    begun: Condvar,
}

static TICKER: Ticker = Ticker { n_running: Mutex::new(0), begun: Condvar::new() };

impl Ticker {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.n_running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the epochs ticking while it lives. The thread sleeps when nothing runs.
fn tick() -> Ticking {
    static THREAD: OnceLock<()> = OnceLock::new();
    let mut n_running = TICKER.lock();
    *n_running += 1;
    if *n_running == 1 {
        TICKER.begun.notify_one();
    }
    drop(n_running);
    THREAD.get_or_init(|| {
        std::thread::spawn(|| {
            loop {
                let mut n_running = TICKER.lock();
                while *n_running == 0 {
                    n_running =
                        TICKER.begun.wait(n_running).unwrap_or_else(PoisonError::into_inner);
                }
                drop(n_running);
                std::thread::sleep(TICK);
                for counts_fuel in [false, true] {
                    if let Ok(engine) = engine(counts_fuel) {
                        engine.increment_epoch();
                    }
                }
            }
        });
    });
    Ticking
}

struct Ticking;

impl Drop for Ticking {
    fn drop(&mut self) {
        *TICKER.lock() -= 1;
    }
}

/// An error with its causes, in one line.
fn words(error: &wasmtime::Error) -> String {
    error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
