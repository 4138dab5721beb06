//! What the recipe that uses every key means for packages.

use std::path::{Path, PathBuf};

use bake_formats::format::Epoch;
use bake_formats::tree::Mark;
use bake_recipes::resolved::{
    AutoDepends, DebRelation, OnUpgrade, Recipe, RpmFormat, RpmMoment, RpmRelation, Script,
    ScriptSource, TriggerMoment,
};
use bake_recipes::{ResolveCx, load, resolve};

/// Anything that goes wrong here is the test's own fault.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/recipes").join(name)
}

fn recipe(name: &str) -> Outcome<Recipe> {
    let text = fs_err::read_to_string(folder("valid").join(name))?;
    let base = folder("project");
    let cx = ResolveCx { platform: "linux/amd64".parse()?, env: &|_| None, base: &base };
    Ok(resolve(&load::parse("bake.toml", &text)?, cx)?)
}

fn debs(list: &[DebRelation]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn rpms(list: &[RpmRelation]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// Returns where a script is, its interpreter and whether all its flags are set.
fn script(script: Option<&Script>) -> Option<(&ScriptSource, Option<&[String]>, bool)> {
    let script = script?;
    let flags = script.flags.expand && script.flags.qformat && script.flags.critical;
    Some((&script.source, script.interpreter.as_deref(), flags))
}

#[test]
fn history_and_rights() -> Outcome<()> {
    let recipe = recipe("full.toml")?;
    assert_eq!(recipe.auto_depends, AutoDepends::On);
    let [newest, first] = &recipe.changelog[..] else { panic!("{:?}", recipe.changelog) };
    assert_eq!((&*newest.version, newest.date), ("1.4.0-rc.1-2", Epoch(1_769_860_800)));
    assert_eq!(newest.author.to_string(), "Ann Author <ann@example.com>");
    assert_eq!((&*newest.distribution, &*newest.urgency), ("unstable bookworm-backports", "high"));
    let lines = "Says why it does not answer:\n- in the log\n- to whoever asks";
    assert_eq!(newest.items, ["Answers faster.", lines]);
    assert_eq!(first.author.to_string(), "Catalogue team <catalog@example.com>");
    assert_eq!((&*first.distribution, &*first.urgency), ("unstable", "medium"));

    let copyright = recipe.copyright.ok_or("no copyright")?;
    let [all, icons] = &copyright.files[..] else { panic!("{:?}", copyright.files) };
    assert_eq!((&all.patterns[..], &*all.license), (&["*".to_owned()][..], "Apache-2.0 OR MIT"));
    assert_eq!(all.holders, ["2024-2026 Example Inc.", "2025 Ann Author <ann@example.com>"]);
    assert_eq!(icons.patterns, ["icons/*", "share/logo-?.svg"]);
    assert_eq!(icons.license, "LicenseRef-icons AND GPL-2.0-or-later");
    let texts = copyright.texts.iter().map(|text| (&*text.name, &*text.file));
    let expected = [("LicenseRef-icons", "icons/LICENSE"), ("MIT", "LICENSE-MIT")];
    assert_eq!(texts.collect::<Vec<_>>(), expected);
    assert_eq!(copyright.upstream_name, "Catalog");
    assert_eq!(copyright.source.as_deref(), Some("https://example.com/catalog.git"));
    Ok(())
}

#[test]
fn history_from_a_file_in_debians_format() -> Outcome<()> {
    let recipe = recipe("changelog-from-file.toml")?;
    let [newest, first] = &recipe.changelog[..] else { panic!("{:?}", recipe.changelog) };
    assert_eq!((&*newest.version, &*newest.urgency), ("1.0-1", "high"));
    assert_eq!(newest.date, Epoch(1_769_857_200));
    assert_eq!(newest.items, ["[ Ann ]", "Answers faster.\nMuch faster.", "Says why not."]);
    assert_eq!((&*first.version, first.date), ("0.9-1", Epoch(1_748_736_000)));
    Ok(())
}

#[test]
fn what_is_set_up_on_the_system() -> Outcome<()> {
    let recipe = recipe("full.toml")?;
    let units = recipe.units.iter().map(|unit| {
        let handling = unit.handling;
        (&*unit.name, handling.enable, handling.start, handling.on_upgrade)
    });
    let expected = [
        ("catalog-reindex.timer", true, true, OnUpgrade::Stop),
        ("catalog-import@nightly.service", false, false, OnUpgrade::Keep),
    ];
    assert_eq!(units.collect::<Vec<_>>(), expected);
    let handling = recipe.service.ok_or("no service")?.handling;
    let expected = (false, true, OnUpgrade::Restart);
    assert_eq!((handling.enable, handling.start, handling.on_upgrade), expected);

    let choices = recipe.alternatives.iter().map(|one| (one.path.to_string(), one.priority));
    let expected = [("/usr/bin/catalog".into(), 50), ("/usr/bin/cat-alog".into(), -5)];
    assert_eq!(choices.collect::<Vec<_>>(), expected);
    let choice = recipe.alternatives.first().ok_or("no alternative")?;
    assert_eq!((&*choice.name, choice.link.to_string()), ("shop", "/usr/bin/shop".into()));
    let follower = choice.followers.first().ok_or("no follower")?;
    assert_eq!(follower.path.to_string(), "/usr/share/man/man1/catalog.1.gz");

    let file = ScriptSource::File("scripts/before-upgrade".into());
    assert_eq!(script(recipe.hooks.before_upgrade.as_ref()), Some((&file, None, false)));
    let text = ScriptSource::Inline("rm -rf /var/cache/catalog".into());
    assert_eq!(script(recipe.hooks.purge.as_ref()), Some((&text, None, false)));
    let marked = recipe.files.iter().find(|rule| rule.language.is_some()).ok_or("no language")?;
    assert_eq!((marked.language.as_deref(), marked.mark), (Some("de"), Mark::Plain));
    Ok(())
}

#[test]
fn what_the_deb_has_on_top() -> Outcome<()> {
    let deb = recipe("full.toml")?.deb.ok_or("no deb")?;
    assert_eq!(debs(&deb.pre_depends), ["init-system-helpers (>= 1.54~)"]);
    assert_eq!(debs(&deb.breaks), ["catalog-plugins:any (<< 2)"]);
    assert_eq!(debs(&deb.built_using), ["golang-1.22 (= 1.22.1-1)"]);
    assert_eq!(debs(&deb.static_built_using), ["rustc (= 1.85.0+dfsg1-1)"]);
    assert_eq!(deb.source.as_deref(), Some("catalog-src (1.4.0-1)"));
    assert_eq!(deb.bugs.as_deref(), Some("https://example.com/bugs"));
    assert_eq!(deb.tags, ["interface::daemon", "implemented-in::c++"]);
    assert!(!deb.essential && !deb.protected);
    let removed: Vec<_> = deb.remove_conffiles.iter().map(ToString::to_string).collect();
    assert_eq!(removed, ["/etc/catalog/old.toml"]);
    let triggers = deb.triggers.iter().map(|line| (&*line.directive, &*line.name));
    let expected = [("interest-noawait", "/usr/share/catalog"), ("activate-noawait", "ldconfig")];
    assert_eq!(triggers.collect::<Vec<_>>(), expected);
    assert_eq!(deb.symbols, Some(ScriptSource::File("debian/symbols".into())));
    let lines = ScriptSource::Inline("libcatalog 1 catalog (>= 1.4)".into());
    assert_eq!(deb.shlibs, Some(lines));
    assert_eq!(deb.library_data, ["/var/lib/dpkg/info", "debian/shlibs.local"]);
    let known = deb.lintian_overrides.first().ok_or("no override")?;
    assert_eq!(
        (&*known.tag, known.context.as_deref()),
        ("no-manual-page", Some("[usr/bin/cat-alog]"))
    );
    let config = ScriptSource::Inline("#!/bin/sh -e".into());
    assert_eq!(script(deb.scripts.config.as_ref()), Some((&config, None, false)));
    Ok(())
}

#[test]
fn what_the_rpm_has_on_top() -> Outcome<()> {
    let rpm = recipe("full.toml")?.rpm.ok_or("no rpm")?;
    assert_eq!(rpm.version_of_format, RpmFormat::V6);
    assert_eq!(rpms(&rpm.supplements), ["(shopd and (catalog-data or catalog-ng))"]);
    assert_eq!(rpms(&rpm.order_with_requires), ["postgresql-server"]);
    assert_eq!(rpm.distribution.as_deref(), Some("Example Linux"));
    assert_eq!(rpm.bug_url.as_deref(), Some("https://example.com/bugs"));
    let prefixes: Vec<_> = rpm.prefixes.iter().map(ToString::to_string).collect();
    assert_eq!(prefixes, ["/opt/catalog", "/usr"]);
    let requires = rpm.scriptlet_requires.iter().map(|(moment, on)| (*moment, on.to_string()));
    let requires: Vec<_> = requires.collect();
    assert_eq!(requires.len(), 11);
    assert_eq!(requires.get(1), Some(&(RpmMoment::Post, "systemd >= 240".to_owned())));

    let trigger = rpm.triggers.first().ok_or("no trigger")?;
    assert_eq!(trigger.moment, TriggerMoment::In);
    assert_eq!(rpms(&trigger.on), ["postgresql-server >= 16", "postgresql-contrib"]);
    let trigger = rpm.file_triggers.first().ok_or("no file trigger")?;
    assert_eq!((trigger.moment, trigger.priority), (TriggerMoment::Postun, 2000));
    assert!(trigger.transaction);
    let paths: Vec<_> = trigger.prefixes.iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["/usr/share/catalog"]);

    let text = ScriptSource::Inline("print('%{name}')".into());
    let interpreter = ["/usr/bin/python3".to_owned(), "-I".to_owned()];
    let expected = Some((&text, Some(&interpreter[..]), true));
    assert_eq!(script(rpm.scripts.post.as_ref()), expected);
    let lua = rpm.scripts.pretrans.and_then(|script| script.interpreter);
    assert_eq!(lua, Some(vec!["<lua>".to_owned()]));
    let verify = ScriptSource::Inline("#!/usr/bin/python3\nprint('fine')".into());
    assert_eq!(script(rpm.scripts.verify.as_ref()), Some((&verify, None, false)));
    Ok(())
}
