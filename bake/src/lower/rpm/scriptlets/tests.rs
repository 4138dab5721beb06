//! Which units a scriptlet handles, and that the parts are what a shell accepts.

use bake_recipes::resolved::{OnUpgrade, UnitHandling};

use super::*;
use crate::lower::units::Units;

fn handled() -> Units {
    let handling = |enable, on_upgrade| UnitHandling { enable, start: true, on_upgrade };
    Units::from([
        ("a.service".to_owned(), handling(true, OnUpgrade::Restart)),
        ("b.timer".to_owned(), handling(false, OnUpgrade::Keep)),
        ("dev-x\\x2dy.mount".to_owned(), handling(true, OnUpgrade::Keep)),
    ])
}

fn parts() -> Parts {
    let mut parts = Parts::default();
    units::post(&mut parts, &handled());
    units::preun(&mut parts, &handled());
    units::postun(&mut parts, &handled());
    parts
}

#[test]
fn each_scriptlet_handles_the_units_it_is_for() {
    let parts = parts();
    let text = |scriptlet: Scriptlet| parts.texts[&scriptlet].concat();
    let post = text(Scriptlet::Post);
    assert!(post.contains("install-system-units a.service 'dev-x\\x2dy.mount' ||"), "{post}");
    assert!(!post.contains("b.timer"), "{post}");
    let preun = text(Scriptlet::Preun);
    let all = "a.service b.timer 'dev-x\\x2dy.mount'";
    assert!(preun.contains(&format!("remove-system-units {all} ||")), "{preun}");
    assert!(preun.contains(&format!("disable --now {all} >")), "{preun}");
    let postun = text(Scriptlet::Postun);
    assert!(postun.contains("mark-restart-system-units a.service ||"), "{postun}");
    assert!(postun.contains("try-restart a.service >"), "{postun}");
    assert_eq!(parts.needs.order, [Dependency::on("systemd")]);
}

#[test]
fn a_shell_accepts_the_parts() {
    for text in parts().texts.values() {
        let text = text.concat();
        let status = std::process::Command::new("/bin/sh").args(["-n", "-c", &text]).status();
        assert!(status.unwrap().success(), "{text}");
    }
}

#[test]
fn without_units_nothing_is_added() {
    let mut parts = Parts::default();
    let none = Units::new();
    units::post(&mut parts, &none);
    units::preun(&mut parts, &none);
    units::postun(&mut parts, &none);
    assert!(parts.texts.is_empty() && parts.needs.order.is_empty());
}
