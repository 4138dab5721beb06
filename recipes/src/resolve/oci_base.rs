//! `base` of `[oci]`.

use bake_formats::oci::Reference;

use super::Resolver;
use crate::resolved::{Base, BaseImage, BaseLayers, BaseSource};
use crate::written::{self, At};

impl Resolver<'_> {
    pub(super) fn base(
        &self,
        at: Option<&At<String>>,
        layers: Option<&At<written::BaseLayers>>,
    ) -> Option<Base> {
        let Some(at) = at.filter(|at| at.value != "scratch") else {
            if let Some(layers) = layers {
                let hint = "leave it out, or name an image with `base`";
                self.advise(layers, "the image is built on nothing, which has no layers", hint);
            }
            return Some(Base::Scratch);
        };
        let source = self.base_source(at)?;
        let layers = match (layers.map(|at| at.value), &source) {
            (Some(written::BaseLayers::Refer), BaseSource::Registry(_)) => BaseLayers::Refer,
            (Some(written::BaseLayers::Copy), _) => BaseLayers::Copy,
            (Some(written::BaseLayers::Refer), BaseSource::Local { .. }) => BaseLayers::Refer,
            (None, BaseSource::Registry(_)) => BaseLayers::Refer,
            (None, BaseSource::Local { .. }) => BaseLayers::Copy,
        };
        Some(Base::Image(BaseImage { source, layers, place: self.place(at) }))
    }

    pub(super) fn base_source(&self, at: &At<String>) -> Option<BaseSource> {
        let text = at.value.as_str();
        if let Some(source) = BaseSource::local(text) {
            return self.local_base(at, source);
        }
        if let Some(meant) = meant(text) {
            let message = format!("`{}` is no image reference", text.escape_debug());
            self.advise(at, message, meant);
            return None;
        }
        self.parsed(at, text.parse::<Reference>()).map(BaseSource::Registry)
    }

    /// Returns an image of this machine if its path and its name are something.
    fn local_base(&self, at: &At<String>, source: BaseSource) -> Option<BaseSource> {
        let BaseSource::Local { path, name } = &source else { return Some(source) };
        let is_nameless = name.as_ref().is_some_and(String::is_empty);
        if path.as_os_str().is_empty() || is_nameless {
            let missing = if path.as_os_str().is_empty() { "path" } else { "name" };
            let message = format!("there is no {missing} in `{}`", at.value.escape_debug());
            let transport = at.value.split(':').next().unwrap_or_default();
            self.advise(
                at,
                message,
                format!("write `{transport}:PATH` or `{transport}:PATH:NAME`"),
            );
            return None;
        }
        if at.value.contains(char::is_control) {
            let message = format!("`{}` holds a control character", at.value.escape_debug());
            self.fault(at, message);
            return None;
        }
        Some(source)
    }
}

/// Returns what to write for text that other tools take, or that names a file.
fn meant(text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("://") {
        return Some(format!("leave out what stands before the host: `{rest}`"));
    }
    let is_path = text.starts_with(['/', '.', '~']);
    is_path.then(|| {
        "an image of this machine is `oci:PATH`, `oci-archive:PATH` or `docker-archive:PATH`".into()
    })
}
