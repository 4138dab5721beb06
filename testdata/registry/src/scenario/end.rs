//! What must be there at the end.

use std::path::Path;

use bake_formats::digest::Digest;

use super::{Direction, Expected, REPOSITORY, Scenario, TAG, TAGS};
use crate::image::Image;
use crate::server::TestRegistry;

/// Says what is not as the scenario expects it.
pub(super) fn judge(
    scenario: &Scenario,
    came: Result<(), String>,
    registry: &TestRegistry,
    image: &Image,
    before: Option<Digest>,
    layout: &Path,
) -> Result<(), String> {
    match (scenario.expected, came) {
        (Expected::Done, Err(error)) => Err(error),
        (Expected::Done, Ok(())) => match scenario.direction {
            Direction::Push | Direction::Copy => is_pushed(registry, image),
            Direction::CopyAttached => {
                is_pushed(registry, image).and_then(|()| is_attached(registry, image))
            }
            Direction::Pull => is_pulled(layout, image),
            Direction::List => is_listed(layout),
        },
        (Expected::Refused | Expected::Failure, Ok(())) => {
            Err("the client says that all is well".to_owned())
        }
        (Expected::Refused, Err(_)) if tagged(registry) != before => {
            Err("the client failed, but the tag moved".to_owned())
        }
        (Expected::Refused | Expected::Failure, Err(_)) => is_honest(layout),
    }
}

/// Returns what the tag leads to.
pub(super) fn tagged(registry: &TestRegistry) -> Option<Digest> {
    registry.state().repository(REPOSITORY).tags.get(TAG).copied()
}

/// Says what of an image is not in the registry.
fn is_pushed(registry: &TestRegistry, image: &Image) -> Result<(), String> {
    let repository = registry.state().repository(REPOSITORY);
    if repository.tags.get(TAG) != Some(&image.digest()) {
        return Err("the tag does not lead to the image".to_owned());
    }
    let missing = image.blobs.keys().find(|digest| !repository.blobs.contains_key(digest));
    missing.map_or(Ok(()), |digest| Err(format!("blob {digest} is not there")))
}

/// Says what is wrong with the list of what is attached to an image: the registry's own, or that
/// behind the tag that stands for it.
fn is_attached(registry: &TestRegistry, image: &Image) -> Result<(), String> {
    let attached = image.attached().digest();
    let repository = registry.state().repository(REPOSITORY);
    if !repository.manifests.contains_key(&attached) {
        return Err("what is attached to the image is not there".to_owned());
    }
    if registry.lists_referrers() {
        return Ok(());
    }
    let tag = format!("sha256-{}", image.digest().hex());
    let index = repository.tags.get(&tag).and_then(|digest| repository.manifests.get(digest));
    let listed = index
        .is_some_and(|index| String::from_utf8_lossy(&index.bytes).contains(&attached.to_string()));
    if listed { Ok(()) } else { Err(format!("the tag {tag} does not list what is attached")) }
}

/// Says what of an image is not in a layout.
fn is_pulled(layout: &Path, image: &Image) -> Result<(), String> {
    let manifest = (image.digest(), &image.manifest);
    for (digest, bytes) in
        image.blobs.iter().map(|(digest, bytes)| (*digest, bytes)).chain([manifest])
    {
        let path = layout.join("blobs/sha256").join(digest.hex());
        match fs_err::read(&path) {
            Ok(found) if found == *bytes => {}
            Ok(_) => return Err(format!("{} has other contents", path.display())),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// Says which tags were not listed, or listed though they are not there.
fn is_listed(list: &Path) -> Result<(), String> {
    let text = fs_err::read_to_string(list).map_err(|error| error.to_string())?;
    let mut found: Vec<&str> = text.lines().collect();
    found.sort_unstable();
    if found == TAGS { Ok(()) } else { Err(format!("expected {TAGS:?}, found {found:?}")) }
}

/// Says which blob of a layout has not the digest of its name. A client that failed may have left
/// nothing, or what it has checked.
fn is_honest(layout: &Path) -> Result<(), String> {
    let Ok(blobs) = fs_err::read_dir(layout.join("blobs/sha256")) else { return Ok(()) };
    for blob in blobs {
        let path = blob.map_err(|error| error.to_string())?.path();
        let bytes = fs_err::read(&path).map_err(|error| error.to_string())?;
        let is_named = path.file_name().is_some_and(|name| {
            // Files that are being written have names of another form.
            name.len() != 64 || name.to_str() == Some(Digest::of(&bytes).hex().as_ref())
        });
        if !is_named {
            return Err(format!("{} has other contents than its name says", path.display()));
        }
    }
    Ok(())
}
