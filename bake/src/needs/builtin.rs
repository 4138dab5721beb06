//! What is known of the libraries that every compiled program uses, without a distribution's data.
//!
//! The C library names a symbol version after the release that brought it, so the version says the
//! least release. libgcc and libstdc++ do so by a table of their own, which GCC's manual publishes
//! ("ABI Policy and Guidelines"); Debian's versions of their packages are GCC's.

use bake_formats::deb::Version;

/// The package that has a library, and the least version that has some symbol versions.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Known {
    pub(super) package: &'static str,
    pub(super) least: Option<Version>,
}

/// The parts of the C library (glibc 2.36), besides the loader.
const GLIBC: [&str; 16] = [
    "libc.so.6",
    "libm.so.6",
    "libmvec.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libresolv.so.2",
    "libutil.so.1",
    "libanl.so.1",
    "libnsl.so.1",
    "libthread_db.so.1",
    "libBrokenLocale.so.1",
    "libc_malloc_debug.so.0",
    "libnss_compat.so.2",
    "libnss_dns.so.2",
    "libnss_files.so.2",
];

/// GCC's release by the last number of `GLIBCXX_3.4.N`; earlier ones are of GCC 4.1.
const GLIBCXX: [(u32, &str); 26] = [
    (9, "4.2.1"),
    (10, "4.3"),
    (11, "4.4"),
    (12, "4.4"),
    (13, "4.4.2"),
    (14, "4.5"),
    (15, "4.6"),
    (16, "4.6"),
    (17, "4.7"),
    (18, "4.8"),
    (19, "4.8"),
    (20, "4.9"),
    (21, "5"),
    (22, "6"),
    (23, "7"),
    (24, "7"),
    (25, "8"),
    (26, "9"),
    (27, "9"),
    (28, "9.3"),
    (29, "11"),
    (30, "12"),
    (31, "13"),
    (32, "13.2"),
    (33, "14"),
    (34, "15"),
];

/// GCC's release by the last number of `CXXABI_1.3.N`; earlier ones are of GCC 4.1.
const CXXABI: [(u32, &str); 14] = [
    (2, "4.3"),
    (3, "4.4"),
    (4, "4.5"),
    (5, "4.6"),
    (6, "4.7"),
    (7, "4.8"),
    (8, "4.9"),
    (9, "5"),
    (10, "6"),
    (11, "7"),
    (12, "9"),
    (13, "11"),
    (14, "13"),
    (15, "14"),
];

/// The first release that a table without an entry is about.
const FIRST_GCC: &str = "4.1.1";

/// Returns the package that has a library, and the least version of it that has all of the symbol
/// versions needed.
pub(super) fn package<'a>(soname: &str, versions: impl Iterator<Item = &'a str>) -> Option<Known> {
    let is_loader = ["ld-linux", "ld64.so.", "ld.so."].iter().any(|name| soname.starts_with(name));
    let (package, release): (_, fn(&str) -> Option<String>) = match soname {
        "libgcc_s.so.1" => ("libgcc-s1", gcc),
        "libstdc++.so.6" => ("libstdc++6", stdcxx),
        _ if is_loader || GLIBC.contains(&soname) => ("libc6", glibc),
        _ => return None,
    };
    let releases = versions.filter_map(release).filter_map(|text| text.parse::<Version>().ok());
    Some(Known { package, least: releases.max_by(Version::compare) })
}

/// `GLIBC_2.34` is of release 2.34.
fn glibc(version: &str) -> Option<String> {
    match version.strip_prefix("GLIBC_")? {
        "ABI_DT_RELR" => Some("2.36".into()),
        "ABI_GNU2_TLS" | "ABI_GNU_TLS" => Some("2.42".into()),
        number if is_release(number) => Some(number.into()),
        // `GLIBC_PRIVATE` is of every release, but of each in its own way.
        _ => None,
    }
}

/// `GCC_4.2.0` is of release 4.2, `GCC_3.3.1` of 3.3.1.
fn gcc(version: &str) -> Option<String> {
    let number = version.strip_prefix("GCC_").filter(|number| is_release(number))?;
    let number = number.strip_suffix(".0").unwrap_or(number);
    // Since GCC 5 a release is its first number.
    let major = number.split('.').next()?;
    let is_old = major.parse::<u32>().is_ok_and(|major| major < 5);
    Some(if is_old { number.into() } else { major.into() })
}

fn stdcxx(version: &str) -> Option<String> {
    let by_table = |number: &str, table: &[(u32, &str)]| {
        let number: u32 = number.parse().ok()?;
        let last = table.last().map_or(0, |(number, _)| *number);
        // Of a release that is not known yet: as late as the last that is.
        let found = table.iter().find(|(entry, _)| *entry == number.min(last));
        Some(found.map_or(FIRST_GCC, |(_, release)| release).to_owned())
    };
    match version {
        "GLIBCXX_3.4" | "CXXABI_1.3" => return Some(FIRST_GCC.into()),
        "CXXABI_TM_1" => return Some("4.7".into()),
        "CXXABI_FLOAT128" => return Some("5".into()),
        "CXXABI_ARM_1.3.3" => return Some("4.4".into()),
        _ => {}
    }
    if let Some(number) = version.strip_prefix("GLIBCXX_3.4.") {
        return by_table(number, &GLIBCXX);
    }
    by_table(version.strip_prefix("CXXABI_1.3.")?, &CXXABI)
}

fn is_release(number: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    number.split('.').all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(soname: &str, versions: &[&str]) -> Option<String> {
        let known = package(soname, versions.iter().copied())?;
        let least = known.least.map(|least| format!(" {least}")).unwrap_or_default();
        Some(format!("{}{least}", known.package))
    }

    #[test]
    fn the_newest_symbol_version_decides_in_dpkgs_order() {
        let versions = ["GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.9", "GLIBC_PRIVATE"];
        assert_eq!(known("libc.so.6", &versions), Some("libc6 2.34".into()));
        assert_eq!(known("ld-linux-aarch64.so.1", &["GLIBC_2.17"]), Some("libc6 2.17".into()));
        assert_eq!(known("libm.so.6", &[]), Some("libc6".into()));
        assert_eq!(known("ld.so.1", &["GLIBC_2.4"]), Some("libc6 2.4".into()));
        assert_eq!(known("libc.so.6", &["GLIBC_ABI_DT_RELR"]), Some("libc6 2.36".into()));
    }

    #[test]
    fn the_compilers_libraries_have_tables() {
        let versions = ["GCC_3.0", "GCC_3.3.1", "GCC_4.2.0"];
        assert_eq!(known("libgcc_s.so.1", &versions), Some("libgcc-s1 4.2".into()));
        assert_eq!(known("libgcc_s.so.1", &["GCC_12.0.0"]), Some("libgcc-s1 12".into()));
        let versions = ["GLIBCXX_3.4", "GLIBCXX_3.4.30", "CXXABI_1.3.9", "CXXABI_TM_1"];
        assert_eq!(known("libstdc++.so.6", &versions), Some("libstdc++6 12".into()));
        assert_eq!(known("libstdc++.so.6", &["GLIBCXX_3.4.5"]), Some("libstdc++6 4.1.1".into()));
        assert_eq!(known("libstdc++.so.6", &["GLIBCXX_3.4.99"]), Some("libstdc++6 15".into()));
        assert_eq!(known("libstdc++.so.6", &["CXXABI_1.3.13"]), Some("libstdc++6 11".into()));
    }

    #[test]
    fn nothing_is_guessed_of_other_libraries() {
        assert_eq!(known("libz.so.1", &["GLIBC_2.34"]), None);
        assert_eq!(known("libc.musl-x86_64.so.1", &[]), None);
    }
}
