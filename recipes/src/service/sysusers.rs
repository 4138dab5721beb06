//! Accounts (sysusers.d(5)).

use super::quote;
use super::unit::path_text;
use crate::resolved::Service;

pub(super) fn render(service: &Service) -> Option<String> {
    let (user, group) = (&service.user, &service.group);
    let mut text = String::new();
    // One line makes both, also with a systemd that does not know `uid:gid` yet.
    let alike = user == group;
    if !group.is_root() && !alike {
        text.push_str(&format!("g {} {}\n", group.name, group.id));
    }
    if !user.is_root() {
        let home = match service.state.first() {
            Some(state) => quote::word(&quote::specifiers(&path_text(&state.path))),
            None => "-".into(),
        };
        let name = &user.name;
        let id = if alike { user.id.to_string() } else { format!("{}:{}", user.id, group.id) };
        text.push_str(&format!("u {name} {id} \"{} service\" {home}\n", service.name));
    }
    (!text.is_empty()).then_some(text)
}
