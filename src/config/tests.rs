//! What is accepted, and what is said about the rest: the messages are pinned, for people will look for them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::keys::{COURSE_KEYS, LISTENER_KEYS, SECTIONS};
use super::*;
use crate::model::RoomName;

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::from_toml(text, Path::new("snakk.toml"))
}

#[track_caller]
fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|errors| panic!("{text:?}: {errors}"))
}

fn wrong(text: &str) -> String {
    parse(text).err().map(|errors| errors.to_string()).unwrap_or_default()
}

fn overridden(variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let mut config = Config::default();
    config.apply_env(variables.iter().copied()).map(|()| config)
}

#[test]
fn the_example_is_the_default() {
    assert_eq!(good(Config::example()), Config::default());
    assert_eq!(good(""), Config::default());
    assert_eq!(Config::default().check(), Ok(()));
    assert_eq!(Config::default().remarks(), Vec::<String>::new());
}

#[test]
fn what_is_allowed_but_dangerous_is_said() {
    let remarks = |text: &str| good(text).remarks().join("\n");
    let exposed = "[[listener]]\naddress = \"0.0.0.0:9998\"\n";
    let said = remarks(exposed);
    assert!(said.contains("\"0.0.0.0:9998\" can be reached from other machines and has no tls"), "{said}");
    assert!(said.contains("accounts.guests = true and accounts.registration = \"open\": whoever"), "{said}");
    let said = remarks(&format!("{exposed}[accounts]\nguests = false\nregistration = \"invite\"\n"));
    assert!(said.contains("no tls") && !said.contains("whoever"), "{said}");
    for inside in ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1", "unix:a"] {
        assert_eq!(remarks(&format!("[[listener]]\naddress = \"{inside}\"\n[limits]\nmax_connections = 0\n")), "");
    }
    for outside in ["[::]:1", "192.0.2.1:1", "chat.example:1"] {
        assert!(remarks(&format!("[[listener]]\naddress = \"{outside}\"\n")).contains("no tls"), "{outside}");
    }
    let secured = format!("{exposed}tls = {{ certificate = \"c\", key = \"k\" }}\n[limits]\nmessages_per_second = 0\n");
    if cfg!(feature = "tls") {
        let said = remarks(&secured);
        assert_eq!(
            said,
            "limits.messages_per_second = 0 switches that limit off, and there are listeners that others can reach"
        );
    }
}

#[test]
fn every_limit_that_is_off_for_others_is_said() {
    let address = |address: &str| format!("[[listener]]\naddress = \"{address}\"\n");
    let limits = SECTIONS.iter().find(|section| section.name == "limits").unwrap();
    // Two are off unless somebody sets them, one cannot be off, and one counts as 1.
    let others = ["new_connections_per_minute_per_ip", "room_creations_per_hour", "writer_queue", "message_burst"];
    for key in limits.keys.iter().map(|key| key.name) {
        let off = if key.ends_with("timeout") { "\"0s\"" } else { "0" };
        let limit = format!("[limits]\n{key} = {off}\n");
        let said = |text: &str| {
            parse(text).map(|config| config.remarks().join("\n").contains(&format!("limits.{key} = 0 switches"))).ok()
        };
        if others.contains(&key) {
            assert_ne!(said(&(address("0.0.0.0:1") + &limit)), Some(true), "{key}");
            continue;
        }
        assert_eq!(said(&(address("0.0.0.0:1") + &limit)), Some(true), "{key}");
        assert_eq!(said(&(address("127.0.0.1:1") + &limit)), Some(false), "{key}");
    }
}

#[test]
fn what_may_not_be_what_was_meant_is_said() {
    for (text, remark) in [
        ("[limits]\nmessage_burst = 0\n", "limits.message_burst = 0 counts as 1"),
        ("[limits]\nmessage_burst = 0\nmessages_per_second = 0\n", ""),
        ("[storage]\ndurability = \"normal\"\n", "a power cut may take messages that were acknowledged last"),
        ("[log]\nlevel = \"TRACE\"\n", "log.level = \"TRACE\": that is meant for a search"),
        ("[log]\nlevel = \"info, snakk::net=debug\"\n", "makes a large log"),
        ("[log]\nlevel = \"warn,snakk::store=off\"\n", ""),
        ("[log]\ndirectory = \"log\"\nkeep = 0\n", "log.keep = 0: log files are never deleted"),
        ("[log]\nkeep = 0\n", ""),
        ("[server]\nshutdown_grace = \"30s\"\n", "shutdown_grace = \"30s\" is not less than the 30 s"),
        ("[server]\nshutdown_grace = \"29s\"\n", ""),
    ] {
        let said = good(text).remarks();
        assert_eq!(said.len(), usize::from(!remark.is_empty()), "{text}: {said:?}");
        assert!(said.concat().contains(remark), "{text}: {said:?}");
    }
    let unit = include_str!("../../systemd/snakkd.service");
    assert!(unit.contains("\nTimeoutStopSec=30\n"), "the remark on server.shutdown_grace says how much it is");
}

#[test]
fn the_default_that_stands_in_for_a_bad_address_is_nobodys_twin() {
    let listener = |address: &str| format!("[[listener]]\naddress = \"{address}\"\n");
    let (bad, usual) = (listener("nowhere"), listener("127.0.0.1:9998"));
    for text in [
        bad.repeat(2),
        bad.clone() + &usual,
        usual.clone() + &bad,
        bad.clone() + "[metrics]\naddress = \"127.0.0.1:9998\"\n",
    ] {
        let said = wrong(&text);
        assert_eq!(said.lines().count(), text.matches("nowhere").count(), "{said}");
        assert!(!said.contains("twice") && !said.contains("too"), "{said}");
    }
    // Those that are twins are found all the same.
    let said = wrong(&(bad + &usual.repeat(2)));
    assert!(
        said.ends_with("6:11: listener.address \"127.0.0.1:9998\" is there twice, it must be another one"),
        "{said}"
    );
}

#[test]
fn each_setting_says_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.toml");
    fs::write(&file, "[server]\nmotd = \"hi\"\n\n[[listener]]\naddress = \"[::1]:0\"\ncourse = { echo = false }\n")
        .unwrap();
    let (config, all) = Config::load_explained(Some(&file), [("SNAKK_LOG__LEVEL", "debug")]).unwrap();
    assert_eq!(config.server.motd, "hi");
    let of = |section: &str, key: &str| {
        let found = all.iter().find(|one| one.section == section && one.key == key);
        found.map(|one| (one.value.clone(), one.place.clone().map(|place| place.to_string())))
    };
    let at = |place: &str| Some(format!("{}:{place}", file.display()));
    assert_eq!(of("server", "motd"), Some(("\"hi\"".to_owned(), at("2:8"))));
    assert_eq!(of("server", "name"), Some(("\"snakk\"".to_owned(), None)));
    assert_eq!(of("log", "level"), Some(("\"debug\"".to_owned(), Some("SNAKK_LOG__LEVEL".to_owned()))));
    assert_eq!(of("listener", "address"), Some(("\"[::1]:0\"".to_owned(), at("5:11"))));
    assert_eq!(of("listener", "course.echo").unwrap().0, "false");
    assert_eq!(of("listener", "course.pace"), None);
    let keys: usize = SECTIONS.iter().map(|section| section.keys.len()).sum();
    assert_eq!(all.len(), keys + LISTENER_KEYS.len() + 1);
}

#[test]
fn the_example_has_every_key_with_its_default() {
    let mut lines = Config::example().lines();
    let mut config = Config::default();
    for section in SECTIONS {
        // In the order of the table, so each line is looked for behind the one before it.
        assert!(lines.any(|line| line == format!("[{}]", section.name)), "[{}]", section.name);
        for key in section.keys {
            let default = (key.field)(&mut config).written();
            let line = if default.is_empty() {
                format!("#{} = \"/var/lib/snakk\"", key.name)
            } else {
                format!("{} = {default}", key.name)
            };
            assert!(lines.any(|there| there == line), "{line}");
        }
    }
    for key in LISTENER_KEYS.iter().map(|key| key.name).chain(["#tls", "#course"]) {
        assert!(Config::example().contains(&format!("\n{key} = ")), "{key}");
    }
}

#[test]
fn a_listener_may_override_exactly_the_keys_of_the_course() {
    let course = SECTIONS.iter().find(|section| section.name == "course").unwrap();
    let (mut config, mut overrides) = (Config::default(), CourseOverrides::default());
    assert_eq!(course.keys.len(), COURSE_KEYS.len());
    for (key, over) in course.keys.iter().zip(COURSE_KEYS) {
        let allowed = (key.field)(&mut config).allowed(key.rule);
        assert_eq!((key.name, allowed), (over.name, (over.field)(&mut overrides).allowed(over.rule)));
    }
}

#[test]
fn every_key_can_be_set_in_the_file_and_by_a_variable() {
    let mut config = Config::default();
    for section in SECTIONS {
        for key in section.keys {
            let default = (key.field)(&mut config).written();
            // Something else than the default, and good.
            let (written, word) = match default.as_str() {
                "true" => ("false", "false"),
                "false" => ("true", "true"),
                "[\"lobby\"]" => ("[\"a\", \"b\"]", "a, b"),
                number if number.len() < 4 && number.parse::<u64>().is_ok() => ("60", "60"),
                number if number.parse::<u64>().is_ok() => ("6000", "6000"),
                time if key.name.ends_with("timeout") || time == "\"10s\"" || time == "\"100ms\"" => ("\"1h\"", "1h"),
                text => match text.trim_matches('"') {
                    "full" => ("\"normal\"", "normal"),
                    "open" => ("\"closed\"", "closed"),
                    "ascii" => ("\"unicode\"", "unicode"),
                    "users" => ("\"admins\"", "admins"),
                    "messages" => ("\"each\"", "each"),
                    "text" => ("\"json\"", "json"),
                    "daily" => ("\"never\"", "never"),
                    "info" => ("\"debug\"", "debug"),
                    "" if section.name == "metrics" => ("\"127.0.0.1:9190\"", "127.0.0.1:9190"),
                    _ => ("\"/x\"", "/x"),
                },
            };
            // A room's name has no slash.
            let (written, word) =
                if section.name == "rooms" && word == "/x" { ("\"x\"", "x") } else { (written, word) };
            let name = format!("{}.{}", section.name, key.name);
            let mut from_file = good(&format!("[{}]\n{} = {written}\n", section.name, key.name));
            assert_eq!((key.field)(&mut from_file).written(), written, "{name}");
            let variable = format!("SNAKK_{}__{}", section.name, key.name).to_uppercase();
            let from_variable = overridden(&[(&variable, word)]);
            assert_eq!(from_variable.as_ref(), Ok(&from_file), "{variable}");
            assert_eq!(Config::default().differences(&from_file), [name]);
        }
    }
}

#[test]
fn each_problem_is_told_with_its_place() {
    let cases = [
        (
            "x = 1",
            "1:1: unknown section x, there are server, storage, accounts, rooms, limits, course, log, metrics, listener",
        ),
        (
            "[sever]\n",
            "1:2: unknown section sever, there are server, storage, accounts, rooms, limits, course, log, metrics, listener; did you mean \"server\"?",
        ),
        (
            "motd = \"\"",
            "1:1: unknown section motd, there are server, storage, accounts, rooms, limits, course, log, metrics, listener; did you mean \"server.motd\"?",
        ),
        (
            "[log]\n levl = 1",
            "2:2: unknown key log.levl, log has level, format, directory, rotation, keep; did you mean \"level\"?",
        ),
        (
            "[log]\ndurability = 1",
            "2:1: unknown key log.durability, log has level, format, directory, rotation, keep; did you mean \"storage.durability\"?",
        ),
        ("[metrics]\n\"a\\u001b\" = 1", "2:1: unknown key metrics.\"a\\u{1b}\", metrics has address"),
        (
            "[log]\nlevel = 1",
            "2:9: log.level is 1, it must be \"error\", \"warn\", \"info\", \"debug\", \"trace\" or \"off\", or such as \"info,snakk::net=debug\"",
        ),
        (
            "[storage]\ndurability = \"ful\"",
            "2:14: storage.durability is \"ful\", it must be \"full\" or \"normal\"; did you mean \"full\"?",
        ),
        ("[storage]\nreaders = 0", "2:11: storage.readers is 0, it must be a whole number from 1 to 64"),
        ("[storage]\nreaders = -1", "2:11: storage.readers is -1, it must be a whole number from 1 to 64"),
        (
            "[storage]\nreaders = 1.5",
            "2:11: storage.readers is a number with a fraction, it must be a whole number from 1 to 64",
        ),
        ("[storage]\nreaders = \"2\"", "2:11: storage.readers is \"2\", it must be a whole number from 1 to 64"),
        (
            "storage.readers = 0x7fffffffffffffffffffffffffffffffff",
            "1:19: storage.readers is a number with too many digits, it must be a whole number from 1 to 64",
        ),
        ("[storage]\nfile = \"\"", "2:8: storage.file is \"\", it must be a path"),
        ("[accounts]\nguests = \"yes\"", "2:10: accounts.guests is \"yes\", it must be true or false"),
        (
            "[limits]\nlogin_timeout = \"-5s\"",
            "2:17: limits.login_timeout is \"-5s\", it must be a time such as \"100ms\", \"30s\", \"5m\", \"10h\" or \"7d\", from \"0s\" to \"365d\"",
        ),
        (
            "[limits]\nlogin_timeout = 30",
            "2:17: limits.login_timeout is 30, it must be a time such as \"100ms\", \"30s\", \"5m\", \"10h\" or \"7d\", from \"0s\" to \"365d\"",
        ),
        (
            "[limits]\nlogin_timeout = \"1000000000000000000000000000000s\"",
            "2:17: limits.login_timeout is \"1000000000000000000000000000000s\", it must be a time such as \"100ms\", \"30s\", \"5m\", \"10h\" or \"7d\", from \"0s\" to \"365d\"",
        ),
        ("[limits]\nwriter_queue = 0", "2:16: limits.writer_queue is 0, it must be a whole number from 1 to 1048576"),
        (
            "[rooms]\ndefault = [\"a b\"]",
            "2:11: rooms.default is [\"a b\"], it must be a list of room names (each letters, digits, '_' and '-', at most 64, the first a letter or digit)",
        ),
        (
            "[rooms]\ncourse = \"\"",
            "2:10: rooms.course is \"\", it must be a room name: letters, digits, '_' and '-', at most 64, the first a letter or digit",
        ),
        (
            "[course]\ntimestamp = \"%!\"",
            "2:13: course.timestamp is \"%!\", it must be a strftime pattern of 1 to 64 bytes such as \"%Y-%m-%d %H:%M:%S\"",
        ),
        (
            "[course]\nhistory = 1979-05-27",
            "2:11: course.history is a date or time, it must be \"messages\", \"strings\", \"objects\", \"text\", \"each\" or \"none\"",
        ),
        ("[listener]\n", "1:2: listener is a table, it must be a list: [[listener]]"),
        ("listener = [1]\n", "1:13: listener is 1, it must be a table"),
        ("server = 1\n", "1:10: server is 1, it must be a section: [server]"),
        (
            "[[listener]]\naddress = \"::1:99\"",
            "2:11: listener.address is \"::1:99\", it must be \"HOST:PORT\", \"[IPV6]:PORT\" or \"unix:PATH\"",
        ),
        (
            "[[listener]]\ndialect = \"course2016\"",
            "2:11: listener.dialect is \"course2016\", it must be \"auto\", \"native\", \"course2014\" or \"course2015\"; did you mean \"course2015\"?",
        ),
        ("[[listener]]\nport = 1", "2:1: unknown key listener.port, listener has address, dialect, tls, course"),
        (
            "[[listener]]\ncourse = { pase = 1 }",
            "2:12: unknown key listener.course.pase, listener.course has history, backlog, pace, history_max_bytes, timestamp, server_name, echo, notices, extras, close_after_logout; did you mean \"pace\"?",
        ),
        ("[[listener]]\ntls = true", "2:7: listener.tls is true, it must be a table"),
        (
            "[[listener]]\n\n[[listener]]\n",
            "3:1: listener.address \"127.0.0.1:9998\" is there twice, it must be another one",
        ),
        (
            "[log]\nformat = \"journald\"\ndirectory = \"log\"",
            "3:13: log.directory is \"log\", but log.format is \"journald\", which needs no files; it must be \"\"",
        ),
        (
            "[metrics]\naddress = \"127.0.0.1:9998\"",
            "2:11: metrics.address \"127.0.0.1:9998\" is that of a listener too, it must be another one",
        ),
        // The grammar.
        ("[log]\nlevel = \"a\"\nlevel = \"b\"", "3:1: level is given twice, it must be given once"),
        ("[log]\n[log]\n", "2:2: log is given twice, it must be given once"),
        ("[log]\nlevel = \n", "2:9: this is not TOML: string values must be quoted, expected literal string"),
        ("[log\n", "1:5: this is not TOML: unclosed table, expected `]`"),
        // Columns are characters, and neither a byte order mark nor the line ends of Windows shift anything.
        ("[log]\n\"ø\" = 1", "2:1: unknown key log.\"ø\", log has level, format, directory, rotation, keep"),
        ("log.\"ø\".level = 1", "1:5: unknown key log.\"ø\", log has level, format, directory, rotation, keep"),
        (
            "log = { level = \"øø\", kep = 1 }",
            "1:17: log.level is \"øø\", it must be \"error\", \"warn\", \"info\", \"debug\", \"trace\" or \"off\", or such as \"info,snakk::net=debug\"\nsnakk.toml:1:23: unknown key log.kep, log has level, format, directory, rotation, keep; did you mean \"keep\"?",
        ),
        (
            "\u{feff}x = 1",
            "1:1: unknown section x, there are server, storage, accounts, rooms, limits, course, log, metrics, listener",
        ),
        ("[log]\r\nkeep = 1\r\nkeep = 2\r\n", "3:1: keep is given twice, it must be given once"),
    ];
    for (text, expected) in cases {
        assert_eq!(wrong(text), format!("snakk.toml:{expected}"), "{text:?}");
    }
}

#[test]
fn all_problems_are_told_at_once_and_in_order() {
    let text = "[storage]\nreaders = 0\n[log]\nformat = \"journal\"\nkeep = -1\n[x]\n";
    let errors = parse(text).unwrap_err();
    let places: Vec<String> = errors.problems().iter().map(|problem| problem.place().to_string()).collect();
    assert_eq!(places, ["snakk.toml:2:11", "snakk.toml:4:10", "snakk.toml:5:8", "snakk.toml:6:2"]);
}

#[test]
fn files_from_other_systems_are_read() {
    let expected = good("[log]\nkeep = 3\n");
    assert_eq!(good("\u{feff}[log]\r\nkeep = 3\r\n"), expected);
}

#[test]
fn paths_are_relative_to_the_right_folder() {
    let text = "server.data_dir = \"d\"\nstorage.file = \"f\"\n";
    let config = Config::from_toml(text, Path::new("/etc/snakk/snakk.toml")).unwrap();
    assert_eq!(config.server.data_dir.as_deref(), Some(Path::new("/etc/snakk/d")));
    assert_eq!(config.storage.file, Path::new("f"));
    assert_eq!(config.log.directory_in(Path::new("/d")), None);
    assert_eq!(good("log.directory = \"l\"").log.directory_in(Path::new("/d")).as_deref(), Some(Path::new("/d/l")));
    let config = overridden(&[("SNAKK_SERVER__DATA_DIR", "d")]).unwrap();
    assert_eq!(config.server.data_dir.as_deref(), Some(Path::new("d")));
}

#[cfg(feature = "tls")]
#[test]
fn a_listener_that_is_encrypted_has_a_certificate_and_a_key_beside_the_file() {
    let text = "[[listener]]\ntls = { certificate = \"c.pem\", key = \"/k.pem\" }";
    let config = Config::from_toml(text, Path::new("/etc/snakk/snakk.toml")).unwrap();
    let tls = config.listeners[0].tls.as_ref().unwrap();
    assert_eq!((&*tls.certificate, &*tls.key), (Path::new("/etc/snakk/c.pem"), Path::new("/k.pem")));
    config.check().unwrap();
    for (text, expected) in [
        ("tls = { certificate = \"a\" }", "2:7: listener.tls has no key, it must have certificate and key"),
        (
            "tls = { certificate = \"\", keys = \"b\", key = \"c\" }",
            "2:23: listener.tls.certificate is \"\", it must be a path\nsnakk.toml:2:27: unknown key listener.tls.keys, listener.tls has certificate, key; did you mean \"key\"?",
        ),
        (
            "tls = { certificate = \"a\", key = \"b\" }\naddress = \"unix:a\"",
            "2:7: listener.tls is given, but nobody can listen in on a Unix socket; it must be left out",
        ),
    ] {
        assert_eq!(wrong(&format!("[[listener]]\n{text}")), format!("snakk.toml:{expected}"), "{text:?}");
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_listener_cannot_be_encrypted_where_there_is_no_tls() {
    let text = "[[listener]]\ntls = { certificate = \"a\", key = \"b\" }";
    let expected = "2:7: listener.tls is given, but this program was built without TLS; it must be left out";
    assert_eq!(wrong(text), format!("snakk.toml:{expected}"));
}

#[test]
fn a_listener_has_the_knobs_of_the_course_but_for_its_own() {
    let text =
        "[course]\nbacklog = 7\n[[listener]]\naddress = \"[::1]:0\"\ncourse = { history = \"strings\", pace = 0 }\n";
    let mut config = good(text);
    config.apply_env([("SNAKK_COURSE__ECHO", "false"), ("SNAKK_COURSE__PACE", "1s")]).unwrap();
    let course = config.listeners[0].course.over(&config.course);
    assert_eq!((course.history, course.pace), (CourseHistory::Strings, Duration::ZERO));
    assert_eq!((course.backlog, course.echo), (7, false));
}

#[test]
fn the_course_room_always_exists() {
    let standing = |text: &str| good(text).rooms.standing().iter().map(RoomName::to_string).collect::<Vec<_>>();
    assert_eq!(standing(""), ["lobby"]);
    assert_eq!(standing("[rooms]\ndefault = [\"A\", \"b\", \"a\"]\ncourse = \"School\""), ["a", "b", "school"]);
    assert_eq!(standing("[rooms]\ndefault = []"), ["lobby"]);
}

#[test]
fn variables_override_and_are_named_when_wrong() {
    let config = overridden(&[
        ("SNAKK_LIMITS__MESSAGES_PER_SECOND", "20"),
        ("SNAKK_ROOMS__DEFAULT", "a, b"),
        ("SNAKK_SERVER__MOTD", ""),
        ("SNAKK_CONFIG", "/x"),
        ("SNAKK_SERVER", "localhost:1"),
        ("SNAKK_SERVICE_HOST", "10.0.0.1"),
        ("HOME", "/root"),
    ])
    .unwrap();
    assert_eq!(config.limits.messages_per_second, 20);
    assert_eq!(config.rooms.default, [RoomName::trusted("a"), RoomName::trusted("b")]);

    let cases = [
        (
            "SNAKK_X__Y",
            "1",
            "unknown section x, there are server, storage, accounts, rooms, limits, course, log, metrics, listener",
        ),
        (
            "SNAKK_LIMIT__WRITER_QUEUE",
            "1",
            "unknown section limit, there are server, storage, accounts, rooms, limits, course, log, metrics; did you mean \"SNAKK_LIMITS__WRITER_QUEUE\"?",
        ),
        (
            "SNAKK_LOG__LEVL",
            "info",
            "unknown key log.levl, log has level, format, directory, rotation, keep; did you mean \"level\"?",
        ),
        ("SNAKK_LOG__KEEP", "-1", "log.keep is \"-1\", it must be a whole number from 0 to 10000"),
        ("SNAKK_LOG__KEEP", "", "log.keep is \"\", it must be a whole number from 0 to 10000"),
        ("SNAKK_COURSE__ECHO", "yes", "course.echo is \"yes\", it must be true or false"),
        ("SNAKK_LISTENER__ADDRESS", "a:1", "the listeners are a list of tables, it must be in the file"),
    ];
    for (name, value, expected) in cases {
        let message = overridden(&[(name, value)]).unwrap_err().to_string();
        assert_eq!(message, format!("{name}: {expected}"));
    }
    let foreign = OsString::from_vec(vec![0xff]);
    let message = Config::default().apply_env([(OsString::from("SNAKK_LOG__LEVEL"), foreign)]).unwrap_err().to_string();
    assert_eq!(message, "SNAKK_LOG__LEVEL: log.level is not UTF-8, it must be");
}

#[test]
fn a_contradiction_names_where_the_value_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("snakk.toml");
    fs::write(&file, "[log]\nformat = \"journald\"\n").unwrap();
    let errors = Config::load(Some(&file), [("SNAKK_LOG__DIRECTORY", "log")]).unwrap_err();
    assert!(errors.to_string().starts_with("SNAKK_LOG__DIRECTORY: log.directory is \"log\""), "{errors}");
    let mut config = Config::default();
    config.log.format = LogFormat::Journald;
    assert!(config.check().is_ok());
    config.log.directory = "log".into();
    assert!(config.check().unwrap_err().to_string().starts_with("configuration: log.directory"));
}

#[test]
fn what_may_not_stand_in_a_file_may_not_stand_in_a_program() {
    type Spoil = fn(&mut Config);
    let cases: [(Spoil, &str); 12] = [
        (|c| c.storage.readers = 0, "storage.readers is 0, it must be a whole number from 1 to 64"),
        (|c| c.limits.writer_queue = 0, "limits.writer_queue is 0, it must be a whole number from 1 to 1048576"),
        (
            |c| c.limits.max_connections = usize::MAX,
            "limits.max_connections is 18446744073709551615, it must be a whole number from 0 to 4294967295",
        ),
        (
            |c| c.rooms.retention_days = 40_000,
            "rooms.retention_days is 40000, it must be a whole number from 0 to 36500",
        ),
        (|c| c.server.name.clear(), "server.name is \"\", it must be one line of 1 to 64 bytes"),
        (|c| c.server.data_dir = Some("".into()), "server.data_dir is \"\", it must be a path"),
        (|c| c.storage.file = "a\0\u{1b}".into(), r#"storage.file is "a\0\u{1b}", it must be a path"#),
        (
            |c| c.limits.stall_timeout = Duration::MAX,
            "limits.stall_timeout is \"18446744073709551615ms\", it must be a time such as",
        ),
        (|c| c.log.level = "loud".into(), "log.level is \"loud\", it must be \"error\", "),
        (|c| c.course.timestamp = "%".into(), "course.timestamp is \"%\", it must be a strftime pattern"),
        (|c| c.listeners[0].address = "here".into(), "listener.address is \"here\", it must be \"HOST:PORT\", "),
        (
            |c| c.listeners[0].course.backlog = Some(10_001),
            "listener.course.backlog is 10001, it must be a whole number from 0 to 10000",
        ),
    ];
    for (change, expected) in cases {
        let mut config = Config::default();
        change(&mut config);
        let errors = config.check().expect_err(expected);
        let [problem] = errors.problems() else { panic!("{errors}") };
        assert!(problem.what().starts_with(expected), "{problem}");
        assert_eq!(problem.place(), &Place::Program);
    }
    // What no file can say, but is none the worse for it.
    let mut config = Config::default();
    config.storage.file = OsString::from_vec(vec![0xff]).into();
    config.course.pace = Duration::from_micros(1);
    assert_eq!(config.check(), Ok(()));
}

#[test]
fn what_is_no_configuration_file_is_refused_at_once() {
    let began = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("huge"), vec![b'#'; 100 << 20]).unwrap();
    fs::write(path.join("latin"), b"[log]\nlevel = \"\xe5\"\n").unwrap();
    assert!(Command::new("mkfifo").arg(path.join("fifo")).status().unwrap().success());
    let cases = [
        ("missing", ": the configuration cannot be read: No such file or directory (os error 2)"),
        (".", ": the configuration is not a regular file, it must be one"),
        ("fifo", ": the configuration is not a regular file, it must be one"),
        ("huge", ": the configuration is too large, it must have at most 1 MiB"),
        ("latin", ":2:10: this byte is not UTF-8, the file must be"),
    ];
    for (name, expected) in cases {
        let file = path.join(name);
        let message = Config::load(Some(&file), [("", ""); 0]).unwrap_err().to_string();
        assert_eq!(message, format!("{}{expected}", file.display()));
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn noise_of_any_shape_is_refused_in_bounded_time() {
    let mib = 1 << 20;
    let shapes = [
        "a.".repeat(mib / 2 - 4) + "a = 1",
        "[".to_owned() + &"a.".repeat(mib / 2 - 4) + "a]",
        "x = { ".to_owned() + &"a.".repeat(mib / 2 - 8) + "a = 1 }",
        "[".repeat(mib),
        "{".repeat(mib),
        "x = ".to_owned() + &"[".repeat(mib - 4),
        "x = ".to_owned() + &"{a=".repeat(mib / 3),
        "a=1\n".repeat(mib / 4),
        (0..100_000).map(|n| format!("k{n}=1\n")).collect(),
        "log = {".to_owned() + &(0..80_000).map(|n| format!("k{n}=1,")).collect::<String>() + "}",
        "[[listener]]\n".repeat(80_000),
        "listener = [".to_owned() + &"{},".repeat(300_000) + "]",
        "\0".repeat(mib),
        "\"".repeat(mib),
        "\n".repeat(mib),
    ];
    let began = Instant::now();
    for shape in shapes {
        let message = wrong(&shape);
        assert!(message.len() < 64 << 10, "{} bytes about {:?}", message.len(), &shape[..20]);
    }
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn figures_that_others_can_read_are_remarked_on() {
    for (address, remarks) in [
        ("", 0),
        ("127.0.0.1:9190", 0),
        ("[::1]:9190", 0),
        ("localhost:9190", 0),
        ("0.0.0.0:9190", 1),
        ("chat.example.org:9190", 1),
    ] {
        let config = good(&format!("[metrics]\naddress = \"{address}\"\n"));
        assert_eq!(config.remarks().len(), remarks, "{address}: {:?}", config.remarks());
    }
}
