//! File capabilities: from text to the bytes of `security.capability`.
//!
//! The text is that of cap_from_text(3) with one clause; the bytes are `struct vfs_cap_data`
//! version 2 of the kernel's `include/uapi/linux/capability.h`, all little-endian:
//!
//! ```text
//! magic and flags: 0x02000000, +1 if effective
//! permitted 0-31 · inheritable 0-31 · permitted 32-63 · inheritable 32-63
//! ```

/// The names in the order of their numbers.
const NAMES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

const REVISION_2: u32 = 0x0200_0000;
const EFFECTIVE: u32 = 1;

/// Why text names no capabilities.
pub(super) struct CapabilityError {
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

/// Returns the attribute's value for e.g. `cap_net_bind_service,cap_net_raw=ep`.
pub(super) fn encode(text: &str) -> Result<Vec<u8>, CapabilityError> {
    let fail = |reason: String, hint: Option<String>| CapabilityError { reason, hint };
    let Some((names, flags)) = text.split_once(['=', '+']) else {
        let hint = format!("e.g. `{text}=ep`");
        return Err(fail("there are no flags after `=`".into(), Some(hint)));
    };
    let mut bits = 0_u64;
    for name in names.split(',') {
        let Some(number) = NAMES.iter().position(|known| *known == name) else {
            let near = crate::load::nearest(name, &NAMES);
            let hint = near.map(|near| format!("did you mean `{near}`?"));
            return Err(fail(format!("unknown capability `{}`", name.escape_debug()), hint));
        };
        bits |= 1 << number;
    }
    let known = !flags.is_empty() && flags.chars().all(|flag| "eip".contains(flag));
    if !known || flags == "e" {
        let reason =
            format!("expected flags of `e`, `i` and `p`, found `{}`", flags.escape_debug());
        return Err(fail(reason, Some(format!("e.g. `{names}=ep`"))));
    }
    let set = |flag: char| if flags.contains(flag) { bits } else { 0 };
    let (permitted, inheritable) = (set('p'), set('i'));
    let magic = REVISION_2 | if flags.contains('e') { EFFECTIVE } else { 0 };
    let mut bytes = magic.to_le_bytes().to_vec();
    let (permitted, inheritable) = (permitted.to_le_bytes(), inheritable.to_le_bytes());
    for half in [0..4, 4..8] {
        bytes.extend_from_slice(&permitted[half.clone()]);
        bytes.extend_from_slice(&inheritable[half]);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_as_the_kernel_reads() {
        let bytes = encode("cap_net_bind_service=ep").ok().unwrap();
        let expected = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(bytes, expected);
        let bytes = encode("cap_chown,cap_bpf+i").ok().unwrap();
        let expected = [0, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0];
        assert_eq!(bytes, expected);
        for bad in ["", "cap_chown", "cap_chown=", "cap_chown=x", "chown=ep", "=ep", "cap_bpf=e"] {
            assert!(encode(bad).is_err(), "{bad}");
        }
    }
}
