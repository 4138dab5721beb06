//! Writing: a rope of the disk becomes a rope of the appliance.

use super::envelope::{DiskFile, envelope};
use super::model::{Appliance, Manifest};
use crate::digest::Digest;
use crate::format::{WriteCx, WriteError};
use crate::rope::{Extent, Rope};
use crate::vm::{bundle, vmdk};

/// Describes an appliance with this disk, whose size is a multiple of 512 bytes.
pub fn write(
    appliance: &Appliance,
    disk: &Rope,
    manifest: Manifest,
    cx: &WriteCx<'_>,
) -> Result<Rope, WriteError> {
    appliance.check("ova")?;
    let vmdk = vmdk::write(disk, appliance.disk_id(), cx)?;
    let [ovf_name, mf_name, disk_name] =
        [".ovf", ".mf", "-disk1.vmdk"].map(|suffix| format!("{}{suffix}", appliance.name));
    let file = DiskFile {
        name: &disk_name,
        len: vmdk.len(),
        capacity: disk.len(),
        populated: populated(disk),
    };
    let ovf = envelope(appliance, &file);
    let mf = match manifest {
        Manifest::Omitted => None,
        Manifest::Included => {
            let (ovf, vmdk) = (Digest::of(ovf.as_bytes()), vmdk.blob(cx.blobs)?.digest);
            let lines = [(&ovf_name, ovf), (&disk_name, vmdk)];
            let line =
                |(name, digest): (&String, Digest)| format!("SHA256({name})= {}\n", digest.hex());
            Some(Rope::from(lines.map(line).concat().into_bytes()))
        }
    };
    let ovf = Rope::from(ovf.into_bytes());
    let mut members: Vec<(&str, &Rope)> = vec![(&ovf_name, &ovf)];
    members.extend(mf.as_ref().map(|mf| (mf_name.as_str(), mf)));
    members.push((&disk_name, &vmdk));
    bundle::write("ova", cx.epoch, &members)
}

/// Returns how many bytes of a disk are not holes.
pub(in super::super) fn populated(disk: &Rope) -> u64 {
    let holds = |extent: &Extent<'_>| !matches!(extent, Extent::Zero(_));
    disk.extents().filter(holds).map(|extent| extent.len()).sum()
}
