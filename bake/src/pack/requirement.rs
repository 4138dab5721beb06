//! What Python code needs (PEP 508), by the names that distributions give it.

/// Which Python 3 is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Python {
    /// At least this minor version of Python 3.
    from: Option<u32>,
    /// Less than this one.
    below: Option<u32>,
}

impl Python {
    /// Returns the requirement of one minor version.
    pub(super) fn exactly(minor: u32) -> Self {
        Self { from: Some(minor), below: Some(minor + 1) }
    }

    /// Returns Debian's relations.
    pub(super) fn deb(&self) -> Vec<String> {
        self.relations(|sign, minor| match sign {
            ">=" => format!("python3 (>= 3.{minor})"),
            _ => format!("python3 (<< 3.{minor})"),
        })
    }

    /// Returns RPM's relations.
    pub(super) fn rpm(&self) -> Vec<String> {
        self.relations(|sign, minor| format!("python3 {sign} 3.{minor}"))
    }

    fn relations(&self, relation: impl Fn(&str, u32) -> String) -> Vec<String> {
        let mut all: Vec<String> =
            self.from.into_iter().map(|minor| relation(">=", minor)).collect();
        all.extend(self.below.map(|minor| relation("<", minor)));
        if all.is_empty() { vec!["python3".into()] } else { all }
    }
}

/// Reads a `Requires-Python`; what is not about minor versions of Python 3 is left out.
pub(super) fn python(text: &str) -> Python {
    let mut python = Python::default();
    for clause in text.split(',').map(str::trim) {
        let minor =
            |version: &str| version.trim().strip_prefix("3.")?.split('.').next()?.parse().ok();
        if let Some(version) = clause.strip_prefix(">=") {
            python.from = minor(version);
        } else if let Some(version) = clause.strip_prefix('<').filter(|rest| !rest.starts_with('='))
        {
            python.below = minor(version);
        }
    }
    python
}

/// A distribution of the Python Package Index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Distribution {
    /// The name in its normal form (PEP 503).
    name: String,
    from: Option<String>,
}

impl Distribution {
    /// Returns Debian's relation (Python policy 3.3): `python3-` and the name; its versions have
    /// epochs and suffixes, so only the name is sure.
    pub(super) fn deb(&self) -> String {
        format!("python3-{}", self.name)
    }

    /// Returns what rpm's Python generator provides.
    pub(super) fn rpm(&self) -> String {
        match &self.from {
            Some(version) => format!("python3dist({}) >= {version}", self.name),
            None => format!("python3dist({})", self.name),
        }
    }
}

/// Reads a `Requires-Dist`: `None` for what an extra needs, an error for what depends on the
/// machine.
pub(super) fn distribution(text: &str) -> Result<Option<Distribution>, String> {
    let (needed, marker) = match text.split_once(';') {
        Some((needed, marker)) => (needed, marker),
        None => (text, ""),
    };
    if marker.contains("extra") {
        return Ok(None);
    }
    // Packages are for Linux.
    let systems = ["win32", "Windows", "darwin", "Darwin", "cygwin"];
    if marker.contains("==") && systems.iter().any(|system| marker.contains(system)) {
        return Ok(None);
    }
    if !marker.trim().is_empty() {
        return Err("it is only needed under a condition; name it with `--depends` if it is".into());
    }
    let end = needed
        .find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c))
        .unwrap_or(needed.len());
    let name = needed[..end].to_lowercase().replace(['_', '.'], "-");
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts || name.ends_with('-') {
        return Err("it is not a requirement".into());
    }
    let clauses = needed[end..].trim_matches([' ', '(', ')']);
    let from = clauses.split(',').find_map(|clause| clause.trim().strip_prefix(">="));
    let plain = |version: &&str| version.chars().all(|c| c.is_ascii_digit() || c == '.');
    let from = from.map(str::trim).filter(|version| !version.is_empty()).filter(plain);
    Ok(Some(Distribution { name, from: from.map(str::to_owned) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_versions_are_relations() {
        assert_eq!(python(">=3.8").deb(), ["python3 (>= 3.8)"]);
        assert_eq!(python("!=3.0.*,>=3.7,<4").rpm(), ["python3 >= 3.7"]);
        assert_eq!(python("").deb(), ["python3"]);
        assert_eq!(Python::exactly(11).deb(), ["python3 (>= 3.11)", "python3 (<< 3.12)"]);
    }

    #[test]
    fn distributions_have_names_in_each_format() {
        let found = distribution("Typing_Extensions (>=4.0,!=4.1)").unwrap().unwrap();
        assert_eq!(found.deb(), "python3-typing-extensions");
        assert_eq!(found.rpm(), "python3dist(typing-extensions) >= 4.0");
        assert_eq!(distribution("pytest; extra == 'test'"), Ok(None));
        assert!(distribution("tomli; python_version < '3.11'").is_err());
        assert!(distribution("-x").is_err());
        assert!(distribution("").is_err());
    }
}
