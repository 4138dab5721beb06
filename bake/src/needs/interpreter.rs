//! Programs that scripts and services are run by, and the packages that have them.

/// A program that something is run by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    /// By its path.
    Path(String),
    /// By its name, found through `PATH`.
    Name(String),
}

/// The packages that have a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packages {
    /// Debian's package; `None` if every system has it.
    pub(super) deb: Option<String>,
    /// Debian's packages that have it as well.
    pub(super) also: &'static [&'static str],
    /// What an rpm may require instead of the path.
    pub(super) rpm: &'static [&'static str],
}

/// Programs of packages that are essential (Debian policy 3.8), or that one of them depends on.
const ESSENTIAL: [&str; 14] = [
    "sh", "dash", "bash", "env", "sed", "awk", "mawk", "cat", "true", "false", "test", "grep",
    "tail", "sleep",
];

/// Name, Debian's package, further ones, names for rpm.
const PROGRAMS: [(&str, &str, &[&str], &[&str]); 27] = [
    ("python3", "python3", &["python3-minimal", "python3-all"], &["python3", "python(abi)"]),
    ("perl", "perl", &["perl-base"], &["perl", "perl-interpreter", "perl-libs"]),
    ("node", "nodejs", &["node"], &["nodejs", "nodejs(engine)"]),
    ("nodejs", "nodejs", &["node"], &["nodejs", "nodejs(engine)"]),
    (
        "java",
        "default-jre-headless",
        &["default-jre", "java-runtime-headless", "java-runtime"],
        &["java", "java-headless"],
    ),
    ("ruby", "ruby", &["ruby-interpreter"], &["ruby"]),
    ("php", "php-cli", &["php"], &["php-cli", "php"]),
    ("tclsh", "tcl", &[], &["tcl"]),
    ("wish", "tk", &[], &["tk"]),
    ("expect", "expect", &[], &["expect"]),
    ("lua", "lua5.4", &["lua5.3", "lua5.2", "lua5.1", "lua-any"], &["lua"]),
    ("luajit", "luajit", &[], &["luajit"]),
    ("make", "make", &[], &["make"]),
    ("gawk", "gawk", &[], &["gawk"]),
    ("zsh", "zsh", &[], &["zsh"]),
    ("fish", "fish", &[], &["fish"]),
    ("ksh", "ksh", &["ksh93u+m", "mksh"], &["ksh"]),
    ("csh", "csh", &["tcsh", "c-shell"], &["tcsh"]),
    ("tcsh", "tcsh", &[], &["tcsh"]),
    ("Rscript", "r-base-core", &[], &["R-core", "R"]),
    ("groovy", "groovy", &[], &["groovy"]),
    ("guile", "guile-3.0", &["guile-2.2"], &["guile", "guile30"]),
    ("ocaml", "ocaml-base-nox", &["ocaml", "ocaml-base"], &["ocaml-runtime", "ocaml"]),
    ("gjs", "gjs", &[], &["gjs"]),
    ("nft", "nftables", &[], &["nftables"]),
    ("busybox", "busybox", &["busybox-static"], &["busybox"]),
    ("gnuplot", "gnuplot", &["gnuplot-nox"], &["gnuplot"]),
];

/// Interpreters whose packages are named after them, version and all.
const VERSIONED: [&str; 4] = ["python3.", "python2.", "ruby", "lua5."];

impl Program {
    /// Returns what runs a script, from the words of its first line: the interpreter, and what
    /// `env` looks for on its behalf.
    pub(crate) fn of_script(words: &[String]) -> Vec<Self> {
        let Some(first) = words.first() else { return Vec::new() };
        let mut programs = vec![Self::Path(first.clone())];
        if first.rsplit('/').next() == Some("env") {
            let mut rest = words[1..].iter();
            let is_option = |word: &&String| word.starts_with('-') || word.contains('=');
            if let Some(word) = rest.find(|word| !is_option(word)) {
                programs.push(Self::of_command(word));
            }
        }
        programs
    }

    /// Returns a program as it is called.
    pub(crate) fn of_command(word: &str) -> Self {
        if word.starts_with('/') {
            Self::Path(word.to_owned())
        } else {
            Self::Name(word.to_owned())
        }
    }

    /// Returns the packages that have the program; `None` if that is not known.
    pub(super) fn packages(&self) -> Option<Packages> {
        let name = match self {
            Self::Name(name) => name.as_str(),
            Self::Path(path) => {
                let (folder, name) = path.rsplit_once('/')?;
                let folders = ["/bin", "/usr/bin", "/sbin", "/usr/sbin"];
                folders.contains(&folder).then_some(name)?
            }
        };
        let packages =
            |deb: Option<&str>, also, rpm| Packages { deb: deb.map(str::to_owned), also, rpm };
        if ESSENTIAL.contains(&name) {
            return Some(packages(None, &[], &[]));
        }
        if let Some((_, deb, also, rpm)) = PROGRAMS.iter().find(|row| row.0 == name) {
            return Some(packages(Some(deb), also, rpm));
        }
        let versioned = |stem: &&&str| {
            let number = name.strip_prefix(**stem);
            number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
        };
        VERSIONED.iter().find(versioned).map(|_| packages(Some(name), &[], &[]))
    }

    /// Returns the path that an rpm requires; of a name, where distributions have what is known.
    pub(super) fn rpm_path(&self) -> Option<String> {
        match self {
            Self::Path(path) => Some(path.clone()),
            Self::Name(name) => self.packages().map(|_| format!("/usr/bin/{name}")),
        }
    }

    /// Returns the path or the name.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Path(text) | Self::Name(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Program::of_script(&words).iter().map(|program| program.text().to_owned()).collect()
    }

    #[test]
    fn env_is_asked_what_it_looks_for() {
        assert_eq!(script("/usr/bin/python3 -I"), ["/usr/bin/python3"]);
        assert_eq!(script("/usr/bin/env node"), ["/usr/bin/env", "node"]);
        assert_eq!(script("/usr/bin/env -S A=b node --x"), ["/usr/bin/env", "node"]);
        assert_eq!(script("/bin/env /opt/x"), ["/bin/env", "/opt/x"]);
        assert_eq!(script("/usr/bin/env"), ["/usr/bin/env"]);
    }

    #[test]
    fn packages_are_named_where_they_are_known() {
        let deb = |text: &str| Program::of_command(text).packages().map(|packages| packages.deb);
        let some = |name: &str| Some(Some(name.to_owned()));
        assert_eq!(deb("/bin/sh"), Some(None));
        assert_eq!(deb("/usr/bin/python3"), some("python3"));
        assert_eq!(deb("python3.11"), some("python3.11"));
        assert_eq!(deb("/usr/bin/ruby3.1"), some("ruby3.1"));
        assert_eq!(deb("node"), some("nodejs"));
        for unknown in ["/opt/x/bin/python3", "/usr/local/bin/node", "python", "rubyx", "deno"] {
            assert_eq!(deb(unknown), None, "{unknown}");
        }
        let node = Program::of_command("node");
        assert_eq!(node.rpm_path(), Some("/usr/bin/node".into()));
        assert_eq!(Program::of_command("deno").rpm_path(), None);
    }
}
