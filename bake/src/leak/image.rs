//! What a blob of an image is, and which layer takes away what another one has.

use std::collections::BTreeMap;
use std::sync::Arc;

use bake_formats::input::Source;
use bake_formats::oci::LayoutReader;

use super::place::Place;
use super::report::Finding;

/// What is known of the blobs of a layout.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    /// What a blob is, by its digest in hex.
    roles: BTreeMap<String, &'static str>,
    /// The layers of each image, the lowest first.
    images: Vec<Vec<String>>,
    /// What each layer takes away: paths, of an opaque directory with a slash at the end.
    gone: BTreeMap<String, Vec<String>>,
}

impl Blobs {
    /// Reads what a layout leads to; of a damaged one, nothing.
    pub(super) fn read(source: &Source, whiteouts: &[Arc<Place>]) -> Self {
        let mut blobs = Self::default();
        let Ok(layout) = LayoutReader::open(source) else { return blobs };
        for image in layout.images().unwrap_or_default() {
            let Ok(documents) = layout.documents(&image.descriptor) else { continue };
            blobs.roles.insert(image.descriptor.digest.hex(), "manifest");
            blobs.roles.insert(documents.manifest.config.digest.hex(), "config");
            let layers: Vec<_> =
                documents.manifest.layers.iter().map(|layer| layer.digest.hex()).collect();
            blobs.roles.extend(layers.iter().map(|layer| (layer.clone(), "layer")));
            blobs.images.push(layers);
        }
        for whiteout in whiteouts {
            let names = whiteout.names();
            if let [.., path] = names.as_slice()
                && let Some((_, blob)) = blob_of(&names)
                && let Some(gone) = gone(path)
            {
                blobs.gone.entry(blob.to_owned()).or_default().push(gone);
            }
        }
        blobs
    }

    /// Says what the blob is that a finding is in, and who takes away the file.
    pub(super) fn explain(&self, finding: &mut Finding) {
        let names: Vec<&str> = finding.place.iter().map(String::as_str).collect();
        let Some((at, blob)) = blob_of(&names) else { return };
        let role = self.roles.get(blob).copied();
        let told = match role {
            Some(role) => format!("{role} sha256:{blob}"),
            None => format!("blob sha256:{blob}, which no image has"),
        };
        let file = finding.place.get(at + 1).cloned();
        let remark = file.and_then(|file| self.deleted(blob, &file));
        finding.place[at] = told;
        finding.remark = remark.or(finding.remark.take());
    }

    /// Returns which layers above one take away a file of it.
    fn deleted(&self, blob: &str, file: &str) -> Option<String> {
        let takes = |layer: &&String| {
            let gone = self.gone.get(layer.as_str());
            gone.is_some_and(|gone| gone.iter().any(|path| is_taken(file, path)))
        };
        self.images.iter().find_map(|layers| {
            let at = layers.iter().position(|layer| layer == blob)?;
            let above = layers.iter().enumerate().skip(at + 1).find(|(_, layer)| takes(layer));
            above.map(|(number, _)| format!("deleted by layer {}", number + 1))
        })
    }
}

/// Returns the blob that a place is in, and which of the names it is.
fn blob_of<'a>(names: &[&'a str]) -> Option<(usize, &'a str)> {
    names.iter().enumerate().find_map(|(at, name)| {
        let name = name.strip_prefix('/').unwrap_or(name);
        let blob = name.strip_prefix("blobs/sha256/")?;
        (blob.len() == 64).then_some((at, blob))
    })
}

/// Returns what a whiteout takes away.
fn gone(path: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/')?;
    match name.strip_prefix(".wh.")? {
        ".wh..opq" => Some(format!("{folder}/")),
        name => Some(format!("{folder}/{name}")),
    }
}

/// Returns whether a path is one that is gone or below it.
fn is_taken(file: &str, gone: &str) -> bool {
    let rest = file.strip_prefix(gone);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || gone.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whiteouts_take_away_files_and_what_is_below() {
        let rows = [
            ("/etc/.wh.x", "/etc/x", true),
            ("/etc/.wh.x", "/etc/x/y", true),
            ("/etc/.wh.x", "/etc/xy", false),
            ("/etc/.wh..wh..opq", "/etc/x", true),
            ("/etc/.wh..wh..opq", "/etcx", false),
            ("/.wh.x", "/x", true),
        ];
        for (whiteout, file, expected) in rows {
            assert_eq!(is_taken(file, &gone(whiteout).unwrap()), expected, "{whiteout} {file}");
        }
    }
}
