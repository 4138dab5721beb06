//! Maps in which no key stands twice.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

/// Reads a map; a key that stands in it twice is an error, because two readers would take different values.
pub(crate) fn refused<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Ord + fmt::Display,
    V: Deserialize<'de>,
{
    struct Shape<K, V>(PhantomData<(K, V)>);
    impl<'de, K, V> Visitor<'de> for Shape<K, V>
    where
        K: Deserialize<'de> + Ord + fmt::Display,
        V: Deserialize<'de>,
    {
        type Value = BTreeMap<K, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some(key) = map.next_key::<K>()? {
                if all.contains_key(&key) {
                    return Err(de::Error::custom(format_args!("`{key}` stands there twice")));
                }
                all.insert(key, map.next_value()?);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_map(Shape(PhantomData))
}
