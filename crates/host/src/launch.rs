//! The enclave as a child process, measured before it runs.
//!
//! The image goes into a memory file and is sealed there, so that nobody can change it between the
//! measuring and the running; it is measured as read back from the sealed file, and run from it. The
//! child gets [`POLICY`]: no arguments, no environment, and two sockets. The security module at the
//! other end of one of them is a thread of ours. On Nitro its place is taken by hardware and the
//! sockets are vsock; the enclave's program is the same.
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
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use attestation::{
    Measurement, Measurements,
    frame::{self, FrameError},
};
use rustix::fs::{MemfdFlags, SealFlags};

use crate::nsm::{Entropy, Nsmd, OffDevnet};

/// What this launcher does with an image, in words. PCR1 measures them: a launcher that does
/// something else says something else.
pub const POLICY: &[u8] = b"cdpr launcher policy 1: \
image in a memory file sealed against writing, shrinking, growing and unsealing; \
measured after sealing, run from the same file; \
argv[0] is enclave, no arguments, no environment; \
descriptor 0 is the host's socket, descriptor 1 the security module's; \
descriptor 2 is the null device, or the host's standard error where it says so.";

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
    /// How long it may stay silent while an answer is due, in real time. One that does is killed.
    pub silence_max: Duration,
    /// Whether the child keeps our standard error. Off, so that not even a panic's message leaves
    /// the enclave; on, to debug one.
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
    #[error("launching the enclave failed at {step}")]
    Launch {
        /// What was being done.
        step: &'static str,
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
    #[error("the enclave died: {status}")]
    Died {
        /// How it ended.
        status: ExitStatus,
    },
    /// The enclave did not answer in time, and was killed.
    #[error("the enclave was silent for {} ms while an answer was due; it was killed", silence_max.as_millis())]
    Silent {
        /// How long it was waited for.
        silence_max: Duration,
    },
}

/// A running enclave. Dropping it kills it.
pub struct Enclave {
    child: Child,
    channel: Tapped,
    module: Option<JoinHandle<()>>,
    measurements: Measurements,
    silence_max: Duration,
    died: Option<ExitStatus>,
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

        let (channel, childs_channel) = UnixStream::pair().map_err(failed("the host's socket"))?;
        let (module_wire, childs_wire) =
            UnixStream::pair().map_err(failed("the security module's socket"))?;
        channel
            .set_read_timeout(Some(options.silence_max))
            .and_then(|()| channel.set_write_timeout(Some(options.silence_max)))
            .map_err(failed("the socket's time limit"))?;
        // The descriptor closes on exec, which is after the path was followed.
        let child = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()))
            .arg0("enclave")
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(childs_channel)))
            .stdout(Stdio::from(OwnedFd::from(childs_wire)))
            .stderr(if options.stderr { Stdio::inherit() } else { Stdio::null() })
            .spawn()
            .map_err(failed("starting the image"))?;

        let mut enclave = Self {
            child,
            channel: Tapped { stream: channel, wire: Wire::Host, tap: options.tap.clone() },
            module: None,
            measurements,
            silence_max: options.silence_max,
            died: None,
        };
        let wire = Tapped { stream: module_wire, wire: Wire::Nsm, tap: options.tap };
        enclave.module = Some(
            std::thread::Builder::new()
                .name("nsm".into())
                .spawn(move || serve(nsmd, wire, &options.clock))
                .map_err(failed("the security module's thread"))?,
        );
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
        if let Some(status) = self.died {
            return Err(Error::Died { status });
        }
        if frame.len() > frame::LEN_MAX {
            return Err(Error::CommandTooLong { len: frame.len() });
        }
        let sent = frame::write(&mut self.channel, frame);
        sent.and_then(|()| frame::read(&mut self.channel)).map_err(|error| self.bury(error))
    }

    /// Ends the process, if it still runs, and says how it ended.
    pub fn kill(&mut self) -> ExitStatus {
        if let Some(status) = self.died {
            return status;
        }
        // Fails only if the process is gone already, and then there is a status to read.
        let _ = self.child.kill();
        let status = self.child.wait().expect("our child, not waited for yet, can be waited for");
        self.died = Some(status);
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
        match error {
            FrameError::TooLong { len } => Error::AnswerTooLong { len },
            FrameError::Closed => Error::Died { status },
            FrameError::Stream(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
            {
                Error::Silent { silence_max: self.silence_max }
            }
            FrameError::Stream(_) => Error::Died { status },
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
        .map_err(|error| failed("the memory file")(error.into()))?;
    let mut file = std::fs::File::from(fd);
    file.write_all(image).map_err(failed("copying the image"))?;
    rustix::fs::fcntl_add_seals(
        &file,
        SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
    )
    .map_err(|error| failed("sealing the image")(error.into()))?;
    let mut sealed = Vec::with_capacity(image.len());
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.read_to_end(&mut sealed))
        .map_err(failed("reading the sealed image"))?;
    Ok((file, Measurement::of(&sealed)))
}

fn failed(step: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Launch { step, source }
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
}

impl Tapped {
    fn see(&self, direction: Direction, bytes: &[u8]) {
        if let Some(tap) = &self.tap {
            tap.see(self.wire, direction, bytes);
        }
    }
}

impl Read for Tapped {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.stream.read(buffer)?;
        self.see(Direction::Out, &buffer[..len]);
        Ok(len)
    }
}

impl Write for Tapped {
    /// Writes all of it. It is seen first, so that whoever learns of its effects can find it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.see(Direction::In, bytes);
        self.stream.write_all(bytes)?;
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

    /// An enclave whose process does nothing and whose channel the test plays. The silence it is
    /// granted is real time, so it is short.
    fn played() -> (Enclave, UnixStream) {
        let (channel, other_end) = UnixStream::pair().unwrap();
        let silence_max = Duration::from_millis(50);
        channel.set_read_timeout(Some(silence_max)).unwrap();
        let enclave = Enclave {
            child: Command::new("sleep").arg("600").spawn().unwrap(),
            channel: Tapped { stream: channel, wire: Wire::Host, tap: None },
            module: None,
            measurements: Measurements {
                pcr0: Measurement::ZERO,
                pcr1: Measurement::ZERO,
                pcr2: Measurement::ZERO,
            },
            silence_max,
            died: None,
        };
        (enclave, other_end)
    }
}
