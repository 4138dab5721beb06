//! One recipe with a fault for each rule: the rule, and the line it is found on.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use bake_formats::digest::Digest;
use bake_formats::tree::Content;
use bake_recipes::{ResolveCx, resolve};

use super::*;
use crate::assemble::{Listings, compose, scan};

const HEAD: &str = "name = \"tool\"\nversion = \"1.0\"\nsummary = \"Does things\"\n\
    maintainer = \"Me <me@example.com>\"\nlicense = \"MIT\"\n";

/// Files that faulty rules place.
fn files(folder: &Path) {
    let write = |name: &str, bytes: &[u8], mode: u32| {
        let path = folder.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, bytes).unwrap();
        fs_err::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    };
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\xb7\0".to_vec();
    elf.resize(64, 0);
    write("arm", &elf, 0o755);
    elf[18] = 62;
    write("amd", &elf, 0o755);
    write("sh", b"#!/bin/sh\ntrue\n", 0o755);
    write("plain", b"text\n", 0o644);
    write("env", b"#!/usr/bin/env python3\n", 0o755);
    write("python", b"#!/usr/bin/python\n", 0o755);
    write("crlf", b"#!/bin/sh\r\ntrue\r\n", 0o755);
    write("noshebang", b"true\n", 0o755);
    write("quietscript", b"#!/bin/sh\n", 0o644);
    write("empty", b"", 0o644);
    write("path", folder.to_string_lossy().as_bytes(), 0o644);
    write("tree/.git/config", b"x", 0o644);
    write("tree/.gitignore", b"x", 0o644);
    write("tree/a.orig", b"x", 0o644);
    write("tree/.DS_Store", b"x", 0o644);
    write("tree/__pycache__/a.pyc", b"x", 0o644);
    write("tree/a*b", b"x", 0o644);
    write("big/one", &[7; 5000], 0o644);
    write("big/two", &[7; 5000], 0o644);
    write("unit", b"[Unit]\n[Install]\nWantedBy=x\n", 0o644);
    fs_err::create_dir_all(folder.join("hollow/inner")).unwrap();
    symlink("nothing", folder.join("tree/dangling")).unwrap();
}

/// Returns the rules and lines of what is found in a recipe.
fn found(folder: &Path, rest: &str) -> Result<Vec<(&'static str, usize)>, String> {
    let line = |finding: &Finding| finding.place.as_ref().map_or(0, |place| place.line);
    let findings = findings(folder, rest, 2)?;
    Ok(findings.iter().map(|finding| (finding.rule, line(finding))).collect())
}

/// Returns what is found in a recipe on so many threads.
fn findings(folder: &Path, rest: &str, threads: usize) -> Result<Vec<Finding>, String> {
    let text = if rest.starts_with("name") { rest.to_owned() } else { format!("{HEAD}{rest}") };
    let written = bake_recipes::load::parse("bake.toml", &text).unwrap();
    let platform = "linux/amd64".parse().unwrap();
    let cx = ResolveCx { platform, env: &|_| None, base: folder };
    let recipe = match resolve(&written, cx) {
        Ok(recipe) => recipe,
        Err(errors) => return Err(format!("{errors} in\n{text}")),
    };
    let scan = scan(folder, &recipe.files, &Listings::default(), threads).unwrap();
    let contents: Vec<Content> = scan
        .files
        .iter()
        .map(|file| Content { digest: Digest::of(b""), size: file.stamp.size, md5: [0; 16] })
        .collect();
    let trees = compose(&recipe, &scan, &contents).unwrap();
    let stored = Subject::stored(&recipe, &scan);
    let subject = Subject::new(&written, &recipe, folder, &trees.trees, &trees.places, &stored);
    Ok(lint(&subject, Severity::Info, threads))
}

#[test]
fn findings_are_in_the_order_of_the_files_whatever_the_threads_do() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::create_dir(folder.path().join("many")).unwrap();
    for number in 0..2 * AT_ONCE + 5 {
        fs_err::write(folder.path().join(format!("many/{number:05}.orig")), "x").unwrap();
    }
    let recipe = "[deb]\n[[files]]\nfrom = \"many/\"\nto = \"/usr/share/tool/\"\n";
    let one = findings(folder.path(), recipe, 1).unwrap();
    let backups: Vec<_> = one.iter().filter(|finding| finding.message.contains(".orig")).collect();
    assert!(backups.len() > 2 * AT_ONCE, "{}", backups.len());
    assert!(backups.is_sorted_by_key(|finding| (finding.rule, &finding.message)));
    assert_eq!(findings(folder.path(), recipe, 4).unwrap(), one);
}

/// A faulty recipe: its rule, the line, and what comes after the head.
const CASES: &[(&str, usize, &str)] = &[
    ("no-copyright", 6, "[deb]\n"),
    ("no-changelog", 1, "[deb]\n"),
    ("no-homepage", 1, "[rpm]\n"),
    ("no-group", 6, "[rpm]\n"),
    ("no-description", 3, "[deb]\n"),
    ("description-repeats-summary", 6, "description = \"Does things.\"\n"),
    (
        "description-contains-homepage",
        6,
        "description = \"More words than that.\\nHomepage: https://example.com\"\n",
    ),
    ("description-mentions-plans", 6, "description = \"Colours are not yet implemented here.\"\n"),
    ("unknown-section", 7, "[deb]\nsection = \"stuff\"\n"),
    ("priority-extra", 7, "[deb]\npriority = \"extra\"\n"),
    ("ancient-time", 6, "source-date = 1\n"),
    ("depends-on-essential", 6, "depends = [\"zlib1g\", \"coreutils\"]\n[deb]\n"),
    ("relation-with-self", 7, "[deb]\ndepends = [\"tool\"]\n"),
    ("redundant-relation", 8, "[deb]\ndepends = [\"a1\"]\nrecommends = [\"a1\"]\n"),
    ("conflicts-with-dependency", 8, "[deb]\ndepends = [\"a1\"]\nconflicts = [\"a1\"]\n"),
    ("breaks-without-version", 7, "[deb]\nbreaks = [\"a1\"]\n"),
    ("conflicts-with-version", 7, "[deb]\nconflicts = [\"a1 (<< 2)\"]\n"),
    ("pre-depends", 7, "[deb]\npre-depends = [\"a1\"]\n"),
    (
        "multi-arch-same-without-libraries",
        7,
        "[deb]\nmulti-arch = \"same\"\n[[files]]\nfrom = \"amd\"\nto = \"/usr/bin/tool\"\n",
    ),
    ("unversioned-obsoletes", 6, "replaces = [\"old\"]\n[rpm]\n"),
    ("obsolete-not-provided", 6, "replaces = [\"old < 2.0\"]\n[rpm]\n"),
    ("explicit-lib-dependency", 7, "[rpm]\nrequires = [\"libfoo\"]\n"),
    ("useless-provides", 6, "provides = [\"tool\"]\n[rpm]\n"),
    ("file-in-usr-local", 7, "[[files]]\nfrom = \"sh\"\nto = \"/usr/local/bin/tool\"\n"),
    ("file-in-opt", 7, "[[files]]\nfrom = \"sh\"\nto = \"/opt/tool/tool\"\n"),
    ("file-in-volatile-directory", 7, "[[files]]\nfrom = \"plain\"\nto = \"/var/run/tool\"\n"),
    ("file-in-foreign-directory", 7, "[[files]]\nfrom = \"plain\"\nto = \"/srv/tool\"\n"),
    ("unmerged-usr", 7, "[[files]]\nfrom = \"sh\"\nto = \"/bin/tool\"\n"),
    ("non-standard-directory", 7, "[[files]]\nfrom = \"sh\"\nto = \"/data/tool\"\n"),
    ("directory-in-bin", 7, "[[files]]\ndirectory = true\nto = \"/usr/bin/tools\"\n"),
    ("backup-file", 7, "[[files]]\nfrom = \"tree\"\nto = \"/usr/share/tool\"\n"),
    ("version-control-file", 7, "[[files]]\nfrom = \"tree\"\nto = \"/usr/share/tool\"\n"),
    ("desktop-litter", 7, "[[files]]\nfrom = \"tree\"\nto = \"/usr/share/tool\"\n"),
    ("python-bytecode", 7, "[[files]]\nfrom = \"tree\"\nto = \"/usr/share/tool\"\n"),
    ("hidden-file", 7, "[[files]]\nfrom = \"tree\"\nto = \"/usr/share/tool\"\n"),
    ("name-with-wildcard", 7, "[[files]]\nfrom = \"tree\"\nto = \"/usr/share/tool\"\n"),
    ("dangling-symlink", 7, "[[files]]\nfrom = \"tree\"\nto = \"/usr/share/tool\"\n"),
    ("libtool-archive", 7, "[[files]]\nfrom = \"plain\"\nto = \"/usr/lib/libx.la\"\n"),
    ("development-file", 7, "[[files]]\nfrom = \"plain\"\nto = \"/usr/include/x.h\"\n"),
    (
        "extra-license-file",
        7,
        "[[files]]\nfrom = \"plain\"\nto = \"/usr/share/doc/tool/LICENSE\"\n",
    ),
    ("empty-directory", 7, "[[files]]\nfrom = \"hollow\"\nto = \"/usr/share/tool\"\n"),
    ("etc-not-config", 7, "[[files]]\nfrom = \"plain\"\nto = \"/etc/tool.conf\"\n"),
    (
        "config-outside-etc",
        7,
        "[[files]]\nfrom = \"plain\"\nto = \"/usr/share/tool/x\"\ntype = \"config\"\n",
    ),
    (
        "config-not-noreplace",
        7,
        "[[files]]\nfrom = \"plain\"\nto = \"/etc/x\"\ntype = \"config\"\n[rpm]\n",
    ),
    (
        "elevated-privileges",
        7,
        "[[files]]\nfrom = \"amd\"\nto = \"/usr/bin/tool\"\nmode = \"4755\"\n",
    ),
    (
        "world-writable",
        7,
        "[[files]]\nfrom = \"plain\"\nto = \"/usr/share/tool/x\"\nmode = \"0666\"\n",
    ),
    (
        "executable-manual-page",
        7,
        "[[files]]\nfrom = \"sh\"\nto = \"/usr/share/man/man1/tool.1.gz\"\n",
    ),
    ("executable-documentation", 7, "[[files]]\nfrom = \"sh\"\nto = \"/usr/share/doc/tool/x\"\n"),
    ("executable-config", 7, "[[files]]\nfrom = \"sh\"\nto = \"/etc/tool\"\ntype = \"config\"\n"),
    ("non-executable-in-bin", 7, "[[files]]\nfrom = \"plain\"\nto = \"/usr/bin/tool\"\n"),
    ("executable-library", 7, "[[files]]\nfrom = \"amd\"\nto = \"/usr/lib/libtool.so.1\"\n"),
    (
        "unreadable-file",
        7,
        "[[files]]\nfrom = \"plain\"\nto = \"/usr/share/tool/x\"\nmode = \"0600\"\n",
    ),
    (
        "unknown-owner",
        7,
        "[[files]]\nfrom = \"plain\"\nto = \"/usr/share/tool/x\"\nowner = { name = \"tool\", id = 900 }\n",
    ),
    ("symlink-to-elsewhere", 7, "[[files]]\nsymlink = \"java\"\nto = \"/usr/bin/tool\"\n"),
    (
        "symlink-should-be-relative",
        7,
        "[[files]]\nsymlink = \"/usr/lib/x\"\nto = \"/usr/bin/tool\"\n",
    ),
    (
        "symlink-should-be-absolute",
        7,
        "[[files]]\nsymlink = \"../../etc/tool\"\nto = \"/usr/bin/tool\"\n",
    ),
    (
        "symlink-leaves-root",
        7,
        "[[files]]\nsymlink = \"../../../../etc/tool\"\nto = \"/usr/bin/tool\"\n",
    ),
    (
        "symlink-with-spurious-segments",
        7,
        "[[files]]\nsymlink = \"./x//y\"\nto = \"/usr/bin/tool\"\n",
    ),
    ("symlink-to-itself", 7, "[[files]]\nsymlink = \"tool\"\nto = \"/usr/bin/tool\"\n"),
    (
        "compressed-symlink-with-wrong-ending",
        7,
        "[[files]]\nsymlink = \"x.1.gz\"\nto = \"/usr/share/man/man1/tool.1\"\n",
    ),
    ("foreign-architecture", 7, "[[files]]\nfrom = \"arm\"\nto = \"/usr/bin/tool\"\n"),
    (
        "binary-in-all",
        8,
        "architecture = \"all\"\n[[files]]\nfrom = \"amd\"\nto = \"/usr/bin/tool\"\n",
    ),
    ("no-binary", 1, "[[files]]\nfrom = \"sh\"\nto = \"/usr/bin/tool\"\n"),
    ("binary-in-usr-share", 7, "[[files]]\nfrom = \"amd\"\nto = \"/usr/share/tool/x\"\n"),
    ("binary-in-etc", 7, "[[files]]\nfrom = \"amd\"\nto = \"/etc/tool\"\n"),
    ("build-path", 7, "[[files]]\nfrom = \"path\"\nto = \"/usr/share/tool/x\"\n"),
    ("duplicate-files", 7, "[[files]]\nfrom = \"big\"\nto = \"/usr/share/tool\"\n"),
    ("empty-file", 7, "[[files]]\nfrom = \"empty\"\nto = \"/usr/share/tool/x\"\n"),
    ("script-not-executable", 7, "[[files]]\nfrom = \"quietscript\"\nto = \"/usr/lib/tool/x\"\n"),
    ("executable-without-interpreter", 7, "[[files]]\nfrom = \"noshebang\"\nto = \"/usr/bin/x\"\n"),
    ("script-line-endings", 7, "[[files]]\nfrom = \"crlf\"\nto = \"/usr/bin/x\"\n"),
    ("interpreter-path", 7, "[[files]]\nfrom = \"env\"\nto = \"/usr/bin/x\"\n"),
    ("unversioned-python", 7, "[[files]]\nfrom = \"python\"\nto = \"/usr/bin/x\"\n"),
    (
        "missing-interpreter",
        8,
        "auto-depends = \"off\"\n[[files]]\nfrom = \"env\"\nto = \"/usr/bin/x\"\n",
    ),
    ("no-manual-page", 7, "[[files]]\nfrom = \"sh\"\nto = \"/usr/bin/x\"\n"),
    (
        "uncompressed-manual-page",
        7,
        "[[files]]\nfrom = \"plain\"\nto = \"/usr/share/man/man1/x.1\"\n",
    ),
    ("service-command-missing", 7, "[service]\ncommand = [\"/usr/bin/tool\"]\n"),
    ("service-runs-as-root", 7, "[service]\ncommand = [\"/usr/bin/tool\"]\nports = [80]\n"),
    ("service-runs-as-nobody", 8, "[service]\ncommand = [\"/usr/bin/tool\"]\nuser = \"nobody\"\n"),
    (
        "service-command-not-executable",
        9,
        "[service]\ncommand = [\"/usr/bin/tool\"]\n[[files]]\nfrom = \"plain\"\nto = \"/usr/bin/tool\"\n",
    ),
    (
        "unit-in-odd-place",
        7,
        "[[files]]\nfrom = \"unit\"\nto = \"/etc/systemd/system/x.service\"\n",
    ),
    (
        "unit-not-managed",
        7,
        "[[files]]\nfrom = \"unit\"\nto = \"/usr/lib/systemd/system/x.service\"\n",
    ),
    ("config-open-secret", 6, "[config.DB_PASSWORD]\ntype = \"string\"\n"),
    (
        "config-baked-variable",
        9,
        "[config.LEVEL]\ntype = \"string\"\n[oci]\nenv = [\"LEVEL=debug\"]\n",
    ),
    ("dangerous-command", 7, "[deb.scripts]\npostrm = \"#!/bin/sh\\nset -e\\nrm -rf /srv\\n\"\n"),
    (
        "script-calls-service-manager",
        7,
        "[deb.scripts]\npostinst = \"#!/bin/sh\\nset -e\\nsystemctl restart tool\\n\"\n",
    ),
    ("script-ignores-errors", 7, "[deb.scripts]\npostinst = \"#!/bin/sh\\ntrue\\n\"\n"),
    ("script-empty", 7, "[deb.scripts]\npostinst = \"#!/bin/sh\\nset -e\\nexit 0\\n\"\n"),
    ("script-uses-tmp", 7, "[deb.scripts]\npostinst = \"#!/bin/sh\\nset -e\\nid > /tmp/x\\n\"\n"),
    ("script-interpreter", 7, "[deb.scripts]\npostinst = \"#!/usr/bin/ruby\\nexit\\n\"\n"),
    (
        "script-bashism",
        7,
        "[deb.scripts]\npostinst = \"#!/bin/sh\\nset -e\\nif [[ -e /x ]]; then id; fi\\n\"\n",
    ),
    ("base-latest", 7, "[oci]\nbase = \"debian\"\n"),
    (
        "file-behind-link-of-base",
        9,
        "[oci]\nbase = \"debian:12\"\n[[files]]\nfrom = \"sh\"\nto = \"/bin/tool\"\n",
    ),
    ("image-runs-as-root", 6, "[oci]\ncmd = [\"/usr/bin/tool\"]\n"),
    ("image-runs-as-root", 8, "[oci]\ncmd = [\"/x\"]\nuser = \"0:0\"\nbase = \"debian:12\"\n"),
    ("secret-in-image", 7, "[oci]\nenv = [\"A=1\", \"DB_PASSWORD=x\"]\n"),
    ("secret-in-image", 7, "[oci]\nenv = { append = [\"X=ghp_0123456789\"] }\n"),
    (
        "secret-in-image",
        8,
        "[service]\ncommand = [\"/x\"]\nenvironment = { API_KEY = \"x\" }\n[oci]\n",
    ),
    ("layer-without-files", 9, "[oci]\n[[oci.layers]]\nname = \"a\"\npaths = [\"/gone\"]\n"),
    ("no-license", 1, "name = \"tool\"\nversion = \"1\"\nsummary = \"X\"\n[oci]\n"),
    ("no-maintainer", 4, "name = \"tool\"\nversion = \"1\"\nsummary = \"X\"\n[rpm]\n"),
    (
        "unknown-license",
        4,
        "name = \"tool\"\nversion = \"1\"\nsummary = \"X\"\nlicense = \"Foo-1.0\"\n[rpm]\n",
    ),
    (
        "maintainer-address",
        4,
        "name = \"tool\"\nversion = \"1\"\nsummary = \"X\"\nmaintainer = \"A <a@localhost>\"\n",
    ),
    (
        "summary-starts-with-name",
        3,
        "name = \"tool\"\nversion = \"1\"\nsummary = \"Tool: does things\"\n[rpm]\n",
    ),
    (
        "summary-starts-with-article",
        3,
        "name = \"tool\"\nversion = \"1\"\nsummary = \"A thing\"\n[rpm]\n",
    ),
    (
        "summary-ends-with-full-stop",
        3,
        "name = \"tool\"\nversion = \"1\"\nsummary = \"Does it.\"\n[rpm]\n",
    ),
    (
        "summary-not-capitalized",
        3,
        "name = \"tool\"\nversion = \"1\"\nsummary = \"does it\"\n[rpm]\n",
    ),
];

/// Rules whose recipes are longer than a line.
fn long_cases() -> Vec<(&'static str, usize, String)> {
    let long = "x".repeat(90);
    let head = "name = \"tool\"\nversion = \"1\"\n";
    vec![
        ("summary-too-long", 3, format!("{head}summary = \"{long}\"\n[rpm]\n")),
        ("description-line-too-long", 6, format!("description = \"{long}\"\n")),
    ]
}

/// Rules that a recipe which can be resolved never breaks alone, or that need what tests cannot
/// write: real programs are in the consumers' tests.
const ELSEWHERE: [&str; 5] = [
    "unstripped-binary",
    "custom-library-path",
    "name-not-utf8",
    "removed-config-is-shipped",
    "unit-not-shipped",
];

#[test]
fn every_rule_finds_its_fault_on_the_right_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = fs_err::canonicalize(folder.path()).unwrap();
    files(&folder);
    let mut wrong = Vec::new();
    let cases = CASES.iter().map(|(rule, line, text)| (*rule, *line, (*text).to_owned()));
    let cases: Vec<_> = cases.chain(long_cases()).collect();
    for (rule, line, text) in &cases {
        let found = found(&folder, text);
        if !found.as_ref().is_ok_and(|found| found.contains(&(rule, *line))) {
            wrong.push(format!("{rule} on line {line}, found {found:?} in\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for rule in rules() {
        let tested = cases.iter().any(|(id, ..)| *id == rule.id) || ELSEWHERE.contains(&rule.id);
        assert!(tested, "no recipe breaks `{}`", rule.id);
    }
}

#[test]
fn a_good_recipe_has_no_finding() {
    let folder = tempfile::tempdir().unwrap();
    let folder = fs_err::canonicalize(folder.path()).unwrap();
    files(&folder);
    let head = HEAD.replace("MIT", "Apache-2.0");
    let text = format!(
        "{head}homepage = \"https://example.com/tool\"\n\
         description = \"Does many things, one after the other.\"\n\
         [[changelog]]\nversion = \"1.0-1\"\ndate = 2024-01-01\nchanges = [\"First release\"]\n\
         [copyright]\nholders = [\"2024 Me\"]\n\
         [[files]]\nfrom = \"amd\"\nto = \"/usr/bin/tool\"\n\
         [[files]]\ncontent = \"page\"\nto = \"/usr/share/man/man1/tool.1.gz\"\n\
         [[files]]\ncontent = \"a = 1\\n\"\nto = \"/etc/tool.conf\"\ntype = \"config-noreplace\"\n\
         [[files]]\nsymlink = \"tool\"\nto = \"/usr/bin/also\"\n\
         [deb]\nsection = \"utils\"\n[rpm]\ngroup = \"Applications/System\"\n"
    );
    assert_eq!(found(&folder, &text), Ok(Vec::new()));
}

#[test]
fn a_good_image_has_no_finding_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = fs_err::canonicalize(folder.path()).unwrap();
    files(&folder);
    let tables = [
        "[oci]\nbase = \"debian:12\"\ncmd = [\"/usr/bin/tool\"]\n",
        "[oci]\nbase = \"debian@sha256:0000000000000000000000000000000000000000000000000000000000000000\"\n",
        "[oci]\nbase = \"oci:images/debian\"\n",
        "[oci]\ncmd = [\"/usr/bin/tool\"]\nuser = \"65532\"\n",
        "[oci]\nenv = [\"DB_PASSWORD_FILE=/run/x\", \"TOKEN=\", \"TOKENIZERS=4\", \"SECRET_NAME=x\"]\n",
        "[oci]\nlayers = [{ name = \"a\", paths = [\"/usr/bin\"] }]\n",
        // On scratch nothing is behind a link.
        "[oci]\n[[files]]\nfrom = \"sh\"\nto = \"/bin/sh\"\n",
        // The deb has it, the image has not.
        "[deb]\n[oci]\nbase = \"debian:12\"\n[[files]]\nfrom = \"sh\"\nto = \"/bin/sh\"\nformats = [\"deb\"]\n",
    ];
    for table in tables {
        let text = format!("{table}[[files]]\nfrom = \"sh\"\nto = \"/usr/bin/tool\"\n");
        let mut found = found(&folder, &text).unwrap();
        found.retain(|(id, _)| images::RULES.iter().any(|rule| rule.id == *id));
        assert_eq!(found, [], "{table}");
    }
}

#[test]
fn rules_have_names_of_their_own_and_stand_in_the_docs() {
    let page = include_str!("../../../docs/lint.md");
    let mut seen = std::collections::BTreeSet::new();
    for rule in rules() {
        assert!(seen.insert(rule.id), "`{}` is there twice", rule.id);
        let tags = |tags: &[&str]| {
            let quoted: Vec<String> = tags.iter().map(|tag| format!("`{tag}`")).collect();
            quoted.join(", ")
        };
        let (lintian, rpmlint) = (tags(rule.lintian), tags(rule.rpmlint));
        let (id, word, about) = (rule.id, rule.severity.word(), rule.about);
        let row = format!("| `{id}` | {word} | {about} | {lintian} | {rpmlint} |");
        assert!(page.lines().any(|line| line == row), "docs/lint.md needs the row\n{row}");
    }
    let rows =
        page.lines().filter(|line| line.starts_with("| `") && !line.starts_with("| `--")).count();
    assert_eq!(rows, seen.len(), "docs/lint.md has rows for rules that are gone");
}
