//! Lines of `NAME=value`, with what sops says of the file in lines that begin with `sops_`.

use std::collections::HashSet;

use super::tree::Node;

/// How the names begin that are about the file.
const PREFIX: &str = "sops_";

/// Reads a document; what is about the file becomes the map `sops`, as other syntaxes have it.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let (mut values, mut about) = (Vec::new(), Vec::new());
    let mut names = HashSet::new();
    for (number, line) in text.split('\n').enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fault = |reason: &str| format!("line {} {reason}", number + 1);
        let (name, value) = line.split_once('=').ok_or_else(|| fault("is not NAME=value"))?;
        if !names.insert(name) {
            return Err(fault("has a name that stands there twice"));
        }
        let value = value.replace("\\n", "\n");
        match name.strip_prefix(PREFIX) {
            Some(name) => about.push((name, value)),
            None => values.push((name.to_owned(), Node::Text(value))),
        }
    }
    if !about.is_empty() {
        values.push(("sops".into(), metadata(&about)));
    }
    Ok(Node::Map(values))
}

/// Returns what is about the file: `age__list_0__map_enc` is the `enc` of the first of `age`.
fn metadata(flat: &[(&str, String)]) -> Node {
    let mut all = Vec::new();
    let mut recipients: Vec<(String, Vec<(String, Node)>)> = Vec::new();
    for (name, value) in flat {
        let node = match value.as_str() {
            "true" => Node::Bool(true),
            _ => Node::Text(value.clone()),
        };
        let Some((list, rest)) = name.split_once("__list_") else {
            all.push(((*name).to_owned(), node));
            continue;
        };
        let (number, field) = rest.split_once("__map_").unwrap_or((rest, ""));
        if list != "age" {
            // Other services: that they are there is all that matters.
            if !all.iter().any(|(known, _)| known == list) {
                all.push((list.to_owned(), Node::List(vec![Node::Null])));
            }
            continue;
        }
        match recipients.iter_mut().find(|(known, _)| known == number) {
            Some((_, fields)) => fields.push((field.to_owned(), node)),
            None => recipients.push((number.to_owned(), vec![(field.to_owned(), node)])),
        }
    }
    if !recipients.is_empty() {
        let list = recipients.into_iter().map(|(_, fields)| Node::Map(fields)).collect();
        all.push(("age".into(), Node::List(list)));
    }
    Node::Map(all)
}
