use bake_formats::deb::{ControlFile, Package, RelationField};
use bake_formats::format::Epoch;
use bake_formats::tree::Content;
use bake_recipes::ResolveCx;
use bake_recipes::resolved::Output;

use crate::assemble::{self, Listings};
use crate::lower::{Given, Product, lower};

const HEAD: &str = r#"name = "pantry"
version = "1.2.0"
summary = "keeps things"
license = "Apache-2.0"
maintainer = "A <a@bake.example>"
"#;
const SERVICE: &str = r#"[service]
command = ["/usr/bin/pantry"]
user = "pantry"
state = ["/var/lib/pantry", "/var/lib/pantry/jars"]
"#;

/// Returns what a recipe's deb is, or the message of the error with its hint.
fn lowered(text: &str) -> Result<Package, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bake.toml");
    fs_err::write(&path, format!("{HEAD}{text}")).unwrap();
    fs_err::write(folder.path().join("MIT"), "Title\n\nText.\n").unwrap();
    let written = bake_recipes::load(&path).map_err(|error| error.to_string())?;
    let cx =
        ResolveCx { platform: "linux/amd64".parse().unwrap(), env: &|_| None, base: folder.path() };
    let recipe = bake_recipes::resolve(&written, cx).map_err(|error| error.to_string())?;
    let scan = assemble::scan(folder.path(), &recipe.files, &Listings::default(), 1).unwrap();
    let contents = vec![Content::of(b""); scan.files.len()];
    let trees = assemble::compose(&recipe, &scan, &contents).unwrap();
    let tree = &trees.trees[&Output::Deb];
    let texts = crate::lower::Texts::of(folder.path());
    let given = Given { texts: &texts, epoch: Epoch(0), locked: &[], base: None, ground: None };
    let products = lower(&recipe, Output::Deb, tree, tree.id(), &given);
    match products.map_err(|error| match error {
        crate::error::Error::Recipe(error) => {
            format!("{}; {}", error.message, error.hint.unwrap_or_default())
        }
        other => other.to_string(),
    })? {
        products if products.len() == 1 => match products.into_iter().next() {
            Some(Product::Deb(package)) => Ok(*package),
            other => panic!("{other:?}"),
        },
        products => panic!("{products:?}"),
    }
}

fn file(path: &str, more: &str) -> String {
    format!("[[files]]\ncontent = \"x\\n\"\nto = \"{path}\"\n{more}\n")
}

fn script(package: &Package, file: ControlFile) -> &str {
    package.control_files.get(&file).map_or("", String::as_str)
}

#[test]
fn a_package_without_a_service_has_no_scripts() {
    let package = lowered(&format!("{}[deb]", file("/usr/bin/pantry", ""))).unwrap();
    assert_eq!(package.control_files, [].into());
    assert_eq!(package.relations, [].into());
    let documents: Vec<_> = package.documents.keys().map(String::as_str).collect();
    assert_eq!(documents, ["/usr/share/lintian/overrides/pantry"]);
    let text = &package.documents["/usr/share/lintian/overrides/pantry"];
    assert!(text.starts_with("# Debian's list"), "{text}");
    assert!(text.ends_with("pantry: unknown-field Bake-Tree\n"), "{text}");
}

#[test]
fn a_service_is_installed_started_upgraded_and_removed() {
    let package = lowered(&format!("{}{SERVICE}[deb]", file("/usr/bin/pantry", ""))).unwrap();
    assert_eq!(script(&package, ControlFile::Preinst), "");
    assert_eq!(script(&package, ControlFile::Postinst), include_str!("tests/postinst"));
    assert_eq!(script(&package, ControlFile::Prerm), include_str!("tests/prerm"));
    assert_eq!(script(&package, ControlFile::Postrm), include_str!("tests/postrm"));
    let expected = "systemd | systemd-standalone-sysusers | systemd-sysusers";
    assert_eq!(package.relations[&RelationField::Depends].to_string(), expected);
}

#[test]
fn accounts_that_own_files_are_made_before_unpacking() {
    let files = file("/etc/pantry.conf", "group = \"pantry\"");
    let package = lowered(&format!("{files}{SERVICE}[deb]")).unwrap();
    let preinst = script(&package, ControlFile::Preinst);
    assert!(preinst.contains("--replace=/usr/lib/sysusers.d/pantry.conf -"), "{preinst}");
    assert!(preinst.contains("\nu pantry "), "{preinst}");
    assert!(package.relations.contains_key(&RelationField::PreDepends));
    assert!(!package.relations.contains_key(&RelationField::Depends));
    let overrides = &package.documents["/usr/share/lintian/overrides/pantry"];
    assert!(overrides.contains("pantry: wrong-file-owner-uid-or-gid 0/"), "{overrides}");
}

#[test]
fn a_dependency_that_the_recipe_has_is_not_added() {
    let text = format!("{SERVICE}[deb]\ndepends = [\"systemd (>= 250) | sysv\"]");
    let package = lowered(&text).unwrap();
    assert_eq!(package.relations[&RelationField::Depends].to_string(), "systemd (>= 250) | sysv");
}

#[test]
fn capabilities_are_set_by_postinst() {
    let files = file("/usr/bin/a b", "capabilities = \"cap_net_raw=ep\"");
    let package = lowered(&format!("{files}[deb]")).unwrap();
    let postinst = script(&package, ControlFile::Postinst);
    assert!(postinst.contains("\tsetcap cap_net_raw=ep \"${DPKG_ROOT:-}\"'/usr/bin/a b' ||\n"));
    assert_eq!(package.relations[&RelationField::Depends].to_string(), "libcap2-bin");
}

#[test]
fn hooks_run_at_their_moments_and_cannot_end_the_script() {
    let hooks = "[scripts]\nafter-install = \"exit 0\"\npurge = \"rm -rf /var/lib/x\"\n";
    let package = lowered(&format!("{hooks}{SERVICE}[deb]")).unwrap();
    let postinst = script(&package, ControlFile::Postinst);
    let hook = "if [ \"$1\" = configure ] && [ -z \"${2:-}\" ]; then\n(\nset -e\nexit 0\n)\n";
    let at = postinst.find(hook).unwrap();
    assert!(at > postinst.find("systemd-sysusers").unwrap());
    assert!(at < postinst.find("deb-systemd-helper").unwrap());
    let postrm = script(&package, ControlFile::Postrm);
    assert!(postrm.contains("if [ \"$1\" = purge ]; then\n(\nset -e\nrm -rf /var/lib/x\n)\n"));
}

#[test]
fn scripts_that_would_swallow_generated_parts_are_errors() {
    let script = "[deb.scripts]\npostinst = \"#!/bin/sh\\necho\\nexit 0\\n\"\n";
    let error = lowered(&format!("{SERVICE}[deb]\n{script}")).unwrap_err();
    assert!(error.contains("postinst ends with `exit`") && error.contains("#DEBHELPER#"));
    assert!(lowered(&format!("[deb]\n{script}")).is_ok());
    let error = lowered(&format!("{SERVICE}[deb]\n{}", script.replace("/bin/sh", "/usr/bin/perl")));
    assert!(error.unwrap_err().contains("postinst is for `#!/usr/bin/perl`"));
}

#[test]
fn alternatives_and_units_must_be_among_the_files() {
    let choice = "[[alternatives]]\nname = \"larder\"\nlink = \"/usr/bin/larder\"\n\
        path = \"/usr/bin/pantry\"\npriority = 5\n";
    let error = lowered(&format!("{choice}[deb]")).unwrap_err();
    assert!(error.contains("/usr/bin/pantry"), "{error}");
    let files = file("/usr/bin/pantry", "");
    let package = lowered(&format!("{files}{choice}[deb]")).unwrap();
    let install = "update-alternatives --install /usr/bin/larder larder /usr/bin/pantry 5";
    assert!(script(&package, ControlFile::Postinst).contains(install));
    let remove = "update-alternatives --remove larder /usr/bin/pantry";
    assert!(script(&package, ControlFile::Prerm).contains(remove));
    let both = file("/usr/bin/larder", "");
    assert!(lowered(&format!("{files}{both}{choice}[deb]")).is_err());
    assert!(lowered("[[units]]\nname = \"pantry.timer\"\n[deb]").is_err());
}

#[test]
fn changelogs_have_debian_versions() {
    let versions = [("1.2.0", 4), ("1.2.0-rc.1", 3), ("1.1.0-3", 2), ("1.0.0", 1)];
    let entries = versions.map(|(version, day)| {
        format!(
            "[[changelog]]\nversion = \"{version}\"\ndate = 2026-01-0{day}T00:00:00Z\n\
             changes = [\"One.\", \"Two.\"]\n"
        )
    });
    let package = lowered(&format!("release = \"4\"\n{}[deb]", entries.concat())).unwrap();
    let text = &package.documents["/usr/share/doc/pantry/changelog.Debian.gz"];
    let headings: Vec<_> = text.lines().filter(|line| line.starts_with("pantry")).collect();
    let heading = |version: &str| format!("pantry ({version}) unstable; urgency=medium");
    let expected = ["1.2.0-4", "1.2.0~rc1-1", "1.1.0-3", "1.0.0-1"].map(heading);
    assert_eq!(headings, expected);
    let entry =
        "\n\n  * One.\n  * Two.\n\n -- A <a@bake.example>  Thu, 01 Jan 2026 00:00:00 +0000\n";
    assert!(text.contains(entry), "{text}");
}

#[test]
fn copyright_is_machine_readable() {
    let rights = "[copyright]\nholders = [\"2026 A\"]\nsource = \"https://bake.example\"\n";
    let package = lowered(&format!("{rights}[deb]")).unwrap();
    let expected = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
        Upstream-Name: pantry\nSource: https://bake.example\n\n\
        Files: *\nCopyright: 2026 A\nLicense: Apache-2.0\n\n\
        License: Apache-2.0\n On Debian systems, the full text of the Apache License, Version 2.0, is in the\n \
        file `/usr/share/common-licenses/Apache-2.0'.\n";
    assert_eq!(package.documents["/usr/share/doc/pantry/copyright"], expected);
    let other =
        "[[copyright.files]]\nfiles = [\"x/*\"]\nholders = [\"B\", \"C\"]\nlicense = \"MIT\"\n";
    let error = lowered(&format!("{rights}{other}[deb]")).unwrap_err();
    assert!(error.contains("the text of `MIT`"), "{error}");
    let package = lowered(&format!("{rights}texts = {{ MIT = \"MIT\" }}\n{other}[deb]")).unwrap();
    let text = &package.documents["/usr/share/doc/pantry/copyright"];
    assert!(text.contains("\nFiles: x/*\nCopyright: B\n C\nLicense: Expat\n"), "{text}");
    assert!(text.ends_with("\nLicense: Expat\n Title\n .\n Text.\n"), "{text}");
}

#[test]
fn a_document_and_a_file_cannot_have_one_path() {
    let rights = "[copyright]\nholders = [\"2026 A\"]\n";
    let files = file("/usr/share/doc/pantry/copyright", "");
    let error = lowered(&format!("{files}{rights}[deb]")).unwrap_err();
    assert!(error.contains("/usr/share/doc/pantry/copyright"), "{error}");
    // The overrides that every package has give way to those of the tree.
    let files = file("/usr/share/lintian/overrides/pantry", "");
    assert_eq!(lowered(&format!("{files}[deb]")).unwrap().documents, [].into());
}

#[test]
fn libraries_set_ldconfig_off() {
    for (path, expected) in [
        ("/usr/lib/libpantry.so.1", "activate-noawait ldconfig\n"),
        ("/usr/lib/x86_64-linux-gnu/libpantry.so.1.2", "activate-noawait ldconfig\n"),
        ("/usr/lib/pantry/libpantry.so.1", ""),
        ("/usr/lib/x86_64-linux-gnu/pantry/libpantry.so.1", ""),
    ] {
        let package = lowered(&format!("{}[deb]", file(path, ""))).unwrap();
        assert_eq!(script(&package, ControlFile::Triggers), expected, "{path}");
    }
}

#[test]
fn control_files_come_from_the_recipe() {
    let text =
        "templates = \"Template: pantry/jam\\nType: boolean\"\nsymbols = { file = \"MIT\" }\n";
    let scripts = "[deb.scripts]\nconfig = \"#!/bin/sh\\n. /usr/share/debconf/confmodule\\n\"\n";
    let package = lowered(&format!("[deb]\n{text}{scripts}")).unwrap();
    let templates = script(&package, ControlFile::Templates);
    assert_eq!(templates, "Template: pantry/jam\nType: boolean\n");
    assert_eq!(script(&package, ControlFile::Symbols), "Title\n\nText.\n");
    let config = script(&package, ControlFile::Config);
    assert_eq!(config, "#!/bin/sh\n. /usr/share/debconf/confmodule\n");
    assert!(script(&package, ControlFile::Postrm).contains("\tdb_purge\n"));
    let depends = package.relations[&RelationField::Depends].to_string();
    assert_eq!(depends, "debconf (>= 0.5) | debconf-2.0");
}
