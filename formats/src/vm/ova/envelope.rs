//! The envelope: files, disks, networks and the machine, as XML.

use super::model::{Appliance, Devices, Firmware, Hardware};

/// The namespaces of the envelope; the prefixes are those of DSP0243 and of the two hypervisors.
const NAMESPACES: [(&str, &str); 5] = [
    ("ovf", "http://schemas.dmtf.org/ovf/envelope/1"),
    ("rasd", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"),
    ("vssd", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"),
    ("vmw", "http://www.vmware.com/schema/ovf"),
    ("vbox", "http://www.virtualbox.org/ovf/machine"),
];
/// The URI that says what the disk's file is.
const VMDK: &str = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";
/// The version of VirtualBox's settings, which later ones read.
const VIRTUALBOX_SETTINGS: &str = "1.15-linux";

/// The disk and the file that holds it.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct DiskFile<'a> {
    /// The file's name.
    pub(in super::super) name: &'a str,
    /// The file's length.
    pub(in super::super) len: u64,
    /// The size of the disk.
    pub(in super::super) capacity: u64,
    /// How much of the disk is not holes.
    pub(in super::super) populated: u64,
}

/// Returns the text of the envelope.
pub(in super::super) fn envelope(appliance: &Appliance, disk: &DiskFile<'_>) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Envelope");
    let [(_, default), ..] = NAMESPACES;
    text.push_str(&format!(" ovf:version=\"1.0\" xml:lang=\"en-US\" xmlns=\"{default}\""));
    for (prefix, uri) in NAMESPACES {
        text.push_str(&format!("\n  xmlns:{prefix}=\"{uri}\""));
    }
    text.push_str(">\n");
    push_files(&mut text, appliance, disk);
    let name = escape(&appliance.name);
    let os = appliance.hardware.os;
    text.push_str(&format!(
        "  <NetworkSection>\n\
             \x20   <Info>Logical networks</Info>\n\
             \x20   <Network ovf:name=\"VM Network\">\n\
             \x20     <Description>The network of the machine</Description>\n\
             \x20   </Network>\n\
             \x20 </NetworkSection>\n\
             \x20 <VirtualSystem ovf:id=\"{name}\">\n\
             \x20   <Info>A virtual machine</Info>\n\
             \x20   <Name>{name}</Name>\n\
             \x20   <OperatingSystemSection ovf:id=\"{}\" vmw:osType=\"{}\">\n\
             \x20     <Info>What runs in it</Info>\n\
             \x20   </OperatingSystemSection>\n",
        os.cim(),
        os.vmware(),
    ));
    push_hardware(&mut text, appliance);
    push_virtualbox(&mut text, appliance);
    text.push_str("  </VirtualSystem>\n</Envelope>\n");
    text
}

fn push_files(text: &mut String, appliance: &Appliance, disk: &DiskFile<'_>) {
    let DiskFile { name, len, capacity, populated } = disk;
    let (name, uuid) = (escape(name), appliance.disk_id());
    text.push_str(&format!(
        "  <References>\n\
             \x20   <File ovf:href=\"{name}\" ovf:id=\"file1\" ovf:size=\"{len}\"/>\n\
             \x20 </References>\n\
             \x20 <DiskSection>\n\
             \x20   <Info>Virtual disks</Info>\n\
             \x20   <Disk ovf:capacity=\"{capacity}\" ovf:capacityAllocationUnits=\"byte\" \
             ovf:diskId=\"vmdisk1\" ovf:fileRef=\"file1\" ovf:format=\"{VMDK}\" \
             ovf:populatedSize=\"{populated}\" vbox:uuid=\"{uuid}\"/>\n\
             \x20 </DiskSection>\n",
    ));
}

/// Pushes the hardware in OVF's own words and in VMware's.
fn push_hardware(text: &mut String, appliance: &Appliance) {
    let hardware = &appliance.hardware;
    let name = escape(&appliance.name);
    text.push_str(&format!(
        "    <VirtualHardwareSection ovf:transport=\"com.vmware.guestInfo\">\n\
             \x20     <Info>Virtual hardware</Info>\n\
             \x20     <System>\n\
             \x20       <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>\n\
             \x20       <vssd:InstanceID>0</vssd:InstanceID>\n\
             \x20       <vssd:VirtualSystemIdentifier>{name}</vssd:VirtualSystemIdentifier>\n\
             \x20       <vssd:VirtualSystemType>vmx-15</vssd:VirtualSystemType>\n\
             \x20     </System>\n",
    ));
    push_items(text, hardware);
    let firmware = match hardware.firmware {
        Firmware::Bios => "bios",
        Firmware::Efi => "efi",
    };
    text.push_str(&format!(
        "      <vmw:Config ovf:required=\"false\" vmw:key=\"firmware\" \
             vmw:value=\"{firmware}\"/>\n\
             \x20   </VirtualHardwareSection>\n",
    ));
}

/// Pushes the devices, numbered as those name each other.
fn push_items(text: &mut String, hardware: &Hardware) {
    let (cpus, memory) = (hardware.cpus.to_string(), hardware.memory_mib.to_string());
    let (scsi, network) = match hardware.devices {
        Devices::Emulated => ("lsilogic", "E1000"),
        Devices::Paravirtual => ("VirtualSCSI", "VmxNet3"),
    };
    // The elements of an item are in the order of the schema, which is that of their names.
    let items: [&[(&str, &str)]; 5] = [
        &[
            ("AllocationUnits", "hertz * 10^6"),
            ("Description", "Number of virtual CPUs"),
            ("ElementName", "Virtual CPUs"),
            ("InstanceID", "1"),
            ("ResourceType", "3"),
            ("VirtualQuantity", &cpus),
        ],
        &[
            ("AllocationUnits", "byte * 2^20"),
            ("Description", "Memory size"),
            ("ElementName", "Memory"),
            ("InstanceID", "2"),
            ("ResourceType", "4"),
            ("VirtualQuantity", &memory),
        ],
        &[
            ("Address", "0"),
            ("Description", "SCSI controller"),
            ("ElementName", "SCSI controller 0"),
            ("InstanceID", "3"),
            ("ResourceSubType", scsi),
            ("ResourceType", "6"),
        ],
        &[
            ("AddressOnParent", "0"),
            ("ElementName", "Hard disk 1"),
            ("HostResource", "ovf:/disk/vmdisk1"),
            ("InstanceID", "4"),
            ("Parent", "3"),
            ("ResourceType", "17"),
        ],
        &[
            ("AddressOnParent", "7"),
            ("AutomaticAllocation", "true"),
            ("Connection", "VM Network"),
            ("Description", "Network adapter"),
            ("ElementName", "Network adapter 1"),
            ("InstanceID", "5"),
            ("ResourceSubType", network),
            ("ResourceType", "10"),
        ],
    ];
    for item in items {
        text.push_str("      <Item>\n");
        for (element, value) in item {
            text.push_str(&format!("        <rasd:{element}>{value}</rasd:{element}>\n"));
        }
        text.push_str("      </Item>\n");
    }
}

/// Pushes the machine in VirtualBox's words.
fn push_virtualbox(text: &mut String, appliance: &Appliance) {
    let Appliance { name, hardware, id } = appliance;
    let (name, os, mac) = (escape(name), hardware.os.virtualbox(), appliance.mac());
    let firmware = match hardware.firmware {
        Firmware::Bios => "BIOS",
        Firmware::Efi => "EFI",
    };
    let (controller, storage, network) = match hardware.devices {
        Devices::Emulated => ("SATA", "AHCI", "82540EM"),
        Devices::Paravirtual => ("VirtIO", "VirtioSCSI", "virtio"),
    };
    let (cpus, memory, disk) = (hardware.cpus, hardware.memory_mib, appliance.disk_id());
    text.push_str(&format!(
        "    <vbox:Machine ovf:required=\"false\" version=\"{VIRTUALBOX_SETTINGS}\" \
             uuid=\"{{{id}}}\" name=\"{name}\" OSType=\"{os}\">\n\
             \x20     <ovf:Info>The machine as VirtualBox sees it</ovf:Info>\n\
             \x20     <Hardware>\n\
             \x20       <CPU count=\"{cpus}\">\n\
             \x20         <PAE enabled=\"true\"/>\n\
             \x20         <LongMode enabled=\"true\"/>\n\
             \x20       </CPU>\n\
             \x20       <Memory RAMSize=\"{memory}\"/>\n\
             \x20       <Firmware type=\"{firmware}\"/>\n\
             \x20       <Boot>\n\
             \x20         <Order position=\"1\" device=\"HardDisk\"/>\n\
             \x20       </Boot>\n\
             \x20       <Display controller=\"VMSVGA\" VRAMSize=\"16\"/>\n\
             \x20       <BIOS>\n\
             \x20         <ACPI enabled=\"true\"/>\n\
             \x20         <IOAPIC enabled=\"true\"/>\n\
             \x20       </BIOS>\n\
             \x20       <Network>\n\
             \x20         <Adapter slot=\"0\" enabled=\"true\" MACAddress=\"{mac}\" \
             type=\"{network}\">\n\
             \x20           <NAT/>\n\
             \x20         </Adapter>\n\
             \x20       </Network>\n\
             \x20       <RTC localOrUTC=\"UTC\"/>\n\
             \x20     </Hardware>\n\
             \x20     <StorageControllers>\n\
             \x20       <StorageController name=\"{controller}\" type=\"{storage}\" \
             PortCount=\"1\" useHostIOCache=\"false\" Bootable=\"true\">\n\
             \x20         <AttachedDevice type=\"HardDisk\" hotpluggable=\"false\" port=\"0\" \
             device=\"0\">\n\
             \x20           <Image uuid=\"{{{disk}}}\"/>\n\
             \x20         </AttachedDevice>\n\
             \x20       </StorageController>\n\
             \x20     </StorageControllers>\n\
             \x20   </vbox:Machine>\n",
    ));
}

/// Returns text as it may stand in an element or an attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(c),
        }
    }
    escaped
}
