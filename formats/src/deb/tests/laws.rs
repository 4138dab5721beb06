//! What holds for any text.

use proptest::prelude::*;

use super::super::control::Paragraph;
use super::super::{Relations, Version};

/// Texts of which some are relationships.
const RELATIONS: &str = concat!(
    "(aa|b1|a:any|[ |,]){0,5}",
    "( ?\\( ?[<=>]{1,2} ?[1-3~.]{1,3} ?\\))?",
    "(aa|b1|[ |,]){0,5}"
);
/// Texts of which some are paragraphs.
const PARAGRAPHS: &str = "([A-C]:[ \t.x]{0,4}\n|[ \t][.x \t]{0,4}\n|\n){0,8}";

proptest! {
    #[test]
    fn a_version_prints_as_it_was_written(text in "([1-9]:)?[0-2a:.~+-]{1,8}") {
        if let Ok(version) = text.parse::<Version>() {
            let printed = version.to_string();
            prop_assert_eq!(printed.trim_start_matches('0'), text.trim_start_matches('0'));
            prop_assert_eq!(printed.parse::<Version>(), Ok(version));
        }
    }

    #[test]
    fn versions_are_ordered(texts in prop::collection::vec("[0-2][0-2a.~+-]{0,5}[0-2]", 3)) {
        let versions: Vec<Version> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        for left in &versions {
            for right in &versions {
                prop_assert_eq!(left.compare(right), right.compare(left).reverse());
                for middle in &versions {
                    if left.compare(middle).is_le() && middle.compare(right).is_le() {
                        prop_assert!(left.compare(right).is_le(), "{left} {middle} {right}");
                    }
                }
            }
        }
    }

    #[test]
    fn relations_print_canonically(text in RELATIONS) {
        if let Ok(relations) = text.parse::<Relations>() {
            let canonical = relations.to_string();
            prop_assert_eq!(canonical.parse::<Relations>().unwrap(), relations);
        }
    }

    #[test]
    fn paragraphs_print_as_they_are_read(text in PARAGRAPHS) {
        if let Ok(paragraphs) = Paragraph::parse_all(&text) {
            let printed: Vec<String> = paragraphs.iter().map(ToString::to_string).collect();
            prop_assert_eq!(Paragraph::parse_all(&printed.join("\n")).unwrap(), paragraphs);
        }
    }
}
