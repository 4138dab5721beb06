//! Files that follow from a service: a systemd unit, its accounts and its directories.

mod quote;
mod sysusers;
mod tmpfiles;
mod unit;

use bake_formats::tree::{Mode, PathError, TreePath};

use crate::resolved::{GeneratedFile, Service};

impl Service {
    /// Returns the systemd unit, `/usr/lib/systemd/system/NAME.service`.
    pub fn unit(&self) -> String {
        unit::render(self)
    }

    /// Returns the accounts that it needs, `/usr/lib/sysusers.d/NAME.conf`; `None` if root's will
    /// do.
    pub fn sysusers(&self) -> Option<String> {
        sysusers::render(self)
    }

    /// Returns the directories that it needs, `/usr/lib/tmpfiles.d/NAME.conf`; `None` if it has
    /// none.
    pub fn tmpfiles(&self) -> Option<String> {
        tmpfiles::render(self)
    }

    /// Returns all files that follow from the service.
    pub fn files(&self) -> Result<Vec<GeneratedFile>, PathError> {
        let name = &self.name;
        let texts = [
            (format!("/usr/lib/systemd/system/{name}.service"), Some(self.unit())),
            (format!("/usr/lib/sysusers.d/{name}.conf"), self.sysusers()),
            (format!("/usr/lib/tmpfiles.d/{name}.conf"), self.tmpfiles()),
        ];
        let mut files = Vec::new();
        for (path, text) in texts {
            if let Some(text) = text {
                files.push(GeneratedFile {
                    path: TreePath::parse(path)?,
                    contents: text.into_bytes(),
                    mode: Mode::PLAIN,
                    place: Some(self.place.clone()),
                });
            }
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests;
