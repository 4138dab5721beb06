//! The order of versions: rpm's `rpmvercmp`, by epoch, version and release.

use std::cmp::Ordering;

/// Compares two versions or two releases.
///
/// Runs of digits are numbers and come after runs of letters; everything else only separates,
/// except `~`, which comes before the end, and `^`, which comes after the end but before anything
/// that goes on.
pub fn compare_versions(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    if left == right {
        return Ordering::Equal;
    }
    loop {
        left = skip_separators(left);
        right = skip_separators(right);
        match (left.first(), right.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (left, right) = (&left[1..], &right[1..]);
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (Some(b'^'), None) => return Ordering::Greater,
            (None, Some(b'^')) => return Ordering::Less,
            (Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), Some(b'^')) => return Ordering::Greater,
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(first), Some(second)) => {
                let is_number = first.is_ascii_digit();
                if is_number != second.is_ascii_digit() {
                    return if is_number { Ordering::Greater } else { Ordering::Less };
                }
                let (one, left_rest) = run(left, is_number);
                let (two, right_rest) = run(right, is_number);
                let order = if is_number {
                    one.len().cmp(&two.len()).then_with(|| one.cmp(two))
                } else {
                    one.cmp(two)
                };
                if order.is_ne() {
                    return order;
                }
                (left, right) = (left_rest, right_rest);
            }
        }
    }
}

fn skip_separators(text: &[u8]) -> &[u8] {
    let counts = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'~' | b'^');
    &text[text.iter().position(counts).unwrap_or(text.len())..]
}

/// Splits after a run of digits or of letters; numbers lose the zeros at their start.
fn run(text: &[u8], is_number: bool) -> (&[u8], &[u8]) {
    let belongs = |byte: &u8| {
        if is_number { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() }
    };
    let end = text.iter().position(|byte| !belongs(byte)).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    let zeros = run.iter().take_while(|byte| is_number && **byte == b'0').count();
    (&run[zeros..], rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each is smaller than the next; checked against `rpm.vercmp` of rpm 4.18.
    const ASCENDING: [&str; 16] = [
        "0.9", "1.0~~", "1.0~rc1", "1.0~rc2", "1.0", "1.0^", "1.0^git1", "1.0^git2", "1.0a",
        "1.0.1", "1.1~1", "1.1", "1.2a", "1.2.3", "1.10", "2",
    ];

    #[test]
    fn orders_as_rpm_does() {
        for (index, left) in ASCENDING.iter().enumerate() {
            for (other, right) in ASCENDING.iter().enumerate() {
                assert_eq!(compare_versions(left, right), index.cmp(&other), "{left} {right}");
            }
        }
        for (left, right) in [("1.0", "1_0"), ("1.00", "1.0"), ("1.0.", "1.0"), ("a1", "a.1")] {
            assert_eq!(compare_versions(left, right), Ordering::Equal, "{left} {right}");
        }
    }
}
