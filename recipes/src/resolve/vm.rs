//! `[vm]`.

use super::{Common, Resolver};
use crate::resolved::{DiskFormat, DiskSize, Vm};
use crate::written::{self, At, VmFormat};

/// The longest label of an ext4 file system, in bytes.
const MAX_LABEL: usize = 16;

/// Sizes are whole numbers of these.
const MIB: u64 = 1024 * 1024;

/// The largest disk.
const MAX_SIZE: u64 = 16 * 1024 * 1024 * MIB;

impl Resolver<'_> {
    pub(super) fn vm(
        &self,
        at: Option<&At<written::Vm>>,
        here: &At<String>,
        common: &Common,
    ) -> Option<Vm> {
        let place = at.map_or_else(|| self.place(here), |at| self.place(at));
        let table = at.map(|at| at.value.clone()).unwrap_or_default();
        let formats = self.disk_formats(table.formats.as_ref());
        let size = match &table.size {
            Some(at) => self.disk_size(at),
            None => Some(DiskSize::Minimal),
        };
        let label = match &table.label {
            Some(at) => self.label(at),
            None => Some(common.name.as_str().chars().take(MAX_LABEL).collect()),
        };
        Some(Vm { formats: formats?, size: size?, label: label?, place })
    }

    fn disk_formats(&self, at: Option<&At<Vec<At<VmFormat>>>>) -> Option<Vec<DiskFormat>> {
        let Some(at) = at else { return Some(vec![DiskFormat::Qcow2]) };
        if at.value.is_empty() {
            self.advise(at, "`formats` is empty", "e.g. [\"raw\", \"qcow2\"]");
            return None;
        }
        let mut all = Vec::new();
        for format in &at.value {
            let disk = match format.value {
                VmFormat::Raw => DiskFormat::Raw,
                VmFormat::Qcow2 => DiskFormat::Qcow2,
            };
            if all.contains(&disk) {
                self.fault(format, format!("`{}` stands here twice", disk.word()));
                return None;
            }
            all.push(disk);
        }
        Some(all)
    }

    fn disk_size(&self, at: &At<String>) -> Option<DiskSize> {
        if at.value == "minimal" {
            return Some(DiskSize::Minimal);
        }
        let units = [("MiB", MIB), ("GiB", 1024 * MIB), ("TiB", 1024 * 1024 * MIB)];
        let parsed = units.into_iter().find_map(|(word, unit)| {
            let digits = at.value.strip_suffix(word)?.trim_end_matches(' ');
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(unit)
        });
        match parsed {
            Some(bytes @ 1..=MAX_SIZE) => return Some(DiskSize::Bytes(bytes)),
            Some(_) => self.fault(at, "the size must lie between 1MiB and 16TiB"),
            None => {
                let message = format!("`{}` is not a size", at.value.escape_debug());
                self.advise(at, message, "e.g. \"minimal\", \"512MiB\" or \"2GiB\"");
            }
        }
        None
    }

    fn label(&self, at: &At<String>) -> Option<String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        let text = &at.value;
        if (1..=MAX_LABEL).contains(&text.len()) && text.chars().all(allowed) {
            return Some(text.clone());
        }
        let found = text.escape_debug();
        let message = format!("`{found}` is not the label of a file system");
        self.advise(at, message, format!("at most {MAX_LABEL} letters, digits and `-_.+`"));
        None
    }
}
