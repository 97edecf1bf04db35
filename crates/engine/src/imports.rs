//! What a module may import, once for every engine: the one list from which the engines' linkers, the
//! functions that do nothing and the check of a module's imports are made.

/// Gives `$visit!` the functions without a body of their own.
macro_rules! absent {
    ($visit:ident $($context:tt)*) => {
        $visit! { $($context)*
            fd_advise(fd: i32, offset: i64, len: i64, advice: i32);
            fd_allocate(fd: i32, offset: i64, len: i64);
            fd_datasync(fd: i32);
            fd_fdstat_set_rights(fd: i32, base: i64, inheriting: i64);
            fd_filestat_get(fd: i32, out: i32);
            fd_filestat_set_size(fd: i32, size: i64);
            fd_filestat_set_times(fd: i32, atim: i64, mtim: i64, flags: i32);
            fd_pread(fd: i32, vectors: i32, count: i32, offset: i64, out: i32);
            fd_prestat_dir_name(fd: i32, path: i32, len: i32);
            fd_prestat_get(fd: i32, out: i32);
            fd_pwrite(fd: i32, vectors: i32, count: i32, offset: i64, out: i32);
            fd_readdir(fd: i32, buffer: i32, len: i32, cookie: i64, out: i32);
            fd_renumber(fd: i32, to: i32);
            fd_sync(fd: i32);
            fd_tell(fd: i32, out: i32);
            path_create_directory(fd: i32, path: i32, len: i32);
            path_filestat_get(fd: i32, flags: i32, path: i32, len: i32, out: i32);
            path_filestat_set_times(fd: i32, flags: i32, path: i32, len: i32, atim: i64, mtim: i64, fst: i32);
            path_link(fd: i32, flags: i32, from: i32, from_len: i32, to_fd: i32, to: i32, to_len: i32);
            path_open(fd: i32, dirflags: i32, path: i32, len: i32, oflags: i32, base: i64, inheriting: i64, flags: i32, out: i32);
            path_readlink(fd: i32, path: i32, len: i32, buffer: i32, max: i32, out: i32);
            path_remove_directory(fd: i32, path: i32, len: i32);
            path_rename(fd: i32, from: i32, from_len: i32, to_fd: i32, to: i32, to_len: i32);
            path_symlink(from: i32, from_len: i32, fd: i32, to: i32, to_len: i32);
            path_unlink_file(fd: i32, path: i32, len: i32);
            proc_raise(signal: i32);
            sock_accept(fd: i32, flags: i32, out: i32);
            sock_recv(fd: i32, vectors: i32, count: i32, flags: i32, out: i32, out_flags: i32);
            sock_send(fd: i32, vectors: i32, count: i32, flags: i32, out: i32);
            sock_shutdown(fd: i32, how: i32);
        }
    };
}

/// Gives `$visit!` the functions of `env` of one form.
macro_rules! env {
    ($visit:ident $($context:tt)*) => {
        $visit! { $($context)*
            send_response(ptr: i32, len: i32);
            await_capabilities(ptr: i32, len: i32, buffer: i32, max: i32);
            get_secrets(ptr: i32, len: i32, buffer: i32, max: i32);
            await_secrets(ptr: i32, len: i32, buffer: i32, max: i32);
            log(ptr: i32, len: i32);
            emit_metric(ptr: i32, len: i32);
            switch_modes(mode: i32);
            random_seed(mode: i32);
            now(out: i32);
        }
    };
}

/// Gives `$visit!` the functions of WASI that do something.
macro_rules! wasi {
    ($visit:ident $($context:tt)*) => {
        $visit! { $($context)*
            args_get(argv: i32, buffer: i32);
            args_sizes_get(count: i32, size: i32);
            clock_res_get(clock: i32, out: i32);
            clock_time_get(clock: i32, precision: i64, out: i32);
            environ_get(environ: i32, buffer: i32);
            environ_sizes_get(count: i32, size: i32);
            fd_close(fd: i32);
            fd_fdstat_get(fd: i32, out: i32);
            fd_fdstat_set_flags(fd: i32, flags: i32);
            fd_read(fd: i32, vectors: i32, count: i32, out: i32);
            fd_seek(fd: i32, offset: i64, whence: i32, out: i32);
            fd_write(fd: i32, vectors: i32, count: i32, out: i32);
            poll_oneoff(subscriptions: i32, events: i32, count: i32, out: i32);
            proc_exit(status: i32);
            random_get(ptr: i32, len: i32);
            sched_yield();
        }
    };
}

pub(crate) use {absent, env, wasi};

/// The functions of the ABI.
pub(crate) const ENV: &str = "env";
/// WASI preview 1.
pub(crate) const WASI: &str = "wasi_snapshot_preview1";
/// The one function of `env` in two forms.
pub(crate) const CALL_CAPABILITY: &str = "call_capability";
/// The marker of the ABI's version; what follows names the SDK.
pub(crate) const VERSION: &str = "version_v2";

/// Types of an import's parameters, as text; `None` if no host provides it. `call_capability` is given in
/// its newer form.
pub(crate) fn params(module: &str, name: &str) -> Option<&'static [&'static str]> {
    type Function = (&'static str, &'static [&'static str]);
    macro_rules! functions {
        ($($name:ident($($arg:ident: $ty:ty),*);)*) => {
            &[$((stringify!($name), &[$(stringify!($ty)),*])),*]
        };
    }
    const IN_ENV: &[Function] = env!(functions);
    const IN_WASI: &[Function] = wasi!(functions);
    const NOWHERE: &[Function] = absent!(functions);
    let find = |functions: &[Function]| {
        functions.iter().find(|(known, _)| *known == name).map(|(_, params)| *params)
    };
    match module {
        ENV if name == CALL_CAPABILITY => Some(&["i32", "i32", "i32", "i32"]),
        ENV if name.starts_with(VERSION) => Some(&[]),
        ENV => find(IN_ENV),
        WASI => find(IN_WASI).or_else(|| find(NOWHERE)),
        _ => None,
    }
}
