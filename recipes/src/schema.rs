//! The JSON Schema of a recipe file, for editors.

use crate::written::Keys;

/// Returns the JSON Schema (draft 2020-12) of `bake.toml`.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Keys).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_closed_and_required_keys_are_named() {
        let schema = json_schema();
        assert_eq!(schema["required"], serde_json::json!(["name", "version", "summary"]));
        assert_eq!(schema["additionalProperties"], false);
        for (name, table) in schema["$defs"].as_object().unwrap() {
            if table["type"] == "object" {
                assert_eq!(table["additionalProperties"], false, "{name}");
            }
        }
    }

    #[test]
    fn keys_are_spelled_as_in_the_file() {
        let schema = json_schema();
        let properties = schema["properties"].as_object().unwrap();
        for key in ["source-date", "files", "service", "config", "deb", "rpm", "oci", "vm"] {
            assert!(properties.contains_key(key), "{key}");
        }
        let rule = &schema["$defs"]["FileRule"]["properties"];
        assert!(rule["directory-mode"].is_object() && rule["type"].is_object());
    }
}
