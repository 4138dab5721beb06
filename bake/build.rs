//! Builds the init of machines (`guest/`), which the program carries for its own architecture.

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
/// What `bake/src/guest.rs` includes.
const FILE: &str = "bake-machine-init";

fn main() -> Result<(), Box<dyn Error>> {
    for path in ["build.rs", "guest/Cargo.toml", "guest/src", "../Cargo.toml", "../Cargo.lock"] {
        println!("cargo:rerun-if-changed={path}");
    }
    let file = PathBuf::from(variable("OUT_DIR")?).join(FILE);
    if variable("CARGO_CFG_TARGET_OS")? == "linux" {
        fs_err::copy(build()?, file)?;
    } else {
        // Machines run Linux; there is no such program for other systems.
        fs_err::write(file, [])?;
    }
    Ok(())
}

fn variable(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("cargo does not set {name}"))
}

/// Builds the program and returns where it is.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let workspace = manifest.parent().ok_or("the package is in no workspace")?;
    let target = variable("TARGET")?;
    // Of its own, because cargo has locked the outer one.
    let folder = PathBuf::from(variable("OUT_DIR")?).join("guest");
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        // The outer build has fetched what it needs: it is a part of what bake itself needs.
        .args(["build", "--frozen", "--quiet", "--profile", "guest", "--bin", FILE])
        .arg("--manifest-path")
        .arg(manifest.join("guest/Cargo.toml"))
        .arg("--target-dir")
        .arg(&folder)
        .arg("--target")
        .arg(&target);
    for (name, _) in env::vars_os() {
        if OUTER.iter().any(|outer| name.to_string_lossy().starts_with(outer)) {
            cargo.env_remove(name);
        }
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(workspace));
    if !cargo.status()?.success() {
        return Err("cannot build bake-guest for this target: it is linked statically, with the C library of \
                    libc6-dev (Debian) or glibc-static (Fedora)"
            .into());
    }
    Ok(folder.join(target).join("guest").join(FILE))
}

/// Returns the compiler's flags: static, and without a trace of where it was built.
fn flags(workspace: &Path) -> OsString {
    let fixed = [
        "-Ctarget-feature=+crt-static",
        "-Cforce-unwind-tables=no",
        "-Clink-arg=-Wl,--build-id=none",
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
