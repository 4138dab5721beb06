use bake_formats::oci::config::Execution;
use bake_formats::tree::{Entry, Mode, Owner};

use super::super::rule::{RULES, Rule};
use super::super::*;
use crate::lint::Severity;
use crate::survey::handmade::{Member, dir, file, hard_link, layer, link, program};

/// A base with what most images take for granted, and more.
fn base<'a>(more: &[Member<'a>]) -> Vec<Member<'a>> {
    let mut members = vec![
        link("bin", "usr/bin"),
        link("lib64", "usr/lib64"),
        dir("usr/lib64"),
        program("usr/bin/sh", b"ELF"),
        program("usr/bin/env", b"ELF"),
        program("usr/lib64/ld-linux-x86-64.so.2", b"ELF soname=ld-linux-x86-64.so.2"),
        file("usr/lib64/libc.so.6", b"ELF soname=libc.so.6 defines=GLIBC_2.17 defines=GLIBC_2.34"),
        file("etc/passwd", b"root:x:0:0::/:/bin/sh\nwww:x:33:33::/:/bin/sh\n"),
        file("etc/group", b"root:x:0:\nwww:x:33:\n"),
        file("etc/os-release", b"ID=demo\nVERSION_ID=\"1\"\n"),
    ];
    for member in more {
        members.retain(|there| name(there) != name(member));
        members.push(member.clone());
    }
    members
}

/// The same without some paths.
fn without<'a>(paths: &[&str]) -> Vec<Member<'a>> {
    let mut members = base(&[]);
    members.retain(|member| !paths.contains(&name(member)));
    members
}

fn name<'a>(member: &Member<'a>) -> &'a str {
    match member {
        Member::File(path, ..) | Member::Entry(path, _) => path,
    }
}

fn findings(
    old: &[Member<'_>],
    new: &[Member<'_>],
    own: &[Member<'_>],
    run: &Execution,
) -> Vec<Finding> {
    let (old, new, own) = ([layer(old)], [layer(new)], [layer(own)]);
    check(&Stack { base: &old, own: &own, run }, &Stack { base: &new, own: &own, run }).unwrap()
}

/// One case: what is found, and that nothing is on an unchanged base.
struct Case<'a> {
    rule: &'static Rule,
    old: Vec<Member<'a>>,
    new: Vec<Member<'a>>,
    own: Vec<Member<'a>>,
    run: Execution,
    /// What the finding's line holds.
    says: &'static str,
}

fn case<'a>(
    rule: &'static Rule,
    [old, new]: [Vec<Member<'a>>; 2],
    own: &[Member<'a>],
    says: &'static str,
) -> Case<'a> {
    Case { rule, old, new, own: own.to_vec(), run: Execution::default(), says }
}

fn with_mode(path: &str, mode: u32, id: u32) -> Member<'_> {
    let mut entry = Entry::directory();
    entry.mode = Mode::new(mode).unwrap();
    entry.owner = Owner::new("x", id);
    Member::Entry(path, entry)
}

const ELF_GLIBC: &[u8] =
    b"ELF interpreter=/lib64/ld-linux-x86-64.so.2 needed=libc.so.6 requires=libc.so.6:GLIBC_2.34";

#[expect(clippy::too_many_lines, reason = "a table")]
fn program_cases<'a>() -> Vec<Case<'a>> {
    let app = || vec![program("opt/app", ELF_GLIBC)];
    let musl = || {
        let mut members = without(&[
            "lib64",
            "usr/lib64",
            "usr/lib64/ld-linux-x86-64.so.2",
            "usr/lib64/libc.so.6",
        ]);
        members.push(program("lib/ld-musl-x86_64.so.1", b"ELF soname=libc.musl-x86_64.so.1"));
        members
    };
    vec![
        case(
            &rule::LOADER_MISSING,
            [base(&[]), musl()],
            &app(),
            "error[loader-missing]: /opt/app: /lib64/ld-linux-x86-64.so.2: not found (old base: found as /usr/lib64/ld-linux-x86-64.so.2)",
        ),
        case(
            &rule::LOADER_MISSING,
            [base(&[]), base(&[program("usr/lib64/ld-linux-x86-64.so.2", b"ELF machine=183")])],
            &app(),
            "it is for 64-bit AArch64, the program for 64-bit x86-64",
        ),
        case(
            &rule::LIBRARY_MISSING,
            [
                base(&[file("usr/lib/libssl.so.1.1", b"ELF soname=libssl.so.1.1")]),
                base(&[file("usr/lib/libssl.so.3", b"ELF soname=libssl.so.3")]),
            ],
            &[program("opt/app", b"ELF needed=libssl.so.1.1")],
            "/opt/app: libssl.so.1.1: not found (old base: found as /usr/lib/libssl.so.1.1)",
        ),
        // One for another machine is passed over, as the loader does.
        case(
            &rule::LIBRARY_MISSING,
            [base(&[]), base(&[file("usr/lib64/libc.so.6", b"ELF machine=183 soname=libc.so.6")])],
            &app(),
            "libc.so.6: not found",
        ),
        case(
            &rule::SYMBOL_VERSION_MISSING,
            [
                base(&[]),
                base(&[file("usr/lib64/libc.so.6", b"ELF soname=libc.so.6 defines=GLIBC_2.17")]),
            ],
            &app(),
            "/usr/lib64/libc.so.6 does not define GLIBC_2.34",
        ),
        case(
            &rule::INTERPRETER_MISSING,
            [base(&[program("usr/bin/python3", b"ELF")]), base(&[])],
            &[program("opt/run", b"#!/usr/bin/env python3\n")],
            "/opt/run: python3: not found (old base: found as /usr/bin/python3)",
        ),
        case(
            &rule::INTERPRETER_MISSING,
            [base(&[program("usr/bin/perl", b"ELF")]), base(&[])],
            &[program("opt/run", b"#!/bin/perl -w\n")],
            "/opt/run: /bin/perl: not found",
        ),
        case(
            &rule::LINK_DANGLING,
            [
                base(&[program("usr/bin/python3.11", b"ELF")]),
                base(&[program("usr/bin/python3.12", b"ELF")]),
            ],
            &[link("opt/python", "/usr/bin/python3.11")],
            "/opt/python: leads to nothing",
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn seam_cases<'a>() -> Vec<Case<'a>> {
    let split = || {
        let mut members = without(&["bin"]);
        members.push(dir("bin"));
        members
    };
    let mut set_id = base(&[]);
    set_id.push(Member::File("usr/bin/su", 0o4755, b"new"));
    vec![
        case(
            &rule::DIRECTORY_OVER_LINK,
            [split(), base(&[])],
            &[dir("bin"), program("bin/app", b"x")],
            "/bin: a link to usr/bin (old base: a directory)",
        ),
        case(
            &rule::DIRECTORY_OVER_FILE,
            [base(&[]), base(&[file("srv", b"")])],
            &[dir("srv"), file("srv/a", b"")],
            "/srv: a file (old base: nothing there)",
        ),
        case(
            &rule::FILE_OVER_DIRECTORY,
            [base(&[]), base(&[dir("etc/app"), file("etc/app/x", b"")])],
            &[file("etc/app", b"")],
            "/etc/app: a directory",
        ),
        case(
            &rule::SHADOWS_FILE,
            [base(&[]), base(&[file("usr/bin/app", b"theirs")])],
            &[file("usr/bin/app", b"ours")],
            "/usr/bin/app: a file (old base: nothing there)",
        ),
        case(
            &rule::UPDATE_HIDDEN,
            [
                base(&[file("usr/lib/libz.so.1", b"ELF soname=old")]),
                base(&[file("usr/lib/libz.so.1", b"ELF soname=new")]),
            ],
            &[file("usr/lib/libz.so.1", b"ELF soname=ours")],
            "/usr/lib/libz.so.1: changed",
        ),
        case(
            &rule::PRIVILEGE_DIFFERS,
            [base(&[file("usr/bin/su", b"new")]), set_id],
            &[file("usr/bin/su", b"new")],
            "mode 4000 under our no privilege",
        ),
        case(
            &rule::WHITEOUT_HIDES,
            [base(&[]), base(&[file("etc/motd", b"")])],
            &[file("etc/.wh.motd", b"")],
            "/etc/motd: a file (old base: nothing there)",
        ),
        case(
            &rule::WHITEOUT_HIDES,
            [
                base(&[file("var/d/a", b"")]),
                base(&[file("var/d/a", b""), file("var/d/b/c", b""), file("var/d/e", b"")]),
            ],
            &[dir("var/d"), file("var/d/.wh..wh..opq", b"")],
            "2 files that the old base did not have, /var/d/b/c first",
        ),
        case(
            &rule::WHITEOUT_HIDES,
            [base(&[file("var/d/a", b"")]), base(&[file("var/d/b", b"")])],
            &[file("var/.wh.d", b"")],
            "1 files that the old base did not have",
        ),
        case(
            &rule::WHITEOUT_HIDES,
            [base(&[file("var/d", b"")]), base(&[dir("var/d")])],
            &[file("var/.wh.d", b"")],
            "/var/d: a directory (old base: a file)",
        ),
        case(
            &rule::WHITEOUT_IDLE,
            [base(&[file("etc/motd", b"")]), base(&[])],
            &[file("etc/.wh.motd", b"")],
            "/etc/motd: nothing there (old base: a file)",
        ),
        case(
            &rule::DIRECTORY_ATTRIBUTES,
            [base(&[with_mode("var/spool", 0o755, 0)]), base(&[with_mode("var/spool", 0o1777, 7)])],
            &[with_mode("var/spool", 0o755, 0)],
            "/var/spool: 1777 7:0 (old base: 0755 0:0)",
        ),
        case(
            &rule::DIRECTORY_GONE,
            [
                base(&[file("usr/lib/python3.11/os.py", b"")]),
                base(&[file("usr/lib/python3.12/os.py", b"")]),
            ],
            &[file("usr/lib/python3.11/site-packages/a.py", b"")],
            "/usr/lib/python3.11: nothing there (old base: a directory with 1 files)",
        ),
        case(
            &rule::LANDS_ELSEWHERE,
            [split(), base(&[])],
            &[program("bin/app", b"x")],
            "/bin: /usr/bin (old base: /bin)",
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn surroundings_cases<'a>() -> Vec<Case<'a>> {
    let run = |change: fn(&mut Execution)| {
        let mut run = Execution::default();
        change(&mut run);
        run
    };
    let own = [file("opt/x", b"")];
    let mut owned = Entry::directory();
    (owned.owner, owned.group) = (Owner::new("33", 33), Owner::new("33", 33));
    let mut cases = vec![
        case(
            &rule::OWNER_CHANGED,
            [base(&[]), base(&[file("etc/passwd", b"root:x:0:0::/:\nmail:x:33:33::/:\n")])],
            &[Member::Entry("srv", owned)],
            "/srv: user 33: mail (old base: www)",
        ),
        case(
            &rule::CA_BUNDLE_MISSING,
            [base(&[file("etc/ssl/certs/ca-certificates.crt", b"x")]), base(&[])],
            &own,
            "none of the known bundles (old base: /etc/ssl/certs/ca-certificates.crt)",
        ),
        case(
            &rule::ZONEINFO_MISSING,
            [base(&[file("usr/share/zoneinfo/UTC", b"x")]), base(&[dir("usr/share/zoneinfo")])],
            &own,
            "/usr/share/zoneinfo: no files",
        ),
        case(
            &rule::DISTRIBUTION_DIFFERS,
            [base(&[]), base(&[file("etc/os-release", b"ID=other\nVERSION_ID=1\n")])],
            &own,
            "ID: other (old base: demo)",
        ),
        case(
            &rule::RELEASE_DIFFERS,
            [base(&[]), base(&[file("etc/os-release", b"ID=demo\nVERSION_ID='2'\n")])],
            &own,
            "VERSION_ID: 2 (old base: 1)",
        ),
    ];
    let mut add = |rule, old, new, change: fn(&mut Execution), says| {
        cases.push(Case { rule, old, new, own: own.to_vec(), run: run(change), says });
    };
    let no_www =
        || base(&[file("etc/passwd", b"root:x:0:0::/:\n"), file("etc/group", b"root:x:0:\n")]);
    add(
        &rule::USER_MISSING,
        base(&[]),
        no_www(),
        |run| run.user = "www".into(),
        "config.User: `www`: not listed in /etc/passwd",
    );
    add(
        &rule::USER_MISSING,
        base(&[]),
        no_www(),
        |run| run.user = "33:www".into(),
        "config.User: `www`: not listed in /etc/group",
    );
    add(
        &rule::PROGRAM_MISSING,
        base(&[program("usr/bin/java", b"ELF")]),
        base(&[]),
        |run| run.entrypoint = vec!["java".into(), "-jar".into()],
        "java: not found (old base: found as /usr/bin/java)",
    );
    add(
        &rule::PROGRAM_MISSING,
        base(&[program("usr/bin/java", b"ELF")]),
        base(&[]),
        |run| run.cmd = vec!["/bin/java".into()],
        "/bin/java: not found",
    );
    add(
        &rule::WORKDIR_NOT_A_DIRECTORY,
        base(&[dir("srv")]),
        base(&[file("srv", b"")]),
        |run| run.working_dir = "/srv".into(),
        "/srv: not a directory",
    );
    add(
        &rule::WORKDIR_MISSING,
        base(&[dir("srv")]),
        base(&[]),
        |run| run.working_dir = "/srv".into(),
        "/srv: nothing there",
    );
    add(
        &rule::ENV_PATH_MISSING,
        base(&[dir("usr/lib/jvm/17")]),
        base(&[dir("usr/lib/jvm/21")]),
        |run| run.env = vec!["JAVA_HOME=/usr/lib/jvm/17".into()],
        "config.Env JAVA_HOME: /usr/lib/jvm/17: nothing there",
    );
    cases
}

#[test]
fn every_rule_finds_what_changed_and_nothing_where_nothing_changed() {
    let cases: Vec<Case<'_>> =
        program_cases().into_iter().chain(seam_cases()).chain(surroundings_cases()).collect();
    for Case { rule, old, new, own, run, says } in &cases {
        let found = findings(old, new, own, run);
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        let hit = found
            .iter()
            .find(|finding| finding.rule == rule.id && finding.to_string().contains(says));
        let hit = hit.unwrap_or_else(|| panic!("{}: {says}: {lines:#?}", rule.id));
        assert_eq!(hit.severity, rule.severity, "{hit}");

        let same = findings(old, old, own, run);
        assert!(same.is_empty(), "{}: {same:#?}", rule.id);
        // What is broken on both bases is no reason to refuse.
        let both = findings(new, new, own, run);
        assert!(both.iter().all(|finding| finding.severity == Severity::Info), "{both:#?}");
    }
    let covered: Vec<&str> = cases.iter().map(|case| case.rule.id).collect();
    // Tested by itself.
    let others = [rule::ELF_DAMAGED.id];
    for rule in RULES {
        assert!(covered.contains(&rule.id) || others.contains(&rule.id), "{}", rule.id);
    }
}

#[test]
fn what_the_image_brings_itself_is_not_asked_of_the_base() {
    let old = base(&[file("usr/lib/liba.so", b"ELF soname=liba.so")]);
    let new = base(&[file("usr/lib/other", b"")]);
    let rows: [&[Member<'_>]; 6] = [
        // By RUNPATH and RPATH.
        &[
            program("opt/bin/app", b"ELF needed=liba.so search=$ORIGIN/../lib"),
            file("opt/lib/liba.so", b"ELF soname=liba.so ours"),
        ],
        &[
            program("opt/bin/app", b"ELF needed=liba.so search=${ORIGIN}/../$LIB"),
            file("opt/lib64/liba.so", b"ELF soname=liba.so ours"),
        ],
        &[
            program("opt/bin/app", b"ELF needed=liba.so search=/opt/lib"),
            link("opt/lib/liba.so", "liba.so.1"),
            file("opt/lib/liba.so.1", b"ELF"),
        ],
        // In a folder of the loader's configuration.
        &[
            program("opt/app", b"ELF needed=liba.so"),
            file("srv/lib/liba.so", b"ELF "),
            file("etc/ld.so.conf", b"include ld.so.conf.d/*.conf # x\n"),
            file("etc/ld.so.conf.d/a.conf", b"/srv/lib\n"),
        ],
        // Loaded already, by a program of the same image.
        &[
            file("opt/a/libuser.so", b"ELF needed=liba.so"),
            file("opt/b/liba.so", b"ELF soname=liba.so ours"),
        ],
        // For Debian's folders no configuration is needed.
        &[
            program("opt/app", b"ELF needed=liba.so"),
            file("usr/lib/x86_64-linux-gnu/liba.so", b"ELF "),
        ],
    ];
    for own in rows {
        let found = findings(&old, &new, own, &Execution::default());
        assert!(found.is_empty(), "{own:?}: {found:#?}");
    }
    let mut run = Execution::default();
    let own = [program("opt/app", b"ELF needed=liba.so"), file("srv/lib/liba.so", b"ELF ")];
    run.env = vec!["LD_LIBRARY_PATH=/nowhere:/srv/lib".into()];
    assert!(findings(&old, &new, &own, &run).is_empty());
}

#[test]
fn a_private_library_that_hides_a_newer_one_must_have_its_versions() {
    let ours = file("opt/lib/libx.so", b"ELF soname=libx.so defines=X_1");
    let app = program("opt/app", b"ELF needed=libx.so requires=libx.so:X_2 search=$ORIGIN/lib");
    let found = findings(&base(&[]), &base(&[]), &[ours, app], &Execution::default());
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "info[symbol-version-missing]: /opt/app: libx.so: /opt/lib/libx.so does not define X_2 (as on the old base)"
        ]
    );
}

#[test]
fn scripts_that_nobody_executes_and_plain_versions_need_nothing() {
    let old = base(&[program("usr/bin/perl", b"ELF")]);
    let own = [file("opt/doc.pl", b"#!/usr/bin/perl\n"), hard_link("opt/same.pl", "opt/doc.pl")];
    assert!(findings(&old, &base(&[]), &own, &Execution::default()).is_empty());
    // A library without versions is loaded all the same.
    let plain = base(&[file("usr/lib64/libc.so.6", b"ELF soname=libc.so.6")]);
    assert!(
        findings(&base(&[]), &plain, &[program("opt/app", ELF_GLIBC)], &Execution::default())
            .is_empty()
    );
}

#[test]
fn a_damaged_program_is_named() {
    let own = [program("opt/app", b"\x7fELF")];
    let found = findings(&base(&[]), &base(&[]), &own, &Execution::default());
    let found: Vec<_> = found.iter().map(|finding| (finding.rule, finding.severity)).collect();
    assert_eq!(found, [("elf-damaged", Severity::Warning)]);
}

#[test]
fn circles_in_the_loaders_configuration_end() {
    let own = [program("opt/app", b"ELF needed=liba.so")];
    let circle = base(&[
        file("etc/ld.so.conf", b"include /etc/ld.so.conf\ninclude /etc/ld.so.conf.d/*.conf\n"),
        file("etc/ld.so.conf.d/a.conf", b"include /etc/ld.so.conf\n/x\n"),
    ]);
    let found = findings(&circle, &circle, &own, &Execution::default());
    assert_eq!(found.len(), 1);
}

#[test]
fn messages_hold_no_control_characters() {
    let own = [program("opt/a\x1b[31m", b"ELF needed=lib\x07.so")];
    let found = findings(&base(&[]), &base(&[]), &own, &Execution::default());
    assert!(!found[0].to_string().contains(char::is_control), "{}", found[0]);
}

/// A library and a loader of this machine, their own folders, and a program that needs them.
fn this_machine() -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
    let app = fs_err::read("/proc/self/exe").unwrap();
    let elf = bake_formats::elf::read(&app).unwrap();
    let mut files = Vec::new();
    let folders = [
        "/lib64",
        "/usr/lib64",
        "/lib",
        "/usr/lib",
        "/lib/x86_64-linux-gnu",
        "/lib/aarch64-linux-gnu",
    ];
    for name in &elf.needed {
        let path = folders.iter().map(|folder| format!("{folder}/{name}"));
        let path = path.into_iter().find(|path| fs_err::exists(path).unwrap()).unwrap();
        files.push((path.clone(), fs_err::read(path).unwrap()));
    }
    let loader = elf.interpreter.unwrap();
    if files.iter().all(|(path, _)| *path != loader) {
        files.push((loader.clone(), fs_err::read(&loader).unwrap()));
    }
    (files, app)
}

fn real_files(files: &[(String, Vec<u8>)]) -> Vec<Member<'_>> {
    files.iter().map(|(path, bytes)| program(path, bytes)).collect()
}

#[test]
fn programs_of_this_machine_run_on_what_they_were_linked_with_and_not_on_less() {
    let (files, app) = this_machine();
    let own = [program("opt/app", &app)];
    let whole = real_files(&files);
    assert!(findings(&whole, &whole, &own, &Execution::default()).is_empty());

    // A base from before the oldest versions: every digit of a version's name is one lower.
    let older: Vec<(String, Vec<u8>)> = files
        .iter()
        .map(|(path, bytes)| {
            let mut bytes = bytes.clone();
            if path.ends_with("libc.so.6") {
                rename(&mut bytes, b"GLIBC_2.34\0", b"GLIBC_1.34\0");
            }
            (path.clone(), bytes)
        })
        .collect();
    let found = findings(&whole, &real_files(&older), &own, &Execution::default());
    let errors: Vec<_> = found.iter().filter(|f| f.severity == Severity::Error).collect();
    assert_eq!(errors.len(), 1, "{found:#?}");
    assert!(
        errors[0].to_string().contains("libc.so.6 does not define GLIBC_2.34"),
        "{}",
        errors[0]
    );

    // A base without glibc, as with musl.
    let musl = [program("lib/ld-musl-x86_64.so.1", b"ELF soname=libc.musl-x86_64.so.1")];
    let found = findings(&whole, &musl, &own, &Execution::default());
    let rules: Vec<_> =
        found.iter().filter(|f| f.severity == Severity::Error).map(|f| f.rule).collect();
    assert!(rules.contains(&"loader-missing") && rules.contains(&"library-missing"), "{found:#?}");
}

fn rename(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!at.is_empty());
    for at in at {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

#[test]
fn account_databases_that_are_merged_with_the_base_are_part_of_the_image_and_no_finding() {
    let (old, new) = (base(&[]), base(&[file("etc/passwd", b"root:x:0:0::/:\n")]));
    let accounts = |text| layer(&[file("etc/passwd", text)]);
    let mut run = Execution { user: "app".into(), ..Execution::default() };
    let (old, new) = ([layer(&old)], [layer(&new)]);
    let shared = layer(&[file("opt/x", b"")]);
    let own = [
        [shared.clone(), accounts(b"root:x:0:0::/:/bin/sh\nwww:x:33:33::/:\napp:x:100:100::/:\n")],
        [shared, accounts(b"root:x:0:0::/:\napp:x:100:100::/:\n")],
    ];
    let found = |run: &Execution| {
        let old = Stack { base: &old, own: &own[0], run };
        check(&old, &Stack { base: &new, own: &own[1], run }).unwrap()
    };
    assert!(found(&run).is_empty(), "{:#?}", found(&run));
    run.user = "www".into();
    assert_eq!(found(&run)[0].rule, "user-missing");
}

#[test]
fn rules_stand_in_the_docs() {
    let page = include_str!("../../../../docs/rebase.md");
    for rule in RULES {
        let row = format!("| `{}` | {} | {} |", rule.id, rule.severity.word(), rule.about);
        assert!(page.lines().any(|line| line == row), "docs/rebase.md needs the row\n{row}");
    }
    let rows = page.lines().filter(|line| {
        [" error ", " warning ", " info "].iter().any(|level| line.contains(&format!("|{level}|")))
    });
    assert_eq!(rows.count(), RULES.len(), "docs/rebase.md has rows for rules that are gone");
}
