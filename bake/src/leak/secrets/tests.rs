use crate::leak::{Needles, Scanner, rules};

/// Returns the rules that a text breaks, each with its place.
fn found(text: &str) -> Vec<(&'static str, usize)> {
    let scanner = Scanner::new(Needles::default());
    let mut all = Vec::new();
    let bytes = text.as_bytes();
    scanner.search(bytes, 0, bytes.len(), &mut |found, at| match found {
        crate::leak::scanner::Match::Secret(rule) => all.push((rule.id, at)),
        crate::leak::scanner::Match::Value(..) => unreachable!("no value is looked for"),
    });
    all
}

/// Letters and digits that look drawn at random.
fn random(len: usize) -> String {
    letters(len, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
}

fn letters(len: usize, alphabet: &[u8]) -> String {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(alphabet[usize::try_from(state >> 33).unwrap() % alphabet.len()])
    };
    (0..len).map(|_| next()).collect()
}

fn key(label: &str, headers: &str, newline: &str) -> String {
    let lines: Vec<String> = random(256)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect();
    let lines = lines.join(newline);
    format!(
        "-----BEGIN {label}-----{newline}{headers}{lines}{newline}-----END {label}-----{newline}"
    )
}

#[test]
fn every_rule_has_what_breaks_it() {
    let upper = letters(16, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    let bech = letters(58, b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L");
    let sealed = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0123456789ABCDEF\n\n";
    let rows = [
        (key("PRIVATE KEY", "", "\n"), "private-key"),
        (key("RSA PRIVATE KEY", "", "\r\n"), "private-key"),
        (key("EC PRIVATE KEY", "", "\\n"), "private-key"),
        (key("RSA PRIVATE KEY", sealed, "\n"), "encrypted-private-key"),
        (key("ENCRYPTED PRIVATE KEY", "", "\n"), "encrypted-private-key"),
        (key("OPENSSH PRIVATE KEY", "", "\n"), "encrypted-private-key"),
        (
            key(
                "OPENSSH PRIVATE KEY",
                "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz\n",
                "\n",
            ),
            "private-key",
        ),
        (key("PGP PRIVATE KEY BLOCK", "Version: 1\nComment: a b c\n\n", "\n"), "pgp-private-key"),
        (format!("AKIA{upper}"), "aws-access-key"),
        (format!("id = \"ASIA{upper}\""), "aws-access-key"),
        (
            format!("\"private_key_id\": \"{}\"", letters(40, b"0123456789abcdef")),
            "gcp-service-account",
        ),
        (format!("ghp_{}", random(36)), "github-token"),
        (format!("github_pat_{}", random(82)), "github-token"),
        (format!("token: glpat-{}", random(20)), "gitlab-token"),
        (format!("xoxb-123456789012-{}-{}", "1234567890123", random(24)), "slack-token"),
        (
            format!(
                "https://hooks.slack.com/services/T{}/B{}/{}",
                random(10),
                random(10),
                random(24)
            ),
            "slack-token",
        ),
        (format!("sk_live_{}", random(24)), "stripe-key"),
        (format!("npm_{}", random(36)), "npm-token"),
        (format!("//registry.example.com/:_authToken={}", random(32)), "npm-token"),
        (format!("pypi-AgEIcHlwaS5vcmc{}", random(100)), "pypi-token"),
        (format!("AGE-SECRET-KEY-1{bech}"), "age-key"),
        (format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqbyJ9.{}", random(43)), "jwt"),
        (format!("AccountName=a;AccountKey={}==;", random(86)), "azure-key"),
        (format!("SharedAccessKey={}=", random(43)), "azure-key"),
        (format!("postgres://app:{}@db.internal:5432/app", random(12)), "url-password"),
    ];
    for (text, expected) in &rows {
        let text = format!("x {text} y");
        let rules: Vec<_> = found(&text).into_iter().map(|(rule, _)| rule).collect();
        assert_eq!(rules, [*expected], "{text}");
    }
    for rule in rules() {
        assert!(rows.iter().any(|(_, id)| *id == rule.id), "{}", rule.id);
    }
}

#[test]
fn what_only_looks_like_a_secret_is_none() {
    let rows = [
        "-----BEGIN PRIVATE KEY-----".to_owned(),
        "-----BEGIN RSA PRIVATE KEY-----\0-----END RSA PRIVATE KEY-----\0".to_owned(),
        format!("-----BEGIN PRIVATE KEY-----\n{}\n", "A".repeat(64)),
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----".to_owned(),
        key("CERTIFICATE", "", "\n"),
        key("PUBLIC KEY", "", "\n"),
        "AKIAIOSFODNN7EXAMPLE".to_owned(),
        "AKIAAAAAAAAAAAAAAAAA".to_owned(),
        format!("xAKIA{}", letters(16, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
        format!("AKIA{}", random(40)),
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".to_owned(),
        format!("ghp_{}", random(30)),
        "npm_config_registry npm_lifecycle_event".to_owned(),
        "//registry.npmjs.org/:_authToken=${NPM_TOKEN}".to_owned(),
        "sk_live_abcdefghijklmnopqrstuvwx".to_owned(),
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c".to_owned(),
        "eyJhbGciOiJIUzI1NiJ9.notapayload.short".to_owned(),
        "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==".to_owned(),
        "http://user:password@host/ ftp://user:pass@ftp.example.org".to_owned(),
        "https://user:${PASSWORD}@host https://%s:%s@host http://{user}:{pass}@h.org".to_owned(),
        "https://host:8080/a@b mailto:a@b.org git@github.com:a/b".to_owned(),
        "http://proxyuser:proxypass@proxyhost:port https://user:he%2F%2Fo@pypi.company.com".to_owned(),
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzb21lIjoicGF5bG9hZCJ9.4twFt5NiznN84AWoo1d7KO1T_yoc0Z6XOpOVswacPZg".to_owned(),
        "AGE-SECRET-KEY-1N9JEPW6DWJ0ZQUDX63F5A03GX8QUW7PXDE39N8UYF82VZ9PC8UFS3M7XA9".to_owned(),
        "http://x:y@z.org https://me:me@site.org".to_owned(),
    ];
    for text in rows {
        assert_eq!(found(&text), [], "{text}");
    }
}

#[test]
fn nothing_is_read_beyond_the_end() {
    let all = [
        key("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\n", "\n"),
        format!("https://hooks.slack.com/services/T{}", random(9)),
        "a://b:cde@f.g".to_owned(),
        format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqbyJ9.{}", random(43)),
        "\"private_key_id\"".to_owned(),
        "AccountKey=".to_owned(),
        "glpat-".to_owned(),
    ];
    for text in all {
        for end in 0..=text.len() {
            for start in [0, end / 2] {
                let _found = found(&text[start..end]);
            }
        }
    }
}
