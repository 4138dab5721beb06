//! Debian's machine-readable copyright file, version 1.0.

use bake_recipes::resolved::{Copyright, LicenseText};

use super::DebCx;
use super::licenses::{Expression, License, common_text};
use crate::error::Error;
use crate::lower::Texts;
use crate::lower::scripts;

const FORMAT: &str = "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/";

/// Returns the file: a header, a paragraph for each rule, one for each licence.
pub(super) fn text(cx: DebCx<'_>, copyright: &Copyright) -> Result<String, Error> {
    let mut licenses: Vec<License> = Vec::new();
    let mut paragraphs = vec![header(copyright)];
    for rule in &copyright.files {
        let expression = Expression::parse(&rule.license).ok_or_else(|| {
            copyright.place.error(format!("`{}` is no licence expression", rule.license))
        })?;
        for license in expression.licenses() {
            if !licenses.contains(license) {
                licenses.push(license.clone());
            }
        }
        // Patterns are separated by spaces, for which `?` stands too.
        let patterns: Vec<String> =
            rule.patterns.iter().map(|pattern| pattern.replace(' ', "?")).collect();
        paragraphs.push(format!(
            "Files: {}\nCopyright: {}\nLicense: {expression}\n",
            patterns.join("\n "),
            rule.holders.join("\n ")
        ));
    }
    for license in &licenses {
        let text = license_text(cx.texts, copyright, license)?;
        paragraphs.push(format!("License: {license}\n{}", continued(&text)));
    }
    Ok(paragraphs.join("\n"))
}

fn header(copyright: &Copyright) -> String {
    let mut text = format!("Format: {FORMAT}\nUpstream-Name: {}\n", copyright.upstream_name);
    let optional = [("Upstream-Contact", &copyright.contact), ("Source", &copyright.source)];
    for (name, value) in optional {
        if let Some(value) = value {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    text
}

/// Returns a licence's text: where every Debian system has it, else the recipe's.
fn license_text(texts: &Texts, copyright: &Copyright, license: &License) -> Result<String, Error> {
    let read = |id: &str| {
        let known = copyright.texts.iter().find(|text| text.name == id);
        known.map(|text| file_text(texts, text)).transpose()
    };
    let missing = |id: &str| {
        let message = format!("the package's copyright file needs the text of `{id}`");
        let hint =
            format!("name the file that holds it among the recipe's licence texts, as `{id}`");
        Error::from(copyright.place.error(message).hint(hint))
    };
    let whole =
        license.exception.as_ref().map(|exception| format!("{} WITH {exception}", license.id));
    if let Some(text) = whole.as_deref().map(read).transpose()?.flatten() {
        return Ok(text);
    }
    let base = match common_text(&license.id) {
        Some(text) => text,
        None => read(&license.id)?.ok_or_else(|| missing(&license.id))?,
    };
    match &license.exception {
        None => Ok(base),
        Some(exception) => {
            let text = read(exception)?.ok_or_else(|| missing(exception))?;
            Ok(format!("{base}\n\n{text}"))
        }
    }
}

fn file_text(texts: &Texts, text: &LicenseText) -> Result<String, Error> {
    scripts::file_text("the licence text", &text.file, &text.place, texts)
}

/// Returns text as lines that continue a field: indented by a space, an empty one as a full stop.
fn continued(text: &str) -> String {
    let clean = |line: &str| {
        let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        let line = line.trim_end();
        // A full stop alone would be read as an empty line.
        match line {
            "" => " .\n".to_owned(),
            "." => "  .\n".to_owned(),
            line => format!(" {line}\n"),
        }
    };
    text.trim_matches(['\n', '\r', '\u{c}']).lines().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_folded_so_that_they_can_be_read_back() {
        let text = "\n  Title\r\n\r\nline \t\n.\n.x\n\u{c}page\n\n";
        assert_eq!(continued(text), "   Title\n .\n line\n  .\n .x\n page\n");
    }
}
