//! What was probably meant by a name that the schema does not have.

use crate::name::Name;

/// Returns the name that was probably meant.
pub(crate) fn nearest<'a>(found: &str, known: impl Iterator<Item = &'a Name>) -> Option<Name> {
    known
        .map(|name| (distance(found.as_bytes(), name.as_str().as_bytes()), name))
        .min()
        .filter(|(distance, name)| *distance <= 1 + name.as_str().len() / 4)
        .map(|(_, name)| name.clone())
}

/// Returns how many letters must be put in, taken away or replaced (Levenshtein).
fn distance(from: &[u8], to: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near_and_nothing_else() {
        let names = ["DATABASE_URL", "LOG_LEVEL"].map(|name| Name::parse(name).unwrap());
        let nearest = |found| nearest(found, names.iter()).map(|name| name.to_string());
        assert_eq!(nearest("DATABSE_URL").as_deref(), Some("DATABASE_URL"));
        assert_eq!(nearest("LOGLEVEL").as_deref(), Some("LOG_LEVEL"));
        assert_eq!(nearest("REDIS"), None);
        assert_eq!(distance(b"kitten", b"sitting"), 3);
    }
}
