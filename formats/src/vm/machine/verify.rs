//! Checking a machine's disk: its file systems, what starts it, its identities.

use std::sync::Arc;

use super::super::fat::FatReader;
use super::super::gpt;
use super::super::read::window;
use super::super::verify::Rules;
use super::esp::{INITRD, KERNEL, LOADERS};
use super::identity::Identities;
use super::model::{Files, Machine, System};
use super::read::{OnDisk, Parts};
use super::write::{cmdline, slot_identity};
use crate::boot::{bios, initramfs, uki};
use crate::digest::Digest;
use crate::format::{Problem, ReadError};
use crate::input::{ReadAt, Section};
use crate::tree::{FileTree, StatedTree, TreePath};

impl Parts {
    /// Lists every rule that the parts of the disk break.
    pub(in super::super) fn check(&self) -> Result<Vec<Problem>, ReadError> {
        let mut problems = Vec::new();
        for image in self.root.iter().chain(&self.slot) {
            problems.extend(image.check()?);
        }
        if self.backing.is_none() {
            problems.extend(FatReader::open(window(&self.disk, &self.layout.esp))?.check()?);
        }
        let found = match self.read() {
            Ok(found) => found,
            // What was found so far says more than where reading stopped.
            Err(error) if problems.is_empty() => return Err(error),
            Err(_) => return Ok(problems),
        };
        let mut rules = Rules { list: problems };
        self.check_identities(&found, &mut rules)?;
        Ok(rules.list)
    }

    fn check_identities(&self, found: &OnDisk, rules: &mut Rules) -> Result<(), ReadError> {
        let OnDisk { model, payload, under } = found;
        let tree_id = payload.id();
        let record = crate::record::FILE;
        if let Some(declared) = &model.tree_id {
            rules.equal("vm-tree-id", record, declared, &tree_id);
        }
        rules.model(model);
        let Some(machine) = &model.machine else { return Ok(()) };
        if let Some(image) = &self.slot {
            let mut filled = machine.clone();
            let baked =
                super::model::Baked { guid: self.table.guid, file: None, disk: Arc::default() };
            filled.system = System::Baked(baked);
            let identity = slot_identity(model, &filled, &tree_id);
            rules.file_system(image, "slot", &identity, None);
        }
        // What is under the slot is checked as a disk of its own.
        let (model, payload) = match under {
            Some((model, payload)) => (model, payload),
            None => (model, payload),
        };
        if let Some(machine) = &model.machine
            && let System::Files(files) = &machine.system
        {
            self.check_files(model, machine, files, payload, rules)?;
        }
        Ok(())
    }

    /// Checks what follows from the system's files.
    fn check_files(
        &self,
        model: &super::super::model::Disk,
        machine: &Machine,
        files: &Files,
        payload: &FileTree,
        rules: &mut Rules,
    ) -> Result<(), ReadError> {
        let identities = Identities::new(model, machine, files, &payload.id())
            .map_err(|error| ReadError::invalid(crate::record::FILE, error.to_string()))?;
        let expected = self.layout.table(&model.arch, files.file_system, &identities);
        let found = gpt::Table { boot_code: None, ..self.table.clone() };
        if expected != found {
            let (expected, found) = (format!("{expected:?}"), format!("{found:?}"));
            rules.list.push(Problem::new("vm-partitions", "partition table", expected, found));
        }
        if let Some(image) = &self.root {
            let identity = identities.file_system();
            rules.file_system(image, "root", &identity, model.label.as_deref());
        }
        self.check_boot(files, &cmdline(files, &identities), rules)
    }

    /// Finds what starts the machine.
    pub(in super::super) fn boot(&self) -> Result<Started, ReadError> {
        let esp = FatReader::open(window(&self.disk, &self.layout.esp))?;
        let Some(image) = file(&esp, &LOADERS)? else {
            let needed = |path| {
                file(&esp, &[path])?.ok_or_else(|| {
                    let expected = LOADERS.join(" or ");
                    let reason = format!("expected {expected} or {path}, found none");
                    ReadError::invalid("ESP", reason)
                })
            };
            let (kernel, initrd) = (needed(KERNEL)?, needed(INITRD)?);
            let cmdline = bios::read(&*self.disk)?.command_line;
            return Ok(Started { kernel, initrd, cmdline });
        };
        let sections = uki::read(&*image)?;
        let section = |name| {
            let range = uki::place(&sections, name).cloned().unwrap_or_default();
            window(&image, &range)
        };
        let mut cmdline = String::new();
        std::io::Read::read_to_string(&mut Section::whole(section(".cmdline")), &mut cmdline)?;
        Ok(Started { kernel: section(".linux"), initrd: section(".initrd"), cmdline })
    }

    /// Checks that what starts the machine is what the record says.
    fn check_boot(&self, files: &Files, cmdline: &str, rules: &mut Rules) -> Result<(), ReadError> {
        let Started { kernel, initrd, cmdline: found } = self.boot()?;
        rules.equal("vm-cmdline", "ESP", &cmdline.to_owned(), &found);
        let (digest, size) = Digest::of_reader(Section::whole(kernel.clone()))?;
        let image = &files.boot.kernel.image;
        rules.equal("vm-kernel", "ESP", &image.digest, &digest);
        rules.equal("vm-kernel-size", "ESP", &image.size, &size);
        check_initrd(files, &initrd, rules)?;
        if self.layout.bios.is_some() {
            let loader = bios::read(&*self.disk)?;
            let expected = cmdline.to_owned();
            rules.equal("vm-bios-cmdline", "BIOS loader", &expected, &loader.command_line);
            for (what, range, expected) in [
                ("kernel", Some(&loader.kernel), kernel),
                ("initrd", loader.initrd.as_ref(), initrd),
            ] {
                let found = range.map(|range| window(&self.disk, range));
                let found =
                    found.map(|part| Digest::of_reader(Section::whole(part))).transpose()?;
                let (digest, _) = Digest::of_reader(Section::whole(expected))?;
                let place = format!("BIOS loader: {what}");
                let found = found.map_or_else(|| "none".into(), |(digest, _)| digest.to_string());
                rules.equal("vm-bios", &place, &digest.to_string(), &found);
            }
        }
        Ok(())
    }
}

/// What starts a machine.
pub(in super::super) struct Started {
    pub(in super::super) kernel: Arc<dyn ReadAt>,
    pub(in super::super) initrd: Arc<dyn ReadAt>,
    pub(in super::super) cmdline: String,
}

/// Returns the first of some files of the ESP that is there.
fn file(esp: &FatReader, paths: &[&str]) -> Result<Option<Arc<dyn ReadAt>>, ReadError> {
    for path in paths {
        let path =
            TreePath::parse(path).map_err(|error| ReadError::invalid(*path, error.to_string()))?;
        if let Some(file) = esp.file(&path)? {
            return Ok(Some(Arc::new(file)));
        }
    }
    Ok(None)
}

/// Checks the archive that the kernel unpacks.
fn check_initrd(
    files: &Files,
    initrd: &Arc<dyn ReadAt>,
    rules: &mut Rules,
) -> Result<(), ReadError> {
    match &files.boot.initrd {
        super::model::Initrd::Files { tree, .. } => {
            let found = initramfs::read(initrd)?;
            let found = StatedTree::new(Arc::new(found.tree));
            rules.equal("vm-initrd", "ESP", tree.digest(), found.digest());
        }
        super::model::Initrd::Image(blob) => {
            let (digest, _) = Digest::of_reader(Section::whole(initrd.clone()))?;
            rules.equal("vm-initrd", "ESP", &blob.digest, &digest);
        }
    }
    Ok(())
}
