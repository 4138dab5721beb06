//! Builds the static programs that the program carries for its own architecture: the init of machines (`guest/`) and the
//! entry point of services (`entry/`).

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What must not reach the inner build: settings and wrappers of the outer one, such as clippy's.
const OUTER: [&str; 7] = [
    "CARGO_BUILD_",
    "CARGO_INCREMENTAL",
    "CARGO_PROFILE_",
    "CARGO_TARGET_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
];
/// What stands between flags in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\x1f";
/// Packages and their programs, which `bake/src/guest.rs` and `bake/src/entry.rs` include.
const PROGRAMS: [(&str, &str); 2] =
    [("bake-guest", "bake-machine-init"), ("bake-entry", "bake-init")];
/// What the programs are made of.
const SOURCES: [&str; 9] = [
    "build.rs",
    "guest/Cargo.toml",
    "guest/src",
    "entry/Cargo.toml",
    "entry/src",
    "../recipes/config/Cargo.toml",
    "../recipes/config/src",
    "../Cargo.toml",
    "../Cargo.lock",
];

fn main() -> Result<(), Box<dyn Error>> {
    for path in SOURCES {
        println!("cargo:rerun-if-changed={path}");
    }
    let output = PathBuf::from(variable("OUT_DIR")?);
    // Machines and containers run Linux; there are no such programs for other systems.
    let is_linux = variable("CARGO_CFG_TARGET_OS")? == "linux";
    let built = if is_linux { Some(build()?) } else { None };
    for (_, program) in PROGRAMS {
        match &built {
            Some(folder) => drop(fs_err::copy(folder.join(program), output.join(program))?),
            None => fs_err::write(output.join(program), [])?,
        }
    }
    Ok(())
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("cargo does not set {name}"))
}

/// Builds the programs in one go and returns the folder that they are in.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let workspace = manifest.parent().ok_or("the package is in no workspace")?;
    let target = variable("TARGET")?;
    // Of its own, because cargo has locked the outer one.
    let folder = PathBuf::from(variable("OUT_DIR")?).join("guest");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        // The outer build has fetched what it needs: it is a part of what bake itself needs.
        .args(["build", "--frozen", "--quiet", "--profile", "guest"])
        .arg("--manifest-path")
        .arg(workspace.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&folder)
        .arg("--target")
        .arg(&target);
    for (package, program) in PROGRAMS {
        cargo.args(["--package", package, "--bin", program]);
    }
    for (name, _) in env::vars_os() {
        if OUTER.iter().any(|outer| name.to_string_lossy().starts_with(outer)) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(workspace));
    if !cargo.status()?.success() {
        return Err("cannot build bake-guest and bake-entry for this target: they are linked statically, with the C \
                    library of libc6-dev (Debian) or glibc-static (Fedora)"
            .into());
    }
    Ok(folder.join(target).join("guest"))
}

/// Returns the compiler's flags: static, and without a trace of where it was built.
fn flags(workspace: &Path) -> OsString {
    let fixed = [
        "-Ctarget-feature=+crt-static",
        // At a fixed address: they run for milliseconds, and relocating them is a part of that.
        "-Crelocation-model=static",
        "-Cforce-unwind-tables=no",
        "-Clink-arg=-Wl,--build-id=none",
        // What unwinds through it; nothing does.
        "-Clink-arg=-Wl,--no-eh-frame-hdr",
    ];
    let mut flags = OsString::from(fixed.join(SEPARATOR));
    let home = env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    for (path, name) in [(Some(workspace.to_owned()), "/bake"), (cargo, "/cargo")] {
        if let Some(path) = path {
            flags.push(SEPARATOR);
            flags.push("--remap-path-prefix=");
            flags.push(path);
            flags.push("=");
            flags.push(name);
        }
    }
    flags
}
