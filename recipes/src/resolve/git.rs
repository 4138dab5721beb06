//! What a git repository says of itself, read from its files: no program runs and no setting of the
//! machine counts.
//!
//! ```text
//! .git                   a folder, or the file of a worktree or submodule: gitdir: PATH
//! ├── HEAD               the commit, or ref: refs/heads/main
//! ├── commondir          of a worktree: where the rest is
//! ├── refs/heads/main    the commit
//! ├── packed-refs        lines of COMMIT and NAME, for names without a file
//! └── config             [remote "origin"] url = ADDRESS
//! ```
//!
//! See gitrepository-layout(5) and git-config(1).

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use super::version_source::read;

/// The longest small file that is read, in bytes.
const MAX_SMALL: u64 = 64 * 1024;
/// The longest configuration that is read, in bytes.
const MAX_CONFIG: u64 = 1024 * 1024;
/// The longest line of `packed-refs`, in bytes.
const MAX_LINE: u64 = 8 * 1024;
/// How many names may lead to one another.
const MAX_DEPTH: usize = 5;

/// What stands where `HEAD` would if the repository keeps its names otherwise (reftable).
const NO_HEAD: &str = "refs/heads/.invalid";

/// The folders of a repository.
struct Repository {
    /// What belongs to this worktree.
    own: PathBuf,
    /// What all worktrees share.
    common: PathBuf,
}

/// Returns the commit that is checked out where a folder is, in full; the error is a reason.
pub(super) fn head(folder: &Path) -> Result<String, String> {
    let repository = Repository::of(folder)?;
    let mut name = "HEAD".to_owned();
    for _ in 0..MAX_DEPTH {
        let Some(text) = repository.name(&name)? else {
            return Err(format!("there is no commit: `{}` is not there", name.escape_debug()));
        };
        match text.strip_prefix("ref:").map(str::trim) {
            Some(NO_HEAD) => {
                let reason = "the repository keeps its names in a reftable, which is not read";
                return Err(reason.into());
            }
            Some(next) if is_name(next) => next.clone_into(&mut name),
            None if is_commit(&text) => return Ok(text),
            _ => {
                let (name, found) = (name.escape_debug(), start(&text));
                return Err(format!("`{name}` is neither a commit nor a name: `{found}`"));
            }
        }
    }
    Err(format!("more than {MAX_DEPTH} names lead to one another"))
}

/// Returns the address of the remote `origin` without credentials; the error is a reason.
pub(super) fn origin(folder: &Path) -> Result<String, String> {
    let repository = Repository::of(folder)?;
    let text = read(&repository.common.join("config"), MAX_CONFIG)
        .map_err(|reason| format!("its configuration: {reason}"))?;
    let url = remote_url(&text, "origin").ok_or("there is no remote `origin`")?;
    public_address(&url)
}

impl Repository {
    /// Finds the repository that a folder is in.
    fn of(folder: &Path) -> Result<Self, String> {
        let folder = fs_err::canonicalize(folder).map_err(|error| error.kind().to_string())?;
        let own = folder
            .ancestors()
            .map(|above| above.join(".git"))
            .find(|path| path.exists())
            .ok_or("the recipe is not in a git repository")?;
        let own = if own.is_dir() { own } else { leads_to(&own)? };
        let common = own.join("commondir");
        let common = if common.is_file() {
            own.join(read(&common, MAX_SMALL)?.trim_end_matches(['\n', '\r']))
        } else {
            own.clone()
        };
        Ok(Self { own, common })
    }

    /// Returns what a name stands for, if it is there.
    fn name(&self, name: &str) -> Result<Option<String>, String> {
        for folder in [&self.own, &self.common] {
            let path = folder.join(name);
            if path.is_file() {
                let fail = |reason| format!("`{}`: {reason}", name.escape_debug());
                return Ok(Some(read(&path, MAX_SMALL).map_err(fail)?.trim().to_owned()));
            }
        }
        self.packed(name)
    }

    /// Looks a name up in `packed-refs`.
    fn packed(&self, name: &str) -> Result<Option<String>, String> {
        let path = self.common.join("packed-refs");
        if !path.is_file() {
            return Ok(None);
        }
        let fail = |error: &std::io::Error| format!("`packed-refs`: {}", error.kind());
        let mut file = BufReader::new(fs_err::File::open(path).map_err(|error| fail(&error))?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut rest = file.by_ref().take(MAX_LINE);
            let len = rest.read_until(b'\n', &mut line).map_err(|error| fail(&error))?;
            if len == 0 {
                return Ok(None);
            }
            let text = String::from_utf8_lossy(&line);
            if let Some((commit, found)) = text.trim_end().split_once(' ')
                && found == name
            {
                return Ok(Some(commit.to_owned()));
            }
        }
    }
}

/// Returns the folder that the file `.git` of a worktree or a submodule names.
fn leads_to(path: &Path) -> Result<PathBuf, String> {
    let text = read(path, MAX_SMALL).map_err(|reason| format!("`.git`: {reason}"))?;
    let target = text.strip_prefix("gitdir:").map(str::trim).filter(|target| !target.is_empty());
    let target = target.ok_or_else(|| format!("`.git` is not a repository: `{}`", start(&text)))?;
    Ok(path.parent().unwrap_or(path).join(target))
}

/// Returns whether text names a commit in full: SHA-1 or SHA-256.
fn is_commit(text: &str) -> bool {
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    matches!(text.len(), 40 | 64) && text.bytes().all(hex)
}

/// Returns whether text is the name of a reference that stays inside the repository.
fn is_name(text: &str) -> bool {
    text.starts_with("refs/")
        && !text.split('/').any(|part| matches!(part, "" | "." | ".."))
        && !text.contains(|c: char| c.is_control() || c == '\\' || c == ' ')
}

/// Returns the beginning of a text for an error.
fn start(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

/// Returns the first `url` of a remote in the text of a configuration.
fn remote_url(text: &str, remote: &str) -> Option<String> {
    let mut inside = false;
    let joined = text.replace("\\\r\n", "").replace("\\\n", "");
    for line in joined.lines() {
        let mut line = line.trim_start();
        if let Some(rest) = line.strip_prefix('[') {
            let (section, rest) = section(rest)?;
            inside = section == format!("remote {remote}");
            line = rest.trim_start();
        }
        let Some((key, value)) = line.split_once('=').filter(|_| inside) else { continue };
        if key.trim().eq_ignore_ascii_case("url") {
            return Some(value_of(value));
        }
    }
    None
}

/// Takes the header of a section, after its bracket, from a line: `name subsection`.
fn section(text: &str) -> Option<(String, &str)> {
    let mut found = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for (offset, c) in text.char_indices() {
        match c {
            _ if escaped => {
                found.push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return Some((found, text.get(offset + 1..)?)),
            // The name of a section has no case, that of a subsection has.
            _ if quoted => found.push(c),
            _ => found.push(c.to_ascii_lowercase()),
        }
    }
    None
}

/// Returns a value without quotes, escapes and comments.
fn value_of(text: &str) -> String {
    let mut value = String::new();
    let (mut quoted, mut kept) = (false, 0);
    let mut rest = text.trim().chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => quoted = !quoted,
            '#' | ';' if !quoted => break,
            '\\' => match rest.next() {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some(other) => value.push(other),
                None => break,
            },
            _ => value.push(c),
        }
        if quoted || !c.is_whitespace() {
            kept = value.len();
        }
    }
    value.truncate(kept);
    value
}

/// Returns an address as everybody may know it: without the credentials of whoever cloned from it.
fn public_address(url: &str) -> Result<String, String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        let is_remote = url.split_once(':').is_some_and(|(host, _)| !host.contains('/'));
        return if is_remote {
            Ok(url.to_owned())
        } else {
            Err("the remote `origin` is a folder of this machine".into())
        };
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let (account, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    match scheme {
        "file" => Err("the remote `origin` is a folder of this machine".into()),
        "http" | "https" => {
            let path = path.split(['?', '#']).next().unwrap_or_default();
            Ok(format!("{scheme}://{host}{path}"))
        }
        _ => {
            let user = account.split(':').next().unwrap_or_default();
            let at = if user.is_empty() { "" } else { "@" };
            Ok(format!("{scheme}://{user}{at}{host}{path}"))
        }
    }
}

#[cfg(test)]
mod tests;
