//! File capabilities: one clause of cap_from_text(3), with advice for what is misspelt.

use bake_formats::tree::capabilities::{self, NAMES};

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
    for name in names.split(',') {
        if !NAMES.contains(&name) {
            let near = crate::suggestion::nearest(name, &NAMES);
            let hint = near.map(|near| format!("did you mean `{near}`?"));
            return Err(fail(format!("unknown capability `{}`", name.escape_debug()), hint));
        }
    }
    let known = !flags.is_empty() && flags.chars().all(|flag| "eip".contains(flag));
    if !known || flags == "e" {
        let reason =
            format!("expected flags of `e`, `i` and `p`, found `{}`", flags.escape_debug());
        return Err(fail(reason, Some(format!("e.g. `{names}=ep`"))));
    }
    capabilities::from_text(&format!("{names}={flags}")).map_err(|reason| fail(reason, None))
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
