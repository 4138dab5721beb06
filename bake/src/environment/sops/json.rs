//! JSON, in the order of the file.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::tree::Node;

/// Reads a document; serde limits how deep it may be.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    // What serde says may hold what it read.
    serde_json::from_str::<Node>(text)
        .map_err(|error| format!("line {} is no JSON that sops writes", error.line()))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Node, E> {
                Ok(Node::Number(number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Node, E> {
                Ok(Node::Number(number.to_string()))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Node, E> {
                Ok(Node::Number(number.to_string()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
                let mut all = Vec::new();
                while let Some(element) = list.next_element()? {
                    all.push(element);
                }
                Ok(Node::List(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut all: Vec<(String, Node)> = Vec::new();
                let mut names = std::collections::HashSet::new();
                while let Some((name, node)) = map.next_entry::<String, Node>()? {
                    if !names.insert(name.clone()) {
                        return Err(de::Error::custom("a name twice"));
                    }
                    all.push((name, node));
                }
                Ok(Node::Map(all))
            }
        }
        deserializer.deserialize_any(Shape)
    }
}
