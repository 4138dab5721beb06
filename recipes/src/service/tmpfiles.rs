//! Directories (tmpfiles.d(5)).

use super::quote;
use super::unit::path_text;
use crate::resolved::Service;

pub(super) fn render(service: &Service) -> Option<String> {
    let (user, group) = (&service.user.name, &service.group.name);
    let lines = service.state.iter().map(|state| {
        let path = quote::word(&quote::specifiers(&path_text(&state.path)));
        format!("d {path} {} {user} {group} -\n", state.mode)
    });
    let text: String = lines.collect();
    (!text.is_empty()).then_some(text)
}
