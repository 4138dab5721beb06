//! What a partition holds, by the GUID of its type (UEFI 2.10, table 5.7; UAPI Group,
//! "Discoverable Partitions Specification").

use super::super::guid::Guid;

/// The file system that UEFI firmware loads programs from.
pub const ESP: Guid = Guid::from_u128(0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b);
/// Room for what a BIOS loads, without a file system.
pub const BIOS_BOOT: Guid = Guid::from_u128(0x21686148_6449_6e6f_744e_656564454649);
/// A file system of kernels beside the ESP.
pub const EXTENDED_BOOT: Guid = Guid::from_u128(0xbc13c2ff_59e6_4262_a352_b275fd6f7172);
/// A file system with data, of any kind that Linux knows.
pub const LINUX_DATA: Guid = Guid::from_u128(0x0fc63daf_8483_4772_8e79_3d69d8477de4);
/// A file system with data, of a kind that every system knows.
pub const BASIC_DATA: Guid = Guid::from_u128(0xebd0a0a2_b9e5_4433_87c0_68b6b72699c7);
/// The root file system of a 64-bit x86.
pub const ROOT_X86_64: Guid = Guid::from_u128(0x4f68bce3_e8cd_4db1_96e7_fbcaf984b709);
/// The root file system of a 64-bit ARM.
pub const ROOT_ARM64: Guid = Guid::from_u128(0xb921b045_1df0_41c3_af44_4c6f280d3fae);
/// The hashes of [`ROOT_X86_64`].
pub const ROOT_X86_64_VERITY: Guid = Guid::from_u128(0x2c7357ed_ebd2_46d9_aec1_23d437ec2bf5);
/// The hashes of [`ROOT_ARM64`].
pub const ROOT_ARM64_VERITY: Guid = Guid::from_u128(0xdf3300ce_d69f_4c92_978c_9bfb0f38d820);
/// `/usr` of a 64-bit x86.
pub const USR_X86_64: Guid = Guid::from_u128(0x8484680c_9521_48c6_9c11_b0720656f69e);
/// `/usr` of a 64-bit ARM.
pub const USR_ARM64: Guid = Guid::from_u128(0xb0e01050_ee5f_4390_949a_9101b17104e9);
/// The hashes of [`USR_X86_64`].
pub const USR_X86_64_VERITY: Guid = Guid::from_u128(0x77ff5f63_e7b6_4633_acf4_1565b864c0e6);
/// The hashes of [`USR_ARM64`].
pub const USR_ARM64_VERITY: Guid = Guid::from_u128(0x6e11a4e7_fbca_4ded_b9e9_e1a512bb664e);

/// Returns what a type is called, if it is one of these.
pub fn name(kind: Guid) -> Option<&'static str> {
    Some(match kind {
        ESP => "EFI system partition",
        BIOS_BOOT => "BIOS boot",
        EXTENDED_BOOT => "extended boot",
        LINUX_DATA => "Linux data",
        BASIC_DATA => "basic data",
        ROOT_X86_64 => "root x86-64",
        ROOT_ARM64 => "root arm64",
        ROOT_X86_64_VERITY => "root verity x86-64",
        ROOT_ARM64_VERITY => "root verity arm64",
        USR_X86_64 => "usr x86-64",
        USR_ARM64 => "usr arm64",
        USR_X86_64_VERITY => "usr verity x86-64",
        USR_ARM64_VERITY => "usr verity arm64",
        _ => return None,
    })
}
