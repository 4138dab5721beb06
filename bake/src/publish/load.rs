//! An image given to an engine of this machine, through the engine's own command.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use bake_formats::oci::{Kind, Platform, select};

use super::form::{Form, archived, written};
use super::graph::Graph;
use super::origin::{LayoutOrigin, Origin};
use super::refuse;
use super::supplies::Supplies;
use crate::error::Error;
use crate::plan::FIXED_EPOCH;
use crate::registry::Wire;

/// Who takes images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Whichever is there, podman first.
    Auto,
    /// podman.
    Podman,
    /// Docker.
    Docker,
    /// containerd, through nerdctl or ctr.
    Containerd,
}

impl Engine {
    /// Returns the commands that take an archive from their input, the preferred first.
    fn commands(self) -> Vec<&'static [&'static str]> {
        const PODMAN: &[&str] = &["podman", "load"];
        const DOCKER: &[&str] = &["docker", "load"];
        const CONTAINERD: [&[&str]; 2] = [&["nerdctl", "load"], &["ctr", "images", "import", "-"]];
        match self {
            Self::Auto => [PODMAN, DOCKER].into_iter().chain(CONTAINERD).collect(),
            Self::Podman => vec![PODMAN],
            Self::Docker => vec![DOCKER],
            Self::Containerd => CONTAINERD.to_vec(),
        }
    }
}

/// Gives the image of a layout to an engine, under `name`, and returns what the engine says.
///
/// Of several platforms it is `platform`'s. The archive goes through a pipe; layers of a base image
/// that are not here are read from its registry on the way.
pub fn load(
    wire: &dyn Wire,
    path: &Path,
    name: &str,
    platform: &Platform,
    engine: Engine,
) -> Result<String, Error> {
    let origin = LayoutOrigin::open(path.into())?;
    let roots = origin.roots()?;
    let [root] = roots.as_slice() else {
        let reason = format!("expected one image or index, found {}", roots.len());
        return Err(refuse(format!("`{}`", path.display()), reason, None));
    };
    let tag = super::release::own_tag(root);
    let index = Graph::read(&origin, root)?;
    let chosen = match index.node(&root.digest) {
        Some(node) if node.descriptor.kind() == Some(Kind::Index) => {
            let fault = |source| Error::Read { path: path.into(), source };
            select(&node.children, platform).map_err(fault)?
        }
        Some(_) | None => root,
    };
    let graph = Graph::read(&origin, chosen)?;
    let mut image = written(&graph, &origin, &chosen.digest, tag, Form::Archive)?;
    name.clone_into(&mut image.name);
    let artifact = archived(&image, FIXED_EPOCH)?;
    let supplies = Supplies::new(wire, &origin as &dyn Origin, &graph);
    let (command, child) = start(engine)?;
    feed(command, child, |pipe| {
        artifact.files.iter().try_for_each(|file| file.rope.write_to(&supplies, &mut *pipe))
    })
}

/// Starts the first command that is there.
fn start(engine: Engine) -> Result<(&'static str, Child), Error> {
    let commands = engine.commands();
    for words in &commands {
        let [program, arguments @ ..] = words else { continue };
        let mut command = Command::new(program);
        command.args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        match command.spawn() {
            Ok(child) => return Ok((program, child)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refuse((*program).to_owned(), error.to_string(), None)),
        }
    }
    let names: Vec<_> = commands.iter().filter_map(|words| words.first().copied()).collect();
    let hint = "install it, or name another with --load; the archive that `archive = true` in \
                [oci] writes can be loaded elsewhere";
    let reason = "there is no such program in PATH".to_owned();
    Err(refuse(names.join(", "), reason, Some(hint.to_owned())))
}

/// Writes to a program's input and waits for its end. What it says is read all the while, so that
/// neither waits for the other.
fn feed(
    program: &str,
    mut child: Child,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send,
) -> Result<String, Error> {
    let pipe = child.stdin.take();
    let (written, ended) = std::thread::scope(|scope| {
        let writer = scope.spawn(move || match pipe {
            Some(mut pipe) => write(&mut pipe),
            None => Ok(()),
        });
        let ended = child.wait_with_output();
        match writer.join() {
            Ok(written) => (written, ended),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    let ended = ended.map_err(|error| refuse(program.to_owned(), error.to_string(), None))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let is_broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    match written {
        // That the pipe broke says less than what the program says.
        Err(error) if !is_broken(&error) => return Err(error.into()),
        Err(_) | Ok(()) => {}
    }
    if ended.status.success() {
        return Ok(said(&ended.stdout));
    }
    let reason = format!("it refuses the image ({}): {}", ended.status, said(&ended.stderr));
    let hint = "the message is the program's own; is its service running, and may you use it?";
    Err(refuse(program.to_owned(), reason, Some(hint.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(program: &str, arguments: &[&str], bytes: usize) -> Result<String, Error> {
        let mut command = Command::new(program);
        command.args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        feed(program, child, |pipe| {
            (0..bytes / 1000).try_for_each(|_| pipe.write_all(&[b'x'; 1000]))
        })
    }

    #[test]
    fn a_program_gets_all_bytes_and_its_words_come_back() {
        assert_eq!(run("wc", &["-c"], 1_000_000).unwrap(), "1000000");
    }

    #[test]
    fn a_program_that_says_a_lot_while_it_reads_does_not_stall() {
        assert_eq!(run("cat", &[], 1_000_000).unwrap().len(), 1_000_000);
    }

    #[test]
    fn a_program_that_refuses_says_why_itself() {
        let error = run("sh", &["-c", "echo no space >&2; exit 3"], 1_000_000).unwrap_err();
        assert!(error.to_string().contains("it refuses the image"), "{error}");
        assert!(error.to_string().contains("no space"), "{error}");
    }

    #[test]
    fn auto_prefers_podman() {
        let programs: Vec<_> = Engine::Auto.commands().iter().map(|words| words[0]).collect();
        assert_eq!(programs, ["podman", "docker", "nerdctl", "ctr"]);
    }
}
