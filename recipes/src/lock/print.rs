//! Printing a lock file: one text for one meaning.

use std::fmt;

use super::{Lock, LockedBase, LockedLayer, VERSION};

/// What stands at the top of the file.
const HEAD: &str = "\
# Written by `bake lock`. Commit it: it says what the names of base images stand for and which files
# are in which layer, so that every machine makes the same image. `bake lock --update` looks again.
";

/// Prints the file.
impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}version = {VERSION}")?;
        for (name, base) in &self.bases {
            print_base(f, name, base)?;
        }
        self.layers.iter().try_for_each(|layer| print_layer(f, layer))
    }
}

fn print_base(f: &mut fmt::Formatter<'_>, name: &str, base: &LockedBase) -> fmt::Result {
    writeln!(f, "\n[[base]]\nname = {}\ndigest = \"{}\"", Quoted(name), base.digest)?;
    for (platform, manifest) in &base.manifests {
        writeln!(f, "\n[[base.manifest]]\nplatform = \"{platform}\"")?;
        writeln!(f, "digest = \"{}\"\nsize = {}", manifest.digest, manifest.size)?;
        writeln!(f, "media-type = {}", Quoted(&manifest.media_type))?;
    }
    Ok(())
}

fn print_layer(f: &mut fmt::Formatter<'_>, layer: &LockedLayer) -> fmt::Result {
    writeln!(f, "\n[[layer]]\nname = {}\npaths = [", Quoted(&layer.name))?;
    for path in layer.paths.iter().filter_map(|path| path.relative_str()) {
        writeln!(f, "    {},", Quoted(&format!("/{path}")))?;
    }
    f.write_str("]\n")
}

/// Text as a basic string of TOML.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}
