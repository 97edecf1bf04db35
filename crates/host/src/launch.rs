//! The enclave as a child process, measured before it runs.
//!
//! The image goes into a memory file and is sealed there, so that nobody can change it between the
//! measuring and the running; it is measured as read back from the sealed file, and run from it. The
//! child gets [`POLICY`]: no arguments, no environment, and two sockets. The security module at the
//! other end of one of them is a thread of ours. On Nitro its place is taken by hardware and the
//! sockets are vsock; the enclave's program is the same.
//!
//! What the child says on its standard error is kept, and repeated when it is dead: this launcher is for development, and
//! refuses any other chain before anything starts. The programs it runs say there where they failed and at what, and
//! nothing that they were told (`platform::live`).
//!
//! This shows the code path, not isolation: whoever is root here reads the child's memory. And a
//! descriptor that this process was itself given without close-on-exec reaches the child as well:
//! closing descriptors one does not own cannot be done in safe code.

use std::{
    ffi::CString,
    fmt,
    io::{self, Read, Seek, SeekFrom, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use attestation::{
    Measurement, Measurements,
    frame::{self, FrameError},
};
use rustix::fs::{MemfdFlags, SealFlags};

use crate::nsm::{Entropy, Nsmd, OffDevnet};

/// What this launcher does with an image, in words. PCR1 measures them: a launcher that does
/// something else says something else.
pub const POLICY: &[u8] = b"cdpr launcher policy 2: \
image in a memory file sealed against writing, shrinking, growing and unsealing; \
measured after sealing, run from the same file; \
argv[0] is enclave, no arguments, no environment; \
descriptor 0 is the host's socket, descriptor 1 the security module's; \
descriptor 2 is a pipe whose last 1024 bytes are repeated when the enclave is dead, or the host's standard error where it \
says so.";

/// Of a child's standard error that is kept, bytes: its end, where dying words are. [`POLICY`] says it too.
const WORDS_LEN_MAX: usize = 1_024;

/// How long the words of a dead child are waited for. Its end of the pipe is closed, unless it left children.
const WORDS_WAIT_MAX: Duration = Duration::from_secs(1);

/// Time as the enclave's security module sees it, Unix milliseconds: set by whoever runs the
/// world, read at each request.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// A clock that stands at `now`, Unix time in milliseconds.
    pub fn new(now: u64) -> Self {
        Self(Arc::new(AtomicU64::new(now)))
    }

    /// Moves it to `now`, Unix time in milliseconds.
    pub fn set(&self, now: u64) {
        self.0.store(now, Ordering::SeqCst);
    }

    /// Where it stands, Unix time in milliseconds.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// One of the enclave's two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// To the host.
    Host,
    /// To the security module.
    Nsm,
}

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the enclave.
    In,
    /// Out of the enclave.
    Out,
}

/// Sees every byte on the enclave's sockets, prefixes included, in the order of each wire. Chunks are
/// what single reads and writes moved, so a search has to join them per wire and direction.
///
/// It stands here and not in a decorator, as faults do: it alters no byte, and the sockets are made where the process
/// is started, so that whoever decorated them could alter what crosses them too.
#[derive(Clone)]
pub struct Tap(Arc<Mutex<TapFn>>);

type TapFn = dyn FnMut(Wire, Direction, &[u8]) + Send;

impl Tap {
    /// A tap that calls `see`.
    pub fn new(see: impl FnMut(Wire, Direction, &[u8]) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(see)))
    }

    fn see(&self, wire: Wire, direction: Direction, bytes: &[u8]) {
        (self.0.lock().expect("a tap that panicked has failed its test"))(wire, direction, bytes);
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}

/// How an enclave is launched.
#[derive(Clone, Debug)]
pub struct Options {
    /// The chain it serves; the development module refuses all but one.
    pub chain_id: u64,
    /// Where its entropy comes from.
    pub entropy: Entropy,
    /// Its time.
    pub clock: Clock,
    /// Who watches its sockets.
    pub tap: Option<Tap>,
    /// How long an answer may take, the whole of it, in real time. An enclave that takes longer is killed.
    pub silence_max: Duration,
    /// Whether the child keeps our standard error, to debug one. Off, its end is repeated when it is dead.
    pub stderr: bool,
}

impl Options {
    /// Options with nobody watching and two minutes of silence: fifty times a proof's time.
    pub fn new(chain_id: u64, entropy: Entropy, clock: Clock) -> Self {
        Self {
            chain_id,
            entropy,
            clock,
            tap: None,
            silence_max: Duration::from_secs(120),
            stderr: false,
        }
    }
}

/// Why an enclave does not run or does not answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not on this chain.
    #[error(transparent)]
    OffDevnet(#[from] OffDevnet),
    /// The operating system refused a step.
    #[error("launching the enclave failed at {step}\n  hint: {hint}")]
    Launch {
        /// What was being done.
        step: &'static str,
        /// What helps.
        hint: &'static str,
        /// Its reason.
        #[source]
        source: io::Error,
    },
    /// The frame to send is too long.
    #[error("a command of {len} bytes exceeds the limit of {max}", max = frame::LEN_MAX)]
    CommandTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The enclave announced an answer that is too long, and was killed.
    #[error("the enclave announced an answer of {len} bytes, limit {max}; it was killed", max = frame::LEN_MAX)]
    AnswerTooLong {
        /// The length announced, in bytes.
        len: usize,
    },
    /// The enclave's process is gone. Launch it again and restore it from its sealed state.
    #[error("the enclave died: {status}, {}{}", said(words), way_out(*status, words))]
    Died {
        /// How it ended.
        status: ExitStatus,
        /// Its last words, in one line; empty if it had none.
        words: String,
    },
    /// The enclave did not answer in time, and was killed.
    #[error("the enclave gave no whole answer within {} ms; it was killed", silence_max.as_millis())]
    Silent {
        /// How long it was waited for.
        silence_max: Duration,
    },
}

fn said(words: &str) -> String {
    if words.is_empty() { "without a word".to_owned() } else { format!("saying: {words}") }
}

/// What helps against an end that speaks for itself.
fn way_out(status: ExitStatus, words: &str) -> &'static str {
    match status.signal() {
        Some(_) if words.contains("memory allocation") => {
            "\n  hint: the machine or `ulimit -v` leaves it too little memory"
        }
        Some(SIGSYS) => {
            "\n  hint: a sandbox killed it for a system call: run outside it, or have it let the call through"
        }
        Some(SIGKILL) => {
            "\n  hint: unless somebody killed it, the machine had no memory left for it"
        }
        Some(_) | None => "",
    }
}

/// By numbers that are the same on every architecture that Linux runs enclaves on (signal(7)).
const SIGKILL: i32 = 9;
const SIGSYS: i32 = 31;

/// A running enclave. Dropping it kills it.
pub struct Enclave {
    child: Child,
    channel: Tapped,
    module: Option<JoinHandle<()>>,
    measurements: Measurements,
    silence_max: Duration,
    /// What it said on its standard error, once it is dead.
    words: Option<Receiver<String>>,
    died: Option<(ExitStatus, String)>,
}

impl fmt::Debug for Enclave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enclave")
            .field("id", &self.child.id())
            .field("measurements", &self.measurements)
            .finish()
    }
}

impl Enclave {
    /// Measures `image` and `config` and starts the image: PCR0 is of the image, PCR1 of [`POLICY`],
    /// PCR2 of the configuration. The configuration itself is not sent: the enclave gets it as a
    /// command, and compares it with PCR2.
    ///
    /// # Errors
    /// [`Error::OffDevnet`]; [`Error::Launch`] if the system refuses, also if `image` is no program.
    pub fn launch(image: &[u8], config: &[u8], options: Options) -> Result<Self, Error> {
        let (file, pcr0) = sealed_file(image)?;
        let measurements =
            Measurements { pcr0, pcr1: Measurement::of(POLICY), pcr2: Measurement::of(config) };
        let nsmd = Nsmd::new(options.chain_id, measurements, options.entropy)?;

        let (channel, childs_channel) =
            UnixStream::pair().map_err(failed("the host's socket (socketpair)", SOCKETS))?;
        let (module_wire, childs_wire) = UnixStream::pair()
            .map_err(failed("the security module's socket (socketpair)", SOCKETS))?;
        // The descriptor closes on exec, which is after the path was followed.
        let mut child = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()))
            .arg0("enclave")
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(childs_channel)))
            .stdout(Stdio::from(OwnedFd::from(childs_wire)))
            .stderr(if options.stderr { Stdio::inherit() } else { Stdio::piped() })
            .spawn()
            .map_err(|source| failed("starting the image", startable(&source))(source))?;

        let stderr = child.stderr.take();
        let mut enclave = Self {
            child,
            channel: Tapped::new(channel, Wire::Host, options.tap.clone()),
            module: None,
            measurements,
            silence_max: options.silence_max,
            words: None,
            died: None,
        };
        let wire = Tapped::new(module_wire, Wire::Nsm, options.tap);
        enclave.module = Some(
            std::thread::Builder::new()
                .name("nsm".into())
                .spawn(move || serve(nsmd, wire, &options.clock))
                .map_err(failed("the security module's thread", THREADS))?,
        );
        if let Some(stderr) = stderr {
            let (says, words) = mpsc::channel();
            std::thread::Builder::new()
                .name("enclave's words".into())
                // Nobody waits for them if the enclave is dropped.
                .spawn(move || drop(says.send(end_of(stderr))))
                .map_err(failed("the thread for its standard error", THREADS))?;
            enclave.words = Some(words);
        }
        Ok(enclave)
    }

    /// What was measured before it ran.
    pub fn measurements(&self) -> &Measurements {
        &self.measurements
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends one frame, at most [`frame::LEN_MAX`] bytes, and waits for the answer.
    ///
    /// # Errors
    /// [`Error::CommandTooLong`], which changes nothing. After [`Error::AnswerTooLong`],
    /// [`Error::Silent`] and [`Error::Died`] the process is gone, and further calls say
    /// [`Error::Died`].
    pub fn call(&mut self, frame: &[u8]) -> Result<Vec<u8>, Error> {
        if let Some((status, words)) = self.died.clone() {
            return Err(Error::Died { status, words });
        }
        if frame.len() > frame::LEN_MAX {
            return Err(Error::CommandTooLong { len: frame.len() });
        }
        self.channel.until = Instant::now().checked_add(self.silence_max);
        let sent = frame::write(&mut self.channel, frame);
        sent.and_then(|()| frame::read(&mut self.channel)).map_err(|error| self.bury(error))
    }

    /// Ends the process, if it still runs, and says how it ended.
    pub fn kill(&mut self) -> ExitStatus {
        if let Some((status, _)) = &self.died {
            return *status;
        }
        // Fails only if the process is gone already, and then there is a status to read.
        let _ = self.child.kill();
        let status = self.child.wait().expect("our child, not waited for yet, can be waited for");
        let words = self.words.take().and_then(|words| words.recv_timeout(WORDS_WAIT_MAX).ok());
        self.died = Some((status, words.unwrap_or_default()));
        if let Some(module) = self.module.take() {
            // The child's end is closed, so the thread is at its end too. It has no result to lose.
            let _ = module.join();
        }
        status
    }

    /// Turns a failure on the channel into what it means. Whatever is left of the process ends: its
    /// channel is out of step.
    fn bury(&mut self, error: FrameError) -> Error {
        let status = self.kill();
        let words = self.died.clone().map(|(_, words)| words).unwrap_or_default();
        match error {
            FrameError::TooLong { len } => Error::AnswerTooLong { len },
            FrameError::Closed => Error::Died { status, words },
            FrameError::Stream(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                Error::Silent { silence_max: self.silence_max }
            }
            FrameError::Stream(_) => Error::Died { status, words },
        }
    }
}

impl Drop for Enclave {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Copies the image into a memory file, seals it, and measures what is in there.
fn sealed_file(image: &[u8]) -> Result<(std::fs::File, Measurement), Error> {
    let name = CString::new("enclave").expect("no zero byte");
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know that a memory file's being executable can be asked for, and
    // take it for granted.
    let fd = rustix::fs::memfd_create(&name, flags | MemfdFlags::EXEC)
        .or_else(|_| rustix::fs::memfd_create(&name, flags))
        .map_err(|error| failed("the memory file (memfd_create)", MEMORY_FILES)(error.into()))?;
    let mut file = std::fs::File::from(fd);
    file.write_all(image).map_err(failed("copying the image into its memory file", MEMORY))?;
    rustix::fs::fcntl_add_seals(
        &file,
        SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
    )
    .map_err(|error| failed("sealing the image (fcntl F_ADD_SEALS)", MEMORY_FILES)(error.into()))?;
    let mut sealed = Vec::with_capacity(image.len());
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_end(&mut sealed))
        .map_err(failed("reading the sealed image", MEMORY))?;
    Ok((file, Measurement::of(&sealed)))
}

const MEMORY_FILES: &str = "the image is measured in a sealed memory file, and there is no other way: if a sandbox refuses \
                            memfd_create or fcntl, allow them or run outside it";
const MEMORY: &str = "the image takes some megabytes of memory: see `ulimit -v` and `ulimit -f`";
const SOCKETS: &str = "if a sandbox refuses socketpair, allow it or run outside it; too many open files: see `ulimit -n`";
const THREADS: &str =
    "too many processes or too little memory for one more thread: see `ulimit -u` and `ulimit -v`";

/// What helps where an image does not start.
#[allow(clippy::wildcard_enum_match_arm, reason = "std's enum is open")]
fn startable(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "the image is run by its name under /proc/self/fd, and there is none: mount /proc"
        }
        io::ErrorKind::PermissionDenied => {
            "the system runs no memory files: the sysctl vm.memfd_noexec has to be 0 or 1, and a sandbox has to allow execve"
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => THREADS,
        _ => {
            "an image is a static program for this machine's processor: take the one that this build made"
        }
    }
}

fn failed(step: &'static str, hint: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Launch { step, hint, source }
}

/// The end of what a child says, in one line that moves no cursor.
fn end_of(mut stderr: ChildStderr) -> String {
    let (mut end, mut buffer) = (Vec::new(), [0; WORDS_LEN_MAX]);
    while let Ok(len @ 1..) = stderr.read(&mut buffer) {
        end.extend_from_slice(&buffer[..len]);
        end.drain(..end.len().saturating_sub(WORDS_LEN_MAX));
    }
    let text = String::from_utf8_lossy(&end);
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Answers the enclave's requests until it closes its end.
fn serve(mut nsmd: Nsmd, mut wire: Tapped, clock: &Clock) {
    while let Ok(message) = frame::read(&mut wire) {
        let answer = nsmd.answer(&message, clock.now());
        if frame::write(&mut wire, &answer).is_err() {
            break;
        }
    }
}

/// A socket whose every byte is seen.
struct Tapped {
    stream: UnixStream,
    wire: Wire,
    tap: Option<Tap>,
    /// When whoever waits here stops.
    until: Option<Instant>,
}

impl Tapped {
    const fn new(stream: UnixStream, wire: Wire, tap: Option<Tap>) -> Self {
        Self { stream, wire, tap, until: None }
    }

    /// What is left of the time, for one more read or write: a peer that gives a byte now and then has no more of it
    /// than one that gives none.
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    fn see(&self, direction: Direction, bytes: &[u8]) {
        if let Some(tap) = &self.tap {
            tap.see(self.wire, direction, bytes);
        }
    }
}

impl Read for Tapped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        let len = self.stream.read(buffer)?;
        self.see(Direction::Out, &buffer[..len]);
        Ok(len)
    }
}

impl Write for Tapped {
    /// Writes all of it. It is seen first, so that whoever learns of its effects can find it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.see(Direction::In, bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            self.stream.set_write_timeout(self.left()?)?;
            match self.stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => rest = &rest[len..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlong_answer_kills_the_enclave() {
        let (mut enclave, mut other_end) = played();
        other_end.write_all(&u32::MAX.to_be_bytes()).unwrap();
        assert!(
            matches!(enclave.call(b""), Err(Error::AnswerTooLong { len }) if len == u32::MAX as usize)
        );
        assert!(matches!(enclave.call(b""), Err(Error::Died { .. })));
    }

    #[test]
    fn silence_kills_the_enclave() {
        let (mut enclave, _other_end) = played();
        assert!(matches!(enclave.call(b""), Err(Error::Silent { .. })));
        assert!(matches!(enclave.call(b""), Err(Error::Died { .. })));
    }

    #[test]
    fn closed_channel_is_a_death() {
        let (mut enclave, other_end) = played();
        drop(other_end);
        assert!(matches!(enclave.call(b""), Err(Error::Died { .. })));
    }

    #[test]
    fn answer_cut_short_is_a_death() {
        let (mut enclave, mut other_end) = played();
        other_end.write_all(&[0, 0, 0, 9, 1]).unwrap();
        other_end.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(matches!(enclave.call(b""), Err(Error::Died { .. })));
    }

    #[test]
    fn sealed_file_cannot_be_changed() {
        let (mut file, measured) = sealed_file(b"image").unwrap();
        assert_eq!(measured, Measurement::of(b"image"));
        file.seek(SeekFrom::Start(0)).unwrap();
        assert!(file.write_all(b"other").is_err());
        assert!(file.set_len(1).is_err());
        assert!(file.set_len(100).is_err());
        assert!(rustix::fs::fcntl_add_seals(&file, SealFlags::FUTURE_WRITE).is_err());
    }

    #[test]
    fn answer_that_drips_is_given_up_when_its_time_is_over() {
        let (mut enclave, mut other_end) = played();
        let drip = std::thread::spawn(move || {
            // A long frame, each byte of it sooner than a silence would end.
            let mut bytes = 1_000_u32.to_be_bytes().into_iter().chain(std::iter::repeat(0));
            while other_end.write_all(&[bytes.next().unwrap()]).is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let error = enclave.call(b"").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the enclave gave no whole answer within 50 ms; it was killed"
        );
        drop(enclave);
        drip.join().unwrap();
    }

    #[test]
    fn dying_words_are_repeated_in_one_line_and_no_longer_than_their_end() {
        let words = |script: &str| {
            let (mut enclave, other_end) = played();
            let mut child =
                Command::new("sh").args(["-c", script]).stderr(Stdio::piped()).spawn().unwrap();
            let (says, words) = mpsc::channel();
            let stderr = child.stderr.take().unwrap();
            std::thread::spawn(move || says.send(end_of(stderr)).unwrap());
            child.wait().unwrap();
            let mut idle = std::mem::replace(&mut enclave.child, child);
            idle.kill().unwrap();
            idle.wait().unwrap();
            enclave.words = Some(words);
            drop(other_end);
            enclave.call(b"").unwrap_err()
        };
        let error = words("printf 'a\\033[2Jb\\nc\\n' >&2; exit 1");
        assert_eq!(error.to_string(), "the enclave died: exit status: 1, saying: a [2Jb c");
        let error = words("exit 1");
        assert_eq!(error.to_string(), "the enclave died: exit status: 1, without a word");
        let error = words("yes 0123456789 | head -n 1000 >&2; echo end >&2; exit 1");
        let Error::Died { words: end, .. } = &error else { panic!("{error:?}") };
        assert!(end.len() <= WORDS_LEN_MAX && end.ends_with("9 end"), "{end}");
        let error = words("kill -SYS $$");
        assert!(error.to_string().contains("a sandbox killed it for a system call"), "{error}");
        let error = words("echo memory allocation of 9 bytes failed >&2; kill -ABRT $$");
        assert!(
            error.to_string().contains("hint: the machine or `ulimit -v` leaves it"),
            "{error}"
        );
    }

    #[test]
    fn each_step_that_is_refused_has_a_way_out() {
        let hint = |kind: io::ErrorKind| startable(&kind.into());
        assert!(hint(io::ErrorKind::NotFound).contains("mount /proc"));
        assert!(hint(io::ErrorKind::PermissionDenied).contains("vm.memfd_noexec"));
        let error = failed("the memory file (memfd_create)", MEMORY_FILES)(
            io::ErrorKind::Unsupported.into(),
        );
        let said = error.to_string();
        assert!(
            said.starts_with(
                "launching the enclave failed at the memory file (memfd_create)\n  hint: "
            ),
            "{said}"
        );
    }

    /// An enclave whose process does nothing and whose channel the test plays. The silence it is
    /// granted is real time, so it is short.
    fn played() -> (Enclave, UnixStream) {
        let (channel, other_end) = UnixStream::pair().unwrap();
        let silence_max = Duration::from_millis(50);
        let enclave = Enclave {
            child: Command::new("sleep").arg("600").spawn().unwrap(),
            channel: Tapped::new(channel, Wire::Host, None),
            module: None,
            measurements: Measurements {
                pcr0: Measurement::ZERO,
                pcr1: Measurement::ZERO,
                pcr2: Measurement::ZERO,
            },
            silence_max,
            words: None,
            died: None,
        };
        (enclave, other_end)
    }
}
