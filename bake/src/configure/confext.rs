//! `confext`: a configuration extension (systemd-confext(8)), as a folder and as an image.
//!
//! systemd takes the folder's name, and the image's without `.raw`, for that of the extension, whose release file must
//! have it too. It is the same in all environments, so that one replaces another.

use bake_config::OutputFile;
use bake_formats::encode::{Encoder, NoCache};
use bake_formats::format::{Format, WriteCx};
use bake_formats::sysext::{Extension, Reload, Scope, Sysext};

use super::failure::Failure;
use super::install::{Contents, Install};
use super::request::Request;
use super::secrets;

/// Why no extension holds a secret.
const WHY: &str = "what an extension brings can be read by everybody";

pub(super) fn render(request: &Request<'_>) -> Result<Vec<OutputFile>, Failure> {
    let install = Install::of(request.deployment)?;
    let mut files = secrets::beside(&install, request.secrets, request.deployment, WHY)?;
    refuse_elsewhere(&install)?;
    let mut extension = Extension::new(&request.capability(), request.deployment.digest.short());
    extension.scope = Scope::Configuration;
    // The drop-in is a change of a unit.
    extension.release.reload = Reload::Manager;
    let Contents { tree, blobs } = install.tree()?;
    extension.tree_id = Some(tree.id());
    let encoder = Encoder::new(&blobs, &NoCache, 1);
    let cx = WriteCx { blobs: &blobs, encoder: &encoder, epoch: request.epoch };
    let artifact = Sysext::write(&extension, &tree, &cx).map_err(Failure::write("confext"))?;
    for file in artifact.files {
        files.push(OutputFile::open(Sysext::file_name(&extension), file.rope.to_vec(&blobs)?));
    }
    let (path, text) = extension.release_file();
    files.push(OutputFile::open(format!("{}{path}", extension.name), text));
    for mut file in install.open {
        file.path = format!("{}/{}", extension.name, file.path);
        files.push(file);
    }
    Ok(files)
}

/// Refuses files that are not merged.
fn refuse_elsewhere(install: &Install) -> Result<(), Failure> {
    let outside = install.open.iter().filter(|file| !file.path.starts_with("etc/"));
    let refusals: Vec<_> = outside
        .map(|file| {
            let reason = "a configuration extension is merged into /etc alone";
            let hint = "choose a path below /etc in the recipe, or another target";
            bake_config::Refusal::new(format!("/{}", file.path), reason, hint)
        })
        .collect();
    if refusals.is_empty() { Ok(()) } else { Err(refusals.into()) }
}
