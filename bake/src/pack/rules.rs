//! From what goes where to the `[[files]]` tables of a recipe.

use std::path::{Path, PathBuf};

use bake_recipes::RecipeError;
use toml::{Table, Value};

use super::archive::unreadable;
use super::layout::{Rule, What};

/// What flags say about all files.
#[derive(Debug, Default)]
pub struct FileFlags {
    /// Where the contents of folders and programs go.
    pub prefix: Option<String>,
    /// Globs of what is left out.
    pub exclude: Vec<String>,
    /// Files and directories that are configuration, besides those in `/etc`.
    pub config: Vec<String>,
    /// The owning user.
    pub owner: Option<String>,
    /// The owning group.
    pub group: Option<String>,
    /// The mode of files in octal.
    pub mode: Option<String>,
    /// The mode of directories in octal.
    pub directory_mode: Option<String>,
}

/// How paths of this machine are written in the recipe.
#[derive(Debug)]
pub(super) struct Paths {
    /// The recipe's folder.
    pub(super) base: PathBuf,
    /// Where archives are unpacked now.
    pub(super) stage: PathBuf,
    /// What the recipe calls that.
    pub(super) stage_name: PathBuf,
}

impl Paths {
    /// Returns a path as the recipe has it: relative to its folder if it is below.
    pub(super) fn write(&self, path: &Path) -> Result<String, RecipeError> {
        let whole = fs_err::canonicalize(path).map_err(|error| unreadable(path, &error))?;
        let written = match whole.strip_prefix(&self.stage) {
            Ok(inside) if inside.as_os_str().is_empty() => self.stage_name.clone(),
            Ok(inside) => self.stage_name.join(inside),
            Err(_) => whole.strip_prefix(&self.base).unwrap_or(&whole).to_owned(),
        };
        let text = if written.as_os_str().is_empty() { Some(".") } else { written.to_str() };
        match text {
            Some(text) if !text.contains(['*', '?', '[']) => Ok(text.to_owned()),
            _ => {
                let path = whole.display();
                let reason =
                    format!("a recipe cannot name `{path}`: it has a wildcard, or is not UTF-8");
                Err(RecipeError::new(reason).hint("copy it to another place first"))
            }
        }
    }
}

/// Marks configuration, which gets rules of its own where it is below a directory.
pub(super) fn mark_config(rules: Vec<Rule>, config: &[String]) -> Result<Vec<Rule>, RecipeError> {
    let mut marked = Vec::new();
    let mut found = vec![false; config.len()];
    for mut rule in rules {
        let mut apart = Vec::new();
        for (number, path) in
            std::iter::once("/etc").chain(config.iter().map(String::as_str)).enumerate()
        {
            let path = path.trim_end_matches('/');
            let to = rule.to.trim_end_matches('/').to_owned();
            let hit = if is_within(&to, path) && rule.mark.is_none() {
                rule.mark = is_file(&rule.what).then_some("config-noreplace");
                true
            } else {
                match carve(&mut rule, &to, path) {
                    Some(new) => {
                        apart.push(new);
                        true
                    }
                    None => is_within(path, "/etc") && covers(&rule, &to, path),
                }
            };
            if hit && number > 0 {
                found[number - 1] = true;
            }
        }
        marked.push(rule);
        marked.extend(apart);
    }
    match found.iter().position(|found| !found) {
        None => Ok(marked),
        Some(number) => {
            let path = &config[number];
            let error = RecipeError::new(format!("--config {path}: no source places it"));
            Err(error.hint("the path is that in the package, e.g. `/etc/catalog.conf`"))
        }
    }
}

fn is_file(what: &What) -> bool {
    match what {
        What::File(_) | What::Directory(_) | What::Content(_) => true,
        What::Symlink(_) => false,
    }
}

/// Returns whether a path is another or below it.
fn is_within(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns whether a rule for a directory places a path.
fn covers(rule: &Rule, to: &str, path: &str) -> bool {
    let What::Directory(from) = &rule.what else { return false };
    let Some(inside) = path.strip_prefix(to).and_then(|rest| rest.strip_prefix('/')) else {
        return false;
    };
    from.join(inside).exists()
}

/// Takes a path out of a rule for a directory and returns a rule that marks it.
fn carve(rule: &mut Rule, to: &str, path: &str) -> Option<Rule> {
    let What::Directory(from) = &rule.what else { return None };
    let inside = path.strip_prefix(to)?.strip_prefix('/')?.to_owned();
    if inside.is_empty() || rule.mark.is_some() {
        return None;
    }
    let excluded = |pattern: &String| {
        let top = pattern.trim_start_matches('/').trim_end_matches("/**");
        is_within(&inside, top)
    };
    if rule.exclude.iter().any(excluded) {
        return None;
    }
    let source = from.join(&inside);
    let metadata = fs_err::metadata(&source).ok()?;
    let literal = inside.replace('[', "[[]").replace('*', "[*]").replace('?', "[?]");
    let (what, to) = if metadata.is_dir() {
        rule.exclude.push(format!("/{literal}/**"));
        (What::Directory(source), format!("{path}/"))
    } else {
        rule.exclude.push(format!("/{literal}"));
        (What::File(source), path.to_owned())
    };
    Some(Rule { mark: Some("config-noreplace"), ..Rule::new(what, to) })
}

/// Returns the `[[files]]` table of a rule.
pub(super) fn table(rule: &Rule, flags: &FileFlags, paths: &Paths) -> Result<Table, RecipeError> {
    let mut table = Table::new();
    let mut set = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            table.insert(key.into(), value.into());
        }
    };
    let mut to = rule.to.clone();
    let mut exclude = Vec::new();
    match &rule.what {
        What::File(path) => set("from", Some(&paths.write(path)?)),
        What::Directory(path) => {
            set("from", Some(&paths.write(path)?));
            set("directory-mode", flags.directory_mode.as_deref());
            exclude = rule.exclude.iter().chain(&flags.exclude).cloned().collect();
            to = format!("{}/", to.trim_end_matches('/'));
        }
        What::Content(text) => set("content", Some(text)),
        What::Symlink(target) => set("symlink", Some(target)),
    }
    set("to", Some(&to));
    if is_file(&rule.what) {
        set("mode", rule.mode.or(flags.mode.as_deref()));
        set("type", rule.mark);
    }
    set("owner", flags.owner.as_deref());
    set("group", flags.group.as_deref());
    if !exclude.is_empty() {
        table.insert("exclude".into(), Value::from(exclude));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_below_a_directory_has_rules_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["etc/a.conf", "usr/share/x/x.conf", "usr/bin/x"] {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        let root = Rule::new(What::Directory(folder.path().into()), "/");
        let config = ["/usr/share/x/x.conf".to_owned(), "/etc/a.conf".to_owned()];
        let rules = mark_config(vec![root.clone()], &config).unwrap();
        let places: Vec<_> = rules.iter().map(|rule| (rule.to.as_str(), rule.mark)).collect();
        let mark = Some("config-noreplace");
        assert_eq!(places, [("/", None), ("/etc/", mark), ("/usr/share/x/x.conf", mark)]);
        assert_eq!(rules[0].exclude, ["/etc/**", "/usr/share/x/x.conf"]);
        let missing = ["/usr/share/y".to_owned()];
        let error = mark_config(vec![root], &missing).unwrap_err();
        assert!(error.to_string().contains("--config /usr/share/y"), "{error}");
        let file = Rule::new(What::File("x".into()), "/etc/x.conf");
        assert_eq!(mark_config(vec![file], &[]).unwrap()[0].mark, mark);
    }
}
