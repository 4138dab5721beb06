//! Maven's `pom.xml`.

use roxmltree::{Document, Node};

use super::metadata::{Metadata, Reader};
use super::version;

/// Reads what a project says about itself; properties (`${…}`) are left out.
pub(super) fn read(text: &str) -> Result<Metadata, String> {
    let document = Document::parse(text).map_err(|error| error.to_string())?;
    let project = document.root_element();
    let mut reader = Reader::new("pom.xml");
    let parent = child(project, "parent");
    reader.name(value(Some(project), "artifactId"));
    let own = value(Some(project), "version").or_else(|| value(parent, "version"));
    reader.version(own, version::maven);
    reader.summary(value(Some(project), "description").or_else(|| value(Some(project), "name")));
    reader.license(value(child(project, "licenses").and_then(|all| child(all, "license")), "name"));
    reader.homepage(value(Some(project), "url"));
    reader.vcs(value(child(project, "scm"), "url"));
    reader.vendor(value(child(project, "organization"), "name"));
    let developer = child(project, "developers").and_then(|all| child(all, "developer"));
    reader.maintainer(value(developer, "name"), value(developer, "email"));
    Ok(reader.metadata)
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

fn value<'a>(node: Option<Node<'a, '_>>, name: &str) -> Option<&'a str> {
    let text = child(node?, name)?.text()?.trim();
    (!text.is_empty() && !text.contains("${")).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_project_and_leaves_out_properties() {
        let text = "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><parent><version>2.0-RC1\
            </version></parent><artifactId>catalog</artifactId><description>${x}</description>\
            <name>Product catalogue</name><licenses><license><name>The MIT License</name></license>\
            </licenses><scm><url>https://example.com/x</url></scm></project>";
        let metadata = read(text).unwrap();
        assert_eq!(metadata.name.unwrap().value, "catalog");
        assert_eq!(metadata.version.unwrap().value, "2.0-RC1");
        assert_eq!(metadata.summary.unwrap().value, "Product catalogue");
        assert_eq!(metadata.license.unwrap().value, "MIT");
        assert!(read("<project>").is_err());
    }
}
