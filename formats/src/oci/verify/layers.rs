//! What the layers of one image hold: their DiffIDs, the tree, and what hides it.

use std::collections::BTreeSet;

use super::super::descriptor::Descriptor;
use super::super::documents::Documents;
use super::super::layer::Role;
use super::super::unpack::{Limits, diff_id_of, entries, in_layer};
use super::super::whiteout;
use super::Check;
use crate::digest::Digest;
use crate::format::ReadError;
use crate::tree::{Entry, FileTree, TreePath};

impl Check<'_> {
    /// Reads every layer that is not elsewhere.
    pub(super) fn layers(
        &mut self,
        documents: &Documents,
        referred: &BTreeSet<usize>,
    ) -> Result<(), ReadError> {
        let mut payload = FileTree::default();
        // The payload with everything on top of it.
        let mut whole = None;
        let roles = documents.roles()?;
        for (number, ((layer, diff_id), role)) in documents.layers().zip(roles).enumerate() {
            if referred.contains(&number) {
                continue;
            }
            let is_payload = role == Some(Role::Payload);
            let needs_entries = is_payload || whole.is_some();
            let result = self.layer(number, layer, diff_id, needs_entries).and_then(|entries| {
                if is_payload {
                    payload = whiteout::apply(&payload, entries.clone())?;
                }
                if needs_entries {
                    let below = whole.take().unwrap_or_default();
                    whole = Some(whiteout::apply(&below, entries)?);
                }
                Ok(())
            });
            if let Err(error) = result {
                let place = format!("layer {number}");
                let error = in_layer(number, error);
                self.report("oci-layer", &place, "a layer that can be read", error);
                return Ok(());
            }
        }
        if let Some(declared) = documents.declared()?
            && declared != payload.id()
        {
            self.report("oci-tree", "payload", declared.to_string(), payload.id());
        }
        self.hidden(&payload, &whole.unwrap_or_default());
        Ok(())
    }

    /// Checks one layer's DiffID and returns its entries, if they are needed.
    fn layer(
        &mut self,
        number: usize,
        layer: &Descriptor,
        diff_id: &Digest,
        needs_entries: bool,
    ) -> Result<Vec<(TreePath, Entry)>, ReadError> {
        let limits = Limits::default();
        let (entries, found) = if needs_entries {
            entries(self.layout, layer, limits)?
        } else {
            (Vec::new(), diff_id_of(self.layout, layer, limits)?)
        };
        if found != *diff_id {
            let place = format!("layer {number}");
            self.report("oci-diff-id", &place, diff_id.to_string(), found);
        }
        Ok(entries)
    }

    /// Reports what a container would not see of the payload as it is.
    fn hidden(&mut self, payload: &FileTree, whole: &FileTree) {
        for line in payload.manifest_lines() {
            let path = line.path();
            let found = match (payload.get(path), whole.get(path)) {
                (_, None) => "nothing",
                (Some(below), Some(above)) if is_same(payload, whole, path, below, above) => {
                    continue;
                }
                _ => "another entry",
            };
            let expected = "no layer above the payload to hide it";
            self.report("oci-payload-hidden", &path.to_string(), expected, found);
        }
    }
}

/// Returns whether two trees have the same entry at a path, whichever name of a file comes first.
fn is_same(
    payload: &FileTree,
    whole: &FileTree,
    path: &TreePath,
    below: &Entry,
    above: &Entry,
) -> bool {
    let same_node = match payload.content(path) {
        Some(content) => whole.content(path) == Some(content),
        None => below.node == above.node,
    };
    let same_owners = below.owner.name == above.owner.name && below.group.name == above.group.name;
    same_node && same_owners && below.mode == above.mode && below.xattrs == above.xattrs
}
