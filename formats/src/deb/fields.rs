//! The model as control fields and back, and what the fields must be like.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::control::{Paragraph, check_name};
use super::model::{MultiArch, Package, RelationField};
use super::relation::{
    Operator, Relation, RelationError, Relations, check_architecture, check_package_name,
};
use super::version::Version;
use super::{NAME, capabilities};
use crate::format::WriteError;
use crate::tree::TreeId;

/// The canonical order of fields, as dpkg prints them. Others follow by name.
const ORDER: [&str; 35] = [
    "Package",
    "Package-Type",
    "Source",
    "Version",
    "Kernel-Version",
    "Built-For-Profiles",
    "Auto-Built-Package",
    "Architecture",
    "Subarchitecture",
    "Installer-Menu-Item",
    "Build-Essential",
    "Essential",
    "Protected",
    "Origin",
    "Bugs",
    "Maintainer",
    "Installed-Size",
    "Pre-Depends",
    "Depends",
    "Recommends",
    "Suggests",
    "Enhances",
    "Conflicts",
    "Breaks",
    "Replaces",
    "Provides",
    "Built-Using",
    "Static-Built-Using",
    "Section",
    "Priority",
    "Multi-Arch",
    "Homepage",
    "Description",
    "Tag",
    "Task",
];
/// Fields that the model has places for, or that follow from the tree.
const MODELLED: [&str; 11] = [
    "Package",
    "Source",
    "Version",
    "Architecture",
    "Maintainer",
    "Installed-Size",
    "Section",
    "Priority",
    "Multi-Arch",
    "Homepage",
    "Description",
];
/// The field that holds the tree's identity.
pub(super) const TREE_ID: &str = "Bake-Tree";
/// The field that lists files that are not of the tree.
pub(super) const DOCUMENTS: &str = "Bake-Documents";
/// The field that lists what `postinst` gives to files.
pub(super) const CAPABILITIES: &str = "Bake-Capabilities";
/// The fields that only packages of ours have.
const OWN: [&str; 3] = [TREE_ID, DOCUMENTS, CAPABILITIES];

/// The priorities of Debian Policy 2.5.
const PRIORITIES: [&str; 5] = ["required", "important", "standard", "optional", "extra"];

/// A field that holds what it must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FieldError {
    pub(super) field: String,
    pub(super) reason: String,
}

impl FieldError {
    pub(super) fn new(field: impl Into<String>, reason: impl Display) -> Self {
        Self { field: field.into(), reason: reason.to_string() }
    }
}

impl From<FieldError> for WriteError {
    fn from(FieldError { field, reason }: FieldError) -> Self {
        Self::Field { format: NAME, field, reason }
    }
}

/// Returns the control paragraph of a package whose files take `installed_size` KiB, with fields
/// that follow from the files.
pub(super) fn to_paragraph(
    model: &Package,
    installed_size: u64,
    added: [(&'static str, Option<String>); 2],
) -> Result<Paragraph, FieldError> {
    let mut values: BTreeMap<(usize, &str), String> = BTreeMap::new();
    let mut put = |name, value: String| values.insert((rank(name), name), value);
    put("Package", model.name.clone());
    put("Version", model.version.to_string());
    put("Architecture", model.architecture.clone());
    put("Maintainer", model.maintainer.clone());
    put("Installed-Size", installed_size.to_string());
    put("Description", fold_description(&model.synopsis, &model.description)?);
    for (field, relations) in &model.relations {
        put(field.name(), relations.to_string());
    }
    let optional = [
        ("Source", &model.source),
        ("Section", &model.section),
        ("Priority", &model.priority),
        ("Homepage", &model.homepage),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            put(name, value.clone());
        }
    }
    if let Some(multi_arch) = model.multi_arch {
        put("Multi-Arch", multi_arch.word().into());
    }
    let added = added.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let tree_id = model.tree_id.map(|id| (TREE_ID, id.to_string()));
    for (name, value) in added.chain(tree_id) {
        put(name, value);
    }
    for (name, value) in &model.fields {
        if is_modelled(name) {
            return Err(FieldError::new(name, "it has a place of its own in the model"));
        }
        put(name, value.clone());
    }
    let mut paragraph = Paragraph::new();
    for ((_, name), value) in values {
        check(name, &value)?;
        paragraph.push(name, value).map_err(|error| match error {
            super::ControlError::Field { field, reason } => FieldError::new(field, reason),
            super::ControlError::Line { .. } => FieldError::new(name, error),
        })?;
    }
    Ok(paragraph)
}

fn rank(name: &str) -> usize {
    ORDER.iter().position(|known| is(name, known)).unwrap_or(usize::MAX)
}

/// Returns whether a field has a place of its own, so that it cannot be among the others.
fn is_modelled(name: &str) -> bool {
    let relations = RelationField::ALL.map(RelationField::name);
    let mut known = MODELLED.iter().chain(&relations).chain(&OWN);
    known.any(|known| is(name, known))
}

/// Checks one field's value, by its name.
pub(super) fn check(name: &str, value: &str) -> Result<(), FieldError> {
    let fail = |reason: &dyn Display| Err(FieldError::new(name, reason));
    if let Err(reason) = check_name(name) {
        return fail(&reason);
    }
    if value.is_empty() {
        return fail(&"it is empty");
    }
    let is_folded = !is_modelled(name) || is(name, "Description") || is(name, CAPABILITIES);
    if value.contains(|c: char| c.is_control() && !(is_folded && matches!(c, '\n' | '\t'))) {
        return fail(&"it has a control character");
    }
    let relation = RelationField::ALL.into_iter().find(|field| is(name, field.name()));
    if let Some(field) = relation {
        return check_relations(field, value);
    }
    let result = match canonical(name) {
        "Package" => check_package_name(value).map_err(Into::into),
        "Source" => check_source(value),
        "Version" => value.parse::<Version>().map(drop).map_err(|error| error.to_string()),
        "Architecture" => check_architecture(value).map_err(Into::into),
        "Maintainer" => check_maintainer(value).map_err(Into::into),
        "Installed-Size" => value.parse::<u64>().map(drop).map_err(|error| error.to_string()),
        "Section" => check_section(value).map_err(Into::into),
        "Priority" if !PRIORITIES.contains(&value) => {
            Err(format!("expected one of {}", PRIORITIES.join(", ")))
        }
        "Multi-Arch" => parse_multi_arch(value).map(drop),
        "Homepage" => check_homepage(value).map_err(Into::into),
        "Description" => unfold_description(value).map(drop).map_err(|error| error.reason),
        "Bugs" => check_bugs(value).map_err(Into::into),
        "Built-Using" | "Static-Built-Using" => check_built_using(value),
        CAPABILITIES => capabilities::parse(value).map(drop).map_err(|error| error.reason),
        TREE_ID => value.parse::<TreeId>().map(drop).map_err(|error| error.to_string()),
        "Essential" | "Protected" | "Build-Essential" if !["yes", "no"].contains(&value) => {
            Err("expected yes or no".into())
        }
        _ => Ok(()),
    };
    result.or_else(|reason| fail(&reason))
}

fn is(name: &str, known: &str) -> bool {
    name.eq_ignore_ascii_case(known)
}

/// Returns the known spelling of a field's name, else the name itself.
fn canonical(name: &str) -> &str {
    ORDER.iter().chain(&OWN).find(|known| is(name, known)).map_or(name, |known| known)
}

fn check_relations(field: RelationField, value: &str) -> Result<(), FieldError> {
    let fail = |reason: &dyn Display| Err(FieldError::new(field.name(), reason));
    let relations: Relations = match value.parse() {
        Ok(relations) => relations,
        Err(error) => return fail(&error),
    };
    for alternatives in relations.iter() {
        if alternatives.len() > 1 && !field.allows_alternatives() {
            return fail(&format!("`{alternatives}`: alternatives are not allowed here"));
        }
        let is_inexact = |operator| field == RelationField::Provides && operator != Operator::Equal;
        for relation in alternatives.iter() {
            if relation.version.as_ref().is_some_and(|(operator, _)| is_inexact(*operator)) {
                return fail(&format!("`{relation}`: only `=` is allowed here"));
            }
        }
    }
    Ok(())
}

fn check_source(value: &str) -> Result<(), String> {
    let (name, version) = match value.split_once(" (") {
        None => (value, None),
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(version) => (name, Some(version)),
            None => return Err("expected `name` or `name (version)`".into()),
        },
    };
    check_package_name(name)?;
    match version.map(str::parse::<Version>) {
        None | Some(Ok(_)) => Ok(()),
        Some(Err(error)) => Err(error.to_string()),
    }
}

fn check_maintainer(value: &str) -> Result<(), &'static str> {
    let form = "expected `Name <mail address>`";
    let (name, mail) = value.strip_suffix('>').and_then(|v| v.split_once(" <")).ok_or(form)?;
    let is_plain = |text: &str| !text.trim().is_empty() && !text.contains(['<', '>']);
    let is_mail = mail.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty() && !host.is_empty() && !mail.contains(char::is_whitespace)
    });
    if is_plain(name) && is_plain(mail) && is_mail { Ok(()) } else { Err(form) }
}

fn check_section(value: &str) -> Result<(), &'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-./_".contains(c);
    let has_parts = value.split('/').count() <= 2 && value.split('/').all(|part| !part.is_empty());
    if has_parts && value.chars().all(is_plain) {
        return Ok(());
    }
    Err("expected a section such as `net` or `non-free/net`")
}

fn check_homepage(value: &str) -> Result<(), &'static str> {
    let (scheme, rest) = value.split_once("://").ok_or("expected a URL")?;
    let is_scheme = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric());
    if is_scheme && !rest.is_empty() && !value.contains(char::is_whitespace) {
        return Ok(());
    }
    Err("expected a URL")
}

/// deb-control(5): `bts-type://bts-address`.
fn check_bugs(value: &str) -> Result<(), &'static str> {
    let is_mail = value.strip_prefix("mailto:").is_some_and(|mail| mail.contains('@'));
    if is_mail { Ok(()) } else { check_homepage(value) }
}

/// Debian Policy 7.8: sources, each with the one version that was used.
fn check_built_using(value: &str) -> Result<(), String> {
    let relations: Relations = value.parse().map_err(|error: RelationError| error.to_string())?;
    for source in relations.iter() {
        let is_exact = |relation: &Relation| {
            relation.version.as_ref().is_some_and(|(operator, _)| *operator == Operator::Equal)
        };
        if source.len() != 1 || !source.iter().all(is_exact) {
            return Err(format!("`{source}`: expected one source and `(= version)`"));
        }
    }
    Ok(())
}

fn parse_multi_arch(value: &str) -> Result<MultiArch, String> {
    let found = MultiArch::ALL.into_iter().find(|known| known.word() == value);
    found.ok_or_else(|| "expected no, same, foreign or allowed".into())
}

/// Returns the value of `Description`: empty lines become `.`.
fn fold_description(synopsis: &str, text: &str) -> Result<String, FieldError> {
    let fail = |reason| Err(FieldError::new("Description", reason));
    if synopsis.is_empty() {
        return fail("the synopsis is empty");
    }
    if synopsis.contains('\n') {
        return fail("the synopsis is more than one line");
    }
    let mut value = synopsis.to_owned();
    if text.is_empty() {
        return Ok(value);
    }
    for line in text.split('\n') {
        if line.starts_with('.') {
            return fail("a line of it starts with a full stop");
        }
        value.push('\n');
        value.push_str(if line.is_empty() { "." } else { line });
    }
    Ok(value)
}

/// Returns the synopsis and the text of a `Description`.
fn unfold_description(value: &str) -> Result<(String, String), FieldError> {
    let fail = |reason| Err(FieldError::new("Description", reason));
    let (synopsis, rest) = value.split_once('\n').unwrap_or((value, ""));
    if synopsis.is_empty() {
        return fail("the synopsis is empty");
    }
    let lines: Vec<&str> =
        rest.split('\n').map(|line| if line == "." { "" } else { line }).collect();
    if lines.iter().any(|line| line.starts_with('.')) {
        return fail("a line of it starts with a full stop");
    }
    Ok((synopsis.into(), lines.join("\n")))
}

/// Takes the model's fields out of a paragraph; what has no place of its own goes to `fields`.
///
/// Text is taken as it is, so that packages of less strict tools can be looked at; [`check`] tells
/// what is wrong with it. What is no value of its field, but would not keep dpkg from installing
/// the package, goes to `fields` too. Control files, removed conffiles and compression are not in
/// the paragraph.
pub(super) fn from_paragraph(paragraph: &Paragraph) -> Result<Package, FieldError> {
    let optional =
        |name: &str| paragraph.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
    let required =
        |name: &str| optional(name).ok_or_else(|| FieldError::new(name, "it is missing"));
    let version = required("Version")?;
    let version = version.parse().map_err(|error| FieldError::new("Version", error))?;
    let mut model = Package::new(&required("Package")?, version, &required("Architecture")?);
    model.source = optional("Source");
    model.maintainer = optional("Maintainer").unwrap_or_default();
    model.section = optional("Section");
    model.priority = optional("Priority");
    model.homepage = optional("Homepage");
    if let Some(word) = optional("Multi-Arch") {
        match parse_multi_arch(&word) {
            Ok(multi_arch) => model.multi_arch = Some(multi_arch),
            Err(_) => drop(model.fields.insert("Multi-Arch".into(), word)),
        }
    }
    if let Some(id) = optional(TREE_ID) {
        model.tree_id = Some(id.parse().map_err(|error| FieldError::new(TREE_ID, error))?);
    }
    if let Some(text) = optional("Description") {
        match unfold_description(&text) {
            Ok(both) => (model.synopsis, model.description) = both,
            Err(_) => drop(model.fields.insert("Description".into(), text)),
        }
    }
    for field in RelationField::ALL {
        if let Some(text) = optional(field.name()) {
            match text.parse() {
                Ok(relations) => drop(model.relations.insert(field, relations)),
                Err(_) => drop(model.fields.insert(field.name().into(), text)),
            }
        }
    }
    for (name, value) in paragraph.iter().filter(|(_, value)| !value.is_empty()) {
        if !is_modelled(name) {
            model.fields.insert(name.into(), value.into());
        }
    }
    Ok(model)
}
