//! Which token service may see the credentials of a registry.
//!
//! A registry says where its tokens come from, and whoever it names gets name and password. So the
//! service must be of the registry's own domain, or of one that the settings allow, and the way to
//! it must be encrypted.

use url::Url;

use super::address;

/// Checks that a token service may see credentials; the error says why not, as a phrase.
pub(super) fn check(realm: &Url, registry: &Url, allowed: &[String]) -> Result<(), String> {
    let host = realm.host_str().unwrap_or_default();
    if realm.scheme() != "https" && !(registry.scheme() == "http" && address::is_loopback(registry))
    {
        return Err(format!("it wants the login to go to {} without TLS", place(realm)));
    }
    let own = registry.host_str().unwrap_or_default();
    if host == own || same_domain(host, own) || allowed.iter().any(|name| name == host) {
        return Ok(());
    }
    if address::is_localhost(realm) && address::is_localhost(registry) {
        return Ok(());
    }
    Err(format!("it wants the login to go to {}, which is of another domain", place(realm)))
}

fn place(realm: &Url) -> String {
    realm.origin().ascii_serialization()
}

/// Returns whether two names are of one domain: of the domain that the registry's name is in, if
/// that is not a top-level domain.
fn same_domain(realm: &str, registry: &str) -> bool {
    if registry.parse::<std::net::IpAddr>().is_ok() || registry.starts_with('[') {
        return false;
    }
    let parent = match registry.split_once('.') {
        Some((_, parent)) if is_domain(parent) => parent,
        _ => registry,
    };
    is_domain(parent)
        && (realm == parent || realm.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.')))
}

/// Returns whether a name belongs to somebody: `example.com` does, `com` and `co.uk` do not.
fn is_domain(name: &str) -> bool {
    let labels: Vec<_> = name.split('.').collect();
    match labels[..] {
        [] | [_] => false,
        [second, top] => !(top.len() == 2 && second.len() <= 3),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(realm: &str, registry: &str) -> Result<(), String> {
        let allowed = ["login.other.example".to_owned()];
        check(&Url::parse(realm).unwrap(), &Url::parse(registry).unwrap(), &allowed)
    }

    #[test]
    fn services_of_the_same_domain_see_credentials() {
        for (realm, registry) in [
            ("https://auth.docker.io/token", "https://registry-1.docker.io/v2/"),
            ("https://ghcr.io/token", "https://ghcr.io/v2/"),
            ("https://auth.ghcr.io/token", "https://ghcr.io/v2/"),
            ("https://gitlab.com/jwt/auth", "https://registry.gitlab.com/v2/"),
            ("https://login.other.example/t", "https://a.example.com/v2/"),
            ("https://a.example.com:8443/t", "https://a.example.com:5000/v2/"),
            ("http://127.0.0.1:5001/token", "http://localhost:5000/v2/"),
            ("https://auth.example.co.uk/t", "https://registry.example.co.uk/v2/"),
        ] {
            assert_eq!(checked(realm, registry), Ok(()), "{realm} of {registry}");
        }
    }

    #[test]
    fn others_do_not() {
        for (realm, registry, reason) in [
            ("https://evil.example/t", "https://ghcr.io/v2/", "another domain"),
            ("https://ghcr.io.evil.example/t", "https://ghcr.io/v2/", "another domain"),
            ("https://evilghcr.io/t", "https://ghcr.io/v2/", "another domain"),
            ("https://evil.io/t", "https://ghcr.io/v2/", "another domain"),
            ("https://evil.co.uk/t", "https://registry.co.uk/v2/", "another domain"),
            ("http://ghcr.io/token", "https://ghcr.io/v2/", "without TLS"),
            ("http://a.example/token", "http://a.example/v2/", "without TLS"),
            ("http://127.0.0.2:5001/t", "http://127.0.0.1:5000/v2/", "another domain"),
            ("https://10.0.0.2/t", "https://10.0.0.1/v2/", "another domain"),
            ("https://127.0.0.1/t", "https://a.example.com/v2/", "another domain"),
        ] {
            let refused = checked(realm, registry).unwrap_err();
            assert!(refused.contains(reason), "{realm} of {registry}: {refused}");
        }
    }
}
