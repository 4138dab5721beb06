//! Rules for images.

use bake_formats::tree::TreePath;
use bake_recipes::resolved::{Base, BaseSource, LayerSplit, Oci};

use super::finding::Severity::{Info, Warning};
use super::rule::{Check, Report, Rule};
use super::subject::{File, Subject};

/// Directories that most bases have as links into `/usr`.
const LINKS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"];

/// Words in the name of a variable that holds a secret.
const SECRETS: [&str; 9] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "CREDENTIALS",
    "API_KEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
];
/// Ends of names of variables that only say where a secret is, or something about it.
const ABOUT: [&str; 12] = [
    "_FILE", "_PATH", "_DIR", "_URL", "_URI", "_NAME", "_ID", "_TTL", "_EXPIRY", "_HEADER",
    "_TYPE", "_LENGTH",
];
/// Beginnings of values that are secrets whatever they are called.
const TOKENS: [&str; 8] =
    ["-----BEGIN", "ghp_", "github_pat_", "glpat-", "AKIA", "xoxb-", "sk_live_", "npm_"];

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "base-latest",
        severity: Warning,
        lintian: &[],
        rpmlint: &[],
        about: "a base image by the tag `latest`, which says nothing of what it is",
        check: Check::Package(base_latest),
    },
    Rule {
        id: "file-behind-link-of-base",
        severity: Warning,
        lintian: &[],
        rpmlint: &[],
        about: "a file of an image in `/bin`, `/sbin` or `/lib`, where it takes the place of the base's link",
        check: Check::File(file_behind_link_of_base),
    },
    Rule {
        id: "image-runs-as-root",
        severity: Info,
        lintian: &[],
        rpmlint: &[],
        about: "an image whose program runs as root",
        check: Check::Package(image_runs_as_root),
    },
    Rule {
        id: "secret-in-image",
        severity: Warning,
        lintian: &[],
        rpmlint: &[],
        about: "a variable of an image that looks like a secret",
        check: Check::Package(secret_in_image),
    },
    Rule {
        id: "layer-without-files",
        severity: Warning,
        lintian: &[],
        rpmlint: &[],
        about: "a path of a layer at which the image has nothing",
        check: Check::Package(layer_without_files),
    },
];

/// Returns the source of the image's base, if it has one.
fn source(oci: &Oci) -> Option<&BaseSource> {
    match &oci.base {
        Base::Scratch => None,
        Base::Image(base) => Some(&base.source),
    }
}

fn base_latest(cx: &Subject<'_>, report: &mut Report<'_>) {
    let source = cx.recipe.oci.as_ref().and_then(source);
    let Some(BaseSource::Registry(reference)) = source else { return };
    let is_latest = reference.tag.as_deref().is_none_or(|tag| tag == "latest");
    if is_latest && reference.digest.is_none() {
        let message = format!("`{reference}` is whatever is called `latest` today");
        let hint = "name the release, e.g. `debian:12-slim`; `bake lock` keeps its digest";
        report.advise(cx.places.key("oci.base"), message, hint);
    }
}

fn file_behind_link_of_base(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let on_base = cx.recipe.oci.as_ref().and_then(source).is_some();
    let inside = LINKS.iter().any(|link| file.is_below(link));
    let asked_for = !file.entry.is_directory() || !cx.has_children(file.path);
    if on_base && inside && asked_for && cx.image_has(file.path) {
        let message = format!(
            "`{}` would replace the link that most bases have there, and with it all that is behind it",
            file.name
        );
        report.advise(file.at(), message, format!("place it at `/usr{}`", file.name));
    }
}

/// On a base the user may be the base's, which only its configuration says.
fn image_runs_as_root(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(oci) = &cx.recipe.oci else { return };
    let user = oci.user.as_deref().map(|user| user.split(':').next().unwrap_or_default());
    let is_root = match user {
        Some(user) => matches!(user, "root" | "0"),
        None => oci.base == Base::Scratch,
    };
    let starts = !oci.entrypoint.is_empty() || !oci.cmd.is_empty();
    if is_root && starts {
        let hint = "e.g. `user = \"65532:65532\"`, or `user` of `[service]`";
        let place = cx.places.first(&["oci.user", "oci", "name"]);
        report.advise(place, "the image's program runs as root", hint);
    }
}

fn secret_in_image(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(oci) = &cx.recipe.oci else { return };
    for (name, value) in &oci.env {
        if value.is_empty() || !(is_secret(name) || TOKENS.iter().any(|t| value.starts_with(t))) {
            continue;
        }
        let lists = ["oci.env", "oci.env.append", "oci.env.replace"];
        let assignment = format!("{name}={value}");
        let service = format!("service.environment.{name}");
        let place = cx.places.relation(&lists, &assignment);
        let place = if cx.places.has(&service) { cx.places.key(&service) } else { place };
        let message =
            format!("`{name}` looks like a secret, and whoever has the image can read it");
        report.advise(place, message, "declare it in `[config]` with `secret = true`");
    }
}

pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words = format!("_{name}_");
    let has = |word: &&str| words.contains(&format!("_{word}_"));
    SECRETS.iter().any(has) && !ABOUT.iter().any(|end| name.ends_with(end))
}

fn layer_without_files(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(LayerSplit::Named(layers)) = cx.recipe.oci.as_ref().map(|oci| &oci.layers) else {
        return;
    };
    for (layer, number) in layers.iter().zip(0..) {
        let missing = |path: &&TreePath| !cx.image_has(path);
        for path in layer.paths.iter().filter(missing) {
            let list = format!("oci.layers.{number}.paths");
            let place = cx.places.relation(&[list.as_str()], &path.to_string());
            report.found(place, format!("the image has nothing at `{path}`"));
        }
    }
}
