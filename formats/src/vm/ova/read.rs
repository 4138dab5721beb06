//! Reading: the envelope, and the file that holds the disk.

use std::sync::Arc;

use roxmltree::{Document, Node, ParsingOptions};

use crate::format::ReadError;
use crate::input::ReadAt;
use crate::vm::Hardware;
use crate::vm::bundle::{self, Member};

/// The namespace of envelopes of versions 1.0 and 1.1.
const OVF: &str = "http://schemas.dmtf.org/ovf/envelope/1";
/// The namespace of the elements of an item.
const RASD: &str =
    "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData";
/// The types of items that say how much of something there is (`CIM_ResourceAllocationSettingData`).
const PROCESSORS: &str = "3";
const MEMORY: &str = "4";
const MIB: u64 = 1 << 20;
/// The longest envelope or manifest that is read, in bytes.
const TEXT_MAX: u64 = 1 << 20;
/// The most elements and texts of an envelope.
const NODES_MAX: u32 = 50_000;

/// An appliance with one disk or several, for reading.
pub struct OvaReader {
    pub(super) members: Vec<Member>,
    ovf: String,
    manifest: Option<String>,
    pub(super) files: Vec<FileReference>,
    pub(super) disks: Vec<DiskReference>,
}

impl std::fmt::Debug for OvaReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OvaReader")
            .field("files", &self.files)
            .field("disks", &self.disks)
            .finish_non_exhaustive()
    }
}

/// A file that the envelope names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileReference {
    pub(super) id: String,
    pub(super) href: String,
    pub(super) size: Option<u64>,
}

/// A disk that the envelope names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DiskReference {
    pub(super) id: String,
    /// The id of its file; a disk without one is to be made empty.
    pub(super) file: Option<String>,
    /// Its size in bytes, if that is a number.
    pub(super) capacity: Option<u64>,
}

/// The name and the contents of a file that holds a disk.
pub type DiskMember<'a> = (&'a str, Arc<dyn ReadAt>);

impl OvaReader {
    /// Returns whether a file begins as an appliance does: an archive whose first file is an envelope.
    pub fn is_at_start_of(file: &dyn ReadAt) -> bool {
        bundle::first(file).is_some_and(|(name, _)| has_suffix(&name, ".ovf"))
    }

    /// Opens an appliance: a tar archive that holds one envelope.
    pub fn open(file: &Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let members = bundle::open(file, "OVA file")?;
        let mut envelopes = members.iter().filter(|member| has_suffix(&member.name, ".ovf"));
        let (Some(envelope), None) = (envelopes.next(), envelopes.next()) else {
            return Err(ReadError::invalid("OVA file", "expected one file that ends in .ovf"));
        };
        let ovf = envelope.text("OVF envelope", TEXT_MAX)?;
        let manifest = members.iter().find(|member| has_suffix(&member.name, ".mf"));
        let manifest = manifest.map(|member| member.text("OVF manifest", TEXT_MAX)).transpose()?;
        let (files, disks) = references(&ovf)?;
        Ok(Self { members, ovf, manifest, files, disks })
    }

    /// Returns the text of the envelope.
    pub fn ovf(&self) -> &str {
        &self.ovf
    }

    /// Returns the text of the manifest, if there is one.
    pub fn manifest(&self) -> Option<&str> {
        self.manifest.as_deref()
    }

    /// Returns the names and contents of the files that hold the disks, in the envelope's order.
    pub fn disks(&self) -> Result<Vec<DiskMember<'_>>, ReadError> {
        let mut found = Vec::new();
        for disk in &self.disks {
            let Some(id) = &disk.file else { continue };
            let file = self.files.iter().find(|file| file.id == *id);
            let member = file.and_then(|file| self.member(&file.href));
            let Some(member) = member else {
                let what = format!("OVF disk `{}`", disk.id);
                let reason = format!("expected the file `{id}` in the archive");
                return Err(ReadError::invalid(what, reason));
            };
            found.push((member.name.as_str(), Arc::clone(&member.contents)));
        }
        Ok(found)
    }

    /// Returns the hardware that the envelope asks for, if it says so.
    pub fn hardware(&self) -> Result<Option<Hardware>, ReadError> {
        hardware(&self.ovf)
    }

    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

pub(super) fn has_suffix(name: &str, suffix: &str) -> bool {
    name.len() > suffix.len() && name.to_ascii_lowercase().ends_with(suffix)
}

fn parse(ovf: &str) -> Result<Document<'_>, ReadError> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..Default::default() };
    Document::parse_with_options(ovf, options)
        .map_err(|error| ReadError::invalid("OVF envelope", error.to_string()))
}

/// Returns the hardware that an envelope asks for, if it says so in units that are known.
pub(in super::super) fn hardware(ovf: &str) -> Result<Option<Hardware>, ReadError> {
    let document = parse(ovf)?;
    let quantity = |kind: &str| -> Option<(u64, &str)> {
        let mut items = document.descendants().filter(|node| node.has_tag_name((OVF, "Item")));
        items.find_map(|item| {
            let text = |name: &str| {
                let mut children = item.children();
                children.find(|child| child.has_tag_name((RASD, name)))?.text()
            };
            let is_wanted = text("ResourceType") == Some(kind);
            let quantity = text("VirtualQuantity")?.parse().ok().filter(|_| is_wanted)?;
            Some((quantity, text("AllocationUnits").unwrap_or_default()))
        })
    };
    let found = || {
        let (cpus, _) = quantity(PROCESSORS)?;
        let (memory, unit) = quantity(MEMORY)?;
        let bytes = memory.checked_mul(if unit == "MegaBytes" { MIB } else { factor(unit)? })?;
        let (cpus, memory) = (u32::try_from(cpus).ok()?, u32::try_from(bytes / MIB).ok()?);
        Some(Hardware { cpus, memory })
    };
    Ok(found())
}

/// Returns the files and disks that an envelope names.
fn references(ovf: &str) -> Result<(Vec<FileReference>, Vec<DiskReference>), ReadError> {
    let document = parse(ovf)?;
    let root = document.root_element();
    if !root.has_tag_name((OVF, "Envelope")) {
        let found = root.tag_name().name();
        return Err(ReadError::invalid(
            "OVF envelope",
            format!("expected Envelope of version 1, found {found}"),
        ));
    }
    let within = |section: &'static str, element: &'static str| {
        let sections = root.children().filter(move |node| node.has_tag_name((OVF, section)));
        sections
            .flat_map(|node| node.children())
            .filter(move |node| node.has_tag_name((OVF, element)))
    };
    let files = within("References", "File").map(|node| {
        if node.has_attribute((OVF, "compression")) || node.has_attribute((OVF, "chunkSize")) {
            let reason = "expected files that are whole and not compressed";
            return Err(ReadError::invalid("OVF envelope", reason));
        }
        let size = node.attribute((OVF, "size")).and_then(|size| size.parse().ok());
        Ok(FileReference { id: required(&node, "id")?, href: required(&node, "href")?, size })
    });
    let disks = within("DiskSection", "Disk").map(|node| {
        let file = node.attribute((OVF, "fileRef")).map(str::to_owned);
        Ok(DiskReference { id: required(&node, "diskId")?, file, capacity: capacity(&node) })
    });
    Ok((files.collect::<Result<_, ReadError>>()?, disks.collect::<Result<_, ReadError>>()?))
}

fn required(node: &Node<'_, '_>, attribute: &str) -> Result<String, ReadError> {
    node.attribute((OVF, attribute)).map(str::to_owned).ok_or_else(|| {
        let reason = format!("expected {} with the attribute {attribute}", node.tag_name().name());
        ReadError::invalid("OVF envelope", reason)
    })
}

/// Returns the capacity of a disk in bytes; its unit is bytes or `byte * 2^N`.
fn capacity(node: &Node<'_, '_>) -> Option<u64> {
    let capacity: u64 = node.attribute((OVF, "capacity"))?.parse().ok()?;
    let unit = node.attribute((OVF, "capacityAllocationUnits")).unwrap_or("byte");
    capacity.checked_mul(factor(unit)?)
}

/// Returns how many bytes a unit has.
fn factor(unit: &str) -> Option<u64> {
    let unit: String = unit.split_whitespace().collect();
    let power: u32 = match unit.strip_prefix("byte")? {
        "" => 0,
        rest => rest.strip_prefix("*2^")?.parse().ok()?,
    };
    1_u64.checked_shl(power)
}
