//! Looking for a text in what a console shows.

/// Looks for a text in bytes that come piece by piece.
#[derive(Debug)]
pub struct Search {
    text: Vec<u8>,
    /// The end of what came before: one byte less than the text has.
    kept: Vec<u8>,
}

impl Search {
    /// Looks for a text, which must not be empty.
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), kept: Vec::new() }
    }

    /// Takes the next bytes and returns whether the text has been seen by now.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        self.kept.extend_from_slice(bytes);
        if self.kept.windows(self.text.len().max(1)).any(|window| window == self.text) {
            return true;
        }
        let old = self.kept.len().saturating_sub(self.text.len().saturating_sub(1));
        self.kept.drain(..old);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_however_it_is_cut() {
        let shown = b"login: login:\nready\n";
        for cut in 1..shown.len() {
            let mut search = Search::new("login:\nready");
            let found = shown.chunks(cut).position(|piece| search.feed(piece));
            assert_eq!(found, Some(18 / cut), "pieces of {cut}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found_and_not_kept() {
        let mut search = Search::new("ready");
        assert!(!search.feed(b"read"));
        assert!(!search.feed(&[b'y' + 1; 10_000]));
        assert!(!search.feed(b"y"));
        assert_eq!(search.kept.len(), 4);
    }
}
