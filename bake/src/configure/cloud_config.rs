//! What cloud-init reads from a seed (cloud-init documentation, "NoCloud", "Write Files", "Runcmd").
//!
//! Contents are base64 and all else is quoted, so nothing is taken for YAML. The first line is that of a plain
//! `#cloud-config`, so nothing is taken for a template either.

use std::fmt::Write as _;

use bake_config::OutputFile;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::install::Install;
use super::request::Request;

/// Returns `meta-data`. The instance is another one whenever the configuration is: cloud-init does its work once for each.
pub(super) fn meta_data(request: &Request<'_>) -> String {
    let deployment = request.deployment;
    let instance = format!("{}-{}", deployment.name(), deployment.digest.short());
    let mut text = format!("instance-id: {}\n", quoted(&instance));
    if let Some(name) = request.host_name {
        text.push_str(&format!("local-hostname: {}\n", quoted(name.as_str())));
    }
    text
}

/// Returns `user-data`.
pub(super) fn user_data(request: &Request<'_>, install: &Install) -> Zeroizing<String> {
    let (name, environment) = (request.deployment.name(), request.deployment.environment);
    let files = || install.open.iter().chain(&install.secret);
    // Room for all of it at once: growing would leave copies of a secret behind.
    let room: usize =
        files().map(|file| file.contents.len() * 4 / 3 + 6 * file.path.len() + 200).sum();
    let mut text = Zeroizing::new(String::with_capacity(room + 1000));
    text.push_str("#cloud-config\n");
    text.push_str(&format!(
        "# Configuration of {name} in {environment}, written by bake.\nwrite_files:\n"
    ));
    for file in files() {
        write_file(&mut text, file);
    }
    // Units are started while cloud-init still works, so the service has failed by now, or runs without what was
    // written. Waiting for it could be waiting for what waits for cloud-init.
    text.push_str("runcmd:\n");
    let unit = quoted(&install.unit);
    for command in [
        r#""daemon-reload""#.to_owned(),
        format!(r#""reset-failed", {unit}"#),
        format!(r#""--no-block", "restart", {unit}"#),
    ] {
        text.push_str(&format!("- [\"systemctl\", {command}]\n"));
    }
    text
}

fn write_file(text: &mut Zeroizing<String>, file: &OutputFile) {
    let path = quoted(&format!("/{}", file.path));
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(&*file.contents));
    text.push_str(&format!(
        "- path: {path}\n  owner: \"root:root\"\n  permissions: \"{:04o}\"\n",
        file.mode
    ));
    text.push_str("  encoding: \"b64\"\n  content: \"");
    text.push_str(&encoded);
    text.push_str("\"\n");
}

/// Returns a scalar in double quotes (YAML 1.2, 7.3.1), everything that is not plain ASCII escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c => {
                let written = write!(quoted, "\\U{:08X}", u32::from(c));
                debug_assert!(written.is_ok(), "writing to a string cannot fail");
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_is_read_back_whatever_is_in_it() {
        let cases = [
            ("yes", "\"yes\""),
            ("a: b # c", "\"a: b # c\""),
            ("a\"\\", "\"a\\\"\\\\\""),
            ("\u{85}\u{2028}\né", "\"\\U00000085\\U00002028\\U0000000A\\U000000E9\""),
        ];
        for (text, expected) in cases {
            assert_eq!(quoted(text), expected);
        }
    }
}
