//! Rules for services and units.

use super::finding::Severity::{Error, Info, Warning};
use super::rule::{Check, Report, Rule};
use super::subject::{File, Subject};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "service-command-missing",
        severity: Error,
        lintian: &[],
        rpmlint: &[],
        about: "a service whose program is not among the files",
        check: Check::Package(service_command_missing),
    },
    Rule {
        id: "service-command-not-executable",
        severity: Error,
        lintian: &[],
        rpmlint: &[],
        about: "a service whose program nobody may execute",
        check: Check::Package(service_command_not_executable),
    },
    Rule {
        id: "service-runs-as-root",
        severity: Info,
        lintian: &["systemd-service-file-missing-hardening-features"],
        rpmlint: &[],
        about: "a service that listens on ports as root",
        check: Check::Package(service_runs_as_root),
    },
    Rule {
        id: "service-runs-as-nobody",
        severity: Warning,
        lintian: &["systemd-service-file-uses-nobody-or-nogroup"],
        rpmlint: &[],
        about: "a service that shares the account `nobody`",
        check: Check::Package(service_runs_as_nobody),
    },
    Rule {
        id: "unit-in-odd-place",
        severity: Warning,
        lintian: &["systemd-service-in-odd-location", "misplaced-systemd-tmpfiles"],
        rpmlint: &["systemd-unit-in-etc", "tmpfiles-conf-in-etc", "udev-rule-in-etc"],
        about: "a unit, or a file of tmpfiles.d, sysusers.d or udev, in `/etc` or `/lib`",
        check: Check::File(unit_in_odd_place),
    },
    Rule {
        id: "unit-not-shipped",
        severity: Error,
        lintian: &[],
        rpmlint: &[],
        about: "a unit that the recipe manages and does not place",
        check: Check::Package(unit_not_shipped),
    },
    Rule {
        id: "unit-not-managed",
        severity: Warning,
        lintian: &["maintainer-script-lacks-debhelper-token"],
        rpmlint: &[],
        about: "a unit among the files that packages neither enable nor start",
        check: Check::File(unit_not_managed),
    },
];

/// Where packages place units.
const UNITS: &str = "/usr/lib/systemd/system";

fn service_command_missing(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(service) = &cx.recipe.service else { return };
    let Some(program) = service.command.first() else { return };
    // The interpreter of another package is no fault.
    let elsewhere =
        ["/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/"].iter().any(|dir| program.starts_with(dir))
            && !cx.recipe.name.as_str().eq(program.rsplit('/').next().unwrap_or_default());
    if !cx.places_path(program) && !elsewhere {
        report.advise(
            cx.places.first(&["service.command", "service"]),
            format!("the service runs `{program}`, which is not among the files"),
            "place it, or name the program that is",
        );
    }
}

fn service_command_not_executable(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(program) = cx.recipe.service.as_ref().and_then(|service| service.command.first())
    else {
        return;
    };
    if let Some(file) = cx.files.iter().find(|file| file.name == *program)
        && file.is_regular()
        && !file.is_executable()
    {
        report.advise(
            file.at(),
            format!("nobody may execute the service's program `{program}`"),
            "add `mode = \"0755\"`",
        );
    }
}

fn service_runs_as_root(cx: &Subject<'_>, report: &mut Report<'_>) {
    if let Some(service) = &cx.recipe.service
        && service.user.is_root()
        && !service.ports.is_empty()
    {
        let place = cx.places.first(&["service.command", "service"]);
        report.advise(
            place,
            "the service listens on the network as root",
            "`user = \"…\"` gives it an account of its own",
        );
    }
}

fn service_runs_as_nobody(cx: &Subject<'_>, report: &mut Report<'_>) {
    if let Some(service) = &cx.recipe.service
        && ["nobody", "nogroup"].contains(&&*service.user.name)
    {
        let message = "the service shares the account `nobody` with others";
        report.advise(
            cx.places.first(&["service.user", "service"]),
            message,
            "give it an account of its own",
        );
    }
}

fn unit_in_odd_place(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let places = [
        ("/etc/systemd/system", UNITS),
        ("/lib/systemd/system", UNITS),
        ("/etc/tmpfiles.d", "/usr/lib/tmpfiles.d"),
        ("/etc/sysusers.d", "/usr/lib/sysusers.d"),
        ("/etc/udev/rules.d", "/usr/lib/udev/rules.d"),
        ("/lib/udev/rules.d", "/usr/lib/udev/rules.d"),
    ];
    for (odd, right) in places {
        if file.is_below(odd) && file.is_regular() {
            report.advise(
                file.at(),
                format!("`{}` is in the administrator's place", file.name),
                format!("packages place it in `{right}`"),
            );
        }
    }
}

fn unit_not_shipped(cx: &Subject<'_>, report: &mut Report<'_>) {
    for unit in &cx.recipe.units {
        if !cx.places_path(&format!("{UNITS}/{}", unit.name))
            && !cx.places_path(&format!("/lib/systemd/system/{}", unit.name))
        {
            let message = format!("there is no `{UNITS}/{}`", unit.name);
            report.found(Some(unit.place.clone()), message);
        }
    }
}

fn unit_not_managed(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let kinds = [".service", ".timer", ".socket", ".path"];
    let name = file.base();
    let direct = file.is_below(UNITS) && file.path.depth() == 5;
    if !direct
        || !file.is_regular()
        || !kinds.iter().any(|kind| name.ends_with(kind))
        || name.contains('@')
    {
        return;
    }
    let own = cx
        .recipe
        .service
        .as_ref()
        .is_some_and(|service| name == format!("{}.service", service.name));
    // A unit without [Install] is started by others.
    let installs = file.head().is_some_and(|head| head.windows(9).any(|text| text == b"[Install]"));
    if installs && !own && !cx.recipe.units.iter().any(|unit| unit.name == name) {
        let message = format!("packages neither enable nor start `{name}`");
        report.advise(file.at(), message, format!("write `[[units]]` with `name = \"{name}\"`"));
    }
}
