//! Laying what was found into one tree for each output.

use std::collections::BTreeMap;
use std::sync::Arc;

use bake_formats::tree::{
    Content, Entry, FileTree, Mark, Mode, Node, TreeBuilder, TreeError, TreePath,
};
use bake_recipes::resolved::{FileRule, GeneratedFile, Output, Recipe};
use bake_recipes::{Place, RecipeError};

use super::contents::SourceFiles;
use super::places::EntryPlaces;
use super::scan::{Item, ItemKind, Scan};
use crate::entry;
use crate::parallel::both;

/// The trees of all outputs, and where their contents are.
#[derive(Debug)]
pub struct Trees {
    /// The tree of each output that is baked; outputs with equal rules share one.
    pub trees: BTreeMap<Output, Arc<FileTree>>,
    /// Where contents are.
    pub sources: SourceFiles,
    /// The line of the recipe that each entry comes from.
    pub places: EntryPlaces,
}

/// Lays what was found into the tree of each output.
pub fn compose(recipe: &Recipe, scan: &Scan, contents: &[Content]) -> Result<Trees, RecipeError> {
    let generated = entry::generated_files(recipe)?;
    let sources = || sources(scan, contents, &generated);
    let (sources, laid) = both(sources, || lay(recipe, scan, contents, &generated));
    let (trees, places) = laid?;
    Ok(Trees { trees, sources, places })
}

/// Returns where the contents of everything are.
fn sources(scan: &Scan, contents: &[Content], generated: &[GeneratedFile]) -> SourceFiles {
    let mut sources = SourceFiles::of_many(scan.files.len());
    for (file, content) in scan.files.iter().zip(contents) {
        sources.insert_file(content.digest, file.path.clone(), file.stamp);
    }
    for item in scan.items.iter().flatten() {
        if let ItemKind::Inline(text) = &item.kind {
            sources.insert_bytes(text);
        }
    }
    for file in generated {
        sources.insert_bytes(&file.contents);
    }
    sources
}

/// Returns the tree of each output, and which line of the recipe each entry comes from.
fn lay(
    recipe: &Recipe,
    scan: &Scan,
    contents: &[Content],
    generated: &[GeneratedFile],
) -> Result<(BTreeMap<Output, Arc<FileTree>>, EntryPlaces), RecipeError> {
    let mut trees: BTreeMap<Output, Arc<FileTree>> = BTreeMap::new();
    let mut places = Vec::new();
    let mut made: Vec<(Vec<bool>, Arc<FileTree>)> = Vec::new();
    for output in recipe.outputs() {
        let rules: Vec<bool> = recipe.files.iter().map(|rule| rule.is_for(output)).collect();
        if let Some((_, tree)) = made.iter().find(|(same, _)| *same == rules) {
            trees.insert(output, Arc::clone(tree));
            continue;
        }
        let mut composer = Composer { contents, builder: TreeBuilder::new(), places: Vec::new() };
        for ((rule, items), wanted) in recipe.files.iter().zip(&scan.items).zip(&rules) {
            if *wanted {
                composer.rule(rule, items)?;
            }
        }
        for file in generated {
            let place = file.place.clone().map(Arc::new);
            let content = Content::of(&file.contents);
            composer.insert(&file.path, Entry::file(content, file.mode), place.as_ref())?;
        }
        let (tree, mut new) = composer.finish(recipe, scan, &rules)?;
        check_destinations(recipe, &tree, &new)?;
        places.append(&mut new);
        let tree = Arc::new(tree);
        made.push((rules, Arc::clone(&tree)));
        trees.insert(output, tree);
    }
    Ok((trees, places.into_iter().collect()))
}

/// Refuses files at paths where configuration is rendered: one of the two would be lost.
fn check_destinations(
    recipe: &Recipe,
    tree: &FileTree,
    places: &[Placed],
) -> Result<(), RecipeError> {
    for destination in recipe.config.destinations() {
        let Ok(path) = TreePath::parse(destination) else { continue };
        if tree.get(&path).is_none() {
            continue;
        }
        let error = match placed(places, &path).or(recipe.config.place.as_ref()) {
            Some(place) => place
                .error(format!("`{path}` is in the payload, and `[config]` renders a file there")),
            None => RecipeError::new(format!(
                "`{path}` is in the payload, and `[config]` renders a file there"
            )),
        };
        return Err(error.hint("leave one of the two out"));
    }
    Ok(())
}

/// An entry and the rule that made it.
type Placed = (TreePath, Arc<Place>);

/// Returns the line of the rule that made an entry; asked only of what is wrong.
fn placed<'p>(places: &'p [Placed], path: &TreePath) -> Option<&'p Place> {
    places.iter().rfind(|(other, _)| other == path).map(|(_, place)| &**place)
}

struct Composer<'a> {
    contents: &'a [Content],
    builder: TreeBuilder,
    /// The rule that made each entry, for errors about two that claim one path.
    places: Vec<Placed>,
}

impl Composer<'_> {
    fn rule(&mut self, rule: &FileRule, items: &[Item]) -> Result<(), RecipeError> {
        let mut names: BTreeMap<usize, TreePath> = BTreeMap::new();
        let place = Arc::new(rule.place.clone());
        for item in items {
            let mut entry = match &item.kind {
                ItemKind::WalkedDirectory => continue,
                ItemKind::Directory => directory(rule),
                ItemKind::File { file, executable, linked } => {
                    let mode = if *executable { Mode::EXECUTABLE } else { Mode::PLAIN };
                    let first = if *linked { names.get(file).cloned() } else { None };
                    let node = if let Some(first) = first {
                        Node::HardLink(first)
                    } else {
                        if *linked {
                            names.insert(*file, item.to.clone());
                        }
                        Node::File(self.contents[*file])
                    };
                    Entry::new(node, rule.mode.unwrap_or(mode))
                }
                ItemKind::Inline(text) => {
                    Entry::file(Content::of(text), rule.mode.unwrap_or(Mode::PLAIN))
                }
                ItemKind::Symlink(target) => Entry::symlink(target.clone()),
                ItemKind::Device(kind, major, minor) => {
                    let node = Node::Device { kind: *kind, major: *major, minor: *minor };
                    Entry::new(node, rule.mode.unwrap_or(Mode::PLAIN))
                }
                ItemKind::Fifo => Entry::new(Node::Fifo, rule.mode.unwrap_or(Mode::PLAIN)),
                ItemKind::Ghost => {
                    let mut ghost = Entry::file(Content::of(b""), rule.mode.unwrap_or(Mode::PLAIN));
                    ghost.mark = Mark::Ghost;
                    ghost
                }
            };
            entry.owner = rule.owner.clone();
            entry.group = rule.group.clone();
            if matches!(entry.node, Node::File(_) | Node::HardLink(_)) && entry.mark != Mark::Ghost
            {
                entry.mark = rule.mark;
                entry.language = rule.language.as_deref().map(Arc::from);
                entry.xattrs = rule.xattrs.clone();
            }
            self.insert(&item.to, entry, Some(&place))?;
        }
        Ok(())
    }

    fn insert(
        &mut self,
        path: &TreePath,
        entry: Entry,
        place: Option<&Arc<Place>>,
    ) -> Result<(), RecipeError> {
        let result = self.builder.insert(path.clone(), entry);
        match (result, place) {
            (Ok(()), place) => {
                self.places.extend(place.map(|place| (path.clone(), Arc::clone(place))));
                Ok(())
            }
            (Err(error), place) => Err(self.error(path, &error, place.map(Arc::as_ref))),
        }
    }

    fn error(&self, path: &TreePath, error: &TreeError, place: Option<&Place>) -> RecipeError {
        let placed = placed(&self.places, path);
        let first = placed.filter(|_| matches!(error, TreeError::Duplicate { .. }));
        let message = match first {
            Some(first) => format!("{error}; the other is at {first}"),
            None => error.to_string(),
        };
        match place.or(placed) {
            Some(place) => place.error(message),
            None => RecipeError::new(message),
        }
    }

    /// Adds the directories found on the way where nobody asked for anything else.
    fn finish(
        mut self,
        recipe: &Recipe,
        scan: &Scan,
        rules: &[bool],
    ) -> Result<(FileTree, Vec<Placed>), RecipeError> {
        for ((rule, items), wanted) in recipe.files.iter().zip(&scan.items).zip(rules) {
            let place = Arc::new(rule.place.clone());
            let walked = items.iter().filter(|item| item.kind == ItemKind::WalkedDirectory);
            for item in walked.filter(|_| *wanted) {
                let there = self.builder.get(&item.to).is_some_and(Entry::is_directory);
                if !there && !item.to.is_root() {
                    self.insert(&item.to, directory(rule), Some(&place))?;
                }
            }
        }
        let Self { builder, places, .. } = self;
        let tree = builder.finish().map_err(|error| {
            let path = match &error {
                TreeError::NotADirectory { path, .. }
                | TreeError::DanglingHardLink { path, .. }
                | TreeError::ImpossibleTarget { path }
                | TreeError::Duplicate { path } => Some(path),
                TreeError::RootNotADirectory => None,
            };
            match path.and_then(|path| placed(&places, path)) {
                Some(place) => place.error(error.to_string()),
                None => RecipeError::new(error.to_string()),
            }
        })?;
        Ok((tree, places))
    }
}

fn directory(rule: &FileRule) -> Entry {
    let mut entry = Entry::new(Node::Directory, rule.directory_mode.unwrap_or(Mode::EXECUTABLE));
    entry.owner = rule.owner.clone();
    entry.group = rule.group.clone();
    entry
}
