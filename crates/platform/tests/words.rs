//! What a measured program says when it dies: where, and nothing of what it met.
#![allow(clippy::unwrap_used, reason = "a test may stop at what it does not expect")]
#![allow(clippy::panic, clippy::unnecessary_literal_unwrap, reason = "panics are what is tried")]

use std::env;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use attestation::frame;

/// What a host tells it. The first byte says what to die of.
const SECRET: &str = "planted-123456789";

/// Dies of what it is told, with the words in hand.
fn answer(told: &[u8], _: &mut UnixStream) -> Vec<u8> {
    let words = String::from_utf8_lossy(told).into_owned();
    match told[0] {
        b'p' => panic!("met {words}"),
        b'u' => Err::<(), String>(words).unwrap(),
        b'e' => None::<()>.expect(&words),
        b'q' => assert_eq!(words, "another"),
        b'i' => drop(told[1..][..told.len()].to_vec()),
        b's' => drop(words[..words.len() + 1].to_owned()),
        b'd' => {
            let _grudge = Grudge(words.clone());
            panic!("met {words}");
        }
        b'm' => drop(Vec::<u8>::with_capacity(usize::MAX / 2)),
        b'o' => drop(deep(&words)),
        _ => {}
    }
    told.to_vec()
}

/// Panics while it is dropped.
struct Grudge(String);

impl Drop for Grudge {
    fn drop(&mut self) {
        panic!("met {} again", self.0);
    }
}

/// More frames than a stack holds.
fn deep(words: &str) -> String {
    let longer = format!("{words}{words}");
    if longer.len() > 1 << 40 { longer } else { deep(&words[..words.len().min(64)]) + &longer }
}

#[test]
#[ignore = "a process of the other test"]
fn measured_program() {
    if env::var_os("CDPR_MEASURED").is_some() {
        let _ = platform::live(|_| answer);
    }
}

/// Starts it, writes `bytes` to its socket, and gives its last words.
fn dying(bytes: &[u8]) -> String {
    let (mut host, childs) = UnixStream::pair().unwrap();
    let (module, wire) = UnixStream::pair().unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "measured_program", "--ignored", "--nocapture", "--test-threads=1"])
        .env("CDPR_MEASURED", "1")
        // As an unfriendly host would have it.
        .env("RUST_BACKTRACE", "full")
        .stdin(Stdio::from(OwnedFd::from(childs)))
        .stdout(Stdio::from(OwnedFd::from(wire)))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    host.write_all(bytes).unwrap();
    host.shutdown(std::net::Shutdown::Write).unwrap();
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    child.wait().unwrap();
    drop((host, module));
    words
}

#[test]
fn last_words_are_a_place_or_a_step_and_nothing_that_it_was_told() {
    let told = |way: char| frame::encode(format!("{way} {SECRET}").as_bytes()).unwrap();
    let panics = ['p', 'u', 'e', 'q', 'i', 's', 'd'].map(|way| (told(way), "a panic at "));
    let others = [
        (told('m'), "memory allocation of"),
        (told('o'), "overflowed its stack"),
        // A frame that is longer than any, and one that is cut.
        ([&u32::MAX.to_be_bytes()[..], SECRET.as_bytes()].concat(), "the host's socket failed"),
        (told('x')[..10].to_vec(), "the host's socket failed"),
    ];
    for (bytes, want) in panics.into_iter().chain(others) {
        let words = dying(&bytes);
        assert!(words.contains(want), "{words:?} does not say {want:?}");
        for secret in ["planted", "123456789", "706c616e746564"] {
            assert!(!words.contains(secret), "{words:?}");
        }
        // As a list of numbers.
        assert!(!words.contains("112, 108, 97"), "{words:?}");
    }
    assert_eq!(dying(&told('x')), "", "an end that was asked for");
}
