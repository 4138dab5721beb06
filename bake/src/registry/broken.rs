//! Why an exchange gave no answer: from the library's errors to what the wire decides by.

use std::error::Error as _;
use std::io;

use rustls::CertificateError;

use super::address::TooNear;
use super::error::Fault;

/// An exchange that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// What kind of fault it is.
    pub(super) kind: Kind,
    /// What happened, in words.
    pub(super) reason: String,
}

/// What decides whether to try again, and what to advise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody listens there.
    Refused,
    /// The name is not known.
    Name,
    /// No connection, or nothing came or went for too long.
    Timeout,
    /// The connection broke.
    Reset,
    /// The other side does not speak TLS.
    NotTls,
    /// The certificate is of an authority that is not trusted.
    Authority,
    /// The certificate is not good for other reasons.
    Certificate,
    /// The proxy did not connect us.
    Proxy,
    /// The address is one that the registry must not name.
    TooNear,
    /// What came is not HTTP.
    Http,
    /// Files of ours cannot be read.
    Local,
}

impl Broken {
    /// Makes a fault of ours.
    pub(super) fn local(reason: impl Into<String>) -> Self {
        Self { kind: Kind::Local, reason: reason.into() }
    }

    /// Returns whether another attempt may do better.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.kind, Kind::Refused | Kind::Name | Kind::Timeout | Kind::Reset | Kind::Proxy)
    }

    /// Returns the fault for the caller.
    pub(super) fn fault(&self) -> Fault {
        match self.kind {
            Kind::Local => Fault::Local(self.reason.clone()),
            Kind::Http => Fault::Protocol(self.reason.clone()),
            Kind::TooNear => Fault::Credentials(self.reason.clone()),
            _ => Fault::Unreachable(self.reason.clone()),
        }
    }

    /// Returns what to do about it, for a registry.
    pub(super) fn hint(&self, registry: &str) -> Option<String> {
        let setting = format!("under [registry.\"{registry}\"] in registries.toml");
        match self.kind {
            Kind::Authority => Some(format!(
                "if its certificate is of an authority of your own, set `ca` {setting}"
            )),
            Kind::Certificate => Some(
                "the name, the dates or the use of the certificate are wrong: its owner must \
                renew it, or the registry is called by another name"
                    .to_owned(),
            ),
            Kind::NotTls => Some(format!("if it talks plain HTTP, set `http = true` {setting}")),
            Kind::Refused => Some("is the registry running, and is the port right?".to_owned()),
            Kind::Name => {
                Some("check the name; if only a proxy knows it, set HTTPS_PROXY".to_owned())
            }
            Kind::Proxy => Some(
                "the proxy comes from HTTPS_PROXY or HTTP_PROXY; hosts in \
                NO_PROXY are reached without it"
                    .to_owned(),
            ),
            Kind::Timeout => Some(
                "a firewall may drop the connection; if a proxy leads out, set \
                HTTPS_PROXY"
                    .to_owned(),
            ),
            Kind::TooNear => Some(
                "if you mean that host to be reached, give it a table of its own in \
                registries.toml: [registry.\"HOST\"]"
                    .to_owned(),
            ),
            Kind::Reset | Kind::Http | Kind::Local => None,
        }
    }
}

impl From<ureq::Error> for Broken {
    fn from(error: ureq::Error) -> Self {
        use ureq::Error;
        match error {
            Error::Io(error) => from_io(&error),
            Error::Rustls(error) => from_tls(&error),
            Error::Timeout(which) => {
                let reason = match which {
                    ureq::Timeout::Connect | ureq::Timeout::Resolve => "no connection in time",
                    ureq::Timeout::PerWrite | ureq::Timeout::SendBody => {
                        "nothing was taken for too long"
                    }
                    _ => "nothing came for too long",
                };
                Self { kind: Kind::Timeout, reason: reason.into() }
            }
            Error::HostNotFound => Self { kind: Kind::Name, reason: "no such host".into() },
            Error::ConnectionFailed => Self { kind: Kind::Refused, reason: "no connection".into() },
            Error::ConnectProxyFailed(text) => {
                let reason = format!("the proxy refuses to connect: {text}");
                Self { kind: Kind::Proxy, reason }
            }
            Error::InvalidProxyUrl => {
                Self { kind: Kind::Proxy, reason: "the proxy's address is not a URL".into() }
            }
            Error::Other(error) if error.is::<TooNear>() => {
                Self { kind: Kind::TooNear, reason: error.to_string() }
            }
            Error::Http(error) => {
                let reason = format!("the request cannot be written: {error}");
                Self { kind: Kind::Http, reason }
            }
            Error::BadUri(_) => {
                Self { kind: Kind::Http, reason: "the address cannot be written".into() }
            }
            Error::Tls(text) => Self { kind: Kind::Certificate, reason: text.into() },
            error => {
                let reason = format!("the answer is not HTTP that can be read: {error}");
                Self { kind: Kind::Http, reason }
            }
        }
    }
}

fn from_io(error: &io::Error) -> Broken {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return from_tls(tls);
    }
    let (kind, reason) = match error.kind() {
        io::ErrorKind::ConnectionRefused => (Kind::Refused, "connection refused".to_owned()),
        io::ErrorKind::TimedOut => (Kind::Timeout, "no connection in time".to_owned()),
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => (Kind::Reset, "the connection broke".to_owned()),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            (Kind::Refused, error.to_string())
        }
        // The resolver's errors have no kind of their own.
        _ if error.to_string().starts_with("failed to lookup address") => {
            (Kind::Name, "no such host".to_owned())
        }
        _ => (Kind::Reset, error.to_string()),
    };
    Broken { kind, reason }
}

fn from_tls(error: &rustls::Error) -> Broken {
    use rustls::Error;
    let kind = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => Kind::Authority,
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => Kind::Certificate,
        Error::InvalidMessage(_) => Kind::NotTls,
        _ => Kind::Certificate,
    };
    let reason = match (kind, error) {
        (Kind::Authority, _) => {
            "its certificate is signed by an unknown authority (x509)".to_owned()
        }
        (Kind::NotTls, _) => "it does not speak TLS".to_owned(),
        (_, Error::AlertReceived(alert)) => format!("it ended the TLS handshake: {alert:?}"),
        (_, error) => match error.source() {
            Some(source) => format!("TLS: {error}: {source}"),
            None => format!("TLS: {error}"),
        },
    };
    Broken { kind, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_apart() {
        let io = |kind| ureq::Error::Io(io::Error::from(kind));
        let tls = |error| ureq::Error::Io(io::Error::new(io::ErrorKind::InvalidData, error));
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let cases = [
            (io(io::ErrorKind::ConnectionRefused), Kind::Refused, true),
            (io(io::ErrorKind::ConnectionReset), Kind::Reset, true),
            (tls(unknown), Kind::Authority, false),
            (
                tls(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)),
                Kind::NotTls,
                false,
            ),
            (
                ureq::Error::Rustls(rustls::Error::InvalidCertificate(CertificateError::Expired)),
                Kind::Certificate,
                false,
            ),
            (ureq::Error::Timeout(ureq::Timeout::PerRead), Kind::Timeout, true),
            (ureq::Error::HostNotFound, Kind::Name, true),
        ];
        for (error, kind, passing) in cases {
            let broken = Broken::from(error);
            assert_eq!(broken.kind, kind, "{broken:?}");
            assert_eq!(broken.is_passing(), passing, "{broken:?}");
        }
    }

    #[test]
    fn an_unknown_authority_leads_to_the_setting() {
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let broken = Broken::from(ureq::Error::Rustls(unknown));
        assert!(broken.hint("a.example").unwrap().contains("[registry.\"a.example\"]"));
    }
}
