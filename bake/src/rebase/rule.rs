//! The rules that an image on a new base is checked against.

use crate::lint::Severity;

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name, in kebab case.
    pub id: &'static str,
    /// How bad a finding is that the old base does not have.
    pub severity: Severity,
    /// What is found, in one phrase.
    pub about: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

macro_rules! rules {
    ($($name:ident $id:literal $severity:ident $about:literal $hint:literal)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $about, ".")]
            pub const $name: Rule =
                Rule { id: $id, severity: Severity::$severity, about: $about, hint: $hint };
        )*
        /// All rules, in the order of docs/rebase.md.
        pub const RULES: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    LOADER_MISSING "loader-missing" Error
        "a program whose loader (PT_INTERP) the new base does not have, or has for another machine"
        "a program for glibc does not start on musl, nor the other way round: build for the new base"
    LIBRARY_MISSING "library-missing" Error
        "a library that no folder searched by the loader has"
        "bake the library into the image, or build against what the new base has"
    SYMBOL_VERSION_MISSING "symbol-version-missing" Error
        "a symbol version that the library found does not define"
        "build on a system that is not newer than the base"
    INTERPRETER_MISSING "interpreter-missing" Error
        "a script whose interpreter, or what `env` looks for, is not there"
        "bake the interpreter into the image, or choose a base that has it"
    PROGRAM_MISSING "program-missing" Error
        "an entrypoint or command that is not there"
        "the old base brought the program; choose a base that has it at the same place"
    USER_MISSING "user-missing" Error
        "a user or group of the configuration that the new base's /etc/passwd or /etc/group lacks"
        "name the account by its number, or bake it into the image"
    DIRECTORY_OVER_LINK "directory-over-link" Error
        "a directory of ours where the new base has a link: the link and what it leads to is lost"
        "put the files where the link leads, e.g. /usr/bin instead of /bin"
    DIRECTORY_OVER_FILE "directory-over-file" Error
        "a directory of ours where the new base has a file"
        "choose another path for one of the two"
    FILE_OVER_DIRECTORY "file-over-directory" Error
        "a file or link of ours where the new base has a directory, which it replaces with all below"
        "choose another path for the file"
    WORKDIR_NOT_A_DIRECTORY "workdir-not-a-directory" Error
        "a working directory that is something else"
        "set another working directory"
    ELF_DAMAGED "elf-damaged" Warning
        "a program or library of ours that cannot be read, so that nothing is known of its needs"
        "build it again"
    SHADOWS_FILE "shadows-file" Warning
        "a file of ours that hides a different file which only the new base has"
        "compare the two files; leave ours out if the base's is meant"
    UPDATE_HIDDEN "update-hidden" Warning
        "a file of ours that hides one which the new base changed: the change has no effect"
        "leave the file out, or update it as well"
    PRIVILEGE_DIFFERS "privilege-differs" Warning
        "a set-user-ID bit, set-group-ID bit or capability on only one of our file and the one it hides"
        "check which of the two is meant"
    WHITEOUT_HIDES "whiteout-hides" Warning
        "a whiteout of ours that removes what only the new base has"
        "check that what was removed from the old base is still what is meant"
    WHITEOUT_IDLE "whiteout-idle" Info
        "a whiteout of ours for what the new base no longer has"
        "nothing needs to be done; the next build will leave it out"
    DIRECTORY_ATTRIBUTES "directory-attributes" Warning
        "mode or owner of a shared directory that our layers set as the old base had it"
        "leave the directory out of the recipe, so that the base's attributes count"
    DIRECTORY_GONE "directory-gone" Warning
        "files of ours in a directory that the old base filled and the new base does not have"
        "a runtime of another version may look elsewhere: check the paths"
    LANDS_ELSEWHERE "lands-elsewhere" Info
        "files of ours that a link of the new base leads to another place"
        "nothing needs to be done if both paths lead there"
    LINK_DANGLING "link-dangling" Warning
        "a link of ours to what only the old base has"
        "let the link lead to where the new base has it"
    OWNER_CHANGED "owner-changed" Warning
        "a number that owns files of ours and belongs to another account now"
        "own the files by a number that no base uses"
    WORKDIR_MISSING "workdir-missing" Warning
        "a working directory that only the old base has; runtimes make an empty one"
        "bake the directory into the image"
    ENV_PATH_MISSING "env-path-missing" Warning
        "a variable that names a path which only the old base has"
        "set the variable for the new base"
    CA_BUNDLE_MISSING "ca-bundle-missing" Warning
        "no bundle of CA certificates where the old base had one: TLS connections fail"
        "bake the bundle into the image, or choose a base that has it"
    ZONEINFO_MISSING "zoneinfo-missing" Warning
        "no time zones in /usr/share/zoneinfo where the old base had them"
        "bake the time zones into the image, or choose a base that has them"
    DISTRIBUTION_DIFFERS "distribution-differs" Warning
        "a base of another distribution"
        "what is loaded at run time is not checked: test the image"
    RELEASE_DIFFERS "release-differs" Info
        "a base of another release of the distribution"
        "what is loaded at run time is not checked: test the image"
}
