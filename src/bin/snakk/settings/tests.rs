//! What is accepted, what is said about the rest, and what is taken from where.

use super::screen::{Emoji, Notify, Rtl, Theme};
use super::*;

fn parse(text: &str) -> Result<Settings, ConfigErrors> {
    Settings::parse(text, Path::new("/etc/x/config.toml"))
}

#[track_caller]
fn good(text: &str) -> Settings {
    parse(text).unwrap_or_else(|errors| panic!("{text:?}: {errors}"))
}

#[test]
fn the_example_is_the_default() {
    assert_eq!(good(EXAMPLE), Settings::default());
    assert_eq!(good(""), Settings::default());
}

#[test]
fn the_example_has_every_key_with_its_default() {
    let mut lines = EXAMPLE.lines();
    for key in KEYS {
        let start = format!("#{} = ", key.name);
        assert!(lines.any(|line| line.starts_with(&start)), "{start}");
    }
    let mut screen = Screen::default();
    for key in screen::KEYS {
        let line = format!("{} = {}", key.name, (key.field)(&mut screen).written());
        assert!(lines.any(|there| there == line), "{line}");
    }
}

#[test]
fn what_the_example_has_in_comments_is_good_too() {
    let is_key = |line: &str| {
        let start = line.split(' ').next().unwrap_or_default();
        start.starts_with("[profile") || KEYS.iter().any(|key| key.name == start)
    };
    let uncommented: Vec<&str> =
        EXAMPLE.lines().map(|line| line.strip_prefix('#').filter(|line| is_key(line)).unwrap_or(line)).collect();
    let settings = good(&uncommented.join("\n"));
    let base = &settings.base;
    let all = [base.server.is_some(), base.username.is_some(), base.room.is_some(), base.password_command.is_some()];
    assert!(all.iter().all(|there| *there) && base.password_file.is_some() && base.tls_fingerprint.is_some());
    assert!(base.certificate.is_some() && base.certificate_key.is_some());
    assert_eq!(settings.profiles["work"].server.as_deref(), Some("tls://chat.example.org"));
}

#[test]
fn every_key_can_be_set() {
    let settings = good(
        "server = \"h:1\"\nusername = \"ann\"\nroom = \"dev\"\npassword_command = [\"pass\", \"show\"]\n\
         password_file = \"secret\"\ncertificate = \"ann.crt\"\ncertificate_key = \"~/ann.key\"\ntls_fingerprint = \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"\n\
         [screen]\ntheme = \"mono\"\ntime_format = \"%c\"\nnotify = \"osc9\"\nnotify_command = [\"a\", \"b\"]\n\
         notify_text = true\nmembers = false\nrtl = \"terminal\"\nemoji = \"simple\"\nmouse = true\n[profile.work]\npassword_command = \"x | y\"\n",
    );
    let base = &settings.base;
    assert_eq!(
        (base.server.as_deref(), base.username.as_deref(), base.room.as_deref()),
        (Some("h:1"), Some("ann"), Some("dev"))
    );
    assert_eq!(base.password_command, Some(PasswordCommand::Words(vec!["pass".to_owned(), "show".to_owned()])));
    assert_eq!(base.password_file.as_deref(), Some(Path::new("/etc/x/secret")));
    assert_eq!(base.certificate.as_deref(), Some(Path::new("/etc/x/ann.crt")));
    assert_eq!(base.certificate_key, Some(folders::home().unwrap_or_default().join("ann.key")));
    let screen = Screen {
        theme: Theme::Mono,
        time_format: "%c".to_owned(),
        notify: Notify::Osc9,
        notify_command: vec!["a".to_owned(), "b".to_owned()],
        notify_text: true,
        members: false,
        rtl: Rtl::Terminal,
        emoji: Emoji::Simple,
        mouse: true,
    };
    assert_eq!(settings.screen, screen);
    assert_eq!(settings.profiles["work"].password_command, Some(PasswordCommand::Shell("x | y".to_owned())));
    let home = folders::home().unwrap_or_default();
    assert_eq!(good("password_file = \"~/secret\"").base.password_file, Some(home.join("secret")));
}

#[test]
fn each_problem_is_told_with_its_place() {
    let cases = [
        (
            "usernam = \"x\"",
            "1:1: unknown key usernam, there are server, username, room, password_command, password_file, certificate, \
             certificate_key, tls_fingerprint, \
             profile, screen; did you mean \"username\"?",
        ),
        (
            "theme = \"dark\"",
            "1:1: unknown key theme, there are server, username, room, password_command, password_file, certificate, \
             certificate_key, tls_fingerprint, \
             profile, screen; did you mean \"screen.theme\"?",
        ),
        (
            "[screen]\nroom = \"x\"",
            "2:1: unknown key screen.room, screen has theme, time_format, notify, notify_command, notify_text, members, rtl, \
             emoji, mouse; did you mean \"room, above [screen]\"?",
        ),
        (
            "[profile.a]\nthem = 1",
            "2:1: unknown key profile.a.them, profile.a has server, username, room, password_command, password_file, certificate, certificate_key, \
             tls_fingerprint",
        ),
        (
            "[screen]\ntheme = \"darc\"",
            "2:9: screen.theme is \"darc\", it must be \"auto\", \"dark\", \"light\" or \"mono\"; did you mean \"dark\"?",
        ),
        ("[screen]\nmouse = 1", "2:9: screen.mouse is 1, it must be true or false"),
        ("[screen]\nnotify_command = \"x\"", "2:18: screen.notify_command is \"x\", it must be a list of strings"),
        (
            "[screen]\ntime_format = \"%!\"",
            "2:15: screen.time_format is \"%!\", it must be a strftime pattern of 1 to 64 bytes such as \"%Y-%m-%d %H:%M:%S\"",
        ),
        ("room = \"\"", "1:8: room is \"\", it must be a name"),
        (
            "server = \"http://x\"",
            "1:10: server is \"http://x\", it must be \"HOST\", \"HOST:PORT\", \"tls://HOST:PORT\" or \"unix:PATH\"",
        ),
        (
            "password_command = []",
            "1:20: password_command is [], it must be a list of strings (a program and its arguments), or a string for the \
             shell",
        ),
        (
            "[profile.a]\npassword_command = [\"a\", 1]",
            "2:20: profile.a.password_command is [\"a\", 1], it must be a list of strings (a program and its arguments), or a \
             string for the shell",
        ),
        (
            "tls_fingerprint = \"AB:CD\"",
            "1:19: tls_fingerprint is \"AB:CD\", it must be a SHA-256 fingerprint of 32 bytes such as \"SHA256:AB:CD:..\"",
        ),
        ("profile = 1", "1:11: profile is 1, it must be tables: [profile.NAME]"),
        ("[profile]\nwork = 1", "2:8: profile.work is 1, it must be a table: [profile.work]"),
        ("screen = 1", "1:10: screen is 1, it must be a table"),
        ("room = a", "1:8: this is not TOML: string values must be quoted, expected literal string (at \"a\")"),
    ];
    for (text, expected) in cases {
        let wrong = parse(text).err().map(|errors| errors.to_string()).unwrap_or_default();
        assert_eq!(wrong, format!("/etc/x/config.toml:{expected}"), "{text:?}");
    }
}

#[test]
fn a_password_is_refused_without_being_repeated() {
    for text in ["password = \"hunter2\"", "[profile.a]\npassword = \"hunter2\"", "[screen]\npassword = \"hunter2\""] {
        let wrong = parse(text).unwrap_err().to_string();
        for word in [NO_PASSWORD, "password_command", "password_file", "--password-file", "$SNAKK_PASSWORD"] {
            assert!(wrong.contains(word), "{wrong}");
        }
        assert!(!wrong.contains("hunter2"), "{wrong}");
    }
}

#[test]
fn a_profile_takes_what_it_leaves_out_from_the_top_of_the_file() {
    let settings = good("username = \"ann\"\nroom = \"dev\"\n[profile.work]\nroom = \"hall\"\n[profile.\"at home\"]\n");
    let work = settings.profile(Some("work")).unwrap();
    assert_eq!((work.username.as_deref(), work.room.as_deref()), (Some("ann"), Some("hall")));
    assert_eq!(settings.profile(Some("at home")).unwrap(), settings.base);
    assert_eq!(settings.profile(None).unwrap(), settings.base);
    let failure = settings.profile(Some("wrok")).unwrap_err();
    assert_eq!(failure.message(), "unknown profile wrok, there are \"at home\", work; did you mean \"work\"?");
    assert_eq!(failure.code(), Failure::CONFIGURATION);
    let none = good("").profile(Some("x")).unwrap_err();
    assert_eq!(none.message(), "unknown profile x, the settings have none");
}

#[test]
fn a_password_a_certificate_and_a_fingerprint_are_for_the_server_and_the_name_that_they_stand_with() {
    let print = "ab".repeat(32);
    let below = Profile {
        server: Some("tls://Chat.example".to_owned()),
        username: Some("ann".to_owned()),
        password_file: Some("secret".into()),
        certificate: Some("ann.crt".into()),
        certificate_key: Some("ann.key".into()),
        tls_fingerprint: Some(print.clone()),
        ..Profile::default()
    };
    let said = |server: Option<&str>, username: Option<&str>| Profile {
        server: server.map(str::to_owned),
        username: username.map(str::to_owned),
        ..Profile::default()
    };
    let cases = [
        (said(None, None), true, true),
        (said(Some("tls://chat.EXAMPLE:9998"), Some("ann")), true, true),
        (said(None, Some("bob")), false, true),
        (said(Some("tls://other.example"), None), false, false),
        // Not encrypted, so not the same.
        (said(Some("chat.example"), None), false, false),
    ];
    for (said, password, fingerprint) in cases {
        let counts = said.clone().over(&below);
        assert_eq!(
            (counts.password_file.is_some(), counts.tls_fingerprint.is_some()),
            (password, fingerprint),
            "{said:?}"
        );
        let shown = (counts.certificate.is_some(), counts.certificate_key.is_some());
        assert_eq!(shown, (password, password), "{said:?}");
    }
    // Where no server or name is said, they are for the usual ones.
    let usual = Profile { server: None, username: None, ..below.clone() };
    let cases = [
        (said(None, None), true, true),
        (said(Some("127.0.0.1"), Some(&system_name())), true, true),
        (said(None, Some("bob-the-other")), false, true),
        (said(Some("other.example"), None), false, false),
    ];
    for (said, password, fingerprint) in cases {
        let counts = said.clone().over(&usual);
        let there = (counts.password_file.is_some(), counts.tls_fingerprint.is_some());
        assert_eq!(there, (password, fingerprint), "{said:?}");
    }
    // A profile's own way to its password is the only one.
    let own =
        Profile { password_command: Some(PasswordCommand::Shell("x".to_owned())), ..Profile::default() }.over(&below);
    assert!(own.password_command.is_some() && own.password_file.is_none());
    // And its own certificate has its own key, but a key may be said alone.
    let own = Profile { certificate: Some("other.pem".into()), ..Profile::default() }.over(&below);
    assert_eq!((own.certificate, own.certificate_key), (Some("other.pem".into()), None));
    let key = Profile { certificate_key: Some("other.key".into()), ..Profile::default() }.over(&below);
    assert_eq!((key.certificate, key.certificate_key), (Some("ann.crt".into()), Some("other.key".into())));
}
