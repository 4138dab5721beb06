//! The OVA format: a virtual appliance in one file (DMTF, DSP0243, Open Virtualization Format 1.1).
//!
//! ```text
//! NAME.ovf         the envelope: files, disks, networks, the machine, as XML
//! NAME.mf          if asked for: `SHA256(FILE)= DIGEST`, a line for each other file
//! NAME-disk1.vmdk  the disk, stream-optimised
//! ```
//!
//! The archive is POSIX tar with the files in this order, which importers that read it as a stream
//! need. One envelope serves VMware (hardware version 15, ESXi 6.7 update 2 and later) and
//! VirtualBox, each of which passes over what it does not know: attributes and elements `vmw:` say
//! the firmware and the guest to the former, an element `vbox:Machine` says the whole machine to the
//! latter. VirtualBox finds the disk of that machine by the attribute `vbox:uuid`.

mod check;
mod envelope;
mod model;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use check::check;
pub(super) use check::check_files;
pub use model::{Appliance, Devices, Firmware, GuestOs, Hardware, Manifest};
pub use read::{DiskMember, OvaReader};
pub use write::write;

pub(super) use write::populated;

pub(super) use envelope::{DiskFile, envelope};
pub(super) use read::hardware;
