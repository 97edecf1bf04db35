//! Builds the images of the measured programs, so that one `cargo build` makes all, and measures them.
//!
//! One fixed build, whatever builds it: profile `enclave`, static, no path of this machine in it, and
//! nothing of the outer build's environment. The same sources and toolchain give the same bytes from
//! any folder, with any target folder and any cargo home. The inner cargo has a target folder of its
//! own beside the outer profiles, so that `build`, `test`, `clippy` and `doc` share one build, and the
//! two cargos never wait for one lock.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use attestation::Measurement;

fn main() {
    let out = PathBuf::from(variable("OUT_DIR"));
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("two folders up");
    let target = target_folder(&out);
    let triple = variable("TARGET").into_string().expect("a triple is ASCII");

    // One by one: in one build, features that one program wants would be in the other.
    let mut images = String::new();
    for (package, features, what) in [
        ("enclave", "", "The enclave"),
        // Its interpreter may not trust the optimiser: a call that is no jump is a stack that overflows.
        ("runner", "portable", "The runner of workflows"),
    ] {
        build(package, features, &workspace, &target, &triple);
        // Cargo names the folder after the profile.
        let built = target.join(&triple).join("enclave");
        let image = fs::read(built.join(package)).expect("the build made the image");
        fs::write(out.join(package), &image).expect("OUT_DIR is writable");
        let (name, measurement) = (package.to_uppercase(), Measurement::of(&image).0);
        images += &format!(
            "/// {what}, as this build made it.\n\
             pub static {name}: Image = Image {{\n\
                 elf: include_bytes!(\"{package}\"),\n\
                 pcr0: Measurement({measurement:?}),\n\
             }};\n"
        );
        for source in sources(&built.join(format!("{package}.d"))) {
            println!("cargo::rerun-if-changed={}", source.display());
        }
    }
    fs::write(out.join("image.rs"), images).expect("OUT_DIR is writable");

    for file in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"] {
        println!("cargo::rerun-if-changed={}", workspace.join(file).display());
    }
    println!("cargo::rerun-if-changed=build.rs");
}

fn build(package: &str, features: &str, workspace: &Path, target: &Path, triple: &str) {
    let rustc = variable("RUSTC");
    let status = Command::new(variable("CARGO"))
        .current_dir(workspace)
        .args(["build", "--package", package, "--bin", package, "--features", features])
        .args(["--profile", "enclave", "--locked"])
        .args([OsStr::new("--target"), triple.as_ref(), "--target-dir".as_ref(), target.as_ref()])
        .env_clear()
        .envs(env::vars_os().filter(|(name, _)| is_inherited(name)))
        .env("RUSTC", &rustc)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(target, &rustc).join(OsStr::new("\u{1f}")))
        .status()
        .expect("cargo runs: it runs us");
    assert!(
        status.success(),
        "the image of {package} was not built, see above\n\
         hint: if the linker found no library: the image is linked statically; Debian has the static C \
         library in libc6-dev, Fedora in glibc-static"
    );
}

/// What the inner build may know of the outer one's environment: where the tools are, how to reach
/// the registry, how many jobs. Flags, profile overrides and wrappers (clippy's among them) are
/// left out: they would change the image, or rebuild it for every command.
fn is_inherited(name: &OsStr) -> bool {
    const NAMES: [&str; 17] = [
        "PATH",
        "HOME",
        "TMPDIR",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
        "CARGO_MAKEFLAGS",
        "CARGO_BUILD_JOBS",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "ALL_PROXY",
    ];
    const PREFIXES: [&str; 5] =
        ["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_"];
    name.to_str().is_some_and(|name| {
        NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

/// Static, so that the file is the whole program, and without the names of this machine's folders. The workspace's own
/// needs no hiding: cargo compiles its members from there, by relative paths. Named in a flag it would have every
/// dependency compiled anew for each clone.
fn flags(target: &Path, rustc: &OsStr) -> Vec<OsString> {
    let mut flags: Vec<OsString> = vec!["-Ctarget-feature=+crt-static".into()];
    let mut remap = |from: &Path, to: &str| {
        let mut flag = OsString::from("--remap-path-prefix=");
        flag.push(from);
        flag.push("=");
        flag.push(to);
        flags.push(flag);
    };
    remap(target, "/target");
    // One folder per registry or mirror, named after it.
    let registries = cargo_home().join("registry/src");
    remap(&registries, "/registry");
    let mut folders: Vec<PathBuf> = fs::read_dir(&registries)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    folders.sort();
    for folder in &folders {
        remap(folder, "/registry");
    }
    // The standard library's own name for its sources; the folder is there with `rust-src` only.
    let (sysroot, commit) = toolchain(rustc);
    remap(&sysroot.join("lib/rustlib/src/rust"), &format!("/rustc/{commit}"));
    flags
}

fn cargo_home() -> PathBuf {
    env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| env::home_dir().expect("cargo needs a home too").join(".cargo"))
}

/// Where the toolchain is, and which commit it was built from.
fn toolchain(rustc: &OsStr) -> (PathBuf, String) {
    let ask = |arguments: &[&str]| {
        let output =
            Command::new(rustc).args(arguments).output().expect("rustc runs: it compiled us");
        String::from_utf8(output.stdout).expect("rustc prints UTF-8")
    };
    let sysroot = ask(&["--print", "sysroot"]);
    let version = ask(&["-vV"]);
    let commit =
        version.lines().find_map(|line| line.strip_prefix("commit-hash: ")).unwrap_or("unknown");
    (sysroot.trim_end().into(), commit.to_owned())
}

/// Beside the outer build's profiles, of which `out` is `PROFILE/build/PACKAGE/out`. Cargo marks the folder that holds them
/// (`CACHEDIR.TAG`) only if it made it; where somebody else did, each command would build the images once more.
fn target_folder(out: &Path) -> PathBuf {
    out.ancestors()
        .find(|folder| folder.ends_with("build"))
        .and_then(|build| build.ancestors().nth(2))
        .unwrap_or(out)
        .join("enclave-image")
}

/// Every source the image was made of and the manifests above them, as the compiler lists them: a
/// list kept by hand would miss the next crate. Sources from a registry are not in it; `Cargo.lock`
/// stands for them.
fn sources(dep_info: &Path) -> Vec<PathBuf> {
    let listed = fs::read_to_string(dep_info).expect("cargo writes what the image depends on");
    let (_, files) = listed.split_once(": ").expect("a target and what it depends on");
    // A space in a path is escaped.
    let mut files: Vec<PathBuf> = files
        .trim_end()
        .replace("\\ ", "\0")
        .split(' ')
        .filter(|file| !file.is_empty())
        .map(|file| PathBuf::from(file.replace('\0', " ")))
        .collect();
    let mut manifests: Vec<PathBuf> = files
        .iter()
        .filter_map(|file| {
            file.ancestors()
                .map(|folder| folder.join("Cargo.toml"))
                .find(|manifest| manifest.exists())
        })
        .collect();
    manifests.sort();
    manifests.dedup();
    files.append(&mut manifests);
    files
}

fn variable(name: &str) -> OsString {
    env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name} for build scripts"))
}
