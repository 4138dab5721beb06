//! Checking an appliance: it holds what its envelope and its manifest say.

use std::sync::Arc;

use super::read::{OvaReader, has_suffix};
use crate::digest::Digest;
use crate::format::{Problem, ReadError};
use crate::input::{ReadAt, Section};
use crate::vm::vmdk::{self, VmdkReader};

/// Lists every rule of the format that an appliance breaks, and those of its disks.
pub fn check(file: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
    let reader = OvaReader::open(file)?;
    let mut problems = Vec::new();
    if let Some(first) = reader.members.first()
        && !has_suffix(&first.name, ".ovf")
    {
        let place = "the first file";
        problems.push(Problem::new("ova-order", place, "the envelope, .ovf", &first.name));
    }
    problems.extend(check_files(&reader)?);
    Ok(problems)
}

/// Lists every rule that the files break which the envelope and the manifest name.
pub(in super::super) fn check_files(reader: &OvaReader) -> Result<Vec<Problem>, ReadError> {
    let mut problems = Vec::new();
    check_references(reader, &mut problems);
    check_disks(reader, &mut problems)?;
    if let Some(manifest) = reader.manifest() {
        check_manifest(reader, manifest, &mut problems)?;
    }
    Ok(problems)
}

fn check_references(reader: &OvaReader, problems: &mut Vec<Problem>) {
    for file in &reader.files {
        let found = reader.member(&file.href).map(|member| member.contents.len());
        let (place, rule) = (format!("file `{}`", file.href), "ova-reference");
        match (found, file.size) {
            (None, _) => problems.push(Problem::new(rule, place, "a file in the archive", "none")),
            (Some(found), Some(size)) if found != size => {
                let expected = format!("{size} bytes");
                problems.push(Problem::new(rule, place, expected, found.to_string()));
            }
            _ => {}
        }
    }
    for disk in &reader.disks {
        let Some(id) = &disk.file else { continue };
        if reader.files.iter().all(|file| file.id != *id) {
            let place = format!("disk `{}`", disk.id);
            problems.push(Problem::new("ova-reference", place, "a file of the envelope", id));
        }
    }
}

fn check_disks(reader: &OvaReader, problems: &mut Vec<Problem>) -> Result<(), ReadError> {
    for disk in &reader.disks {
        let file = reader.files.iter().find(|file| Some(&file.id) == disk.file.as_ref());
        let Some(member) = file.and_then(|file| reader.member(&file.href)) else { continue };
        if !VmdkReader::is_at_start_of(&*member.contents) {
            continue;
        }
        problems.extend(vmdk::check(&*member.contents)?);
        let found = VmdkReader::open(Arc::clone(&member.contents))?.len();
        if let Some(capacity) = disk.capacity
            && capacity != found
        {
            let (place, expected) = (format!("disk `{}`", disk.id), format!("{found} bytes"));
            problems.push(Problem::new("ova-capacity", place, expected, capacity.to_string()));
        }
    }
    Ok(())
}

/// Checks that a manifest states the SHA-256 of every other file.
fn check_manifest(
    reader: &OvaReader,
    manifest: &str,
    problems: &mut Vec<Problem>,
) -> Result<(), ReadError> {
    let mut stated = Vec::new();
    for line in manifest.lines().filter(|line| !line.trim().is_empty()) {
        let parts = line.strip_prefix("SHA256(").and_then(|rest| rest.split_once(")="));
        if let Some((name, digest)) = parts {
            stated.push((name, digest.trim()));
        } else {
            let expected = "lines `SHA256(FILE)= DIGEST`";
            problems.push(Problem::new("ova-manifest", "manifest", expected, line));
        }
    }
    let is_covered = |name: &str| !has_suffix(name, ".mf") && !has_suffix(name, ".cert");
    for member in reader.members.iter().filter(|member| is_covered(&member.name)) {
        let place = format!("manifest, file `{}`", member.name);
        let (digest, _) = Digest::of_reader(Section::whole(Arc::clone(&member.contents)))?;
        let expected = digest.hex();
        match stated.iter().find(|(name, _)| *name == member.name) {
            Some((_, found)) if found.eq_ignore_ascii_case(&expected) => {}
            Some((_, found)) => {
                problems.push(Problem::new("ova-manifest", place, expected, *found));
            }
            None => problems.push(Problem::new("ova-manifest", place, expected, "no line")),
        }
    }
    for (name, _) in stated.iter().filter(|(name, _)| reader.member(name).is_none()) {
        let place = format!("manifest, file `{name}`");
        problems.push(Problem::new("ova-manifest", place, "a file in the archive", "none"));
    }
    Ok(())
}
