//! What a registry asks for before it answers: `WWW-Authenticate` (RFC 9110, 11.6.1).
//!
//! ```text
//! Bearer realm="https://auth.example/token",service="registry",scope="repository:a/b:pull,push"
//! Basic realm="Registry Realm", Bearer realm=…
//! ```
//!
//! Several headers may hold several challenges each, and a comma stands between challenges as well
//! as between the parameters of one.

/// One challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token of a token service (distribution's token specification).
    Bearer(Bearer),
    /// Name and password.
    Basic,
}

/// Where tokens come from, and what went wrong with the last one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bearer {
    /// The token service.
    pub(super) realm: String,
    /// How the registry is called there.
    pub(super) service: Option<String>,
    /// What the request needs, as the service calls it.
    pub(super) scope: Option<String>,
    /// Why the token that was sent does not do (RFC 6750, 3.1).
    pub(super) error: Option<String>,
}

impl Challenge {
    /// Returns the challenge to answer: a token before name and password.
    pub(super) fn choose<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut chosen = None;
        for header in headers {
            for (scheme, parameters) in parse(header) {
                if scheme.eq_ignore_ascii_case("bearer") {
                    let bearer = Bearer::from_parameters(parameters);
                    // Without a realm there is nobody to ask.
                    if !bearer.realm.is_empty() {
                        return Some(Self::Bearer(bearer));
                    }
                } else if scheme.eq_ignore_ascii_case("basic") {
                    chosen = Some(Self::Basic);
                }
            }
        }
        chosen
    }
}

impl Bearer {
    fn from_parameters(parameters: Vec<(String, String)>) -> Self {
        let mut bearer = Self::default();
        for (name, value) in parameters {
            match name.to_ascii_lowercase().as_str() {
                "realm" => bearer.realm = value,
                "service" => bearer.service = Some(value),
                "scope" => bearer.scope = Some(value),
                "error" => bearer.error = Some(value),
                _ => {}
            }
        }
        bearer
    }
}

type Parsed = Vec<(String, Vec<(String, String)>)>;

/// Parses one header. What cannot be parsed ends it: the challenges before that count.
fn parse(header: &str) -> Parsed {
    let mut challenges: Parsed = Vec::new();
    let mut rest = Cursor(header);
    loop {
        rest.skip(|c| c == ',' || c.is_ascii_whitespace());
        let word = rest.token();
        if word.is_empty() {
            return challenges;
        }
        let after_word = rest.0;
        rest.skip(|c| c.is_ascii_whitespace());
        let value = rest.take('=').then(|| {
            rest.skip(|c| c.is_ascii_whitespace());
            rest.value()
        });
        match (value, challenges.last_mut()) {
            (Some(Some(value)), Some((_, parameters))) => {
                parameters.push((word.to_owned(), value));
            }
            (None, _) => {
                challenges.push((word.to_owned(), Vec::new()));
                // A token68, as in `Negotiate YII=`, is of no scheme that we speak.
                let mut ahead = Cursor(after_word);
                ahead.skip(|c| c.is_ascii_whitespace());
                let blob = ahead.token68();
                if !blob.is_empty() && (ahead.0.trim_start().is_empty() || ahead.at_comma()) {
                    rest = ahead;
                }
            }
            _ => return challenges,
        }
    }
}

#[derive(Clone, Copy)]
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn skip(&mut self, what: impl Fn(char) -> bool) {
        self.0 = self.0.trim_start_matches(what);
    }

    fn take(&mut self, expected: char) -> bool {
        self.0.strip_prefix(expected).map(|rest| self.0 = rest).is_some()
    }

    fn at_comma(&self) -> bool {
        self.0.trim_start().starts_with(',')
    }

    fn run(&mut self, what: impl Fn(char) -> bool) -> &'a str {
        let end = self.0.find(|c| !what(c)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at(end);
        self.0 = rest;
        run
    }

    /// RFC 9110, 5.6.2.
    fn token(&mut self) -> &'a str {
        self.run(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
    }

    /// RFC 9110, 11.2; one that ends in `=`, or that no parameter could be.
    fn token68(&mut self) -> &'a str {
        let start = self.0;
        let run = self.run(|c| c.is_ascii_alphanumeric() || "-._~+/".contains(c));
        let padding = self.run(|c| c == '=').len();
        &start[..run.len() + padding]
    }

    /// A quoted string or a token. Some registries do not quote what must be quoted.
    fn value(&mut self) -> Option<String> {
        if !self.take('"') {
            let bare = self.run(|c| c != ',' && !c.is_ascii_whitespace() && c != '"');
            return Some(bare.to_owned());
        }
        let mut value = String::new();
        let mut chars = self.0.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                c => value.push(c),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(headers: &[&str]) -> Option<Challenge> {
        Challenge::choose(headers.iter().copied())
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer(Bearer {
            realm: realm.into(),
            service: service.map(Into::into),
            scope: scope.map(Into::into),
            error: None,
        })
    }

    #[test]
    fn bearer_is_chosen_wherever_it_stands() {
        let token = r#"Bearer realm="https://a/t",service="r",scope="repository:a/b:pull,push""#;
        let expected = Some(bearer("https://a/t", Some("r"), Some("repository:a/b:pull,push")));
        assert_eq!(choose(&[token]), expected);
        assert_eq!(choose(&[r#"Basic realm="x""#, token]), expected);
        assert_eq!(choose(&[&format!(r#"Basic realm="x, Bearer", {token}"#)]), expected);
        assert_eq!(choose(&[&format!("{token}, Basic realm=x")]), expected);
        assert_eq!(choose(&[&format!("Negotiate, Digest YWJj==, {token}")]), expected);
        assert_eq!(choose(&[&format!("Negotiate YWJj==,{token}")]), expected);
    }

    #[test]
    fn schemes_and_names_have_any_case_and_spaces() {
        let odd = r#"bEARER  REALM = "https://a/t" , Service=r ,error="x""#;
        let Some(Challenge::Bearer(found)) = choose(&[odd]) else { panic!("no challenge") };
        assert_eq!(found.realm, "https://a/t");
        assert_eq!(found.service.as_deref(), Some("r"));
        assert_eq!(found.error.as_deref(), Some("x"));
    }

    #[test]
    fn quoted_strings_have_escapes_and_commas() {
        let text = r#"Bearer realm="https://a/\"t\\,",service="a, b""#;
        assert_eq!(choose(&[text]), Some(bearer(r#"https://a/"t\,"#, Some("a, b"), None)));
    }

    #[test]
    fn what_is_broken_does_not_hide_what_is_not() {
        assert_eq!(
            choose(&[r#"Basic realm="x", Bearer realm="https://a"#]),
            Some(Challenge::Basic)
        );
        assert_eq!(choose(&["Basic", ";;;"]), Some(Challenge::Basic));
        assert_eq!(choose(&[r#"Bearer service="x""#]), None);
        assert_eq!(choose(&["", ",,", "=", "Digest a=b"]), None);
    }

    #[test]
    fn unquoted_values_are_read() {
        let text = "Bearer realm=https://a/t?x=y,service=r";
        assert_eq!(choose(&[text]), Some(bearer("https://a/t?x=y", Some("r"), None)));
    }
}
