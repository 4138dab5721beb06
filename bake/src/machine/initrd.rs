//! The initrd of a machine: bake's own init, and the modules of the base's kernel that it may need.

use std::io::Read;

use bake_formats::blob::BlobStore;
use bake_formats::boot::catalog::Catalog;
use bake_formats::boot::initramfs::{Driver, base_tree};
use bake_formats::boot::modinfo;
use bake_formats::boot::modules::{DRIVERS, Wanted, order};
use bake_formats::encode::{Codec, decoder};
use bake_formats::format::ReadError;
use bake_formats::tree::{Content, FileTree, TreePath};

use super::error::MachineError;
use super::files::Files;
use super::kernel::{Kernel, Module};
use crate::error::Error;

/// The largest module, without compression.
const MAX_MODULE: u64 = 128 << 20;
/// What a kernel says of the modules that are part of it.
const BUILTIN: &str = "modules.builtin";
const BUILTIN_INFO: &str = "modules.builtin.modinfo";
const ALIASES: &str = "modules.alias";

/// What an initrd is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The program that the kernel starts.
    pub(super) init: Content,
    /// Modules that the recipe names; the kernel must have them.
    pub(super) modules: &'a [String],
    /// Modules without which the root file system would not be found.
    pub(super) required: &'a [&'a str],
}

/// Returns the files of an initrd; modules that the base has compressed are kept in `blobs` as they
/// are loaded.
pub(super) fn files(
    base: Files<'_>,
    kernel: &Kernel,
    asked: Asked<'_>,
    blobs: &dyn BlobStore,
) -> Result<FileTree, Error> {
    let modules = Modules::of(base, kernel)?;
    let required: Vec<&str> =
        asked.required.iter().copied().chain(asked.modules.iter().map(String::as_str)).collect();
    let wanted = Wanted { optional: DRIVERS, required: &required };
    let mut read = |path: &str| modules.read(path).and_then(|bytes| modinfo::Module::read(&bytes));
    let loaded =
        order(&modules.catalog, wanted, &mut read).map_err(|error| refused(kernel, &error))?;
    let mut drivers = Vec::new();
    for module in loaded {
        let content =
            modules.content(&module.path, blobs).map_err(|error| refused(kernel, &error))?;
        drivers.push(Driver { module, content });
    }
    let tree = base_tree(asked.init, &drivers, blobs)
        .map_err(|source| Error::Write { format: "initrd", source })?;
    Ok(tree.explicit())
}

fn refused(kernel: &Kernel, error: &ReadError) -> Error {
    MachineError::new(format!("the modules of kernel {}: {error}", kernel.version)).into()
}

/// The modules of a kernel.
struct Modules<'a> {
    base: Files<'a>,
    catalog: Catalog,
    found: Vec<(String, Module)>,
}

impl<'a> Modules<'a> {
    fn of(base: Files<'a>, kernel: &Kernel) -> Result<Self, Error> {
        let found: Vec<(String, Module)> = kernel
            .modules(base.tree)
            .into_iter()
            .map(|module| (module.path.to_string(), module))
            .collect();
        let mut catalog = Catalog::new(found.iter().map(|(path, _)| path.as_str()));
        if let Some(folder) = &kernel.modules {
            let text = |name: &str| base.text(beside(folder, name)).map(Option::unwrap_or_default);
            catalog.add_builtin(&String::from_utf8_lossy(&text(BUILTIN)?));
            catalog.add_builtin_info(&text(BUILTIN_INFO)?);
            catalog.add_aliases(&String::from_utf8_lossy(&text(ALIASES)?));
        }
        Ok(Self { base, catalog, found })
    }

    fn find(&self, path: &str) -> Result<(&Module, &Content), ReadError> {
        let found = self.found.iter().find(|(known, _)| known == path);
        let content = found.and_then(|(_, module)| self.base.tree.content(&module.path));
        match (found, content) {
            (Some((_, module)), Some(content)) => Ok((module, content)),
            _ => Err(ReadError::invalid(path, "it is not among the modules")),
        }
    }

    /// Returns a module without compression.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let (module, content) = self.find(path)?;
        let packed = self.base.contents.open(&content.digest, 0)?.take(content.size);
        let mut bytes = Vec::new();
        decoder(module.codec, packed)?.take(MAX_MODULE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_MODULE {
            return Err(ReadError::invalid(path, format!("it has more than {MAX_MODULE} bytes")));
        }
        Ok(bytes)
    }

    /// Returns the content that the initrd has.
    fn content(&self, path: &str, blobs: &dyn BlobStore) -> Result<Content, ReadError> {
        let (module, content) = self.find(path)?;
        if module.codec == Codec::None {
            return Ok(*content);
        }
        let bytes = self.read(path)?;
        blobs.put(&bytes)?;
        Ok(Content::of(&bytes))
    }
}

fn beside(folder: &TreePath, name: &str) -> Vec<u8> {
    [&*folder.absolute(), b"/".as_slice(), name.as_bytes()].concat()
}
