//! `rpm`: a package of configuration.
//!
//! No file is `%config`: the package is the authority, so an upgrade leaves no `.rpmnew` aside, and local edits are what
//! `rpm --verify` reports.

use bake_config::OutputFile;
use bake_formats::encode::{Encoder, NoCache};
use bake_formats::format::{Format, WriteCx};
use bake_formats::rpm::{
    Dependency, Operator, Package, Relations, Rpm, Script, Scripts as Scriptlets,
};

use super::failure::Failure;
use super::install::Contents;
use super::package::{self, Description};
use super::request::Request;
use super::scripts::Scripts;

pub(super) fn render(request: &Request<'_>) -> Result<Vec<OutputFile>, Failure> {
    let description = Description::of(request)?;
    let (install, mut files) = package::install(request)?;
    let scripts = Scripts::of(request, &install);
    let Contents { tree, blobs } = install.tree()?;
    let mut package = package(request, &description);
    package.scripts = scriptlets(&scripts);
    package.tree_id = Some(tree.id());
    let encoder = Encoder::new(&blobs, &NoCache, 1);
    let cx = WriteCx { blobs: &blobs, encoder: &encoder, epoch: request.epoch };
    let artifact = Rpm::write(&package, &tree, &cx).map_err(Failure::write(Rpm::NAME))?;
    for file in artifact.files {
        files.push(OutputFile::open(Rpm::file_name(&package), file.rope.to_vec(&blobs)?));
    }
    Ok(files)
}

fn package(request: &Request<'_>, description: &Description) -> Package {
    let service = request.deployment.name();
    let needed = match &description.service {
        Some(version) => Dependency::versioned(service, Operator::GreaterOrEqual, version),
        None => Dependency::on(service),
    };
    let mut package = Package::new(&description.name, &description.version, "1", "noarch");
    package.summary.clone_from(&description.summary);
    let Description { text, digest, schema, .. } = &description;
    package.description = format!("{text}\n\nConfiguration: {digest}\nSchema: {schema}");
    package.license = "Unspecified".into();
    package.packager = Some(description.maintainer.clone());
    // One of them on a host. A package does not conflict with itself. Obsoletes would name packages, and those of
    // other environments are not known.
    let capability = &description.capability;
    let version = package.evr();
    package.relations = Relations {
        requires: vec![needed],
        provides: vec![Dependency::versioned(capability, Operator::Equal, version)],
        conflicts: vec![Dependency::on(capability)],
        ..Relations::default()
    };
    package
}

/// Returns the scriptlets. Those that act come at the end of the transaction, when no file of the old package is left.
fn scriptlets(scripts: &Scripts) -> Scriptlets {
    let Scripts { compare, note, unit, drop_in, verb } = scripts;
    let running = "[ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1";
    let told = match verb {
        Some(verb) => format!("\t\tsystemctl {verb} {unit} >/dev/null 2>&1 || :\n"),
        None => "\t\t:\n".into(),
    };
    let posttrans = format!(
        "if {running}; then\n\
         \tsystemctl daemon-reload >/dev/null 2>&1 || :\n\
         \tif [ -e {note} ]; then\n\
         \t\trm -f {note}\n\
         \telse\n{told}\tfi\nfi\n"
    );
    // If the drop-in is there, the package of another environment has taken over, and restarts the service itself.
    let postun = format!(
        "if [ \"$1\" -eq 0 ] && {running} && [ ! -e {drop_in} ]; then\n\
         \tsystemctl daemon-reload >/dev/null 2>&1 || :\n\
         \tsystemctl try-restart {unit} >/dev/null 2>&1 || :\nfi\n"
    );
    Scriptlets {
        pre: Some(Script::shell(compare.clone())),
        postun: Some(Script::shell(postun)),
        posttrans: Some(Script::shell(posttrans)),
        ..Scriptlets::default()
    }
}
