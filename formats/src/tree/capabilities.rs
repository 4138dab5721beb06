//! File capabilities: the extended attribute `security.capability` and the text for it.
//!
//! The attribute is little-endian (Linux's `include/uapi/linux/capability.h`, `vfs_cap_data`):
//!
//! ```text
//! offset length
//!      0      4  revision in the high byte: 2; lowest bit: the capabilities are effective
//!      4      4  permitted set, capabilities 0 to 31
//!      8      4  inheritable set, capabilities 0 to 31
//!     12      4  permitted set, capabilities 32 to 63
//!     16      4  inheritable set, capabilities 32 to 63
//! ```
//!
//! The text is that of cap_from_text(3), as recipes and RPM's `FILECAPS` have it: clauses `NAME,NAME=FLAGS` separated by blanks, with
//! the flags `e`, `i` and `p`. Revision 3 adds the number of a namespace's root, which the text
//! cannot say.

/// The extended attribute's name.
pub const XATTR: &str = "security.capability";

const REVISION_2: u32 = 0x0200_0000;
const EFFECTIVE: u32 = 1;
const SIZE: usize = 20;

/// The names of all capabilities, by number.
pub const NAMES: [&str; 41] = [
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

/// Returns the text for an attribute, or why there is none.
///
/// Only attributes that [`from_text`] gives back bit for bit have a text.
pub fn to_text(attribute: &[u8]) -> Result<String, String> {
    let words: Vec<u32> =
        attribute.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let (&[magic, permitted, inheritable, permitted_high, inheritable_high], SIZE) =
        (words.as_slice(), attribute.len())
    else {
        return Err(format!("expected {SIZE} bytes of revision 2, found {}", attribute.len()));
    };
    let permitted = u64::from(permitted_high) << 32 | u64::from(permitted);
    let inheritable = u64::from(inheritable_high) << 32 | u64::from(inheritable);
    let clause = |flags: &str, set: u64| {
        let all = NAMES.iter().enumerate().filter(|(number, _)| set >> number & 1 == 1);
        let all: Vec<&str> = all.map(|(_, name)| *name).collect();
        (!all.is_empty()).then(|| format!("{}={flags}", all.join(",")))
    };
    let flags = if magic & EFFECTIVE == 0 { ["p", "i", "ip"] } else { ["ep", "ei", "eip"] };
    let sets = [permitted & !inheritable, inheritable & !permitted, permitted & inheritable];
    let clauses: Vec<String> =
        flags.into_iter().zip(sets).filter_map(|(flags, set)| clause(flags, set)).collect();
    let text = if clauses.is_empty() { "=".to_owned() } else { clauses.join(" ") };
    if from_text(&text).as_deref() == Ok(attribute) {
        return Ok(text);
    }
    Err("it has a revision, a flag or a capability that the text form does not know".into())
}

/// Returns the attribute for a text, or why there is none.
pub fn from_text(text: &str) -> Result<Vec<u8>, String> {
    let (mut effective, mut permitted, mut inheritable) = (0_u64, 0_u64, 0_u64);
    for clause in text.split_ascii_whitespace() {
        let Some(at) = clause.find(['=', '+', '-']) else {
            return Err(format!("the clause `{clause}` has no operator"));
        };
        let mask = mask(&clause[..at])?;
        let (operator, flags) = clause[at..].split_at(1);
        if let Some(flag) = flags.chars().find(|flag| !"eip".contains(*flag)) {
            return Err(format!("`{flag}` in the clause `{clause}` is not e, i or p"));
        }
        for (set, flag) in [(&mut effective, 'e'), (&mut inheritable, 'i'), (&mut permitted, 'p')] {
            match (operator, flags.contains(flag)) {
                ("-", true) | ("=", false) => *set &= !mask,
                (_, true) => *set |= mask,
                (_, false) => {}
            }
        }
    }
    if effective != 0 && effective != permitted | inheritable {
        return Err("a file has all of its capabilities effective, or none".into());
    }
    let magic = REVISION_2 | u32::from(effective != 0);
    let low = |set: u64| (set & 0xffff_ffff) as u32;
    let high = |set: u64| (set >> 32) as u32;
    let words = [magic, low(permitted), low(inheritable), high(permitted), high(inheritable)];
    Ok(words.into_iter().flat_map(u32::to_le_bytes).collect())
}

/// Returns the set of the capabilities named before a clause's operator.
fn mask(names: &str) -> Result<u64, String> {
    if names.is_empty() || names.eq_ignore_ascii_case("all") {
        return Ok((1 << NAMES.len()) - 1);
    }
    names.split(',').try_fold(0, |mask, name| {
        let known = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name));
        let number = known.ok_or_else(|| format!("`{name}` is no capability"))?;
        Ok(mask | 1 << number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(words: [u32; 5]) -> Vec<u8> {
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }

    #[test]
    fn text_and_attribute_are_one_to_one() {
        let cases = [
            ("cap_net_raw=ep", [0x0200_0001, 1 << 13, 0, 0, 0]),
            ("cap_net_raw=p", [0x0200_0000, 1 << 13, 0, 0, 0]),
            ("cap_net_admin,cap_net_raw=ep", [0x0200_0001, 3 << 12, 0, 0, 0]),
            ("cap_chown=p cap_bpf=i", [0x0200_0000, 1, 0, 0, 1 << 7]),
            ("cap_chown,cap_checkpoint_restore=eip", [0x0200_0001, 1, 1, 1 << 8, 1 << 8]),
            ("=", [0x0200_0000, 0, 0, 0, 0]),
        ];
        for (text, words) in cases {
            assert_eq!(to_text(&attribute(words)).as_deref(), Ok(text));
            assert_eq!(from_text(text), Ok(attribute(words)));
        }
    }

    #[test]
    fn reads_the_forms_that_libcap_prints() {
        let ep = attribute([0x0200_0001, 3 << 12, 0, 0, 0]);
        for text in [
            "cap_net_admin,cap_net_raw+ep",
            "CAP_NET_RAW,cap_net_admin=pe",
            "= cap_net_raw+ep cap_net_admin+ep",
        ] {
            assert_eq!(from_text(text).as_ref(), Ok(&ep), "{text}");
        }
        let all = attribute([0x0200_0000, u32::MAX, 0, 0x1ff, 0]);
        assert_eq!(from_text("=p"), Ok(all.clone()));
        assert_eq!(from_text("all=pi all-i"), Ok(all));
    }

    #[test]
    fn refuses_what_the_text_cannot_say() {
        let revision_3 = [attribute([0x0300_0001, 1, 0, 0, 0]), vec![0; 4]].concat();
        let cases = [
            revision_3,
            Vec::new(),
            attribute([0x0100_0001, 1, 0, 0, 0]),
            attribute([0x0200_0003, 1, 0, 0, 0]),
            attribute([0x0200_0000, 0, 0, 1 << 9, 0]),
            attribute([0x0200_0001, 0, 0, 0, 0]),
        ];
        for attribute in cases {
            assert!(to_text(&attribute).is_err(), "{attribute:?}");
        }
    }

    #[test]
    fn rejects_text_that_names_no_capabilities() {
        for text in ["cap_net_raw", "cap_new=p", "cap_chown=x", "cap_chown=p cap_kill=ep", "a,=p"] {
            assert!(from_text(text).is_err(), "{text}");
        }
    }
}
