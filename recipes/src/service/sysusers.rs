//! Accounts (sysusers.d(5)).

use super::quote;
use super::unit::path_text;
use crate::resolved::Service;

pub(super) fn render(service: &Service) -> Option<String> {
    let (user, group) = (&service.user, &service.group);
    let mut text = String::new();
    if !group.is_root() {
        text.push_str(&format!("g {} {}\n", group.name, group.id));
    }
    if !user.is_root() {
        let home = match service.state.first() {
            Some(state) => quote::word(&quote::specifiers(&path_text(&state.path))),
            None => "-".into(),
        };
        let (name, uid, gid) = (&user.name, user.id, group.id);
        text.push_str(&format!("u {name} {uid}:{gid} \"{} service\" {home}\n", service.name));
    }
    (!text.is_empty()).then_some(text)
}
