//! The enclave of this build, launched and measured.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a helper that fails fails its test; a skipped test says so"
)]

use std::sync::{Arc, Mutex};

use attestation::{
    Anchors, Attested, DEVELOPMENT_CHAIN_ID, Error as Refused, Measurement, Policy, verify,
};
use host::{
    image,
    launch::{Clock, Direction, Enclave, Error, Options, Tap, Wire},
    nsm::{Entropy, OffDevnet, sealing_key},
};
use primitives::{Address, Amount, Bytes32, Duration, Premium, Ratio, Timestamp, decode, encode};
use protocol::{
    Disclosure, detect,
    mission::Schedule,
    request::Escalation,
    wire::{Answer, Command, Configuration, Reply},
};

use rustix::process::{Pid, Resource, Rlimit, Signal};

/// 2023-03-11T02:00:00Z, in milliseconds.
const NOW: u64 = 1_678_500_000_000;

#[test]
fn measurement_is_of_the_embedded_image() {
    assert_eq!(image::ENCLAVE.pcr0, Measurement::of(image::ENCLAVE.elf));
}

#[test]
fn image_names_no_folder_of_this_machine() {
    let home = std::env::home_dir().unwrap();
    let manifest = env!("CARGO_MANIFEST_DIR");
    for folder in [home.to_str().unwrap(), manifest.strip_suffix("/crates/host").unwrap()] {
        assert!(folder.len() > 4, "too short to search for");
        assert!(!contains(image::ENCLAVE.elf, folder.as_bytes()), "{folder}");
    }
}

#[test]
fn launched_enclave_attests_to_the_measurement_of_the_build() {
    let mut enclave = launch(image::ENCLAVE.elf, options());
    configure(&mut enclave);
    let (document, key_bundle) = attest(&mut enclave, b"challenge");
    let attested = verify(&document, &anchors(), &policy().with_nonce(*b"challenge"), NOW).unwrap();
    assert!(matches!(attested, Attested::Development(_)));
    let bundle = attested.claims().key_bundle(&key_bundle, NOW).unwrap();
    assert_eq!(bundle.chain_id, DEVELOPMENT_CHAIN_ID);
    assert_eq!(Measurement(bundle.config_hash), attested.claims().measurements().pcr2);
}

#[test]
fn image_with_one_unloaded_byte_changed_runs_and_is_refused() {
    let mut changed = image::ENCLAVE.elf.to_vec();
    changed[unloaded_byte(image::ENCLAVE.elf)] ^= 1;
    let mut enclave = launch(&changed, options());
    configure(&mut enclave);
    let (document, _) = attest(&mut enclave, b"challenge");

    let error = verify(&document, &anchors(), &policy(), NOW).unwrap_err();
    let message = error.to_string();
    let Refused::Measurement { expected, got } = error else { panic!("{message}") };
    assert_eq!(expected, [image::ENCLAVE.measurements(&configuration())]);
    assert_eq!(got.pcr0, Measurement::of(&changed));
    assert_eq!((got.pcr1, got.pcr2), (expected[0].pcr1, expected[0].pcr2));
    assert!(message.contains(&image::ENCLAVE.pcr0.to_string()), "{message}");
    assert!(message.contains(&Measurement::of(&changed).to_string()), "{message}");

    assert_ne!(
        sealing_key(enclave.measurements()),
        sealing_key(&image::ENCLAVE.measurements(&configuration()))
    );
}

#[test]
fn security_module_releases_another_sealing_key_to_a_changed_image() {
    let released = |image: &[u8]| {
        let (tap, wires) = recorder();
        let mut enclave = launch(image, Options { tap: Some(tap), ..options() });
        let key = sealing_key(enclave.measurements());
        configure(&mut enclave);
        assert!(contains(&wires.lock().unwrap().nsm_in, &key), "the enclave asked for its key");
        key
    };
    let mut changed = image::ENCLAVE.elf.to_vec();
    changed[unloaded_byte(image::ENCLAVE.elf)] ^= 1;
    assert_ne!(released(image::ENCLAVE.elf), released(&changed));
    assert_eq!(released(image::ENCLAVE.elf), released(image::ENCLAVE.elf));
}

#[test]
fn enclave_refuses_a_configuration_that_was_not_measured() {
    let mut enclave = launch(image::ENCLAVE.elf, options());
    let forged = Configuration { registry: Address([9; 20]), ..decode(&configuration()).unwrap() };
    let refusal = call(&mut enclave, &Command::Configure(encode(&forged))).err().unwrap();
    assert!(refusal.contains(&enclave.measurements().pcr2.to_string()), "{refusal}");
}

#[test]
fn other_configuration_is_refused_by_the_policy() {
    let other = Configuration { registry: Address([9; 20]), ..decode(&configuration()).unwrap() };
    let other = encode(&other);
    let mut enclave = Enclave::launch(image::ENCLAVE.elf, &other, options()).unwrap();
    call(&mut enclave, &Command::Configure(other)).unwrap();
    let (document, _) = attest(&mut enclave, b"");
    assert!(matches!(
        verify(&document, &anchors(), &policy(), NOW),
        Err(Refused::Measurement { expected, got }) if expected[0].pcr0 == got.pcr0 && expected[0].pcr2 != got.pcr2
    ));
}

#[test]
fn same_launch_gives_the_same_bytes_on_every_wire() {
    let run = || {
        let (tap, wires) = recorder();
        let options = Options { tap: Some(tap), ..options() };
        let clock = options.clock.clone();
        let mut enclave = launch(image::ENCLAVE.elf, options);
        configure(&mut enclave);
        attest(&mut enclave, b"one");
        clock.set(NOW + 86_400_000);
        attest(&mut enclave, b"two");
        enclave.kill();
        drop(enclave);
        Arc::into_inner(wires).unwrap().into_inner().unwrap()
    };
    let wires = run();
    assert_eq!(wires, run());
    assert!(contains(&wires.host_in, &configuration()), "the tap sees what goes in");
    assert!(contains(&wires.nsm_out, b"two"), "the tap sees what is asked of the module");
}

#[test]
fn document_follows_the_clock_and_goes_stale() {
    let options = options();
    let clock = options.clock.clone();
    let mut enclave = launch(image::ENCLAVE.elf, options);
    configure(&mut enclave);
    let (document, _) = attest(&mut enclave, b"");
    clock.set(NOW + 600_000);
    assert!(matches!(
        verify(&document, &anchors(), &policy(), clock.now()),
        Err(Refused::Stale { .. })
    ));
    let (document, _) = attest(&mut enclave, b"");
    verify(&document, &anchors(), &policy(), clock.now()).unwrap();
}

#[test]
fn child_has_neither_environment_nor_arguments_nor_its_own_image_open() {
    let mut enclave = launch(image::ENCLAVE.elf, Options { stderr: false, ..options() });
    configure(&mut enclave);
    let process = std::path::PathBuf::from(format!("/proc/{}", enclave.id()));
    // The enclave hides from its own user; root still sees it.
    let Ok(environment) = std::fs::read(process.join("environ")) else {
        println!("skipped: only root sees into a hardened process");
        return;
    };
    assert_eq!(environment, b"");
    assert_eq!(std::fs::read(process.join("cmdline")).unwrap(), b"enclave\0");
    let target = |fd: &std::path::Path| std::fs::read_link(fd).unwrap().display().to_string();
    for stream in ["fd/0", "fd/1"] {
        assert_eq!(target(&process.join(stream)), "/dev/null");
    }
    assert!(target(&process.join("fd/2")).starts_with("pipe:"), "only its dying words leave it");
    let open: Vec<String> = std::fs::read_dir(process.join("fd"))
        .unwrap()
        .map(|entry| target(&entry.unwrap().path()))
        .collect();
    assert_eq!(open.iter().filter(|target| target.starts_with("socket:")).count(), 2, "{open:?}");
    assert!(!open.iter().any(|target| target.contains("memfd:")), "{open:?}");
}

#[test]
fn killed_enclave_is_a_typed_error_from_then_on() {
    let mut enclave = launch(image::ENCLAVE.elf, options());
    configure(&mut enclave);
    rustix::process::kill_process(process(&enclave), Signal::KILL).unwrap();
    for _ in 0..2 {
        let error = enclave.call(b"anyone there?").unwrap_err();
        assert!(matches!(error, Error::Died { .. }), "{error:?}");
        assert!(error.to_string().contains("signal: 9"), "{error}");
    }
}

/// Told to whoever started it, in development: what it died of, and nothing that it was told, given or has drawn.
#[test]
fn dying_words_hold_nothing_that_the_enclave_knows() {
    const TOLD: &[u8] = b"a planted order of 123456789 coins";
    type Way = (&'static str, fn(&Enclave));
    let ways: [Way; 9] = [
        ("ABRT", |enclave| signal(enclave, Signal::ABORT)),
        ("BUS", |enclave| signal(enclave, Signal::BUS)),
        ("ILL", |enclave| signal(enclave, Signal::ILL)),
        ("SEGV", |enclave| signal(enclave, Signal::SEGV)),
        ("SYS", |enclave| signal(enclave, Signal::SYS)),
        ("TERM", |enclave| signal(enclave, Signal::TERM)),
        ("no memory", |enclave| limit(enclave, Resource::As, 1 << 20)),
        ("no stack", |enclave| limit(enclave, Resource::Stack, 1)),
        ("no time", |enclave| limit(enclave, Resource::Cpu, 0)),
    ];
    for (way, kill) in ways {
        let (tap, wires) = recorder();
        let entropy =
            Entropy { seed: *b"a planted seed of 32 bytes: 7777", party: "enclave".into() };
        let options = Options {
            tap: Some(tap),
            ..Options::new(DEVELOPMENT_CHAIN_ID, entropy, Clock::new(NOW))
        };
        let mut enclave = launch(image::ENCLAVE.elf, options);
        configure(&mut enclave);
        attest(&mut enclave, TOLD);
        for command in [Command::Order(TOLD.to_vec()), Command::Brief(TOLD.to_vec())] {
            let _ = call(&mut enclave, &command);
        }
        kill(&enclave);
        // Larger than what it has, so that it asks for memory; where the allocator has some left, it lives on.
        let large = encode(&Command::ProvingKey(TOLD.repeat(20_000)));
        let mut died = enclave.call(&large);
        if died.is_ok() {
            enclave.kill();
            died = enclave.call(b"");
        }
        let Err(Error::Died { words, .. }) = &died else { panic!("{way}: {died:?}") };
        let wires = wires.lock().unwrap();
        let known = [&wires.host_in[..], &wires.nsm_in, TOLD].concat();
        assert!(contains(&known, &sealing_key(enclave.measurements())), "the module gave it");
        assert!(!leaks(words, &known), "{way}: {words:?}");
    }
    let hex: String = TOLD.iter().map(|byte| format!("{byte:02x}")).collect();
    for words in [format!("x{}", str::from_utf8(TOLD).unwrap()), hex, format!("{TOLD:?}")] {
        assert!(leaks(&words, TOLD), "it would have been found: {words}");
    }
}

fn process(enclave: &Enclave) -> Pid {
    Pid::from_raw(i32::try_from(enclave.id()).unwrap()).unwrap()
}

fn signal(enclave: &Enclave, signal: Signal) {
    // Twice: the first segmentation fault of a Rust program only gives up its handler.
    for _ in 0..2 {
        let _ = rustix::process::kill_process(process(enclave), signal);
    }
}

fn limit(enclave: &Enclave, resource: Resource, most: u64) {
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::prlimit(Some(process(enclave)), resource, limit).unwrap();
}

/// Whether words hold eight bytes of what is known: as they are, in hexadecimal, or as a list of numbers.
fn leaks(words: &str, known: &[u8]) -> bool {
    let hex = |digits: &[u8]| -> Option<Vec<u8>> {
        let pairs = digits.chunks(2).map(|pair| str::from_utf8(pair).ok());
        pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
    };
    let numbers: Vec<u8> = words
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect();
    words.as_bytes().windows(8).any(|window| contains(known, window))
        || words.as_bytes().windows(16).filter_map(hex).any(|window| contains(known, &window))
        || numbers.windows(8).any(|window| contains(known, window))
}

#[test]
fn restarted_enclave_draws_the_same_keys() {
    let bundle = || {
        let mut enclave = launch(image::ENCLAVE.elf, options());
        configure(&mut enclave);
        attest(&mut enclave, b"").1
    };
    assert_eq!(bundle(), bundle());
}

#[test]
fn overlong_command_is_refused_and_changes_nothing() {
    let mut enclave = launch(image::ENCLAVE.elf, options());
    let len = attestation::frame::LEN_MAX + 1;
    assert!(
        matches!(enclave.call(&vec![0; len]), Err(Error::CommandTooLong { len: l }) if l == len)
    );
    configure(&mut enclave);
}

#[test]
fn nonsense_gets_an_answer() {
    let mut enclave = launch(image::ENCLAVE.elf, options());
    for nonsense in [&b""[..], b"?", &[0xff; 4_096]] {
        let answer: Answer = decode(&enclave.call(nonsense).unwrap()).unwrap();
        assert!(matches!(answer.reply, Reply::Refused(_)));
    }
    configure(&mut enclave);
}

#[test]
fn other_chains_are_refused_before_anything_starts() {
    let options = Options { chain_id: 1, ..options() };
    let error = Enclave::launch(image::ENCLAVE.elf, &configuration(), options).unwrap_err();
    assert!(matches!(error, Error::OffDevnet(OffDevnet { chain_id: 1 })));
}

#[test]
fn what_is_no_program_does_not_start() {
    for image in [&b""[..], b"not a program", &image::ENCLAVE.elf[..100]] {
        let error = Enclave::launch(image, &configuration(), options()).unwrap_err();
        assert!(matches!(error, Error::Launch { step: "starting the image", .. }), "{error:?}");
    }
}

fn options() -> Options {
    let entropy = Entropy { seed: [7; 32], party: "enclave".into() };
    Options { stderr: true, ..Options::new(DEVELOPMENT_CHAIN_ID, entropy, Clock::new(NOW)) }
}

fn launch(image: &[u8], options: Options) -> Enclave {
    Enclave::launch(image, &configuration(), options).unwrap()
}

fn configure(enclave: &mut Enclave) {
    assert!(matches!(call(enclave, &Command::Configure(configuration())).unwrap(), Reply::Done));
}

fn attest(enclave: &mut Enclave, nonce: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let reply = call(enclave, &Command::Attest { nonce: nonce.to_vec() }).unwrap();
    let Reply::Attested { document, key_bundle } = reply else { panic!("another reply") };
    (document, key_bundle)
}

/// The enclave's reply, or why it refuses.
fn call(enclave: &mut Enclave, command: &Command) -> Result<Reply, String> {
    let answer: Answer = decode(&enclave.call(&encode(command)).unwrap()).unwrap();
    if let Reply::Refused(reason) = answer.reply { Err(reason) } else { Ok(answer.reply) }
}

fn anchors() -> Anchors {
    Anchors::development(DEVELOPMENT_CHAIN_ID).unwrap()
}

fn policy() -> Policy {
    Policy::new(DEVELOPMENT_CHAIN_ID, vec![image::ENCLAVE.measurements(&configuration())]).unwrap()
}

fn configuration() -> Vec<u8> {
    // The generator of secp256k1: any point would do.
    let custodian = [
        0x02, 0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0, 0x62, 0x95, 0xce, 0x87,
        0x0b, 0x07, 0x02, 0x9b, 0xfc, 0xdb, 0x2d, 0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16,
        0xf8, 0x17, 0x98,
    ];
    encode(&Configuration {
        chain_id: DEVELOPMENT_CHAIN_ID,
        dark_pool: Address([1; 20]),
        shielded_pool: Address([2; 20]),
        registry: Address([3; 20]),
        issuer: Address([4; 20]),
        collateral: Address([5; 20]),
        consideration: Address([6; 20]),
        disclosure: Disclosure::Immediate,
        policy: detect::Policy {
            threshold: Ratio(1_020_000),
            target: Ratio(1_020_000),
            quorum: 3,
            age_max: Duration(600),
            readings: 1,
        },
        premium: Premium::new(50).unwrap(),
        escalation: Escalation {
            ladder: vec![],
            premium_cap: Premium::new(100).unwrap(),
            attempts_max: 3,
        },
        schedule: Schedule {
            call_every: 1,
            epoch_ticks: 12,
            round_ticks: vec![],
            opening_delay: 1,
        },
        lot: Amount::from_tokens(1),
        aggregate_min: Amount::from_tokens(1),
        share_max: Premium::new(10_000).unwrap(),
        custodian: custodian.to_vec(),
        don: vec![],
        proving_key: Bytes32([0; 32]),
        not_after: Timestamp(NOW / 1_000 + 86_400),
    })
}

/// Everything that crossed the sockets, per wire and direction.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wires {
    host_in: Vec<u8>,
    host_out: Vec<u8>,
    nsm_in: Vec<u8>,
    nsm_out: Vec<u8>,
}

fn recorder() -> (Tap, Arc<Mutex<Wires>>) {
    let wires = Arc::new(Mutex::new(Wires::default()));
    let seen = Arc::clone(&wires);
    let tap = Tap::new(move |wire, direction, bytes| {
        let mut wires = seen.lock().unwrap();
        match (wire, direction) {
            (Wire::Host, Direction::In) => &mut wires.host_in,
            (Wire::Host, Direction::Out) => &mut wires.host_out,
            (Wire::Nsm, Direction::In) => &mut wires.nsm_in,
            (Wire::Nsm, Direction::Out) => &mut wires.nsm_out,
        }
        .extend_from_slice(bytes);
    });
    (tap, wires)
}

/// The place of a byte that is in the file and never in memory: in the middle of `.comment`, found by
/// its section header (ELF64, little-endian).
fn unloaded_byte(elf: &[u8]) -> usize {
    let word = |at: usize| {
        usize::try_from(u64::from_le_bytes(elf[at..at + 8].try_into().unwrap())).unwrap()
    };
    let half = |at: usize| usize::from(u16::from_le_bytes(elf[at..at + 2].try_into().unwrap()));
    let (table, entry_len, n_sections) = (word(0x28), half(0x3a), half(0x3c));
    let header = |i: usize| table + i * entry_len;
    let names = word(header(half(0x3e)) + 0x18);
    let section = (0..n_sections)
        .map(header)
        .find(|&at| {
            let name = names
                + usize::try_from(u32::from_le_bytes(elf[at..at + 4].try_into().unwrap())).unwrap();
            elf[name..].starts_with(b".comment\0")
        })
        .expect("the linker leaves a comment");
    // Flag 2 is SHF_ALLOC: occupies memory during execution.
    assert_eq!(word(section + 0x08) & 2, 0);
    let (offset, len) = (word(section + 0x18), word(section + 0x20));
    assert!(len > 0);
    offset + len / 2
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
