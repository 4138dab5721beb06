//! Block devices: what the machine has, and which one is meant.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::command_line::{CommandLine, Selector};
use crate::failure::Failure;
use crate::gpt::{self, Partition};
use crate::modules::Modules;
use crate::superblock::{self, Superblock};

/// The pause between two looks at what is there.
const PAUSE: Duration = Duration::from_millis(20);
/// The unit of sizes in sysfs, whatever the device's blocks are.
const SECTOR: u64 = 512;

/// Devices that hold nothing to boot from, by the beginnings of their names. A floppy drive takes seconds to
/// say that it is empty.
const OTHERS: [&str; 3] = ["fd", "ram", "zram"];

/// A block device or one of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name in `/dev`.
    pub path: String,
    /// The name of the disk that it is a partition of, or its own.
    pub disk: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its entry in the disk's table.
    pub partition: Option<Partition>,
    /// The file system on it.
    pub content: Option<Superblock>,
}

impl Device {
    fn is(&self, selector: &Selector) -> bool {
        let partition = self.partition.as_ref();
        let content = self.content.as_ref();
        match selector {
            Selector::PartUuid(guid) => partition.is_some_and(|found| found.guid == *guid),
            Selector::PartLabel(name) => partition.is_some_and(|found| found.name == *name),
            Selector::Uuid(uuid) => content.is_some_and(|found| found.uuid == *uuid),
            Selector::Label(label) => content.is_some_and(|found| found.label == *label),
            Selector::Path(path) => self.path == *path,
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} MiB", self.path, self.size >> 20)?;
        if let Some(partition) = &self.partition {
            write!(f, ", PARTUUID={} PARTLABEL={:?}", partition.guid, partition.name)?;
        }
        match &self.content {
            Some(content) => {
                let Superblock { kind, label, uuid } = content;
                write!(f, ", {} LABEL={label:?} UUID={uuid}", kind.name())
            }
            None => f.write_str(", no known file system"),
        }
    }
}

/// Lists what block devices there are, in the order of their names.
pub fn list() -> Vec<Device> {
    let entries = fs::read_dir("/sys/class/block").into_iter().flatten();
    let entries = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut devices: Vec<Device> = entries
        .filter(|name| !OTHERS.iter().any(|other| name.starts_with(other)))
        .filter_map(|name| look_at(&name))
        .collect();
    devices.sort_by(|a, b| a.path.cmp(&b.path));
    devices
}

/// Reads what a device says of itself; one that is empty or holds no medium is none.
fn look_at(name: &str) -> Option<Device> {
    let folder = fs::canonicalize(Path::new("/sys/class/block").join(name)).ok()?;
    let attribute = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let size = attribute("size")?.trim().parse::<u64>().ok()?.checked_mul(SECTOR)?;
    if size == 0 {
        return None;
    }
    let number = attribute("partition").and_then(|number| number.trim().parse::<u32>().ok());
    let disk = match number {
        Some(_) => folder.parent()?.file_name()?.to_str()?,
        None => name,
    };
    let partition = number.and_then(|number| {
        partitions(disk)?.into_iter().find(|partition| partition.number == number)
    });
    // In sysfs `!` stands where a name has a slash.
    let path = format!("/dev/{}", name.replace('!', "/"));
    let content = superblock::read(&File::open(&path).ok()?);
    Some(Device { path, disk: disk.to_owned(), size, partition, content })
}

fn partitions(disk: &str) -> Option<Vec<Partition>> {
    let folder = Path::new("/sys/class/block").join(disk);
    let attribute =
        |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let block = attribute("queue/logical_block_size").filter(|block| *block >= SECTOR)?;
    let blocks = attribute("size")?.checked_mul(SECTOR)? / block;
    gpt::read(&File::open(format!("/dev/{}", disk.replace('!', "/"))).ok()?, block, blocks)
}

/// Waits for a device while modules bring more of them; what was found instead is in the failure.
pub fn wait_for(
    selector: &Selector,
    purpose: &str,
    modules: &mut Modules,
    line: &CommandLine,
) -> Result<Device, Failure> {
    let start = Instant::now();
    loop {
        modules.settle(line);
        let devices = list();
        if let Some(device) = devices.iter().find(|device| device.is(selector)) {
            return Ok(device.clone());
        }
        if start.elapsed() >= line.wait {
            let seconds = line.wait.as_secs();
            let what = format!("no device is {purpose}={selector}, after {seconds} s (bake.wait=)");
            return Err(Failure::new(what).with(found(&devices, modules.len())));
        }
        std::thread::sleep(PAUSE);
    }
}

fn found(devices: &[Device], modules: usize) -> Vec<String> {
    let mut lines: Vec<String> =
        devices.iter().map(|device| format!("there is {device}")).collect();
    if lines.is_empty() {
        lines.push(format!(
            "there is no block device; the initramfs has {modules} modules, perhaps not the driver"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::superblock::Kind;

    fn device() -> Device {
        Device {
            path: "/dev/vda2".into(),
            disk: "vda".into(),
            size: 3 << 20,
            partition: Some(Partition { number: 2, guid: "0a-b".into(), name: "root".into() }),
            content: Some(Superblock {
                kind: Kind::Ext4,
                label: "system".into(),
                uuid: "c-d".into(),
            }),
        }
    }

    #[test]
    fn is_found_by_each_of_its_names_only() {
        let names = ["PARTUUID=0A-B", "PARTLABEL=root", "UUID=c-d", "LABEL=system", "/dev/vda2"];
        let others =
            ["PARTUUID=c-d", "PARTLABEL=system", "UUID=0a-b", "LABEL=root", "/dev/vda", "vda2"];
        let selector = |text: &str| CommandLine::parse(&format!("root={text}")).root.unwrap();
        for name in names {
            assert!(device().is(&selector(name)), "{name}");
        }
        for name in others {
            assert!(!device().is(&selector(name)), "{name}");
        }
    }

    #[test]
    fn prints_all_that_it_can_be_found_by() {
        let printed =
            "/dev/vda2: 3 MiB, PARTUUID=0a-b PARTLABEL=\"root\", ext4 LABEL=\"system\" UUID=c-d";
        assert_eq!(device().to_string(), printed);
        let empty = Device { partition: None, content: None, ..device() };
        assert_eq!(empty.to_string(), "/dev/vda2: 3 MiB, no known file system");
    }
}
