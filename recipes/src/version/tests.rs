use std::cmp::Ordering;

use proptest::prelude::*;

use super::*;

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

#[test]
fn spells_versions_for_each_format() {
    let cases = [
        ("1.2.3", "1.2.3-1", "1.2.3", "1.2.3"),
        ("1.2.3-rc.1", "1.2.3~rc1-1", "1.2.3~rc1", "1.2.3-rc.1"),
        ("1.2.3-rc1", "1.2.3~rc1-1", "1.2.3~rc1", "1.2.3-rc1"),
        ("1.2.3-rc-1", "1.2.3~rc1-1", "1.2.3~rc1", "1.2.3-rc-1"),
        ("1.2.3-beta.2.3", "1.2.3~beta2.3-1", "1.2.3~beta2.3", "1.2.3-beta.2.3"),
        ("1.0-SNAPSHOT", "1.0~SNAPSHOT-1", "1.0~SNAPSHOT", "1.0-SNAPSHOT"),
        ("1.2.3-20240101", "1.2.3~~20240101-1", "1.2.3~~20240101", "1.2.3-20240101"),
        ("1.2.3+git.4.gab", "1.2.3+git.4.gab-1", "1.2.3+git.4.gab", "1.2.3_git.4.gab"),
        ("1.2.3+5-x", "1.2.3+b5.x-1", "1.2.3+b5.x", "1.2.3_5-x"),
        ("1.2.3+-x", "1.2.3+b.x-1", "1.2.3+b.x", "1.2.3_-x"),
        ("1.2.3-rc+x", "1.2.3~rc0+x-1", "1.2.3~rc0+x", "1.2.3-rc_x"),
        ("2024.01.05", "2024.01.05-1", "2024.01.05", "2024.01.05"),
        ("7", "7-1", "7", "7"),
    ];
    for (text, deb, rpm, tag) in cases {
        let version = version(text);
        assert_eq!(version.deb(&Release::default(), None).as_deref(), Ok(deb), "{text}");
        assert_eq!(version.rpm().as_deref(), Ok(rpm), "{text}");
        assert_eq!(version.oci_tag(), tag, "{text}");
        assert_eq!(version.plain(), text);
    }
    let release = Release::parse("2~bpo12+1").unwrap();
    assert_eq!(version("1.0").deb(&release, Some(3)).as_deref(), Ok("3:1.0-2~bpo12+1"));
    assert_eq!(version("1.0").deb(&release, Some(0)).as_deref(), Ok("1.0-2~bpo12+1"));
}

#[test]
fn refuses_for_packages_what_dpkg_and_rpm_order_differently() {
    for text in ["1.0-alpha.beta", "1.0-0.rc", "1.0-rc1b", "1.0-a.1.b", "1.0-rc--1", "1.0-rc.-"] {
        let version = version(text);
        assert!(
            version.rpm().is_err() && version.deb(&Release::default(), None).is_err(),
            "{text}"
        );
        assert_eq!(version.oci_tag(), text);
    }
}

#[test]
fn refuses_what_is_no_version_and_says_what_to_write() {
    let cases = [
        ("", None),
        ("v1.2", Some("leave out the `v`: `1.2`")),
        ("2:1.0", Some("the epoch has its own key: `epoch = 2`")),
        ("1.0~rc1", Some("a prerelease is written with `-`: `1.0-rc1`")),
        ("1.1.1w", Some("write `1.1.1-w` if it comes before `1.1.1`, `1.1.1+w` if it comes after")),
        (
            "2.0.RELEASE",
            Some("write `2.0-RELEASE` if it comes before `2.0`, `2.0+RELEASE` if it comes after"),
        ),
        ("1..2", None),
        ("1.0-", None),
        ("1.0-a..b", None),
        ("1.0+", None),
        ("1.0+a+b", None),
        ("1.0 ", None),
        ("1.0\n", None),
        ("latest", None),
        ("1.0-é", None),
    ];
    for (text, hint) in cases {
        let error = Version::parse(text).unwrap_err();
        if hint.is_some() {
            assert_eq!(error.hint.as_deref(), hint, "{text}");
        }
    }
    assert!(Version::parse(&"1".repeat(101)).is_err());
}

#[test]
fn releases_have_no_hyphen() {
    for text in ["1", "0.1", "1.el9", "2~rc1"] {
        assert_eq!(Release::parse(text).unwrap().as_str(), text);
    }
    for text in ["", "a", "1-2", "1..2", "1 ", "1%{dist}", "1_2"] {
        assert!(Release::parse(text).is_err(), "{text}");
    }
}

#[test]
fn orders_as_semantic_versioning_does() {
    let sorted = [
        "1.0.0-20240101",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.0+build",
        "1.0.1-rc.1",
        "1.0.1",
        "1.0.10",
        "1.1.0",
    ];
    for (index, one) in sorted.iter().enumerate() {
        for two in &sorted[index + 1..] {
            assert_eq!(version(one).precedence(&version(two)), Some(Ordering::Less), "{one} {two}");
        }
    }
    assert_eq!(version("1.0+a").precedence(&version("1.0+b")), None);
    // With build metadata, a number that is not there is 0.
    assert_eq!(version("1.0-rc+a").precedence(&version("1.0-rc.0")), Some(Ordering::Greater));
    assert_eq!(version("1.0-rc+a").precedence(&version("1.0-rc.0+b")), None);
    assert_eq!(version("1.0-rc+a").precedence(&version("1.0-rc.1")), Some(Ordering::Less));
    assert_eq!(version("1.0-a.b").precedence(&version("1.0")), None);
}

/// What dpkg does (deb-version(7), "Sorting algorithm"), for the upstream part.
fn dpkg_compare(one: &str, two: &str) -> Ordering {
    fn rank(byte: Option<&u8>) -> i32 {
        match byte {
            Some(b'~') => -1,
            None | Some(b'0'..=b'9') => 0,
            Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
            Some(other) => i32::from(*other) + 256,
        }
    }
    let (mut one, mut two) = (one.as_bytes(), two.as_bytes());
    while !one.is_empty() || !two.is_empty() {
        let digit = |text: &[u8]| text.first().is_none_or(u8::is_ascii_digit);
        while !digit(one) || !digit(two) {
            let order = rank(one.first()).cmp(&rank(two.first()));
            if order.is_ne() {
                return order;
            }
            (one, two) = (&one[1..], &two[1..]);
        }
        let (first, second);
        (first, one) = digits(one);
        (second, two) = digits(two);
        let order = first.len().cmp(&second.len()).then(first.cmp(second));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Returns the digits that text starts with, without leading zeros, and the rest.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let start = digits.iter().position(|byte| *byte != b'0').unwrap_or(digits.len());
    (&digits[start..], rest)
}

/// What rpm does (rpm-version(7)).
fn rpm_compare(one: &str, two: &str) -> Ordering {
    let (mut one, mut two) = (one.as_bytes(), two.as_bytes());
    loop {
        (one, two) = (skip_separators(one), skip_separators(two));
        match (one.first() == Some(&b'~'), two.first() == Some(&b'~')) {
            (true, true) => {
                (one, two) = (&one[1..], &two[1..]);
                continue;
            }
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        if one.is_empty() || two.is_empty() {
            return one.len().cmp(&two.len());
        }
        if one[0].is_ascii_digit() != two[0].is_ascii_digit() {
            return one[0].is_ascii_digit().cmp(&two[0].is_ascii_digit());
        }
        let order = if one[0].is_ascii_digit() {
            let (first, second);
            (first, one) = digits(one);
            (second, two) = digits(two);
            first.len().cmp(&second.len()).then(first.cmp(second))
        } else {
            let (first, second);
            (first, one) = letters(one);
            (second, two) = letters(two);
            first.cmp(second)
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn skip_separators(text: &[u8]) -> &[u8] {
    let kept = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'~';
    &text[text.iter().position(kept).unwrap_or(text.len())..]
}

fn letters(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(text.len()))
}

#[test]
fn the_comparisons_are_those_of_the_tools() {
    // Seen from dpkg --compare-versions.
    let dpkg = [
        ("1.0.0~rc1", "1.0.0", Ordering::Less),
        ("1.0.0-rc1", "1.0.0", Ordering::Greater),
        ("1.0.0+git", "1.0.0", Ordering::Greater),
        ("1.0.0~rc.10", "1.0.0~rc.9", Ordering::Greater),
        ("1.0a", "1.0+", Ordering::Less),
        ("1.0~rc", "1.0~rc0", Ordering::Equal),
        ("1.0~~7", "1.0~a", Ordering::Less),
    ];
    for (one, two, expected) in dpkg {
        assert_eq!(dpkg_compare(one, two), expected, "{one} {two}");
        assert_eq!(dpkg_compare(two, one), expected.reverse(), "{two} {one}");
    }
    // Seen from rpm.vercmp.
    let rpm = [
        ("1.0.0~rc1", "1.0.0", Ordering::Less),
        ("1.0.0+git", "1.0.0", Ordering::Greater),
        ("1.0.0_rc1", "1.0.0", Ordering::Greater),
        ("1.0+5", "1.0.3", Ordering::Greater),
        ("1.0+b5", "1.0.3", Ordering::Less),
        ("1.0~1", "1.0~a", Ordering::Greater),
        ("1.0~~1", "1.0~a", Ordering::Less),
        ("1.0~rc", "1.0~rc0", Ordering::Less),
    ];
    for (one, two, expected) in rpm {
        assert_eq!(rpm_compare(one, two), expected, "{one} {two}");
        assert_eq!(rpm_compare(two, one), expected.reverse(), "{two} {one}");
    }
}

/// Few words and numbers, so that pairs often share a beginning.
fn written() -> impl Strategy<Value = String> {
    let number = || prop_oneof![Just("0"), Just("1"), Just("01"), Just("2"), Just("10")];
    let numbers = move |least| proptest::collection::vec(number(), least..4);
    let word = prop_oneof![Just("a"), Just("alpha"), Just("rc"), Just("rcx"), Just("RC")];
    let separator = prop_oneof![Just(""), Just("."), Just("-")];
    let worded = (word, separator, numbers(0)).prop_map(|(word, separator, numbers)| {
        let separator = if numbers.is_empty() { "" } else { separator };
        format!("-{word}{separator}{}", numbers.join("."))
    });
    let numbered = numbers(1).prop_map(|numbers| format!("-{}", numbers.join(".")));
    let build = prop_oneof![Just(""), Just("+5"), Just("+git.4.gab"), Just("+a"), Just("+-")];
    let prerelease = prop_oneof![Just(String::new()), worded, numbered];
    (numbers(1), prerelease, build)
        .prop_map(|(core, prerelease, build)| format!("{}{prerelease}{build}", core.join(".")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// dpkg takes a number that is not there for 0, which no spelling can help.
    #[test]
    fn dpkg_and_rpm_keep_the_order(one in written(), two in written()) {
        let (one, two) = (version(&one), version(&two));
        let (first, second) = (one.rpm().unwrap(), two.rpm().unwrap());
        if let Some(order) = one.precedence(&two) {
            let dpkg = dpkg_compare(&first, &second);
            let rpm = rpm_compare(&first, &second);
            prop_assert!(dpkg == order || dpkg.is_eq(), "dpkg: {first} {second} {dpkg:?}");
            prop_assert!(rpm == order, "rpm: {first} {second} {rpm:?}");
            let bare = |version: &Version| {
                let prerelease = version.ordered_prerelease().unwrap();
                prerelease.is_some_and(|prerelease| prerelease.numbers.is_empty())
            };
            prop_assert!(dpkg == order || bare(&one) != bare(&two), "dpkg: {first} {second}");
        }
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,40}|[0-9a-z.+~:v-]{0,20}") {
        if let Ok(version) = Version::parse(&text) {
            prop_assert_eq!(version.plain(), &text);
            prop_assert!(version.oci_tag().len() <= 128);
        }
    }
}
