//! The recipe as a whole.

use bake_formats::format::Epoch;

use super::{Resolver, parse_platforms, settled};
use crate::error::RecipeError;
use crate::name::PackageName;
use crate::platform::Platform;
use crate::resolved::{self, Alternative, Architecture, AutoDepends, Hooks, Maintainer, Unit};
use crate::version::{Release, Version};
use crate::written::{self, At, PackageArchitecture};

/// What all parts of a recipe refer to.
pub(super) struct Common {
    pub(super) name: PackageName,
    pub(super) version: Version,
    pub(super) release: Release,
    pub(super) epoch: Option<u32>,
    pub(super) summary: String,
    pub(super) maintainer: Option<Maintainer>,
    pub(super) platforms: Option<Vec<Platform>>,
}

/// What is said about the package.
struct About {
    description: Option<String>,
    license: Option<String>,
    vendor: Option<String>,
    homepage: Option<String>,
    documentation: Option<String>,
    vcs: Option<String>,
    revision: Option<String>,
    source_date: Option<Epoch>,
    changelog: Vec<resolved::Change>,
    copyright: Option<resolved::Copyright>,
}

/// What packages set up on the system besides their files.
struct System {
    units: Vec<Unit>,
    alternatives: Vec<Alternative>,
    hooks: Hooks,
}

/// What is baked.
struct Outputs {
    deb: Option<resolved::Deb>,
    rpm: Option<resolved::Rpm>,
    oci: Option<resolved::Oci>,
    vm: Option<resolved::Vm>,
}

impl Resolver<'_> {
    pub(super) fn recipe(&self) -> Option<resolved::Recipe> {
        let keys = self.keys();
        let about = self.about();
        let config = self.config();
        self.check_relations();
        let Some(common) = self.common() else {
            self.files(None);
            self.system(&[]);
            return None;
        };
        let service = keys.service.as_ref().map(|at| self.service(at, &common));
        let files = self.files(service.as_ref().and_then(Option::as_ref));
        let mut service = settled(service);
        let config = config.map(|config| {
            let service = service.as_mut().and_then(Option::as_mut);
            config.of(common.name.as_str(), service)
        });
        let system = self.system(&files);
        let outputs = self.outputs(&common, service.as_ref(), &files);
        let (about, system, outputs) = (about?, system?, outputs?);
        Some(resolved::Recipe {
            description: about.description,
            license: about.license,
            vendor: about.vendor,
            homepage: about.homepage,
            documentation: about.documentation,
            vcs: about.vcs,
            revision: about.revision,
            source_date: about.source_date,
            platform: self.cx.platform,
            architecture: architecture(keys.architecture.as_ref().map(|at| at.value)),
            files,
            service: service?,
            config: config?,
            units: system.units,
            alternatives: system.alternatives,
            hooks: system.hooks,
            auto_depends: auto_depends(keys.auto_depends.as_ref().map(|at| at.value)),
            changelog: about.changelog,
            copyright: about.copyright,
            deb: outputs.deb,
            rpm: outputs.rpm,
            oci: outputs.oci,
            vm: outputs.vm,
            name: common.name,
            version: common.version,
            release: common.release,
            epoch: common.epoch,
            summary: common.summary,
            maintainer: common.maintainer,
        })
    }

    fn about(&self) -> Option<About> {
        let keys = self.keys();
        let description = keys.description.as_ref().map(|at| self.paragraphs(at, "description"));
        let license = keys.license.as_ref().map(|at| self.license(at));
        let vendor = keys.vendor.as_ref().map(|at| self.line(at, "vendor"));
        let homepage = keys.homepage.as_ref().map(|at| self.web_address(at, "homepage"));
        let documentation =
            keys.documentation.as_ref().map(|at| self.web_address(at, "documentation"));
        let vcs = keys.vcs.as_ref().map(|at| self.vcs(at));
        let revision = keys.revision.as_ref().map(|at| self.revision(at));
        let source_date = keys.source_date.as_ref().map(|at| self.date(at, "source-date"));
        let changelog = keys.changelog.as_ref().map(|at| self.changelog(at));
        let copyright = keys.copyright.as_ref().map(|at| self.copyright(at));
        Some(About {
            description: settled(description)?,
            license: settled(license)?,
            vendor: settled(vendor)?,
            homepage: settled(homepage)?,
            documentation: settled(documentation)?,
            vcs: settled(vcs)?,
            revision: settled(revision)?,
            source_date: settled(source_date)?,
            changelog: settled(changelog)?.unwrap_or_default(),
            copyright: settled(copyright)?,
        })
    }

    fn system(&self, files: &[resolved::FileRule]) -> Option<System> {
        let units = self.managed_units();
        let alternatives = self.alternatives(files);
        let hooks = self.hooks();
        Some(System { units: units?, alternatives: alternatives?, hooks: hooks? })
    }

    /// Returns the outputs whose tables are there, or all of them; `service` is absent if it is
    /// wrong.
    fn outputs(
        &self,
        common: &Common,
        service: Option<&Option<resolved::Service>>,
        files: &[resolved::FileRule],
    ) -> Option<Outputs> {
        let keys = self.keys();
        let all = [keys.deb.is_some(), keys.rpm.is_some(), keys.oci.is_some(), keys.vm.is_some()];
        let all = !all.contains(&true);
        let here = &keys.name;
        let deb = (all || keys.deb.is_some()).then(|| self.deb(keys.deb.as_ref(), here, common));
        let rpm = (all || keys.rpm.is_some()).then(|| self.rpm(keys.rpm.as_ref(), here, common));
        if deb.is_some() {
            self.check_deb_files(files);
        }
        let vm = (all || keys.vm.is_some()).then(|| self.vm(keys.vm.as_ref(), here, common));
        let service = service?;
        let oci = (all || keys.oci.is_some())
            .then(|| self.oci(keys.oci.as_ref(), here, common, service.as_ref()));
        Some(Outputs {
            deb: settled(deb)?,
            rpm: settled(rpm)?,
            oci: settled(oci)?.flatten(),
            vm: settled(vm)?,
        })
    }

    fn common(&self) -> Option<Common> {
        let keys = self.keys();
        let name = self.parsed(&keys.name, PackageName::parse(&keys.name.value));
        let version = self.version(&keys.version);
        let release = match &keys.release {
            Some(at) => self.parsed(at, Release::parse(&at.value)),
            None => Some(Release::default()),
        };
        let epoch = keys.epoch.as_ref().map(|at| self.epoch(at));
        let summary = self.line(&keys.summary, "summary");
        let maintainer = keys.maintainer.as_ref().map(|at| self.person(at, "maintainer"));
        let platforms = self.own_platforms();
        Some(Common {
            name: name?,
            version: version?,
            release: release?,
            epoch: settled(epoch)?,
            summary: summary?,
            maintainer: settled(maintainer)?,
            platforms,
        })
    }

    /// dpkg keeps an epoch in a C `int`.
    fn epoch(&self, at: &At<i64>) -> Option<u32> {
        let epoch = u32::try_from(at.value).ok().filter(|epoch| i32::try_from(*epoch).is_ok());
        if epoch.is_none() {
            let found = at.value;
            self.fault(at, format!("expected an epoch from 0 to {}, found {found}", i32::MAX));
        }
        epoch
    }

    fn own_platforms(&self) -> Option<Vec<Platform>> {
        let list = self.keys().platforms.as_ref()?;
        let platforms = parse_platforms(self.written, &self.errors, list);
        let wanted = self.cx.platform;
        if platforms.len() == list.len() && !platforms.contains(&wanted) {
            let all: Vec<_> = platforms.iter().map(ToString::to_string).collect();
            let error = match list.first() {
                Some(first) => self.place(first).error(format!("the recipe is not for `{wanted}`")),
                None => RecipeError::new("the recipe is for no platform"),
            };
            self.report(error.hint(format!("it is for {}", all.join(", "))));
        }
        Some(platforms)
    }
}

fn architecture(written: Option<PackageArchitecture>) -> Architecture {
    match written {
        None | Some(PackageArchitecture::Native) => Architecture::Native,
        Some(PackageArchitecture::All) => Architecture::All,
    }
}

fn auto_depends(written: Option<written::AutoDepends>) -> AutoDepends {
    match written {
        None => AutoDepends::default(),
        Some(written::AutoDepends::Off) => AutoDepends::Off,
        Some(written::AutoDepends::Lint) => AutoDepends::Lint,
        Some(written::AutoDepends::On) => AutoDepends::On,
    }
}
