//! The architectures that packages can be for, with what the format says of each.

/// One architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Architecture {
    /// RPM's name, as in `ARCH` and in file names.
    pub(super) name: &'static str,
    /// What `%{_isa}` stands for, e.g. `x86-64`; none for `noarch`.
    pub(super) isa: Option<&'static str>,
    /// The number in the lead.
    pub(super) lead: u16,
}

/// Names and numbers from rpm's `rpmrc.in` (`arch_canon`), ISA names from its `installplatform`.
const ARCHITECTURES: &[Architecture] = &[
    row("noarch", None, 255),
    row("x86_64", Some("x86-64"), 1),
    row("x86_64_v2", Some("x86-64"), 1),
    row("x86_64_v3", Some("x86-64"), 1),
    row("x86_64_v4", Some("x86-64"), 1),
    row("i386", Some("x86-32"), 1),
    row("i486", Some("x86-32"), 1),
    row("i586", Some("x86-32"), 1),
    row("i686", Some("x86-32"), 1),
    row("aarch64", Some("aarch-64"), 19),
    row("armv6hl", Some("armv6hl-32"), 12),
    row("armv6l", Some("armv6l-32"), 12),
    row("armv7hl", Some("armv7hl-32"), 12),
    row("armv7l", Some("armv7l-32"), 12),
    row("ppc64", Some("ppc-64"), 16),
    row("ppc64le", Some("ppc-64"), 16),
    row("s390x", Some("s390-64"), 15),
    row("riscv64", Some("riscv-64"), 22),
    row("loongarch64", Some("loongarch-64"), 23),
    row("mipsel", Some("mips-32"), 4),
    row("mips64el", Some("mips-64"), 11),
];

const fn row(name: &'static str, isa: Option<&'static str>, lead: u16) -> Architecture {
    Architecture { name, isa, lead }
}

/// Returns the architecture of a name.
pub(super) fn find(name: &str) -> Option<&'static Architecture> {
    ARCHITECTURES.iter().find(|architecture| architecture.name == name)
}

/// Returns all names, for messages.
pub(super) fn names() -> String {
    let names: Vec<_> = ARCHITECTURES.iter().map(|architecture| architecture.name).collect();
    names.join(", ")
}
