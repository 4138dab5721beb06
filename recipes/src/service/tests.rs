use std::collections::BTreeMap;
use std::sync::Arc;

use bake_formats::tree::{Mode, Owner, TreePath};

use crate::error::Place;
use crate::name::ServiceName;
use crate::resolved::{Port, Protocol, Restart, Service, StateDirectory};

fn plain(command: &[&str]) -> Service {
    Service {
        name: ServiceName::parse("catalog").unwrap(),
        description: "Catalogue, 100% of it".into(),
        command: command.iter().map(|&word| word.to_owned()).collect(),
        launcher: vec![],
        preparation: vec![],
        user: Owner::root(),
        group: Owner::root(),
        ports: Vec::new(),
        state: Vec::new(),
        environment: BTreeMap::new(),
        after: Vec::new(),
        wants: Vec::new(),
        restart: Restart::OnFailure,
        working_directory: None,
        stop_signal: None,
        handling: crate::resolved::UnitHandling::default(),
        systemd: BTreeMap::new(),
        place: Place::of(&Arc::from("bake.toml"), "", &(0..0)),
    }
}

fn full() -> Service {
    let list = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>();
    Service {
        launcher: vec![],
        preparation: vec![],
        user: Owner::new("catalog", 52_188),
        group: Owner::new("shop", 52_000),
        ports: vec![
            Port { number: 80, protocol: Protocol::Tcp },
            Port { number: 53, protocol: Protocol::Udp },
        ],
        state: vec![
            StateDirectory {
                path: TreePath::parse("/var/lib/catalog").unwrap(),
                mode: Mode::new(0o750).unwrap(),
            },
            StateDirectory {
                path: TreePath::parse("/var/cache/my 100%").unwrap(),
                mode: Mode::new(0o1777).unwrap(),
            },
        ],
        environment: [("GREETING", "hello \"$USER\" 5%\n"), ("LEVEL", "info")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        after: list(&["network-online.target", "postgresql.service"]),
        wants: list(&["network-online.target"]),
        working_directory: Some(TreePath::parse("/var/lib/catalog").unwrap()),
        stop_signal: Some("SIGINT".into()),
        systemd: [
            ("Service", [("LimitNOFILE", list(&["65536"])), ("Restart", list(&["on-abort"]))]),
            ("Unit", [("After", list(&["a.service"])), ("Documentation", list(&["man:x", "y:z"]))]),
        ]
        .map(|(name, settings)| {
            (name.to_owned(), settings.map(|(name, values)| (name.to_owned(), values)).into())
        })
        .into(),
        ..plain(&["/usr/bin/catalog", "serve"])
    }
}

#[test]
fn renders_a_unit() {
    let expected = "[Unit]
Description=Catalogue, 100%% of it
After=a.service
Wants=network-online.target
Documentation=man:x
Documentation=y:z

[Service]
Type=simple
ExecStart=/usr/bin/catalog serve
User=catalog
Group=shop
AmbientCapabilities=CAP_NET_BIND_SERVICE
WorkingDirectory=/var/lib/catalog
Environment=\"GREETING=hello \\\"$USER\\\" 5%%\\n\"
Environment=LEVEL=info
Restart=on-abort
KillSignal=SIGINT
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
";
    assert_eq!(full().unit(), expected);
}

#[test]
fn renders_accounts_and_directories() {
    let accounts = "g shop 52000\nu catalog 52188:52000 \"catalog service\" /var/lib/catalog\n";
    assert_eq!(full().sysusers().as_deref(), Some(accounts));
    let alike = Service { group: Owner::new("catalog", 52_188), state: Vec::new(), ..full() };
    let accounts = "u catalog 52188 \"catalog service\" -\n";
    assert_eq!(alike.sysusers().as_deref(), Some(accounts));
    let directories = "d /var/lib/catalog 0750 catalog shop -\n\
                       d \"/var/cache/my 100%%\" 1777 catalog shop -\n";
    assert_eq!(full().tmpfiles().as_deref(), Some(directories));
}

#[test]
fn a_service_of_root_has_a_unit_only() {
    let service = plain(&["/usr/bin/x"]);
    let files = service.files().unwrap();
    let paths: Vec<_> = files.iter().map(|file| file.path.to_string()).collect();
    assert_eq!(paths, ["/usr/lib/systemd/system/catalog.service"]);
    assert!(!service.unit().contains("User="));
}

#[test]
fn quotes_what_systemd_would_take_apart() {
    let cases: [(&[&str], &str); 8] = [
        (&["/a", "b c"], "/a \"b c\""),
        (&["/a", ""], "/a \"\""),
        (&["/a", "say \"hi\""], "/a \"say \\\"hi\\\"\""),
        (&["/a", "it's"], "/a \"it's\""),
        (&["/a", "100%", "$HOME"], "/a 100%% \"$$HOME\""),
        (&["/a", "c:\\x"], "/a \"c:\\\\x\""),
        (&["/a", ";"], "/a \";\""),
        (&["/my app/100%", "a\nb\tc"], "\"/my app/100%%\" \"a\\nb\\tc\""),
    ];
    for (command, expected) in cases {
        let unit = plain(command).unit();
        let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart="));
        assert_eq!(line, Some(expected), "{command:?}");
    }
}
