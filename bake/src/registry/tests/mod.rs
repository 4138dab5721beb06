//! The wire against servers that answer as they are told.

mod authentication;
mod encryption;
mod exchange;
mod hostile;
mod mirrors;
mod persistence;
mod redirects;
mod scenarios;
mod scripted;
mod server;
mod traces;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::client::Options;
use super::*;

/// A clock that stands still unless somebody sleeps.
#[derive(Debug, Default)]
pub(super) struct TestClock {
    now: Mutex<Duration>,
}

impl Clock for TestClock {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep(&self, time: Duration) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
}

/// Returns a client whose auth file is this text, and its clock.
fn client(auths: &str) -> (Client, Arc<TestClock>) {
    client_with(auths, |_| ())
}

fn client_with(auths: &str, change: impl FnOnce(&mut Options)) -> (Client, Arc<TestClock>) {
    let clock = Arc::new(TestClock::default());
    let source = Source::Text("test".into(), Secret::new(auths.into()));
    let mut options = Options {
        keychain: Keychain::new(vec![source]),
        clock: clock.clone(),
        ..Options::default()
    };
    change(&mut options);
    (Client::new(options), clock)
}

/// Returns an auth file with one login.
fn login(registry: &str, user: &str, password: &str) -> String {
    let entry = serde_json::json!({ "username": user, "password": password });
    serde_json::json!({ "auths": { registry: entry } }).to_string()
}

fn pull(repository: &str) -> [Scope; 1] {
    [Scope { repository: repository.into(), push: false }]
}

fn push(repository: &str) -> [Scope; 1] {
    [Scope { repository: repository.into(), push: true }]
}

fn get<'a>(registry: &'a str, path: &'a str, scopes: &'a [Scope]) -> Call<'a> {
    Call {
        registry,
        method: Method::Get,
        target: Target::Path(path),
        scopes,
        headers: Headers::default(),
        body: Body::Empty,
        patience: Patience::Wire,
    }
}

fn text(answer: Answer) -> String {
    std::io::read_to_string(answer.body).unwrap()
}
