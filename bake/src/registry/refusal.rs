//! What a registry says when it refuses (distribution-spec, "Error Codes").

use std::io::Read;
use std::time::Duration;

use bake_formats::digest::Digest;
use serde_json::Value;

use super::action::Action;
use super::call::Answer;
use super::error::{Fault, RegistryError};

/// How much of an error's body is read.
const MAX_BODY: u64 = 64 << 10;
/// How much of a message is passed on.
const MAX_MESSAGE: usize = 300;
/// How many digests of one error are looked at.
const MAX_DIGESTS: usize = 1000;

/// An answer whose status says no.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The status code.
    pub(super) status: u16,
    /// The first code of the specification's list, or empty.
    pub(super) code: String,
    /// How long the registry asks to be left alone.
    pub(super) retry_after: Option<Duration>,
    message: String,
    is_page: bool,
    errors: Vec<Value>,
}

impl Refusal {
    /// Reads an answer's body as far as it helps. A body that breaks off is judged by what came.
    pub(super) fn read(answer: Answer) -> Self {
        let status = answer.status;
        let retry_after = answer.retry_after();
        let content_type = answer.headers.get("Content-Type").unwrap_or_default();
        let says_html = content_type.to_ascii_lowercase().contains("html");
        let body = beginning(answer.body);
        let text = String::from_utf8_lossy(&body);
        let is_page = says_html || text.trim_start().starts_with('<');
        let document: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let errors = match document.get("errors") {
            Some(Value::Array(errors)) => errors.clone(),
            _ => Vec::new(),
        };
        let first = errors.first().unwrap_or(&document);
        let code = code_of(first);
        let message = match (message_of(first), is_page) {
            (Some(message), _) => one_line(&message),
            (None, true) => format!("an HTML page{}", title(&text)),
            (None, false) if document.is_null() && !text.trim().is_empty() => one_line(&text),
            (None, false) => "no explanation".to_owned(),
        };
        Self { status, code, retry_after, message, is_page, errors }
    }

    /// Returns whether one of the errors has a code.
    pub(super) fn has(&self, code: &str) -> bool {
        self.errors.iter().any(|error| code_of(error) == code)
    }

    /// Returns every digest that the errors name, in their details or their messages.
    pub(super) fn digests(&self) -> Vec<Digest> {
        let mut found = Vec::new();
        for error in &self.errors {
            let text = error.to_string();
            let digests = text.match_indices("sha256:").filter_map(|(at, _)| {
                text.get(at..at + "sha256:".len() + 64).and_then(|text| text.parse::<Digest>().ok())
            });
            found.extend(digests.take(MAX_DIGESTS));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Returns the error. `what` is what a status of 404 says is not there.
    pub(super) fn into_error(self, action: &Action, what: &'static str) -> RegistryError {
        let hint = self.hint(action);
        let Self { status, code, message, is_page, .. } = self;
        let fault = match (status, code.as_str()) {
            (_, "NAME_UNKNOWN") => Fault::NotFound("repository"),
            (404, _) if !is_page => Fault::NotFound(what),
            (401, _) => Fault::Credentials(Fault::Refused { status, code, message }.to_string()),
            _ => Fault::Refused { status, code, message },
        };
        RegistryError { hint, ..action.fault(fault) }
    }

    fn hint(&self, action: &Action) -> Option<String> {
        let repository = action.repository();
        let hint = match (self.status, self.code.as_str()) {
            (_, "NAME_UNKNOWN") if action.writes() => format!(
                "create the repository `{repository}` first: some registries (ECR) make none by \
                 themselves"
            ),
            (404, "") if action.writes() && !self.is_page => {
                format!("is `{repository}` a repository that exists, and may it be written to?")
            }
            (401, _) => {
                "log in with `docker login`, `podman login` or `skopeo login`; if you are, \
                         the account lacks the right"
                    .to_owned()
            }
            (403, _) | (_, "DENIED") if action.writes() => format!(
                "the account in use may not push to `{repository}`: log in with another or give it \
                 the right"
            ),
            (403, _) | (_, "DENIED") => format!(
                "the account in use may not pull from `{repository}`, or there is no such repository"
            ),
            (429, _) => "the registry's rate limit is reached: try again later, or log in for a \
                         higher one"
                .to_owned(),
            (413, _) => "the registry or a proxy before it limits the size of requests: set \
                         `max-body` for it, or raise the limit"
                .to_owned(),
            _ if self.is_page => {
                "is a registry behind this address? A proxy or a login page may have answered"
                    .to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

/// Reads what comes of a body, up to the limit.
fn beginning(body: impl Read) -> Vec<u8> {
    let mut body = body.take(MAX_BODY);
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    while let Ok(count @ 1..) = body.read(&mut block) {
        bytes.extend_from_slice(&block[..count]);
    }
    bytes
}

/// Returns an error's code if it looks like one of the specification's.
fn code_of(error: &Value) -> String {
    let code = error.get("code").and_then(Value::as_str).unwrap_or_default();
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let valid = code.len() <= 64 && code.bytes().all(is_code);
    if valid { code.to_owned() } else { String::new() }
}

/// Returns an error's message where registries and token services put it.
fn message_of(error: &Value) -> Option<String> {
    let fields = ["message", "details", "error_description", "error"];
    let text = fields.iter().find_map(|field| error.get(field).and_then(Value::as_str));
    let detail = error.get("detail").filter(|detail| !detail.is_null());
    let detail = detail.map(|detail| match detail {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let detail = detail.filter(|detail| !matches!(detail.as_str(), "" | "{}" | "[]"));
    match (text.filter(|text| !text.is_empty()), detail) {
        (Some(text), Some(detail)) => Some(format!("{text} ({detail})")),
        (Some(text), None) => Some(text.to_owned()),
        (None, detail) => detail,
    }
}

/// Returns text as one line without control characters, shortened.
fn one_line(text: &str) -> String {
    let visible: String =
        text.chars().take(4 * MAX_MESSAGE).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MAX_MESSAGE {
        return line;
    }
    let short: String = line.chars().take(MAX_MESSAGE).collect();
    format!("{short}…")
}

/// Returns what an HTML page calls itself, as the end of a sentence.
fn title(page: &str) -> String {
    let lower = page.to_ascii_lowercase();
    let Some(start) = lower.find("<title>").map(|at| at + "<title>".len()) else {
        return String::new();
    };
    let text = lower[start..].find("</title>").and_then(|len| page.get(start..start + len));
    text.map_or_else(String::new, |text| format!(" titled `{}`", one_line(text)))
}
