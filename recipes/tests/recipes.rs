//! Every recipe in `testdata/recipes`: the valid ones resolve, the invalid ones say why not.

use std::path::{Path, PathBuf};

use bake_formats::tree::TreePath;
use bake_recipes::resolved::{
    Base, BaseImage, BaseLayers, BaseSource, DebRelation, LayerSplit, NamedLayer, Oci, Output,
    Recipe, TimeZones,
};
use bake_recipes::{Look, RecipeErrors, ResolveCx, load, resolve};

/// Anything that goes wrong here is the test's own fault.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/recipes").join(name)
}

/// Returns the recipes of a folder in the order of their names.
fn recipes(name: &str) -> Outcome<Vec<PathBuf>> {
    let mut all = Vec::new();
    for file in fs_err::read_dir(folder(name))? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

/// Resolves the text of a recipe in the folder of the project that the versions come from.
fn resolved(path: &Path) -> Outcome<Result<Recipe, RecipeErrors>> {
    let text = fs_err::read_to_string(path)?;
    let written = match load::parse("bake.toml", &text) {
        Ok(written) => written,
        Err(errors) => return Ok(Err(errors)),
    };
    let env = |name: &str| (name == "BUILD_VERSION").then(|| "v2.0.0".to_owned());
    let base = folder("project");
    let cx = ResolveCx { platform: "linux/amd64".parse()?, env: &env, base: &base };
    Ok(resolve(&written, cx))
}

#[test]
fn valid_recipes_resolve() -> Outcome<()> {
    let all = recipes("valid")?;
    assert!(all.len() >= 5, "found only {}", all.len());
    for path in all {
        if let Err(errors) = resolved(&path)? {
            panic!("{}\n{}", path.display(), errors.render(Look::Plain));
        }
    }
    Ok(())
}

/// With `BAKE_BLESS=1` the messages are written instead of compared.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test that rewrites its expectations on demand")]
fn invalid_recipes_say_what_is_wrong() -> Outcome<()> {
    let bless = std::env::var("BAKE_BLESS").is_ok_and(|value| value == "1");
    let all = recipes("invalid")?;
    assert!(all.len() >= 345, "found only {}", all.len());
    let mut wrong = Vec::new();
    for path in all {
        let name = path.display();
        let Err(errors) = resolved(&path)? else {
            wrong.push(format!("{name} is accepted"));
            continue;
        };
        let found = errors.render(Look::Plain) + "\n";
        let message = path.with_extension("txt");
        if bless {
            fs_err::write(&message, &found)?;
        }
        let expected = fs_err::read_to_string(&message).unwrap_or_else(|error| error.to_string());
        if expected != found {
            wrong.push(format!("{name}\nexpected:\n{expected}\nfound:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn every_message_has_its_recipe() -> Outcome<()> {
    for file in fs_err::read_dir(folder("invalid"))? {
        let path = file?.path();
        assert!(path.with_extension("toml").exists(), "{} is alone", path.display());
    }
    Ok(())
}

/// Every key that the JSON Schema knows is used in the recipe that uses every key.
#[test]
fn the_full_recipe_has_every_key() -> Outcome<()> {
    let text = fs_err::read_to_string(folder("valid").join("full.toml"))?;
    let schema = bake_recipes::json_schema();
    let mut tables = vec![&schema];
    tables.extend(schema["$defs"].as_object().into_iter().flat_map(|tables| tables.values()));
    let words: Vec<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').collect();
    let alternatives = ["content", "symlink", "directory", "from", "env"];
    for table in tables {
        for key in table["properties"].as_object().into_iter().flat_map(|keys| keys.keys()) {
            let there = words.contains(&key.as_str()) || alternatives.contains(&key.as_str());
            assert!(there, "`{key}` is not in full.toml");
        }
    }
    Ok(())
}

#[test]
fn a_recipe_means_what_it_says() -> Outcome<()> {
    let recipe = resolved(&folder("valid").join("full.toml"))??;
    let deb = recipe.deb.ok_or("no deb")?;
    assert_eq!(deb.version, "1:1.4.0~rc1+git.4-2~bpo12");
    let texts = |list: &[DebRelation]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(texts(&deb.depends), ["openssl (>= 3.0)", "tzdata", "libc6 (>= 2.31)"]);
    assert_eq!(texts(&deb.recommends), [""; 0]);
    assert_eq!(texts(&deb.conflicts), ["catalog-ng (<< 2)", "old-catalog", "catalogue"]);
    let rpm = recipe.rpm.ok_or("no rpm")?;
    assert_eq!((&*rpm.version, &*rpm.release), ("1.4.0~rc1+git.4", "2.el9"));
    let requires: Vec<_> = rpm.requires.iter().map(ToString::to_string).collect();
    let expected =
        ["openssl >= 3.0", "tzdata", "ca-certificates", "glibc >= 2.28", "(systemd or openrc)"];
    assert_eq!(requires, expected);
    let oci = recipe.oci.ok_or("no image")?;
    let ports: Vec<_> = oci.ports.iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["8080/tcp", "9090/tcp"]);
    assert_eq!(oci.env, [("MODE".to_owned(), "image".to_owned())]);
    assert_eq!(oci.platforms.len(), 2);
    // A prerelease leaves out the tags that only releases set.
    assert_eq!(oci.tags, ["nightly"]);
    let layer = NamedLayer {
        name: "pages".into(),
        paths: vec![TreePath::parse("/usr/share/catalog")?, TreePath::parse("/usr/share/locale")?],
    };
    assert_eq!(oci.layers, LayerSplit::Named(vec![layer]));
    assert_eq!((oci.accounts, oci.index, oci.max_layers), (true, true, 8));
    let zones = ["Europe/Berlin", "UTC"].map(String::from).to_vec();
    assert_eq!(oci.time_zones, Some(TimeZones::Named(zones)));
    assert_eq!(recipe.source_date.map(|date| date.0), Some(1_769_860_800));
    // One rule for arm is left out; two for amd64 are for different outputs.
    assert_eq!(recipe.files.len(), 9);
    let first = recipe.files.first().ok_or("no files")?;
    assert_eq!(first.place.to_string(), "bake.toml:96:8");
    assert_eq!(first.formats, [Output::Rpm, Output::Oci, Output::Vm]);
    Ok(())
}

/// What an `[oci]` table means in a recipe of some version.
fn image(version: &str, table: &str) -> Outcome<Oci> {
    let text = format!("name = \"aa\"\nversion = \"{version}\"\nsummary = \"A\"\n[oci]\n{table}");
    let written = load::parse("bake.toml", &text)?;
    let base = folder("project");
    let cx = ResolveCx { platform: "linux/amd64".parse()?, env: &|_| None, base: &base };
    Ok(resolve(&written, cx)?.oci.ok_or("no image")?)
}

#[test]
fn tags_follow_the_version_of_releases_only() -> Outcome<()> {
    let words = "tags = [\"latest\", \"major.minor\", \"major\", \"edge\"]";
    let cases: [(&str, &[&str]); 5] = [
        ("1.4.2", &["latest", "1.4", "1", "edge"]),
        ("1.4", &["latest", "1", "edge"]),
        ("1.4.2-rc.1", &["edge"]),
        ("1.4.2+git.3.g0123456789ab", &["edge"]),
        ("2024.10.1.7", &["latest", "2024.10", "2024", "edge"]),
    ];
    for (version, expected) in cases {
        assert_eq!(image(version, words)?.tags, expected, "{version}");
    }
    Ok(())
}

#[test]
fn appliances_and_boxes_are_for_amd64() -> Outcome<()> {
    for (format, is_for_arm) in
        [("raw", true), ("gce", true), ("ova", false), ("vagrant-libvirt", false)]
    {
        let text = format!(
            "name = \"aa\"\nversion = \"1\"\nsummary = \"A\"\n[vm]\n\
             base = {{ rootfs = \"root.tar\" }}\nformats = [\"{format}\"]"
        );
        let written = load::parse("bake.toml", &text)?;
        let base = folder("project");
        let of = |platform: &str| -> Outcome<Result<Recipe, RecipeErrors>> {
            let cx = ResolveCx { platform: platform.parse()?, env: &|_| None, base: &base };
            Ok(resolve(&written, cx))
        };
        of("linux/amd64")??;
        match of("linux/arm64")? {
            Ok(_) => assert!(is_for_arm, "{format}"),
            Err(errors) => {
                let text = errors.render(Look::Plain);
                assert!(!is_for_arm, "{text}");
                assert!(text.contains(&format!("`{format}` is for amd64, not linux/arm64")));
            }
        }
    }
    Ok(())
}

#[test]
fn bases_are_found_where_they_are_named() -> Outcome<()> {
    let local = |path: &str, name: Option<&str>| BaseSource::Local {
        path: path.into(),
        name: name.map(str::to_owned),
    };
    let cases = [
        ("debian", BaseSource::Registry("docker.io/library/debian".parse()?), BaseLayers::Refer),
        (
            "localhost:5000/a:1",
            BaseSource::Registry("localhost:5000/a:1".parse()?),
            BaseLayers::Refer,
        ),
        ("oci:images/debian", local("images/debian", None), BaseLayers::Copy),
        (
            "oci-archive:a.tar:docker.io/a:1",
            local("a.tar", Some("docker.io/a:1")),
            BaseLayers::Copy,
        ),
        ("docker-archive:/srv/a.tar:12", local("/srv/a.tar", Some("12")), BaseLayers::Copy),
    ];
    for (text, source, layers) in cases {
        let oci = image("1", &format!("base = \"{text}\""))?;
        let Base::Image(base) = oci.base else { return Err("scratch".into()) };
        assert_eq!((base.source, base.layers), (source, layers), "{text}");
        assert!(!oci.accounts, "{text}");
    }
    let oci = image("1", "base = \"oci:a\"\nbase-layers = \"refer\"\naccounts = true")?;
    assert!(matches!(oci.base, Base::Image(BaseImage { layers: BaseLayers::Refer, .. })));
    assert!(oci.accounts);
    let oci = image("1", "base = \"scratch\"")?;
    assert!(oci.accounts && oci.base == Base::Scratch && oci.layers == LayerSplit::Auto);
    Ok(())
}

#[test]
fn a_revision_is_read_where_the_recipe_points() -> Outcome<()> {
    let repository = tempfile::tempdir()?;
    let git = repository.path().join(".git");
    fs_err::create_dir(&git)?;
    let commit = "0123456789abcdef0123456789abcdef01234567";
    fs_err::write(git.join("HEAD"), commit)?;
    let config = "[remote \"origin\"]\nurl = https://me:secret@example.com/a.git\n";
    fs_err::write(git.join("config"), config)?;
    let head = "name = \"aa\"\nversion = \"1\"\nsummary = \"A\"\n";
    let text =
        format!("{head}vcs = {{ from = \"git\" }}\nrevision = {{ from = \"git\" }}\n[oci]\n");
    let written = load::parse("bake.toml", &text)?;
    let platform = "linux/amd64".parse()?;
    let recipe =
        resolve(&written, ResolveCx { platform, env: &|_| None, base: repository.path() })?;
    assert_eq!(recipe.revision.as_deref(), Some(commit));
    assert_eq!(recipe.vcs.as_deref(), Some("https://example.com/a.git"));

    let text = format!("{head}revision = {{ env = \"GITHUB_SHA\" }}\n[oci]\n");
    let written = load::parse("bake.toml", &text)?;
    let env = |name: &str| (name == "GITHUB_SHA").then(|| format!("{commit}\n"));
    let recipe = resolve(&written, ResolveCx { platform, env: &env, base: repository.path() })?;
    assert_eq!(recipe.revision.as_deref(), Some(commit));

    let text = format!("{head}revision = {{ from = \"git\" }}\n[oci]\n");
    let written = load::parse("bake.toml", &text)?;
    fs_err::remove_dir_all(&git)?;
    let errors =
        resolve(&written, ResolveCx { platform, env: &env, base: repository.path() }).unwrap_err();
    assert!(errors.to_string().contains("is not in a git repository"), "{errors}");
    Ok(())
}

#[test]
fn without_output_tables_all_outputs_are_baked() -> Outcome<()> {
    let recipe = resolved(&folder("valid").join("version-from-file.toml"))??;
    assert_eq!(recipe.outputs(), Output::ALL);
    assert_eq!(recipe.version.plain(), "5.6.7");
    let recipe = resolved(&folder("valid").join("image-only-without-maintainer.toml"))??;
    assert_eq!(recipe.outputs(), [Output::Oci]);
    Ok(())
}

#[test]
fn versions_are_found_where_the_recipe_points() -> Outcome<()> {
    let cases = [
        ("cargo", "1.4.0"),
        ("package-json", "2.0.0-rc.1"),
        ("pom", "3.1-SNAPSHOT"),
        ("file", "5.6.7"),
        ("variable", "2.0.0"),
    ];
    for (source, expected) in cases {
        let recipe = resolved(&folder("valid").join(format!("version-from-{source}.toml")))??;
        assert_eq!(recipe.version.plain(), expected, "{source}");
    }
    Ok(())
}

#[test]
fn the_reference_names_every_key_and_its_example_resolves() -> Outcome<()> {
    let page = folder("../../docs/recipe.md");
    let text = fs_err::read_to_string(page)?;
    let example = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let written = load::parse("docs/recipe.md", example.ok_or("no example")?)?;
    let base = folder("project");
    let cx = ResolveCx { platform: "linux/arm64".parse()?, env: &|_| None, base: &base };
    assert_eq!(resolve(&written, cx)?.outputs(), [Output::Deb, Output::Oci]);

    let words: Vec<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').collect();
    let schema = bake_recipes::json_schema();
    let mut tables = vec![&schema];
    tables.extend(schema["$defs"].as_object().into_iter().flat_map(|tables| tables.values()));
    for table in tables {
        for key in table["properties"].as_object().into_iter().flat_map(|keys| keys.keys()) {
            assert!(words.contains(&key.as_str()), "`{key}` is not in docs/recipe.md");
        }
    }
    Ok(())
}

/// The other examples are parts of recipes, so each is put below what every recipe needs.
#[test]
fn every_example_of_the_reference_resolves() -> Outcome<()> {
    let text = fs_err::read_to_string(folder("../../docs/recipe.md"))?;
    let examples: Vec<&str> = text.split("```toml\n").skip(2).collect();
    assert!(examples.len() >= 8, "found only {}", examples.len());
    let head = "name = \"catalog\"\nversion = \"1.4.0\"\nsummary = \"Catalogue\"\n\
        maintainer = \"A team <a@example.com>\"\n";
    for example in examples {
        let example = example.split("```").next().unwrap_or_default();
        let common = if example.starts_with("depends") { "" } else { "depends = [\"tzdata\"]\n" };
        let written = load::parse("bake.toml", &format!("{head}{common}{example}"))?;
        let base = folder("project");
        let cx = ResolveCx { platform: "linux/amd64".parse()?, env: &|_| None, base: &base };
        resolve(&written, cx)?;
    }
    Ok(())
}
