//! `deb`: a package of configuration.
//!
//! No file is a conffile: the package is the authority, so an upgrade asks nothing and leaves nothing aside, and local
//! edits are what `dpkg --verify` reports.

use std::collections::BTreeMap;

use bake_config::OutputFile;
use bake_formats::deb::{ControlFile, Deb, MultiArch, Package, RelationField, Relations, Version};
use bake_formats::encode::{Encoder, NoCache};
use bake_formats::format::{Format, WriteCx, WriteError};

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
    let mut package = package(request, &description)?;
    package.control_files = control_files(&scripts);
    package.tree_id = Some(tree.id());
    let encoder = Encoder::new(&blobs, &NoCache, 1);
    let cx = WriteCx { blobs: &blobs, encoder: &encoder, epoch: request.epoch };
    let artifact = Deb::write(&package, &tree, &cx).map_err(Failure::write(Deb::NAME))?;
    for file in artifact.files {
        files.push(OutputFile::open(Deb::file_name(&package), file.rope.to_vec(&blobs)?));
    }
    Ok(files)
}

fn package(request: &Request<'_>, description: &Description) -> Result<Package, Failure> {
    let version: Version = description.version.parse().map_err(field("Version"))?;
    let mut package = Package::new(&description.name, version, "all");
    package.maintainer.clone_from(&description.maintainer);
    package.section = Some("admin".into());
    package.priority = Some("optional".into());
    package.multi_arch = Some(MultiArch::Foreign);
    package.synopsis.clone_from(&description.summary);
    package.description.clone_from(&description.text);
    let fields =
        [("Bake-Config", &description.digest), ("Bake-Config-Schema", &description.schema)];
    package.fields = fields.map(|(name, value)| (name.to_owned(), value.clone())).into();
    let service = request.deployment.name();
    let needed = match &description.service {
        Some(version) => format!("{service} (>= {version})"),
        None => service.to_owned(),
    };
    // One of them on a host: with Replaces, dpkg lets one take over the files of another (Debian Policy 7.6.2).
    let capability = &description.capability;
    let relations = [
        (RelationField::Depends, &needed),
        (RelationField::Conflicts, capability),
        (RelationField::Replaces, capability),
        (RelationField::Provides, capability),
    ];
    for (name, text) in relations {
        let parsed: Relations = text.parse().map_err(field(name.name()))?;
        package.relations.insert(name, parsed);
    }
    package.documents = BTreeMap::from([overrides(&package.name)]);
    Ok(package)
}

fn field<E: std::fmt::Display>(name: &'static str) -> impl Fn(E) -> Failure {
    move |error| {
        let reason = error.to_string();
        Failure::write(Deb::NAME)(WriteError::Field {
            format: Deb::NAME,
            field: name.into(),
            reason,
        })
    }
}

/// Returns what lintian objects to and is meant.
fn overrides(package: &str) -> (String, String) {
    let text = format!(
        "# The package is the authority on these files: local edits are drift, which dpkg --verify reports.\n\
         {package}: file-in-etc-not-marked-as-conffile\n\
         # It is made of one environment, which has its own history and its own rights.\n\
         {package}: no-changelog\n\
         {package}: no-copyright-file\n\
         # A service without its configuration may have failed too often to be started once more.\n\
         {package}: maintainer-script-calls-systemctl\n\
         # What bake says of the package.\n\
         {package}: unknown-field Bake-*\n"
    );
    (format!("/usr/share/lintian/overrides/{package}"), text)
}

/// Returns the maintainer scripts (Debian Policy 6).
fn control_files(scripts: &Scripts) -> BTreeMap<ControlFile, String> {
    let Scripts { compare, note, unit, drop_in, verb } = scripts;
    let running = "[ -z \"${DPKG_ROOT:-}\" ] && [ -d /run/systemd/system ]";
    let head = "#!/bin/sh\nset -e\n";
    let told = match verb {
        Some(verb) => format!("\t\tdeb-systemd-invoke {verb} {unit} >/dev/null || true\n"),
        None => "\t\t:\n".into(),
    };
    // Restarting starts what is enabled and nothing else. A service that was installed without its configuration has
    // failed by now, perhaps too often.
    let postinst = format!(
        "{head}if [ \"$1\" = configure ] && {running}; then\n\
         \tsystemctl --system daemon-reload >/dev/null || true\n\
         \tif [ -e {note} ]; then\n\
         \t\trm -f {note}\n\
         \telif [ -z \"${{2:-}}\" ]; then\n\
         \t\tsystemctl --system reset-failed {unit} >/dev/null 2>&1 || true\n\
         \t\tdeb-systemd-invoke restart {unit} >/dev/null || true\n\
         \telse\n{told}\tfi\nfi\n"
    );
    // If the drop-in is there, the package of another environment has taken over, and restarts the service itself.
    let postrm = format!(
        "{head}if [ \"$1\" = remove ] && {running}; then\n\
         \tsystemctl --system daemon-reload >/dev/null || true\n\
         \tif [ ! -e {drop_in} ]; then\n\
         \t\tdeb-systemd-invoke try-restart {unit} >/dev/null || true\n\
         \tfi\nfi\n"
    );
    let preinst = format!(
        "{head}if [ \"$1\" = install ] || [ \"$1\" = upgrade ]; then\n{}fi\n",
        if_not_elsewhere(compare)
    );
    BTreeMap::from([
        (ControlFile::Preinst, preinst),
        (ControlFile::Postinst, postinst),
        (ControlFile::Postrm, postrm),
    ])
}

/// Returns lines that run unless dpkg works on another root.
fn if_not_elsewhere(lines: &str) -> String {
    format!("if [ -z \"${{DPKG_ROOT:-}}\" ]; then\n{lines}fi\n")
}
