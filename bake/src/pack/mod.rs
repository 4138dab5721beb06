//! From sources and flags to a recipe: what `bake pack` bakes is what `bake build` would bake from
//! the recipe that it can save.
//!
//! ```text
//! sources ──read──► Metadata, Layout ──┐
//!                                      ├──► Document ──► text, and who said each line
//! flags ───────────────────────────────┘
//! ```

mod archive;
mod document;
mod folder;
mod gem;
mod jar;
mod layout;
mod metadata;
mod npm;
mod pom;
mod requirement;
mod rules;
mod source;
mod stage;
mod text;
mod version;
mod wheel;
mod yaml;

use std::path::{Path, PathBuf};

use bake_recipes::resolved::Output;
use bake_recipes::{Place, RecipeError, RecipeErrors};
use toml::{Table, Value};

use crate::interrupt::{self, Guard};
use document::{Document, NoPlace};
use layout::{Layout, Rule, What};
use metadata::{Metadata, Told};
use rules::Paths;
use source::{Kind, Program, Source};

pub use document::Origin;
pub use rules::FileFlags;
pub use text::RecipeText;

/// What is to be packed, and what flags say about it.
#[derive(Debug)]
pub struct Order {
    /// What is packed; the first says what the package is.
    pub sources: Vec<Given>,
    /// The formats.
    pub outputs: Vec<Output>,
    /// Keys of the recipe that flags set, in the order in which they apply.
    pub settings: Vec<Setting>,
    /// What flags say about files.
    pub files: FileFlags,
    /// Whether what the sources need to run becomes dependencies.
    pub auto_depends: bool,
    /// The recipe's folder, absolute.
    pub base: PathBuf,
    /// What becomes of unpacked sources.
    pub keep: Keep,
}

/// What becomes of the sources that were unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// They are in a temporary folder, which the recipe names.
    Temporary,
    /// They are in a temporary folder, but the recipe names the one that they would be kept in.
    Shown,
    /// They are in the recipe's folder, which a saved recipe needs.
    Kept,
}

/// A source as it was given.
#[derive(Debug, Clone)]
pub struct Given {
    /// Where it is.
    pub path: PathBuf,
    /// Where it goes, as it is.
    pub to: Option<String>,
}

/// A key of the recipe that a flag sets.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The key with the tables it is in; a number is the place in an array.
    pub path: Vec<String>,
    /// The value.
    pub value: SettingValue,
    /// Whether the value is one more element of an array.
    pub append: bool,
    /// The flag.
    pub origin: Origin,
}

/// What a flag sets a key to.
#[derive(Debug, Clone)]
pub enum SettingValue {
    /// This value.
    Value(Value),
    /// The path of a file that is there.
    File(PathBuf),
}

/// A recipe that was made.
#[derive(Debug)]
pub struct Made {
    /// Its text, and who said each line.
    pub recipe: RecipeText,
    /// What people should know.
    pub notes: Vec<String>,
    unpacked: Unpacked,
}

/// The folder that archives were unpacked into: removed in the end unless it is kept.
#[derive(Debug)]
struct Unpacked {
    folder: Option<PathBuf>,
    guard: Option<Guard>,
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            fs_err::remove_dir_all(folder).ok();
        }
        self.guard = None;
    }
}

/// Reads the sources and makes the recipe that packs them.
pub fn make(order: &Order) -> Result<Made, RecipeErrors> {
    let kinds = kinds(order)?;
    let staged = kinds.iter().filter(|kind| kind.is_some_and(Kind::is_staged)).count();
    let (mut unpacked, stage) = new_stage(order, staged)?;
    let mut sources = Vec::new();
    let mut metadata = Metadata::default();
    for (given, kind) in order.sources.iter().zip(&kinds) {
        let Some(kind) = kind else { continue };
        let stem = archive::file_name(&given.path);
        let folder = if staged > 1 { stage.join(stem) } else { stage.clone() };
        let (found, source) = Source::read(&given.path, *kind, &folder)?;
        metadata.fill(found);
        sources.push(source);
    }
    let several = sources.iter_mut().filter_map(Source::program).count() > 1;
    sources.iter_mut().filter_map(Source::program).filter(|_| several).for_each(Program::keep_name);
    let mut document = Document::default();
    describe(&mut document, &metadata, &order.settings)?;
    let name = document.text("name").unwrap_or_default().to_owned();
    let layout = lay_out(order, &sources, &name, &document)?;
    let stage_name = stage_name(&document);
    let paths = Paths {
        base: order.base.clone(),
        stage_name: match order.keep {
            Keep::Temporary => stage.clone(),
            Keep::Shown | Keep::Kept => stage_name.clone().into(),
        },
        stage,
    };
    let mut notes = metadata.notes;
    fill(&mut document, order, layout, &paths, &mut notes)?;
    apply(&mut document, &order.settings, &paths, |_| true)?;
    require(&document, order)?;
    if order.keep == Keep::Kept && staged > 0 {
        unpacked.rename(&order.base.join(&stage_name))?;
    }
    let recipe = document.to_text(&header(order));
    Ok(Made { recipe, notes, unpacked })
}

/// Returns what each source is; `None` for those that are placed as they are.
fn kinds(order: &Order) -> Result<Vec<Option<Kind>>, RecipeError> {
    let kind = |given: &Given| match given.to {
        Some(_) => Ok(None),
        None => Kind::of(&given.path).map(Some),
    };
    order.sources.iter().map(kind).collect()
}

/// Makes the folder that archives are unpacked into, beside the recipe if it is to stay.
fn new_stage(order: &Order, staged: usize) -> Result<(Unpacked, PathBuf), RecipeError> {
    if staged == 0 {
        return Ok((Unpacked { folder: None, guard: None }, PathBuf::from("/nonexistent")));
    }
    let fail = |error: std::io::Error| RecipeError::new(format!("cannot unpack: {error}"));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".bake-pack-");
    let folder = match order.keep {
        Keep::Kept => builder.tempdir_in(&order.base),
        Keep::Temporary | Keep::Shown => builder.tempdir(),
    };
    let folder = folder.map_err(fail)?.keep();
    let guard = Some(interrupt::remove_on_interrupt(&folder));
    let stage = fs_err::canonicalize(&folder).map_err(fail)?;
    Ok((Unpacked { folder: Some(folder), guard }, stage))
}

impl Unpacked {
    fn rename(&mut self, to: &Path) -> Result<(), RecipeError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        if to.symlink_metadata().is_ok() {
            let reason = format!("`{}` is there already", to.display());
            return Err(RecipeError::new(reason)
                .hint("the sources of the saved recipe are unpacked there: move it away first"));
        }
        // A temporary folder is its owner's alone; the sources of a recipe are like other files.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(folder, open)
            .and_then(|()| fs_err::rename(folder, to))
            .map_err(|error| RecipeError::new(format!("cannot keep the sources: {error}")))?;
        self.guard = Some(interrupt::remove_on_interrupt(to));
        self.folder = Some(to.into());
        Ok(())
    }
}

impl Made {
    /// Keeps the folder of unpacked sources, which a saved recipe names.
    pub fn keep(&mut self) {
        self.unpacked.folder = None;
        self.unpacked.guard = None;
    }

    /// Returns errors about the recipe as errors about the flags that they come from.
    pub fn explain(&self, errors: RecipeErrors) -> RecipeErrors {
        errors.map(|error| self.explain_one(error))
    }

    /// Returns an error about the recipe as one about the flag that it comes from.
    pub fn explain_one(&self, error: RecipeError) -> RecipeError {
        let Some(place) = &error.place else { return error };
        match self.recipe.lines.get(place.line.saturating_sub(1)) {
            Some(Some(Origin::Flag { text, value })) => {
                let text = text.replace('\n', " ");
                let place = Place::of(&"the command line".into(), &text, &(*value..text.len()));
                RecipeError { place: Some(place), ..error }
            }
            Some(Some(Origin::Source(by))) if error.hint.is_none() => {
                let key = place.text.split([' ', '=']).next().unwrap_or_default().to_owned();
                error.hint(format!("the value is from {by}; give another with `--{key}`"))
            }
            _ => error,
        }
    }
}

/// Sets what the sources say, and what flags say of the same keys.
fn describe(
    document: &mut Document,
    metadata: &Metadata,
    settings: &[Setting],
) -> Result<(), RecipeError> {
    let told: [(&str, &Option<Told>); 9] = [
        ("name", &metadata.name),
        ("version", &metadata.version),
        ("summary", &metadata.summary),
        ("description", &metadata.description),
        ("license", &metadata.license),
        ("maintainer", &metadata.maintainer),
        ("vendor", &metadata.vendor),
        ("homepage", &metadata.homepage),
        ("vcs", &metadata.vcs),
    ];
    for (key, told) in told {
        let Some(Told { value, by }) = told else { continue };
        if value.is_empty() {
            continue;
        }
        let origin = Some(Origin::Source(by.clone()));
        document.set(&[key.to_owned()], value.as_str().into(), origin).map_err(internal)?;
    }
    if let Some(epoch) = metadata.epoch {
        document.set(&["epoch".to_owned()], epoch.into(), None).map_err(internal)?;
    }
    let none = Paths { base: PathBuf::new(), stage: PathBuf::new(), stage_name: PathBuf::new() };
    let of_top = |setting: &Setting| {
        setting.path.len() == 1
            && matches!(setting.value, SettingValue::Value(_))
            && !setting.append
    };
    apply(document, settings, &none, of_top)
}

fn internal(NoPlace(path): NoPlace) -> RecipeError {
    RecipeError::new(format!("`{path}` is no key that can be set"))
}

/// Applies the settings of flags.
fn apply(
    document: &mut Document,
    settings: &[Setting],
    paths: &Paths,
    wanted: impl Fn(&Setting) -> bool,
) -> Result<(), RecipeError> {
    for setting in settings.iter().filter(|setting| wanted(setting)) {
        let value = match &setting.value {
            SettingValue::Value(value) => value.clone(),
            SettingValue::File(path) => Value::String(paths.write(path)?),
        };
        let origin = Some(setting.origin.clone());
        let done = if setting.append {
            document.push(&setting.path, value, origin)
        } else {
            document.set(&setting.path, value, origin)
        };
        done.map_err(|NoPlace(path)| {
            let Origin::Flag { text, .. } = &setting.origin else { return internal(NoPlace(path)) };
            RecipeError::new(format!("{text}: `{path}` is no place for a value"))
        })?;
    }
    Ok(())
}

/// Finds out what goes where.
fn lay_out(
    order: &Order,
    sources: &[Source],
    name: &str,
    document: &Document,
) -> Result<Layout, RecipeError> {
    let mut layout = Layout::default();
    if !name.is_empty() && document.has("name") {
        for source in sources {
            source.place(name, order.files.prefix.as_deref(), &mut layout);
        }
    }
    for given in &order.sources {
        let Some(to) = &given.to else { continue };
        let metadata = fs_err::metadata(&given.path)
            .map_err(|error| archive::unreadable(&given.path, &error))?;
        let what = if metadata.is_dir() {
            What::Directory(given.path.clone())
        } else {
            What::File(given.path.clone())
        };
        layout.native = true;
        layout.rules.push(Rule::new(what, to));
    }
    layout.rules = rules::mark_config(layout.rules, &order.files.config)?;
    Ok(layout)
}

/// Writes what goes where and what it needs into the recipe.
fn fill(
    document: &mut Document,
    order: &Order,
    layout: Layout,
    paths: &Paths,
    notes: &mut Vec<String>,
) -> Result<(), RecipeError> {
    for rule in &layout.rules {
        let table = rules::table(rule, &order.files, paths)?;
        push(document, &["files"], Value::Table(table))?;
    }
    for output in &order.outputs {
        let empty = Value::Table(Table::new());
        document.set(&[output.word().to_owned()], empty, None).map_err(internal)?;
    }
    if order.auto_depends {
        let lists = [
            (Output::Deb, "depends", layout.deb_depends),
            (Output::Rpm, "requires", layout.rpm_requires),
        ];
        for (output, key, list) in lists {
            for relation in list.into_iter().filter(|_| order.outputs.contains(&output)) {
                push(document, &[output.word(), key, "append"], relation.into())?;
            }
        }
    }
    if !layout.native && !document.has("architecture") {
        document.set(&["architecture".to_owned()], "all".into(), None).map_err(internal)?;
    }
    if let Some(platform) = layout.platform.filter(|_| !document.has("platforms")) {
        push(document, &["platforms"], platform.to_string().into())?;
    }
    notes.extend(layout.notes);
    Ok(())
}

fn push(document: &mut Document, path: &[&str], value: Value) -> Result<(), RecipeError> {
    let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
    document.push(&path, value, None).map_err(internal)
}

/// Names everything that is missing at once, with the flag that gives it.
fn require(document: &Document, order: &Order) -> Result<(), RecipeErrors> {
    let needed = [
        ("name", "NAME"),
        ("version", "1.2.3"),
        ("summary", "'What it is, in one line'"),
        ("maintainer", "'Name <mail@example.com>'"),
    ];
    let for_deb = order.outputs.contains(&Output::Deb);
    let missing: Vec<(&str, &str)> = needed
        .into_iter()
        .filter(|(key, _)| !document.has(key) && (*key != "maintainer" || for_deb))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let keys: Vec<&str> = missing.iter().map(|(key, _)| *key).collect();
    let flags: Vec<String> =
        missing.iter().map(|(key, example)| format!("--{key} {example}")).collect();
    let error =
        RecipeError::new(format!("neither a flag nor the source says the {}", keys.join(", ")));
    let mut hint = format!("add {}", flags.join(" "));
    if keys.contains(&"maintainer") {
        hint.push_str(", or set DEBFULLNAME and DEBEMAIL");
    }
    Err(error.hint(hint).into())
}

/// Returns the name of the folder that the sources of a saved recipe stay in.
fn stage_name(document: &Document) -> String {
    let part = |key: &str| {
        let text = document.text(key).unwrap_or("source");
        let plain = |c: char| c.is_ascii_alphanumeric() || "+.-~".contains(c);
        text.chars().map(|c| if plain(c) { c } else { '-' }).collect::<String>()
    };
    format!("{}-{}.source", part("name"), part("version"))
}

fn header(order: &Order) -> Vec<String> {
    let names: Vec<String> =
        order.sources.iter().map(|given| archive::file_name(&given.path)).collect();
    vec![
        format!("Made by `bake pack` from {}.", names.join(", ").replace(char::is_control, " ")),
        "`bake build -f` this file makes the same packages; docs/recipe.md has all keys.".into(),
    ]
}
