//! One artifact to be made: a format's model.

use std::io;

use bake_formats::format::{Artifact, Format, WriteCx, WriteError};
use bake_formats::tree::FileTree;
use bake_formats::{deb, oci, rpm, vm};

use super::Kind;

/// One artifact to be made.
#[derive(Debug, Clone, PartialEq)]
pub enum Product {
    /// A Debian package.
    Deb(Box<deb::Package>),
    /// An RPM package.
    Rpm(Box<rpm::Package>),
    /// An OCI image layout.
    OciLayout(Box<oci::Image>),
    /// An OCI image in one file.
    OciArchive(Box<oci::Image>),
    /// A raw disk.
    Raw(Box<vm::Disk>),
    /// A qcow2 disk.
    Qcow2(Box<vm::Disk>),
}

/// Runs an expression with a product's format and model.
macro_rules! with_model {
    ($product:expr, $format:ident, $model:ident => $body:expr) => {
        match $product {
            Product::Deb($model) => {
                type $format = deb::Deb;
                $body
            }
            Product::Rpm($model) => {
                type $format = rpm::Rpm;
                $body
            }
            Product::OciLayout($model) => {
                type $format = oci::Layout;
                $body
            }
            Product::OciArchive($model) => {
                type $format = oci::Archive;
                $body
            }
            Product::Raw($model) => {
                type $format = vm::Raw;
                $body
            }
            Product::Qcow2($model) => {
                type $format = vm::Qcow2;
                $body
            }
        }
    };
}

impl Product {
    /// Returns the format.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Deb(_) => Kind::Deb,
            Self::Rpm(_) => Kind::Rpm,
            Self::OciLayout(_) => Kind::OciLayout,
            Self::OciArchive(_) => Kind::OciArchive,
            Self::Raw(_) => Kind::Raw,
            Self::Qcow2(_) => Kind::Qcow2,
        }
    }

    /// Returns the conventional file name.
    pub fn file_name(&self) -> String {
        with_model!(self, F, model => F::file_name(model))
    }

    /// Returns the model as JSON; equal models give equal text.
    pub fn model_json(&self) -> io::Result<String> {
        with_model!(self, F, model => {
            let _: &<F as Format>::Model = model;
            Ok(serde_json::to_string(model)?)
        })
    }

    /// Describes the artifact's bytes.
    pub fn write(&self, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
        with_model!(self, F, model => F::write(model, tree, cx))
    }

    /// Returns the image, if it is one.
    pub fn image(&self) -> Option<&oci::Image> {
        match self {
            Self::OciLayout(image) | Self::OciArchive(image) => Some(image),
            Self::Deb(_) | Self::Rpm(_) | Self::Raw(_) | Self::Qcow2(_) => None,
        }
    }
}
