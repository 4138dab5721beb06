//! Repositories made by hand: the tests need no git.

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// Makes a folder of files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    folder
}

#[test]
fn finds_the_commit_in_every_form_of_a_repository() {
    let packed = format!("# pack-refs with: peeled\n{OTHER} refs/heads/a\n{COMMIT} refs/heads/m\n");
    let line = format!("{COMMIT}\n");
    let worktree: &[(&str, &str)] = &[
        (".git", "gitdir: real/worktrees/w\n"),
        ("real/worktrees/w/HEAD", "ref: refs/heads/m\n"),
        ("real/worktrees/w/commondir", "../..\n"),
        ("real/refs/heads/m", &line),
        ("real/HEAD", OTHER),
    ];
    let cases: [&[(&str, &str)]; 5] = [
        &[(".git/HEAD", COMMIT)],
        &[(".git/HEAD", "ref: refs/heads/m\n"), (".git/refs/heads/m", &line)],
        &[(".git/HEAD", "ref: refs/heads/m\n"), (".git/packed-refs", &packed)],
        &[
            (".git/HEAD", "ref: refs/heads/m\n"),
            (".git/refs/heads/m", &line),
            (".git/packed-refs", "damaged"),
        ],
        worktree,
    ];
    for files in cases {
        let folder = folder(files);
        let below = folder.path().join("a/b");
        fs_err::create_dir_all(&below).unwrap();
        assert_eq!(head(&below), Ok(COMMIT.to_owned()), "{files:?}");
    }
}

#[test]
fn says_why_there_is_no_commit() {
    let cases: [(&[(&str, &str)], &str); 7] = [
        (&[(".git/HEAD", "ref: refs/heads/m\n")], "`refs/heads/m` is not there"),
        (&[(".git/HEAD", "ref: refs/heads/.invalid\n")], "reftable"),
        (&[(".git/HEAD", "ref: refs/heads/../../../x\n")], "neither a commit nor a name"),
        (&[(".git/HEAD", "ref: /etc/passwd\n")], "neither a commit nor a name"),
        (&[(".git/HEAD", "\u{1b}[31m\n")], "`\\u{1b}[31m`"),
        (&[(".git/HEAD", "ref: refs/a"), (".git/refs/a", "ref: refs/a")], "lead to one another"),
        (&[(".git", "nothing")], "`.git` is not a repository"),
    ];
    for (files, expected) in cases {
        let folder = folder(files);
        let reason = head(folder.path()).unwrap_err();
        assert!(reason.contains(expected), "{files:?}: {reason}");
    }
}

#[test]
fn an_endless_line_is_no_name_and_takes_no_memory() {
    let long = format!("{} refs/heads/m", "a".repeat(1 << 20));
    let folder = folder(&[(".git/HEAD", "ref: refs/heads/m\n"), (".git/packed-refs", &long)]);
    assert!(head(folder.path()).is_err());
}

#[test]
fn finds_the_address_of_the_remote() {
    let cases = [
        ("[remote \"origin\"]\n\turl = https://example.com/x.git\n", "https://example.com/x.git"),
        ("[Remote \"origin\"] URL=git@h.example:x.git # why\n", "git@h.example:x.git"),
        ("[remote \"a\"]\nurl = no\n[remote \"origin\"]\nurl=\"a://b;c\" ; d\n", "a://b;c"),
        ("[remote \"origin\"]\nfetch = x\nurl = ssh://h.ex\\\nample/x\n", "ssh://h.example/x"),
        ("[remote \"origin\"]\nurl = one://x\nurl = two://x\n", "one://x"),
    ];
    for (text, expected) in cases {
        let folder = folder(&[(".git/HEAD", COMMIT), (".git/config", text)]);
        assert_eq!(origin(folder.path()), Ok(expected.to_owned()), "{text}");
    }
    for text in ["", "[remote \"Origin\"]\nurl = x://y\n", "[remote \"origin\"\nurl = x://y\n"] {
        let folder = folder(&[(".git/HEAD", COMMIT), (".git/config", text)]);
        let expected = Err("there is no remote `origin`".to_owned());
        assert_eq!(origin(folder.path()), expected, "{text}");
    }
}

#[test]
fn an_address_has_no_credentials() {
    let cases = [
        ("https://me:secret@h.example/x.git", "https://h.example/x.git"),
        ("https://token@h.example/x.git", "https://h.example/x.git"),
        ("https://a@b:c@h.example:8443/x@y", "https://h.example:8443/x@y"),
        ("https://h.example/x?access_token=secret#a", "https://h.example/x"),
        ("https://h.example?secret@x", "https://h.example"),
        ("ssh://git@h.example:22/x.git", "ssh://git@h.example:22/x.git"),
        ("ssh://git:secret@h.example/x.git", "ssh://git@h.example/x.git"),
        ("git@h.example:acme/x.git", "git@h.example:acme/x.git"),
    ];
    for (url, expected) in cases {
        assert_eq!(public_address(url), Ok(expected.to_owned()));
    }
    for url in ["/srv/git/x.git", "../x", "file:///srv/x", "./a:b"] {
        assert!(public_address(url).is_err(), "{url}");
    }
}
