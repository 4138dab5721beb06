//! Rules for what is in files.

use std::collections::BTreeMap;
use std::io::Read;

use bake_formats::tree::{Content, Node};
use bake_recipes::resolved::{Architecture, AutoDepends};

use super::elf::{self, Header};
use super::finding::Severity::{Error, Info, Warning};
use super::rule::{Check, Report, Rule};
use super::subject::{File, Subject};

/// Larger files are not searched for paths nor compared, in bytes.
const MAX_SEARCHED: u64 = 64 << 20;
/// Smaller files are not worth a word when there are two of them, in bytes.
const MIN_DUPLICATE: u64 = 4096;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "foreign-architecture",
        severity: Error,
        lintian: &["binary-from-other-architecture"],
        rpmlint: &[],
        about: "a program for another machine than the package",
        check: Check::File(foreign_architecture),
    },
    Rule {
        id: "binary-in-all",
        severity: Error,
        lintian: &["arch-independent-package-contains-binary-or-object"],
        rpmlint: &["arch-independent-package-contains-binary-or-object"],
        about: "a program for one machine in a package for all",
        check: Check::File(binary_in_all),
    },
    Rule {
        id: "no-binary",
        severity: Info,
        lintian: &["package-contains-no-arch-dependent-files"],
        rpmlint: &["no-binary"],
        about: "a package for one machine that would do on all",
        check: Check::Package(no_binary),
    },
    Rule {
        id: "binary-in-usr-share",
        severity: Error,
        lintian: &["arch-dependent-file-in-usr-share"],
        rpmlint: &["arch-dependent-file-in-usr-share"],
        about: "a program in `/usr/share`",
        check: Check::File(binary_in_usr_share),
    },
    Rule {
        id: "binary-in-etc",
        severity: Error,
        lintian: &[],
        rpmlint: &["binary-in-etc"],
        about: "a program in `/etc`",
        check: Check::File(binary_in_etc),
    },
    Rule {
        id: "unstripped-binary",
        severity: Info,
        lintian: &["unstripped-binary-or-object"],
        rpmlint: &["unstripped-binary-or-object"],
        about: "a program with its symbols",
        check: Check::File(unstripped_binary),
    },
    Rule {
        id: "custom-library-path",
        severity: Warning,
        lintian: &["custom-library-search-path", "relative-library-search-path"],
        rpmlint: &["binary-or-shlib-defines-rpath"],
        about: "a program that looks for libraries in a place of its own",
        check: Check::File(custom_library_path),
    },
    Rule {
        id: "build-path",
        severity: Info,
        lintian: &["file-references-package-build-path"],
        rpmlint: &["file-contains-buildroot"],
        about: "a file that names the folder it was built in",
        check: Check::File(build_path),
    },
    Rule {
        id: "duplicate-files",
        severity: Info,
        lintian: &["duplicate-files"],
        rpmlint: &["files-duplicated-waste"],
        about: "two files with the same contents",
        check: Check::Package(duplicate_files),
    },
    Rule {
        id: "empty-file",
        severity: Info,
        lintian: &["zero-byte-file-in-doc-directory", "zero-byte-executable-in-path"],
        rpmlint: &["zero-length"],
        about: "a file without contents",
        check: Check::File(empty_file),
    },
    Rule {
        id: "script-not-executable",
        severity: Warning,
        lintian: &["script-not-executable"],
        rpmlint: &["non-executable-script"],
        about: "a script that nobody may execute",
        check: Check::File(script_not_executable),
    },
    Rule {
        id: "executable-without-interpreter",
        severity: Error,
        lintian: &["executable-not-elf-or-script", "script-without-interpreter"],
        rpmlint: &["script-without-shebang"],
        about: "an executable in `/usr/bin` that is neither a program nor a script",
        check: Check::File(executable_without_interpreter),
    },
    Rule {
        id: "script-line-endings",
        severity: Error,
        lintian: &[],
        rpmlint: &["wrong-script-end-of-line-encoding"],
        about: "a script with the line endings of Windows, which no kernel runs",
        check: Check::File(script_line_endings),
    },
    Rule {
        id: "interpreter-path",
        severity: Warning,
        lintian: &[
            "interpreter-not-absolute",
            "interpreter-in-usr-local",
            "wrong-path-for-interpreter",
            "incorrect-path-for-interpreter",
        ],
        rpmlint: &["env-script-interpreter", "wrong-script-interpreter"],
        about: "a script whose interpreter is looked up, or in `/usr/local`",
        check: Check::File(interpreter_path),
    },
    Rule {
        id: "unversioned-python",
        severity: Error,
        lintian: &["script-uses-unversioned-python-in-shebang"],
        rpmlint: &["wrong-script-interpreter"],
        about: "a script for `python`, which no distribution has",
        check: Check::File(unversioned_python),
    },
    Rule {
        id: "missing-interpreter",
        severity: Warning,
        lintian: &[
            "missing-dep-for-interpreter",
            "python3-script-but-no-python3-dep",
            "ruby-script-but-no-ruby-dep",
            "php-script-but-no-php-cli-dep",
        ],
        rpmlint: &[],
        about: "a script whose interpreter the package does not depend on",
        check: Check::File(missing_interpreter),
    },
    Rule {
        id: "no-manual-page",
        severity: Info,
        lintian: &["no-manual-page"],
        rpmlint: &["no-manual-page-for-binary"],
        about: "a program in `/usr/bin` without a manual page",
        check: Check::File(no_manual_page),
    },
    Rule {
        id: "uncompressed-manual-page",
        severity: Warning,
        lintian: &["uncompressed-manual-page"],
        rpmlint: &["manpage-not-compressed"],
        about: "a manual page that is not compressed",
        check: Check::File(uncompressed_manual_page),
    },
];

fn foreign_architecture(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let Some(header) = file.head().and_then(Header::parse) else { return };
    let Some((machine, name)) = elf::machine(cx.recipe.platform.architecture()) else { return };
    let data =
        ["/usr/share", "/usr/lib/firmware", "/lib/firmware"].iter().any(|dir| file.is_below(dir));
    if header.machine != machine && cx.recipe.architecture == Architecture::Native && !data {
        let message = format!(
            "`{}` is for ELF machine {}, the package is for {} ({name}, {machine})",
            file.name, header.machine, cx.recipe.platform
        );
        report.advise(file.at(), message, "bake the output that was built for this platform");
    }
}

fn binary_in_all(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if cx.recipe.architecture == Architecture::All && file.is_elf() {
        let message = format!("the package is for all machines, `{}` is for one", file.name);
        report.advise(file.at(), message, "leave out `architecture = \"all\"`");
    }
}

fn no_binary(cx: &Subject<'_>, report: &mut Report<'_>) {
    let mut read = cx.files.iter().filter(|file| file.is_regular()).peekable();
    let known = read.peek().is_some()
        && cx.files.iter().all(|file| !file.is_regular() || file.head().is_some());
    let native = |file: &File<'_>| {
        file.is_elf() || file.head().is_some_and(|head| head.starts_with(b"!<arch>\n"))
    };
    if cx.has_package()
        && known
        && cx.recipe.architecture == Architecture::Native
        && !read.any(native)
    {
        let place = cx.places.first(&["architecture", "name"]);
        report.advise(
            place,
            "nothing in the package is for one machine only",
            "`architecture = \"all\"`",
        );
    }
}

fn binary_in_usr_share(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if file.is_below("/usr/share") && file.is_elf() {
        let message = format!("`{}` is for one machine, `/usr/share` for all", file.name);
        report.advise(file.at(), message, "`/usr/lib/NAME` is for programs");
    }
}

fn binary_in_etc(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if file.is_below("/etc") && file.is_elf() {
        report.advise(
            file.at(),
            format!("`{}` is a program", file.name),
            "`/usr/lib/NAME` is for programs",
        );
    }
}

fn unstripped_binary(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let linked =
        file.head().and_then(Header::parse).is_some_and(|header| [2, 3].contains(&header.kind));
    if linked
        && file
            .stored_file()
            .and_then(|path| elf::details(&path))
            .is_some_and(|details| details.has_symbols)
    {
        report.advise(
            file.at(),
            format!("`{}` has its symbols", file.name),
            "`strip` it, or build it so",
        );
    }
}

fn custom_library_path(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if !file.is_elf() {
        return;
    }
    let Some(details) = file.stored_file().and_then(|path| elf::details(&path)) else { return };
    let own = cx.recipe.name.as_str();
    for path in details.paths.iter().flat_map(|paths| paths.split(':')) {
        let private = [format!("/usr/lib/{own}"), format!("/opt/{own}")];
        let fine = path.starts_with("$ORIGIN") || private.iter().any(|dir| path.starts_with(dir));
        if !fine && !path.is_empty() {
            let message = format!("`{}` looks for libraries in `{path}`", file.name);
            report.advise(file.at(), message, "link without `-rpath`, or with `$ORIGIN/…`");
        }
    }
}

fn build_path(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let folder = cx.folder.to_string_lossy();
    if folder.len() < 6 || file.size() > MAX_SEARCHED || file.is_below("/usr/lib/debug") {
        return;
    }
    let Some(reader) = file.open() else { return };
    if holds(reader, folder.as_bytes()) {
        let message = format!("`{}` names the folder it was built in, `{folder}`", file.name);
        report.advise(
            file.at(),
            message,
            "compilers leave it out with `-ffile-prefix-map` or `--remap-path-prefix`",
        );
    }
}

/// Returns whether bytes occur in what a reader yields.
fn holds(mut reader: impl Read, needle: &[u8]) -> bool {
    let mut buffer = vec![0; 256 * 1024];
    let mut kept = 0;
    loop {
        let Ok(count) = reader.read(&mut buffer[kept..]) else { return false };
        if count == 0 {
            return false;
        }
        let filled = kept + count;
        let first = needle.first().copied().unwrap_or_default();
        let mut at = 0;
        while let Some(found) = buffer[at..filled].iter().position(|byte| *byte == first) {
            at += found;
            if buffer[at..filled].starts_with(needle) {
                return true;
            }
            at += 1;
        }
        kept = filled.min(needle.len().saturating_sub(1));
        buffer.copy_within(filled - kept..filled, 0);
    }
}

fn duplicate_files(cx: &Subject<'_>, report: &mut Report<'_>) {
    let mut sizes: BTreeMap<u64, Vec<&File<'_>>> = BTreeMap::new();
    for file in cx.files.iter().filter(|file| matches!(file.entry.node, Node::File(_))) {
        if (MIN_DUPLICATE..MAX_SEARCHED).contains(&file.size()) {
            sizes.entry(file.size()).or_default().push(file);
        }
    }
    for files in sizes.into_values().filter(|files| files.len() > 1) {
        let mut known: BTreeMap<_, &str> = BTreeMap::new();
        for file in files {
            let Some(content) = file.open().and_then(|reader| Content::of_reader(reader).ok())
            else {
                continue;
            };
            if let Some(first) = known.get(&content.digest) {
                let message = format!("`{}` has the same contents as `{first}`", file.name);
                report.advise(file.at(), message, "a link takes no space");
            } else {
                known.insert(content.digest, &file.name);
            }
        }
    }
}

fn empty_file(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let name = file.base();
    let meant = ["__init__.py", "py.typed", ".gitkeep", ".keep", "REQUESTED"].contains(&name);
    if file.is_regular() && file.size() == 0 && !meant && file.head().is_some_and(<[u8]>::is_empty)
    {
        report.found(file.at(), format!("`{}` is empty", file.name));
    }
}

fn in_path(file: &File<'_>) -> bool {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/games"].iter().any(|dir| file.is_below(dir))
}

fn script_not_executable(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let module = [".py", ".pm", ".rb", ".js", ".mjs", ".pl", ".in", ".sh"]
        .iter()
        .any(|end| file.base().ends_with(end));
    let document = file.is_below("/usr/share/doc") || file.is_below("/etc");
    if !file.is_executable()
        && !module
        && !document
        && !in_path(file)
        && file.interpreter().is_some()
    {
        let message = format!("`{}` is a script that nobody may execute", file.name);
        report.advise(file.at(), message, "add `mode = \"0755\"`, or leave out its `#!` line");
    }
}

fn executable_without_interpreter(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let Some(head) = file.head().filter(|_| in_path(file) && file.is_executable()) else { return };
    let runs = head.starts_with(b"\x7fELF")
        || head.starts_with(b"#!")
        || head.starts_with(b"MZ")
        || head.starts_with(b"PK");
    if !runs && !head.is_empty() {
        let message = format!("`{}` is neither a program nor a script", file.name);
        report.advise(file.at(), message, "a script begins with `#!` and its interpreter");
    }
}

fn script_line_endings(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let Some(head) = file.head().filter(|head| head.starts_with(b"#!")) else { return };
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first.ends_with(b"\r") {
        let message = format!("the first line of `{}` ends with a carriage return", file.name);
        report.advise(file.at(), message, "the kernel would look for an interpreter of that name");
    }
}

fn interpreter_path(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let Some(words) = file.interpreter().filter(|_| file.is_executable()) else { return };
    let name = &file.name;
    match words.first().map(String::as_str) {
        None => report.found(file.at(), format!("the `#!` line of `{name}` has no interpreter")),
        Some(path) if path.ends_with("/env") => report.advise(
            file.at(),
            format!(
                "`{name}` takes the first `{}` of the user's PATH",
                words.get(1).map_or("", |word| word)
            ),
            "name the distribution's interpreter, e.g. `#!/usr/bin/python3`",
        ),
        Some(path) if path.starts_with("/usr/local/") || !path.starts_with('/') => {
            report.found(file.at(), format!("the interpreter of `{name}` is `{path}`"));
        }
        Some(_) => {}
    }
}

/// Returns the name of a script's interpreter, also behind `env`.
fn interpreter_name(file: &File<'_>) -> Option<String> {
    let words = file.interpreter()?;
    let first = words.first()?;
    let path = if first.ends_with("/env") {
        words.iter().skip(1).find(|word| !word.starts_with('-'))?
    } else {
        first
    };
    Some(path.rsplit('/').next().unwrap_or(path).to_owned())
}

fn unversioned_python(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if file.is_executable() && interpreter_name(file).as_deref() == Some("python") {
        let message = format!("`{}` is for `python`", file.name);
        report.advise(file.at(), message, "name `python3`");
    }
}

fn missing_interpreter(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    // What `auto-depends` finds it reports itself, with the line to add.
    if cx.recipe.auto_depends == AutoDepends::Lint {
        return;
    }
    let Some(name) = interpreter_name(file).filter(|_| file.is_executable()) else { return };
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let known = [
        "python", "ruby", "node", "nodejs", "perl", "php", "lua", "tclsh", "java", "Rscript",
        "zsh", "fish", "ksh",
    ];
    if !known.contains(&stem) || cx.places_path(&format!("/usr/bin/{name}")) {
        return;
    }
    // `perl` is in every Debian as perl-base.
    let about = |text: &str| text.contains(stem) || (stem == "node" && text.contains("nodejs"));
    let deb = cx.recipe.deb.as_ref().filter(|_| stem != "perl");
    let deb_misses = deb.is_some_and(|deb| {
        !deb.depends.iter().chain(&deb.pre_depends).any(|r| about(&r.to_string()))
    });
    let rpm = cx.recipe.rpm.as_ref();
    let rpm_misses = rpm.is_some_and(|rpm| !rpm.requires.iter().any(|r| about(&r.name)));
    if deb_misses || rpm_misses {
        let format = match (deb_misses, rpm_misses) {
            (true, true) => "deb and rpm do",
            (true, false) => "the deb does",
            _ => "the rpm does",
        };
        let message = format!("`{}` needs `{name}`, which {format} not depend on", file.name);
        report.advise(file.at(), message, "name its package in `depends`");
    }
}

fn no_manual_page(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let program = matches!(file.entry.node, Node::File(_) | Node::HardLink(_));
    if !program || !in_path(file) || !cx.has_package() {
        return;
    }
    let sections = ["1", "8", "6"];
    let there = |section: &&str| {
        let page = format!("/usr/share/man/man{section}/{}.{section}", file.base());
        ["", ".gz", ".xz", ".zst", ".bz2"].iter().any(|end| cx.places_path(&format!("{page}{end}")))
    };
    if !sections.iter().any(there) {
        report.found(file.at(), format!("`{}` has no manual page", file.name));
    }
}

fn uncompressed_manual_page(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let packed = [".gz", ".xz", ".zst", ".bz2"].iter().any(|end| file.base().ends_with(end));
    if file.is_below("/usr/share/man") && file.is_regular() && !packed {
        let message = format!("`{}` is not compressed", file.name);
        report.advise(file.at(), message, "`gzip -9n` it in the build");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_across_reads() {
        let mut bytes = vec![b'/'; 256 * 1024 - 3];
        bytes.extend(b"/build/here and more");
        assert!(holds(&bytes[..], b"/build/here"));
        assert!(!holds(&bytes[..], b"/build/there"));
        assert!(!holds(&b"/build/her"[..], b"/build/here"));
    }
}
