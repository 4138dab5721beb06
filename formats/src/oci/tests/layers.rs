//! Trees that are split into layers.

use proptest::prelude::*;

use super::*;
use crate::oci::layer::Role;

fn rules(rows: &[(&str, &[&str])]) -> Layering {
    let rule = |(name, paths): &(&str, &[&str])| LayerRule {
        name: (*name).into(),
        paths: paths.iter().map(|text| path(text)).collect(),
    };
    Layering { rules: rows.iter().map(rule).collect() }
}

/// A tree of files, each with its name as its contents, and of hard links `a = b`.
fn tree_of(names: &[&str], store: &MemoryStore) -> FileTree {
    let mut builder = TreeBuilder::new();
    for name in names {
        let entry = if let Some((_, target)) = name.split_once(" = ") {
            Entry::new(Node::HardLink(path(target)), Mode::PLAIN)
        } else if name.ends_with('/') {
            Entry { mode: Mode::new(0o750).unwrap(), ..Entry::directory() }
        } else {
            store.put(name.as_bytes()).unwrap();
            Entry::file(Content::of(name.as_bytes()), Mode::PLAIN)
        };
        let name = name.split(" = ").next().unwrap();
        builder.insert(path(name.trim_end_matches('/')), entry).unwrap();
    }
    builder.finish().unwrap()
}

/// The names of each part, without directories that only lead somewhere.
fn parts(layering: &Layering, tree: &FileTree) -> Vec<(String, Vec<String>)> {
    let parts = layering.split(tree.clone()).unwrap();
    let names = |tree: &FileTree| {
        let named = tree.iter().filter(|(_, entry)| !entry.implied);
        named.map(|(path, _)| path.to_string()).collect()
    };
    parts.iter().map(|part| (part.name.clone().unwrap_or_default(), names(&part.tree))).collect()
}

#[test]
fn the_longest_path_decides() {
    let store = MemoryStore::new();
    let names = [
        "opt/app/",
        "opt/app/lib/",
        "opt/app/lib/a.jar",
        "opt/app/lib/own.jar",
        "opt/jre/bin/java",
        "x",
    ];
    let tree = tree_of(&names, &store);
    let layering = rules(&[
        ("runtime", &["opt/jre", "opt/app/lib/nothing"]),
        ("empty", &["opt/none"]),
        ("dependencies", &["opt/app/lib", "x/y"]),
        ("own", &["opt/app/lib/own.jar"]),
    ]);
    let expected = [
        ("runtime", vec!["/opt/jre/bin/java"]),
        ("dependencies", vec!["/opt/app", "/opt/app/lib", "/opt/app/lib/a.jar"]),
        ("own", vec!["/opt/app", "/opt/app/lib", "/opt/app/lib/own.jar"]),
        ("application", vec!["/opt/app", "/x"]),
    ];
    let expected = expected.map(|(name, paths)| {
        (name.to_owned(), paths.into_iter().map(str::to_owned).collect::<Vec<_>>())
    });
    assert_eq!(parts(&layering, &tree), expected);
}

#[test]
fn a_rule_for_the_root_takes_the_rest() {
    let store = MemoryStore::new();
    let tree = tree_of(&["a/x", "b"], &store);
    let found = parts(&rules(&[("all", &["/"]), ("b", &["b"])]), &tree);
    let expected = [("all", "/a/x"), ("b", "/b")];
    assert_eq!(found, expected.map(|(name, path)| (name.to_owned(), vec![path.to_owned()])));
}

#[test]
fn all_names_of_a_file_are_in_the_topmost_layer_of_any() {
    let store = MemoryStore::new();
    let tree = tree_of(&["a/x", "b/x = a/x", "c/x = a/x", "b/y", "c/y = b/y"], &store);
    let layering = rules(&[("a", &["a"]), ("c", &["c"]), ("b", &["b"])]);
    let found = parts(&layering, &tree);
    let all: Vec<_> = ["/a/x", "/b/x", "/b/y", "/c/x", "/c/y"].map(str::to_owned).into();
    assert_eq!(found, [("b".to_owned(), all)]);
}

#[test]
fn layers_say_what_they_hold() {
    let store = MemoryStore::new();
    let tree = tree_of(&["lib/a", "bin/b"], &store);
    for base in [None, Some(Made::new("a").base(&store))] {
        let image = Image { layering: rules(&[("libraries", &["lib"])]), base, ..plain() };
        let written = written(&image, &tree, &store);
        let below = written.images[0].base_layers;
        let own = &written.images[0].manifest.layers[below..];
        let names: Vec<_> = own
            .iter()
            .map(|layer| {
                let role = &layer.annotations[layer::LAYER_KEY];
                (role.as_str(), layer.annotations[layer::LAYER_NAME_KEY].as_str())
            })
            .collect();
        assert_eq!(names, [("payload", "libraries"), ("payload", "application")]);
        let files = Files::of(&layout::artifact(&written).unwrap(), &store);
        let read = Layout::read(&files.source()).unwrap();
        assert_eq!(read.model, image);
        assert_eq!(read.tree.id(), tree.id());
        let reader = LayoutReader::open(&files.source()).unwrap();
        let config = reader.documents(&written.root).unwrap().config;
        let comments: Vec<_> = config.history.iter().filter_map(|e| e.comment.clone()).collect();
        assert_eq!(comments, ["the tree: libraries", "the tree: application"]);
    }
}

/// skopeo and others that compress layers anew write descriptors without annotations; the
/// configuration stays.
#[test]
fn history_says_what_layers_are_for_if_their_descriptors_do_not() {
    let store = MemoryStore::new();
    let tree = tree_of(&["lib/a", "bin/b"], &store);
    let split = rules(&[("libraries", &["lib"])]);
    let images = [
        (full(), vec![Some(Role::Payload), Some(Role::Support)]),
        (
            Image { layering: split, base: Some(Made::new("a").base(&store)), ..plain() },
            vec![None, None, Some(Role::Payload), Some(Role::Payload)],
        ),
    ];
    for (image, expected) in images {
        let written = written(&image, &tree, &store);
        let files = Files::of(&layout::artifact(&written).unwrap(), &store);
        let reader = LayoutReader::open(&files.source()).unwrap();
        let mut documents = reader.documents(&written.root).unwrap();
        assert_eq!(documents.roles().unwrap(), expected);
        for layer in &mut documents.manifest.layers {
            layer.annotations.clear();
        }
        assert_eq!(documents.roles().unwrap(), expected);
        for step in &mut documents.config.history {
            step.created_by = Some("somebody".into());
        }
        assert_ne!(documents.roles().unwrap(), expected);
    }
}

#[test]
fn a_tree_of_nothing_is_no_layer_on_a_base_and_one_from_scratch() {
    let store = MemoryStore::new();
    for layering in [Layering::default(), rules(&[("a", &["a"])])] {
        for (base, expected) in [(None, 1), (Some(Made::new("a").base(&store)), 2)] {
            let image = Image { layering: layering.clone(), base, ..plain() };
            let written = written(&image, &FileTree::default(), &store);
            assert_eq!(written.images[0].manifest.layers.len(), expected);
            let files = Files::of(&layout::artifact(&written).unwrap(), &store);
            assert_eq!(Layout::read(&files.source()).unwrap().model, image);
            assert_eq!(Layout::verify(&files.source()).unwrap(), []);
        }
    }
}

#[test]
fn rejects_rules_that_contradict() {
    let many: Vec<_> =
        (0..MAX_WRITTEN_LAYERS).map(|n| (format!("l{n}"), format!("d{n}"))).collect();
    let rows = [
        (rules(&[("", &[])]), "expected letters, digits"),
        (rules(&[("a b", &[])]), "expected letters, digits"),
        (rules(&[("a", &[]), ("a", &[])]), "each layer's name once"),
        (rules(&[("application", &[])]), "each layer's name once"),
        (rules(&[("a", &["x"]), ("b", &["x"])]), "each path once"),
        (
            Layering {
                rules: many
                    .iter()
                    .map(|(name, dir)| LayerRule { name: name.clone(), paths: vec![path(dir)] })
                    .collect(),
            },
            "expected at most 127 layers, the base's 0 included",
        ),
    ];
    let store = MemoryStore::new();
    let mut names: Vec<_> = many.iter().map(|(_, dir)| format!("{dir}/f")).collect();
    names.push("rest".into());
    let tree = tree_of(&names.iter().map(String::as_str).collect::<Vec<_>>(), &store);
    for (layering, expected) in rows {
        let image = Image { layering, ..plain() };
        let error = cx(&store, 1, |cx| write(&image, &tree, cx)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Paths of two levels over a small alphabet, so that rules and files meet.
fn names() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set("[a-d]/[a-d]/[a-f]", 1..20)
        .prop_map(|names| names.into_iter().collect())
}

fn layerings() -> impl Strategy<Value = Layering> {
    let paths = proptest::collection::btree_set("[a-d](/[a-d](/[a-f])?)?", 0..8);
    (paths, 1..4_usize).prop_map(|(paths, count)| {
        let mut layering = Layering::default();
        for number in 0..count {
            layering.rules.push(LayerRule { name: format!("layer{number}"), paths: Vec::new() });
        }
        for (number, text) in paths.iter().enumerate() {
            layering.rules[number % count].paths.push(path(text));
        }
        layering
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_layering_gives_the_same_tree(
        names in names(), layering in layerings(), links in any::<[(prop::sample::Index, bool); 3]>(),
        on_base in any::<bool>(),
    ) {
        let store = MemoryStore::new();
        let mut texts = names.clone();
        for (number, (index, is_directory)) in links.iter().enumerate() {
            let target = index.get(&names);
            texts.push(if *is_directory {
                format!("{}z{number}/", &target[..2])
            } else {
                format!("{}y{number} = {target}", &target[..2])
            });
        }
        let tree = tree_of(&texts.iter().map(String::as_str).collect::<Vec<_>>(), &store);
        let base = on_base.then(|| Made::new("a").base(&store));
        let image = Image { layering, base, compression: Compression::NONE, ..plain() };
        let files = Files::of(&layout::artifact(&written(&image, &tree, &store)).unwrap(), &store);
        let read = Layout::read(&files.source()).unwrap();
        prop_assert_eq!(read.tree.id(), tree.id());
        prop_assert_eq!(read.model, image);
        prop_assert_eq!(Layout::verify(&files.source()).unwrap(), []);
    }

    #[test]
    fn a_change_of_one_file_changes_one_layer(
        names in names(), layering in layerings(), changed in any::<prop::sample::Index>(),
    ) {
        let store = MemoryStore::new();
        let texts: Vec<_> = names.iter().map(String::as_str).collect();
        let before = tree_of(&texts, &store);
        store.put(b"changed").unwrap();
        let chosen: &String = changed.get(&names);
        let chosen = path(chosen);
        let mut builder = TreeBuilder::new();
        for (at, entry) in before.iter() {
            let entry = if *at == chosen {
                Entry::file(Content::of(b"changed"), Mode::PLAIN)
            } else {
                entry.clone()
            };
            builder.insert(at.clone(), entry).unwrap();
        }
        let image = Image { layering, compression: Compression::NONE, ..plain() };
        let layers = |tree: &FileTree| {
            written(&image, tree, &store).images[0].manifest.layers.clone()
        };
        let (before, after) = (layers(&before), layers(&builder.finish().unwrap()));
        prop_assert_eq!(before.len(), after.len());
        prop_assert_eq!(before.iter().zip(&after).filter(|(a, b)| a != b).count(), 1);
    }
}
