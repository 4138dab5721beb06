//! Values that reach the program one by one: as variables, or as files with the value in them.

use crate::name::Name;
use crate::schema::{Delivery, Schema};
use crate::settings::{Setting, Settings};

/// One value on its way to the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered<'a> {
    /// The key.
    pub key: &'a Name,
    /// Its value.
    pub setting: &'a Setting,
    /// What carries it.
    pub carrier: Carrier<'a>,
}

/// What carries a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier<'a> {
    /// An environment variable.
    Variable {
        /// Its name, with the prefix.
        name: String,
    },
    /// A file.
    File {
        /// Its name, without a folder.
        name: &'a str,
        /// The environment variable that holds the file's path.
        path_variable: Option<&'a Name>,
    },
}

impl Schema {
    /// Returns the name of the environment variable that stands for a key.
    pub fn variable(&self, name: &Name) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Returns what reaches the program besides rendered files, in the order of the keys.
    pub fn deliveries<'a>(&'a self, settings: &'a Settings) -> Vec<Delivered<'a>> {
        let deliver = |(key, delivery): (&'a Name, &'a Delivery)| {
            let setting = settings.get(key)?;
            let carrier = match delivery {
                Delivery::Variable => Carrier::Variable { name: self.variable(key) },
                Delivery::File { name, path_variable } => {
                    Carrier::File { name, path_variable: path_variable.as_ref() }
                }
                Delivery::Files => return None,
            };
            Some(Delivered { key, setting, carrier })
        };
        self.keys.iter().map(|(name, key)| (name, &key.delivery)).filter_map(deliver).collect()
    }
}
