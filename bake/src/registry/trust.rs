//! Whom to trust on a TLS connection, and whom to show ourselves as.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::settings::RegistrySettings;

/// What the settings of a registry say about TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Trust {
    ca: Option<PathBuf>,
    client: Option<(PathBuf, PathBuf)>,
    insecure: bool,
}

impl Trust {
    /// Takes what settings say.
    pub(super) fn new(settings: &RegistrySettings) -> Self {
        let client = settings.client_cert.clone().zip(settings.client_key.clone());
        Self { ca: settings.ca.clone(), client, insecure: settings.insecure }
    }

    /// Returns what holds for hosts that the registry sends us to: they often have certificates of
    /// the same authority, but they are not shown ours, and nobody said not to check theirs.
    pub(super) fn of_others(&self) -> Self {
        Self { ca: self.ca.clone(), ..Self::default() }
    }
}

/// The certificates of the system, read once and only if they are needed.
#[derive(Debug, Default)]
pub(super) struct Roots {
    system: OnceLock<Vec<Certificate<'static>>>,
    provider: OnceLock<Arc<rustls::crypto::CryptoProvider>>,
}

impl Roots {
    /// Makes the configuration of TLS; the error is a sentence about a file.
    pub(super) fn config(&self, trust: &Trust) -> Result<TlsConfig, String> {
        let provider =
            self.provider.get_or_init(|| rustls::crypto::ring::default_provider().into());
        let mut roots = self.system.get_or_init(system).clone();
        if let Some(path) = &trust.ca {
            roots.extend(certificates(path)?);
        }
        let client = trust.client.as_ref().map(|(chain, key)| identity(chain, key)).transpose()?;
        Ok(TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider.clone())
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .client_cert(client)
            .disable_verification(trust.insecure)
            .build())
    }
}

/// Reads the system's certificates. One that cannot be read is not trusted, which shows when a
/// server needs it.
fn system() -> Vec<Certificate<'static>> {
    let found = rustls_native_certs::load_native_certs().certs;
    found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, String> {
    let pem = fs_err::read(path).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
    }
    if found.is_empty() {
        return Err(format!("{}: no certificate in PEM", path.display()));
    }
    Ok(found)
}

fn identity(chain: &Path, key: &Path) -> Result<ClientCert, String> {
    let pem = zeroize::Zeroizing::new(fs_err::read(key).map_err(|error| error.to_string())?);
    let private = PrivateKey::from_pem(&pem)
        .map_err(|_| format!("{}: no private key in PEM without a passphrase", key.display()))?;
    Ok(ClientCert::new_with_certs(&certificates(chain)?, private))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_certificates_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        fs_err::write(&path, "hello").unwrap();
        let trust = Trust { ca: Some(path.clone()), ..Trust::default() };
        let error = Roots::default().config(&trust).unwrap_err();
        assert_eq!(error, format!("{}: no certificate in PEM", path.display()));
        let trust = Trust { client: Some((path.clone(), path)), ..Trust::default() };
        let error = Roots::default().config(&trust).unwrap_err();
        assert!(error.contains("no private key in PEM"), "{error}");
    }

    #[test]
    fn others_are_not_shown_who_we_are() {
        let trust = Trust {
            ca: Some("ca.pem".into()),
            client: Some(("a".into(), "b".into())),
            insecure: true,
        };
        let others = trust.of_others();
        assert_eq!(others, Trust { ca: Some("ca.pem".into()), client: None, insecure: false });
    }
}
