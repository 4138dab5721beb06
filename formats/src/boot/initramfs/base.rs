//! The segment that every machine of ours starts with: the init, and the modules it may load.

use crate::blob::BlobStore;
use crate::boot::modules::{self, FOLDER, Loaded};
use crate::format::WriteError;
use crate::tree::{Content, DeviceKind, Entry, FileTree, Mode, Node, TreeBuilder, TreePath};

/// The init.
const INIT: &str = "/init";
/// The list of modules.
const LIST: &str = "/bake/modules.list";
/// The console, which the kernel opens for the init before that has mounted anything.
const CONSOLE: &str = "/dev/console";

/// A module and its file, which is not compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// When it is loaded.
    pub module: Loaded,
    /// The bytes of the file.
    pub content: Content,
}

/// Returns the init, the modules and their list as a tree; the list is kept in `blobs`.
pub fn base_tree(
    init: Content,
    drivers: &[Driver],
    blobs: &dyn BlobStore,
) -> Result<FileTree, WriteError> {
    let path = |text: &str| {
        TreePath::parse(text).map_err(|error| WriteError::Field {
            format: "initrd",
            field: "modules".into(),
            reason: error.to_string(),
        })
    };
    let mut builder = TreeBuilder::new();
    builder.insert(path(INIT)?, Entry::file(init, Mode::EXECUTABLE))?;
    let console = Node::Device { kind: DeviceKind::Character, major: 5, minor: 1 };
    builder.insert(path(CONSOLE)?, Entry::new(console, Mode::from_st_mode(0o600)))?;
    for folder in ["/proc", "/sys", "/run", FOLDER] {
        builder.insert(path(folder)?, Entry::directory())?;
    }
    for Driver { module, content } in drivers {
        let place = path(&format!("{FOLDER}/{}.ko", module.name))?;
        builder.insert(place, Entry::file(*content, Mode::PLAIN))?;
    }
    let loaded: Vec<Loaded> = drivers.iter().map(|driver| driver.module.clone()).collect();
    let list = modules::list(&loaded);
    blobs.put(list.as_bytes())?;
    builder.insert(path(LIST)?, Entry::file(Content::of(list.as_bytes()), Mode::PLAIN))?;
    Ok(builder.finish()?)
}
