//! The control file `symbols` (deb-symbols(5)): since which version a library has each symbol.
//!
//! ```text
//! libc.so.6 libc6 #MINVER#             library, template of the dependency
//! | libc6 (>> 2.36), libc6 (<< 2.37)   another template, number 1
//! * Build-Depends-Package: libc6-dev   a field
//!  malloc@GLIBC_2.2.5 2.2.5            symbol, version
//!  __libc_dlopen@GLIBC_PRIVATE 0 1     symbol, version, template
//!  (arch=amd64|optional)x@Base 1.0     tags
//!  *@GLIBC_2.9 2.9                     every symbol of this version
//! ```

use std::collections::HashMap;

use bake_formats::deb::Version;

/// What a file says of one library.
#[derive(Debug, Default)]
pub(super) struct Library {
    /// The dependency by number.
    templates: Vec<String>,
    /// Symbols as `name@version`.
    symbols: HashMap<String, Since>,
    /// Symbols by version alone.
    versions: HashMap<String, Since>,
}

/// Since when a symbol is there.
#[derive(Debug, Clone)]
struct Since {
    version: Version,
    template: usize,
    /// Whether it is there no longer.
    gone: bool,
}

impl Library {
    /// Reads what a file says of a library; `None` if it says nothing of it.
    ///
    /// Lines that are none, and patterns that need a demangler or regular expressions, are passed
    /// over, as dpkg-shlibdeps does: files of built packages have neither.
    pub(super) fn parse(text: &str, soname: &str, architecture: &str) -> Option<Self> {
        let mut library: Option<Self> = None;
        let mut inside = false;
        for line in text.lines() {
            if let Some(found) = line.strip_prefix(' ').or_else(|| line.strip_prefix('\t')) {
                if let Some(library) = library.as_mut().filter(|_| inside) {
                    library.symbol(found.trim_start(), false, architecture);
                }
            } else if let Some(found) = gone(line) {
                if let Some(library) = library.as_mut().filter(|_| inside) {
                    library.symbol(found.trim_start(), true, architecture);
                }
            } else if line.starts_with('#') || line.is_empty() || line.starts_with('*') {
            } else if let Some(template) = line.strip_prefix('|') {
                if let Some(library) = library.as_mut().filter(|_| inside) {
                    library.templates.push(template.trim().to_owned());
                }
            } else if let Some((name, template)) = line.split_once(char::is_whitespace) {
                inside = name == soname;
                if inside {
                    let library = library.get_or_insert_with(Self::default);
                    library.templates = vec![template.trim().to_owned()];
                }
            }
        }
        library
    }

    fn symbol(&mut self, text: &str, gone: bool, architecture: &str) {
        let Some(Spec { name, tags, rest }) = Spec::parse(text) else { return };
        let mut words = rest.split_whitespace();
        let Some(Ok(version)) = words.next().map(str::parse::<Version>) else { return };
        let template = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let since = Since { version, template, gone };
        if tags.contains(&"c++") || tags.contains(&"regex") {
            return;
        }
        if let Some(version) = name.strip_prefix("*@") {
            self.versions.insert(version.to_owned(), since);
        } else if tags.contains(&"symver") {
            self.versions.insert(name.to_owned(), since);
        } else if tags.iter().all(|tag| is_for(tag, architecture)) {
            self.symbols.insert(name.to_owned(), since);
        }
    }

    /// Puts the name of the file's own package where a template asks for it.
    pub(super) fn name_package(&mut self, package: &str) {
        for template in &mut self.templates {
            *template = template.replace("#PACKAGE#", package);
        }
    }

    /// Returns the dependency that every user of the library has, and the earliest version of any
    /// symbol of it: the library was not always there.
    pub(super) fn least(&self) -> Option<(&str, Option<&Version>)> {
        let template = self.templates.first()?;
        let versions = self.symbols.values().filter(|since| since.template == 0);
        let least = versions.map(|since| &since.version).min_by(|a, b| a.compare(b));
        Some((template, least))
    }

    /// Returns the dependency and the version that have a symbol, `name@version` or `name@Base`.
    pub(super) fn since(&self, symbol: &str) -> Option<(&str, &Version)> {
        let by_version = || {
            let (_, version) = symbol.rsplit_once('@')?;
            self.versions.get(version)
        };
        let since = self.symbols.get(symbol).filter(|since| !since.gone).or_else(by_version)?;
        Some((self.templates.get(since.template)?, &since.version))
    }
}

/// Returns the names of the libraries that a file is about.
pub(super) fn sonames(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| !line.starts_with([' ', '\t', '#', '|', '*', '(']));
    lines.filter_map(|line| line.split_once(char::is_whitespace)).map(|(name, _)| name)
}

/// Returns what follows `#MISSING: VERSION#` or `#DEPRECATED: VERSION#`.
fn gone(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("#MISSING: ").or_else(|| line.strip_prefix("#DEPRECATED: "))?;
    rest.split_once('#').map(|(_, symbol)| symbol)
}

/// Returns whether a tag does not restrict a symbol to other architectures.
fn is_for(tag: &str, architecture: &str) -> bool {
    let Some(list) = tag.strip_prefix("arch=") else { return true };
    let mut words = list.split([' ', ',']).filter(|word| !word.is_empty()).peekable();
    let excludes = words.peek().is_some_and(|word| word.starts_with('!'));
    let names = |word: &str| {
        let word = word.trim_start_matches('!');
        matches!(word, "any" | "linux-any") || word == architecture || {
            word.strip_prefix("any-").is_some_and(|cpu| cpu == architecture)
        }
    };
    words.any(names) != excludes
}

/// One line about a symbol, taken apart.
struct Spec<'a> {
    name: &'a str,
    tags: Vec<&'a str>,
    rest: &'a str,
}

impl<'a> Spec<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let tagged = text.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        let Some((tags, text)) = tagged else {
            let (name, rest) = text.split_once(char::is_whitespace)?;
            return Some(Self { name, tags: Vec::new(), rest });
        };
        let tags = tags.split('|').collect();
        let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
        let (name, rest) = match quote {
            Some(quote) => text[1..].split_once(quote)?,
            None => text.split_once(char::is_whitespace)?,
        };
        Some(Self { name, tags, rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# of libfoo
libother.so.2 libother2 #MINVER#
 open@Base 9
libfoo.so.1 libfoo1 #MINVER#, libfoo-data
| libfoo1 (= 1.5)
* Build-Depends-Package: libfoo-dev
 open@Base 1.0
 open@FOO_2 2:2.0-1
 private@FOO_PRIVATE 0 1
#MISSING: 1.4# old@Base 1.0
 (arch=armhf s390x)word@Base 3
 (arch=!amd64)other@Base 4
 (optional|arch=any-amd64)\"this one@Base\" 5
 *@FOO_9 9
 (symver|optional)FOO_10 10
 (c++)\"foo::bar()@Base\" 6
 (regex)\"^x.*@Base$\" 7
 bad line
 nothing
";

    fn since(library: &Library, symbol: &str) -> Option<String> {
        library.since(symbol).map(|(template, version)| format!("{template}: {version}"))
    }

    #[test]
    fn a_symbol_names_its_version_and_its_template() {
        let library = Library::parse(TEXT, "libfoo.so.1", "amd64").unwrap();
        let first = "libfoo1 #MINVER#, libfoo-data";
        assert_eq!(since(&library, "open@Base"), Some(format!("{first}: 1.0")));
        assert_eq!(since(&library, "open@FOO_2"), Some(format!("{first}: 2:2.0-1")));
        assert_eq!(since(&library, "private@FOO_PRIVATE"), Some("libfoo1 (= 1.5): 0".into()));
        assert_eq!(since(&library, "this one@Base"), Some(format!("{first}: 5")));
        assert_eq!(since(&library, "whatever@FOO_9"), Some(format!("{first}: 9")));
        assert_eq!(since(&library, "whatever@FOO_10"), Some(format!("{first}: 10")));
        for none in ["old@Base", "word@Base", "other@Base", "close@Base", "foo::bar()@Base"] {
            assert_eq!(since(&library, none), None, "{none}");
        }
        let (template, least) = library.least().unwrap();
        assert_eq!((template, least.unwrap().to_string()), (first, "1.0".into()));
    }

    #[test]
    fn architectures_and_libraries_are_told_apart() {
        let library = Library::parse(TEXT, "libfoo.so.1", "armhf").unwrap();
        assert!(library.since("word@Base").is_some() && library.since("other@Base").is_some());
        assert!(Library::parse(TEXT, "libfoo.so", "amd64").is_none());
        assert_eq!(sonames(TEXT).collect::<Vec<_>>(), ["libother.so.2", "libfoo.so.1"]);
    }
}
